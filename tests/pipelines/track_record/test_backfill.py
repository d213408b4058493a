"""Scores for past days as they would have been then: nothing that became known later may show in them."""

import json
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import numpy as np
import polars as pl
import pytest
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from pipelines.commands.running import notices
from pipelines.components.prediction import Prediction
from pipelines.database import connect, write_frame
from pipelines.registry.store import champion_version, model_path, promote
from pipelines.track_record.backfill import (
    DAYS_BETWEEN_FITS,
    Backfilled,
    backfill_asset,
    backfill_scores,
    fitted_on,
    not_scored,
    sundays,
    sundays_between,
)
from pipelines.track_record.score_history import write_score_outcomes
from pipelines.warehouse import Warehouse
from tests.pipelines.components.past import HORIZON, LAST, TARGET, Company, elsewhere, prediction, weekly

THEN = fitted_on(LAST - timedelta(days=HORIZON + 14)) + timedelta(days=7)
"""A Sunday whose answers are known by now, one week after a fit."""


def backfill(company: Company, *days: date, of: Prediction | None = None) -> list[Backfilled]:
    with connect(company.warehouse) as connection:
        return list(backfill_scores(connection, of or prediction(), days))


def scores(company: Company, day: date = THEN) -> list[dict]:
    return company.ask(
        "select entity_id, probability, score, grade, expected_value, model_version, release_id"
        f" from scores.backfilled where as_of_date = '{day}' order by entity_id"
    )


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A company that has been scored for one past day; nobody changes it."""
    company = Company(tmp_path_factory.mktemp("company"))
    company.write(weekly(), LAST)
    company.made = backfill(company, THEN)
    return company


def test_everybody_of_that_day_is_scored_and_marked(company: Company):
    (made,) = company.made
    rows = company.ask("from scores.backfilled")
    assert made.rows == len(rows) == 250
    assert f"by a model of {fitted_on(THEN)}, AUC " in made.note
    assert {row["as_of_date"] for row in rows} == {THEN}
    assert {(row["is_backfill"], row["release_id"]) for row in rows} == {(True, f"backfill-{THEN}")}
    assert {row["model_version"] for row in rows} == {f"churn-as-of-{fitted_on(THEN)}"}
    assert {row["grade"] for row in rows} == set("ABCDE")
    arr = company.ask(f"select account_id, arr from features.account_snapshots where as_of_date = '{THEN}'")
    value = {row["account_id"]: row["arr"] for row in arr}
    for row in rows:
        assert row["expected_value"] == pytest.approx(row["probability"] * value[row["entity_id"]])


@pytest.mark.parametrize("days_later", [0, 7])
def test_it_is_the_same_when_everything_known_after_that_day_is_deleted(
    company: Company, tmp_path: Path, days_later: int
):
    """The warehouse as it was at the end of that day: no later snapshot, no answer that was still to come."""
    cut = Company(tmp_path)
    cut.write(weekly(), THEN + timedelta(days=days_later))
    backfill(cut, THEN)
    assert scores(cut) == scores(company)


def test_answers_that_came_later_change_nothing_and_one_that_was_known_does(company: Company, tmp_path: Path):
    """The other way round, so that the test before could fail."""
    fitted = fitted_on(THEN)
    came_later = pl.col("as_of_date") + pl.duration(days=HORIZON) > fitted
    other = Company(tmp_path)
    other.write(
        weekly().with_columns(pl.when(came_later).then(~pl.col(TARGET)).otherwise(pl.col(TARGET)).alias(TARGET)), LAST
    )
    backfill(other, THEN)
    assert scores(other) == scores(company)
    known = pl.col("as_of_date") == fitted - timedelta(days=HORIZON + (fitted - timedelta(days=HORIZON)).weekday() + 1)
    other.write(
        weekly().with_columns(pl.when(known).then(~pl.col(TARGET)).otherwise(pl.col(TARGET)).alias(TARGET)), LAST
    )
    backfill(other, THEN)
    assert [row["probability"] for row in scores(other)] != [row["probability"] for row in scores(company)]


def test_which_days_are_asked_for_together_makes_no_difference(company: Company, tmp_path: Path):
    together = Company(tmp_path)
    together.write(weekly(), LAST)
    backfill(together, THEN - timedelta(days=14), THEN + timedelta(days=7), THEN)
    assert scores(together) == scores(company)


def test_the_same_day_again_takes_the_place_of_the_one_before(company: Company, tmp_path: Path):
    again = Company(tmp_path)
    again.write(weekly(), LAST)
    backfill(again, THEN)
    backfill(again, THEN)
    assert scores(again) == scores(company)


def test_tables_of_another_schema_give_the_same(company: Company, tmp_path: Path):
    other = Company(tmp_path)
    other.write(weekly(), LAST)
    other.move("core", as_of="day")
    backfill(other, THEN, of=elsewhere())
    assert scores(other) == scores(company)
    other.compare(write_score_outcomes, [elsewhere()])
    rows = other.ask("from published.score_outcomes order by grade")
    assert [row["grade"] for row in rows] == list("ABCDE")
    assert sum(row["matured_rows"] for row in rows) == 250
    tables = {dg.AssetKey(["core", table]) for table in ("account_snapshots", "account_outcomes")}
    assert set(backfill_asset(elsewhere()).asset_deps[dg.AssetKey(["backfills", "churn"])]) == tables


def test_what_would_have_been_refused_then_has_no_scores(tmp_path: Path):
    company = Company(tmp_path)
    chance = np.random.default_rng(0).random(250 * 80) < 0.3
    company.write(weekly().with_columns(pl.Series(TARGET, chance)), LAST)
    (made,) = backfill(company, THEN)
    assert made.rows == 0
    assert "no model on" in made.note
    assert "Refused" in made.note
    assert scores(company) == []


def test_a_day_too_early_or_without_a_snapshot_says_so(tmp_path: Path):
    company = Company(tmp_path)
    company.write(weekly(), LAST)
    early = weekly()["as_of_date"].min() + timedelta(days=HORIZON + 8)
    never = LAST + timedelta(days=7)
    made = backfill(company, early, never)
    assert [(each.as_of, each.rows) for each in made] == [(early, 0), (never, 0)]
    assert "needed" in made[0].note
    assert made[1].note == "there is no snapshot of this day"
    assert not_scored("churn", made) == (
        f"churn: none of 2 Sundays could be scored. {never}: there is no snapshot of this day."
    )
    scored = Backfilled(THEN, 250, "by a model")
    assert not_scored("churn", [made[0], scored]).startswith(
        f"churn: 1 of 2 Sundays could be scored. {early}: no model"
    )
    assert not_scored("churn", [scored]) == ""


def test_from_the_ui_a_range_is_one_run_that_leaves_the_champion_and_todays_scores_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    company = Company(tmp_path)
    company.write(weekly(), LAST)
    with connect(company.warehouse) as connection:
        write_frame(connection, pl.DataFrame({"account_id": ["a"], "probability": [0.5]}), "scores", "churn")
        write_frame(connection, pl.DataFrame({"account_id": ["a"], "probability": [0.5]}), "published", "churn_scores")
    model_path("churn", "churn-1").parent.mkdir(parents=True)
    model_path("churn", "churn-1").write_text("the model in use")
    promote("churn", "churn-1")
    days = sundays_between(THEN - timedelta(days=7), THEN + timedelta(days=13))
    tags = {ASSET_PARTITION_RANGE_START_TAG: str(days[0]), ASSET_PARTITION_RANGE_END_TAG: str(days[-1])}
    asset = backfill_asset(prediction())
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([asset], instance=instance, resources={"warehouse": Warehouse()}, tags=tags)
        assert result.success
        assert instance.get_materialized_partitions(asset.key) == {str(day) for day in days}
    assert not notices(result.all_events)
    rows = company.ask("select as_of_date, count(*) as rows from scores.backfilled group by all order by 1")
    assert rows == [{"as_of_date": day, "rows": 250} for day in days]
    assert champion_version("churn") == "churn-1"
    assert model_path("churn", "churn-1").read_text() == "the model in use"
    assert len(list(model_path("churn", "churn-1").parent.iterdir())) == 2
    for table in ("scores.churn", "published.churn_scores"):
        assert company.ask(f"from {table}") == [{"account_id": "a", "probability": 0.5}]

    company.write(weekly().filter(pl.col("as_of_date") > days[-1]), LAST)
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([asset], instance=instance, resources={"warehouse": Warehouse()}, tags=tags)
    why = f"churn: none of {len(days)} Sundays could be scored. {days[-1]}: there is no snapshot of this day."
    assert notices(result.all_events) == [f"  ! {why}"]


def test_what_was_backfilled_is_compared_with_what_came_of_it(company: Company, tmp_path: Path):
    company.compare(write_score_outcomes, [prediction()])
    rows = company.ask("from published.score_outcomes order by grade")
    assert [row["grade"] for row in rows] == list("ABCDE")
    assert all(row["is_backfill"] for row in rows)
    assert sum(row["matured_rows"] for row in rows) == 250
    assert rows[0]["actual_rate"] > 2 * rows[-1]["actual_rate"]
    assert abs(rows[0]["actual_rate"] - rows[0]["predicted_rate"]) < 0.25
    money = json.loads(rows[0]["money_by_currency"])
    assert money[""]["expected"] == pytest.approx(rows[0]["money_expected"], abs=0.01)


def test_one_model_serves_four_sundays_whatever_the_first_one_asked_for():
    days = sundays_between(date(2025, 7, 1), date(2026, 6, 30))
    assert len(days) == 52
    assert all(day.weekday() == 6 for day in days)
    assert all(0 <= (day - fitted_on(day)).days < DAYS_BETWEEN_FITS for day in days)
    assert all(fitted_on(fitted_on(day)) == fitted_on(day) and fitted_on(day).weekday() == 6 for day in days)
    assert len({fitted_on(day) for day in days}) in (13, 14)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (date(2026, 6, 30), date(2026, 6, 1), "earlier than --from"),
        (date(2026, 6, 29), date(2026, 7, 4), "There is no Sunday"),
    ],
)
def test_a_time_without_a_sunday_is_refused(first: date, last: date, words: str):
    with pytest.raises(ValueError, match=words):
        sundays_between(first, last)


@pytest.mark.parametrize("as_of", [date(2026, 6, 27), date(2026, 6, 28), date(2026, 7, 4)])
def test_the_weeks_that_can_be_chosen_are_those_of_which_there_are_snapshots(tmp_path: Path, as_of: date):
    """As `point_in_time_dates` makes them: two years back from the newest run, however long ago that was."""
    published = tmp_path / "published.duckdb"
    with duckdb.connect(str(published)) as connection:
        connection.execute(f"create table releases as select unnest([date '{as_of}', date '2026-01-04']) as as_of_date")
    kept = sundays(published).get_partition_keys()
    last = as_of - timedelta(days=(as_of.weekday() + 1) % 7)
    assert kept[-1] == str(last)
    assert kept == [str(last - timedelta(days=7 * week)) for week in reversed(range(104))]
    assert date.fromisoformat(kept[0]) > as_of - timedelta(days=728)


def test_before_the_first_release_any_week_can_be_chosen(tmp_path: Path):
    kept = sundays(tmp_path / "published.duckdb").get_partition_keys()
    assert kept[0] == "2015-01-04"
    (tmp_path / "damaged.duckdb").write_bytes(b"no database" * 1000)
    assert sundays(tmp_path / "damaged.duckdb").get_partition_keys() == kept
