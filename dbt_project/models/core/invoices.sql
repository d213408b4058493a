with records as (
    {{ union_staging('invoices', {
        'invoice_id': 'string',
        'account_key': 'string',
        'subscription_id': 'string',
        'invoice_number': 'string',
        'status': 'string',
        'billing_reason': 'string',
        'currency': 'currency',
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
{#- a draft is no invoice yet; a status that is not told says nothing against one -#}
numbered as (
    select
        records.*,
        {{ one_of('status', ['draft', 'open', 'paid', 'uncollectible', 'void']) }} as known_status,
        row_number() over (partition by source_system, invoice_id order by known_at desc) as version_from_last
    from records
),
issued as (
    select
        numbered.*,
        row_number() over (partition by source_system, invoice_id order by known_at) as version
    from numbered
    where coalesce(known_status, 'open') in ('open', 'paid', 'uncollectible')
),
firsts as (
    select * from issued
    where version = 1
),
latest as (
    select * from numbered
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
        {{ converted('firsts.amount') }} as amount,
        case
            when coalesce(latest.known_status, 'open') in ('open', 'paid', 'uncollectible') then {{ converted('latest.amount') }}
            else 0
        end as latest_amount,
        case when latest.known_status = 'paid' then {{ converted('coalesce(latest.amount_paid, latest.amount)') }} else 0 end as latest_amount_paid,
        {{- converted_currency('firsts') }}
        {{- select_custom_columns('invoices', 'firsts') }}
        latest.known_status as latest_status,
        coalesce(latest.known_status = 'paid', false) as is_paid,
        latest.paid_at,
        firsts.due_at,
        firsts.created_at as occurred_at
    from firsts
    inner join latest
        on firsts.source_system = latest.source_system and firsts.invoice_id = latest.invoice_id
    {{- join_account('firsts') }}
    {{- join_exchange_rates('firsts', 'coalesce(firsts.created_at, firsts.known_at)') }}
),
with_feature_amount as (
    select
        final.*,
        {{ in_first_currency('amount', 'invoice_id') }} as amount_in_first_currency
    from final
)
select * from with_feature_amount
