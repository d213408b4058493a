"""Landing files into raw tables with DuckDB's own readers: incremental, checked against the contract, nothing lost."""

import bisect
import codecs
import hashlib
import itertools
import os
import time
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import columns_of, literal, quoted
from pipelines.extraction.as_of import write_as_of
from pipelines.extraction.checking import (
    IN_FUTURE,
    TOLERANCE,
    StagedColumn,
    base_type,
    breach_query,
    cast_expression,
    common_type,
    inference_query,
    inferred_type,
    moment,
    typed_name,
    typed_select,
)
from pipelines.extraction.configuration import DEFAULT_QUARANTINE_LIMIT, Configuration, Limits
from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.files import (
    LandedFile,
    NotNowError,
    UnreadableFileError,
    check_readable,
    checksum_and_lines,
    csv_header,
    did_you_mean,
    find_files,
    folder_problem,
    has_old_line_ends,
    in_bytes,
    is_about_one_file,
    over_limit,
    printable,
    raw_records,
    scan_csv,
    text_lines,
    unreadable,
    why_not_json,
    with_new_line_ends,
)
from pipelines.extraction.loading.manifest import (
    ACCOUNTED,
    DUPLICATE_OF,
    OWN_COLUMNS,
    delete_entries,
    files_waiting_for,
    refused_files,
    require_clock,
    take_back_columns,
    take_out_rows,
    transaction,
)
from pipelines.extraction.loading.naming import is_harmless, listed, raw_name, raw_names
from pipelines.extraction.loading.parquet import check_expansion, parquet_columns
from pipelines.extraction.scratch import scratch_folder

if TYPE_CHECKING:
    import duckdb
    import pyarrow

BOOKKEEPING = {
    "_manifest": "entity varchar, file varchar, size bigint, modified_ns bigint, checksum varchar, contract varchar,"
    " rows bigint, quarantined bigint, status varchar, message varchar, loaded_at timestamp,"
    " repeated bigint, changed bigint, first_loaded_at timestamp, judge_again_at timestamp",
    "_quarantine": "entity varchar, file varchar, line bigint, reason varchar, raw_text varchar, loaded_at timestamp",
    "_repeats": "entity varchar, file varchar, of_file varchar, kind varchar, rows bigint",
    "_schema_changes": "entity varchar, file varchar, column_name varchar, change varchar, noticed_at timestamp",
    "_columns": "entity varchar, column_name varchar, original_name varchar, first_file varchar",
}


class CannotLoad(RuntimeError):
    """A load that stopped and left everything as it was; the message says why and what to do."""


@dataclass(frozen=True)
class LoadReport:
    """What one call did for one entity."""

    source: str
    entity: str
    status: str
    """`loaded`, `unchanged` (no new file), `empty` (no file at all), `rejected` (a file could not be read), `missing`
    (the source's folder is not there)."""
    message: str
    new_files: int = 0
    unchanged_files: int = 0
    new_rows: int = 0
    total_rows: int = 0
    quarantined: int = 0
    """Rows and files put aside by this call."""
    repeated: int = 0
    """Rows that were delivered again with nothing new in them: neither loaded nor put aside."""
    changed: int = 0
    """New rows that took the place of a row of the same key, in tables without versions."""
    rejected: tuple[str, ...] = ()
    """Why a file could not be read, one message a file."""
    schema_changes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass
class _Fresh:
    """A file that is to be loaded."""

    file: LandedFile
    checksum: str
    lines: int
    known: bool
    """An earlier version of it is loaded."""
    columns: tuple[str, ...] = ()
    """As they are called in the file."""
    names: tuple[str, ...] = ()
    """As they are called in the raw table."""
    header_lines: int = 1
    read_types: tuple[str, ...] = ()
    delimiter: str = ""
    same_lines: Path | None = None
    """A copy with the same lines, where the file's own end in CR."""
    clean: Path | None = None
    """A copy with nothing but its whole records, which is read in its place."""
    record_lines: array | None = None
    """The line of each record of the clean copy."""
    rows: int = 0
    records: int = 0
    """How many rows the file has, counted by another way than `rows`."""
    broken: list[tuple[int, str, str]] = field(default_factory=list)
    """(line, reason, raw text) of lines that are no records."""
    quarantined: int = 0
    repeated: int = 0
    changed: int = 0
    loaded_at: datetime | None = None
    """When the rows that are loaded of it were loaded, where this is not now."""
    judge_again_at: datetime | None = None
    """When the first of its rows that are put aside as from the future no longer is."""
    message: str = ""

    @property
    def path(self) -> Path:
        """What is read."""
        return self.same_lines or self.file.path


@dataclass
class _Staged:
    """Files of the same shape, read into one temporary table."""

    table: str
    columns: list[StagedColumn]
    files: dict[str, _Fresh]
    """Path as in `_path` to the file."""
    record_lines: dict[str, array] = field(default_factory=dict)
    """Path to the line of each record, where it is not one record a line from the start."""


@dataclass
class _Rejected:
    fresh: _Fresh
    message: str


def load_source(
    connection: "duckdb.DuckDBPyConnection",
    source: Source,
    folder: Path,
    now: datetime,
    entities: Iterable[str] | None = None,
    quarantine_limit: float = DEFAULT_QUARANTINE_LIMIT,
    limits: Limits | None = None,
) -> list[LoadReport]:
    """
    Load what is new in a source's folder into `raw_<source>`; one transaction an entity, one report an entity.

    Only new or changed files are read; a changed file replaces its former rows. Rows that break the contract, and files
    that cannot be read, go to `raw_<source>._quarantine`. A missing folder is reported and raises nothing. A file that
    is no longer there keeps its rows, unless it could not be read or had more than `quarantine_limit` of its rows in
    quarantine, so that the gate stopped the run: then it is as if it had never been there.

    Raises `ClockSetBack` before anything is touched when something was loaded after `now`, and `CannotLoad` when
    memory, disk or the count of the rows stop a load; what was loaded before stays.
    """
    require_clock(connection, _naive(now))
    wanted = set(entities) if entities is not None else {entity.name for entity in source.entities}
    chosen = [entity for entity in source.entities if entity.name in wanted]
    prepare_schema(connection, source)
    if problem := folder_problem(folder):
        message = (
            f"{source.name}: the folder {folder} {problem}. What was loaded before stays. Put the exports there, "
            f"correct `sources: {source.name}:` in sources.yaml, or remove the line if there is no such system."
        )
        return [_report(connection, source, entity, "missing", message) for entity in chosen]
    files, strays = find_files(folder, [entity.name for entity in source.entities], limits)
    reports = _load_side_by_side(connection, source, chosen, files, now, quarantine_limit)
    if strays and reports:
        reports[0] = replace(reports[0], message=" ".join([reports[0].message, *strays]))
    return reports


def _load_side_by_side(
    connection: "duckdb.DuckDBPyConnection",
    source: Source,
    entities: Sequence[Entity],
    files: Mapping[str, Sequence[LandedFile]],
    now: datetime,
    quarantine_limit: float,
) -> list[LoadReport]:
    """Load entities in a few threads, largest first: small files keep one core busy at most."""

    def load(entity: Entity) -> LoadReport:
        with connection.cursor() as cursor:
            return load_entity(cursor, source, entity, files[entity.name], now, quarantine_limit)

    largest_first = sorted(entities, key=lambda entity: -sum(file.size for file in files[entity.name]))
    with ThreadPoolExecutor(max_workers=ENTITIES_AT_ONCE) as pool:
        pending = {entity.name: pool.submit(load, entity) for entity in largest_first}
        return [pending[entity.name].result() for entity in entities]


