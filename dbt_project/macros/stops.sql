{#-
    What a stop is, said once: a customer who pays for nothing for `churn_gap_days` (dbt_project.yml) or longer has stopped,
    when the last subscription ended. A shorter gap is a pause or a switch. It is a duration, never two calendar days.
-#}
{% macro is_no_stop(ended_at, started_at) -%}
    {{ started_at }} < {{ gap_after(ended_at) }}
{%- endmacro %}

{% macro gap_after(ended_at) -%} {{ dbt.dateadd('day', var('churn_gap_days'), ended_at) }} {%- endmacro %}

{#-
    The stops of customers: `key`, `stopped_at`, `returned_at`. `periods` are times that something was paid for, from
    `starts` to `ends` (null: it goes on), which may overlap. A stop whose gap has not passed by the run's day is none yet.
-#}
{% macro customer_stops(periods, key, starts, ends) %}
    select
        {{ key }},
        stopped_at,
        returned_at
    from (
        select
            {{ key }},
            max(coalesce({{ ends }}, {{ end_of_time() }})) over (
                partition by {{ key }} order by {{ starts }}, {{ ends }} rows between unbounded preceding and current row
            ) as stopped_at,
            lead({{ starts }}) over (partition by {{ key }} order by {{ starts }}, {{ ends }}) as returned_at
        from {{ periods }} as periods
    ) as paid
    where
        stopped_at < {{ end_of_time() }}
        and (returned_at is null or not {{ is_no_stop('stopped_at', 'returned_at') }})
        and cast({{ gap_after('stopped_at') }} as date) <= {{ as_of_date() }}
{% endmacro %}

{#-
    The first stop after a snapshot of a company, one row per account_id and as_of_date that has one: `stopped_date`.
    `snapshots` is a relation in scope with account_id, the company as it was recorded then. A merged company's
    subscriptions go on with the survivor: from the merge on, the survivor's end is its end.
-#}
{% macro next_stops(snapshots) %}
    with known_periods as (
        select
            account_id,
            valid_from,
            valid_to
        from {{ ref('account_revenue_versions') }}
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
    )
    select
        snapshots.account_id,
        snapshots.as_of_date,
        min(stops_of_companies.stopped_date) as stopped_date
    from {{ snapshots }} as snapshots
    inner join stops_of_companies
        on snapshots.account_id = stops_of_companies.account_id
        and snapshots.as_of_date < stops_of_companies.stopped_date
    group by snapshots.account_id, snapshots.as_of_date
{% endmacro %}
