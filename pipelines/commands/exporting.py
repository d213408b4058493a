"""Published tables as files: chosen read-only and sealed off, shaped for people, written whole or not at all."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.mishaps import FULL, explained, full
from pipelines.commands.sql_shell import SEALED
from pipelines.database import connect, quoted
from pipelines.spelling import did_you_mean
from pipelines.spreadsheets import REASONS, WRITERS, SheetFull, for_people

if TYPE_CHECKING:
    import polars as pl


class ExportError(ValueError):
    """Nothing was written; the message says why and what to do, in one line."""


@dataclass(frozen=True)
class Written:
    """A file that was written."""

    table: str
    release_id: str
    rows: int
    path: Path
    notes: Sequence[str] = ()
    """What the file has otherwise than the table, in words."""

    def in_words(self) -> str:
        """One sentence, and one for each note."""
        rows = f"{self.rows:,} row{'' if self.rows == 1 else 's'}"
        return " ".join([f"{rows} of {self.table} (release {self.release_id}) written to {self.path}.", *self.notes])


def export_table(
    published: Path,
    table: str,
    to: Path,
    where: str | None = None,
    columns: Sequence[str] | None = None,
    force: bool = False,
) -> Written:
    """
    Write a table of a published file, in its order, as the format that the ending of `to` says.

    `where` is an SQL condition over the table. Without `columns` all are written, in CSV and Excel all but the JSON of
    the reasons. The file appears whole, or not at all. Raises `ExportError`.
    """
    writer = WRITERS.get(to.suffix.lower())
    if writer is None:
        raise ExportError(
            f"{to} must end in {', '.join([*WRITERS][:-1])} or {[*WRITERS][-1]}: the ending says the format."
        )
    if to.is_dir():
        raise ExportError(f"{to} is a folder; give the name of a file in it, such as {to / f'{table}.csv'}.")
    if to.exists() and not force:
        raise ExportError(f"{to} is there already. Add --force to replace it, or choose another name.")
    frame, release_id = _chosen(published, table, where, columns)
    notes: list[str] = []
    if to.suffix.lower() != ".parquet":
        if REASONS in frame.columns and columns is None:
            frame = frame.drop(REASONS)
        frame = for_people(frame)
    try:
        _write_whole(to, lambda path: notes.extend(writer(frame, path, table)))
    except SheetFull as problem:
        raise ExportError(f"{problem} Narrow them with --where, or write a .csv or .parquet.") from None
    return Written(table, release_id, frame.height, to, notes)


def _chosen(
    published: Path, table: str, where: str | None, columns: Sequence[str] | None
) -> "tuple[pl.DataFrame, str]":
    """The rows and columns that are asked for, and the release that they are of."""
    import duckdb

    try:
        with connect(published, read_only=True, **SEALED) as connection:
            tables = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
            if table not in tables:
                hint = did_you_mean(table, tables) or f" There are: {', '.join(sorted(tables))}."
                raise ExportError(f"There is no published table '{table}'.{hint}")
            rows = connection.table(quoted(table))
            for name in columns or ():
                if name not in rows.columns:
                    hint = did_you_mean(name, rows.columns) or f" There are: {', '.join(rows.columns)}."
                    raise ExportError(f"{table} has no column '{name}'.{hint}")
            if where is not None:
                rows = rows.filter(where)
            if columns is not None:
                rows = rows.project(", ".join(map(quoted, dict.fromkeys(columns))))
            (release_id,) = connection.execute("select max(release_id) from releases").fetchone()
            return rows.pl(), release_id
    except duckdb.PermissionException:
        raise ExportError(f"--where reads the tables in {published} and opens nothing else.") from None
    except duckdb.Error as mistake:
        if (explanation := explained(str(mistake), published)) is not None:
            raise ExportError(explanation) from None
        reason = " ".join(line.strip() for line in str(mistake).partition("\n\nLINE")[0].splitlines() if line.strip())
        raise ExportError(f"--where '{where}' is no condition on {table}: {reason}") from None


def _write_whole(to: Path, write: Callable[[Path], None]) -> None:
    """Write a file beside `to` and put it in its place. Raises `ExportError` where that cannot be done."""
    from polars.exceptions import PolarsError
    from xlsxwriter.exceptions import XlsxWriterException

    target = to.resolve()  # a link stays a link
    draft = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        draft = Path(name)
        write(draft)
        draft.replace(target)
    except (OSError, PolarsError, XlsxWriterException) as problem:
        if FULL.search(str(problem)):
            raise ExportError(f"{to} could not be written. {full()}") from None
        reason = getattr(problem, "strerror", None) or str(problem).splitlines()[0]
        raise ExportError(f"{to} could not be written: {reason}. Check its folder.") from None
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)
