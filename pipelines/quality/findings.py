"""What a gate found: one expectation, held or not, in words; and where findings are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Finding:
    """One expectation about one table, and how it turned out."""

    gate: str
    """`raw` or `publish`."""
    suite: str
    """The source or the table that was looked at."""
    expectation: str
    success: bool
    is_blocking: bool
    """Whether a failure stops the run; otherwise it is only shown."""
    message: str
    """What was expected and what was seen, in words; a few offending rows are quoted."""
    seen: str = ""
    """What was seen instead, without a value of the data; empty if it held."""


def record_findings(
    connection: "duckdb.DuckDBPyConnection", table: str, findings: Sequence[Finding], run_id: str, now: datetime
) -> None:
    """Append findings to a `data_quality` table, which is made if it is not there."""
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
