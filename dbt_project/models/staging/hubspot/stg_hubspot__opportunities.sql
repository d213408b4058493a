{%- set is_won_stage = "replace(lower(stage), ' ', '') in ('closedwon', 'won')" -%}
{%- set is_lost_stage = "replace(lower(stage), ' ', '') in ('closedlost', 'lost')" -%}
{%- set is_closed = "coalesce(said_closed, said_won or " ~ is_won_stage ~ " or " ~ is_lost_stage ~ ")" -%}

with deals as (
    {{ raw_columns(source('raw_hubspot', 'deal'), {
        'opportunity_id': ['id', 'string'],
        'account_keys': ['associatedcompanyid', 'string'],
        'account_names': ['associatedcompany', 'string'],
        'opportunity_name': ['dealname', 'string'],
        'stage': ['dealstage', 'string'],
        'pipeline': ['pipeline', 'string'],
        'type': ['dealtype', 'string'],
        'amount': ['amount', 'double'],
        'currency': ['deal_currency_code', 'string'],
        'said_closed': ['hs_is_closed', 'boolean'],
        'said_won': ['hs_is_closed_won', 'boolean'],
        'owner_id': ['hubspot_owner_id', 'string'],
        'closes_at': ['closedate', 'timestamp'],
        'is_deleted': ['archived', 'boolean'],
        'created_at': ['createdate', 'timestamp'],
        'known_at': ['hs_lastmodifieddate', 'timestamp'],
    }, history={
        'key': 'opportunity_id',
        'fixed': [
            'opportunity_id', 'account_keys', 'account_names', 'opportunity_name', 'pipeline', 'type', 'currency', 'created_at'
        ],
        'steps': [{
            'at': 'greatest(closes_at, created_at)',
            'when': is_closed ~ ' and closes_at is not null',
            'columns': {
                'said_closed': 'said_closed', 'said_won': 'said_won', 'stage': 'stage', 'amount': 'amount', 'closes_at': 'closes_at'
            },
        }],
        'gone': {'is_deleted': 'true'},
    }) }}
),
final as (
    select
        deals.*,
        {{ name_not_number('owner_id') }} as owner_name,
        -- several companies of one deal stand in one field; the first is the primary one
        trim({{ dbt.split_part('account_keys', "';'", 1) }}) as account_key,
        trim({{ dbt.split_part('account_names', "';'", 1) }}) as account_name,
        cast(closes_at as date) as close_date,
        coalesce(said_won, {{ is_won_stage }}) as is_won,
        {{ is_closed }} as is_closed
    from deals
)
select * from final
