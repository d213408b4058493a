{#- The names that staging and core give to column types, as the engine spells them. -#}
{% macro sql_type(name) -%}
    {%- if name in ('string', 'free_text') -%} {{ dbt.type_string() }}
    {%- elif name == 'bigint' -%} {{ dbt.type_bigint() }}
    {%- elif name == 'double' -%} {{ type_double() }}
    {%- elif name == 'boolean' -%} {{ dbt.type_boolean() }}
    {%- elif name in ('timestamp', 'epoch_s', 'epoch_ms') -%} {{ dbt.type_timestamp() }}
    {%- elif name == 'date' -%} date
    {%- else -%} {{ exceptions.raise_compiler_error("unknown column type '" ~ name ~ "'; use string, free_text (what a person wrote), bigint, double, boolean, timestamp, date, epoch_s or epoch_ms") }}
    {%- endif -%}
{%- endmacro %}

{#- Eight bytes everywhere; dbt's own `type_float` has four on DuckDB. -#}
{% macro type_double() -%} {{ return(adapter.dispatch('type_double')()) }} {%- endmacro %}
{% macro default__type_double() -%} double {%- endmacro %}
{% macro postgres__type_double() -%} double precision {%- endmacro %}

{#- A vendor's value as one of our types; the two epochs count seconds or milliseconds since 1970 in UTC. -#}
{% macro typed(expression, type) -%}
    {%- if type == 'epoch_s' -%} {{ epoch_to_timestamp(expression, 1) }}
    {%- elif type == 'epoch_ms' -%} {{ epoch_to_timestamp(expression, 1000) }}
    {%- else -%} cast({{ expression }} as {{ sql_type(type) }})
    {%- endif -%}
{%- endmacro %}

{% macro epoch_to_timestamp(expression, per_second) -%}
    {{ return(adapter.dispatch('epoch_to_timestamp')(expression, per_second)) }}
{%- endmacro %}
{% macro default__epoch_to_timestamp(expression, per_second) -%}
    {%- if per_second == 1 -%} timestamp_seconds({{ expression }}) {%- else -%} timestamp_millis({{ expression }}) {%- endif -%}
{%- endmacro %}
{% macro duckdb__epoch_to_timestamp(expression, per_second) -%}
    make_timestamp(cast({{ expression }} as bigint) * {{ 1000000 // per_second }})
{%- endmacro %}

{#- A text in a JSON object, or null. -#}
{% macro json_text(column, key) -%} {{ return(adapter.dispatch('json_text')(column, key)) }} {%- endmacro %}
{% macro default__json_text(column, key) -%} get_json_object({{ column }}, '$.{{ key }}') {%- endmacro %}
{% macro duckdb__json_text(column, key) -%}
    case when json_valid({{ column }}) then json_extract_string({{ column }}, '$.{{ key }}') end
{%- endmacro %}

{#- A short stable hash of a text, for ids that must not show what they were made of. -#}
{% macro text_hash(expression) -%} md5({{ expression }}) {%- endmacro %}

{#- The end of time: `valid_to` of what still holds, so that a period is found with two comparisons. -#}
{% macro end_of_time() -%} cast('9999-12-31' as {{ dbt.type_timestamp() }}) {%- endmacro %}

{#- The start of time: earlier than anything that happened to a customer. -#}
{% macro start_of_time() -%} cast('1900-01-01' as {{ dbt.type_timestamp() }}) {%- endmacro %}

{#- The value last known up to this row, skipping nulls. -#}
{% macro last_known(expression, partition_by, order_by) -%}
    {{ return(adapter.dispatch('last_known')(expression, partition_by, order_by)) }}
{%- endmacro %}
{% macro default__last_known(expression, partition_by, order_by) -%}
    last_value({{ expression }}, true) over (
        partition by {{ partition_by }} order by {{ order_by }} rows between unbounded preceding and current row
    )
{%- endmacro %}
{% macro duckdb__last_known(expression, partition_by, order_by) -%}
    last_value({{ expression }} ignore nulls) over (
        partition by {{ partition_by }} order by {{ order_by }} rows between unbounded preceding and current row
    )
{%- endmacro %}

{#- The run's day, as the pipeline wrote it: "today" for everything that is built here. -#}
{% macro as_of_date() -%} (select max(as_of_date) from {{ source('raw_scorecast', 'as_of') }}) {%- endmacro %}

{#- The last second of a day: when a day's figures are known, where the export does not say. -#}
{% macro end_of_day(date) -%}
    {{ dbt.dateadd('second', 86399, 'cast(' ~ date ~ ' as ' ~ dbt.type_timestamp() ~ ')') }}
{%- endmacro %}
