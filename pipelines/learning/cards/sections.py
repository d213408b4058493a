"""What the pictured sections of the model card show. Each takes the facts; None where they lack it."""

import math
from collections.abc import Iterable
from itertools import accumulate
from statistics import fmean

from pipelines.learning.cards import amounts, levels, svg
from pipelines.learning.cards.facts import (
    PastScoring,
    ScoreOutcome,
    base_rate,
    capital,
    class_rows,
    dicts,
    driver_words,
    effects_of,
    finite,
    fixed,
    gain_at,
    gain_curve,
    listed,
    maybe_percent,
    money_words,
    off_tenths,
    past_scorings,
    rows_called,
    signed,
    signed_points,
    tenths,
)
from pipelines.learning.cards.svg import Plot, percent
from pipelines.learning.judging.holdback import rate_interval

FIRST_SHARE = 0.2
"""How much of the list the verdict speaks of working through."""
MOST_DRIVERS, MOST_EFFECTS, MOST_LABELS = 12, 6, 12
MOST_CLASSES_CROSSED = 12
MOST_MIXED_UP = 15
MOST_RELEASES = 60
MOST_READ = 3
KNOWN_TO = 0.1
"""How closely the tenths' rates must be known for percentages to be said to hold: to ten points, by 95 % intervals."""
DECIDES = 1 / 3
"""Share of all that moves the estimate from which on one thing is said to count most of all."""


def gain(facts: dict) -> dict | None:
    """How many are found when working down from the highest score, by tenth."""
    deciles = tenths(facts)
    if not deciles:
        return None
    curve = gain_curve(deciles)
    return {
        "plot": _gain_plot(deciles, base_rate(facts), rows_called(facts)),
        "enough": next((share for share, found in curve if found >= 0.8), None),
        "rows": [row | {"met": found} for row, (_, found) in zip(deciles, curve[1:], strict=True)],
    }


def _gain_plot(deciles: list[dict], base: float | None, rows_word: str) -> Plot:
    curve, found = gain_curve(deciles), gain_at(deciles, FIRST_SHARE)
    title = f"The first {percent(FIRST_SHARE)} of the list holds {percent(found)} of them"
    text = f"Gain curve: the share of all found against the share worked through. {title}."
    across = svg.shorten(f"{rows_word} worked through, highest score first", 56)
    plot = Plot("gain", title, text, across, "share of them met")
    plot.area(curve, "wash")
    plot.line([(0, 0), (1, 1)], "muted")
    if base:
        plot.line([(0, 0), (base, 1), (1, 1)], "faint")
        if base < 0.55:
            plot.label(base, 1, "best possible", "muted", (6, 14))
    plot.label(1, 0.72, "in random order", "muted end", (-4, 20))
    plot.line(curve, "model")
    for row, (share, met) in zip(deciles, curve[1:], strict=True):
        hint = f"The first {percent(share)}: {percent(met)} of all, {row['positives']:,} in this tenth"
        plot.dot(share, met, "model", hint, 3.5)
    plot.line([(FIRST_SHARE, 0), (FIRST_SHARE, found)], "guide")
    plot.label(FIRST_SHARE, found, percent(found), "big", (9, 16))
    return plot


def calibration(facts: dict) -> dict | None:
    """Predicted against observed rate, by tenth."""
    deciles = tenths(facts)
    if not deciles:
        return None
    off, rows = off_tenths(deciles), []
    for row in deciles:
        low, high = rate_interval(row["observed_rate"] * row["rows"], row["rows"])
        rows.append(row | {"low": low, "high": high, "is_off": row in off})
    has_signal = facts.get("verdict") != "no_signal"
    return {
        "plot": _calibration_plot(rows),
        "rows": rows,
        "how_to_read": how_to_read(deciles, is_only_order(facts)) if has_signal else None,
    }


