"""
The whole pipeline on two cores: a first run, a warm daily run with one more day, loading the definitions.

Each figure is printed with its bar and the ratio to it. The first run begins with nothing, as `make run` does after the
install: it writes the sample, too. Peak memory is the largest sum of proportional memory over the run's process tree,
sampled three times a second, so that dbt's process counts beside Dagster's. Looking at it slows a run by a tenth (the
kernel walks every page), so that time and memory are measured in two passes.

`--beside CHECKOUT` compares with another checkout that has its own .venv (an earlier commit, say): a first run each,
then daily runs in turn on companies of the same seed; the bar is two seconds more than the other's median day.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from _measure import SCORECAST, report, timed

BARS = {"first run": 90.0, "daily run": 45.0, "load definitions": 5.0, "peak memory": 2.0}
MORE = 2.0
"""Seconds that a day may take more than with the other checkout."""


def main() -> int:
    """Measure in folders of its own and clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another checkout, with a .venv of its own")
    parser.add_argument("--days", type=int, default=5, help="daily runs of each")
    options = parser.parse_args()
    return compared(options.beside.resolve(), options.days) if options.beside else alone()


def compared(beside: Path, days: int) -> int:
    """First and daily runs of this checkout beside another's, in turn."""
    folder = Path(tempfile.mkdtemp(prefix="scorecast-benchmark-"))
    programs = {"this": SCORECAST, "other": beside / ".venv" / "bin" / "scorecast"}
    first, daily = {}, {side: [] for side in programs}
    try:
        for side, program in programs.items():
            first[side] = seconds_of(program, folder / side, "run")
        for _ in range(days):
            for side, program in programs.items():
                seconds_of(program, folder / side, "sample", "--next-day")
                daily[side].append(seconds_of(program, folder / side, "run"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for side, seconds in daily.items():
        print(f"daily runs of {side}: {', '.join(f'{each:.1f}' for each in seconds)} s")
    report("first run against the other's", first["this"], "s", first["other"] + MORE)
    return (
        0 if report("daily run against the other's", median(daily["this"]), "s", median(daily["other"]) + MORE) else 1
    )


def seconds_of(program: Path, data: Path, *arguments: str) -> float:
    """How long a command of a checkout takes."""
    return timed([str(program), *arguments], {**os.environ, "SCORECAST_DATA": str(data)}, None, program.parents[2])[0]


def alone() -> int:
    """What this checkout takes, against the bars."""
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
