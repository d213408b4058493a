with records as (
    {{ union_staging('invoices', {
        'invoice_id': 'string',
        'account_key': 'string',
        'subscription_id': 'string',
        'invoice_number': 'string',
        'status': 'string',
        'billing_reason': 'string',
        'currency': 'string',
        'amount': 'double',
        'amount_paid': 'double',
        'attempt_count': 'bigint',
        'created_at': 'timestamp',
        'due_at': 'timestamp',
        'paid_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
account_link_periods as (
    select * from {{ ref('account_link_periods') }}
),
ordered as (
    select
        records.*,
        row_number() over (partition by source_system, invoice_id order by known_at) as version,
        row_number() over (partition by source_system, invoice_id order by known_at desc) as version_from_last
    from records
),
firsts as (
    select * from ordered
    where version = 1
),
latest as (
    select * from ordered
    where version_from_last = 1
),
final as (
    select
        firsts.invoice_id,
        firsts.source_system,
        firsts.account_key,
        {{- attributed_columns('firsts', true, false) }}
        firsts.subscription_id,
        firsts.invoice_number,
        {{ one_of('firsts.billing_reason', ['subscription_create', 'subscription_cycle', 'subscription_update', 'manual']) }} as billing_reason,
        firsts.amount,
        upper(firsts.currency) as currency,
        {{- select_custom_columns('invoices', 'firsts') }}
        latest.status as latest_status,
        coalesce(latest.status = 'paid', false) as is_paid,
        latest.paid_at,
        firsts.due_at,
        firsts.created_at as occurred_at
    from firsts
    inner join latest
        on firsts.source_system = latest.source_system and firsts.invoice_id = latest.invoice_id
    {{- join_account('firsts') }}
)
select * from final
