"""A run from the command line: write the sample company if it is configured, run the job, print a summary."""

import importlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.mishaps import explained
from pipelines.publishing.kept_releases import last_release
from pipelines.settings import data_dir, project_root, published_path

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterInstance, JobDefinition
    from rich.console import Console

    from pipelines.publishing.states import Release

POLL_SECONDS = 1.0
OWN_ERROR = re.compile(r"^pipelines(\.\w+)+: ")
"""How an error's message begins whose class is ours."""
CODE_LOCATION = "scorecast"
"""What `workspace.yaml` calls the definitions."""


class NoSample(RuntimeError):
    """The sample company could not be written."""


def terminal() -> "Console":
    """A console on the terminal's own stderr, which Dagster's capture of a step's output does not reach."""
    from rich.console import Console

    return Console(file=os.fdopen(os.dup(2), "w"))


@contextmanager
def progress_bar(console: "Console", title: str) -> "Iterator":
    """A progress bar on a terminal; nothing when piped."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[doing]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(title, total=None, doing="starting")
        yield lambda **fields: progress.update(task, **fields)


def prepare_run() -> None:
    """
    Write the sample company if it is configured; meanwhile dbt parses, and Dagster and the definitions are loaded.

    Raises `YamlMistakes`, before anything is written, if the YAML of a model is wrong, and `NoSample` if the sample
    could not be written; the process that writes it has printed why.
    """
    from pipelines.components.validation import read_components
    from pipelines.quality.checker import start_checker
    from pipelines.transformation.building import ensure_manifest, start_worker

    start_worker()
    read_components(project_root())
    sample = start_sample_if_none()
    try:
        open_instance()
        ensure_manifest()
        importlib.import_module("pipelines.definitions")
        start_checker()
    finally:
        failed = sample is not None and sample.wait() != 0
    if failed:
        raise NoSample("The sample company was not written.")


def open_instance() -> None:
    """Have Dagster create its databases, which takes seconds the first time, and end runs that were killed."""
    import dagster as dg

    from pipelines.instance.killed_runs import end_killed_runs

    with dg.DagsterInstance.get() as instance:
        end_killed_runs(instance)


def start_sample_if_none() -> subprocess.Popen | None:
    """
    Start a process that writes the sample company's exports, so that this one can import meanwhile.

    Only if `sources.yaml` has a sample and the landing folder is empty; None otherwise.
    """
    from pipelines.extraction.configuration import read_configuration

    configuration = read_configuration()
    landing = data_dir() / "landing"
    if configuration.sample is None or (landing.exists() and any(landing.iterdir())):
        return None
    return subprocess.Popen([sys.executable, "-m", "pipelines.commands.main", "sample"])


def write_sample_company(accounts: int | None = None, months: int | None = None, seed: int | None = None) -> None:
    """Write the whole sample company; missing options come from `sources.yaml`, then from the defaults."""
    from pipelines.extraction.configuration import read_configuration
    from pipelines.sample.company import write_sample

    configured = read_configuration().sample or {}
    given = {"accounts": accounts, "months": months, "seed": seed}
    options = {**configured, **{name: value for name, value in given.items() if value is not None}}
    console = terminal()
    started = time.monotonic()
    with progress_bar(console, "Sample company") as update:
        summary = write_sample(
            data_dir() / "landing",
            data_dir() / "truth",
            **options,
            progress=lambda doing, share: update(doing=doing, completed=round(share * 100), total=100),
        )
    console.print(f"Sample company written in {time.monotonic() - started:.0f} s: {summary}")


def write_sample_day() -> date:
    """Write one more day of the sample company's exports; returns the day."""
    from pipelines.sample.company import write_next_day

    return write_next_day(data_dir() / "landing", data_dir() / "truth")


