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

import errno
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import comment_on, connect, quoted
from pipelines.locking import run_lock
from pipelines.publishing.descriptions import COLUMNS, TABLES, description_of
from pipelines.publishing.kept_releases import (
    LastRelease,
    ReleaseUnusable,
    check_release,
    finish_copies,
    keep_copy,
    kept_releases,
    last_release,
    remove_outdated,
)
from pipelines.publishing.kept_releases import sync as _sync
from pipelines.quality.findings import Finding, record_findings
from pipelines.quality.publish import rows_by_part

if TYPE_CHECKING:
    import duckdb

KEPT_RELEASES = 10
WEEK = (5, 10)
"""Days between a score and the earlier one that `probability_change_7d` compares it with."""
BACKFILL = "backfill-"
"""Prefix of the release_id of backfilled scores."""
USUAL_AND_EFFECT = r"(, (usually [^()]*|as usual))?( \((raises|lowers) the [^()]*\))?$"
"""The part of a reason after the value: the usual value and the direction."""
DAYS_WITH_REASONS = 14
"""How long the history keeps the reasons of a score; the probability is kept for good."""
HISTORY_KEYS = {
    "model_runs": ("run_id", "model", "started_at"),
    "forecast_accuracy": ("model_version", "metric", "segment", "method"),
    "data_quality": ("run_id", "gate", "suite", "expectation", "checked_at"),
}
"""Append-only tables that the pipeline writes, and their keys."""
OWN_TABLES = {"score_history", "releases"}
OF_MANY_DAYS = {"model_health", "score_outcomes", "uplift"}
"""Tables with rows of many days: their newest day is not the day that the table is as of."""
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
RELEASE_ID_FORMAT = "%Y-%m-%dT%H%M%S.%fZ"
SCORE_COLUMNS = {"probability", "score", "reasons", "as_of_date", "model_version"}


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
    removed: tuple[str, ...] = ()
    """Tables of the last release that nothing makes any more; their rows in the histories stay."""


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
    declared: Collection[str] | None = None,
) -> Release:
    """
    Publish all tables of the warehouse's schema `published`, or those that are `declared`.

    `audit` checks the finished draft through a connection and returns its findings; a blocking finding that failed
    refuses the release. A declared table that the warehouse does not have is carried over from the last release. If the
    published file cannot be read, the newest readable copy is the last release; without one a new history begins.
    Raises `NothingToPublishError`, `AuditFailedError` or `NoSpaceLeftError`; in each case the old release is untouched
    and no draft is left.
    """
    with _draft(published, releases_dir, owner=f"run {run_id}") as place:
        last = last_release(published, releases_dir)
        with _connection(place.draft) as connection:
            as_of = _attach_warehouse(connection, warehouse)
            previous = _attach_previous(connection, last)
            release_id = _new_release_id(connection, previous, now)
            tables, removed = _copy_tables(connection, previous, release_id, declared)
            _append_history(connection, previous)
            _append_score_history(connection, previous, sorted(tables), release_id, as_of)
            fallback = _fallback(place, last, release_id)
            note = "; ".join(filter(None, [fallback, _note(tables, as_of, removed)]))
            release = Release(release_id, as_of, "published", note, tables, fallback, removed)
            _append_release(connection, previous, release, run_id, now, tables_of=release_id)
            _describe_tables(connection)
        with _connection(place.draft, read_only=True) as connection:
            findings = audit(connection)
        refused = [finding for finding in findings if finding.is_blocking and not finding.success]
        if refused:
            problems = "\n".join(f"- {finding.message}" for finding in refused)
            raise AuditFailedError(f"The release was refused and the last one stays published:\n{problems}")
        with _connection(place.draft) as connection:
            record_findings(connection, "data_quality", findings, run_id, now)
            comment_on(connection, "data_quality", TABLES["data_quality"], COLUMNS["data_quality"])
        _swap_in(place, release, last, keep)
    return release


