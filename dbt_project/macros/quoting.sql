{#- What comes from data and stands in SQL goes through one of these, whatever characters it has. -#}

{#- A column's or a table's name. dbt's own `adapter.quote` takes a name with a quote in it for two. -#}
{% macro quote_name(name) -%} {{ return(adapter.dispatch('quote_name')(name)) }} {%- endmacro %}
{% macro default__quote_name(name) -%} {{ return(adapter.quote(name | replace('"', '""'))) }} {%- endmacro %}
{% macro spark__quote_name(name) -%} {{ return(adapter.quote(name | replace('`', '``'))) }} {%- endmacro %}

{#- A text as a literal. -#}
{% macro text_literal(text) -%} {{ return(dbt.string_literal(dbt.escape_single_quotes(text | string))) }} {%- endmacro %}
