{#-
    What the text models wrote of texts into the schema `scores`, as typed rows: the one way from there to features and
    published. `columns` maps a column's name to our type.

    A table that is not there (a company without such texts, or before the first run of the texts) gives no rows, a column
    that it lacks is null. Text models run after core and before `core/readings`, features and published: nothing else may
    read this.
-#}
{% macro scored_texts(name, columns) %}
    {%- set scores = source('scores', name) -%}
    {%- set found = columns_if_there(scores) -%}
    {%- set present = {} -%}
    {%- for column in found -%} {%- do present.update({folded(column.name): column.name}) -%} {%- endfor -%}
    select
        {%- for column, type in columns.items() %}
        cast({{ quote_name(present[folded(column)]) if folded(column) in present else 'null' }} as {{ sql_type(type) }}) as {{ column }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    {%- if found %}
    from {{ scores }}
    {%- else %}
    where false
    {%- endif %}
{% endmacro %}
