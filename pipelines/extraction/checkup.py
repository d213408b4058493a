"""What the exports look like to the loader, for people: files, rows, periods, columns, bad rows, keys of nothing."""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import literal, placed, quoted
from pipelines.extraction.checking import PER_SECOND, base_type, moment
from pipelines.extraction.configuration import Configuration, SourceSettings
from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.files import FORMATS, LandedFile, folder_problem, format_of, is_left_alone, printable
from pipelines.extraction.loading.load import ENTITIES_AT_ONCE, load_entity
from pipelines.extraction.loading.manifest import DUPLICATE_OF, REASON_KIND, last_load, quarantined_share
from pipelines.extraction.loading.schema_changes import prepare_schema
from pipelines.extraction.loading.state import LoadedFile, LoadReport
from pipelines.extraction.money import read_rates
from pipelines.extraction.recognition import Claims, find_files
from pipelines.spelling import did_you_mean

if TYPE_CHECKING:
    import duckdb

SMALL_BYTES, SMALL_FILES = 10**7, 50
"""More than this of entities on whose records nothing depends is not read, to be done in seconds."""
PART_BYTES, PART_FILES = 10**6, 3
"""Of each of them, then."""
PACKED_PARQUET = 8
"""A byte of Parquet stands for so many of text."""
TWICE = "the same record is there twice in a file"
KIND = f"case when contains(reason, {literal(DUPLICATE_OF)}) then {literal(TWICE)} else {REASON_KIND} end"
"""SQL: what a reason of the quarantine is about."""


@dataclass(frozen=True)
class FileSeen:
    """A file that was read."""

    name: str
    rows: int
    put_aside: int
    repeated: int
    first: datetime | None
    """The first creation in it, else the first time."""
    last: datetime | None
    currencies: Mapping[str, int]
    """Currency → rows."""


@dataclass(frozen=True)
class FilesSeen:
    """The files of an entity that have the same columns."""

    entity: str
    how: str
    """How they were recognised; empty: by their names."""
    files: tuple[FileSeen, ...]
    used: Mapping[str, str]
    """Column of the contract → what the files call it."""
    custom: tuple[str, ...]
    """Columns that pass through as custom fields, as the files call them."""
    missing: tuple[str, ...]
    """Columns of the contract that the files lack."""
    readings: tuple[str, ...]
    """How columns are read that are not written plainly, and what else the load said."""


@dataclass(frozen=True)
class PutAside:
    """Rows of an entity that are put aside for the same reason."""

    entity: str
    reason: str
    rows: int
    file: str
    line: int | None
    example: str
    """The whole reason of the first of them, with its values."""


@dataclass(frozen=True)
class Reference:
    """A column whose values are keys of other records, and how many of them match nothing."""

    entity: str
    column: str
    to: tuple[str, ...]
    """The entities whose keys they are."""
    absent: tuple[str, ...]
    """Those of them without any record: nothing was looked up."""
    records: int
    """Records with a value."""
    unmatched: int
    value: str | None
    """The least of those that match nothing."""
    file: str | None
    """Where it stands first."""
    line: int | None


@dataclass(frozen=True)
class SourceSeen:
    """What a system's folder holds."""

    name: str
    folder: Path
    problem: str
    """Why the folder cannot be looked into; empty when it can."""
    files: tuple[FilesSeen, ...]
    unread: Mapping[str, int]
    """Entity → how many of its older files were not looked at."""
    rejected: tuple[str, ...]
    """Why a file could not be read, one message a file."""
    put_aside: tuple[PutAside, ...]
    references: tuple[Reference, ...]
    unclaimed: tuple[str, ...]
    """Files that are not read, one message a file."""
    stops: tuple[str, ...]
    """Why a run would stop before anything is built."""
    twins: tuple["Twins", ...] = ()
    """Its deals that stand in another system, too."""


@dataclass(frozen=True)
class Twins:
    """Deals of two systems that have the same amount, and the same name, or close date and company."""

    entity: str
    other: str
    """The other system's entity, as `system.entity`."""
    deals: int
    amount: float
    name: str
    """Of the largest of them."""


