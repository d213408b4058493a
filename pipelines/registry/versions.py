"""`scorecast models` and `scorecast rollback --model`: versions, their metrics, and which one scores, if any."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from pipelines.database import columns_of, connect, table_exists
from pipelines.locking import LockTimeoutError, run_lock
from pipelines.publishing.kept_releases import last_release
from pipelines.registry.fits import record_fit, recorded_checksum
from pipelines.registry.store import (
    FORECAST,
    PREDICTION,
    champion_version,
    demote,
    load_choice,
    load_version,
    promote,
    stored_versions,
)
from pipelines.settings import data_dir, models_dir, published_path, warehouse_path

if TYPE_CHECKING:
    import duckdb

FIGURES = ("auc", "log_loss", "calibration_error", "error")
WAIT_SECONDS = 60.0
SHORT = 60
"""Characters of a reason where all models are listed."""
WIDTH = 160
"""Characters of a line where the output goes into a file or a pipe."""


@dataclass(frozen=True)
class Entry:
    """One line of a model's history: a fit, kept or not, a rollback, or a stored version without a record."""

    model: str
    version: str | None
    """The version that was stored; None if none was."""
    at: datetime | None
    status: str
    """`kept`, `refused`, `skipped`, `rolled_back`, `withdrawn` or `unrecorded`."""
    is_champion: bool
    is_stored: bool
    rows: int | None
    figures: dict[str, float | None]
    """auc, log_loss, calibration_error of a prediction; error (mean sMAPE, %) of a forecast."""
    reason: str


def history(name: str | None = None) -> list[Entry]:
    """
    Fits, rollbacks and unrecorded versions by model, the newest first.

    Raises LookupError with the known models when `name` is none of them.
    """
    runs = _runs()
    stored = {path.stem: path for model in _models(runs) for path in stored_versions(model)}
    champions = {model: _champion(model) for model in _models(runs)}
    if name is not None and name not in champions:
        there = ", ".join(sorted(champions)) or "none yet; `make run` fits them"
        raise LookupError(f"There is no model '{name}'. There are: {there}.")
    entries = list(_entries(runs, stored, champions))
    chosen = [entry for entry in entries if name in (None, entry.model)]
    chosen.sort(key=lambda entry: entry.at or datetime.min.replace(tzinfo=UTC), reverse=True)
    return sorted(chosen, key=lambda entry: entry.model)


