"""Tables from files as people have them, and one clear line for each that cannot be read."""

import csv
import gzip
import io
from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.any_table.tables import TableError, read_table
from pipelines.learning.columns.types import infer_types


def written(folder: Path, content: str | bytes, name: str = "table.csv") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def refusal(location: str) -> str:
    with pytest.raises(TableError) as caught:
        read_table(location)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        ("a,b\n1,x\n2,\n", ["a", "b"], [("1", "x"), ("2", None)]),
        ("a;b\n1,5;2,5\n", ["a", "b"], [("1,5", "2,5")]),
        ("a\tb\r\n1\tx\r\n", ["a", "b"], [("1", "x")]),
        ("a|b\n1|x\n", ["a", "b"], [("1", "x")]),
        ("a,b\r1,x\r2,y\r", ["a", "b"], [("1", "x"), ("2", "y")]),
        ("a\n1\n2\n", ["a"], [("1",), ("2",)]),
        ("\ufeffa,b\n1,ü\n", ["a", "b"], [("1", "ü")]),
        ('a,b\n1,"two\nlines, and a comma"\n', ["a", "b"], [("1", "two\nlines, and a comma")]),
        ('a,b\n1,"he said ""no"""\n', ["a", "b"], [("1", 'he said "no"')]),
        ('a,b\n1,5" pipe\n2,6" pipe\n3,7" pipe\n', ["a", "b"], [("1", '5" pipe'), ("2", '6" pipe'), ("3", '7" pipe')]),
        ("a,b\n\n1,x\n\n2,y\n\n", ["a", "b"], [("1", "x"), ("2", "y")]),
        ('a,b\n1,"x,y"\n2,\n', ["a", "b"], [("1", "x,y"), ("2", None)]),
        ("a,b\n,\n1,\n", ["a", "b"], [(None, None), ("1", None)]),
        ("a,b\n007,1.10\n", ["a", "b"], [("007", "1.10")]),
    ],
)
def test_csv(tmp_path, content, columns, rows):
    frame = read_table(written(tmp_path, content))
    assert frame.columns == columns
    assert frame.rows() == rows
    assert set(frame.dtypes) == {pl.String}


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("utf-16-be", "UTF-16"), ("cp1252", "Windows-1252")],
)
def test_other_encodings_are_read_and_told(tmp_path, encoding, name):
    notes: list[str] = []
    frame = read_table(written(tmp_path, "name,price\nMüller,5 €\n".encode(encoding)), notes)
    assert frame.rows() == [("Müller", "5 €")]
    assert notes == [f"table.csv is no UTF-8; it is read as {name}"]


def test_a_byte_that_windows_does_not_have_makes_it_latin_1(tmp_path):
    notes: list[str] = []
    assert read_table(written(tmp_path, b"a,b\n1,\xfc\x81\n"), notes)["b"][0] == "ü\x81"
    assert "Latin-1" in notes[0]


def test_utf_8_is_no_other_encoding_wherever_a_chunk_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.any_table.tables.CHUNK_BYTES", 7)
    notes: list[str] = []
    frame = read_table(written(tmp_path, "a,b\n" + "ü€😀x,é\n" * 50), notes)
    assert frame.rows() == [("ü€😀x", "é")] * 50
    assert notes == []


def test_names_are_repaired_and_told(tmp_path):
    notes: list[str] = []
    assert read_table(written(tmp_path, "a,a, b ,\n1,2,3,4\n"), notes).columns == ["a", "a_2", "b", "column_4"]
    assert len(notes) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,c\n1,2,3\n1,2\n4,5,\n", "line 3: 2 values in the line, but the header has 3 columns"),
        ("a,b,c\n1,2,3\n1,2,3,4\n", "line 3: 4 values in the line, but the header has 3 columns"),
        ('a,b,c\n1,"x,y"\n2,3,\n', "line 2: 2 values in the line, but the header has 3 columns"),
        ("a,b\n1,2\n3\n4,5,6\n", "line 3: 1 values in the line, but the header has 2 columns. 1 more lines are broken"),
        ('a,b\n1,"x\n2,y\n', "line 2: a quote is opened and never closed"),
        ("", "is empty (0 bytes)"),
        ("\n \n", "holds nothing but blank lines"),
        ("a,b\n", "has a header (2 columns) but no rows"),
        (bytes(range(256)) * 40, "is no text"),
        (bytes(range(1, 32)) * 40, "is no text"),
        (b"PK\x03\x04 and more", "an Excel workbook"),
        (b"\x1f\x8b and more", "compressed"),
    ],
)
def test_csv_that_cannot_be_read(tmp_path, content, message):
    location = written(tmp_path, content)
    assert refusal(location).startswith(location)
    assert message in refusal(location)


