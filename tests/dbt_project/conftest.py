"""Fixtures for everything that looks at what the dbt project builds."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from tests.dbt_project.warehouses import Rows, build, write_raw


@pytest.fixture(scope="session")
def small_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """
    `small_warehouse(raw)`: the path of a warehouse with these raw rows and what dbt builds of them.

    Also `as_of`, `without` (columns that an export lacks), `select` and `command` ("run" leaves out the tests).
    Builds are kept for the session, so tests that ask for the same rows share one dbt run.
    """
    built: dict[str, Path] = {}

    def make(
        raw: Mapping[str, Rows],
        as_of: str = "2025-06-30",
        without: Mapping[str, Iterable[str]] | None = None,
        select: str = "staging core",
        command: str = "build",
    ) -> Path:
        key = json.dumps([raw, as_of, {k: sorted(v) for k, v in (without or {}).items()}, select, command], default=str)
        if key not in built:
            warehouse = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
            write_raw(warehouse, raw, as_of, without)
            build(warehouse, select=select, command=command)
            built[key] = warehouse
        return built[key]

    return make
