"""Where things are: the project, its data and its configuration. Read from the environment at call time."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

SPOILS_A_PATH = re.compile(r"[#?\x00-\x1f]|%[0-9A-Fa-f]{2}")
"""Characters of a path that dbt, DuckDB or Dagster's SQLite URLs do not take literally."""


GARBAGE_THRESHOLDS = (50_000, 20, 50)
"""Thresholds of Python's garbage collector in our processes: dbt's and Dagster's many lasting objects are looked
through seldom, which saves a tenth of the time."""


REFIT_TAG = "scorecast/refit"
"""A run's tag: `missing`, only models without a version in use are fitted, or `always`."""


CHAMPION_FILE = "champion.json"
"""In a model's folder: which version is in use."""


class UnusableFolder(ValueError):
    """The data folder's name cannot be used; the message says what to do."""


def is_refit(tags: Mapping[str, str]) -> bool:
    """Whether a run with these tags fits all models: the weekly refit, and runs from the UI."""
    return tags.get(REFIT_TAG) != "missing"


def project_root() -> Path:
    """The folder that holds `assets/`, `pipelines/` and `dbt_project/`."""
    return Path(__file__).resolve().parent.parent


def data_dir() -> Path:
    """
    Where runs write; `SCORECAST_DATA`, or `data/` in the project.

    Raises `UnusableFolder` if its path has a character that other tools do not take literally.
    """
    path = Path(os.environ.get("SCORECAST_DATA") or project_root() / "data").resolve()
    found = SPOILS_A_PATH.search(str(path))
    if found:
        raise UnusableFolder(
            f"The data folder cannot be {str(path)!r}: dbt, DuckDB and SQLite do not take {found[0]!r} as a part of a "
            "path. Rename the folder, or set SCORECAST_DATA to another one."
        )
    return path


def sources_file() -> Path:
    """Where the sources are configured; `SCORECAST_SOURCES`, or `sources.yaml` in the project."""
    return Path(os.environ.get("SCORECAST_SOURCES") or project_root() / "sources.yaml").resolve()


def warehouse_path() -> Path:
    """The pipeline's own DuckDB file: raw, staging, core, features, scores."""
    return data_dir() / "warehouse.duckdb"


def published_path() -> Path:
    """The DuckDB file that users query: the current release."""
    return data_dir() / "published.duckdb"


def models_dir() -> Path:
    """The models: a folder each, with its versions and which of them is in use."""
    return data_dir() / "models"


def has_champions() -> bool:
    """Whether any model has a version in use: not before the first run."""
    return any(models_dir().glob(f"*/{CHAMPION_FILE}"))


def dbt_project_dir() -> Path:
    """The dbt project."""
    return project_root() / "dbt_project"
