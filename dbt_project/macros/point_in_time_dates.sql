{#- The run's day as a Python date, asked of the warehouse while dbt compiles; a fixed day while it only parses. -#}
{% macro run_date() %}
    {%- set query = 'select ' ~ as_of_date() -%}
    {%- if not execute -%} {{ return(modules.datetime.date(2000, 1, 2)) }} {%- endif -%}
    {%- set day = run_query(query)[0][0] -%}
    {%- if day is none -%}
        {{ exceptions.raise_compiler_error("raw_scorecast.as_of is empty: the pipeline writes the run's day there before dbt is called") }}
    {%- endif -%}
    {{ return(day) }}
{% endmacro %}

{% macro date_literal(day) -%} date '{{ day }}' {%- endmacro %}

{#- Weeks end on Sundays and are counted from the one that ended on 7 January 1900. -#}
{% macro week_number(date) -%}
    cast(floor(({{ dbt.datediff("date '1899-12-31'", date, 'day') }} + 6) / 7) as integer)
{%- endmacro %}

{% macro week_end(week) -%}
    cast({{ dbt.dateadd('day', '7 * ' ~ week, "date '1899-12-31'") }} as date)
{%- endmacro %}

{#-
    Which `as_of` dates a snapshot model writes in this run. The first build writes every Sunday and the run's own day; a
    later one the Sundays since the newest that is stored, and the run's own day.

    `points` are the dates that are computed one by one, by a plain aggregate; `has_grid` says whether the weekly grid is
    computed as well: the Sundays after `after` (none: all of them) up to the run's day.
-#}
{% macro snapshot_dates() %}
    {%- set run_day = run_date() -%}
    {%- set one_week = modules.datetime.timedelta(days=7) -%}
    {%- set sundays = [] -%}
    {%- set ns = namespace(newest=none) -%}
    {%- if is_incremental() -%}
        {%- set ns.newest = run_query(
            'select max(as_of_date) from ' ~ this ~ ' where as_of_date < ' ~ date_literal(run_day)
            ~ ' and as_of_date = ' ~ week_end(week_number('as_of_date'))
        )[0][0] -%}
    {%- endif -%}
    {%- if ns.newest is not none -%}
        {%- for number in range(1, 7) if ns.newest + one_week * number <= run_day -%}
            {%- do sundays.append(ns.newest + one_week * number) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set has_grid = ns.newest is none or sundays | length > 4 -%}
    {%- set points = [] if has_grid else sundays -%}
    {%- if run_day not in points and not (has_grid and run_day.isoweekday() == 7) -%}
        {%- do points.append(run_day) -%}
    {%- endif -%}
    {{ return({'run_day': run_day, 'points': points, 'has_grid': has_grid, 'after': ns.newest}) }}
{% endmacro %}

{#- The same as a relation with one column, `as_of_date`. -#}
{% macro as_of_dates() %}
    {%- set dates = snapshot_dates() -%}
    {%- if dates.has_grid %}
    select {{ week_end('number') }} as as_of_date
    from ({{ integers(8192) }}) as weeks
    where
        {{ week_end('number') }} <= {{ date_literal(dates.run_day) }}
        and {{ week_end('number') }} > {{ date_literal(dates.after or dates.run_day - modules.datetime.timedelta(days=var('snapshot_days'))) }}
    {%- if dates.points %}
    union all
    {%- endif %}
    {%- endif %}
    {%- for day in dates.points %}
    select {{ date_literal(day) }} as as_of_date
    {{- ' union all' if not loop.last }}
    {%- endfor %}
{% endmacro %}

{#-
    After a snapshot model has written its days, replacing those that it had: deletes the rows of days that are not kept,
    which are the weekdays of earlier runs and everything later than this run's day. Sundays stay as they are. It runs
    afterwards because DuckDB cannot delete rows and then add a new feature's column in one transaction.
-#}
{% macro drop_passing_snapshots() %}
    delete from {{ this }}
    where
        as_of_date > {{ date_literal(run_date()) }}
        or as_of_date < {{ date_literal(run_date()) }} and as_of_date <> {{ week_end(week_number('as_of_date')) }}
{% endmacro %}

{#-
    The widest table is written by one thread: each thread of DuckDB that writes holds rows of every column until they are
    worth compressing, and what two of them wrote is put together again, on one thread, when the file is closed. Measured on
    148,000 rows of 359 columns: 12 s with one thread, and the same with two.
-#}
{% macro write_with_one_thread(is_start) -%} {{ return(adapter.dispatch('write_with_one_thread')(is_start)) }} {%- endmacro %}
{% macro default__write_with_one_thread(is_start) -%} {%- endmacro %}
{% macro duckdb__write_with_one_thread(is_start) -%}
    {{ 'set threads = 1' if is_start else 'reset threads' }}
{%- endmacro %}

{#-
    Whom past releases scored on days for which `snapshots` has no rows any more: one row per `entity_key` and as_of_date. An
    outcomes model adds them to the snapshots' rows, so that a score of any day can be compared with what came of it.
-#}
{% macro scored_between_snapshots(snapshots, entity_key) %}
    {%- set scored = source('raw_scorecast', 'scored') -%}
    {%- if columns_if_there(scored) %}
    select
        scored.entity_id as {{ entity_key }},
        scored.as_of_date
    from {{ scored }} as scored
    left join {{ ref(snapshots) }} as snapshots
        on scored.entity_id = snapshots.{{ entity_key }} and scored.as_of_date = snapshots.as_of_date
    where scored.entity_key = {{ text_literal(entity_key) }} and snapshots.as_of_date is null
    {%- else %}
    select
        {{ entity_key }},
        as_of_date
    from {{ ref(snapshots) }}
    where 1 = 0
    {%- endif %}
{% endmacro %}
