with snapshots as (
    select
        lead_id,
        as_of_date,
        currency
    from {{ ref('lead_snapshots') }}
),
deals as (
    select distinct
        lead_id,
        converted_opportunity_id as opportunity_id
    from {{ ref('lead_versions') }}
    where converted_opportunity_id is not null
),
won_deals as (
    {{ won_within(180, 'lead_id') }}
),
final as (
    select
        snapshots.lead_id,
        snapshots.as_of_date,
        case
            when {{ dbt.dateadd('day', 180, 'snapshots.as_of_date') }} <= {{ as_of_date() }} then won_deals.won_amount
        end as deal_amount_180d
    from snapshots
    left join won_deals on snapshots.lead_id = won_deals.lead_id and snapshots.as_of_date = won_deals.as_of_date
)
select * from final
