"""DuckDB files: connect, look up tables and columns, read and write frames. No Dagster."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import polars as pl

CONNECTION_SETTINGS = {"python_enable_replacements": "false", "memory_limit": "1200MB", "threads": "2"}
"""Python variables are never read as tables; memory and threads are left for other programs."""


@contextmanager
def connect(path: Path, read_only: bool = False, **settings: str) -> "Iterator[duckdb.DuckDBPyConnection]":
    """
    A connection to a DuckDB file that is closed on leaving, so that another process (dbt) can open the file.

    `settings`: more of DuckDB's, by name.
    Raises `duckdb.IOException` when another process writes the file.
    """
    connection = opened(path, read_only, **settings)
    try:
        yield connection
    finally:
        connection.close()


def opened(path: Path, read_only: bool = False, **settings: str) -> "duckdb.DuckDBPyConnection":
    """The same for who closes it later."""
    import duckdb

    if not read_only:
        path.parent.mkdir(parents=True, exist_ok=True)
    return duckdb.connect(str(path), read_only=read_only, config=CONNECTION_SETTINGS | settings)


@contextmanager
def connect_in_memory(**settings: str) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A connection to an empty database in memory; what memory does not hold lies in the temporary folder."""
    import duckdb

    with (
        tempfile.TemporaryDirectory(prefix="scorecast-") as folder,
        duckdb.connect(config={**CONNECTION_SETTINGS, "temp_directory": folder, **settings}) as connection,
    ):
        yield connection


def quoted(*names: str) -> str:
    """A column, or a table with its schema, as a quoted SQL identifier."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def placed(table: str, schema: str) -> tuple[str, str]:
    """Schema and name of `schema.table`, or of a name alone in the given schema."""
    before, dot, name = table.partition(".")
    return (before, name) if dot else (schema, table)


def columns_of(connection: "duckdb.DuckDBPyConnection", schema: str, table: str) -> dict[str, str]:
    """
    The columns of one table or view and their types, in order; empty where there is no such table.

    `duckdb_columns()` binds every view of the file first, which takes up to half a second.
    """
    if not table_exists(connection, schema, table):
        return {}
    return {name: type_ for name, type_, *_ in connection.execute(f"describe {quoted(schema, table)}").fetchall()}


def column_types(connection: "duckdb.DuckDBPyConnection") -> dict[str, dict[str, str]]:
    """Every table and view of the warehouse, as `schema.table`, with its columns and their types, in order."""
    rows = connection.execute(
        "select schema_name || '.' || table_name, column_name, data_type from duckdb_columns()"
        " where not internal and database_name = current_database() order by 1, column_index"
    ).fetchall()
    tables: dict[str, dict[str, str]] = {}
    for table, column, type_ in rows:
        tables.setdefault(table, {})[column] = type_
    return tables


def table_exists(connection: "duckdb.DuckDBPyConnection", schema: str, table: str) -> bool:
    """Whether `schema.table` is there, as a table or a view."""
    found = connection.execute(
        "select count(*) from information_schema.tables where table_schema = ? and table_name = ?", [schema, table]
    ).fetchone()
    return bool(found and found[0])


def read_frame(connection: "duckdb.DuckDBPyConnection", query: str, parameters: list | None = None) -> "pl.DataFrame":
    """The result of a query as a polars frame, through Arrow."""
    return connection.execute(query, parameters or []).pl()


def write_frame(connection: "duckdb.DuckDBPyConnection", frame: "pl.DataFrame", schema: str, table: str) -> None:
    """Replace `schema.table` by the frame, in one transaction."""
    connection.execute(f"create schema if not exists {quoted(schema)}")
    connection.register("incoming_frame", frame.to_arrow())
    try:
        connection.execute(f"create or replace table {quoted(schema)}.{quoted(table)} as select * from incoming_frame")
    finally:
        connection.unregister("incoming_frame")


def append_frame(connection: "duckdb.DuckDBPyConnection", frame: "pl.DataFrame", schema: str, table: str) -> None:
    """Add the frame's rows to `schema.table`, by column name; the table, and a column, is made if it is not there."""
    connection.execute(f"create schema if not exists {quoted(schema)}")
    connection.register("incoming_frame", frame.to_arrow())
    name = f"{quoted(schema)}.{quoted(table)}"
    try:
        connection.execute(f"create table if not exists {name} as select * from incoming_frame limit 0")
        there = columns_of(connection, schema, table)
        for column, type_, *_ in connection.execute("describe incoming_frame").fetchall():
            if column not in there:
                connection.execute(f"alter table {name} add column {quoted(column)} {type_}")
        connection.execute(f"insert into {name} by name select * from incoming_frame")
    finally:
        connection.unregister("incoming_frame")


def literal(value: object) -> str:
    """A value as an SQL literal; lists and mappings become DuckDB lists and structs."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, datetime):
        return f"timestamp '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(str(key))}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    text = "'" + str(value).replace("'", "''") + "'"
    return text if "\0" not in text else "(" + text.replace("\0", "' || chr(0) || '") + ")"


def comments(connection: "duckdb.DuckDBPyConnection", schema: str, table: str) -> dict[str, str]:
    """Column to its comment, of a table of the file that is open; columns without one are left out."""
    rows = connection.execute(
        "select column_name, comment from duckdb_columns() where database_name = current_database()"
        " and schema_name = ? and table_name = ? and comment is not null",
        [schema, table],
    ).fetchall()
    return dict(rows)


def comment_on(
    connection: "duckdb.DuckDBPyConnection", relation: str, about: str | None, columns: Mapping[str, str]
) -> None:
    """Write comments on a table (quoted, as SQL takes it) and its columns into the file, in one transaction."""
    statements = [f"comment on table {relation} is {literal(about)}"] if about else []
    for column, words in columns.items():
        statements.append(f"comment on column {relation}.{quoted(column)} is {literal(words)}")
    if statements:
        connection.execute("; ".join(["begin", *statements, "commit"]))