def test_the_line_is_right_in_other_encodings_and_below_quoted_newlines(tmp_path):
    text = 'a,b\n"two\nlines",x\n1,ü,3\n'
    for encoding in ("utf-8", "cp1252", "utf-16"):
        assert "table.csv, line 4: 3 values" in refusal(written(tmp_path, text.encode(encoding)))


def test_no_such_file(tmp_path):
    written(tmp_path, "a\n1\n", "customers.csv")
    assert "Did you mean 'customers.csv'?" in refusal(str(tmp_path / "custmers.csv"))
    assert "no folder" in refusal(str(tmp_path / "nowhere" / "customers.csv"))
    assert "is a folder" in refusal(str(tmp_path))


def test_parquet_whatever_its_name(tmp_path):
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
    frame.write_parquet(tmp_path / "table.parquet")
    assert read_table(str(tmp_path / "table.parquet")).equals(frame)
    whole = (tmp_path / "table.parquet").read_bytes()
    assert read_table(written(tmp_path, whole, "table.dat")).equals(frame)
    assert "cut short" in refusal(written(tmp_path, whole[:-30], "cut.parquet"))
    assert "damaged" in refusal(written(tmp_path, whole[:4] + bytes(len(whole) - 8) + whole[-4:], "bad.parquet"))
    assert "is no Parquet file" in refusal(written(tmp_path, "a,b\n1,2\n", "text.parquet"))
    frame.clear().write_parquet(tmp_path / "none.parquet")
    assert "no rows" in refusal(str(tmp_path / "none.parquet"))


def test_jsonl(tmp_path):
    frame = read_table(written(tmp_path, '{"a": 1}\n{"a": 2, "b": "x"}\n', "t.jsonl"))
    assert frame.rows() == [(1, None), (2, "x")]
    assert "line 2: the line is not valid JSON" in refusal(written(tmp_path, '{"a": 1}\n{"a": \n', "t.jsonl"))


def test_a_json_array_a_packed_file_and_a_workbook_are_read(tmp_path):
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    for name in ("t.json", "t.jsonl"):
        assert read_table(written(tmp_path, frame.write_json(), name)).equals(frame)
    for name in ("t.csv.gz", "t.tsv.gz"):
        packed = read_table(written(tmp_path, gzip.compress(frame.write_csv().encode()), name))
        assert packed.equals(frame.cast(pl.String))
    lines = gzip.compress(frame.write_ndjson().encode())
    assert read_table(written(tmp_path, lines, "t.jsonl.gz")).equals(frame)
    frame.write_excel(tmp_path / "t.xlsx")
    assert read_table(str(tmp_path / "t.xlsx")).equals(frame.cast(pl.String))


def test_what_is_wrong_with_a_packed_file_or_a_document_is_said_of_that_file(tmp_path):
    packed = written(tmp_path, gzip.compress(b"a,b\n1,2\n3\n"), "t.csv.gz")
    assert refusal(packed) == f"{packed}, line 3: 1 values in the line, but the header has 2 columns."
    assert "cannot be unpacked" in refusal(written(tmp_path, gzip.compress(b"a,b\n1,2\n")[:-9], "t.csv.gz"))
    assert "not valid JSON" in refusal(written(tmp_path, '[{"a": 1},', "t.json"))
    for name in ("t.csv", "t.parquet.gz"):
        assert "Unpack it first" in refusal(written(tmp_path, gzip.compress(b"a\n1\n"), name))


