"""Weekly forecasts by segment and in total: backtest, choose, forecast with an interval, make it add up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

import numpy as np
import polars as pl

from pipelines.learning.forecasting.backtest import Backtest, interval_half_widths, origins, ranked, run_backtest
from pipelines.learning.forecasting.candidates import (
    MEDIAN,
    METHODS,
    CandidateError,
    Fits,
    Forecaster,
    usable_methods,
)
from pipelines.learning.forecasting.picture import picture_of
from pipelines.learning.forecasting.reconciliation import reconcile
from pipelines.learning.forecasting.series import TOTAL, Findings, WeeklyMetric, weekly_metrics

SHOWN_WEEKS = 52
PLOTTED_WEEKS = 104
FORECAST_SCHEMA = {
    "metric": pl.String,
    "currency": pl.String,
    "segment": pl.String,
    "period_start_date": pl.Date,
    "frequency": pl.String,
    "forecast": pl.Float64,
    "p10": pl.Float64,
    "p50": pl.Float64,
    "p90": pl.Float64,
    "actual": pl.Float64,
    "method": pl.String,
    "as_of_date": pl.Date,
}
ACCURACY_SCHEMA = {
    "metric": pl.String,
    "currency": pl.String,
    "segment": pl.String,
    "method": pl.String,
    "folds": pl.Int64,
    "mae": pl.Float64,
    "smape": pl.Float64,
    "mase": pl.Float64,
    "coverage_80": pl.Float64,
    "chosen": pl.Boolean,
}
SKIPPED_SCHEMA = {"metric": pl.String, "segment": pl.String, "reason": pl.String}
NOTES_SCHEMA = {"metric": pl.String, "segment": pl.String, "method": pl.String, "reason": pl.String}


@dataclass(frozen=True)
class ForecastSpec:
    """
    What to forecast.

    `metrics`: metric name to `sum` for flows (bookings, leads, tickets) or `last` for stocks (recurring revenue).
    `horizon`, `min_periods`, `max_history`: weeks. `folds`: past origins of the backtest, one horizon apart.
    `prophet`: which series Prophet competes for; it is the slowest method. `holidays`: countries (ISO codes) whose
    holidays Prophet knows. Raises ValueError, with the field and its value, for what cannot be forecast.
    """

    name: str
    metrics: Mapping[str, str]
    frequency: Literal["W"] = "W"
    horizon: int = 13
    folds: int = 4
    min_periods: int = 26
    max_history: int = 520
    prophet: Literal["totals", "all", "none"] = "totals"
    holidays: tuple[str, ...] = ()

    def __post_init__(self):
        """Refuse what cannot be forecast."""
        if not self.metrics:
            raise ValueError(f"Forecast {self.name!r}: metrics is empty; name at least one, such as bookings: sum.")
        for metric, aggregation in self.metrics.items():
            if aggregation not in ("sum", "last"):
                raise ValueError(
                    f"Forecast {self.name!r}: metrics: {metric} is {aggregation!r}; use sum (flows) or last (stocks)."
                )
        if self.frequency != "W":
            raise ValueError(f"Forecast {self.name!r}: frequency is {self.frequency!r}; only W (weeks) is known.")
        if self.prophet not in ("totals", "all", "none"):
            raise ValueError(f"Forecast {self.name!r}: prophet is {self.prophet!r}; use totals, all or none.")
        for name, least in {"horizon": 1, "folds": 1, "min_periods": 4, "max_history": self.min_periods}.items():
            if getattr(self, name) < least:
                raise ValueError(
                    f"Forecast {self.name!r}: {name} is {getattr(self, name)}; it must be {least} or more."
                )


@dataclass(frozen=True)
class ForecastResult:
    """
    `forecasts`: the last 52 weeks (actual, and what the method said of them in the backtest) and the next ones.
    `accuracy`: every method on every series, from the backtest. `pictures`: metric, with its currency, to SVG.
    `skipped`: series without a forecast, and why. `notes`: methods that were dropped, rows not used and other findings,
    and why.
    """

    forecasts: pl.DataFrame
    accuracy: pl.DataFrame
    pictures: dict[str, str]
    skipped: pl.DataFrame
    notes: pl.DataFrame


@dataclass
class SeriesForecast:
    """One series' forecast before and after it has been made to add up."""

    method: str
    points: np.ndarray
    half_widths: np.ndarray
    error_variance: float
    is_non_negative: bool
    backtest: Backtest | None
    start: int
    """The row of the metric's matrix where this series begins (its leading zeros are not history)."""
    backtests: list[Backtest] = field(default_factory=list)


