{%- set attributes = [
    'account_name', 'account_type', 'domain', 'phone', 'industry', 'employee_count', 'annual_revenue', 'country', 'city',
    'owner_id', 'owner_name', 'plan', 'seats', 'currency'
] + custom_columns('accounts') -%}
{%- set order = 'known_at, is_end, is_link desc, is_register desc, source_system, account_key' -%}

with records as (
    select * from {{ ref('account_records') }}
),
link_periods as (
    select * from {{ ref('account_link_periods') }}
),
merges as (
    select * from {{ ref('account_merges') }}
),
deals as (
    {{ union_staging('opportunities', {'account_key': 'string', 'account_name': 'string', 'known_at': 'timestamp'}, is_part=true) }}
),
mentions as (
    select
        source_system,
        account_key,
        account_name,
        known_at
    from deals
    union all
    select
        source_system,
        account_key,
        company as account_name,
        known_at
    from {{ ref('person_records') }}
),
first_names as (
    select
        source_system,
        account_key,
        account_name,
        known_at,
        row_number() over (partition by source_system, account_key order by known_at, account_name) as place
    from mentions
    where account_key is not null and account_name is not null
),
recorded_keys as (
    select distinct
        source_system,
        account_key
    from records
),
of_accounts as (
    select
        link_periods.recorded_account_id as account_id,
        records.source_system,
        records.account_key,
        coalesce(records.is_register, false) as is_register,
        coalesce(records.is_deleted, false) as is_deleted,
        records.merged_into_key is not null as is_merged,
        false as is_end,
        false as is_link,
        records.created_at,
        coalesce(records.domain, {{ company_domain(email_domain('records.email')) }}) as domain,
        {%- for attribute in attributes if attribute != 'domain' %}
        records.{{ attribute }},
        {%- endfor %}
        {{ known_with_link('records.known_at', 'link_periods') }} as known_at
    from records
    inner join link_periods
        on {{ on_link('link_periods', 'records.source_system', 'records.account_key', 'records.known_at') }}
),
{#- a company without a record of its own has the name that its deals, or its people, call it by -#}
of_mentions as (
    select
        link_periods.recorded_account_id as account_id,
        first_names.source_system,
        first_names.account_key,
        false as is_register,
        null as is_deleted,
        false as is_merged,
        false as is_end,
        false as is_link,
        null as created_at,
        null as domain,
        first_names.account_name,
        {%- for attribute in attributes if attribute not in ('domain', 'account_name') %}
        null as {{ attribute }},
        {%- endfor %}
        {{ known_with_link('first_names.known_at', 'link_periods') }} as known_at
    from first_names
    inner join link_periods
        on {{ on_link('link_periods', 'first_names.source_system', 'first_names.account_key', 'first_names.known_at') }}
    left join recorded_keys
        on first_names.source_system = recorded_keys.source_system
        and first_names.account_key = recorded_keys.account_key
    where first_names.place = 1 and recorded_keys.account_key is null
),
ends as (
    select
        account_id,
        null as source_system,
        null as account_key,
        true as is_register,
        true as is_deleted,
        false as is_merged,
        true as is_end,
        false as is_link,
        null as created_at,
        null as domain,
        {%- for attribute in attributes if attribute != 'domain' %}
        null as {{ attribute }},
        {%- endfor %}
        known_at
    from merges
),
{#- a company that is only mentioned (by a deal) has a version too, with nothing known of it -#}
begins as (
    select
        recorded_account_id as account_id,
        source as source_system,
        identifier as account_key,
        false as is_register,
        false as is_deleted,
        false as is_merged,
        false as is_end,
        true as is_link,
        null as created_at,
        null as domain,
        {%- for attribute in attributes if attribute != 'domain' %}
        null as {{ attribute }},
        {%- endfor %}
        valid_from as known_at
    from link_periods
    where valid_from = linked_at
),
changes as (
    select * from of_accounts
    union all
    select * from of_mentions
    union all
    select * from begins
    union all
    select * from ends
),
carried_forward as (
    select
        account_id,
        known_at as valid_from,
        {%- for attribute in attributes %}
        coalesce(
            {{ last_known('case when is_register and not coalesce(is_deleted, false) then ' ~ attribute ~ ' end', 'account_id', order) }},
            {{ last_known('case when not coalesce(is_deleted, false) then ' ~ attribute ~ ' end', 'account_id', order) }}
        ) as {{ attribute }},
        {%- endfor %}
        coalesce(
            {{ last_known('case when is_register and not is_merged then is_deleted end', 'account_id', order) }},
            {{ last_known('case when not is_merged then is_deleted end', 'account_id', order) }},
            false
        ) as is_deleted,
        min(created_at) over (
            partition by account_id order by {{ order }} rows between unbounded preceding and current row
        ) as created_at,
        row_number() over (
            partition by account_id, known_at order by is_end desc, is_link, is_register, source_system desc, account_key desc
        ) as place
    from changes
),
versions as (
    select * from carried_forward
    where place = 1
),
final as (
    select
        account_id,
        valid_from,
        lead(valid_from) over (partition by account_id order by valid_from) as valid_to,
        {%- for attribute in attributes %}
        {{ attribute }},
        {%- endfor %}
        created_at,
        is_deleted
    from versions
)
select * from final
