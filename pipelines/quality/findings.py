"""Findings of the gates: one expectation, whether it held, and a sentence; and the table that keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Finding:
    """One expectation about one table, and its result."""

    gate: str
    """`raw` or `publish`."""
    suite: str
    """The source or the table that was checked."""
    expectation: str
    success: bool
    is_blocking: bool
    """Whether a failure stops the run; otherwise it is a warning."""
    message: str
    """What was expected and what was found, in words; a few failing rows are quoted."""
    seen: str = ""
    """What was found instead, without values of the data; empty if it held."""


def record_findings(
    connection: "duckdb.DuckDBPyConnection", table: str, findings: Sequence[Finding], run_id: str, now: datetime
) -> None:
    """Append findings to a `data_quality` table, which is created if it does not exist."""
    connection.execute(
        f"create table if not exists {table} (run_id varchar, gate varchar, suite varchar, expectation varchar,"
        " success boolean, is_blocking boolean, message varchar, checked_at timestamptz)"
    )
    for finding in findings:
        connection.execute(
            f"insert into {table} values (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                run_id,
                finding.gate,
                finding.suite,
                finding.expectation,
                finding.success,
                finding.is_blocking,
                finding.message,
                now,
            ],
        )
