"""What no reason names: columns that tell the scored rows nothing apart, or say again what another column says.

A column with one value in nearly all scored rows (a company's typical deal, an event that nobody has had) does not
explain why one of them stands before another; what it adds is among "everything else". A column that follows from
another (a lead's person has one lead in 91 days, because this lead is younger) adds to the other's reason.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pipelines.learning.columns.kinds import as_numbers
from pipelines.learning.scoring.wording import stem

FEWEST_ROWS = 20
"""With fewer, that all are the same says nothing about what is usual."""
NEARLY_ALL = 0.95
"""Share of rows with one value from which it tells nothing apart."""
LOOKED_AT = 5_000
FEWEST_STEPS = 20
"""Different values of a column that others may follow from."""
FEWEST_OF_EACH = 10
MOST_DEVIATING = 0.1
"""Share of the rarer value's rows that may deviate where a column follows from one of its source; of others none."""
NO_VALUE = np.inf
"""Stands for a missing number: "never" is longer ago than any time."""


@dataclass(frozen=True)
class _Follows:
    """A column that is `low` where the other is at most `until`, and `high` beyond; or the same as the other."""

    of: int
    until: float = NO_VALUE
    low: float = 0.0
    high: float = 0.0
    is_same: bool = False

    def holds(self, values: pl.Series, others: pl.Series) -> np.ndarray:
        """Where it is so."""
        if self.is_same:
            return values.eq_missing(others).to_numpy()
        return _numbers(values) == np.where(_numbers(others) <= self.until, self.low, self.high)


@dataclass(frozen=True)
class Unsaid:
    """What the reasons of some rows do not name, by position of the column."""

    names: Sequence[str] = ()
    usual: dict[int, object] = field(default_factory=dict)
    """Column → the value that nearly all rows have; None: missing."""
    follows: dict[int, _Follows] = field(default_factory=dict)

    def told(self, parts: np.ndarray, frame: pl.DataFrame) -> np.ndarray:
        """Contributions (rows × columns) as reasons tell them; the sum of a row is less by what is not told."""
        told = parts.copy()
        for position, rule in self.follows.items():
            own, other = frame[self.names[position]], frame[self.names[rule.of]]
            moved = np.where(rule.holds(own, other), told[:, position], 0.0)
            told[:, rule.of] += moved
            told[:, position] -= moved
        for position, value in self.usual.items():
            name = self.names[position]
            if name in frame.columns:
                is_usual = frame.select(pl.col(name).eq_missing(pl.lit(value, frame[name].dtype))).to_series()
                told[is_usual.to_numpy(), position] = 0.0
            else:
                told[:, position] = 0.0
        return told


def unsaid(names: Sequence[str], frame: pl.DataFrame, texts: Collection[str] = ()) -> Unsaid:
    """What reasons of these rows, tidied, are not to name; nothing where the rows are few. `texts`: of free text."""
    if frame.height < FEWEST_ROWS:
        return Unsaid()
    some = frame.gather_every(max(1, frame.height // LOOKED_AT))
    usual = {
        position: value
        for position, name in enumerate(names)
        for share, value in [_most_frequent(some, name)]
        if share >= NEARLY_ALL
    }
    columns = {position: some[name] for position, name in enumerate(names) if position not in usual}
    numbers = {position: _numbers(values) for position, values in columns.items() if values.dtype.is_numeric()}
    distinct = {position: len(np.unique(values)) for position, values in numbers.items()}
    many = [position for position in numbers if distinct[position] >= FEWEST_STEPS]
    words = [position for position, values in columns.items() if values.dtype == pl.String and values.name not in texts]
    follows: dict[int, _Follows] = {}
    for alike in (many, words):
        for place, position in enumerate(alike):
            before = (other for other in alike[:place] if other not in follows)
            first = next((other for other in before if _is_same(columns[position], columns[other])), None)
            if first is not None:
                follows[position] = _Follows(first, is_same=True)
    leading = [position for position in many if position not in follows]
    orders = {position: np.argsort(numbers[position], kind="stable") for position in leading}
    # Of the same source as a column: what it is most likely to say again.
    sources = {position: {stem(names[position])} for position in leading}
    for position, rule in follows.items():
        sources.setdefault(rule.of, set()).add(stem(names[position]))
    for position in (position for position in numbers if distinct[position] < FEWEST_STEPS):
        steps = []
        for other in leading:
            is_akin = stem(names[position]) in sources[other]
            step = _step(numbers[position], numbers[other], orders[other], other)
            if step and step[0] <= (MOST_DEVIATING if is_akin else 0.0):
                steps.append((not is_akin, *step))
        if steps:
            follows[position] = min(steps, key=lambda step: step[:2])[2]
    return Unsaid(tuple(names), usual, follows)


def _most_frequent(frame: pl.DataFrame, name: str) -> tuple[float, object]:
    """The share of rows with a column's most frequent value, and the value; a column that is not there is missing."""
    if name not in frame.columns:
        return 1.0, None
    counts = frame[name].value_counts(sort=True)
    return counts["count"][0] / frame.height, counts[name][0]


def _numbers(values: pl.Series) -> np.ndarray:
    return as_numbers(values).fill_null(NO_VALUE).to_numpy()


def _is_same(values: pl.Series, others: pl.Series) -> bool:
    there = values.is_not_null() | others.is_not_null()  # that both are missing need not be for one reason
    return int(there.sum()) >= FEWEST_OF_EACH and values.eq_missing(others).filter(there).mean() >= NEARLY_ALL


def _step(values: np.ndarray, others: np.ndarray, order: np.ndarray, position: int) -> tuple[float, _Follows] | None:
    """How a column best follows from another by one step, and the share of the rarer value's rows that deviate."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < 2:
        return None
    one, two = distinct[np.argsort(-counts, kind="stable")[:2]]
    rarer = min(np.sum(values == one), np.sum(values == two))
    if rarer < FEWEST_OF_EACH:
        return None
    ordered, steps = values[order], others[order]
    ends = np.append(steps[1:] != steps[:-1], False)  # a step lies between two values of the other column
    if not ends.any():
        return None
    best: tuple[float, _Follows] | None = None
    for low, high in ((one, two), (two, one)):
        right = np.cumsum(ordered == low) + np.sum(ordered == high) - np.cumsum(ordered == high)
        at = int(np.argmax(np.where(ends, right, -1)))
        deviating = (len(values) - right[at]) / rarer
        if best is None or deviating < best[0]:
            best = (float(deviating), _Follows(position, float(steps[at]), float(low), float(high)))
    return best
