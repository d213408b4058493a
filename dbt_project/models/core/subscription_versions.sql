with records as (
    {{ union_staging('subscriptions', {
        'subscription_id': 'string',
        'account_key': 'string',
        'status': 'string',
        'plan_id': 'string',
        'plan_name': 'string',
        'plan_amount': 'double',
        'plan_interval': 'string',
        'plan_interval_count': 'bigint',
        'quantity': 'bigint',
        'currency': 'currency',
        'created_at': 'timestamp',
        'started_at': 'timestamp',
        'current_period_starts_at': 'timestamp',
        'current_period_ends_at': 'timestamp',
        'is_cancelling_at_period_end': 'boolean',
        'cancelled_at': 'timestamp',
        'ended_at': 'timestamp',
        'trial_ends_at': 'timestamp',
        'known_at': 'timestamp',
    }) }}
),
account_link_periods as (
    select * from {{ ref('account_link_periods') }}
),
priced as (
    select
        records.*,
        {{ one_of('status', ['trialing', 'active', 'past_due', 'unpaid', 'canceled', 'incomplete', 'incomplete_expired', 'paused']) }} as known_status,
        plan_amount * coalesce(quantity, 1) / {{ months_per_bill('plan_interval', 'plan_interval_count') }} as mrr
    from records
),
attributed as (
    select
        priced.subscription_id,
        priced.source_system,
        priced.account_key,
        {{- attributed_columns('priced', true, false) }}
        priced.known_at as recorded_at,
        priced.known_status as status,
        coalesce(priced.known_status in ('active', 'past_due'), false)
            {%- if not money_settings().free_plans %} and coalesce(priced.plan_amount, 1) > 0 {%- endif %} as is_active,
        coalesce(priced.is_cancelling_at_period_end, false) as is_cancelling_at_period_end,
        priced.plan_id,
        priced.plan_name,
        priced.plan_interval,
        priced.plan_interval_count,
        priced.quantity,
        {{ converted('priced.mrr') }} as mrr,
        {{- converted_currency('priced') }}
        {{- select_custom_columns('subscriptions', 'priced') }}
        priced.created_at,
        coalesce(priced.started_at, priced.created_at) as started_at,
        priced.current_period_starts_at,
        priced.current_period_ends_at,
        priced.cancelled_at,
        priced.ended_at,
        priced.trial_ends_at
    from priced
    {{- join_account('priced') }}
    {#- at the rate of its first day, so that a change of rates never looks like an upgrade -#}
    {{- join_exchange_rates('priced', 'coalesce(priced.started_at, priced.created_at, priced.known_at)') }}
),
final as (
    {{ versions_of('attributed', ['source_system', 'subscription_id']) }}
)
select * from final