def rejected_files(connection: "duckdb.DuckDBPyConnection", source: str, entity: str) -> list[str]:
    """Why files of an entity could not be read, one message a file, as long as they have not changed."""
    return [
        message
        for (message,) in connection.execute(
            f"select message from {quoted(f'raw_{source}')}._manifest"
            " where entity = ? and status = 'rejected' order by file",
            [entity],
        ).fetchall()
    ]


def prepare_schema(connection: "duckdb.DuckDBPyConnection", source: Source) -> None:
    """Create `raw_<source>`, its bookkeeping tables and an empty typed table for every entity that has none."""
    schema = quoted(f"raw_{source.name}")
    connection.execute(f"create schema if not exists {schema}")
    for name, columns in BOOKKEEPING.items():
        connection.execute(f"create table if not exists {schema}.{name} ({columns})")
    before = {row[0] for row in connection.execute(f"describe {schema}._manifest").fetchall()}
    for column in BOOKKEEPING["_manifest"].split(", "):
        if column.split()[0] not in before:
            connection.execute(f"alter table {schema}._manifest add column {column}")
    for entity in source.entities:
        columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in {**entity.columns, **OWN_COLUMNS}.items())
        connection.execute(f"create table if not exists {schema}.{quoted(entity.name)} ({columns})")
    _rename_harmful(connection, source)


def _rename_harmful(connection: "duckdb.DuckDBPyConnection", source: Source) -> None:
    """Give columns that were loaded under whatever name the export had a harmless one."""
    contracts = {entity.name: entity.columns for entity in source.entities}
    tables = connection.execute(
        "select table_name from information_schema.tables where table_catalog = current_database()"
        " and table_schema = ? and not starts_with(table_name, '_')",
        [f"raw_{source.name}"],
    ).fetchall()
    named = [(table, name) for (table,) in tables for name in columns_of(connection, f"raw_{source.name}", table)]
    for table, name in named:
        if name in OWN_COLUMNS or name in contracts.get(table, ()) or is_harmless(name):
            continue
        schema, made = quoted(f"raw_{source.name}"), raw_name(name, {})
        connection.execute(f"alter table {schema}.{quoted(table)} rename column {quoted(name)} to {quoted(made)}")
        connection.execute(f"insert into {schema}._columns values (?, ?, ?, null)", [table, made, name])


def contract_fingerprint(entity: Entity) -> str:
    """A hash of what the loader holds rows against: when it changes, the files are read again."""
    parts = (
        dict(entity.columns),
        entity.key,
        entity.version,
        entity.time,
        entity.time_unit,
        entity.date_format,
        entity.required,
        dict(entity.rules),
        *((entity.epochs,) if entity.epochs else ()),
    )
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


@cache
def program_fingerprint() -> str:
    """A hash of what reads the files: a file that could not be read is tried again when it changes."""
    import duckdb

    digest = hashlib.blake2b(duckdb.__version__.encode(), digest_size=8)
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def load_entity(
    connection: "duckdb.DuckDBPyConnection",
    source: Source,
    entity: Entity,
    files: Sequence[LandedFile],
    now: datetime,
    quarantine_limit: float = DEFAULT_QUARANTINE_LIMIT,
) -> LoadReport:
    """Load the new and changed ones of an entity's files, all or nothing; the schema must be prepared."""
    started = time.monotonic()
    connection.execute("set python_enable_replacements = false")
    connection.execute("set TimeZone = 'UTC'")
    now = _naive(now)
    table = f"{quoted(f'raw_{source.name}')}.{quoted(entity.name)}"
    loader = _Loader(connection, source, entity, table, now)
    gone, former = loader.gone_files(files, quarantine_limit)
    with (
        _shortage_told(f"{source.name}.{entity.name}"),
        scratch_folder(_folder_of(connection)) as scratch,
    ):
        fresh, touched = loader.fresh_files(files, gone)
        staged, rejected = loader.stage(fresh, scratch)
        try:
            with transaction(connection):
                changes, quarantined = loader.apply(staged, rejected, touched, gone, former)
        finally:
            for part in staged:
                connection.execute(f"drop table if exists {part.table}")
    new_rows = sum(_loaded(item) for item in fresh)
    repeated, changed = sum(item.repeated for item in fresh), sum(item.changed for item in fresh)
    told = [f"{repeated} rows repeated"] if repeated else []
    told += [f"{changed} of the new rows replaced others"] if changed else []
    messages = told + [f"{item.file.name}: {item.message}" for item in fresh if item.message]
    messages += [f"{name} is gone: it is as if it had never been there" for name in sorted(gone)]
    messages += [f"what stood back in {name} does not come back: it is gone, too" for name in sorted(loader.behind)]
    status = "rejected" if rejected else "loaded" if fresh else "unchanged" if files else "empty"
    said = {
        "loaded": f"{new_rows} new rows from {len(fresh)} files",
        "unchanged": "no new files",
        "empty": f"no files: {source.name}/{entity.name} has no export yet",
        "rejected": f"{new_rows} new rows from {len(fresh)} files; {len(rejected)} files could not be read",
    }[status]
    return _report(
        connection,
        source,
        entity,
        status,
        "; ".join([said, *messages]),
        new_files=len(fresh) + len(rejected),
        unchanged_files=len(files) - len(fresh) - len(rejected),
        new_rows=new_rows,
        quarantined=quarantined,
        repeated=repeated,
        changed=changed,
        rejected=tuple(item.message for item in rejected),
        schema_changes=tuple(changes),
        seconds=time.monotonic() - started,
    )


@contextmanager
def _shortage_told(what: str) -> Iterator[None]:
    """Memory or a disk that fails stops the load in one line; nothing is recorded, so that the next run tries again."""
    import duckdb

    try:
        yield
    except (OSError, MemoryError, duckdb.OutOfMemoryException, duckdb.IOException) as problem:
        raise CannotLoad(
            f"{what}: {_first_line(problem)}. Nothing of it was loaded or recorded: make room, and run again."
        ) from None


def _folder_of(connection: "duckdb.DuckDBPyConnection") -> Path | None:
    """The folder that the database's file is in; None for one in memory."""
    (path,) = connection.execute(
        "select path from duckdb_databases() where database_name = current_database()"
    ).fetchone()
    return Path(path).parent if path else None


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _report(
    connection: "duckdb.DuckDBPyConnection",
    source: Source,
    entity: Entity,
    status: str,
    message: str,
    **figures: object,
) -> LoadReport:
    table = f"{quoted(f'raw_{source.name}')}.{quoted(entity.name)}"
    total = connection.execute(f"select count(*) from {table}").fetchone()[0]
    return LoadReport(source.name, entity.name, status, message, total_rows=total, **figures)


