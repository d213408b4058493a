"""
The whole pipeline on two cores: a first run, a warm daily run with one more day, loading the definitions.

Each figure is printed with its bar and the ratio to it. The first run begins with nothing, as `make run` does after the
install: it writes the sample, too. Peak memory is the largest sum of proportional memory over the run's process tree,
sampled three times a second, so that dbt's process counts beside Dagster's.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCORECAST = Path(sys.executable).parent / "scorecast"
CORES = {0, 1}
BARS = {"first run": 90.0, "daily run": 45.0, "load definitions": 5.0, "peak memory": 2.0}


def tree_memory(root: int) -> float:
    """GiB held by a process and its descendants (proportional set size, so that shared pages count once)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    total, waiting = 0, [root]
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, [])
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total / 2**20


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds and peak GiB of a command; stops the benchmark when the command fails."""
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, CORES),
    )
    peak = 0.0
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout))
    reader.start()
    while process.poll() is None:
        peak = max(peak, tree_memory(process.pid))
        time.sleep(0.3)
    reader.join()
    if process.returncode != 0:
        sys.exit("".join(lines))
    return time.monotonic() - started, peak


def report(name: str, value: float, unit: str, bar: float) -> bool:
    """Print one figure against its bar."""
    verdict = "ok" if value <= bar else "TOO MUCH"
    print(f"{name:<22} {value:7.2f} {unit:<4} bar {bar:5.1f}  ratio {value / bar:5.2f}  {verdict}")
    return value <= bar


def main() -> int:
    """Measure in a folder of its own and clean up."""
    folder = Path(tempfile.mkdtemp(prefix="scorecast-benchmark-"))
    environment = {**os.environ, "SCORECAST_DATA": str(folder)}
    try:
        load = [sys.executable, "-c", "import pipelines.definitions"]
        first, first_peak = timed([str(SCORECAST), "run"], environment)
        timed([str(SCORECAST), "sample", "--next-day"], environment)
        daily, daily_peak = timed([str(SCORECAST), "run"], environment)
        loading, _ = timed(load, environment)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    results = [
        report("first run", first, "s", BARS["first run"]),
        report("daily run", daily, "s", BARS["daily run"]),
        report("load definitions", loading, "s", BARS["load definitions"]),
        report("peak memory, first", first_peak, "GiB", BARS["peak memory"]),
        report("peak memory, daily", daily_peak, "GiB", BARS["peak memory"]),
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
