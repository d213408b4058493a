"""published.duckdb: the atomic release of everything in published.*."""

import dagster as dg

from pipelines.publishing.assets import release_asset

UPSTREAM = [
    "predictions",
    "forecasts",
    "texts",
    "topic_trends.py",
    "track_record.py",
    "warehouse.py",
    "reconciliation.py",
]


@dg.definitions
def defs(context: dg.ComponentLoadContext) -> dg.Definitions:
    """One release of all published tables, from components and from dbt."""
    assets = [asset for path in UPSTREAM for asset in context.build_defs(path).assets or []]
    tables = [spec for asset in assets for spec in asset.specs if spec.key.path[0] == "published"]
    return dg.Definitions(assets=[release_asset(tables)])
