"""From landed files to one typed temporary table a shape, with DuckDB's own readers; what cannot be read is refused."""

import bisect
import codecs
import itertools
import os
import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import literal
from pipelines.extraction.checking import (
    StagedColumn,
    base_type,
    inference_query,
    inferred_type,
)
from pipelines.extraction.files import (
    LandedFile,
    NotNowError,
    UnreadableFileError,
    check_ordinary,
    csv_header,
    has_old_line_ends,
    in_bytes,
    is_about_one_file,
    lines_of,
    longest_line,
    over_limit,
    printable,
    scan_csv,
    text_lines,
    unreadable,
    why_not_json,
    with_new_line_ends,
)
from pipelines.extraction.loading.export_time import fill_export_time
from pipelines.extraction.loading.naming import listed, raw_names
from pipelines.extraction.loading.parquet import check_expansion, parquet_columns
from pipelines.extraction.loading.state import (
    CELL_BYTES,
    NEVER_SEEN,
    Fresh,
    Load,
    Rejected,
    Staged,
    first_line,
    new_name,
)
from pipelines.extraction.loading.written import find_meanings
from pipelines.extraction.plain_copies import plain_copy
from pipelines.spelling import closest, did_you_mean

if TYPE_CHECKING:
    import pyarrow


MAX_CLEANING_ROUNDS = 5

LINES_AT_ONCE = 100_000
"""Of an odd file, to bound the memory that it takes."""

COLUMNS_AT_ONCE = 50
"""The time that DuckDB takes for a query grows with the square of its columns."""

JSON_OBJECT_BYTES, CSV_LINE_BYTES, LINE_END_BYTES = 1 << 24, 2 * 10**6, 1 << 10
"""DuckDB's own limits, and what a line may have beside its text."""


def stage(load: Load, fresh: list[Fresh], scratch: Path) -> tuple[list[Staged], list[Rejected]]:
    """Read the files into temporary tables; what cannot be read moves out of `fresh`, with the reason."""
    rejected: list[Rejected] = []
    _check_readable(load, fresh, scratch, rejected)
    _look_into(load, fresh, scratch, rejected)
    staged: list[Staged] = []
    spellings = _spellings(fresh)

    def shape(item: Fresh) -> tuple:
        columns = item.columns if item.file.format != "jsonl" else spellings or item.columns
        return item.file.format, (item.delimiter, item.lines_before), columns, item.read_types

    # One after the other in the order of delivery: which row is the newer one depends on it.
    for (format_, _, columns, read_types), items in itertools.groupby(fresh, shape):
        staged += _read(load, format_, columns, read_types, list(items), scratch, rejected)
    # The user knows the file, not the copy of it that was read.
    copies = re.compile(rf"{re.escape(printable(scratch))}/[\w./]*\w")
    for refused in rejected:
        refused.message = copies.sub(lambda _, file=refused.fresh.file: printable(file.path), refused.message)
        if refused.fresh in fresh:
            fresh.remove(refused.fresh)
    _type_passed_through(load, staged)
    for part in staged:
        find_meanings(load, part)
        fill_export_time(load, part)
    return staged, rejected


def _check_readable(load: Load, fresh: list[Fresh], scratch: Path, rejected: list[Rejected]) -> None:
    """Leave out what no reader may open; what is no plain text with LF as line ends gets a copy that is."""
    folder = None
    for item in list(fresh):
        with _refusing(load, item, fresh, rejected):
            check_ordinary(item.file)
            if item.file.format == "parquet":
                continue
            if folder is None or os.listdir(folder):
                folder = scratch / f"{len(os.listdir(scratch))}_plain"
                folder.mkdir()
            _copy_plainly(load, item, folder)
            load.longest_line = max(load.longest_line, longest_line(item.file, item.path))
            if has_old_line_ends(item.path):
                plain = item.path
                item.same_lines = scratch / f"{len(os.listdir(scratch))}.{item.file.format}"
                item.lines = with_new_line_ends(plain, item.same_lines)


