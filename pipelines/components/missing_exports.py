"""Why a model has nothing to learn from: which exports it lacks."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.database import column_types, quoted

if TYPE_CHECKING:
    import duckdb

LAYERS = ("core", "staging")
"""Schemas in which a table without rows says what is missing."""


def missing_exports(connection: "duckdb.DuckDBPyConnection", table: str) -> str | None:
    """The exports without which a dbt model, as `schema.table`, has no rows, in words; None if it lacks none."""
    from pipelines.transformation.building import ensure_manifest

    nodes = json.loads(ensure_manifest().read_text())["nodes"]
    models = (key for key, node in nodes.items() if node["resource_type"] == "model")
    model = next((key for key in models if f"{nodes[key]['schema']}.{nodes[key]['alias']}" == table), "")
    missing = _missing(connection, nodes, model)
    return f"there are no {_listed(missing)}" if missing else None


def _listed(missing: Mapping[str, list[str]]) -> str:
    return "; no ".join(f"{what}: {' or '.join(tables)}" for what, tables in missing.items())


def _missing(connection: "duckdb.DuckDBPyConnection", nodes: Mapping[str, Mapping], model: str) -> dict[str, list[str]]:
    """The nearest exports below a dbt model that have no row: `subscriptions` → `stripe/subscription`."""
    there = column_types(connection)

    def is_empty(node: Mapping) -> bool:
        table = quoted(node["schema"], node["alias"])
        is_there = node["schema"] in LAYERS and f"{node['schema']}.{node['alias']}" in there
        return is_there and not connection.execute(f"select 1 from {table} limit 1").fetchone()

    def empty_parents(of: str) -> list[str]:
        parents = nodes[of]["depends_on"]["nodes"] if of in nodes else []
        return [key for key in parents if key in nodes and is_empty(nodes[key])]

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
