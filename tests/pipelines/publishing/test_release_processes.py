"""What only separate processes can prove: readers during publishes, kill -9 at any moment, a full disk, two at once."""

import errno
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.locking import LockTimeoutError, run_lock
from pipelines.publishing import kept_releases, release, states
from pipelines.publishing.kept_releases import check_release, last_release

ROOT = Path(__file__).resolve().parent.parent.parent.parent
TABLES = ("churn_scores", "lead_scores", "forecasts")
ROWS = 2_000
"""Few enough that rows wait in DuckDB's log until a draft is closed, where a full disk is easily missed."""

PUBLISH = """
import os, random, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from pipelines.publishing import kept_releases, release, states, swap

folder, runs = Path(sys.argv[1]), int(sys.argv[2])

def publish(run="run", audit=lambda connection: []):
    now = datetime.now(UTC)
    paths = folder / "warehouse.duckdb", folder / "published.duckdb", folder / "releases"
    return release.build_release(*paths, audit, run, now)
"""

READ = """
import sys, time
from pathlib import Path
import duckdb
folder = Path(sys.argv[1])
seen, queries = set(), 0
print("ready", flush=True)
while not (folder / "stop").exists():
    with duckdb.connect(str(folder / "published.duckdb"), read_only=True, config={"threads": "1"}) as connection:
        held = set()
        for _ in range(3):
            row = connection.execute(
                "select min(release_id), max(release_id), count(*), count(distinct source) from ("
                " select release_id, 1 as source from churn_scores"
                " union all select release_id, 2 from published.lead_scores"
                " union all select release_id, 3 from forecasts"
                " union all select max(release_id), 4 from releases)"
            ).fetchone()
            assert row[0] == row[1], f"two releases at once: {row}"
            assert row[2:] == (6_001, 4), f"not whole: {row}"
            held.add(row[0])
            queries += 1
        assert len(held) == 1, f"an open reader saw {held}"
        assert not seen or held.pop() >= max(seen), "a new reader saw an older release"
        seen.add(row[0])
print(queries, len(seen))
"""


def start(program: str, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen) -> str:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output


def publish(folder: Path) -> str:
    paths = folder / "warehouse.duckdb", folder / "published.duckdb", folder / "releases"
    return release.build_release(*paths, lambda _: [], "run", datetime.now(UTC)).release_id


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with three tables, published once."""
    folder = tmp_path_factory.mktemp("template")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("create schema raw_scorecast; create schema published")
        connection.execute("create table raw_scorecast.as_of as select date '2026-06-28' as as_of_date")
        for table in TABLES:
            connection.execute(
                f"create table published.{table} as select range as id, md5(range::varchar) as name from range({ROWS})"
            )
    publish(folder)
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "data"))


def state(folder: Path) -> tuple[str, int]:
    """The release that is published and how many there were; fails unless the file is whole."""
    with duckdb.connect(str(folder / "published.duckdb"), read_only=True) as connection:
        release_id, count = connection.execute("select max(release_id), count(*) from releases").fetchone()
        for table in TABLES:
            rows = connection.execute(f"select release_id, count(*), count(name) from {table} group by all").fetchall()
            assert rows == [(release_id, ROWS, ROWS)]
        (as_of,) = connection.execute("select max(as_of_date) from releases").fetchone()
        assert as_of == date(2026, 6, 28)
    return release_id, count


def vouched_for(folder: Path) -> list[str]:
    """The kept releases; fails unless the published file and all of them are what their checksums say."""
    kept = sorted((folder / "releases").glob("*.duckdb"))
    recorded = {}
    for path in (folder / "releases").glob("*.sha256"):
        digest, name = path.read_text().split()
        recorded[name] = digest
    for path in kept:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == recorded[path.name]
        assert check_release(path, folder / "releases") == path.stem
    assert hashlib.sha256((folder / "published.duckdb").read_bytes()).hexdigest() in recorded.values()
    return [path.stem for path in kept]


def leftovers(folder: Path) -> list[str]:
    expected = {"warehouse.duckdb", "published.duckdb", "published.lock", "releases"}
    return sorted(path.name for path in folder.iterdir() if path.name not in expected)


def test_readers_are_never_locked_out_and_see_one_release(folder: Path):
    readers = [start(READ, folder) for _ in range(3)]
    for reader in readers:
        assert reader.stdout.readline() == "ready\n"
    finish(start(f"{PUBLISH}\nfor run in range(runs): publish()", folder, 24))
    (folder / "stop").touch()
    counts = [tuple(map(int, finish(reader).split())) for reader in readers]
    assert all(queries >= 20 and releases >= 5 for queries, releases in counts), counts
    assert state(folder)[1] == 25


def test_two_publishing_at_once_lose_no_release(folder: Path):
    writers = [start(f"{PUBLISH}\nfor run in range(runs): publish(f'{name}{{run}}')", folder, 5) for name in "ab"]
    for writer in writers:
        finish(writer)
    assert state(folder)[1] == 11
    with duckdb.connect(str(folder / "published.duckdb"), read_only=True) as connection:
        runs = connection.execute("select run_id from releases where run_id <> 'run'").fetchall()
    assert sorted(run for (run,) in runs) == [f"{name}{run}" for name in "ab" for run in range(5)]
    assert leftovers(folder) == []


def test_who_publishes_is_named_in_the_lock_until_it_is_done(folder: Path):
    """It is the lock of `pipelines.locking`, held also while the draft is audited."""
    slow = """
