"""When things run: the daily job, the weekly refit, and their schedules."""

import dagster as dg

from pipelines.extraction.configuration import read_configuration
from pipelines.settings import REFIT_TAG

TIMEZONE = read_configuration().timezone
MODELS = dg.AssetSelection.key_prefixes("models")
BACKFILLS = dg.AssetSelection.key_prefixes("backfills")
TRACK_RECORD = dg.AssetSelection.groups("track_record")

daily = dg.define_asset_job(
    "daily",
    selection=dg.AssetSelection.all() - BACKFILLS,
    description="Ingest what is new, transform, score with the champions, publish. Fits only where no model is.",
    tags={REFIT_TAG: "missing"},
)
weekly_refit = dg.define_asset_job(
    "weekly_refit",
    selection=(MODELS | MODELS.downstream()) - BACKFILLS,  # what texts say reaches features, and these backfills
    description="Fit every model anew on what is known now; a challenger replaces the champion only if it is as good.",
    tags={REFIT_TAG: "always"},
)
backfill = dg.define_asset_job(
    "backfill",
    selection=BACKFILLS,
    description="Score past Sundays as they would have been then; the model in use and today's scores stay.",
)
track_record = dg.define_asset_job(
    "track_record",
    selection=TRACK_RECORD | dg.AssetSelection.keys(["published", "release"]),
    description="Compare past scores, backfilled ones too, with their outcomes, and publish the comparison.",
)
JOBS = [daily, weekly_refit, backfill, track_record]

SCHEDULES = [
    dg.ScheduleDefinition(
        name="every_morning",
        job=daily,
        cron_schedule="0 5 * * *",
        execution_timezone=TIMEZONE,
        description="05:00 every day.",
    ),
    dg.ScheduleDefinition(
        name="every_sunday",
        job=weekly_refit,
        cron_schedule="0 3 * * 0",
        execution_timezone=TIMEZONE,
        description="03:00 every Sunday.",
    ),
]
