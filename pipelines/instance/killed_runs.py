"""Command-line runs whose process was killed: Dagster thinks that they still run, and queues others behind them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

TAG = "scorecast/process"
"""A run's process: its id and start time, because process ids are reused."""


def process_tag() -> dict[str, str]:
    """The tag of a run in this process."""
    return {TAG: _mark(os.getpid())}


def end_killed_runs(instance: "DagsterInstance") -> list[str]:
    """
    Mark every command-line run whose process is gone as failed, and free its slots in the pools.

    Runs that Dagster launched have no such tag; its daemon monitors them. Returns the ids of the ended runs.
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
    """`<id> <start>`: the start in kernel ticks (field 22 of /proc/<id>/stat), empty on systems without /proc."""
    try:
        os.kill(process, 0)
        stat = Path(f"/proc/{process}/stat")
        started = stat.read_text().rsplit(")", 1)[1].split()[19] if Path("/proc/self").exists() else ""
    except OSError:  # no process has that id, or another user's has
        return "gone"
    return f"{process} {started}"
