"""Dates that a system writes by itself: when a record was created, and when it was last changed.

A table of records as they stand today has the latter, which is after the answer wherever that was written into the
record: the record of a converted lead was last changed when it converted, or since.
"""

import math
import re

import numpy as np
import polars as pl

from pipelines.learning.columns.leaks import Finding

DAY = 86_400_000_000
"""Microseconds, in which dates are compared."""
SAYS_SO = re.compile(
    r"mod(ified|ification|stamp|ifi|ificado)|updated|last.?(chang|edit|updat)|chang(e|ed).?(at|on|date|time)\b"
    r"|geändert|geaendert|änderung|aenderung|aktualisiert|gewijzigd|actualiz",
    re.IGNORECASE,
)
"""A name that speaks of the last change, so that less has to speak for it."""
MOSTLY = 0.95
"""Share of rows that counts as nearly all."""
ALWAYS = 0.99
FEWEST_OF_AGE = 0.1
LATE_PART = 0.25
"""Of the records from the first half of the time, so many were changed in the last quarter of it."""
LEAST_AUC, LEAST_EVIDENCE = 0.6, 4.0
"""What a date must tell of the answer: how well it ranks alone, and standard errors from chance."""
BINS = 20
FEWEST_ROWS = 50


def written_at_changes(frame: pl.DataFrame, dates: list[str], answers: pl.Series) -> list[Finding]:
    """
    Dates that say when a record was last changed and depend on the answer: leaky.

    Such a date is the latest of its row, up to the moment of the export in records of any age, and has a time of day of
    its own. Where its name says that it is the last change, it need not be: it must be later than most.
    `answers`: per row; null where it is not known.
    """
    known = answers.is_not_null().to_numpy()
    if known.sum() < FEWEST_ROWS:
        return []
    moments = {name: _moments(frame[name]) for name in dates}
    found = []
    for name in dates:
        others = {other: values for other, values in moments.items() if other != name}
        later = _share_later(moments[name], others)
        says_so = bool(SAYS_SO.search(name)) and later >= 0.5
        if not says_so and not (later >= MOSTLY and others and _is_stamp(moments[name], others)):
            continue
        auc, evidence = _tells(moments[name], others, answers, known)
        if evidence < LEAST_EVIDENCE or (auc < LEAST_AUC and not says_so):
            continue
        place = f"the latest date of its row in {later:.0%}" if others else "the only date of the table"
        reason = (
            f"says when the record was last changed, which is after the answer: it is {place}, and alone it tells the"
            f" answer with AUC {auc:.2f}"
        )
        found.append(Finding(name, "leaky", reason, {"auc": auc, "later": later}))
    return found


def creation_column(frame: pl.DataFrame, dates: list[str]) -> str | None:
    """The date at which a row began: never missing, and the earliest of its row; None if no date is that."""
    moments = {name: _moments(frame[name]) for name in dates}
    for name in dates:
        others = {other: values for other, values in moments.items() if other != name}
        values = moments[name]
        if not others or np.isnan(values).any() or _share_earlier(values, others) < ALWAYS:
            continue
        # A birthday or a founding is earlier, too, but of another time.
        latest = [np.nanmedian(other) for other in others.values() if not np.isnan(other).all()]
        if latest and np.quantile(values, 0.75) >= min(latest) - (values.max() - values.min()) / 4:
            return name
    return None


def _moments(values: pl.Series) -> np.ndarray:
    """Microseconds since 1970 (float64); NaN where there is none."""
    return values.dt.epoch("us").cast(pl.Float64).fill_null(math.nan).to_numpy()


def _share_later(values: np.ndarray, others: dict[str, np.ndarray]) -> float:
    """Share of all rows whose date is at or after each other that it has; plans for the time after all of it aside.

    Dates without a time of day count until the end of the day.
    """
    there = ~np.isnan(values)
    later = there.copy()
    newest = np.nanmax(values) if there.any() else math.nan
    for other in others.values():
        with np.errstate(invalid="ignore"):
            later &= np.isnan(other) | (other <= values) | (np.abs(other - values) < DAY) | (other > newest)
    return float(later.mean()) if len(later) else 0.0


def _share_earlier(values: np.ndarray, others: dict[str, np.ndarray]) -> float:
    """Share of the rows whose date is at or before each other that it has, or on its day."""
    with np.errstate(invalid="ignore"):
        earlier = [np.isnan(other) | (other > values - DAY) for other in others.values()]
    return float(np.all(earlier, axis=0).mean())


def _is_stamp(values: np.ndarray, others: dict[str, np.ndarray]) -> bool:
    """Whether a date has a time of day of its own and goes up to the end in records of any age, but not beyond it."""
    there = ~np.isnan(values)
    filled = {name: other for name, other in others.items() if np.mean(~np.isnan(other)) >= MOSTLY}
    if not filled or there.mean() < MOSTLY:
        return False
    time_of_day = values % DAY
    copied = np.zeros(len(values), dtype=bool)
    for other in others.values():
        copied |= time_of_day == other % DAY
    if np.mean(time_of_day[there] != 0) < 0.8 or np.mean(copied[there]) > 0.5:
        return False
    began = np.nanmin(np.stack(list(filled.values())), axis=0)
    start, end = np.nanmin(began), np.nanmax(values)
    span = end - start
    if end - np.nanmax(began) > max(2 * DAY, 10 * span / len(values)):
        return False
    old = began < start + span / 2
    return bool(old.any() and np.mean(values[old] > end - LATE_PART * span) >= FEWEST_OF_AGE)


def _tells(
    values: np.ndarray, others: dict[str, np.ndarray], answers: pl.Series, known: np.ndarray
) -> tuple[float, float]:
    """The best AUC of the date, or of the time since the earliest other, for an answer; and its standard errors."""
    if answers.dtype.is_numeric() and answers.n_unique() > BINS:
        answers = answers > answers.median()
    codes = answers.cast(pl.String).filter(pl.Series(known)).rank("dense").to_numpy()
    told = [values]
    if others:
        with np.errstate(invalid="ignore"):
            told.append(values - np.fmin.reduce(list(others.values())))
    best = (0.5, 0.0)
    for code, rows in zip(*np.unique(codes, return_counts=True), strict=True):
        few = min(rows, len(codes) - rows)
        if few < BINS:
            continue
        error = math.sqrt((1 / few + 1 / (len(codes) - few)) / 12)
        for each in told:
            auc = _auc_by_ranges(each[known], codes == code)
            best = max(best, (auc, (auc - 0.5) / error))
    return best


def _auc_by_ranges(values: np.ndarray, is_yes: np.ndarray) -> float:
    """How well the rate of yes in a value's range ranks the other half of the rows."""
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    ranges = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values))
    half = np.random.default_rng(0).permutation(len(values)) % 2 == 0
    rates = np.zeros(len(values))
    for judged in (half, ~half):
        rows = np.bincount(ranges[~judged], minlength=len(edges) + 2)
        yes = np.bincount(ranges[~judged], weights=is_yes[~judged], minlength=len(edges) + 2)
        rates[judged] = ((yes + is_yes.mean()) / (rows + 1))[ranges[judged]]
    ranks = pl.Series(rates).rank("average").to_numpy()
    positives = int(is_yes.sum())
    negatives = len(is_yes) - positives
    return float((ranks[is_yes].sum() - positives * (positives + 1) / 2) / (positives * negatives))
