"""Files that somebody else may have changed: read only if they are what was saved, written whole or not at all."""

import hashlib
import hmac
import os
import stat
from collections.abc import Mapping
from pathlib import Path

LARGEST_FILE = 256 * 2**20
"""Bytes of the largest model's file that is read; the usual one has one or two million."""
LARGEST_CHECKSUM = 4096
ADVICE = "Restore the file, or fit the model again."


class ModelRefused(ValueError):
    """A file that is no model of ours, was changed since, or holds what we do not trust; the message is one line."""


def read_limited(path: Path, largest: int = LARGEST_FILE) -> bytes:
    """
    The bytes of a regular file, which is looked at before it is opened: a pipe would wait, a device never ends.

    `largest`: bytes. Raises FileNotFoundError, or ModelRefused if the file is larger, of another kind (also behind a
    link) or cannot be read.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelRefused(f"{path} is a folder, a pipe or a device, not a file. It was not opened. {ADVICE}")
        if status.st_size > largest:
            raise ModelRefused(
                f"{path} has {status.st_size:,} bytes, more than the {largest:,} that are read. It was not opened. "
                f"{ADVICE}"
            )
        with path.open("rb") as file:
            return file.read(status.st_size)
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise ModelRefused(f"{path} cannot be read ({problem.strerror}). {ADVICE}") from problem


def read_checked(path: Path, checksum: str | None = None, needs_one_beside: bool = True) -> bytes:
    """
    The bytes of a model's file, if they have the checksum beside it and, if given, the one that the caller knows.

    `needs_one_beside`: whether a file without a checksum beside it is refused. Raises as `read_limited`, and
    ModelRefused where a checksum differs.
    """
    data = read_limited(path)
    beside = checksum_path(path)
    expected = [] if checksum is None else [(checksum, "the record of its fit")]
    try:
        written = read_limited(beside, LARGEST_CHECKSUM).decode(errors="replace").split()
        expected.insert(0, (written[0] if written else "", beside.name))
    except FileNotFoundError:
        if needs_one_beside:
            raise ModelRefused(
                f"{path} has no checksum beside it ({beside.name}), so nobody can tell whose it is. It was not opened. "
                "Bring the checksum along with the file, or fit the model again."
            ) from None
    digest = hashlib.sha256(data).hexdigest()
    for wanted, where in expected:
        if not hmac.compare_digest(wanted.encode(), digest.encode()):
            raise ModelRefused(
                f"{path} is not the file that was saved: its SHA-256 is {digest[:12]}…, {where} says "
                f"{wanted[:12] or 'nothing'}…. It was not opened. {ADVICE}"
            )
    return data


def write_checked(path: Path, data: bytes) -> str:
    """
    Write a file and its checksum beside it, in the format of `sha256sum`; a missing folder is made.

    Returns the SHA-256, as 64 hexadecimal digits.
    """
    digest = hashlib.sha256(data).hexdigest()
    write_whole({path: data, checksum_path(path): f"{digest}  {path.name}\n".encode()})
    return digest


def checksum_path(path: Path) -> Path:
    """Where the checksum of a model's file lies."""
    return path.with_name(f"{path.name}.sha256")


def write_whole(contents: Mapping[Path, bytes]) -> None:
    """
    Files that appear whole or not at all: all are on the disk before the first gets its name.

    When this returns the disk holds the names, too, so that nothing that is written later can outlive them.
    """
    drafts = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in contents}
    try:
        for path, data in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(drafts[path], "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path, draft in drafts.items():
            os.replace(draft, path)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
    for folder in {path.parent for path in contents}:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