def rollback(published: Path, releases_dir: Path, to: str | None, now: datetime) -> Release:
    """
    Publish the tables of an older release again, as a new release; the history keeps all rows.

    Default of `to`: the release before the one whose tables are published now or, if the published file cannot be read,
    the newest readable copy. A damaged copy is skipped, and the note says so. Raises `LookupError` with the kept
    releases when there is none to go back to, or `to` is not kept or damaged.
    """
    if not published.exists() and not kept_releases(releases_dir):
        raise LookupError(f"Nothing is published yet: {published} is not there.")
    with _draft(published, releases_dir, owner="a rollback") as place:
        last = last_release(published, releases_dir)
        if last.path is None:
            raise LookupError(f"There is no release to go back to: {last.problem}.")
        with _connection(last.path, read_only=True) as connection:
            rows = connection.execute(
                "select release_id, tables_of, as_of_date from releases order by release_id"
            ).fetchall()
        if to is None and last.problem:
            chosen, target, passed_over = rows[-1][0], last.path, []
        else:
            chosen, target, passed_over = _target(rows, releases_dir, to, is_damaged=bool(last.problem))
        as_of, origin = next((as_of, tables_of) for each, tables_of, as_of in rows if each == chosen)
        with _connection(place.draft) as connection:
            previous = _attach_previous(connection, last)
            database = "previous"
            if target != last.path:
                database = "target"
                connection.execute(f"attach '{_escaped(target)}' as target (read_only)")
            release_id = _new_release_id(connection, previous, now)
            tables = {}
            for table in _tables(connection, database, "main"):
                if table not in OWN_TABLES and table not in HISTORY_KEYS:
                    tables[table] = _carry_over(connection, database, table, release_id, origin)
            _append_history(connection, previous)
            connection.execute("create table score_history as select * from previous.score_history")
            fallback = _fallback(place, last, release_id)
            note = "; ".join(filter(None, [f"tables of release {origin}", *passed_over, fallback]))
            release = Release(release_id, as_of, "rollback", note, tables, fallback)
            _append_release(connection, previous, release, "rollback", now, tables_of=origin)
            _describe_tables(connection)
        _swap_in(place, release, last, KEPT_RELEASES)
    return release


def _target(
    rows: Sequence[tuple[str, str, date]], releases_dir: Path, to: str | None, is_damaged: bool
) -> tuple[str, Path, list[str]]:
    """
    The release to go back to, its file, and what is wrong with newer ones that were skipped.

    `is_damaged`: the published file is damaged, so the current release's copy may be published again.
    """
    current, tables_now, _ = rows[-1]
    origins = {release_id: tables_of for release_id, tables_of, _ in rows}
    kept = {path.stem: path for path in kept_releases(releases_dir) if path.stem in origins}
    if not is_damaged:
        kept.pop(current, None)
    older = [name for name, tables_of in origins.items() if name == tables_of < tables_now]
    problems = []
    for name in reversed(older) if to is None else [to]:
        if name not in kept:
            continue
        try:
            if (found := check_release(kept[name], releases_dir)) != name:
                raise ReleaseUnusable(f"has the file of {found}")
        except ReleaseUnusable as problem:
            problems.append(f"the kept release {name} {problem}")
            del kept[name]
        else:
            return name, kept[name], problems
    why = f": {'; '.join(problems)}" if problems else ""
    listed = ", ".join(kept) or "none"
    raise LookupError(f"There is no release {to or 'before the current one'} to go back to{why}. Kept: {listed}.")


@contextmanager
def _draft(published: Path, releases_dir: Path, owner: str) -> Iterator[_Place]:
    """
    A draft file beside the published one; it is removed in any case, and so are drafts of killed runs.

    Holds a lock: of two publishes at once, one would lose the other's rows of history.
    """
    import duckdb

    published.parent.mkdir(parents=True, exist_ok=True)
    releases_dir.mkdir(parents=True, exist_ok=True)
    place = _Place(published, releases_dir, published.with_name(f"{published.stem}.{os.getpid()}.draft.duckdb"))
    with run_lock(published.with_suffix(".lock"), owner):
        _remove_drafts(published)
        finish_copies(published, releases_dir)
        try:
            yield place
        except (duckdb.Error, OSError) as problem:
            if not _is_full(problem):
                raise
            reached = sum(path.stat().st_size for path in _drafts(published))
            last = published.stat().st_size if published.exists() else 0
            _remove_drafts(published)
            free = shutil.disk_usage(published.parent).free
            needed = max(2 * max(reached, last), free)  # the release, and the copy to keep
            raise NoSpaceLeftError(
                f"The disk of {published.parent} is too full for a release: {_mib(free)} are free,"
                f" more than {_mib(needed)} are needed. The last release stays published;"
                " free some space and run again."
            ) from problem
        finally:
            _remove_drafts(published)


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def _drafts(published: Path) -> list[Path]:
    """Drafts, with DuckDB's log and spill folder beside them."""
    return list(published.parent.glob(f"{published.stem}.*.draft.duckdb*"))


