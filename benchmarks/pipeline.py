"""
The whole pipeline on two cores: a first run, a warm daily run with one more day, loading the definitions.

Each figure is printed with its bar and the ratio to it. The first run begins with nothing, as `make run` does after the
install: it writes the sample, too. Peak memory is the largest sum of proportional memory over the run's process tree,
sampled three times a second, so that dbt's process counts beside Dagster's. Looking at it slows a run by a tenth (the
kernel walks every page), so that time and memory are measured in two passes.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from _measure import SCORECAST, report, timed

BARS = {"first run": 90.0, "daily run": 45.0, "load definitions": 5.0, "peak memory": 2.0}


def main() -> int:
    """Measure in folders of its own and clean up."""
    first, daily, loading = measured(look=False)[0]
    first_peak, daily_peak, _ = measured(look=True)[1]
    results = [
        report("first run", first, "s", BARS["first run"]),
        report("daily run", daily, "s", BARS["daily run"]),
        report("load definitions", loading, "s", BARS["load definitions"]),
        report("peak memory, first", first_peak, "GiB", BARS["peak memory"]),
        report("peak memory, daily", daily_peak, "GiB", BARS["peak memory"]),
    ]
    return 0 if all(results) else 1


def measured(look: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds, and GiB if looked at, of a first run, a daily run and loading the definitions."""
    folder = Path(tempfile.mkdtemp(prefix="scorecast-benchmark-"))
    environment = {**os.environ, "SCORECAST_DATA": str(folder)}
    every = 0.3 if look else None
    try:
        first = timed([str(SCORECAST), "run"], environment, every)
        timed([str(SCORECAST), "sample", "--next-day"], environment, None)
        daily = timed([str(SCORECAST), "run"], environment, every)
        loading = timed([sys.executable, "-c", "import pipelines.definitions"], environment, every)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return tuple(zip(first, daily, loading, strict=True))


if __name__ == "__main__":
    sys.exit(main())
