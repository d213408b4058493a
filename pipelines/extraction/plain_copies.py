"""Files that are not plain UTF-8 CSV, JSON lines or Parquet: a plain copy of each, which is read in its place."""

import codecs
import csv
import gzip
import json
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipelines.extraction.contracts import Inside
from pipelines.extraction.files import (
    CHUNK_BYTES,
    PACKED,
    LandedFile,
    UnreadableFileError,
    in_bytes,
    open_file,
    over_limit,
    printable,
)

BROUGHT_BY_BOM = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
WESTERN = "cp1252"
"""What text that is not UTF-8 is taken for: Windows' and most spreadsheets' encoding in western languages."""
JSON_IN_MEMORY = 256 * 10**6
"""Bytes of a JSON document that is no JSON lines: it must be read as a whole."""
NO_RECORDS = "has no list of records. Export JSON lines, or an array of objects"

NOT_ASCII = bytes(range(128, 256))


@dataclass
class PlainCopy:
    """A copy that the readers can read, and what it is."""

    path: Path
    """The file itself, where only its format is another than its ending says."""
    format: str
    """`csv` or `jsonl`."""
    note: str = ""
    """What was guessed about the original."""
    parent_lines: array | None = None
    """Of records in another entity's records: the line in which each stands in the file."""


def plain_copy(file: LandedFile, scratch: Path, encoding: str | None = None) -> PlainCopy | None:
    """
    A plain copy of a file in the folder `scratch`; None for a file that is plain itself.

    Unpacks `.gz`, decodes UTF-16 and text that is not UTF-8 (as `encoding`, else as Windows-1252, which is noted; UTF-8
    stays so whatever `encoding` says), and writes JSON documents as JSON lines and the first sheet of a workbook as
    CSV. Raises `UnreadableFileError` for what
    cannot be opened, and when the copy would be larger than the limits allow.
    """
    if file.format == "xlsx":
        return _sheet_copy(file, scratch)
    current, note = file.path, ""
    if file.path.name.lower().endswith(PACKED):
        current = _unpacked(file, scratch / "unpacked")
    found = foreign_encoding(current)
    if encoding and found not in BROUGHT_BY_BOM.values() and not is_utf8(current):
        found = encoding
    if found:
        if not encoding and found == WESTERN:
            note = (
                "it is not UTF-8 and was read as Windows-1252; if that is wrong, write its `encoding:` in sources.yaml"
            )
        current = _decoded(file, current, found, scratch / "decoded")
    format_ = file.format
    if format_ == "json":
        current = _as_lines(file, current, scratch / "lines.jsonl")
        format_ = "jsonl"
    if file.inside is not None:
        copy, lines = _inner_records(current, file.inside, scratch / "inner.jsonl")
        return PlainCopy(copy, "jsonl", note, lines)
    return None if (current, format_) == (file.path, file.format) else PlainCopy(current, format_, note)


def foreign_encoding(path: Path) -> str | None:
    """The encoding of text that is not UTF-8; None for UTF-8, also with single lines that are broken."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good, bad = 0, 0
    with open_file(path) as stream:
        chunk = stream.read(CHUNK_BYTES)
        if encoding := BROUGHT_BY_BOM.get(chunk[:2]):
            return encoding
        while chunk:
            if not chunk.isascii():
                text = decoder.decode(chunk)
                odd = text.count("\ufffd")
                good, bad = good + len(text) - len(chunk.translate(None, NOT_ASCII)) - odd, bad + odd
            chunk = stream.read(CHUNK_BYTES)
    return WESTERN if bad > good else None


def is_utf8(path: Path) -> bool:
    """Whether a file says that it is UTF-8, or has letters beyond English that are all right in it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_english = True
    with open_file(path) as stream:
        chunk = stream.read(CHUNK_BYTES)
        if chunk.startswith(codecs.BOM_UTF8):
            return True
        try:
            while chunk:
                is_english = is_english and chunk.isascii()
                decoder.decode(chunk)
                chunk = stream.read(CHUNK_BYTES)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return not is_english


def _unpacked(file: LandedFile, copy: Path) -> Path:
    allowed = file.limits.expanded(file.size)
    written = 0
    try:
        with open_file(file.path) as packed, gzip.GzipFile(fileobj=packed) as stream, copy.open("wb") as plain:
            while chunk := stream.read(CHUNK_BYTES):
                written += len(chunk)
                if written > allowed:
                    raise over_limit(file, "expansion", "it unpacks to more than that", in_bytes(allowed))
                plain.write(chunk)
    except (gzip.BadGzipFile, EOFError) as problem:
        raise UnreadableFileError(f"{printable(file.path)} cannot be unpacked ({problem}). Export it again.") from None
    if not written:
        raise UnreadableFileError(f"{printable(file.path)} is empty once unpacked. Export it again, or remove it.")
    return copy


