"""Ten kills of daily runs of a small company: the short form of the benchmark, which kills the other commands, too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {
    "--kills": 10,
    "--kills-per-run": 5,
    "--undisturbed": 0,
    "--operations": "daily",
    "--accounts": 100,
    "--months": 9,
}


@pytest.mark.slow
def test_ten_kills_leave_every_release_whole_and_the_next_run_right(tmp_path: Path):
    options = [str(word) for option in OPTIONS.items() for word in option]
    result = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "break_it.py"), *options],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        timeout=1500,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    figures = result.stdout.splitlines()[-6:]
    assert figures[0].startswith("10 kills, 2 runs compared")
    assert [line.split("  ")[0] for line in figures[1:] if line.endswith("ok")] == [
        f"kills: {fault}" for fault in ("unreadable", "mixed", "lost", "unequal", "left behind")
    ]
    assert not list(tmp_path.iterdir())
