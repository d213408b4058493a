with posts as (
    select * from {{ ref('posts') }}
),
people as (
    select * from {{ ref('people') }}
    where deleted_at is null
),
accounts as (
    select * from {{ ref('accounts') }}
    where deleted_at is null
),
ranked_leads as (
    select
        person_id,
        lead_id,
        row_number() over (partition by person_id order by created_at desc, lead_id) as place
    from {{ ref('leads') }}
    where is_open and not is_deleted and merged_into_lead_id is null
),
open_leads as (
    select * from ranked_leads
    where place = 1
),
ranked_opportunities as (
    select
        account_id,
        opportunity_id,
        row_number() over (partition by account_id order by created_at desc, opportunity_id) as place
    from {{ ref('opportunities') }}
    where is_open and deleted_at is null
),
open_opportunities as (
    select * from ranked_opportunities
    where place = 1
),
final as (
    select
        posts.post_id,
        posts.kind,
        posts.platform,
        posts.url,
        posts.brand_mentioned,
        posts.author_handle,
        posts.author_name,
        people.person_id,
        open_leads.lead_id,
        accounts.account_id,
        accounts.account_name,
        open_opportunities.opportunity_id,
        coalesce(accounts.is_customer, false) as is_customer,
        (people.person_id is not null or accounts.account_id is not null)
        and not coalesce(accounts.is_customer, false) as is_prospect,
        posts.occurred_at
    from posts
    left join people on posts.person_id = people.person_id
    left join open_leads on people.person_id = open_leads.person_id
    left join accounts on posts.account_id = accounts.account_id
    left join open_opportunities on accounts.account_id = open_opportunities.account_id
)
select * from final
