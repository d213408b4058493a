"""One small picture a metric, as SVG: what was, what was forecast, what comes, with the 80 % interval."""

import math
from collections.abc import Sequence
from datetime import date

import polars as pl

from pipelines.learning.cards.markup import Markup, tag

WIDTH, HEIGHT = 700, 280
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 44, 28
MOST_TICKS, MOST_DATES = 5, 8
ACTUAL, BACKTEST, FORECAST, INTERVAL = "#334155", "#94a3b8", "#2563eb", "#dbe6fb"
LEGEND = (("actual", ACTUAL), ("backtest", BACKTEST), ("forecast", FORECAST), ("80 % interval", INTERVAL))
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

    def at(week: date, value: float) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * (week - first).days / days
        return f"{x:.1f},{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low):.1f}"

    def line(points: Sequence[tuple[date, float]], colour: str, **style: object) -> Markup:
        drawn = " ".join(at(week, value) for week, value in points if value is not None and math.isfinite(value))
        return tag("polyline", points=drawn, fill="none", stroke=colour, **style)

    def pairs(frame: pl.DataFrame, column: str) -> list[tuple[date, float]]:
        return list(zip(frame["period_start_date"], frame[column], strict=True))

    band = " ".join(at(*point) for point in [*pairs(future, "p10"), *reversed(pairs(future, "p90"))])
    return tag(
        "svg",
        tag("rect", width=WIDTH, height=HEIGHT, fill="#ffffff"),
        tag("text", f"{metric.replace('_', ' ')}, total by week", x=8, y=18, font_size=14, fill="#0f172a"),
        [_legend(number, name, colour) for number, (name, colour) in enumerate(LEGEND)],
        [_level(value, at(first, value).split(",")[1]) for value in steps],
        [_date(week, at(week, low).split(",")[0]) for week in _dates(weeks)],
        tag("polygon", points=band, fill=INTERVAL),
        line(pairs(known, "forecast"), BACKTEST, stroke_width=1.2, stroke_dasharray="4 3"),
        line(history, ACTUAL, stroke_width=1.5),
        line(pairs(future, "forecast"), FORECAST, stroke_width=2),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=WIDTH,
        height=HEIGHT,
        font_family="sans-serif",
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


def _legend(number: int, name: str, colour: str) -> Markup:
    x = LEFT + 110 * number
    return tag(
        "g",
        tag("rect", x=x, y=27, width=16, height=5, fill=colour),
        tag("text", name, x=x + 21, y=33, font_size=11, fill="#475569"),
    )


def _level(value: float, y: str) -> Markup:
    size, unit = next(((size, unit) for size, unit in MANY if abs(value) >= size), (1.0, ""))
    return tag(
        "g",
        tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, stroke="#e2e8f0"),
        tag(
            "text", f"{value / size:,.6g}{unit}", x=LEFT - 6, y=y, dy=4, text_anchor="end", font_size=11, fill="#475569"
        ),
    )


def _date(week: date, x: str) -> Markup:
    return tag("text", f"{week:%b %Y}", x=x, y=HEIGHT - 9, text_anchor="middle", font_size=11, fill="#475569")
