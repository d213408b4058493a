"""One run at a time: the second waits and knows for whom, and a killed run holds nobody up."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipelines.locking import LockTimeoutError, run_lock

ROOT = Path(__file__).resolve().parent.parent.parent

HOLD = """
import sys
from pathlib import Path
from pipelines.locking import run_lock
with run_lock(Path(sys.argv[1]), "run first"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path: Path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "warehouse.lock")]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_told_who_holds_it_and_gives_up_in_time(tmp_path: Path, holder: subprocess.Popen):
    told = []
    started = time.monotonic()
    with (
        pytest.raises(LockTimeoutError, match=rf"run first \(process {holder.pid}, since 20.* UTC\) has held"),
        run_lock(tmp_path / "warehouse.lock", "run second", timeout=0.6, on_wait=told.append),
    ):
        pytest.fail("two held the lock")
    assert 0.5 < time.monotonic() - started < 5
    assert len(told) == 1
    assert told[0].startswith(f"run first (process {holder.pid}, since")


def test_the_second_goes_on_when_the_first_is_done(tmp_path: Path, holder: subprocess.Popen):
    threading.Timer(0.4, holder.stdin.close).start()
    told = []
    with run_lock(tmp_path / "warehouse.lock", "run second", timeout=30, on_wait=told.append):
        assert "run second" in (tmp_path / "warehouse.lock").read_text()
    assert len(told) == 1


def test_a_killed_run_holds_nobody_up(tmp_path: Path, holder: subprocess.Popen):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    told = []
    with run_lock(tmp_path / "warehouse.lock", "run second", timeout=0, on_wait=told.append):
        assert told == []


def test_it_is_free_again_after_an_error(tmp_path: Path):
    path = tmp_path / "folder" / "warehouse.lock"
    with pytest.raises(ZeroDivisionError), run_lock(path, "run first"):
        raise ZeroDivisionError
    with run_lock(path, "run second", timeout=0):
        pass


def test_two_in_one_process_exclude_each_other_too(tmp_path: Path):
    path = tmp_path / "warehouse.lock"
    with (
        run_lock(path, "run first"),
        pytest.raises(LockTimeoutError, match="run first"),
        run_lock(path, "run second", timeout=0),
    ):
        pytest.fail("two held the lock")


def test_a_lock_that_was_let_go_names_nobody(tmp_path: Path):
    path = tmp_path / "warehouse.lock"
    with run_lock(path, "run first"):
        pass
    assert path.read_text() == ""


FULL = """
import resource, sys
from pathlib import Path
from pipelines.locking import run_lock
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
with run_lock(Path(sys.argv[1]), "run first"):
    pass
print("done")
"""


def test_a_full_disk_costs_the_text_and_not_the_lock(tmp_path: Path):
    command = [sys.executable, "-c", FULL, str(tmp_path / "warehouse.lock")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.stdout == "done\n", result.stderr


@pytest.mark.parametrize("text", ['{"owner"', '["a list"]', "{}", ""])
def test_odd_text_in_the_file_is_still_a_lock(tmp_path: Path, holder: subprocess.Popen, text: str):
    path = tmp_path / "warehouse.lock"
    path.write_text(text)
    with pytest.raises(LockTimeoutError, match="another run has held"), run_lock(path, "run second", timeout=0):
        pytest.fail("two held the lock")
