"""What starts or reports a run besides the clock: new files, failed runs."""

import hashlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from pipelines.extraction.configuration import read_configuration
from pipelines.schedules import daily

WEBHOOK_TIMEOUT_SECONDS = 10


def landed_files(folders: Iterator[Path] | list[Path]) -> str:
    """A fingerprint of the exports: every file's path, size and modification time."""
    digest = hashlib.sha256()
    for folder in sorted(folders):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            stat = path.stat()
            digest.update(f"{path}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@dg.sensor(job=daily, minimum_interval_seconds=60, description="Starts `daily` when exports were added or changed.")
def new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Wait until two looks a minute apart agree, so that a file that is still being written starts nothing."""
    seen = json.loads(context.cursor) if context.cursor else {}
    now = landed_files(list(read_configuration().folders.values()))
    if not seen:
        return dg.SensorResult(
            skip_reason="First look: remembering the files that are there.",
            cursor=json.dumps({"looked": now, "started": now}),
        )
    if now == seen["started"]:
        return dg.SensorResult(skip_reason="No new files.", cursor=json.dumps({**seen, "looked": now}))
    if now != seen["looked"]:
        return dg.SensorResult(
            skip_reason="Files are changing; looking again.", cursor=json.dumps({**seen, "looked": now})
        )
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=now)], cursor=json.dumps({"looked": now, "started": now})
    )


def post_failure(webhook: str, run_id: str, job_name: str, message: str) -> None:
    """POST a failed run as JSON (`text`, `run_id`, `job`, `error`), the shape that chat tools take."""
    body = {"text": f"Scorecast: {job_name} failed. {message}", "run_id": run_id, "job": job_name, "error": message}
    request = urllib.request.Request(
        webhook, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=WEBHOOK_TIMEOUT_SECONDS):
        return


@dg.run_failure_sensor(
    description="Posts failed runs to `failure_webhook` of sources.yaml.", default_status=dg.DefaultSensorStatus.RUNNING
)
def failed_run(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Say that a run failed where people look; without a webhook the run's page is the only place."""
    webhook = read_configuration().failure_webhook
    if not webhook:
        return dg.SkipReason("No failure_webhook in sources.yaml.")
    run = context.dagster_run
    post_failure(webhook, run.run_id, run.job_name, context.failure_event.message or "no message")
    return None


SENSORS = [new_files, failed_run]
