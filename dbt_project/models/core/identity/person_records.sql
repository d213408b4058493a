with contacts as (
    select * from {{ ref('contact_records') }}
),
leads as (
    select * from {{ ref('lead_records') }}
),
contacts_and_leads as (
    select
        source_system,
        contact_key as person_key,
        'contact' as kind,
        account_key,
        email,
        coalesce(full_name, nullif(trim(coalesce(first_name, '') || ' ' || coalesce(last_name, '')), '')) as full_name,
        phone,
        title,
        company,
        country,
        city,
        twitter_handle,
        linkedin_profile,
        external_key,
        external_source,
        merged_into_key,
        coalesce(is_deleted, false) as is_deleted,
        created_at,
        known_at,
        loaded_at
    from contacts
    union all
    select
        source_system,
        lead_id as person_key,
        'lead' as kind,
        converted_account_key as account_key,
        email,
        coalesce(full_name, nullif(trim(coalesce(first_name, '') || ' ' || coalesce(last_name, '')), '')) as full_name,
        phone,
        title,
        company,
        country,
        city,
        null as twitter_handle,
        null as linkedin_profile,
        converted_contact_key as external_key,
        source_system as external_source,
        merged_into_key,
        coalesce(is_deleted, false) as is_deleted,
        created_at,
        known_at,
        loaded_at
    from leads
)
select * from contacts_and_leads
