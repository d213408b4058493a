"""The run's date: the day up to which everything downstream knows."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import literal, quoted
from pipelines.extraction.checking import moment
from pipelines.extraction.contracts import Entity, Source
from pipelines.kept_releases import last_release

if TYPE_CHECKING:
    import duckdb


def day_of(entity: Entity) -> str:
    """SQL: the latest day of the contract's `time` column."""
    return f"max({moment(entity)})::date"


def latest_day(connection: "duckdb.DuckDBPyConnection", sources: Iterable[Source]) -> date | None:
    """The latest day on which any loaded row became known; None when nothing is loaded."""
    connection.execute("set TimeZone = 'UTC'")
    tables = {
        (schema, table)
        for schema, table in connection.execute(
            "select table_schema, table_name from information_schema.tables where table_schema like 'raw%'"
        ).fetchall()
    }
    queries = [
        f"select {day_of(entity)} as day from {quoted(f'raw_{source.name}')}.{quoted(entity.name)}"
        for source in sources
        for entity in source.entities
        if entity.time and (f"raw_{source.name}", entity.name) in tables
    ]
    if not queries:
        return None
    return connection.execute(f"select max(day) from ({' union all '.join(queries)})").fetchone()[0]


def write_as_of(
    connection: "duckdb.DuckDBPyConnection", sources: Iterable[Source], configured: date | None, now: datetime
) -> date:
    """
    Write `raw_scorecast.as_of` (as_of_date, run_at: one row) and return the date.

    It is the configured date, else the latest day in the data, never after today.
    """
    moment = now.astimezone(UTC).replace(tzinfo=None) if now.tzinfo else now
    day = configured or min(latest_day(connection, sources) or moment.date(), moment.date())
    connection.execute("create schema if not exists raw_scorecast")
    connection.execute(
        "create or replace table raw_scorecast.as_of as"
        f" select {literal(day)} as as_of_date, {literal(moment)} as run_at"
    )
    return day


def restore_model_runs(connection: "duckdb.DuckDBPyConnection", published: Path) -> int:
    """
    Give a warehouse without `published.model_runs` the record that the last release has; returns its rows.

    A warehouse that was lost is made anew from the exports, but which fits there were, which version was chosen and
    what checksum its file has is recorded there alone. Does nothing where it has a record.
    """
    has_record = connection.execute(
        "select 1 from information_schema.tables where table_schema = 'published' and table_name = 'model_runs'"
        " and table_catalog = current_database()"
    ).fetchone()
    release = None if has_record else last_release(published).path
    if release is None:
        return 0
    escaped = str(release).replace("'", "''")
    connection.execute(f"attach '{escaped}' as last_release (read_only)")
    try:
        if not connection.execute(
            "select 1 from duckdb_tables() where database_name = 'last_release' and table_name = 'model_runs'"
        ).fetchone():
            return 0
        connection.execute("create schema if not exists published")
        connection.execute("create table published.model_runs as from last_release.model_runs")
        return connection.execute("select count(*) from published.model_runs").fetchone()[0]
    finally:
        connection.execute("detach last_release")


SCORED_DAYS = 400
"""How far back what was scored is told: a year, and the month until the last of it has an outcome by."""


def write_scored(connection: "duckdb.DuckDBPyConnection", published: Path, as_of: date) -> int:
    """
    Write `raw_scorecast.scored` (entity_key, entity_id, as_of_date): whom past releases scored; returns its rows.

    Snapshots keep only Sundays and the run's own day, but a score of any day has an outcome: the outcomes models take
    the days between from here. `published` is the file with the last release, which may not be there yet; where it
    cannot be read, the newest kept release counts.
    """
    connection.execute("create schema if not exists raw_scorecast")
    connection.execute(
        "create or replace table raw_scorecast.scored (entity_key varchar, entity_id varchar, as_of_date date)"
    )
    release = last_release(published).path
    if release is None:
        return 0
    escaped = str(release).replace("'", "''")
    connection.execute(f"attach '{escaped}' as last_release (read_only)")
    try:
        (rows,) = connection.execute(
            """
            insert into raw_scorecast.scored
            with last_release as (
                select tables from last_release.releases order by release_id desc limit 1
            ),
            keys as (
                select unnest(json_keys(tables)) as table_name, tables from last_release
            )
            select distinct
                keys.tables -> keys.table_name -> 'columns' ->> 0 as entity_key,
                history.entity_id,
                history.as_of_date
            from last_release.score_history as history
            inner join keys on history.table_name = keys.table_name
            where
                history.as_of_date > $1::date - $2::integer
                and history.as_of_date < $1::date
                and dayofweek(history.as_of_date) <> 0
            """,
            [as_of, SCORED_DAYS],
        ).fetchone()
    finally:
        connection.execute("detach last_release")
    return rows
