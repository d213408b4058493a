"""
Columns that only ever grow: days since the first invoice, months with us, orders so far.

Everyone is older today than in training, so such a column always lies further out than what was learnt from, and that
says nothing of the model. It is found in the training rows themselves, by what it does for each entity from one day to
the next, never by its name. What is expected of it today is that its quantiles went on as they did in the last half of
the training period; a shift is what lies beside that.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

ENTITIES = 500
"""Entities that are followed from day to day; more make it no clearer whether a column only grows."""
NEVER_FALLS = 0.99
"""Share of the steps that must not fall; the rest are corrections."""
HAVE_GROWN = 0.5
"""Share of the entities that must end higher than they began, or the column stands still."""
POINTS = (np.arange(100) + 0.5) / 100
"""Where the quantiles are taken."""


@dataclass(frozen=True)
class Panel:
    """Training rows as entities seen again and again."""

    days: np.ndarray
    """Day number of every row."""
    rows: np.ndarray
    """Positions of some entities' rows, by entity and day."""
    is_next: np.ndarray
    """Whether a row of `rows[1:]` is of the same entity as the one before."""
    early: np.ndarray
    """Positions of the rows of the last but one quarter of the days."""
    late: np.ndarray
    """Positions of the rows of the last quarter of the days."""


def panel_of(days: np.ndarray, entities: np.ndarray) -> Panel | None:
    """`days`, `entities`: of every row, the number of its day and of its entity. None where nobody is seen twice."""
    order = np.lexsort((days, entities))
    again = np.flatnonzero(np.diff(entities[order]) == 0)
    distinct = np.unique(days)
    if not len(again) or len(distinct) < 2:
        return None
    seen_again = np.unique(entities[order][again])
    followed = seen_again[np.linspace(0, len(seen_again) - 1, min(ENTITIES, len(seen_again))).astype(np.int64)]
    rows = order[np.isin(entities[order], followed)]
    quarter = max(1, len(distinct) // 4)
    early, late = (
        np.flatnonzero(np.isin(days, part)) for part in (distinct[-2 * quarter : -quarter], distinct[-quarter:])
    )
    return Panel(days, rows, np.diff(entities[rows]) == 0, early, late)


def trend_of(panel: Panel, values: np.ndarray) -> dict | None:
    """
    How a column (float64, nan where missing) moves with time, as plain values; None if it does not only grow (or fall).

    `sign` (1 or -1); `per_day`: how fast it grows for an entity; `day` to which `quantiles` (100) and `missing` (a
    share) belong, and `quantiles_per_day`, `missing_per_day`: how they moved; `is_whole`: the values have no decimals.
    """
    sign, per_day = _growth(panel, values)
    if sign == 0:
        return None
    seen = []
    for rows in (panel.early, panel.late):
        # The rows are of several days: what each would be on the mean of them.
        day = panel.days[rows].mean()
        moved = values[rows] + per_day * (day - panel.days[rows])
        known = moved[np.isfinite(moved)]
        if not len(known):
            return None
        seen.append((day, np.quantile(known, POINTS, method="inverted_cdf"), 1 - len(known) / len(moved)))
    (early_day, before, missing_before), (late_day, now, missing) = seen
    known = values[np.isfinite(values)]
    return {
        "sign": sign,
        "per_day": per_day,
        "day": float(late_day),
        "quantiles": now,
        "quantiles_per_day": (now - before) / (late_day - early_day),
        "missing": missing,
        "missing_per_day": float((missing - missing_before) / (late_day - early_day)),
        "is_whole": bool((known == np.round(known)).all()),
    }


def expected_on(trend: Mapping, day: float) -> list[tuple[np.ndarray, float]]:
    """
    What a column may be expected to hold on a day: values (100, each as frequent), and the share that is missing.

    Twice: if the same entities are there, each older; and if all goes on as in training, newcomers and losses too.
    """
    ahead = day - trend["day"]
    missing = min(1.0, max(0.0, trend["missing"] + ahead * trend["missing_per_day"]))
    older = trend["quantiles"] + ahead * trend["per_day"]
    going_on = np.sort(trend["quantiles"] + ahead * trend["quantiles_per_day"])
    return [(np.round(values) if trend["is_whole"] else values, missing) for values in (older, going_on)]


def _growth(panel: Panel, values: np.ndarray) -> tuple[int, float]:
    """1 if the column only ever grows, -1 if it only ever falls, else 0; and its change a day for a typical entity."""
    steps, days = np.diff(values[panel.rows]), np.diff(panel.days[panel.rows])
    known = panel.is_next & np.isfinite(steps)
    if not known.any():
        return 0, 0.0
    entity = np.cumsum(np.append(True, ~panel.is_next))[1:][known]
    change, span = (np.bincount(entity, weights=each[known]) for each in (steps, days))
    change, span = change[span > 0], span[span > 0]
    if not len(change):
        return 0, 0.0
    for sign in (1, -1):
        if np.mean(sign * steps[known] >= 0) >= NEVER_FALLS and np.mean(sign * change > 0) >= HAVE_GROWN:
            return sign, float(np.median(change / span))
    return 0, 0.0
