{#- How many records were joined by which rule: as they became known, and by merges of what was found later. -#}
{% macro joined_records(entity) %}
    select
        case when source in ('anonymous id', 'e-mail') then source || ' by ' || rule else rule end as rule,
        count(*) as records
    from {{ ref(entity ~ '_links') }}
    group by 1
    union all
    select
        'merge by ' || reason as rule,
        count(*) as records
    from {{ ref(entity ~ '_merges') }}
    group by reason
{% endmacro %}

{#- The entities with the most names, each with its records, and the rule and the value by which most of them joined. -#}
{% macro largest_groups(entity, shown) %}
    {%- set id = entity ~ '_id' -%}
    select
        {{ id }},
        records,
        names,
        rule,
        value
    from (
        select
            sizes.{{ id }},
            sizes.records,
            sizes.names,
            by_value.rule,
            by_value.value,
            row_number() over (order by sizes.names desc, sizes.records desc, sizes.{{ id }}) as place
        from (
            select
                periods.{{ id }},
                count(distinct periods.source || ':' || periods.identifier) as records,
                count(distinct evidence.name) as names
            from {{ ref(entity ~ '_link_periods') }} as periods
            inner join {{ ref(entity ~ '_evidence') }} as evidence
                on periods.source = evidence.source and periods.identifier = evidence.identifier
            where periods.valid_to = {{ end_of_time() }} and evidence.is_derived = 0
            group by periods.{{ id }}
            having count(distinct periods.source || ':' || periods.identifier) > 1
        ) as sizes
        inner join (
            select
                periods.{{ id }},
                matches.rule,
                matches.value,
                row_number() over (
                    partition by periods.{{ id }}
                    order by count(distinct periods.source || ':' || periods.identifier) desc, matches.rule, matches.value
                ) as place
            from {{ ref(entity ~ '_link_periods') }} as periods
            inner join {{ ref(entity ~ '_matches') }} as matches
                on periods.source = matches.source and periods.identifier = matches.identifier
            inner join {{ ref(entity ~ '_link_periods') }} as matched
                on matches.matched_source = matched.source
                and matches.matched_identifier = matched.identifier
                and periods.{{ id }} = matched.{{ id }}
            where periods.valid_to = {{ end_of_time() }} and matched.valid_to = {{ end_of_time() }}
            group by periods.{{ id }}, matches.rule, matches.value
        ) as by_value
            on sizes.{{ id }} = by_value.{{ id }} and by_value.place = 1
    ) as ranked
    where place <= {{ shown }}
{% endmacro %}
