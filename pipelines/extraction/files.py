"""Landed files: find them, fingerprint them, and take a broken CSV apart line by line."""

import csv
import difflib
import hashlib
import json
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
UNFINISHED = (".tmp", ".part", ".crdownload")
DELIMITERS = ",;\t|"
CHUNK_BYTES = 1 << 20
MAX_RECORD_LINES = 1000
"""A quote that is still open after so many lines was never meant to span them."""


class UnreadableFileError(Exception):
    """A whole file cannot be loaded; the message says why and what to do."""


@dataclass(frozen=True)
class LandedFile:
    """One export file of one entity."""

    path: Path
    name: str
    """Path relative to the source's folder, with forward slashes."""
    format: str
    """`csv`, `jsonl`, `parquet`, or an ending that is not read."""
    size: int
    modified_ns: int


@dataclass
class CsvScan:
    """A CSV file taken apart: where its whole records start, and the lines that are none."""

    record_lines: array = field(default_factory=lambda: array("q"))
    broken: list[tuple[int, str, str]] = field(default_factory=list)
    """(line, reason, raw text)"""
    first_bad_encoding: int | None = None


def plain(name: str) -> str:
    """A name without case, spaces and underscores: `OpportunityHistory` and `opportunity_history` are the same."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or nothing when no known word is close."""
    by_plain = {plain(name): name for name in known}
    close = difflib.get_close_matches(plain(word), by_plain, n=1, cutoff=0.6)
    return f" Did you mean '{by_plain[close[0]]}'?" if close else ""


def find_files(folder: Path, entities: Iterable[str]) -> tuple[dict[str, list[LandedFile]], list[str]]:
    """
    The files of each entity below a source's folder, sorted by name, and messages about what belongs to none.

    An entity's files are `<entity>/**` or `<entity>.<csv|jsonl|parquet>`; case and underscores in the name do not
    matter. Hidden and unfinished files (`.tmp`, `.part`) are left alone.
    """
    names = {plain(entity): entity for entity in entities}
    found: dict[str, list[LandedFile]] = {entity: [] for entity in names.values()}
    strays = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.suffix in UNFINISHED:
            continue
        entity = names.get(plain(entry.name if entry.is_dir() else entry.stem))
        if entity is None:
            if entry.is_dir() or entry.suffix.lower() in FORMATS:
                hint = did_you_mean(entry.stem, names.values())
                strays.append(f"{entry} is not read: no entity of this source has that name.{hint}")
            continue
        paths = [entry] if entry.is_file() else [path for path in entry.rglob("*") if path.is_file()]
        for path in paths:
            if path.name.startswith(".") or path.suffix in UNFINISHED:
                continue
            stat = path.stat()
            suffix = path.suffix.lower()
            found[entity].append(
                LandedFile(
                    path=path,
                    name=path.relative_to(folder).as_posix(),
                    format=FORMATS.get(suffix, suffix),
                    size=stat.st_size,
                    modified_ns=stat.st_mtime_ns,
                )
            )
    for files in found.values():
        files.sort(key=lambda file: file.name)
    return found, strays


def checksum_and_lines(path: Path) -> tuple[str, int]:
    """BLAKE2 of a file's content, and how many lines it has (an unfinished last line counts)."""
    digest = hashlib.blake2b(digest_size=16)
    lines, last = 0, b""
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return digest.hexdigest(), lines + (last not in (b"", b"\n"))


def check_readable(file: LandedFile) -> None:
    """Raise `UnreadableFileError` for what no reader can take: an unknown ending, an empty file, UTF-16."""
    if file.format not in FORMATS.values():
        ending = file.format or "no ending"
        raise UnreadableFileError(
            f"{file.path}: files with {ending} are not read. Export it as .csv, .jsonl or .parquet."
        )
    if file.size == 0:
        raise UnreadableFileError(f"{file.path} is empty (0 bytes). Export it again, or remove it.")
    if any(letter in str(file.path) for letter in "*?["):
        raise UnreadableFileError(f"{file.path} has *, ? or [ in its path. Rename it without them.")
    if file.format in ("csv", "jsonl"):
        with file.path.open("rb") as stream:
            if stream.read(2) in (b"\xff\xfe", b"\xfe\xff"):
                raise UnreadableFileError(f"{file.path} is UTF-16, not UTF-8 (line 1). {convert_hint('UTF-16')}")


def convert_hint(encoding: str) -> str:
    """What to do about a file in another encoding."""
    return f"Export it as UTF-8, or convert it: iconv -f {encoding} -t UTF-8 OLD > NEW"


def csv_header(path: Path, known: Iterable[str]) -> tuple[str, list[str]]:
    """
    A CSV file's delimiter and its column names.

    The delimiter is the one of `, ; tab |` that finds most of the `known` columns. Raises `UnreadableFileError` when
    the first line cannot be a header.
    """
    with path.open("rb") as stream:
        first = stream.readline()
    try:
        line = first.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as problem:
        raise UnreadableFileError(
            f"{path}, line 1: the header is not UTF-8 (byte 0x{first[problem.start]:02x}). {convert_hint('LATIN1')}"
        ) from None
    known_names = {name.lower() for name in known}
    candidates = []
    for delimiter in DELIMITERS:
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
        candidates.append((sum(name.lower() in known_names for name in names), delimiter, names))
    _, delimiter, names = max(candidates, key=lambda candidate: candidate[0])
    names = [name or f"column_{position}" for position, name in enumerate(names, start=1)]
    repeated = {name for name in names if [other.lower() for other in names].count(name.lower()) > 1}
    if repeated:
        raise UnreadableFileError(
            f"{path}, line 1: the header has {sorted(repeated)} more than once. Rename one in the export."
        )
    return delimiter, names


