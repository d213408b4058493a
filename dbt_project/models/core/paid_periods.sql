with versions as (
    select
        subscription_versions.*,
        {#- a version holds from when it was written; the first from the start that it tells, an end from the day that it tells -#}
        case
            when version = 1 then least(
                greatest(started_at, case when trial_ends_at <= recorded_at then trial_ends_at else started_at end), recorded_at
            )
            when not is_active and ended_at < recorded_at then ended_at
            else recorded_at
        end as began_at
    from {{ ref('subscription_versions') }} as subscription_versions
    where account_id is not null
),
followed as (
    select
        versions.*,
        min(began_at) over (
            partition by source_system, subscription_id order by version rows between 1 following and unbounded following
        ) as followed_at
    from versions
),
told as (
    select
        source_system,
        subscription_id,
        account_id,
        currency,
        mrr,
        began_at as paid_from,
        followed_at as paid_to
    from followed
    where is_active
    union all
    {#- what was over before anything of it was known was paid for all the same #}
    select
        source_system,
        subscription_id,
        account_id,
        currency,
        mrr,
        began_at as paid_from,
        ended_at as paid_to
    from versions
    where version = 1 and status = 'canceled' and ended_at <= recorded_at
),
periods as (
    select
        told.*,
        lag(paid_to) over (partition by source_system, subscription_id order by paid_from) as previous_paid_to
    from told
    where paid_to is null or paid_to > paid_from
),
starts as (
    select
        account_id,
        paid_from
    from periods
    where previous_paid_to is null or previous_paid_to < paid_from
),
ends as (
    select
        periods.source_system,
        periods.subscription_id,
        periods.account_id,
        periods.paid_to
    from periods
    left join periods as following
        on periods.source_system = following.source_system
        and periods.subscription_id = following.subscription_id
        and periods.paid_to = following.paid_from
    where periods.paid_to is not null and following.paid_from is null
),
{#- what starts again within the gap goes on: a pause, or a switch to another subscription -#}
resumed as (
    select
        ends.source_system,
        ends.subscription_id,
        ends.paid_to,
        min(starts.paid_from) as resumed_at
    from ends
    inner join starts
        on ends.account_id = starts.account_id
        and starts.paid_from > ends.paid_to
        and {{ is_no_stop('ends.paid_to', 'starts.paid_from') }}
    group by ends.source_system, ends.subscription_id, ends.paid_to
),
final as (
    select
        periods.source_system,
        periods.subscription_id,
        periods.account_id,
        periods.currency,
        periods.mrr,
        periods.paid_from,
        coalesce(resumed.resumed_at, periods.paid_to) as paid_to,
        resumed.resumed_at is not null as is_bridged
    from periods
    left join resumed
        on periods.source_system = resumed.source_system
        and periods.subscription_id = resumed.subscription_id
        and periods.paid_to = resumed.paid_to
)
select * from final