def run_job(name: str, tags: Mapping[str, str] | None = None, assets: Sequence[Sequence[str]] | None = None) -> bool:
    """
    Run a job, or these of its assets, in this process, recorded in the Dagster instance like any other run.

    Returns whether it succeeded; failures are printed, with the run's id for the UI.
    """
    console = terminal()
    with console.status("Loading the definitions") if console.is_terminal else _quiet():
        import dagster as dg
        from dagster._core.storage.tags import REPOSITORY_LABEL_TAG

        from pipelines.definitions import defs
        from pipelines.instance.killed_runs import process_tag

        job = defs.resolve_job_def(name)
    with dg.DagsterInstance.get() as instance:
        if assets is not None:
            job = job.get_subset(asset_selection={dg.AssetKey(key) for key in assets})
        # A job's page in the UI finds its runs by this tag.
        known_as = {REPOSITORY_LABEL_TAG: f"{defs.get_repository_def().name}@{CODE_LOCATION}"}
        return _run(console, instance, job, {**(tags or {}), **known_as, **process_tag()})


def report_rollback(release: "Release") -> None:
    """Report a rolled-back release to Dagster, so that the UI shows it as the latest of `published/release`."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key=["published", "release"],
                description=f"Rolled back to the {release.note}.",
                metadata={
                    "release_id": release.release_id,
                    "as_of_date": str(release.as_of_date),
                    "note": release.note,
                    "tables": {table: described["rows"] for table, described in release.tables.items()},
                },
            )
        )


def run_backfill(first: date, last: date, model: str | None = None) -> bool:
    """
    Backfill the scores of every Sunday of a period, for one model or all, and publish their outcomes.

    Returns whether it succeeded. Raises `ValueError` for a period without a Sunday, an unknown model, or a warehouse
    that has not been built.
    """
    from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

    from pipelines.track_record.backfill import days_with_snapshots, sundays_between

    days = sundays_between(first, last)
    last = last_release(published_path()).path
    kept = None if last is None else days_with_snapshots(last)
    if kept is None:
        raise ValueError(f"Nothing has been built yet: {published_path()} is not there. Run `make run` first.")
    asked, days = len(days), [day for day in days if kept[0] <= day <= kept[1]]
    if len(days) < asked:
        there = f"There are snapshots of the Sundays from {kept[0]} to {kept[1]}"
        if not days:
            raise ValueError(f"{there}, of none from {first} to {last}.")
        terminal().print(f"{there}; those are scored.", highlight=False)
    from pipelines.definitions import defs

    keys = sorted(defs.resolve_job_def("backfill").asset_layer.executable_asset_keys)
    models = [key.path[-1] for key in keys]
    if model is not None and model not in models:
        raise ValueError(f"There is no prediction {model!r}; there are {', '.join(models)}.")
    tags = {ASSET_PARTITION_RANGE_START_TAG: str(days[0]), ASSET_PARTITION_RANGE_END_TAG: str(days[-1])}
    chosen = [key.path for key in keys if model in (None, key.path[-1])]
    return run_job("backfill", tags, chosen) and run_job("track_record")


def _run(console: "Console", instance: "DagsterInstance", job: "JobDefinition", tags: dict[str, str]) -> bool:
    from dagster import DagsterEventType
    from dagster._core.utils import make_new_run_id

    from pipelines.quality.checker import stop_checker

    run_id = make_new_run_id()
    steps = len(job.graph.node_defs)
    finished = threading.Event()
    started = time.monotonic()

    def watch(update) -> None:
        cursor, done, shown, has_ended = None, 0, set(), False
        while not has_ended:
            has_ended = finished.wait(POLL_SECONDS)  # what happened since the last look is told, too
            records = instance.get_records_for_run(run_id, cursor=cursor)
            cursor = records.cursor
            for record in records.records:
                entry = record.event_log_entry
                event = entry.dagster_event
                if event is None:
                    update(doing=entry.user_message[:70])
                elif event.event_type == DagsterEventType.STEP_START:
                    update(doing=event.step_key)
                elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
                    for line in notices([event]):
                        if line not in shown:
                            console.print(line, markup=False, highlight=False, soft_wrap=True)
                        shown.add(line)
                elif event.event_type in (DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_SKIPPED):
                    done += 1
                    update(completed=done)
                    if not console.is_terminal:
                        console.print(f"{time.monotonic() - started:6.1f} s  {event.step_key}")

    log = data_dir() / "dagster" / "last_run.log"
    with progress_bar(console, f"Job {job.name}") as update, output_to(log):
        update(total=steps)
        watcher = threading.Thread(target=watch, args=(update,), daemon=True)
        watcher.start()
        try:
            result = job.execute_in_process(
                instance=instance,
                run_id=run_id,
                tags=tags,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        finally:
            finished.set()
            watcher.join()
            without_docs = stop_checker(wait=True)
    seconds = time.monotonic() - started
    lines = [*notices(result.all_events), *(f"  ! No Data Docs: {why.splitlines()[-1]}" for why in without_docs)]
    if result.success:
        lines.insert(0, f"Job {job.name} succeeded in {seconds:.0f} s (run {run_id}).")
    else:
        lines = [f"  {line}" for line in failures(result.all_events)] + lines
        lines.append(
            f"Job {job.name} failed after {seconds:.0f} s. `make ui` shows run {run_id}; all output is in {log}."
        )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return result.success


def notices(events: "Sequence[DagsterEvent]") -> list[str]:
    """Lines for the user: blocking checks that failed, warnings about exports and assets, rows in quarantine."""
    from pipelines.instance.metadata import WARNING

    lines: dict[str, None] = {}
    put_aside: dict[str, int] = {}
    for event in events:
        if event.is_step_materialization:
            asset = event.step_materialization_data.materialization
            if WARNING in asset.metadata:
                lines.update(dict.fromkeys(f"  ! {line}" for line in str(asset.metadata[WARNING].value).splitlines()))
            aside = asset.metadata.get("quarantined")
            if aside is not None and aside.value:
                source = asset.asset_key.path[0].removeprefix("raw_")
                put_aside[source] = put_aside.get(source, 0) + aside.value
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            is_of_exports = check.asset_key.path[0].startswith("raw_")
            if not check.passed and (check.blocking or is_of_exports) and check.description:
                lines.update(dict.fromkeys(f"  ! {line}" for line in check.description.splitlines()))
    if put_aside:
        sources = ", ".join(f"{source} {rows:,}" for source, rows in sorted(put_aside.items()))
        query = f"select * from raw_{max(put_aside, key=put_aside.get)}._quarantine limit 5"
        lines[f"  Rows put aside because they break the contract: {sources}."] = None
        lines[f'  See them:  .venv/bin/scorecast sql --warehouse "{query}"'] = None
    return list(lines)


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Redirect everything that this process and its children print to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {number: os.dup(number) for number in (1, 2)}
    with path.open("w") as file:
        for number in kept:
            os.dup2(file.fileno(), number)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, original in kept.items():
                os.dup2(original, number)
                os.close(original)


def failures(events: "Sequence[DagsterEvent]") -> list[str]:
    """
    One line per reason why steps failed, with the steps; an error of the disk or a file stands once.

    A step that failed by its checks is left out: `notices` says what they found.
    """
    steps: dict[str, list[str]] = {}
    for event in events:
        if event.is_step_failure and event.step_failure_data.error.cls_name != "DagsterAssetCheckFailedError":
            reason = failure_reason(event)
            steps.setdefault(explained(reason) or reason, []).append(event.step_key)
    # What one of our own errors says needs neither its class nor its step.
    plain = {reason: OWN_ERROR.sub("", reason) for reason in steps}
    return [words if words != reason else f"{', '.join(steps[reason])}: {reason}" for reason, words in plain.items()]


def failure_reason(event) -> str:
    """The message of a failed step's innermost error."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return (error.message if error else event.message or "").strip()


@contextmanager
def _quiet() -> Iterator[None]:
    yield
