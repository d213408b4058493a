"""A new file beside the old release, and the moment in which it takes its place."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import connect
from pipelines.locking import run_lock
from pipelines.publishing.kept_releases import (
    LastRelease,
    finish_copies,
    keep_copy,
    remove_outdated,
    sync,
)
from pipelines.publishing.states import NoSpaceLeftError, Release

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Place:
    """The files of a release that is being built."""

    published: Path
    releases_dir: Path
    draft: Path


@contextmanager
def new_draft(published: Path, releases_dir: Path, owner: str) -> Iterator[Place]:
    """
    A draft file beside the published one; it is removed in any case, and so are drafts of killed runs.

    Holds a lock: of two publishes at once, one would lose the other's rows of history.
    """
    import duckdb

    published.parent.mkdir(parents=True, exist_ok=True)
    releases_dir.mkdir(parents=True, exist_ok=True)
    place = Place(published, releases_dir, published.with_name(f"{published.stem}.{os.getpid()}.draft.duckdb"))
    with run_lock(published.with_suffix(".lock"), owner):
        _remove_drafts(published)
        finish_copies(published, releases_dir)
        try:
            yield place
        except (duckdb.Error, OSError) as problem:
            if not is_full(problem):
                raise
            reached = sum(path.stat().st_size for path in _drafts(published))
            last = published.stat().st_size if published.exists() else 0
            _remove_drafts(published)
            free = shutil.disk_usage(published.parent).free
            needed = max(2 * max(reached, last), free)  # the release, and the copy to keep
            raise NoSpaceLeftError(
                f"The disk of {published.parent} is too full for a release: {_mib(free)} are free,"
                f" more than {_mib(needed)} are needed. The last release stays published;"
                " free some space and run again."
            ) from problem
        finally:
            _remove_drafts(published)


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def _drafts(published: Path) -> list[Path]:
    """Drafts, with DuckDB's log and spill folder beside them."""
    return list(published.parent.glob(f"{published.stem}.*.draft.duckdb*"))


def _remove_drafts(published: Path) -> None:
    for leftover in _drafts(published):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def is_full(problem: Exception) -> bool:
    """Whether an error says that the disk is full."""
    return getattr(problem, "errno", None) in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT) or any(
        words in str(problem) for words in ("No space left", "File too large", "Disk quota", "not enough space")
    )


@contextmanager
def opened(path: Path, read_only: bool = False) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A release's file; what was written is on the disk when it is left, or `duckdb.IOException` is raised."""
    with connect(path, read_only=read_only, memory_limit="1GB") as connection:
        yield connection
        if not read_only:
            # Closing also writes the log into the file, but raises nothing if the disk is full.
            connection.execute("force checkpoint")


def fallback_in_words(place: Place, last: LastRelease, release_id: str) -> str:
    """Why the history does not come from the published file, and where that file is moved to."""
    aside = _aside(place, last, release_id)
    return f"{last.note}; what was there is kept as {aside.name}" if aside else last.note


def _aside(place: Place, last: LastRelease, release_id: str) -> Path | None:
    """Where an unreadable published file is moved: if there is no copy of it, or it is a folder."""
    published = place.published
    if last.problem and published.exists() and (last.path is None or published.is_dir()):
        return published.with_name(f"{published.stem}.unreadable-{release_id}{published.suffix}")
    return None


def swap_in(place: Place, release: Release, last: LastRelease, keep: int) -> None:
    """
    Put the draft in the published file's place, and keep a copy of it.

    The copy (named `.part`) and its checksum are on disk before the swap. So after a kill at any moment the published
    file has a checksum on record, and every kept release was published.
    """
    if place.draft.with_name(f"{place.draft.name}.wal").exists():
        raise OSError(errno.ENOSPC, "No space left: the draft's log could not be written into it", str(place.draft))
    place.draft.chmod(0o400)
    sync(place.draft)
    part = keep_copy(place.draft, place.releases_dir, release.release_id)
    aside = _aside(place, last, release.release_id)
    if aside is not None and place.published.is_dir():
        place.published.rename(aside)
    elif aside is not None:
        os.link(place.published, aside)
    os.replace(place.draft, place.published)
    sync(place.published.parent)
    part.rename(part.with_suffix(""))
    remove_outdated(place.releases_dir, keep)
    sync(place.releases_dir)