def _remove_drafts(published: Path) -> None:
    for leftover in _drafts(published):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _is_full(problem: Exception) -> bool:
    return getattr(problem, "errno", None) in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT) or any(
        words in str(problem) for words in ("No space left", "File too large", "Disk quota", "not enough space")
    )


@contextmanager
def _connection(path: Path, read_only: bool = False) -> "Iterator[duckdb.DuckDBPyConnection]":
    with connect(path, read_only=read_only, memory_limit="1GB") as connection:
        yield connection
        if not read_only:
            # Closing also writes the log into the file, but raises nothing if the disk is full.
            connection.execute("force checkpoint")


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")


def _attach_warehouse(connection: "duckdb.DuckDBPyConnection", warehouse: Path) -> date:
    """Attach the warehouse as `warehouse`; returns the run's date."""
    if not warehouse.exists():
        raise NothingToPublishError(f"There is no warehouse to publish from: {warehouse} is not there. Run `make run`.")
    connection.execute(f"attach '{_escaped(warehouse)}' as warehouse (read_only)")
    has_date = "as_of" in _tables(connection, "warehouse", "raw_scorecast")
    row = connection.execute("select as_of_date from warehouse.raw_scorecast.as_of").fetchone() if has_date else None
    if row is None or row[0] is None:
        raise NothingToPublishError(
            f"{warehouse} has no run's date (raw_scorecast.as_of): nothing was loaded into it. Run the job `daily`."
        )
    return row[0]


def _attach_previous(connection: "duckdb.DuckDBPyConnection", last: LastRelease) -> bool:
    """Attach the last release as `previous`; returns whether there is one."""
    if last.path is not None:
        connection.execute(f"attach '{_escaped(last.path)}' as previous (read_only)")
    return last.path is not None


def _fallback(place: _Place, last: LastRelease, release_id: str) -> str:
    """Why the history does not come from the published file, and where that file is moved to."""
    aside = _aside(place, last, release_id)
    return f"{last.note}; what was there is kept as {aside.name}" if aside else last.note


def _aside(place: _Place, last: LastRelease, release_id: str) -> Path | None:
    """Where an unreadable published file is moved: if there is no copy of it, or it is a folder."""
    published = place.published
    if last.problem and published.exists() and (last.path is None or published.is_dir()):
        return published.with_name(f"{published.stem}.unreadable-{release_id}{published.suffix}")
    return None


def _new_release_id(connection: "duckdb.DuckDBPyConnection", previous: bool, now: datetime) -> str:
    """The time in UTC to the millisecond; always later than the last release's, even if the clock was set back."""
    moment = now.astimezone(UTC).replace(tzinfo=None)
    if previous:
        (last,) = connection.execute("select max(release_id) from previous.releases").fetchone()
        moment = max(moment, datetime.strptime(last, RELEASE_ID_FORMAT) + timedelta(milliseconds=1))
    return f"{moment:%Y-%m-%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"


def _tables(connection: "duckdb.DuckDBPyConnection", database: str, schema: str) -> list[str]:
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


def _types(connection: "duckdb.DuckDBPyConnection", relation: str) -> dict[str, str]:
    return {name: type_ for name, type_, *_ in connection.execute(f"describe {relation}").fetchall()}


def _columns(connection: "duckdb.DuckDBPyConnection", relation: str) -> list[str]:
    return list(_types(connection, relation))


