"""What a run says when it is done."""

import os
from pathlib import Path

import dagster as dg
import pytest

from pipelines.commands.running import (
    failure_reason,
    notices,
    output_to,
    start_sample_if_none,
)
from pipelines.instance.metadata import warn


def configure(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "sources.yaml").write_text(text)
    monkeypatch.setenv("SCORECAST_SOURCES", str(folder / "sources.yaml"))
    monkeypatch.setenv("SCORECAST_DATA", str(folder / "data"))


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
