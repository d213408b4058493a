{#-
    Every key by which a core table names this entity stands in this column: dbt's `relationships` from the other end, for
    all tables in one query (each test takes a daily run longer than its query does). Which tables and columns these are
    the semantic models say, in their entities of type `foreign`, so a new core table is checked without an edit.

    `today`: not the key of the row's own time (recorded_<entity>_id) but who survives today (<entity>_id).
    A key of nothing is a warning: in a stranger's data it is told, and the rest is built. A table that grows keeps a row
    that a corrected export no longer has, and the id of the row's time when an older record that arrives late gives a
    company or person another id; a full refresh mends both.
-#}
{% test has_every_key(model, column_name, entity, today=false) %}
    {{ config(severity='warn') }}
    {{ read_core_models() }}
    {%- for item in core_semantic_models() -%}
        {%- set key = entity_expression(item.semantic_model, entity, ['foreign']) -%}
        {%- if key %}
        {%- set column = key.removeprefix('recorded_') if today else key %}
    select
        {{ text_literal(item.node.name ~ '.' ~ column) }} as key_column,
        cast(named.{{ column }} as {{ dbt.type_string() }}) as key_of_nothing
    from {{ ref(item.node.name) }} as named
    where
        named.{{ column }} is not null
        and not exists (select 1 from {{ model }} as there where there.{{ column_name }} = named.{{ column }})
    union all
        {%- endif -%}
    {%- endfor %}
    select
        null as key_column,
        null as key_of_nothing
    where 1 = 0
{% endtest %}
