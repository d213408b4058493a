with by_currency as (
    select * from {{ ref('account_revenue_by_currency') }}
),
change_times as (
    select distinct
        account_id,
        valid_from
    from by_currency
),
{#- what was paid in each currency at every change of any -#}
at_every_change as (
    select
        change_times.account_id,
        change_times.valid_from,
        by_currency.currency,
        by_currency.active_subscriptions,
        by_currency.mrr,
        row_number() over (
            partition by change_times.account_id, change_times.valid_from
            order by
                {{ size_of_amount('by_currency.mrr', 'by_currency.currency') }} desc,
                by_currency.active_subscriptions desc,
                by_currency.valid_from desc,
                by_currency.currency
        ) as place
    from change_times
    inner join by_currency
        on change_times.account_id = by_currency.account_id
        and change_times.valid_from >= by_currency.valid_from
        and change_times.valid_from < coalesce(by_currency.valid_to, {{ end_of_time() }})
),
versions as (
    select
        account_id,
        valid_from,
        sum(active_subscriptions) as active_subscriptions,
        max(case when place = 1 then mrr end) as mrr,
        max(case when place = 1 then currency end) as currency,
        coalesce(sum(case when mrr > 0 then 1 end), 0) > 1 as has_other_currencies
    from at_every_change
    group by account_id, valid_from
),
compared as (
    select
        versions.*,
        lag(mrr) over (partition by account_id order by valid_from) as previous_mrr,
        lag(currency) over (partition by account_id order by valid_from) as previous_currency
    from versions
),
final as (
    select
        account_id,
        valid_from,
        lead(valid_from) over (partition by account_id order by valid_from) as valid_to,
        active_subscriptions > 0 as is_customer,
        cast(active_subscriptions as {{ dbt.type_bigint() }}) as active_subscriptions,
        mrr,
        mrr * 12 as arr,
        {#- no difference between two currencies -#}
        case
            when coalesce(previous_mrr, 0) = 0 or coalesce(currency, '') = coalesce(previous_currency, '')
                then mrr - coalesce(previous_mrr, 0)
        end as mrr_change,
        currency,
        has_other_currencies,
        min(case when active_subscriptions > 0 then valid_from end) over (
            partition by account_id order by valid_from rows between unbounded preceding and current row
        ) as first_customer_at
    from compared
)
select * from final
