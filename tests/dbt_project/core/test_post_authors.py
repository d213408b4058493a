"""Who wrote a post: by handle and by the company's name, as it was known, and whether they are a prospect."""
# ruff: noqa: E501 (a raw row a line reads better)

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.dbt_project.core.company import account, customer, lead, subscription
from tests.dbt_project.warehouses import table


def contact(key: str, handle: str, known: str, first: str, last: str, **fields: object) -> dict:
    return {
        "id": key,
        "email": f"{key}@people.io",
        "twitterhandle": handle,
        "firstname": first,
        "lastname": last,
        "createdate": known,
        "lastmodifieddate": known,
        **fields,
    }


def post(key: str, handle: str, day: str, platform: str = "twitter", name: str = "Somebody") -> dict:
    return {
        "post_id": key,
        "platform": platform,
        "author_handle": handle,
        "author_name": name,
        "text": "words",
        "brand_mentioned": "Ours",
        "created_at": f"{day} 10:00",
        "collected_at": f"{day} 10:00",
    }


def review(key: str, company: str | None, day: str) -> dict:
    return {
        "review_id": key,
        "site": "G2",
        "author_name": "Ann",
        "author_company": company,
        "rating": 2.0,
        "text": "words",
        "created_at": f"{day} 10:00",
        "collected_at": f"{day} 10:00",
    }


RAW = {
    "salesforce.account": [
        account("A-pays", "Acme, Inc.", "2025-01-01", Website="acme.io"),
        account("A-open", "Nordlicht GmbH & Co. KG", "2025-01-01"),
        account("A-twin-1", "Twin", "2025-01-01"),
        account("A-twin-2", "Twin Ltd", "2025-03-01"),
        account("A-gone", "Gone", "2025-01-01"),
        account("A-gone", "Gone", "2025-04-01", IsDeleted=True, created="2025-01-01"),
    ],
    "salesforce.opportunity": [
        {"Id": "O-old", "AccountId": "A-open", "StageName": "Proposal", "IsClosed": False, "IsWon": False, "CreatedDate": "2025-01-05", "SystemModstamp": "2025-01-05"},
        {"Id": "O-new", "AccountId": "A-open", "StageName": "Proposal", "IsClosed": False, "IsWon": False, "CreatedDate": "2025-02-05", "SystemModstamp": "2025-02-05"},
    ],
    "salesforce.lead": [
        lead("L-old", "h-lead@people.io", "2025-01-10"),
        lead("L-new", "h-lead@people.io", "2025-02-10"),
    ],
    "hubspot.contact": [
        contact("h-lead", "@Lena", "2025-02-01", "Lena", "Lund"),
        contact("h-staff", "https://twitter.com/paul", "2025-01-05", "Paul", "Pay", email="paul@acme.io"),
        contact("h-first", "shared", "2025-01-05", "First", "Holder"),
        contact("h-second", "Shared", "2025-03-01", "Second", "Holder"),
        contact("h-nobody", "n/a", "2025-01-05", "No", "Handle"),
    ],
    "stripe.customer": [customer("cus-1", "billing@acme.io", "2025-01-02")],
    "stripe.subscription": [subscription("sub-1", "cus-1", "active", "2025-01-10")],
    "social.post": [
        post("early", "lena", "2025-01-20"),
        post("late", "LENA", "2025-02-20"),
        post("elsewhere", "lena", "2025-02-20", "reddit"),
        post("elsewhere-named", "lena", "2025-02-20", "reddit", " lena LUND"),
        post("of-customer", "@paul", "2025-02-20"),
        post("before-shared", "shared", "2025-02-01"),
        post("after-shared", "shared", "2025-03-02"),
        post("of-public", "user77", "2025-02-20"),
        post("no-handle", "n/a", "2025-02-20"),
    ],
    "social.review": [
        review("exact", "ACME inc", "2025-02-20"),
        review("form", "Nordlicht", "2025-02-20"),
        review("before-twin", "twin", "2025-02-01"),
        review("after-twin", "twin", "2025-03-02"),
        review("deleted", "Gone", "2025-05-01"),
        review("none", None, "2025-02-20"),
        review("other", "Acme Holding", "2025-02-20"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def posts(small_warehouse: Callable[..., Path]) -> dict[str, dict]:
    """Posts and reviews by their key, with the name and the keys that their author has in the systems."""
    query = """
        select split_part(posts.post_id, ':', 2) as key, posts.*, person_versions.full_name as recorded_name,
            contexts.* exclude (post_id, kind, platform, url, brand_mentioned, author_handle, author_name, occurred_at)
        from core.posts
        left join core.person_versions
            on posts.recorded_person_id = person_versions.person_id and person_versions.valid_to is null
        inner join core.post_contexts as contexts on posts.post_id = contexts.post_id
    """
    return {row["key"]: row for row in table(small_warehouse(RAW, select="+post_contexts", command="run"), query)}


def test_a_handle_speaks_for_the_person_who_alone_has_it_then(posts: dict[str, dict]):
    named = {key: row["recorded_name"] for key, row in posts.items() if row["recorded_person_id"]}
    assert named == {
        "early": "Lena Lund",
        "late": "Lena Lund",
        "elsewhere-named": "Lena Lund",
        "of-customer": "Paul Pay",
        "before-shared": "First Holder",
    }


def test_a_post_becomes_known_with_its_author(posts: dict[str, dict]):
    assert posts["early"]["known_at"] == datetime(2025, 2, 1)
    assert posts["early"]["occurred_at"] == datetime(2025, 1, 20, 10)
    assert posts["late"]["known_at"] == datetime(2025, 2, 20, 10)
    assert posts["of-public"]["known_at"] == datetime(2025, 2, 20, 10)


def test_a_review_belongs_to_the_one_company_of_that_name(posts: dict[str, dict]):
    keys = {key: row["recorded_account_id"] for key, row in posts.items() if row["kind"] == "review"}
    assert keys == {
        "exact": "salesforce:A-pays",
        "form": "salesforce:A-open",
        "before-twin": "salesforce:A-twin-1",
        "after-twin": None,
        "deleted": "salesforce:A-gone",
        "none": None,
        "other": None,
    }


def test_a_post_of_a_person_is_one_of_their_company(posts: dict[str, dict]):
    assert posts["of-customer"]["recorded_account_id"] == "salesforce:A-pays"
    assert posts["late"]["recorded_account_id"] is None


def test_who_is_known_and_no_customer_is_a_prospect(posts: dict[str, dict]):
    def context(key: str) -> tuple:
        columns = ("lead_id", "account_name", "opportunity_id", "is_customer", "is_prospect")
        return tuple(posts[key][column] for column in columns)

    assert context("late") == ("L-new", None, None, False, True)
    assert context("form") == (None, "Nordlicht GmbH & Co. KG", "O-new", False, True)
    assert context("of-customer") == (None, "Acme, Inc.", None, True, False)
    assert context("exact") == (None, "Acme, Inc.", None, True, False)
    assert context("of-public") == (None, None, None, False, False)
    assert context("deleted") == (None, None, None, False, False)
