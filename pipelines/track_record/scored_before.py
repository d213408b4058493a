"""What the last release knows and a warehouse needs: whom past releases scored, and the record of fits."""

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
    Copy `published.model_runs` from the last release into a warehouse that has none; returns its number of rows.

    A lost warehouse is rebuilt from the exports, but the fits, the chosen versions and the checksums of their files are
    recorded in this table alone. Does nothing if the warehouse has the table.
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
"""How many days back scored rows are kept: a year, plus time for the outcome of the oldest day to come."""


def write_scored(connection: "duckdb.DuckDBPyConnection", published: Path, as_of: date) -> int:
    """
    Write `raw_scorecast.scored` (entity_key, entity_id, as_of_date): whom past releases scored; returns its rows.

    Snapshots exist for Sundays and the run's own day only. The outcomes models read the other days that were scored
    from this table. `published` is the published file, which need not exist; if it cannot be read, the newest kept
    release is used.
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
    """Copy what the last release knows into the warehouse, which may be new."""
    with warehouse.connect() as connection:
        (as_of,) = connection.execute("select max(as_of_date) from raw_scorecast.as_of").fetchone()
        rows = write_scored(connection, published_path(), as_of)
        restore_model_runs(connection, published_path())
    return dg.MaterializeResult(metadata={"dagster/row_count": rows})