def _decoded(file: LandedFile, source: Path, encoding: str, copy: Path) -> Path:
    """The same lines in UTF-8; bytes that the encoding does not have are told with their line."""
    try:
        with source.open(encoding=encoding, newline="") as old, copy.open("w", encoding="utf-8", newline="") as new:
            while text := old.read(CHUNK_BYTES):
                new.write(text)
    except (UnicodeError, LookupError) as problem:
        if encoding == WESTERN:  # five bytes have no letter there
            return _decoded(file, source, "latin-1", copy)
        raise UnreadableFileError(
            f"{printable(file.path)} cannot be read as {encoding} ({problem}). Export it as UTF-8, or correct its"
            " `encoding:` in sources.yaml."
        ) from None
    return copy


def _as_lines(file: LandedFile, source: Path, copy: Path) -> Path:
    """A JSON document as JSON lines; one that has them already stays as it is."""
    where = printable(file.path)
    with open_file(source) as stream:
        if _has_lines(stream):
            return source
        size = stream.seek(0, 2)
        stream.seek(0)
        if size > JSON_IN_MEMORY:
            most = in_bytes(JSON_IN_MEMORY)
            raise UnreadableFileError(f"{where} is one JSON document of more than {most}. Export it as JSON lines.")
        try:
            document = json.loads(stream.read().decode("utf-8-sig"))
        except (ValueError, RecursionError) as problem:
            raise UnreadableFileError(f"{where} is not valid JSON: {problem}. Export it again.") from None
    records = _records(document)
    if records is None:
        raise UnreadableFileError(f"{where} {NO_RECORDS}.")
    with copy.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    return copy


def _has_lines(stream: BinaryIO) -> bool:
    """Whether each line is a JSON object of its own, by the first one."""
    for line in stream:
        if text := line.removeprefix(codecs.BOM_UTF8).strip():
            try:
                value = json.loads(text)
            except ValueError:
                return False
            following = next((other for other in stream if other.strip()), b"")
            return isinstance(value, dict) and (following.lstrip()[:1] == b"{" or _records(value, at_least=1) is None)
    return False


def _records(document: object, at_least: int = 0) -> list | None:
    """The records of a document: an array, or the only list of objects in an object."""
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        return None
    lists = [
        value
        for value in document.values()
        if isinstance(value, list) and len(value) >= at_least and all(isinstance(each, dict) for each in value)
    ]
    is_record = any(key.lower() in ("id", "key") for key in document)
    return lists[0] if len(lists) == 1 and not is_record else None


def _inner_records(source: Path, inside: Inside, copy: Path) -> tuple[Path, array]:
    """The records within each record, with the parent's keys, and the line of each one's parent."""
    numbers = array("q")
    with source.open("rb") as stream, copy.open("w", encoding="utf-8") as lines:
        for number, line in enumerate(stream, start=1):
            for record in _inner(line, inside):
                lines.write(json.dumps(record, ensure_ascii=False) + "\n")
                numbers.append(number)
    return copy, numbers


def _inner(line: bytes, inside: Inside) -> Iterator[Mapping]:
    """The records in one record; none where the line is no record: the parent's own load says so."""
    if inside.field.encode() not in line:
        return
    try:
        parent = json.loads(line.removeprefix(codecs.BOM_UTF8))
    except (ValueError, RecursionError):
        return
    inner = parent.get(inside.field) if isinstance(parent, dict) else None
    for record in inner if isinstance(inner, list) else [inner]:
        if isinstance(record, dict) and all(record.get(column) in values for column, values in inside.only.items()):
            yield {
                **record,
                **{column: parent.get(name) for column, name in inside.keys.items() if record.get(column) is None},
            }


def _sheet_copy(file: LandedFile, scratch: Path) -> PlainCopy:
    """The first sheet of a workbook that has rows, as CSV; dates and times as ISO 8601."""
    from python_calamine import CalamineError, CalamineWorkbook

    where = printable(file.path)
    try:
        workbook = CalamineWorkbook.from_path(str(file.path))
        sheets = [(name, workbook.get_sheet_by_name(name).to_python()) for name in workbook.sheet_names]
    except (CalamineError, OSError) as problem:
        raise UnreadableFileError(
            f"{where} cannot be read as an Excel workbook ({problem}). Export it again."
        ) from None
    filled = [(name, rows) for name, rows in sheets if rows]
    if not filled:
        raise UnreadableFileError(f"{where} has no sheet with rows. Export it again, or remove it.")
    name, rows = filled[0]
    copy = scratch / "sheet.csv"
    with copy.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    others = [other for other, _ in filled[1:]]
    note = f"sheet '{name}' was read, not {', '.join(others)}" if others else ""
    return PlainCopy(copy, "csv", note)


def _cell(value: object) -> str:
    """A cell as text: whole numbers without a point, times as ISO 8601, line ends as blanks."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return re.sub(r"[\r\n]+", " ", str(value))
