"""The methods that compete: each takes a history and gives the next weeks, or raises with the reason why it cannot."""

import contextlib
import hashlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.version import code_version, version_of

if TYPE_CHECKING:
    import pandas as pd

SEASON = 52
RECENT = 8
MEDIAN = "median"
MEDIAN_MEMBERS = ("ets", "theta", "ces", "seasonal_growth", "mstl_ces")
# Weeks of history that a method needs at least. A seasonal decomposition needs two years and a little.
MINIMUM_HISTORY = {
    "recent_mean": 1,
    "naive": 1,
    "drift": 3,
    "seasonal_naive": SEASON,
    "seasonal_growth": SEASON + RECENT,
    "ets": 10,
    "theta": 10,
    "ces": 10,
    "mstl_ets": 2 * SEASON + 8,
    "mstl_ces": 2 * SEASON + 8,
    "prophet": 26,
    MEDIAN: 10,
}
METHODS = tuple(MINIMUM_HISTORY)
YEARLY_FROM = 78


class CandidateError(Exception):
    """A method cannot forecast this history; the message says why."""


def usable_methods(weeks: int, with_prophet: bool) -> list[str]:
    """Methods for which a history of so many weeks is enough."""
    return [
        method for method, least in MINIMUM_HISTORY.items() if weeks >= least and (with_prophet or method != "prophet")
    ]


@dataclass
class Fits:
    """
    What slow methods forecast, by a digest of all that it follows from: six days of a week have the same history.

    `before`: those of an earlier run. `used`: those that this run asked for, to be kept for the next.
    """

    before: dict[str, np.ndarray] = field(default_factory=dict)
    used: dict[str, np.ndarray] = field(default_factory=dict)

    def remembered(self, sources: Sequence[object], fit: Callable[[], np.ndarray]) -> np.ndarray:
        """What `fit` gives, from memory if it was given before; `sources`: arrays and values that it follows from."""
        digest = hashlib.sha256(f"{code_version()} {version_of('statsforecast')} {version_of('prophet')}".encode())
        for source in sources:
            digest.update(source.tobytes() if isinstance(source, np.ndarray) else f"\x1f{source!r}".encode())
        key = digest.hexdigest()
        self.used[key] = self.before[key] if key in self.before else fit()
        return self.used[key]


class Forecaster:
    """
    Forecasts of one series from several origins; what was fitted once is not fitted again.

    `values` are weekly, `first_week` is the Monday of the first; `holidays` are countries (ISO codes), for Prophet.
    `fits` are those of other runs.
    """

    def __init__(
        self, values: np.ndarray, first_week: date, horizon: int, holidays: Sequence[str], seed: int, fits: Fits
    ):
        self.values = values
        self.first_week = first_week
        self.horizon = horizon
        self.holidays = tuple(holidays)
        self.seed = seed
        self.fits = fits
        self._known: dict[tuple[str, int], np.ndarray | CandidateError] = {}

    def forecast(self, method: str, origin: int) -> np.ndarray:
        """The `horizon` weeks after the first `origin` weeks, from these alone. Raises CandidateError."""
        key = (method, origin)
        if key not in self._known:
            try:
                self._known[key] = self._checked(self._fit(method, origin), origin)
            except CandidateError as error:
                self._known[key] = error
            except Exception as error:  # A library's failure costs one candidate, never the run.
                self._known[key] = CandidateError(f"{type(error).__name__}: {error}")
        result = self._known[key]
        if isinstance(result, CandidateError):
            raise result
        return result

    def _fit(self, method: str, origin: int) -> np.ndarray:
        history = self.values[:origin]
        if origin < MINIMUM_HISTORY[method]:
            raise CandidateError(f"needs {MINIMUM_HISTORY[method]} weeks, has {origin}")
        if method == MEDIAN:
            return self._median(origin)
        if method in SIMPLE:
            return SIMPLE[method](history, self.horizon)
        if method == "prophet":
            of_prophet = (history, self.first_week, self.horizon, self.holidays, self.seed)
            return self.fits.remembered((method, *of_prophet), lambda: _prophet(*of_prophet))
        return self.fits.remembered(
            (method, history, self.horizon), lambda: _statistical(method, history, self.horizon)
        )

    def _median(self, origin: int) -> np.ndarray:
        members = []
        for member in MEDIAN_MEMBERS:
            with contextlib.suppress(CandidateError):
                members.append(self.forecast(member, origin))
        if len(members) < 2:
            raise CandidateError("fewer than two methods to combine")
        return np.median(members, axis=0)

    def _checked(self, forecast: np.ndarray, origin: int) -> np.ndarray:
        history = self.values[:origin]
        forecast = np.asarray(forecast, dtype=float)
        if forecast.shape != (self.horizon,) or not np.isfinite(forecast).all():
            raise CandidateError("gave values that are not numbers")
        reach = 10 * max(np.abs(history).max(), 1e-12)
        if np.abs(forecast).max() > reach:
            raise CandidateError(f"ran away: {np.abs(forecast).max():g} is over ten times the largest value so far")
        return np.maximum(forecast, 0.0) if history.min() >= 0 else forecast


def _recent_mean(history: np.ndarray, horizon: int) -> np.ndarray:
    return np.full(horizon, history[-RECENT:].mean())


