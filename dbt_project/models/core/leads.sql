with versions as (
    select * from {{ ref('lead_versions') }}
),
firsts as (
    select
        versions.*,
        row_number() over (
            partition by recorded_person_id order by known_at, source_system, lead_id
        ) as lead_of_person
    from versions
    where version = 1
),
latest as (
    select * from versions
    where valid_to is null
),
owners as (
    select * from {{ ref('owners') }}
),
people as (
    select * from {{ ref('people') }}
    where deleted_at is null
),
conversions as (
    select
        source_system,
        lead_id,
        min(known_at) as known_at,
        min(converted_date) as converted_date
    from versions
    where is_converted
    group by source_system, lead_id
),
deletions as (
    select
        source_system,
        lead_id,
        min(known_at) as deleted_at
    from versions
    where is_deleted
    group by source_system, lead_id
),
final as (
    select
        latest.lead_id,
        latest.source_system,
        latest.person_id,
        firsts.recorded_person_id,
        latest.account_id,
        firsts.recorded_account_id,
        coalesce(latest.full_name, people.full_name) as full_name,
        coalesce(latest.email, people.email) as email,
        coalesce(latest.email_domain, people.email_domain) as email_domain,
        coalesce(latest.phone, people.phone) as phone,
        latest.company,
        latest.title,
        latest.industry,
        latest.employee_count,
        latest.country,
        latest.city,
        latest.source,
        latest.status,
        latest.rating,
        latest.owner_id,
        coalesce(latest.owner_name, owners.owner_name) as owner_name,
        {{- select_custom_columns('leads', 'latest') }}
        latest.is_converted,
        case
            when conversions.converted_date < cast(conversions.known_at as date)
                then greatest(cast(conversions.converted_date as {{ dbt.type_timestamp() }}), firsts.created_at)
            else conversions.known_at
        end as converted_at,
        latest.converted_opportunity_id,
        latest.is_open,
        latest.is_deleted,
        case when latest.is_deleted then deletions.deleted_at end as deleted_at,
        latest.merged_into_lead_id,
        firsts.recorded_person_id is not null and firsts.lead_of_person > 1 as is_duplicate,
        latest.created_at,
        firsts.created_at as occurred_at,
        firsts.known_at
    from latest
    inner join firsts on latest.source_system = firsts.source_system and latest.lead_id = firsts.lead_id
    left join owners on latest.owner_id = owners.owner_id
    left join people on latest.person_id = people.person_id
    left join conversions on latest.source_system = conversions.source_system and latest.lead_id = conversions.lead_id
    left join deletions on latest.source_system = deletions.source_system and latest.lead_id = deletions.lead_id
)
select * from final
