"""How good each method was from past origins, which one to take, and how wide its interval must be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from pipelines.learning.forecasting.candidates import MEDIAN, MINIMUM_HISTORY, CandidateError, Forecaster

INTERVAL = 0.8
# A single method has to beat the combination by this much in the backtest: with a handful of origins,
# a smaller lead is mostly luck.
CLEAR_LEAD = 0.95


@dataclass(frozen=True)
class Backtest:
    """Forecasts of one method from past origins (newest first): `forecasts`, `actuals` are origins × horizon."""

    method: str
    origins: tuple[int, ...]
    forecasts: np.ndarray
    actuals: np.ndarray
    scales: np.ndarray
    """The one-step naive error of each origin's history: what the scaled error (MASE) is measured in."""

    @property
    def errors(self) -> np.ndarray:
        """Actual minus forecast."""
        return self.actuals - self.forecasts

    @property
    def mae(self) -> float:
        """Mean absolute error, in the metric's unit."""
        return float(np.abs(self.errors).mean())

    @property
    def smape(self) -> float:
        """Symmetric mean absolute percentage error (0 to 200), as in the M4 competition; 0 where both are 0."""
        size = np.abs(self.actuals) + np.abs(self.forecasts)
        return float((200 * np.abs(self.errors) / np.where(size > 0, size, 1)).mean())

    @property
    def mase(self) -> float | None:
        """Mean absolute scaled error (Hyndman & Koehler 2006); None where no history ever moved."""
        moved = self.scales > 0
        if not moved.any():
            return None
        return float((np.abs(self.errors[moved]).mean(axis=1) / self.scales[moved]).mean())

    def held_out_widths(self) -> np.ndarray | None:
        """Half-widths (origins × horizon) of each origin's interval from the errors of the other origins."""
        if len(self.origins) < 2:
            return None
        others = [np.delete(self.errors, index, axis=0) for index in range(len(self.origins))]
        return np.array([interval_half_widths(errors) for errors in others])

    @property
    def coverage(self) -> float | None:
        """Share of actuals within the 80 % interval, each origin judged with the errors of the others."""
        widths = self.held_out_widths()
        return None if widths is None else float((np.abs(self.errors) <= widths + 1e-12).mean())


def origins(weeks: int, horizon: int, folds: int, least: int) -> tuple[int, ...]:
    """History lengths to forecast from, newest first: windows of one horizon that do not overlap."""
    return tuple(weeks - fold * horizon for fold in range(1, folds + 1) if weeks - fold * horizon >= max(least, 1))


def run_backtest(forecaster: Forecaster, method: str, cutoffs: Sequence[int]) -> Backtest:
    """
    Forecast from each origin that is long enough for the method.

    Raises CandidateError where none is, or where the method fails at one: a method that fails now and then is not
    one to rely on.
    """
    found = [cutoff for cutoff in cutoffs if cutoff >= MINIMUM_HISTORY[method]]
    if not found:
        raise CandidateError(
            f"needs {MINIMUM_HISTORY[method]} weeks before a past origin to be judged, has {max(cutoffs, default=0)}"
        )
    forecasts = [forecaster.forecast(method, cutoff) for cutoff in found]
    horizon, values = forecaster.horizon, forecaster.values
    return Backtest(
        method=method,
        origins=tuple(found),
        forecasts=np.array(forecasts),
        actuals=np.array([values[cutoff : cutoff + horizon] for cutoff in found]),
        scales=np.array([np.abs(np.diff(values[:cutoff])).mean() if cutoff > 1 else 0.0 for cutoff in found]),
    )


def ranked(backtests: Sequence[Backtest], origin_count: int) -> list[str]:
    """
    Methods, the one to take first.

    Each method's error is compared with the combination's (or the first method's) on the same origins, because a
    method that needs a long history has not been through the early ones. The combination goes first unless a
    single method, judged from at least two origins, has a clear lead.
    """
    by_method = {backtest.method: backtest for backtest in backtests}
    reference = by_method.get(MEDIAN, backtests[0])
    reference_error = dict(zip(reference.origins, np.abs(reference.errors).mean(axis=1), strict=True))

    def relative(backtest: Backtest) -> float:
        shared = [index for index, origin in enumerate(backtest.origins) if origin in reference_error]
        if not shared:
            return math.inf
        own = np.abs(backtest.errors[shared]).mean()
        other = np.mean([reference_error[backtest.origins[index]] for index in shared])
        return float(own / other) if other > 0 else (1.0 if own == 0 else math.inf)

    scores = {method: relative(backtest) for method, backtest in by_method.items()}
    enough = min(2, origin_count)

    def position(method: str) -> tuple[int, float]:
        if method == reference.method:
            return (1, 0.0)
        is_clear = scores[method] < CLEAR_LEAD and len(by_method[method].origins) >= enough
        return (0 if is_clear else 2, scores[method])

    return sorted(by_method, key=position)


def interval_half_widths(errors: np.ndarray) -> np.ndarray:
    """
    Half-widths (one per step) of the 80 % interval, from backtest errors (origins × horizon).

    A split conformal interval (Vovk et al. 2005; Lei et al. 2018) on errors divided by h^b, the growth with the
    step h; b is fitted to the mean absolute errors and drawn to 1/4, since a few origins say little about it.
    Errors of one origin move together, so the number of independent ones is the number of origins, and one of
    them was spent on choosing the method: the width grows by the ratio of Student's t to the normal quantile, as
    for any scale known from so few draws.
    """
    count, horizon = errors.shape
    steps = np.arange(1, horizon + 1)
    size = np.abs(errors)
    mean_size = size.mean(axis=0)
    if mean_size.max() == 0:
        return np.zeros(horizon)
    growth = 0.25
    if horizon >= 3:
        centred = np.log(steps) - np.log(steps).mean()
        slope = centred @ np.log(mean_size + 0.05 * mean_size.mean()) / (centred @ centred)
        growth = float(np.clip((slope + 0.25) / 2, 0.0, 1.0))
    profile = steps**growth
    level = min(1.0, INTERVAL * (1 + 1 / size.size))
    draws = max(min(count, 2), count - 1)
    return float(np.quantile(size / profile, level)) * _few_draws(draws) * profile


def _few_draws(count: int) -> float:
    """Student's t quantile over the normal one, for the 80 % interval (Cornish-Fisher, exact for one and two)."""
    upper = (1 + INTERVAL) / 2
    normal = NormalDist().inv_cdf(upper)
    if count == 1:
        return math.tan(math.pi * (upper - 0.5)) / normal
    if count == 2:
        alpha = 4 * upper * (1 - upper)
        return 2 * (upper - 0.5) * math.sqrt(2 / alpha) / normal
    expansion = normal + (normal**3 + normal) / (4 * count)
    return (expansion + (5 * normal**5 + 16 * normal**3 + 3 * normal) / (96 * count**2)) / normal
