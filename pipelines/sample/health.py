"""The hidden processes: what makes a customer stay and a lead convert. Nothing here is exported; the truth is.

Health and intent are autoregressive processes of order one by week, around a level that depends on who it is, plus
shocks. They drive what can be observed with noise, and with a delay the chance to leave and to convert.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.sample.plan import DAY, WEEK, World

HEALTH_MEMORY, HEALTH_SPREAD = 0.97, 0.8
SHOCK_MEMORY = 0.95
SHOCK_CHANCE, SHOCK_SIZE = 0.010, 1.1
CHURN_LEVEL, CHURN_SLOPE, CHURN_LAG = -7.2, 2.3, 3
"""Log of the weekly chance to leave at health 0, how it falls with health, and the weeks until health tells."""
CHURN_MOST = 0.3
INTENT_MEMORY, INTENT_SPREAD = 0.97, 0.75
CONVERSION_LEVEL, CONVERSION_SLOPE = -5.9, 1.4
CONVERSION_MOST = 0.35
GIVE_UP_LEVEL, GIVE_UP_SLOPE = -3.5, 0.45
LEAD_WEEKS = 53
CHURN_HORIZON_DAYS, CONVERSION_HORIZON_DAYS = 90, 60
INCIDENTS = (0.22, 0.47, 0.81)
"""When, as a share of the back-fill, the product was down: health drops for all who rely on it."""


@dataclass(frozen=True)
class Health:
    """Health of every customer in every week of the grid, and when they leave."""

    level: np.ndarray
    """Float64 (customers,): what it returns to."""
    wave: np.ndarray
    """Float64 (customers, weeks): the autoregressive part."""
    shock: np.ndarray
    """Float64 (customers, weeks): what is left of shocks."""
    churned_at: np.ndarray
    """Int64 seconds, the grid's end for those who stay."""

    @property
    def total(self) -> np.ndarray:
        """Float64 (customers, weeks)."""
        return self.level[:, None] + self.wave + self.shock


def weekly_wave(world: World, stream: str, key: np.ndarray, steps: int, memory: float, spread: float) -> np.ndarray:
    """A stationary autoregressive process of order one, float64 (keys, steps), with standard deviation `spread`."""
    noise = world.draws.normal(stream, key[:, None], np.arange(steps)[None, :])
    wave = np.empty((len(key), steps))
    wave[:, 0] = spread * noise[:, 0]
    fresh = spread * np.sqrt(1 - memory**2)
    for step in range(1, steps):
        wave[:, step] = memory * wave[:, step - 1] + fresh * noise[:, step]
    return wave


def churn_chance(health: np.ndarray) -> np.ndarray:
    """The chance to leave within a week, from the health `CHURN_LAG` weeks before."""
    return np.minimum(np.exp(CHURN_LEVEL - CHURN_SLOPE * health), CHURN_MOST)