class _Loader:
    """One entity's load; a class because its steps share what is known of the files and the table."""

    def __init__(
        self, connection: "duckdb.DuckDBPyConnection", source: Source, entity: Entity, table: str, now: datetime
    ):
        self.connection, self.source, self.entity, self.table, self.now = connection, source, entity, table, now
        self.schema_name = f"raw_{source.name}"
        self.schema = quoted(self.schema_name)
        self.contract = contract_fingerprint(entity)
        self.spelling = {name.lower(): name for name in entity.columns}
        self.first_loaded: dict[str, datetime] = {}
        self.behind: set[str] = set()
        """Files that cannot be read again though their turn has come: they are gone."""
        self.positions: dict[str, int] = {}
        """Every file's place in the order of delivery: by the load that first saw it, then by name."""
        self.longest_line = 0
        """Bytes, of all files that are read."""

    def rows(self, query: str) -> list[tuple]:
        """The rows of a query."""
        return self.connection.execute(query).fetchall()

    # --- which files ---

    def gone_files(self, files: Sequence[LandedFile], quarantine_limit: float) -> tuple[set[str], set[str]]:
        """
        Files that are no longer there and did not go well: those of which nothing is to stay, because they could not be
        read or the gate stopped their load, and those of which the rows of a former version stay.
        """
        there = {file.name for file in files}
        rows_of_unread = dict(
            self.rows(
                f"select file, rows from {self.schema}._manifest where entity = {literal(self.entity.name)}"
                " and status = 'rejected'"
            )
        )
        gone = refused_files(self.connection, self.schema_name, self.entity.name, quarantine_limit) - there
        gone |= {name for name, rows in rows_of_unread.items() if not rows} - there
        return gone, set(rows_of_unread) - there - gone

    def fresh_files(self, files: Sequence[LandedFile], gone: Collection[str]) -> tuple[list[_Fresh], list[LandedFile]]:
        """
        New and changed files, and those that only have another time stamp.

        What could not be read is tried again when it or the program has changed; a file with rows from the future is
        judged again when the clock has passed the first of them; and files whose rows stood back for others when these
        others change or go.
        """
        known = {}
        for name, *before, first_loaded in self.rows(
            "select file, size, modified_ns, checksum, contract, judge_again_at, status,"
            " coalesce(first_loaded_at, loaded_at)"
            f" from {self.schema}._manifest where entity = {literal(self.entity.name)}"
        ):
            if name not in gone:
                known[name], self.first_loaded[name] = tuple(before), first_loaded
        for file in files:
            self.first_loaded.setdefault(file.name, self.now)
        order = sorted(self.first_loaded, key=lambda name: (self.first_loaded[name], name))
        self.positions = {name: position for position, name in enumerate(order)}
        fresh, touched = [], []
        for file in files:
            size, modified_ns, known_checksum, contract, again_at, status = known.get(file.name, (None,) * 6)
            is_current = contract == self.held_against(status) and not (again_at and again_at <= self.now)
            if is_current and (size, modified_ns) == (file.size, file.modified_ns):
                continue
            checksum, lines = checksum_and_lines(file)
            if is_current and known_checksum == checksum:
                touched.append(file)
                continue
            fresh.append(_Fresh(file, checksum, lines, known=file.name in known))
        changed = {item.file.name for item in fresh if item.known}
        again = files_waiting_for(self.connection, self.schema_name, self.entity.name, changed | set(gone))
        if gone:
            self.behind = again - {file.name for file in files} - set(gone)
        for file in files:
            if file.name in again and not any(item.file is file for item in fresh):
                fresh.append(_Fresh(file, *checksum_and_lines(file), known=True))
        return sorted(fresh, key=lambda item: self.positions[item.file.name]), touched

    def held_against(self, status: str | None) -> str:
        """What a file of this status was held against: its contract and, where it could not be read, the program."""
        return f"{self.contract} {program_fingerprint()}" if status == "rejected" else self.contract

    # --- reading ---

    def stage(self, fresh: list[_Fresh], scratch: Path) -> tuple[list[_Staged], list[_Rejected]]:
        """Read the files into temporary tables; what cannot be read moves out of `fresh`, with the reason."""
        rejected: list[_Rejected] = []
        self._check_readable(fresh, scratch, rejected)
        self._look_into(fresh, scratch, rejected)
        staged: list[_Staged] = []
        spellings = _spellings(fresh)

        def shape(item: _Fresh) -> tuple:
            columns = item.columns if item.file.format != "jsonl" else spellings or item.columns
            return item.file.format, item.delimiter, columns, item.read_types

        # One after the other in the order of delivery: which row is the newer one depends on it.
        for (format_, _, columns, read_types), items in itertools.groupby(fresh, shape):
            staged += self._read(format_, columns, read_types, list(items), scratch, rejected)
        for item in [item.fresh for item in rejected]:
            if item in fresh:
                fresh.remove(item)
        self._type_passed_through(staged)
        return staged, rejected

    def _check_readable(self, fresh: list[_Fresh], scratch: Path, rejected: list[_Rejected]) -> None:
        """Leave out what no reader may open; files with old line ends get a copy with the same lines."""
        for item in list(fresh):
            with self._refusing(item, fresh, rejected):
                self.longest_line = max(self.longest_line, check_readable(item.file))
                if item.file.format in ("csv", "jsonl") and has_old_line_ends(item.file.path):
                    item.same_lines = scratch / f"{len(os.listdir(scratch))}.{item.file.format}"
                    item.lines = with_new_line_ends(item.file.path, item.same_lines)

    @contextmanager
    def _refusing(self, item: _Fresh, fresh: list[_Fresh], rejected: list[_Rejected]) -> Iterator[None]:
        """What is raised about one file refuses that file; what is about the machine is raised."""
        try:
            yield
        except Exception as problem:
            if not is_about_one_file(problem):
                raise
            fresh.remove(item)
            rejected.append(_refused(item, problem))

    def _look_into(self, fresh: list[_Fresh], scratch: Path, rejected: list[_Rejected]) -> None:
        """Find each file's columns."""
        json_keys, unread = self._look_into_json(fresh, scratch)
        taken = {row[0].lower() for row in self.rows(f"describe {self.table}")}
        for item in list(fresh):
            file = item.file
            with self._refusing(item, fresh, rejected):
                if str(item.path) in unread:
                    raise unread[str(item.path)]
                if file.format == "csv":
                    item.delimiter, names, item.header_lines = csv_header(item.path, self.entity.columns)
                    item.columns, item.read_types = tuple(names), ("varchar",) * len(names)
                elif file.format == "jsonl":
                    item.columns = json_keys.get(str(item.path), ())
                    item.read_types = ()
                else:
                    names, types = parquet_columns(self.connection, file)
                    check_expansion(self.connection, file, types)
                    item.columns, item.read_types = tuple(names), tuple(types)
                self._check_columns(item, taken)
                taken |= {name.lower() for name in item.names}

    def _look_into_json(
        self, fresh: list[_Fresh], scratch: Path
    ) -> tuple[dict[str, tuple[str, ...]], dict[str, Exception]]:
        """
        The keys of each JSON lines file, or why it has none; a file with a line that is no object gets a clean copy.

        DuckDB's `read_json` reads past the end of a line that is cut off and takes the valid line after it for a part
        of it: it may only see whole lines.
        """
        items = {str(item.path): item for item in fresh if item.file.format == "jsonl"}
        keys, odd, unread = self._json_keys(list(items))
        copies = {str(scratch / f"clean_{number}.jsonl"): path for number, path in enumerate(sorted(odd))}
        for copy, path in copies.items():
            self._clean_json(items[path], Path(copy))
        found, _, unread_copies = self._json_keys(list(copies))
        keys |= {copies[copy]: names for copy, names in found.items()}
        return keys, unread | {copies[copy]: problem for copy, problem in unread_copies.items()}

    def _json_keys(self, paths: list[str]) -> tuple[dict[str, tuple[str, ...]], set[str], dict[str, Exception]]:
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
            found = self.rows(
                f"select distinct filename, json_keys(json) from read_ndjson_objects({literal(paths)},"
                f" {self._json_options()}, filename = true)"
            )
        except duckdb.Error as problem:
            if len(paths) == 1 and not is_about_one_file(problem):
                raise
            if len(paths) == 1:
                return {}, set(), {paths[0]: problem}
            alone = [self._json_keys([path]) for path in paths]
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

    def _json_options(self) -> str:
        longest = max(JSON_OBJECT_BYTES, self.longest_line + LINE_END_BYTES)
        return f"ignore_errors = true, hive_partitioning = false, maximum_object_size = {longest}"

    def _clean_json(self, item: _Fresh, clean: Path) -> None:
        """Copy the lines that are JSON objects; the others are broken, each alone."""
        import pyarrow

        item.clean, item.record_lines = clean, array("q")
        first = 1
        with item.path.open("rb") as stream, clean.open("wb") as copy:
            while lines := list(itertools.islice(stream, LINES_AT_ONCE)):
                if first == 1:
                    lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
                if not lines[-1].endswith(b"\n"):
                    lines[-1] += b"\n"
                table = pyarrow.table({"number": pyarrow.array(range(len(lines))), "text": _texts(lines)})
                name = _new_name()
                self.connection.register(name, table)
                others = self.rows(
                    f"select number from {name}"
                    " where not coalesce(text[1] = '{' or ltrim(text, ' \t')[1] = '{', false) or not json_valid(text)"
                    " order by number"
                )
                self.connection.unregister(name)
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

    def _check_columns(self, item: _Fresh, taken: set[str]) -> None:
        """
        Name the file's columns. Raises `UnreadableFileError` when no row of it could be loaded, or it has too many.

        `taken`: the columns of the raw table and of the files before it, in lower case.
        """
        file, found = item.file, {name.lower(): name for name in item.columns}
        if file.format == "jsonl" and not found:
            return
        where = f"{file.path}, line 1" if file.format == "csv" else str(file.path)
        most, table = file.limits.columns, f"{self.source.name}.{self.entity.name}"
        if len(item.columns) > most:
            raise over_limit(file, "columns", f"it has {len(item.columns):,} columns", f"{most:,}")
        for name in dict.fromkeys((*self.entity.key, *self.entity.required)):
            if name.lower() not in found:
                role = "part of the key" if name in self.entity.key else "required"
                raise UnreadableFileError(
                    f"{where}: there is no column '{name}', which is {role} of {table}."
                    f"{did_you_mean(name, item.columns)} Found: {listed(item.columns)}. Nothing of it is loaded."
                    f" Export it with that column, or change the contract in assets/sources/{self.source.name}.py."
                )
        try:
            item.names = raw_names(item.columns, self.spelling)
        except UnreadableFileError as problem:
            raise UnreadableFileError(f"{where}: {problem}") from None
        if (width := len(taken | {name.lower() for name in item.names})) > most:
            raise over_limit(file, "columns", f"with it {table} would have {width:,} columns", f"{most:,}")
        cells = item.lines * len(item.columns) * CELL_BYTES if file.format == "jsonl" else 0
        if cells > file.limits.expanded(file.size):
            sparse = f"its {item.lines:,} lines of {len(item.columns):,} keys in all become {in_bytes(cells)}"
            raise over_limit(file, "expansion", sparse, in_bytes(file.limits.expanded(file.size)))

    def _read(
        self,
        format_: str,
        columns: tuple[str, ...],
        read_types: tuple[str, ...],
        items: list[_Fresh],
        scratch: Path,
        rejected: list[_Rejected],
    ) -> list[_Staged]:
        """Read files of one shape in one query; a file that stops the reader is rejected and the others are read."""
        staged_columns = [
            StagedColumn(
                source=source,
                staged=f"c{position}",
                name=name,
                read_type=read_type,
                type=self.entity.columns.get(name, "varchar"),
                in_contract=name in self.entity.columns,
                date_format=self.entity.date_format,
            )
            for position, (source, name, read_type) in enumerate(
                zip(columns, raw_names(columns, self.spelling), read_types or ("varchar",) * len(columns), strict=True)
            )
        ]
        staged = _Staged(_new_name(), staged_columns, {str(item.clean or item.path): item for item in items})
        try:
            if format_ == "csv":
                self._read_csv(staged, scratch)
            else:
                self._read_other(staged, format_)
            self._check_counts(staged)
        except Exception as problem:
            self.connection.execute(f"drop table if exists {staged.table}")
            if len(items) > 1 or columns != items[0].columns:
                # Each by itself and with its own columns: what one file has must not stand in another's way.
                return [
                    part
                    for item in items
                    for part in self._read(format_, item.columns, item.read_types, [item], scratch, rejected)
                ]
            if not is_about_one_file(problem):
                raise
            rejected.append(_refused(items[0], problem))
            return []
        return [staged]

    def _check_counts(self, staged: _Staged) -> None:
        """Raise `UnreadableFileError` where the reader found other rows than those that the file has."""
        for item in staged.files.values():
            if item.rows != item.records:
                found = ValueError(f"it has {item.records} rows, but {item.rows} of them could be read")
                raise UnreadableFileError(_unreadable(item.file, found))

    def _read_other(self, staged: _Staged, format_: str) -> None:
        paths, names = literal(list(staged.files)), [column.staged for column in staged.columns]
        sources = [column.source for column in staged.columns]
        if format_ == "parquet":
            reader = f"read_parquet({paths}, filename = '{_new_name()}', hive_partitioning = false)"
        elif (
            not names or not all(sources) or "\0" in "".join(sources) or len({s.lower() for s in sources}) < len(names)
        ):
            # Keys that `read_json` cannot name or tell apart.
            texts = "".join(f"json ->> {literal(_pointer(source))}, " for source in sources)
            objects = f"read_ndjson_objects({paths}, {self._json_options()}, filename = true)"
            reader = f"(select {texts}filename from {objects})"
        else:
            types = literal(dict.fromkeys(sources, "varchar"))
            reader = (
                f"read_json({paths}, format = 'newline_delimited', columns = {types}, records = true,"
                f" {self._json_options()}, filename = '{_new_name()}')"
            )
        self.connection.execute(
            f"create temp table {staged.table} as select * from {reader} as read({', '.join([*names, '_path'])})"
        )
        counts = dict(self.rows(f"select _path, count(*) from {staged.table} group by all"))
        whole = {}
        if format_ == "parquet":
            whole = dict(self.rows(f"select file_name, num_rows from parquet_file_metadata({paths})"))
        for path, item in staged.files.items():
            rows = counts.get(path, 0)
            if item.record_lines is not None:
                staged.record_lines[path] = item.record_lines
            elif format_ == "jsonl" and rows != item.lines:
                staged.record_lines[path] = text_lines(Path(path))
            records = whole[path] if format_ == "parquet" else len(staged.record_lines.get(path, range(item.lines)))
            item.rows, item.records = rows + len(item.broken), records + len(item.broken)

    def _read_csv(self, staged: _Staged, scratch: Path) -> None:
        """Read CSV files; those with lines that are no records are taken apart and read again from clean copies."""
        broken = self._csv_try(staged)
        counts = dict(self.rows(f"select _path, count(*) from {staged.table} group by all"))
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
        self.connection.execute(f"delete from {staged.table} where _path in (select unnest({literal(list(broken))}))")
        again = _Staged(_new_name(), staged.columns, {})
        for path in broken:
            clean = str(scratch / f"{len(os.listdir(scratch))}.csv")
            item = staged.files.pop(path)
            again.files[clean] = item
            self._clean(item, again, clean, frozenset())
        for _ in range(MAX_CLEANING_ROUNDS):
            left = self._csv_query(again, list(again.files))
            if not left:
                break
            for clean, positions in left.items():
                item = again.files[clean]
                records = again.record_lines[clean]
                odd = {records[record] for record in _records_at(Path(clean), positions)}
                already = {line for line, _, _ in item.broken}
                self._clean(item, again, clean, frozenset(odd | already))
            self.connection.execute(f"drop table {again.table}")
        else:
            raise ValueError("two readers find other records in it")
        counts = dict(self.rows(f"select _path, count(*) from {again.table} group by all"))
        for clean, item in again.files.items():
            item.rows = counts.get(clean, 0) + len(item.broken)
            item.records = len(again.record_lines[clean]) + len(item.broken)
        self.connection.execute(f"insert into {staged.table} from {again.table}; drop table {again.table}")
        staged.files |= again.files
        staged.record_lines |= again.record_lines

    def _csv_try(self, staged: _Staged) -> dict[str, list[int]]:
        """As `_csv_query`; one file alone that stops the reader altogether is one to take apart."""
        import duckdb

        try:
            return self._csv_query(staged, list(staged.files))
        except duckdb.InvalidInputException:
            if len(staged.files) > 1:
                raise
        columns = "".join(f"{column.staged} varchar, " for column in staged.columns)
        self.connection.execute(f"create temp table {staged.table} ({columns}_path varchar)")
        return {path: [] for path in staged.files}

    def _clean(self, item: _Fresh, staged: _Staged, clean: str, also_broken: frozenset[int]) -> None:
        with open(clean, "wb") as stream:
            scan = scan_csv(
                item.path, item.delimiter, len(staged.columns), stream, also_broken, header_lines=item.header_lines
            )
        item.broken = scan.broken
        staged.record_lines[clean] = scan.record_lines
        if scan.first_bad_encoding:
            line, reason, _ = next(entry for entry in scan.broken if entry[0] == scan.first_bad_encoding)
            item.message = f"line {line} is {reason}"

    def _csv_query(self, staged: _Staged, paths: list[str]) -> dict[str, list[int]]:
        """Read CSV files as text; returns the paths with unreadable records and their byte positions."""
        delimiter = next(iter(staged.files.values())).delimiter
        names = literal({column.staged: "varchar" for column in staged.columns})
        longest = max(CSV_LINE_BYTES, self.longest_line + LINE_END_BYTES)
        sizes = f"max_line_size = {longest}, buffer_size = {2 * longest}, " if self.longest_line else ""
        errors, scans = _new_name(), _new_name()
        self.connection.execute(
            f"create temp table {staged.table} as select * from read_csv({literal(paths)}, columns = {names},"
            f" auto_detect = false, header = true, delim = {literal(delimiter)}, quote = '\"', escape = '\"',"
            f" {sizes}hive_partitioning = false, store_rejects = true, rejects_table = '{errors}',"
            f" rejects_scan = '{scans}', filename = '_path')"
        )
        found: dict[str, list[int]] = defaultdict(list)
        for path, position in self.rows(
            f"select distinct s.file_path, e.line_byte_position from {errors} e join {scans} s using (scan_id, file_id)"
        ):
            found[path].append(position)
        self.connection.execute(f"drop table {errors}; drop table {scans}")
        return dict(found)

    def _type_passed_through(self, staged: list[_Staged]) -> None:
        """Give columns that the contract does not name the type that their values have."""
        for part in staged:
            free = [column for column in part.columns if not column.in_contract]
            texts = [column.staged for column in free if column.read_type == "varchar"]
            known: dict[str, str | None] = {}
            for first in range(0, len(texts), COLUMNS_AT_ONCE):
                some = texts[first : first + COLUMNS_AT_ONCE]
                answer = self.rows(inference_query(part.table, some))[0]
                known |= {name: inferred_type(possible) for name, possible in zip(some, answer, strict=True)}
            for position, column in enumerate(part.columns):
                if column.in_contract:
                    continue
                nested = base_type(column.read_type) in ("struct", "list", "map", "union")
                type_ = known.get(column.staged, "varchar" if nested else column.read_type)
                part.columns[position] = replace(column, type=type_ or "")

    # --- writing ---

    def apply(
        self,
        staged: list[_Staged],
        rejected: list[_Rejected],
        touched: list[LandedFile],
        gone: Collection[str],
        former: Collection[str],
    ) -> tuple[list[str], int]:
        """
        Write what was read, inside the caller's transaction; returns schema changes and how much was put aside.

        `gone` and `former`: the two kinds of `gone_files`.
        """
        fresh = [item for part in staged for item in part.files.values()]
        fresh.sort(key=lambda item: self.positions[item.file.name])
        before = self._unaccounted()
        if gone:
            take_back_columns(self.connection, self.schema_name, self.entity, gone)
        for table in ("_manifest", "_schema_changes"):
            delete_entries(self.connection, self.schema_name, table, self.entity.name, gone)
        notes = self._follow_schema(staged, fresh)
        self._let_former_be(former)
        replaced = [item.file.name for item in fresh] + [item.fresh.file.name for item in rejected]
        again = {item.file.name for item in fresh if item.known}
        take_out_rows(self.connection, self.schema_name, self.entity.name, again | set(gone))
        self._keep_former(rejected)
        put_aside: list[tuple] = []
        for part in staged:
            self._insert(part, put_aside)
        for item in fresh:
            put_aside += [(item.file.name, line, reason, text) for line, reason, text in item.broken]
            item.quarantined += len(item.broken)
        put_aside += [(item.fresh.file.name, None, item.message, None) for item in rejected]
        self._note_original_names(fresh)
        self._append(
            "_quarantine",
            {
                "entity": [self.entity.name] * len(put_aside),
                "file": [row[0] for row in put_aside],
                "line": [row[1] for row in put_aside],
                "reason": [row[2] for row in put_aside],
                "raw_text": [row[3] for row in put_aside],
                "loaded_at": [self.now] * len(put_aside),
            },
        )
        everything = [(item, "loaded", item.message) for item in fresh]
        everything += [(item.fresh, "rejected", item.message) for item in rejected]
        delete_entries(self.connection, self.schema_name, "_manifest", self.entity.name, replaced)
        self._append(
            "_manifest",
            {
                "entity": [self.entity.name] * len(everything),
                "file": [item.file.name for item, _, _ in everything],
                "size": [item.file.size for item, _, _ in everything],
                "modified_ns": [item.file.modified_ns for item, _, _ in everything],
                "checksum": [item.checksum for item, _, _ in everything],
                "contract": [self.held_against(status) for _, status, _ in everything],
                "rows": [item.rows for item, _, _ in everything],
                "quarantined": [item.quarantined for item, _, _ in everything],
                "status": [status for _, status, _ in everything],
                "message": [_manifest_message(item, status, message) for item, status, message in everything],
                "loaded_at": [item.loaded_at or self.now for item, _, _ in everything],
                "repeated": [item.repeated for item, _, _ in everything],
                "changed": [item.changed for item, _, _ in everything],
                "first_loaded_at": [self.first_loaded[item.file.name] for item, _, _ in everything],
                "judge_again_at": [item.judge_again_at for item, _, _ in everything],
            },
        )
        for file in touched:
            self.connection.execute(
                f"update {self.schema}._manifest set modified_ns = ? where entity = ? and file = ?",
                [file.modified_ns, self.entity.name, file.name],
            )
        if (lost := before - self._unaccounted()) != 0:
            raise CannotLoad(
                f"{self.source.name}.{self.entity.name}: {abs(lost)} rows too {'few' if lost > 0 else 'many'} of"
                f" {', '.join(replaced)}: loaded, put aside, known and replaced ones are not the rows of the files."
                " Nothing of it was loaded. That is a fault of the loader: move the newest file away, and report it."
            )
        return notes, len(put_aside)

    def _let_former_be(self, names: Collection[str]) -> None:
        """A new version that could not be read is gone: the rows of the former one are all there is to it."""
        if not names:
            return
        where = f"entity = {literal(self.entity.name)} and file in (select unnest({literal(sorted(names))}))"
        self.connection.execute(f"update {self.schema}._manifest set status = 'loaded', message = null where {where}")
        self.connection.execute(
            f"delete from {self.schema}._quarantine where {where} and line is null and raw_text is null"
        )

    def _unaccounted(self) -> int:
        """How many rows the raw table has beyond those that the manifest accounts for."""
        return self.rows(
            f"select (select count(*) from {self.table}) - coalesce(sum({ACCOUNTED}), 0)::bigint"
            f" from {self.schema}._manifest where entity = {literal(self.entity.name)}"
        )[0][0]

    def _note_original_names(self, fresh: list[_Fresh]) -> None:
        """Write down what columns are called in the exports where the raw table calls them otherwise."""
        known = set(
            self.rows(
                "select column_name, original_name"
                f" from {self.schema}._columns where entity = {literal(self.entity.name)}"
            )
        )
        others: dict[tuple[str, str], str] = {}
        for item in fresh:
            for pair in zip(item.names, item.columns, strict=True):
                if pair not in known and pair[0] != pair[1] and pair[0] not in self.entity.columns:
                    others.setdefault(pair, item.file.name)
        self._append(
            "_columns",
            {
                "entity": [self.entity.name] * len(others),
                "column_name": [name for name, _ in others],
                "original_name": [original for _, original in others],
                "first_file": list(others.values()),
            },
        )

    def _keep_former(self, rejected: list[_Rejected]) -> None:
        """A file whose new version cannot be read keeps the rows of its former one, and says so."""
        for item in rejected:
            name = item.fresh.file.name
            item.fresh.rows = 0
            if not item.fresh.known:
                continue
            before = self.rows(
                f"select rows, quarantined, coalesce(repeated, 0), coalesce(changed, 0), loaded_at"
                f" from {self.schema}._manifest where entity = {literal(self.entity.name)} and file = {literal(name)}"
            )
            kept = before[0]
            item.fresh.rows, item.fresh.quarantined, item.fresh.repeated, item.fresh.changed, loaded_at = kept
            if item.fresh.rows:
                item.fresh.loaded_at = loaded_at
                item.message += f" The {_loaded(item.fresh)} rows of its former version stay."
            self.connection.execute(
                f"delete from {self.schema}._quarantine where entity = {literal(self.entity.name)}"
                f" and file = {literal(name)} and line is null and raw_text is null"
            )

    def _append(self, table: str, columns: Mapping[str, list]) -> None:
        """Append Python columns to a bookkeeping table, through Arrow."""
        import pyarrow

        if not next(iter(columns.values())):
            return
        name = _new_name()
        self.connection.register(name, pyarrow.table(dict(columns)))
        try:
            self.connection.execute(f"insert into {self.schema}.{table} by name select * from {name}")
        finally:
            self.connection.unregister(name)

    def _insert(self, part: _Staged, put_aside: list[tuple]) -> None:
        """Check one staged table and move its good rows into the raw table; the others are added to `put_aside`."""
        files, lines, bad, passed = (_new_name() for _ in range(4))
        execute = self.connection.execute
        self._register_lines(part, files, lines)
        try:
            query = breach_query(self.entity, part.table, part.columns, self.now)
            execute(f"create temp table {bad} (_row bigint, reason varchar)")
            execute(f"create temp table {passed} (_row bigint)")
            if query:
                execute(f"insert into {bad} {query}")
                self._judge_again(part, bad)
            line = "coalesce(l._line, r._row - f._first + f._start)"
            places = f"join {files} f on r._path = f._path left join {lines} l on r._row = l._row"
            self._find_duplicates(part, bad, passed, line, places)
            casts = [
                f"{cast_expression(column, 'r.' + quoted(column.staged))} as {quoted(column.name)}"
                for column in part.columns
            ]
            execute(
                f"insert into {self.table} by name select {', '.join([*casts, ''])} f._name as _file, {line} as _line,"
                f" {literal(self.now)} as _loaded_at from (select rowid as _row, * from {part.table}) r {places}"
                f" where r._row not in (select _row from {bad}) and r._row not in (select _row from {passed})"
            )
            raw = ", ".join(f"{quoted(column.name)} := r.{quoted(column.staged)}" for column in part.columns)
            text = f"to_json(struct_pack({raw}))::varchar" if raw else "''"
            rows = self.rows(
                f"select r._path, {line}, string_agg(b.reason, '; '), any_value({text})"
                f" from (select rowid as _row, * from {part.table}) r"
                f" {places} join {bad} b on r._row = b._row group by r._row, r._path, {line} order by r._path, r._row"
            )
        finally:
            execute(f"drop table if exists {bad}")
            execute(f"drop table if exists {passed}")
            execute(f"drop table if exists {files}")
            execute(f"drop table if exists {lines}")
        self._with_raw_text(part, rows, put_aside)

    def _judge_again(self, part: _Staged, bad: str) -> None:
        """Note for each file when the first of its rows from the future is to be judged again."""
        if self.entity.time not in {column.name for column in part.columns}:
            return
        later = f"(select _row from {bad} where contains(reason, {literal(f'{self.entity.time} {IN_FUTURE}: ')}))"
        rows = f"(select rowid, * from {part.table} where rowid in {later})"
        for path, first in self.rows(
            f"select _path, min({moment(self.entity)}) from ({typed_select(rows, part.columns)}) group by all"
        ):
            part.files[path].judge_again_at = first - TOLERANCE if first else None

    def _register_lines(self, part: _Staged, files: str, lines: str) -> None:
        """Temporary tables that say which line a row of the staged table stands in."""
        import pyarrow

        spans = self.rows(f"select _path, min(rowid), count(*) from {part.table} group by all")
        places, numbered = [], []
        for path, first, count in spans:
            item = part.files[path]
            records = part.record_lines.get(path)
            start = 1 + item.header_lines if item.file.format == "csv" else 1
            if records is not None and len(records) == count:
                numbered.append((range(first, first + count), records))
            elif records is not None:
                start = None
            places.append((path, item.file.name, first, start, self.positions[item.file.name]))
        text, number = pyarrow.string(), pyarrow.int64()
        self._temp_table(
            files,
            {
                "_path": pyarrow.array([path for path, *_ in places], text),
                "_name": pyarrow.array([name for _, name, *_ in places], text),
                "_first": pyarrow.array([first for _, _, first, *_ in places], number),
                "_start": pyarrow.array([start for *_, start, _ in places], number),
                "_position": pyarrow.array([position for *_, position in places], number),
            },
        )
        self._temp_table(
            lines,
            {
                "_row": pyarrow.chunked_array([pyarrow.array(rows, number) for rows, _ in numbered], number),
                "_line": pyarrow.chunked_array([pyarrow.array(records, number) for _, records in numbered], number),
            },
        )

    def _temp_table(self, name: str, columns: Mapping[str, object]) -> None:
        """Arrow columns as a temporary table."""
        import pyarrow

        view = _new_name()
        self.connection.register(view, pyarrow.table(dict(columns)))
        try:
            self.connection.execute(f"create temp table {name} as select * from {view}")
        finally:
            self.connection.unregister(view)

    def _find_duplicates(self, part: _Staged, bad: str, passed: str, line: str, places: str) -> None:
        """
        Settle rows whose key (and version) another row of the batch or of the raw table has.

        Twice in one file: the first one stays, the others go to `bad`. Delivered again by another file with the same
        content: `passed`, counted as repeated. With other content: a duplicate where the contract has a version (or the
        file is older than the loaded row's); otherwise the newest row takes the place of the former ones, which are
        deleted or `passed`.
        """
        version = (self.entity.version,) if self.entity.version else ()
        present = {column.name for column in part.columns}
        names = [name for name in dict.fromkeys((*self.entity.key, *version)) if name in present]
        if not names:
            return
        execute = self.connection.execute
        keys = ", ".join(quoted(name) for name in names)
        same = " and ".join(f"k.{quoted(name)} is not distinct from o.{quoted(name)}" for name in names)
        typed = typed_select(part.table, [column for column in part.columns if column.name in names])
        shown = " || ', ' || ".join(f"'{name} = ' || coalesce(k.{quoted(name)}::varchar, 'null')" for name in names)
        met, judged = _new_name(), _new_name()
        good = f"(select * from ({typed}) where _row not in (select _row from {bad}))"
        row = f"select k._row, k._path, 'duplicate key ' || {shown} as _said, k.* exclude (_row, _path) from k"
        execute(
            f"create temp table {met} as with k as materialized (select _row, _path, {keys} from {good}),"
            f" again as (select {keys} from k group by {keys} having count(*) > 1)"
            f" {row} semi join again o on {same} union {row} semi join {self.table} o on {same}"
        )
        try:
            if self.rows(f"select 1 from {met} limit 1"):
                self._judge(part, met, judged, keys, same, line, places)
                self._settle(part, judged, bad, passed)
        finally:
            execute(f"drop table if exists {met}; drop table if exists {judged}")

    def _judge(self, part: _Staged, met: str, judged: str, keys: str, same: str, line: str, places: str) -> None:
        """
        A temporary table: what becomes of each row in `met`, and of which other row it is told.

        Columns: _row, _path, _said, _file, _verdict (`first`, `duplicate`, `repeated`, `changed`), _of_file, _of_line,
        _loaded (the raw table's row of that key), _is_outdated (a later row of the batch takes its place).
        """

        def content(table: str, names: Sequence[str]) -> str:
            return ", ".join(f"{quoted(f'c{n}')} := {table}.{quoted(name)}" for n, name in enumerate(names))

        typed = content("t", [typed_name(column, position) for position, column in enumerate(part.columns)])
        loaded = content("o", [column.name for column in part.columns])
        positions = _new_name()
        self._temp_table(positions, {"_file": list(self.positions), "_position": list(self.positions.values())})
        candidates = f"(select rowid, * from {part.table} where rowid in (select _row from {met}))"
        here = "_row, _position, _file, _line, _content"
        versioned = literal(bool(self.entity.version))
        self.connection.execute(
            f"""
            create temp table {judged} as
            with placed as (
                select k.*, f._position, f._name as _file, {line} as _line,
                    struct_pack({typed}) as _content
                from {met} k join ({typed_select(candidates, part.columns)}) t on k._row = t._row
                join (select rowid as _row, _path from {candidates}) r on k._row = r._row {places}
            ), ranked as (
                select *, row_number() over in_file as _nth, first_value(_line) over in_file as _first_line
                from placed window in_file as (partition by {keys}, _file order by _row)
            ), beside as (
                select k.*, o.rowid as _loaded, o._file as _loaded_file, o._line as _loaded_line,
                    p._position as _loaded_position,
                    case when o.rowid is not null then struct_pack({loaded}) end as _loaded_content
                from ranked k left join {self.table} o on {same} left join {positions} p on o._file = p._file
                where _nth = 1
            ), compared as (
                select *, _position < _loaded_position as _is_older,
                    struct_pack({", ".join(f"{name} := {name}" for name in here.split(", "))}) as _self,
                    lag(_content) over turn as _content_before, row_number() over turn as _turn,
                    first_value(_self) over turn as _first
                from beside
                window turn as (partition by {keys}, coalesce(_position < _loaded_position, false) order by _position)
            ), held as (
                -- before it: the row that holds the key by then, not one that only repeats that row
                select *, lag(case when _content is distinct from
                        case when _turn = 1 then _loaded_content else _content_before end then _self end ignore nulls)
                    over (partition by {keys}, _is_older order by _position) as _before
                from (select * replace (coalesce(_is_older, false) as _is_older) from compared)
            ), told as (
                select *,
                    case when {versioned} or _is_older then (_loaded is null and _first._row = _row)
                        else (_loaded is null and _before is null) end as _is_first,
                    case when _loaded is not null and ({versioned} or _is_older or _before is null) then
                            {{'file': _loaded_file, 'line': _loaded_line, 'content': _loaded_content}}
                        when {versioned} then {{'file': _first._file, 'line': _first._line, 'content': _first._content}}
                        else {{'file': _before._file, 'line': _before._line, 'content': _before._content}}
                    end as _of
                from held
            ), verdicts as (
                select *, case when _is_first then 'first'
                    when _content is not distinct from _of.content then 'repeated'
                    when {versioned} or _is_older then 'duplicate' else 'changed' end as _verdict
                from told
            )
            select _row, _path, _said, _file, _verdict, _of.file as _of_file, _of.line as _of_line, _loaded,
                not {versioned} and _position < max(_position) filter (where _verdict = 'changed')
                    over (partition by {keys}) as _is_outdated
            from verdicts
            union all
            select _row, _path, _said, _file, 'duplicate', _file, _first_line, null, false from ranked where _nth > 1
            """
        )
        self.connection.execute(f"drop table {positions}")

    def _settle(self, part: _Staged, judged: str, bad: str, passed: str) -> None:
        """Write down the verdicts: reasons, what is not loaded, what leaves the raw table, and the counts."""
        execute = self.connection.execute
        execute(
            f"insert into {bad} select _row, _said || ': {DUPLICATE_OF} ' || _of_file || ', line '"
            f" || coalesce(_of_line::varchar, '?') || ' (the first one was kept)' from {judged}"
            " where _verdict = 'duplicate'"
        )
        execute(
            f"insert into {passed} select _row from {judged}"
            " where _verdict = 'repeated' or _verdict in ('first', 'changed') and _is_outdated"
        )
        execute(f"delete from {self.table} where rowid in (select _loaded from {judged} where _verdict = 'changed')")
        for path, kind, rows in self.rows(
            f"select _path, _verdict, count(*) from {judged} where _verdict in ('repeated', 'changed') group by all"
        ):
            setattr(part.files[path], kind, rows)
        execute(
            f"insert into {self.schema}._repeats by name select {literal(self.entity.name)} as entity, _file as file,"
            f" _of_file as of_file, _verdict as kind, count(*) as rows from {judged}"
            " where _verdict in ('repeated', 'changed') group by all"
        )

    def _with_raw_text(self, part: _Staged, rows: list[tuple], put_aside: list[tuple]) -> None:
        """Fetch the text of bad rows from the files; formats without lines keep the row as JSON."""
        by_path: dict[str, list[tuple]] = defaultdict(list)
        for path, line, reason, text in rows:
            by_path[path].append((line, reason, text))
        for path, entries in by_path.items():
            item = part.files[path]
            item.quarantined += len(entries)
            texts: Mapping[int, str] = {}
            if item.file.format != "parquet":
                texts = self._raw_records(part, path, [line for line, _, _ in entries if line])
            for line, reason, text in entries:
                text = texts.get(line, text)
                if item.file.format == "jsonl":
                    reason = why_not_json(text) or reason
                    if "UTF-8" in reason and not item.message:
                        item.message = f"line {line}: {reason}"
                put_aside.append((item.file.name, line, reason, text))

    def _raw_records(self, part: _Staged, path: str, lines: Sequence[int]) -> Mapping[int, str]:
        """The text of records by their line; nothing when the file can no longer be read."""
        try:
            return raw_records(part.files[path].path, _spans(part, path, lines))
        except OSError as problem:
            unreadable(problem)
            return {}

    # --- schema changes ---

    def _follow_schema(self, staged: list[_Staged], fresh: list[_Fresh]) -> list[str]:
        """Add and widen columns of the raw table, note what appeared and vanished; returns the notes in words."""
        current = {
            name: type_.lower()
            for name, type_ in self.rows(f"select column_name, column_type from (describe {self.table})")
        }
        spelled = {name.lower(): name for name in current}
        changes: list[tuple[str, str, str]] = []
        wanted: dict[str, str | None] = {}
        for part in staged:
            for position, column in enumerate(part.columns):
                name = spelled.setdefault(column.name.lower(), column.name)
                part.columns[position] = replace(column, name=name)
                wanted[name] = column.type if column.in_contract else common_type(wanted.get(name), column.type or None)
        for name, type_ in self.entity.columns.items():
            wanted.setdefault(name, type_)
        first_file = {name.lower(): item.file.name for item in reversed(fresh) for name in item.names}
        for name, type_ in wanted.items():
            in_contract = name in self.entity.columns
            before = current.get(name)
            file = first_file.get(name.lower(), "")
            if before is None:
                current[name] = type_ or "varchar"
                self.connection.execute(f"alter table {self.table} add column {quoted(name)} {current[name]}")
                continue
            if not in_contract and type_ is not None:
                filled = f"select 1 from {self.table} where {quoted(name)} is not null limit 1"
                type_ = common_type(before, type_) if before == type_ or self.rows(filled) else type_
            if type_ is not None and before != type_.lower():
                self._alter_type(name, before, type_)
                current[name] = type_
                changes.append((file, name, f"type changed from {before} to {type_}"))
        for part in staged:
            for position, column in enumerate(part.columns):
                if not column.in_contract:
                    part.columns[position] = replace(column, type=current[column.name])
        changes += self._appearances(fresh, spelled, current)
        self._append(
            "_schema_changes",
            {
                "entity": [self.entity.name] * len(changes),
                "file": [file for file, _, _ in changes],
                "column_name": [name for _, name, _ in changes],
                "change": [change for _, _, change in changes],
                "noticed_at": [self.now] * len(changes),
            },
        )
        return [f"{name}: {change} ({file})" for file, name, change in changes]

    def _alter_type(self, name: str, before: str, type_: str) -> None:
        import duckdb

        try:
            self.connection.execute(f"alter table {self.table} alter column {quoted(name)} set data type {type_}")
        except duckdb.ConversionException as problem:
            raise ValueError(
                f"{self.source.name}.{self.entity.name}: loaded values of '{name}' ({before}) are not {type_}, which"
                f" the contract now asks for: {_first_line(problem)}. Correct assets/sources/{self.source.name}.py."
            ) from problem

    def _appearances(
        self, fresh: list[_Fresh], spelled: Mapping[str, str], types: Mapping[str, str]
    ) -> list[tuple[str, str, str]]:
        """(file, column, change) for columns that come and go from one new file to the next, in the order of names."""
        history = self.rows(
            f"select column_name, change from {self.schema}._schema_changes"
            f" where entity = {literal(self.entity.name)} and change not like 'type changed%'"
            " order by noticed_at, rowid"
        )
        seen_before = bool(history) or bool(
            self.rows(
                f"select 1 from {self.schema}._manifest where entity = {literal(self.entity.name)}"
                " and status = 'loaded' limit 1"
            )
        )
        present = {name.lower() for name in self.entity.columns} if seen_before else None
        for name, change in history:
            if change.startswith(("absent", "vanished")):
                present.discard(name.lower())
            else:
                present.add(name.lower())
        contract = {name.lower() for name in self.entity.columns}
        changes = []
        for item in sorted((item for item in fresh if not item.known), key=lambda item: item.file.name):
            columns = {name.lower() for name in item.names}
            if not columns or not item.rows:
                continue
            if present is None:
                for name in sorted(contract - columns):
                    changes.append((item.file.name, spelled[name], "absent: null until an export has it"))
                for name in sorted(columns - contract):
                    column = spelled[name]
                    changes.append((item.file.name, column, f"passed through as {types[column]}"))
            else:
                for name in sorted(columns - present):
                    column = spelled[name]
                    changes.append((item.file.name, column, f"added as {types[column]}"))
                for name in sorted(present - columns):
                    changes.append((item.file.name, spelled[name], "vanished: null from this file on"))
            present = columns
        return changes


