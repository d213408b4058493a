"""Forecasts: better than naive, honest intervals, segments that add up, and no series that brings it down."""

import dataclasses
import itertools
import logging
from datetime import date, timedelta
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from pipelines.learning.forecasting import candidates
from pipelines.learning.forecasting.candidates import Fits
from pipelines.learning.forecasting.fit import (
    ForecastResult,
    ForecastSpec,
    fit_forecasts,
    refresh_forecasts,
)

SUNDAY = date(2025, 6, 29)
SPEC = ForecastSpec("company", {"bookings": "sum"}, prophet="none")


def daily(values: np.ndarray, metric: str = "bookings", segment: str = "total", end: date = SUNDAY) -> pl.DataFrame:
    """One row per day, the last on `end`."""
    days = [end - timedelta(days=len(values) - 1 - index) for index in range(len(values))]
    return pl.DataFrame({"metric": metric, "segment": segment, "metric_date": days, "value": values.astype(float)})


def weekly(values: np.ndarray, metric: str = "bookings", segment: str = "total", end: date = SUNDAY) -> pl.DataFrame:
    """One row per week, on its Sunday."""
    days = [end - timedelta(weeks=len(values) - 1 - index) for index in range(len(values))]
    return pl.DataFrame({"metric": metric, "segment": segment, "metric_date": days, "value": values.astype(float)})


def seasonal(weeks: int, rng: np.random.Generator, level: float = 500.0) -> np.ndarray:
    steps = np.arange(weeks)
    return level * (1 + 0.004 * steps + 0.3 * np.sin(2 * np.pi * steps / 52)) + rng.normal(0, 0.04 * level, weeks)


def future(result: ForecastResult, metric: str = "bookings", segment: str = "total") -> pl.DataFrame:
    return result.forecasts.filter(
        (pl.col("metric") == metric) & (pl.col("segment") == segment) & pl.col("actual").is_null()
    ).sort("period_start_date")


def assert_sound(result: ForecastResult, spec: ForecastSpec) -> None:
    """What holds of every result, whatever came in."""
    coming = result.forecasts.filter(pl.col("actual").is_null())
    numbers = coming.select("forecast", "p10", "p50", "p90").to_numpy()
    assert np.isfinite(numbers).all()
    assert (coming["p10"] <= coming["p50"]).all()
    assert (coming["p50"] <= coming["p90"]).all()
    assert (coming.group_by("metric", "segment").len()["len"] == spec.horizon).all()
    assert (result.forecasts["period_start_date"].dt.weekday() == 1).all()
    keys = result.forecasts.select("metric", "segment", "period_start_date")
    assert keys.is_unique().all()
    chosen = result.accuracy.filter("chosen").select("metric", "segment")
    assert sorted(chosen.iter_rows()) == sorted(coming.select("metric", "segment").unique().iter_rows())


def company(weeks: int, rng: np.random.Generator) -> pl.DataFrame:
    """A flow and a stock, each with three segments and the total."""
    frames = []
    for metric in ("bookings", "recurring_revenue"):
        parts = []
        for index, segment in enumerate(("EMEA", "APAC", "AMER")):
            values = (
                seasonal(weeks, rng, 200.0 * (index + 1))
                if metric == "bookings"
                else np.cumsum(rng.normal(5, 9, weeks)) + 4000
            )
            parts.append(values)
            frames.append(weekly(values, metric, segment))
        frames.append(weekly(np.sum(parts, axis=0), metric))
    return pl.concat(frames)


COMPANY = ForecastSpec("company", {"bookings": "sum", "recurring_revenue": "last"})


@pytest.fixture(scope="module")
def company_series() -> pl.DataFrame:
    return company(110, np.random.default_rng(5))


@pytest.fixture(scope="module")
def company_result(company_series: pl.DataFrame) -> ForecastResult:
    return fit_forecasts(company_series, SUNDAY, COMPANY)


