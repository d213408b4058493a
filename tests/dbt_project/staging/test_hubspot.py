"""HubSpot's words in those of core."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.dbt_project.warehouses import epoch_ms, table

KINDS = {
    "SENT": "sent",
    "DELIVERED": "delivered",
    "OPEN": "open",
    "CLICK": "click",
    "BOUNCE": "bounce",
    "UNSUBSCRIBED": "unsubscribe",
    "Unsubscribed": "unsubscribe",
    " unsubscribed ": "unsubscribe",
    "PRINT": "other",
    None: None,
}
OWNERS = {"Mara Stein": "Mara Stein", "12345678": None, " ": None, None: None}
"""What an export writes for a deal's owner: a name by the export button, an id by the API."""


@pytest.fixture(scope="module")
def warehouse(small_warehouse: Callable[..., Path]) -> Path:
    moment = epoch_ms("2025-03-01 10:00")
    events = [
        {"id": f"e{number}", "recipient": "dana@domain.io", "type": kind, "created": moment, "receivedAt": moment}
        for number, kind in enumerate(KINDS)
    ]
    deals = [
        {"id": f"d{number}", "hubspot_owner_id": owner, "hs_lastmodifieddate": "2025-03-01"}
        for number, owner in enumerate(OWNERS)
    ]
    raw = {"hubspot.email_event": events, "hubspot.deal": deals}
    return small_warehouse(raw, select="+mail_events stg_hubspot__opportunities", command="run")


def test_every_kind_of_mail_event_is_one_that_core_knows(warehouse: Path):
    events = table(warehouse, "select mail_event_id, type from core.mail_events")
    found = {event["mail_event_id"]: event["type"] for event in events}
    assert found == {f"e{number}": kind for number, kind in enumerate(KINDS.values())}


def test_an_owner_that_is_no_id_is_a_name(warehouse: Path):
    deals = table(warehouse, "select owner_id, owner_name from staging.stg_hubspot__opportunities")
    assert {deal["owner_id"]: deal["owner_name"] for deal in deals} == OWNERS


def test_a_company_without_a_record_has_the_name_that_its_deals_or_people_call_it_by(
    small_warehouse: Callable[..., Path],
):
    deal = {"hs_lastmodifieddate": "2025-03-02", "createdate": "2025-03-02"}
    warehouse = small_warehouse(
        {
            "hubspot.deal": [
                {**deal, "id": "d1", "associatedcompanyid": "71;72", "associatedcompany": "Northwind;Contoso"},
                {**deal, "id": "d2", "associatedcompanyid": "73"},
                {**deal, "id": "d3", "associatedcompanyid": "74", "associatedcompany": "What the deal says"},
            ],
            "hubspot.contact": [
                {"id": "c1", "email": "ann@fabrikam.io", "company": "Fabrikam", "associatedcompanyid": "73"}
                | {"lastmodifieddate": "2025-04-01"},
            ],
            "hubspot.company": [{"id": "74", "name": "What its record says", "hs_lastmodifieddate": "2025-03-01"}],
        },
        command="run",
    )
    versions = table(
        warehouse,
        "select account_name, cast(valid_from as varchar) as day from core.account_versions order by valid_from, 1",
    )
    named = {(each["account_name"], each["day"][:10]) for each in versions if each["account_name"]}
    assert named == {("What its record says", "2025-03-01"), ("Northwind", "2025-03-02"), ("Fabrikam", "2025-04-01")}
    assert len(table(warehouse, "from core.accounts where account_name is not null")) == 3


@pytest.mark.parametrize("has_companies", [False, True])
def test_companies_that_only_people_name_are_there_where_no_companies_are_exported(
    small_warehouse: Callable[..., Path], has_companies: bool
):
    person = {"email": "ann@fabrikam.io", "company": "Fabrikam", "associatedcompanyid": "73"}
    companies = [{"id": "74", "name": "Another", "hs_lastmodifieddate": "2025-03-01"}]
    warehouse = small_warehouse(
        {
            "hubspot.contact": [{"id": "c1", "lastmodifieddate": "2025-04-01", **person}],
            "hubspot.company": companies if has_companies else [],
        },
        command="run",
    )
    rows = table(warehouse, "select account_name from core.people left join core.accounts using (account_id)")
    assert [row["account_name"] for row in rows] == ([None] if has_companies else ["Fabrikam"])
