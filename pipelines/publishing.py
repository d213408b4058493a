"""
published.duckdb: built beside the old release, audited, swapped in whole; the last ones kept for a rollback.

Users read one file that nobody writes. A release is a new file with all published tables; `os.replace` puts it in the
old one's place, so a reader sees the old release or the new one, never half, and is never locked out.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.quality.findings import Finding, record_findings

if TYPE_CHECKING:
    import duckdb

KEPT_RELEASES = 10
DAYS_WITH_REASONS = 14
"""How long the history keeps the reasons of a score; the probability stays for good."""
HISTORY_KEYS = {
    "model_runs": ("run_id", "model", "started_at"),
    "forecast_accuracy": ("model_version", "metric", "segment", "method"),
    "data_quality": ("run_id", "gate", "suite", "expectation", "checked_at"),
}
"""Append-only tables that the pipeline writes, and what makes a row of them one row."""
OWN_TABLES = {"score_history", "releases"}
SCORE_COLUMNS = {"probability", "score", "reasons", "as_of_date", "model_version"}


class AuditFailedError(RuntimeError):
    """A release was refused; the old one stays. The message names table, rule and what was seen."""


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
    """Table to its rows, columns, own as_of_date and, if it was not made anew, the release it was carried over from."""


@dataclass(frozen=True)
class _Place:
    """The files of a release that is being built."""

    published: Path
    releases_dir: Path
    draft: Path


def build_release(
    warehouse: Path,
    published: Path,
    releases_dir: Path,
    audit: "Callable[[duckdb.DuckDBPyConnection], Sequence[Finding]]",
    run_id: str,
    now: datetime,
    keep: int = KEPT_RELEASES,
) -> Release:
    """
    Publish everything in the warehouse's schema `published`.

    `audit` looks at the finished draft through a connection and returns its findings; one that is blocking and failed
    refuses the release. A table of the last release that the warehouse no longer has is carried over. Raises
    `AuditFailedError` or `NoSpaceLeftError`; in both cases the old release is untouched and nothing is left behind.
    """
    with _draft(published, releases_dir) as place:
        with _connection(place.draft) as connection:
            connection.execute(f"attach '{_escaped(warehouse)}' as warehouse (read_only)")
            previous = _attach_previous(connection, published)
            (as_of,) = connection.execute("select as_of_date from warehouse.raw_scorecast.as_of").fetchone()
            release_id = _new_release_id(now)
            tables = _copy_tables(connection, previous, release_id)
            _append_history(connection, previous)
            _append_score_history(connection, previous, sorted(tables), release_id, as_of)
            release = Release(release_id, as_of, "published", _note(tables, as_of), tables)
            _append_release(connection, previous, release, run_id, now, tables_of=release_id)
        with _connection(place.draft, read_only=True) as connection:
            findings = audit(connection)
        refused = [finding for finding in findings if finding.is_blocking and not finding.success]
        if refused:
            told = "\n".join(f"- {finding.message}" for finding in refused)
            raise AuditFailedError(f"The release was refused and the last one stays published:\n{told}")
        with _connection(place.draft) as connection:
            record_findings(connection, "data_quality", findings, run_id, now)
        _swap_in(place, release_id, keep)
    return release


def rollback(published: Path, releases_dir: Path, to: str | None, now: datetime) -> Release:
    """
    Publish the tables of an older release again, as a new release; the history keeps everything that was.

    Without `to`: the release before the one whose tables are published now. Raises `LookupError`, naming the releases
    that are kept, when it is not among them.
    """
    if not published.exists():
        raise LookupError(f"Nothing is published yet: {published} is not there.")
    with _connection(published, read_only=True) as connection:
        rows = connection.execute(
            "select release_id, tables_of, as_of_date from releases order by release_id"
        ).fetchall()
    current, tables_now, _ = rows[-1]
    kept = {path.stem: path for path in sorted(releases_dir.glob("*.duckdb"))}
    older = [release_id for release_id, tables_of, _ in rows if release_id == tables_of and release_id < tables_now]
    candidates = [release_id for release_id in older if release_id in kept]
    target = to or (candidates[-1] if candidates else None)
    if target is None or target not in kept or target == current:
        listed = ", ".join(name for name in kept if name != current) or "none"
        raise LookupError(f"There is no release {target or 'before the current one'} to go back to. Kept: {listed}.")

    with _draft(published, releases_dir) as place:
        with _connection(place.draft) as connection:
            previous = _attach_previous(connection, published)
            connection.execute(f"attach '{_escaped(kept[target])}' as target (read_only)")
            release_id = _new_release_id(now)
            (as_of,) = connection.execute(
                "select max(as_of_date) from target.releases where release_id = ?", [target]
            ).fetchone()
            tables = {}
            for table in _tables(connection, "target", "main"):
                if table not in OWN_TABLES and table not in HISTORY_KEYS:
                    connection.execute(
                        f"create table {table} as select * replace ('{release_id}' as release_id) from target.{table}"
                    )
                    tables[table] = {**_described(connection, table), "carried_over_from": target}
            _append_history(connection, previous)
            connection.execute("create table score_history as select * from previous.score_history")
            release = Release(release_id, as_of, "rollback", f"tables of release {target}", tables)
            _append_release(connection, previous, release, "rollback", now, tables_of=target)
        _swap_in(place, release_id, KEPT_RELEASES)
    return release


@contextmanager
def _draft(published: Path, releases_dir: Path) -> Iterator[_Place]:
    """A draft file beside the published one; whatever happens, no draft is left, also none of a killed run."""
    import duckdb

    published.parent.mkdir(parents=True, exist_ok=True)
    releases_dir.mkdir(parents=True, exist_ok=True)
    _remove_drafts(published)
    place = _Place(published, releases_dir, published.with_name(f"{published.stem}.{os.getpid()}.draft.duckdb"))
    try:
        yield place
    except (duckdb.Error, OSError) as problem:
        if _is_full(problem):
            free = shutil.disk_usage(published.parent).free
            needed = published.stat().st_size * 2 if published.exists() else None
            raise NoSpaceLeftError(
                f"The disk of {published.parent} is too full for a release: {free / 2**20:.0f} MiB are free"
                + (f", about {needed / 2**20:.0f} MiB are needed" if needed else "")
                + ". The last release stays published; free some space and run again."
            ) from problem
        raise
    finally:
        _remove_drafts(published)


def _remove_drafts(published: Path) -> None:
    for leftover in published.parent.glob(f"{published.stem}.*.draft.duckdb*"):
        leftover.unlink(missing_ok=True)


def _is_full(problem: Exception) -> bool:
    return getattr(problem, "errno", None) in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT) or any(
        words in str(problem) for words in ("No space left", "File too large", "Disk quota", "not enough space")
    )


@contextmanager
def _connection(path: Path, read_only: bool = False) -> "Iterator[duckdb.DuckDBPyConnection]":
    import duckdb

    config = {"python_enable_replacements": "false", "memory_limit": "1GB", "threads": "2"}
    connection = duckdb.connect(str(path), read_only=read_only, config=config)
    try:
        yield connection
    finally:
        connection.close()


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")


def _attach_previous(connection: "duckdb.DuckDBPyConnection", published: Path) -> bool:
    if published.exists():
        connection.execute(f"attach '{_escaped(published)}' as previous (read_only)")
    return published.exists()


def _new_release_id(now: datetime) -> str:
    """Sortable and readable: the moment in UTC, to the millisecond."""
    return f"{now.astimezone(UTC):%Y-%m-%dT%H%M%S}.{now.microsecond // 1000:03d}Z"


def _tables(connection: "duckdb.DuckDBPyConnection", database: str, schema: str) -> list[str]:
    rows = connection.execute(
        "select table_name from duckdb_tables() where database_name = ? and schema_name = ? order by table_name",
        [database, schema],
    ).fetchall()
    return [name for (name,) in rows]


def _columns(connection: "duckdb.DuckDBPyConnection", table: str) -> list[str]:
    return [row[0] for row in connection.execute(f"describe {table}").fetchall()]


def _described(connection: "duckdb.DuckDBPyConnection", table: str) -> dict:
    (rows,) = connection.execute(f"select count(*) from {table}").fetchone()
    described = {"rows": rows, "columns": _columns(connection, table)}
    if "as_of_date" in described["columns"]:
        (as_of,) = connection.execute(f"select max(as_of_date) from {table}").fetchone()
        described["as_of_date"] = str(as_of) if as_of else None
    return described


def _copy_tables(connection: "duckdb.DuckDBPyConnection", previous: bool, release_id: str) -> dict[str, dict]:
    special = OWN_TABLES | set(HISTORY_KEYS)
    made = [table for table in _tables(connection, "warehouse", "published") if table not in special]
    kept = [table for table in _tables(connection, "previous", "main") if table not in special] if previous else []
    tables = {}
    for table in made:
        query = f"select * from warehouse.published.{table}"
        if set(_columns(connection, f"warehouse.published.{table}")) >= SCORE_COLUMNS:
            query = _with_changes(connection, table, previous)
        connection.execute(f"create table {table} as select *, '{release_id}' as release_id from ({query})")
        tables[table] = _described(connection, table)
    for table in sorted(set(kept) - set(made)):
        connection.execute(
            f"create table {table} as select * replace ('{release_id}' as release_id) from previous.{table}"
        )
        (origin,) = connection.execute("select max(release_id) from previous.releases").fetchone()
        tables[table] = {**_described(connection, table), "carried_over_from": origin}
    return tables


def _key_column(connection: "duckdb.DuckDBPyConnection", table: str) -> str:
    """Keys come first in a published table."""
    return _columns(connection, table)[0]


def _with_changes(connection: "duckdb.DuckDBPyConnection", table: str, previous: bool) -> str:
    """
    Scores with what changed within a week: against the score closest to seven days before (four to ten days).

    The change's reason is the feature whose contribution to the log-odds moved most in the direction of the change.
    """
    source = f"warehouse.published.{table}"
    if not previous:
        return (
            "select *, cast(null as double) as probability_change_7d, cast(null as varchar) as change_reason"
            f" from {source}"
        )
    key = _key_column(connection, source)
    entries = 'from_json(reasons, \'[{"feature":"VARCHAR","value":"JSON","contribution":"DOUBLE","text":"VARCHAR"}]\')'
    return f"""
        with earlier as (
            select history.entity_id, history.probability, history.reasons
            from previous.score_history as history
            inner join {source} as now on history.entity_id = cast(now.{key} as varchar)
            where
                history.table_name = '{table}'
                and date_diff('day', history.as_of_date, now.as_of_date) between 4 and 10
            qualify row_number() over (
                partition by history.entity_id
                order by abs(date_diff('day', history.as_of_date, now.as_of_date) - 7), history.release_id desc
            ) = 1
        ),
        reasons_now as (
            select cast({key} as varchar) as entity_id, unnest({entries}) as reason from {source}
        ),
        reasons_before as (
            select entity_id, unnest({entries}) as reason from earlier
        ),
        moved as (
            select
                coalesce(reasons_now.entity_id, reasons_before.entity_id) as entity_id,
                coalesce(reasons_now.reason.contribution, 0)
                - coalesce(reasons_before.reason.contribution, 0) as moved_by,
                coalesce(reasons_now.reason.text, 'No longer among the reasons: ' || reasons_before.reason.text)
                || case
                    when reasons_now.reason.value is distinct from reasons_before.reason.value
                        and reasons_now.reason.value is not null and reasons_before.reason.value is not null
                    then ' (before: ' || trim(cast(reasons_before.reason.value as varchar), '"') || ')'
                    else ''
                end as said
            from reasons_now
            full join reasons_before
                on reasons_now.entity_id = reasons_before.entity_id
                and reasons_now.reason.feature = reasons_before.reason.feature
            where coalesce(reasons_now.reason.feature, reasons_before.reason.feature) not in ('base', 'other')
        )
        select
            now.*,
            now.probability - earlier.probability as probability_change_7d,
            case when earlier.entity_id is not null and now.probability <> earlier.probability then (
                select arg_max(moved.said, moved.moved_by * sign(now.probability - earlier.probability))
                from moved where moved.entity_id = earlier.entity_id
            ) end as change_reason
        from {source} as now
        left join earlier on cast(now.{key} as varchar) = earlier.entity_id
    """


def _append_history(connection: "duckdb.DuckDBPyConnection", previous: bool) -> None:
    """Rows of the last release stay; rows that the warehouse has besides are added."""
    attached = {"warehouse": "published"} if _has_database(connection, "warehouse") else {}
    for table, keys in HISTORY_KEYS.items():
        parts = []
        if previous and table in _tables(connection, "previous", "main"):
            parts.append(f"previous.{table}")
        if attached and table in _tables(connection, "warehouse", "published"):
            parts.append(f"warehouse.published.{table}")
        if not parts:
            continue
        connection.execute(f"create table {table} as select * from {parts[0]}")
        if len(parts) == 2:
            for name, type_, *_ in connection.execute(f"describe {parts[1]}").fetchall():
                if name not in _columns(connection, table):
                    connection.execute(f"alter table {table} add column {name} {type_}")
            same = " and ".join(f"old.{key} is not distinct from new.{key}" for key in keys)
            connection.execute(
                f"insert into {table} by name select * from {parts[1]} as new"
                f" where not exists (select 1 from {table} as old where {same})"
            )


def _has_database(connection: "duckdb.DuckDBPyConnection", name: str) -> bool:
    return bool(connection.execute("select 1 from duckdb_databases() where database_name = ?", [name]).fetchall())


def _append_score_history(
    connection: "duckdb.DuckDBPyConnection", previous: bool, tables: list[str], release_id: str, as_of: date
) -> None:
    connection.execute(
        """
        create table score_history (
            table_name varchar, entity_id varchar, as_of_date date, probability double, score integer,
            reasons varchar, model_version varchar, release_id varchar
        )
        """
    )
    if previous:
        connection.execute(
            f"""
            insert into score_history by name
            select * replace (
                case when as_of_date >= cast('{as_of}' as date) - {DAYS_WITH_REASONS} then reasons end as reasons
            )
            from previous.score_history
            """
        )
    for table in tables:
        if set(_columns(connection, table)) >= SCORE_COLUMNS:
            connection.execute(
                f"""
                insert into score_history by name
                select
                    '{table}' as table_name, cast({_key_column(connection, table)} as varchar) as entity_id,
                    as_of_date, probability, score, reasons, model_version, release_id
                from {table}
                """
            )


def _note(tables: dict[str, dict], as_of: date) -> str:
    """What is not fresh in a release, in words."""
    notes = [
        f"{table} is carried over from {described['carried_over_from']}"
        if "carried_over_from" in described
        else f"{table} is as of {described['as_of_date']}"
        for table, described in tables.items()
        if "carried_over_from" in described or described.get("as_of_date") not in (None, str(as_of))
    ]
    return "; ".join(notes) or "all tables made anew"


def _append_release(
    connection: "duckdb.DuckDBPyConnection",
    previous: bool,
    release: Release,
    run_id: str,
    now: datetime,
    tables_of: str,
) -> None:
    connection.execute(
        """
        create table releases (
            release_id varchar, created_at timestamptz, as_of_date date, run_id varchar, status varchar, note varchar,
            tables_of varchar, tables json
        )
        """
    )
    if previous:
        connection.execute("insert into releases by name select * from previous.releases")
    connection.execute(
        "insert into releases values (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            release.release_id,
            now,
            release.as_of_date,
            run_id,
            release.status,
            release.note,
            tables_of,
            json.dumps(release.tables),
        ],
    )


def _swap_in(place: _Place, release_id: str, keep: int) -> None:
    """Put the draft in the published file's place, and a second name for it among the kept releases."""
    with place.draft.open("rb") as file:
        os.fsync(file.fileno())
    kept = place.releases_dir / f"{release_id}.duckdb"
    try:
        os.link(place.draft, kept)
    except OSError:
        shutil.copyfile(place.draft, kept)
    os.replace(place.draft, place.published)
    folder = os.open(place.published.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    for outdated in sorted(place.releases_dir.glob("*.duckdb"))[:-keep]:
        outdated.unlink()
