"""Runs of the command line whose process was killed."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg

from pipelines.instance.killed_runs import end_killed_runs

RUN = """
import os, signal, sys
import dagster as dg
from pipelines.instance.killed_runs import end_killed_runs, process_tag

instance = dg.DagsterInstance.get()

@dg.asset(pool="warehouse")
def orders():
    assert end_killed_runs(instance) == []  # this run lives
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)

dg.materialize([orders], instance=instance, tags=process_tag())
"""


def run(how: str, home: Path) -> int:
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    return subprocess.run([sys.executable, "-c", RUN, how], env=environment, capture_output=True).returncode


def test_a_run_that_was_killed_is_ended_and_one_that_lives_is_not(instance: dg.DagsterInstance, tmp_path: Path):
    assert run("killed", tmp_path) == -9
    (killed,) = instance.get_runs()
    assert killed.status == dg.DagsterRunStatus.STARTED
    assert end_killed_runs(instance) == [killed.run_id]
    assert instance.get_run_by_id(killed.run_id).status == dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.get_concurrency_info("warehouse").active_slot_count == 0
    assert run("lives", tmp_path) == 0
    assert instance.get_runs()[0].status == dg.DagsterRunStatus.SUCCESS
