"""The first runs of a company whose exports are not there, or are not enough: what is said, and the exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ACCOUNTS = "Id,Name,CreatedDate,SystemModstamp\n001A,Acme,2025-01-02,2025-01-02\n001B,Bolt,2025-02-03,2025-02-03\n"

pytestmark = pytest.mark.slow


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SCORECAST_DATA": str(folder), "SCORECAST_SOURCES": str(folder / "sources.yaml")}
    command = [sys.executable, "-m", "pipelines.commands.main", "run"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)


def test_a_run_that_makes_nothing_fails_and_says_first_what_is_missing(tmp_path: Path):
    (tmp_path / "sources.yaml").write_text("sources:\n  salesforce: crm\n")
    nothing = run(tmp_path)
    told = nothing.stderr.splitlines()
    assert nothing.returncode == 1
    assert told[0].startswith(f"  ! salesforce: the folder {tmp_path / 'crm'} is not there.")
    why = f"  Nothing is loaded, so there is nothing to score. salesforce: {tmp_path / 'crm'} is not there. Correct"
    assert [line for line in told if line.startswith(why)]
    assert not any("Traceback" in line or "dagster." in line for line in told)
    assert not (tmp_path / "published.duckdb").exists()

    (tmp_path / "crm").mkdir()
    (tmp_path / "crm" / "account.csv").write_text(ACCOUNTS)
    without_scores = run(tmp_path)
    assert without_scores.returncode == 0  # what there is, is published
    assert "! No model could be fitted: there are no scores and no forecasts." in without_scores.stderr
    told = without_scores.stdout.splitlines()
    assert "churn was skipped: there are no subscriptions: stripe/subscription" in told
    assert "lead_score was skipped: there are no leads: salesforce/lead" in told
    (win,) = [line for line in told if line.startswith("opportunity_win was skipped: ")]
    assert "salesforce/opportunity" in win
    assert [line for line in told if line.startswith("company_forecast was skipped: there are no ")]
    assert any("accounts" in line for line in told)
