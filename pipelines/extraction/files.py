"""Landed files: find them, checksum them, and split a broken CSV into records line by line."""

import codecs
import csv
import errno
import hashlib
import io
import json
import os
import re
import stat
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pipelines.extraction.configuration import Limits
from pipelines.extraction.contracts import Inside
from pipelines.spelling import closest, plain

FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
}
PACKED = ".gz"
UNFINISHED = (".tmp", ".part", ".crdownload")
DELIMITERS = ",;\t|"
MAX_HEADER_LINES = 100
SEPARATOR_LINE, MAX_SEPARATOR_LINE = re.compile(rb'"?[sS][eE][pP]=([,;|\t]?)"?\s*'), 40
"""The first line by which a spreadsheet is told the delimiter."""
CHUNK_BYTES, TAIL_BYTES = 1 << 20, 1 << 16
LONG_LINE = 10**6
"""Bytes from which a line counts as long: DuckDB needs a larger buffer, and the limit may be exceeded."""
MAX_RECORD_LINES, MAX_RECORD_BYTES = 1000, 2 * 10**6
"""A quote that is still open after so many lines or bytes is taken as a stray one."""
OF_ONE_FILE = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}
"""Errors about one file; all others (a full disk, no memory) are about the machine."""
OF_THE_MACHINE = {
    errno.EIO,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EROFS,
    errno.ESTALE,
}
"""Errors about the machine that DuckDB passes on in its own error about a file."""
FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or a zip archive. Save the sheet as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook. Save the sheet as CSV",
    b"\x1f\x8b": "compressed (gzip). Unpack it first",
    b"%PDF": "a PDF. Export the table as CSV",
}
"""First bytes of files that are no tables → what such a file is."""
KINDS = {
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISDIR: "a folder",
}
csv.field_size_limit(2**31 - 1)  # lines have a limit of their own, and a long header must be read to be reported


class UnreadableFileError(Exception):
    """A whole file cannot be loaded; the message says why and what to do."""


class NotNowError(UnreadableFileError):
    """A file is refused for a reason outside of it (a limit, a permission): every load tries it again."""


@dataclass(frozen=True)
class LandedFile:
    """One export file of one entity."""

    path: Path
    name: str
    """Path relative to the source's folder, with forward slashes."""
    format: str
    """`csv`, `json`, `jsonl`, `parquet`, `xlsx`, or an ending that is not read."""
    size: int
    modified_ns: int
    refusal: str = ""
    """Why it is not opened; empty for an ordinary file."""
    limits: Limits = field(default_factory=Limits)
    inside: Inside | None = None
    """Which list in its records holds the entity's records, where they are not its own."""


@dataclass
class CsvScan:
    """A CSV file split into records: the lines where complete records start, and the lines that are no records."""

    record_lines: array = field(default_factory=lambda: array("q"))
    broken: list[tuple[int, str, str]] = field(default_factory=list)
    """(line, reason, raw text)"""
    first_bad_encoding: int | None = None


def printable(text: object) -> str:
    """A text on one line: line ends, control characters and bytes that are no UTF-8 are written as escapes."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in str(text))


def _escaped(letter: str) -> str:
    is_byte = "\udc80" <= letter <= "\udcff"  # how Python keeps a byte of a file's name that is not UTF-8
    return f"\\x{ord(letter) - 0xDC00:02x}" if is_byte else letter.encode("unicode_escape").decode()


def format_of(path: Path) -> str | None:
    """The format that a file's ending stands for, also packed (`.csv.gz`); None for an ending that is not read."""
    name = path.name.lower()
    is_packed = name.endswith(PACKED)
    format_ = FORMATS.get(Path(name.removesuffix(PACKED)).suffix)
    return None if is_packed and format_ in ("parquet", "xlsx") else format_


def folder_problem(folder: Path) -> str:
    """Why a source's folder cannot be looked into; nothing when it can."""
    if not os.path.isdir(folder):
        meant = closest(folder.name, _folders_beside(folder), likeness=0.75)
        return f"is not there (did you mean {printable(meant)}?)" if meant else "is not there"
    try:
        os.listdir(folder)
    except PermissionError as problem:
        return f"cannot be read ({os.strerror(problem.errno)})"
    return ""


def _folders_beside(folder: Path) -> list[str]:
    """The names of the folders in the same folder."""
    try:
        return [entry.name for entry in os.scandir(folder.parent) if entry.is_dir()]
    except OSError:
        return []


def is_left_alone(path: Path) -> bool:
    """Whether a file or folder is hidden or not finished."""
    return path.name.startswith(".") or path.suffix in UNFINISHED


