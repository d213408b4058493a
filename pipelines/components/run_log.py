"""`published.model_runs`: every fit with its metrics, kept or refused or skipped, and why. Append-only."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


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
) -> None:
    """Append one row; `metrics` and `candidates` are stored as JSON, the figures people compare as columns."""
    metrics = metrics or {}
    connection.execute("create schema if not exists published")
    connection.execute(
        """
        create table if not exists published.model_runs (
            model varchar, run_id varchar, started_at timestamptz, finished_at timestamptz, status varchar,
            reason varchar, model_version varchar, method varchar, rows bigint, auc double, log_loss double,
            calibration_error double, error double, metrics json, candidates json
        )
        """
    )
    connection.execute(
        "insert into published.model_runs values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            model,
            run_id,
            started_at,
            datetime.now(UTC),
            status,
            reason,
            model_version,
            method,
            rows,
            metrics.get("auc"),
            metrics.get("log_loss"),
            metrics.get("calibration_error"),
            metrics.get("error"),
            json.dumps(metrics, default=str),
            json.dumps(list(candidates), default=str),
        ],
    )
