"""The truth behind the sample: what no asset reads, for tests and for judging models."""

import numpy as np
import polars as pl

from pipelines.sample.crm import MERGED, account_ids, accounts, contact_ids, lead_end, lead_ids, lead_twins
from pipelines.sample.frames import ids, keep
from pipelines.sample.health import (
    CHURN_HORIZON_DAYS,
    CONVERSION_HORIZON_DAYS,
    LEAD_WEEKS,
    churn_probability,
    conversion_probability,
)
from pipelines.sample.marketing import twitter_handles, visitor_ids
from pipelines.sample.plan import DAY, WEEK, World
from pipelines.sample.population import Population
from pipelines.sample.support import USERS_PER_ORGANISATION, user_ids


def _sundays(world: World) -> np.ndarray:
    """Weeks of the grid whose Sunday is in the written span."""
    week = np.arange(world.weeks)
    sunday = world.first_week + week * WEEK + 6
    return week[(sunday >= world.first_day) & (sunday <= world.last_day)]


def account_weeks(world: World, population: Population) -> pl.DataFrame:
    """Per customer and Sunday: health, the true probability to leave within 90 days, and whether it did."""
    weeks = _sundays(world)
    frame = population.accounts[population.customers]
    probability = churn_probability(population.health, weeks)
    end = world.week_start(weeks + 1)[None, :]
    start, churned = (frame[name].to_numpy()[:, None] for name in ("customer_from", "churned_at"))
    item, at = np.nonzero((start < end) & (churned >= end))
    moment = world.week_start(weeks[at] + 1)
    left = churned[item, 0]
    return pl.DataFrame(
        {
            "account_id": account_ids(world, frame["uid"].to_numpy()[item]),
            "as_of_date": pl.from_epoch(pl.Series(moment // DAY - 1), time_unit="d"),
            "health": population.health.total[:, weeks][item, at],
            "churn_probability_90d": probability[item, at],
            "churns_in_90d": left < moment + CHURN_HORIZON_DAYS * DAY,
        }
    )


def lead_weeks(world: World, population: Population) -> pl.DataFrame:
    """Per open lead (up to 365 days old) and Sunday: intent, true probability to convert in 60 days, outcome."""
    weeks, leads = _sundays(world), population.leads
    created, converted = leads["created_at"].to_numpy(), leads["converted_at"].to_numpy()
    end = lead_end(world, population)
    moment = world.week_start(weeks + 1)[None, :]
    is_open = (created[:, None] < moment) & (end[:, None] >= moment) & (moment - created[:, None] <= 365 * DAY)
    item, at = np.nonzero(is_open)
    moment = world.week_start(weeks[at] + 1)
    age = ((moment - created[item]) // (WEEK * DAY)).clip(0, LEAD_WEEKS - 1)
    intent = population.intent.total[item, age]
    return pl.DataFrame(
        {
            "lead_id": lead_ids(world, leads["lead"].to_numpy()[item]),
            "as_of_date": pl.from_epoch(pl.Series(moment // DAY - 1), time_unit="d"),
            "intent": intent,
            "conversion_probability_60d": conversion_probability(population.intent.level[item], intent, age),
            "converts_in_60d": (converted[item] > 0) & (converted[item] < moment + CONVERSION_HORIZON_DAYS * DAY),
        }
    )


def duplicate_leads(world: World, population: Population) -> pl.DataFrame:
    """Second records of leads: which lead each repeats, and whether the CRM merges it."""
    twin, at, merged = lead_twins(world, population)
    frame = pl.DataFrame(
        {
            "lead_id": lead_ids(world, twin + MERGED),
            "duplicate_of": lead_ids(world, twin),
            "is_merged": merged < (world.last_day + 1) * DAY,
        }
    )
    return frame.filter(pl.Series(at < (world.last_day + 1) * DAY))


def account_merges(world: World, population: Population) -> pl.DataFrame:
    """Merged accounts, up to the last day."""
    merged = accounts(world, population).filter(
        pl.col("MasterRecordId").is_not_null() & (pl.col("SystemModstamp") < (world.last_day + 1) * DAY)
    )
    return merged.select(
        pl.col("Id").alias("account_id"),
        pl.col("MasterRecordId").alias("surviving_account_id"),
        pl.from_epoch("SystemModstamp", time_unit="s").alias("merged_at"),
    )


def identities(world: World, population: Population) -> pl.DataFrame:
    """Each person with the keys it has in the systems (null where it is in none), known by the last day."""
    people = population.people.filter(pl.col("known_from") < (world.last_day + 1) * DAY)
    person, lead, account = (people[name].to_numpy() for name in ("person", "lead", "account"))
    is_lead = lead >= 0
    converted = np.where(is_lead, population.leads["converted_at"].to_numpy()[lead], 1)
    converted = (converted > 0) & (converted < (world.last_day + 1) * DAY)
    is_user = ~is_lead & (population.customer_of(account.clip(0)) >= 0) & (person % 10 < USERS_PER_ORGANISATION)
    in_hubspot = is_lead | world.draws.chance("in hubspot", 0.6, person)
    company = np.where(account >= 0, account, 0)
    return pl.DataFrame(
        {
            "person": pl.Series(person).cast(pl.String) + f"-{world.chunk}",
            "email": people["email"],
            "account_id": keep(
                (account >= 0) & converted, account_ids(world, population.accounts["uid"].to_numpy()[company])
            ),
            "salesforce_lead_id": keep(is_lead, lead_ids(world, lead)),
            "salesforce_contact_id": keep(converted, contact_ids(world, person)),
            "hubspot_contact_id": keep(in_hubspot, ids("", world.chunk, person, 12)),
            "zendesk_user_id": keep(is_user, user_ids(world, person)),
            "web_anonymous_id": visitor_ids(world, person),
            "twitterhandle": keep(in_hubspot, twitter_handles(world, person, people)),
        }
    )
