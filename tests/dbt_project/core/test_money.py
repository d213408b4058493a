"""What a careful person gets by hand: amounts of several currencies, intervals, invoices that are none, rates."""

import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest

from assets.sources import all_sources
from pipelines.extraction.money import MoneySettings
from pipelines.quality.reconciliation import EXPLAINED, Line, not_closed, reconcile
from pipelines.settings import dbt_project_dir
from tests.dbt_project.warehouses import build, epoch, table, write_raw

TODAY = "2025-06-29"


def customer(key: str, name: str, currency: str = "eur") -> dict:
    when = epoch("2025-01-01")
    return {
        "id": key,
        "name": name,
        "email": f"pay@{name.lower()}-demo.example",
        "currency": currency,
        "deleted": False,
        "created": when,
        "updated": when,
    }


def subscription(key: str, of: str, amount: int, currency: str, interval: str = "month", **more: object) -> dict:
    when = epoch("2025-01-05")
    return {
        "id": key,
        "customer": of,
        "status": "active",
        "plan_amount": amount,
        "plan_interval": interval,
        "quantity": 1,
        "currency": currency,
        "created": when,
        "start_date": when,
        "updated": when,
        **more,
    }


def invoice(key: str, of: str, status: str, amount: int, currency: str, day: str, updated: str | None = None) -> dict:
    return {
        "id": key,
        "customer": of,
        "status": status,
        "currency": currency,
        "amount_due": amount,
        "amount_paid": amount if status == "paid" else 0,
        "created": epoch(day),
        "paid_at": epoch(updated or day) if status == "paid" else None,
        "updated": epoch(updated or day),
    }


def deal(key: str, stage: str, amount: float | None, currency: str | None = "EUR", **more: object) -> dict:
    return {
        "Id": key,
        "AccountId": "A-deals",
        "StageName": stage,
        "Amount": amount,
        "CloseDate": "2025-04-15",
        "IsClosed": stage != "Negotiation",
        "IsWon": stage == "Closed Won",
        "CurrencyIsoCode": currency,
        "IsDeleted": False,
        "CreatedDate": "2025-02-01",
        "SystemModstamp": "2025-04-15",
        **more,
    }


def reconciled(warehouse: Path) -> list[Line]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return reconcile(connection, all_sources(), dbt_project_dir() / "models" / "staging")


def explained(lines: list[Line], figure: str, comparison: str = "files to core") -> dict[tuple, float]:
    """(currency, step) → amount."""
    return {
        (line.cell.currency, line.step): line.amount
        for line in lines
        if (line.cell.figure, line.cell.comparison, line.role) == (figure, comparison, EXPLAINED)
    }


INTERVALS = {
    "a quarter": ("month", 3, 30000, 100),
    "a year": ("year", 1, 120000, 100),
    "two years": ("year", 2, 240000, 100),
    "capital": ("Year", None, 120000, 100),
    "a word for a quarter": ("quarterly", None, 30000, 100),
    "a number in words": ("every 6 months", None, 60000, 100),
    "annually": (" Annually ", 1, 120000, 100),
    "in German": ("jährlich", None, 120000, 100),
    "half a year": ("semi-annual", None, 60000, 100),
    "weeks": ("week", 2, 1400, 365 / 12),
    "ISO 8601": ("P3M", None, 30000, 100),
    "not known": ("per seat", None, 10000, None),
    "not told": (None, None, 10000, None),
}


