"""Exports in every usual wrapping load as if they were plain."""

import codecs
import gzip
import io
import json
import zipfile
from dataclasses import replace
from datetime import date, datetime
from xml.sax.saxutils import escape

import duckdb
import pytest

from pipelines.extraction.configuration import Limits
from pipelines.extraction.contracts import Entity, Inside, Source
from pipelines.extraction.loading.load import load_source

ROWS = [("1", "Zoë", "2025-01-01 10:00:00"), ("2", 'a "b", c', "2025-01-02 10:00:00")]
HEADER = ("id", "name", "updated_at")
COLUMNS = {"id": "varchar", "name": "varchar", "updated_at": "timestamp"}
THING = Entity("thing", "A thing.", COLUMNS, ("id",), "updated_at", "updated_at", labels={"name": ("a.b.name",)})
PART = Entity(
    "part",
    "A part of a thing.",
    {"id": "varchar", "thing_id": "varchar", "kind": "varchar"},
    ("id",),
    inside=Inside("thing", "parts", {"thing_id": "id", "id": "id"}, only={"kind": ("good", "bad")}),
)
SOURCE = Source("shop", "A shop.", (THING, PART))
NOW = datetime(2025, 2, 1)


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def csv_text(delimiter: str = ",", end: str = "\n") -> str:
    quoted = [",".join('"' + value.replace('"', '""') + '"' for value in row) for row in (HEADER, *ROWS)]
    return end.join(line.replace('","', f'"{delimiter}"') for line in quoted) + end


def documents() -> list[dict]:
    return [dict(zip(HEADER, row, strict=True)) for row in ROWS]


def workbook(rows: list[list], second: list[list] | None = None) -> bytes:
    """A workbook with inline texts and numbers, as small as the format allows."""
    stream = io.BytesIO()

    def cell(value: object) -> str:
        if isinstance(value, (int, float)):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'

    def sheet(some: list[list]) -> str:
        body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in some)
        return (
            '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            f"<sheetData>{body}</sheetData></worksheet>"
        )

    sheets = [rows, *([second] if second else [])]
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    with zipfile.ZipFile(stream, "w") as archive:
        types = "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType='
            '"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml"'
            " ContentType="
            f'"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>{types}</Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{relations}/officeDocument"'
            ' Target="xl/workbook.xml"/></Relationships>',
        )
        names = "".join(f'<sheet name="S{n}" sheetId="{n}" r:id="r{n}"/>' for n in range(1, len(sheets) + 1))
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{relations}"><sheets>{names}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="r{n}" Type="{relations}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">{links}</Relationships>'
        )
        for number, some in enumerate(sheets, start=1):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", sheet(some))
    return stream.getvalue()


FILES = {
    "thing.csv": csv_text().encode(),
    "thing_bom.csv": b"\xef\xbb\xbf" + csv_text().encode(),
    "thing_semicolon.csv": csv_text(";").encode(),
    "thing_tab.tsv": csv_text("\t").encode(),
    "thing_crlf.csv": csv_text(end="\r\n").encode(),
    "thing_cr.csv": csv_text(end="\r").encode(),
    "thing_sep.csv": b"sep=;\r\n" + csv_text(";", "\r\n").encode(),
    "thing_sep_bom.csv": b'\xef\xbb\xbf"sep=|"\n' + csv_text("|").encode(),
    "thing_utf16.csv": csv_text().encode("utf-16"),
    "thing_utf16_be.csv": b"\xfe\xff" + csv_text().encode("utf-16-be"),
    "thing_cp1252.csv": csv_text().encode("cp1252"),
    "thing.csv.gz": packed(csv_text().encode()),
    "thing_utf16.csv.gz": packed(csv_text("\t", "\r\n").encode("utf-16")),
    "thing.jsonl": "\n".join(map(json.dumps, documents())).encode(),
    "thing_lines.json": "\n".join(json.dumps(each, ensure_ascii=False) for each in documents()).encode(),
    "thing_array.json": json.dumps(documents(), indent=1).encode(),
    "thing_wrapped.json": json.dumps({"count": 2, "things": documents(), "next": None}).encode(),
    "thing.json.gz": packed(json.dumps(documents()).encode()),
    "thing.xlsx": workbook([list(HEADER), *map(list, ROWS)]),
}


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def load(tmp_path, connection):
    def load_files(files: dict[str, bytes], **more) -> dict:
        folder = tmp_path / "shop"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return {report.entity: report for report in load_source(connection, SOURCE, folder, NOW, **more)}

    return load_files


@pytest.mark.parametrize("name", FILES)
def test_every_wrapping_gives_the_same_rows(load, connection, name):
    report = load({name: FILES[name]})["thing"]
    assert report.rejected == ()
    found = connection.execute(
        "select id, name, strftime(updated_at, '%Y-%m-%d %H:%M:%S') from raw_shop.thing order by 1"
    )
    assert found.fetchall() == ROWS
    assert connection.execute("select count(*) from raw_shop._quarantine").fetchone() == (0,)


def test_an_encoding_that_the_user_corrects_is_read_again(load, connection, tmp_path):
    assert (
        "was read as Windows-1252"
        in load({"thing.csv": "id,name,updated_at\n1,Łódź,2025-01-01\n".encode("cp1250")})["thing"].message
    )
    load_source(connection, replace(SOURCE, encoding="cp1250"), tmp_path / "shop", NOW)
    assert connection.execute("select name from raw_shop.thing").fetchall() == [("Łódź",)]


