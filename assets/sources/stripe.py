"""raw_stripe.*: billing: customers, subscriptions, invoices.

The API has amounts in the currency's smallest unit; the dashboard's export has them in units, in columns of their own.
"""

from pipelines.extraction.contracts import Entity, Figure, Source

TEST_MODE = {"of Stripe's test mode": "livemode = false"}
DIGITS = {"ISK": 2, "MGA": 0}
"""Stripe counts these otherwise than ISO 4217: https://docs.stripe.com/currencies#special-cases"""
MONTHS = """
    case
        when regexp_matches(lower(plan_interval), 'semi-? ?annu|half-? ?year|halbj|^bi-?annu') then 6
        when regexp_matches(lower(plan_interval), 'bienn|two year|zweij') then 24
        when regexp_matches(lower(plan_interval), 'quart|viertelj|trimest') then 3
        when regexp_matches(lower(plan_interval), 'fortn|bi-?week|vierzehn') then 12 * 14 / 365
        when regexp_matches(lower(plan_interval), 'mon|mth|mois|mensuel|[^a-z]mo?$|^mo?$|[0-9]m$') then 1
        when regexp_matches(lower(plan_interval), 'w(ee)?k|woche|wöche|semaine|^w$|[0-9]w$') then 12 * 7 / 365
        when regexp_matches(lower(plan_interval), 'year|annu|yr|jahr|jähr|^y$|^ans?$|[0-9]y$') then 12
        when regexp_matches(lower(plan_interval), 'day|daily|tag|täg|jour|^d$|[0-9]d$') then 12 / 365
    end * coalesce(plan_interval_count, try_cast(regexp_extract(plan_interval, '[0-9]+') as int), 1)
"""
"""How many months a price is for."""
PRICE = "coalesce(plan_amount_in_units, plan_amount / _smallest_units)"
STATUS = "replace(lower(trim(status)), ' ', '_')"
NO_INVOICE = {
    "a draft": f"{STATUS} = 'draft'",
    "void": f"{STATUS} = 'void'",
    "of an unknown status": f"{STATUS} not in ('open', 'paid', 'uncollectible')",
}
NOT_ISSUED = f"""
    not bool_or(
        coalesce({STATUS}, 'open') in ('open', 'paid', 'uncollectible')
        or {STATUS} <> 'draft' and created < _first_export and updated <= _first_export
    )
"""
"""In none of its versions; of an export without a history, what is no draft was open before."""

