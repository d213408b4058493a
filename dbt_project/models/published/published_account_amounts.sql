{{ config(alias='account_amounts') }}

with accounts as (
    select * from {{ ref('accounts') }}
    where deleted_at is null
),
amounts as (
    select
        account_id,
        currency,
        arr,
        0 as open_amount,
        0 as won_amount,
        0 as amount_invoiced,
        0 as amount_paid
    from {{ ref('account_revenue_by_currency') }}
    where valid_to is null
    union all
    select
        account_id,
        currency,
        0 as arr,
        case when is_open then amount else 0 end as open_amount,
        case when is_won and deleted_at is null then amount else 0 end as won_amount,
        0 as amount_invoiced,
        0 as amount_paid
    from {{ ref('opportunities') }}
    union all
    select
        account_id,
        currency,
        0 as arr,
        0 as open_amount,
        0 as won_amount,
        latest_amount as amount_invoiced,
        latest_amount_paid as amount_paid
    from {{ ref('invoices') }}
),
summed as (
    select
        account_id,
        currency,
        coalesce(sum(arr), 0) as arr,
        coalesce(sum(open_amount), 0) as open_amount,
        coalesce(sum(won_amount), 0) as won_amount,
        coalesce(sum(amount_invoiced), 0) as amount_invoiced,
        coalesce(sum(amount_paid), 0) as amount_paid
    from amounts
    where account_id is not null
    group by account_id, currency
),
numbered as (
    select
        summed.*,
        row_number() over (
            partition by summed.account_id
            order by
                {{ size_of_amount('arr', 'currency') }} desc,
                {{ size_of_amount('won_amount + amount_invoiced + open_amount', 'currency') }} desc,
                currency
        ) as place
    from summed
    where arr <> 0 or open_amount <> 0 or won_amount <> 0 or amount_invoiced <> 0 or amount_paid <> 0
),
final as (
    select
        numbered.account_id,
        accounts.account_name,
        numbered.currency,
        numbered.place = 1 as is_main_currency,
        numbered.arr,
        numbered.open_amount,
        numbered.won_amount,
        numbered.amount_invoiced,
        numbered.amount_paid,
        {{ as_of_date() }} as as_of_date
    from numbered
    inner join accounts on numbered.account_id = accounts.account_id
)
select * from final
