{#-
    One row per key: no two rows agree in all of `columns`, and neither these nor the columns in `known` are null.
    (`unique` and `not_null` in one query a model: a daily run has 45 models to check.)
-#}
{% test grain(model, columns, known=[]) %}
    select
        {{ columns | join(', ') }},
        count(*) as rows_with_this_key
    from {{ model }}
    group by {{ columns | join(', ') }}
    having
        count(*) > 1
        {%- for column in columns + known %}
        or count({{ column }}) < count(*)
        {%- endfor %}
{% endtest %}