def company() -> dict[str, list[dict]]:
    february = epoch("2025-02-05")
    subscriptions = [
        subscription("s_a1", "two", 10000, "eur"),
        subscription("s_a2", "two", 20000, "usd") | dict.fromkeys(("created", "start_date", "updated"), february),
        subscription("s_b", "one", 5000, "usd"),
        subscription("s_yen", "yen", 5000, "jpy"),
        subscription("s_dinar", "dinar", 50000, "kwd"),
        subscription("s_krona", "krona", 50000, "isk"),
        subscription("s_free", "free", 0, "eur"),
        subscription("s_odd", "odd", 100, "euro"),
        *(
            subscription(f"i_{name}", "intervals", amount, "eur", interval, plan_interval_count=count)
            for name, (interval, count, amount, _) in INTERVALS.items()
        ),
    ]
    names = ["two", "one", "yen", "dinar", "krona", "free", "odd", "intervals", "bills"]
    invoices = [
        invoice("in_1", "bills", "paid", 10000, "eur", "2025-02-01"),
        invoice("in_2", "bills", "open", 500000, "eur", "2025-03-01"),
        invoice("in_2", "bills", "void", 500000, "eur", "2025-03-01", "2025-03-02"),
        invoice("in_3", "bills", "draft", 90000, "eur", "2025-04-01"),
        invoice("in_4", "bills", "draft", 0, "eur", "2025-05-01"),
        invoice("in_4", "bills", "open", 70000, "eur", "2025-05-01", "2025-05-02"),
        invoice("in_5", "bills", "paid", 20000, "usd", "2025-06-01"),
        invoice("in_6", "bills", "Uncollectible", 1000, "eur", "2025-06-02"),
    ]
    return {
        "stripe.customer": [customer(name, name) for name in names],
        "stripe.subscription": subscriptions,
        "stripe.invoice": invoices,
        "salesforce.account": [
            {
                "Id": key,
                "Name": key,
                "IsDeleted": key == "A-gone",
                "CreatedDate": "2025-01-01",
                "SystemModstamp": "2025-01-01",
            }
            for key in ("A-deals", "A-gone", "A-split")
        ],
        "salesforce.opportunity": [
            deal("D-1", "Closed Won", 1000),
            deal("D-2", "Closed Won", 50, "USD"),
            deal("D-3", "Closed Won", 3000),
            deal("D-3", "Closed Won", 3000, IsDeleted=True, SystemModstamp="2025-05-01"),
            deal("D-4", "Closed Won", 400, IsDeleted=True),
            deal("D-4", "Closed Won", 400, SystemModstamp="2025-05-01"),
            deal("D-5", "Closed Lost", 700),
            deal("D-6", "Negotiation", 20),
            deal("D-7", "Negotiation", 90, IsDeleted=True),
            deal("D-8", "Closed Won", 5, None, AccountId=None),
            deal("D-9", "Closed Won", 6, AccountId="A-gone"),
            deal("D-0", "Closed Won", None),
            deal("D-10", "Closed Won", 100, AccountId="A-split"),
            deal("D-11", "Negotiation", 9000, "USD", AccountId="A-split"),
        ],
    }


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("money") / "warehouse.duckdb"
    write_raw(path, company(), TODAY)
    build(path, select="staging core published")
    return path


ADDED = {"s_a2", "in_2", "in_3", "in_5", "s_free", "s_odd", "D-2", "D-3", "D-7"}
"""A second currency, voided and draft invoices, a free plan, a word that is no currency, deleted deals."""


def test_what_is_added_in_another_currency_or_does_not_count_changes_nothing_else(warehouse, tmp_path):
    clean = tmp_path / "warehouse.duckdb"
    kept = {
        name: [row for row in rows if (row.get("id") or row.get("Id")) not in ADDED] for name, rows in company().items()
    }
    write_raw(clean, kept, TODAY)
    build(clean, select="staging core published", command="run")
    for model, key in {
        "subscriptions": "subscription_id",
        "invoices": "invoice_id",
        "opportunities": "opportunity_id",
    }.items():
        query = f"select * from core.{model} where {key} not in (select unnest({sorted(ADDED)})) order by {key}"
        assert table(clean, query) == table(warehouse, query), model
    query = "select * exclude (is_main_currency) from published.account_amounts order by account_id, currency"
    before, after = table(clean, query), table(warehouse, query)
    of_added = {("two", "USD"), ("bills", "USD"), ("A-deals", "USD"), ("odd", None)}
    assert before == [row for row in after if (row["account_name"], row["currency"]) not in of_added]
    assert of_added == {(row["account_name"], row["currency"]) for row in after if row not in before}


def test_two_currencies_of_a_customer_stand_apart(warehouse):
    rows = table(
        warehouse,
        "select currency, arr, is_main_currency from published.account_amounts where account_name = 'two' order by 1",
    )
    assert [tuple(row.values()) for row in rows] == [("EUR", 1200.0, False), ("USD", 2400.0, True)]
    (account,) = table(warehouse, "select * from published.accounts where account_name = 'two'")
    assert (account["arr"], account["currency"], account["has_other_currencies"]) == (2400.0, "USD", True)
    (account,) = table(warehouse, "select * from published.accounts where account_name = 'one'")
    assert (account["arr"], account["currency"], account["has_other_currencies"]) == (600.0, "USD", False)


def test_an_amount_that_is_in_another_currency_only_is_not_zero(warehouse):
    query = (
        "select currency, open_amount, won_amount, amount_invoiced from published.accounts where account_name = '{}'"
    )
    assert [tuple(row.values()) for row in table(warehouse, query.format("A-split"))] == [("USD", 9000.0, None, 0.0)]
    assert [tuple(row.values()) for row in table(warehouse, query.format("A-deals"))] == [("EUR", 20.0, 1400.0, 0.0)]


