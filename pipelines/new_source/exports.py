"""Files of a system that Scorecast does not know, as the loader reads them: their columns and what is in these."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import connect_in_memory, quoted, read_frame
from pipelines.extraction.configuration import Limits
from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.files import checksum_and_lines, format_of, landed
from pipelines.extraction.loading.load import load_entity
from pipelines.extraction.loading.reading import stage
from pipelines.extraction.loading.schema_changes import prepare_schema
from pipelines.extraction.loading.state import Fresh, Load, naive
from pipelines.extraction.recognition import file_columns
from pipelines.extraction.scratch import scratch_folder
from pipelines.values.dates import dates_in
from pipelines.values.numbers import numbers_in
from pipelines.values.words import NO_VALUE_WORDS, booleans, says_nothing

if TYPE_CHECKING:
    import duckdb
    import polars as pl

SAMPLE = 2000
"""Distinct values of a column that are looked at."""
MOST_LEVELS = 60
"""Of a column that counts as one of words: stages, statuses."""
EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
CODE = r"^[\w./#:-]*\d[\w./#:-]*$"
PLAUSIBLE_EPOCH = r"^1\d{9}(\.\d+)?$|^1\d{12}$"
"""A count of seconds or milliseconds since 1970."""


class UnusableExport(ValueError):
    """A file of which no source can be made; the message says why."""


@dataclass(frozen=True)
class FileColumn:
    """A column of an export."""

    name: str
    """As the file has it."""
    filled: int = 0
    """Rows with a value."""
    distinct: int = 0
    levels: tuple[str, ...] = ()
    """All its values, the most frequent first, where they are few."""
    shares: dict[str, float] = field(default_factory=dict)
    """`number`, `whole`, `date`, `boolean`, `email`: the share of the distinct values that can be read so; `code`: of
    those that are no words but letters with digits; `spaced`: of those with a blank inside."""
    has_times: bool = False
    """Some of its dates have a time of day."""
    has_plans: bool = False
    """Some of its dates are still to come."""

    def fits(self, type_: str) -> bool:
        """Whether a column of this canonical type can be made of it; one without values fits any."""
        kind = {"bigint": "number", "double": "number", "date": "date", "timestamp": "date", "boolean": "boolean"}
        return not self.filled or type_ not in kind or self.shares[kind[type_]] >= 0.95


@dataclass(frozen=True)
class Export:
    """One file."""

    path: Path
    rows: int
    columns: tuple[FileColumn, ...]
    table: str
    """The temporary table with its rows, columns `c0`, `c1` ... as texts."""

    def column(self, name: str) -> FileColumn:
        """The column of this name. Raises KeyError."""
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class Trial:
    """What became of a file when it was loaded with the proposed contract."""

    entity: str
    path: Path
    rows: int
    put_aside: tuple[str, ...]
    """Why, one reason a row or file."""


class Exports:
    """Files that are read, and questions about their values."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", files: Sequence[Export]):
        self.connection, self.files = connection, tuple(files)

    def share_within(self, export: Export, name: str, other: Export, other_name: str) -> float:
        """Which share of a column's distinct values another file's column has, case and blanks aside; 0 without any."""
        some, known = _folded(export, name), _folded(other, other_name)
        share = f"select avg((value in ({known}))::int) from (select distinct value from ({some}))"
        return self.connection.execute(share).fetchone()[0] or 0.0

    def repeated(self, export: Export, name: str) -> int:
        """How many distinct values of a column stand in more than one row."""
        twice = f"select value from ({_folded(export, name)}) group by value having count(*) > 1"
        return self.connection.execute(f"select count(*) from ({twice})").fetchone()[0]

    def is_key(self, export: Export, names: Sequence[str]) -> bool:
        """Whether columns are filled in every row, and no two rows have the same."""
        columns = [quoted(f"c{export.names.index(name)}") for name in names]
        filled = " and ".join(f"nullif(trim({column}::varchar), '') is not null" for column in columns)
        key = ", ".join(columns)
        rows, whole, distinct = self.connection.execute(
            f"select count(*), count(*) filter ({filled}), count(distinct ({key})) from {export.table}"
        ).fetchone()
        return rows == whole == distinct


@contextmanager
def read_exports(paths: Sequence[Path]) -> Iterator[Exports]:
    """Read files as the loader does. Raises `UnusableExport` for one that it refuses, and for one without rows."""
    with connect_in_memory() as connection, scratch_folder(None) as scratch:
        connection.execute("set TimeZone = 'UTC'")
        yield Exports(connection, [_read(connection, path, scratch) for path in paths])


