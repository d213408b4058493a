# ruff: noqa: E501 (a raw row a line reads better)
"""Facts for people and series: what happened and when, as it stands today, on raw rows small enough to check by hand."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from assets.sources import all_sources
from pipelines.extraction.as_of import write_newest
from tests.dbt_project.warehouses import build, epoch, table, write_raw

AS_OF = "2025-06-30"
Raw = Mapping[str, list[dict]]


def deal(key: str, *versions: tuple[str, str, float, str | None, bool]) -> list[dict]:
    """Versions of a deal: (day of the version, stage, amount, close date, deleted)."""
    return [
        {"Id": key, "AccountId": "001A", "StageName": stage, "Amount": amount, "CloseDate": closes or day}
        | {"IsClosed": stage.startswith("Closed"), "IsWon": stage == "Closed Won", "CurrencyIsoCode": "EUR"}
        | {"IsDeleted": is_deleted, "CreatedDate": "2025-01-10 08:00:00", "SystemModstamp": f"{day} 08:00:00"}
        for day, stage, amount, closes, is_deleted in versions
    ]


def won(day: str, amount: float, closes: str | None = None, is_deleted: bool = False) -> tuple:
    return (day, "Closed Won", amount, closes, is_deleted)


def lost(day: str, amount: float) -> tuple:
    return (day, "Closed Lost", amount, None, False)


def still_open(day: str, amount: float) -> tuple:
    return (day, "Proposal", amount, "2025-12-31", False)


def subscription(
    key: str, customer: str, amount: int, *versions: tuple[str, str], start: str | None = None
) -> list[dict]:
    """Versions of a subscription: (time, status). A cancelled one has ended when it was cancelled."""
    start = start or versions[0][0]
    return [
        {"id": key, "customer": customer, "status": status, "plan_amount": amount * 100, "plan_interval": "month"}
        | {
            "quantity": 1,
            "currency": "eur",
            "created": epoch(start),
            "start_date": epoch(start),
            "updated": epoch(time),
        }
        | ({"canceled_at": epoch(time), "ended_at": epoch(time)} if status == "canceled" else {})
        for time, status in versions
    ]


def ticket(
    key: str, created: str, *versions: tuple[str, str], solved: str | None = None, priority: str = "low"
) -> list[dict]:
    return [
        {
            "id": key,
            "status": status,
            "priority": priority,
            "created_at": created,
            "updated_at": time,
            "solved_at": solved,
        }
        for time, status in versions
    ]


def lead(key: str, created: str, *versions: tuple[str, dict]) -> list[dict]:
    return [
        {"Id": key, "LeadSource": "Web", "CreatedDate": created, "SystemModstamp": time, "IsDeleted": False} | values
        for time, values in versions
    ]


CUSTOMERS = ("midnight", "noon", "pauses", "returns", "gone", "overlaps", "leaves", "earlier", "two")
COMPANY: Raw = {
    "salesforce.account": [
        {"Id": key, "Name": name, "Industry": "Software", "IsDeleted": False}
        | {"CreatedDate": "2024-01-02 08:00:00", "SystemModstamp": "2024-01-02 08:00:00"}
        for key, name in (("001A", "Acme"), ("001T", "Two Customers"))
    ],
    "salesforce.contact": [
        {"Id": key, "AccountId": "001A", "Email": f"{key}@acme-demo.de", "IsDeleted": is_deleted}
        | {"CreatedDate": "2025-01-02 08:00:00", "SystemModstamp": f"2025-0{month}-02 08:00:00"}
        for key, states in (("003R", (False, True, False)), ("003D", (False, True, True)))
        for month, is_deleted in enumerate(states, 1)
    ],
    "salesforce.opportunity": [
        *deal(
            "reopened",
            still_open("2025-01-10", 10),
            lost("2025-03-01", 10),
            still_open("2025-03-02", 10),
            won("2025-04-01", 10),
        ),
        *deal("mistaken", still_open("2025-01-10", 70), won("2025-03-05", 70), lost("2025-03-06", 70)),
        *deal("corrected", won("2025-03-10", 0), won("2025-03-11", 30)),
        *deal("test", won("2025-03-20", 5), won("2025-03-25", 5, is_deleted=True)),
        *deal("restored", won("2025-03-20", 3), won("2025-03-25", 3, is_deleted=True), won("2025-04-20", 3)),
        *deal("written down late", still_open("2025-01-10", 2), won("2025-05-02", 2, closes="2025-04-30")),
        *deal("written down", won("2025-05-04", 20), won("2025-05-20", 12, closes="2025-05-04")),
        *deal("open again", won("2025-03-05", 80), still_open("2025-06-29", 80)),
        *deal("closes later", won("2025-05-04", 1, closes="2025-12-31")),
    ],
    "salesforce.lead": [
        *lead("stays", "2025-02-03 09:00:00", ("2025-06-30 09:00:00", {})),
        *lead(
            "deleted", "2025-02-03 09:00:00", ("2025-02-03 09:00:00", {}), ("2025-03-03 09:00:00", {"IsDeleted": True})
        ),
        *lead("merged", "2025-02-03 09:00:00", ("2025-03-03 09:00:00", {"MasterRecordId": "stays", "IsDeleted": True})),
        *lead(
            "restored",
            "2025-02-04 09:00:00",
            ("2025-03-03 09:00:00", {"IsDeleted": True}),
            ("2025-03-04 09:00:00", {}),
        ),
        *lead(
            "converted by mistake",
            "2025-02-05 09:00:00",
            ("2025-03-03 09:00:00", {"IsConverted": True, "ConvertedDate": "2025-03-03"}),
            ("2025-03-04 09:00:00", {"IsConverted": False}),
        ),
    ],
    "stripe.customer": [
        {"id": f"cus_{name}{number}", "name": name, "created": epoch("2024-01-02"), "updated": epoch("2024-01-02")}
        | {"metadata": '{"salesforce_account_id": "001T"}' if name == "two" else "{}"}
        for name in CUSTOMERS
        for number in ((1, 2) if name == "two" else (1,))
    ],
    "stripe.subscription": [
        *subscription("m1", "cus_midnight1", 100, ("2024-06-01", "active"), ("2025-01-31 23:59:50", "canceled")),
        *subscription("m2", "cus_midnight1", 150, ("2025-02-01 00:00:20", "active")),
        *subscription("n1", "cus_noon1", 100, ("2024-06-01", "active"), ("2025-01-31 12:00:00", "canceled")),
        *subscription("n2", "cus_noon1", 150, ("2025-01-31 12:00:30", "active")),
        *subscription(
            "p1", "cus_pauses1", 10, ("2024-06-01", "active"), ("2025-02-01", "paused"), ("2025-02-11", "active")
        ),
        *subscription("r1", "cus_returns1", 10, ("2024-06-01", "active"), ("2025-02-01", "canceled")),
        *subscription("r2", "cus_returns1", 10, ("2025-03-13", "active")),
        *subscription("g1", "cus_gone1", 10, ("2024-06-01", "active"), ("2025-02-01", "canceled")),
        *subscription("o1", "cus_overlaps1", 10, ("2024-06-01", "active"), ("2025-02-05", "canceled")),
        *subscription("o2", "cus_overlaps1", 20, ("2025-02-01", "active"), ("2025-05-01", "canceled")),
        *subscription("o3", "cus_overlaps1", 5, ("2024-07-01", "active")),
        *subscription("l1", "cus_leaves1", 10, ("2024-06-01", "active"), ("2025-06-25", "canceled")),
        *subscription("e1", "cus_earlier1", 10, ("2025-03-01", "active"), ("2025-06-30", "active"), start="2024-06-01"),
        *subscription("t1", "cus_two1", 40, ("2024-06-01", "active"), ("2025-02-01", "canceled")),
        *subscription("t2", "cus_two2", 60, ("2025-02-03", "active")),
    ],
}
TICKETS: Raw = {
    "zendesk.ticket": [
        *ticket(
            "again",
            "2025-05-01 09:00:00",
            ("2025-05-03 09:00:00", "solved"),
            ("2025-05-05 09:00:00", "open"),
            solved="2025-05-03 09:00:00",
        ),
        *ticket("solved", "2025-05-01 10:00:00", ("2025-05-03 09:00:00", "solved"), solved="2025-05-03 09:00:00"),
        *ticket("gone", "2025-05-02 09:00:00", ("2025-05-02 09:00:00", "open"), ("2025-05-06 09:00:00", "deleted")),
        *(
            row
            for day in range(31)
            for row in ticket(
                f"daily {day}", f"2025-05-{day + 1:02} 11:00:00", (f"2025-05-{day + 1:02} 11:00:00", "open")
            )
        ),
        *ticket("last", "2025-06-01 09:00:00", ("2025-06-01 09:00:00", "open"), priority="urgent"),
    ]
}
MORE: Raw = {
    "salesforce.opportunity": [
        *deal("one more", won("2025-02-05", 500), still_open("2025-02-07", 500), lost("2025-05-05", 500)),
    ],
}


def company(folder: Path, *parts: Raw) -> Path:
    warehouse = folder / "warehouse.duckdb"
    raw: dict[str, list[dict]] = {}
    for part in parts:
        for name, rows in part.items():
            raw[name] = [*raw.get(name, []), *rows]
    write_raw(warehouse, raw, AS_OF)
    with duckdb.connect(str(warehouse)) as connection:
        write_newest(connection, all_sources(), date.fromisoformat(AS_OF))
    build(warehouse, select="staging core metric_series published", command="run")
    return warehouse


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return company(tmp_path_factory.mktemp("company"), COMPANY, TICKETS)


def series(warehouse: Path, metric: str, segment: str = "total") -> dict[date, float]:
    query = f"select metric_date, value from features.metric_series where metric = '{metric}' and segment = '{segment}'"
    return {row["metric_date"]: row["value"] for row in table(warehouse, query)}


@pytest.mark.slow
def test_deals_count_as_they_stand_today(warehouse: Path):
    deals = {row["opportunity_id"]: row for row in table(warehouse, "from core.closed_opportunities")}
    assert {key: (row["result"], row["won_amount"], row["occurred_at"]) for key, row in deals.items()} == {
        "reopened": ("won", 10, datetime(2025, 4, 1, 8)),
        "mistaken": ("lost", 0, datetime(2025, 3, 6, 8)),
        "corrected": ("won", 30, datetime(2025, 3, 10, 8)),
        "restored": ("won", 3, datetime(2025, 3, 20, 8)),
        "written down late": ("won", 2, datetime(2025, 4, 30)),
        "written down": ("won", 12, datetime(2025, 5, 4, 8)),
        "closes later": ("won", 1, datetime(2025, 5, 4, 8)),
    }
    by_month: dict[int, float] = {}
    for day, value in series(warehouse, "bookings").items():
        by_month[day.month] = by_month.get(day.month, 0) + value
    assert {month: value for month, value in by_month.items() if value} == {3: 33, 4: 12, 5: 13}
    (acme,) = table(warehouse, "from published.accounts where account_name = 'Acme'")
    assert (acme["won_opportunities"], acme["won_amount"], acme["open_opportunities"]) == (6, 58, 1)
    gone = table(warehouse, "select opportunity_id, deleted_at from core.opportunities where deleted_at is not null")
    assert gone == [{"opportunity_id": "test", "deleted_at": datetime(2025, 3, 25, 8)}]


@pytest.mark.slow
def test_features_see_deals_as_they_were_known(warehouse: Path):
    query = "select result, won_amount from core.opportunity_closings where opportunity_id = '{}' and known_at < '2025-03-06'"
    assert table(warehouse, query.format("reopened")) == [
        {"result": "lost", "won_amount": 0},
        {"result": "withdrawn", "won_amount": 0},
    ]
    assert table(warehouse, query.format("mistaken")) == [{"result": "won", "won_amount": 70}]
    totals = "select opportunity_id, sum(won_amount) as won from core.opportunity_closings group by all having won <> 0"
    assert {row["opportunity_id"]: row["won"] for row in table(warehouse, totals)} == {
        **{
            "reopened": 10,
            "corrected": 30,
            "restored": 3,
            "written down late": 2,
            "written down": 12,
            "closes later": 1,
        }
    }


@pytest.mark.slow
def test_pauses_and_switches_are_no_stops_and_no_bumps(warehouse: Path):
    stops = table(
        warehouse,
        "select account_name, stopped_at, returned_at from core.account_stops"
        " inner join core.accounts using (account_id) order by 1",
    )
    assert [tuple(row.values()) for row in stops] == [
        ("gone", datetime(2025, 2, 1), None),
        ("returns", datetime(2025, 2, 1), datetime(2025, 3, 13)),
    ]
    churned = table(
        warehouse, "select account_name, churned_at from core.accounts where churned_at is not null order by 1"
    )
    assert [row["account_name"] for row in churned] == ["gone", "returns"]
    revenue = series(warehouse, "recurring_revenue")
    # 100 + 100 + 10 + 10 + 10 + (10 + 5) + 10 + 10 + 40
    before = 305
    assert {revenue[date(2024, 7, 1) + timedelta(days=day)] for day in range(214)} == {before}
    assert revenue[date(2025, 1, 31)] == before + 50, "midnight goes on, noon has switched"
    # midnight has switched, returns and gone have stopped, overlaps has 20 more; two go on with what they paid
    assert revenue[date(2025, 2, 1)] == revenue[date(2025, 2, 2)] == before + 100 - 20 + 20
    assert revenue[date(2025, 2, 3)] == before + 100 + 20
    assert revenue[date(2025, 2, 10)] == before + 100 + 10, "while it pauses, what pauses counts"
    assert revenue[date(2025, 6, 30)] == before + 100 + 10 + 10 - 20 - 10


@pytest.mark.slow
def test_records_that_were_taken_back_are_none(warehouse: Path):
    leads = {row["lead_id"]: row for row in table(warehouse, "from core.leads")}
    assert [key for key, row in leads.items() if row["deleted_at"] is not None and not row["merged_into_lead_id"]] == [
        "deleted"
    ]
    assert leads["converted by mistake"]["converted_at"] is None
    assert {day: value for day, value in series(warehouse, "new_leads").items() if value} == {
        **{date(2025, 2, 3): 1, date(2025, 2, 4): 1, date(2025, 2, 5): 1}
    }
    people = {
        row["email"]: row["deleted_at"]
        for row in table(warehouse, "from core.people where is_contact or email is not null")
    }
    assert people["003r@acme-demo.de"] is None
    assert people["003d@acme-demo.de"] == datetime(2025, 2, 2, 8)
    tickets = {row["ticket_id"]: row for row in table(warehouse, "from core.tickets")}
    assert (tickets["again"]["latest_status"], tickets["again"]["solved_at"]) == ("open", None)
    assert tickets["solved"]["solved_at"] == datetime(2025, 5, 3, 9)
    assert tickets["gone"]["deleted_at"] == datetime(2025, 5, 6, 9)


@pytest.mark.slow
def test_a_series_ends_where_its_own_source_ends(warehouse: Path):
    tickets = series(warehouse, "tickets")
    assert (min(tickets), max(tickets)) == (date(2025, 5, 1), date(2025, 6, 1))
    assert tickets[date(2025, 5, 1)] == 3 and tickets[date(2025, 5, 2)] == 1, "by the day they were opened"
    assert series(warehouse, "tickets", "urgent")[date(2025, 6, 1)] == 1
    for metric in ("recurring_revenue", "new_leads", "bookings"):
        assert max(series(warehouse, metric)) == date.fromisoformat(AS_OF), metric
    said = table(warehouse, "select distinct metric, known_until_date, behind from features.metric_series order by 1")
    assert [(row["metric"], row["behind"]) for row in said] == [
        ("bookings", None),
        ("new_leads", None),
        ("recurring_revenue", None),
        ("tickets", "zendesk has nothing after 2025-06-01"),
    ]


@pytest.mark.slow
def test_a_lagging_source_and_a_reopened_deal_change_nothing_else(warehouse: Path, tmp_path: Path):
    clean = company(tmp_path, COMPANY)
    facts = ("closed_opportunities", "paid_periods", "account_stops", "leads", "account_revenue_versions", "people")
    for name in facts:
        assert table(clean, f"from core.{name} order by all") == table(warehouse, f"from core.{name} order by all"), (
            name
        )
    query = "from features.metric_series where metric <> 'tickets' order by all"
    assert table(clean, query) == table(warehouse, query)
    write_raw(clean, MORE, AS_OF)
    with duckdb.connect(str(clean)) as connection:
        write_newest(connection, all_sources(), date.fromisoformat(AS_OF))
    build(clean, select="staging core metric_series", command="run")
    others = "from core.{} where opportunity_id <> 'one more' order by all"
    for name in ("closed_opportunities", "opportunity_closings", "opportunities"):
        assert table(clean, others.format(name)) == table(warehouse, others.format(name)), name
    assert {day: value for day, value in series(clean, "bookings").items() if value} == {
        day: value for day, value in series(warehouse, "bookings").items() if value
    }