def test_trend_and_season_are_forecast_better_than_naive():
    own, naive, last_year = [], [], []
    for seed in range(3):
        values = seasonal(143, np.random.default_rng(seed))
        history, held_back = values[:-13], values[-13:]
        forecast = future(fit_forecasts(weekly(history), SUNDAY, SPEC))["forecast"].to_numpy()
        own.append(np.abs(held_back - forecast).mean())
        naive.append(np.abs(held_back - history[-1]).mean())
        last_year.append(np.abs(held_back - history[-52:-39]).mean())
    assert np.mean(own) < 0.5 * np.mean(naive)
    assert np.mean(own) < 0.5 * np.mean(last_year)


def test_the_interval_covers_about_four_in_five_weeks_not_seen():
    rng = np.random.default_rng(11)
    inside = []
    for _ in range(8):
        noise = rng.normal(0, 10, 117)
        # Intervals that stay as wide as they are, intervals that grow, and a season that the method has to find.
        for values in (300 + noise, 300 + np.cumsum(noise), seasonal(117, rng)):
            rows = future(fit_forecasts(weekly(values[:-13]), SUNDAY, SPEC))
            inside.append((values[-13:] >= rows["p10"].to_numpy()) & (values[-13:] <= rows["p90"].to_numpy()))
    assert 0.72 <= np.mean(inside) <= 0.92


def test_the_result_has_the_columns_of_the_contract(company_result: ForecastResult):
    assert_sound(company_result, COMPANY)
    assert company_result.forecasts.columns[:10] == [
        "metric",
        "currency",
        "segment",
        "period_start_date",
        "frequency",
        "forecast",
        "p10",
        "p50",
        "p90",
        "actual",
    ]
    assert company_result.forecasts["as_of_date"].unique().to_list() == [SUNDAY]
    past = company_result.forecasts.filter(pl.col("actual").is_not_null())
    assert (past.group_by("metric", "segment").len()["len"] == 52).all()
    assert past.filter(pl.col("period_start_date") > SUNDAY - timedelta(weeks=13))["forecast"].null_count() == 0
    assert company_result.skipped.columns == ["metric", "segment", "reason"]
    assert company_result.skipped.is_empty()


def test_every_metric_has_a_picture(company_result: ForecastResult):
    assert set(company_result.pictures) == {"bookings", "recurring_revenue"}
    for name, picture in company_result.pictures.items():
        drawn = ElementTree.fromstring(picture)
        texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
        assert texts[0] == f"{name.replace('_', ' ')}, total by week"
        lines = [element.get("points").split() for element in drawn.iter("{http://www.w3.org/2000/svg}polyline")]
        future = company_result.forecasts.filter(
            (pl.col("metric") == name) & (pl.col("segment") == "total") & pl.col("actual").is_null()
        )
        assert len(lines[-1]) == future.height
        places = [tuple(map(float, point.split(","))) for points in lines for point in points]
        assert all(0 <= x <= 700 and 0 <= y <= 280 for x, y in places)


def test_accuracy_is_that_of_the_backtest_shown_beside_the_actuals(company_result: ForecastResult):
    key = (pl.col("metric") == "bookings") & (pl.col("segment") == "total")
    chosen = company_result.accuracy.filter(key & pl.col("chosen")).row(0, named=True)
    shown = company_result.forecasts.filter(key & pl.col("actual").is_not_null() & pl.col("forecast").is_not_null())
    assert shown.height == chosen["folds"] * COMPANY.horizon
    assert (shown["actual"] - shown["forecast"]).abs().mean() == pytest.approx(chosen["mae"])
    within = ((shown["actual"] >= shown["p10"]) & (shown["actual"] <= shown["p90"])).mean()
    assert within == pytest.approx(chosen["coverage_80"])
    # The methods that lost are listed too.
    assert company_result.accuracy.filter(key).height >= 8
    assert "prophet" in company_result.accuracy.filter(key)["method"].to_list()


