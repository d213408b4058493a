"""Four vendors' own exports load as they come: figures of the raw tables against those counted from the files."""

import csv
import importlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.extraction.loading.load import load_source

EXPORTS = Path(__file__).resolve().parents[3] / "shared" / "exports"
NOW = datetime(2026, 12, 31)
"""After everything in the files."""

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not EXPORTS.exists(), reason=f"the vendors' exports are not at {EXPORTS}"),
]


def rows_of(name: str) -> list[dict]:
    (path,) = EXPORTS.glob(name)
    if path.suffix == ".json":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def number(text: str) -> float:
    return float(text.replace(",", "") or 0)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(tmp_path_factory.mktemp("exports") / "warehouse.duckdb")) as connection:
        for system in ("hubspot", "salesforce", "stripe", "zendesk"):
            source = getattr(importlib.import_module(f"assets.sources.{system}"), system)
            for report in load_source(connection, source, EXPORTS / system, NOW):
                assert (report.rejected, report.quarantined) == ((), 0), report.message
        yield connection


@pytest.mark.parametrize(
    ("table", "file"),
    [
        ("hubspot.company", "hubspot/*companies*"),
        ("hubspot.contact", "hubspot/*contacts*"),
        ("hubspot.deal", "hubspot/*deals*"),
        ("salesforce.account", "salesforce/Account.csv"),
        ("salesforce.contact", "salesforce/Contact.csv"),
        ("salesforce.lead", "salesforce/Lead.csv"),
        ("salesforce.opportunity", "salesforce/Opportunity.csv"),
        ("stripe.customer", "stripe/customers.csv"),
        ("stripe.subscription", "stripe/subscriptions.csv"),
        ("stripe.invoice", "stripe/invoices.csv"),
        ("zendesk.organization", "zendesk/organizations.json"),
        ("zendesk.user", "zendesk/users.json"),
        ("zendesk.ticket", "zendesk/tickets.json"),
    ],
)
def test_every_row_of_every_file_is_there(loaded, table, file):
    assert loaded.execute(f"select count(*) from raw_{table}").fetchone() == (len(rows_of(file)),)


def test_amounts_are_those_of_the_files(loaded):
    invoices, deals = rows_of("stripe/invoices.csv"), rows_of("hubspot/*deals*")
    subscriptions = [row for row in rows_of("stripe/subscriptions.csv") if row["Status"] == "active"]
    found = loaded.execute(
        "select sum(amount_due_in_units), sum(amount_paid_in_units), count(amount_due) from raw_stripe.invoice"
    )
    expected = [sum(number(row[name]) for row in invoices) for name in ("Amount Due", "Amount Paid")]
    assert found.fetchone() == pytest.approx((*expected, 0))
    found = loaded.execute(
        "select sum(plan_amount_in_units * quantity) from raw_stripe.subscription where status = 'active'"
    )
    assert found.fetchone()[0] == pytest.approx(
        sum(number(row["Amount"]) * int(row["Quantity"]) for row in subscriptions)
    )
    found = loaded.execute("select sum(amount) from raw_hubspot.deal")
    assert found.fetchone()[0] == pytest.approx(sum(number(row["Amount"]) for row in deals))


def test_months_and_outcomes_are_those_of_the_files(loaded):
    months: dict[str, int] = {}
    for row in rows_of("zendesk/tickets.json"):
        months[row["created_at"][:7]] = months.get(row["created_at"][:7], 0) + 1
    found = loaded.execute("select strftime(created_at, '%Y-%m'), count(*) from raw_zendesk.ticket group by all")
    assert dict(found.fetchall()) == months
    leads = rows_of("salesforce/Lead.csv")
    found = loaded.execute(
        'select count(*) filter ("IsConverted"), min("CreatedDate") from raw_salesforce.lead'
    ).fetchone()
    assert found == (
        sum(row["IsConverted"] == "1" for row in leads),
        datetime.fromisoformat(min(row["CreatedDate"] for row in leads)),
    )


def test_what_stands_within_tickets_is_there(loaded):
    tickets = rows_of("zendesk/tickets.json")
    rated = [row["satisfaction_rating"]["score"] for row in tickets if row["satisfaction_rating"]]
    comments = sum(len(row["comments"]) for row in tickets)
    assert loaded.execute("select count(*) from raw_zendesk.ticket_comment").fetchone() == (comments,)
    good, bad = (rated.count(score) for score in ("good", "bad"))
    found = loaded.execute("select count(*) filter (score = 'good'), count(*) from raw_zendesk.satisfaction_rating")
    assert found.fetchone() == (good, good + bad)
    channels = loaded.execute(
        "select count(*) filter (via_channel = 'email'), count(solved_at) from raw_zendesk.ticket"
    )
    assert channels.fetchone() == (
        sum(row["via"]["channel"] == "email" for row in tickets),
        sum(row["metric_set"]["solved_at"] is not None for row in tickets),
    )
