with versions as (
    select * from {{ ref('subscription_versions') }}
),
compared as (
    select
        versions.*,
        case when is_active then mrr else 0 end as active_mrr,
        lag(case when is_active then mrr else 0 end) over (
            partition by source_system, subscription_id order by version
        ) as previous_active_mrr,
        lag(is_active) over (partition by source_system, subscription_id order by version) as was_active,
        lag(is_cancelling_at_period_end) over (
            partition by source_system, subscription_id order by version
        ) as was_cancelling,
        lag(status) over (partition by source_system, subscription_id order by version) as previous_status,
        lag(currency) over (partition by source_system, subscription_id order by version) as previous_currency
    from versions
),
{#- what goes on in another currency has no difference -#}
differences as (
    select
        compared.*,
        case
            when coalesce(previous_active_mrr, 0) = 0 or coalesce(currency, '') = coalesce(previous_currency, '')
                then active_mrr - coalesce(previous_active_mrr, 0)
        end as mrr_change
    from compared
),
named as (
    select
        differences.*,
        case
            when is_active and not coalesce(was_active, false) then 'started'
            when was_active and not is_active then 'ended'
            when mrr_change > 0.005 then 'expanded'
            when mrr_change < -0.005 then 'contracted'
            when is_cancelling_at_period_end and not coalesce(was_cancelling, false) then 'cancellation_announced'
            when was_cancelling and not is_cancelling_at_period_end then 'cancellation_withdrawn'
            when status = 'past_due' and previous_status <> 'past_due' then 'payment_overdue'
            when status = 'trialing' and previous_status is null then 'trial_started'
        end as type
    from differences
),
final as (
    select
        source_system || ':' || subscription_id || ':' || cast(version as {{ dbt.type_string() }}) as subscription_change_id,
        subscription_id,
        source_system,
        account_id,
        recorded_account_id,
        type,
        mrr_change,
        currency,
        recorded_at as occurred_at,
        known_at
    from named
    where type is not null
),
with_feature_amount as (
    select
        final.*,
        {{ in_first_currency('mrr_change', 'subscription_change_id') }} as mrr_change_in_first_currency
    from final
)
select * from with_feature_amount
