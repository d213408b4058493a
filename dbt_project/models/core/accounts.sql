with versions as (
    select * from {{ ref('account_versions') }}
),
revenue as (
    select * from {{ ref('account_revenue_versions') }}
),
merges as (
    select * from {{ ref('account_merges') }}
),
latest_versions as (
    select versions.*
    from versions
    left join merges on versions.account_id = merges.account_id
    where versions.valid_to is null and merges.account_id is null
),
latest_revenue as (
    select * from revenue
    where valid_to is null
),
deletions as (
    {{ holds_since('versions', ['account_id'], 'is_deleted', time='valid_from') }}
),
churns as (
    select
        account_id,
        max(stopped_at) as churned_at
    from {{ ref('account_stops') }}
    group by account_id
),
owners as (
    select * from {{ ref('owners') }}
),
main_contacts as (
    select * from {{ ref('main_contacts') }}
),
systems as (
    {{ systems_that_know('account', ref('account_link_periods'), ref('account_records')) }}
),
final as (
    select
        latest_versions.account_id,
        latest_versions.account_name,
        latest_versions.domain,
        latest_versions.industry,
        latest_versions.employee_count,
        latest_versions.annual_revenue,
        latest_versions.country,
        latest_versions.city,
        latest_versions.phone,
        latest_versions.account_type,
        latest_versions.owner_id,
        coalesce(latest_versions.owner_name, owners.owner_name) as owner_name,
        main_contacts.main_contact_name,
        main_contacts.main_contact_email,
        main_contacts.main_contact_phone,
        latest_versions.plan,
        latest_versions.seats,
        coalesce(latest_revenue.is_customer, false) as is_customer,
        coalesce(latest_revenue.arr, 0) as arr,
        coalesce(latest_revenue.currency, upper(latest_versions.currency)) as currency,
        cast(latest_revenue.first_customer_at as date) as customer_since_date,
        churns.churned_at,
        {{- select_custom_columns('accounts', 'latest_versions') }}
        systems.known_from,
        latest_versions.created_at,
        deletions.since as deleted_at
    from latest_versions
    left join latest_revenue on latest_versions.account_id = latest_revenue.account_id
    left join deletions on latest_versions.account_id = deletions.account_id
    left join churns on latest_versions.account_id = churns.account_id
    left join owners on latest_versions.owner_id = owners.owner_id
    left join main_contacts on latest_versions.account_id = main_contacts.account_id
    left join systems on latest_versions.account_id = systems.account_id
)
select * from final
