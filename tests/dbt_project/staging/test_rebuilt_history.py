"""One export of today's state: its records live from their creation, and end by their own dates."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.extraction.as_of import write_as_of
from pipelines.extraction.loading.load import load_source
from pipelines.settings import dbt_project_dir
from tests.dbt_project.features.truncation import leaks
from tests.dbt_project.warehouses import build, source, table

NOW = datetime(2025, 7, 1, 6, tzinfo=UTC)
MADE_AT = datetime(2025, 6, 30, 18)
ACCOUNTS = [
    {"Id": f"A{number}", "Name": f"Firm {number}", "Type": "Customer" if number == 1 else "Prospect"}
    for number in (1, 2)
]
LEADS = [
    {"Id": "L1", "Company": "Won", "LeadSource": "Web", "IsConverted": 1, "ConvertedDate": "2025-04-10"},
    {"Id": "L2", "Company": "Open", "LeadSource": "Event", "IsConverted": 0, "ConvertedDate": ""},
]
DEALS = [
    {"Id": "D1", "AccountId": "A1", "IsClosed": 1, "IsWon": 1, "CloseDate": "2025-05-02", "Amount": 900},
    {"Id": "D2", "AccountId": "A2", "IsClosed": 0, "IsWon": 0, "CloseDate": "2025-09-30", "Amount": 500},
    {"Id": "D3", "AccountId": "A2", "IsClosed": 1, "IsWon": 0, "CloseDate": "2025-02-01", "Amount": 70},
]
LATER = {
    "account": {"Type": "Churned", "Industry": "Retail", "OwnerId": "U9"},
    "lead": {"Status": "Qualified", "Rating": "Hot", "Phone": "1", "OwnerId": "U9", "Title": "CEO", "Score__c": 9},
    "opportunity": {"Probability": 90, "OwnerId": "U9", "ForecastCategory": "Closed"},
}
"""What is filled in when the outcome is known."""
SUBSCRIPTIONS = [
    {"id": "S1", "Customer ID": "C1", "Status": "canceled", "Start (UTC)": "2025-03-01 00:00",
     "Canceled At (UTC)": "2025-05-20 00:00", "Ended At (UTC)": "2025-06-01 00:00", "Trial End (UTC)": ""},
    {"id": "S2", "Customer ID": "C2", "Status": "active", "Start (UTC)": "2025-03-10 00:00",
     "Canceled At (UTC)": "", "Ended At (UTC)": "", "Trial End (UTC)": "2025-04-01 00:00"},
    {"id": "S3", "Customer ID": "C3", "Status": "incomplete_expired", "Start (UTC)": "2025-03-10 00:00",
     "Canceled At (UTC)": "", "Ended At (UTC)": "2025-03-11 00:00", "Trial End (UTC)": ""},
    {"id": "S4", "Customer ID": "C1", "Status": "active", "Start (UTC)": "2025-06-20 00:00",
     "Canceled At (UTC)": "", "Ended At (UTC)": "", "Trial End (UTC)": ""},
]  # fmt: skip


@dataclass(frozen=True)
class Company:
    warehouse: Path

    def rows(self, query: str) -> list[dict]:
        return table(self.warehouse, query)


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        names = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)


def with_times(rows: Sequence[Mapping[str, object]], later: Mapping[str, object]) -> list[dict]:
    """Created in January; the first record is the last to change, `later` fills what its end fills in."""
    return [
        {**row, **(later if number == 0 else dict.fromkeys(later, "")), "CreatedDate": "2025-01-15 10:00:00",
         "SystemModstamp": "2025-06-30 18:00:00" if number == 0 else "2025-01-20 09:00:00"}
        for number, row in enumerate(rows)
    ]  # fmt: skip


def exported(folder: Path, later: bool) -> Company:
    """The warehouse of a company that exported once, with or without what an outcome fills in."""
    for name, rows in {"account": ACCOUNTS, "lead": LEADS, "opportunity": DEALS}.items():
        filled = LATER[name] if later else dict.fromkeys(LATER[name], "")
        write(folder / "salesforce" / f"{name.title()}.csv", with_times(rows, filled))
    plan = {"Plan": "Team", "Quantity": 2, "Currency": "eur", "Interval": "month", "Amount": "10.00"}
    made = {"Created (UTC)": "2025-03-01 00:00"}
    rows = [{**row, **plan, "Created (UTC)": row["Start (UTC)"]} for row in SUBSCRIPTIONS]
    write(folder / "stripe" / "subscriptions.csv", rows)
    customers = [{"id": f"C{n}", "Name": f"Firm {n}", "Email": f"x@firm{n}.io", **made} for n in (1, 2, 3)]
    write(folder / "stripe" / "customers.csv", customers)
    warehouse = folder / "warehouse.duckdb"
    sources = [source(name) for name in ("salesforce", "stripe")]
    with duckdb.connect(str(warehouse)) as connection:
        for each in sources:
            load_source(connection, each, folder / each.name, NOW)
        write_as_of(connection, sources, None, NOW)
    build(warehouse, "--full-refresh", select="staging core features", command="run")
    return Company(warehouse)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return exported(tmp_path_factory.mktemp("once"), later=True)


def test_a_lead_is_open_until_its_conversion(company: Company):
    found = company.rows(
        "select lead_id, valid_from, is_open, is_converted, source, status, owner_id from core.lead_versions"
        " order by 1, 2"
    )
    created = datetime(2025, 1, 15, 10)
    assert [tuple(row.values()) for row in found] == [
        ("L1", created, True, False, "Web", None, None),
        ("L1", datetime(2025, 4, 10), False, True, "Web", None, None),
        ("L1", MADE_AT, False, True, "Web", "Qualified", "U9"),
        ("L2", created, True, False, "Event", None, None),
        ("L2", MADE_AT, True, False, "Event", None, None),
    ]


def test_a_deal_is_open_until_its_close_and_has_its_amount_from_then(company: Company):
    found = company.rows(
        "select opportunity_id, valid_from, is_open, is_won, amount from core.opportunity_versions order by 1, 2"
    )
    created = datetime(2025, 1, 15, 10)
    assert [tuple(row.values()) for row in found] == [
        ("D1", created, True, False, None),
        ("D1", datetime(2025, 5, 2), False, True, 900),
        ("D1", MADE_AT, False, True, 900),
        ("D2", created, True, False, None),
        ("D2", MADE_AT, True, False, 500),
        ("D3", created, True, False, None),
        ("D3", datetime(2025, 2, 1), False, False, 70),
        ("D3", MADE_AT, False, False, 70),
    ]
    bookings = "select metric_date, value from features.metric_series where metric = 'bookings' and segment = 'total'"
    assert company.rows(f"{bookings} and value <> 0") == [{"metric_date": date(2025, 5, 2), "value": 900}]


def test_a_subscription_counts_from_its_trial_s_end_to_its_own(company: Company):
    found = company.rows(
        "select subscription_id, valid_from, status, is_active, is_cancelling_at_period_end, mrr"
        " from core.subscription_versions where valid_from < '2025-06-20' order by 1, 2"
    )
    assert [tuple(row.values()) for row in found] == [
        ("S1", datetime(2025, 3, 1), "active", True, False, 20),
        ("S1", datetime(2025, 5, 20), "active", True, True, 20),
        ("S1", datetime(2025, 6, 1), "canceled", False, False, 20),
        ("S2", datetime(2025, 3, 10), "trialing", False, False, 20),
        ("S2", datetime(2025, 4, 1), "active", True, False, 20),
        ("S3", datetime(2025, 3, 10), "incomplete", False, False, 20),
        ("S3", datetime(2025, 3, 11), "incomplete_expired", False, False, 20),
    ]


@pytest.mark.slow
def test_nothing_that_an_outcome_fills_in_shows_before_the_export(company: Company, tmp_path: Path):
    other = exported(tmp_path, later=False)
    for name in ("lead", "opportunity", "account"):
        for kind, key in (("snapshots", "as_of_date"), ("outcomes", "as_of_date")):
            query = f"select * from features.{name}_{kind} where {key} < '2025-06-30' order by {name}_id, {key}"
            rows = company.rows(query)
            names = set(rows[0]) if rows else set()
            assert rows, f"no {kind} of {name}"
            others = [{key: row.get(key) for key in names} for row in other.rows(query)]
            assert rows == others


@pytest.mark.slow
def test_the_rebuilt_history_knows_only_the_past(company: Company, tmp_path: Path):
    assert leaks(dbt_project_dir(), company.warehouse, "staging", date(2025, 4, 27), tmp_path / "cut") == []