def fit_forecasts(
    series: pl.DataFrame,
    as_of: date,
    spec: ForecastSpec,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
    known_until: Mapping[str, date] | None = None,
    fits: Fits | None = None,
) -> ForecastResult:
    """
    Backtest every method on every series, forecast each with the best, and make the segments add up to the total.

    `series`: metric, currency (may be missing), segment, metric_date, value (daily or any dates). Only weeks from
    Monday to Sunday that are complete at `as_of` are history; the current one is the first to be forecast unless
    `as_of` is a Sunday. A metric in `known_until` ends on that day and is forecast from there, so that weeks of the
    past are forecast, too. The accuracy reported is that of the backtest, before segments are made to add up; being
    the best of several, the chosen method's own figure is slightly flattering, so the others stand beside it.
    Forecast and p50 are the same; p10 and p90 come from the backtest's errors. Raises ValueError for a missing
    or mistyped column; a series that cannot be forecast is in `skipped`, a method that fails in `notes`. `fits` takes
    what was fitted, for a refresh.
    """
    return _forecast(series, as_of, spec, None, seed, progress, known_until, fits or Fits())


def refresh_forecasts(
    series: pl.DataFrame,
    as_of: date,
    spec: ForecastSpec,
    chosen: Mapping[tuple[str, str | None, str], str],
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
    known_until: Mapping[str, date] | None = None,
    fits: Fits | None = None,
) -> ForecastResult:
    """
    Forecast each series with the method chosen before, (metric, currency, segment) to method; for daily runs.

    Backtests that method alone, for its interval. A series without a choice, or one whose method fails, gets the
    combination of methods, with a note. Otherwise as `fit_forecasts`, and the same result on the same data. What is in
    `fits` is not fitted again.
    """
    return _forecast(series, as_of, spec, chosen, seed, progress, known_until, fits or Fits())


def _forecast(
    series: pl.DataFrame,
    as_of: date,
    spec: ForecastSpec,
    chosen: Mapping[tuple[str, str | None, str], str] | None,
    seed: int,
    progress: Callable[[str], None] | None,
    known_until: Mapping[str, date] | None,
    fits: Fits,
) -> ForecastResult:
    findings = Findings()
    forecasts: list[tuple] = []
    accuracy: list[tuple] = []
    pictures = {}
    metrics = weekly_metrics(series, as_of, spec.metrics, spec.max_history, findings, known_until)
    for number, weekly in enumerate(metrics, 1):
        if progress:
            progress(f"{weekly.label} ({number} of {len(metrics)}): {len(weekly.segments)} series")
        results = {
            segment: _one_series(weekly, column, spec, chosen, seed, findings, fits)
            for column, segment in enumerate(weekly.segments)
        }
        if weekly.is_additive:
            _make_add_up(results)
        rows = [row for segment in results for row in _forecast_rows(weekly, segment, results[segment], spec, as_of)]
        accuracy += [row for segment in results for row in _accuracy_rows(weekly, segment, results[segment])]
        forecasts += rows
        if TOTAL in results:
            total = pl.DataFrame([row for row in rows if row[2] == TOTAL], schema=FORECAST_SCHEMA, orient="row")
            history = list(zip(weekly.weeks, weekly.values[:, 0].tolist(), strict=True))[-PLOTTED_WEEKS:]
            pictures[weekly.label] = picture_of(weekly.label, history, total)
    return ForecastResult(
        forecasts=pl.DataFrame(forecasts, schema=FORECAST_SCHEMA, orient="row"),
        accuracy=pl.DataFrame(accuracy, schema=ACCURACY_SCHEMA, orient="row"),
        pictures=pictures,
        skipped=pl.DataFrame(findings.skipped, schema=SKIPPED_SCHEMA, orient="row"),
        notes=pl.DataFrame(findings.notes, schema=NOTES_SCHEMA, orient="row"),
    )


