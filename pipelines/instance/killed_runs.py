"""Runs of the command line whose process was killed: Dagster takes them for running, and lets no other run begin."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

TAG = "scorecast/process"
"""Which process a run is in: its number, and when it was started, for numbers are used again."""


def process_tag() -> dict[str, str]:
    """The tag of a run in this process."""
    return {TAG: _mark(os.getpid())}


def end_killed_runs(instance: "DagsterInstance") -> list[str]:
    """
    Mark as failed every run of the command line whose process is gone, and free its place in the pools.

    Runs that Dagster launched have no tag and are watched by its own daemon. Returns the ids of the runs.
    """
    import dagster as dg

    going = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=going)):
        mark = run.tags.get(TAG)
        if mark is not None and mark != _mark(int(mark.split()[0])):
            instance.report_run_failed(run, "The process of this run is gone: it was killed, or the machine stopped.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            ended.append(run.run_id)
    return ended


def _mark(process: int) -> str:
    """`<number> <start>`: the kernel's tick (field 22 of /proc/<number>/stat), or nothing where there is no /proc."""
    try:
        os.kill(process, 0)
        stat = Path(f"/proc/{process}/stat")
        started = stat.read_text().rsplit(")", 1)[1].split()[19] if Path("/proc/self").exists() else ""
    except OSError:  # Nobody has that number, or somebody else's process has.
        return "gone"
    return f"{process} {started}"