def look(
    connection: "duckdb.DuckDBPyConnection",
    sources: Sequence[Source],
    configuration: Configuration,
    now: datetime,
    needed: Collection[str] | None = None,
    progress: Callable[[str, int, int], None] = lambda doing, done, of: None,
) -> list[SourceSeen]:
    """
    Load the exports of all sources that the configuration lists into an empty database, and say what was found.

    `needed`: entities, as `system.entity`, that are read in full, and so are those that others refer to. Where the
    files of all others are many or large, only the newest are read. None: everything is read in full. `progress` is
    called with what was read, and how much of how much. Raises `ConfigurationError`, `RatesProblem` for the file of
    exchange rates, and `CannotLoad` when memory or disk stop a load.
    """
    if configuration.money.exchange_rates:
        read_rates(configuration.money.exchange_rates, configuration.money.reporting_currency)
    present = [configuration.mapped(source) for source in sources if source.name in configuration.sources]
    folders = [_folder(source, configuration) for source in present]
    if needed is not None:
        _leave_out_older(folders, {*needed, *(to for source in present for to in _referred_to(source))})
    for folder in folders:
        prepare_schema(connection, folder.source)
    _load(connection, folders, configuration, now, progress)

    def seen(folder: _Folder) -> SourceSeen:
        with connection.cursor() as cursor:
            return _seen(cursor, folder, present, configuration.quarantine_limit)

    with ThreadPoolExecutor(max_workers=ENTITIES_AT_ONCE) as pool:
        return list(pool.map(seen, folders))


@dataclass
class _Folder:
    """A source's folder while it is looked into."""

    source: Source
    settings: SourceSettings
    problem: str
    claims: Claims
    unread: dict[str, int] = field(default_factory=dict)
    reports: dict[str, LoadReport] = field(default_factory=dict)


def _folder(source: Source, configuration: Configuration) -> _Folder:
    settings = configuration.sources[source.name]
    problem = folder_problem(settings.folder)
    limits, only = configuration.limits, settings.only
    claims = Claims({}) if problem else find_files(settings.folder, source.entities, limits, only)
    if not problem and only is None:
        claims.strays += _patterns_without_a_file(settings)
    return _Folder(source, settings, problem, claims)


def _patterns_without_a_file(settings: SourceSettings) -> list[str]:
    """What `files:` of sources.yaml names that is not there, one message a pattern."""
    names = [entry.name for entry in sorted(settings.folder.iterdir()) if not is_left_alone(entry)]
    return [
        f"'{pattern}', which sources.yaml calls the files of {entity}, fits no file.{did_you_mean(pattern, names)}"
        for entity, patterns in settings.files.items()
        for pattern in patterns
        if not any(fnmatch(name.lower(), pattern.lower()) for name in names)
    ]


def _leave_out_older(folders: Sequence[_Folder], whole: Collection[str]) -> None:
    """Of entities that need not be read as a `whole` only the newest files, unless all are few and small."""
    parts = [
        (folder, entity, files)
        for folder in folders
        for entity, files in folder.claims.files.items()
        if f"{folder.source.name}.{entity}" not in whole
    ]
    weights = [_weight(file) for _, _, files in parts for file in files]
    if len(weights) <= SMALL_FILES and sum(weights) <= SMALL_BYTES:
        return
    for folder, entity, files in parts:
        within = sum(size <= PART_BYTES for size in itertools.accumulate(map(_weight, reversed(files[-PART_FILES:]))))
        folder.claims.files[entity] = files[-max(1, within) :]
        folder.unread[entity] = len(files) - len(folder.claims.files[entity])


def _weight(file: LandedFile) -> int:
    return file.size * (PACKED_PARQUET if file.format == "parquet" else 1)


def _referred_to(source: Source) -> Iterator[str]:
    """The entities whose keys stand in others' columns, as `system.entity`."""
    for entity in source.entities:
        for targets in entity.references.values():
            yield from (".".join(placed(target, source.name)) for target in targets)


