"""From dated values to regular weekly series: one matrix per metric, weeks by segments, whole weeks only."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
import polars as pl

TOTAL = "total"
STALE_WEEKS = 4
RECENT_DAYS = 364
COLUMNS = {
    "metric": pl.String,
    "currency": pl.String,
    "segment": pl.String,
    "metric_date": pl.Date,
    "value": pl.Float64,
}


@dataclass(frozen=True)
class WeeklyMetric:
    """
    One metric by week; amounts are in one currency.

    `values` has one row per week from `first_week` (a Monday) and one column per segment; the total comes first.
    `is_additive` says whether the segments added up to the total in the past, so that they must in future too.
    """

    metric: str
    currency: str | None
    segments: tuple[str, ...]
    first_week: date
    values: np.ndarray
    is_additive: bool

    @property
    def label(self) -> str:
        """The metric in words."""
        return label(self.metric, self.currency)

    @property
    def weeks(self) -> list[date]:
        """The Mondays of the rows of `values`."""
        return [self.first_week + timedelta(weeks=row) for row in range(len(self.values))]


@dataclass
class Findings:
    """What was left out and why, so that nothing is dropped in silence."""

    skipped: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[tuple[str, str, str | None, str]] = field(default_factory=list)


def label(metric: str, currency: str | None) -> str:
    """A metric in words: of amounts with their currency, `bookings (EUR)`."""
    return f"{metric} ({currency})" if currency else metric


def last_complete_week(as_of: date) -> date:
    """Monday of the newest week whose Sunday is not after `as_of`."""
    monday = as_of - timedelta(days=as_of.weekday())
    return monday if as_of.weekday() == 6 else monday - timedelta(weeks=1)


def weekly_metrics(
    series: pl.DataFrame,
    as_of: date,
    metrics: Mapping[str, str],
    max_history: int,
    findings: Findings,
    known_until: Mapping[str, date] | None = None,
) -> list[WeeklyMetric]:
    """
    Bring each metric to weeks (Monday to Sunday), the last one complete at `as_of`; later rows are not looked at.

    Amounts in several currencies (a column `currency`, which may be missing) are as many metrics, the largest first.

    A metric in `known_until` ends with the last week that is complete on its day, where that is before `as_of`: what
    came after is not known.

    A flow (`sum`) adds up its days and is zero where there is no row; a stock (`last`) keeps its last value. A metric
    without a segment `total` gets one, the sum of its segments. Raises ValueError for a missing column, or one that
    cannot be read as its type.
    """
    rows = _typed(series).filter(pl.col("metric_date") <= as_of)
    unusable = pl.col("value").is_null() | pl.col("value").is_nan() | pl.col("value").is_infinite()
    counts = rows.filter(unusable).group_by("metric", "currency", "segment").len().sort(pl.all())
    for metric, currency, segment, count in counts.iter_rows():
        reason = f"{count} rows without a finite value were not used"
        findings.notes.append((label(metric, currency), segment, None, reason))
    usable = rows.filter(~unusable)
    found = []
    for metric, aggregation in metrics.items():
        ends = min((known_until or {}).get(metric, as_of), as_of)
        of_metric = usable.filter((pl.col("metric") == metric) & (pl.col("metric_date") <= ends))
        for currency in _currencies(of_metric):
            own = of_metric.filter(pl.col("currency").eq_missing(pl.lit(currency)))
            weekly = _one_metric(own, metric, currency, aggregation, ends, findings)
            if weekly is None:
                continue
            start = max(0, len(weekly.values) - max_history)
            found.append(replace(weekly, first_week=weekly.weeks[start], values=weekly.values[start:]))
    return found


def _currencies(of_metric: pl.DataFrame) -> list[str | None]:
    """The currencies of a metric's rows, the one with the most of it lately first; None for what has none."""
    if of_metric.is_empty():
        return [None]
    is_recent = pl.col("metric_date") > of_metric["metric_date"].max() - timedelta(days=RECENT_DAYS)
    sizes = of_metric.group_by("currency").agg(pl.col("value").filter(is_recent).abs().sum().alias("size"))
    return sizes.sort("size", "currency", descending=[True, False], nulls_last=True)["currency"].to_list()