def _described(connection: "duckdb.DuckDBPyConnection", table: str) -> dict:
    (rows,) = connection.execute(f"select count(*) from {quoted(table)}").fetchone()
    types = _types(connection, quoted(table))
    described = {"rows": rows, "columns": list(types), "types": types}
    parts = rows_by_part(connection, table, types)
    if parts:
        described["parts"] = parts
    if "as_of_date" in types and table not in OF_MANY_DAYS:
        (as_of,) = connection.execute(f"select max(as_of_date) from {quoted(table)}").fetchone()
        described["as_of_date"] = str(as_of) if as_of else None
    return described


def _copy_tables(
    connection: "duckdb.DuckDBPyConnection", previous: bool, release_id: str, declared: Collection[str] | None
) -> tuple[dict[str, dict], tuple[str, ...]]:
    """The release's tables, copied or carried over, and the last release's tables that are no longer declared."""
    special = OWN_TABLES | set(HISTORY_KEYS)
    made = [table for table in _tables(connection, "warehouse", "published") if table not in special]
    kept = [table for table in _tables(connection, "previous", "main") if table not in special] if previous else []
    removed = () if declared is None else tuple(table for table in kept if table not in declared)
    if declared is not None:
        made = [table for table in made if table in declared]
        kept = [table for table in kept if table in declared]
    tables = {}
    for table in made:
        source = f"warehouse.published.{quoted(table)}"
        columns = set(_columns(connection, source))
        query = f"from {source}"
        if columns >= SCORE_COLUMNS and "change_reason" not in columns:
            query = _with_changes(connection, table, previous)
        chosen = "* exclude (release_id)" if "release_id" in columns else "*"
        connection.execute(
            f"create table {quoted(table)} as select {chosen}, '{release_id}' as release_id from ({query})"
        )
        tables[table] = _described(connection, table)
    for table in sorted(set(kept) - set(made)):
        last, described = connection.execute(
            "select release_id, tables from previous.releases order by release_id desc limit 1"
        ).fetchone()
        origin = json.loads(described).get(table, {}).get("carried_over_from", last)
        tables[table] = _carry_over(connection, "previous", table, release_id, origin)
    return tables, removed


