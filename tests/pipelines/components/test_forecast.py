"""The Forecast component on a small warehouse: what it chooses, forecasts and publishes, and what it leaves alone."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.components.forecast import Forecast
from pipelines.components.resolved import PublishedForecast
from pipelines.database import connect, write_frame
from pipelines.learning.forecasting import candidates
from pipelines.registry.store import champion_version, model_path
from pipelines.settings import REFIT_TAG
from pipelines.warehouse import Warehouse

SUNDAY = date(2026, 6, 28)
WEEKS = 60
SEGMENTS = ("amer", "emea")
SERIES = [(metric, segment) for metric in ("bookings", "recurring_revenue") for segment in (*SEGMENTS, "total")]
COLUMNS = [
    *[
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
        "method",
    ],
    *["note", "as_of_date", "model_version"],
]
FORECAST = Forecast(
    name="company",
    description="Bookings and revenue.",
    series="metric_series",
    metrics={"bookings": "sum", "recurring_revenue": "last"},
    publish=PublishedForecast(table="forecasts"),
    prophet="none",
)
MODEL = "company_forecast"
REFIT = {REFIT_TAG: "always"}
DAILY = {REFIT_TAG: "missing"}


def daily_values(weeks: int, end: date = SUNDAY) -> pl.DataFrame:
    """A flow with a weekly rhythm and a stock that grows, by segment and in total, one row a day."""
    rng = np.random.default_rng(3)
    count = 7 * weeks
    days = [end - timedelta(days=count - 1 - index) for index in range(count)]
    step = np.arange(count)
    frames = []
    for metric in FORECAST.metrics:
        parts = []
        for level in (100.0, 300.0):
            flow = level * (1 + 0.3 * np.sin(2 * np.pi * step / 7)) + rng.normal(0, level / 20, count)
            stock = 50 * level + step * level / 50 + rng.normal(0, level / 20, count)
            parts.append(flow if metric == "bookings" else stock)
        for segment, values in zip((*SEGMENTS, "total"), (*parts, sum(parts)), strict=True):
            columns = {"metric": metric, "segment": segment, "metric_date": days, "value": values}
            frames.append(pl.DataFrame(columns))
    return pl.concat(frames)


class Company:
    """A warehouse with the series of a company, and runs of the component's three assets."""

    def __init__(self, data: Path):
        self.data = data
        self.instance = dg.DagsterInstance.ephemeral()

    def write(self, series: pl.DataFrame, as_of: date = SUNDAY) -> None:
        with connect(self.data / "warehouse.duckdb") as connection:
            write_frame(connection, series, "features", "metric_series")
            write_frame(connection, pl.DataFrame({"as_of_date": [as_of]}), "raw_scorecast", "as_of")

    def run(self, tags: dict[str, str], selection: Sequence[str] | None = None) -> dg.ExecuteInProcessResult:
        """All three assets, or those of the given layers."""
        assets = FORECAST.build_defs(None).assets
        chosen = [asset.key for asset in assets if selection is None or asset.key.path[0] in selection]
        return dg.materialize(
            assets, resources={"warehouse": Warehouse()}, instance=self.instance, tags=tags, selection=chosen
        )

    def ask(self, query: str) -> pl.DataFrame:
        with connect(self.data / "warehouse.duckdb", read_only=True) as connection:
            return connection.execute(query).pl()

    def published(self) -> pl.DataFrame:
        return self.ask("select * from published.forecasts")

    def fits(self) -> list[dict]:
        return self.ask("select * from published.model_runs order by started_at").to_dicts()


def metadata(result: dg.ExecuteInProcessResult, layer: str) -> dict[str, object]:
    """What the UI shows of one of the assets after a run."""
    for event in result.get_asset_materialization_events():
        if event.asset_key.path[0] == layer:
            return {name: value.value for name, value in event.materialization.metadata.items()}
    raise AssertionError(f"{layer} was not materialised")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory):
    """A company after its first run; nobody changes it."""
    folder = tmp_path_factory.mktemp("fitted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCORECAST_DATA", str(folder))
        company = Company(folder)
        company.write(daily_values(WEEKS))
        company.first = company.run(DAILY)
        yield company


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    return Company(tmp_path)


