"""Tables that only grow: every score, every fit, every finding, every release."""

import json
from datetime import date, datetime
from typing import TYPE_CHECKING

from pipelines.database import quoted
from pipelines.publishing.states import (
    BACKFILL,
    HISTORY_KEYS,
    SCORE_HISTORY,
    Release,
    has_one_probability,
    key_column,
    names_of,
    tables_in,
)

if TYPE_CHECKING:
    import duckdb


DAYS_WITH_REASONS = 14
"""How long the history keeps the reasons of a score; the probability is kept for good."""


def append_history(connection: "duckdb.DuckDBPyConnection", previous: bool) -> None:
    """The last release's rows of the append-only tables, and the warehouse's new ones."""
    attached = {"warehouse": "published"} if has_database(connection, "warehouse") else {}
    for table, keys in HISTORY_KEYS.items():
        parts = []
        if previous and table in tables_in(connection, "previous", "main"):
            parts.append(f"previous.{table}")
        if attached and table in tables_in(connection, "warehouse", "published"):
            parts.append(f"warehouse.published.{table}")
        if not parts:
            continue
        connection.execute(f"create table {table} as select * from {parts[0]}")
        if len(parts) == 2:
            new = {name: type_ for name, type_, *_ in connection.execute(f"describe {parts[1]}").fetchall()}
            for name, type_ in new.items():
                if name not in names_of(connection, table):
                    connection.execute(f"alter table {table} add column {quoted(name)} {type_}")
            # A key column that an older version did not write is null there.
            there = [key for key in keys if key in names_of(connection, table)]
            same = " and ".join(
                f"old.{key} is not distinct from {f'new.{key}' if key in new else 'null'}" for key in there
            )
            connection.execute(
                f"insert into {table} by name select * from {parts[1]} as new"
                f" where not exists (select 1 from {table} as old where {same})"
            )


def has_database(connection: "duckdb.DuckDBPyConnection", name: str) -> bool:
    """Whether a database of this name is attached."""
    return bool(connection.execute("select 1 from duckdb_databases() where database_name = ?", [name]).fetchall())


def append_score_history(
    connection: "duckdb.DuckDBPyConnection", previous: bool, tables: list[str], release_id: str, as_of: date
) -> None:
    """The last release's score history, this release's scores, and scores backfilled since."""
    connection.execute(f"create table score_history ({', '.join(f'{n} {t}' for n, t in SCORE_HISTORY.items())})")
    backfilled = "backfilled" in tables_in(connection, "warehouse", "scores")
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
        columns = names_of(connection, relation)
        if has_one_probability(columns):
            expected = next((name for name in columns if name.startswith("expected_")), None)
            more = [name for name in ("grade", "currency", "horizon_days", "is_holdback") if name in columns]
            connection.execute(
                f"""
                insert into score_history by name
                select
                    $1 as table_name, cast({key_column(connection, relation)} as varchar) as entity_id,
                    as_of_date, probability, score, reasons, model_version, release_id, false as is_backfill
                    {"".join(f", {name}" for name in more)}
                    {f", {quoted(expected)} as expected_value" if expected else ""}
                from {relation}
                """,
                [table],
            )


def append_release(
    connection: "duckdb.DuckDBPyConnection",
    previous: bool,
    release: Release,
    run_id: str,
    now: datetime,
    tables_of: str,
) -> None:
    """Add the release to the table `releases`, behind those of the last release."""
    connection.execute(
        """
        create table releases (
            release_id varchar, created_at timestamptz, as_of_date date, run_id varchar, status varchar, note varchar,
            tables_of varchar, tables json, newest_data map(varchar, date)
        )
        """
    )
    if previous:
        connection.execute("insert into releases by name select * from previous.releases")
    connection.execute(
        "insert into releases values (?, ?, ?, ?, ?, ?, ?, ?, map(?, ?))",
        [
            release.release_id,
            now,
            release.as_of_date,
            run_id,
            release.status,
            release.note,
            tables_of,
            json.dumps(release.tables),
            list(release.newest_data),
            list(release.newest_data.values()),
        ],
    )
