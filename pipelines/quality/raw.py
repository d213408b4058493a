"""The gate on raw input: checks on what was loaded, before dbt builds from it."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import quoted, write_frame
from pipelines.extraction.as_of import day_of
from pipelines.extraction.checkup import references
from pipelines.extraction.configuration import DEFAULT_STALE_AFTER_DAYS
from pipelines.extraction.loading.manifest import ACCOUNTED, REASON_KIND, last_load, quarantined_share
from pipelines.quality.checker import check
from pipelines.quality.findings import Finding
from pipelines.quality.suites import Rule, Suite

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from pipelines.extraction.contracts import Entity, Source

UNMATCHED_SHARE = 0.05
"""Of a column's keys; more of them that match no record are told."""
SHOWN_REASONS = 3


def check_raw(
    connection: "duckdb.DuckDBPyConnection",
    sources: "Sequence[Source]",
    as_of: date,
    quarantine_limit: float,
    docs: Path,
    stale_after_days: int = DEFAULT_STALE_AFTER_DAYS,
) -> list[Finding]:
    """
    Check each source's last load, one suite a source.

    DuckDB profiles the tables, because a first load may have millions of rows; Great Expectations checks the profile,
    which has one row a table. Blocking: keys null or not unique, rows lost, too many rows in quarantine, rows from the
    future. Warnings: nothing new for `stale_after_days`, a table without rows, keys that match no record. How many
    keys match is kept in `raw_scorecast.matched_keys`.
    """
    suites = []
    keys = matched_keys(connection, sources)
    write_frame(connection, keys, "raw_scorecast", "matched_keys")
    for source in sources:
        frame = profile(connection, source, as_of)
        if frame.height:
            suites.append(Suite(source.name, frame, rules(quarantine_limit, stale_after_days), shown_by=("table",)))
        looked_up = keys.filter(keys["source_system"] == source.name).drop_nulls("unmatched")
        if looked_up.height:
            suites.append(_keys_suite(source.name, looked_up))
    return check("raw", suites, docs) if suites else []


def rules(quarantine_limit: float, stale_after_days: int) -> list[Rule]:
    """The rules for every table of a source."""

    def at_most(column: str, most: float, says: str, is_blocking: bool = True, shows: tuple[str, ...] = ()) -> Rule:
        arguments = {"column": column, "min_value": 0, "max_value": most}
        return Rule("ExpectColumnValuesToBeBetween", arguments, says, is_blocking, shows)

    return [
        at_most("null_keys", 0, "every row has its key"),
        at_most("duplicate_keys", 0, "every key (with its version) is there once"),
        at_most(
            "quarantined_share",
            quarantine_limit,
            f"at most {quarantine_limit:.0%} of the new rows are in quarantine",
            shows=("quarantined_rows", "new_rows", "reasons"),
        ),
        at_most("lost_rows", 0, "every row of every file is loaded or in quarantine"),
        at_most("days_in_future", 0, "no row is from the future"),
        at_most(
            "days_since_newest",
            stale_after_days,
            f"the newest row of every table is at most {stale_after_days} days older than the run's day",
            is_blocking=False,
        ),
        Rule(
            "ExpectColumnValuesToBeBetween",
            {"column": "rows", "min_value": 1},
            "every table has rows",
            is_blocking=False,
        ),
    ]


def matched_keys(connection: "duckdb.DuckDBPyConnection", sources: "Sequence[Source]") -> "pl.DataFrame":
    """
    One row per column that holds keys of other records, where a record has one.

    Columns: source_system, column_name (`ticket.organization_id`), refers_to, such_as (one that matches nothing)
    (String), records (that have a key), unmatched (Int64; null where there is no record that could match).
    """
    import polars as pl

    there = {schema for (schema,) in connection.execute("select distinct schema_name from duckdb_tables()").fetchall()}
    present = [source for source in sources if f"raw_{source.name}" in there]
    rows = [
        (
            source.name,
            f"{key.entity}.{key.column}",
            " or ".join(key.to),
            key.records,
            None if key.absent else key.unmatched,
            None if key.absent else key.value,
        )
        for source in present
        for key in references(connection, source, present)
    ]
    text, number = pl.String, pl.Int64
    columns = {"source_system": text, "column_name": text, "refers_to": text, "records": number, "unmatched": number}
    return pl.DataFrame(rows, schema={**columns, "such_as": text}, orient="row")


