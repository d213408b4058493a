"""
published.duckdb: built beside the old release, audited, swapped in as a whole; the last releases are kept for rollback.

Users read one file that is never written. A release is a new file with all published tables; `os.replace` puts it in
the old file's place. A reader sees the old release or the new one, never a mix, and is never locked out.

The tables are in the file's default schema. DuckDB names an opened database after its file, so both `churn_scores` and
`published.churn_scores` work in `published.duckdb`. The file is write-protected, because a tool that opened it for
writing would lock out every reader. Only its owner can read it; the owner decides who else may.
If the published file is damaged or gone, the history comes from the newest kept release (`kept_releases`), and the new
release's note says so.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import comment_on
from pipelines.publishing.descriptions import COLUMNS, TABLES
from pipelines.publishing.histories import append_history, append_release, append_score_history
from pipelines.publishing.kept_releases import (
    LastRelease,
    last_release,
)
from pipelines.publishing.states import AuditFailedError, NothingToPublishError, Release, tables_in
from pipelines.publishing.swap import fallback_in_words, new_draft, opened, swap_in
from pipelines.publishing.tables import copy_tables, describe_tables
from pipelines.quality.findings import Finding, record_findings

if TYPE_CHECKING:
    import duckdb

KEPT_RELEASES = 10
RELEASE_ID_FORMAT = "%Y-%m-%dT%H%M%S.%fZ"
IF_MEANT = "If so many rows more or less are meant, `row_count_range: [0, 10]` in sources.yaml lets one run through."


def build_release(
    warehouse: Path,
    published: Path,
    releases_dir: Path,
    audit: "Callable[[duckdb.DuckDBPyConnection], Sequence[Finding]]",
    run_id: str,
    now: datetime,
    keep: int = KEPT_RELEASES,
    declared: Collection[str] | None = None,
    withheld: Mapping[str, Collection[str]] | None = None,
) -> Release:
    """
    Publish all tables of the warehouse's schema `published`, or those that are `declared`.

    `audit` checks the finished draft through a connection and returns its findings; a blocking finding that failed
    refuses the release. A declared table that the warehouse does not have is carried over from the last release.
    `withheld`: table to columns that it must not have, wherever it comes from. If the
    published file cannot be read, the newest readable copy is the last release; without one a new history begins.
    Raises `NothingToPublishError`, `AuditFailedError` or `NoSpaceLeftError`; in each case the old release is untouched
    and no draft is left.
    """
    with new_draft(published, releases_dir, owner=f"run {run_id}") as place:
        last = last_release(published, releases_dir)
        with opened(place.draft) as connection:
            as_of = _attach_warehouse(connection, warehouse)
            previous = attach_previous(connection, last)
            release_id = new_release_id(connection, previous, now)
            append_history(connection, previous)
            tables, removed = copy_tables(connection, previous, release_id, declared, withheld or {})
            append_score_history(connection, previous, sorted(tables), release_id, as_of)
            fallback = fallback_in_words(place, last, release_id)
            note = "; ".join(filter(None, [fallback, _note(tables, as_of, removed)]))
            newest = _newest_data(connection)
            release = Release(release_id, as_of, "published", note, tables, fallback, removed, newest)
            append_release(connection, previous, release, run_id, now, tables_of=release_id)
            describe_tables(connection)
        with opened(place.draft, read_only=True) as connection:
            findings = audit(connection)
        refused = [finding for finding in findings if finding.is_blocking and not finding.success]
        if refused:
            problems = "\n".join(f"- {finding.message}" for finding in refused)
            meant = f"\n{IF_MEANT}" if "row_count_range" in problems else ""
            raise AuditFailedError(f"The release was refused and the last one stays published:\n{problems}{meant}")
        with opened(place.draft) as connection:
            record_findings(connection, "data_quality", findings, run_id, now)
            comment_on(connection, "data_quality", TABLES["data_quality"], COLUMNS["data_quality"])
        swap_in(place, release, last, keep)
    return release


def escaped(path: Path) -> str:
    """A path as it stands in an SQL text."""
    return str(path).replace("'", "''")


def _attach_warehouse(connection: "duckdb.DuckDBPyConnection", warehouse: Path) -> date:
    """Attach the warehouse as `warehouse`; returns the run's date."""
    if not warehouse.exists():
        raise NothingToPublishError(f"There is no warehouse to publish from: {warehouse} is not there. Run `make run`.")
    connection.execute(f"attach '{escaped(warehouse)}' as warehouse (read_only)")
    has_date = "as_of" in tables_in(connection, "warehouse", "raw_scorecast")
    row = connection.execute("select as_of_date from warehouse.raw_scorecast.as_of").fetchone() if has_date else None
    if row is None or row[0] is None:
        raise NothingToPublishError(
            f"{warehouse} has no run's date (raw_scorecast.as_of): nothing was loaded into it. Run the job `daily`."
        )
    return row[0]


def _newest_data(connection: "duckdb.DuckDBPyConnection") -> dict[str, date]:
    """Source to the day of its newest data; nothing in a warehouse of before that was noted."""
    if "newest" not in tables_in(connection, "warehouse", "raw_scorecast"):
        return {}
    rows = connection.execute(
        "select source, max(newest_date) from warehouse.raw_scorecast.newest group by source order by source"
    )
    return dict(rows.fetchall())


def attach_previous(connection: "duckdb.DuckDBPyConnection", last: LastRelease) -> bool:
    """Attach the last release as `previous`; returns whether there is one."""
    if last.path is not None:
        connection.execute(f"attach '{escaped(last.path)}' as previous (read_only)")
    return last.path is not None


def new_release_id(connection: "duckdb.DuckDBPyConnection", previous: bool, now: datetime) -> str:
    """The time in UTC to the millisecond; always later than the last release's, even if the clock was set back."""
    moment = now.astimezone(UTC).replace(tzinfo=None)
    if previous:
        (last,) = connection.execute("select max(release_id) from previous.releases").fetchone()
        moment = max(moment, datetime.strptime(last, RELEASE_ID_FORMAT) + timedelta(milliseconds=1))
    return f"{moment:%Y-%m-%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"


def _note(tables: dict[str, dict], as_of: date, removed: Mapping[str, str]) -> str:
    """Which tables are not fresh and which were removed, in words."""
    notes = [removed_in_words(table, why) for table, why in removed.items()]
    notes += [
        f"{table} was not made in this run and is carried over from {described['carried_over_from']}"
        if "carried_over_from" in described
        else f"{table} is as of {described['as_of_date']}"
        for table, described in tables.items()
        if "carried_over_from" in described or described.get("as_of_date") not in (None, str(as_of))
    ]
    return "; ".join(notes) or "all tables made anew"


def removed_in_words(table: str, why: str) -> str:
    """The message that a table is no longer in the release."""
    return f"{table} has left the release: {why}. What score_history has of it stays"
