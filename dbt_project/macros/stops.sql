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