def _keys_suite(source: str, keys: "pl.DataFrame") -> Suite:
    """Few keys of other records match none."""
    frame = keys.with_columns((keys["unmatched"] / keys["records"]).alias("unmatched_share"))
    rule = Rule(
        "ExpectColumnValuesToBeBetween",
        {"column": "unmatched_share", "min_value": 0, "max_value": UNMATCHED_SHARE},
        f"at most {UNMATCHED_SHARE:.0%} of the keys of other records match none (identity_report has examples)",
        is_blocking=False,
        shows=("unmatched", "records"),
    )
    return Suite(f"{source} keys", frame, [rule], shown_by=("column_name",))


def profile(connection: "duckdb.DuckDBPyConnection", source: "Source", as_of: date) -> "pl.DataFrame":
    """
    One row per existing table of the source, less optional ones that had no file yet.

    Columns: table (String), rows, null_keys, duplicate_keys, lost_rows (Int64), quarantined_share (Float64, of the
    last load with rows), quarantined_rows, new_rows (Int64, the share's numerator and denominator), reasons (String,
    the most frequent ones of the quarantined rows), days_since_newest, days_in_future (Int64, null if the contract
    names no time).
    """
    import polars as pl

    schema = f"raw_{source.name}"
    present = {
        name
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = ?", [schema]
        ).fetchall()
    }
    manifest = f"select distinct entity from {quoted(schema)}._manifest" if "_manifest" in present else "select null"
    read = {name for (name,) in connection.execute(manifest).fetchall()}
    rows = [
        _profile_table(connection, schema, entity, as_of)
        for entity in source.entities
        if entity.name in present and (entity.name in read or not entity.is_optional)
    ]
    columns = {
        "table": pl.String,
        "rows": pl.Int64,
        "null_keys": pl.Int64,
        "duplicate_keys": pl.Int64,
        "lost_rows": pl.Int64,
        "quarantined_share": pl.Float64,
        "quarantined_rows": pl.Int64,
        "new_rows": pl.Int64,
        "reasons": pl.String,
        "days_since_newest": pl.Int64,
        "days_in_future": pl.Int64,
    }
    return pl.DataFrame(rows, schema=columns, orient="row")


def _profile_table(
    connection: "duckdb.DuckDBPyConnection", schema: str, entity: "Entity", as_of: date
) -> tuple[object, ...]:
    table = f"{quoted(schema)}.{quoted(entity.name)}"
    keys = [quoted(name) for name in dict.fromkeys((*entity.key, *((entity.version,) if entity.version else ())))]
    any_null = " or ".join(f"{key} is null" for key in keys[: len(entity.key)])
    total, nulls, distinct, newest, today = connection.execute(
        f"select count(*), count(*) filter (where {any_null}), count(distinct ({', '.join(keys)})),"
        f" {day_of(entity)}, current_date from {table}"
    ).fetchone()
    (accounted,) = connection.execute(
        f"select coalesce(sum({ACCOUNTED}), 0) from {schema}._manifest where entity = ?", [entity.name]
    ).fetchone()
    loaded_at, files = last_load(connection, schema, entity.name)
    by_reason = connection.execute(
        f"""
        select
            {REASON_KIND} as kind, count(*) as times
        from {schema}._quarantine
        where entity = ? and loaded_at = ?
        group by all order by times desc, kind
        """,
        [entity.name, loaded_at],
    ).fetchall()
    reasons = "; ".join(f"{kind} ({times} times)" for kind, times in by_reason[:SHOWN_REASONS])
    age = max((as_of - newest).days, 0) if newest else None
    # A day's tolerance for time zones.
    ahead = max((newest - max(as_of, today)).days - 1, 0) if newest else None
    lost = max(int(accounted) - total, 0)
    last_read, last_aside = sum(rows for _, rows, _ in files), sum(aside for *_, aside in files)
    counts = (total, nulls, total - distinct, lost, quarantined_share(files), last_aside, last_read)
    return (entity.name, *counts, reasons, age, ahead)