def audit(connection):
    print("auditing", flush=True)
    sys.stdin.readline()
    return []
publish("first", audit)
"""
    first, _ = state(folder)
    command = [sys.executable, "-c", PUBLISH + slow, str(folder), "1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as publisher:
        assert publisher.stdout.readline() == "auditing\n"
        assert f'"owner": "run first", "pid": {publisher.pid}' in (folder / "published.lock").read_text()
        with (
            pytest.raises(LockTimeoutError, match=rf"run first \(process {publisher.pid},"),
            run_lock(folder / "published.lock", "another", timeout=0),
        ):
            pytest.fail("two publish at once")
        publisher.stdin.close()
    assert publisher.returncode == 0
    assert state(folder)[0] > first
    assert (folder / "published.lock").read_text() == ""


KILL = """
def dying(function, before):
    def call(*arguments, **options):
        if not before:
            function(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    return call

module, name = {place}.split(".")
module = {{"os": os, "release": release, "swap": swap, "kept_releases": kept_releases}}[module]
setattr(module, name, dying(getattr(module, name), {before}))
publish()
"""


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(
    "place",
    [
        "release.copy_tables",
        "swap.sync",
        "kept_releases._copy",
        "kept_releases._digest",
        "kept_releases.sync",
        "swap.keep_copy",
        "os.replace",
        "os.rename",
        "swap.remove_outdated",
    ],
)
def test_killed_at_a_step(folder: Path, place: str, before: bool):
    old, _ = state(folder)
    process = start(PUBLISH + KILL.format(place=repr(place), before=before), folder, 1)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    swapped_in = (place, before) in {
        ("os.replace", False),
        ("os.rename", True),
        ("os.rename", False),
        ("swap.remove_outdated", True),
        ("swap.remove_outdated", False),
    }
    release_id, count = state(folder)
    assert (release_id != old) == swapped_in
    assert old in vouched_for(folder)
    assert last_release(folder / "published.duckdb").path == folder / "published.duckdb"
    newest = publish(folder)
    assert state(folder)[1] == count + 1
    assert vouched_for(folder) == sorted({old, release_id, newest}), "every release that was published, and no other"
    assert list((folder / "releases").glob("*.part")) == []
    assert leftovers(folder) == []


def test_killed_at_random_moments(folder: Path):
    draw = random.Random(7)
    killed_with_a_draft = 0
    for _ in range(12):
        before, count = state(folder)
        process = start(f"{PUBLISH}\nprint('ready', flush=True)\nwhile True: publish()", folder, 1)
        assert process.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0.02, 0.35))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        killed_with_a_draft += any(".draft." in name for name in leftovers(folder))
        release_id, now = state(folder)
        assert release_id >= before
        assert now >= count
        vouched_for(folder)
    assert killed_with_a_draft
    newest = publish(folder)
    assert leftovers(folder) == []
    kept = vouched_for(folder)
    assert kept[-1] == newest
    assert len(kept) <= 10
    assert {path.name for path in (folder / "releases").iterdir()} == {
        name for release in kept for name in (f"{release}.duckdb", f"{release}.duckdb.sha256")
    }


FULL = """
import resource
for limit in range(0, 2_000_000, 60_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        publish()
    except states.NoSpaceLeftError as problem:
        print("full", problem)
    else:
        print("published")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with swap.opened(folder / "published.duckdb", read_only=True) as connection:
        (releases,) = connection.execute("select count(*) from releases").fetchone()
        counts = connection.execute(
            "select (select count(*) from churn_scores), (select count(*) from lead_scores),"
            " (select count(*) from forecasts)"
        ).fetchone()
    print(releases, *counts, len([path for path in folder.iterdir() if "draft" in path.name]))
"""


def test_a_disk_that_is_full_at_any_moment_leaves_a_whole_release(folder: Path):
    """Files may not grow beyond a limit: writing fails early, in the middle, at the very end, and not at all."""
    lines = finish(start(PUBLISH + FULL, folder, 1)).splitlines()
    outcomes, states = lines[::2], [tuple(map(int, line.split())) for line in lines[1::2]]
    published = [outcome == "published" for outcome in outcomes]
    assert published == sorted(published)
    assert 3 <= sum(published) <= len(published) - 3
    for number, (releases, *counts, drafts) in enumerate(states):
        assert releases == 1 + sum(published[: number + 1])
        assert counts == [ROWS] * 3
        assert drafts == 0
    assert f"The disk of {folder} is too full for a release" in outcomes[0]
    assert "MiB are free" in outcomes[0]
    assert "The last release stays published" in outcomes[0]
    state(folder)


def test_a_disk_that_fills_up_while_the_copy_to_keep_is_made(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def full(source, target, length):
        target.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    def nothing_is_shared(*_):
        raise OSError(errno.EOPNOTSUPP, "this file system shares no blocks")

    before = state(folder)
    kept = sorted((folder / "releases").iterdir())
    monkeypatch.setattr(kept_releases.fcntl, "ioctl", nothing_is_shared)
    with monkeypatch.context() as patch, pytest.raises(states.NoSpaceLeftError):
        patch.setattr(kept_releases.shutil, "copyfileobj", full)
        publish(folder)
    assert state(folder) == before
    assert sorted((folder / "releases").iterdir()) == kept
    copy = folder / "releases" / f"{publish(folder)}.duckdb"
    assert copy.read_bytes() == (folder / "published.duckdb").read_bytes()
    assert copy.stat().st_ino != (folder / "published.duckdb").stat().st_ino
    vouched_for(folder)
