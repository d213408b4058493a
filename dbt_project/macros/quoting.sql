{#- What comes from data and stands in SQL goes through one of these, whatever characters it has. -#}

{#- A column's or a table's name. dbt's own `adapter.quote` takes a name with a quote in it for two. -#}
{% macro quote_name(name) -%} {{ return(adapter.dispatch('quote_name')(name)) }} {%- endmacro %}
{% macro default__quote_name(name) -%} {{ return(adapter.quote(name | replace('"', '""'))) }} {%- endmacro %}
{% macro spark__quote_name(name) -%} {{ return(adapter.quote(name | replace('`', '``'))) }} {%- endmacro %}

{#- A text as a literal. -#}
{% macro text_literal(text) -%} {{ return(dbt.string_literal(dbt.escape_single_quotes(text | string))) }} {%- endmacro %}

{#- Rows of texts, to follow `values`. All are quoted in one call: one a text would take dbt a second for a few thousand. -#}
{% macro text_rows(rows) -%}
    {%- set between, after = ['\x1f', '\x1e'] -%}
    {%- set lines = [] -%}
    {%- for row in rows -%} {%- do lines.append(row | join(between)) -%} {%- endfor -%}
    {{- return('(' ~ text_literal(lines | join(after)) | replace(between, "', '") | replace(after, "'),\n('") ~ ')') -}}
{%- endmacro %}

{#- Whether a text matches a regular expression (without classes like `\d`, which engines spell differently). -#}
{% macro matches(text, pattern) -%} {{ return(adapter.dispatch('matches')(text, pattern)) }} {%- endmacro %}
{% macro duckdb__matches(text, pattern) -%} regexp_matches({{ text }}, {{ text_literal(pattern) }}) {%- endmacro %}
{#- Spark reads a backslash in a literal as the start of an escape. -#}
{% macro default__matches(text, pattern) -%} {{ text }} rlike {{ text_literal(pattern | replace('\\', '\\\\')) }} {%- endmacro %}

{#- Words as alternatives of a regular expression, each as it is written. -#}
{% macro any_of(words) -%}
    {%- set escaped = [] -%}
    {%- for word in words -%} {%- do escaped.append(modules.re.escape(word) | replace('\\ ', ' ')) -%} {%- endfor -%}
    {{- return(escaped | join('|')) -}}
{%- endmacro %}
