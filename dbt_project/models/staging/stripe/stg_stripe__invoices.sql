{#- Stripe counts these otherwise than ISO 4217: https://docs.stripe.com/currencies#special-cases -#}
{%- set stripe_digits = {'ISK': 2, 'MGA': 0} -%}
{%- set currency = written_currency('currency', 'stripe') -%}
with invoices as (
    {{ raw_columns(source('raw_stripe', 'invoice'), {
        'invoice_id': ['id', 'string'],
        'account_key': ['customer', 'string'],
        'subscription_id': ['subscription', 'string'],
        'invoice_number': ['number', 'string'],
        'status': ['status', 'string'],
        'billing_reason': ['billing_reason', 'string'],
        'currency': ['currency', 'string'],
        'amount_due_minor': ['amount_due', 'bigint'],
        'amount_paid_minor': ['amount_paid', 'bigint'],
        'amount_due_in_units': ['amount_due_in_units', 'double'],
        'amount_paid_in_units': ['amount_paid_in_units', 'double'],
        'attempt_count': ['attempt_count', 'bigint'],
        'created_at': ['created', 'epoch_s'],
        'due_at': ['due_date', 'epoch_s'],
        'paid_at': ['paid_at', 'epoch_s'],
        'known_at': ['updated', 'epoch_s'],
        'is_live': ['livemode', 'boolean'],
    }, history={
        'key': 'invoice_id',
        'fixed': [
            'invoice_id', 'account_key', 'subscription_id', 'invoice_number', 'billing_reason', 'currency', 'amount_due_minor',
            'amount_due_in_units', 'created_at', 'due_at'
        ],
        'begins_with': {'status': "case when status = 'draft' then 'draft' else 'open' end"},
        'steps': [{
            'at': 'greatest(paid_at, created_at)',
            'when': "status = 'paid' and paid_at is not null",
            'columns': {
                'status': 'status', 'paid_at': 'paid_at', 'amount_paid_minor': 'amount_paid_minor',
                'amount_paid_in_units': 'amount_paid_in_units'
            },
        }],
    }) }}
),
in_currency_units as (
    select
        invoices.*,
        coalesce(amount_due_in_units, {{ currency_units('amount_due_minor', currency, stripe_digits) }}) as amount,
        coalesce(amount_paid_in_units, {{ currency_units('amount_paid_minor', currency, stripe_digits) }}) as amount_paid
    from invoices
)
select * from in_currency_units