ENTITIES_AT_ONCE = 2
MAX_CLEANING_ROUNDS = 5
LINES_AT_ONCE = 100_000
"""Of an odd file, to bound the memory that it takes."""
COLUMNS_AT_ONCE = 50
"""The time that DuckDB takes for a query grows with the square of its columns."""
NEVER_SEEN = -1
"""In the manifest, instead of a file's time: it is looked at again in the next load."""
CELL_BYTES = 16
"""Of a text that is null, in memory."""
JSON_OBJECT_BYTES, CSV_LINE_BYTES, LINE_END_BYTES = 1 << 24, 2 * 10**6, 1 << 10
"""DuckDB's own limits, and what a line may have beside its text."""


def _pointer(key: str) -> str:
    """A key as a JSON pointer."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _loaded(item: _Fresh) -> int:
    return item.rows - item.quarantined - item.repeated


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


def _new_name() -> str:
    """A name for a temporary table that nothing else has."""
    return f"loading_{os.urandom(6).hex()}"


def _spans(part: _Staged, path: str, starts: Sequence[int]) -> dict[int, int]:
    """The line in which a record starts to the line after it; a CSV record may span several."""
    item, records = part.files[path], part.record_lines.get(path)
    if records is None or item.file.format != "csv":
        return {start: start + 1 for start in starts}
    others = sorted([*records, *(line for line, _, _ in item.broken), item.lines + 1])
    return {start: others[bisect.bisect_right(others, start)] for start in starts}


def _first_line(problem: Exception) -> str:
    return (str(problem).strip() or type(problem).__name__).splitlines()[0].rstrip(".")


def _refused(item: _Fresh, problem: Exception) -> _Rejected:
    """A file that cannot be loaded, and why, in one line."""
    if isinstance(problem, (NotNowError, OSError)):
        item.file, item.checksum = replace(item.file, modified_ns=NEVER_SEEN), ""
    if isinstance(problem, OSError):
        return _Rejected(item, printable(f"{item.file.path} {unreadable(problem)}"))
    is_told = isinstance(problem, UnreadableFileError)
    return _Rejected(item, printable(problem if is_told else _unreadable(item.file, problem)))


def _unreadable(file: LandedFile, problem: Exception) -> str:
    kind = {"parquet": "a whole Parquet file", "jsonl": "JSON lines", "csv": "CSV"}[file.format]
    return (
        f"{file.path} cannot be read as {kind} ({_first_line(problem)}). It may be cut off or still be written:"
        " export or copy it again."
    )


def _manifest_message(item: _Fresh, status: str, message: str) -> str | None:
    if status == "rejected":
        return message
    told = [f"{item.quarantined} of {item.rows} rows are in quarantine"] if item.quarantined else []
    return "; ".join([*told, *([message] if message else [])]) or None


def _spellings(fresh: list[_Fresh]) -> tuple[str, ...]:
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


def load_all(
    connection: "duckdb.DuckDBPyConnection", sources: Iterable[Source], configuration: Configuration, now: datetime
) -> list[LoadReport]:
    """Load every source that the configuration lists, then write `raw_scorecast.as_of`."""
    folders = configuration.folders
    present = [source for source in sources if source.name in folders]
    limit, limits = configuration.quarantine_limit, configuration.limits
    reports = [
        report
        for source in present
        for report in load_source(connection, source, folders[source.name], now, quarantine_limit=limit, limits=limits)
    ]
    write_as_of(connection, present, configuration.as_of, now)
    return reports
