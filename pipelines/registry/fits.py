"""`published.model_runs`: every fit with its metrics, whether it was kept, and why. Append-only."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.database import columns_of, table_exists

if TYPE_CHECKING:
    import duckdb

REFUSAL_DAYS, MORE_ROWS = 7, 0.1
"""A refused model is not fitted again by daily runs for a week, unless this share of its rows has come or gone."""
COLUMNS = {
    "model": "varchar",
    "run_id": "varchar",
    "started_at": "timestamptz",
    "finished_at": "timestamptz",
    "status": "varchar",
    "reason": "varchar",
    "model_version": "varchar",
    "method": "varchar",
    "rows": "bigint",
    "auc": "double",
    "log_loss": "double",
    "calibration_error": "double",
    "error": "double",
    "metrics": "json",
    "candidates": "json",
    "model_sha256": "varchar",
}


def record_fit(
    connection: "duckdb.DuckDBPyConnection",
    *,
    model: str,
    run_id: str,
    started_at: datetime,
    rows: int,
    status: str,
    reason: str,
    model_version: str | None = None,
    method: str | None = None,
    metrics: Mapping[str, object] | None = None,
    candidates: Sequence[Mapping[str, object]] = (),
    model_sha256: str | None = None,
) -> None:
    """
    Append one row; `metrics` and `candidates` are stored as JSON, the main metrics also as columns.

    `status`: `kept`, `refused` (the challenger, or the champion's file), `skipped` (too little data), `rolled_back` or
    `withdrawn`.
    `model_version`: the champion after this row. Promote it afterwards, so that the version that scores is always on
    record. `model_sha256`: checksum of its file, if the row is about one.
    """
    metrics = metrics or {}
    connection.execute("create schema if not exists published")
    declared = ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items())
    connection.execute(f"create table if not exists published.model_runs ({declared})")
    for name in COLUMNS.keys() - columns_of(connection, "published", "model_runs").keys():
        connection.execute(f"alter table published.model_runs add column {name} {COLUMNS[name]}")
    row = {
        "model": model,
        "run_id": run_id,
        "started_at": started_at,
        "finished_at": datetime.now(UTC),
        "status": status,
        "reason": reason,
        "model_version": model_version,
        "method": method,
        "rows": rows,
        "auc": metrics.get("auc"),
        "log_loss": metrics.get("log_loss"),
        "calibration_error": metrics.get("calibration_error"),
        "error": metrics.get("error"),
        "metrics": json.dumps(metrics, default=str),
        "candidates": json.dumps(list(candidates), default=str),
        "model_sha256": model_sha256,
    }
    connection.execute(
        f"insert into published.model_runs ({', '.join(row)}) values ({', '.join('?' * len(row))})", list(row.values())
    )


def standing_refusal(
    connection: "duckdb.DuckDBPyConnection", model: str, asked: str, rows: int, now: datetime
) -> str | None:
    """
    Why the model's last fit was refused, and until when that stands; None if a fit may say something else by now.

    It stands for `REFUSAL_DAYS`, for the same question (`asked`, as the fit recorded it in its metrics) and about as
    many rows. `now`: with a zone.
    """
    if not table_exists(connection, "published", "model_runs"):
        return None
    last = connection.execute(
        "select status, metrics ->> 'asked', rows, started_at, reason from published.model_runs where model = ?"
        " order by rowid desc limit 1",
        [model],
    ).fetchone()
    if last is None or last[:2] != ("refused", asked):
        return None
    _, _, rows_then, fitted_at, reason = last
    again = fitted_at + timedelta(days=REFUSAL_DAYS)
    if now >= again or abs(rows - rows_then) > MORE_ROWS * rows_then:
        return None
    return f"{reason} (fitted on {fitted_at:%Y-%m-%d}; again from {again:%Y-%m-%d} or with more rows, or by a refit)"


def recorded_checksum(connection: "duckdb.DuckDBPyConnection", model: str, version: str) -> str | None:
    """The SHA-256 that was recorded when this version was saved; None if there is no record."""
    if "model_sha256" not in columns_of(connection, "published", "model_runs"):
        return None
    found = connection.execute(
        "select model_sha256 from published.model_runs where model = ? and model_version = ? and status = 'kept'"
        " and model_sha256 is not null order by started_at limit 1",
        [model, version],
    ).fetchone()
    return found[0] if found else None


def is_only_order(connection: "duckdb.DuckDBPyConnection", model: str, version: str) -> bool:
    """Whether this version, by its fit, ranks better than chance but says no better probabilities than the average."""
    if not table_exists(connection, "published", "model_runs"):
        return False
    found = connection.execute(
        "select try_cast(metrics ->> 'is_only_order' as boolean) from published.model_runs"
        " where model = ? and model_version = ? and status = 'kept' order by started_at limit 1",
        [model, version],
    ).fetchone()
    return bool(found and found[0])


def decided_versions(connection: "duckdb.DuckDBPyConnection", model: str) -> list[str | None]:
    """Versions that a fit or a rollback made the champion, and None for a withdrawal, in the order of the record."""
    if not table_exists(connection, "published", "model_runs"):
        return []
    rows = connection.execute(
        "select model_version from published.model_runs where model = ?"
        " and (status = 'withdrawn' or (status in ('kept', 'rolled_back') and model_version is not null))"
        " order by rowid",
        [model],
    ).fetchall()
    return [version for (version,) in rows]
