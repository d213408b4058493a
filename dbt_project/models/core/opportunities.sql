with versions as (
    select * from {{ ref('opportunity_versions') }}
),
firsts as (
    select * from versions
    where version = 1
),
latest as (
    select * from versions
    where valid_to is null
),
owners as (
    select * from {{ ref('owners') }}
),
accounts as (
    select * from {{ ref('accounts') }}
),
closings as (
    select
        source_system,
        opportunity_id,
        min(closed_at) as closed_at
    from versions
    where is_closed
    group by source_system, opportunity_id
),
deletions as (
    select
        source_system,
        opportunity_id,
        min(known_at) as deleted_at
    from versions
    where is_deleted
    group by source_system, opportunity_id
),
final as (
    select
        latest.opportunity_id,
        latest.source_system,
        latest.account_id,
        firsts.recorded_account_id,
        latest.opportunity_name,
        latest.stage,
        latest.amount,
        firsts.amount as first_amount,
        latest.currency,
        latest.recorded_currency,
        latest.exchange_rate,
        latest.stated_probability_percent,
        latest.type,
        latest.product,
        latest.lead_source,
        latest.forecast_category,
        latest.owner_id,
        coalesce(latest.owner_name, owners.owner_name) as owner_name,
        accounts.account_name,
        accounts.main_contact_name,
        accounts.main_contact_email,
        accounts.main_contact_phone,
        latest.campaign_id,
        {{- select_custom_columns('opportunities', 'latest') }}
        latest.close_date,
        case when latest.is_closed then closings.closed_at end as closed_at,
        latest.is_open,
        latest.is_closed,
        latest.is_won,
        case when latest.is_deleted then deletions.deleted_at end as deleted_at,
        latest.created_at,
        firsts.created_at as occurred_at,
        firsts.known_at
    from latest
    inner join firsts
        on latest.source_system = firsts.source_system and latest.opportunity_id = firsts.opportunity_id
    left join owners on latest.owner_id = owners.owner_id
    left join accounts on latest.account_id = accounts.account_id
    left join closings
        on latest.source_system = closings.source_system and latest.opportunity_id = closings.opportunity_id
    left join deletions
        on latest.source_system = deletions.source_system and latest.opportunity_id = deletions.opportunity_id
),
with_feature_amount as (
    select
        final.*,
        {{ in_first_currency('first_amount', 'opportunity_id') }} as first_amount_in_first_currency
    from final
)
select * from with_feature_amount