def _copy_plainly(load: Load, item: Fresh, folder: Path) -> None:
    """Give a file that is packed, in another encoding, a document or a workbook a copy in the folder."""
    copy = plain_copy(item.file, folder, load.source.encoding)
    if copy is None:
        return
    item.file = replace(item.file, format=copy.format)
    item.message = copy.note
    if copy.path == item.file.path:
        return
    if copy.parent_lines is None:
        item.same_lines = copy.path
    else:
        item.clean, item.record_lines = copy.path, copy.parent_lines
    item.lines = lines_of(copy.path)


@contextmanager
def _refusing(load: Load, item: Fresh, fresh: list[Fresh], rejected: list[Rejected]) -> Iterator[None]:
    """What is raised about one file refuses that file; what is about the machine is raised."""
    try:
        yield
    except Exception as problem:
        if not is_about_one_file(problem):
            raise
        fresh.remove(item)
        rejected.append(_refused(item, problem))


def _look_into(load: Load, fresh: list[Fresh], scratch: Path, rejected: list[Rejected]) -> None:
    """Find each file's columns."""
    json_keys, unread = _look_into_json(load, fresh, scratch)
    taken = {row[0].lower() for row in load.rows(f"describe {load.table}")}
    for item in list(fresh):
        file = item.file
        with _refusing(load, item, fresh, rejected):
            if file.name in unread:
                raise unread[file.name]
            if file.format == "csv":
                header = csv_header(item.path, load.entity.names())
                item.delimiter, names, item.header_lines, item.lines_before = header
                item.columns, item.read_types = tuple(names), ("varchar",) * len(names)
            elif file.format == "jsonl":
                item.columns = load.with_nested(json_keys.get(file.name, ()))
                item.read_types = ()
            else:
                names, types = parquet_columns(load.connection, file)
                check_expansion(load.connection, file, types)
                item.columns, item.read_types = tuple(names), tuple(types)
            _check_columns(load, item, taken)
            taken |= {name.lower() for name in item.names}


def _look_into_json(
    load: Load, fresh: list[Fresh], scratch: Path
) -> tuple[dict[str, tuple[str, ...]], dict[str, Exception]]:
    """
    The keys of each JSON lines file, or why it has none; a file with a line that is no object gets a clean copy.

    DuckDB's `read_json` reads past the end of a line that is cut off and takes the valid line after it for a part
    of it: it may only see whole lines.
    """
    items = {str(item.clean or item.path): item for item in fresh if item.file.format == "jsonl"}
    keys, odd, unread = _json_keys(load, list(items))
    copies = {str(scratch / f"clean_{number}.jsonl"): path for number, path in enumerate(sorted(odd))}
    for copy, path in copies.items():
        _clean_json(load, items[path], Path(copy))
    found, _, unread_copies = _json_keys(load, list(copies))
    keys |= {copies[copy]: names for copy, names in found.items()}
    unread |= {copies[copy]: problem for copy, problem in unread_copies.items()}
    names = {path: item.file.name for path, item in items.items()}
    return {names[path]: each for path, each in keys.items()}, {names[path]: each for path, each in unread.items()}


def _json_keys(load: Load, paths: list[str]) -> tuple[dict[str, tuple[str, ...]], set[str], dict[str, Exception]]:
    """
    The keys of the objects in each file, the files with lines that are no objects or have no key, and why a file
    cannot be read.
    """
    import duckdb

    if not paths:
        return {}, set(), {}
    keys: dict[str, set[str]] = defaultdict(set)
    odd = set()
    try:
        found = load.rows(
            f"select distinct filename, json_keys(json) from read_ndjson_objects({literal(paths)},"
            f" {_json_options(load)}, filename = true)"
        )
    except duckdb.Error as problem:
        if len(paths) == 1 and not is_about_one_file(problem):
            raise
        if len(paths) == 1:
            return {}, set(), {paths[0]: problem}
        alone = [_json_keys(load, [path]) for path in paths]
        return (
            {path: names for keys, _, _ in alone for path, names in keys.items()},
            {path for _, odd, _ in alone for path in odd},
            {path: problem for _, _, unread in alone for path, problem in unread.items()},
        )
    for path, names in found:
        keys[path].update(names or ())
        if not names:
            odd.add(path)
    return {path: tuple(sorted(names)) for path, names in keys.items()}, odd, {}


