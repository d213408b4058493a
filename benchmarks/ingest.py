"""
The sample's back-fill into raw tables, against a plain scan of the same files.

Both sides on two cores in the same run: DuckDB's readers into temporary tables with nothing checked and nothing kept,
and the loader (checksums, contract, quarantine, duplicates, line numbers, manifest, a file on disk). Pass a landing
folder to measure exports that are already there.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from assets.sources import all_sources
from pipelines.extraction.configuration import Configuration, SourceSettings
from pipelines.extraction.loading.load import load_all
from pipelines.extraction.recognition import find_files

CORES = {0, 1}
BAR = 1.0
"""Loading, with all that is checked, may cost as much as reading the files once."""
MEMORY_BAR = 1.0
"""GiB that a load may hold."""
READERS = {
    "csv": "read_csv({paths}, all_varchar = true, ignore_errors = true, union_by_name = true)",
    "jsonl": "read_json({paths}, format = 'newline_delimited', ignore_errors = true, union_by_name = true)",
    "parquet": "read_parquet({paths}, union_by_name = true)",
}
SETTINGS = {"python_enable_replacements": "false", "memory_limit": "1200MB", "threads": str(len(CORES))}


def apart(work: Callable[..., tuple], *given: Path) -> tuple[tuple, float]:
    """What work returns in a process of its own, and the most memory that the process held, in GiB."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *given).result(), pool.submit(peak_memory).result()


def peak_memory() -> float:
    """The most memory that this process has held, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def scan(landing: Path) -> tuple[float, int]:
    """Seconds and files of reading everything once."""
    import pyarrow  # noqa: F401  both sides start with what a run has imported anyway

    started, count = time.monotonic(), 0
    with duckdb.connect(config=SETTINGS) as connection:
        for source in all_sources():
            if not (landing / source.name).is_dir():
                continue
            for files in find_files(landing / source.name, source.entities).files.values():
                for format_ in sorted({file.format for file in files}):
                    paths = [str(file.path) for file in files if file.format == format_]
                    count += len(paths)
                    reader = READERS[format_].format(paths=paths)
                    connection.execute(f"create or replace temp table scanned as select * from {reader}")
    return time.monotonic() - started, count


def load(landing: Path, warehouse: Path) -> tuple[float, int, int]:
    """Seconds, rows and quarantined rows of loading everything."""
    import pyarrow  # noqa: F401

    sources = all_sources()
    folders = {source.name: landing / source.name for source in sources if (landing / source.name).is_dir()}
    started = time.monotonic()
    with duckdb.connect(str(warehouse), config=SETTINGS) as connection:
        reports = load_all(
            connection,
            sources,
            Configuration(sources={name: SourceSettings(folder) for name, folder in folders.items()}),
            datetime.now(UTC),
        )
    seconds = time.monotonic() - started
    return seconds, sum(report.new_rows for report in reports), sum(report.quarantined for report in reports)


def main() -> int:
    """Measure in a folder of its own and clean up."""
    os.sched_setaffinity(0, CORES)
    with tempfile.TemporaryDirectory(prefix="scorecast-benchmark-") as name:
        folder = Path(name)
        if len(sys.argv) > 1:
            landing = Path(sys.argv[1]).resolve()
        else:
            from pipelines.sample.company import write_sample

            landing = folder / "landing"
            write_sample(landing, folder / "truth")
        (scan_seconds, files), _ = apart(scan, landing)
        (load_seconds, rows, quarantined), memory = apart(load, landing, folder / "warehouse.duckdb")
        (again_seconds, _, _), _ = apart(load, landing, folder / "warehouse.duckdb")
    print(f"plain scan   {scan_seconds:6.2f} s     {files} files")
    print(f"load         {load_seconds:6.2f} s     {rows:,} rows, {quarantined:,} in quarantine")
    print(f"nothing new  {again_seconds:6.2f} s")
    print(f"ratio        {load_seconds / scan_seconds:6.2f}       load / plain scan   bar {BAR:.1f}")
    print(f"memory       {memory:6.2f} GiB   at most, of a load   bar {MEMORY_BAR:.1f}")
    return 0 if load_seconds <= BAR * scan_seconds and memory <= MEMORY_BAR else 1


if __name__ == "__main__":
    sys.exit(main())
