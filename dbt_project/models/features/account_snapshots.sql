{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='as_of_date',
    on_schema_change='append_new_columns',
    pre_hook="{{ write_with_one_thread(true) }}",
    post_hook=["{{ drop_passing_snapshots() }}", "{{ write_with_one_thread(false) }}"],
) }}
{{ read_core_models() }}

with as_of_dates as (
    {{ as_of_dates() }}
),
versions as (
    select * from {{ ref('account_versions') }}
),
revenue as (
    select * from {{ ref('account_revenue_versions') }}
),
spine as (
    select
        versions.account_id,
        as_of_dates.as_of_date,
        coalesce(revenue.is_customer, false) as is_customer,
        coalesce(revenue.arr, 0) as arr,
        coalesce(revenue.currency, versions.currency) as currency,
        coalesce(revenue.active_subscriptions, 0) as active_subscriptions,
        {{ dbt.datediff('versions.created_at', 'as_of_dates.as_of_date', 'day') }} as account_age_days,
        {{ dbt.datediff('revenue.first_customer_at', 'as_of_dates.as_of_date', 'day') }} as days_since_first_customer,
        {{ dbt.datediff('revenue.valid_from', 'as_of_dates.as_of_date', 'day') }} as days_since_revenue_changed,
        revenue.mrr_change as last_mrr_change,
        versions.employee_count,
        versions.annual_revenue,
        versions.seats
    from versions
    inner join as_of_dates
        on {{ is_known_at('as_of_dates.as_of_date', 'versions') }}
    left join revenue
        on versions.account_id = revenue.account_id
        and {{ is_known_at('as_of_dates.as_of_date', 'revenue') }}
    where not versions.is_deleted
),
known as (
    {{ point_in_time('account', 'spine', carried=[
        'is_customer', 'arr', 'currency', 'active_subscriptions', 'account_age_days', 'days_since_first_customer',
        'days_since_revenue_changed', 'last_mrr_change', 'employee_count', 'annual_revenue', 'seats'
    ]) }}
),
final as (
    select
        known.*
        {{- sums_per_unit(['usage_actions', 'usage_minutes_active'], [7, 28], 'seats', 'seat', 'known') }}
    from known
)
select * from final
