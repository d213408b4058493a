"""Great Expectations in a process of its own (`check_worker`): its import takes seconds, and 0.2 GB that dbt needs.

The process is started before it is needed and serves both gates; before dbt builds a large warehouse it is ended.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from pipelines.quality.findings import Finding
from pipelines.settings import project_root

if TYPE_CHECKING:
    from pipelines.quality.suites import Suite


class Checker(NamedTuple):
    """The process, and a file with its output, which is shown if it ends too early."""

    process: subprocess.Popen
    output: TextIO


_waiting: Checker | None = None
_ending: list[Checker] = []


def start_checker() -> Checker:
    """Start the process, which imports Great Expectations in the background; the next `check` uses it."""
    global _waiting
    if _waiting is None:
        output = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.quality.check_worker"],
            cwd=project_root(),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
        )
        _waiting = Checker(process, output)
    return _waiting


def check(gate: str, suites: "Sequence[Suite]", docs: Path) -> list[Finding]:
    """
    Check every suite; the Data Docs are written to `docs` (`index.html`) a moment later.

    Raises `RuntimeError` with the reason if the suites could not be checked.
    """
    checker = start_checker()
    asked = {"gate": gate, "suites": [suite.as_json() for suite in suites], "docs": str(docs.absolute())}
    answer = ""
    with contextlib.suppress(BrokenPipeError):
        checker.process.stdin.write(json.dumps(asked) + "\n")
        checker.process.stdin.flush()
        answer = checker.process.stdout.readline()
    if not answer:
        output = _last_words(checker)
        stop_checker(wait=True)
        raise RuntimeError(f"Great Expectations ended before it had checked the gate {gate!r}:\n{output}")
    answered = json.loads(answer)
    if "error" in answered:
        raise RuntimeError(f"Great Expectations could not check the gate {gate!r}: {answered['error']}")
    return [Finding(**finding) for finding in answered["findings"]]


def stop_checker(wait: bool = False) -> list[str]:
    """
    Let the process end once its Data Docs are written; with `wait`, wait for it and for earlier ones.

    Returns the last output of each process that failed to write Data Docs; only with `wait`.
    """
    global _waiting
    if _waiting is not None:
        with contextlib.suppress(BrokenPipeError):
            _waiting.process.stdin.close()
        _ending.append(_waiting)
        _waiting = None
    failures = []
    while wait and _ending:
        checker = _ending.pop()
        checker.process.stdout.close()
        if checker.process.wait():
            failures.append(_last_words(checker))
        checker.output.close()
    return failures


def _last_words(checker: Checker) -> str:
    checker.output.seek(0)
    return checker.output.read()[-2000:].strip() or "its process was killed"
