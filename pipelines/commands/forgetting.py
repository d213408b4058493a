"""Take back what was loaded: a file, a source, or everything since a time, as if it had never been there."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import connect, literal, quoted
from pipelines.extraction.loading.manifest import ACCOUNTED, raw_schemas, take_back, transaction
from pipelines.locking import run_lock
from pipelines.settings import data_dir, warehouse_path
from pipelines.spelling import did_you_mean

if TYPE_CHECKING:
    import duckdb

    from pipelines.extraction.contracts import Entity

WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Loaded:
    """A file in the manifest, of any status."""

    source: str
    entity: str
    file: str
    """Path below the source's folder."""
    rows: int
    """Rows of the raw table that come from it."""
    loaded_at: datetime
    first_loaded_at: datetime
    """When it was first loaded, with whatever content."""

    @property
    def name(self) -> str:
        """`<source>/<path below its folder>`."""
        return f"{self.source}/{self.file}"


def forget(
    names: Sequence[str],
    since: datetime | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[str]:
    """
    Forget files and sources by name, and everything loaded at or after `since` (UTC); returns lines about it.

    Deletes their rows and their entries in quarantine, manifest and repeats. Files whose rows were skipped as repeats
    of the forgotten ones are read again by the next run, and incremental tables are built anew. The models in use that
    were fitted while the rows were there are withdrawn: the next run fits them anew, and where that fit is refused
    nothing is left that has learnt from the rows. `say` is called with the lock's holder while waiting.
    Raises `LookupError` for an unknown name, and `LockTimeoutError` while a run is going on.
    """
    from assets.sources import all_sources
    from pipelines.extraction.configuration import read_configuration
    from pipelines.registry.store import demote
    from pipelines.registry.versions import models_fitted_since, record_withdrawal
    from pipelines.transformation.building import ask_full_refresh

    if not warehouse_path().exists():
        raise LookupError(f"Nothing is loaded yet: {warehouse_path()} is not there.")
    folders = read_configuration().folders
    contracts = {(source.name, entity.name): entity for source in all_sources() for entity in source.entities}
    lock = data_dir() / "warehouse.lock"
    with (
        run_lock(lock, "scorecast forget", timeout=WAIT_SECONDS, on_wait=lambda holder: say(f"Waiting for {holder}.")),
        connect(warehouse_path()) as connection,
    ):
        loaded = loaded_files(connection)
        sources = {schema.removeprefix("raw_") for schema in raw_schemas(connection)}
        whole = {name for name in names if name in sources}
        chosen = [file for name in names if name not in whole for file in named(name, loaded, sources, folders)]
        chosen += [file for file in loaded if since is not None and file.loaded_at >= since]
        chosen = sorted({file for file in chosen if file.source not in whole}, key=lambda file: file.name)
        if not chosen and not whole:
            return ["Nothing was loaded since then."]
        ask_full_refresh()
        since_when = [file.first_loaded_at for file in loaded if file.rows and (file in chosen or file.source in whole)]
        fitted = models_fitted_since(min(since_when)) if since_when else {}
        with transaction(connection):
            waiting = _forget(connection, chosen, whole, contracts)
            for name, version in fitted.items():
                reason = f"Withdrawn: {version} was fitted while rows were there that are forgotten."
                record_withdrawal(connection, name, version, reason, datetime.now(UTC))
        for name in fitted:
            demote(name)
    there = [file for file in waiting if _is_there(_path(file, folders))]
    gone = [file.name for file in waiting if file not in there]
    return [
        *[_told_source(source, [file for file in loaded if file.source == source]) for source in sorted(whole)],
        *[_told_file(file, _path(file, folders)) for file in chosen],
        *[f"The next run reads {file.name} again: its rows stood back." for file in there],
        *[f"What stood back in {name} does not come back: the file is no longer there." for name in gone],
        *_told_models(fitted),
    ]


def loaded_files(connection: "duckdb.DuckDBPyConnection") -> list[Loaded]:
    """Every file in the manifests, by source and name."""
    found = []
    for schema in raw_schemas(connection):
        for row in connection.execute(
            f"select entity, file, {ACCOUNTED}, loaded_at, coalesce(first_loaded_at, loaded_at)"
            f" from {quoted(schema)}._manifest order by file"
        ).fetchall():
            found.append(Loaded(schema.removeprefix("raw_"), *row))
    return found


def named(name: str, loaded: Sequence[Loaded], sources: set[str], folders: Mapping[str, Path]) -> list[Loaded]:
    """
    The file of that name: `<source>/<file>`, its path, or its path below the source's folder if that is unambiguous.

    Raises `LookupError` if there is none, or several.
    """
    path = Path(name).expanduser().resolve()
    found = [file for file in loaded if name == file.name or path == _path(file, folders)]
    found = found or [file for file in loaded if name == file.file]
    if len(found) == 1:
        return found
    if found:
        raise LookupError(
            f"Several files are called {name}: {', '.join(file.name for file in found)}. Name one of them."
        )
    hint = did_you_mean(name, [*sources, *(file.file for file in loaded), *(file.name for file in loaded)])
    raise LookupError(
        f"Nothing that was loaded is called '{name}'.{hint} Sources: {', '.join(sorted(sources)) or 'none'}; a file is"
        ' called as in `scorecast sql --warehouse "select file from raw_<source>._manifest"`.'
    )


def _forget(
    connection: "duckdb.DuckDBPyConnection",
    chosen: Sequence[Loaded],
    whole: set[str],
    contracts: "Mapping[tuple[str, str], Entity]",
) -> list[Loaded]:
    """Delete files and whole sources within the caller's transaction; returns the files to read again."""
    for source in whole:
        connection.execute(f"drop schema {quoted(f'raw_{source}')} cascade")
    by_entity: dict[tuple[str, str], list[str]] = defaultdict(list)
    for file in chosen:
        by_entity[file.source, file.entity].append(file.file)
    again = []
    for (source, entity), files in by_entity.items():
        schema = f"raw_{source}"
        waiting = sorted(take_back(connection, schema, contracts.get((source, entity), entity), files))
        connection.execute(
            f"update {quoted(schema)}._manifest set contract = null"
            f" where entity = ? and file in (select unnest({literal(waiting)}::varchar[]))",
            [entity],
        )
        again += [
            file
            for file in loaded_files(connection)
            if (file.source, file.entity) == (source, entity) and file.file in waiting
        ]
    return again


def _path(file: Loaded, folders: Mapping[str, Path]) -> Path | None:
    """Where a file lies; None when its source is no longer configured."""
    return folders[file.source] / file.file if file.source in folders else None


def _is_there(path: Path | None) -> bool:
    return path is not None and path.exists()


def _told_source(source: str, files: Sequence[Loaded]) -> str:
    return f"Forgot {source}: {sum(file.rows for file in files):,} rows of {len(files):,} files."


def _told_file(file: Loaded, path: Path | None) -> str:
    there = (
        f" It is still there ({path}): the next run loads it anew unless you move it away." if _is_there(path) else ""
    )
    return f"Forgot {file.name}: {file.rows:,} rows.{there}"


def _told_models(fitted: Mapping[str, str]) -> list[str]:
    """What becomes of models in use that have learnt from rows that are forgotten; `fitted`: model to version."""
    if not fitted:
        return []
    name, version = next(iter(fitted.items()))
    return [
        f"Fitted while those rows were there, so withdrawn: {', '.join(fitted.values())}. The next run fits them anew;"
        f" a model whose fit is refused scores nobody. Back to one: scorecast rollback --model {name} --to {version}"
    ]
