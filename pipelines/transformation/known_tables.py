"""The warehouse's tables and columns without a run: from dbt's manifest, and from the warehouse unless it is locked."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from pipelines.database import column_types, connect
from pipelines.locking import LockTimeoutError, run_lock
from pipelines.settings import data_dir, warehouse_path
from pipelines.transformation.building import ensure_manifest, is_built

GENERATES_COLUMNS = "point_in_time("
"""The macro that generates columns which neither a model's YAML nor its SQL names."""


@dataclass(frozen=True)
class Table:
    """What is known of a table's columns."""

    columns: Mapping[str, str | None]
    """Column to its type in DuckDB, or None where only the name is known."""
    is_complete: bool = False
    """Whether `columns` has all columns, so that any other name is a mistake."""
    words: frozenset[str] = frozenset()
    """Words of a model's SQL that is not built yet; each may be a column."""
    is_model: bool = False
    """Whether it is a dbt model."""


def known_tables() -> dict[str, Table]:
    """
    Every dbt model, and every other table of the warehouse, as `schema.table`.

    Columns and types come from the warehouse if it was built from the project as it is now; a project that has changed
    since may have others.
    """
    manifest = json.loads(ensure_manifest().read_text())
    built = built_columns()
    is_current = is_built()
    tables = {name: Table(columns, is_complete=True) for name, columns in built.items()}
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model":
            continue
        name = f"{node['config']['schema']}.{node['alias']}"
        is_complete = name in built and is_current
        tables[name] = Table(
            columns={**dict.fromkeys(node["columns"]), **built.get(name, {})},
            is_complete=is_complete or GENERATES_COLUMNS not in node["raw_code"],
            words=frozenset() if is_complete else frozenset(re.findall(r"\w+", node["raw_code"])),
            is_model=True,
        )
    return tables


def built_columns() -> dict[str, dict[str, str]]:
    """
    The warehouse's tables with their columns and types; empty without a warehouse, or while a run holds it.

    An open reader makes DuckDB refuse writers, so the run lock is held meanwhile: a run that starts in that tenth of a
    second waits instead of failing.
    """
    import duckdb

    path = warehouse_path()
    if not path.exists():
        return {}
    with suppress(duckdb.Error, LockTimeoutError, OSError):
        lock = data_dir() / "warehouse.lock"
        with run_lock(lock, "a look at the columns", timeout=0), connect(path, read_only=True) as connection:
            return column_types(connection)
    return {}
