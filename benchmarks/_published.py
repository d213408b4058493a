"""What an outside reader sees in a published.duckdb: whole or mixed, what was lost, and whether two say the same."""

import json
import math
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import duckdb

TOLERANCE = 1e-9
"""How far two numbers may differ, absolutely and relatively."""
APPENDED = ("score_history", "model_runs", "forecast_accuracy", "data_quality", "releases")
"""Tables that only grow."""
NAMED_BY_TIME = {"release_id", "scores_release_id", "run_id", "model_version"}
COMPARED = {
    "model_runs": ("model", "status", "reason", "method", "rows", "auc", "log_loss", "calibration_error", "error"),
    "data_quality": ("gate", "suite", "expectation", "success", "is_blocking"),
    "releases": ("as_of_date",),
}
"""What is compared of a table whose other columns say when and by which run; of all others, every column."""
OF_MANY_RELEASES = {*APPENDED, "score_outcomes", "model_health"}
"""Tables where a release that was published twice has its rows twice: compared as sets."""
TIMES = re.compile(r"\d{8}T\d{6}(-\d+)?|\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z")
"""The parts of text that are named by time: versions of models, and releases."""


class MixedError(Exception):
    """Tables of more than one release, or half of a release, in one file."""


class Seen(NamedTuple):
    """What one look at a release shows."""

    release_id: str
    rows: dict[str, int]
    """Of the tables that only grow."""


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """As an outside reader opens it; raises `duckdb.Error` when it cannot be read."""
    return duckdb.connect(str(path), read_only=True, config={"threads": "1"})


def look(path: Path) -> Seen:
    """Open the file, and read from every table; raises `MixedError`, or `duckdb.Error` when it cannot be read."""
    with connect(path) as connection:
        newest, described = connection.execute(
            "select release_id, tables from releases order by release_id desc limit 1"
        ).fetchone()
        with_release = [
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_columns() where column_name = 'release_id' and not internal"
            ).fetchall()
            if name not in APPENDED
        ]
        looks = " union all ".join(
            f"""select '{name}', count(*), list(distinct release_id) from "{name}" """ for name in with_release
        )
        found = connection.execute(looks).fetchall() if with_release else []
        tables = {name: (rows, ids) for name, rows, ids in found}
        for name, (_, ids) in tables.items():
            if set(ids or ()) - {newest}:
                raise MixedError(f"{name} has rows of {', '.join(sorted(ids))}; the newest release is {newest}")
        for name, said in json.loads(described).items():
            rows, _ = tables.get(name, (None, None))
            if rows != said["rows"]:
                raise MixedError(f"{name} has {rows} rows; its release {newest} says {said['rows']}")
        there = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
        counted = " union all ".join(f"select '{name}', count(*) from {name}" for name in APPENDED if name in there)
        return Seen(newest, dict(connection.execute(counted).fetchall()))


def glance(path: Path, release_id: str) -> None:
    """Open a file that was looked at before; raises `MixedError` when its release is another."""
    with connect(path) as connection:
        (newest,) = connection.execute("select max(release_id) from releases").fetchone()
    if newest != release_id:
        raise MixedError(f"the file that had release {release_id} has {newest} now")


def lost(before: Path, after: Path) -> list[str]:
    """Rows of tables that only grow which were published before and are not there any more, in words."""
    said = []
    with duckdb.connect() as connection:
        for name, path in (("before", before), ("after", after)):
            escaped = str(path).replace("'", "''")
            connection.execute(f"attach '{escaped}' as {name} (read_only)")
        tables = defaultdict(dict)
        for database, table, column in connection.execute(
            "select database_name, table_name, column_name from duckdb_columns() where not internal order by all"
        ).fetchall():
            tables[database, table][column] = None
        for table in APPENDED:
            # The history keeps the reasons of a score for two weeks only.
            columns = ", ".join(f'"{name}"' for name in tables["before", table] if name != "reasons")
            if not columns:
                continue
            if not tables["after", table]:
                said.append(f"the table {table} is gone")
                continue
            (rows,) = connection.execute(
                f"select count(*) from (select {columns} from before.{table}"
                f" except all select {columns} from after.{table})"
            ).fetchone()
            if rows:
                said.append(f"{table} lost {rows:,} rows")
    return said


