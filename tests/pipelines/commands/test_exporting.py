"""`scorecast export`: the rows and columns asked for, in files that open as they should, or one line why not."""

import csv
import json
import re
import resource
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from python_calamine import CalamineWorkbook
from typer.testing import CliRunner, Result

from pipelines import spreadsheets
from pipelines.commands.main import app

REASONS = json.dumps(
    [{"feature": "a", "text": "Logins: 2, usually 9 (raises the risk)"}, {"feature": "b", "text": "Ä"}]
)
DANGEROUS = ["=1+1", "+49 30 1234", "-2", "@SUM(A1)", "\tx", "\rx"]
HARMLESS = ["Müller & Söhne", 'a "b", c', "1=1"]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("SCORECAST_DATA", str(data))
    path = data / "published.duckdb"
    names = [*DANGEROUS, *HARMLESS]
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            """
            create table lead_scores (
                lead_id varchar, full_name varchar, as_of_date date, probability double, score integer, is_open boolean,
                seen_at timestamptz, tags varchar[], amount decimal(12, 2), reason_1 varchar, reasons varchar
            )
            """
        )
        for number, name in enumerate(names):
            connection.execute(
                "insert into lead_scores values"
                " (?, ?, '2026-06-28', ?, ?, ?, '2026-06-28 12:00:00+02', ['a', 'b'], 12.5, 'why', ?)",
                [f"L{number}", name, 0.9 - number / 100, 99 - number, number % 2 == 0, REASONS],
            )
        connection.execute("insert into lead_scores (lead_id, probability) values ('L-empty', 0.01)")
        connection.execute("create table releases as select 'r1' as release_id union all select 'r2'")
    return path


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["export", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def refused(*arguments: object) -> str:
    """The one line about why nothing was written."""
    result = call(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_csv_opens_in_a_spreadsheet_and_runs_no_formula(published: Path, tmp_path: Path):
    to = tmp_path / "leads.csv"
    result = call("lead_scores", "--to", to)
    assert result.exit_code == 0
    assert result.stdout == f"10 rows of lead_scores (release r2) written to {to}.\n"
    assert to.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = rows_of(to)
    assert [row["full_name"] for row in rows] == [*(f"'{text}" for text in DANGEROUS), *HARMLESS, ""]
    assert "reasons" not in rows[0]
    assert rows[0] == {
        "lead_id": "L0",
        "full_name": "'=1+1",
        "as_of_date": "2026-06-28",
        "probability": "0.9",
        "score": "99",
        "is_open": "true",
        "seen_at": "2026-06-28 10:00:00",
        "tags": '["a", "b"]',
        "amount": "12.5",
        "reason_1": "why",
    }


def test_excel_has_text_as_text_and_dates_as_dates(published: Path, tmp_path: Path):
    to = tmp_path / "leads.xlsx"
    assert call("lead_scores", "--to", to).exit_code == 0
    header, first, *_, last = CalamineWorkbook.from_path(str(to)).get_sheet_by_index(0).to_python()
    assert header[:3] == ["lead_id", "full_name", "as_of_date"]
    assert first == [
        *("L0", "=1+1", date(2026, 6, 28), 0.9, 99.0, True, datetime(2026, 6, 28, 10), '["a", "b"]', 12.5, "why")
    ]
    assert last[:4] == ["L-empty", "", "", 0.01]
    with zipfile.ZipFile(to) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        styles = parts.read("xl/styles.xml").decode()
    assert "<f>" not in sheet
    assert "=1+1" in sheet
    codes = dict(re.findall(r'<numFmt numFmtId="(\d+)" formatCode="([^"]+)"', styles)) | {"0": "", "4": "#,##0.00"}
    formats = [codes[number] for number in re.findall(r'<xf numFmtId="(\d+)"[^>]*xfId', styles)]
    shown = {cell: formats[int(style)] for cell, style in re.findall(r'<c r="(\w)2" s="(\d+)"', sheet)}
    assert shown == {"C": "yyyy-mm-dd", "D": "0.0%", "G": "yyyy-mm-dd hh:mm:ss", "I": "#,##0.00"}


def test_parquet_has_everything_as_it_is(published: Path, tmp_path: Path):
    to = tmp_path / "leads.parquet"
    assert call("lead_scores", "--to", to).exit_code == 0
    frame = pl.read_parquet(to)
    assert frame["reasons"][0] == REASONS
    assert frame["full_name"].to_list() == [*DANGEROUS, *HARMLESS, None]
    assert frame.schema["as_of_date"] == pl.Date
    assert frame["seen_at"][0] == datetime(2026, 6, 28, 10, tzinfo=UTC)


def test_rows_and_columns_that_are_asked_for(published: Path, tmp_path: Path):
    to = tmp_path / "some.csv"
    result = call("lead_scores", "--to", to, "--where", "is_open and score > 95", "--columns", "score, lead_id,reasons")
    assert result.stdout.startswith("2 rows of lead_scores")
    assert rows_of(to) == [
        {"score": "99", "lead_id": "L0", "reasons": "Logins: 2, usually 9 (raises the risk); Ä"},
        {"score": "97", "lead_id": "L2", "reasons": "Logins: 2, usually 9 (raises the risk); Ä"},
    ]
    nobody = tmp_path / "nobody.xlsx"
    assert call("lead_scores", "--to", nobody, "--where", "score > 1000").stdout.startswith("0 rows of lead_scores")
    assert len(CalamineWorkbook.from_path(str(nobody)).get_sheet_by_index(0).to_python()) == 1


def test_a_file_that_is_there_is_replaced_only_when_told_to(published: Path, tmp_path: Path):
    to = tmp_path / "leads.csv"
    to.write_text("notes of sales")
    assert "is there already. Add --force" in refused("lead_scores", "--to", to)
    assert to.read_text() == "notes of sales"
    assert call("lead_scores", "--to", to, "--force").exit_code == 0
    assert len(rows_of(to)) == 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lead_score", "--to", "x.csv"), "There is no published table 'lead_score'. Did you mean 'lead_scores'?"),
        (("tickets", "--to", "x.csv"), "There are: lead_scores, releases."),
        (("lead_scores", "--to", "x.txt"), "x.txt must end in .csv, .xlsx or .parquet"),
        (("lead_scores", "--to", "x"), "x must end in"),
        (("lead_scores", "--to", "x.csv", "--columns", "scor"), "no column 'scor'. Did you mean 'score'?"),
        (("lead_scores", "--to", "x.csv", "--columns", ""), "has no column ''"),
        (("lead_scores", "--to", "x.csv", "--where", "scor > 5"), "--where 'scor > 5' is no condition on lead_scores"),
        (("lead_scores", "--to", "x.csv", "--where", "score >"), "--where 'score >' is no condition"),
        (("lead_scores", "--to", "x.csv", "--where", "full_name::int > 1"), "is no condition"),
        (("lead_scores", "--to", "x.csv", "--where", "true; drop table lead_scores"), "is no condition"),
        (
            ("lead_scores", "--to", "x.csv", "--where", "exists (from read_csv('/etc/passwd'))"),
            "opens nothing else",
        ),
        (
            ("lead_scores", "--to", "x.csv", "--where", "exists (from read_text('/etc/passwd'))"),
            "opens nothing else",
        ),
        (("lead_scores", "--to", "missing/x.csv"), "missing/x.csv could not be written: No such file or directory"),
        (("lead_scores", "--to", "missing/x.xlsx"), "missing/x.xlsx could not be written: No such file or directory"),
    ],
)
def test_what_cannot_be_exported_is_told_in_one_line(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert words in refused(*arguments)
    assert sorted(tmp_path.iterdir()) == before


def test_before_the_first_release_it_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    assert "Run `make run` first" in refused("lead_scores", "--to", tmp_path / "x.csv")


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_a_full_disk_leaves_the_old_file_and_no_part_of_a_new_one(published: Path, tmp_path: Path, ending: str):
    to = tmp_path / f"leads.{ending}"
    to.write_text("old")
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        told = refused("lead_scores", "--to", to, "--force")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    assert told.startswith(f"{to} could not be written. ")
    assert "is full" in told
    assert to.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", to.name]


def test_what_excel_cannot_hold_is_told(published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(spreadsheets, "CELL_CHARACTERS", 10)
    to = tmp_path / "leads.xlsx"
    told = call("lead_scores", "--to", to).stdout
    assert "Longer texts in full_name end after 10 characters" in told
    monkeypatch.setattr(spreadsheets, "SHEET_ROWS", 10)
    assert "An Excel sheet holds 9 rows, and these are 10." in refused("lead_scores", "--to", tmp_path / "more.xlsx")
    assert not (tmp_path / "more.xlsx").exists()