@pytest.mark.parametrize("start", [b"", codecs.BOM_UTF8, b"sep=,\n"], ids=["plain", "mark", "sep"])
def test_an_encoding_is_that_of_files_which_are_not_utf_8(load, connection, tmp_path, start):
    text = "id,name,updated_at\n{},Łódź,2025-01-01\n"
    load({"thing_1.csv": start + text.format(1).encode()})
    load({"thing_2.csv": text.format(2).encode("cp1250")})
    load({"thing_3.csv": codecs.BOM_UTF16_LE + text.format(3).encode("utf-16-le")})
    connection.execute("drop schema raw_shop cascade")
    (report, _) = load_source(connection, replace(SOURCE, encoding="cp1250"), tmp_path / "shop", NOW)
    assert (report.rejected, report.new_rows) == ((), 3)
    assert connection.execute("select distinct name from raw_shop.thing").fetchall() == [("Łódź",)]


@pytest.mark.parametrize("start", ["", "sep=,\n"])
def test_lines_are_those_of_the_file_with_a_line_for_spreadsheets(load, connection, start):
    content = f"{start}id,name,updated_at\n1,a,2025-01-01\n2,b,2025-01-01,too much\n3,c,never\n4,d,2025-01-01\n"
    load({"thing.csv": content.encode()})
    first = 2 + bool(start)
    assert connection.execute("select id, _line from raw_shop.thing order by 1").fetchall() == [
        ("1", first),
        ("4", first + 3),
    ]
    lines = connection.execute("select line, raw_text from raw_shop._quarantine order by 1").fetchall()
    assert lines == [(first + 1, "2,b,2025-01-01,too much"), (first + 2, "3,c,never")]


def test_a_second_load_reads_nothing_again(load):
    load(FILES)
    assert {report.status for report in load({}).values()} == {"unchanged", "empty"}


def test_the_first_sheet_with_rows_is_read_and_the_others_are_told(load, connection):
    rows = [["id", "name", "updated_at"], [7, "x", "2025-01-01"], [8, "two\nlines", date(2025, 1, 2).isoformat()]]
    report = load({"thing.xlsx": workbook(rows, [["other"]])})["thing"]
    found = connection.execute("select id, name, _line from raw_shop.thing order by 1").fetchall()
    assert found == [("7", "x", 2), ("8", "two lines", 3)]
    assert "sheet 'S1' was read, not S2" in report.message


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("thing.csv.gz", b"\x1f\x8bnot packed at all", "thing.csv.gz cannot be unpacked"),
        ("thing.csv.gz", packed(b""), "is empty once unpacked"),
        ("thing.csv.gz", packed(csv_text().encode())[:-9], "cannot be unpacked"),
        ("thing.json", b'{"a": 1, "b": [1, 2]}', "there is no column 'id'"),
        ("thing.json", b'[{"id": 1}', "is not valid JSON"),
        ("thing.json", b"7", "has no list of records"),
        ("thing.xlsx", b"PK\x03\x04 no workbook", "cannot be read as an Excel workbook"),
        (
            "thing.csv",
            b"id,name,updated_at\r1,\xfc\xfc,2025-01-01\r\n2,x,2025-01-01\r",
            "thing.csv, line 1: the header has",
        ),
        ("thing.csv.gz", packed(b'id,"name\n1,x\n'), "thing.csv.gz, line 1: a quote is opened in the header"),
        ("thing.csv.gz", packed(b"name\nx\n"), "thing.csv.gz, line 1: there is no column 'id'"),
    ],
)
def test_what_cannot_be_opened_is_refused_and_the_others_load(load, connection, name, content, words):
    report = load({name: content, "things.csv": csv_text().encode()})["thing"]
    (message,) = report.rejected
    assert name in message and words in message
    assert "scratch" not in message and "scorecast-" not in message
    assert connection.execute("select count(*) from raw_shop.thing").fetchone() == (2,)


def test_a_bomb_is_refused_by_what_it_unpacks_to(load, monkeypatch):
    monkeypatch.setattr("pipelines.extraction.configuration.FREE_EXPANSION", 10_000)
    bomb = packed(b"id,name,updated_at\n" + b"0" * 10**6)
    report = load({"thing.csv.gz": bomb}, limits=Limits(expansion=2))["thing"]
    assert "over a limit" in report.rejected[0]


THINGS = [
    {"id": 1, "a": {"b": {"name": "deep"}}, "updated_at": "2025-01-01", "parts": [{"id": 11, "kind": "good"}]},
    {"id": 2, "updated_at": "2025-01-01", "parts": [{"kind": "unrated"}, {"kind": "bad"}]},
    {"id": 3, "updated_at": "2025-01-01", "parts": None},
    {"id": 4, "updated_at": "2025-01-01", "parts": {"kind": "good"}},
]


@pytest.mark.parametrize(
    ("name", "content"), [("thing.jsonl", "\n".join(map(json.dumps, THINGS))), ("thing.json", json.dumps(THINGS))]
)
def test_nested_fields_and_records_reach_their_columns(load, connection, name, content):
    load({name: content.encode()})
    names = connection.execute("select id, name from raw_shop.thing order by 1").fetchall()
    assert names == [("1", "deep"), ("2", None), ("3", None), ("4", None)]
    parts = connection.execute("select id, thing_id, kind, _line from raw_shop.part order by 1").fetchall()
    assert parts == [("11", "1", "good", 1), ("2", "2", "bad", 2), ("4", "4", "good", 4)]
    assert connection.execute("select count(*) from raw_shop._quarantine").fetchone() == (0,)