def _calibration_plot(rows: list[dict]) -> Plot:
    limit = svg.end(*(row[key] for row in rows for key in ("high", "predicted_rate")))
    text = "Calibration: predicted against observed rate by tenth of the score, with 95 % Wilson intervals."
    title = "What it said and what happened"
    plot = Plot("calibration", title, text, "what it said", "what happened", limit, limit)
    plot.line([(0, 0), (limit, limit)], "muted")
    plot.label(0.62 * limit, 0.62 * limit, "said = happened", "muted", (10, 16))
    for row in rows:
        predicted, observed = row["predicted_rate"], row["observed_rate"]
        plot.line([(predicted, row["low"]), (predicted, row["high"])], "whisker")
        hint = f"Said {percent(predicted)}, {percent(observed)} happened ({row['rows']:,} rows)"
        plot.dot(predicted, observed, "warm" if row["is_off"] else "model", hint, 4.5)
    return plot


def is_only_order(facts: dict) -> bool:
    """Whether the model ranks better than chance, but says no better percentages than the average."""
    return bool(facts.get("is_only_order"))


def how_to_read(deciles: list[dict], is_only_order: bool) -> str:
    """
    Whether its percentages hold, and where they run high or low what to read instead.

    `is_only_order`: they are no better than the average, so that chance alone keeps them from being found wrong.
    """
    off = off_tenths(deciles)
    if not off:
        if is_only_order:
            return ""
        intervals = [rate_interval(row["observed_rate"] * row["rows"], row["rows"]) for row in deciles]
        if intervals and fmean(high - low for low, high in intervals) > 2 * KNOWN_TO:
            rows = sum(row["rows"] for row in deciles)
            return f"The {rows:,} rows held out are too few to tell whether its percentages hold."
        return "Its percentages can be taken as they stand."
    runs_high = {row["predicted_rate"] > row["observed_rate"] for row in off}
    readings = [f"{percent(row['predicted_rate'])} as about {percent(row['observed_rate'])}" for row in off[:MOST_READ]]
    where = "" if len(off) == len(deciles) else " in places"
    rest = "" if len(off) == len(deciles) else " Elsewhere its percentages hold."
    if off == deciles[: len(off)] and len(off) < len(deciles):
        where, rest = " at the top of the list", " Further down its percentages hold."
    which = "It runs high" if runs_high == {True} else "It runs low" if runs_high == {False} else "It is off"
    order = " Go by its order more than by its percentages." if len(off) > len(deciles) / 3 or is_only_order else ""
    return f"{which}{where}: read {listed(readings)}.{rest if not order else ''}{order}"


def money(facts: dict) -> dict | None:
    """How the money at stake lies along the list."""
    found = facts.get("money") if isinstance(facts.get("money"), dict) else {}
    needed = ("decile", "at_stake", "share", "share_of_yes")
    rows = [row for row in dicts(found, "deciles") if all(finite(row.get(key)) is not None for key in needed)]
    if not rows:
        return None
    so_far = accumulate(row["share_of_yes"] for row in rows)
    return {
        "currency": found.get("currency"),
        "rows": [row | {"so_far": share} for row, share in zip(rows, so_far, strict=True)],
        "end": svg.end(*(row[key] for row in rows for key in ("share", "share_of_yes"))),
    }


def classes(facts: dict) -> dict | None:
    """Precision and recall by class, the weakest apart from the rest."""
    order = sorted((row for row in class_rows(facts) if finite(row.get("f1")) is not None), key=lambda row: -row["f1"])
    return {"weakest": order[-MOST_CLASSES_CROSSED:], "rest": order[:-MOST_CLASSES_CROSSED]} if order else None


def mixed_up(facts: dict) -> dict | None:
    """The confusion matrix, none where there are many classes, and its largest cells."""
    confusion = facts.get("confusion") or {}
    labels, counts = confusion.get("labels") or [], confusion.get("counts") or []
    if not labels or len(counts) != len(labels):
        return None
    crossed = [
        {
            "label": label,
            "cells": [
                {"count": count, "share": count / max(sum(row), 1), "is_right": i == j} for j, count in enumerate(row)
            ],
        }
        for i, (label, row) in enumerate(zip(labels, counts, strict=True))
    ]
    mistakes = [
        cell | {"is": row["label"], "says": labels[j]}
        for row in crossed
        for j, cell in enumerate(row["cells"])
        if cell["count"] and not cell["is_right"]
    ]
    mistakes.sort(key=lambda each: -each["count"])
    if len(labels) > MOST_CLASSES_CROSSED:
        crossed = []
    return {"crossed": crossed, "mistakes": mistakes[:MOST_MIXED_UP]} if crossed or mistakes else None


