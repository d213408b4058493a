"""
Data Docs: what a gate expected and found, as one self-contained page.

Great Expectations' own pages load styles and scripts from a dozen hosts and do not escape values. Here Jinja2 escapes
every text, no value of the data is quoted, and the page has no script.
"""

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from pipelines.quality.findings import Finding

TITLES = {"raw": "What was loaded", "publish": "What is about to be published"}
OF_GREAT_EXPECTATIONS = ("expectations", "static", "validations")
"""Folders with Great Expectations' pages of former versions, which hold unescaped values; they are removed."""


def write_docs(gate: str, findings: Sequence[Finding], docs: Path) -> None:
    """Write `index.html` into the folder, replacing the last one atomically."""
    from jinja2 import Environment, FileSystemLoader

    docs.mkdir(parents=True, exist_ok=True)
    for former in OF_GREAT_EXPECTATIONS:
        shutil.rmtree(docs / former, ignore_errors=True)
    suites = [(name, list(of_suite)) for name, of_suite in groupby(findings, key=lambda finding: finding.suite)]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("docs.html").render(
        title=TITLES.get(gate, gate),
        checked_at=datetime.now(UTC),
        suites=suites,
        failed=[finding for finding in findings if not finding.success],
        stopping=sum(finding.is_blocking and not finding.success for finding in findings),
        expectations=len(findings),
    )
    written = docs / "index.html.new"
    written.write_text(page, encoding="utf-8", errors="replace")
    os.replace(written, docs / "index.html")
