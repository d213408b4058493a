{#-
    Sums of measures over windows per unit of a column of the spine (actions per seat), as columns of `relation` with a
    comma before each: a hundred actions are much for five people and little for fifty. A measure that no semantic model
    has (a company without that source's table) gives no column.
-#}
{% macro sums_per_unit(measures, windows, unit, singular, relation) %}
    {%- for measure in measures if has_measure(measure) -%}
        {%- for days in windows %},
        {{ relation }}.{{ measure }}_sum_{{ days }}d / nullif({{ relation }}.{{ unit }}, 0) as {{ measure }}_sum_{{ days }}d_per_{{ singular }}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}

{% macro has_measure(name) -%}
    {%- set names = [] -%}
    {%- if execute -%}
        {%- for semantic_model in graph.semantic_models.values() -%}
            {%- for measure in semantic_model.measures -%}{%- do names.append(measure.name) -%}{%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(name in names) }}
{%- endmacro %}