@pytest.fixture
def copied(fitted: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    """The company after its first run, for those who change it."""
    folder = tmp_path / "data"
    shutil.copytree(fitted.data, folder)
    monkeypatch.setenv("SCORECAST_DATA", str(folder))
    return Company(folder)


def coming(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("actual").is_null()).sort("metric", "segment", "period_start_date")


def test_a_method_is_chosen_for_every_series_and_stored(fitted: Company):
    assert fitted.first.success
    version = champion_version(MODEL, suffix=".json")
    choice = json.loads(model_path(MODEL, version, suffix=".json").read_text())
    assert sorted((row["metric"], row["segment"]) for row in choice) == sorted(SERIES)
    assert all(row["method"] and row["method"] != "prophet" for row in choice)
    told = metadata(fitted.first, "models")
    assert (told["status"], told["model_version"]) == ("kept", version)
    assert 0 < told["smape_of_totals"] < 20


def test_the_fit_is_recorded_with_its_error_and_candidates(fitted: Company):
    (fit,) = fitted.fits()
    assert (fit["model"], fit["run_id"], fit["status"]) == (MODEL, fitted.first.run_id, "kept")
    assert fit["model_version"] == champion_version(MODEL, suffix=".json")
    assert fit["rows"] == 7 * WEEKS * len(SERIES)
    assert fit["started_at"] < fit["finished_at"]
    assert json.loads(fit["metrics"]) == {"error": fit["error"], "series": len(SERIES), "skipped": 0}
    candidates = json.loads(fit["candidates"])
    assert {(row["metric"], row["segment"]) for row in candidates} == set(SERIES)
    chosen = {row["method"] for row in candidates if row["chosen"]}
    assert set(fit["method"].split(", ")) == chosen
    assert len({row["method"] for row in candidates}) > len(chosen)


def test_the_backtest_is_published_with_one_chosen_method_a_series(fitted: Company):
    accuracy = fitted.ask("select * from published.forecast_accuracy")
    assert set(accuracy["as_of_date"]) == {SUNDAY}
    assert set(accuracy["model_version"]) == {champion_version(MODEL, suffix=".json")}
    chosen = accuracy.filter("chosen")
    assert sorted(chosen.select("metric", "segment").iter_rows()) == sorted(SERIES)
    assert chosen["mae"].is_not_null().all()


def test_users_get_the_next_thirteen_weeks_of_every_series(fitted: Company):
    published = fitted.published()
    assert published.columns == COLUMNS
    next_weeks = coming(published)
    assert next_weeks.select("metric", "segment").unique().height == len(SERIES)
    monday = SUNDAY + timedelta(days=1)
    weeks = [monday + timedelta(weeks=number) for number in range(13)]
    for _, series in next_weeks.group_by("metric", "segment"):
        assert series["period_start_date"].to_list() == weeks
    numbers = next_weeks.select("forecast", "p10", "p50", "p90")
    assert np.isfinite(numbers.to_numpy()).all()
    assert (next_weeks["p10"] <= next_weeks["p50"]).all() and (next_weeks["p50"] <= next_weeks["p90"]).all()
    assert set(published["frequency"]) == {"W"}
    assert set(published["as_of_date"]) == {SUNDAY}
    assert set(published["model_version"]) == {champion_version(MODEL, suffix=".json")}


def test_the_forecast_is_near_what_the_series_do(fitted: Company):
    """Weekly sums of the flow stay at seven times the level; the stock goes on growing."""
    level = {"amer": 700.0, "emea": 2100.0, "total": 2800.0}
    next_weeks = coming(fitted.published())
    for (segment,), series in next_weeks.filter(metric="bookings").group_by("segment"):
        assert series["forecast"].mean() == pytest.approx(level[segment], rel=0.05)
    for segment, size in {"amer": 100.0, "emea": 300.0}.items():
        stock = next_weeks.filter(metric="recurring_revenue", segment=segment)["forecast"]
        assert stock[-1] == pytest.approx(50 * size + (7 * (WEEKS + 13) - 1) * size / 50, rel=0.02)
        assert stock[-1] > stock[0]


def test_segments_add_up_to_the_total(fitted: Company):
    next_weeks = coming(fitted.published())
    total = next_weeks.filter(segment="total")
    parts = (
        next_weeks.filter(pl.col("segment") != "total")
        .group_by("metric", "period_start_date")
        .agg(pl.col("forecast").sum())
    )
    both = total.join(parts, on=["metric", "period_start_date"], suffix="_of_parts")
    assert both.height == 2 * 13
    np.testing.assert_allclose(both["forecast"], both["forecast_of_parts"], rtol=1e-6)


def test_actuals_of_the_year_before_are_beside_the_forecast(fitted: Company):
    past = fitted.published().filter(pl.col("actual").is_not_null(), metric="bookings", segment="emea")
    assert past.height == 52
    assert past["period_start_date"].max() == SUNDAY - timedelta(days=6)
    week = SUNDAY - timedelta(days=6)
    (true,) = fitted.ask(
        "select sum(value) from features.metric_series where metric = 'bookings' and segment = 'emea'"
        f" and metric_date between date '{week}' and date '{SUNDAY}'"
    ).row(0)
    assert past.filter(period_start_date=week)["actual"].item() == pytest.approx(true)


def test_the_ui_shows_rows_version_and_a_picture_a_metric(fitted: Company):
    scores, published = metadata(fitted.first, "scores"), metadata(fitted.first, "published")
    assert scores["status"] == "forecast"
    assert scores["dagster/row_count"] == published["dagster/row_count"] == fitted.published().height
    columns = {column.name: column.type for column in published["dagster/column_schema"].columns}
    assert list(columns) == fitted.published().columns
    assert (columns["period_start_date"], columns["p90"]) == ("date", "double")
    assert {column.name for column in scores["dagster/column_schema"].columns} >= set(columns)
    pictures = [name for name, value in scores.items() if "data:image/svg+xml;base64," in str(value)]
    assert sorted(pictures) == sorted(FORECAST.metrics)


def test_a_daily_run_keeps_the_choice_and_renews_the_forecast(company: Company):
    company.write(daily_values(WEEKS))
    company.run(DAILY)
    version = champion_version(MODEL, suffix=".json")
    later = SUNDAY + timedelta(weeks=1)
    company.write(daily_values(WEEKS + 1, end=later), as_of=later)
    result = company.run(DAILY)
    assert metadata(result, "models").items() >= {"status": "kept", "model_version": version}.items()
    assert len(company.fits()) == 1
    published = company.published()
    assert set(published["as_of_date"]) == {later}
    assert set(published["model_version"]) == {version}
    assert coming(published)["period_start_date"].min() == later + timedelta(days=1)


def test_a_daily_run_of_the_same_week_fits_nothing_anew(company: Company, monkeypatch: pytest.MonkeyPatch):
    company.write(daily_values(WEEKS))
    company.run(DAILY)
    before = company.published().drop("as_of_date")
    monkeypatch.setattr(candidates, "_statistical", lambda *_: pytest.fail("it fits what the last run has fitted"))
    company.write(daily_values(WEEKS), as_of=SUNDAY + timedelta(days=1))
    company.run(DAILY)
    assert_frame_equal(company.published().drop("as_of_date"), before)
    company.run(DAILY)
    assert_frame_equal(company.published().drop("as_of_date"), before)


def test_a_model_that_is_kept_still_shows_the_figures_of_its_fit(company: Company):
    company.write(daily_values(WEEKS))
    fit = metadata(company.run(REFIT), "models")
    for _ in range(2):
        kept = metadata(company.run(DAILY), "models")
        assert kept["status"] == "kept"
        assert kept["model_version"] == fit["model_version"]
        assert kept["smape_of_totals"] == fit["smape_of_totals"]
        assert kept.keys() == fit.keys()


def test_a_refit_chooses_anew_and_both_fits_are_on_record(company: Company):
    company.write(daily_values(WEEKS))
    company.run(DAILY)
    company.run(REFIT)
    assert [fit["status"] for fit in company.fits()] == ["kept", "kept"]
    assert company.fits()[-1]["model_version"] == champion_version(MODEL, suffix=".json")
    assert company.ask("select count(*) from published.forecast_accuracy where chosen").item() == 2 * len(SERIES)


def test_series_without_a_week_are_skipped_with_their_reason(company: Company):
    company.write(daily_values(weeks=1).filter(pl.col("metric_date") > SUNDAY - timedelta(days=3)))
    result = company.run(REFIT)
    assert result.success
    (fit,) = company.fits()
    assert (fit["status"], fit["model_version"]) == ("skipped", None)
    assert fit["reason"].startswith("No series could be forecast. ")
    for metric in FORECAST.metrics:
        assert f"{metric}/total: no complete week between 2026-06-26 and 2026-06-28" in fit["reason"]
    assert metadata(result, "models") == {"status": "skipped", "reason": fit["reason"]}
    assert metadata(result, "scores")["status"] == "no model yet; see published.model_runs for the reason"
    assert metadata(result, "published") == {"status": "no forecast yet"}
    tables = company.ask("select schema_name || '.' || table_name from duckdb_tables()").to_series().to_list()
    assert "scores.company_forecast" not in tables and "published.forecasts" not in tables


def test_a_refit_that_finds_nothing_to_forecast_leaves_the_last_forecast(company: Company):
    company.write(daily_values(WEEKS))
    company.run(REFIT)
    version, before = champion_version(MODEL, suffix=".json"), company.published()
    company.write(daily_values(WEEKS).clear())
    result = company.run(REFIT)
    assert result.success
    assert [fit["status"] for fit in company.fits()] == ["kept", "skipped"]
    assert company.fits()[-1]["model_version"] == version
    assert champion_version(MODEL, suffix=".json") == version
    assert before.height > 0
    assert company.published().equals(before)
    assert (
        "the last one stays. bookings/total: no values on or before 2026-06-28" in metadata(result, "scores")["status"]
    )


def test_one_short_metric_is_skipped_and_the_other_is_forecast(company: Company):
    series = daily_values(WEEKS)
    company.write(series.filter((pl.col("metric") == "bookings") | (pl.col("metric_date") == SUNDAY)))
    assert company.run(REFIT).success
    (fit,) = company.fits()
    assert fit["status"] == "kept"
    assert "recurring_revenue/total: " in fit["reason"] and "bookings" not in fit["reason"]
    assert json.loads(fit["metrics"])["series"] == 3
    assert set(company.published()["metric"]) == {"bookings"}


def test_metrics_that_the_forecast_does_not_name_are_not_forecast(company: Company):
    series = daily_values(WEEKS)
    other = series.filter(metric="bookings").with_columns(metric=pl.lit("visits"))
    company.write(pl.concat([series, other]))
    company.run(REFIT)
    assert set(company.published()["metric"]) == set(FORECAST.metrics)


def test_each_asset_can_be_run_alone(company: Company):
    company.write(daily_values(WEEKS))
    company.run(REFIT, ["models"])
    assert not company.ask("select 1 from duckdb_tables() where schema_name = 'scores'").height
    company.run(DAILY, ["scores"])
    assert not company.ask("select 1 from duckdb_tables() where table_name = 'forecasts'").height
    company.run(DAILY, ["published"])
    assert coming(company.published()).height == 13 * len(SERIES)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def other_methods(path: Path) -> None:
    path.write_text(path.read_text().replace('"method": "', '"method": "x'))


def other_methods_vouched(path: Path) -> None:
    other_methods(path)
    path.with_name(f"{path.name}.sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest())


def by_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def by_a_huge_one(path: Path) -> None:
    os.truncate(path, 50 * 2**30)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (cut, "is not the file that was saved"),
        (other_methods, "is not the file that was saved"),
        (other_methods_vouched, "the record of its fit says"),
        (by_a_pipe, "is a folder, a pipe or a device"),
        (by_a_huge_one, "more than the 268,435,456 that are read"),
    ],
)
def test_a_choice_that_is_refused_leaves_the_last_forecast_and_says_why(copied: Company, change, words: str):
    version, before = champion_version(MODEL, suffix=".json"), copied.published()
    change(model_path(MODEL, version, suffix=".json"))
    result = copied.run(DAILY)
    assert result.success
    assert before.height and copied.published().equals(before)
    status = metadata(result, "scores")["status"]
    assert status.startswith("not scored: ") and words in status
    assert f"scorecast rollback --model {MODEL}" in status
    last = copied.fits()[-1]
    assert (last["status"], last["model_version"]) == ("refused", version)
    assert words in last["reason"] and str(copied.data) not in last["reason"]