def test_prophet_competes_where_the_spec_says(company_series: pl.DataFrame, company_result: ForecastResult):
    with_prophet = company_result.accuracy.filter(pl.col("method") == "prophet")
    assert with_prophet["segment"].unique().to_list() == ["total"]
    flow = company_series.filter(pl.col("metric") == "bookings")
    spec = ForecastSpec("company", {"bookings": "sum"}, prophet="all", holidays=("DE", "US"), folds=1)
    everywhere = fit_forecasts(flow, SUNDAY, spec)
    assert everywhere.accuracy.filter(pl.col("method") == "prophet").height == 4
    assert everywhere.notes.is_empty()


def test_segments_add_up_to_the_total(company_result: ForecastResult):
    for metric in ("bookings", "recurring_revenue"):
        rows = company_result.forecasts.filter((pl.col("metric") == metric) & pl.col("actual").is_null())
        parts = rows.filter(pl.col("segment") != "total").group_by("period_start_date").agg(pl.col("forecast").sum())
        both = parts.join(rows.filter(pl.col("segment") == "total"), on="period_start_date")
        assert both.height == 13
        assert both["forecast"].to_numpy() == pytest.approx(both["forecast_right"].to_numpy(), rel=1e-9)


def test_a_new_and_an_ended_segment_still_add_up():
    rng = np.random.default_rng(9)
    steps = np.arange(90)
    parts = {
        "old": rng.poisson(40, 90),
        "new": np.where(steps < 85, 0, rng.poisson(15, 90)),
        "ended": np.where(steps > 40, 0, rng.poisson(15, 90)),
        "never": np.zeros(90),
    }
    frames = [weekly(values, segment=segment) for segment, values in parts.items()]
    result = fit_forecasts(pl.concat([*frames, weekly(np.sum(list(parts.values()), axis=0))]), SUNDAY, SPEC)
    assert_sound(result, SPEC)
    summed = np.sum([future(result, segment=segment)["forecast"].to_numpy() for segment in parts], axis=0)
    assert future(result)["forecast"].to_numpy() == pytest.approx(summed, rel=1e-9)
    assert result.forecasts.filter(pl.col("actual").is_null())["p10"].min() >= 0
    assert future(result, segment="never")["forecast"].max() < 0.01


def test_a_refresh_gives_what_the_fit_gave(company_series: pl.DataFrame, company_result: ForecastResult):
    chosen = {
        (metric, currency, segment): method
        for metric, currency, segment, method in company_result.accuracy.filter("chosen")
        .select("metric", "currency", "segment", "method")
        .iter_rows()
    }
    refreshed = refresh_forecasts(company_series, SUNDAY, COMPANY, chosen)
    assert refreshed.forecasts.equals(company_result.forecasts)
    assert refreshed.accuracy.equals(company_result.accuracy.filter("chosen"))


