{#- a deal that is closed counts by the rate of that day (which people gave, or on which it was marked), an open one by that of its first -#}
{%- set valued_at -%}
    case
        when
            coalesce(records.is_closed, records.is_won, false)
            and records.close_date < cast(coalesce(records.closed_at, records.known_at) as date)
            then cast(records.close_date as {{ dbt.type_timestamp() }})
        when coalesce(records.is_closed, records.is_won, false) then coalesce(records.closed_at, records.known_at)
        else coalesce(records.created_at, records.known_at)
    end
{%- endset -%}

with records as (
    {{ union_staging('opportunities', {
        'opportunity_id': 'string',
        'account_key': 'string',
        'opportunity_name': 'string',
        'stage': 'string',
        'amount': 'double',
        'currency': 'currency',
        'stated_probability_percent': 'double',
        'close_date': 'date',
        'closed_at': 'timestamp',
        'type': 'string',
        'product': 'string',
        'lead_source': 'string',
        'forecast_category': 'string',
        'owner_id': 'string',
        'owner_name': 'string',
        'campaign_id': 'string',
        'is_closed': 'boolean',
        'is_won': 'boolean',
        'is_deleted': 'boolean',
        'created_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
account_link_periods as (
    select * from {{ ref('account_link_periods') }}
),
attributed as (
    select
        records.opportunity_id,
        records.source_system,
        records.account_key,
        {{- attributed_columns('records', true, false) }}
        records.known_at as recorded_at,
        case when not records.is_rebuilt then records.known_at end as changed_at,
        records.opportunity_name,
        records.stage,
        {{ converted('records.amount') }} as amount,
        {{- converted_currency('records') }}
        records.stated_probability_percent,
        records.close_date,
        records.type,
        records.product,
        records.lead_source,
        records.forecast_category,
        records.owner_id,
        records.owner_name,
        records.campaign_id,
        {{- select_custom_columns('opportunities', 'records') }}
        coalesce(records.is_closed, records.is_won, false) as is_closed,
        coalesce(records.is_won, false) as is_won,
        case when coalesce(records.is_closed, records.is_won, false) then coalesce(records.closed_at, records.known_at) end as closed_at,
        coalesce(records.is_deleted, false) as is_deleted,
        not coalesce(records.is_closed, records.is_won, false) and not coalesce(records.is_deleted, false) as is_open,
        records.created_at
    from records
    {{- join_account('records') }}
    {{- join_exchange_rates('records', valued_at) }}
),
final as (
    {{ versions_of('attributed', ['source_system', 'opportunity_id']) }}
)
select * from final