def came_true(facts: dict) -> dict | None:
    """Past releases, and days that were backfilled, against what happened since."""
    past = past_scorings(row for row in facts.get("score_outcomes") or () if isinstance(row, ScoreOutcome))
    if not past:
        return None
    # What people had before their eyes says more than what a model would have said.
    newest = max(past, key=lambda each: (not each.is_backfill, each.as_of_date, each.release_id))
    return {
        "newest": newest,
        "end": svg.end(*(rate for row in newest.grades for rate in (row.actual_rate, row.predicted_rate))),
        "money": _money_came(newest.grades),
        "plot": _over_time(past[-MOST_RELEASES:]) if len(past) > 1 else None,
        "scorings": len(past),
        "rows": [(each, row) for each in past[: -MOST_RELEASES - 1 : -1] for row in each.grades],
    }


def _money_came(grades: list[ScoreOutcome]) -> str | None:
    pairs = [(row.money_expected, row.money_come) for row in grades]
    known = [(expected, come) for expected, come in pairs if expected is not None and come is not None]
    currencies = {row.currency for row in grades}
    if not known or len(currencies) > 1:
        return None
    expected, come = (money_words(sum(values), *currencies) for values in zip(*known, strict=True))
    return f"In all it expected {expected}; it came to {come}."


def _over_time(past: list[PastScoring]) -> Plot:
    predicted = [_pooled((row.rows, row.predicted_rate) for row in each.grades) for each in past]
    actual = [_pooled((row.rows, row.actual_rate) for row in each.grades) for each in past]
    step = math.ceil(len(past) / 4)
    plot = Plot(
        key="outcomes",
        title="Said and happened, release by release",
        text="Predicted and actual rate of every past release whose outcomes are known.",
        across="scores of",
        up="said (dashed) and happened",
        end_across=len(past) - 1,
        end_up=svg.end(*predicted, *actual),
        names=[(number, str(each.as_of_date)) for number, each in enumerate(past) if number % step == 0],
    )
    plot.line(list(enumerate(predicted)), "muted")
    plot.line(list(enumerate(actual)), "model")
    for number, (each, a, b) in enumerate(zip(past, predicted, actual, strict=True)):
        kind = "backfill of " if each.is_backfill else ""
        plot.dot(number, b, "model", f"{kind}{each.as_of_date}: said {percent(a)}, {percent(b)} happened", 3.5)
    return plot


def _pooled(counted: Iterable[tuple[int, float]]) -> float:
    """The rate of all together, from rows and rate of each."""
    pairs = list(counted)
    return sum(rows * rate for rows, rate in pairs) / sum(rows for rows, _ in pairs)


def drivers(facts: dict) -> dict | None:
    """The columns that move the estimate, the strongest first, and how their values do."""
    known = [row for row in dicts(facts, "drivers") if (finite(row.get("strength")) or 0) > 0]
    if not known:
        return None
    known.sort(key=lambda row: -row["strength"])
    most, total, base = known[0]["strength"], sum(row["strength"] for row in known), base_rate(facts)
    rows = [_driver(row, most, total, base, facts) for row in known]
    described = [row for row in rows if row["effects"]]
    return {
        "base": base,
        "first": rows[0],
        "second": rows[1] if len(rows) > 1 else None,
        "decides": rows[0]["weight"] >= DECIDES,
        "of": finite(facts.get("n_columns")),
        "shown": rows[:MOST_DRIVERS],
        "weaker": rows[MOST_DRIVERS:],
        "described": described[:MOST_EFFECTS],
        "more": described[MOST_EFFECTS:],
        "figures": [(row, each) for row in described for each in row["effects"]],
    }


