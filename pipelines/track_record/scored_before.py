"""What past releases scored: outcomes for days between snapshots, and the record of fits for a warehouse made anew."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from pipelines.publishing.kept_releases import last_release
from pipelines.settings import published_path
from pipelines.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb


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


@dg.asset(
    key=["raw_scorecast", "scored"],
    deps=[["raw_scorecast", "as_of"]],
    description="Whom past releases scored, and when: these days have outcomes, too. One row per entity and day.",
    group_name="track_record",
    kinds={"duckdb"},
    owners=["team:data"],
    metadata={"dagster/table_name": "raw_scorecast.scored"},
    pool="warehouse",
)
def scored_before(warehouse: Warehouse) -> dg.MaterializeResult:
    """What is in the last release already goes into the warehouse, which may be a new one."""
    with warehouse.connect() as connection:
        (as_of,) = connection.execute("select max(as_of_date) from raw_scorecast.as_of").fetchone()
        rows = write_scored(connection, published_path(), as_of)
        restore_model_runs(connection, published_path())
    return dg.MaterializeResult(metadata={"dagster/row_count": rows})