def _naive(history: np.ndarray, horizon: int) -> np.ndarray:
    return np.full(horizon, history[-1])


def _drift(history: np.ndarray, horizon: int) -> np.ndarray:
    return history[-1] + (history[-1] - history[0]) / (len(history) - 1) * np.arange(1, horizon + 1)


def _seasonal_naive(history: np.ndarray, horizon: int) -> np.ndarray:
    return np.resize(history[-SEASON:], horizon)


def _seasonal_growth(history: np.ndarray, horizon: int) -> np.ndarray:
    """The same weeks a year ago, smoothed over five, moved to today's level: a season from little over a year."""
    year_ago = len(history) - SEASON
    now, then = history[-RECENT:].mean(), history[year_ago - RECENT : year_ago].mean()
    last_year = np.array(
        [history[max(year_ago + step - 2, 0) : year_ago + step + 3].mean() for step in range(min(horizon, SEASON))]
    )
    is_positive = history[year_ago - RECENT :].min() > 0
    moved = last_year * np.clip(now / then, 1 / 3, 3) if is_positive else last_year + (now - then)
    return np.resize(moved, horizon)


SIMPLE = {
    "recent_mean": _recent_mean,
    "naive": _naive,
    "drift": _drift,
    "seasonal_naive": _seasonal_naive,
    "seasonal_growth": _seasonal_growth,
}


def _statistical(method: str, history: np.ndarray, horizon: int) -> np.ndarray:
    """
    ETS (Hyndman et al. 2002), Theta (Assimakopoulos & Nikolopoulos 2000), CES (Svetunkov & Kourentzes 2015), chosen
    automatically; seasonality comes from a decomposition alone (MSTL, Bandara et al. 2021), since 52 weeks are too
    many for a seasonal state. No ARIMA: ten times the time of all of these and no better on simulated weeks.
    """
    from statsforecast.models import MSTL, AutoCES, AutoETS, AutoTheta

    makers = {
        "ets": lambda: AutoETS(season_length=1),
        "theta": lambda: AutoTheta(season_length=1),
        "ces": lambda: AutoCES(season_length=1),
        "mstl_ets": lambda: MSTL(season_length=SEASON, trend_forecaster=AutoETS(season_length=1, model="ZZN")),
        "mstl_ces": lambda: MSTL(season_length=SEASON, trend_forecaster=AutoCES(season_length=1)),
    }
    # Optimisers do badly on values of a billion or a millionth.
    scale = np.abs(history).mean()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return makers[method]().forecast(y=np.ascontiguousarray(history / scale), h=horizon)["mean"] * scale


def _prophet(history: np.ndarray, first_week: date, horizon: int, countries: Sequence[str], seed: int) -> np.ndarray:
    """Prophet on weeks (Taylor & Letham 2018); yearly seasonality from a year and a half of history."""
    with _quiet_prophet():
        import pandas as pd
        from prophet import Prophet

        weeks = pd.date_range(first_week, periods=len(history) + horizon, freq="7D")
        model = Prophet(
            weekly_seasonality=False,
            daily_seasonality=False,
            yearly_seasonality=len(history) >= YEARLY_FROM,
            seasonality_mode="multiplicative" if history.min() > 0 else "additive",
            holidays=_weekly_holidays(countries, first_week, len(weeks)),
            uncertainty_samples=0,
        )
        # Prophet takes Newton below 100 points, where one fit can take seconds.
        model.stan_backend.set_options(newton_fallback=False)
        observed = pd.DataFrame({"ds": weeks[: len(history)], "y": history})
        try:
            model.fit(observed, seed=seed, algorithm="LBFGS", iter=2000)
        except RuntimeError as error:  # Its text is a command line.
            raise CandidateError("Prophet's optimiser failed") from error
        return model.predict(pd.DataFrame({"ds": weeks[len(history) :]}))["yhat"].to_numpy()


def _weekly_holidays(countries: Sequence[str], first_week: date, weeks: int) -> "pd.DataFrame | None":
    """Each holiday on the Monday of its week: Prophet compares dates, and a weekly series has no others."""
    import holidays
    import pandas as pd

    last_day = first_week + timedelta(weeks=weeks) - timedelta(days=1)
    years = range(first_week.year, last_day.year + 1)
    rows = {
        (f"{country} {name}", day - timedelta(days=day.weekday()))
        for country in countries
        for day, name in holidays.country_holidays(country, years=years).items()
        if first_week <= day <= last_day
    }
    ordered = sorted(rows)
    if not ordered:
        return None
    return pd.DataFrame({"holiday": [name for name, _ in ordered], "ds": pd.to_datetime([day for _, day in ordered])})


@contextlib.contextmanager
def _quiet_prophet() -> Iterator[None]:
    """Hold back the loggers that speak at import and at every fit, and put them back."""
    loggers = [logging.getLogger(name) for name in ("prophet", "prophet.plot", "prophet.models", "cmdstanpy")]
    levels = [logger.level for logger in loggers]
    were_disabled = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
        logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level, was_disabled in zip(loggers, levels, were_disabled, strict=True):
            logger.setLevel(level)
            logger.disabled = was_disabled
