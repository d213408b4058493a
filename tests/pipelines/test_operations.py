"""Schedules, sensors and the webhook; a model that cannot be fitted."""

import json
import threading
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from pipelines.database import connect, write_frame
from pipelines.registry.store import champion_version, model_path, promote
from pipelines.sensors import landed_files, post_failure
from pipelines.warehouse import Warehouse


@pytest.fixture
def data(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    return tmp_path


def test_a_changed_export_changes_the_fingerprint_and_a_second_look_does_not(tmp_path: Path):
    (tmp_path / "lead").mkdir()
    (tmp_path / "lead" / "a.csv").write_text("Id\n1\n")
    first = landed_files([tmp_path])
    assert landed_files([tmp_path]) == first
    (tmp_path / "lead" / "b.csv").write_text("Id\n2\n")
    assert landed_files([tmp_path]) != first


def test_new_files_start_one_run_once_they_have_settled(data: Path):
    from pipelines.sensors import new_files

    landing = data / "landing" / "stripe" / "customer"
    landing.mkdir(parents=True)

    def look(cursor: str | None) -> dg.SensorResult:
        return new_files(dg.build_sensor_context(cursor=cursor))

    first = look(None)
    assert not first.run_requests
    assert not look(first.cursor).run_requests
    (landing / "new.jsonl").write_text("{}\n")
    changing = look(first.cursor)
    assert not changing.run_requests
    settled = look(changing.cursor)
    assert len(settled.run_requests) == 1
    assert not look(settled.cursor).run_requests


def test_a_failed_run_is_posted_as_json():
    received = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            return

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.handle_request, daemon=True).start()
    post_failure(f"http://127.0.0.1:{server.server_port}/", "run-1", "daily", "the disk is full")
    server.server_close()
    assert received[0]["job"] == "daily"
    assert received[0]["run_id"] == "run-1"
    assert "the disk is full" in received[0]["text"]


def test_a_champion_whose_file_is_gone_is_none(data: Path):
    model_path("churn", "churn-1").parent.mkdir(parents=True)
    model_path("churn", "churn-1").write_text("model")
    promote("churn", "churn-1")
    assert champion_version("churn") == "churn-1"
    model_path("churn", "churn-1").unlink()
    assert champion_version("churn") is None


def prediction():
    from pipelines.components.prediction import Prediction
    from pipelines.components.resolved import PublishedScores

    return Prediction(
        name="tiny",
        description="A tiny question.",
        entity="account_id",
        features="account_snapshots",
        outcomes="account_outcomes",
        target="is_churned_90d",
        horizon_days=90,
        publish=PublishedScores(table="tiny_scores", described_by="accounts"),
    )


def write_features(data: Path, rows: int, answers: list[bool]) -> None:
    """A warehouse with `rows` snapshots whose answers repeat `answers`."""
    day = date(2026, 1, 4)
    ids = [f"a{number}" for number in range(rows)]
    snapshots = pl.DataFrame({"account_id": ids, "as_of_date": [day] * rows, "usage_count_28d": range(rows)})
    outcomes = snapshots.select("account_id", "as_of_date").with_columns(
        is_churned_90d=pl.Series([answers[number % len(answers)] for number in range(rows)])
    )
    catalogue = {"feature": ["usage_count_28d"], "snapshot": ["account_snapshots"], "description": ["days of usage"]}
    with connect(data / "warehouse.duckdb") as connection:
        write_frame(connection, snapshots, "features", "account_snapshots")
        write_frame(connection, outcomes, "features", "account_outcomes")
        write_frame(connection, pl.DataFrame(catalogue), "features", "catalogue")
        write_frame(connection, pl.DataFrame({"account_id": ids}), "core", "accounts")
        as_of = pl.DataFrame({"as_of_date": [day + timedelta(days=100)]})
        write_frame(connection, as_of, "raw_scorecast", "as_of")
        write_frame(connection, pl.DataFrame({"account_id": ["a0"], "score": [50]}), "scores", "tiny")


@pytest.mark.parametrize(
    ("rows", "answers", "why"),
    [
        (20, [True, False], "20 rows with a known is_churned_90d; 100 are needed."),
        (
            400,
            [False],
            "is_churned_90d is no in all 400 rows with a known outcome; both outcomes are needed (12 entities each).",
        ),
        (400, [True, *[False] * 39], "10 of 400 entities have is_churned_90d = yes (400 rows); 12 are needed."),
    ],
    ids=["few rows", "one class", "few entities"],
)
def test_a_model_that_cannot_be_fitted_says_why_and_leaves_the_last_scores(
    data: Path, rows: int, answers: list[bool], why: str
):
    write_features(data, rows, answers)
    component = prediction()
    assets = [component._model_asset(), component._scores_asset()]
    result = dg.materialize(assets, resources={"warehouse": Warehouse()}, instance=dg.DagsterInstance.ephemeral())
    assert result.success
    with connect(data / "warehouse.duckdb", read_only=True) as connection:
        status, reason = connection.execute("select status, reason from published.model_runs").fetchone()
        assert connection.execute("select account_id, score from scores.tiny").fetchall() == [("a0", 50)]
    assert (status, reason) == ("skipped", why)


def test_jobs_and_schedules():
    from pipelines.definitions import STALE_AFTER, defs

    graph = defs.resolve_asset_graph()
    refit = {key.path[0] for key in defs.resolve_job_def("weekly_refit").asset_layer.executable_asset_keys}
    assert refit == {"models", "scores", "core", "features", "published"}  # by what text models say
    schedules = {schedule.name: schedule.cron_schedule for schedule in defs.schedules}
    assert schedules == {"every_morning": "0 5 * * *", "every_sunday": "0 3 * * 0"}
    published = [key for key in graph.get_all_asset_keys() if key.path[0] == "published"]
    assert len(published) >= 6
    assert all(graph.get(key).freshness_policy is not None for key in published)
    assert timedelta(hours=24) < STALE_AFTER
    executable = [graph.get(key) for key in graph.executable_asset_keys]
    assert all(node.description and node.group_name and node.owners for node in executable)
