with subscriptions as (
    select * from {{ ref('subscription_versions') }}
    where account_key is not null
),
link_periods as (
    select * from {{ ref('account_link_periods') }}
),
paid_periods as (
    select
        link_periods.recorded_account_id as account_id,
        subscriptions.currency,
        subscriptions.mrr,
        greatest(subscriptions.valid_from, link_periods.valid_from) as paid_from,
        least(coalesce(subscriptions.valid_to, {{ end_of_time() }}), link_periods.valid_to) as paid_to
    from subscriptions
    inner join link_periods
        on subscriptions.source_system = link_periods.source
        and subscriptions.account_key = link_periods.identifier
        and subscriptions.valid_from < link_periods.valid_to
        and coalesce(subscriptions.valid_to, {{ end_of_time() }}) > link_periods.valid_from
    where subscriptions.is_active
),
steps as (
    select
        account_id,
        paid_from as valid_from,
        currency,
        mrr as mrr_change,
        1 as subscription_change
    from paid_periods
    union all
    select
        account_id,
        paid_to as valid_from,
        currency,
        -mrr as mrr_change,
        -1 as subscription_change
    from paid_periods
    where paid_to < {{ end_of_time() }}
),
summed as (
    select
        account_id,
        currency,
        valid_from,
        coalesce(sum(mrr_change), 0) as mrr_change,
        sum(subscription_change) as subscription_change
    from steps
    group by account_id, currency, valid_from
),
running as (
    select
        account_id,
        currency,
        valid_from,
        sum(subscription_change) over (
            partition by account_id, currency order by valid_from rows between unbounded preceding and current row
        ) as active_subscriptions,
        sum(mrr_change) over (
            partition by account_id, currency order by valid_from rows between unbounded preceding and current row
        ) as mrr
    from summed
),
compared as (
    select
        running.*,
        lag(mrr) over (partition by account_id, currency order by valid_from) as previous_mrr,
        lag(active_subscriptions) over (partition by account_id, currency order by valid_from) as previous_subscriptions
    from running
),
changes as (
    select
        account_id,
        currency,
        valid_from,
        cast(active_subscriptions as {{ dbt.type_bigint() }}) as active_subscriptions,
        case when active_subscriptions > 0 then round(mrr, 2) else 0 end as mrr
    from compared
    where
        previous_mrr is null
        or round(mrr, 2) <> round(previous_mrr, 2)
        or active_subscriptions <> previous_subscriptions
),
final as (
    select
        account_id,
        currency,
        valid_from,
        lead(valid_from) over (partition by account_id, currency order by valid_from) as valid_to,
        active_subscriptions,
        mrr,
        mrr * 12 as arr
    from changes
)
select * from final
