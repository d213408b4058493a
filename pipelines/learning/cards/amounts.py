"""What the card of a model of amounts shows beside, or in place of, that of answers; None where the facts lack it."""

import math
from collections.abc import Callable

from pipelines.learning.cards.facts import capital, dicts, finite, maybe_percent
from pipelines.learning.cards.svg import Plot
from pipelines.learning.scoring.wording import describe_value, signed_amount

MEASURES = (
    ("mean_absolute_error", "Mean absolute error", "of p50; in the amount's unit"),
    ("mean_absolute_error_of_median", "The same of the median", "saying the median of everyone"),
    ("median_absolute_error", "Median absolute error", "half of the rows are less off"),
    ("root_mean_squared_error", "Root mean squared error", "of expected; large errors count most"),
    ("root_mean_squared_error_of_mean", "The same of the mean", "saying the mean of everyone"),
    ("error_share", "Error in per cent", "sum of absolute errors over the sum of amounts"),
    ("r2", "R²", "share of the variance that expected explains; 1 is perfect"),
    ("coverage", "Within p10 to p90", "80 % is promised"),
    ("mean_width", "Width from p10 to p90", "on average, in the amount's unit"),
    ("mean_said", "Expected", "mean of all rows"),
    ("mean_came", "Came", "mean of all rows"),
)
SHARES = {"error_share", "coverage"}


def is_amount(facts: dict) -> bool:
    """Whether the card is of a model of amounts."""
    return facts.get("task") == "amount"


def amount_words(value: object) -> str:
    """An amount as people write it; nothing where it is not known."""
    number = finite(value)
    return "" if number is None else describe_value(number, "number")


def move_words(move: float, facts: dict) -> str:
    """What a contribution does to an estimate: +1,250, or x1.3 where it is the logarithm of a factor."""
    return f"x{math.exp(min(move, 700.0)):.3g}" if facts.get("link") == "log" else signed_amount(move)


def amounts(facts: dict) -> dict | None:
    """The verdict in figures, the picture, and how often intervals hold."""
    if not is_amount(facts) or finite(facts.get("mean_absolute_error")) is None:
        return None
    tenths = tenths_known(facts)
    needed = ("rows", "mean_width", "below", "inside", "above")
    return {
        "plot": _plot(tenths) if tenths else None,
        "tenths": tenths,
        "reliability": [
            row for row in dicts(facts, "reliability") if all(finite(row.get(key)) is not None for key in needed)
        ],
        "segments": _segments(facts),
        "total": _total(facts),
    }


def figures(facts: dict) -> list[tuple[str, str]]:
    """Value and meaning of each, for the head of the card."""
    noise = amount_words(facts.get("mean_absolute_error_noise"))
    shown = [
        (amount_words(facts.get("mean_absolute_error")), f"off on average{f' (± {noise})' if noise else ''}"),
        (maybe_percent(facts.get("error_share")), "of the amounts: the error in per cent"),
        (maybe_percent(facts.get("coverage"), 0), "of what came lay between p10 and p90; 80 % is promised"),
        ("" if finite(facts.get("r2")) is None else f"{facts['r2']:.2f}", "explained (R²): 0 is the mean, 1 perfect"),
    ]
    return [pair for pair in shown if pair[0]]


def measures(facts: dict) -> list[tuple[str, str, str]]:
    """Name, value and meaning of each, for the analyst."""
    rows = []
    for key, name, how in MEASURES:
        value, noise = finite(facts.get(key)), finite(facts.get(f"{key}_noise"))
        if value is not None:
            write = maybe_percent if key in SHARES else amount_words
            rows.append((name, write(value) + (f" ± {write(noise)}" if noise is not None else ""), how))
    return rows


def tenths_known(facts: dict) -> list[dict]:
    """The tenths that can be drawn."""
    needed = ("rows", "mean_said", "mean_came", "noise")
    return [row for row in dicts(facts, "tenths") if all(finite(row.get(key)) is not None for key in needed)]