def trial(source: Source, files: Sequence[tuple[str, Path]]) -> list[Trial]:
    """Load files (entity, path) with a contract, into memory: one result a file."""
    results, now = [], datetime.now(UTC)
    with connect_in_memory() as connection:
        prepare_schema(connection, source)
        for name, path in files:
            entity = next(each for each in source.entities if each.name == name)
            report = load_entity(connection, source, entity, [landed(path, path.parent, "", Limits())], now)
            aside = connection.execute(
                f"select reason from {quoted(f'raw_{source.name}')}._quarantine where entity = ? and file = ?"
                " order by line",
                [name, path.name],
            ).fetchall()
            results.append(Trial(name, path, report.new_rows, tuple(reason for (reason,) in aside)))
    return results


def _read(connection: "duckdb.DuckDBPyConnection", path: Path, scratch: Path) -> Export:
    """Stage a file with no contract and look at every column."""
    if not path.is_file():
        raise UnusableExport(f"{path} is {'no file' if path.exists() else 'not there'}. Name the exports themselves.")
    # The loader takes the delimiter that finds the most known columns: those of the file by the likeliest delimiter.
    names = file_columns(path) if format_of(path) == "csv" else []
    source, entity = Source("new", "", ()), Entity("export", "", {}, (), labels={"": tuple(names)})
    probe = f"probe_{os.urandom(6).hex()}"
    connection.execute(f"create temp table {probe} (nothing varchar)")
    load = Load(connection, source, entity, probe, naive(datetime.now(UTC)))
    file = landed(path, path.parent, "", Limits())
    item = Fresh(file, *checksum_and_lines(file), known=False)
    load.positions = {file.name: 0}
    staged, rejected = stage(load, [item], scratch)
    if rejected:
        raise UnusableExport(rejected[0].message)
    if not staged or not item.rows:
        raise UnusableExport(f"{path} has no rows: what its columns mean cannot be told. Export some.")
    (part,) = staged
    columns = tuple(_looked_at(connection, part.table, each.staged, each.source) for each in part.columns)
    return Export(path, item.rows, columns, part.table)


def _looked_at(connection: "duckdb.DuckDBPyConnection", table: str, staged: str, name: str) -> FileColumn:
    filled, distinct = connection.execute(
        f"select coalesce(sum(rows), 0), count(*) from ({_counted(table, staged)})"
    ).fetchone()
    sample = read_frame(
        connection, f"select value from ({_counted(table, staged)}) order by rows desc, value limit {SAMPLE}"
    )["value"]
    if not len(sample):
        return FileColumn(name)
    telling = sample.filter(~says_nothing(sample, (), NO_VALUE_WORDS))
    bare = (telling if len(telling) else sample).str.strip_chars()
    dates = {order: dates_in(bare, order) for order in ("dmy", "mdy")}
    is_date = {order: found.is_not_null() | bare.str.contains(PLAUSIBLE_EPOCH) for order, found in dates.items()}
    likely_dates = max(dates.values(), key=lambda found: found.count())
    return FileColumn(
        name,
        filled=int(filled),
        distinct=distinct,
        levels=tuple(sample) if distinct <= MOST_LEVELS else (),
        shares={
            "number": max(numbers_in(bare, mark).is_not_null().mean() for mark in ".,"),
            "whole": max((_wholes(numbers_in(bare, mark))).mean() for mark in ".,"),
            "date": max(found.mean() for found in is_date.values()),
            "boolean": booleans(bare).is_not_null().mean(),
            "email": bare.str.contains(EMAIL).mean(),
            "code": (bare.str.contains(CODE) & numbers_in(bare, ".").is_null() & ~is_date["dmy"]).mean(),
            "spaced": bare.str.contains(r"\s").mean(),
        },
        has_times=bool(bare.str.contains(r":\d{2}").any() or bare.str.contains(PLAUSIBLE_EPOCH).any()),
        has_plans=bool((likely_dates > naive(datetime.now(UTC)) + timedelta(days=1)).any()),
    )


def _wholes(numbers: "pl.Series") -> "pl.Series":
    """Where a number has no fraction."""
    return (numbers == numbers.floor()).fill_null(False)


def _counted(table: str, staged: str) -> str:
    """SQL: the distinct filled values of a column and how many rows have each."""
    column = f"{quoted(staged)}::varchar"
    return f"select {column} as value, count(*) as rows from {table} where trim({column}) <> '' group by all"


def _folded(export: Export, name: str) -> str:
    """SQL: the values of a column row by row, without case and blanks around them."""
    column = f"{quoted(f'c{export.names.index(name)}')}::varchar"
    return f"select lower(trim({column})) as value from {export.table} where trim({column}) <> ''"
