"""What a run did not make, and why: which exports each model lacks."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import connect, quoted
from pipelines.settings import project_root, warehouse_path

if TYPE_CHECKING:
    import duckdb

MADE_BY_MODELS = {"probability", "predicted", "forecast"}
"""Columns of published tables that models make."""
LAYERS = ("core", "staging")
"""Schemas in which a table without rows says what is missing."""


def has_scores(published: Path) -> bool:
    """Whether the last release in a file has a row that a model made."""
    with connect(published, read_only=True) as connection:
        (tables,) = connection.execute("select tables from releases order by release_id desc limit 1").fetchone()
    return any(
        table["rows"] > 0 and "model_version" in table["columns"] and MADE_BY_MODELS & set(table["columns"])
        for table in json.loads(tables).values()
    )


def missing_exports() -> dict[str, str]:
    """Model → the exports without which it has nothing to learn from, in words; models that lack none are left out."""
    from pipelines.components.forecast import Forecast
    from pipelines.components.validation import read_components
    from pipelines.transformation.building import ensure_manifest

    nodes = json.loads(ensure_manifest().read_text())["nodes"]
    ids = {f"{node['schema']}.{node['alias']}": key for key, node in nodes.items() if node["resource_type"] == "model"}
    found = {}
    with connect(warehouse_path(), read_only=True) as connection:
        for _, component in read_components(project_root()):
            is_forecast = isinstance(component, Forecast)
            table = f"features.{component.series}" if is_forecast else ".".join(component.outcomes_table)
            if missing := _missing(connection, nodes, ids.get(table, "")):
                name = component.model_name if is_forecast else component.name
                found[name] = f"there are no {_listed(missing)}"
    return found


def _listed(missing: Mapping[str, list[str]]) -> str:
    return "; no ".join(f"{what}: {' or '.join(tables)}" for what, tables in missing.items())


def _missing(connection: "duckdb.DuckDBPyConnection", nodes: Mapping[str, Mapping], model: str) -> dict[str, list[str]]:
    """The nearest exports below a dbt model that have no row: `subscriptions` → `stripe/subscription`."""

    def empty_parents(of: str) -> list[str]:
        parents = [key for key in nodes.get(of, {"depends_on": {"nodes": []}})["depends_on"]["nodes"] if key in nodes]
        tables = {key: quoted(nodes[key]["schema"], nodes[key]["alias"]) for key in parents}
        return [
            key
            for key, table in tables.items()
            if nodes[key]["schema"] in LAYERS and not connection.execute(f"select 1 from {table} limit 1").fetchone()
        ]

    missing: dict[str, list[str]] = {}
    for table in empty_parents(model):
        below = [table]
        while below and not any(nodes[key]["schema"] == "staging" for key in below):
            below = list(dict.fromkeys(parent for key in below for parent in empty_parents(key)))
        for key in below:
            if nodes[key]["schema"] == "staging":
                what = nodes[key]["alias"].split("__", 1)[-1].replace("_", " ")
                found = missing.setdefault(what, [])
                found += [raw for raw in _raw_tables(nodes[key]) if raw not in found]
    return missing


def _raw_tables(node: Mapping) -> list[str]:
    """The exports that a staging model reads, as `stripe/subscription`."""
    parts = [key.split(".")[-2:] for key in node["depends_on"]["nodes"] if key.startswith("source.")]
    return [f"{schema.removeprefix('raw_')}/{table}" for schema, table in parts if schema != "raw_scorecast"]
