"""One small picture a metric, as SVG: what was, what was forecast, what comes, with the 80 % interval."""

import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl

from pipelines.rendering import render

WIDTH, HEIGHT = 700, 280
LEFT, RIGHT, TOP, BOTTOM = 64, 688, 44, 252
"""Where the axes begin and end in the picture."""
MOST_TICKS, MOST_DATES = 5, 8
MANY = ((1e9, "bn"), (1e6, "m"), (1e3, "k"))


def picture_of(metric: str, history: Sequence[tuple[date, float]], rows: pl.DataFrame) -> str:
    """
    The total by week: `history` are (Monday, actual) pairs, `rows` the forecast rows of the metric's total.

    A whole SVG file, which asks for nothing from elsewhere.
    """
    known = rows.filter(pl.col("actual").is_not_null() & pl.col("forecast").is_not_null())
    future = rows.filter(pl.col("actual").is_null())
    weeks = [week for week, _ in history] + future["period_start_date"].to_list()
    shown = [value for _, value in history] + future["p10"].to_list() + future["p90"].to_list()
    values = [value for value in shown + known["forecast"].to_list() if value is not None and math.isfinite(value)]
    first, days = min(weeks), max(1, (max(weeks) - min(weeks)).days)
    steps = _ticks(min(values, default=0.0), max(values, default=1.0))
    low, high = steps[0], steps[-1]

    def x(week: date) -> str:
        return f"{LEFT + (RIGHT - LEFT) * (week - first).days / days:.1f}"

    def y(value: float) -> str:
        return f"{BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low):.1f}"

    def path(points: Sequence[tuple[date, float]]) -> str:
        return " ".join(f"{x(week)},{y(value)}" for week, value in points if value is not None and math.isfinite(value))

    def pairs(frame: pl.DataFrame, column: str) -> list[tuple[date, float]]:
        return list(zip(frame["period_start_date"], frame[column], strict=True))

    return render(
        Path(__file__).with_name("picture.svg.j2"),
        metric=metric.replace("_", " "),
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=RIGHT,
        levels=[(y(value), _in_short(value)) for value in steps],
        dates=[(x(week), f"{week:%b %Y}") for week in _dates(weeks)],
        interval=path([*pairs(future, "p10"), *reversed(pairs(future, "p90"))]),
        backtest=path(pairs(known, "forecast")),
        actual=path(history),
        forecast=path(pairs(future, "forecast")),
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round levels, from one at or below the lowest value to one at or above the highest, at most about six."""
    if not high > low:
        low, high = low - max(1.0, abs(low) / 2), high + max(1.0, abs(high) / 2)
    magnitude = 10 ** math.floor(math.log10((high - low) / MOST_TICKS))
    step = next(size * magnitude for size in (1, 2, 5, 10) if (high - low) / (size * magnitude) <= MOST_TICKS)
    return [step * number for number in range(math.floor(low / step), math.ceil(high / step) + 1)]


def _dates(weeks: Sequence[date]) -> list[date]:
    """The first weeks of months, evenly thinned."""
    ordered = sorted(set(weeks))
    months = [week for before, week in zip([None, *ordered], ordered, strict=False) if before and before.day > week.day]
    return months[:: max(1, math.ceil(len(months) / MOST_DATES))]


def _in_short(value: float) -> str:
    """A level as the axis writes it: 1.5m, 200k."""
    size, unit = next(((size, unit) for size, unit in MANY if abs(value) >= size), (1.0, ""))
    return f"{value / size:,.6g}{unit}"
