"""Landing files into raw tables with DuckDB's own readers: incremental, checked against the contract, nothing lost."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import literal, quoted
from pipelines.extraction.as_of import write_as_of
from pipelines.extraction.checking import LEFT_OUT
from pipelines.extraction.configuration import DEFAULT_QUARANTINE_LIMIT, Configuration, Limits
from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.files import (
    LandedFile,
    folder_problem,
)
from pipelines.extraction.loading.due import fresh_files, gone_files, held_against
from pipelines.extraction.loading.exports import note_first_export, note_latest, note_vanished
from pipelines.extraction.loading.manifest import (
    ACCOUNTED,
    REASON_KIND,
    delete_entries,
    require_clock,
    take_back_columns,
    take_out_rows,
    transaction,
)
from pipelines.extraction.loading.reading import stage
from pipelines.extraction.loading.schema_changes import follow_schema, note_original_names, prepare_schema
from pipelines.extraction.loading.state import (
    CannotLoad,
    Fresh,
    Load,
    LoadedFile,
    LoadReport,
    NothingLoaded,
    Rejected,
    Staged,
    first_line,
    naive,
)
from pipelines.extraction.loading.versions import insert_rows
from pipelines.extraction.loading.words import unknown_words
from pipelines.extraction.recognition import find_files
from pipelines.extraction.scratch import scratch_folder

if TYPE_CHECKING:
    import duckdb


ENTITIES_AT_ONCE = 2
ASK_THE_USER = "in sources.yaml"
"""In the reason of a row that is put aside until the user says how its column is to be read."""


def load_all(
    connection: "duckdb.DuckDBPyConnection", sources: Iterable[Source], configuration: Configuration, now: datetime
) -> list[LoadReport]:
    """Load every source that the configuration lists, then write `raw_scorecast.as_of`."""
    present = [source for source in sources if source.name in configuration.sources]
    reports = [report for source in present for report in load_configured(connection, source, configuration, now)]
    write_as_of(connection, present, configuration.as_of, now, configuration.money)
    return reports


def load_configured(
    connection: "duckdb.DuckDBPyConnection",
    source: Source,
    configuration: Configuration,
    now: datetime,
    entities: Iterable[str] | None = None,
) -> list[LoadReport]:
    """Load a source that the configuration lists as it says; as `load_source`."""
    settings = configuration.sources[source.name]
    return load_source(
        connection,
        configuration.mapped(source),
        settings.folder,
        now,
        entities,
        configuration.quarantine_limit,
        configuration.limits,
        settings.time_zone,
    )


def load_source(
    connection: "duckdb.DuckDBPyConnection",
    source: Source,
    folder: Path,
    now: datetime,
    entities: Iterable[str] | None = None,
    quarantine_limit: float = DEFAULT_QUARANTINE_LIMIT,
    limits: Limits | None = None,
    time_zone: str | None = None,
) -> list[LoadReport]:
    """
    Load what is new in a source's folder into `raw_<source>`; one transaction an entity, one report an entity.

    Only new or changed files are read; a changed file replaces its former rows. Rows that break the contract, and files
    that cannot be read, go to `raw_<source>._quarantine`. A missing folder is reported and raises nothing. A file that
    is no longer there keeps its rows, unless it could not be read or had more than `quarantine_limit` of its rows in
    quarantine, so that the gate stopped the run: then it is as if it had never been there. `time_zone`: IANA name of
    the zone of times that are written without one; None: UTC.

    Raises `ClockSetBack` before anything is touched when something was loaded after `now`, and `CannotLoad` when
    memory, disk or the count of the rows stop a load; what was loaded before stays.
    """
    require_clock(connection, naive(now))
    wanted = set(entities) if entities is not None else {entity.name for entity in source.entities}
    chosen = [entity for entity in source.entities if entity.name in wanted]
    prepare_schema(connection, source)
    if problem := folder_problem(folder):
        message = (
            f"{source.name}: the folder {folder} {problem}. What was loaded before stays. Put the exports there, "
            f"correct `sources: {source.name}:` in sources.yaml, or remove the line if there is no such system."
        )
        return [_report(connection, source, entity, "missing", message) for entity in chosen]
    claims = find_files(folder, source.entities, limits)
    reports = _load_side_by_side(connection, source, chosen, claims.files, now, quarantine_limit, time_zone)
    if claims.strays and reports:
        message = " ".join([reports[0].message, *claims.strays])
        reports[0] = replace(reports[0], message=message, strays=tuple(claims.strays))
    return reports


def _load_side_by_side(
    connection: "duckdb.DuckDBPyConnection",
    source: Source,
    entities: Sequence[Entity],
    files: Mapping[str, Sequence[LandedFile]],
    now: datetime,
    quarantine_limit: float,
    time_zone: str | None,
) -> list[LoadReport]:
    """Load entities in a few threads, largest first: small files keep one core busy at most."""

    def load(entity: Entity) -> LoadReport:
        with connection.cursor() as cursor:
            return load_entity(cursor, source, entity, files[entity.name], now, quarantine_limit, time_zone)

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


def put_aside_files(connection: "duckdb.DuckDBPyConnection", source: str, entity: str) -> list[str]:
    """Files of which no row could be loaded, or of which the user has to say how to read them: one message a file."""
    schema = quoted(f"raw_{source}")
    return [
        f"{source}/{file}: {'all' if aside == rows else f'{aside:,} of'} {rows:,} rows are put aside. {reason}"
        for file, rows, aside, reason in connection.execute(
            f"""
            with counted as (
                select file, reason, count(*) over (partition by file, kind) as times,
                    bool_or(contains(reason, {literal(ASK_THE_USER)})) over (partition by file) as is_asked,
                    contains(reason, {literal(ASK_THE_USER)}) as asks, line
                from (
                    select *, {REASON_KIND} as kind from {schema}._quarantine
                    where entity = $1 and raw_text is not null
                )
            )
            select m.file, m.rows, m.quarantined, c.reason
            from {schema}._manifest m join counted c on m.file = c.file
            where m.entity = $1 and (c.is_asked or m.quarantined = m.rows)
            qualify row_number() over (partition by m.file order by c.asks desc, c.times desc, c.line) = 1
            order by m.file
            """,
            [entity],
        ).fetchall()
    ]


def require_rows(
    connection: "duckdb.DuckDBPyConnection", sources: Iterable[Source], folders: Mapping[str, Path]
) -> None:
    """Raise `NothingLoaded`, with the reason of each source, when no raw table has a row; `folders`: by source."""
    reasons = []
    for source in sources:
        prepare_schema(connection, source)
        schema, names = quoted(f"raw_{source.name}"), [entity.name for entity in source.entities]
        if any(connection.execute(f"select 1 from {schema}.{quoted(name)} limit 1").fetchone() for name in names):
            return
        rows, refused = connection.execute(
            f"select coalesce(sum(rows), 0), count(*) filter (where status = 'rejected') from {schema}._manifest"
        ).fetchone()
        folder = folders[source.name]
        found = f"no file in {folder} is one of {', '.join(names)}"
        if problem := folder_problem(folder):
            found = f"{folder} {problem}"
        elif rows or refused:
            found = (
                f"all {rows:,} rows of its files are put aside" if rows else f"none of its {refused:,} files is read"
            )
        reasons.append(f"{source.name}: {found}")
    raise NothingLoaded(
        f"Nothing is loaded, so there is nothing to score. {'; '.join(reasons) or 'No system is listed'}. Correct"
        " `sources:` in sources.yaml or what lies in the folders, and run again."
    )


def load_entity(
    connection: "duckdb.DuckDBPyConnection",
    source: Source,
    entity: Entity,
    files: Sequence[LandedFile],
    now: datetime,
    quarantine_limit: float = DEFAULT_QUARANTINE_LIMIT,
    time_zone: str | None = None,
) -> LoadReport:
    """Load the new and changed ones of an entity's files, all or nothing; the schema must be prepared."""
    started = time.monotonic()
    connection.execute("set python_enable_replacements = false")
    connection.execute("set TimeZone = 'UTC'")
    now = naive(now)
    table = f"{quoted(f'raw_{source.name}')}.{quoted(entity.name)}"
    load = Load(connection, source, entity, table, now, time_zone)
    gone, former = gone_files(load, files, quarantine_limit)
    with (
        _shortage_told(f"{source.name}.{entity.name}"),
        scratch_folder(_folder_of(connection)) as scratch,
    ):
        fresh, touched = fresh_files(load, files, gone)
        staged, rejected = stage(load, fresh, scratch)
        try:
            with transaction(connection):
                changes, quarantined, notices = apply(load, staged, rejected, touched, gone, former)
        finally:
            for part in staged:
                for name in [part.table, *(column.meanings for column in part.columns if column.meanings)]:
                    connection.execute(f"drop table if exists {name}")
    new_rows = sum(_loaded(item) for item in fresh)
    repeated, changed = sum(item.repeated for item in fresh), sum(item.changed for item in fresh)
    status = "rejected" if rejected else "loaded" if fresh else "unchanged" if files else "empty"
    summary = {
        "loaded": f"{new_rows} new rows from {len(fresh)} files",
        "unchanged": "no new files",
        "empty": f"no files: {source.name}/{entity.name} has no export yet",
        "rejected": f"{new_rows} new rows from {len(fresh)} files; {len(rejected)} files could not be read",
    }[status]
    details = [f"{repeated} rows repeated"] if repeated else []
    details += [f"{changed} of the new rows replaced others"] if changed else []
    details += [f"{item.file.name}: {item.message}" for item in fresh if item.message]
    details += [f"{item.file.name}: {', '.join(item.readings)}" for item in fresh if item.readings]
    details += [f"{name} is gone: it is as if it had never been there" for name in sorted(gone)]
    details += [f"what stood back in {name} does not come back: it is gone, too" for name in sorted(load.behind)]
    return _report(
        connection,
        source,
        entity,
        status,
        "; ".join([summary, *details]),
        new_files=len(fresh) + len(rejected),
        unchanged_files=len(files) - len(fresh) - len(rejected),
        new_rows=new_rows,
        quarantined=quarantined,
        repeated=repeated,
        changed=changed,
        rejected=tuple(item.message for item in rejected),
        schema_changes=tuple(changes),
        notices=tuple(f"{source.name}.{entity.name}: {notice}" for notice in notices),
        files=tuple(
            LoadedFile(
                item.file.name, dict(zip(item.names, item.columns, strict=True)), tuple(item.readings), item.message
            )
            for item in fresh
        ),
        seconds=time.monotonic() - started,
    )