@pytest.mark.parametrize("text", ["{", '"x"', "[1]", '[{"metric": "bookings"}]', "[" * 100_000])
def test_a_choice_from_before_checksums_must_still_be_a_choice(copied: Company, text: str):
    """Of an earlier version: no checksum beside it, none on record."""
    path = model_path(MODEL, champion_version(MODEL, suffix=".json"), suffix=".json")
    path.with_name(f"{path.name}.sha256").unlink()
    with connect(copied.data / "warehouse.duckdb") as connection:
        connection.execute("alter table published.model_runs drop column model_sha256")
    assert metadata(copied.run(DAILY, ["models", "scores"]), "scores")["status"] == "forecast"
    path.write_text(text)
    result = copied.run(DAILY)
    assert result.success
    assert "is no readable choice of methods" in metadata(result, "scores")["status"]


@pytest.mark.parametrize("step", ["append_frame", "record_fit", "promote"])
def test_a_first_choice_that_was_killed_leaves_a_daily_run_like_any_other(
    fitted: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
):
    def stop(*_: object, **__: object) -> None:
        raise RuntimeError("stopped")

    undisturbed = fitted.published()
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path / "killed"))
    company = Company(tmp_path / "killed")
    company.write(daily_values(WEEKS))
    with monkeypatch.context() as patch:
        patch.setattr(f"pipelines.components.forecast.{step}", stop)
        with pytest.raises(RuntimeError, match="stopped"):
            company.run(DAILY, ["models"])
    assert champion_version(MODEL, suffix=".json") is None
    result = company.run(DAILY)
    version = champion_version(MODEL, suffix=".json")
    keys = ["metric", "segment", "period_start_date"]
    assert_frame_equal(
        company.published().drop("model_version").sort(keys),
        undisturbed.drop("model_version").sort(keys),
        abs_tol=1e-9,
    )
    (fit,) = company.fits()
    assert (fit["status"], fit["model_version"]) == ("kept", version)
    assert fit["error"] > 0 and fit["model_sha256"]
    chosen = company.ask("select model_version from published.forecast_accuracy where chosen").to_series().to_list()
    assert chosen == [version] * len(SERIES)
    assert ("stopped before" in metadata(result, "models").get("warning", "")) == (step == "promote")


