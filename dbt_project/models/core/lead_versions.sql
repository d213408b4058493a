with records as (
    select
        lead_records.*,
        lead_id as person_key
    from {{ ref('lead_records') }} as lead_records
),
person_link_periods as (
    select * from {{ ref('person_link_periods') }}
),
person_account_periods as (
    select * from {{ ref('person_account_periods') }}
),
attributed as (
    select
        records.lead_id,
        records.source_system,
        {{- attributed_columns('records', false, true) }}
        records.known_at as recorded_at,
        case when not records.is_rebuilt then records.known_at end as changed_at,
        coalesce(records.full_name, nullif(trim(coalesce(records.first_name, '') || ' ' || coalesce(records.last_name, '')), '')) as full_name,
        records.email,
        {{ email_domain('records.email') }} as email_domain,
        {{ company_domain(email_domain('records.email')) }} is null and records.email is not null as has_free_mail,
        records.email is not null as has_email,
        records.phone is not null as has_phone,
        records.phone,
        records.company,
        records.title,
        records.domain,
        records.industry,
        records.employee_count,
        records.country,
        records.city,
        records.source,
        records.status,
        records.rating,
        records.owner_id,
        records.owner_name,
        {{- select_custom_columns('leads', 'records') }}
        coalesce(records.is_converted, false) as is_converted,
        records.converted_date,
        records.converted_opportunity_id,
        coalesce(records.is_deleted, false) as is_deleted,
        records.merged_into_key as merged_into_lead_id,
        not (
            coalesce(records.is_converted, false)
            or coalesce(records.is_closed, false)
            or coalesce(records.is_deleted, false)
            or records.merged_into_key is not null
        ) as is_open,
        records.created_at
    from records
    {{- join_person('records') }}
),
final as (
    {{ versions_of('attributed', ['source_system', 'lead_id']) }}
)
select * from final