stripe = Source(
    name="stripe",
    description="Billing: customers, subscriptions, invoices. Amounts in the currency's smallest unit.",
    owner="team:finance",
    kinds=("stripe",),
    entities=(
        Entity(
            name="customer",
            description="Who pays. One row per version; `metadata` is JSON and may hold `salesforce_account_id`.",
            columns={
                "id": "varchar",
                "name": "varchar",
                "email": "varchar",
                "phone": "varchar",
                "currency": "varchar",
                "address_country": "varchar",
                "delinquent": "boolean",
                "metadata": "varchar",
                "deleted": "boolean",
                "created": "bigint",
                "updated": "bigint",
                "livemode": "boolean",
            },
            key=("id",),
            version="updated",
            time="updated",
            time_unit="epoch_s",
            epochs=("created",),
            required=("created", "updated"),
            left_out=TEST_MODE,
            labels={
                "address_country": ("address.country", "Card Address Country", "Address Country"),
                "created": ("Created (UTC)",),
                "updated": ("Updated (UTC)",),
            },
        ),
        Entity(
            name="subscription",
            description="What a customer pays for. One row per version of the record.",
            columns={
                "id": "varchar",
                "customer": "varchar",
                "status": "varchar",
                "plan_id": "varchar",
                "plan_nickname": "varchar",
                "plan_amount": "bigint",
                "plan_interval": "varchar",
                "plan_interval_count": "bigint",
                "quantity": "bigint",
                "currency": "varchar",
                "created": "bigint",
                "start_date": "bigint",
                "current_period_start": "bigint",
                "current_period_end": "bigint",
                "cancel_at_period_end": "boolean",
                "canceled_at": "bigint",
                "ended_at": "bigint",
                "trial_end": "bigint",
                "updated": "bigint",
                "plan_amount_in_units": "double",
                "livemode": "boolean",
            },
            left_out=TEST_MODE,
            words={
                "status": (
                    "trialing",
                    "active",
                    "past_due",
                    "unpaid",
                    "canceled",
                    "incomplete",
                    "incomplete_expired",
                    "paused",
                ),
            },
            key=("id",),
            references={"customer": ("customer",)},
            version="updated",
            time="updated",
            time_unit="epoch_s",
            epochs=(
                "created",
                "start_date",
                "current_period_start",
                "current_period_end",
                "canceled_at",
                "ended_at",
                "trial_end",
            ),
            required=("customer", "created", "updated"),
            labels={
                "customer": ("Customer ID",),
                "plan_id": ("plan.id", "Price ID"),
                "plan_nickname": ("Plan", "plan.nickname", "Plan Name", "Product"),
                "plan_amount": ("plan.amount",),
                "plan_amount_in_units": ("Amount",),
                "plan_interval": ("Interval", "plan.interval"),
                "plan_interval_count": ("Interval Count", "plan.interval_count", "interval_count"),
                "created": ("Created (UTC)",),
                "start_date": ("Start (UTC)", "Start Date (UTC)"),
                "current_period_start": ("Current Period Start (UTC)",),
                "current_period_end": ("Current Period End (UTC)",),
                "canceled_at": ("Canceled At (UTC)",),
                "ended_at": ("Ended At (UTC)",),
                "trial_end": ("Trial End (UTC)",),
                "updated": ("Updated (UTC)",),
            },
            figures=(
                Figure(
                    name="recurring_revenue",
                    amount=f"12 * {PRICE} * coalesce(quantity, 1) / ({MONTHS})",
                    currency="currency",
                    day="coalesce(start_date, created)",
                    not_counted={
                        "gone from the newest export": "_is_gone",
                        **{
                            status.replace("_", " "): f"{STATUS} = '{status}'"
                            for status in (
                                "canceled",
                                "trialing",
                                "unpaid",
                                "paused",
                                "incomplete",
                                "incomplete_expired",
                            )
                        },
                        "of an unknown status": f"coalesce({STATUS}, '') not in ('active', 'past_due')",
                        "a free plan": f"not _free_plans and {PRICE} = 0",
                    },
                    digits=DIGITS,
                ),
            ),
            rules={
                "quantity is not at least 1": "quantity >= 1",
                "plan_amount is negative": "plan_amount >= 0",
                "plan_amount_in_units is negative": "plan_amount_in_units >= 0",
                "plan_interval_count is not at least 1": "plan_interval_count >= 1",
            },
        ),
        Entity(
            name="invoice",
            description="A bill. One row per version of the record (draft, open, paid, uncollectible, void).",
            columns={
                "id": "varchar",
                "customer": "varchar",
                "subscription": "varchar",
                "number": "varchar",
                "status": "varchar",
                "billing_reason": "varchar",
                "currency": "varchar",
                "amount_due": "bigint",
                "amount_paid": "bigint",
                "attempt_count": "bigint",
                "created": "bigint",
                "due_date": "bigint",
                "paid_at": "bigint",
                "updated": "bigint",
                "amount_due_in_units": "double",
                "amount_paid_in_units": "double",
                "livemode": "boolean",
            },
            left_out=TEST_MODE,
            words={
                "status": ("draft", "open", "paid", "uncollectible", "void"),
                "billing_reason": (
                    "subscription_create",
                    "subscription_cycle",
                    "subscription_update",
                    "manual",
                ),
            },
            key=("id",),
            references={"customer": ("customer",), "subscription": ("subscription",)},
            version="updated",
            time="updated",
            time_unit="epoch_s",
            epochs=("created", "due_date", "paid_at"),
            required=("customer", "created", "updated"),
            labels={
                "customer": ("Customer ID",),
                "subscription": ("Subscription ID",),
                "amount_due_in_units": ("Amount Due",),
                "amount_paid_in_units": ("Amount Paid",),
                "created": ("Date (UTC)", "Created (UTC)"),
                "due_date": ("Due Date (UTC)",),
                "paid_at": ("Paid At (UTC)", "status_transitions.paid_at"),
                "updated": ("Updated (UTC)",),
            },
            figures=(
                Figure(
                    name="invoices",
                    amount="coalesce(amount_due_in_units, amount_due / _smallest_units)",
                    currency="currency",
                    day="created",
                    not_counted=NO_INVOICE,
                    digits=DIGITS,
                ),
                Figure(
                    name="paid_invoices",
                    amount="coalesce(amount_paid_in_units, amount_paid / _smallest_units,"
                    " amount_due_in_units, amount_due / _smallest_units)",
                    currency="currency",
                    day="created",
                    not_counted={"not paid": f"coalesce({STATUS}, '') <> 'paid'"},
                    digits=DIGITS,
                ),
                Figure(
                    name="payments",
                    amount="coalesce(amount_paid_in_units, amount_paid / _smallest_units)",
                    currency="currency",
                    day="coalesce(paid_at, updated)",
                    not_counted={
                        "not paid": f"coalesce({STATUS}, '') <> 'paid'",
                        "paid, nobody says when": "paid_at is null and updated <= _first_export",
                    },
                    digits=DIGITS,
                ),
            ),
            not_in_core={"never issued": NOT_ISSUED},
            rules={
                "amount_due is negative": "amount_due >= 0",
            },
        ),
    ),
)
