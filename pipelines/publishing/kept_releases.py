"""
Where the last release is: `published.duckdb` or, if that file cannot be read, the newest readable copy.

Every release is kept as a copy in `releases/`, with its SHA-256 beside it (`<release>.duckdb.sha256`, as `sha256sum -c`
reads it). The published file has the same bytes as its copy, so one checksum file covers both and only one file has to
be swapped in.
"""

import errno
import fcntl
import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from pipelines.database import connect, quoted

FICLONE = 0x40049409
"""The ioctl that makes a copy-on-write clone, on file systems that support it."""
CHECKSUM = ".sha256"
PART = ".part"
"""Suffix of a copy whose release is not published yet."""


class ReleaseUnusable(Exception):
    """A release's file cannot be used; the message completes a sentence that begins with the file's name."""


@dataclass(frozen=True)
class LastRelease:
    """The file of the last release, and what is wrong with newer ones."""

    path: Path | None
    """The published file or a kept copy; None if none exists or none can be read."""
    problem: str = ""
    """What is wrong with the published file and with copies newer than `path`; empty if nothing is."""

    @property
    def note(self) -> str:
        """The consequence in one line without a full stop; empty if nothing is wrong."""
        if not self.problem:
            return ""
        if self.path is None:
            return f"{self.problem}; no kept release can be read either, so a new history begins"
        return f"{self.problem}; the kept release {self.path.stem} takes its place"


def last_release(published: Path, releases_dir: Path | None = None) -> LastRelease:
    """
    The file of the last release: `published`, or the newest kept copy if `published` is damaged, gone or older.

    `releases_dir`: the folder of copies; default: `releases` beside `published`. Raises `OSError` for errors other than
    damage (no permission, too many open files) and `duckdb.Error` while another process writes a file.
    """
    releases_dir = releases_dir or published.with_name("releases")
    kept, problems, current = kept_releases(releases_dir), [], None
    try:
        current = check_release(published, releases_dir)
    except ReleaseUnusable as problem:
        problems.append(f"{published.name} {problem}")
    for path in reversed(kept):
        if current is not None and path.stem <= current:
            break
        try:
            release_id = check_release(path, releases_dir)
        except ReleaseUnusable as problem:
            problems.append(f"{releases_dir.name}/{path.name} {problem}")
            continue
        if current is not None and release_id <= current:
            continue
        if current is not None:  # an older release was put there by hand: its history ends too early
            problems.insert(0, f"{published.name} is the older release {current}")
        return LastRelease(path, "; ".join(problems))
    if current is not None:
        return LastRelease(published)
    return LastRelease(None, "; ".join(problems) if kept or published.exists() else "")


def kept_releases(releases_dir: Path) -> list[Path]:
    """Files of the kept releases, the oldest first."""
    return _files(releases_dir, ".duckdb")


def check_release(path: Path, releases_dir: Path) -> str:
    """
    The id of the release in an undamaged file; raises `ReleaseUnusable` for any other.

    A file is undamaged if its checksum is on record. If none is on record for its release (older versions wrote none),
    every table is read, because DuckDB keeps a checksum of each block. Other errors are raised as in `last_release`.
    """
    if not path.exists():
        raise ReleaseUnusable("is not there")
    if not path.is_file():
        raise ReleaseUnusable("is not a file")
    try:
        digest = _digest(path)
        for checksum in _files(releases_dir, CHECKSUM):
            if _recorded(checksum) == digest:
                return Path(checksum.stem).stem
        release_id = _read_whole(path)
        recorded = _recorded(releases_dir / f"{release_id}.duckdb{CHECKSUM}")
        # Read once more: another release may have been swapped in meanwhile.
        if recorded not in (None, _digest(path)):
            raise ReleaseUnusable("was changed after it was published")
    except FileNotFoundError:
        raise ReleaseUnusable("is not there") from None
    except OSError as problem:
        if problem.errno != errno.EIO:
            raise
        raise ReleaseUnusable(f"cannot be read ({problem.strerror})") from problem
    return release_id


def _read_whole(path: Path) -> str:
    """Read every value of a release's file; returns the release's id."""
    import duckdb

    try:
        with connect(path, read_only=True, memory_limit="1GB") as connection:
            tables = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
            for table in tables:
                connection.execute(f"select bit_xor(hash(read)) from {quoted(table)} as read").fetchall()
            found = connection.execute("select max(release_id) from releases") if "releases" in tables else None
            (release_id,) = found.fetchone() if found else (None,)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as problem:
        message = str(problem).splitlines()[0].replace(f"{path.parent}{os.sep}", "")
        if "Could not set lock" in message:
            raise
        raise ReleaseUnusable(f"is damaged ({message})") from problem
    if release_id is None:
        raise ReleaseUnusable("is not a release: it has no table releases")
    return release_id


def keep_copy(release: Path, releases_dir: Path, release_id: str) -> Path:
    """
    Copy a finished release and write its checksum before it is published; both are synced to disk on return.

    Returns the copy, which has the suffix `.part`; the caller removes the suffix once the release is published.
    """
    part = releases_dir / f"{release_id}.duckdb{PART}"
    checksum = part.with_suffix(CHECKSUM)
    try:
        _copy(release, part)
        part.chmod(0o400)
        sync(part)
        checksum.write_text(f"{_digest(release)}  {part.stem}\n")
        checksum.chmod(0o400)
        sync(checksum)
    except OSError:
        part.unlink(missing_ok=True)
        checksum.unlink(missing_ok=True)
        raise
    sync(releases_dir)
    return part


def finish_copies(published: Path, releases_dir: Path) -> None:
    """Clean up after a killed publish: keep the part that equals the published file, remove all others."""
    for part in _files(releases_dir, PART):
        checksum = part.with_suffix(CHECKSUM)
        if published.is_file() and checksum.exists() and _recorded(checksum) == _digest(published):
            part.rename(part.with_suffix(""))
        else:
            part.unlink()
            checksum.unlink(missing_ok=True)


def remove_outdated(releases_dir: Path, keep: int) -> None:
    """Remove all but the newest `keep` kept releases, and checksums without a file."""
    for outdated in kept_releases(releases_dir)[:-keep]:
        outdated.unlink()
    for checksum in _files(releases_dir, CHECKSUM):
        if not checksum.with_suffix("").exists():
            checksum.unlink()


def sync(path: Path) -> None:
    """Flush a file's bytes, or a folder's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path, suffix: str) -> list[Path]:
    """Files with this suffix by name; empty if the folder does not exist."""
    return sorted(path for path in folder.iterdir() if path.suffix == suffix) if folder.exists() else []


def _copy(source: Path, target: Path) -> None:
    """Copy a file, as a copy-on-write clone where the file system supports it."""
    with source.open("rb") as read, target.open("wb") as written:
        try:
            fcntl.ioctl(written, FICLONE, read.fileno())
        except OSError:
            shutil.copyfileobj(read, written, 2**20)


def _recorded(checksum: Path) -> str | None:
    """The checksum in a checksum file; None if the file does not exist or holds none."""
    if not checksum.exists():
        return None
    found = re.match(r"[0-9a-f]{64}\b", checksum.read_text(errors="replace"))
    return found[0] if found else None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
