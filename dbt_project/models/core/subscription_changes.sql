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
        lag(status) over (partition by source_system, subscription_id order by version) as previous_status
    from versions
),
named as (
    select
        compared.*,
        case
            when is_active and not coalesce(was_active, false) then 'started'
            when was_active and not is_active then 'ended'
            when active_mrr > previous_active_mrr + 0.005 then 'expanded'
            when active_mrr < previous_active_mrr - 0.005 then 'contracted'
            when is_cancelling_at_period_end and not coalesce(was_cancelling, false) then 'cancellation_announced'
            when was_cancelling and not is_cancelling_at_period_end then 'cancellation_withdrawn'
            when status = 'past_due' and previous_status <> 'past_due' then 'payment_overdue'
            when status = 'trialing' and previous_status is null then 'trial_started'
        end as type
    from compared
),
final as (
    select
        source_system || ':' || subscription_id || ':' || cast(version as {{ dbt.type_string() }}) as subscription_change_id,
        subscription_id,
        source_system,
        account_id,
        recorded_account_id,
        type,
        active_mrr - coalesce(previous_active_mrr, 0) as mrr_change,
        currency,
        recorded_at as occurred_at,
        known_at
    from named
    where type is not null
)
select * from final
