import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipelines.commands.common import own_temporary_files

LEAVE = """
import os, signal, tempfile
from pipelines.commands.common import own_temporary_files
with own_temporary_files():
    tempfile.mkdtemp()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("folder", [None, "elsewhere"])
def test_what_is_left_in_the_temporary_folder_goes_when_a_command_ends_or_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str | None
):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TMPDIR", str(tmp_path)) if folder else monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)  # what is asked for here holds for no other test
    before = os.environ.get("TMPDIR")
    killed = subprocess.run([sys.executable, "-c", LEAVE], check=False)
    assert killed.returncode == -signal.SIGKILL
    shelf = tmp_path / "data" / "scratch"
    (left,) = shelf.iterdir()
    assert list(left.iterdir())
    with own_temporary_files():
        made = Path(tempfile.mkdtemp())
        printed = subprocess.run(
            [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert made.parent == Path(printed.stdout.strip())
        assert list(shelf.iterdir()) == [made.parent]
        assert made.parent != left
    assert list(shelf.iterdir()) == []
    assert os.environ.get("TMPDIR") == before
    assert not Path(tempfile.gettempdir()).is_relative_to(shelf)