@pytest.mark.parametrize("form", ["csv", "csv.gz", "jsonl", "json", "parquet", "xlsx", "duckdb"])
def test_the_same_rows_are_the_same_table_in_every_format(tmp_path, form):
    rows = 40
    table = pl.DataFrame(
        {
            "id": [f"k{n}" for n in range(rows)],
            "is_new": [n % 3 == 0 for n in range(rows)],
            "flag": [n % 2 for n in range(rows)],
            "share": [float(n % 2) for n in range(rows)],
            "zip_code": [10_000 + n for n in range(rows)],
            "day_number": [int(f"202401{n % 28 + 1:02}") for n in range(rows)],
            "day": [date(2024, 1, 1 + n % 28) for n in range(rows)],
            "time": [datetime(2024, 1, 1 + n % 28, 9, 30) for n in range(rows)],
            "amount": [None if n == 7 else n * 1.5 for n in range(rows)],
            "count": [None if n == 9 else n for n in range(rows)],
            "word": [None if n == 5 else "north" if n % 2 else "NULL" for n in range(rows)],
        }
    )
    path = tmp_path / f"t.{form}"
    texts = table.with_columns(pl.col(pl.Date, pl.Datetime).cast(pl.String))
    if form == "parquet":
        table.write_parquet(path)
    elif form == "duckdb":
        with duckdb.connect(str(path)) as connection:
            connection.register("given", table.to_arrow())
            connection.execute("create table t as select * from given")
    elif form == "xlsx":
        table.write_excel(path)
    elif form == "json":
        path.write_text(texts.write_json())
    elif form == "jsonl":
        texts.write_ndjson(path)
    else:
        text = table.write_csv().encode()
        path.write_bytes(gzip.compress(text) if form == "csv.gz" else text)
    typed, plan = infer_types(read_table(str(path)))
    kinds = ("category", "boolean", "boolean", "boolean", "category", "date", "date", "date", "number", "number")
    assert plan.kinds == dict(zip(table.columns, (*kinds, "category"), strict=True))
    days = pl.col("day_number").cast(pl.String).str.to_date("%Y%m%d")
    expected = table.with_columns(
        pl.col("flag", "share").cast(pl.Boolean), pl.col("zip_code").cast(pl.String), days,
        pl.col("count").cast(pl.Float64), pl.col("word").replace("NULL", None),
    )  # fmt: skip
    assert typed.equals(expected)


def test_duckdb(tmp_path):
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema core; create table core.leads as select 7 as lead_id, 'x' as name")
    assert read_table(str(path)).rows() == [(7, "x")]
    with duckdb.connect(str(path)) as connection:
        connection.execute('create table "odd ""name" as select 1 as a; create table core.empty as select 1 a limit 0')
    assert read_table(f"{path}:core.leads").rows() == [(7, "x")]
    assert read_table(f"{path}:LEADS").rows() == [(7, "x")]
    assert read_table(f'{path}:odd "name').rows() == [(1,)]
    assert "has 3 tables; name one" in refusal(str(path))
    assert "Did you mean 'core.leads'?" in refusal(f"{path}:core.lead")
    assert "no rows" in refusal(f"{path}:core.empty")
    assert "There is no file" in refusal(str(tmp_path / "v.duckdb:core.leads"))
    assert "is no DuckDB database" in refusal(written(tmp_path, "a,b\n1,2\n" * 999, "text.duckdb"))
    duckdb.connect(str(tmp_path / "none.duckdb")).close()
    assert "has no tables" in refusal(str(tmp_path / "none.duckdb"))


fields = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\r", exclude_categories=("Cc",)) | st.just("\n"), max_size=8
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(fields, min_size=width, max_size=width), min_size=1, max_size=8)
    )
)
def test_what_csv_writes_comes_back(tmp_path, records):
    text = io.StringIO()
    width = len(records[0])
    csv.writer(text, lineterminator="\n").writerows([[f"column {n}" for n in range(width)], *records])
    frame = read_table(written(tmp_path, text.getvalue()))
    assert frame.fill_null("").rows() == [tuple(record) for record in records]