def _driver(row: dict, most: float, total: float, base: float | None, facts: dict) -> dict:
    share, of_all, effects = finite(row.get("share")), row["strength"] / total, []
    for each in effects_of(row):
        move = _moved(each["contribution"], base)
        if amounts.is_amount(facts):
            moved, happened = amounts.move_words(move, facts), amounts.amount_words(each.get("observed_mean"))
        else:
            moved = signed(move) if base is None else signed_points(move)
            is_mean = levels.is_ordered(facts)
            happened = fixed(each.get("observed_mean"), 2) if is_mean else maybe_percent(each.get("observed_rate"))
        effects.append(each | {"move": move, "moved": moved, "happened": happened})
    moving = [each for each in effects if abs(each["contribution"]) > 1e-9]
    highest, lowest = (pick(moving, key=lambda each: each["contribution"], default=None) for pick in (max, min))
    shown = effects[:MOST_LABELS]
    return {
        "column": row.get("column"),
        "words": driver_words(row),
        "length": row["strength"] / most,
        "share": of_all if share is None else share,
        "weight": share or of_all,
        "raises": highest if highest and highest["contribution"] > 0 else None,
        "lowers": lowest if lowest and lowest["contribution"] < 0 else None,
        "effects": effects,
        "shown": shown,
        "most": max((abs(each["move"]) for each in shown), default=0.0),
        # Of classes there is no one rate that a value could have.
        "has_rate": any(each["happened"] for each in shown),
    }


def _moved(contribution: float, base: float | None) -> float:
    """By how much a contribution in log-odds moves the probability from the base rate; itself without one."""
    if base is None:
        return contribution
    odds = math.log(base / (1 - base)) + contribution
    return (1 / (1 + math.exp(-odds)) if odds > -700 else 0.0) - base


def segments(facts: dict) -> dict | None:
    """Ranking within groups, with what chance allows, and the warnings."""
    known = [row for row in dicts(facts, "segments") if "value" in row]
    if not known:
        return None
    aucs = [auc for row in known if (auc := finite(row.get("auc"))) is not None]
    floor = max(0.0, min([0.5, *(auc - 0.05 for auc in aucs)]))
    rows = [
        row
        | {
            "by": capital(str(row.get("words") or row.get("segment") or "")),
            "strip": _segment_strip(row, finite(facts.get("auc")), floor),
        }
        for row in known
    ]
    names = dict.fromkeys(row.get("segment") for row in rows)
    return {
        "rows": rows,
        "groups": [[row for row in rows if row.get("segment") == name] for name in names],
        "warned": [row for row in rows if row.get("warning")],
        "has_strips": bool(aucs),
    }


def _segment_strip(row: dict, overall: float | None, floor: float) -> tuple | None:
    """Its AUC, from where to where it may lie, and that of all rows: shares of a strip that goes from `floor` to 1."""
    from pipelines.learning.judging.evaluation import auc_error

    def at(value: float) -> float:
        return (value - floor) / (1 - floor)

    auc, rows, yes = (finite(row.get(key)) for key in ("auc", "rows", "positives"))
    if auc is None:
        return None
    error = auc_error(auc, round(yes), round(rows - yes)) if rows and yes else math.nan
    reach = 1.96 * error if math.isfinite(error) else 0.0
    return at(auc), at(auc - reach), at(auc + reach), None if overall is None else at(overall)


def suspects(facts: dict) -> list[dict]:
    """Columns that may have been filled in late, and what the model is worth without each."""
    if amounts.is_amount(facts):
        return [row | {"change": None, "figures": amounts.without_words(facts, row)} for row in dicts(facts, "suspect")]
    auc = finite(facts.get("auc"))
    return [row | _without(auc, finite(row.get("auc_without"))) for row in dicts(facts, "suspect")]


def _without(auc: float | None, without: float | None) -> dict:
    return {
        "change": (2 * auc - 1, 2 * without - 1) if None not in (auc, without) else None,
        "figures": "" if without is None else f"{fixed(auc, 3)} → {fixed(without, 3)}".removeprefix(" → "),
    }
