"""Sensors: new files start a run, models that became worse are refitted, failed runs are posted."""

import hashlib
import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from pipelines.extraction.configuration import read_configuration
from pipelines.publishing.kept_releases import last_release
from pipelines.registry.store import champion_version
from pipelines.schedules import daily, weekly_refit
from pipelines.settings import published_path

WEBHOOK_TIMEOUT_SECONDS = 10
POSTED_TAG = "scorecast/failure_posted"


class WebhookError(RuntimeError):
    """A failed run could not be posted; the message does not contain the webhook's URL, which is a secret."""


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
    """Start a run once two looks a minute apart agree, so that a file that is still being written starts none."""
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
    Models whose newest `model_health` requests a refit: (model, version, table of its scores), by name.

    Versions that no longer score are left out, and so are removed models, which have no row of the newest day.
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
            where is_refit_requested and as_of_date = (select max(as_of_date) from model_health) order by model
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
    """One run per model; its run key names the version, so that each version is refitted once."""
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


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is reported, not followed: the message would go to another host."""

    def redirect_request(self, *_: object) -> None:
        return None


def post_failure(webhook: str, run_id: str, job_name: str, message: str) -> None:
    """
    POST a failed run as JSON (`text`, `run_id`, `job`, `error`), the format of chat tools.

    Raises `WebhookError` if it is refused or not answered within `WEBHOOK_TIMEOUT_SECONDS` in total.
    """
    body = {"text": f"Scorecast: {job_name} failed. {message}", "run_id": run_id, "job": job_name, "error": message}
    outcome = ["no answer"]

    def post() -> None:
        try:
            request = urllib.request.Request(
                webhook, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}, method="POST"
            )
            if request.type not in ("https", "http"):
                raise ValueError
            with urllib.request.build_opener(_NoRedirects).open(request, timeout=WEBHOOK_TIMEOUT_SECONDS):
                outcome[0] = ""
        except urllib.error.HTTPError as refusal:
            outcome[0] = f"HTTP {refusal.code}"
        except (ValueError, http.client.InvalidURL):
            outcome[0] = "it is no address that begins with https:// or http://"
        except (OSError, http.client.HTTPException) as problem:
            reason = getattr(problem, "reason", problem)
            outcome[0] = getattr(reason, "strerror", None) or type(reason).__name__

    # urllib's own timeout starts anew with every received byte. A thread that is left behind ends with the connection.
    poster = threading.Thread(target=post, daemon=True)
    poster.start()
    poster.join(WEBHOOK_TIMEOUT_SECONDS)
    if outcome[0]:
        raise WebhookError(
            f"The failure of run {run_id} was not taken by failure_webhook of sources.yaml: {outcome[0]}."
        )


@dg.run_failure_sensor(
    description="Posts failed runs to `failure_webhook` of sources.yaml.", default_status=dg.DefaultSensorStatus.RUNNING
)
def failed_run(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Post a failed run to the webhook, once; without a webhook only the run's page shows it."""
    webhook = read_configuration().failure_webhook
    if not webhook:
        return dg.SkipReason("No failure_webhook in sources.yaml.")
    run = context.instance.get_run_by_id(context.dagster_run.run_id)
    if run is None or POSTED_TAG in run.tags:
        return dg.SkipReason(f"Run {context.dagster_run.run_id} has been posted, or is gone.")
    # Tagged before posting, because Dagster evaluates an interrupted tick again.
    context.instance.add_run_tags(run.run_id, {POSTED_TAG: "yes"})
    post_failure(webhook, run.run_id, run.job_name, context.failure_event.message or "no message")
    return None


SENSORS = [new_files, worsened_models, failed_run]