def _typed(series: pl.DataFrame) -> pl.DataFrame:
    if "currency" not in series.columns:
        series = series.with_columns(currency=pl.lit(None, dtype=pl.String))
    missing = [column for column in COLUMNS if column not in series.columns]
    if missing:
        raise ValueError(
            f"The series lack the column(s) {', '.join(missing)}; expected {', '.join(COLUMNS)}, "
            f"found {', '.join(series.columns)}."
        )
    try:
        typed = series.select(pl.col(column).cast(kind) for column, kind in COLUMNS.items())
    except (pl.exceptions.InvalidOperationError, pl.exceptions.ComputeError) as error:
        raise ValueError(f"A column of the series has the wrong type (expected {COLUMNS}): {error}") from error
    for column in ("metric", "segment", "metric_date"):
        if typed[column].null_count():
            raise ValueError(
                f"{typed[column].null_count()} rows of the series have no {column}, the first is row "
                f"{typed[column].is_null().arg_true()[0]}; every row needs one."
            )
    return typed


def _one_metric(
    rows: pl.DataFrame, metric: str, currency: str | None, aggregation: str, as_of: date, findings: Findings
) -> WeeklyMetric | None:
    name = label(metric, currency)
    if rows.is_empty():
        findings.skipped.append((name, TOTAL, f"no values on or before {as_of}"))
        return None
    first_date, last_date = rows["metric_date"].min(), rows["metric_date"].max()
    # The week in which the metric begins is as partial as the current one.
    first_week = first_date + timedelta(days=-first_date.weekday() % 7)
    last_week = last_complete_week(as_of)
    count = (last_week - first_week).days // 7 + 1
    if count < 1:
        findings.skipped.append((name, TOTAL, f"no complete week between {first_date} and {as_of}"))
        return None
    if (as_of - last_date).days >= 7 * STALE_WEEKS:
        reading = "count as zero" if aggregation == "sum" else "keep the last value"
        findings.notes.append((name, TOTAL, None, f"no rows after {last_date}; the weeks since then {reading}"))

    week = pl.col("metric_date").dt.truncate("1w").alias("week")
    by_week = rows.sort("metric_date", maintain_order=True).group_by("segment", week, maintain_order=True)
    folded = by_week.agg(pl.col("value").sum() if aggregation == "sum" else pl.col("value").last())
    segments = sorted(folded["segment"].unique(), key=lambda segment: (segment != TOTAL, segment))
    columns = []
    for segment in segments:
        own = folded.filter(pl.col("segment") == segment)
        # One cell more at the start: a stock's value in the partial first week is what the next weeks carry on.
        column = np.full(count + 1, np.nan)
        positions = [(monday - first_week).days // 7 + 1 for monday in own["week"]]
        for position, value in zip(positions, own["value"], strict=True):
            if 0 <= position <= count:
                column[position] = value
        columns.append(_filled(column, aggregation)[1:])
    values = np.column_stack(columns)
    if TOTAL not in segments:
        with_total = np.column_stack([values.sum(axis=1), values])
        return WeeklyMetric(metric, currency, (TOTAL, *segments), first_week, with_total, True)
    is_additive = _is_additive(name, values, first_week, findings)
    return WeeklyMetric(metric, currency, tuple(segments), first_week, values, is_additive)


def _filled(column: np.ndarray, aggregation: str) -> np.ndarray:
    if aggregation == "last":
        known = np.maximum.accumulate(np.where(np.isfinite(column), np.arange(len(column)), -1))
        column = np.where(known >= 0, column[known], np.nan)
    return np.nan_to_num(column, nan=0.0)


def _is_additive(metric: str, values: np.ndarray, first_week: date, findings: Findings) -> bool:
    if values.shape[1] == 1:
        return False
    total, parts = values[:, 0], values[:, 1:].sum(axis=1)
    apart = np.abs(total - parts) > 1e-3 * max(np.abs(total).max(), np.abs(parts).max())
    if apart.any():
        row = int(np.argmax(apart))
        findings.notes.append(
            (
                metric,
                TOTAL,
                None,
                f"segments do not add up to the total (week of {first_week + timedelta(weeks=row)}: {parts[row]:g} "
                f"against {total[row]:g}), so their forecasts are not made to",
            )
        )
    return not apart.any()
