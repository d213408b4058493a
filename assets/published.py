"""published.duckdb: the atomic release of everything in published.*."""

import dagster as dg

from pipelines.components.release import release_asset

UPSTREAM = ["predictions", "forecasts", "warehouse.py"]


@dg.definitions
def defs(context: dg.ComponentLoadContext) -> dg.Definitions:
    """One release of all published tables, whichever YAML or dbt model makes them."""
    specs = [spec for path in UPSTREAM for spec in context.build_defs(path).resolve_all_asset_specs()]
    tables = [spec for spec in specs if spec.key.path[0] == "published"]
    return dg.Definitions(assets=[release_asset(tables)])
