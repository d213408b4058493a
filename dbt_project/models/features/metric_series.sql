{%- set main_segments = 4 -%}
{%- set settling_days = 91 -%}
{%- set recent_days = 364 -%}
{%- set least_share = 0.1 -%}

with as_of as (
    select {{ as_of_date() }} as as_of_date
),
ends as (
    {{ metric_ends({
        'bookings': 'opportunities', 'recurring_revenue': 'subscriptions', 'new_leads': 'leads', 'tickets': 'tickets'
    }) }}
),
industries as (
    select
        account_id,
        industry
    from {{ ref('account_versions') }}
    where valid_to is null
),
revenue as (
    select
        paid_periods.*,
        industries.industry
    from {{ ref('paid_periods') }} as paid_periods
    left join industries on paid_periods.account_id = industries.account_id
),
won_deals as (
    select
        deals.occurred_at,
        deals.won_amount,
        deals.currency,
        industries.industry
    from {{ ref('closed_opportunities') }} as deals
    left join industries on deals.account_id = industries.account_id
    where deals.result = 'won'
),
{#- one row per change: what a day adds to a metric; a stock (recurring revenue) is the running total of its changes -#}
changes as (
    select
        'bookings' as metric,
        false as is_stock,
        industry as segment,
        currency,
        cast(occurred_at as date) as metric_date,
        coalesce(won_amount, 0) as value
    from won_deals
    union all
    select
        'recurring_revenue' as metric,
        true as is_stock,
        industry as segment,
        currency,
        cast(paid_from as date) as metric_date,
        mrr as value
    from revenue
    where mrr <> 0
    union all
    select
        'recurring_revenue' as metric,
        true as is_stock,
        industry as segment,
        currency,
        cast(paid_to as date) as metric_date,
        -mrr as value
    from revenue
    where mrr <> 0 and paid_to is not null
    union all
    select
        'new_leads' as metric,
        false as is_stock,
        source as segment,
        null as currency,
        cast(coalesce(occurred_at, known_at) as date) as metric_date,
        1 as value
    from {{ ref('leads') }}
    where not is_deleted and merged_into_lead_id is null
    union all
    select
        'tickets' as metric,
        false as is_stock,
        latest_priority as segment,
        null as currency,
        cast(coalesce(occurred_at, known_at) as date) as metric_date,
        1 as value
    from {{ ref('tickets') }}
    where deleted_at is null
),
known_changes as (
    select
        changes.*,
        coalesce(ends.known_until_date, as_of.as_of_date) as known_until_date,
        ends.behind
    from changes
    cross join as_of
    left join ends on changes.metric = ends.metric
    where changes.metric_date <= coalesce(ends.known_until_date, as_of.as_of_date)
),
{#- how much of a metric is in each currency: what there is of a stock, and what came of a flow in the last year -#}
sizes as (
    select
        known_changes.metric,
        known_changes.currency,
        coalesce(abs(sum(
            case
                when known_changes.is_stock or known_changes.metric_date > {{ dbt.dateadd('day', -recent_days, 'as_of.as_of_date') }}
                    then known_changes.value
            end
        )), 0) * {{ smallest_units('known_changes.currency') }} as size
    from known_changes
    cross join as_of
    group by known_changes.metric, known_changes.currency
),
ranked_currencies as (
    select
        sizes.*,
        row_number() over (partition by metric order by size desc, currency) as place,
        sum(size) over (partition by metric) as size_of_metric
    from sizes
),
{#- a currency of which nothing came for a year has no series, one with little of it no segments -#}
currencies as (
    select
        metric,
        coalesce(currency, '') as currency_key,
        place = 1 or size >= {{ least_share }} * size_of_metric as has_segments
    from ranked_currencies
    where place = 1 or size > 0
),
priced as (
    select
        known_changes.metric,
        known_changes.is_stock,
        known_changes.segment,
        known_changes.currency,
        currencies.currency_key,
        currencies.has_segments,
        known_changes.metric_date,
        known_changes.value,
        known_changes.known_until_date,
        known_changes.behind
    from known_changes
    inner join currencies
        on known_changes.metric = currencies.metric
        and coalesce(known_changes.currency, '') = currencies.currency_key
),
{#- which segments there are is settled by the first days, so that a series never changes its meaning later -#}
metric_starts as (
    select
        metric,
        currency_key,
        is_stock,
        max(currency) as currency,
        max(known_until_date) as known_until_date,
        max(behind) as behind,
        min(metric_date) as first_date,
        cast({{ dbt.dateadd('day', settling_days, 'min(metric_date)') }} as date) as settled_date
    from priced
    group by metric, currency_key, is_stock
),
ranked_segments as (
    select
        priced.metric,
        priced.currency_key,
        priced.segment,
        row_number() over (
            partition by priced.metric, priced.currency_key
            order by sum(case when priced.value > 0 then priced.value else 0 end) desc, priced.segment
        ) as place
    from priced
    inner join metric_starts
        on priced.metric = metric_starts.metric and priced.currency_key = metric_starts.currency_key
    where priced.metric_date < metric_starts.settled_date and priced.segment is not null and priced.segment <> 'total'
    group by priced.metric, priced.currency_key, priced.segment
),
segmented as (
    select
        priced.metric,
        priced.currency_key,
        case when ranked_segments.place is null then 'other' else priced.segment end as segment,
        priced.metric_date,
        priced.value
    from priced
    left join ranked_segments
        on priced.metric = ranked_segments.metric
        and priced.currency_key = ranked_segments.currency_key
        and priced.segment = ranked_segments.segment
        and ranked_segments.place <= {{ main_segments }}
    where priced.has_segments
    union all
    select
        metric,
        currency_key,
        'total' as segment,
        metric_date,
        value
    from priced
),
per_day as (
    select
        metric,
        currency_key,
        segment,
        metric_date,
        sum(value) as value
    from segmented
    group by metric, currency_key, segment, metric_date
),
series as (
    select
        per_day.metric,
        per_day.currency_key,
        per_day.segment,
        metric_starts.is_stock,
        metric_starts.currency,
        metric_starts.known_until_date,
        metric_starts.behind,
        case
            when min(per_day.metric_date) < metric_starts.settled_date then metric_starts.first_date
            else min(per_day.metric_date)
        end as first_date
    from per_day
    inner join metric_starts
        on per_day.metric = metric_starts.metric and per_day.currency_key = metric_starts.currency_key
    group by
        per_day.metric, per_day.currency_key, per_day.segment, metric_starts.is_stock, metric_starts.currency,
        metric_starts.first_date, metric_starts.settled_date, metric_starts.known_until_date, metric_starts.behind
),
days as (
    select
        series.*,
        {{ dbt.dateadd('day', 'numbers.number', 'series.first_date') }} as day_at
    from series
    inner join ({{ integers(65536) }}) as numbers
        on numbers.number <= {{ dbt.datediff('series.first_date', 'series.known_until_date', 'day') }}
),
filled as (
    select
        days.metric,
        days.currency_key,
        days.segment,
        cast(days.day_at as date) as metric_date,
        days.is_stock,
        days.currency,
        days.known_until_date,
        days.behind,
        coalesce(per_day.value, 0) as value
    from days
    left join per_day
        on days.metric = per_day.metric
        and days.currency_key = per_day.currency_key
        and days.segment = per_day.segment
        and cast(days.day_at as date) = per_day.metric_date
),
final as (
    select
        metric,
        segment,
        metric_date,
        round(cast(case
            when is_stock then sum(value) over (
                partition by metric, currency_key, segment order by metric_date rows between unbounded preceding and current row
            )
            else value
        end as {{ type_double() }}), 2) as value,
        currency,
        known_until_date,
        behind
    from filled
)
select * from final