def simulate_health(world: World, key: np.ndarray, level: np.ndarray, started_at: np.ndarray) -> Health:
    """
    The health of the customers with the given keys, levels and first seconds as a customer.

    Nobody leaves within four weeks, or before the first day of the back-fill.
    """
    draws, weeks = world.draws, world.weeks
    week = np.arange(weeks)
    wave = weekly_wave(world, "health", key, weeks, HEALTH_MEMORY, HEALTH_SPREAD)
    hits = SHOCK_SIZE * draws.chance("shock", SHOCK_CHANCE, key[:, None], week[None, :])
    exposed = draws.uniform("exposed", key)
    for share in INCIDENTS:
        at = (world.first_day + int(share * world.planned_days) - world.first_week) // WEEK
        hits[:, at] += 0.8 * exposed
    hits[:, (world.price_day - world.first_week) // WEEK] += 0.7 * draws.uniform("price sensitive", key) ** 2
    shock = np.zeros_like(wave)
    for step in range(1, weeks):
        shock[:, step] = SHOCK_MEMORY * shock[:, step - 1] - hits[:, step]
    health = level[:, None] + wave + shock
    chance = np.zeros_like(wave)
    chance[:, CHURN_LAG:] = churn_chance(health[:, :-CHURN_LAG])
    first = np.maximum(world.week_of(started_at) + 4, world.week_of(np.array([world.first_day * DAY]))[0])
    leaves = draws.chance("leaves", chance, key[:, None], week[None, :]) & (week[None, :] >= first[:, None])
    churn_week = np.where(leaves.any(axis=1), leaves.argmax(axis=1), weeks)
    moment = world.in_week(churn_week.clip(0, weeks - 1), "leaves at", key)
    moment = np.maximum(moment, world.first_day * DAY + 8 * 3600)
    return Health(level, wave, shock, np.where(churn_week < weeks, moment, world.horizon))


def churn_probability(health: Health, weeks: np.ndarray) -> np.ndarray:
    """
    The true probability to leave within 90 days after the end of the given weeks, float64 (customers, weeks).

    The next `CHURN_LAG` weeks follow from the health that there was; beyond, health is forecast as the process's mean
    with its spread, by the mean of a log-normal.
    """
    steps = CHURN_HORIZON_DAYS / WEEK
    wave, shock, total = health.wave[:, weeks], health.shock[:, weeks], health.total
    hazard = np.zeros_like(wave)
    for step in range(1, int(np.ceil(steps)) + 1):
        share = min(1.0, steps - step + 1)
        ahead = step - CHURN_LAG
        if ahead <= 0:
            chance = churn_chance(total[:, weeks + ahead])
        else:
            mean = health.level[:, None] + HEALTH_MEMORY**ahead * wave + SHOCK_MEMORY**ahead * shock
            mean -= SHOCK_CHANCE * SHOCK_SIZE * (1 - SHOCK_MEMORY**ahead) / (1 - SHOCK_MEMORY)
            variance = HEALTH_SPREAD**2 * (1 - HEALTH_MEMORY ** (2 * ahead))
            chance = churn_chance(mean - CHURN_SLOPE * variance / 2)
        hazard -= share * np.log1p(-chance)
    return -np.expm1(-hazard)


@dataclass(frozen=True)
class Intent:
    """Intent of every lead in every week of its life, and how it ended."""

    total: np.ndarray
    """Float64 (leads, LEAD_WEEKS)."""
    level: np.ndarray
    """Float64 (leads,)."""
    converted_at: np.ndarray
    """Int64 seconds, 0 for those who do not."""
    given_up_at: np.ndarray
    """Int64 seconds, 0 for those whom sales keeps open or who convert."""


def ripeness(week: np.ndarray) -> np.ndarray:
    """How the log-chance to convert depends on a lead's age in weeks: best after three, then ever less."""
    return np.log1p(week) * 0.5 - 0.085 * week


def conversion_chance(intent: np.ndarray, week: np.ndarray) -> np.ndarray:
    """The chance that a lead of that age in weeks converts within a week."""
    return np.minimum(np.exp(CONVERSION_LEVEL + CONVERSION_SLOPE * intent + ripeness(week)), CONVERSION_MOST)


def give_up_chance(intent: np.ndarray) -> np.ndarray:
    """The chance that sales gives a lead up within a week."""
    return np.minimum(np.exp(GIVE_UP_LEVEL - GIVE_UP_SLOPE * intent), 0.3)


def simulate_intent(world: World, key: np.ndarray, level: np.ndarray, created_at: np.ndarray) -> Intent:
    """The intent of the leads with the given keys, levels and times of creation; a week's intent tells in the next."""
    draws = world.draws
    age = np.arange(LEAD_WEEKS)
    total = level[:, None] + weekly_wave(world, "intent", key, LEAD_WEEKS, INTENT_MEMORY, INTENT_SPREAD)
    before = np.concatenate([total[:, :1], total[:, :-1]], axis=1)
    converts = draws.chance("converts", conversion_chance(before, age), key[:, None], age[None, :])
    stops = draws.chance("given up", give_up_chance(before), key[:, None], age[None, :])
    stops[:, :2] = False
    convert_week = np.where(converts.any(axis=1), converts.argmax(axis=1), LEAD_WEEKS)
    stop_week = np.where(stops.any(axis=1), stops.argmax(axis=1), LEAD_WEEKS)

    def moment(week: np.ndarray, stream: str) -> np.ndarray:
        day = created_at // DAY + week * WEEK + 1 + draws.integer(f"{stream} on", WEEK, key)
        return world.at_work(day, stream, key)

    converted = (convert_week < LEAD_WEEKS) & (convert_week <= stop_week)
    given_up = (stop_week < LEAD_WEEKS) & ~converted
    return Intent(
        total,
        level,
        np.where(converted, moment(convert_week, "converts at"), 0),
        np.where(given_up, moment(stop_week, "given up at"), 0),
    )


def conversion_probability(level: np.ndarray, intent: np.ndarray, age_weeks: np.ndarray) -> np.ndarray:
    """The true probability to convert within 60 days for open leads with that level, intent and age; float64."""
    steps = CONVERSION_HORIZON_DAYS / WEEK
    alive = np.ones_like(intent)
    probability = np.zeros_like(intent)
    for step in range(1, int(np.ceil(steps)) + 1):
        share = min(1.0, steps - step + 1)
        ahead = step - 1
        mean = level + INTENT_MEMORY**ahead * (intent - level)
        variance = INTENT_SPREAD**2 * (1 - INTENT_MEMORY ** (2 * ahead))
        week = age_weeks + step
        chance = conversion_chance(mean + CONVERSION_SLOPE * variance / 2, week) * (week < LEAD_WEEKS)
        probability += alive * chance * share
        alive = alive * (1 - chance) * (1 - give_up_chance(mean - GIVE_UP_SLOPE * variance / 2))
    return probability
