{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='as_of_date',
    on_schema_change='append_new_columns',
    post_hook="{{ drop_passing_snapshots() }}",
) }}
{{ read_core_models() }}

with as_of_dates as (
    {{ as_of_dates() }}
),
versions as (
    select * from {{ ref('lead_versions') }}
),
won_deals as (
    select
        as_of_dates.as_of_date,
        deals.currency,
        avg(deals.won_amount) as average_amount,
        row_number() over (
            partition by as_of_dates.as_of_date
            order by sum({{ size_of_amount('deals.won_amount', 'deals.currency') }}) desc, deals.currency
        ) as place
    from {{ ref('opportunity_closings') }} as deals
    inner join as_of_dates
        on cast(deals.known_at as date) <= as_of_dates.as_of_date
        and {{ dbt.dateadd('day', 364, 'cast(deals.known_at as date)') }} > as_of_dates.as_of_date
    where deals.result = 'won' and deals.won_amount is not null
    group by as_of_dates.as_of_date, deals.currency
),
spine as (
    select
        versions.lead_id,
        as_of_dates.as_of_date,
        {{ dbt.datediff('coalesce(versions.created_at, versions.valid_from)', 'as_of_dates.as_of_date', 'day') }} as lead_age_days,
        {{ dbt.datediff('versions.changed_at', 'as_of_dates.as_of_date', 'day') }} as days_since_lead_changed,
        versions.employee_count,
        won_deals.average_amount as typical_deal_amount,
        won_deals.currency
    from versions
    inner join as_of_dates
        on {{ is_known_at('as_of_dates.as_of_date', 'versions') }}
    left join won_deals on as_of_dates.as_of_date = won_deals.as_of_date and won_deals.place = 1
    where
        versions.is_open
        and {{ dbt.datediff('coalesce(versions.created_at, versions.valid_from)', 'as_of_dates.as_of_date', 'day') }} <= 365
),
final as (
    {{ point_in_time(
        'lead',
        'spine',
        carried=['lead_age_days', 'days_since_lead_changed', 'employee_count', 'typical_deal_amount', 'currency'],
        parents={'account': ref('account_snapshots')}
    ) }}
)
select * from final
