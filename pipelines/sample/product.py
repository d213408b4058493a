"""Our product: workspaces, and what each did on each day."""

import numpy as np
import polars as pl

from pipelines.sample.billing import Subscriptions, weeks_as_customer
from pipelines.sample.crm import PLANS
from pipelines.sample.frames import ids, keep, pick, versions
from pipelines.sample.health import weekly_wave
from pipelines.sample.plan import DAY, WEEK, World
from pipelines.sample.population import Population


def workspaces(world: World, population: Population, billing: Subscriptions) -> pl.DataFrame:
    """Workspace versions: created, and at each change of seats. One in twenty lacks its billing customer."""
    draws, uid = world.draws, billing.uid
    frame = population.accounts[population.customers]
    created = billing.start + 1800
    changed, week = np.nonzero(billing.seats[:, 1:] != billing.seats[:, :-1])
    moment = (
        world.in_week(week + 1, "seats at", uid[changed], week + 1) + 90 if len(week) else np.empty(0, dtype=np.int64)
    )
    good = (moment > created[changed]) & (moment < billing.end[changed])
    item = np.concatenate([np.arange(len(uid)), changed[good]])
    stamp = np.concatenate([created, moment[good]])
    linked = draws.chance("workspace linked", 0.95, uid)
    return versions(
        pl.DataFrame(
            {
                "workspace_id": ids("ws_", world.chunk, uid, 12)[item],
                "name": frame["name"][item],
                "company_domain": keep(~linked | draws.chance("workspace domain", 0.9, uid), frame["domain"])[item],
                "stripe_customer_id": keep(linked, ids("cus_", world.chunk, uid, 14))[item],
                "plan": pick(PLANS, billing.plan[item]),
                "seats": billing.seats_at(world, item, stamp),
                "created_at": created[item],
                "updated_at": stamp,
            }
        ),
        "workspace_id",
        "updated_at",
    )


def usage(world: World, population: Population, billing: Subscriptions) -> pl.DataFrame:
    """A row per workspace and day with activity. Two in a hundred arrive days late."""
    draws, uid = world.draws, billing.uid
    health = population.health.total
    habit = 0.15 * draws.normal("habit", uid)
    mood = weekly_wave(world, "usage", uid, world.weeks, 0.85, 0.2)
    adoption = 1 / (1 + np.exp(-(0.15 + 0.8 * health + habit[:, None] + mood)))
    week = np.array(world.event_weeks)
    item, at = np.nonzero(weeks_as_customer(world, billing))
    at = week[at]
    item, at = np.repeat(item, WEEK), np.repeat(at, WEEK)
    weekday = np.arange(len(item)) % WEEK
    day = world.first_week + at * WEEK + weekday
    good = (day * DAY > billing.start[item]) & (day * DAY < billing.end[item] - DAY // 2) & (day >= world.first_day)
    good &= day <= world.last_day
    item, at, day = item[good], at[good], day[good]
    busy = np.minimum(world.day_activity[day - world.first_week], 1.25)
    seat = billing.seats[item, at]
    active = np.minimum(draws.poisson("active", 0.8 * seat * adoption[item, at] * busy, uid[item], day), seat)
    good = active > 0
    item, at, day, active = item[good], at[good], day[good], active[good]
    key = uid[item]
    style = np.exp(0.25 * draws.normal("style", uid))[item]
    logins = active + draws.poisson("logins", 0.7 * active, key, day)
    depth = style * np.exp(0.3 * health[item, at].clip(-4, 4))
    actions = draws.poisson("actions", 14 * active * depth, key, day)
    api = np.where(draws.chance("uses api", 0.4, uid)[item], draws.poisson("api", 9 * active * depth, key, day), 0)
    errors = draws.poisson("errors", 0.05 * active * np.exp(-0.25 * health[item, at]), key, day)
    minutes = np.minimum(active * 24 * depth * np.exp(0.25 * draws.normal("minutes", key, day)), 1200.0 * active)
    late = np.where(draws.chance("usage late", 0.02, key, day), 1 + draws.integer("usage late by", 7, key, day), 0)
    return pl.DataFrame(
        {
            "date": day * DAY,
            "workspace_id": ids("ws_", world.chunk, uid, 12)[item],
            "active_users": active,
            "logins": logins,
            "actions": actions,
            "api_calls": api,
            "errors": errors,
            "minutes_active": np.round(minutes, 1),
            "received_at": (day + late) * DAY + 23 * 3600 + 1800 + draws.integer("received", 1700, key, day),
        }
    )