def test_a_change_from_one_currency_to_another_is_no_difference_of_amounts(warehouse):
    rows = table(
        warehouse,
        "select currency, mrr, mrr_change from core.account_revenue_versions"
        " where account_id = (select account_id from core.accounts where account_name = 'two') order by valid_from",
    )
    assert [tuple(row.values()) for row in rows] == [("EUR", 100.0, 100.0), ("USD", 200.0, None)]


def test_a_price_is_brought_to_a_month_whatever_its_interval_is_called(warehouse):
    found = {
        row["subscription_id"].removeprefix("i_"): row["mrr"]
        for row in table(
            warehouse, "select subscription_id, mrr from core.subscriptions where subscription_id like 'i_%'"
        )
    }
    assert found == {name: pytest.approx(mrr) if mrr else None for name, (*_, mrr) in INTERVALS.items()}


@pytest.mark.parametrize(("name", "mrr"), [("yen", 5000.0), ("dinar", 50.0), ("krona", 500.0)])
def test_currencies_have_their_own_smallest_units(warehouse, name, mrr):
    (row,) = table(warehouse, f"select mrr from core.subscriptions where subscription_id = 's_{name}'")
    assert row["mrr"] == mrr


def test_what_is_no_currency_is_none(warehouse):
    (row,) = table(warehouse, "select mrr, currency from core.subscriptions where subscription_id = 's_odd'")
    assert (row["mrr"], row["currency"]) == (1.0, None)


def test_who_pays_nothing_is_no_customer(warehouse):
    (row,) = table(warehouse, "select is_customer, customer_since_date from core.accounts where account_name = 'free'")
    assert (row["is_customer"], row["customer_since_date"]) == (False, None)


def test_drafts_and_voided_invoices_are_no_revenue(warehouse):
    rows = table(
        warehouse,
        "select currency, amount_invoiced, amount_paid from published.account_amounts"
        " where account_name = 'bills' order by 1",
    )
    assert [tuple(row.values()) for row in rows] == [("EUR", 810.0, 100.0), ("USD", 200.0, 200.0)]
    (account,) = table(
        warehouse, "select amount_invoiced, currency from published.accounts where account_name = 'bills'"
    )
    assert tuple(account.values()) == (810.0, "EUR")
    known = {
        row["invoice_id"]: row["amount"] for row in table(warehouse, "select invoice_id, amount from core.invoices")
    }
    assert known == {"in_1": 100.0, "in_2": 5000.0, "in_4": 700.0, "in_5": 200.0, "in_6": 10.0}


def test_features_add_up_amounts_of_one_currency_alone(warehouse):
    rows = table(
        warehouse, "select invoice_id, amount_in_first_currency as amount from core.invoices where currency = 'USD'"
    )
    assert [tuple(row.values()) for row in rows] == [("in_5", None)]


def test_a_deal_counts_as_it_stands_deleted_or_restored(warehouse):
    rows = table(
        warehouse,
        "select currency, won_amount, open_amount from published.account_amounts"
        " where account_name = 'A-deals' order by 1",
    )
    assert [tuple(row.values()) for row in rows] == [("EUR", 1400.0, 20.0), ("USD", 50.0, 0.0)]
    deleted = table(warehouse, "select opportunity_id from core.opportunities where deleted_at is not null order by 1")
    assert [row["opportunity_id"] for row in deleted] == ["D-3", "D-7"]


