"""Errors of the disk or of a file (full, forbidden, locked, damaged) as one line with what to do."""

import errno
import os
import re
import shutil
from pathlib import Path

from pipelines.settings import data_dir, published_path, warehouse_path

FULL = re.compile(
    r"No space left|File too large|[Dd]isk quota|not enough space|disk is full|failed to offload|out of disk", re.I
)
FORBIDDEN = re.compile(
    r"Permission denied|Operation not permitted|Read-only file system|readonly database|unable to open database file"
)
LOCKED = re.compile(r"Could not set lock on file")
DAMAGED = re.compile(
    r"Corrupt database file|not a valid DuckDB database|Could not read enough bytes|Is a directory"
    r"|Failed to load metadata|read a database file with version|was created with a newer version"
    r"|disk image is malformed|file is not a database|Serialization Error"
)
DAGSTER = re.compile(r"sqlite3?\.|sqlalchemy|disk image is malformed|file is not a database")
LITTLE = 32 * 2**20
"""With fewer bytes free, SQLite's unspecific "disk I/O error" is taken as a full disk."""
PLENTY = 2**30
"""With more bytes free, the full disk is probably another one, or a quota."""
PATH = re.compile(r"[\"'](/[^\"'\n]+)[\"']")


def in_words(problem: BaseException) -> str | None:
    """
    What happened and what to do, in one line; None for an error that needs its traceback.

    Looks at the error and at its causes.
    """
    seen: set[int] = set()
    each: BaseException | None = problem
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        is_of_system = isinstance(each, OSError) and each.errno is not None and each.errno != errno.EPIPE
        module = type(each).__module__.split(".")[0]
        if is_of_system or module in ("duckdb", "_duckdb", "sqlite3", "sqlalchemy"):
            message = explained(f"{module}.{type(each).__name__}: {each}")
            if message is not None:
                return message
            if is_of_system:
                return f"{each.filename or data_dir()}: {each.strerror}."
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return None


def explained(message: str, file: Path | None = None) -> str | None:
    """
    The explanation of an error message about the disk or a file; None for any other message.

    `file`: the DuckDB file it is about if the message names none; default: the warehouse.
    """
    named = PATH.search(message)
    path = Path(named[1]) if named else None
    if FULL.search(message) or ("disk I/O error" in message and _free()[0] < LITTLE):
        return full()
    if "disk I/O error" in message or "Input/output error" in message:
        return f"{path or data_dir()} could not be read or written (input/output error). Check the disk, and run again."
    if LOCKED.search(message):
        return (
            f"{path or file or warehouse_path()} is in use by a run or another program. Wait for it, or close it there,"
            " and run again."
        )
    if forbidden := FORBIDDEN.search(message):
        return (
            f"{path or data_dir()} cannot be read or written by this user ({forbidden[0].lower()})."
            " Give the user the right to it, and run again."
        )
    if DAMAGED.search(message):
        if DAGSTER.search(message):
            return (
                f"{data_dir() / 'dagster'}, where Dagster writes what ran, is damaged. Move it away and run again;"
                " no table and no model is in it."
            )
        return damaged(path or file or warehouse_path(), message)
    return None


def full() -> str:
    """The message that a disk is full; with much space free, that it is a quota, a limit or another disk."""
    free, folder = _free()
    what = f"The disk of {folder} is full" if free < PLENTY else "A disk is full, or a quota or file limit is reached"
    return (
        f"{what}: {free / 2**20:,.1f} MiB are free in {folder}, and a file could not be written."
        " What is published stays as it was; free some space and run again."
    )


def _free() -> tuple[int, Path]:
    """The least bytes free among the folders that a run writes to, and that folder."""
    data = next(each for each in (data_dir(), *data_dir().parents) if each.exists())
    folders = [data, Path(os.environ.get("TMPDIR", "/tmp"))]  # tempfile.gettempdir() writes, which a full disk refuses
    return min(
        ((shutil.disk_usage(folder).free, folder) for folder in folders if folder.exists()), key=lambda each: each[0]
    )


def damaged(path: Path, message: str) -> str:
    """The message that a DuckDB file is damaged, and how to get back."""
    if path == warehouse_path():
        return (
            f"{path} is damaged. Move it away and run again: it is made anew from the exports, and all history comes"
            f" from the last release:  mv {path} {path}.damaged"
        )
    if path == published_path():
        return (
            f"{path} is damaged. `scorecast run` publishes a good file again, `scorecast rollback` the newest kept"
            " release at once."
        )
    return f"{path} is damaged: {message.splitlines()[0]}"
