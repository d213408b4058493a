"""What stands for nobody joins nobody: placeholders beside a clean company change nothing, and crowds are told."""
# ruff: noqa: E501 (a raw row a line reads better)

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.extraction.loading.load import load_source
from tests.dbt_project.core.company import RAW, account, customer, lead
from tests.dbt_project.warehouses import source, table

# What people and programs write: each stands at two records or more, which have nothing else in common.
DOMAINS = ["none", "n/a", "N/A", "-", "(not set)", "unknown", "localhost", "0.0.0.0", "example.com", "http://test.com", "gmail.com", "GoogleMail.com",
           "https://www.linkedin.com/company/{}", "https://de.linkedin.com/in/{}", "www.facebook.com/{}", "https://g.page/{}", "https://x.com/{}"]  # fmt: skip
MAILS = ["noemail@noemail.com", "no-email@somewhere.io", "No_Email1@elsewhere.io", "test@acme-x.io", "null@null.com", "n/a@n/a", "unknown@acme-x.io", "none@none.com",
         "noreply@acme-x.io", "undefined@undefined", "anna@example.com", "x@a.invalid"]  # fmt: skip
BROWSERS = ["null", "undefined", "00000000-0000-0000-0000-000000000000", "-", "(not set)", "anonymous"]
SHORT, LONG = "001A0000006Vm9r", "001A0000006Vm9rIAC"

CRM = [
    *(account(f"P-{n}-{twin}", f"P {n} {twin}", "2025-02-01", Website=domain.format(f"{n}{twin}")) for n, domain in enumerate(DOMAINS) for twin in "ab"),
    account("A-own", "Own", "2025-01-01", Website="https://own.wixsite.com"),
    account(LONG, "Long", "2025-01-01", Website="long-co.io", Phone="n/a", Industry=" N/A ", BillingCountry="NA"),
    account("A-crm", "In both", "2025-01-01", Website="both.io"),
]  # fmt: skip
LEADS = [
    *(lead(f"PL-{n}-{twin}", mail, "2025-02-01", LastName=f"{n} {twin}", Company=f"{n} {twin}", Phone="000", Website=DOMAINS[n % len(DOMAINS)].format(twin)) for n, mail in enumerate(MAILS) for twin in "ab"),
    # one address on ten names: the first six may be one person who writes the name differently, the others are not
    *(lead(f"PC-{n}", "sales@reseller.io", f"2025-03-{n + 1:02}", LastName=f"Name {n}", Company=f"Company {n}") for n in range(10)),
    *(lead(f"PT-{n}", "all@once.io", "2025-03-01", LastName=f"Name {n}") for n in range(10)),
    lead("PN-1", "one@person.io", "2025-03-01", LastName="Müller"),
    lead("PN-2", "One@person.io", "2025-03-02", LastName="Mueller"),
]  # fmt: skip
WORKSPACES = [
    *({"workspace_id": f"pw-{n}-{twin}", "name": f"W {n} {twin}", "company_domain": domain.format(twin), "created_at": "2025-02-02", "updated_at": "2025-02-02"} for n, domain in enumerate(DOMAINS) for twin in "ab"),
    *({"workspace_id": f"pc-{n}", "name": f"Tenant {n}", "company_domain": "hosted.io", "created_at": "2025-03-01", "updated_at": "2025-03-01"} for n in range(30)),
    *({"workspace_id": f"po-{n}", "name": f"Team {n}", "company_domain": "both.io", "created_at": "2025-03-01", "updated_at": "2025-03-01"} for n in range(5)),
    {"workspace_id": "p-own", "name": "Own", "company_domain": "own.wixsite.com", "created_at": "2025-02-02", "updated_at": "2025-02-02"},
]  # fmt: skip
CUSTOMERS = [
    *(customer(f"pc-{n}-{twin}", mail, "2025-02-03", metadata=f'{{"salesforce_account_id": "{key}"}}') for n, (mail, key) in enumerate(zip(MAILS[:4], ["null", "n/a", "000000000000000", ""], strict=True)) for twin in "ab"),
    customer("pc-short", "who@knows.org", "2025-02-03", metadata=f'{{"salesforce_account_id": " {SHORT} "}}'),
]  # fmt: skip
ORGANIZATIONS = [
    *({"id": f"po-{n}-{twin}", "name": f"O {n} {twin}", "external_id": word, "domain_names": f'["{word}"]', "created_at": "2025-02-04", "updated_at": "2025-02-04"} for n, word in enumerate(["none", "N/A", "0", "unknown", "linkedin.com"]) for twin in "ab"),
    {"id": "po-short", "name": "Short", "external_id": SHORT, "created_at": "2025-02-04", "updated_at": "2025-02-04"},
]  # fmt: skip
SESSIONS = [
    *({"session_id": f"pv-{n}-{twin}", "anonymous_id": browser, "user_id": user and f"{user}{n}@visitors.io", "session_start": day} for n, browser in enumerate(BROWSERS) for twin, user, day in [("a", "ann", "2025-03-01"), ("b", "ben", "2025-03-02"), ("c", None, "2025-03-03")]),
    *({"session_id": f"pk-{n}", "anonymous_id": "kiosk", "user_id": f"guest-{n}@visitors.io", "session_start": f"2025-03-{n + 1:02}"} for n in range(8)),
    {"session_id": "pk-before", "anonymous_id": "kiosk", "user_id": None, "session_start": "2025-03-02"},
    {"session_id": "pk-after", "anonymous_id": "kiosk", "user_id": None, "session_start": "2025-03-20"},
]  # fmt: skip
COMPANIES = [
    {
        "id": "hc-1",
        "name": "In both",
        "domain": "both.io",
        "createdate": "2025-01-05",
        "hs_lastmodifieddate": "2025-01-05",
    }
]