def apply(
    load: Load,
    staged: list[Staged],
    rejected: list[Rejected],
    touched: list[LandedFile],
    gone: Collection[str],
    former: Collection[str],
) -> tuple[list[str], int, list[str]]:
    """
    Write what was read, inside the caller's transaction.

    Returns schema changes, how much was put aside, and what is to be told once.

    `gone` and `former`: the two kinds of `gone_files`.
    """
    fresh = [item for part in staged for item in part.files.values()]
    fresh.sort(key=lambda item: load.positions[item.file.name])
    before = _unaccounted(load)
    if gone:
        take_back_columns(load.connection, load.schema_name, load.entity, gone)
    for table in ("_manifest", "_schema_changes"):
        delete_entries(load.connection, load.schema_name, table, load.entity.name, gone)
    notes = follow_schema(load, staged, fresh)
    _let_former_be(load, former)
    replaced = [item.file.name for item in fresh] + [item.fresh.file.name for item in rejected]
    again = {item.file.name for item in fresh if item.known}
    take_out_rows(load.connection, load.schema_name, load.entity.name, again | set(gone))
    _keep_former(load, rejected)
    put_aside: list[tuple] = []
    note_latest(load, staged)
    for part in staged:
        insert_rows(load, part, put_aside)
    for item in fresh:
        put_aside += [(item.file.name, line, reason, text) for line, reason, text in item.broken]
        item.quarantined += len(item.broken)
    put_aside += [(item.fresh.file.name, None, item.message, None) for item in rejected]
    note_original_names(load, fresh)
    _write_quarantine(load, put_aside)
    delete_entries(load.connection, load.schema_name, "_manifest", load.entity.name, replaced)
    told_once = (note_vanished(load, staged, is_whole=not rejected), _left_out(put_aside), *unknown_words(load))
    notices = [notice for notice in told_once if notice]
    _write_manifest(load, fresh, rejected, touched)
    if fresh or gone:
        note_first_export(load)
    if (lost := before - _unaccounted(load)) != 0:
        raise CannotLoad(
            f"{load.source.name}.{load.entity.name}: {abs(lost)} rows too {'few' if lost > 0 else 'many'} of"
            f" {', '.join(replaced)}: loaded, put aside, known and replaced ones are not the rows of the files."
            " Nothing of it was loaded. That is a fault of the loader: move the newest file away, and report it."
        )
    return notes, len(put_aside), notices


