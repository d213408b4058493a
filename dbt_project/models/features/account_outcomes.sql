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
        is_customer,
        currency
    from {{ ref('account_snapshots') }}
    union all
    select
        scored.account_id,
        scored.as_of_date,
        coalesce(revenue.is_customer, false) as is_customer,
        revenue.currency
    from scored
    left join revenue
        on scored.account_id = revenue.account_id
        and {{ is_known_at('scored.as_of_date', 'revenue') }}
),
next_stops as (
    {{ next_stops('snapshots') }}
),
first_merges as (
    select
        recorded_id,
        counts_from
    from ({{ merge_steps('account') }}) as merge_steps
    where step = 1
),
whole_years as (
    select
        snapshots.account_id,
        snapshots.as_of_date,
        snapshots.currency,
        cast({{ dbt.dateadd('day', 365, 'snapshots.as_of_date') }} as date) as year_end_date
    from snapshots
    left join first_merges on snapshots.account_id = first_merges.recorded_id
    where
        snapshots.is_customer
        and {{ dbt.dateadd('day', 365, 'snapshots.as_of_date') }} <= {{ as_of_date() }}
        {#- what a merged company would have paid is told by its survivor's -#}
        and (first_merges.recorded_id is null or first_merges.counts_from > {{ dbt.dateadd('day', 365, 'snapshots.as_of_date') }})
),
{#- what of a version's revenue lies in the year; one in another currency, or of an unknown amount, has no place in the sum -#}
year_revenue as (
    select
        whole_years.account_id,
        whole_years.as_of_date,
        sum(
            revenue.arr / 365.0 * {{ dbt.datediff(
                'greatest(cast(revenue.valid_from as date), whole_years.as_of_date)',
                "least(coalesce(cast(revenue.valid_to as date), date '9999-12-31'), whole_years.year_end_date)",
                'day'
            ) }}
        ) as revenue,
        sum(
            case
                when
                    revenue.is_customer
                    and (coalesce(revenue.arr, 0) = 0 or coalesce(revenue.currency, '') <> coalesce(whole_years.currency, ''))
                    then 1
                else 0
            end
        ) as versions_left_out
    from whole_years
    inner join revenue
        on whole_years.account_id = revenue.account_id
        and cast(revenue.valid_from as date) < whole_years.year_end_date
        and coalesce(cast(revenue.valid_to as date), date '9999-12-31') > whole_years.as_of_date
    group by whole_years.account_id, whole_years.as_of_date
),
final as (
    select
        snapshots.account_id,
        snapshots.as_of_date,
        case
            when snapshots.is_customer and {{ dbt.dateadd('day', 90 + var('churn_gap_days'), 'snapshots.as_of_date') }} <= {{ as_of_date() }}
                then coalesce(next_stops.stopped_date <= {{ dbt.dateadd('day', 90, 'snapshots.as_of_date') }}, false)
        end as is_churned_90d,
        case when year_revenue.versions_left_out = 0 then round(year_revenue.revenue, 2) end as revenue_365d
    from snapshots
    left join next_stops
        on snapshots.account_id = next_stops.account_id and snapshots.as_of_date = next_stops.as_of_date
    left join year_revenue
        on snapshots.account_id = year_revenue.account_id and snapshots.as_of_date = year_revenue.as_of_date
)
select * from final
