{{ config(alias='accounts') }}

with accounts as (
    select * from {{ ref('accounts') }}
),
{#- an account's amounts in its main currency; the others are in account_amounts -#}
amounts as (
    select * from {{ ref('published_account_amounts') }}
    where is_main_currency
),
currencies as (
    select
        account_id,
        count(*) as currency_count,
        max(abs(open_amount)) as most_open,
        max(abs(won_amount)) as most_won,
        max(abs(amount_invoiced)) as most_invoiced
    from {{ ref('published_account_amounts') }}
    group by account_id
),
people as (
    select
        account_id,
        count(*) as people_count
    from {{ ref('people') }}
    where deleted_at is null
    group by account_id
),
subscriptions as (
    select
        account_id,
        count(*) as active_subscriptions
    from {{ ref('subscriptions') }}
    where is_active
    group by account_id
),
opportunities as (
    select
        account_id,
        count(case when is_open then 1 end) as open_opportunities,
        count(case when is_won then 1 end) as won_opportunities
    from {{ ref('opportunities') }}
    where deleted_at is null
    group by account_id
),
invoices as (
    select
        account_id,
        count(case when latest_status = 'open' then 1 end) as open_invoices,
        max(occurred_at) as last_invoice_at
    from {{ ref('invoices') }}
    group by account_id
),
usage as (
    select
        account_id,
        max(case when active_users > 0 then usage_date end) as last_usage_date,
        sum(case when usage_date > {{ dbt.dateadd('day', -28, as_of_date()) }} then logins else 0 end) as logins_28d,
        sum(case when usage_date > {{ dbt.dateadd('day', -28, as_of_date()) }} then minutes_active else 0 end) as minutes_active_28d
    from {{ ref('usage') }}
    group by account_id
),
tickets as (
    select
        account_id,
        count(*) as tickets,
        count(case when latest_status not in ('solved', 'closed') then 1 end) as open_tickets,
        max(occurred_at) as last_ticket_at
    from {{ ref('tickets') }}
    where deleted_at is null
    group by account_id
),
ratings as (
    select
        account_id,
        avg(case when is_good then 1.0 else 0.0 end) as good_ratings_share
    from {{ ref('satisfaction_ratings') }}
    where is_good is not null
    group by account_id
),
visits as (
    select
        account_id,
        max(occurred_at) as last_visit_at
    from {{ ref('visits') }}
    group by account_id
),
final as (
    select
        accounts.account_id,
        accounts.account_name,
        accounts.domain,
        accounts.industry,
        accounts.employee_count,
        accounts.country,
        accounts.city,
        accounts.is_customer,
        coalesce(amounts.arr, 0) as arr,
        case when amounts.account_id is null then accounts.currency else amounts.currency end as currency,
        coalesce(currencies.currency_count > 1, false) as has_other_currencies,
        accounts.customer_since_date,
        accounts.churned_at,
        accounts.plan,
        coalesce(subscriptions.active_subscriptions, 0) as active_subscriptions,
        coalesce(people.people_count, 0) as people_count,
        coalesce(opportunities.open_opportunities, 0) as open_opportunities,
        {{ unless_elsewhere('amounts.open_amount', 'currencies.most_open') }} as open_amount,
        coalesce(opportunities.won_opportunities, 0) as won_opportunities,
        {{ unless_elsewhere('amounts.won_amount', 'currencies.most_won') }} as won_amount,
        {{ unless_elsewhere('amounts.amount_invoiced', 'currencies.most_invoiced') }} as amount_invoiced,
        coalesce(invoices.open_invoices, 0) as open_invoices,
        invoices.last_invoice_at,
        usage.last_usage_date,
        coalesce(usage.logins_28d, 0) as logins_28d,
        coalesce(usage.minutes_active_28d, 0) as minutes_active_28d,
        coalesce(tickets.tickets, 0) as tickets,
        coalesce(tickets.open_tickets, 0) as open_tickets,
        tickets.last_ticket_at,
        ratings.good_ratings_share,
        visits.last_visit_at,
        {{- select_custom_columns('accounts', 'accounts') }}
        accounts.known_from,
        accounts.created_at,
        {{ as_of_date() }} as as_of_date
    from accounts
    left join amounts on accounts.account_id = amounts.account_id
    left join currencies on accounts.account_id = currencies.account_id
    left join people on accounts.account_id = people.account_id
    left join subscriptions on accounts.account_id = subscriptions.account_id
    left join opportunities on accounts.account_id = opportunities.account_id
    left join invoices on accounts.account_id = invoices.account_id
    left join usage on accounts.account_id = usage.account_id
    left join tickets on accounts.account_id = tickets.account_id
    left join ratings on accounts.account_id = ratings.account_id
    left join visits on accounts.account_id = visits.account_id
    where accounts.deleted_at is null
)
select * from final
