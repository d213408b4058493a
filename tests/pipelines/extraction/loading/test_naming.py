"""Raw columns have harmless names whatever the export calls them, and nothing that it says is ever run."""

import csv
import io
import json
import tempfile
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.files import UnreadableFileError
from pipelines.extraction.loading.load import load_source
from pipelines.extraction.loading.naming import is_harmless, raw_names

NOW = datetime(2025, 1, 10, 12)
THING = Entity(name="thing", description="A thing.", columns={"id": "varchar"}, key=("id",))
SOURCE = Source(name="any", description="Anything.", entities=(THING,))
DROPS = '"; drop table victim; --'
ATTACKS = [
    DROPS,
    "' || (select 1) || '",
    "x); copy victim to 'stolen.csv'; --",
    "\" from read_text('/etc/passwd'); --",
    "{{ 1 / 0 }}",
    "${HOME}",
    "<script>alert(1)</script>",
    "rowid",
    "ROWID",
    "_file",
    "_line",
    "_loaded_at",
    "_path",
    "_row",
    "_read_0",
    "_typed_1",
    "c0",
    "json",
    "filename",
    "null",
    "a\0b",
    "two\nlines",
    "a\rb",
    "\x1b[31mred",
    "\u202egnp",
    "\\",
    "~1/",
    "Größe",
    "客户",
    "x" * 10_000,
]
TEXT = st.sampled_from(ATTACKS) | st.text(max_size=12)
NAMES = st.lists(TEXT, max_size=4, unique_by=lambda name: name.strip().lower()).map(
    lambda names: [name for name in names if name.strip().lower() != "id"]
)
FILES = st.sampled_from(["1", "it's", 'say "x"', "a; drop table victim", "two\nlines", "{x}", "%s", "back\\slash", "é"])


def as_csv(path: Path, names: list[str], rows: list[list[str]]) -> list[str]:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["id", *names], *rows])
    path.with_name(f"{path.name}.csv").write_bytes(out.getvalue().encode())
    return [name.strip() or f"column_{position}" for position, name in enumerate(names, start=2)]


def as_json(path: Path, names: list[str], rows: list[list[str]]) -> list[str]:
    lines = [json.dumps(dict(zip(["id", *names], row, strict=True))) for row in rows]
    path.with_name(f"{path.name}.jsonl").write_text("\n".join(lines) + "\n")
    return names


def as_parquet(path: Path, names: list[str], rows: list[list[str]]) -> list[str]:
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    pq.write_table(pa.table(columns, names=["id", *names]), path.with_name(f"{path.name}.parquet"))
    return names


@pytest.mark.parametrize("write", [as_csv, as_json, as_parquet])
@settings(max_examples=15, deadline=None)
@given(names=NAMES, values=st.lists(st.lists(TEXT, min_size=4, max_size=4), min_size=1, max_size=2), file=FILES)
@example(names=ATTACKS, values=[ATTACKS], file="1")
def test_hostile_names_and_values_are_data(write, names, values, file):
    rows = [[f"k{n}", *(f"v{text}" for text in row[: len(names)])] for n, row in enumerate(values)]
    with tempfile.TemporaryDirectory() as name, duckdb.connect(str(Path(name) / "w.duckdb")) as connection:
        connection.execute("create table victim as select 1 as alive")
        folder = Path(name) / "exports" / "thing"
        folder.mkdir(parents=True)
        originals = write(folder / file, names, rows)
        (report,) = load_source(connection, SOURCE, folder.parent, NOW)
        assert (report.rejected, report.quarantined, report.new_rows) == ((), 0, len(rows))
        called = dict(connection.execute("select original_name, column_name from raw_any._columns").fetchall())
        columns = [called.get(original, original) for original in originals]
        assert all(is_harmless(column) for column in columns)
        quoted = "".join(f', "{column}"' for column in columns)
        loaded = connection.execute(f"select id{quoted} from raw_any.thing order by id").fetchall()
        assert loaded == [tuple(row) for row in rows]
        assert connection.execute("from victim").fetchall() == [(1,)]
        assert len(list(folder.iterdir())) == 1
        assert load_source(connection, SOURCE, folder.parent, NOW)[0].status == "unchanged"


