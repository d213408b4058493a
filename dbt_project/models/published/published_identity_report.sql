{{ config(alias='identity_report') }}
{%- set keys = source('raw_scorecast', 'matched_keys') -%}
{%- set shown = 10 -%}

with opportunities as (
    select * from {{ ref('opportunities') }}
    where deleted_at is null
),
matched_keys as (
    {%- if columns_if_there(keys) %}
    select * from {{ keys }}
    {%- else %}
    select
        cast(null as {{ dbt.type_string() }}) as source_system,
        cast(null as {{ dbt.type_string() }}) as column_name,
        cast(null as {{ dbt.type_string() }}) as refers_to,
        cast(null as {{ dbt.type_bigint() }}) as records,
        cast(null as {{ dbt.type_bigint() }}) as unmatched,
        cast(null as {{ dbt.type_string() }}) as such_as
    where false
    {%- endif %}
),
{%- for entity in ['account', 'person'] %}
{{ entity }}_joins as (
    {{ joined_records(entity) }}
),
{{ entity }}_groups as (
    {{ largest_groups(entity, shown) }}
),
{{ entity }}_crowds as (
    select
        value,
        names,
        crowded_at,
        row_number() over (order by names desc, value) as place
    from {{ ref(entity ~ '_crowds') }}
),
{%- endfor %}
{#- a deal that stands in two systems: the company and the amount are the same, and so is the day of its close or its name -#}
twins as (
    select
        first.source_system,
        first.opportunity_id,
        first.opportunity_name,
        coalesce(first.currency, second.currency) as currency,
        first.amount,
        second.source_system as other_system,
        min(second.opportunity_id) as other_id
    from opportunities as first
    inner join opportunities as second
        on first.account_id = second.account_id
        and first.source_system < second.source_system
    where
        abs(first.amount - second.amount) < 0.01
        and first.amount <> 0
        and (first.currency = second.currency or first.currency is null or second.currency is null)
        and (first.close_date = second.close_date or lower(trim(first.opportunity_name)) = lower(trim(second.opportunity_name)))
    group by 1, 2, 3, 4, 5, 6
),
twice as (
    select
        source_system,
        other_system,
        currency,
        count(*) as deals,
        sum(amount) as amount,
        min(opportunity_id) as example_id
    from twins
    group by source_system, other_system, currency
),
reported as (
    {%- for entity, many in [('account', 'companies'), ('person', 'people')] %}
    select
        'joined' as topic,
        '{{ entity }}' as subject,
        rule,
        cast(null as {{ dbt.type_string() }}) as value,
        records,
        cast(null as {{ dbt.type_bigint() }}) as names,
        cast(null as {{ dbt.type_bigint() }}) as unmatched,
        cast(null as double) as amount,
        cast(null as {{ dbt.type_string() }}) as currency,
        cast(null as {{ dbt.type_string() }}) as warning
    from {{ entity }}_joins
    union all
    select
        'group' as topic,
        '{{ entity }} ' || {{ entity }}_id as subject,
        rule,
        value,
        records,
        names,
        null as unmatched,
        null as amount,
        null as currency,
        case
            when names > {{ most_names("'domain:'" if entity == 'account' else "'e-mail:'") }} then
                cast(records as {{ dbt.type_string() }}) || ' records with ' || cast(names as {{ dbt.type_string() }})
                || ' names are one {{ entity }}, ' || {{ entity }}_id || ', most of them by ' || rule || ' ' || value
                || '. If they are not, correct that in the system where it stands.'
        end as warning
    from {{ entity }}_groups
    union all
    select
        'value of many' as topic,
        '{{ entity }}' as subject,
        case when value like 'e-mail:%' then 'e-mail' when value like 'domain:%' then 'company domain' else 'anonymous id' end as rule,
        value,
        null as records,
        names,
        null as unmatched,
        null as amount,
        null as currency,
        value || ' stands with ' || cast(names as {{ dbt.type_string() }})
        {%- if entity == 'person' %} || case when value like 'key:%' then ' addresses' else ' names of people' end
        {%- else %} || ' names of companies'
        {%- endif %} || ': it joins no {{ many }} from ' || cast(cast(crowded_at as date) as {{ dbt.type_string() }}) || ' on.' as warning
    from {{ entity }}_crowds
    where place <= {{ shown }}
    union all
    {%- endfor %}
    select
        'keys' as topic,
        source_system || '.' || column_name as subject,
        'key of ' || refers_to as rule,
        such_as as value,
        records,
        null as names,
        unmatched,
        null as amount,
        null as currency,
        case
            when unmatched > 0.05 * records then
                source_system || '.' || column_name || ': ' || cast(unmatched as {{ dbt.type_string() }}) || ' of '
                || cast(records as {{ dbt.type_string() }}) || ' match no ' || refers_to || ', such as ''' || such_as || '''.'
        end as warning
    from matched_keys
    union all
    select
        'deals in two systems' as topic,
        source_system || ' and ' || other_system as subject,
        'same company and amount, and close date or name' as rule,
        example_id as value,
        deals as records,
        null as names,
        null as unmatched,
        amount,
        currency,
        cast(deals as {{ dbt.type_string() }}) || case when deals = 1 then ' deal stands' else ' deals stand' end || ' in both '
        || source_system || ' and ' || other_system || ' (same company and amount, and close date or name), such as '
        || example_id || ': ' || coalesce(currency || ' ', '') || cast(cast(round(amount, 0) as {{ dbt.type_bigint() }}) as {{ dbt.type_string() }})
        || ' counts twice. Leave the deals of one of the two out of its exports.' as warning
    from twice
),
final as (
    select
        {{ text_hash("topic || '|' || subject || '|' || rule || '|' || coalesce(value, '') || '|' || coalesce(currency, '')") }} as finding_id,
        reported.*,
        {{ as_of_date() }} as as_of_date
    from reported
)
select * from final
