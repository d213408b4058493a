{%- set main_segments = 4 -%}
{%- set settling_days = 91 -%}

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
{#- what the names depend on is settled by a metric's first days, so that a series never changes its meaning later -#}
starts as (
    select
        metric,
        min(metric_date) as first_date,
        cast({{ dbt.dateadd('day', settling_days, 'min(metric_date)') }} as date) as settled_date
    from known_changes
    group by metric
),
currencies as (
    select
        known_changes.metric,
        known_changes.currency,
        row_number() over (
            partition by known_changes.metric order by count(*) desc, known_changes.currency
        ) as place
    from known_changes
    inner join starts on known_changes.metric = starts.metric
    where known_changes.metric_date < starts.settled_date and known_changes.currency is not null
    group by known_changes.metric, known_changes.currency
),
main_currencies as (
    select
        metric,
        currency
    from currencies
    where place = 1
),
{#- amounts in another currency cannot be added up: they are a metric of their own -#}
priced as (
    select
        case
            when known_changes.currency is null or known_changes.currency = main_currencies.currency then known_changes.metric
            else known_changes.metric || '_' || lower(known_changes.currency)
        end as metric,
        known_changes.is_stock,
        known_changes.segment,
        coalesce(known_changes.currency, main_currencies.currency) as currency,
        known_changes.metric_date,
        known_changes.value,
        known_changes.known_until_date,
        known_changes.behind
    from known_changes
    left join main_currencies on known_changes.metric = main_currencies.metric
),
metric_starts as (
    select
        metric,
        is_stock,
        max(currency) as currency,
        max(known_until_date) as known_until_date,
        max(behind) as behind,
        min(metric_date) as first_date,
        cast({{ dbt.dateadd('day', settling_days, 'min(metric_date)') }} as date) as settled_date
    from priced
    group by metric, is_stock
),
ranked_segments as (
    select
        priced.metric,
        priced.segment,
        row_number() over (
            partition by priced.metric order by sum(case when priced.value > 0 then priced.value else 0 end) desc, priced.segment
        ) as place
    from priced
    inner join metric_starts on priced.metric = metric_starts.metric
    where priced.metric_date < metric_starts.settled_date and priced.segment is not null and priced.segment <> 'total'
    group by priced.metric, priced.segment
),
segmented as (
    select
        priced.metric,
        case when ranked_segments.place is null then 'other' else priced.segment end as segment,
        priced.metric_date,
        priced.value
    from priced
    left join ranked_segments
        on priced.metric = ranked_segments.metric
        and priced.segment = ranked_segments.segment
        and ranked_segments.place <= {{ main_segments }}
    union all
    select
        metric,
        'total' as segment,
        metric_date,
        value
    from priced
),
per_day as (
    select
        metric,
        segment,
        metric_date,
        sum(value) as value
    from segmented
    group by metric, segment, metric_date
),
series as (
    select
        per_day.metric,
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
    inner join metric_starts on per_day.metric = metric_starts.metric
    group by per_day.metric, per_day.segment, metric_starts.is_stock, metric_starts.currency, metric_starts.first_date, metric_starts.settled_date,
        metric_starts.known_until_date, metric_starts.behind
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
        days.segment,
        cast(days.day_at as date) as metric_date,
        days.is_stock,
        days.currency,
        days.known_until_date,
        days.behind,
        coalesce(per_day.value, 0) as value
    from days
    left join per_day
        on days.metric = per_day.metric and days.segment = per_day.segment and cast(days.day_at as date) = per_day.metric_date
),
final as (
    select
        metric,
        segment,
        metric_date,
        round(cast(case
            when is_stock then sum(value) over (
                partition by metric, segment order by metric_date rows between unbounded preceding and current row
            )
            else value
        end as {{ type_double() }}), 2) as value,
        currency,
        known_until_date,
        behind
    from filled
)
select * from final
