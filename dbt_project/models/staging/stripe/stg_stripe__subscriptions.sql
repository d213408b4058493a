{#- Stripe counts these otherwise than ISO 4217: https://docs.stripe.com/currencies#special-cases -#}
{%- set stripe_digits = {'ISK': 2, 'MGA': 0} -%}
{%- set currency = written_currency('currency', 'stripe') -%}
{#- a subscription that was never paid for did not become active; which plan and how many seats it had before is not told -#}
{%- set was_active = "status not in ('incomplete', 'incomplete_expired')" -%}
{%- set over_at = "coalesce(ended_at, case when status = 'canceled' then cancelled_at end, " ~ end_of_time() ~ ")" -%}
{%- set first_status -%}
    case
        when not ({{ was_active }}) then 'incomplete'
        when trial_ends_at > coalesce(started_at, created_at) then 'trialing'
        else 'active'
    end
{%- endset -%}

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
        'plan_interval_count': ['plan_interval_count', 'bigint'],
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
        'is_live': ['livemode', 'boolean'],
    }, history={
        'key': 'subscription_id',
        'begins_at': 'coalesce(started_at, created_at)',
        'fixed': [
            'subscription_id', 'account_key', 'plan_id', 'plan_name', 'plan_amount_minor', 'plan_amount_in_units', 'plan_interval',
            'plan_interval_count', 'quantity', 'currency', 'created_at', 'started_at', 'trial_ends_at'
        ],
        'begins_with': {'status': first_status},
        'steps': [
            {
                'at': 'trial_ends_at',
                'when': was_active ~ ' and trial_ends_at < ' ~ over_at,
                'columns': {'status': "'active'"},
            },
            {
                'at': 'cancelled_at',
                'when': was_active ~ ' and cancelled_at < ' ~ over_at,
                'columns': {'status': "'active'", 'cancelled_at': 'cancelled_at', 'is_cancelling_at_period_end': 'true'},
            },
            {
                'at': 'coalesce(ended_at, cancelled_at)',
                'when': "status in ('canceled', 'incomplete_expired')",
                'columns': {'status': 'status', 'cancelled_at': 'cancelled_at', 'ended_at': 'ended_at'},
            },
        ],
        'gone': {'status': "'canceled'", 'ended_at': 'vanished_at'},
    }) }}
),
in_currency_units as (
    select
        subscriptions.*,
        coalesce(plan_amount_in_units, {{ currency_units('plan_amount_minor', currency, stripe_digits) }}) as plan_amount
    from subscriptions
)
select * from in_currency_units
