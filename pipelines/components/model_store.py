"""Which version of a model is the champion, where it lies, and whether this run fits a new one."""

import json
import os
from datetime import datetime
from pathlib import Path

import dagster as dg

from pipelines.settings import data_dir

REFIT_TAG = "scorecast/refit"
"""Run tag: `missing` fits only where there is no champion (daily); anything else, or no tag, fits."""


def model_folder(name: str) -> Path:
    """Where the versions of a model lie."""
    return data_dir() / "models" / name


def model_path(name: str, version: str, suffix: str = ".skops") -> Path:
    """The file of one version."""
    return model_folder(name) / f"{version}{suffix}"


def champion_version(name: str, suffix: str = ".skops") -> str | None:
    """The version that scores, or None; a pointer to a file that is gone counts as none."""
    pointer = model_folder(name) / "champion.json"
    if not pointer.exists():
        return None
    version = json.loads(pointer.read_text())["version"]
    return version if model_path(name, version, suffix).exists() else None


def stored_versions(name: str) -> list[Path]:
    """The files of all versions of a model (a prediction's `.skops`, a forecast's `.json`), the oldest first."""
    found = [path for path in model_folder(name).glob(f"{name}-*") if path.suffix in (".skops", ".json")]
    return sorted(found, key=lambda path: path.stem)


def without_folder(problem: Exception) -> str:
    """What an error says, with paths from the data folder on: what is published names no machine's folders."""
    return str(problem).replace(f"{data_dir()}{os.sep}", "")


def refused_in_words(name: str, problem: Exception) -> str:
    """Why the champion's file does not score, and what to type."""
    return (
        f"{without_folder(problem)} The last scores stay. To fit it again: `scorecast run weekly_refit`; "
        f"to go back to an earlier version: `scorecast rollback --model {name}`."
    )


def new_version(name: str, at: datetime, suffix: str = ".skops") -> str:
    """A version's name from its time; a second one within the same second gets a number."""
    first = f"{name}-{at:%Y%m%dT%H%M%S}"
    names = (first, *(f"{first}-{number}" for number in range(2, 1_000)))
    return next(version for version in names if not model_path(name, version, suffix).exists())


def promote(name: str, version: str) -> None:
    """Make a stored version the champion, atomically."""
    pointer = model_folder(name) / "champion.json"
    draft = pointer.with_suffix(".json.tmp")
    draft.write_text(json.dumps({"version": version}))
    os.replace(draft, pointer)


def should_fit(context: dg.AssetExecutionContext, champion: str | None) -> bool:
    """Daily runs keep the champion; the weekly refit, and a person in the UI, fit anew."""
    return champion is None or context.run.tags.get(REFIT_TAG) != "missing"


def kept_metadata(context: dg.AssetExecutionContext, version: str | None) -> dict:
    """What the UI shows of a model that is not fitted anew: the figures and pictures of its fit."""
    event = context.instance.get_latest_materialization_event(context.asset_key)
    before = dict(event.asset_materialization.metadata) if event and event.asset_materialization else {}
    is_the_same = "model_version" in before and before["model_version"].value == version
    return {**(before if is_the_same else {}), "status": "kept", "model_version": version}
