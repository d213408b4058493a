{#- The whole numbers from 0 to `count` - 1 (a power of two), one a row, without an engine's own series function. -#}
{% macro integers(count) %}
    with bit as (
        select 0 as value
        union all
        select 1 as value
    )
    select
        {%- set ns = namespace(n=0, power=1) -%}
        {%- for _ in range(31) -%}
            {%- if ns.power < count -%} {%- set ns.n = ns.n + 1 -%} {%- set ns.power = ns.power * 2 -%} {%- endif -%}
        {%- endfor %}
        {% for place in range(ns.n) -%}
        bit_{{ place }}.value * {{ 2 ** place }}{{ ' + ' if not loop.last }}
        {%- endfor %} as number
    from bit as bit_0
    {%- for place in range(1, ns.n) %}
    cross join bit as bit_{{ place }}
    {%- endfor %}
{% endmacro %}

{#- Hours from one time to another, to a tenth. -#}
{% macro hours_between(earlier, later) -%} round({{ dbt.datediff(earlier, later, 'minute') }} / 60.0, 1) {%- endmacro %}