def walk(entry: Path, root: Path) -> Iterator[tuple[Path, str]]:
    """What is no folder at or below an entry of a source's folder, and why it is not to be opened."""
    waiting = [entry]
    while waiting:
        path = waiting.pop()
        try:
            if os.path.islink(path) and (refusal := _why_not_followed(path, entry, root)):
                yield path, refusal
            elif os.path.isdir(path):
                children = list(path.iterdir())
                waiting += children
                if not children and format_of(path):
                    yield path, "is an empty folder. Export it again, or remove it."
            else:
                yield path, ""
        except OSError as problem:
            yield path, unreadable(problem)


def _why_not_followed(link: Path, entry: Path, root: Path) -> str:
    target = Path(os.path.realpath(link))
    if not target.is_relative_to(root):
        return f"is a link to {target}, which is not in {root}. Put the file itself there."
    if not os.path.exists(target):
        return f"is a link to {target}, which is not there. Export it again, or remove the link."
    if os.path.isdir(target) and (link != entry or link.parent.resolve().is_relative_to(target)):
        return f"is a link to the folder {target}. Put the files themselves there."
    return ""


def landed(path: Path, folder: Path, refusal: str, limits: Limits) -> LandedFile:
    """A landed file's name, format, size and time, and why it is refused, if it is."""
    name = path.relative_to(folder).as_posix()
    size, modified_ns = 0, 0
    try:
        status = path.lstat() if refusal else path.stat()
        size, modified_ns = status.st_size, status.st_mtime_ns
        refusal = refusal or _why_not_ordinary(status.st_mode)
    except OSError as problem:
        refusal = refusal or unreadable(problem)
    try:
        name.encode()
    except UnicodeEncodeError:
        name = os.fsencode(name).decode(errors="backslashreplace")
        refusal = refusal or "has a name that is not UTF-8. Rename it."
    return LandedFile(path, name, format_of(path) or path.suffix.lower(), size, modified_ns, refusal, limits)


def _why_not_ordinary(mode: int) -> str:
    kind = next((kind for is_kind, kind in KINDS.items() if is_kind(mode)), None)
    return f"is {kind}, not a file. Remove it." if kind else ""


def is_about_one_file(problem: Exception) -> bool:
    """Whether an error is about one file, and not about memory, disk or the like."""
    import duckdb

    if isinstance(problem, duckdb.IOException):
        return not any(os.strerror(number) in str(problem) for number in OF_THE_MACHINE)
    if isinstance(problem, OSError):
        return problem.errno in OF_ONE_FILE
    of_the_machine = (MemoryError, duckdb.OutOfMemoryException, duckdb.FatalException, duckdb.InterruptException)
    return not isinstance(problem, of_the_machine)


def unreadable(problem: OSError) -> str:
    """Why a file cannot be opened, and what to do; raises the error if it is about the machine."""
    if not is_about_one_file(problem):
        raise problem
    hint = "Let this user read it." if problem.errno in (errno.EACCES, errno.EPERM) else "Export it again."
    return f"cannot be read ({os.strerror(problem.errno)}). {hint}"


