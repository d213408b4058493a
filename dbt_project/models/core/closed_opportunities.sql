with deals as (
    select * from {{ ref('opportunities') }}
    where is_closed and deleted_at is null
),
closings as (
    select
        source_system,
        opportunity_id,
        max(known_at) as known_at
    from {{ ref('opportunity_closings') }}
    where result in ('won', 'lost')
    group by source_system, opportunity_id
),
final as (
    select
        deals.opportunity_id,
        deals.source_system,
        deals.account_id,
        deals.recorded_account_id,
        case when deals.is_won then 'won' else 'lost' end as result,
        deals.amount,
        case when deals.is_won then deals.amount else 0 end as won_amount,
        deals.currency,
        {{ dbt.datediff('deals.created_at', 'deals.closed_at', 'day') }} as days_open,
        deals.closed_at as occurred_at,
        closings.known_at
    from deals
    inner join closings on deals.source_system = closings.source_system and deals.opportunity_id = closings.opportunity_id
)
select * from final
