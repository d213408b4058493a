"""
Data Docs: what a gate expected and found, as one self-contained page.

Great Expectations' own pages load styles and scripts from a dozen hosts and do not escape values. Here every text is
escaped, no value of the data is quoted, and the page has no script.
"""

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from pipelines.quality.findings import Finding
from pipelines.rendering import render

TITLES = {"raw": "What was loaded", "publish": "What is about to be published"}
OF_GREAT_EXPECTATIONS = ("expectations", "static", "validations")
"""Folders with Great Expectations' pages of former versions, which hold unescaped values; they are removed."""


def write_docs(gate: str, findings: Sequence[Finding], docs: Path) -> None:
    """Write `index.html` into the folder, replacing the last one atomically."""
    docs.mkdir(parents=True, exist_ok=True)
    for former in OF_GREAT_EXPECTATIONS:
        shutil.rmtree(docs / former, ignore_errors=True)
    suites = [(name, list(of_suite)) for name, of_suite in groupby(findings, key=lambda finding: finding.suite)]
    page = render(
        Path(__file__).with_name("docs.html"),
        title=TITLES.get(gate, gate),
        checked_at=datetime.now(UTC),
        suites=suites,
        failed=[finding for finding in findings if not finding.success],
        stopping=sum(finding.is_blocking and not finding.success for finding in findings),
        expectations=len(findings),
    )
    written = docs / "index.html.new"
    written.write_text(page, encoding="utf-8")
    os.replace(written, docs / "index.html")
