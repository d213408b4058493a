"""What no reason names: columns that tell the scored rows nothing apart, or say again what another column says.

A column with one value in nearly all scored rows (a company's typical deal, an event that nobody has had) does not
explain why one of them stands before another; what it adds is among "everything else". A column that follows from
another (a lead's person has one lead in 91 days, because this lead is younger) adds to the other's reason.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pipelines.learning.columns.kinds import as_numbers
from pipelines.learning.scoring.wording import stem

FEWEST_ROWS = 20
"""With fewer, that all are the same says nothing about what is usual."""
NEARLY_ALL = 0.95
"""Share of rows with one value from which it tells nothing apart."""
LOOKED_AT = 2_000
"""Rows of which it is told; what holds for one of them is looked up in each."""
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
    codes = _codes([columns[position][:FEWEST_ROWS] for position in words])
    for alike, heads in ((many, [numbers[position][:FEWEST_ROWS] for position in many]), (words, codes)):
        first_rows = np.column_stack(heads) if alike else np.empty((0, 0))
        for place, position in enumerate(alike):
            # The first rows nearly always settle it: of a thousand columns there are half a million pairs.
            shares = (first_rows[:, :place] == first_rows[:, [place]]).mean(axis=0)
            before = [alike[other] for other in np.flatnonzero(shares >= 0.5) if alike[other] not in follows]
            first = next((other for other in before if _is_same(columns[position], columns[other])), None)
            if first is not None:
                follows[position] = _Follows(first, is_same=True)
    # What a column of few values is most likely to say again is of its own source.
    leading = {position: numbers[position] for position in many if position not in follows}
    sources = {position: {stem(names[position])} for position in numbers}
    for position, rule in follows.items():
        sources.setdefault(rule.of, set()).add(stem(names[position]))
    few = {position: values for position, values in numbers.items() if distinct[position] < FEWEST_STEPS}
    best: dict[int, tuple] = {}
    for position, rule, deviating in _steps(few, leading):
        is_akin = stem(names[position]) in sources[rule.of]
        rank = (not is_akin, deviating)
        if deviating <= (MOST_DEVIATING if is_akin else 0.0) and (position not in best or rank < best[position]):
            best[position], follows[position] = rank, rule
    return Unsaid(tuple(names), usual, follows)


def _most_frequent(frame: pl.DataFrame, name: str) -> tuple[float, object]:
    """The share of rows with a column's most frequent value, and the value; a column that is not there is missing."""
    if name not in frame.columns:
        return 1.0, None
    counts = frame[name].value_counts(sort=True)
    return counts["count"][0] / frame.height, counts[name][0]


def _numbers(values: pl.Series) -> np.ndarray:
    return as_numbers(values).fill_null(NO_VALUE).to_numpy()


def _codes(columns: Sequence[pl.Series]) -> list[np.ndarray]:
    """A number for every word, the same in all columns; missing is one, too."""
    if not columns:
        return []
    ranks = pl.concat([values.alias("word") for values in columns]).rank("dense").fill_null(0)
    return np.split(ranks.to_numpy(), len(columns))


def _is_same(values: pl.Series, others: pl.Series) -> bool:
    there = values.is_not_null() | others.is_not_null()  # that both are missing need not be for one reason
    return int(there.sum()) >= FEWEST_OF_EACH and values.eq_missing(others).filter(there).mean() >= NEARLY_ALL


def _steps(few: Mapping[int, np.ndarray], leading: Mapping[int, np.ndarray]) -> Iterator[tuple[int, _Follows, float]]:
    """
    How columns of few values best follow from others by one step, and the share of the rarer value's rows that deviate.

    A step is between the two most frequent values of a column: all of one up to a value of the other column, all of
    the other beyond it.
    """
    pairs: dict[int, tuple[float, float]] = {}
    for position, values in few.items():
        distinct, counts = np.unique(values, return_counts=True)
        if len(distinct) > 1 and np.sort(counts)[-2] >= FEWEST_OF_EACH:
            pairs[position] = tuple(distinct[np.argsort(-counts, kind="stable")[:2]].tolist())
    if not pairs:
        return
    signs = np.column_stack([(few[p] == one).astype(np.int32) - (few[p] == two) for p, (one, two) in pairs.items()])
    ones, twos = (signs == 1).sum(axis=0), (signs == -1).sum(axis=0)
    for other, values in leading.items():
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        ends = np.flatnonzero(ordered[1:] != ordered[:-1])  # a step lies between two values of the other column
        if not len(ends):
            continue
        summed = np.cumsum(signs[order], axis=0)[ends]
        highest, lowest = summed.argmax(axis=0), summed.argmin(axis=0)
        for column, (position, (one, two)) in enumerate(pairs.items()):
            rarer = min(ones[column], twos[column])
            for at, right, low, high in (
                (highest[column], twos[column] + summed[highest[column], column], one, two),
                (lowest[column], ones[column] - summed[lowest[column], column], two, one),
            ):
                until = float(ordered[ends[at]])
                yield position, _Follows(other, until, low, high), float((len(values) - right) / rarer)
