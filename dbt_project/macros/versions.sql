{#-
    Every version of a record with the time it was valid: `valid_from`, when it became known, to `valid_to`, null while it
    holds. Several versions that became known at once (before their account was linked) leave the last. The relation has
    `known_at` and `recorded_at` (the version's own time, which orders them).
-#}
{% macro versions_of(relation, key) %}
    {%- set key_columns = key | join(', ') -%}
    {%- set partition = relation ~ '.' ~ key | join(', ' ~ relation ~ '.') -%}
    select
        {{ relation }}.*,
        {{ relation }}.known_at as valid_from,
        lead({{ relation }}.known_at) over (
            partition by {{ partition }} order by {{ relation }}.known_at
        ) as valid_to,
        row_number() over (
            partition by {{ partition }} order by {{ relation }}.known_at
        ) as version
    from {{ relation }}
    inner join (
        select
            {{ key_columns }},
            known_at,
            max(recorded_at) as recorded_at
        from {{ relation }}
        group by {{ key_columns }}, known_at
    ) as last_at_once
        on {% for column in key %}{{ relation }}.{{ column }} = last_at_once.{{ column }}
        and {% endfor %}{{ relation }}.known_at = last_at_once.known_at
        and {{ relation }}.recorded_at = last_at_once.recorded_at
{% endmacro %}
{#-
    Since when what holds of a record today has held without a break: `key` and `since`, no row where it does not hold
    today. What was taken back in between (reopened, restored) does not count. `time` orders the versions.
-#}
{% macro holds_since(versions, key, holds, time='known_at', since=none) %}
    select
        {{ key | join(', ') }},
        min({{ since or time }}) as since
    from (
        select
            versions.*,
            max(case when not ({{ holds }}) then {{ time }} end) over (partition by {{ key | join(', ') }}) as last_other
        from {{ versions }} as versions
    ) as compared
    where last_other is null or {{ time }} > last_other
    group by {{ key | join(', ') }}
{% endmacro %}