def _fields(text: str, delimiter: str) -> int | None:
    """How many fields a record has; None when its quotes are broken."""
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return len(rows[0]) if len(rows) == 1 else None


def _bad_encoding(line: bytes) -> str | None:
    try:
        line.decode()
    except UnicodeDecodeError as problem:
        return (
            f"not UTF-8: byte 0x{line[problem.start]:02x} at position {problem.start + 1} of the line. "
            f"{convert_hint('LATIN1')}"
        )
    return None


def scan_csv(
    path: Path, delimiter: str, columns: int, clean: BinaryIO | None = None, also_broken: frozenset[int] = frozenset()
) -> CsvScan:
    """
    Take a CSV file apart line by line: the slow way, only for files where the fast reader met something odd.

    Whole records are written to `clean` (with the header line). A line with too few or too many fields, with a quote
    that nothing closes, that is not UTF-8, or whose number is in `also_broken` is broken alone: the lines after it
    are read on their own. Empty lines are nothing.
    """
    scan = CsvScan()
    separator, separators = delimiter.encode(), columns - 1
    with path.open("rb") as stream:
        lines = enumerate(stream, start=1)
        _, header = next(lines)
        if clean:
            clean.write(header if header.endswith(b"\n") else header + b"\n")
        ahead: list[tuple[int, bytes]] = []
        while True:
            number, line = ahead.pop(0) if ahead else next(lines, (0, b""))
            if not number:
                return scan
            body = line.rstrip(b"\r\n")
            if not body:
                continue
            record = body
            ordinary = body.count(separator) == separators and b'"' not in body and body.isascii()
            reason = None if ordinary else _broken(body, separator, columns)
            if number in also_broken:
                reason = "the line cannot be read as CSV"
            elif reason == OPEN_QUOTE:
                record, used = _spanning(line, ahead, lines, delimiter, columns)
                if used:
                    del ahead[:used]
                    reason = None
            if reason:
                encoding = _bad_encoding(body)
                if encoding and scan.first_bad_encoding is None:
                    scan.first_bad_encoding = number
                scan.broken.append((number, encoding or reason, body.decode(errors="replace")))
                continue
            scan.record_lines.append(number)
            if clean:
                clean.write(record + b"\n")


OPEN_QUOTE = "a quote is opened and never closed"


def _broken(body: bytes, separator: bytes, columns: int) -> str | None:
    """Why one line is not a record; None when it is."""
    if b'"' not in body:
        found = body.count(separator) + 1
        if not body.isascii() and (reason := _bad_encoding(body)):
            return reason
    else:
        if reason := _bad_encoding(body):
            return reason
        fields = _fields(body.decode(), separator.decode())
        if fields is None:
            return OPEN_QUOTE if body.count(b'"') % 2 else "its quotes are broken"
        found = fields
    if found == columns:
        return None
    return f"{found} values in the line, but the header has {columns} columns"


def _spanning(
    line: bytes, ahead: list[tuple[int, bytes]], lines: Iterator[tuple[int, bytes]], delimiter: str, columns: int
) -> tuple[bytes, int]:
    """The record that starts in `line` and ends in a later one, and how many later lines it takes (0: none does)."""
    text = line
    for used in range(1, MAX_RECORD_LINES):
        if len(ahead) < used:
            following = next(lines, None)
            if following is None:
                return line, 0
            ahead.append(following)
        text += ahead[used - 1][1]
        if text.count(b'"') % 2 == 0:
            break
    else:
        return line, 0
    record = text.rstrip(b"\r\n")
    try:
        rows = list(csv.reader(record.decode().splitlines(keepends=True), delimiter=delimiter, strict=True))
    except (csv.Error, UnicodeDecodeError):
        return line, 0
    return (record, used) if len(rows) == 1 and len(rows[0]) == columns else (line, 0)


def text_lines(path: Path) -> array:
    """The numbers of the lines that hold something, for formats with one record a line."""
    with path.open("rb") as stream:
        return array("q", (number for number, line in enumerate(stream, start=1) if line.strip()))


def raw_records(path: Path, spans: Mapping[int, int]) -> dict[int, str]:
    """The text of records as it stands in the file, by the line they start in; `spans` maps it to the line after."""
    found: dict[int, bytes] = {}
    start, end = 0, 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if number in spans:
                start, end = number, spans[number]
                found[start] = line
            elif number < end:
                found[start] += line
            elif len(found) == len(spans):
                break
    return {number: text.rstrip(b"\r\n").decode(errors="replace") for number, text in found.items()}


def why_not_json(text: str) -> str | None:
    """Why a line is not a JSON object; None when it is."""
    if "\ufffd" in text:
        return f"the line is not UTF-8. {convert_hint('LATIN1')}"
    try:
        value = json.loads(text)
    except json.JSONDecodeError as problem:
        return f"the line is not valid JSON: {problem.msg} at position {problem.pos + 1}"
    return None if isinstance(value, dict) else "the line is not a JSON object"
