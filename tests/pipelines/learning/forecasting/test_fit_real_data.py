"""Forecasts of public series against the weeks that were held back from them."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.learning.forecasting.fit import ForecastSpec, fit_forecasts

M4 = Path(__file__).resolve().parents[5] / "shared" / "data" / "m4_weekly" / "weekly.parquet"
SUNDAY = date(2024, 12, 29)
NAIVE2 = 9.16
"""Published sMAPE of the naive benchmark on all 359 series."""

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(not M4.exists(), reason="the public data is not beside the repository"),
]


def smape(actual: np.ndarray, forecast: np.ndarray) -> float:
    return float((200 * np.abs(actual - forecast) / (np.abs(actual) + np.abs(forecast))).mean())


def test_m4_weekly_is_forecast_better_than_naive():
    table = pl.read_parquet(M4)
    names = sorted(table["series_id"].unique(), key=lambda name: int(name[1:]))[::12]
    table = table.filter(pl.col("series_id").is_in(names)).sort("series_id", "step")
    history = {
        name: frame["value"].to_numpy()[-520:]
        for (name,), frame in table.filter(pl.col("split") == "train").group_by("series_id")
    }
    held_back = {
        name: frame["value"].to_numpy()
        for (name,), frame in table.filter(pl.col("split") == "test").group_by("series_id")
    }
    # The competition's weeks have no dates that matter; every series ends on the same Sunday.
    series = pl.concat(
        pl.DataFrame(
            {
                "metric": name,
                "segment": "total",
                "metric_date": [SUNDAY - timedelta(weeks=len(values) - 1 - step) for step in range(len(values))],
                "value": values,
            }
        )
        for name, values in history.items()
    )
    result = fit_forecasts(series, SUNDAY, ForecastSpec("m4", dict.fromkeys(names, "last")))
    coming = result.forecasts.filter(pl.col("actual").is_null()).sort("metric", "period_start_date")
    own, naive, scaled, inside = [], [], [], []
    for name in names:
        rows = coming.filter(pl.col("metric") == name)
        actual, forecast = held_back[name], rows["forecast"].to_numpy()
        own.append(smape(actual, forecast))
        naive.append(smape(actual, np.full(13, history[name][-1])))
        scaled.append(np.abs(actual - forecast).mean() / np.abs(np.diff(history[name])).mean())
        inside.append(((actual >= rows["p10"].to_numpy()) & (actual <= rows["p90"].to_numpy())).mean())
    print(
        f"M4 weekly, {len(names)} series: sMAPE {np.mean(own):.2f} (naive {np.mean(naive):.2f}), "
        f"MASE {np.mean(scaled):.2f}, coverage of the 80 % interval {np.mean(inside):.2f}"
    )
    assert len(own) == 30
    assert np.mean(own) < NAIVE2
    assert np.mean(own) < 0.95 * np.mean(naive)
    assert 0.65 <= np.mean(inside) <= 0.95
