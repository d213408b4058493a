"""What benchmarks share: a command on two cores, its seconds and peak memory; a figure printed against its bar."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCORECAST = Path(sys.executable).parent / "scorecast"
AUTOGLUON = ROOT / ".venv-bench" / "bin" / "python"
CORES = {0, 1}


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


def use_two_cores() -> None:
    """Hold this process, and what it starts, to two cores."""
    if hasattr(os, "sched_setaffinity"):
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, CORES if allowed >= CORES else sorted(allowed)[:2])


def timed(
    command: Sequence[str],
    environment: dict[str, str] | None = None,
    every: float | None = 0.3,
    checkout: Path = ROOT,
) -> tuple[float, float]:
    """Seconds and peak GiB of a command on two cores; stops the benchmark, with its output, when the command fails.

    `every`: seconds between two looks at the memory of its process tree; None does not look, and returns 0 GiB.
    `checkout`: the folder that the command runs in; `python -m` finds the program there before any other.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=use_two_cores,
    )
    peak = 0.0
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout))
    reader.start()
    while process.poll() is None:
        if every is not None:
            peak = max(peak, tree_memory(process.pid))
        try:
            process.wait(timeout=every)
        except subprocess.TimeoutExpired:
            continue
    seconds = time.monotonic() - started
    reader.join()
    if process.returncode != 0:
        sys.exit("".join(lines) + f"\n{' '.join(command)} ended with exit code {process.returncode}.")
    return seconds, peak


def report(name: str, value: float, unit: str, bar: float, at_least: bool = False, digits: int = 2) -> bool:
    """Print one figure against its bar, and whether it holds; nan holds no bar, and a bar of 0 has no ratio."""
    ok = value >= bar if at_least else value <= bar
    side = "at least" if at_least else "at most"
    ratio = f"ratio {value / bar:5.2f}  " if bar else ""
    print(
        f"{name:<30} {value:8.{digits}f} {unit:<4} bar {side} {bar:.{digits}f}  {ratio}{'ok' if ok else 'MISSED'}",
        flush=True,
    )
    return ok


def autogluon(request: dict, folder: Path) -> dict:
    """What `_autogluon.py` answers to a request; `folder`: where it may write, and its files lie."""
    request = {**request, "folder": str(folder / "models"), "answer": str(folder / "answer.json")}
    (folder / "request.json").write_text(json.dumps(request))
    script = Path(__file__).resolve().parent / "_autogluon.py"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    timed([str(AUTOGLUON), str(script), str(folder / "request.json")], environment, every=None)
    return json.loads((folder / "answer.json").read_text())
