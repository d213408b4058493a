"""Whether a model still sees what it learnt from and keeps its promise, as published and as checks on its scores."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from pipelines.database import connect, write_frame
from pipelines.learning.fitting.fit import FittedPrediction, fit_prediction, predict
from pipelines.learning.scoring.storage import save_model
from pipelines.publishing.release import build_release
from pipelines.registry.store import model_path, promote
from pipelines.sensors import requested_refits, worsened_models
from pipelines.track_record.assets import track_record_definitions
from pipelines.track_record.health import health_checks, write_model_health
from pipelines.warehouse import Warehouse
from tests.pipelines.components.past import HORIZON, LAST, TARGET, Company, elsewhere, prediction, weekly

FITTED = LAST - timedelta(days=HORIZON + 29)
"""The champion was fitted on this Sunday, and its scores of the four weeks after have an outcome by now."""
SCORED = [FITTED + timedelta(days=7 * week) for week in range(1, 5)]
TODAY = LAST


@pytest.fixture(scope="module")
def model() -> FittedPrediction:
    known = weekly().filter(pl.col("as_of_date") + pl.duration(days=HORIZON) <= FITTED)
    return fit_prediction(known, prediction().learning_spec()).model


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: FittedPrediction) -> Company:
    """A company whose champion has scored four Sundays that are long past, and today."""
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    company = Company(tmp_path)
    company.write(weekly(), TODAY)
    save_model(model, model_path("churn", "churn-1"))
    promote("churn", "churn-1")
    rows = weekly().filter(pl.col("as_of_date").is_in(SCORED))
    say(company, rows, predict(model, rows))
    score_today(company, model, weekly())
    return company


def say(company: Company, rows: pl.DataFrame, probability: np.ndarray, **more: object) -> None:
    company.released(
        [
            {"entity_id": account, "as_of_date": day, "probability": float(each), "grade": "A", **more}
            for account, day, each in zip(rows["account_id"], rows["as_of_date"], probability, strict=True)
        ]
    )


def score_today(company: Company, model: FittedPrediction, frame: pl.DataFrame) -> None:
    rows = frame.filter(pl.col("as_of_date") == TODAY)
    scores = rows.select("account_id", "as_of_date").with_columns(
        probability=pl.Series(predict(model, rows)), model_version=pl.lit("churn-1")
    )
    with connect(company.warehouse) as connection:
        write_frame(connection, scores, "scores", "churn")


def health(company: Company, as_of: date = TODAY) -> dict:
    company.compare(write_model_health, [prediction()], as_of)
    (row,) = company.ask(f"from published.model_health where as_of_date = '{as_of}'")
    return row


def test_a_model_that_holds_is_left_alone(company: Company, model: FittedPrediction):
    row = health(company)
    assert (row["model"], row["model_version"], row["scores_table"]) == ("churn", "churn-1", "churn_scores")
    assert row["rows_scored"] == 250
    assert (row["matured_rows"], row["matured_entities"]) == (1000, 250)
    assert row["promised_auc"] == model.metrics["auc"]
    assert row["auc"] == pytest.approx(model.metrics["auc"], abs=2 * row["auc_noise"])
    assert 0 < row["log_loss_noise"] < row["log_loss"]
    assert not row["is_refit_requested"]
    assert row["reason"].startswith("As promised: AUC ")
    worst = json.loads(row["worst_columns"])
    assert worst[0]["column"] == row["max_psi_column"]
    assert worst[0]["psi"] == row["max_psi"]
    assert all(passed for passed, _ in health_checks(row).values())


def test_tables_of_another_schema_give_the_same(company: Company, model: FittedPrediction):
    row = health(company)
    company.move("core", as_of="day")
    save_model(replace(model, spec=replace(model.spec, as_of="day")), model_path("churn", "churn-1"))
    company.compare(write_model_health, [elsewhere()], TODAY)
    assert company.ask("from published.model_health") == [row]
    (checked,) = track_record_definitions([elsewhere()]).assets
    assert dg.AssetKey(["core", "account_outcomes"]) in checked.asset_deps[dg.AssetKey(["published", "uplift"])]


def test_predictions_of_a_table_and_of_classes_are_there_beside_the_others(company: Company, model: FittedPrediction):
    """Neither has outcomes: what can be told of them is, and the rest is said in words."""
    frame = weekly().filter(pl.col("as_of_date") == FITTED).drop("as_of_date")
    for name in ("flat", "kinds"):
        spec = replace(model.spec, name=name, task="yes_no" if name == "flat" else "classes")
        save_model(replace(model, spec=spec), model_path(name, f"{name}-1"))
        promote(name, f"{name}-1")
    is_open = frame.with_columns(pl.lit(None, dtype=pl.Boolean).alias(TARGET))
    scored = is_open.select("account_id").with_columns(as_of_date=pl.lit(TODAY), model_version=pl.lit("kinds-1"))
    yes = pl.Series(predict(model, frame))
    with connect(company.warehouse) as connection:
        write_frame(connection, frame, "core", "flat")
        write_frame(connection, is_open, "core", "kinds")
        write_frame(connection, scored.with_columns(probability_a=yes, probability_b=1 - yes), "scores", "kinds")
    flat = {"outcomes": None, "as_of": None, "horizon_days": None}
    others = [
        prediction(name="flat", features="core.flat", **flat),
        prediction(name="kinds", features="core.kinds", task="classes", **flat),
    ]
    definitions = track_record_definitions([*others, prediction()])
    assert materialize(definitions).success
    rows = {row["model"]: row for row in company.ask("from published.model_health")}
    assert rows["churn"]["auc"] is not None
    assert rows["flat"]["reason"] == "Its YAML names no `as_of`: no table says what came of a score on its day."
    assert rows["kinds"]["reason"].startswith("It tells several classes apart")
    for name in ("flat", "kinds"):
        assert rows[name]["rows_scored"] == 250
        assert rows[name]["max_psi"] is not None
        assert (rows[name]["auc"], rows[name]["is_refit_requested"]) == (None, False)
    assert rows["flat"]["score_psi"] is None, "it has learnt from the very rows that it scores"
    assert rows["kinds"]["score_psi"] > 0, "of the most likely class"
    passed, said = health_checks(rows["flat"])["scores_are_stable"]
    assert passed and "has learnt from these very rows" in said
    keys = {key for asset in definitions.assets for keys in asset.asset_deps.values() for key in keys}
    assert {key.path[-1] for key in keys if key.path[0] == "backfills"} == {"churn"}
    assert {row["model"] for row in company.ask("from published.score_outcomes")} == {"churn"}


def test_outcomes_that_turn_out_otherwise_ask_for_a_refit(company: Company):
    rows = weekly().filter(pl.col("as_of_date").is_in(SCORED))
    say(company, rows, np.random.default_rng(0).random(rows.height))
    row = health(company)
    assert row["is_refit_requested"]
    assert row["reason"].startswith("Worse than promised beyond noise: AUC 0.")
    passed, said = health_checks(row)["promise_is_kept"]
    assert not passed
    assert said == row["reason"]


@pytest.mark.parametrize(
    "more", [{"model_version": "churn-0"}, {"is_backfill": True}], ids=["other version", "backfill"]
)
def test_what_this_version_did_not_say_is_not_held_against_it(company: Company, more: dict):
    rows = weekly().filter(pl.col("as_of_date").is_in(SCORED))
    say(company, rows, np.random.default_rng(0).random(rows.height), **more)
    row = health(company)
    assert (row["matured_rows"], row["auc"], row["is_refit_requested"]) == (None, None, False)
    assert row["reason"] == "No outcome of its scores is known yet."


def test_a_population_that_moved_is_named(company: Company, model: FittedPrediction):
    moved = weekly().with_columns(
        pl.when(pl.col("as_of_date") == TODAY).then(pl.col(name) * 0.1).otherwise(pl.col(name)).alias(name)
        for name in ("usage_logins_sum_7d", "usage_logins_sum_28d")
    )
    company.write(moved, TODAY)
    score_today(company, model, moved)
    row = health(company)
    assert row["max_psi_column"].startswith("usage_logins")
    assert row["score_psi"] > 0.25
    checks = health_checks(row)
    assert not checks["scores_are_stable"][0]
    assert not checks["inputs_are_stable"][0]
    assert "usage_logins" in checks["inputs_are_stable"][1]
    assert "this is not as it was when the model learnt: Usage logins in the last" in checks["inputs_are_stable"][1]


def test_every_day_adds_a_row_and_the_same_day_again_none(company: Company):
    earlier = TODAY - timedelta(days=7)
    health(company, earlier)
    health(company)
    health(company)
    days = company.ask("select as_of_date from published.model_health order by 1")
    assert [row["as_of_date"] for row in days] == [earlier, TODAY]


def test_a_model_from_before_baselines_has_health_without_drift(company: Company, model: FittedPrediction):
    save_model(replace(model, baseline={}), model_path("churn", "churn-1"))
    row = health(company)
    assert row["max_psi"] is None
    assert row["auc"] is not None
    assert all(passed for passed, _ in health_checks(row).values())


def materialize(definitions: dg.Definitions) -> dg.ExecuteInProcessResult:
    everything = dg.Definitions(
        assets=[*[dg.AssetSpec(["scores", name]) for name in ("churn", "flat", "kinds")], *definitions.assets],
        asset_checks=definitions.asset_checks,
        resources={"warehouse": Warehouse()},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        return everything.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, raise_on_error=False
        )


def test_a_file_that_is_refused_stops_nothing_and_is_named(company: Company):
    """The other tables of the track record are made, and the checks on the scores say why there is no health."""
    path = model_path("churn", "churn-1")
    path.write_bytes(path.read_bytes()[:-1])
    result = materialize(track_record_definitions([prediction()]))
    assert result.success
    (row,) = company.ask("from published.model_health")
    assert (row["model_version"], row["as_of_date"], row["rows_scored"]) == ("churn-1", TODAY, None)
    assert row["is_refit_requested"] is False
    assert "is not the file that was saved" in row["reason"] and str(company.data) not in row["reason"]
    assert company.ask("select count(*) as rows from published.score_outcomes") == [{"rows": len(SCORED)}]
    checks = result.get_asset_check_evaluations()
    assert {(each.passed, each.description) for each in checks} == {(False, row["reason"])}
    assert {each.severity for each in checks} == {dg.AssetCheckSeverity.WARN}


def test_the_tables_are_assets_and_the_checks_are_on_the_scores(company: Company):
    definitions = track_record_definitions([prediction()])
    keys = {spec.key.path[-1] for asset in definitions.assets for spec in asset.specs}
    assert keys == {"model_health", "score_outcomes", "uplift"}
    shown = [spec.metadata["dagster/column_schema"] for asset in definitions.assets for spec in asset.specs]
    assert all(column.description for schema in shown for column in schema.columns)
    result = materialize(definitions)
    assert result.success
    checks = result.get_asset_check_evaluations()
    assert {each.check_name for each in checks} == {"scores_are_stable", "inputs_are_stable", "promise_is_kept"}
    assert {each.asset_key.path[0] for each in checks} == {"scores"}
    assert {each.severity for each in checks} == {dg.AssetCheckSeverity.WARN}
    assert all(each.passed for each in checks)
    told = company.ask("select told from published.score_outcomes where grade = 'A' order by as_of_date limit 1")
    assert told[0]["told"].startswith(f"Of 250 accounts graded A on {SCORED[0]}, ")


def write_over(company: Company, statement: str) -> None:
    """Change the published file; no checksum is on record then by which the change would be found."""
    shutil.rmtree(company.data / "releases", ignore_errors=True)
    company.published.chmod(0o644)
    with connect(company.published) as connection:
        connection.execute(statement)


def test_a_refit_is_asked_for_once_a_version(company: Company):
    rows = weekly().filter(pl.col("as_of_date").is_in(SCORED))
    say(company, rows, np.random.default_rng(0).random(rows.height))
    health(company)

    def look() -> list[dg.RunRequest]:
        with dg.DagsterInstance.ephemeral() as instance:
            return list(worsened_models.evaluate_tick(dg.build_sensor_context(instance=instance)).run_requests or [])

    assert look() == []
    company.published.unlink()
    build_release(
        company.warehouse, company.published, company.data / "releases", lambda _: [], "run", datetime.now(UTC)
    )
    assert requested_refits(company.published) == [("churn", "churn-1", "churn_scores")]
    release = company.published.read_bytes()
    company.published.unlink()
    assert requested_refits(company.published) == [("churn", "churn-1", "churn_scores")], "of the kept release"
    company.published.write_bytes(release)
    (first,), (second,) = look(), look()
    assert first.run_key == second.run_key == "refit churn-1"
    assert dg.AssetKey(["models", "churn"]) in first.asset_selection
    assert dg.AssetKey(["published", "release"]) in first.asset_selection
    assert worsened_models.job_name == "weekly_refit"
    write_over(company, "update model_health set as_of_date = as_of_date - 1")
    write_over(company, "insert into model_health by name select 'lead_score' as model, current_date as as_of_date")
    assert requested_refits(company.published) == [], "a model without health of the newest day was removed"
    write_over(company, "delete from model_health where model = 'lead_score'")
    assert requested_refits(company.published) == [("churn", "churn-1", "churn_scores")]
    model_path("churn", "churn-2").write_bytes(model_path("churn", "churn-1").read_bytes())
    promote("churn", "churn-2")
    assert look() == []


def test_nothing_is_asked_for_before_the_first_release(tmp_path: Path):
    assert requested_refits(tmp_path / "published.duckdb") == []
