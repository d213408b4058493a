"""A read-only SQL shell on one DuckDB file; queries can open no other file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.mishaps import explained
from pipelines.database import connect

if TYPE_CHECKING:
    import duckdb

SEALED = {"enable_external_access": "false", "lock_configuration": "true"}
"""DuckDB opens no other file, loads no extension, and accepts no change of these settings."""
READING = {"SELECT", "EXPLAIN", "CREATE"}
"""
Kinds of statements that are run. DuckDB parses `describe`, `show`, `summarize` and reading pragmas as selects, and runs
a `pivot` by creating a temporary type; nothing else can be created in a file that was opened read-only.
"""
HELP = "End a query with ; — .tables lists what there is, .quit leaves."
MAX_ROWS = 40


def run_query(path: Path, query: str, as_csv: bool = False) -> int:
    """Print a query's result, or one line about why there is none; returns a process exit code."""
    import duckdb

    try:
        with connect(path, read_only=True, **SEALED) as connection:
            forbidden = next((kind for kind in _kinds(connection, query) if kind not in READING), None)
            if forbidden is None:
                _answer(connection, query, as_csv)
                return 0
    except duckdb.PermissionException as refused:
        forbidden = str(refused).splitlines()[0].removeprefix("Permission Error: ").partition(" - ")[0]
    except duckdb.Error as mistake:
        print(explained(str(mistake), path) or mistake, file=sys.stderr)
        return 1
    scope = f"This shell is read-only: it takes queries of the tables in {path} and opens nothing else."
    print(f"Refused: {forbidden}. {scope}", file=sys.stderr)
    return 1


def open_shell(path: Path) -> None:
    """Read queries until .quit or end of input; a new release is picked up by the next query."""
    import readline  # noqa: F401  (gives input() history and line editing)

    print(f"{path} (read-only). {HELP}")
    buffer = ""
    while True:
        try:
            line = input("      ...> " if buffer else "scorecast> ")
        except (EOFError, KeyboardInterrupt):
            print()
            return
        command = line.strip()
        if not buffer and command in {".quit", ".exit", "quit", "exit"}:
            return
        if not buffer and command in {".help", "help"}:
            print(HELP)
        elif not buffer and command == ".tables":
            run_query(path, "select table_name, estimated_size as row_count from duckdb_tables() order by table_name")
        else:
            buffer = f"{buffer}\n{line}" if buffer else line
            if buffer.rstrip().endswith(";"):
                run_query(path, buffer)
                buffer = ""


def _kinds(connection: "duckdb.DuckDBPyConnection", query: str) -> list[str]:
    return [statement.type.name for statement in connection.extract_statements(query)]


def _answer(connection: "duckdb.DuckDBPyConnection", query: str, as_csv: bool) -> None:
    """Print the result; DuckDB runs the query only now, so its errors are raised here."""
    result = connection.sql(query)
    if result is None:
        return
    if as_csv:
        # As DuckDB writes them: a CSV file has no lists, structs and intervals.
        sys.stdout.write(result.project("cast(columns(*) as varchar)").pl().write_csv())
    else:
        result.show(max_rows=MAX_ROWS, max_width=_width())


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((160, 24)).columns