def test_every_amount_of_the_files_is_found_again_or_explained(warehouse):
    lines = reconciled(warehouse)
    assert not_closed(lines) == []
    assert explained(lines, "won_deals") == {
        ("EUR", "deleted"): -3090.0,
        ("EUR", "lost"): -700.0,
        ("EUR", "open"): -20.0,
        ("USD", "open"): -9000.0,
    }
    assert explained(lines, "won_deals", "core to published") == {
        (None, "of no company that is known"): -5.0,
        ("EUR", "of a deleted company"): -6.0,
    }
    assert explained(lines, "invoices") == {("EUR", "void"): -5000.0, ("EUR", "a draft"): -900.0}
    assert explained(lines, "payments") == {("EUR", "not paid"): 0.0}
    assert explained(lines, "paid_invoices") == {("EUR", "not paid"): 0.0}
    assert explained(lines, "recurring_revenue") == {("EUR", "a free plan"): 0.0}
    rounded = explained(lines, "recurring_revenue", "core to published")
    assert set(rounded) == {("EUR", "rounded to cents")}
    assert 0 < abs(rounded["EUR", "rounded to cents"]) <= 0.06


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            "update core.invoices set latest_amount = latest_amount + 7 where invoice_id = 'in_1'",
            "invoices of stripe.invoice, files to core: -7.00 EUR in 2025-02 unexplained",
        ),
        (
            "update core.subscriptions set recorded_currency = 'GBP' where subscription_id = 's_b'",
            "recurring revenue of stripe.subscription, files to core: -600.00 GBP and -1 rows in 2025-01 unexplained",
        ),
        (
            "delete from core.opportunities where opportunity_id = 'D-5'",
            "rows of salesforce.opportunity, files to core: +1 rows unexplained",
        ),
        (
            "update published.account_amounts set amount_paid = 0 where currency = 'USD'",
            "paid invoices of all systems, core to published: +200.00 USD unexplained",
        ),
        (
            "delete from core.accounts where account_name = 'bills'",
            "rows of accounts, files to core: +1 rows unexplained",
        ),
    ],
)
def test_a_fault_of_core_or_published_is_not_explained(warehouse, tmp_path, fault, told):
    copy = tmp_path / "warehouse.duckdb"
    shutil.copy(warehouse, copy)
    with duckdb.connect(str(copy)) as connection:
        connection.execute(fault)
    assert told in not_closed(reconciled(copy))


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("converted")
    rates = folder / "rates.csv"
    rates.write_text("date,currency,rate\n2025-01-01,USD,0.90\n2025-03-01,USD,0.80\n")
    path = folder / "warehouse.duckdb"
    raw = {
        "stripe.customer": [customer("two", "two"), customer("free", "free")],
        "stripe.subscription": [
            subscription("s_1", "two", 10000, "eur"),
            subscription("s_2", "two", 20000, "usd"),
            subscription("s_3", "two", 700, "chf"),
            subscription("s_4", "free", 0, "eur"),
            subscription("s_5", "free", 2000, None, status="trialing"),
        ],
        "stripe.invoice": [
            invoice("in_1", "two", "open", 10000, "usd", "2025-02-01"),
            invoice("in_2", "two", "open", 10000, "usd", "2025-04-01"),
            invoice("in_3", "two", "open", 10000, "", "2025-04-01"),
        ],
        "salesforce.opportunity": [
            deal("D-1", "Closed Won", 1000, "USD", CloseDate="2025-02-10", SystemModstamp="2025-05-20"),
            deal("D-2", "Closed Won", 1000, "USD", CloseDate="2025-09-30", SystemModstamp="2025-02-20"),
            deal("D-3", "Negotiation", 1000, "USD", CloseDate="2025-09-30", SystemModstamp="2025-05-20"),
        ],
    }
    money = MoneySettings("EUR", rates, free_plans=True, by_source={"stripe": "JPY"})
    write_raw(path, raw, TODAY, money=money)
    build(path, select="staging core published")
    return path


def test_amounts_are_turned_into_the_reporting_currency_by_the_rate_of_their_day(converted):
    rows = table(
        converted,
        "select currency, arr, amount_invoiced from published.account_amounts where account_name = 'two' order by 1",
    )
    assert [tuple(row.values()) for row in rows] == [
        ("CHF", 84.0, 0.0),
        ("EUR", pytest.approx(1200 + 2400 * 0.9), pytest.approx(90 + 80)),
        ("JPY", 0.0, 10000.0),
    ]
    (row,) = table(
        converted, "select currency, recorded_currency, exchange_rate from core.invoices where invoice_id = 'in_2'"
    )
    assert tuple(row.values()) == ("EUR", "USD", 0.8)
    rows = table(converted, "select opportunity_id, exchange_rate from core.opportunities order by 1")
    assert [tuple(row.values()) for row in rows] == [
        ("D-1", 0.9),  # closed in February, exported in May
        ("D-2", 0.9),  # marked in February, before the day that was planned
        ("D-3", 0.9),  # open since February
    ]


def test_a_free_plan_counts_where_the_user_says_so(converted):
    (row,) = table(converted, "select is_customer, arr from core.accounts where account_name = 'free'")
    assert (row["is_customer"], row["arr"]) == (True, 0.0)


def test_converted_amounts_are_found_again_in_their_own_currency(converted):
    lines = reconciled(converted)
    assert not_closed(lines) == []
    assert explained(lines, "recurring_revenue") == {("JPY", "trialing"): -24000.0}
    starts = {
        line.cell.currency: line.amount
        for line in lines
        if (line.cell.figure, line.cell.comparison, line.role) == ("invoices", "files to core", "start")
        and line.cell.month == date(2025, 4, 1)
    }
    assert starts == {"JPY": 10000.0, "USD": 100.0}