def _load(
    connection: "duckdb.DuckDBPyConnection",
    folders: Sequence[_Folder],
    configuration: Configuration,
    now: datetime,
    progress: Callable[[str, int, int], None],
) -> None:
    """Load all entities, the largest first, in a few threads."""

    def load(folder: _Folder, entity: Entity) -> None:
        limit, zone = configuration.quarantine_limit, folder.settings.time_zone
        with connection.cursor() as cursor:
            files = folder.claims.files[entity.name]
            folder.reports[entity.name] = load_entity(cursor, folder.source, entity, files, now, limit, zone)

    waiting = [
        (folder, entity)
        for folder in folders
        for entity in folder.source.entities
        if folder.claims.files.get(entity.name)
    ]
    waiting.sort(key=lambda each: -sum(file.size for file in each[0].claims.files[each[1].name]))
    with ThreadPoolExecutor(max_workers=ENTITIES_AT_ONCE) as pool:
        pending = {pool.submit(load, *each): each for each in waiting}
        for done, future in enumerate(as_completed(pending), 1):
            future.result()
            folder, entity = pending[future]
            progress(f"{folder.source.name}.{entity.name}", done, len(pending))


def latest(source: str, entity: Entity) -> str:
    """SQL: the newest version of each record of a raw table, `_file` and `_line`; epochs are timestamps."""
    columns = ", ".join(f"{in_time(entity, name) or quoted(name)} as {quoted(name)}" for name in entity.columns)
    query = f"select {columns}, _file, _line from {quoted(f'raw_{source}', entity.name)}"
    if entity.version is None:
        return query
    keys = ", ".join(quoted(name) for name in entity.key)
    newest = f"{quoted(entity.version)} desc, _loaded_at desc, _file desc, _line desc"
    return f"{query} qualify row_number() over (partition by {keys} order by {newest}) = 1"


def in_time(entity: Entity, column: str) -> str | None:
    """SQL: a column of dates, times or epochs as a timestamp; None for other columns."""
    if base_type(entity.columns[column]) in ("date", "timestamp"):
        return f"{quoted(column)}::timestamp"
    if column in (entity.time, *entity.epochs) and entity.time_unit in PER_SECOND:
        return f"make_timestamp({quoted(column)}::bigint * {1_000_000 // PER_SECOND[entity.time_unit]})"
    return None


def rows_of(connection: "duckdb.DuckDBPyConnection", source: str, entity: str) -> int:
    """How many rows a raw table has."""
    return connection.execute(f"select count(*) from {quoted(f'raw_{source}', entity)}").fetchone()[0]


def _seen(
    connection: "duckdb.DuckDBPyConnection", folder: _Folder, present: Sequence[Source], quarantine_limit: float
) -> SourceSeen:
    source, path = folder.source, folder.settings.folder
    if folder.problem:
        return SourceSeen(source.name, path, folder.problem, (), {}, (), (), (), (), ())
    reports = [(entity, folder.reports[entity.name]) for entity in source.entities if entity.name in folder.reports]
    files = tuple(
        shape
        for entity, report in reports
        for shape in _shapes(connection, source.name, entity, report.files, folder.claims)
    )
    return SourceSeen(
        source.name,
        path,
        "",
        files=files,
        unread={entity: files for entity, files in folder.unread.items() if files},
        rejected=tuple(message for _, report in reports for message in report.rejected),
        put_aside=tuple(_put_aside(connection, source.name)),
        twins=tuple(_twins(connection, source, present)),
        references=tuple(each for each in references(connection, source, present) if each.unmatched),
        unclaimed=(*folder.claims.strays, *(() if folder.settings.only else _not_exports(path, source))),
        stops=tuple(_stops(connection, source, files, quarantine_limit)),
    )


def _shapes(
    connection: "duckdb.DuckDBPyConnection",
    source: str,
    entity: Entity,
    loaded: Sequence[LoadedFile],
    claims: Claims,
) -> Iterator[FilesSeen]:
    """The files of an entity, those with the same columns together."""
    seen = _figures(connection, source, entity) if loaded else {}
    shapes: dict[tuple, list[LoadedFile]] = {}
    for file in loaded:
        shapes.setdefault((tuple(file.columns.items()), _how(claims, file.name)), []).append(file)
    for (columns, how), files in shapes.items():
        used = {name: original for name, original in columns if name in entity.columns}
        remarks = [text for file in files for text in (*file.readings, file.message) if text]
        yield FilesSeen(
            entity.name,
            how,
            tuple(seen[file.name] for file in files),
            used,
            custom=tuple(original for name, original in columns if name not in entity.columns),
            missing=tuple(name for name in entity.columns if name not in used),
            readings=tuple(dict.fromkeys(remarks)),
        )


