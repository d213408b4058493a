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


@pytest.fixture(scope="module")
def warehouse(small_warehouse: Callable[..., Path]) -> Path:
    moment = epoch_ms("2025-03-01 10:00")
    events = [
        {"id": f"e{number}", "recipient": "dana@domain.io", "type": kind, "created": moment, "receivedAt": moment}
        for number, kind in enumerate(KINDS)
    ]
    return small_warehouse({"hubspot.email_event": events}, select="+mail_events", command="run")


def test_every_kind_of_mail_event_is_one_that_core_knows(warehouse: Path):
    events = table(warehouse, "select mail_event_id, type from core.mail_events")
    found = {event["mail_event_id"]: event["type"] for event in events}
    assert found == {f"e{number}": kind for number, kind in enumerate(KINDS.values())}