def _left_out(put_aside: Sequence[tuple[str, int | None, str, str | None]]) -> str:
    """What to tell of rows that the contract leaves out; empty where there are none."""
    found = Counter(reason.split(LEFT_OUT)[0].split("; ")[-1] for _, _, reason, _ in put_aside if LEFT_OUT in reason)
    return "; ".join(f"{rows:,} rows are {what}{LEFT_OUT}" for what, rows in found.items()) + ("." if found else "")


def _write_quarantine(load: Load, put_aside: Sequence[tuple[str, int | None, str, str | None]]) -> None:
    """Rows (file, line, reason, raw text) that are not loaded; files that cannot be read have no line."""
    files, lines, reasons, texts = zip(*put_aside, strict=True) if put_aside else ((), (), (), ())
    load.append(
        "_quarantine",
        {
            "entity": [load.entity.name] * len(put_aside),
            "file": list(files),
            "line": list(lines),
            "reason": list(reasons),
            "raw_text": list(texts),
            "loaded_at": [load.now] * len(put_aside),
        },
    )


def _write_manifest(
    load: Load, fresh: Sequence[Fresh], rejected: Sequence[Rejected], touched: Sequence[LandedFile]
) -> None:
    """One row for each file that was read or could not be; of a file that was only touched, its new time."""
    entries = [(item, "loaded", item.message) for item in fresh]
    entries += [(item.fresh, "rejected", item.message) for item in rejected]
    items = [item for item, _, _ in entries]
    load.append(
        "_manifest",
        {
            "entity": [load.entity.name] * len(entries),
            "file": [item.file.name for item in items],
            "size": [item.file.size for item in items],
            "modified_ns": [item.file.modified_ns for item in items],
            "checksum": [item.checksum for item in items],
            "contract": [held_against(load, status) for _, status, _ in entries],
            "rows": [item.rows for item in items],
            "quarantined": [item.quarantined for item in items],
            "status": [status for _, status, _ in entries],
            "message": [_manifest_message(item, status, message) for item, status, message in entries],
            "loaded_at": [item.loaded_at or load.now for item in items],
            "repeated": [item.repeated for item in items],
            "changed": [item.changed for item in items],
            "first_loaded_at": [load.first_loaded[item.file.name] for item in items],
            "judge_again_at": [item.judge_again_at for item in items],
            "latest": [item.latest for item in items],
        },
    )
    for file in touched:
        load.connection.execute(
            f"update {load.schema}._manifest set modified_ns = ? where entity = ? and file = ?",
            [file.modified_ns, load.entity.name, file.name],
        )


