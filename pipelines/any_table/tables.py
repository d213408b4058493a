"""One table from one place, without Dagster: a CSV, Excel, JSON or Parquet file, or a table of a DuckDB database.

Landed exports go another way (`pipelines/extraction/loading/`: contracts, quarantine). Here a broken file is refused
with its line, never loaded in part. What both share (delimiters, splitting a broken CSV into records, plain copies of
packed files, JSON documents and workbooks) is in `pipelines/extraction/`.
"""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from pipelines.any_table.remote import NotReachable, copied, is_address, without_query
from pipelines.database import quoted
from pipelines.extraction.files import (
    DELIMITERS,
    FOREIGN,
    PACKED,
    LandedFile,
    UnreadableFileError,
    scan_csv,
    why_not_json,
)
from pipelines.extraction.plain_copies import plain_copy
from pipelines.extraction.scratch import scratch_folder
from pipelines.learning.columns.types import repaired_names
from pipelines.settings import data_dir
from pipelines.spelling import did_you_mean

HEAD_BYTES, CHUNK_BYTES = 1 << 16, 1 << 22
SNIFFED_RECORDS = 100
DATABASE = re.compile(r"^(?P<path>.+\.(?:duckdb|ddb|db))(?::(?P<table>.*))?$", re.IGNORECASE)
ENDINGS = {".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
ENDINGS |= {".parquet": "parquet", ".pq": "parquet"}
GZIP, ZIP, WORKBOOKS = b"\x1f\x8b", b"PK\x03\x04", (".xlsx", ".xlsm")
WITHOUT_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
"""Bytes that Windows-1252 does not define; in Latin-1 they are control characters."""


class TableError(ValueError):
    """A table cannot be read; the message says in one line which, where and what to do."""


def read_table(location: str, notes: list[str] | None = None) -> pl.DataFrame:
    """Read a table whole.

    `location`: a path to a CSV (`,` `;` tab or `|`; UTF-8, UTF-16, or Windows-1252 / Latin-1), JSON (lines, or an
    array), also packed (`.gz`), Parquet or Excel file (its first sheet), `path.duckdb:schema.table`, or `path.duckdb`
    if it has one table; or the address of such a file (`https://`, `s3://`). Columns of a CSV or a sheet come as
    String, an empty field as null; other formats keep their types. Column names are neither empty nor repeated.
    Guesses and repairs are added to `notes`. Raises TableError for anything that cannot be read.
    """
    notes = notes if notes is not None else []
    if is_address(str(location)):
        return _remote_table(str(location), notes)
    database = DATABASE.match(str(location))
    if database:
        return _database_table(Path(database["path"]), database["table"], notes)
    path = Path(location)
    _check_there(path)
    head = _head(path)
    if not head:
        raise TableError(f"{path} is empty (0 bytes).")
    form = _form(path.name, head)
    if form == "parquet" and not head.startswith(GZIP):
        return _parquet_table(path, head)
    if form in ("json", "xlsx") or (form != "parquet" and head.startswith(GZIP) and path.name.lower().endswith(PACKED)):
        return _copied_table(path, form, notes)
    for start, what in FOREIGN.items():
        if head.startswith(start):
            raise TableError(f"{path} is no table but {what}.")
    return _jsonl_table(path) if form == "jsonl" else _csv_table(path, head, notes)


def _remote_table(address: str, notes: list[str]) -> pl.DataFrame:
    """The table of a file behind an address; messages name the address, not the copy."""
    with scratch_folder(data_dir()) as folder:
        try:
            copy = copied(address, folder)
        except NotReachable as problem:
            raise TableError(str(problem)) from None
        try:
            return read_table(str(copy), notes)
        except TableError as problem:
            raise TableError(str(problem).replace(str(copy), without_query(address))) from None


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def _form(name: str, head: bytes) -> str:
    """`parquet`, `xlsx`, `json` (a document), `jsonl` or `csv`: by the first bytes, else by the name."""
    ending = Path(name.lower().removesuffix(PACKED)).suffix
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(ZIP) and ending in WORKBOOKS:
        return "xlsx"
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if ending == ".json" or (ENDINGS.get(ending) == "jsonl" and start == b"["):
        return "json"
    return ENDINGS.get(ending) or ("jsonl" if start == b"{" else "csv")


def _copied_table(path: Path, form: str, notes: list[str]) -> pl.DataFrame:
    """A packed file, a JSON document or a workbook, by a plain copy of it, which no message names."""
    status = path.stat()
    with scratch_folder(data_dir()) as folder:
        try:
            copy = plain_copy(LandedFile(path, path.name, form, status.st_size, status.st_mtime_ns), folder)
        except UnreadableFileError as problem:
            raise TableError(str(problem)) from None
        remarks = [f"{path.name}: {copy.note.partition(';')[0]}"] if copy.note else []
        try:
            frame = (
                _jsonl_table(copy.path) if copy.format == "jsonl" else _csv_table(copy.path, _head(copy.path), remarks)
            )
        except TableError as problem:
            raise TableError(str(problem).replace(str(copy.path), str(path))) from None
    notes += [note.replace(copy.path.name, path.name) for note in remarks]
    return frame


def _check_there(path: Path) -> None:
    if path.is_dir():
        raise TableError(f"{path} is a folder; name one file in it.")
    if not path.exists():
        folder = path.parent
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        hint = did_you_mean(path.name, names) if folder.is_dir() else f" There is no folder {folder} either."
        raise TableError(f"There is no file {path}.{hint}")


# CSV


def _csv_table(path: Path, head: bytes, notes: list[str]) -> pl.DataFrame:
    encoding = _encoding(path, head)
    with _as_utf8(path, encoding, notes) as readable:
        with readable.open("rb") as stream:
            start = stream.read(HEAD_BYTES)
        if b"\x00" in start:
            raise TableError(f"{path} is no text: it holds zero bytes. Export the table as CSV, Parquet or JSONL.")
        if not start.strip(b"\xef\xbb\xbf\r\n\t "):
            raise TableError(f"{path} holds nothing but blank lines.")
        delimiter, header = _delimiter(path, start)
        try:
            frame = pl.read_csv(readable, separator=delimiter, infer_schema=False, raise_if_empty=False, glob=False)
        except (pl.exceptions.PolarsError, OSError) as problem:
            frame = _second_try(path, readable, delimiter, len(header), problem)
        if frame.width != len(header):
            frame = _second_try(path, readable, delimiter, len(header), None)
        if frame.height == 0:
            raise TableError(f"{path} has a header ({len(header)} columns) but no rows.")
        frame = _complete(path, readable, delimiter, frame, notes)
    frame.columns, renamed = repaired_names([name.strip() for name in header])
    notes += renamed
    return frame


def _encoding(path: Path, head: bytes) -> str:
    """`utf-8`, `utf-16`, `utf-16-le`, `utf-16-be`, `cp1252` or `latin-1`; decided by the whole file."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    pairs = len(head) // 2
    if pairs and b"\x00" in head:
        low, high = head[1::2].count(0) / pairs, head[0::2].count(0) / pairs
        if low > 0.4 and high < 0.05:
            return "utf-16-le"
        if high > 0.4 and low < 0.05:
            return "utf-16-be"
        raise TableError(f"{path} is no text: it holds zero bytes. Export the table as CSV, Parquet or JSONL.")
    control = sum(head.count(bytes([byte])) for byte in range(32) if byte not in b"\t\n\r\x0b\x0c\x1a\x1b")
    if control > 0.02 * len(head):
        raise TableError(f"{path} is no text: it is full of control characters. Export the table as CSV or Parquet.")
    utf8, windows = True, True
    rest = b""
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            if not chunk.isascii() or rest:
                cut = len(chunk) - _unfinished(chunk)
                try:
                    (rest + chunk[:cut]).decode()
                except UnicodeDecodeError:
                    utf8 = False
                rest = chunk[cut:]
                windows = windows and not WITHOUT_CP1252.search(chunk)
            if not utf8 and not windows:
                break
    if utf8 and not rest:
        return "utf-8"
    return "cp1252" if windows else "latin-1"


def _unfinished(chunk: bytes) -> int:
    """How many bytes at the end of a chunk are the beginning of a UTF-8 character."""
    for back in range(1, min(4, len(chunk)) + 1):
        byte = chunk[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if needed > back else 0
        if byte < 0x80:
            return 0
    return 0


@contextmanager
def _as_utf8(path: Path, encoding: str, notes: list[str]) -> Iterator[Path]:
    """The file itself where it is UTF-8 with line ends, else a copy that is; its lines have the same numbers."""
    with path.open("rb") as stream:
        head = stream.read(CHUNK_BYTES)
    old_line_ends = encoding in ("utf-8", "cp1252", "latin-1") and b"\n" not in head and b"\r" in head.rstrip(b"\r")
    if encoding == "utf-8" and not old_line_ends:
        yield path
        return
    if encoding != "utf-8":
        names = {"cp1252": "Windows-1252", "latin-1": "Latin-1"}
        notes.append(f"{path.name} is no UTF-8; it is read as {names.get(encoding, 'UTF-16')}")
    with scratch_folder(data_dir()) as folder:
        copy = folder / "table.csv"
        newline = None if old_line_ends else ""
        try:
            with (
                path.open(encoding=encoding, newline=newline) as source,
                copy.open("w", encoding="utf-8", newline="") as target,
            ):
                while text := source.read(CHUNK_BYTES):
                    target.write(text)
        except UnicodeError as problem:
            raise TableError(f"{path} cannot be read as {encoding}: {problem}. Export it as UTF-8.") from None
        yield copy


def _delimiter(path: Path, start: bytes) -> tuple[str, list[str]]:
    """The delimiter that splits the first records most evenly, and the header's names as they stand."""
    text = start.decode("utf-8-sig", errors="ignore").lstrip("\r\n")
    whole = len(start) < HEAD_BYTES
    best: tuple[float, int, str, list[str]] | None = None
    for delimiter in DELIMITERS:
        records = []
        try:
            for record in csv.reader(text.splitlines(keepends=True), delimiter=delimiter):
                if record:
                    records.append(record)
                if len(records) > SNIFFED_RECORDS:
                    break
            else:
                records = records if whole or len(records) < 2 else records[:-1]
        except csv.Error:
            continue
        if not records:
            continue
        header = records[0]
        widths = Counter(len(record) for record in records)
        even = widths[len(header)] / len(records) if len(header) > 1 else 0.0
        if best is None or (even, len(header)) > best[:2]:
            best = (even, len(header), delimiter, header)
    if best is None:
        raise TableError(f"{path}, line 1: the header cannot be read as CSV.")
    return best[2], best[3]


def _second_try(path: Path, readable: Path, delimiter: str, columns: int, problem: Exception | None) -> pl.DataFrame:
    """Read a file that polars' reader refused: name the broken line, or read it with Python's slower reader.

    Polars' reader fails on quotes within fields (`5" pipe`), which Python's reader accepts.
    """
    _refuse_broken_lines(path, readable, delimiter, columns)
    with scratch_folder(data_dir()) as folder:
        copy = folder / "table.csv"
        with readable.open(encoding="utf-8-sig", newline="") as source, copy.open("w", newline="") as target:
            writer = csv.writer(target, delimiter=delimiter, lineterminator="\n")
            reader = csv.reader(source, delimiter=delimiter)
            try:
                for record in reader:
                    if record and len(record) != columns:
                        raise TableError(
                            f"{path}, line {reader.line_num:,}: {len(record)} values, "
                            f"but the header has {columns} columns."
                        )
                    writer.writerow(record)
            except csv.Error as odd:
                raise TableError(f"{path}, line {reader.line_num:,}: {odd}.") from None
        try:
            return pl.read_csv(copy, separator=delimiter, infer_schema=False, raise_if_empty=False, glob=False)
        except pl.exceptions.PolarsError as again:
            reason = str(problem or again).splitlines()[0]
            raise TableError(f"{path} cannot be read as CSV: {reason}.") from None


def _refuse_broken_lines(path: Path, readable: Path, delimiter: str, columns: int) -> None:
    broken = scan_csv(readable, delimiter, columns).broken
    if broken:
        line, reason, _ = broken[0]
        more = f" {len(broken) - 1:,} more lines are broken, too." if len(broken) > 1 else ""
        raise TableError(f"{path}, line {line:,}: {reason}.{more}")


def _complete(path: Path, readable: Path, delimiter: str, frame: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """The frame without blank lines, after a check for short lines, which polars fills up with nulls.

    A short line leaves its last field null, and then the file has fewer delimiters than its records need.
    """
    if frame.to_series(frame.width - 1).null_count() == 0:
        return frame
    if frame.width > 1:
        inner = sum(
            int(frame.to_series(position).str.count_matches(delimiter, literal=True).sum() or 0)
            for position in range(frame.width)
        )
        inner += sum(name.count(delimiter) for name in frame.columns)
        if _occurrences(readable, delimiter) == inner + (frame.height + 1) * (frame.width - 1):
            return frame
        _refuse_broken_lines(path, readable, delimiter, frame.width)
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if blank.any():
        frame = frame.filter(~blank)
        if frame.height == 0:
            raise TableError(f"{path} has a header ({frame.width} columns) and blank lines, but no rows.")
        inside = int(blank[: int((~blank).arg_true().max()) + 1].sum())
        if inside:
            notes.append(f"{path.name} has lines without any value; {inside:,} skipped")
    return frame


def _occurrences(path: Path, delimiter: str) -> int:
    found, byte = 0, delimiter.encode()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            found += chunk.count(byte)
    return found


# Other files


def _parquet_table(path: Path, head: bytes) -> pl.DataFrame:
    if not head.startswith(b"PAR1"):
        raise TableError(f"{path} is no Parquet file, whatever its name says.")
    try:
        frame = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as problem:
        reason = str(problem).splitlines()[0]
        with path.open("rb") as stream:
            stream.seek(-4, 2)
            cut = stream.read() != b"PAR1"
        if cut:
            raise TableError(f"{path} is a Parquet file without its end: it was cut short. Copy it again.") from None
        raise TableError(f"{path} is a damaged Parquet file ({reason}). Copy it again.") from None
    return _with_rows(frame, str(path))


def _with_rows(frame: pl.DataFrame, what: str) -> pl.DataFrame:
    if frame.width == 0:
        raise TableError(f"{what} has no columns.")
    if frame.height == 0:
        raise TableError(f"{what} has {frame.width} columns but no rows.")
    return frame


def _jsonl_table(path: Path) -> pl.DataFrame:
    try:
        frame = pl.read_ndjson(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as problem:
        with path.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip() and (reason := why_not_json(line)):
                    hint = " Write one object a line, no list around them." if line.lstrip().startswith("[") else ""
                    raise TableError(f"{path}, line {number:,}: {reason}.{hint}") from None
        raise TableError(f"{path} cannot be read as JSONL: {str(problem).splitlines()[0]}.") from None
    return _with_rows(frame, str(path))


# DuckDB


def _database_table(path: Path, table: str | None, notes: list[str]) -> pl.DataFrame:
    import duckdb

    _check_there(path)
    if path.stat().st_size == 0:
        raise TableError(f"{path} is empty (0 bytes).")
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.Error as problem:
        reason = " ".join(str(problem).split())
        if "lock" in reason.lower():
            raise TableError(f"{path} is being written by another program. Try again when it has finished.") from None
        raise TableError(f"{path} is no DuckDB database that can be opened: {reason[:200]}") from None
    with connection:
        rows = connection.execute(
            "select table_schema, table_name from information_schema.tables "
            "where table_catalog = current_database() order by all"
        ).fetchall()
        known = {f"{schema}.{name}": (schema, name) for schema, name in rows}
        if not known:
            raise TableError(f"{path} has no tables.")
        chosen = _chosen(path, table, known)
        if table is None:
            notes.append(f"{path.name} has one table, `{chosen}`")
        name = ".".join(map(quoted, known[chosen]))
        try:
            frame = connection.execute(f"select * from {name}").pl()
        except duckdb.Error as problem:
            raise TableError(f"{path}: {chosen} cannot be read: {' '.join(str(problem).split())[:200]}") from None
    return _with_rows(frame, f"{path}: {chosen}")


def _chosen(path: Path, table: str | None, known: dict[str, tuple[str, str]]) -> str:
    """The table of that name; a name without schema is enough if only one schema has it."""
    listed = ", ".join(list(known)[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    if table is None:
        if len(known) > 1:
            raise TableError(f"{path} has {len(known)} tables; name one as {path.name}:TABLE: {listed}.")
        return next(iter(known))
    found = [name for name in known if table.lower() in (name.lower(), known[name][1].lower())]
    exact = [name for name in found if table in (name, known[name][1])] or found
    if len(exact) == 1:
        return exact[0]
    if exact:
        raise TableError(f"{path} has '{table}' more than once; name one of {', '.join(exact)}.")
    raise TableError(f"{path} has no table '{table}'.{did_you_mean(table, known)} It has {listed}.")
