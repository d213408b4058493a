"""Identifiers are loaded in the one form in which they are compared; what stands for nobody is no reference."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading.load import load_source
from pipelines.extraction.loading.state import LoadReport

DEAL = Entity(
    name="deal",
    description="A deal.",
    columns={"Id": "varchar", "AccountId": "varchar", "elsewhere": "varchar", "note": "varchar", "stamp": "timestamp"},
    key=("Id",),
    version="stamp",
    time="stamp",
    references={"AccountId": ("account",), "elsewhere": ("other.thing",)},
)
ACCOUNT = Entity("account", "A company.", {"Id": "varchar", "name": "varchar"}, ("Id",))
A, B = "0015g00000AbCdE", "0015g00000AbCdF"
A_LONG, B_LONG = A + "AAV", B + "AAV"
CRM = Source("crm", "A CRM.", (ACCOUNT, DEAL), key_form="salesforce")
DESK = replace(CRM, key_form="number")
PLAIN = replace(CRM, key_form="")
ZERO = "00000000-0000-0000-0000-000000000000"


class Loaded:
    """Exports of deals, loaded one after the other into one warehouse."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection):
        self.folder, self.connection, self.loads = folder, connection, 0

    def __call__(self, source: Source, *lines: str, header: str = "Id,AccountId") -> LoadReport:
        self.loads += 1
        path = self.folder / "deal" / f"{self.loads}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([f"{header},stamp", *(f"{line},2026-01-01" for line in lines)]) + "\n")
        return self.load(source)

    def load(self, source: Source) -> LoadReport:
        reports = load_source(self.connection, source, self.folder, datetime(2026, 6, self.loads or 1))
        return next(report for report in reports if report.entity == "deal")

    def rows(self, columns: str = "Id, AccountId") -> list[tuple]:
        return self.connection.execute(f"select {columns} from raw_crm.deal order by _file, _line").fetchall()

    def aside(self) -> list[str]:
        return [reason for (reason,) in self.connection.execute("select reason from raw_crm._quarantine").fetchall()]


@pytest.fixture
def loaded(tmp_path: Path):
    with duckdb.connect() as connection:
        yield Loaded(tmp_path, connection)


def test_salesforces_short_ids_are_read_as_the_long_ones(loaded: Loaded):
    report = loaded(CRM, f"006A0000006Vm9r,{A}", f"006A0000006Vm9s,{B_LONG}", f"006A0000006Vm9t,{A_LONG.lower()}")
    assert loaded.rows() == [
        ("006A0000006Vm9rIAC", A_LONG),
        ("006A0000006Vm9sIAC", B_LONG),
        ("006A0000006Vm9tIAC", A_LONG),
    ]
    assert "AccountId has Salesforce's ids of 15 characters, which are read as those of 18" in report.message


def test_the_same_record_by_its_short_and_its_long_id_is_one(loaded: Loaded):
    loaded(CRM, f"006A0000006Vm9rIAC,{A_LONG}")
    assert loaded(CRM, f"006A0000006Vm9r,{A}").repeated == 1
    assert loaded.rows() == [("006A0000006Vm9rIAC", A_LONG)]


def test_ids_of_other_systems_are_not_taken_for_salesforces(loaded: Loaded):
    loaded(PLAIN, f"{A},{B}")
    loaded(CRM, f"006A0000006Vm9r,,{A}", header="Id,AccountId,elsewhere")
    assert loaded.rows("Id, AccountId, elsewhere") == [(A_LONG, B_LONG, None), ("006A0000006Vm9rIAC", None, A)]


def test_another_systems_key_has_that_systems_form_where_the_contract_says_so(loaded: Loaded):
    source = replace(PLAIN, entities=(ACCOUNT, replace(DEAL, forms={"elsewhere": "salesforce"})))
    loaded(source, f"d1,{A},{A}", header="Id,AccountId,elsewhere")
    assert loaded.rows("Id, AccountId, elsewhere") == [("d1", A, A_LONG)]


@pytest.mark.parametrize(
    ("source", "written", "meant"),
    [
        (DESK, "360001234567.0", "360001234567"),
        (DESK, " 360001234567 ", "360001234567"),
        (PLAIN, "0F8FAD5B-D9CB-469F-A165-70867728950E", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        (PLAIN, "Ann@Acme.IO", "ann@acme.io"),
        (PLAIN, "\tAbC 1", "AbC 1"),
        (PLAIN, "2.0", "2.0"),  # beside `v1` it is no number
        (PLAIN, "a+b", "a+b"),
    ],
)
def test_one_form(loaded: Loaded, source: Source, written: str, meant: str):
    loaded(source, "d1,v1", f"d2,{written}")
    assert loaded.rows()[1] == ("d2", meant)


def test_point_zero_beside_words_for_nothing(loaded: Loaded):
    loaded(PLAIN, "d1,360001234567.0", "d2,n/a", "d3,", "d4,360001234568.0")
    assert [account for _, account in loaded.rows()] == ["360001234567", None, None, "360001234568"]


@pytest.mark.parametrize(
    "nobody", ["null", "undefined", "N/A", " none ", "-", "--None--", ZERO, "0", "-1", "0000", "unknown"]
)
def test_who_refers_to_nobody_refers_to_none_and_it_is_told(loaded: Loaded, nobody: str):
    report = loaded(PLAIN, f"d1,{nobody}", "d2,a1")
    assert (loaded.rows(), loaded.aside()) == ([("d1", None), ("d2", "a1")], [])
    assert f"AccountId says nothing with '{nobody.strip()}'" in report.message


@pytest.mark.parametrize("nobody", ["null", "n/a", ZERO, "000000000000000AAA"])
def test_a_record_that_is_nobodys_is_put_aside_with_the_reason(loaded: Loaded, nobody: str):
    loaded(CRM, f"{nobody},", "006A0000006Vm9r,")
    assert loaded.rows() == [("006A0000006Vm9rIAC", None)]
    assert loaded.aside() == [f"Id is not a text: '{nobody}' (it stands for nobody)"]


def test_a_record_may_have_the_number_0(loaded: Loaded):
    loaded(PLAIN, "0,a1")
    assert loaded.rows() == [("0", "a1")]


def test_a_reference_that_is_required_and_says_nothing_is_put_aside(loaded: Loaded):
    source = replace(PLAIN, entities=(ACCOUNT, replace(DEAL, required=("AccountId",))))
    loaded(source, "d1,null", "d2,a1")
    assert (loaded.rows(), loaded.aside()) == ([("d2", "a1")], ["AccountId is empty, but it is required"])


def test_texts_that_name_nobody_stay_as_they_are(loaded: Loaded):
    loaded(PLAIN, "d1,a1, null ", header="Id,AccountId,note")
    assert loaded.rows("note") == [(" null ",)]


def test_numbers_of_a_parquet_file(loaded: Loaded):
    (loaded.folder / "deal").mkdir()
    table = pa.table({"Id": ["d1", "d2", "d3"], "AccountId": [360001234567.0, None, 0.0], "stamp": ["2026-01-01"] * 3})
    pq.write_table(table, loaded.folder / "deal" / "1.parquet")
    loaded.load(DESK)
    assert loaded.rows() == [("d1", "360001234567"), ("d2", None), ("d3", None)]


def test_files_are_read_again_when_the_form_of_their_keys_changes(loaded: Loaded):
    loaded(PLAIN, f"d1,{A}")
    assert loaded.load(CRM).new_rows == 1
    assert loaded.rows() == [("d1", A_LONG)]