def _describe_tables(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write comments on every table and column: ours, then those of the file that the table was copied from."""
    sources = "(database_name, schema_name) in (('previous', 'main'), ('target', 'main'), ('warehouse', 'published'))"
    rows = connection.execute(
        f"""
        select table_name, column_name, comment, database_name from duckdb_columns()
        where comment is not null and {sources}
        union all
        select table_name, '', comment, database_name from duckdb_tables() where comment is not null and {sources}
        order by database_name
        """
    ).fetchall()
    comments = {(table, column): words for table, column, words, _ in rows}  # the warehouse's come last
    (draft,) = connection.execute("select current_database()").fetchone()
    for table in _tables(connection, draft, "main"):
        own = COLUMNS.get(table, {})
        columns = {
            column: own.get(column) or comments.get((table, column)) or description_of(table, column)
            for column in _columns(connection, quoted(table))
        }
        about = TABLES.get(table) or comments.get((table, ""))
        comment_on(connection, quoted(table), about, {column: words for column, words in columns.items() if words})


def _carry_over(
    connection: "duckdb.DuckDBPyConnection", database: str, table: str, release_id: str, origin: str
) -> dict:
    """Copy a table of an earlier release; `origin` is the release in which it was made."""
    connection.execute(
        f"create table {quoted(table)} as"
        f" select * replace ('{release_id}' as release_id) from {database}.main.{quoted(table)}"
    )
    return {**_described(connection, table), "carried_over_from": origin}


def _key_column(connection: "duckdb.DuckDBPyConnection", relation: str) -> str:
    """The first column, which is the key of a published table."""
    return quoted(_columns(connection, relation)[0])


def _with_changes(connection: "duckdb.DuckDBPyConnection", table: str, previous: bool) -> str:
    """
    Scores with their change within a week: against the score closest to seven days before (five to ten days).

    The change's reason is the feature whose contribution to the log-odds moved most in the direction of the change,
    with its value now and then. Scores of rolled-back releases and backfilled scores are left out: users did not see
    them, or no longer do.
    """
    source = f"warehouse.published.{quoted(table)}"
    if not previous:
        return (
            "select * exclude (model_version), cast(null as double) as probability_change_7d,"
            f" cast(null as varchar) as change_reason, model_version from {source}"
        )
    key = _key_column(connection, source)
    entries = 'from_json(reasons, \'[{"feature":"VARCHAR","value":"JSON","contribution":"DOUBLE","text":"VARCHAR"}]\')'
    name = table.replace("'", "''")
    return f"""
        with taken_back as (
            select releases.release_id
            from previous.releases as releases
            inner join previous.releases as rollbacks
                on rollbacks.tables_of < releases.release_id and releases.release_id < rollbacks.release_id
            where rollbacks.status = 'rollback'
        ),
        earlier as (
            select
                history.entity_id, history.as_of_date, history.probability, history.reasons,
                history.model_version is distinct from now.model_version as is_other_model
            from previous.score_history as history
            inner join {source} as now on history.entity_id = cast(now.{key} as varchar)
            where
                history.table_name = '{name}'
                and history.release_id not in (select release_id from taken_back)
                and not starts_with(history.release_id, '{BACKFILL}')
                and date_diff('day', history.as_of_date, now.as_of_date) between {WEEK[0]} and {WEEK[1]}
            qualify row_number() over (
                partition by history.entity_id
                order by abs(date_diff('day', history.as_of_date, now.as_of_date) - 7), history.release_id desc
            ) = 1
        ),
        reasons_now as (
            select cast({key} as varchar) as entity_id, unnest({entries}) as reason from {source}
        ),
        reasons_before as (
            select entity_id, as_of_date, is_other_model, unnest({entries}) as reason from earlier
        ),
        worded as (
            select
                coalesce(reasons_now.entity_id, reasons_before.entity_id) as entity_id,
                coalesce(reasons_now.reason.contribution, 0)
                - coalesce(reasons_before.reason.contribution, 0) as moved_by,
                reasons_now.reason.text as text_now,
                reasons_before.reason.text as text_before,
                reasons_now.reason.value ->> '$' as value_now,
                reasons_before.reason.value ->> '$' as value_before,
                try_cast(value_before as double) as number_before,
                case
                    when value_before = 'true' then 'yes'
                    when value_before = 'false' then 'no'
                    when number_before is null then coalesce(value_before, 'unknown')
                    when abs(number_before) < 1000 then format('{{:.3g}}', number_before)
                    else format('{{:,.0f}}', number_before)
                end as shown_before
            from reasons_now
            full join reasons_before
                on reasons_now.entity_id = reasons_before.entity_id
                and reasons_now.reason.feature = reasons_before.reason.feature
            where coalesce(reasons_now.reason.feature, reasons_before.reason.feature) not in ('base', 'other')
        ),
        moved as (
            select
                entity_id,
                moved_by,
                case
                    when text_now is null then 'No longer among the reasons: ' || text_before
                    when text_before is null then 'New among the reasons: ' || text_now
                    when value_now is distinct from value_before then concat(
                        regexp_replace(text_now, '{USUAL_AND_EFFECT}', ''),
                        ', was ',
                        shown_before,
                        case when moved_by > 0 then ' (raises' else ' (lowers' end,
                        coalesce(nullif(regexp_extract(text_now, ' the [^()]*\)$'), ''), ' the probability)')
                    )
                    else text_now
                end as wording
            from worded
        ),
        strongest as (
            select
                earlier.entity_id,
                arg_max(moved.wording, moved.moved_by * sign(now.probability - earlier.probability)) filter (
                    where moved.moved_by * sign(now.probability - earlier.probability) > 0
                ) as wording
            from earlier
            inner join {source} as now on cast(now.{key} as varchar) = earlier.entity_id
            inner join moved on earlier.entity_id = moved.entity_id
            group by earlier.entity_id
        )
        select
            now.* exclude (model_version),
            now.probability - earlier.probability as probability_change_7d,
            case
                when now.probability = earlier.probability then null
                when earlier.is_other_model
                then concat_ws('; ', 'The model is another one than on ' || earlier.as_of_date, strongest.wording)
                else strongest.wording
            end as change_reason,
            now.model_version
        from {source} as now
        left join earlier on cast(now.{key} as varchar) = earlier.entity_id
        left join strongest on cast(now.{key} as varchar) = strongest.entity_id
    """


def _append_history(connection: "duckdb.DuckDBPyConnection", previous: bool) -> None:
    """The last release's rows of the append-only tables, and the warehouse's new ones."""
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
                    connection.execute(f"alter table {table} add column {quoted(name)} {type_}")
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
    """The last release's score history, this release's scores, and scores backfilled since."""
    connection.execute(f"create table score_history ({', '.join(f'{n} {t}' for n, t in SCORE_HISTORY.items())})")
    backfilled = "backfilled" in _tables(connection, "warehouse", "scores")
    if previous:
        replaced = "from previous.score_history"
        if backfilled:
            # A newer backfill of a day replaces the older one; published scores are never replaced.
            replaced += f"""
                where not (
                    starts_with(release_id, '{BACKFILL}')
                    and (table_name, as_of_date) in (select (table_name, as_of_date) from warehouse.scores.backfilled)
                )
            """
        connection.execute(
            f"""
            insert into score_history by name
            select * replace (
                case when as_of_date >= cast('{as_of}' as date) - {DAYS_WITH_REASONS} then reasons end as reasons
            )
            {replaced}
            """
        )
    if backfilled:
        connection.execute("insert into score_history by name select * from warehouse.scores.backfilled")
    for table in tables:
        relation = quoted(table)
        columns = _columns(connection, relation)
        if set(columns) >= SCORE_COLUMNS:
            expected = next((name for name in columns if name.startswith("expected_")), None)
            more = [name for name in ("grade", "currency", "horizon_days", "is_holdback") if name in columns]
            connection.execute(
                f"""
                insert into score_history by name
                select
                    $1 as table_name, cast({_key_column(connection, relation)} as varchar) as entity_id,
                    as_of_date, probability, score, reasons, model_version, release_id, false as is_backfill
                    {"".join(f", {name}" for name in more)}
                    {f", {quoted(expected)} as expected_value" if expected else ""}
                from {relation}
                """,
                [table],
            )


def _note(tables: dict[str, dict], as_of: date, removed: Sequence[str]) -> str:
    """Which tables are not fresh and which were removed, in words."""
    notes = [removed_in_words(table) for table in removed]
    notes += [
        f"{table} was not made in this run and is carried over from {described['carried_over_from']}"
        if "carried_over_from" in described
        else f"{table} is as of {described['as_of_date']}"
        for table, described in tables.items()
        if "carried_over_from" in described or described.get("as_of_date") not in (None, str(as_of))
    ]
    return "; ".join(notes) or "all tables made anew"


def removed_in_words(table: str) -> str:
    """The message that a table is no longer in the release."""
    return f"{table} has left the release: nothing in assets/ makes it any more. What score_history has of it stays"


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


def _swap_in(place: _Place, release: Release, last: LastRelease, keep: int) -> None:
    """
    Put the draft in the published file's place, and keep a copy of it.

    The copy (named `.part`) and its checksum are on disk before the swap. So after a kill at any moment the published
    file has a checksum on record, and every kept release was published.
    """
    if place.draft.with_name(f"{place.draft.name}.wal").exists():
        raise OSError(errno.ENOSPC, "No space left: the draft's log could not be written into it", str(place.draft))
    place.draft.chmod(0o400)
    _sync(place.draft)
    part = keep_copy(place.draft, place.releases_dir, release.release_id)
    aside = _aside(place, last, release.release_id)
    if aside is not None and place.published.is_dir():
        place.published.rename(aside)
    elif aside is not None:
        os.link(place.published, aside)
    os.replace(place.draft, place.published)
    _sync(place.published.parent)
    part.rename(part.with_suffix(""))
    remove_outdated(place.releases_dir, keep)
    _sync(place.releases_dir)