def _how(claims: Claims, name: str) -> str:
    return claims.notes.get(name, "").rpartition(", ")[2]


def _figures(connection: "duckdb.DuckDBPyConnection", source: str, entity: Entity) -> dict[str, FileSeen]:
    """File → its rows, period and currencies."""
    schema = quoted(f"raw_{source}")
    created = [name for name in entity.columns if name.lower().startswith("creat") and in_time(entity, name)]
    times = [time for name in [*created, *entity.columns] if (time := in_time(entity, name))]
    when = times[0] if times else moment(entity)
    currency = next((name for name in entity.columns if "currency" in name.lower()), None)
    named = f"upper({quoted(currency)})" if currency else "null::varchar"
    known = moment(entity)
    counted = connection.execute(
        f"""
        with loaded as (
            select _file, {named} as currency, count(*) as rows,
                min({when}) as first, max({when}) as last, min({known}) as known, max({known}) as newest
            from {schema}.{quoted(entity.name)} group by all
        ), files as (
            select _file, coalesce(min(first), min(known)) as first, coalesce(max(last), max(newest)) as last,
                map_from_entries(list((currency, rows) order by rows desc, currency) filter (currency is not null))
                    as currencies
            from loaded group by all
        )
        select m.file, m.rows, m.quarantined, coalesce(m.repeated, 0), files.first, files.last, files.currencies
        from {schema}._manifest m left join files on m.file = files._file
        where m.entity = $1 and m.status = 'loaded'
        """,
        [entity.name],
    ).fetchall()
    return {name: FileSeen(name, *figures, currencies or {}) for name, *figures, currencies in counted}


def _put_aside(connection: "duckdb.DuckDBPyConnection", source: str) -> Iterator[PutAside]:
    for row in connection.execute(
        f"""
        with rows as (
            select *, {KIND} as kind from {quoted(f"raw_{source}")}._quarantine
            where line is not null or raw_text is not null
        )
        select entity, kind, count(*), arg_min((file, line, reason), (file, line)) from rows
        group by all order by entity, count(*) desc, kind
        """
    ).fetchall():
        yield PutAside(*row[:3], *row[3].values() if isinstance(row[3], dict) else row[3])


def references(
    connection: "duckdb.DuckDBPyConnection", source: Source, present: Sequence[Source]
) -> Iterator[Reference]:
    """The columns of a source with keys of other records, where records have such keys; `present`: what is loaded."""
    systems = {each.name: each for each in present}
    for entity in source.entities:
        places = {column: [placed(to, source.name) for to in targets] for column, targets in entity.references.items()}
        tables = {
            column: [(systems[system], name) for system, name in at]
            for column, at in places.items()
            if all(system in systems for system, _ in at)
        }
        if not tables or not rows_of(connection, source.name, entity.name):
            continue
        # Several keys of one field stand with `;` between, the main one first.
        values = {column: f"trim(split_part({quoted(column)}::varchar, ';', 1))" for column in tables}
        named = ", ".join(f"{value} as v{n}" for n, value in enumerate(values.values()))
        counts = " union all ".join(
            f"""
            select {n} as n, coalesce(sum(records), 0), coalesce(sum(records) filter (known.value is null), 0),
                min(referring.value) filter (known.value is null)
            from (select v{n} as value, count(*) as records from newest where v{n} <> '' group by 1) referring
            left join ({" union ".join(_keys_of(*at) for at in of)}) known on referring.value = known.value
            """
            for n, of in enumerate(tables.values())
        )
        newest = f"with newest as materialized (select {named} from ({latest(source.name, entity)}))"
        found = connection.execute(f"{newest} {counts} order by n").fetchall()
        for (column, of), (_, records, unmatched, example) in zip(tables.items(), found, strict=True):
            if records:
                targets, file, line = entity.references[column], None, None
                absent = tuple(
                    target
                    for target, (system, name) in zip(targets, of, strict=True)
                    if not rows_of(connection, system.name, name)
                )
                if unmatched:
                    place = f"select _file, _line from ({latest(source.name, entity)}) where {values[column]} = $1"
                    file, line = connection.execute(f"{place} order by all limit 1", [example]).fetchone()
                yield Reference(entity.name, column, targets, absent, records, unmatched, example, file, line)