def _plot(tenths: list[dict]) -> Plot:
    """Said against came, by tenth of what was said, with what chance allows."""
    values = [each for row in tenths for each in (row["mean_said"], *_allowed(row))]
    marks = [(mark, _short(mark)) for mark in _round_marks(min(0.0, *values), max(0.0, *values))]
    title = "What it said and what came"
    text = "What was expected against what came, means of each tenth of the estimates, with 95 % of what chance allows."
    return plot_of_tenths("amounts", title, text, tenths, marks, amount_words)


def plot_of_tenths(
    key: str,
    title: str,
    text: str,
    tenths: list[dict],
    marks: list[tuple[float, str]],
    words: Callable[[float], str],
) -> Plot:
    """Said against came, on axes with these marks: where, rising, and what is written there. `words`: of a value."""
    low, reach = marks[0][0], (marks[-1][0] - marks[0][0]) or 1.0

    def at(value: float) -> float:
        return (value - low) / reach

    names = [(at(mark), name) for mark, name in marks]
    plot = Plot(key, title, text, "what it said", "what came", names=names, levels=names)
    plot.line([(0, 0), (1, 1)], "muted")
    plot.label(0.62, 0.62, "said = came", "muted", (10, 16))
    for row in tenths:
        (lowest, highest), estimated = _allowed(row), at(row["mean_said"])
        plot.line([(estimated, at(max(lowest, low))), (estimated, at(min(highest, marks[-1][0])))], "whisker")
        is_off = not lowest <= row["mean_said"] <= highest
        hint = f"Said {words(row['mean_said'])}, {words(row['mean_came'])} came ({row['rows']:,} rows)"
        plot.dot(estimated, at(row["mean_came"]), "warm" if is_off else "model", hint, 4.5)
    return plot


def _allowed(row: dict) -> tuple[float, float]:
    """Between what chance allows the mean of what came to lie."""
    return row["mean_came"] - 1.96 * row["noise"], row["mean_came"] + 1.96 * row["noise"]


def _short(value: float) -> str:
    """A round value where there is little room: 400k."""
    units = ((1e9, "bn"), (1e6, "M"), (1e3, "k"))
    size, word = next(((size, word) for size, word in units if abs(value) >= 10 * size), (1.0, ""))
    return f"{value / size:g}{word}"


def _round_marks(low: float, high: float) -> list[float]:
    """Round values from at or below `low` to at or above `high`, at most seven."""
    reach = high - low
    if not reach > 0 or not math.isfinite(reach):
        return [low, low + 1.0]
    power = 10.0 ** math.floor(math.log10(reach / 6))
    step = next(power * each for each in (1, 2, 5, 10, 20) if reach / (power * each) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _total(facts: dict) -> str | None:
    """What all rows together were expected to come to, and did."""
    estimated, came = finite(facts.get("mean_said")), finite(facts.get("mean_came"))
    if estimated is None or not came:
        return None
    return f"On average it expected {amount_words(estimated)}; {amount_words(came)} came."


def _segments(facts: dict) -> dict | None:
    known = [row for row in dicts(facts, "segments") if "value" in row]
    if not known:
        return None
    rows = [row | {"by": capital(str(row.get("words") or row.get("segment") or ""))} for row in known]
    names = dict.fromkeys(row.get("segment") for row in rows)
    ends = [finite(row.get("error_share")) or 0.0 for row in rows] + [finite(facts.get("error_share")) or 0.0]
    return {
        "groups": [[row for row in rows if row.get("segment") == name] for name in names],
        "warned": [row for row in rows if row.get("warning")],
        "end": max(ends) or 1.0,
        "whole": finite(facts.get("error_share")),
    }


def without_words(facts: dict, row: dict) -> str:
    """How far off the model is without a column, after how far it is with it."""
    without = amount_words(row.get("mean_absolute_error_without"))
    return f"off by {amount_words(facts.get('mean_absolute_error'))} → {without}" if without else ""
