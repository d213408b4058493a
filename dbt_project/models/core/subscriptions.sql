with versions as (
    select * from {{ ref('subscription_versions') }}
),
firsts as (
    select * from versions
    where version = 1
),
final as (
    select
        versions.subscription_id,
        versions.source_system,
        versions.account_id,
        firsts.recorded_account_id,
        versions.status,
        versions.is_active,
        versions.is_cancelling_at_period_end,
        versions.plan_id,
        versions.plan_name,
        versions.plan_interval,
        versions.plan_interval_count,
        versions.quantity,
        versions.mrr,
        firsts.mrr as first_mrr,
        versions.currency,
        versions.recorded_currency,
        versions.exchange_rate,
        {{- select_custom_columns('subscriptions', 'versions') }}
        versions.created_at,
        versions.started_at,
        versions.current_period_ends_at,
        versions.cancelled_at,
        versions.ended_at,
        versions.trial_ends_at,
        firsts.started_at as occurred_at,
        firsts.known_at
    from versions
    inner join firsts
        on versions.source_system = firsts.source_system and versions.subscription_id = firsts.subscription_id
    where versions.valid_to is null
),
with_feature_amount as (
    select
        final.*,
        {{ in_first_currency('first_mrr', 'subscription_id') }} as first_mrr_in_first_currency
    from final
)
select * from with_feature_amount