def open_file(path: Path) -> BinaryIO:
    """Open an ordinary file; a pipe or a device raises `UnreadableFileError` at once."""
    stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if refusal := _why_not_ordinary(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise UnreadableFileError(f"{path} {refusal}")
    return stream


def checksum_and_lines(file: LandedFile) -> tuple[str, int]:
    """
    BLAKE2 of a file's content, and how many lines it has (an unfinished last line counts).

    A file that `check_readable` refuses by its kind or size is not read; it gets a random checksum, so that every load
    tries it again.
    """
    digest = hashlib.blake2b(digest_size=16)
    lines, last, left = 0, b"", file.limits.file_size
    if file.refusal or file.size > left:
        return os.urandom(16).hex(), 0
    try:
        with open_file(file.path) as stream:
            while (chunk := stream.read(CHUNK_BYTES)) and left >= 0:
                left -= len(chunk)
                digest.update(chunk)
                lines += chunk.count(b"\n")
                last = chunk[-1:]
    except UnreadableFileError:
        return os.urandom(16).hex(), 0
    except OSError as problem:
        unreadable(problem)
        return os.urandom(16).hex(), 0
    return digest.hexdigest(), lines + (last not in (b"", b"\n"))


def check_ordinary(file: LandedFile) -> None:
    """Raise `UnreadableFileError` for a file of a kind, size or ending that is not read."""
    where, limits = printable(file.path), file.limits
    if file.refusal:
        raise NotNowError(f"{where} {file.refusal}")
    if file.format not in FORMATS.values():
        ending = printable(file.format) or "no ending"
        raise UnreadableFileError(
            f"{where}: files with {ending} are not read. Export it as CSV, JSON, Excel or Parquet."
        )
    if file.size == 0:
        raise UnreadableFileError(f"{where} is empty (0 bytes). Export it again, or remove it.")
    if file.size > limits.file_size:
        raise over_limit(file, "file_size", f"it has {in_bytes(file.size)}", in_bytes(limits.file_size))
    if any(letter in str(file.path) for letter in "*?["):
        raise UnreadableFileError(f"{where} has *, ? or [ in its path. Rename it without them.")
    try:
        with open_file(file.path) as stream:
            _check_head(file, stream.read(4))
    except OSError as problem:
        raise NotNowError(f"{where} {unreadable(problem)}") from None


def _check_head(file: LandedFile, head: bytes) -> None:
    """Raise `UnreadableFileError` for a file whose first bytes are those of another format."""
    where = printable(file.path)
    if file.format in ("parquet", "xlsx") or file.path.name.lower().endswith(PACKED):
        return
    for start, what in FOREIGN.items():
        if head.startswith(start):
            raise UnreadableFileError(f"{where} is no table but {what}.")
    if head == b"PAR1":
        raise UnreadableFileError(f"{where} is a Parquet file. Give it the ending .parquet.")
    if b"\0" in head and head[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise UnreadableFileError(
            f"{where} begins with zero bytes: it is no text, or UTF-16 (line 1). {convert_hint('UTF-16LE')}"
        )


def over_limit(file: LandedFile, limit: str, found: str, allowed: object) -> NotNowError:
    """The refusal of a file that is larger than `sources.yaml` allows."""
    return NotNowError(
        f"{printable(file.path)} is over a limit: {found}, at most {allowed} are allowed. Split it, or raise"
        f" `limits: {limit}` in sources.yaml."
    )


def in_bytes(number: float) -> str:
    """A size as people read it: `3.2 GB`."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{number:,.3g} {unit}" if number < 1000 else f"{number:,.0f} {unit}"


def longest_line(file: LandedFile, path: Path) -> int:
    """
    Bytes of the longest line of a file, read from `path`, 0 if none is long (`LONG_LINE`).

    Raises `NotNowError` for one that is over the limit.

    Only the end of each stretch of that length is read: with a line end there, the stretch has no long line. A lone CR
    is a line end in a file that has no other.
    """
    line_end = b"\r" if has_old_line_ends(path) else b"\n"
    longest, start = 0, 0
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        while size - start > LONG_LINE:
            stream.seek(start + LONG_LINE - TAIL_BYTES)
            found = stream.read(TAIL_BYTES).rfind(line_end)
            if found >= 0:
                start += LONG_LINE - TAIL_BYTES + found + 1
                continue
            stream.seek(start)
            found = stream.read(LONG_LINE).rfind(line_end)
            if found >= 0:
                start += found + 1
                continue
            length = LONG_LINE
            while (chunk := stream.read(CHUNK_BYTES)) and line_end not in chunk and length <= file.limits.row_size:
                length += len(chunk)
            length += max(chunk.find(line_end), 0)
            if length > file.limits.row_size:
                allowed = in_bytes(file.limits.row_size)
                found = f"line {_lines_before(stream, start, line_end) + 1:,} has more than {allowed}"
                raise over_limit(file, "row_size", found, allowed)
            longest = max(longest, length)
            start += length + 1
    return longest


def _lines_before(stream: BinaryIO, end: int, line_end: bytes) -> int:
    """How many lines there are before a byte position."""
    stream.seek(0)
    lines = 0
    while end > 0 and (chunk := stream.read(min(CHUNK_BYTES, end))):
        lines, end = lines + chunk.count(line_end), end - len(chunk)
    return lines


def lines_of(path: Path) -> int:
    """How many lines a file has; an unfinished last line counts."""
    lines, last = 0, b""
    with open_file(path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            lines, last = lines + chunk.count(b"\n"), chunk[-1:]
    return lines + (last not in (b"", b"\n"))


def has_old_line_ends(path: Path) -> bool:
    """Whether lines end in a lone CR, as on old Macs and from some spreadsheets."""
    with open_file(path) as stream:
        head = stream.read(CHUNK_BYTES)
    return b"\n" not in head and b"\r" in head.rstrip(b"\r")


def with_new_line_ends(path: Path, copy: Path) -> int:
    """Copy a file with LF as the end of every line; returns how many lines it has."""
    lines, last = 0, ""
    with path.open(encoding="latin-1", newline=None) as old, copy.open("w", encoding="latin-1", newline="") as new:
        while text := old.read(CHUNK_BYTES):
            new.write(text)
            lines, last = lines + text.count("\n"), text[-1]
    return lines + (last not in ("", "\n"))


def convert_hint(encoding: str) -> str:
    """What to do about a file in another encoding."""
    return f"Export it as UTF-8, or convert it: iconv -f {encoding} -t UTF-8 OLD > NEW"


def csv_header(path: Path, known: Iterable[str]) -> tuple[str, list[str], int, int]:
    """
    A CSV file's delimiter, the names of its columns as written, the lines before its records, and those of them before
    its header: a spreadsheet's `sep=;`.

    The delimiter is the one of `, ; tab |` that finds most of the `known` columns. A column without a name is
    `column_<position>`. Raises `UnreadableFileError` when the first line cannot be a header.
    """
    where = f"{printable(path)}, line 1"
    known_names = set(map(plain, known))
    candidates = []
    with open_file(path) as stream:
        before = stream.readline(MAX_SEPARATOR_LINE)
        delimiters, start = DELIMITERS, 0
        if declared := SEPARATOR_LINE.fullmatch(before.removeprefix(codecs.BOM_UTF8)):
            delimiters, start = declared[1].decode() or DELIMITERS, len(before)
        for delimiter in delimiters:
            stream.seek(start)
            read: list[bytes] = []
            try:
                record = next(csv.reader(_header_lines(stream, read), delimiter=delimiter), [])
            except csv.Error:  # a lone CR outside of quotes, as this delimiter has it
                continue
            names = [name.strip() for name in record]
            candidates.append((sum(plain(name) in known_names for name in names), delimiter, names, read))
    if not candidates:
        raise UnreadableFileError(
            f"{where}: the header has a lone CR, but lines end in LF. Export it with one kind of line ends."
        )
    _, delimiter, names, read = max(candidates, key=lambda candidate: candidate[0])
    header = b"".join(read)
    if len(read) > 1 and header.count(b'"') % 2:
        raise UnreadableFileError(f"{where}: a quote is opened in the header and never closed. Correct it.")
    try:
        header.decode()
    except UnicodeDecodeError as problem:
        raise UnreadableFileError(
            f"{where}: the header is not UTF-8 (byte 0x{header[problem.start]:02x}). {convert_hint('LATIN1')}"
        ) from None
    names = [name or f"column_{position}" for position, name in enumerate(names, start=1)]
    return delimiter, names, max(len(read), 1) + (start > 0), int(start > 0)


def _header_lines(stream: BinaryIO, read: list[bytes]) -> Iterator[str]:
    """A file's first lines, as many as a header may have; adds those that were taken to `read`."""
    for line in stream:
        text = line.removeprefix(codecs.BOM_UTF8) if not read else line
        read.append(line)
        yield text.decode(errors="replace")
        if len(read) == MAX_HEADER_LINES or sum(map(len, read)) > MAX_RECORD_BYTES:
            return


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
    path: Path,
    delimiter: str,
    columns: int,
    clean: BinaryIO | None = None,
    also_broken: frozenset[int] = frozenset(),
    header_lines: int = 1,
) -> CsvScan:
    """
    Split a CSV file into records line by line: slow, and only for files in which the fast reader failed.

    Complete records are written to `clean` (with a header line). A line with too few or too many fields, with a quote
    that is never closed, that is not UTF-8, or whose number is in `also_broken` is broken alone: the lines after it
    are read independently. Empty lines are skipped.
    """
    scan = CsvScan()
    separator, separators = delimiter.encode(), columns - 1
    with path.open("rb") as stream:
        lines = enumerate(stream, start=1)
        for _ in range(header_lines):
            next(lines)
        if clean:
            clean.write(separator.join([b"x"] * columns) + b"\n")
        ahead: list[tuple[int, bytes]] = []
        while True:
            number, line = ahead.pop(0) if ahead else next(lines, (0, b""))
            if not number:
                return scan
            body = line.rstrip(b"\r\n")
            if not body:
                continue
            record = body
            ordinary = body.count(separator) == separators and b'"' not in body and b"\r" not in body and body.isascii()
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
        if b"\r" in body:
            return "a lone CR within the line: it is no line end in this file"
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
    parts, size, is_open = [line], len(line), True
    for used in range(1, MAX_RECORD_LINES):
        if len(ahead) < used:
            following = next(lines, None)
            if following is None:
                return line, 0
            ahead.append(following)
        part = ahead[used - 1][1]
        parts.append(part)
        size += len(part)
        is_open ^= part.count(b'"') % 2 == 1
        if not is_open or size > MAX_RECORD_BYTES:
            break
    if is_open:
        return line, 0
    record = b"".join(parts).rstrip(b"\r\n")
    try:
        text = io.StringIO(record.decode(), newline="")
        rows = list(csv.reader(text, delimiter=delimiter, strict=True))
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
    except (ValueError, RecursionError):  # thousands of digits or brackets: too many for Python, but JSON all the same
        return None
    return None if isinstance(value, dict) else "the line is not a JSON object"