def deal(key: str, name: str, amount: float, day: str, **fields: object) -> dict:
    """A HubSpot deal of the company that both systems have."""
    return {"id": key, "dealname": name, "amount": amount, "closedate": day, "deal_currency_code": "EUR", "associatedcompanyid": "hc-1",
            "dealstage": "open", "createdate": "2025-02-01", "hs_lastmodifieddate": "2025-02-01", **fields}  # fmt: skip


def opportunity(key: str, name: str, amount: float, day: str, **fields: object) -> dict:
    return {"Id": key, "AccountId": "A-crm", "Name": name, "Amount": amount, "CloseDate": day, "StageName": "Open", "CurrencyIsoCode": "EUR", "IsClosed": False,
            "IsWon": False, "IsDeleted": False, "CreatedDate": "2025-02-01", "SystemModstamp": "2025-02-01", **fields}  # fmt: skip


DEALS = [
    deal("hd-name", "Renewal ", 1000, "2025-09-01"),
    deal("hd-day", "Another name", 2000, "2025-09-02"),
    deal("hd-amount", "Upsell", 3001, "2025-09-03"),
    deal("hd-currency", "Swiss", 4000, "2025-09-04", deal_currency_code="CHF"),
    deal("hd-gone", "Gone", 5000, "2025-09-05"),
    deal("hd-alone", "Pilot", 1000, "2025-12-01"),
]
OPPORTUNITIES = [
    opportunity("so-name", "renewal", 1000, "2025-10-01"),
    opportunity("so-day", "Its name", 2000, "2025-09-02"),
    opportunity("so-amount", "Upsell", 3000, "2025-09-03"),
    opportunity("so-currency", "Swiss", 4000, "2025-09-04"),
    opportunity("so-gone", "Gone", 5000, "2025-09-05", IsDeleted=True),
    opportunity("so-other", "Renewal", 1000, "2025-09-01", AccountId="A-exact"),
]
ADDED = {
    "salesforce.account": CRM,
    "salesforce.lead": LEADS,
    "salesforce.opportunity": OPPORTUNITIES,
    "product.workspace": WORKSPACES,
    "stripe.customer": CUSTOMERS,
    "zendesk.organization": ORGANIZATIONS,
    "web.session": SESSIONS,
    "hubspot.company": COMPANIES,
    "hubspot.deal": DEALS,
}


