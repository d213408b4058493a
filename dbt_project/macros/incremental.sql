{#- How large event tables grow: new rows are added, rows with the same key replaced. -#}
{% macro grows_by(unique_key) -%}
    {{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=unique_key, on_schema_change='append_new_columns') }}
{%- endmacro %}

{#-
    Which rows a growing event table takes: those of every load of a system that it has no row of, and those whose
    identifier now stands for somebody else (identified late, merged). Rows that arrive late are taken when they arrive:
    what counts is which load brought them, not when they happened, nor which load is the newest: a load that was left
    out once (its staging model is new, the clock was wrong) is taken the next time. Two things need `--full-refresh`: a row that a corrected export no longer holds,
    and a link whose time (not its target) moved because an older version of a record arrived late.
-#}
{% macro only_new_or_relinked(records, has_account, has_person) -%}
    {%- if is_incremental() %}
    where
        not exists (
            select 1
            from (select distinct source_system, loaded_at from {{ this }}) as built
            where built.source_system = {{ records }}.source_system and built.loaded_at = {{ records }}.loaded_at
        )
        {%- if has_account %}
        or {{ records }}.account_key in (
            select built.account_key
            from (select distinct source_system, account_key, account_id from {{ this }}) as built
            left join (select distinct source, identifier, account_id from account_link_periods) as links
                on built.source_system = links.source and built.account_key = links.identifier
            where coalesce(built.account_id, '') <> coalesce(links.account_id, '')
        )
        {%- endif %}
        {%- if has_person %}
        or {{ records }}.person_key in (
            select built.person_key
            from (select distinct person_source, person_key, person_id, account_id from {{ this }}) as built
            left join (select distinct source, identifier, person_id from person_link_periods) as links
                on built.person_source = links.source and built.person_key = links.identifier
            left join person_account_periods as account_today
                on links.person_id = account_today.person_id
                and account_today.valid_to = {{ end_of_time() }}
            where
                coalesce(built.person_id, '') <> coalesce(links.person_id, '')
                or coalesce(built.account_id, '') <> coalesce(account_today.account_id, '')
        )
        {%- endif %}
    {%- endif %}
{%- endmacro %}
