"""Who is who: links, merges and deletions, each with its rule and the time from which it was known."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.dbt_project.core.company import RAW
from tests.dbt_project.warehouses import table


@pytest.fixture(scope="module")
def company(small_warehouse: Callable[..., Path]) -> Path:
    return small_warehouse(RAW)


def account_link(company: Path, identifier: str) -> dict:
    return table(company, f"select * from core.account_links where identifier = '{identifier}'")[0]


def person_of(company: Path, identifier: str) -> str:
    """Who the identifier stands for today."""
    rows = table(
        company,
        f"select distinct person_id from core.person_link_periods where identifier = '{identifier}'",
    )
    assert len(rows) == 1, rows
    return rows[0]["person_id"]


@pytest.mark.parametrize(
    ("identifier", "account_id", "rule"),
    [
        ("cus-exact", "salesforce:A-exact", "exact key"),  # although its e-mail has the domain of A-mail
        ("cus-mail", "salesforce:A-mail", "e-mail"),  # a contact's address, although the domain is nobody's
        ("cus-domain", "salesforce:A-domain", "company domain"),
        ("cus-free", "stripe:cus-free", "own"),  # gmail.com, although a CRM account claims it
        ("w-exact", "salesforce:A-exact", "exact key"),  # by way of Stripe, although its domain is A-domain's
        ("w-domain", "salesforce:A-domain", "company domain"),
        ("z-1", "salesforce:A-exact", "exact key"),  # the export does not say whose key it is
        ("z-2", "salesforce:A-domain", "company domain"),
        ("A-twin", "salesforce:A-twin", "own"),  # two companies in the CRM stay two, whatever their domain
    ],
)
def test_a_company_is_linked_by_the_strongest_rule(company: Path, identifier: str, account_id: str, rule: str):
    link = account_link(company, identifier)
    assert (link["account_id"], link["rule"]) == (account_id, rule)


def test_companies_and_people_say_which_systems_know_them(company: Path):
    accounts = {r["account_id"]: r["known_from"] for r in table(company, "from core.accounts")}
    assert accounts["salesforce:A-exact"] == "product, salesforce, stripe, zendesk"
    assert accounts["salesforce:A-twin"] == "salesforce"
    assert accounts["stripe:cus-free"] == "stripe"
    systems = {name for r in table(company, "from core.people") for name in (r["known_from"] or "").split(", ")}
    assert systems - {""} <= {"hubspot", "salesforce", "stripe", "zendesk"}, "addresses and browsers are no systems"


def test_a_link_is_known_when_both_sides_are(company: Path):
    assert account_link(company, "cus-exact")["known_at"] == datetime(2025, 1, 6)


def test_a_merge_in_the_crm_is_followed(company: Path):
    merges = table(company, "select * from core.account_merges where account_id = 'salesforce:A-loser'")
    assert [(m["surviving_account_id"], m["known_at"]) for m in merges] == [
        ("salesforce:A-winner", datetime(2025, 3, 1))
    ]
    survivors = {row["account_id"] for row in table(company, "select account_id from core.accounts")}
    assert "salesforce:A-winner" in survivors
    assert "salesforce:A-loser" not in survivors


def test_events_keep_the_company_of_their_time_and_know_todays(company: Path):
    invoices = {
        row["invoice_id"]: (row["recorded_account_id"], row["account_id"])
        for row in table(company, "select * from core.invoices where invoice_id like 'i-loser%'")
    }
    assert invoices == {
        "i-loser-before": ("salesforce:A-loser", "salesforce:A-winner"),
        "i-loser-after": ("salesforce:A-winner", "salesforce:A-winner"),
    }


def test_revenue_moves_with_a_merge(company: Path):
    rows = table(
        company,
        """
        select account_id, valid_from, is_customer, mrr from core.account_revenue_versions
        where account_id in ('salesforce:A-loser', 'salesforce:A-winner') order by valid_from, account_id
        """,
    )
    assert [tuple(row.values()) for row in rows] == [
        ("salesforce:A-loser", datetime(2025, 1, 10), True, 100.0),
        ("salesforce:A-loser", datetime(2025, 3, 1), False, 0.0),
        ("salesforce:A-winner", datetime(2025, 3, 1), True, 100.0),
    ]


def test_what_is_found_out_later_merges_instead_of_rewriting(company: Path):
    assert account_link(company, "cus-late")["account_id"] == "stripe:cus-late"
    (merge,) = table(company, "select * from core.account_merges where account_id = 'stripe:cus-late'")
    assert merge["surviving_account_id"] == "salesforce:A-late"
    assert (merge["known_at"], merge["reason"]) == (datetime(2025, 2, 15), "exact key")


def test_a_ring_of_merges_leaves_one(company: Path):
    survivors = table(company, "select account_id from core.accounts where account_id like '%A-ring%'")
    assert survivors == [{"account_id": "salesforce:A-ring-2"}]


def test_a_deleted_company_stays_and_says_since_when(company: Path):
    (gone,) = table(company, "select * from core.accounts where account_id = 'salesforce:A-gone'")
    assert gone["deleted_at"] == datetime(2025, 4, 1)
    versions = table(
        company,
        "select is_deleted from core.account_versions where account_id = 'salesforce:A-gone' order by valid_from",
    )
    assert [row["is_deleted"] for row in versions] == [False, True]


def test_duplicate_leads_are_one_person(company: Path):
    assert person_of(company, "L-1") == person_of(company, "L-2") == person_of(company, "dana@domain.io")
    leads = {row["lead_id"]: row["is_duplicate"] for row in table(company, "select * from core.leads")}
    assert not leads["L-1"]
    assert leads["L-2"]
    assert not leads["L-nomail"]


def test_people_are_the_same_by_key_over_e_mail(company: Path):
    dana = person_of(company, "L-1")
    assert person_of(company, "h-1") == dana  # another address, but Salesforce's key
    assert person_of(company, "dana.private@gmail.com") == dana
    (person,) = table(company, f"select * from core.people where person_id = '{dana}'")
    assert person["has_twitter"]


def test_one_person_in_two_systems_by_e_mail(company: Path):
    assert person_of(company, "u-1") == person_of(company, "C-1") == person_of(company, "ann@exact.com")


def test_a_conversion_joins_the_contact_to_the_lead(company: Path):
    assert person_of(company, "C-nomail") == person_of(company, "L-key")
    (merge,) = table(company, "select * from core.person_merges where reason = 'exact key'")
    assert merge["known_at"] == datetime(2025, 2, 11)


def test_merged_leads_are_one_person(company: Path):
    assert person_of(company, "L-merged") == person_of(company, "L-into")


def test_our_own_staff_are_not_people(company: Path):
    assert table(company, "select * from core.person_links where identifier = 'u-us'") == []


def test_a_persons_company_by_domain_never_by_free_mail(company: Path):
    leads = {row["lead_id"]: row["account_id"] for row in table(company, "select * from core.leads")}
    assert leads["L-1"] == "salesforce:A-domain"
    assert leads["L-free"] is None


def test_visits_belong_to_the_person_from_identification_on(company: Path):
    visits = {row["visit_id"]: row for row in table(company, "select * from core.visits")}
    dana = person_of(company, "L-1")
    assert visits["v-1"]["person_id"] == visits["v-2"]["person_id"] == dana
    assert visits["v-1"]["known_at"] == datetime(2025, 2, 1, 12)  # when the form was sent, not when the visit was
    assert visits["v-1"]["occurred_at"] == datetime(2025, 1, 20, 10)
    assert visits["v-2"]["known_at"] == datetime(2025, 2, 20, 10)
    assert visits["v-1"]["recorded_account_id"] == "salesforce:A-domain"
    assert visits["v-3"]["person_id"] is None
    assert visits["v-4"]["person_id"] == person_of(company, "ann@exact.com")


def test_a_second_address_in_the_same_browser_is_not_the_first_person(company: Path):
    assert person_of(company, "other@nowhere.org") != person_of(company, "anon-dana")


def test_ids_of_people_do_not_show_an_address(company: Path):
    assert all("@" not in row["person_id"] for row in table(company, "select person_id from core.people"))
