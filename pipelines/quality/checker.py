"""
Great Expectations in a process of its own: it takes seconds to import and 0.2 GB that a run needs for other things.

    python -m pipelines.quality.checker

The process imports it, then answers requests until stdin is closed: a pickled `(gate, suites, docs)` on stdin; on
stdout the findings, or an exception. It writes the Data Docs after it has answered.
"""

import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from pipelines.settings import project_root

if TYPE_CHECKING:
    from pipelines.quality.findings import Finding
    from pipelines.quality.suites import Suite


class Checker(NamedTuple):
    """The process, and what it prints: for when it ends before its time."""

    process: subprocess.Popen
    said: BinaryIO


_waiting: Checker | None = None
_ending: list[Checker] = []


def start_checker() -> Checker:
    """Have the process import Great Expectations in the background; the next `check` uses it."""
    global _waiting
    if _waiting is None:
        said = tempfile.TemporaryFile()  # noqa: SIM115
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.quality.checker"],
            cwd=project_root(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
        )
        _waiting = Checker(process, said)
    return _waiting


def check(gate: str, suites: "Sequence[Suite]", docs: Path) -> "list[Finding]":
    """
    Check every suite; Great Expectations' Data Docs come to `docs` (`index.html` there) a moment later.

    Raises `RuntimeError` where it could not be checked, with the reason.
    """
    checker = start_checker()
    try:
        pickle.dump((gate, list(suites), docs.absolute()), checker.process.stdin)
        checker.process.stdin.flush()
        answer = pickle.load(checker.process.stdout)
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        said = _last_words(checker)
        stop_checker(wait=True)
        raise RuntimeError(f"Great Expectations ended before it had checked the gate {gate!r}:\n{said}") from error
    if isinstance(answer, Exception):
        raise answer
    return answer


def stop_checker(wait: bool = False) -> list[str]:
    """
    Let the process end when its Data Docs are written; with `wait`, return when this and those before have ended.

    Returns why Data Docs could not be written, one text a process that failed.
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
        checker.said.close()
    return failures


def _last_words(checker: Checker) -> str:
    checker.said.seek(0)
    return checker.said.read().decode(errors="replace")[-2000:].strip() or "its process was killed"


def answer_requests(requests: BinaryIO, answers: BinaryIO) -> None:
    """Check what is asked and write the docs of it, until there are no more requests."""
    from pipelines.quality.suites import build_docs, validate

    while True:
        try:
            gate, suites, docs = pickle.load(requests)
        except EOFError:
            return
        context, answer = None, []
        try:
            context, answer = validate(gate, suites, docs)
        except Exception as error:
            answer = RuntimeError(f"Great Expectations could not check the gate {gate!r}: {error}")
        pickle.dump(answer, answers)
        answers.flush()
        if context is not None:
            build_docs(context, docs)


def main() -> None:
    """Import first, then answer; what libraries print goes to stderr, for stdout is the answers' way."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations  # noqa: F401

    answer_requests(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
