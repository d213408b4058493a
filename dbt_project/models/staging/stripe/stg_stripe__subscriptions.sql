with subscriptions as (
    {{ raw_columns(source('raw_stripe', 'subscription'), {
        'subscription_id': ['id', 'string'],
        'account_key': ['customer', 'string'],
        'status': ['status', 'string'],
        'plan_id': ['plan_id', 'string'],
        'plan_name': ['plan_nickname', 'string'],
        'plan_amount_minor': ['plan_amount', 'bigint'],
        'plan_amount_in_units': ['plan_amount_in_units', 'double'],
        'plan_interval': ['plan_interval', 'string'],
        'quantity': ['quantity', 'bigint'],
        'currency': ['currency', 'string'],
        'created_at': ['created', 'epoch_s'],
        'started_at': ['start_date', 'epoch_s'],
        'current_period_starts_at': ['current_period_start', 'epoch_s'],
        'current_period_ends_at': ['current_period_end', 'epoch_s'],
        'is_cancelling_at_period_end': ['cancel_at_period_end', 'boolean'],
        'cancelled_at': ['canceled_at', 'epoch_s'],
        'ended_at': ['ended_at', 'epoch_s'],
        'trial_ends_at': ['trial_end', 'epoch_s'],
        'known_at': ['updated', 'epoch_s'],
    }) }}
),
in_currency_units as (
    select
        subscriptions.*,
        coalesce(plan_amount_in_units, {{ currency_units('plan_amount_minor', 'currency') }}) as plan_amount
    from subscriptions
)
select * from in_currency_units