def _keys_of(source: Source, entity: str) -> str:
    """SQL: the keys of an entity's records as `value`, a text."""
    return f"select {quoted(_key(source, entity))}::varchar as value from {quoted(f'raw_{source.name}', entity)}"


def _twins(connection: "duckdb.DuckDBPyConnection", source: Source, present: Sequence[Source]) -> Iterator[Twins]:
    """Deals of a source that stand in one of those that come before it, too."""
    for entity in source.entities:
        for other in present[: [each.name for each in present].index(source.name)]:
            for theirs in other.entities:
                if entity.deal and theirs.deal:
                    deals, amount, name = connection.execute(
                        f"""
                        with ours as ({_deals(source, entity)}), theirs as ({_deals(other, theirs)}),
                        twins as (
                            select distinct ours.* from ours join theirs on ours.amount = theirs.amount
                            where ours.name = theirs.name or ours.date = theirs.date and ours.company = theirs.company
                        )
                        select count(*), sum(amount), arg_max(name, amount) from twins
                        """
                    ).fetchone()
                    if deals:
                        yield Twins(entity.name, f"{other.name}.{theirs.name}", deals, amount, name or "")


def _deals(source: Source, entity: Entity) -> str:
    """SQL: key, name, amount, close date and company's name of the deals that an entity has, in one form."""
    name, amount, day, company = (quoted(entity.deal[part]) for part in ("name", "amount", "date", "company"))
    (target,) = entity.references[entity.deal["company"]]
    companies = next(each for each in source.entities if each.name == target)
    called = quoted(next(column for column in companies.columns if column.lower() == "name"))
    return f"""
        select deals.{quoted(entity.key[0])} as key, nullif(lower(trim(deals.{name})), '') as name,
            round(deals.{amount}, 2) as amount, deals.{day}::date as date,
            nullif(lower(trim(companies.called)), '') as company
        from (select * from ({latest(source.name, entity)}) where {amount} <> 0) deals
        left join (select {quoted(companies.key[0])} as key, {called} as called
            from ({latest(source.name, companies)})) companies
            on trim(split_part(deals.{company}, ';', 1)) = companies.key
    """


def _key(source: Source, entity: str) -> str:
    return next(each.key[0] for each in source.entities if each.name == entity)


def _not_exports(folder: Path, source: Source) -> Iterator[str]:
    """Loose files of an ending that is not read: a run passes over them."""
    endings = ", ".join(sorted({ending.removeprefix(".") for ending in FORMATS}))
    for path in sorted(folder.iterdir()):
        if path.is_file() and not is_left_alone(path) and format_of(path) is None:
            hint = did_you_mean(path.stem, [entity.name for entity in source.entities])
            yield f"{printable(path)} is not read: its ending is none of {endings}.{hint}"


def _stops(
    connection: "duckdb.DuckDBPyConnection", source: Source, files: Sequence[FilesSeen], limit: float
) -> Iterator[str]:
    for entity in source.entities:
        read = [file for some in files if some.entity == entity.name for file in some.files]
        if sum(file.put_aside for file in read) <= limit * sum(file.rows for file in read):
            continue  # without the rows that the contract leaves out, the share is smaller still
        share = quarantined_share(last_load(connection, f"raw_{source.name}", entity.name)[1])
        if share > limit:
            yield (
                f"{source.name}.{entity.name}: {share:.1%} of the rows are put aside; a run stops above {limit:.0%}"
                " (quarantine_limit in sources.yaml)"
            )