def test_a_metric_whose_source_is_behind_is_forecast_from_there_and_says_so(company: Company):
    ends = SUNDAY - timedelta(weeks=4, days=-2)
    until = pl.when(pl.col("metric") == "bookings").then(pl.lit(ends)).otherwise(pl.lit(SUNDAY))
    behind = pl.when(pl.col("metric") == "bookings").then(pl.lit("desk has nothing after 2026-06-02"))
    values = daily_values(WEEKS).with_columns(known_until_date=until, behind=behind)
    company.write(values.filter(pl.col("metric_date") <= pl.col("known_until_date")))
    result = company.run(DAILY)
    published = company.published().filter(pl.col("segment") == "total").sort("period_start_date")
    first = SUNDAY - timedelta(weeks=4, days=-1)
    note = f"desk has nothing after 2026-06-02; forecast from the week of {first} on"
    bookings = published.filter(pl.col("metric") == "bookings")
    assert bookings["note"].unique().to_list() == [note]
    future = bookings.filter(pl.col("actual").is_null())["period_start_date"].to_list()
    assert (future[0], len(future)) == (first, FORECAST.horizon)
    assert bookings["actual"].drop_nulls().min() > 0, "no weeks of zero that nobody knows"
    revenue = published.filter(pl.col("metric") == "recurring_revenue")
    assert revenue["note"].unique().to_list() == [None]
    assert revenue.filter(pl.col("actual").is_null())["period_start_date"].min() == SUNDAY + timedelta(days=1)
    assert metadata(result, "scores")["warning"] == f"forecasts, bookings: {note}"


def test_the_assets_follow_each_other_and_wait_for_the_warehouse():
    resources = dg.Definitions(resources={"warehouse": Warehouse()})
    graph = dg.Definitions.merge(FORECAST.build_defs(None), resources).resolve_asset_graph()
    models, scores = dg.AssetKey(["models", MODEL]), dg.AssetKey(["scores", MODEL])
    features = dg.AssetKey(["features", "metric_series"])
    assert graph.get(models).parent_keys == {features}
    assert graph.get(scores).parent_keys == {features, models}
    assert graph.get(dg.AssetKey(["published", "forecasts"])).parent_keys == {scores}
    assert [graph.get(key).pools for key in graph.executable_asset_keys] == [{"warehouse"}] * 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prophet": "always"}, "use totals, all or none"),
        ({"metrics": {"bookings": "mean"}}, "use sum (flows) or last (stocks)"),
        ({"horizon": 0}, "it must be 1 or more"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_in_words(change: dict, words: str):
    with pytest.raises(ValueError, match="Forecast 'company'") as refused:
        FORECAST.model_copy(update=change).learning_spec()
    assert words in str(refused.value)
