with records as (
    {{ union_staging('invoices', {
        'invoice_id': 'string',
        'account_key': 'string',
        'status': 'string',
        'currency': 'currency',
        'amount_paid': 'double',
        'attempt_count': 'bigint',
        'created_at': 'timestamp',
        'due_at': 'timestamp',
        'paid_at': 'timestamp',
        'known_at': 'timestamp',
    }, is_part=true) }}
),
account_link_periods as (
    select * from {{ ref('account_link_periods') }}
),
ordered as (
    select
        records.*,
        row_number() over (partition by source_system, invoice_id order by known_at) as place
    from records
    -- an export that says 'paid', but not when, tells of no payment at a time
    where {{ one_of('status', ['paid']) }} = 'paid' and (paid_at is not null or not is_rebuilt)
),
payments as (
    select * from ordered
    where place = 1
),
final as (
    select
        payments.invoice_id as payment_id,
        payments.invoice_id,
        payments.source_system,
        payments.account_key,
        {{- attributed_columns('payments', true, false) }}
        {{ converted('payments.amount_paid') }} as amount,
        {{- converted_currency('payments') }}
        greatest(
            {{ dbt.datediff('coalesce(payments.due_at, payments.created_at)', 'coalesce(payments.paid_at, payments.known_at)', 'hour') }} / 24.0, 0
        ) as days_late,
        payments.attempt_count,
        coalesce(payments.paid_at, payments.known_at) as occurred_at
    from payments
    {{- join_account('payments') }}
    {{- join_exchange_rates('payments', 'coalesce(payments.paid_at, payments.known_at)') }}
),
with_feature_amount as (
    select
        final.*,
        {{ in_first_currency('amount', 'payment_id') }} as amount_in_first_currency
    from final
)
select * from with_feature_amount
