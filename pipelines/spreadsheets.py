"""Tables as files for people: CSV and Excel that run no formula, with numbers as numbers and dates as dates."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

FORMULA = r"^[=+\-@\t\r\n]"
"""How a text begins that a spreadsheet runs as a formula when it opens a CSV file."""
REASONS = "reasons"
"""The column with all reasons as JSON; reason_1 to reason_3 say the same to people."""
SHEET_ROWS, CELL_CHARACTERS = 1_048_576, 32_767
"""What an Excel sheet and a cell can hold."""


SHARE = re.compile(r"(^|_)(probability|rate|share)(?!.*percent)(_|$)")
MONEY = re.compile(
    r"(^|_)(arr|mrr|amount|value|revenue|loss|price|expected|forecast|actual|p10|p50|p90|paid|money)(_|$)",
    re.IGNORECASE,
)
"""Names of numbers that a sheet shows as per cent (where none is beyond 1), and of amounts."""
DATE_FORMAT, TIME_FORMAT = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"


class SheetFull(ValueError):
    """More rows than an Excel sheet holds; the message says how many."""


def for_people(frame: "pl.DataFrame") -> "pl.DataFrame":
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


def _write_csv(frame: "pl.DataFrame", path: Path, table: str) -> list[str]:
    """UTF-8 with the byte-order mark by which Excel knows it; no text is a formula, no name either."""
    import polars as pl

    harmless = [
        pl.when(pl.col(name).str.contains(FORMULA)).then(pl.lit("'") + pl.col(name)).otherwise(pl.col(name)).alias(name)
        for name, kind in frame.schema.items()
        if kind == pl.String
    ]
    names = {name: f"'{name}" for name in frame.columns if re.match(FORMULA, name)}
    frame.with_columns(harmless).rename(names).write_csv(path, include_bom=True, datetime_format="%Y-%m-%d %H:%M:%S")
    return []


def _write_parquet(frame: "pl.DataFrame", path: Path, table: str) -> list[str]:
    frame.write_parquet(path)
    return []


def _write_xlsx(frame: "pl.DataFrame", path: Path, table: str) -> list[str]:
    """One sheet with a header that stays in view and filters; text is never a formula, and dates are dates."""
    import polars as pl
    import xlsxwriter

    if frame.height >= SHEET_ROWS:
        raise SheetFull(f"An Excel sheet holds {SHEET_ROWS - 1:,} rows, and these are {frame.height:,}.")
    notes = []
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(path, options) as book:
        sheet = book.add_worksheet(table[:31])
        bold = book.add_format({"bold": True})
        formats = {each: book.add_format({"num_format": each}) for each in map(_number_format, frame) if each}
        put = [_cell_writer(sheet, column.dtype, formats.get(_number_format(column))) for column in frame]
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


def _number_format(column: "pl.Series") -> str:
    """How Excel shows a column's values; empty: as they are."""
    import polars as pl

    if column.dtype == pl.Date:
        return DATE_FORMAT
    if isinstance(column.dtype, pl.Datetime):
        return TIME_FORMAT
    if column.dtype.is_float() and SHARE.search(column.name) and (column.fill_nan(0).abs().max() or 0) <= 1:
        return "0.0%"
    if column.dtype.is_numeric() and MONEY.search(column.name):
        return "#,##0.00" if column.dtype.is_float() else "#,##0"
    return ""


def _cell_writer(sheet: object, kind: "pl.DataType", shown: object) -> Callable[[int, int, object], object]:
    """How a value of this type is written into a cell; `shown`: its number format."""
    import math

    import polars as pl

    if kind == pl.Boolean:
        return sheet.write_boolean
    if kind.is_integer() or kind.is_float():
        # A spreadsheet has no infinity; beyond fifteen digits it would change a whole number.
        return lambda row, column, value: (
            sheet.write_number(row, column, value, shown)
            if math.isfinite(value) and abs(value) < 10**15
            else sheet.write_string(row, column, str(value))
        )
    if kind == pl.Date or isinstance(kind, pl.Datetime):
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
"""Ending → what writes a frame to a path, given the table's name; returns notes for the user."""
