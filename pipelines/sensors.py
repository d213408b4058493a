"""What starts or reports a run besides the clock: new files, models that no longer hold, failed runs."""

import hashlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from pipelines.components.model_store import champion_version
from pipelines.extraction.configuration import read_configuration
from pipelines.kept_releases import last_release
from pipelines.schedules import daily, weekly_refit
from pipelines.settings import published_path

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


def requested_refits(published: Path) -> list[tuple[str, str, str]]:
    """
    Models whose newest `model_health` asks for a refit: (model, version, table of its scores), by name.

    A version that no longer scores asks for nothing.
    """
    import duckdb

    release = last_release(published).path
    if release is None:
        return []
    with duckdb.connect(str(release), read_only=True) as connection:
        if not connection.execute("select 1 from duckdb_tables() where table_name = 'model_health'").fetchall():
            return []
        rows = connection.execute(
            """
            select model, model_version, scores_table from (
                select * from model_health
                qualify row_number() over (partition by model order by as_of_date desc, model_version desc) = 1
            )
            where is_refit_requested order by model
            """
        ).fetchall()
    return [row for row in rows if champion_version(row[0]) == row[1]]


@dg.sensor(
    job=weekly_refit,
    minimum_interval_seconds=600,
    description=(
        "Fits a model anew when AUC or calibration on outcomes that have come is worse than it promised, beyond noise; "
        "once for each version."
    ),
)
def worsened_models(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """One run a model; its run key names the version: a refit that keeps the champion is not asked for again."""
    requested = requested_refits(published_path())
    if not requested:
        return dg.SkipReason("No model is worse than it promised.")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=f"refit {version}",
                asset_selection=[
                    *[dg.AssetKey([layer, model]) for layer in ("models", "scores")],
                    *[dg.AssetKey(["published", name]) for name in (table, "model_health", "release")],
                ],
                tags={"scorecast/reason": "worse than promised"},
            )
            for model, version, table in requested
        ]
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


SENSORS = [new_files, worsened_models, failed_run]