@given(st.lists(TEXT, max_size=12))
def test_names_are_unique_and_depend_on_the_file_alone(originals):
    try:
        names = raw_names(originals, THING)
    except UnreadableFileError:
        assert [original.lower() for original in originals].count("id") > 1
        return
    assert len({name.lower() for name in names}) == len(originals)
    assert all(is_harmless(name) for name in names)
    assert raw_names(originals, THING) == names
    assert raw_names(names, THING) == names


@pytest.mark.parametrize(
    "name",
    ["Tier__c", "Lead Status (Original)", "# of Employees", "MRR/Seat", "Amount in €", "Größe", "first.touch", "_id"],
)
def test_a_harmless_name_stays_as_it_is(name):
    assert raw_names(["ID", name], THING) == ("id", name)


def test_a_made_name_is_the_same_in_every_batch_and_its_original_is_kept(landing):
    header = f'Id,SystemModstamp,"{DROPS.replace(chr(34), chr(34) * 2)}",Note,note'
    landing.accounts("1.csv", "a1,2025-01-01,x,y,z", header=header)
    landing.load()
    named = landing.rows("select column_name, original_name, first_file, entity from raw_crm._columns order by all")
    (dropped, *first), (note, *second) = named
    assert (first, second) == ([DROPS, "account/1.csv", "account"], ["note", "account/1.csv", "account"])
    assert dropped.startswith("drop_table_victim_x")
    landing.accounts("0.csv", "a0,2025-01-01,Q,W", header="Id,SystemModstamp,\"what?\",'q'")
    landing.accounts("2.csv", "a2,2025-01-01,X", header=",".join(header.split(",")[:3]))
    landing.load()
    assert landing.rows(f"select Id, {dropped}, Note, {note} from raw_crm.account order by Id") == [
        ("a0", None, None, None),
        ("a1", "x", "y", "z"),
        ("a2", "X", None, None),
    ]
    assert [
        row for row in landing.rows("select * exclude entity from raw_crm._columns") if row[2] == "account/2.csv"
    ] == []


def test_a_column_that_was_loaded_under_a_harmful_name_is_renamed(landing, account):
    landing.accounts("1.csv", account("a1"))
    landing.load()
    landing.connection.execute('alter table raw_crm.account add column "say ""x""" varchar')
    landing.connection.execute('update raw_crm.account set "say ""x""" = 5')
    landing.accounts("2.csv", "a2,2025-01-01,6", header='Id,SystemModstamp,"say ""x"""')
    landing.load()
    ((name, original),) = landing.rows("select column_name, original_name from raw_crm._columns")
    assert original == 'say "x"'
    assert landing.rows(f"select Id, {name} from raw_crm.account order by Id") == [("a1", "5"), ("a2", "6")]


def test_a_folders_name_is_no_column(landing):
    landing.write("account/Id=evil/1.csv", "Id,SystemModstamp\na1,2025-01-01\n")
    landing.write("account/Id=evil/2.jsonl", '{"Id": "a2", "SystemModstamp": "2025-01-01"}\n')
    pq.write_table(pa.table({"Id": ["a3"], "SystemModstamp": [NOW]}), landing.folder / "account/Id=evil/3.parquet")
    landing.load()
    assert landing.ids() == ["a1", "a2", "a3"]


def test_a_number_that_no_type_holds_stays_a_text(landing):
    digits, many = "12345678901234567890123", "9" * 5000
    landing.accounts("1.csv", f"a1,2025-01-01,{digits},{many},0.5", header="Id,SystemModstamp,Serial,Many,Share")
    landing.load()
    assert landing.rows("select Serial, Many, Share from raw_crm.account") == [(digits, many, 0.5)]
