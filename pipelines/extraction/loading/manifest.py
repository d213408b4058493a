"""What is on record of loaded files: the last load, who stood back for whom, and how a file is taken back."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from pipelines.database import literal, quoted
from pipelines.extraction.checking import LEFT_OUT
from pipelines.extraction.contracts import Entity

if TYPE_CHECKING:
    import duckdb

OWN_COLUMNS = {"_file": "varchar", "_line": "bigint", "_loaded_at": "timestamp"}
DUPLICATE_OF = "already loaded from"
MIN_ROWS_FOR_SHARE = 100
"""A few bad rows among a handful say nothing about a load."""
ACCOUNTED = "rows - quarantined - coalesce(repeated, 0) - coalesce(changed, 0)"
"""SQL: how many rows of the raw table a line of the manifest stands for."""

REASON_KIND = r"regexp_replace(reason, '(:| \().*', '', 's')"
"""SQL: a reason of the quarantine without the values that it names."""


class ClockSetBack(RuntimeError):
    """The clock is before the last load: what is in the future and which file is newer could not be told."""


@contextmanager
def transaction(connection: "duckdb.DuckDBPyConnection") -> Iterator[None]:
    """All or nothing."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def raw_schemas(connection: "duckdb.DuckDBPyConnection") -> list[str]:
    """The schemas that files were loaded into, `raw_<source>`."""
    rows = connection.execute(
        "select schema_name from duckdb_tables() where table_name = '_manifest' and database_name = current_database()"
        " and starts_with(schema_name, 'raw_') order by 1"
    ).fetchall()
    return [schema for (schema,) in rows]


def require_clock(connection: "duckdb.DuckDBPyConnection", now: datetime) -> None:
    """Raise `ClockSetBack` when any file of any source was loaded after `now` (UTC, without a zone)."""
    queries = [
        f"select {literal(schema.removeprefix('raw_'))} as source, loaded_at from {quoted(schema)}._manifest"
        for schema in raw_schemas(connection)
    ]
    if not queries:
        return
    source, first, last = connection.execute(
        "select arg_max(source, loaded_at), date_trunc('second', min(loaded_at)), max(loaded_at)"
        f" from ({' union all '.join(queries)}) where loaded_at > {literal(now)}"
    ).fetchone()
    if last is not None:
        raise ClockSetBack(
            f"This computer's clock is before the last load: {source} was loaded at {last:%Y-%m-%d %H:%M:%S} UTC."
            " Nothing was loaded now. Set the clock right; if it was ahead at that load, take back what was loaded by"
            f" it: .venv/bin/scorecast forget --since '{first:%Y-%m-%d %H:%M:%S}'"
        )


def last_load(
    connection: "duckdb.DuckDBPyConnection", schema: str, entity: str
) -> tuple[datetime | None, list[tuple[str, int, int]]]:
    """
    When rows of an entity were last loaded, and (file, rows, faulty rows) of each file of that load.

    Rows that the contract leaves out (a vendor's test mode) are none of either.
    """
    manifest, quarantine = f"{quoted(schema)}._manifest", f"{quoted(schema)}._quarantine"
    rows = connection.execute(
        f"""
        with loaded as (
            select loaded_at, file, rows, quarantined from {manifest}
            where entity = $1 and rows > 0
            qualify loaded_at = max(loaded_at) over ()
        ),
        left_out as (
            select file, count(*) as rows from {quarantine}
            where entity = $1 and contains(reason, {literal(LEFT_OUT)})
            group by file
        )
        select
            loaded_at, file, loaded.rows - coalesce(left_out.rows, 0), quarantined - coalesce(left_out.rows, 0)
        from loaded
        left join left_out using (file)
        order by file
        """,
        [entity],
    ).fetchall()
    return (rows[0][0] if rows else None), [tuple(row[1:]) for row in rows]


def quarantined_share(files: Sequence[tuple[str, int, int]]) -> float:
    """The share of a load's rows that were put aside; 0 where there are too few rows to say."""
    read = sum(rows for _, rows, _ in files)
    return sum(aside for *_, aside in files) / read if read >= MIN_ROWS_FOR_SHARE else 0.0


def refused_files(connection: "duckdb.DuckDBPyConnection", schema: str, entity: str, limit: float) -> set[str]:
    """The files for which the gate stopped the last load: those with more than `limit` of their rows in quarantine."""
    _, files = last_load(connection, schema, entity)
    if quarantined_share(files) <= limit:
        return set()
    return {file for file, rows, aside in files if aside > limit * rows}


