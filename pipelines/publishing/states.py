"""What a release is: its facts, the names of its tables, how they are looked at, and why one may not come about."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from pipelines.database import quoted

if TYPE_CHECKING:
    import duckdb


class AuditFailedError(RuntimeError):
    """A release was refused; the old one stays published. The message names table, rule and what was found."""


class NothingToPublishError(RuntimeError):
    """The warehouse has no run date yet; the message says what to run."""


class NoSpaceLeftError(RuntimeError):
    """The disk is too full for a release; the old one stays."""


@dataclass(frozen=True)
class Release:
    """One state of all published tables."""

    release_id: str
    as_of_date: date
    status: str
    """`published` or `rollback`."""
    note: str
    tables: dict[str, dict]
    """Table to rows, rows by part, columns, types, as_of_date and, if carried over, the release it comes from."""
    fallback: str = ""
    """Why the history does not come from the published file, in one line; empty if it does. Also part of `note`."""
    removed: Mapping[str, str] = field(default_factory=dict)
    """Tables of the last release that this one is without, and why; their rows in the histories stay."""
    newest_data: Mapping[str, date] = field(default_factory=dict)
    """Source to the day of its newest data."""


BACKFILL = "backfill-"
"""Prefix of the release_id of backfilled scores."""

HISTORY_KEYS = {
    "model_runs": ("run_id", "model", "started_at"),
    "forecast_accuracy": ("model_version", "metric", "currency", "segment", "method"),
    "data_quality": ("run_id", "gate", "suite", "expectation", "checked_at"),
}
"""Append-only tables that the pipeline writes, and their keys."""

SCORE_HISTORY = {
    "table_name": "varchar",
    "entity_id": "varchar",
    "as_of_date": "date",
    "probability": "double",
    "score": "integer",
    "reasons": "varchar",
    "model_version": "varchar",
    "release_id": "varchar",
    "grade": "varchar",
    "expected_value": "double",
    "currency": "varchar",
    "horizon_days": "integer",
    "is_holdback": "boolean",
    "is_backfill": "boolean",
}
"""Columns of `score_history` and their types; those from `grade` on are null in rows of older versions."""

OWN_TABLES = {"score_history", "releases"}

OF_MANY_DAYS = {"model_health", "score_outcomes", "uplift"}
"""Tables with rows of many days: their newest day is not the day that the table is as of."""

SCORE_COLUMNS = {"probability", "score", "reasons", "as_of_date", "model_version"}


def has_one_probability(columns: Collection[str]) -> bool:
    """Whether a table has scores that `score_history` keeps: of one answer each, not of several levels."""
    return SCORE_COLUMNS.issubset(columns) and "predicted" not in columns


def tables_in(connection: "duckdb.DuckDBPyConnection", database: str, schema: str) -> list[str]:
    """Tables and views of a schema; a view is published as a table of its current rows."""
    rows = connection.execute(
        """
        select table_name from duckdb_tables() where database_name = $1 and schema_name = $2
        union all
        select view_name from duckdb_views() where database_name = $1 and schema_name = $2 and not internal
        order by all
        """,
        [database, schema],
    ).fetchall()
    return [name for (name,) in rows]


def types_of(connection: "duckdb.DuckDBPyConnection", relation: str) -> dict[str, str]:
    """Column to type, of a table or a query."""
    return {name: type_ for name, type_, *_ in connection.execute(f"describe {relation}").fetchall()}


def names_of(connection: "duckdb.DuckDBPyConnection", relation: str) -> list[str]:
    """The columns of a table or a query, in order."""
    return list(types_of(connection, relation))


def key_column(connection: "duckdb.DuckDBPyConnection", relation: str) -> str:
    """The first column, which is the key of a published table."""
    return quoted(names_of(connection, relation)[0])