def differences(expected: Path, found: Path) -> list[str]:
    """
    Where two published files say different things, at most one line a table.

    Names made from the time, and which run it was, do not count; numbers may differ by `TOLERANCE`. A fit that was
    repeated may have been refused the second time, for it is compared with itself; a release that was published before
    the kill is the last one of the next run, which is compared with it.
    """
    one, other = _contents(expected), _contents(found)
    said = [f"the table {name} is gone" for name in one.keys() - other.keys()]
    said += [f"the table {name} is new" for name in other.keys() - one.keys()]
    for name in sorted(one.keys() & other.keys()):
        said += _difference(name, one[name], other[name])[:1]
    return said


Table = tuple[list[str], list[tuple]]


def _contents(path: Path) -> dict[str, Table]:
    contents = {}
    with connect(path) as connection:
        for (name,) in connection.execute("select table_name from duckdb_tables() order by 1").fetchall():
            there = [column for column, *_ in connection.execute(f'describe "{name}"').fetchall()]
            wanted = COMPARED.get(name, there)
            columns = [column for column in there if column in wanted and column not in NAMED_BY_TIME]
            listed = ", ".join(f'"{column}"' for column in columns)
            rows = connection.execute(f'select {listed} from "{name}"').fetchall()
            contents[name] = (columns, [tuple(map(_without_times, row)) for row in rows])
    return contents


def _without_times(value: object) -> object:
    return TIMES.sub("<time>", value) if isinstance(value, str) else value


def _difference(name: str, expected: Table, found: Table) -> list[str]:
    columns = expected[0]
    if columns != found[0]:
        return [f"{name} has other columns: {', '.join(sorted({*columns} ^ {*found[0]}))}"]
    if name not in OF_MANY_RELEASES and len(expected[1]) != len(found[1]):
        return [f"{name} has {len(found[1]):,} rows, not {len(expected[1]):,}"]
    missing = _without_equal(expected[1], found[1])
    more = _without_equal(found[1], expected[1])
    if name == "model_runs":
        more = [row for row in more if row[columns.index("status")] != "refused"]
    if name == "data_quality":
        more = [row for row in more if "last release" not in row[columns.index("expectation")]]
    said = []
    for row in missing[:1]:
        nearest = max(found[1], key=lambda each: sum(map(_same, each, row)), default=None)
        said.append(f"{name}: {len(missing):,} rows are missing or different, such as {_told(columns, row, nearest)}")
    for row in more[:1]:
        said.append(f"{name}: {len(more):,} rows are new, such as {_told(columns, row, None)}")
    return said


def _without_equal(rows: list[tuple], others: list[tuple]) -> list[tuple]:
    """Those rows that have no equal among the others."""
    buckets = defaultdict(list)
    for other in others:
        buckets[_bucket(other)].append(other)
    return [row for row in rows if not any(all(map(_same, row, other)) for other in buckets[_bucket(row)])]


def _bucket(row: tuple) -> tuple:
    """What has to be equal to the letter: all but numbers with a point, and JSON, which may hold some."""
    return tuple(cell for cell in row if not isinstance(cell, float) and not _is_json(cell))


def _is_json(cell: object) -> bool:
    return isinstance(cell, str) and cell[:1] in ("[", "{")


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE) or (one != one and other != other)
    if one == other:
        return True
    if _is_json(one) and _is_json(other):
        try:
            return _same(json.loads(one), json.loads(other))
        except ValueError:
            return False
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return False


def _told(columns: list[str], row: tuple, nearest: tuple | None) -> str:
    """The row by its first cells, and where the nearest one of the other file differs."""
    words = ", ".join(f"{column} {cell}" for column, cell in zip(columns[:3], row[:3], strict=True))
    if nearest is not None:
        cells = zip(columns, row, nearest, strict=True)
        differing = [f"{column} {str(b)[:120]}, not {str(a)[:120]}" for column, a, b in cells if not _same(a, b)]
        words += f" ({'; '.join(differing[:3])})"
    return words
