"""Stripe: customers, subscriptions with seats that follow health, invoices that are paid late when health is poor."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.sample import content
from pipelines.sample.crm import PLANS, account_ids, list_price, plans, seats
from pipelines.sample.frames import either, ids, keep, pick, repeated, versions
from pipelines.sample.plan import DAY, WEEK, World
from pipelines.sample.population import Population

MONTH, YEAR = int(30.4375 * DAY), int(365.25 * DAY)
HISTORY = 120 * DAY
"""Invoices go back so far before the first day."""
ANNUAL_DISCOUNT = 0.85
DUE = 14 * DAY
CANCELLED = 7


@dataclass(frozen=True)
class Subscriptions:
    """What each customer pays for, in the order of the population's customers."""

    uid: np.ndarray
    start: np.ndarray
    end: np.ndarray
    plan: np.ndarray
    is_annual: np.ndarray
    seats: np.ndarray
    """Int64 (customers, weeks of the grid)."""

    @property
    def period(self) -> np.ndarray:
        """Seconds from one invoice to the next."""
        return np.where(self.is_annual, YEAR, MONTH)

    def seats_at(self, world: World, item: np.ndarray, moment: np.ndarray) -> np.ndarray:
        """Seats of the given customers at the given seconds."""
        return self.seats[item, world.week_of(moment).clip(0, world.weeks - 1)]

    def price_at(self, world: World, item: np.ndarray, moment: np.ndarray) -> np.ndarray:
        """Cents per seat and interval: a higher list price counts from the first renewal 30 days after the change."""
        start, period = self.start[item], self.period[item]
        renewed = start + (np.maximum(moment - start, 0) // period) * period
        renewed = np.where(renewed >= (world.price_day + 30) * DAY, renewed, start)
        monthly = list_price(world, self.plan[item], renewed)
        return np.where(self.is_annual[item], np.rint(monthly * 12 * ANNUAL_DISCOUNT), monthly).astype(np.int64)


def subscriptions_of(world: World, population: Population) -> Subscriptions:
    """Plan, interval and the seats of every week."""
    draws, frame = world.draws, population.accounts[population.customers]
    uid, start = frame["uid"].to_numpy(), frame["customer_from"].to_numpy()
    week = np.arange(world.weeks)[None, :]
    health = population.health.total
    decides = (week - world.week_of(start)[:, None]) % 4 == 3
    mood = draws.uniform("seats change", uid[:, None], week)
    more = decides & (mood < 0.09 / (1 + np.exp(-1.2 * health)))
    less = decides & (mood > 1 - 0.07 / (1 + np.exp(1.4 * health)))
    size = 0.08 + 0.2 * draws.uniform("seats change size", uid[:, None], week)
    factor = np.where(more, 1 + size, np.where(less, 1 - size, 1.0))
    place = population.customer_of(population.deals["account"].to_numpy())
    bought = population.deals["is_expansion"].to_numpy() & population.deals["is_won"].to_numpy() & (place >= 0)
    at = world.week_of(population.deals["closed_at"].to_numpy())
    bought &= (at >= 0) & (at < world.weeks)
    np.multiply.at(factor, (place[bought], at[bought]), 1.25)
    factor[world.week_start(np.arange(world.weeks))[None, :] <= start[:, None]] = 1.0
    count = np.rint(np.maximum(seats(frame, world)[:, None] * np.cumprod(factor, axis=1), 1)).astype(np.int64)
    annual = draws.chance("annual", 0.3, uid)
    return Subscriptions(uid, start + 3600, frame["churned_at"].to_numpy(), plans(frame, world), annual, count)


def customers(world: World, population: Population, billing: Subscriptions) -> pl.DataFrame:
    """Customer versions. About one in ten lacks the CRM's account id in its metadata."""
    draws, uid = world.draws, billing.uid
    frame = population.accounts[population.customers]
    country = frame["country"].to_numpy()
    created = billing.start - 1800
    changed = billing.start + (DAY * 300 * draws.exponential("customer changed", uid)).astype(np.int64)
    stamps = np.stack([created, np.where(changed < billing.end, changed, world.horizon)], axis=1)
    row, event = np.nonzero(stamps < world.horizon)
    first = population.people.filter((pl.col("lead") < 0) & (pl.col("person") % 10 == 0))
    contact = first["email"][population.customers]
    mail = either(draws.chance("billing mail", 0.5, uid), "billing@" + frame["domain"], contact)
    linked = draws.chance("metadata", 0.9, uid)
    return pl.DataFrame(
        {
            "id": ids("cus_", world.chunk, uid, 14)[row],
            "name": frame["name"][row],
            "email": keep(draws.chance("customer mail", 0.97, uid), mail)[row],
            "phone": pl.Series([None] * len(row), dtype=pl.String),
            "currency": pick(content.CURRENCIES, country)[row],
            "address_country": pick(content.COUNTRY_CODES, country)[row],
            "delinquent": draws.chance("delinquent", 0.03, uid)[row] & (event == 1),
            "metadata": pl.DataFrame({"salesforce_account_id": keep(linked, account_ids(world, uid))})[row].to_struct(),
            "deleted": np.zeros(len(row), dtype=bool),
            "created": created[row],
            "updated": stamps[row, event],
        }
    )


def invoices(world: World, population: Population, billing: Subscriptions) -> pl.DataFrame:
    """Invoice versions: open, then paid or uncollectible. `past_due` subscriptions follow from them."""
    draws = world.draws
    end = np.minimum(billing.end, (world.last_day + 1) * DAY)
    oldest = world.first_day * DAY - HISTORY
    first = np.maximum(-(-(oldest - billing.start) // billing.period), 0)
    count = np.maximum(-(-(end - billing.start) // billing.period) - first, 0)
    item, number = repeated(count)
    number = number + first[item]
    uid = billing.uid[item]
    created = billing.start[item] + number * billing.period[item]
    amount = billing.seats_at(world, item, created) * billing.price_at(world, item, created)
    week = world.week_of(created).clip(2, world.weeks - 1) - 2
    health = population.health.total[item, week]
    failures = draws.poisson("failures", np.exp(-2.4 - 0.95 * health), uid, number).clip(0, 4)
    delay = 4 + 6 * draws.exponential("delay", uid, number) * np.exp(-0.55 * health) + 5 * failures
    paid = world.at_work(created // DAY + 1 + np.minimum(delay, 75).astype(np.int64), "paid", uid, number)
    bad = (paid > billing.end[item]) & draws.chance("uncollectible", 0.4, uid, number)
    base = pl.DataFrame(
        {
            "id": ids("in_", world.chunk, uid * 100 + number, 16),
            "customer": ids("cus_", world.chunk, uid, 14),
            "subscription": ids("sub_", world.chunk, uid, 14),
            "number": pl.Series(uid).cast(pl.String) + "-" + pl.Series(number + 1).cast(pl.String).str.zfill(4),
            "billing_reason": either(number == 0, "subscription_create", "subscription_cycle"),
            "currency": pick(content.CURRENCIES, population.accounts["country"].to_numpy()[population.customers[item]]),
            "amount_due": amount,
            "created": created,
            "due_date": created + DUE,
            "item": item,
            "paid": np.where(bad, world.horizon, paid),
        }
    )
    opened = base.with_columns(
        status=pl.lit("open"),
        amount_paid=pl.lit(0, dtype=pl.Int64),
        attempt_count=pl.lit(0, dtype=pl.Int64),
        paid_at=pl.lit(None, dtype=pl.Int64),
        updated=pl.col("created"),
    )
    closed = base.with_columns(
        status=either(bad, "uncollectible", "paid"),
        amount_paid=pl.Series(np.where(bad, 0, amount)),
        attempt_count=pl.Series(1 + failures),
        paid_at=keep(~bad, paid),
        updated=pl.Series(np.where(bad, created + 90 * DAY, paid)),
    )
    return versions(pl.concat([opened, closed]), "id", "updated")


def subscriptions(world: World, population: Population, billing: Subscriptions, bills: pl.DataFrame) -> pl.DataFrame:
    """Subscription versions: begin, renewal, seats, past due and paid again, end."""
    uid, weeks = billing.uid, world.weeks
    bill = bills.filter(pl.col("status") == "open")
    bill_item, due, paid = (bill[name].to_numpy() for name in ("item", "due_date", "paid"))
    late = paid > due + DAY
    changed, week = np.nonzero(billing.seats[:, 1:] != billing.seats[:, :-1])
    moment = world.in_week(week + 1, "seats at", uid[changed], week + 1) if len(week) else np.empty(0, dtype=np.int64)
    everyone = np.arange(len(uid))
    leaving = billing.end < world.horizon
    events = [
        (everyone, billing.start, 0),
        (bill_item, bill["created"].to_numpy(), 1),
        (changed, moment, 2),
        (bill_item[late], due[late] + DAY, 3),
        (bill_item[late], paid[late], 4),
        (everyone[leaving], billing.end[leaving], CANCELLED),
    ]
    item = np.concatenate([found for found, _, _ in events])
    stamp = np.concatenate([at for _, at, _ in events])
    kind = np.repeat([k for _, _, k in events], [len(found) for found, _, _ in events])
    good = (
        (stamp >= billing.start[item]) & ((stamp < billing.end[item]) | (kind == CANCELLED)) & (stamp < world.horizon)
    )
    item, stamp, kind = item[good], stamp[good], kind[good]
    overdue = pl.DataFrame({"item": item, "stamp": stamp, "step": (kind == 3).astype(int) - (kind == 4)}).with_columns(
        order=pl.int_range(pl.len())
    )
    overdue = overdue.sort("item", "stamp", "order").with_columns(owed=pl.col("step").cum_sum().over("item"))
    owed = overdue.sort("order")["owed"].to_numpy() > 0
    is_annual, plan = billing.is_annual[item], billing.plan[item]
    start, period = billing.start[item], billing.period[item]
    ended = kind == CANCELLED
    begun = start + ((stamp - start) // period) * period
    at_end = np.where(ended, stamp - 1, stamp)
    # seats are of the whole week, so a change counts from its own moment: the version just before it keeps the old ones
    count = billing.seats_at(world, item, at_end)
    place = world.week_of(at_end).clip(1, weeks - 1)
    turn = np.full(billing.seats.shape, 0, dtype=np.int64)
    turn[changed, week + 1] = moment
    before = (turn[item, place] > at_end) & (kind != 2)
    count = np.where(before, billing.seats[item, place - 1], count)
    return versions(
        pl.DataFrame(
            {
                "id": ids("sub_", world.chunk, uid[item], 14),
                "customer": ids("cus_", world.chunk, uid[item], 14),
                "status": either(ended, "canceled", either(owed, "past_due", "active")),
                "plan_id": "plan_" + pick(("starter", "team", "business"), plan) + either(is_annual, "_year", "_month"),
                "plan_nickname": pick(PLANS, plan) + either(is_annual, " yearly", " monthly"),
                "plan_amount": billing.price_at(world, item, at_end),
                "plan_interval": either(is_annual, "year", "month"),
                "quantity": count,
                "currency": pick(
                    content.CURRENCIES, population.accounts["country"].to_numpy()[population.customers[item]]
                ),
                "created": start,
                "start_date": start,
                "current_period_start": begun,
                "current_period_end": begun + period,
                "cancel_at_period_end": np.zeros(len(item), dtype=bool),
                "canceled_at": keep(ended, stamp),
                "ended_at": keep(ended, stamp),
                "trial_end": pl.Series([None] * len(item), dtype=pl.Int64),
                "updated": stamp,
            }
        ),
        "id",
        "updated",
    )


def weeks_as_customer(world: World, billing: Subscriptions) -> np.ndarray:
    """Boolean (customers, event weeks)."""
    week = world.week_start(np.array(world.event_weeks))
    return (week[None, :] + WEEK * DAY > billing.start[:, None]) & (week[None, :] < billing.end[:, None])
