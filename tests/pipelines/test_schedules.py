"""When the jobs run: at which time of whose day, and what they fit."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from pipelines.schedules import SCHEDULES, daily, weekly_refit
from pipelines.settings import REFIT_TAG, project_root

TELL = (
    "import json; from pipelines.schedules import SCHEDULES;"
    " print(json.dumps({s.name: [s.cron_schedule, s.execution_timezone] for s in SCHEDULES}))"
)


def load(sources: Path) -> subprocess.CompletedProcess[str]:
    """Load the schedules as a new Dagster process does, with another `sources.yaml`."""
    return subprocess.run(
        [sys.executable, "-c", TELL],
        env={**os.environ, "SCORECAST_SOURCES": str(sources)},
        cwd=project_root(),
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("said", "timezone"),
    [("", "UTC"), ("timezone: Europe/Berlin\n", "Europe/Berlin"), ("timezone: America/New_York\n", "America/New_York")],
)
def test_the_time_zone_is_that_of_the_configuration(tmp_path: Path, said: str, timezone: str):
    (tmp_path / "sources.yaml").write_text(said)
    loaded = load(tmp_path / "sources.yaml")
    assert loaded.returncode == 0, loaded.stderr
    assert json.loads(loaded.stdout) == {
        "every_morning": ["0 5 * * *", timezone],
        "every_sunday": ["0 3 * * 0", timezone],
    }


def test_a_time_zone_that_is_none_is_named_with_its_line(tmp_path: Path):
    path = tmp_path / "sources.yaml"
    path.write_text("quarantine_limit: 0.1\ntimezone: Berlin\n")
    loaded = load(path)
    assert loaded.returncode != 0
    last = loaded.stderr.strip().splitlines()[-1]
    assert f"{path}, line 2: there is no time zone 'Berlin'. Write one such as Europe/Berlin." in last


@pytest.mark.parametrize(
    ("name", "job", "refit"), [("every_morning", daily, "missing"), ("every_sunday", weekly_refit, "always")]
)
def test_a_tick_starts_one_run_that_fits_what_it_should(name: str, job: object, refit: str):
    (schedule,) = (each for each in SCHEDULES if each.name == name)
    assert schedule.job is job
    assert job.tags[REFIT_TAG] == refit
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=datetime(2026, 6, 28, 5, tzinfo=UTC)
        )
        tick = schedule.evaluate_tick(context)
    assert len(tick.run_requests) == 1
    assert tick.skip_message is None


def test_schedules_start_only_when_someone_turns_them_on():
    assert {schedule.default_status for schedule in SCHEDULES} == {dg.DefaultScheduleStatus.STOPPED}
