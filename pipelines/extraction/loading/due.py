"""Which files are to be read: new and changed ones, and those that the last program could not read."""

import hashlib
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

from pipelines.database import literal
from pipelines.extraction.files import (
    LandedFile,
    checksum_and_lines,
)
from pipelines.extraction.loading.manifest import (
    files_waiting_for,
    refused_files,
)
from pipelines.extraction.loading.state import Fresh, Load


def gone_files(load: Load, files: Sequence[LandedFile], quarantine_limit: float) -> tuple[set[str], set[str]]:
    """
    Files that are no longer there and did not go well: those of which nothing is to stay, because they could not be
    read or the gate stopped their load, and those of which the rows of a former version stay.
    """
    there = {file.name for file in files}
    known = load.rows(
        f"select file, rows, status from {load.schema}._manifest where entity = {literal(load.entity.name)}"
    )
    if {file for file, *_ in known} <= there:
        return set(), set()
    rows_of_unread = {file: rows for file, rows, status in known if status == "rejected"}
    gone = refused_files(load.connection, load.schema_name, load.entity.name, quarantine_limit) - there
    gone |= {name for name, rows in rows_of_unread.items() if not rows} - there
    return gone, set(rows_of_unread) - there - gone


def fresh_files(load: Load, files: Sequence[LandedFile], gone: Collection[str]) -> tuple[list[Fresh], list[LandedFile]]:
    """
    New and changed files, and those that only have another time stamp.

    What could not be read is tried again when it or the program has changed; a file with rows from the future is
    judged again when the clock has passed the first of them; and files whose rows stood back for others when these
    others change or go.
    """
    known = {}
    for name, *before, first_loaded in load.rows(
        "select file, size, modified_ns, checksum, contract, judge_again_at, status,"
        " coalesce(first_loaded_at, loaded_at)"
        f" from {load.schema}._manifest where entity = {literal(load.entity.name)}"
    ):
        if name not in gone:
            known[name], load.first_loaded[name] = tuple(before), first_loaded
    for file in files:
        load.first_loaded.setdefault(file.name, load.now)
    order = sorted(load.first_loaded, key=lambda name: (load.first_loaded[name], name))
    load.positions = {name: position for position, name in enumerate(order)}
    fresh, touched = [], []
    for file in files:
        size, modified_ns, known_checksum, contract, again_at, status = known.get(file.name, (None,) * 6)
        is_current = contract == held_against(load, status) and not (again_at and again_at <= load.now)
        if is_current and (size, modified_ns) == (file.size, file.modified_ns):
            continue
        checksum, lines = checksum_and_lines(file)
        if is_current and known_checksum == checksum:
            touched.append(file)
            continue
        fresh.append(Fresh(file, checksum, lines, known=file.name in known))
    changed = {item.file.name for item in fresh if item.known}
    again = files_waiting_for(load.connection, load.schema_name, load.entity.name, changed | set(gone))
    if gone:
        load.behind = again - {file.name for file in files} - set(gone)
    for file in files:
        if file.name in again and not any(item.file is file for item in fresh):
            fresh.append(Fresh(file, *checksum_and_lines(file), known=True))
    return sorted(fresh, key=lambda item: load.positions[item.file.name]), touched


def held_against(load: Load, status: str | None) -> str:
    """What a file of this status was held against: its contract and, where it could not be read, the program."""
    return f"{load.contract} {program_fingerprint()}" if status == "rejected" else load.contract


@cache
def program_fingerprint() -> str:
    """A hash of what reads the files: a file that could not be read is tried again when it changes."""
    import duckdb

    digest = hashlib.blake2b(duckdb.__version__.encode(), digest_size=8)
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
