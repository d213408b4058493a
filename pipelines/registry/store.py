"""Stored versions of models: their files, which one is the champion, and whether a run fits a new one."""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import dagster as dg

from pipelines.instance.metadata import WARNING
from pipelines.learning.scoring.files import ModelRefused, read_checked, read_limited, write_whole
from pipelines.registry.fits import decided_versions, record_fit, recorded_checksum
from pipelines.settings import CHAMPION_FILE, data_dir, is_refit, models_dir

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

    from pipelines.learning.scoring.fitted import FittedPrediction
    from pipelines.learning.texts.classifier import TextModel

Loaded = TypeVar("Loaded")
LARGEST_POINTER = 4096
PREDICTION, FORECAST = ".zip", ".json"
"""Suffix of a version's file."""
UNREAD = ".skops"
"""Suffix of a prediction's file until November 2026; such a file is not read."""


def model_folder(name: str) -> Path:
    """The folder with the versions of a model."""
    return models_dir() / name


def model_path(name: str, version: str, suffix: str = PREDICTION) -> Path:
    """The file of one version."""
    return model_folder(name) / f"{version}{suffix}"


def read_champion(name: str, suffix: str = PREDICTION) -> tuple[str | None, str]:
    """
    The version that scores, or None; and why `champion.json` is ignored, in one line, if it is.

    It is ignored if it cannot be read, names no version of this model, or names one whose file is gone or of a former
    format.
    """
    pointer = model_folder(name) / CHAMPION_FILE
    try:
        content = json.loads(read_limited(pointer, LARGEST_POINTER))
    except FileNotFoundError:
        return None, ""
    except (ValueError, RecursionError) as problem:
        why = without_folder(problem) if isinstance(problem, ModelRefused) else f"it is no JSON ({problem})"
        return None, f"{name}: champion.json counts as none: {why}"
    version = content.get("version") if isinstance(content, dict) else None
    if not isinstance(version, str) or not re.fullmatch(rf"{re.escape(name)}-[0-9A-Za-z-]+", version):
        return None, f"{name}: champion.json counts as none: it names no version of this model ({str(content)[:80]!r})"
    if suffix == PREDICTION and os.path.exists(model_path(name, version, UNREAD)):
        return (
            None,
            f"{name}: {version} was saved by an earlier version of Scorecast in a format that is no longer read",
        )
    if not os.path.exists(model_path(name, version, suffix)):
        return None, f"{name}: champion.json counts as none: the file of {version} is gone"
    return version, ""


def champion_version(name: str, suffix: str = PREDICTION) -> str | None:
    """The version that scores, or None; see `read_champion`."""
    return read_champion(name, suffix)[0]


def settled_champion(
    connection: "duckdb.DuckDBPyConnection", name: str, suffix: str = PREDICTION
) -> tuple[str | None, str]:
    """
    The version that scores, or None, after completing an interrupted promotion; and a message about that, or "".

    A fit or a rollback first records its version and then makes it the champion. If a run was killed in between, or
    `champion.json` cannot be read, the newest recorded version is made the champion now, provided that its file has the
    recorded checksum; a withdrawal is completed likewise. A champion without a record (the warehouse is a new one)
    stays.
    """
    champion, problem = read_champion(name, suffix)
    decided = decided_versions(connection, name)
    if not decided or decided[-1] == champion or (champion is not None and champion not in decided):
        return champion, problem
    if decided[-1] is None:
        demote(name)
        return None, f"{name}: withdrawing {champion} was stopped half-way; it is withdrawn now."
    try:
        stored_bytes(connection, name, decided[-1], suffix)
    except (ModelRefused, FileNotFoundError):
        return champion, problem
    promote(name, decided[-1])
    why = problem or f"{name}: a run was stopped before {decided[-1]} became the champion"
    return decided[-1], f"{why}. {decided[-1]}, which is on record, scores now."


def stored_bytes(connection: "duckdb.DuckDBPyConnection", name: str, version: str, suffix: str) -> bytes:
    """The bytes of a version's file, after its checksums were compared; raises as `read_checked`."""
    # A forecast's choice of methods is plain JSON; former versions wrote it without a checksum beside it.
    checksum = recorded_checksum(connection, name, version)
    return read_checked(model_path(name, version, suffix), checksum, needs_one_beside=suffix == PREDICTION)


def load_version(
    connection: "duckdb.DuckDBPyConnection", name: str, version: str
) -> "tuple[FittedPrediction, None] | tuple[None, ModelRefused]":
    """The model of a stored version, or why its file is refused. Runs load models only through this function."""
    from pipelines.learning.scoring.storage import load_model

    model, refusal = _loaded(connection, name, version, load_model)
    if model is not None and model.spec.name != name:
        path = model_path(name, version)
        return None, ModelRefused(f"{path} is a model of {model.spec.name}. Fit the model again.")
    return model, refusal


