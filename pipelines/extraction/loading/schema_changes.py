"""A raw table follows its exports: columns that appear, vanish, change their type or have odd names."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.database import literal, quoted
from pipelines.extraction.checking import (
    common_type,
)
from pipelines.extraction.contracts import Source
from pipelines.extraction.loading.manifest import (
    OWN_COLUMNS,
)
from pipelines.extraction.loading.naming import is_harmless, raw_name
from pipelines.extraction.loading.state import BOOKKEEPING, Fresh, Load, Staged, first_line

if TYPE_CHECKING:
    import duckdb


def follow_schema(load: Load, staged: list[Staged], fresh: list[Fresh]) -> list[str]:
    """Add and widen columns of the raw table, note what appeared and vanished; returns the notes in words."""
    current = {
        name: type_.lower()
        for name, type_ in load.rows(f"select column_name, column_type from (describe {load.table})")
    }
    spelled = {name.lower(): name for name in current}
    changes: list[tuple[str, str, str]] = []
    wanted: dict[str, str | None] = {}
    for part in staged:
        for position, column in enumerate(part.columns):
            name = spelled.setdefault(column.name.lower(), column.name)
            part.columns[position] = replace(column, name=name)
            wanted[name] = column.type if column.in_contract else common_type(wanted.get(name), column.type or None)
    for name, type_ in load.entity.columns.items():
        wanted.setdefault(name, type_)
    first_file = {name.lower(): item.file.name for item in reversed(fresh) for name in item.names}
    for name, type_ in wanted.items():
        in_contract = name in load.entity.columns
        before = current.get(name)
        file = first_file.get(name.lower(), "")
        if before is None:
            current[name] = type_ or "varchar"
            load.connection.execute(f"alter table {load.table} add column {quoted(name)} {current[name]}")
            continue
        if not in_contract and type_ is not None:
            filled = f"select 1 from {load.table} where {quoted(name)} is not null limit 1"
            type_ = common_type(before, type_) if before == type_ or load.rows(filled) else type_
        if type_ is not None and before != type_.lower():
            _alter_type(load, name, before, type_)
            current[name] = type_
            changes.append((file, name, f"type changed from {before} to {type_}"))
    for part in staged:
        for position, column in enumerate(part.columns):
            if not column.in_contract:
                part.columns[position] = replace(column, type=current[column.name])
    changes += _appearances(load, fresh, spelled, current)
    load.append(
        "_schema_changes",
        {
            "entity": [load.entity.name] * len(changes),
            "file": [file for file, _, _ in changes],
            "column_name": [name for _, name, _ in changes],
            "change": [change for _, _, change in changes],
            "noticed_at": [load.now] * len(changes),
        },
    )
    return [f"{name}: {change} ({file})" for file, name, change in changes]


def note_original_names(load: Load, fresh: list[Fresh]) -> None:
    """Write down what columns are called in the exports where the raw table calls them otherwise."""
    known = set(
        load.rows(
            f"select column_name, original_name from {load.schema}._columns where entity = {literal(load.entity.name)}"
        )
    )
    others: dict[tuple[str, str], str] = {}
    for item in fresh:
        for pair in zip(item.names, item.columns, strict=True):
            if pair not in known and pair[0] != pair[1] and pair[0] not in load.entity.columns:
                others.setdefault(pair, item.file.name)
    load.append(
        "_columns",
        {
            "entity": [load.entity.name] * len(others),
            "column_name": [name for name, _ in others],
            "original_name": [original for _, original in others],
            "first_file": list(others.values()),
        },
    )


def _alter_type(load: Load, name: str, before: str, type_: str) -> None:
    import duckdb

    try:
        load.connection.execute(f"alter table {load.table} alter column {quoted(name)} set data type {type_}")
    except duckdb.ConversionException as problem:
        raise ValueError(
            f"{load.source.name}.{load.entity.name}: loaded values of '{name}' ({before}) are not {type_}, which"
            f" the contract now asks for: {first_line(problem)}. Correct assets/sources/{load.source.name}.py."
        ) from problem


def _appearances(
    load: Load, fresh: list[Fresh], spelled: Mapping[str, str], types: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    """(file, column, change) for columns that come and go from one new file to the next, in the order of names."""
    history = load.rows(
        f"select column_name, change from {load.schema}._schema_changes"
        f" where entity = {literal(load.entity.name)} and change not like 'type changed%'"
        " order by noticed_at, rowid"
    )
    seen_before = bool(history) or bool(
        load.rows(
            f"select 1 from {load.schema}._manifest where entity = {literal(load.entity.name)}"
            " and status = 'loaded' limit 1"
        )
    )
    present = {name.lower() for name in load.entity.columns} if seen_before else None
    for name, change in history:
        if change.startswith(("absent", "vanished")):
            present.discard(name.lower())
        else:
            present.add(name.lower())
    contract = {name.lower() for name in load.entity.columns}
    changes = []
    for item in sorted((item for item in fresh if not item.known), key=lambda item: item.file.name):
        columns = {name.lower() for name in item.names}
        if not columns or not item.rows:
            continue
        if present is None:
            for name in sorted(contract - columns):
                changes.append((item.file.name, spelled[name], "absent: null until an export has it"))
            for name in sorted(columns - contract):
                column = spelled[name]
                changes.append((item.file.name, column, f"passed through as {types[column]}"))
        else:
            for name in sorted(columns - present):
                column = spelled[name]
                changes.append((item.file.name, column, f"added as {types[column]}"))
            for name in sorted(present - columns):
                changes.append((item.file.name, spelled[name], "vanished: null from this file on"))
        present = columns
    return changes


def prepare_schema(connection: "duckdb.DuckDBPyConnection", source: Source) -> None:
    """Create `raw_<source>`, its bookkeeping tables and an empty typed table for every entity that has none."""
    schema = quoted(f"raw_{source.name}")
    there = _columns_there(connection, f"raw_{source.name}")
    wanted = {
        entity.name: ", ".join(f"{quoted(name)} {type_}" for name, type_ in {**entity.columns, **OWN_COLUMNS}.items())
        for entity in source.entities
    }
    missing = {name: columns for name, columns in {**BOOKKEEPING, **wanted}.items() if name not in there}
    if missing:
        tables = "; ".join(f"create table {schema}.{quoted(name)} ({columns})" for name, columns in missing.items())
        connection.execute(f"create schema if not exists {schema}; {tables}")
    for column in BOOKKEEPING["_manifest"].split(", ") if "_manifest" in there else ():
        if column.split()[0] not in there["_manifest"]:
            connection.execute(f"alter table {schema}._manifest add column {column}")
    _rename_harmful(connection, source, there)


def _columns_there(connection: "duckdb.DuckDBPyConnection", schema: str) -> dict[str, list[str]]:
    """The tables of a schema with their columns."""
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = current_database()"
        f" and schema_name = {literal(schema)}"
    ).fetchall()
    return {
        table: [row[0] for row in connection.execute(f"describe {quoted(schema, table)}").fetchall()]
        for (table,) in tables
    }


def _rename_harmful(
    connection: "duckdb.DuckDBPyConnection", source: Source, there: Mapping[str, Collection[str]]
) -> None:
    """Give columns that were loaded under whatever name the export had a harmless one; `there`: by table."""
    contracts = {entity.name: entity.columns for entity in source.entities}
    named = [(table, name) for table, names in there.items() if not table.startswith("_") for name in names]
    for table, name in named:
        if name in OWN_COLUMNS or name in contracts.get(table, ()) or is_harmless(name):
            continue
        schema, made = quoted(f"raw_{source.name}"), raw_name(name, {})
        connection.execute(f"alter table {schema}.{quoted(table)} rename column {quoted(name)} to {quoted(made)}")
        connection.execute(f"insert into {schema}._columns values (?, ?, ?, null)", [table, made, name])
