"""What is simulated: the company's size, its calendar, and one chunk of it with its clock and random numbers."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property, lru_cache

import numpy as np

from pipelines.sample.draws import Draws, Keys

DAY = 86_400
WEEK = 7
EPOCH = date(1970, 1, 1)
BURN_IN_WEEKS = 10
"""The hidden processes start so long before the first day, so that lags have a past."""
AHEAD_DAYS = 98
"""The hidden processes run so far past the last day, so that the truth knows each outcome."""
EVENT_MEMORY_WEEKS = 10
"""A late row or a closed ticket comes at most so long after the event that caused it."""
WEEKDAY = np.array([1.08, 1.12, 1.1, 1.04, 0.86, 0.2, 0.16])


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def to_date(number: int) -> date:
    """The date of a day number."""
    return EPOCH + timedelta(days=int(number))


def months_before(last_day: date, months: int) -> date:
    """The first day of a span of so many calendar months that ends with `last_day`."""
    after = last_day + timedelta(days=1)
    position = after.year * 12 + after.month - 1 - months
    year, month = divmod(position, 12)
    length = ((date(year + (month == 11), month % 12 + (1 if month == 11 else 2), 1)) - timedelta(days=1)).day
    if month == 11:
        length = 31
    return date(year, month + 1, min(after.day, length))


def easter(year: int) -> date:
    """Easter Sunday (the anonymous Gregorian algorithm, Nature 1876)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


@lru_cache
def holidays(year: int) -> frozenset[date]:
    """The days on which the sample company and its customers hardly work."""
    sunday = easter(year)
    first_november = date(year, 11, 1)
    thanksgiving = first_november + timedelta(days=(3 - first_november.weekday()) % 7 + 21)
    days = {date(year, 1, 1), date(year, 5, 1), date(year, 7, 4), thanksgiving, thanksgiving + timedelta(days=1)}
    days |= {sunday - timedelta(days=2), sunday + timedelta(days=1)}
    days |= {date(year, 12, day) for day in (24, 25, 26, 31)}
    return frozenset(days)


def activity(days: np.ndarray) -> np.ndarray:
    """How busy business is on each day number; 1 on average: weekday, time of year, holidays."""
    dates = [to_date(day) for day in days]
    year_share = np.array([(day - date(day.year, 1, 1)).days / 365.25 for day in dates])
    yearly = 1 + 0.1 * np.cos(2 * np.pi * (year_share - 0.87)) - 0.14 * np.exp(-(((year_share - 0.61) / 0.045) ** 2))
    off = np.array([0.22 if day in holidays(day.year) else 1.0 for day in dates])
    quiet = np.array([0.5 if (day.month == 12 and day.day >= 27) else 1.0 for day in dates])
    return WEEKDAY[(np.asarray(days) + 3) % WEEK] * yearly * off * quiet * WEEK / WEEKDAY.sum()


