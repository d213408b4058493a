"""A word that the vendor added yesterday is told once."""

import importlib
import re
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading.load import load_source
from pipelines.extraction.loading.manifest import last_load, quarantined_share
from pipelines.settings import dbt_project_dir

TICKET = Entity(
    "ticket",
    "A ticket.",
    {"id": "varchar", "status": "varchar"},
    ("id",),
    words={"status": ("open", "on_hold")},
)


@pytest.fixture
def notices(tmp_path: Path):
    with duckdb.connect() as connection:

        def load(name: str, content: str, day: int) -> tuple[str, ...]:
            (tmp_path / name).write_text(content)
            (report,) = load_source(connection, Source("desk", "A desk.", (TICKET,)), tmp_path, datetime(2026, 6, day))
            return report.notices

        yield load


def test_a_new_word_is_told_with_its_rows_when_it_first_appears(notices):
    assert notices("ticket-1.csv", "id,status\n1,open\n2, On-Hold \n3,\n", 1) == ()
    new = "desk.ticket: status has words that are not known: 'waiting' (2), 'ringing' (1). They count as 'other'."
    assert notices("ticket-2.csv", "id,status\n4,Waiting\n5,waiting\n6,ringing\n7,open\n", 2) == (new,)
    assert notices("ticket-3.csv", "id,status\n8,waiting\n", 3) == ()
    assert notices("ticket-3.csv", "id,status\n8,waiting\n9,lost\n", 4) == (
        "desk.ticket: status has words that are not known: 'lost' (1). They count as 'other'.",
    )


def test_what_is_no_currency_is_told(tmp_path: Path):
    deal = Entity("deal", "A deal.", {"id": "varchar", "CurrencyIsoCode": "varchar"}, ("id",))
    (tmp_path / "deal.csv").write_text("id,CurrencyIsoCode\n1,EUR\n2, usd \n3,Euro\n4,\n5,XTS\n")
    with duckdb.connect() as connection:
        (report,) = load_source(connection, Source("crm", "A CRM.", (deal,)), tmp_path, datetime(2026, 6, 1))
    assert report.notices == (
        "crm.deal: CurrencyIsoCode has words that are not known: 'euro' (1), 'xts' (1)."
        " Their amounts have no currency.",
    )


def test_what_a_contract_leaves_out_is_put_aside_told_and_no_fault(tmp_path: Path):
    bill = Entity(
        "bill",
        "A bill.",
        {"id": "varchar", "amount": "double", "livemode": "boolean"},
        ("id",),
        rules={"amount is negative": "amount >= 0"},
        left_out={"of the test mode": "livemode = false"},
    )
    source = Source("billing", "Bills.", (bill,))
    rows = [f"t{number},9,false" for number in range(60)] + [f"l{number},9,true" for number in range(99)]
    (tmp_path / "bill.csv").write_text("\n".join(["id,amount,livemode", *rows, "x,-1,true", "y,5,"]) + "\n")
    with duckdb.connect() as connection:
        (report,) = load_source(connection, source, tmp_path, datetime(2026, 6, 1))
        _, files = last_load(connection, "raw_billing", "bill")
        reasons = connection.execute(
            "select reason, count(*) from raw_billing._quarantine group by all order by 2"
        ).fetchall()
    assert (report.new_rows, report.quarantined) == (100, 61)
    assert report.notices == ("billing.bill: 60 rows are of the test mode, so left out.",)
    assert reasons == [
        ("amount is negative (amount = -1.0)", 1),
        ("of the test mode, so left out (livemode = false)", 60),
    ]
    assert files == [("bill.csv", 101, 1)]
    assert quarantined_share(files) == pytest.approx(1 / 101)


def core_words() -> set[tuple[str, ...]]:
    """The lists of words in core's SQL."""
    models = [path.read_text() for path in sorted((dbt_project_dir() / "models" / "core").rglob("*.sql"))]
    lists = [found for text in models for found in re.findall(r"one_of\('[\w.]+', \[(.*?)\]\)", text)]
    return {tuple(re.findall(r"'(\w+)'", found)) for found in lists}


@pytest.mark.parametrize("name", ["zendesk", "stripe", "salesforce", "hubspot"])
def test_the_words_of_contracts_are_those_that_core_knows(name: str):
    source = getattr(importlib.import_module(f"assets.sources.{name}"), name)
    declared = {(entity.name, column): known for entity in source.entities for column, known in entity.words.items()}
    assert declared
    for place, known in declared.items():
        assert any(set(words) <= set(known) for words in core_words()), place
