{#-
    Until which day each metric is known: that of the system among its sources that tells least far. Columns: metric,
    known_until_date, and `behind`, the systems that end before the run's day, in words (null: none does).

    `metrics` maps a metric to the entity whose records it counts; which systems have it, and in which raw tables, is read
    from the staging models. `raw_scorecast.newest` says how far each raw table reaches. A system that ended more than 13
    weeks before another of the same metric is no longer in use: its end is no lag.
-#}
{% macro metric_ends(metrics) %}
    {%- set newest = source('raw_scorecast', 'newest') -%}
    {%- set feeding = [] -%}
    {%- if columns_if_there(newest) -%}
        {%- for metric, entity in metrics.items() -%}
            {%- for model in var('staging_models', {}).get(entity, []) -%}
                {%- for id in graph.nodes['model.' ~ project_name ~ '.' ~ model].depends_on.nodes if id in graph.sources -%}
                    {%- set raw = graph.sources[id] -%}
                    {%- do feeding.append([metric, raw.schema, raw.identifier]) -%}
                {%- endfor -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif %}
    {%- if feeding %}
    select
        ends.metric,
        min(ends.known_until_date) as known_until_date,
        {{ dbt.listagg(
            "case when ends.known_until_date < as_of.as_of_date then ends.source || ' has nothing after ' || cast(ends.newest_date as " ~ dbt.type_string() ~ ") end",
            "'; '", "order by ends.source"
        ) }} as behind
    from (
        select
            feeding.metric,
            newest.source,
            max(newest.newest_date) as newest_date,
            max(newest.known_until_date) as known_until_date,
            max(max(newest.known_until_date)) over (partition by feeding.metric) as last_date
        from (
            {%- for metric, schema, table in feeding %}
            select
                {{ text_literal(metric) }} as metric,
                {{ text_literal(schema) }} as raw_schema,
                {{ text_literal(table) }} as raw_table
            {{- ' union all' if not loop.last }}
            {%- endfor %}
        ) as feeding
        inner join {{ newest }} as newest
            on feeding.raw_schema = 'raw_' || newest.source and feeding.raw_table = newest.entity
        group by feeding.metric, newest.source
    ) as ends
    cross join as_of
    where ends.known_until_date >= {{ dbt.dateadd('day', -91, 'ends.last_date') }}
    group by ends.metric
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as metric,
        cast(null as date) as known_until_date,
        cast(null as {{ dbt.type_string() }}) as behind
    where 1 = 0
    {%- endif %}
{% endmacro %}
