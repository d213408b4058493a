"""One run at a time: a lock that the kernel frees when its holder dies."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

POLL_SECONDS = 0.2


class LockTimeoutError(TimeoutError):
    """Another run held the lock for longer than the timeout."""


@contextmanager
def run_lock(
    path: Path, owner: str, timeout: float = 3600.0, on_wait: Callable[[str], None] = lambda holder: None
) -> Iterator[None]:
    """
    Hold a lock on the file `path`; wait up to `timeout` seconds, and call `on_wait` once with the holder.

    The lock is the kernel's (`flock`), so the lock of a killed process is freed; the file's text only informs people.
    Raises `LockTimeoutError` with the holder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        deadline, is_reported = time.monotonic() + timeout, False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = _holder(path)
                if not is_reported:
                    on_wait(holder)
                    is_reported = True
                if time.monotonic() > deadline:
                    raise LockTimeoutError(
                        f"{holder} has held {path} for more than {timeout:.0f} s. Wait for it, or stop that process."
                    ) from None
                time.sleep(POLL_SECONDS)
        file.truncate(0)
        record = {"owner": owner, "pid": os.getpid(), "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"}
        with suppress(OSError):  # a full disk: the lock holds without its text
            file.write(json.dumps(record).encode())
        try:
            yield
        finally:
            file.truncate(0)
            fcntl.flock(file, fcntl.LOCK_UN)


def _holder(path: Path) -> str:
    try:
        record = json.loads(path.read_text())
        return f"{record['owner']} (process {record['pid']}, since {record['since']} UTC)"
    except (OSError, ValueError, KeyError, TypeError):
        return "another run"
