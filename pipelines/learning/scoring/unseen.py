"""
Rows to score that are unlike any row learnt from: a model answers for them, too, and has no grounds to.

Looked at are the columns that the model uses: a number or day beyond the smallest or largest one learnt from, a
category that was never there, no value where there always was one. And what all rows learnt from had in common, such
as a flag that was always true: the model cannot use it, and rows without it are of another kind.

Of a population that has not changed, a row lies beyond the extremes of n entities with a chance of 2 / (n + 1). So a
column counts only where a tenth of the rows does, and more than chance explains by Chernoff's bound (1952, "A measure
of asymptotic efficiency for tests of a hypothesis based on the sum of observations"), with all columns looked at.
Growing older puts nobody outside: see `ageing`.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from pipelines.learning.columns.kinds import tidy
from pipelines.learning.judging.drift import MEASURED, quantities
from pipelines.learning.scoring.wording import describe_value

MANY = 0.1
"""Share of the rows to score that must lie outside in a column for it to count."""
BY_CHANCE = 0.05
MOST_NAMED = 3
EPOCH = date(1970, 1, 1)

Way = tuple[str, str, np.ndarray, str | None]


@dataclass(frozen=True)
class Outside:
    """A column in which many rows to score are unlike any that was learnt from."""

    column: str
    how: str
    """In words: "empty", "below 1,200"."""
    rows: int
    condition: str | None = None
    """The SQL condition that all rows learnt from meet, where they have one value in common."""


@dataclass(frozen=True)
class Unseen:
    """How many rows to score are outside of what was learnt from, and in which columns; those with most rows first."""

    rows: int
    outside: int
    columns: list[Outside]

    def in_words(self) -> str:
        """What is wrong, in two sentences."""
        named = [f"{each.column} is {each.how} in {each.rows:,}" for each in self.columns[:MOST_NAMED]]
        if len(self.columns) > MOST_NAMED:
            named.append(f"and so on in {len(self.columns) - MOST_NAMED} more columns")
        return (
            f"{self.outside:,} of {self.rows:,} rows to score ({self.outside / self.rows:.0%}) are unlike any that the "
            f"model learnt from: {', '.join(named)}. Their scores have no ground."
        )

    def what_to_do(self) -> str:
        """For those who can say who is scored."""
        condition = next((each.condition for each in self.columns if each.condition), None)
        example = f", such as `population: {condition}`" if condition else ""
        return (
            f"If the question is not about them, narrow `population`{example}; if it is, the model needs rows like "
            "them whose answer is known."
        )


def learnt_ranges(frame: pl.DataFrame, columns: Sequence[Mapping], as_of: str | None, others: Collection[str]) -> dict:
    """
    What the training rows span, as plain values and arrays (one entry a column) that a stored model can hold.

    `frame`: tidied training rows. `columns`: those of the encoding (name, kind, levels). `others`: names of columns
    that the model does not use; of those the ones that have one and the same value in all rows are kept.
    """
    lows, highs, has_missing, has_other = [], [], [], []
    for column in columns:
        name, kind = column["name"], column["kind"]
        values = quantities(frame, name, kind, as_of) if kind in MEASURED else np.zeros(0)
        known = values[np.isfinite(values)]
        lows.append(known.min() if len(known) else math.nan)
        highs.append(known.max() if len(known) else math.nan)
        has_missing.append(frame[name].null_count() > 0)
        levels = [str(level) for level in column.get("levels", ())]
        has_other.append(kind not in MEASURED and not _texts(frame[name]).drop_nulls().is_in(levels).all())
    always = {
        name: _texts(frame[name])[0]
        for name in others
        if frame[name].dtype in (pl.Boolean, pl.String) and frame[name].n_unique() == 1 and not frame[name].null_count()
    }
    return {
        "lows": np.array(lows, dtype=np.float64),
        "highs": np.array(highs, dtype=np.float64),
        "has_missing": np.array(has_missing, dtype=np.int64),
        "has_other": np.array(has_other, dtype=np.int64),
        "always": always,
    }


def unseen_rows(baseline: Mapping, frame: pl.DataFrame, as_of: str | None) -> Unseen | None:
    """
    The rows to score that are outside of what was learnt from; None if they are not many.

    `baseline`: of a fitted model, with its `ranges`; None for one from before there were any. `frame`: rows to score.
    """
    ranges = baseline.get("ranges")
    if not ranges or frame.is_empty():
        return None
    frame = tidy(frame)
    chance = 2 / (baseline["cases"] + 1)
    looks = len(baseline["names"]) + len(ranges["always"])
    found: list[Outside] = []
    is_outside = np.zeros(frame.height, dtype=bool)
    for column, how, rows, condition in _ways(baseline, ranges, frame, as_of):
        count = int(rows.sum())
        if count >= MANY * frame.height and _is_beyond_chance(count, chance * frame.height, looks):
            found.append(Outside(column, how, count, condition))
            is_outside |= rows
    if not found:
        return None
    return Unseen(
        frame.height,
        int(is_outside.sum()),
        sorted(found, key=lambda each: (-each.rows, each.condition is None, each.column)),
    )


def _ways(baseline: Mapping, ranges: Mapping, frame: pl.DataFrame, as_of: str | None) -> Iterator[Way]:
    """Every way to be outside: column, in words, the rows (boolean array), and what all rows learnt from met."""
    for name, value in ranges["always"].items():
        if name in frame.columns:
            is_flag = frame[name].dtype == pl.Boolean
            same = name if value == "true" else f"not {name}"
            yield (
                name,
                f"not {value}" if is_flag else f"not “{value}”",
                (_texts(frame[name]) != value).fill_null(True).to_numpy(),
                same if is_flag else f"{name} = '{value.replace(chr(39), chr(39) * 2)}'",
            )
    signs = {name: trend["sign"] for name, trend in baseline.get("trends", {}).items()}
    for number, (name, kind, levels) in enumerate(
        zip(baseline["names"], baseline["kinds"], baseline["levels"], strict=True)
    ):
        if name not in frame.columns:  # told by `scoring_notes`
            continue
        if not ranges["has_missing"][number]:
            yield name, "empty", frame[name].is_null().to_numpy(), None
        if kind in MEASURED:
            values, low, high = quantities(frame, name, kind, as_of), ranges["lows"][number], ranges["highs"][number]
            for sign, end, rows in ((-1, low, values < low), (1, high, values > high)):
                if signs.get(name) != sign:
                    yield name, _beyond(sign, end, kind, as_of), rows, None
        elif not ranges["has_other"][number]:
            texts = _texts(frame[name])
            rows = (texts.is_not_null() & ~texts.is_in(levels)).fill_null(False)
            yield name, "another word than ever before", rows.to_numpy(), None


def _beyond(sign: int, end: float, kind: str, as_of: str | None) -> str:
    """Smaller (sign -1) or larger than what was learnt from, in words; a date is given in days before as_of."""
    if kind != "date":
        return f"{'below' if sign < 0 else 'above'} {describe_value(end, 'number')}"
    if as_of is None:
        return f"{'before' if sign < 0 else 'after'} {EPOCH + timedelta(days=math.floor(end))}"
    return f"{'later' if sign < 0 else 'earlier'} than {describe_value(end, 'date')}"


def _is_beyond_chance(count: int, expected: float, looks: int) -> bool:
    return count > expected and count * math.log(count / expected) - count + expected >= math.log(looks / BY_CHANCE)


def _texts(values: pl.Series) -> pl.Series:
    return values.cast(pl.String, strict=False)
