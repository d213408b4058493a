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