def _json_options(load: Load) -> str:
    longest = max(JSON_OBJECT_BYTES, load.longest_line + LINE_END_BYTES)
    return f"ignore_errors = true, hive_partitioning = false, maximum_object_size = {longest}"


def _clean_json(load: Load, item: Fresh, clean: Path) -> None:
    """Copy the lines that are JSON objects; the others are broken, each alone."""
    import pyarrow

    path, parents = item.clean or item.path, item.record_lines
    item.clean, item.record_lines = clean, array("q")
    first = 1
    with path.open("rb") as stream, clean.open("wb") as copy:
        while lines := list(itertools.islice(stream, LINES_AT_ONCE)):
            if first == 1:
                lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
            if not lines[-1].endswith(b"\n"):
                lines[-1] += b"\n"
            table = pyarrow.table({"number": pyarrow.array(range(len(lines))), "text": _texts(lines)})
            name = new_name()
            load.connection.register(name, table)
            others = load.rows(
                f"select number from {name}"
                " where not coalesce(text[1] = '{' or ltrim(text, ' \t')[1] = '{', false) or not json_valid(text)"
                " order by number"
            )
            load.connection.unregister(name)
            start = 0
            for number, *_ in [*others, (len(lines),)]:
                copy.writelines(lines[start:number])
                item.record_lines.extend(range(first + start, first + number))
                start = number + 1
                text = lines[number].decode(errors="replace").strip() if number < len(lines) else ""
                if not text:
                    continue
                reason = why_not_json(text) or "the line is not valid JSON"
                item.broken.append((first + number, reason, text))
                if "UTF-8" in reason and not item.message:
                    item.message = f"line {first + number}: {reason}"
            first += len(lines)
    if parents is not None:
        item.record_lines = array("q", (parents[line - 1] for line in item.record_lines))
        item.broken = [(parents[line - 1], reason, text) for line, reason, text in item.broken]


def _check_columns(load: Load, item: Fresh, taken: set[str]) -> None:
    """
    Name the file's columns. Raises `UnreadableFileError` when no row of it could be loaded, or it has too many.

    `taken`: the columns of the raw table and of the files before it, in lower case.
    """
    file = item.file
    if file.format == "jsonl" and not item.columns:
        return
    where = f"{file.path}, line 1" if file.format == "csv" else str(file.path)
    most, table = file.limits.columns, f"{load.source.name}.{load.entity.name}"
    if len(item.columns) > most:
        raise over_limit(file, "columns", f"it has {len(item.columns):,} columns", f"{most:,}")
    try:
        item.names = raw_names(item.columns, load.entity)
    except UnreadableFileError as problem:
        raise UnreadableFileError(f"{where}: {problem}") from None
    for name in dict.fromkeys((*load.entity.key, *load.entity.required)):
        is_filled = name in load.entity.filled and not closest(name, item.columns, likeness=0.75)
        if name not in item.names and not is_filled:
            role = "part of the key" if name in load.entity.key else "required"
            labels = load.entity.labels.get(name, ())
            other = f" (or {', '.join(repr(label) for label in labels)})" if labels else ""
            raise UnreadableFileError(
                f"{where}: there is no column '{name}'{other}, which is {role} of {table}."
                f"{did_you_mean(name, item.columns)} Found: {listed(item.columns)}. Nothing of it is loaded."
                f" Export it with that column, or say in sources.yaml how it is called:"
                f" `{load.source.name}: {{folder: ..., columns: {{{load.entity.name}: {{{name}: ...}}}}}}`."
            )
    for name, labels in load.entity.given.items():
        if name not in item.names:
            what = " or ".join(repr(label) for label in labels)
            item.readings.append(
                f"{name} is missing: sources.yaml calls it {what}, and no column is called so."
                f"{did_you_mean(labels[0], item.columns)}"
            )
    if (width := len(taken | {name.lower() for name in item.names})) > most:
        raise over_limit(file, "columns", f"with it {table} would have {width:,} columns", f"{most:,}")
    cells = item.lines * len(item.columns) * CELL_BYTES if file.format == "jsonl" else 0
    if cells > file.limits.expanded(file.size):
        sparse = f"its {item.lines:,} lines of {len(item.columns):,} keys in all become {in_bytes(cells)}"
        raise over_limit(file, "expansion", sparse, in_bytes(file.limits.expanded(file.size)))