def as_loaded(name: str, rows: Sequence[dict], folder: Path) -> list[dict]:
    """Rows as the loader brings them from a file into the raw table."""
    system, entity = name.split(".")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    written = [["" if row.get(column) is None else str(row[column]) for column in columns] for row in rows]
    lines = [",".join('"' + value.replace('"', '""') + '"' for value in row) for row in [columns, *written]]
    (folder / name / entity).mkdir(parents=True)
    (folder / name / entity / "rows.csv").write_text("\n".join(lines) + "\n")
    with duckdb.connect() as connection:
        load_source(connection, source(system), folder / name, datetime(2026, 1, 1))
        assert connection.execute(f"select * from raw_{system}._quarantine").fetchall() == []
        result = connection.execute(f"select * exclude (_file, _line, _loaded_at) from raw_{system}.{entity}")
        names = [column for column, *_ in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@pytest.fixture(scope="module")
def clean(small_warehouse: Callable[..., Path]) -> Path:
    return small_warehouse(RAW)


@pytest.fixture(scope="module")
def mixed(small_warehouse: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clean company, and what stands for nobody beside it."""
    folder = tmp_path_factory.mktemp("exports")
    added = {name: as_loaded(name, rows, folder) for name, rows in ADDED.items()}
    raw = {name: [*RAW.get(name, []), *added.get(name, [])] for name in {**RAW, **added}}
    return small_warehouse(raw, select="staging core published_identity_report")


def groups(warehouse: Path, entity: str) -> set[frozenset[str]]:
    """Who is one with whom today."""
    rows = table(
        warehouse,
        f"select list(distinct source || ':' || identifier) as joined from core.{entity}_link_periods"
        f" where valid_to = timestamp '9999-12-31' group by {entity}_id",
    )
    return {frozenset(row["joined"]) for row in rows}


def group_of(warehouse: Path, entity: str, identifier: str) -> set[str]:
    """Who is one with an identifier."""
    return next(set(group) for group in groups(warehouse, entity) if identifier in group)


def report(warehouse: Path, where: str) -> list[dict]:
    return table(warehouse, f"select * from published.identity_report where {where} order by subject, value")


@pytest.mark.parametrize("entity", ["account", "person"])
def test_who_stands_for_nobody_changes_no_other_group(clean: Path, mixed: Path, entity: str):
    before = groups(clean, entity)
    known = set().union(*before)
    assert {group & known for group in groups(mixed, entity)} - {frozenset()} == before
    assert len(before) > 5


def test_companies_without_a_domain_of_their_own_are_not_joined(mixed: Path):
    joined = {group for group in groups(mixed, "account") if len(group) > 1}
    nobodys = (
        "salesforce:P-",
        "product:pw-",
        "stripe:pc-0",
        "stripe:pc-1",
        "stripe:pc-2",
        "stripe:pc-3",
        "zendesk:po-0",
    )
    assert [group for group in joined if any(identifier.startswith(nobodys) for identifier in group)] == []
    accounts = table(
        mixed, "select domain from core.accounts where account_id like '%:P-%' or account_id like '%:pw-%'"
    )
    assert len(accounts) == 4 * len(DOMAINS)
    assert {row["domain"] for row in accounts} == {None}


def test_a_site_at_a_provider_that_gives_each_a_name_is_a_companys_own(mixed: Path):
    assert group_of(mixed, "account", "product:p-own") == {"salesforce:A-own", "product:p-own"}


def test_people_without_an_address_of_their_own_are_not_joined(mixed: Path):
    leads = table(mixed, "select * from core.leads where lead_id like 'PL-%'")
    assert len({row["person_id"] for row in leads}) == len(leads) == 2 * len(MAILS)
    assert {(row["is_duplicate"], row["account_id"], row["email"], row["phone"]) for row in leads} == {(False, None, None, None)}  # fmt: skip


def test_visits_of_nobodys_browser_belong_to_who_signed_in_or_to_nobody(mixed: Path):
    visits = table(mixed, "select visit_id, person_id from core.visits where visit_id like 'pv-%'")
    assert len(visits) == 3 * len(BROWSERS)
    assert {row["person_id"] for row in visits if row["visit_id"].endswith("c")} == {None}
    signed_in = [row["person_id"] for row in visits if not row["visit_id"].endswith("c")]
    assert len(set(signed_in)) == 2 * len(BROWSERS)
    assert None not in signed_in


def test_a_key_of_salesforces_in_another_system_may_be_short(mixed: Path):
    assert group_of(mixed, "account", f"salesforce:{LONG}") == {f"salesforce:{LONG}", "stripe:pc-short", "zendesk:po-short"}  # fmt: skip


def test_words_for_nothing_are_no_attributes(mixed: Path):
    (row,) = table(mixed, f"select * from core.accounts where account_id = 'salesforce:{LONG}'")
    assert (row["phone"], row["industry"], row["country"]) == (None, None, "NA")  # Namibia


def test_an_address_of_many_names_joins_nobody_once_it_has_them(mixed: Path):
    people = {
        row["lead_id"]: row["person_id"] for row in table(mixed, "select * from core.leads where lead_id like 'PC-%'")
    }
    assert len({people[f"PC-{n}"] for n in range(6)}) == 1, "so many may write one person's name"
    assert len({people[f"PC-{n}"] for n in range(5, 10)}) == 5
    at_once = table(mixed, "select distinct person_id from core.leads where lead_id like 'PT-%'")
    assert len(at_once) == 10, "what is known of at once never joined anybody"
    assert len(table(mixed, "select distinct person_id from core.leads where lead_id like 'PN-%'")) == 1


def test_a_domain_of_many_companies_joins_none(mixed: Path):
    tenants = table(
        mixed,
        "select distinct account_id from core.account_link_periods where identifier like 'pc-%' and source = 'product'",
    )
    assert len(tenants) == 30
    teams = group_of(mixed, "account", "product:po-0")
    assert teams == {"salesforce:A-crm", "hubspot:hc-1", *(f"product:po-{n}" for n in range(5))}


def test_a_browser_of_many_people_belongs_to_nobody_once_it_has_them(mixed: Path):
    visits = {
        row["visit_id"]: row["person_id"]
        for row in table(mixed, "select * from core.visits where visit_id like 'pk-%'")
    }
    assert visits["pk-before"] == visits["pk-0"]
    assert visits["pk-after"] is None
    assert len({visits[f"pk-{n}"] for n in range(8)}) == 8


def test_values_of_many_are_warned_of(mixed: Path):
    warned = {row["value"]: (row["names"], row["warning"]) for row in report(mixed, "topic = 'value of many'")}
    assert {value: names for value, (names, _) in warned.items()} == {
        "e-mail:sales@reseller.io": 10,
        "e-mail:all@once.io": 10,
        "domain:hosted.io": 30,
        "key:anonymous id:kiosk": 8,
    }
    assert warned["domain:hosted.io"][1] == (
        "domain:hosted.io stands with 30 names of companies: it joins no companies from 2025-03-01 on."
    )


def test_the_report_counts_who_joined_by_which_rule(mixed: Path):
    told = {row["rule"]: row["records"] for row in report(mixed, "topic = 'joined' and subject = 'account'")}
    links = table(mixed, "select rule, count(*) as records from core.account_links group by rule")
    assert {row["rule"]: row["records"] for row in links}.items() <= told.items()


def test_the_largest_groups_are_told_with_what_joined_them(mixed: Path):
    largest = max(report(mixed, "topic = 'group' and subject like 'account %'"), key=lambda row: row["names"])
    assert (largest["value"], largest["rule"], largest["records"], largest["names"]) == (
        "domain:both.io",
        "company domain",
        7,
        6,
    )
    assert largest["warning"] is None


def test_deals_that_stand_in_two_systems_are_told_and_counted_twice(mixed: Path):
    (told,) = report(mixed, "topic = 'deals in two systems'")
    assert (told["subject"], told["records"], told["amount"], told["currency"]) == (
        "hubspot and salesforce",
        2,
        3000,
        "EUR",
    )
    assert told["warning"] == (
        "2 deals stand in both hubspot and salesforce (same company and amount, and close date or name), such as hd-day:"
        " EUR 3000 counts twice. Leave the deals of one of the two out of its exports."
    )
    assert len(table(mixed, "from core.opportunities where opportunity_id like 'hd-%'")) == len(DEALS), (
        "none is dropped"
    )
