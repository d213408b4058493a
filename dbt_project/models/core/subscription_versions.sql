with records as (
    {{ union_staging('subscriptions', {
        'subscription_id': 'string',
        'account_key': 'string',
        'status': 'string',
        'plan_id': 'string',
        'plan_name': 'string',
        'plan_amount': 'double',
        'plan_interval': 'string',
        'quantity': 'bigint',
        'currency': 'string',
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
        plan_amount * coalesce(quantity, 1) * case plan_interval
            when 'year' then 1 / 12.0
            when 'week' then 52 / 12.0
            when 'day' then 365 / 12.0
            else 1.0
        end as mrr
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
        coalesce(priced.known_status in ('active', 'past_due'), false) as is_active,
        coalesce(priced.is_cancelling_at_period_end, false) as is_cancelling_at_period_end,
        priced.plan_id,
        priced.plan_name,
        priced.plan_interval,
        priced.quantity,
        priced.mrr,
        upper(priced.currency) as currency,
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
),
final as (
    {{ versions_of('attributed', ['source_system', 'subscription_id']) }}
)
select * from final
