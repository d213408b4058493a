{#- After a table is built: says how many rows it has, for whoever called dbt. A post-hook. -#}
{% macro log_rows() %}
    {%- if execute and model.config.materialized != 'view' -%}
        {%- set rows = run_query('select count(*) from ' ~ this)[0][0] -%}
        {%- do log('rows of ' ~ model.unique_id ~ ': ' ~ rows, info=true) -%}
    {%- endif -%}
{% endmacro %}
