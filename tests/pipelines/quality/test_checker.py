"""The process that Great Expectations lives in: findings come back, mistakes are told, nothing is left behind."""

import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from pipelines.quality import checker
from pipelines.quality.suites import Rule, Suite
from pipelines.settings import project_root

FRAME = pl.DataFrame({"id": ["a", "a", None]})
IS_KNOWN = Rule("ExpectColumnValuesToNotBeNull", {"column": "id"}, "id is known")


@pytest.fixture
def docs(tmp_path: Path):
    yield tmp_path / "docs"
    checker.stop_checker(wait=True)


def test_findings_come_back_and_the_docs_follow(docs: Path):
    (finding,) = checker.check("raw", [Suite("people", FRAME, [IS_KNOWN])], docs)
    assert not finding.success
    assert finding.message == "people: id is known, but not in 1 of 3 rows, e.g. null"
    checker.stop_checker(wait=True)
    assert "people" in (docs / "index.html").read_text()


def test_what_cannot_be_checked_is_told_and_the_next_gate_works(docs: Path):
    with pytest.raises(RuntimeError, match=r"could not check the gate 'raw'.*NoSuchExpectation"):
        checker.check("raw", [Suite("people", FRAME, [Rule("NoSuchExpectation", {}, "x")])], docs)
    (finding,) = checker.check("raw", [Suite("people", FRAME, [IS_KNOWN])], docs)
    assert not finding.success


def test_a_process_that_died_is_told_and_the_next_gate_has_a_new_one(docs: Path):
    checker.start_checker().process.kill()
    with pytest.raises(RuntimeError, match="ended before it had checked the gate 'raw'"):
        checker.check("raw", [Suite("people", FRAME, [IS_KNOWN])], docs)
    (finding,) = checker.check("raw", [Suite("people", FRAME, [IS_KNOWN])], docs)
    assert not finding.success


def test_docs_that_cannot_be_written_are_told_but_the_findings_stand(docs: Path):
    docs.mkdir()
    (docs / "index.html").mkdir()
    (finding,) = checker.check("raw", [Suite("people", FRAME, [IS_KNOWN])], docs)
    assert not finding.success
    (finding,) = checker.check("release", [Suite("people", FRAME, [IS_KNOWN])], docs.with_name("release"))
    assert not finding.success
    (why,) = checker.stop_checker(wait=True)
    assert "IsADirectoryError" in why and "index.html" in why
    assert checker.stop_checker(wait=True) == []


def test_the_process_ends_with_its_caller():
    program = "from pipelines.quality import checker; print(checker.start_checker().process.pid, flush=True)"
    caller = subprocess.run(
        [sys.executable, "-c", program + "; import os; os._exit(0)"],
        cwd=project_root(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    assert _ends(int(caller.stdout))


def _ends(process: int) -> bool:
    for _ in range(300):
        state = Path(f"/proc/{process}/stat")
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False