@dataclass(frozen=True)
class Plan:
    """Which company: what a sample's files depend on besides the day up to which they are written."""

    accounts: int
    months: int
    seed: int
    planned_last_day: date
    chunk_size: int

    @property
    def first_day(self) -> date:
        """The first day of the back-fill."""
        return months_before(self.planned_last_day, self.months)

    @property
    def chunks(self) -> int:
        """How many chunks of accounts."""
        return -(-self.accounts // self.chunk_size)

    def chunk_accounts(self, chunk: int) -> int:
        """Accounts in a chunk."""
        return min(self.chunk_size, self.accounts - chunk * self.chunk_size)


@dataclass(frozen=True)
class World:
    """One chunk of the company: its size, clock and random numbers. Times are seconds, days and weeks since 1970."""

    plan: Plan
    chunk: int
    last_day: int
    """Day number up to which files are written."""
    since_day: int
    """Day number from which they are written; events long before it need not be made."""
    draws: Draws = field(init=False)

    def __post_init__(self) -> None:
        """Give the chunk its random numbers."""
        object.__setattr__(self, "draws", Draws(self.plan.seed, self.chunk))

    @property
    def accounts(self) -> int:
        """Accounts in this chunk."""
        return self.plan.chunk_accounts(self.chunk)

    @cached_property
    def first_day(self) -> int:
        """The back-fill's first day number."""
        return day_number(self.plan.first_day)

    @cached_property
    def planned_days(self) -> int:
        """Days in the back-fill."""
        return day_number(self.plan.planned_last_day) - self.first_day + 1

    @cached_property
    def price_day(self) -> int:
        """When list prices rise: at about 60 % of the back-fill."""
        return self.first_day + int(0.6 * self.planned_days)

    @cached_property
    def half_way_day(self) -> int:
        """When the CRM gets a new column."""
        return self.first_day + self.planned_days // 2

    @cached_property
    def first_week(self) -> int:
        """Day number of the Monday on which the weekly grid starts."""
        monday = self.first_day - (self.first_day + 3) % WEEK
        return monday - BURN_IN_WEEKS * WEEK

    @cached_property
    def weeks(self) -> int:
        """Weeks of the grid, from the burn-in to past the last day."""
        return (self.last_day + AHEAD_DAYS - self.first_week) // WEEK + 1

    @cached_property
    def horizon(self) -> int:
        """Seconds at which the weekly grid ends."""
        return (self.first_week + self.weeks * WEEK) * DAY

    @cached_property
    def event_weeks(self) -> range:
        """The weeks of the grid whose events can be in the files that are written."""
        first = max(BURN_IN_WEEKS, (self.since_day - self.first_week) // WEEK - EVENT_MEMORY_WEEKS)
        return range(first, (self.last_day - self.first_week) // WEEK + 1)

    @cached_property
    def day_activity(self) -> np.ndarray:
        """`activity` of each day of the grid."""
        return activity(np.arange(self.first_week, self.first_week + self.weeks * WEEK))

    @property
    def public_posts_per_week(self) -> float:
        """Posts of people whom no system knows, in the whole company's market."""
        return min(max(self.plan.accounts / 2000 * 14, 9.0), 200.0)

    @cached_property
    def week_activity(self) -> np.ndarray:
        """Mean `activity` of each week of the grid."""
        return self.day_activity.reshape(self.weeks, WEEK).mean(axis=1)

    @cached_property
    def _day_edges(self) -> np.ndarray:
        share = np.cumsum(self.day_activity.reshape(self.weeks, WEEK), axis=1)
        return share / share[:, -1:]

    def week_of(self, seconds: np.ndarray) -> np.ndarray:
        """Which week of the grid; below 0 or past the end for times outside."""
        return (np.asarray(seconds) // DAY - self.first_week) // WEEK

    def week_start(self, week: np.ndarray) -> np.ndarray:
        """Seconds at which a week of the grid starts."""
        return (self.first_week + np.asarray(week) * WEEK) * DAY

    def at_work(self, day: np.ndarray, stream: str, *keys: Keys) -> np.ndarray:
        """Seconds on the given day numbers, mostly in office hours."""
        share = (self.draws.uniform(f"{stream}/hour", *keys) + self.draws.uniform(f"{stream}/minute", *keys)) / 2
        return np.asarray(day, dtype=np.int64) * DAY + ((6.5 + 14 * share) * 3600).astype(np.int64)

    def in_week(self, week: np.ndarray, stream: str, *keys: Keys) -> np.ndarray:
        """Seconds in weeks of the grid, on busy days and hours rather than on quiet ones."""
        draw = self.draws.uniform(f"{stream}/day", *keys)
        day = (draw[:, None] > self._day_edges[week]).sum(axis=1).clip(0, WEEK - 1)
        return self.at_work(self.first_week + week * WEEK + day, stream, *keys)

    def arrivals(self, total: float, growth: float, stream: str) -> np.ndarray:
        """
        Seconds at which things arrive: `total` in the back-fill, going on past it.

        The rate follows `activity` and grows by `growth` a year. Float order of arrival: the k-th stays the k-th.
        """
        days = np.arange(self.first_day, self.first_week + self.weeks * WEEK)
        rate = self.day_activity[self.first_day - self.first_week :] * (1 + growth) ** (
            (days - self.first_day) / 365.25
        )
        edges = np.concatenate([[0.0], np.cumsum(rate)])
        edges *= total / edges[self.planned_days]
        count = int(edges[-1])
        number = np.arange(count)
        place = number + self.draws.uniform(f"{stream}/place", number)
        day = np.searchsorted(edges, place, side="right") - 1
        return self.at_work(self.first_day + day.clip(0, len(days) - 1), stream, number)
