"""What a run says when it is done."""

import os
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from pipelines.commands.running import (
    SHOWN_WARNINGS,
    failure_reason,
    identity_warnings,
    next_step,
    notices,
    output_to,
    read_summary,
    start_sample_if_none,
)
from pipelines.database import connect, connect_in_memory
from pipelines.instance.metadata import warn
from pipelines.registry.fits import record_fit


def configure(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "sources.yaml").write_text(text)
    monkeypatch.setenv("SCORECAST_SOURCES", str(folder / "sources.yaml"))
    monkeypatch.setenv("SCORECAST_DATA", str(folder / "data"))


def test_one_more_day_is_offered_only_to_those_who_look_at_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    configure(monkeypatch, tmp_path, "sample: {accounts: 10}\nsources: {stripe: landing/stripe}\n")
    assert "--next-day" in next_step()
    configure(monkeypatch, tmp_path, "sources: {stripe: landing/stripe}\n")
    assert next_step() == ""


def test_a_sample_is_made_only_where_one_is_asked_for_and_nothing_landed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    configure(monkeypatch, tmp_path, "sources: {stripe: landing/stripe}\n")
    assert start_sample_if_none() is None
    assert not (tmp_path / "data" / "landing").exists()
    configure(monkeypatch, tmp_path, "sample: {accounts: 20, months: 2}\nsources: {stripe: landing/stripe}\n")
    assert start_sample_if_none().wait() == 0
    assert sorted((tmp_path / "data" / "landing" / "stripe").rglob("*.*"))
    assert start_sample_if_none() is None


def test_what_a_step_prints_goes_to_the_log_and_not_to_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    with output_to(tmp_path / "last_run.log"):
        os.write(1, b"loaded 3 files\n")
    os.write(1, b"done\n")
    assert capfd.readouterr().out == "done\n"
    assert (tmp_path / "last_run.log").read_text() == "loaded 3 files\n"


def test_the_innermost_error_is_told():
    class Error:
        def __init__(self, message: str, cause: "Error | None" = None) -> None:
            self.message, self.cause = message, cause

    class Event:
        message = "step failed"

        class step_failure_data:
            error = Error("outer", Error("the disk is full\n"))

    assert failure_reason(Event) == "the disk is full"


def test_a_run_tells_what_was_put_aside_and_what_is_wrong_with_the_exports():
    def finding(name: str, key: list[str], passed: bool, blocking: bool, told: str | None):
        @dg.asset_check(name=name, asset=key, blocking=blocking)
        def check() -> dg.AssetCheckResult:
            severity = dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN
            return dg.AssetCheckResult(passed=passed, severity=severity, description=told)

        return check

    def loaded(source: str, table: str, rows: int):
        @dg.asset(key=[f"raw_{source}", table])
        def load() -> dg.MaterializeResult:
            return dg.MaterializeResult(metadata={"quarantined": rows})

        return load

    @dg.asset(key=["scores", "churn"])
    def scores(context: dg.AssetExecutionContext) -> None:
        warn(context, "another version scores")

    definitions = [
        loaded("stripe", "customer", 2),
        loaded("stripe", "invoice", 5),
        loaded("crm", "lead", 1),
        loaded("web", "visit", 0),
        scores,
        finding("files", ["raw_web", "visit"], False, False, "web: the folder is not there"),
        finding("contract", ["raw_web", "visit"], True, False, "Everything holds."),
        finding("stable", ["scores", "churn"], False, False, "a column has shifted"),
        finding("gate", ["scores", "churn"], False, True, "no reasons\nno keys"),
    ]
    result = dg.materialize(definitions, raise_on_error=False)
    told = notices(result.all_events)
    assert {line for line in told if line.startswith("  !")} == {
        "  ! web: the folder is not there",
        "  ! no reasons",
        "  ! no keys",
        "  ! another version scores",
    }
    assert "  Rows put aside because they break the contract: crm 1, stripe 7." in told
    assert "raw_stripe._quarantine" in told[-1]


def test_levels_in_an_order_are_as_good_as_they_are_far_off(tmp_path: Path):
    path = tmp_path / "release.duckdb"
    figures = {"auc": 0.8, "error_in_levels": 0.612, "error_in_levels_of_median": 0.9, "median_level": "4"}
    run = {"model": "mood", "run_id": "r", "started_at": datetime.now(UTC), "rows": 9, "model_version": "mood-1"}
    with connect(path) as connection:
        record_fit(connection, **run, status="kept", reason="", metrics=figures)
        connection.execute("create table model_runs as from published.model_runs")
        connection.execute("create table moods as select 4 as predicted, 'mood-1' as model_version")
        connection.execute(
            "create table releases as select 'x' as release_id, current_date as as_of_date, '' as status, '' as note,"
            """ '{"moods": {"rows": 1, "columns": ["predicted", "model_version"]}}' as tables"""
        )
    assert read_summary(path)[2] == {"moods": "off by 0.61 levels on average, always saying 4 by 0.90"}


def test_what_the_identity_report_warns_of_is_told_the_largest_of_each_topic_first():
    with connect_in_memory() as connection:
        connection.execute(
            "create table identity_report"
            " (topic varchar, names bigint, unmatched bigint, records bigint, warning varchar)"
        )
        assert identity_warnings(connection, ["accounts"]) == []
        connection.execute(
            "insert into identity_report values ('keys', null, 5, 9, 'few keys'), ('keys', null, 50, 90, 'many keys'),"
            " ('group', 30, null, 40, 'a large group'), ('joined', null, null, 900, null)"
        )
        told = identity_warnings(connection, ["accounts", "identity_report"])
        assert told == ["a large group", "many keys", "few keys"]
        connection.execute("insert into identity_report values ('deals in two systems', null, 5, null, 'Twice.')")
        (twice,) = [each for each in identity_warnings(connection, ["identity_report"]) if each.startswith("Twice.")]
        assert "`scorecast forget <system>/<file>` takes it back" in twice
        connection.execute("delete from identity_report where warning = 'Twice.'")
        connection.execute("insert into identity_report select 'group', n, null, 1, 'group ' || n from range(10) t(n)")
        told = identity_warnings(connection, ["identity_report"])
        assert told[-1] == f"and {13 - SHOWN_WARNINGS} more warnings of identity_report"
        assert len(told) == SHOWN_WARNINGS + 1