def print_versions(name: str | None = None) -> None:
    """
    Print a table of `history`; with a name, the reasons in full.

    Raises LookupError as `history` does, and when there is no model at all.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    entries = history(name)
    if not entries:
        raise LookupError("There is no model yet. `make run` fits those of assets/predictions and assets/forecasts.")
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    table = Table(title="* scores now", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("model", "version", "", "at", "status"):
        table.add_column(column, no_wrap=True)
    for column in ("rows", "AUC", "log loss", "cal. error", "sMAPE %"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("reason")
    for entry in entries:
        version = (entry.version or "").removeprefix(f"{entry.model}-")
        table.add_row(
            entry.model,
            version if entry.is_stored or not version else f"{version} (gone)",
            "*" if entry.is_champion else "",
            f"{entry.at:%Y-%m-%d %H:%M}" if entry.at else "",
            entry.status,
            f"{entry.rows:,}" if entry.rows else "",
            *(f"{value:.{digits}f}" if (value := entry.figures[key]) is not None else "" for key, digits in _DIGITS),
            escape(entry.reason if name else shorten(entry.reason, SHORT, placeholder=" …")),
        )
    console.print(table)
    if note := last_release(published_path()).note:
        console.print(f"! {note}.", markup=False, highlight=False, soft_wrap=True)
    if name is not None and len([entry for entry in entries if entry.is_stored]) > 1:
        console.print(f"Go back to an earlier one: scorecast rollback --model {name} [--to VERSION]", markup=False)


def roll_back_model(name: str, to: str | None, now: datetime) -> str:
    """
    Make an earlier stored version of a model the champion and record it in `model_runs`; returns a sentence about it.

    `to`: a version, with or without the model's name before it; None: the newest that is older than the champion and
    whose fit is on record (a file without a record was left by a killed run) and that was not withdrawn.
    Raises LookupError with the stored versions when there is no such version, ValueError (`ModelRefused`) when its file
    is refused, and `LockTimeoutError` when a run holds the warehouse for longer than a minute. The champion stays then.
    """
    versions = {path.stem: path for path in stored_versions(name)}
    if not versions:
        raise LookupError(f"There is no stored version of a model '{name}'. `scorecast models` lists what there is.")
    champion = _champion(name)
    if to is None:
        runs = [run for run in _runs() if run["model"] == name]
        on_record = {run["model_version"] for run in runs if run["status"] == "kept"}
        on_record -= {run["withdrawn"] for run in runs}
        older = [version for version in sorted(on_record & versions.keys()) if champion is None or version < champion]
        target = older[-1] if older else None
    else:
        target = next((version for version in (to, f"{name}-{to}") if version in versions), None)
    if target is None or target == champion:
        others = ", ".join(version for version in versions if version != champion) or "none"
        wanted = "before the champion" if to is None else to
        scores = f"{champion or 'none'} scores now"
        raise LookupError(f"{name} has no version {wanted} to go back to; {scores}. Stored: {others}.")
    with (
        run_lock(data_dir() / "warehouse.lock", "a rollback of a model", timeout=WAIT_SECONDS),
        connect(warehouse_path()) as connection,
    ):
        metrics, checksum = _checked(connection, name, versions[target])
        reason = f"Rolled back by hand: {target} scores instead of {champion or 'none'}."
        record_fit(
            connection,
            model=name,
            run_id="rollback",
            started_at=now,
            rows=int(metrics.get("n_rows") or 0),
            status="rolled_back",
            reason=reason,
            model_version=target,
            metrics=metrics,
            model_sha256=checksum,
        )
        promote(name, target)
    return f"{reason} The next scoring uses it: make run"


def withdraw_model(name: str, now: datetime) -> str:
    """
    Let no version of a model score any more, and record it in `model_runs`; returns a sentence about it.

    All versions stay stored, and every score stays in the history. Raises LookupError when no version scores, and
    `LockTimeoutError` when a run holds the warehouse for longer than a minute.
    """
    champion = _champion(name)
    if champion is None:
        raise LookupError(f"No version of a model '{name}' scores now. `scorecast models` lists what there is.")
    with (
        run_lock(data_dir() / "warehouse.lock", "withdrawing a model", timeout=WAIT_SECONDS),
        connect(warehouse_path()) as connection,
    ):
        reason = f"Withdrawn by hand: {champion} scores no more."
        record_withdrawal(connection, name, champion, reason, now)
        demote(name)
    return (
        f"{reason} The next release is without its scores, unless the fit of that run is kept; the history keeps them."
        f" Next: make run. If it was right after all: scorecast rollback --model {name} --to {champion}"
    )


def record_withdrawal(
    connection: "duckdb.DuckDBPyConnection", name: str, champion: str, reason: str, now: datetime
) -> None:
    """Put on record that a version scores no more; `demote` the model afterwards, or the next run does."""
    record_fit(
        connection,
        model=name,
        run_id="withdrawal",
        started_at=now,
        rows=0,
        status="withdrawn",
        reason=reason,
        metrics={"withdrawn": champion},
    )


def withdrawn_models() -> list[str]:
    """Models of which no version scores because they were withdrawn; none are known of a damaged warehouse."""
    import duckdb

    try:
        runs = _runs()
    except duckdb.Error:
        return []
    decided: dict[str, str] = {}
    for run in sorted(runs, key=lambda run: run["started_at"]):
        if run["status"] in ("kept", "rolled_back", "withdrawn"):
            decided[run["model"]] = run["status"]
    return sorted(model for model, status in decided.items() if status == "withdrawn")


def models_fitted_since(moment: datetime) -> dict[str, str]:
    """
    Prediction to the version that scores, of those that were fitted at `moment` (UTC, without a zone) or later.

    The time is the one in the version's name. A forecast learns its figures anew every day.
    """
    folder = models_dir()
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.exists() else []
    champions = {name: champion for name in names if (champion := champion_version(name)) is not None}
    since = f"{moment:%Y%m%dT%H%M%S}"
    return {name: version for name, version in champions.items() if version.removeprefix(f"{name}-") >= since}


_DIGITS = (("auc", 3), ("log_loss", 4), ("calibration_error", 3), ("error", 1))


def _checked(connection: "duckdb.DuckDBPyConnection", name: str, path: Path) -> tuple[dict[str, Any], str | None]:
    """Metrics and checksum of a version, after its file was loaded as for scoring; raises why it is refused."""
    load = load_version if path.suffix == PREDICTION else load_choice
    model, refusal = load(connection, name, path.stem)
    if model is None:
        raise refusal
    metrics = model.metrics if path.suffix == PREDICTION else {}
    return metrics, recorded_checksum(connection, name, path.stem)


def _champion(name: str) -> str | None:
    return champion_version(name) or champion_version(name, suffix=FORECAST)


def _models(runs: list[dict]) -> list[str]:
    """Models with a record or a file."""
    folder = models_dir()
    files = [path.name for path in folder.iterdir() if path.is_dir()] if folder.exists() else []
    return sorted({*files, *(run["model"] for run in runs)})


def _entries(runs: list[dict], stored: dict[str, Path], champions: dict[str, str | None]) -> Iterator[Entry]:
    on_record = set()
    for run in runs:
        model, made = run["model"], run["status"] in ("kept", "rolled_back")
        version = run["model_version"] if made else None
        is_kept = run["status"] == "kept"
        on_record |= {version} if is_kept else set()
        yield Entry(
            model=model,
            version=version,
            at=run["started_at"],
            status=run["status"],
            is_champion=is_kept and version == champions[model],
            is_stored=version in stored,
            rows=run["rows"],
            figures={key: run[key] for key in FIGURES},
            reason=run["reason"] or "",
        )
    for version, path in stored.items():
        model = path.parent.name
        if version not in on_record:
            reason = "its fit is not on record in this warehouse"
            figures = dict.fromkeys(FIGURES)
            is_champion = version == champions[model]
            yield Entry(model, version, None, "unrecorded", is_champion, True, None, figures, reason)


def _runs() -> list[dict]:
    """`model_runs` of the last release and of the warehouse; the warehouse is left out while a run holds it."""
    import duckdb

    rows: dict[tuple, dict] = {}
    if (release := last_release(published_path()).path) is not None:
        with connect(release, read_only=True) as connection:
            if table_exists(connection, "main", "model_runs"):
                rows |= _by_key(connection, "model_runs")
    if warehouse_path().exists():
        try:
            lock = data_dir() / "warehouse.lock"
            with (
                run_lock(lock, "a look at the models", timeout=0),
                connect(warehouse_path(), read_only=True) as connection,
            ):
                if table_exists(connection, "published", "model_runs"):
                    rows |= _by_key(connection, "published.model_runs")
        except (duckdb.ConnectionException, LockTimeoutError):
            pass
        except duckdb.IOException as problem:
            if "Could not set lock" not in str(problem):
                raise
    return list(rows.values())


def _by_key(connection: "duckdb.DuckDBPyConnection", table: str) -> dict[tuple, dict]:
    # The time as text: DuckDB needs another package to give a time with its zone to Python.
    told_by = {
        "started_at": "strftime(started_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%f')",
        "withdrawn": "metrics ->> '$.withdrawn'",
    }
    wanted = ["model", "run_id", "started_at", "status", "reason", "model_version", "rows", *FIGURES, "withdrawn"]
    there = columns_of(connection, *(table.split(".") if "." in table else ("main", table)))
    told_by |= {name: "null" for name in wanted if name not in there and name not in told_by}
    query = f"select {', '.join(told_by.get(name, name) for name in wanted)} from {table}"
    rows = [dict(zip(wanted, row, strict=True)) for row in connection.execute(query).fetchall()]
    for row in rows:
        row["started_at"] = datetime.fromisoformat(row["started_at"]).replace(tzinfo=UTC)
    return {(row["run_id"], row["model"], row["started_at"]): row for row in rows}
