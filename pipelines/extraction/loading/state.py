"""What one load knows and hands from step to step: files, staged tables, and the entity that they are of."""

import hashlib
import os
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import quoted
from pipelines.extraction.checking import (
    StagedColumn,
)
from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.files import (
    LandedFile,
)

if TYPE_CHECKING:
    import duckdb


BOOKKEEPING = {
    "_manifest": "entity varchar, file varchar, size bigint, modified_ns bigint, checksum varchar, contract varchar,"
    " rows bigint, quarantined bigint, status varchar, message varchar, loaded_at timestamp,"
    " repeated bigint, changed bigint, first_loaded_at timestamp, judge_again_at timestamp, latest timestamp",
    "_quarantine": "entity varchar, file varchar, line bigint, reason varchar, raw_text varchar, loaded_at timestamp",
    "_repeats": "entity varchar, file varchar, of_file varchar, kind varchar, rows bigint",
    "_schema_changes": "entity varchar, file varchar, column_name varchar, change varchar, noticed_at timestamp",
    "_first_exports": "entity varchar, made_at timestamp",
    "_vanished": "entity varchar, key varchar, vanished_at timestamp",
    "_columns": "entity varchar, column_name varchar, original_name varchar, first_file varchar",
}

NEVER_SEEN = -1
"""In the manifest, instead of a file's time: it is looked at again in the next load."""

CELL_BYTES = 16
"""Of a text that is null, in memory."""


class CannotLoad(RuntimeError):
    """A load that stopped and left everything as it was; the message says why and what to do."""


class NothingLoaded(RuntimeError):
    """There is no row of any source, neither from this load nor from one before; the message says why."""


@dataclass(frozen=True)
class LoadedFile:
    """How a file was read."""

    name: str
    columns: Mapping[str, str]
    """Column of the raw table → what the file calls it."""
    readings: tuple[str, ...] = ()
    """How columns are read that are not written plainly."""
    message: str = ""


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
    strays: tuple[str, ...] = ()
    """What belongs to no entity of the source, in the first report of its load; one message a file."""
    notices: tuple[str, ...] = ()
    """What the user is to be told once: records that are gone from the exports, words that are not known."""
    files: tuple["LoadedFile", ...] = ()
    """The files that were read by this call, in the order of delivery."""
    seconds: float = 0.0


@dataclass
class Fresh:
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
    """Lines before the first record."""
    lines_before: int = 0
    """Lines before the header: a spreadsheet's `sep=;`."""
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
    latest: datetime | None = None
    """The latest time of its rows, of entities with versions."""
    message: str = ""
    readings: list[str] = field(default_factory=list)
    """How columns are read that are not written plainly."""

    @property
    def path(self) -> Path:
        """What is read."""
        return self.same_lines or self.file.path


@dataclass
class Staged:
    """Files of the same shape, read into one temporary table."""

    table: str
    columns: list[StagedColumn]
    files: dict[str, Fresh]
    """Path as in `_path` to the file."""
    record_lines: dict[str, array] = field(default_factory=dict)
    """Path to the line of each record, where it is not one record a line from the start."""


@dataclass
class Rejected:
    """A file that cannot be read, and why."""

    fresh: Fresh
    message: str


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
        *((dict(entity.labels),) if entity.labels else ()),
        *((dict(entity.left_out),) if entity.left_out else ()),
        *((entity.inside,) if entity.inside else ()),
        *((dict(entity.forms),) if entity.forms else ()),
    )
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def new_name() -> str:
    """A name for a temporary table that nothing else has."""
    return f"loading_{os.urandom(6).hex()}"


def first_line(problem: Exception) -> str:
    """What an error says, without its further lines."""
    return (str(problem).strip() or type(problem).__name__).splitlines()[0].rstrip(".")


def naive(moment: datetime) -> datetime:
    """The time in UTC, as raw tables keep it."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


class Load:
    """One entity's load: what its steps share of the files and the table."""

    def __init__(
        self,
        connection: "duckdb.DuckDBPyConnection",
        source: Source,
        entity: Entity,
        table: str,
        now: datetime,
        time_zone: str | None = None,
    ):
        self.connection, self.source, self.entity, self.table, self.now = connection, source, entity, table, now
        self.schema_name = f"raw_{source.name}"
        self.schema = quoted(self.schema_name)
        self.time_zone = time_zone
        self.contract = " ".join(
            filter(None, (contract_fingerprint(entity), time_zone, source.encoding, source.key_form))
        )
        self.nested = {label: f"/{label.replace('.', '/')}" for label in entity.nested()}
        """Paths of nested fields → the pointer to them."""
        self.first_loaded: dict[str, datetime] = {}
        self.behind: set[str] = set()
        """Files that cannot be read again though their turn has come: they are gone."""
        self.positions: dict[str, int] = {}
        """Every file's place in the order of delivery: by the load that first saw it, then by name."""
        self.longest_line = 0
        """Bytes, of all files that are read."""

    def with_nested(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """A file's keys, and the contract's nested fields below them."""
        return (*keys, *(label for label in self.nested if label.split(".")[0] in keys and label not in keys))

    def rows(self, query: str) -> list[tuple]:
        """The rows of a query."""
        return self.connection.execute(query).fetchall()

    def append(self, table: str, columns: Mapping[str, list]) -> None:
        """Append Python columns to a bookkeeping table, through Arrow."""
        import pyarrow

        if not next(iter(columns.values())):
            return
        name = new_name()
        self.connection.register(name, pyarrow.table(dict(columns)))
        try:
            self.connection.execute(f"insert into {self.schema}.{table} by name select * from {name}")
        finally:
            self.connection.unregister(name)

    def temp_table(self, name: str, columns: Mapping[str, object]) -> None:
        """Arrow columns as a temporary table."""
        import pyarrow

        view = new_name()
        self.connection.register(view, pyarrow.table(dict(columns)))
        try:
            self.connection.execute(f"create temp table {name} as select * from {view}")
        finally:
            self.connection.unregister(view)
