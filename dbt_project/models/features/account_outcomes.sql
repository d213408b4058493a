with revenue as (
    select * from {{ ref('account_revenue_versions') }}
),
scored as (
    {{ scored_between_snapshots('account_snapshots', 'account_id') }}
),
snapshots as (
    select
        account_id,
        as_of_date,
        is_customer
    from {{ ref('account_snapshots') }}
    union all
    select
        scored.account_id,
        scored.as_of_date,
        coalesce(revenue.is_customer, false) as is_customer
    from scored
    left join revenue
        on scored.account_id = revenue.account_id
        and {{ is_known_at('scored.as_of_date', 'revenue') }}
),
known_periods as (
    select
        account_id,
        valid_from,
        valid_to
    from revenue
    where is_customer
),
stops as (
    select
        account_id,
        cast(stopped_at as date) as stopped_date
    from ({{ customer_stops('known_periods', 'account_id', 'valid_from', 'valid_to') }}) as known_stops
),
merge_steps as (
    {{ merge_steps('account') }}
),
first_merges as (
    select
        recorded_id,
        counts_from
    from merge_steps
    where step = 1
),
{#- a merged company's subscriptions go on with the survivor: from the merge on, the survivor's end is its end -#}
stops_of_companies as (
    select
        stops.account_id,
        stops.stopped_date
    from stops
    left join first_merges on stops.account_id = first_merges.recorded_id
    where first_merges.recorded_id is null or stops.stopped_date < first_merges.counts_from
    union all
    select
        merge_steps.recorded_id as account_id,
        stops.stopped_date
    from stops
    inner join merge_steps
        on stops.account_id = merge_steps.account_id
        and stops.stopped_date >= merge_steps.counts_from
        and stops.stopped_date < merge_steps.counts_to
),
next_stops as (
    select
        snapshots.account_id,
        snapshots.as_of_date,
        min(stops_of_companies.stopped_date) as stopped_date
    from snapshots
    inner join stops_of_companies
        on snapshots.account_id = stops_of_companies.account_id
        and snapshots.as_of_date < stops_of_companies.stopped_date
    group by snapshots.account_id, snapshots.as_of_date
),
final as (
    select
        snapshots.account_id,
        snapshots.as_of_date,
        case
            when snapshots.is_customer and {{ dbt.dateadd('day', 90 + var('churn_gap_days'), 'snapshots.as_of_date') }} <= {{ as_of_date() }}
                then coalesce(next_stops.stopped_date <= {{ dbt.dateadd('day', 90, 'snapshots.as_of_date') }}, false)
        end as is_churned_90d
    from snapshots
    left join next_stops
        on snapshots.account_id = next_stops.account_id and snapshots.as_of_date = next_stops.as_of_date
)
select * from final