def _read(
    load: Load,
    format_: str,
    columns: tuple[str, ...],
    read_types: tuple[str, ...],
    items: list[Fresh],
    scratch: Path,
    rejected: list[Rejected],
) -> list[Staged]:
    """Read files of one shape in one query; a file that stops the reader is rejected and the others are read."""
    staged_columns = [
        StagedColumn(
            source=source,
            staged=f"c{position}",
            name=name,
            read_type=read_type,
            type=load.entity.columns.get(name, "varchar"),
            in_contract=name in load.entity.columns,
            date_format=load.entity.strptime,
            time_zone=load.time_zone,
        )
        for position, (source, name, read_type) in enumerate(
            zip(columns, raw_names(columns, load.entity), read_types or ("varchar",) * len(columns), strict=True)
        )
    ]
    staged = Staged(new_name(), staged_columns, {str(item.clean or item.path): item for item in items})
    try:
        if format_ == "csv":
            _read_csv(load, staged, scratch)
        else:
            _read_other(load, staged, format_)
        _check_counts(load, staged)
    except Exception as problem:
        load.connection.execute(f"drop table if exists {staged.table}")
        if len(items) > 1 or columns != items[0].columns:
            # Each by itself and with its own columns: what one file has must not stand in another's way.
            return [
                part
                for item in items
                for part in _read(load, format_, item.columns, item.read_types, [item], scratch, rejected)
            ]
        if not is_about_one_file(problem):
            raise
        rejected.append(_refused(items[0], problem))
        return []
    return [staged]


def _check_counts(load: Load, staged: Staged) -> None:
    """Raise `UnreadableFileError` where the reader found other rows than those that the file has."""
    for item in staged.files.values():
        if item.rows != item.records:
            found = ValueError(f"it has {item.records} rows, but {item.rows} of them could be read")
            raise UnreadableFileError(_unreadable(item.file, found))


def _read_other(load: Load, staged: Staged, format_: str) -> None:
    paths, names = literal(list(staged.files)), [column.staged for column in staged.columns]
    sources = [column.source for column in staged.columns]
    if format_ == "parquet":
        reader = f"read_parquet({paths}, filename = '{new_name()}', hive_partitioning = false)"
    elif (
        not names
        or not all(sources)
        or "\0" in "".join(sources)
        or len({s.lower() for s in sources}) < len(names)
        or load.nested.keys() & set(sources)
    ):
        # Keys that `read_json` cannot name, tell apart or reach.
        texts = "".join(f"json ->> {literal(load.nested.get(source) or _pointer(source))}, " for source in sources)
        objects = f"read_ndjson_objects({paths}, {_json_options(load)}, filename = true)"
        reader = f"(select {texts}filename from {objects})"
    else:
        types = literal(dict.fromkeys(sources, "varchar"))
        reader = (
            f"read_json({paths}, format = 'newline_delimited', columns = {types}, records = true,"
            f" {_json_options(load)}, filename = '{new_name()}')"
        )
    load.connection.execute(
        f"create temp table {staged.table} as select * from {reader} as read({', '.join([*names, '_path'])})"
    )
    counts = dict(load.rows(f"select _path, count(*) from {staged.table} group by all"))
    whole = {}
    if format_ == "parquet":
        whole = dict(load.rows(f"select file_name, num_rows from parquet_file_metadata({paths})"))
    for path, item in staged.files.items():
        rows = counts.get(path, 0)
        if item.record_lines is not None:
            staged.record_lines[path] = item.record_lines
        elif format_ == "jsonl" and rows != item.lines:
            staged.record_lines[path] = text_lines(Path(path))
        records = whole[path] if format_ == "parquet" else len(staged.record_lines.get(path, range(item.lines)))
        item.rows, item.records = rows + len(item.broken), records + len(item.broken)