def _let_former_be(load: Load, names: Collection[str]) -> None:
    """A new version that could not be read is gone: the rows of the former one are all there is to it."""
    if not names:
        return
    where = f"entity = {literal(load.entity.name)} and file in (select unnest({literal(sorted(names))}))"
    load.connection.execute(f"update {load.schema}._manifest set status = 'loaded', message = null where {where}")
    load.connection.execute(
        f"delete from {load.schema}._quarantine where {where} and line is null and raw_text is null"
    )


def _unaccounted(load: Load) -> int:
    """How many rows the raw table has beyond those that the manifest accounts for."""
    return load.rows(
        f"select (select count(*) from {load.table}) - coalesce(sum({ACCOUNTED}), 0)::bigint"
        f" from {load.schema}._manifest where entity = {literal(load.entity.name)}"
    )[0][0]


def _keep_former(load: Load, rejected: list[Rejected]) -> None:
    """A file whose new version cannot be read keeps the rows of its former one, and says so."""
    for item in rejected:
        name = item.fresh.file.name
        item.fresh.rows = 0
        if not item.fresh.known:
            continue
        before = load.rows(
            f"select rows, quarantined, coalesce(repeated, 0), coalesce(changed, 0), loaded_at"
            f" from {load.schema}._manifest where entity = {literal(load.entity.name)} and file = {literal(name)}"
        )
        kept = before[0]
        item.fresh.rows, item.fresh.quarantined, item.fresh.repeated, item.fresh.changed, loaded_at = kept
        if item.fresh.rows:
            item.fresh.loaded_at = loaded_at
            item.message += f" The {_loaded(item.fresh)} rows of its former version stay."
        load.connection.execute(
            f"delete from {load.schema}._quarantine where entity = {literal(load.entity.name)}"
            f" and file = {literal(name)} and line is null and raw_text is null"
        )


@contextmanager
def _shortage_told(what: str) -> Iterator[None]:
    """Memory or a disk that fails stops the load in one line; nothing is recorded, so that the next run tries again."""
    import duckdb

    try:
        yield
    except (OSError, MemoryError, duckdb.OutOfMemoryException, duckdb.IOException) as problem:
        raise CannotLoad(
            f"{what}: {first_line(problem)}. Nothing of it was loaded or recorded: make room, and run again."
        ) from None


def _folder_of(connection: "duckdb.DuckDBPyConnection") -> Path | None:
    """The folder that the database's file is in; None for one in memory."""
    (path,) = connection.execute(
        "select path from duckdb_databases() where database_name = current_database()"
    ).fetchone()
    return Path(path).parent if path else None


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


def _loaded(item: Fresh) -> int:
    return item.rows - item.quarantined - item.repeated


def _manifest_message(item: Fresh, status: str, message: str) -> str | None:
    if status == "rejected":
        return message
    parts = [f"{item.quarantined} of {item.rows} rows are in quarantine"] if item.quarantined else []
    return "; ".join([*parts, *([message] if message else []), *item.readings]) or None
