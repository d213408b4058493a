"""Four vendors' own exports load as they come: figures of the raw tables against those counted from the files."""

import csv
import importlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.extraction.as_of import write_as_of
from pipelines.extraction.loading.load import load_source
from tests.dbt_project.warehouses import build

EXPORTS = Path(__file__).resolve().parents[3] / "shared" / "exports"
SYSTEMS = ("hubspot", "salesforce", "stripe", "zendesk")
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
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All four loaded, with core built of them."""
    path = tmp_path_factory.mktemp("exports") / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        sources = [getattr(importlib.import_module(f"assets.sources.{system}"), system) for system in SYSTEMS]
        for source in sources:
            for report in load_source(connection, source, EXPORTS / source.name, NOW):
                assert (report.rejected, report.quarantined) == ((), 0), report.message
        write_as_of(connection, sources, None, NOW)
    build(path, select="staging core", command="run")
    return path


@pytest.fixture(scope="module")
def loaded(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
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


def by_month(rows: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The sum of values by the month of their day."""
    months: dict[str, float] = {}
    for day, value in rows:
        months[day[:7]] = months.get(day[:7], 0) + value
    return months


def test_companies_people_and_customers_of_all_four_are_those_of_the_files(loaded):
    domains = {row["Company Domain Name"] for row in rows_of("hubspot/*companies*")}
    assert loaded.execute("select count(*) from core.accounts").fetchone() == (len(domains),)
    emails = {
        row["Email"].lower()
        for name in ("hubspot/*contacts*", "salesforce/Contact.csv", "salesforce/Lead.csv", "stripe/customers.csv")
        for row in rows_of(name)
    } | {row["email"].lower() for row in rows_of("zendesk/users.json")}
    assert loaded.execute("select count(*) from core.people").fetchone() == (len(emails),)
    active = [row for row in rows_of("stripe/subscriptions.csv") if row["Status"] == "active"]
    yearly = sum(12 * number(row["Amount"]) * int(row["Quantity"]) for row in active)
    assert {row["Interval"] for row in active} == {"month"}
    found = loaded.execute("select count(*) filter (is_customer), sum(arr) from core.accounts").fetchone()
    assert found == (len({row["Customer ID"] for row in active}), pytest.approx(yearly))


def test_what_is_paid_counts_though_nobody_says_when(loaded):
    """Stripe's dashboard exports `Paid`, and no day of it: money that came in, and no payment at a time."""
    paid = sum(number(row["Amount Paid"]) for row in rows_of("stripe/invoices.csv") if row["Paid"] == "TRUE")
    assert loaded.execute("select sum(latest_amount_paid) from core.invoices").fetchone() == (pytest.approx(paid),)
    assert loaded.execute("select count(*) from core.payments").fetchone() == (0,)


def test_deals_tickets_and_conversions_are_in_the_months_of_the_files(loaded):
    won = {
        "salesforce": by_month(
            (row["CloseDate"], number(row["Amount"]))
            for row in rows_of("salesforce/Opportunity.csv")
            if row["IsWon"] == "1"
        ),
        "hubspot": by_month(
            (row["Close Date"], number(row["Amount"]))
            for row in rows_of("hubspot/*deals*")
            if row["Deal Stage"] == "Closed Won"
        ),
    }
    for system, months in won.items():
        found = loaded.execute(
            "select strftime(occurred_at, '%Y-%m'), sum(won_amount) from core.closed_opportunities"
            " where result = 'won' and source_system = ? group by all",
            [system],
        )
        assert dict(found.fetchall()) == pytest.approx(months)
    tickets = by_month((row["created_at"], 1) for row in rows_of("zendesk/tickets.json"))
    found = loaded.execute("select strftime(known_at, '%Y-%m'), count(*) from core.tickets group by all")
    assert dict(found.fetchall()) == tickets
    converted = by_month(
        (row["ConvertedDate"], 1) for row in rows_of("salesforce/Lead.csv") if row["IsConverted"] == "1"
    )
    found = loaded.execute(
        "select strftime(converted_at, '%Y-%m'), count(*) from core.leads where is_converted group by all"
    )
    assert dict(found.fetchall()) == converted
