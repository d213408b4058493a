"""How long the default sample company takes to write, in rows and seconds; and one more day of it.

Run with two cores: `taskset -c 0,1 .venv/bin/python benchmarks/sample.py`.
"""

import tempfile
import time
from pathlib import Path

from pipelines.sample.company import write_next_day, write_sample

LIMIT_SECONDS = 15


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        landing, truth = Path(folder) / "landing", Path(folder) / "truth"
        started = time.perf_counter()
        summary = write_sample(landing, truth)
        seconds = time.perf_counter() - started
        started = time.perf_counter()
        day = write_next_day(landing, truth)
        next_seconds = time.perf_counter() - started
    print(f"{summary}: {seconds:.1f} s (limit {LIMIT_SECONDS} s), {summary.rows / seconds:,.0f} rows/s")
    print(f"one more day ({day}): {next_seconds:.1f} s")


if __name__ == "__main__":
    main()