def _read_csv(load: Load, staged: Staged, scratch: Path) -> None:
    """Read CSV files; those with lines that are no records are taken apart and read again from clean copies."""
    broken = _csv_try(load, staged)
    counts = dict(load.rows(f"select _path, count(*) from {staged.table} group by all"))
    for path, item in staged.files.items():
        item.rows = counts.get(path, 0)
        item.records = item.lines - item.header_lines
        if path not in broken and item.records != item.rows:
            scan = scan_csv(Path(path), item.delimiter, len(staged.columns), header_lines=item.header_lines)
            staged.record_lines[path] = scan.record_lines
            item.records = len(scan.record_lines)
            if item.records != item.rows:
                broken[path] = []
    if not broken:
        return
    load.connection.execute(f"delete from {staged.table} where _path in (select unnest({literal(list(broken))}))")
    again = Staged(new_name(), staged.columns, {})
    for path in broken:
        clean = str(scratch / f"{len(os.listdir(scratch))}.csv")
        item = staged.files.pop(path)
        again.files[clean] = item
        _clean(load, item, again, clean, frozenset())
    for _ in range(MAX_CLEANING_ROUNDS):
        left = _csv_query(load, again, list(again.files))
        if not left:
            break
        for clean, positions in left.items():
            item = again.files[clean]
            records = again.record_lines[clean]
            odd = {records[record] for record in _records_at(Path(clean), positions)}
            already = {line for line, _, _ in item.broken}
            _clean(load, item, again, clean, frozenset(odd | already))
        load.connection.execute(f"drop table {again.table}")
    else:
        raise ValueError("two readers find other records in it")
    counts = dict(load.rows(f"select _path, count(*) from {again.table} group by all"))
    for clean, item in again.files.items():
        item.rows = counts.get(clean, 0) + len(item.broken)
        item.records = len(again.record_lines[clean]) + len(item.broken)
    load.connection.execute(f"insert into {staged.table} from {again.table}; drop table {again.table}")
    staged.files |= again.files
    staged.record_lines |= again.record_lines


def _csv_try(load: Load, staged: Staged) -> dict[str, list[int]]:
    """As `_csv_query`; one file alone that stops the reader altogether is one to take apart."""
    import duckdb

    try:
        return _csv_query(load, staged, list(staged.files))
    except duckdb.InvalidInputException:
        if len(staged.files) > 1:
            raise
    columns = "".join(f"{column.staged} varchar, " for column in staged.columns)
    load.connection.execute(f"create temp table {staged.table} ({columns}_path varchar)")
    return {path: [] for path in staged.files}


def _clean(load: Load, item: Fresh, staged: Staged, clean: str, also_broken: frozenset[int]) -> None:
    with open(clean, "wb") as stream:
        scan = scan_csv(
            item.path, item.delimiter, len(staged.columns), stream, also_broken, header_lines=item.header_lines
        )
    item.broken = scan.broken
    staged.record_lines[clean] = scan.record_lines
    if scan.first_bad_encoding:
        line, reason, _ = next(entry for entry in scan.broken if entry[0] == scan.first_bad_encoding)
        item.message = f"line {line} is {reason}"


def _csv_query(load: Load, staged: Staged, paths: list[str]) -> dict[str, list[int]]:
    """Read CSV files as text; returns the paths with unreadable records and their byte positions."""
    first = next(iter(staged.files.values()))
    delimiter = first.delimiter
    skipped = first.lines_before if str(first.path) in staged.files else 0  # a clean copy has one line of header
    names = literal({column.staged: "varchar" for column in staged.columns})
    longest = max(CSV_LINE_BYTES, load.longest_line + LINE_END_BYTES)
    sizes = f"max_line_size = {longest}, buffer_size = {2 * longest}, " if load.longest_line else ""
    errors, scans = new_name(), new_name()
    load.connection.execute(
        f"create temp table {staged.table} as select * from read_csv({literal(paths)}, columns = {names},"
        f" auto_detect = false, header = true, delim = {literal(delimiter)}, quote = '\"', escape = '\"',"
        f" {sizes}skip = {skipped}, hive_partitioning = false, store_rejects = true, rejects_table = '{errors}',"
        f" rejects_scan = '{scans}', filename = '_path')"
    )
    found: dict[str, list[int]] = defaultdict(list)
    for path, position in load.rows(
        f"select distinct s.file_path, e.line_byte_position from {errors} e join {scans} s using (scan_id, file_id)"
    ):
        found[path].append(position)
    load.connection.execute(f"drop table {errors}; drop table {scans}")
    return dict(found)


