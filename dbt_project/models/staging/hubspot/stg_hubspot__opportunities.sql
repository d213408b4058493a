with deals as (
    {{ raw_columns(source('raw_hubspot', 'deal'), {
        'opportunity_id': ['id', 'string'],
        'account_keys': ['associatedcompanyid', 'string'],
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
        'created_at': ['createdate', 'timestamp'],
        'known_at': ['hs_lastmodifieddate', 'timestamp'],
    }) }}
),
stages as (
    select
        deals.*,
        replace(lower(stage), ' ', '') in ('closedwon', 'won') as is_won_stage,
        replace(lower(stage), ' ', '') in ('closedlost', 'lost') as is_lost_stage
    from deals
),
final as (
    select
        stages.*,
        {{ name_not_number('owner_id') }} as owner_name,
        -- several companies of one deal stand in one field; the first is the primary one
        trim({{ dbt.split_part('account_keys', "';'", 1) }}) as account_key,
        cast(closes_at as date) as close_date,
        coalesce(said_won, is_won_stage) as is_won,
        coalesce(said_closed, said_won or is_won_stage or is_lost_stage) as is_closed
    from stages
)
select * from final
