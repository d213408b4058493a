"""Where things are: the project, its data and its configuration. Read from the environment at call time."""

import os
from pathlib import Path


def project_root() -> Path:
    """The folder that holds `assets/`, `pipelines/` and `dbt_project/`."""
    return Path(__file__).resolve().parent.parent


def data_dir() -> Path:
    """Where runs write; `SCORECAST_DATA`, or `data/` in the project."""
    return Path(os.environ.get("SCORECAST_DATA") or project_root() / "data").resolve()


def sources_file() -> Path:
    """Where the sources are configured; `SCORECAST_SOURCES`, or `sources.yaml` in the project."""
    return Path(os.environ.get("SCORECAST_SOURCES") or project_root() / "sources.yaml").resolve()


def warehouse_path() -> Path:
    """The pipeline's own DuckDB file: raw, staging, core, features, scores."""
    return data_dir() / "warehouse.duckdb"


def published_path() -> Path:
    """The DuckDB file that users query: the current release."""
    return data_dir() / "published.duckdb"


def dbt_project_dir() -> Path:
    """The dbt project."""
    return project_root() / "dbt_project"