def _type_passed_through(load: Load, staged: list[Staged]) -> None:
    """Give columns that the contract does not name the type that their values have."""
    for part in staged:
        free = [column for column in part.columns if not column.in_contract]
        texts = [column.staged for column in free if column.read_type == "varchar"]
        known: dict[str, str | None] = {}
        for first in range(0, len(texts), COLUMNS_AT_ONCE):
            some = texts[first : first + COLUMNS_AT_ONCE]
            answer = load.rows(inference_query(part.table, some))[0]
            known |= {name: inferred_type(possible) for name, possible in zip(some, answer, strict=True)}
        for position, column in enumerate(part.columns):
            if column.in_contract:
                continue
            nested = base_type(column.read_type) in ("struct", "list", "map", "union")
            type_ = known.get(column.staged, "varchar" if nested else column.read_type)
            part.columns[position] = replace(column, type=type_ or "")


def _pointer(key: str) -> str:
    """A key as a JSON pointer."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _texts(lines: list[bytes]) -> "pyarrow.Array":
    """Lines as texts; null where one is not UTF-8."""
    import pyarrow

    try:
        return pyarrow.array(lines, pyarrow.binary()).cast(pyarrow.string())
    except pyarrow.ArrowInvalid:
        return pyarrow.array([_decoded(line) for line in lines], pyarrow.string())


def _decoded(line: bytes) -> str | None:
    """A line as text; None when it is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _refused(item: Fresh, problem: Exception) -> Rejected:
    """A file that cannot be loaded, and why, in one line."""
    if isinstance(problem, (NotNowError, OSError)):
        item.file, item.checksum = replace(item.file, modified_ns=NEVER_SEEN), ""
    if isinstance(problem, OSError):
        return Rejected(item, printable(f"{item.file.path} {unreadable(problem)}"))
    is_told = isinstance(problem, UnreadableFileError)
    return Rejected(item, printable(problem if is_told else _unreadable(item.file, problem)))


def _unreadable(file: LandedFile, problem: Exception) -> str:
    kind = {"parquet": "a whole Parquet file", "jsonl": "JSON lines", "csv": "CSV"}.get(file.format, file.format)
    return (
        f"{file.path} cannot be read as {kind} ({first_line(problem)}). It may be cut off or still be written:"
        " export or copy it again."
    )


def _spellings(fresh: list[Fresh]) -> tuple[str, ...]:
    """
    The columns of all JSON lines files together; none when two of them spell one name differently, or when some have
    so many that all others would become too large.
    """
    items = [item for item in fresh if item.file.format == "jsonl"]
    everything = sorted({name for item in items for name in item.columns})
    if len({name.lower() for name in everything}) < len(everything) or not items:
        return ()
    cells = sum(item.lines for item in items) * len(everything) * CELL_BYTES
    allowed = items[0].file.limits.expanded(sum(item.file.size for item in items))
    return tuple(everything) if cells <= allowed else ()


def _records_at(clean: Path, positions: Iterable[int]) -> set[int]:
    """Which records of a clean copy start at the byte positions, counted from 0 after the header."""
    starts, position, open_quote = [], 0, False
    with clean.open("rb") as stream:
        for number, line in enumerate(stream):
            if number and not open_quote:
                starts.append(position)
            position += len(line)
            if number and line.count(b'"') % 2:
                open_quote = not open_quote
    return {max(bisect.bisect_right(starts, position + 1) - 1, 0) for position in positions}
