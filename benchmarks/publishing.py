"""
A release of about 50,000 scores against copying the file it becomes; the audit of it separately.

The warehouse holds scores with reasons as long as real ones and a week-old release to compare with, so that the changes
within a week are worked out too. The copy is that of the finished release, synced to the disk as a release is. Every
side is the best of three, in one process on two cores.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from pipelines.publishing.release import build_release
from pipelines.quality.publish import audit_release

ROWS = {"churn_scores": 5_000, "lead_scores": 40_000, "opportunity_scores": 5_000}
SUNDAY = date(2026, 6, 28)
REPEATS = 3
CORES = {0, 1}


def main() -> None:
    """Print the seconds of a release, of a copy and of the audit, and the ratios."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, CORES & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="scorecast-benchmark-") as scratch:
        folder = Path(scratch)
        write_warehouse(folder, SUNDAY - timedelta(days=7), 0)
        release(folder, 0)
        write_warehouse(folder, SUNDAY, 1)
        first = release(folder, 1)
        releasing = best(lambda: release(folder, 2))
        copying = best(lambda: copy(folder))
        with duckdb.connect(str(folder / "published.duckdb"), read_only=True) as connection:
            audit_release(connection, {}, folder / "docs")
            auditing = best(lambda: audit_release(connection, {}, folder / "docs"))
        size = (folder / "published.duckdb").stat().st_size / 2**20
    print(f"{sum(ROWS.values()):,} scores in {len(ROWS)} tables, released as a file of {size:.1f} MiB")
    print(f"first release with a history: {first:6.2f} s")
    print(f"release:                      {releasing:6.2f} s")
    print(f"copy of the released file:    {copying:6.2f} s  (release: {releasing / copying:.1f} times as long)")
    print(f"audit:                        {auditing:6.2f} s  ({auditing / releasing:.1f} times the release)")


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of a few runs."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def write_warehouse(folder: Path, as_of: date, seed: int) -> None:
    """Scores of one day: five reasons each, as JSON; another seed has other probabilities."""
    path = folder / "warehouse.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema raw_scorecast; create schema published")
        connection.execute(f"create table raw_scorecast.as_of as select date '{as_of}' as as_of_date")
        for table, rows in ROWS.items():
            connection.execute(
                f"""
                create table published.{table} as
                with scored as (
                    select n, hash(n, {seed}) % 10000 / 10000 as probability from range({rows}) as numbers (n)
                )
                select
                    md5(n::varchar) as entity_id, date '{as_of}' as as_of_date, probability,
                    1 + (probability * 98)::integer as score, 'Few logins' as reason_1, 'Old tickets' as reason_2,
                    to_json([
                        {{
                            'feature': 'feature_' || i, 'value': hash(n, i, {seed}) % 100,
                            'contribution': hash(n, i, {seed}) % 1000 / 500 - 1,
                            'text': 'Logins within the last 28 days: ' || (hash(n, i, {seed}) % 100)
                        }} for i in range(5)
                    ])::varchar as reasons,
                    'v1' as model_version
                from scored
                """
            )


def release(folder: Path, number: int) -> float:
    """Publish without an audit; returns seconds."""
    started = time.perf_counter()
    now = datetime(2026, 6, 29, 5, tzinfo=UTC) + timedelta(minutes=number)
    warehouse, published = folder / "warehouse.duckdb", folder / "published.duckdb"
    build_release(warehouse, published, folder / "releases", lambda _: [], f"run {number}", now)
    return time.perf_counter() - started


def copy(folder: Path) -> None:
    """The least that could be done: the released file once more, on the disk."""
    target = folder / "copy.duckdb"
    target.unlink(missing_ok=True)
    shutil.copyfile(folder / "published.duckdb", target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


if __name__ == "__main__":
    sys.exit(main())
