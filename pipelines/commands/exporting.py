"""Published tables as files: chosen read-only and sealed off, shaped for people, written whole or not at all."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.mishaps import FULL, explained, full
from pipelines.commands.sql_shell import SEALED
from pipelines.database import connect, quoted
from pipelines.spelling import did_you_mean

if TYPE_CHECKING:
    import polars as pl

FORMULA = r"^[=+\-@\t\r\n]"
"""How a text begins that a spreadsheet runs as a formula when it opens a CSV file."""
REASONS = "reasons"
"""The column with all reasons as JSON; reason_1 to reason_3 say the same to people."""
SHEET_ROWS, CELL_CHARACTERS = 1_048_576, 32_767
"""What an Excel sheet and a cell can hold."""


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
        frame = _for_people(frame)
    _write_whole(to, lambda path: notes.extend(writer(frame, path, table)))
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
        if (told := explained(str(mistake), published)) is not None:
            raise ExportError(told) from None
        reason = " ".join(line.strip() for line in str(mistake).partition("\n\nLINE")[0].splitlines() if line.strip())
        raise ExportError(f"--where '{where}' is no condition on {table}: {reason}") from None


def _for_people(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Reasons as text, times as UTC without a zone, and what a cell cannot hold (lists, structs) as JSON."""
    import polars as pl

    shaped = []
    for name, kind in frame.schema.items():
        column = pl.col(name)
        if name == REASONS:
            shaped.append(column.map_elements(_reasons_in_words, return_dtype=pl.String))
        elif isinstance(kind, pl.Datetime) and kind.time_zone:
            shaped.append(column.dt.convert_time_zone("UTC").dt.replace_time_zone(None))
        elif kind in (pl.Categorical, pl.Enum):
            shaped.append(column.cast(pl.String))
        elif kind.is_decimal():
            shaped.append(column.cast(pl.Float64))
        elif kind.is_nested():
            shaped.append(column.map_elements(_as_json, return_dtype=pl.String))
    return frame.with_columns(shaped)


def _reasons_in_words(reasons: str) -> str:
    """The sentences of a score's reasons; other text stays as it is."""
    with suppress(ValueError, TypeError, AttributeError):
        return "; ".join(reason["text"] for reason in json.loads(reasons) if reason.get("text"))
    return reasons


def _as_json(value: object) -> str:
    """A list or struct as JSON."""
    import polars as pl

    return json.dumps(value.to_list() if isinstance(value, pl.Series) else value, default=str, ensure_ascii=False)


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


def _write_csv(frame: "pl.DataFrame", path: Path, table: str) -> list[str]:
    """UTF-8 with the byte-order mark by which Excel knows it; no text is a formula."""
    import polars as pl

    harmless = [
        pl.when(pl.col(name).str.contains(FORMULA)).then(pl.lit("'") + pl.col(name)).otherwise(pl.col(name)).alias(name)
        for name, kind in frame.schema.items()
        if kind == pl.String
    ]
    frame.with_columns(harmless).write_csv(path, include_bom=True, datetime_format="%Y-%m-%d %H:%M:%S")
    return []


def _write_parquet(frame: "pl.DataFrame", path: Path, table: str) -> list[str]:
    frame.write_parquet(path)
    return []


def _write_xlsx(frame: "pl.DataFrame", path: Path, table: str) -> list[str]:
    """One sheet with a header that stays in view and filters; text is never a formula, and dates are dates."""
    import polars as pl
    import xlsxwriter

    if frame.height >= SHEET_ROWS:
        raise ExportError(
            f"An Excel sheet holds {SHEET_ROWS - 1:,} rows, and these are {frame.height:,}. Narrow them with --where,"
            " or write a .csv or .parquet."
        )
    notes = []
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(path, {**options, "default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet(table[:31])
        bold, moment = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        kinds = frame.schema.dtypes()
        put = [_cell_writer(sheet, kind, moment) for kind in kinds]
        for place, (name, kind) in enumerate(frame.schema.items()):
            sheet.set_column(place, place, 40 if kind == pl.String and name.startswith("reason") else 16)
            sheet.write_string(0, place, name, bold)
        for number, row in enumerate(frame.iter_rows(), start=1):
            for place, value in enumerate(row):
                if value is not None:
                    put[place](number, place, value)
        sheet.freeze_panes(1, 1)
        if frame.width:
            sheet.autofilter(0, 0, frame.height, frame.width - 1)
    text = frame.select(pl.col(pl.String).str.len_chars().max())
    cut = [name for name in text.columns if (text[name].item() or 0) > CELL_CHARACTERS]
    if cut:
        notes.append(
            f"Longer texts in {', '.join(cut)} end after {CELL_CHARACTERS:,} characters, as a cell holds no more."
        )
    return notes


def _cell_writer(sheet: object, kind: "pl.DataType", moment: object) -> Callable[[int, int, object], object]:
    """How a value of this type is written into a cell."""
    import math

    import polars as pl

    if kind == pl.Boolean:
        return sheet.write_boolean
    if kind.is_integer() or kind.is_float():
        # A spreadsheet has no infinity; beyond fifteen digits it would change a whole number.
        return lambda row, column, value: (
            sheet.write_number(row, column, value)
            if math.isfinite(value) and abs(value) < 10**15
            else sheet.write_string(row, column, str(value))
        )
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        shown = None if kind == pl.Date else moment
        # A spreadsheet's days begin in 1900.
        return lambda row, column, value: (
            sheet.write_datetime(row, column, value, shown)
            if value.year >= 1900
            else sheet.write_string(row, column, str(value))
        )
    return lambda row, column, value: sheet.write_string(row, column, str(value)[:CELL_CHARACTERS])


WRITERS: "Mapping[str, Callable[[pl.DataFrame, Path, str], list[str]]]" = {
    ".csv": _write_csv,
    ".xlsx": _write_xlsx,
    ".parquet": _write_parquet,
}
"""Ending → what writes such a file; returns notes for the user."""
