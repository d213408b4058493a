with people as (
    select * from {{ ref('people') }}
    where deleted_at is null and account_id is not null and (full_name is not null or has_email)
),
activities as (
    select person_id, occurred_at from {{ ref('visits') }}
    union all
    select person_id, occurred_at from {{ ref('form_submissions') }}
    union all
    select person_id, occurred_at from {{ ref('mail_events') }}
    where type in ('open', 'click')
    union all
    select person_id, occurred_at from {{ ref('tickets') }}
    union all
    select person_id, occurred_at from {{ ref('tasks') }}
),
last_activities as (
    select
        person_id,
        max(occurred_at) as last_activity_at
    from activities
    group by person_id
),
ranked as (
    select
        people.account_id,
        people.person_id,
        people.full_name,
        people.email,
        people.phone,
        last_activities.last_activity_at,
        row_number() over (
            partition by people.account_id
            order by
                people.is_contact desc,
                people.has_email desc,
                case when last_activities.last_activity_at is null then 1 else 0 end,
                last_activities.last_activity_at desc,
                case when people.created_at is null then 1 else 0 end,
                people.created_at,
                people.person_id
        ) as place
    from people
    left join last_activities on people.person_id = last_activities.person_id
),
final as (
    select
        account_id,
        person_id,
        full_name as main_contact_name,
        email as main_contact_email,
        phone as main_contact_phone,
        last_activity_at
    from ranked
    where place = 1
)
select * from final
