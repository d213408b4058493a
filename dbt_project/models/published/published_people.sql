{{ config(alias='people') }}

with people as (
    select * from {{ ref('people') }}
    where deleted_at is null
),
accounts as (
    select * from {{ ref('accounts') }}
),
ranked_leads as (
    select
        leads.*,
        row_number() over (
            partition by person_id
            order by case when is_open then 0 else 1 end, created_at desc, lead_id
        ) as place
    from {{ ref('leads') }} as leads
    where not is_deleted and merged_into_lead_id is null
),
leads as (
    select
        person_id,
        max(case when place = 1 then lead_id end) as lead_id,
        count(*) as leads,
        max(case when is_open then 1 else 0 end) = 1 as has_open_lead,
        max(case when is_converted then 1 else 0 end) = 1 as has_converted
    from ranked_leads
    group by person_id
),
visits as (
    select
        person_id,
        count(*) as visits,
        max(occurred_at) as last_visit_at
    from {{ ref('visits') }}
    group by person_id
),
mail_events as (
    select
        person_id,
        max(case when type in ('open', 'click') then occurred_at end) as last_mail_response_at,
        max(case when type = 'unsubscribe' then 1 else 0 end) = 1 as has_unsubscribed
    from {{ ref('mail_events') }}
    group by person_id
),
form_submissions as (
    select
        person_id,
        count(*) as form_submissions,
        max(occurred_at) as last_form_submission_at
    from {{ ref('form_submissions') }}
    group by person_id
),
tasks as (
    select
        person_id,
        max(occurred_at) as last_task_at
    from {{ ref('tasks') }}
    where not is_deleted
    group by person_id
),
final as (
    select
        people.person_id,
        people.account_id,
        leads.lead_id,
        accounts.account_name,
        people.email,
        people.full_name,
        people.title,
        people.company,
        people.country,
        people.city,
        people.phone,
        people.is_contact,
        coalesce(accounts.is_customer, false) as is_customer,
        coalesce(leads.leads, 0) as leads,
        coalesce(leads.has_open_lead, false) as has_open_lead,
        coalesce(leads.has_converted, false) as has_converted,
        coalesce(visits.visits, 0) as visits,
        visits.last_visit_at,
        coalesce(form_submissions.form_submissions, 0) as form_submissions,
        form_submissions.last_form_submission_at,
        mail_events.last_mail_response_at,
        coalesce(mail_events.has_unsubscribed, false) as has_unsubscribed,
        tasks.last_task_at,
        people.known_from,
        people.created_at,
        {{ as_of_date() }} as as_of_date
    from people
    left join accounts on people.account_id = accounts.account_id
    left join leads on people.person_id = leads.person_id
    left join visits on people.person_id = visits.person_id
    left join mail_events on people.person_id = mail_events.person_id
    left join form_submissions on people.person_id = form_submissions.person_id
    left join tasks on people.person_id = tasks.person_id
)
select * from final
