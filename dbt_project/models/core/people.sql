with versions as (
    select * from {{ ref('person_versions') }}
),
merges as (
    select * from {{ ref('person_merges') }}
),
person_account_periods as (
    select * from {{ ref('person_account_periods') }}
    where valid_to = {{ end_of_time() }}
),
deletions as (
    {{ holds_since('versions', ['person_id'], 'is_deleted', time='valid_from') }}
),
systems as (
    {{ systems_that_know('person', ref('person_link_periods'), ref('person_records')) }}
),
final as (
    select
        versions.person_id,
        person_account_periods.account_id,
        versions.email,
        versions.email_domain,
        versions.full_name,
        versions.title,
        versions.company,
        versions.country,
        versions.city,
        versions.phone,
        versions.twitter_handle,
        versions.linkedin_profile,
        versions.has_email,
        versions.has_phone,
        versions.has_twitter,
        versions.has_linkedin,
        versions.is_contact,
        systems.known_from,
        versions.created_at,
        deletions.since as deleted_at
    from versions
    left join merges on versions.person_id = merges.person_id
    left join person_account_periods on versions.person_id = person_account_periods.person_id
    left join deletions on versions.person_id = deletions.person_id
    left join systems on versions.person_id = systems.person_id
    where versions.valid_to is null and merges.person_id is null
)
select * from final
