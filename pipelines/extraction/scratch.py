"""Folders for temporary copies, which only this user can read and which are removed after use."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SHELF = "scratch"


@contextmanager
def scratch_folder(beside: Path | None) -> Iterator[Path]:
    """
    A new folder below `beside`/scratch that is removed on leaving; None: below the system's temporary folder.

    The folder is locked while its process lives (the kernel's `flock`). An unlocked one was left by a killed process;
    the next call removes it.
    """
    if beside is None:
        with tempfile.TemporaryDirectory(prefix="scorecast-") as name:
            yield Path(name)
        return
    shelf = beside / SHELF
    shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(shelf):
        _remove_left(shelf)
        folder = Path(tempfile.mkdtemp(dir=shelf))
        held = os.open(folder, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _remove_left(shelf: Path) -> None:
    for left in shelf.iterdir():
        with suppress(OSError), _locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _locked(folder: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a folder; with `LOCK_NB` raises `BlockingIOError` when a living process does."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, how)
        yield
    finally:
        os.close(held)
