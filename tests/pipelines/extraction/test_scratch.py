"""Copies lie beside the warehouse, for this user alone, and nothing of them stays."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from pipelines.extraction.loading import reading
from pipelines.extraction.scratch import scratch_folder

BROKEN = "Id,SystemModstamp\na1,2025-01-01\nbroken\n"


def test_copies_are_beside_the_warehouse_and_go_whatever_happens(landing, tmp_path, monkeypatch):
    landing.write("account/1.csv", BROKEN)
    clean, seen = reading._clean, []

    def fail(load, item, staged, copy, also_broken):
        clean(load, item, staged, copy, also_broken)
        seen.append(copy)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reading, "_clean", fail)
    with pytest.raises(Exception, match="No space left on device"):
        landing.load()
    assert all(copy.startswith(f"{tmp_path}/scratch/") for copy in seen)
    assert stat.S_IMODE((tmp_path / "scratch").stat().st_mode) == 0o700
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_needs_stays(tmp_path):
    program = (
        "import os, signal, pathlib\n"
        "from pipelines.extraction.scratch import scratch_folder\n"
        f"with scratch_folder(pathlib.Path({str(tmp_path)!r})) as folder:\n"
        "    (folder / 'copy').write_text('x')\n"
        "    print(folder, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert os.listdir(tmp_path / "scratch") == [killed.stdout.strip().rsplit("/", 1)[1]]
    with scratch_folder(tmp_path) as first, scratch_folder(tmp_path) as second:
        assert sorted(os.listdir(tmp_path / "scratch")) == sorted([first.name, second.name])
    assert os.listdir(tmp_path / "scratch") == []
