{%- set attributes = [
    'email', 'full_name', 'title', 'company', 'country', 'city', 'phone', 'twitter_handle', 'linkedin_profile'
] -%}
{%- set order = 'known_at, is_end, is_derived desc, source_system, person_key' -%}

with records as (
    select * from {{ ref('person_records') }}
),
person_link_periods as (
    select * from {{ ref('person_link_periods') }}
),
person_account_periods as (
    select * from {{ ref('person_account_periods') }}
),
merges as (
    select * from {{ ref('person_merges') }}
),
known as (
    select
        person_link_periods.recorded_person_id as person_id,
        records.source_system,
        records.person_key,
        records.is_deleted,
        records.merged_into_key is not null as is_merged,
        false as is_end,
        false as is_derived,
        records.kind = 'contact' as is_contact,
        {%- for attribute in attributes %}
        records.{{ attribute }},
        {%- endfor %}
        records.created_at,
        {{ known_with_link('records.known_at', 'person_link_periods') }} as known_at
    from records
    inner join person_link_periods
        on {{ on_link('person_link_periods', 'records.source_system', 'records.person_key', 'records.known_at') }}
    union all
    select
        recorded_person_id as person_id,
        source as source_system,
        identifier as person_key,
        false as is_deleted,
        false as is_merged,
        false as is_end,
        true as is_derived,
        false as is_contact,
        {%- for attribute in attributes %}
        {{ "case when source = 'e-mail' then identifier end" if attribute == 'email' else 'null' }} as {{ attribute }},
        {%- endfor %}
        valid_from as created_at,
        valid_from as known_at
    from person_link_periods
    where source in ('e-mail', 'anonymous id')
    union all
    select
        person_id,
        null as source_system,
        null as person_key,
        true as is_deleted,
        false as is_merged,
        true as is_end,
        false as is_derived,
        false as is_contact,
        {%- for attribute in attributes %}
        null as {{ attribute }},
        {%- endfor %}
        null as created_at,
        known_at
    from merges
),
carried_forward as (
    select
        person_id,
        known_at as valid_from,
        {%- for attribute in attributes %}
        {{ last_known('case when not is_deleted then ' ~ attribute ~ ' end', 'person_id', order) }} as {{ attribute }},
        {%- endfor %}
        coalesce({{ last_known('case when not is_merged and not is_derived then is_deleted end', 'person_id', order) }}, false) as is_deleted,
        max(case when is_contact and not is_deleted then 1 else 0 end) over (
            partition by person_id order by {{ order }} rows between unbounded preceding and current row
        ) = 1 as is_contact,
        min(created_at) over (
            partition by person_id order by {{ order }} rows between unbounded preceding and current row
        ) as created_at,
        row_number() over (
            partition by person_id, known_at order by is_end desc, is_derived, source_system desc, person_key desc
        ) as place
    from known
),
versions as (
    select * from carried_forward
    where place = 1
),
final as (
    select
        versions.person_id,
        versions.valid_from,
        lead(versions.valid_from) over (partition by versions.person_id order by versions.valid_from) as valid_to,
        person_account_periods.recorded_account_id,
        {%- for attribute in attributes %}
        versions.{{ attribute }},
        {%- endfor %}
        {{ email_domain('versions.email') }} as email_domain,
        versions.email is not null as has_email,
        versions.phone is not null as has_phone,
        versions.twitter_handle is not null as has_twitter,
        versions.linkedin_profile is not null as has_linkedin,
        versions.is_contact,
        versions.created_at,
        versions.is_deleted
    from versions
    left join person_account_periods
        on versions.person_id = person_account_periods.person_id
        and versions.valid_from >= person_account_periods.valid_from
        and versions.valid_from < person_account_periods.valid_to
)
select * from final
