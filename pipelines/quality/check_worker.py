"""
The process behind `checker`: it imports Great Expectations, then answers requests until stdin is closed.

    python -m pipelines.quality.check_worker

A request is a line of JSON on stdin: `gate`, `suites` (as `Suite.as_json`), `docs`. The answer is a line of JSON on
stdout: `findings`, or the `error` that prevented the check. The Data Docs are written after the answer.
"""

import gc
import json
import os
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from pipelines.quality.docs import write_docs
from pipelines.settings import GARBAGE_THRESHOLDS


def answer_requests(requests: TextIO, answers: TextIO) -> list[str]:
    """Check each request's suites, answer, and write their docs; returns the traceback of each docs that failed."""
    from pipelines.quality.suites import Suite, validate

    failures = []
    for line in requests:
        asked = json.loads(line)
        findings = None
        try:
            suites = [Suite.from_json(suite) for suite in asked["suites"]]
            findings = validate(asked["gate"], suites)
            answer = {"findings": [asdict(finding) for finding in findings]}
        except Exception as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), file=answers, flush=True)
        if findings is not None:
            try:
                write_docs(asked["gate"], findings, Path(asked["docs"]))
            except Exception:  # the next gate is checked all the same
                failures.append(traceback.format_exc())
    return failures


def main() -> int:
    """Import first, then answer; what libraries print goes to stderr, because stdout carries the answers."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations  # noqa: F401

    failures = answer_requests(sys.stdin, answers)
    print(*failures, sep="\n", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