def load_text_version(
    connection: "duckdb.DuckDBPyConnection", name: str, version: str
) -> "tuple[TextModel, None] | tuple[None, ModelRefused]":
    """The classifier of texts of a stored version, or why its file is refused."""
    from pipelines.learning.texts.storage import load_text_model

    return _loaded(connection, name, version, load_text_model)


def _loaded(
    connection: "duckdb.DuckDBPyConnection", name: str, version: str, load: "Callable[[Path, str | None], Loaded]"
) -> "tuple[Loaded, None] | tuple[None, ModelRefused]":
    """What `load` reads of a version's file with the recorded checksum, or why the file is refused."""
    path = model_path(name, version)
    try:
        return load(path, recorded_checksum(connection, name, version)), None
    except ModelRefused as problem:
        return None, problem
    except FileNotFoundError:
        return None, ModelRefused(f"{path} is gone. Fit the model again.")


def load_choice(
    connection: "duckdb.DuckDBPyConnection", name: str, version: str
) -> tuple[dict[tuple[str, str | None, str], str], None] | tuple[None, ModelRefused]:
    """A forecast's methods by metric, currency and segment, or why their file is refused."""
    path = model_path(name, version, suffix=FORECAST)
    try:
        rows = json.loads(stored_bytes(connection, name, version, FORECAST))
        chosen = {(str(row["metric"]), row.get("currency"), str(row["segment"])): str(row["method"]) for row in rows}
        return chosen, None
    except ModelRefused as problem:
        return None, problem
    except FileNotFoundError:
        return None, ModelRefused(f"{path} is gone. Fit the model again.")
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        reason = f"{type(problem).__name__}: {' '.join(str(problem).split())[:200]}"
        return None, ModelRefused(f"{path} is no readable choice of methods ({reason}). Fit the model again.")


def stored_versions(name: str) -> list[Path]:
    """The files of all versions of a model (a prediction's `.zip`, a forecast's `.json`), the oldest first."""
    found = [path for path in model_folder(name).glob(f"{name}-*") if path.suffix in (PREDICTION, FORECAST)]
    return sorted(found, key=lambda path: path.stem)


def without_folder(problem: Exception) -> str:
    """An error's message with paths relative to the data folder, so that published tables name no local folders."""
    return str(problem).replace(f"{data_dir()}{os.sep}", "")


def refused_in_words(name: str, problem: Exception) -> str:
    """The message that the champion's file is refused, with the commands that help."""
    return (
        f"{without_folder(problem)} The last scores stay. To fit it again: `scorecast run weekly_refit`; "
        f"to go back to an earlier version: `scorecast rollback --model {name}`."
    )


def refused(
    context: dg.AssetExecutionContext,
    connection: "duckdb.DuckDBPyConnection",
    name: str,
    version: str,
    refusal: Exception,
) -> dg.MaterializeResult:
    """Put on record, and say, that a champion's file is refused; the last scores stay."""
    message = refused_in_words(name, refusal)
    now = datetime.now(UTC)
    run = {"model": name, "run_id": context.run_id, "started_at": now, "rows": 0, "model_version": version}
    record_fit(connection, **run, status="refused", reason=message)
    context.log.warning(message)
    return dg.MaterializeResult(metadata={"status": f"not scored: {message}", "model_version": version})


def new_version(name: str, at: datetime, suffix: str = PREDICTION) -> str:
    """A version's name from its time; a second version within the same second gets a number."""
    first = f"{name}-{at:%Y%m%dT%H%M%S}"
    names = (first, *(f"{first}-{number}" for number in range(2, 1_000)))
    return next(version for version in names if not model_path(name, version, suffix).exists())


def promote(name: str, version: str) -> None:
    """Make a stored version the champion, atomically and synced to disk."""
    write_whole({model_folder(name) / CHAMPION_FILE: json.dumps({"version": version}).encode()})


def demote(name: str) -> None:
    """No version scores any more, as before the first fit; all stay stored."""
    (model_folder(name) / CHAMPION_FILE).unlink(missing_ok=True)


def should_fit(context: dg.AssetExecutionContext, champion: str | None) -> bool:
    """Whether this run may fit: daily runs only without a champion, the weekly refit and runs from the UI always."""
    return champion is None or is_refit(context.run.tags)


def kept_metadata(context: dg.AssetExecutionContext, version: str | None) -> dict:
    """Metadata of a model that is not fitted anew: that of its fit."""
    event = context.instance.get_latest_materialization_event(context.asset_key)
    before = dict(event.asset_materialization.metadata) if event and event.asset_materialization else {}
    before.pop(WARNING, None)
    is_the_same = "model_version" in before and before["model_version"].value == version
    return {**(before if is_the_same else {}), "status": "kept", "model_version": version}