def test_what_was_fitted_is_not_fitted_again_until_the_history_changes(
    company_series: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    flow = company_series.filter(pl.col("metric") == "bookings")
    chosen = {("bookings", None, segment): "theta" for segment in flow["segment"].unique()}
    fitted = []
    real = candidates._statistical
    monkeypatch.setattr(candidates, "_statistical", lambda *given: fitted.append(given) or real(*given))
    first = Fits()
    result = refresh_forecasts(flow, SUNDAY, SPEC, chosen, fits=first)
    assert len(fitted) == len(first.used) > 0
    fitted.clear()
    again = Fits(first.used)
    assert refresh_forecasts(flow, SUNDAY, SPEC, chosen, fits=again).forecasts.equals(result.forecasts)
    assert (fitted, set(again.used)) == ([], set(first.used))

    # A correction of the last week: every forecast from there is new, those from past origins are not.
    last = pl.col("metric_date") > SUNDAY - timedelta(days=7)
    corrected = flow.with_columns(value=pl.when(last).then(pl.col("value") + 1).otherwise(pl.col("value")))
    partly = refresh_forecasts(corrected, SUNDAY, SPEC, chosen, fits=Fits(first.used))
    assert 0 < len(fitted) <= flow["segment"].n_unique()
    assert partly.forecasts.equals(refresh_forecasts(corrected, SUNDAY, SPEC, chosen).forecasts)


def test_a_second_fit_gives_the_same(company_series: pl.DataFrame, company_result: ForecastResult):
    again = fit_forecasts(company_series.sample(fraction=1.0, shuffle=True, seed=3), SUNDAY, COMPANY)
    assert again.forecasts.equals(company_result.forecasts)
    assert again.accuracy.equals(company_result.accuracy)


def test_a_refresh_without_a_choice_uses_the_combination_and_says_so(company_series: pl.DataFrame):
    flow = company_series.filter(pl.col("metric") == "bookings")
    chosen = dict(total="naive", EMEA="gone_since", APAC="theta")
    chosen = {("bookings", None, segment): method for segment, method in chosen.items()}
    result = refresh_forecasts(flow, SUNDAY, SPEC, chosen)
    methods = dict(result.accuracy.select("segment", "method").iter_rows())
    assert methods == {"total": "naive", "AMER": "median", "APAC": "theta", "EMEA": "median"}
    assert sorted(result.notes["segment"]) == ["AMER", "EMEA"]


def test_a_refresh_whose_method_fails_falls_back_and_says_so():
    values = np.random.default_rng(0).normal(100, 5, 60)
    result = refresh_forecasts(weekly(values), SUNDAY, SPEC, {("bookings", None, "total"): "mstl_ets"})
    assert result.accuracy["method"].to_list() == ["median"]
    assert result.notes.row(0, named=True)["method"] == "mstl_ets"
    assert "needs 112 weeks" in result.notes["reason"][0]


def test_the_partial_week_is_forecast_not_used():
    rng = np.random.default_rng(2)
    values = rng.poisson(20, 7 * 80).astype(float)
    wednesday = SUNDAY + timedelta(days=3)
    whole = fit_forecasts(daily(values), SUNDAY, SPEC)
    partial = pl.concat([daily(values), daily(np.array([1e6, 1e6, 1e6]), end=wednesday)])
    begun = fit_forecasts(partial, wednesday, SPEC)
    assert begun.forecasts.drop("as_of_date").equals(whole.forecasts.drop("as_of_date"))
    assert future(begun)["period_start_date"][0] == SUNDAY + timedelta(days=1)
    # On a Saturday the week is still open; nothing after the as-of day is looked at.
    saturday = fit_forecasts(partial, SUNDAY - timedelta(days=1), SPEC)
    assert future(saturday)["period_start_date"][0] == SUNDAY - timedelta(days=6)
    assert saturday.forecasts["actual"].drop_nulls().max() < 1e6


def test_flows_are_summed_with_zeros_and_stocks_keep_the_last_value():
    monday = SUNDAY - timedelta(days=6)
    start = monday - timedelta(weeks=40)
    days = [start + timedelta(weeks=index) for index in range(41)]
    rows = [(day, 10.0 + index) for index, day in enumerate(days) if index != 39]
    rows += [(monday + timedelta(days=2), 3.0)]
    frame = pl.DataFrame(rows, schema={"metric_date": pl.Date, "value": pl.Float64}, orient="row")
    both = pl.concat([frame.with_columns(metric=pl.lit(name), segment=pl.lit("total")) for name in ("flow", "stock")])
    spec = ForecastSpec("both", {"flow": "sum", "stock": "last"}, prophet="none")
    past = fit_forecasts(both, SUNDAY, spec).forecasts.filter(pl.col("actual").is_not_null())
    assert past.filter(pl.col("metric") == "flow")["actual"].to_list()[-3:] == [48.0, 0.0, 53.0]
    assert past.filter(pl.col("metric") == "stock")["actual"].to_list()[-3:] == [48.0, 48.0, 3.0]


def test_rows_without_a_number_are_not_used_and_counted():
    values = np.random.default_rng(3).poisson(20, 7 * 60).astype(float)
    values[100], values[200] = np.nan, np.inf
    result = fit_forecasts(daily(values), SUNDAY, SPEC)
    assert_sound(result, SPEC)
    assert result.notes["reason"].to_list() == ["2 rows without a finite value were not used"]


def test_a_metric_without_total_gets_one():
    rng = np.random.default_rng(4)
    frame = pl.concat([daily(rng.poisson(9, 7 * 60), segment=segment) for segment in ("b", "a")])
    result = fit_forecasts(frame, SUNDAY, SPEC)
    assert future(result).height == 13
    parts = future(result, segment="a")["forecast"] + future(result, segment="b")["forecast"]
    assert parts.to_numpy() == pytest.approx(future(result)["forecast"].to_numpy())


def test_one_segment_is_the_total():
    frame = daily(np.random.default_rng(4).poisson(9, 7 * 60), segment="only")
    result = fit_forecasts(frame, SUNDAY, SPEC)
    assert future(result, segment="only")["forecast"].to_list() == pytest.approx(future(result)["forecast"].to_list())


def test_segments_that_never_added_up_are_left_alone_with_a_note():
    rng = np.random.default_rng(6)
    frame = pl.concat([daily(rng.poisson(9, 7 * 60), segment=segment) for segment in ("total", "a", "b")])
    result = fit_forecasts(frame, SUNDAY, SPEC)
    assert_sound(result, SPEC)
    assert "do not add up" in result.notes["reason"][0]


def test_a_short_series_is_forecast_with_a_wide_interval_and_a_note():
    rng = np.random.default_rng(7)
    for weeks in (1, 2, 3, 12, 25, 27):
        values = rng.normal(100, 10, weeks)
        result = fit_forecasts(weekly(values, end=SUNDAY - timedelta(days=6)), SUNDAY, SPEC)
        assert_sound(result, SPEC)
        rows = future(result)
        assert (rows["p90"] - rows["p10"]).min() > 10
        if weeks < 26:
            assert result.accuracy.row(0) == ("bookings", None, "total", "recent_mean", 0, None, None, None, None, True)
            assert "too few" in result.notes["reason"][0]


def test_no_complete_week_and_no_rows_are_skipped_with_a_reason():
    spec = dataclasses.replace(SPEC, metrics={"bookings": "sum", "tickets": "sum", "leads": "sum"})
    young = daily(np.ones(3), end=SUNDAY)
    late = daily(np.ones(30), metric="leads", end=SUNDAY + timedelta(days=300))
    result = fit_forecasts(pl.concat([young, late]), SUNDAY, spec)
    assert result.forecasts.is_empty()
    assert result.accuracy.is_empty()
    assert result.pictures == {}
    reasons = {metric: reason for metric, _, reason in result.skipped.iter_rows()}
    assert "no complete week" in reasons["bookings"]
    assert "no values on or before" in reasons["tickets"]
    assert "no values on or before" in reasons["leads"]
    empty = fit_forecasts(young.clear(), SUNDAY, SPEC)
    assert empty.skipped.height == 1


@pytest.mark.parametrize("level", [0.0, 7.0, -3.0])
def test_a_constant_stays_constant(level: float):
    result = fit_forecasts(weekly(np.full(80, level)), SUNDAY, SPEC)
    assert_sound(result, SPEC)
    assert future(result).select("forecast", "p10", "p90").unique().rows() == [(level, level, level)]
    assert result.accuracy.filter("chosen")["mae"].to_list() == [0.0]
    assert result.accuracy["mase"].to_list() == [None]


def awkward_series() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(8)
    steps = np.arange(120)
    return {
        "negative": rng.normal(-50, 20, 120),
        "both signs": rng.normal(0, 20, 120),
        "mostly zero": rng.poisson(0.05, 120).astype(float),
        "one spike": np.where(steps == 60, 1e6, 0.0),
        "one spike at the end": np.where(steps == 119, 1e6, 1.0),
        "started late": np.where(steps < 80, 0.0, rng.poisson(30, 120)),
        "stopped": np.where(steps > 70, 0.0, rng.poisson(30, 120)),
        "explodes": 1.2 ** steps.astype(float),
        "billions": rng.normal(5e12, 1e11, 120),
        "millionths": rng.normal(5e-9, 1e-10, 120),
        "a step": np.where(steps > 100, 900.0, 100.0),
        "a line": 5.0 * steps,
        "season alone": np.sin(2 * np.pi * steps / 52),
    }


def test_no_series_brings_it_down():
    cases = awkward_series()
    spec = ForecastSpec("awkward", {name: "last" for name in cases}, prophet="totals")
    result = fit_forecasts(pl.concat([weekly(values, metric=name) for name, values in cases.items()]), SUNDAY, spec)
    assert_sound(result, spec)
    assert set(result.pictures) == set(cases)
    for name, values in cases.items():
        if values.min() >= 0:
            assert future(result, name)["p10"].min() >= 0, name
    assert future(result, "negative")["forecast"].max() < 0
    assert future(result, "a line")["forecast"][-1] == pytest.approx(5.0 * 132, rel=0.05)
    assert future(result, "billions")["forecast"].mean() == pytest.approx(5e12, rel=0.05)
    assert future(result, "millionths")["forecast"].mean() == pytest.approx(5e-9, rel=0.05)


def test_a_method_that_fails_is_dropped_with_its_reason(monkeypatch: pytest.MonkeyPatch):
    from pipelines.learning.forecasting import candidates

    def broken(history: np.ndarray, horizon: int) -> np.ndarray:
        raise RuntimeError("the library gave up")

    monkeypatch.setitem(candidates.SIMPLE, "drift", broken)
    monkeypatch.setitem(candidates.SIMPLE, "naive", lambda history, horizon: np.full(horizon, np.nan))
    monkeypatch.setitem(candidates.SIMPLE, "recent_mean", lambda history, horizon: np.full(horizon, 1e9))
    result = fit_forecasts(weekly(seasonal(80, np.random.default_rng(1))), SUNDAY, SPEC)
    assert_sound(result, SPEC)
    reasons = {method: reason for _, _, method, reason in result.notes.iter_rows()}
    assert reasons["drift"] == "RuntimeError: the library gave up"
    assert "not numbers" in reasons["naive"]
    assert "ran away" in reasons["recent_mean"]
    assert {"drift", "naive", "recent_mean"}.isdisjoint(result.accuracy["method"])


def test_an_unknown_holiday_country_costs_prophet_alone():
    spec = dataclasses.replace(SPEC, prophet="all", holidays=("Atlantis",))
    result = fit_forecasts(weekly(seasonal(80, np.random.default_rng(1))), SUNDAY, spec)
    assert_sound(result, spec)
    assert result.notes["method"].to_list() == ["prophet"]
    assert "Atlantis" in result.notes["reason"][0]


def test_a_metric_that_stopped_arriving_is_noted():
    frame = daily(np.random.default_rng(0).poisson(20, 7 * 60), end=SUNDAY - timedelta(weeks=6))
    result = fit_forecasts(frame, SUNDAY, SPEC)
    assert "no rows after" in result.notes["reason"][0]


def test_only_the_newest_history_is_used():
    values = np.concatenate([np.full(200, 1e6), seasonal(60, np.random.default_rng(0))])
    short = dataclasses.replace(SPEC, max_history=60)
    result = fit_forecasts(weekly(values), SUNDAY, short)
    assert future(result)["p90"].max() < 5000
    assert result.forecasts["actual"].drop_nulls().max() < 5000


def test_nothing_is_written_to_the_log(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture):
    spec = dataclasses.replace(SPEC, prophet="all")
    with caplog.at_level(logging.DEBUG):
        fit_forecasts(weekly(seasonal(80, np.random.default_rng(1))), SUNDAY, spec)
    assert [record.name for record in caplog.records if record.name.startswith(("prophet", "cmdstanpy"))] == []
    assert capfd.readouterr() == ("", "")


def test_progress_names_each_metric(company_series: pl.DataFrame):
    said: list[str] = []
    chosen = {pair: "naive" for pair in itertools.product(COMPANY.metrics, [None], ("total", "EMEA", "APAC", "AMER"))}
    refresh_forecasts(company_series, SUNDAY, COMPANY, chosen, progress=said.append)
    assert said == ["bookings (1 of 2): 4 series", "recurring_revenue (2 of 2): 4 series"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": {}}, "metrics is empty"),
        ({"metrics": {"bookings": "mean"}}, "bookings is 'mean'"),
        ({"frequency": "M"}, "frequency is 'M'"),
        ({"prophet": "some"}, "prophet is 'some'"),
        ({"horizon": 0}, "horizon is 0"),
        ({"folds": 0}, "folds is 0"),
        ({"max_history": 5}, "max_history is 5"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(change: dict, message: str):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SPEC, **change)


def test_series_of_another_shape_are_refused():
    frame = daily(np.ones(30))
    with pytest.raises(ValueError, match=r"lack the column\(s\) value"):
        fit_forecasts(frame.drop("value"), SUNDAY, SPEC)
    with pytest.raises(ValueError, match="wrong type"):
        fit_forecasts(frame.with_columns(value=pl.lit("much")), SUNDAY, SPEC)
    with pytest.raises(ValueError, match="no segment, the first is row 0"):
        fit_forecasts(frame.with_columns(segment=pl.lit(None, dtype=pl.String)), SUNDAY, SPEC)


def test_amounts_in_several_currencies_are_as_many_series_each_with_its_own_method(company_series: pl.DataFrame):
    flow = company_series.filter(pl.col("metric") == "bookings")
    both = pl.concat(
        [
            flow.with_columns(currency=pl.lit("EUR")),
            flow.with_columns(pl.col("value") * 3, currency=pl.lit("USD")),
        ]
    )
    spec = dataclasses.replace(SPEC, prophet="none")
    chosen = {("bookings", currency, "total"): method for currency, method in (("EUR", "naive"), ("USD", "theta"))}
    result = refresh_forecasts(both, SUNDAY, spec, chosen)
    totals = result.accuracy.filter(pl.col("segment") == "total")
    assert totals.select("currency", "method").rows() == [("USD", "theta"), ("EUR", "naive")], "the largest is first"
    assert list(result.pictures) == ["bookings (USD)", "bookings (EUR)"]
    actuals = result.forecasts.filter(pl.col("segment") == "total").drop_nulls("actual")
    by_currency = actuals.pivot("currency", index="period_start_date", values="actual")
    assert by_currency["USD"].to_list() == pytest.approx([3 * value for value in by_currency["EUR"]])


def test_another_currency_changes_nothing_of_the_first(company_series: pl.DataFrame):
    flow = company_series.filter(pl.col("metric") == "bookings").with_columns(currency=pl.lit("USD"))
    few = flow.with_columns(pl.col("value") / 100, currency=pl.lit("EUR"))
    spec = dataclasses.replace(SPEC, prophet="none")
    alone = refresh_forecasts(flow, SUNDAY, spec, {}).forecasts
    beside = refresh_forecasts(pl.concat([flow, few]), SUNDAY, spec, {}).forecasts
    assert beside.filter(pl.col("currency") == "USD").equals(alone)
