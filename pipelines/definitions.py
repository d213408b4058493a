"""The one Definitions: everything in `assets/`, its resources, jobs, schedules and sensors."""

import warnings
from datetime import timedelta

import dagster as dg

from pipelines.components.validation import require_valid_yaml
from pipelines.schedules import JOBS, SCHEDULES
from pipelines.sensors import SENSORS
from pipelines.settings import project_root
from pipelines.transformation.known_tables import known_tables
from pipelines.warehouse import Warehouse

warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)

STALE_AFTER = timedelta(hours=30)
"""A published table that was not renewed for this long has missed a daily run."""


def with_freshness(spec: dg.AssetSpec) -> dg.AssetSpec:
    """What users query must be renewed every day."""
    if spec.key.path[0] != "published":
        return spec
    return spec.replace_attributes(freshness_policy=dg.FreshnessPolicy.time_window(fail_window=STALE_AFTER))


require_valid_yaml(project_root(), known_tables)

defs = dg.Definitions.merge(
    dg.load_from_defs_folder(project_root=project_root()),
    dg.Definitions(
        resources={"warehouse": Warehouse()},
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        executor=dg.in_process_executor,
    ),
).map_asset_specs(func=with_freshness)