def files_waiting_for(
    connection: "duckdb.DuckDBPyConnection", schema: str, entity: str, changed: Collection[str]
) -> set[str]:
    """
    Files with rows that stood back for rows of the changed files: their turn may have come.

    Those are rows put aside as duplicates, rows that repeated others and rows that were replaced, and the same again
    for the files of these.
    """
    if not changed:
        return set()
    texts = literal([f"{DUPLICATE_OF} {name}," for name in sorted(changed)])
    linked: dict[str, set[str]] = defaultdict(set)
    for name, other in connection.execute(
        f"select distinct file, of_file from {quoted(schema)}._repeats where entity = ?", [entity]
    ).fetchall():
        linked[name].add(other)
        linked[other].add(name)
    reached, ahead = set(changed), list(changed)
    while ahead:
        following = linked[ahead.pop()] - reached
        reached |= following
        ahead += following
    rows = connection.execute(
        f"select distinct file from {quoted(schema)}._quarantine where entity = ?"
        f" and list_bool_or([contains(reason, text) for text in {texts}])",
        [entity],
    ).fetchall()
    return (reached - set(changed)) | {name for (name,) in rows}


def delete_entries(
    connection: "duckdb.DuckDBPyConnection", schema: str, table: str, entity: str, names: Collection[str]
) -> None:
    """Delete the lines of files from one of the bookkeeping tables."""
    if names:
        connection.execute(
            f"delete from {quoted(schema)}.{table} where entity = ?"
            f" and file in (select unnest({literal(sorted(names))}))",
            [entity],
        )


def take_out_rows(connection: "duckdb.DuckDBPyConnection", schema: str, entity: str, names: Collection[str]) -> None:
    """
    Take out the rows of files, loaded and put aside, and what is on record of whom they stood back for or replaced.

    A row that they replaced in a file that is gone does not come back: that file counts one more replaced row. A row
    that replaced one of theirs replaces nothing any more.
    """
    if not names:
        return
    chosen = f"(select unnest({literal(sorted(names))}))"
    manifest, repeats = f"{quoted(schema)}._manifest", f"{quoted(schema)}._repeats"
    for counted, other, sign in (("of_file", "file", "+"), ("file", "of_file", "-")):
        connection.execute(
            f"""
            update {manifest} as m set changed = coalesce(m.changed, 0) {sign} r.rows
            from (
                select {counted} as file, sum(rows) as rows from {repeats}
                where entity = $1 and kind = 'changed' and {other} in {chosen} and {counted} not in {chosen}
                group by all
            ) as r
            where m.entity = $1 and m.file = r.file
            """,
            [entity],
        )
    connection.execute(
        f"delete from {repeats} where entity = ? and (file in {chosen} or of_file in {chosen})", [entity]
    )
    connection.execute(f"delete from {quoted(schema)}.{quoted(entity)} where _file in {chosen}")
    delete_entries(connection, schema, "_quarantine", entity, names)


def take_back(
    connection: "duckdb.DuckDBPyConnection", schema: str, entity: Entity | str, names: Collection[str]
) -> set[str]:
    """
    Make files as if they had never been loaded, inside the caller's transaction; returns the files to read again.

    `entity` is its contract, or its name where no contract is left: then the raw table keeps its columns.
    """
    name = entity if isinstance(entity, str) else entity.name
    waiting = files_waiting_for(connection, schema, name, names)
    if isinstance(entity, Entity):
        take_back_columns(connection, schema, entity, names)
    for table in ("_manifest", "_schema_changes"):
        delete_entries(connection, schema, table, name, names)
    take_out_rows(connection, schema, name, names)
    return waiting


def take_back_columns(
    connection: "duckdb.DuckDBPyConnection", schema: str, entity: Entity, names: Collection[str]
) -> None:
    """
    Columns that only these files had go, and those that they made wider get the type back that they had.

    DuckDB takes no change to a table's columns after one to its rows in the same transaction: this comes first.
    """
    table = f"{quoted(schema)}.{quoted(entity.name)}"
    files = f"(select unnest({literal(sorted(names))}))"
    notebooks = [
        notes
        for (notes,) in connection.execute(
            "select table_name from duckdb_tables() where database_name = current_database() and schema_name = ?"
            " and table_name in ('_schema_changes', '_columns')",
            [schema],
        ).fetchall()
    ]
    types = {name: type_ for name, type_, *_ in connection.execute(f"describe {table}").fetchall()}
    for name, change in connection.execute(
        f"select column_name, change from {quoted(schema)}._schema_changes where entity = ? and file in {files}"
        " order by noticed_at desc, rowid desc",
        [entity.name],
    ).fetchall():
        if name not in types or name in entity.columns or name in OWN_COLUMNS:
            continue
        column = quoted(name)
        others = f"select 1 from {table} where _file not in {files} and"
        if change.startswith(("added as", "passed through as")):
            if not connection.execute(f"{others} {column} is not null limit 1").fetchall():
                connection.execute(f"alter table {table} drop column {column}")
                for notes in notebooks:
                    connection.execute(
                        f"delete from {quoted(schema)}.{notes} where entity = ? and column_name = ?",
                        [entity.name, name],
                    )
                del types[name]
        elif change.startswith("type changed from "):
            before = change.removeprefix("type changed from ").split(" to ")[0]
            back = f"try_cast({column} as {before})"
            if not connection.execute(f"{others} {back}::{types[name]} is distinct from {column} limit 1").fetchall():
                connection.execute(f"alter table {table} alter column {column} set data type {before} using {back}")
                types[name] = before
