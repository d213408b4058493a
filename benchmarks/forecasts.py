"""
Forecasts of a company's metrics on two cores: how long 22 weekly series take, and how good against seasonal naive.

Four metrics of two years with trend, season and noise, in total and by segment. A process of its own is timed, so
that imports count. The accuracy is on 13 weeks that the fit has not seen, so that the choice between methods does
not flatter it; both sides are measured in this run.
"""

import os
import resource
import subprocess
import sys
import time
from datetime import date, timedelta

import numpy as np
import polars as pl

CORES = {0, 1}
SUNDAY = date(2025, 6, 29)
WEEKS = 104
HORIZON = 13
METRICS = {"bookings": "sum", "new_leads": "sum", "tickets": "sum", "recurring_revenue": "last"}
SEGMENTS = {"bookings": 5, "new_leads": 5, "tickets": 4, "recurring_revenue": 4}
BARS = {"fit, with imports": 12.0, "extra memory": 0.5, "error against seasonal naive": 1.0}


def company(seed: int) -> pl.DataFrame:
    """Daily values of 22 series for two years and 13 weeks more."""
    rng = np.random.default_rng(seed)
    count = (WEEKS + HORIZON) * 7
    days = [SUNDAY + timedelta(weeks=HORIZON, days=index - count + 1) for index in range(count)]
    weeks = np.arange(count) / 7
    frames = []
    for metric, aggregation in METRICS.items():
        total = np.zeros(count)
        for segment in range(SEGMENTS[metric]):
            level, shift = rng.uniform(5, 60), rng.uniform(0, 0.1)
            season = 1 + 0.25 * np.sin(2 * np.pi * (weeks / 52 + shift))
            if aggregation == "sum":
                shock = np.repeat(np.exp(rng.normal(0, 0.12, WEEKS + HORIZON)), 7)
                values = rng.poisson(level * (1 + 0.004 * weeks) * season * shock).astype(float)
            else:
                values = level * 50 + np.cumsum(rng.normal(0.3, 2, count))
            total += values
            frames.append(frame(metric, f"segment {segment}", days, values))
        frames.append(frame(metric, "total", days, total))
    return pl.concat(frames)


def frame(metric: str, segment: str, days: list[date], values: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"metric": metric, "segment": segment, "metric_date": days, "value": values})


def child() -> None:
    """Fit, refresh and judge; prints figures for the parent."""
    start_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Imports are a part of what a run pays.
    from pipelines.learning.forecasting.fit import ForecastSpec, fit_forecasts, refresh_forecasts

    spec = ForecastSpec("benchmark", METRICS, horizon=HORIZON)
    series = company(seed=0)
    started = time.monotonic()
    result = fit_forecasts(series, SUNDAY, spec)
    fit_seconds = time.monotonic() - started
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start_memory) / 2**20
    chosen = {
        (metric, segment): method
        for metric, segment, method in result.accuracy.filter("chosen")
        .select("metric", "segment", "method")
        .iter_rows()
    }
    started = time.monotonic()
    refresh_forecasts(series, SUNDAY, spec, chosen)
    refresh_seconds = time.monotonic() - started
    ratios, coverage = held_back_ratios(series, result.forecasts)
    print(len(chosen), fit_seconds, refresh_seconds, memory, coverage, *ratios)


def held_back_ratios(series: pl.DataFrame, forecasts: pl.DataFrame) -> tuple[list[float], float]:
    """Mean absolute error over that of seasonal naive for each metric, all its series; and the interval's coverage."""
    coming = forecasts.filter(pl.col("actual").is_null())
    inside, ratios = [], []
    for metric, aggregation in METRICS.items():
        own, naive = [], []
        for segment in coming.filter(pl.col("metric") == metric)["segment"].unique(maintain_order=True):
            values = series.filter((pl.col("metric") == metric) & (pl.col("segment") == segment))["value"].to_numpy()
            days = values.reshape(-1, 7)
            weekly = days.sum(axis=1) if aggregation == "sum" else days[:, -1]
            actual, last_year = weekly[-HORIZON:], weekly[-HORIZON - 52 : -52]
            rows = coming.filter((pl.col("metric") == metric) & (pl.col("segment") == segment))
            scale = np.abs(actual).mean()
            own.append(np.abs(actual - rows["forecast"].to_numpy()).mean() / scale)
            naive.append(np.abs(actual - last_year).mean() / scale)
            inside.append(((actual >= rows["p10"].to_numpy()) & (actual <= rows["p90"].to_numpy())).mean())
        ratios.append(float(np.mean(own) / np.mean(naive)))
    return ratios, float(np.mean(inside))


def report(name: str, value: float, unit: str, bar: float) -> bool:
    """Print one figure against its bar."""
    verdict = "ok" if value <= bar else "TOO MUCH"
    print(f"{name:<44} {value:7.2f} {unit:<4} bar {bar:5.1f}  ratio {value / bar:5.2f}  {verdict}")
    return value <= bar


def main() -> int:
    """Time a process of its own on two cores."""
    os.sched_setaffinity(0, CORES)
    started = time.monotonic()
    process = subprocess.run([sys.executable, __file__, "child"], capture_output=True, text=True)
    whole = time.monotonic() - started
    if process.returncode != 0:
        sys.exit(process.stdout + process.stderr)
    count, fit, refresh, memory, coverage, *ratios = (float(word) for word in process.stdout.split())
    error_bar = BARS["error against seasonal naive"]
    results = [
        report(f"fit of {count:.0f} series, with imports", whole - refresh, "s", BARS["fit, with imports"]),
        report("extra memory", memory, "GiB", BARS["extra memory"]),
        *(
            report(f"{metric}: error against seasonal naive", ratio, "", error_bar)
            for metric, ratio in zip(METRICS, ratios, strict=True)
        ),
    ]
    print(f"{'daily refresh against the fit':<44} {refresh:7.2f} s    of {fit:.2f} s   ratio {refresh / fit:5.2f}")
    print(f"{'coverage of the 80 % interval':<44} {coverage:7.2f}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["child"]:
        child()
    else:
        sys.exit(main())
