{#-
    What the database has, asked of the database. Never of dbt's cache: it calls a schema known when the first of its
    relations is noted, so that another thread finds a table absent that is there. And never of an error: dbt takes a
    relation that it cannot describe for one without columns.
-#}

{#- The columns of a relation in their order, as {name, data_type}; none if it is not there. -#}
{% macro columns_if_there(relation) %}
    {%- set columns = [] -%}
    {%- if execute -%}
        {%- for row in run_query(columns_query(relation)) -%}
            {%- do columns.append({'name': row[0], 'data_type': row[1]}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(columns) }}
{% endmacro %}

{% macro columns_query(relation) -%} {{ return(adapter.dispatch('columns_query')(relation)) }} {%- endmacro %}
{% macro default__columns_query(relation) %}
    select
        column_name,
        data_type
    from {{ relation.information_schema('columns') }}
    where
        lower(table_schema) = lower({{ text_literal(relation.schema) }})
        and lower(table_name) = lower({{ text_literal(relation.identifier) }})
    order by ordinal_position
{% endmacro %}
{% macro duckdb__columns_query(relation) %}
    select
        column_name,
        data_type
    from duckdb_columns()
    where
        lower(database_name) = lower({{ text_literal(relation.database) }})
        and lower(schema_name) = lower({{ text_literal(relation.schema) }})
        and lower(table_name) = lower({{ text_literal(relation.identifier) }})
    order by column_index
{% endmacro %}

{#- The columns of a relation that has to be there; none while dbt only parses. -#}
{% macro columns_of(relation) %}
    {%- set columns = adapter.get_columns_in_relation(relation) if execute else [] -%}
    {%- if execute and not columns -%}
        {{ exceptions.raise_compiler_error(relation ~ " is not there or cannot be read; build it first") }}
    {%- endif -%}
    {{ return(columns) }}
{% endmacro %}

{#-
    After a staging model is built: an error, before anything is built from it, if it has no rows although every raw table
    that it reads has some. Where that may be right, the model's YAML says why: `config: {meta: {may_be_empty: why}}`.
-#}
{% macro stop_if_rows_are_lost() %}
    {%- if execute and not model.config.meta.may_be_empty and not has_rows(this) -%}
        {%- set raw_tables = [] -%}
        {%- set filled = [] -%}
        {%- for id in model.depends_on.nodes if id in graph.sources and graph.sources[id].source_name != 'raw_scorecast' -%}
            {%- set raw_table = source(graph.sources[id].source_name, graph.sources[id].name) -%}
            {%- do raw_tables.append(raw_table) -%}
            {%- if columns_if_there(raw_table) and has_rows(raw_table) -%}
                {%- do filled.append(raw_table.schema ~ '.' ~ raw_table.identifier) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if filled and filled | length == raw_tables | length -%}
            {{ exceptions.raise_compiler_error(
                filled | join(' and ') ~ " has rows, but " ~ this.schema ~ "." ~ this.identifier ~ ", which is made of it, has none."
                ~ " Nothing is built from it. Run again; if it stays so, correct " ~ model.original_file_path
                ~ ", or say in its YAML why it may be empty (config: {meta: {may_be_empty: why}})."
            ) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{% macro has_rows(relation) %}
    {{ return(run_query('select 1 as found from ' ~ relation ~ ' limit 1') | length > 0) }}
{% endmacro %}
