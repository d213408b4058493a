{#-
    Whose an event is. A model imports `account_link_periods`, `person_link_periods` and `person_account_periods` as CTEs
    of these names, joins them with `join_account` and/or `join_person`, and selects `attributed_columns`.

    `recorded_*` is who it was when the row became known (features use it: it never changes), without it who survives
    today. An event becomes known with the link of its main identifier: the account's key if it has one, else the
    person's. The other identifier counts only if it was linked by then.
-#}
{% macro join_account(records, source='source_system', key='account_key') %}
    left join account_link_periods as account_link
        on {{ on_link('account_link', records ~ '.' ~ source, records ~ '.' ~ key, records ~ '.known_at') }}
{%- endmacro %}

{% macro join_person(records, source='source_system', key='person_key', has_account=false) %}
    left join person_link_periods as person_link
        on {{ on_link('person_link', records ~ '.' ~ source, records ~ '.' ~ key, records ~ '.known_at') }}
    left join person_account_periods as person_account
        on person_link.recorded_person_id = person_account.person_id
        and {{ attributed_known_at(records, has_account, true) }} >= person_account.valid_from
        and {{ attributed_known_at(records, has_account, true) }} < person_account.valid_to
    left join person_account_periods as account_today
        on person_link.person_id = account_today.person_id
        and account_today.valid_to = {{ end_of_time() }}
{%- endmacro %}

{% macro attributed_known_at(records, has_account, has_person) -%}
    greatest({{ records }}.known_at, coalesce(
        {%- if has_account %}account_link.linked_at, {% endif -%}
        {%- if has_person %}person_link.linked_at, {% endif -%}
        {{ records }}.known_at))
{%- endmacro %}

{% macro attributed_columns(records, has_account, has_person) %}
        {%- set known_at = attributed_known_at(records, has_account, has_person) -%}
        {%- if has_account and has_person %}
        coalesce(account_link.account_id, account_today.account_id) as account_id,
        coalesce(
            account_link.recorded_account_id,
            case when person_link.linked_at <= {{ known_at }} then person_account.recorded_account_id end
        ) as recorded_account_id,
        {%- elif has_account %}
        account_link.account_id,
        account_link.recorded_account_id,
        {%- else %}
        account_today.account_id,
        person_account.recorded_account_id,
        {%- endif %}
        {%- if has_person %}
        person_link.person_id,
        case when person_link.linked_at <= {{ known_at }} then person_link.recorded_person_id end as recorded_person_id,
        {%- endif %}
        {{ known_at }} as known_at,
{%- endmacro %}
