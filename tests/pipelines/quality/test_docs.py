"""Data Docs: whatever names and values a company has, the page shows names as text, no values, and fetches nothing."""

from html.parser import HTMLParser
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines.extraction.loading.load import load_source
from pipelines.quality import checker
from pipelines.quality.docs import write_docs
from pipelines.quality.findings import Finding
from pipelines.quality.raw import check_raw
from pipelines.quality.suites import Rule, Suite
from pipelines.rendering import FORBIDDEN
from tests.pipelines.quality.test_raw import AS_OF, CRM, NOW

HOSTILE = [
    "<script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    "\"'><svg onload=alert(1)>",
    "javascript:alert(1)",
    "</style></td></table><iframe src=//evil.example>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\x00\x1b[31m\ud800",
]
PLAIN = {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "section", "code"}
PLAIN |= {"table", "thead", "tbody", "tr", "th", "td"}
CELLS = ("td", "th", "h2")


class Page(HTMLParser):
    """The elements, attributes and words of a page, as a browser would take them."""

    def __init__(self, path: Path):
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.cells: list[str] = []
        self.in_cell = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]):
        self.elements.add(tag)
        for name, value in attributes:
            self.attributes.setdefault(name, set()).add(value or "")
        if tag in CELLS:
            self.cells.append("")
            self.in_cell = True

    def handle_endtag(self, tag: str):
        self.in_cell = self.in_cell and tag not in CELLS

    def handle_data(self, data: str):
        if self.in_cell:
            self.cells[-1] += data


def require_harmless(page: Page) -> None:
    """Nothing but text in plain elements; nothing to run, nothing from elsewhere, nothing to follow."""
    assert page.elements <= PLAIN
    assert set(page.attributes) <= {"lang", "charset", "http-equiv", "content", "name", "class", "scope"}
    (policy,) = (value for value in page.attributes["content"] if "default-src" in value)
    assert "default-src 'none'" in policy and "script" not in policy


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_name_is_shown_as_text_and_can_do_nothing(tmp_path: Path, hostile: str):
    finding = Finding("raw", f"suite {hostile}", f"holds {hostile}", False, True, hostile, f"seen {hostile}")
    write_docs("raw", [finding], tmp_path)
    page = Page(tmp_path / "index.html")
    require_harmless(page)
    shown = FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", hostile)
    assert {f"suite {shown}", f"holds {shown}", f"seen {shown}"} <= set(page.cells)


def test_through_the_gates_process_no_value_comes_into_the_page(tmp_path: Path):
    """Values, keys and a column's name, each hostile, in every kind of rule that quotes rows."""
    column = 'id<script src="x">'
    frame = pl.DataFrame({column: [HOSTILE[0], HOSTILE[0], None], "low": [3.0, 1.0, 1.0], "high": [2.0, 2.0, None]})
    rules = [
        Rule("ExpectColumnValuesToNotBeNull", {"column": column}, f"{column} is never null"),
        Rule("ExpectColumnValuesToBeUnique", {"column": column}, f"{column} is unique"),
        Rule("ExpectColumnValuesToMatchRegex", {"column": column, "regex": "^a$"}, f"{column} is a"),
        Rule("ExpectColumnPairValuesAToBeGreaterThanB", {"column_A": "high", "column_B": "low"}, "low is at most high"),
        Rule("ExpectColumnValuesToBeBetween", {"column": column, "min_value": 0, "max_value": 1}, f"{column} is small"),
    ]
    findings = checker.check("publish", [Suite(f"scores {HOSTILE[1]}", frame, rules, key=(column,))], tmp_path / "docs")
    checker.stop_checker(wait=True)
    assert not any(finding.success for finding in findings)
    assert any(HOSTILE[0] in finding.message for finding in findings)
    assert not any(HOSTILE[0] in finding.seen for finding in findings)
    page = Page(tmp_path / "docs" / "index.html")
    require_harmless(page)
    assert f"{column} is unique" in page.cells
    assert "not in 2 of 3 rows" in page.cells
    assert "it could not be checked" in page.cells
    assert not any("taken" in cell for cell in page.cells if "scores" not in cell)


def test_what_holds_and_what_does_not_is_told_apart(tmp_path: Path):
    write_docs(
        "publish",
        [
            Finding("publish", "accounts", "account_id is unique", True, True, "accounts: account_id is unique"),
            Finding("publish", "scores", "score is known", False, True, "", "not in 1 of 3 rows"),
            Finding("publish", "scores", "it is of today", False, False, "", "there is 2026-06-28"),
        ],
        tmp_path,
    )
    page = Page(tmp_path / "index.html")
    first = page.cells.index("scores")
    assert page.cells[first : first + 8] == [
        *("scores", "score is known", "not in 1 of 3 rows", "stops the run"),
        *("scores", "it is of today", "there is 2026-06-28", "told"),
    ]
    assert page.cells[page.cells.index("account_id is unique") + 1] == "holds"


def test_pages_of_former_versions_go(tmp_path: Path):
    """They quote values as they are."""
    former = tmp_path / "validations" / "crm" / "frames-crm.html"
    former.parent.mkdir(parents=True)
    former.write_text(HOSTILE[0])
    write_docs("raw", [], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_a_hostile_export_through_the_raw_gate_leaves_no_value_in_the_page(tmp_path: Path):
    """In a file's name, a header, a key, and values that are put aside: what is bad enough to stop the run."""
    header = f"Id,Seats,Stamp,{HOSTILE[1].replace(',', '')}"
    good = [f'"{n}{HOSTILE[0]}",5,2025-01-09,x' for n in range(150)]
    bad = [f'"{n}b","{HOSTILE[0]}",2025-01-09,x' for n in range(50)]
    folder = tmp_path / "crm" / "account"
    folder.mkdir(parents=True)
    (folder / "<img src=x onerror=alert(1)>.csv").write_text("\n".join([header, *good, *bad]) + "\n")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        load_source(connection, CRM, tmp_path / "crm", NOW)
        findings = check_raw(connection, [CRM], AS_OF, 0.05, tmp_path / "docs")
    checker.stop_checker(wait=True)
    page = Page(tmp_path / "docs" / "index.html")
    require_harmless(page)
    assert [finding.expectation for finding in findings if not finding.success and finding.is_blocking]
    assert any("quarantined_rows 50" in cell for cell in page.cells)
    text = (tmp_path / "docs" / "index.html").read_text()
    assert "taken" not in text and "onerror" not in text