def _one_series(
    weekly: WeeklyMetric,
    column: int,
    spec: ForecastSpec,
    chosen: Mapping[tuple[str, str | None, str], str] | None,
    seed: int,
    findings: Findings,
    fits: Fits,
) -> SeriesForecast:
    metric, segment = weekly.metric, weekly.segments[column]
    values = weekly.values[:, column]
    start = int(np.argmax(values != 0)) if values.any() else 0
    history = values[start:]
    weeks, horizon = len(history), spec.horizon
    is_non_negative = bool(history.min() >= 0)
    simple = "recent_mean" if spec.metrics[metric] == "sum" else "naive"
    forecaster = Forecaster(history, weekly.weeks[start], horizon, spec.holidays, seed, fits)
    cutoffs = origins(weeks, horizon, spec.folds, least=max(spec.min_periods // 2, 2))

    def note(method: str | None, reason: str) -> None:
        findings.notes.append((weekly.label, segment, method, reason))

    def result(backtests: list[Backtest], backtest: Backtest, points: np.ndarray) -> SeriesForecast:
        return SeriesForecast(
            method=backtest.method,
            points=points,
            half_widths=interval_half_widths(backtest.errors),
            error_variance=float((backtest.errors**2).mean()),
            is_non_negative=is_non_negative,
            backtest=backtest,
            start=start,
            backtests=backtests,
        )

    if weeks < spec.min_periods or not cutoffs:
        note(simple, f"{weeks} weeks are too few for a backtest (min_periods {spec.min_periods}, horizon {horizon})")
        half_widths = _widths_without_backtest(history, horizon)
        return SeriesForecast(
            method=simple,
            points=forecaster.forecast(simple, weeks),
            half_widths=half_widths,
            error_variance=float((half_widths**2).mean()),
            is_non_negative=is_non_negative,
            backtest=None,
            start=start,
        )
    if np.ptp(history) == 0:
        backtest = run_backtest(forecaster, "naive", cutoffs)
        return result([backtest], backtest, forecaster.forecast("naive", weeks))

    with_prophet = spec.prophet == "all" or (spec.prophet == "totals" and segment == TOTAL)
    if chosen is None:
        methods = usable_methods(cutoffs[0], with_prophet)
    else:
        method = chosen.get((metric, weekly.currency, segment))
        if method not in METHODS:
            note(method, f"no known method was chosen for this series; {MEDIAN} is used until the next choice")
            method = MEDIAN
        methods = [method]

    # After a refresh whose method fails the combination is next; the simple method never fails.
    for names in (methods, [MEDIAN], [simple]):
        backtests = _backtests(forecaster, names, cutoffs, note)
        found = _first_that_fits(forecaster, backtests, len(cutoffs), note)
        if found is not None:
            break
    return result(backtests, *found)


def _backtests(
    forecaster: Forecaster, methods: list[str], cutoffs: tuple[int, ...], note: Callable[[str, str], None]
) -> list[Backtest]:
    found = []
    for method in methods:
        try:
            found.append(run_backtest(forecaster, method, cutoffs))
        except CandidateError as error:
            note(method, str(error))
    return found


def _first_that_fits(
    forecaster: Forecaster, backtests: list[Backtest], origin_count: int, note: Callable[[str, str], None]
) -> tuple[Backtest, np.ndarray] | None:
    by_method = {backtest.method: backtest for backtest in backtests}
    for method in ranked(backtests, origin_count) if backtests else []:
        try:
            return by_method[method], forecaster.forecast(method, len(forecaster.values))
        except CandidateError as error:
            note(method, str(error))
    return None


def _widths_without_backtest(history: np.ndarray, horizon: int) -> np.ndarray:
    """Half-widths of a random walk with twice the spread seen so far: a short history understates it."""
    spread = np.sqrt((np.diff(history) ** 2).mean()) if len(history) > 1 else 0.0
    spread = max(spread, np.abs(history).mean() * (1.0 if len(history) < 4 else 0.1))
    return 2 * 1.2816 * spread * np.sqrt(np.arange(1, horizon + 1))


def _make_add_up(results: dict[str, SeriesForecast]) -> None:
    total, *parts = results.values()
    reconciled_total, reconciled = reconcile(
        total.points,
        np.column_stack([part.points for part in parts]),
        np.array([total.error_variance, *(part.error_variance for part in parts)]),
        np.array([part.is_non_negative for part in parts]),
    )
    total.points = reconciled_total
    for index, part in enumerate(parts):
        part.points = reconciled[:, index]


def _forecast_rows(
    weekly: WeeklyMetric, segment: str, result: SeriesForecast, spec: ForecastSpec, as_of: date
) -> list[tuple]:
    values = weekly.values[:, weekly.segments.index(segment)]
    weeks = weekly.weeks
    backtested: dict[int, tuple[float, float | None]] = {}
    if result.backtest is not None:
        widths = result.backtest.held_out_widths()
        for fold, origin in enumerate(result.backtest.origins):
            for step in range(spec.horizon):
                width = None if widths is None else float(widths[fold, step])
                backtested[result.start + origin + step] = (float(result.backtest.forecasts[fold, step]), width)

    def row(week: date, point: float | None, width: float | None, actual: float | None) -> tuple:
        low = high = None
        if width is not None:
            low, high = point - width, point + width
            if result.is_non_negative:
                low = max(low, 0.0)
        return (
            weekly.metric,
            weekly.currency,
            segment,
            week,
            spec.frequency,
            point,
            low,
            point,
            high,
            actual,
            result.method,
            as_of,
        )

    rows = [
        row(weeks[index], *backtested.get(index, (None, None)), float(values[index]))
        for index in range(max(0, len(weeks) - SHOWN_WEEKS), len(weeks))
    ]
    first = weeks[-1] + timedelta(weeks=1)
    for step in range(spec.horizon):
        point, width = float(result.points[step]), float(result.half_widths[step])
        rows.append(row(first + timedelta(weeks=step), point, width, None))
    return rows


def _accuracy_rows(weekly: WeeklyMetric, segment: str, result: SeriesForecast) -> list[tuple]:
    of_series = (weekly.metric, weekly.currency, segment)
    if result.backtest is None:
        return [(*of_series, result.method, 0, None, None, None, None, True)]
    return [
        (
            *of_series,
            backtest.method,
            len(backtest.origins),
            backtest.mae,
            backtest.smape,
            backtest.mase,
            backtest.coverage,
            backtest.method == result.method,
        )
        for backtest in result.backtests
    ]
