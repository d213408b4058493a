{#- No two rows agree in all of `columns`, of which some may be null (`grain`: none may); the columns in `known` are not null. -#}
{% test unique_together(model, columns, known=[]) %}
    select
        {{ columns | join(', ') }},
        count(*) as rows_with_this_key
    from {{ model }}
    group by {{ columns | join(', ') }}
    having
        count(*) > 1
        {%- for column in known %}
        or count({{ column }}) < count(*)
        {%- endfor %}
{% endtest %}
