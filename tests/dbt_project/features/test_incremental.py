"""Day after day or all at once: the snapshot tables are the same."""

from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from polars.testing import assert_frame_equal

from tests.dbt_project.features.project import dbt, features, known_by, write_rows

START = datetime(2025, 1, 6, 9)
RUNS = [date(2025, 2, 6), date(2025, 2, 9), date(2025, 2, 10), date(2025, 2, 26), date(2025, 4, 10)]

ROWS = {
    "account_versions": [
        {"account_id": "a1", "valid_from": START, "plan": "basic", "created_at": START, "is_deleted": False},
        {"account_id": "a2", "valid_from": START + timedelta(days=20), "plan": "pro", "is_deleted": False},
        {"account_id": "a2", "valid_from": START + timedelta(days=40), "plan": "pro", "is_deleted": True},
        {"account_id": "a1", "valid_from": START + timedelta(days=50), "plan": "pro", "is_deleted": False},
    ],
    "account_merges": [
        {"account_id": "a2", "surviving_account_id": "a1", "known_at": START + timedelta(days=40)},
    ],
    "tickets": [
        {
            "ticket_id": str(number),
            "recorded_account_id": "a1" if number % 3 else "a2",
            "priority": "urgent" if number % 4 else "low",
            "effort": number % 7 + 0.5,
            "rating": float(number % 5),
            "is_escalated": number % 6 == 0,
            "known_at": START + timedelta(days=number * 2, hours=number % 20),
        }
        for number in range(47)
    ],
}


def sundays_and(day: date) -> list[date]:
    first = date(2025, 1, 12)
    sundays = [first + timedelta(weeks=number) for number in range(60)]
    return sorted({*(sunday for sunday in sundays if sunday <= day), day})


@pytest.mark.slow
def test_daily_runs_give_what_one_full_build_gives(project: Path, tmp_path: Path):
    warehouse = tmp_path / "warehouse.duckdb"
    for day in RUNS:
        with duckdb.connect(str(warehouse)) as connection:
            write_rows(connection, known_by(ROWS, day), day)
        dbt(project, warehouse, "run", "--select", *([] if day != RUNS[0] else ["core"]), "account_snapshots")
        stored = features(warehouse, "account_snapshots", "account_id, as_of_date")
        assert sorted(stored["as_of_date"].unique()) == sundays_and(day)
    # A second run of the same day changes nothing.
    dbt(project, warehouse, "run", "--select", "account_snapshots")
    assert_frame_equal(features(warehouse, "account_snapshots", "account_id, as_of_date"), stored)
    dbt(project, warehouse, "run", "--full-refresh", "--select", "account_snapshots")
    assert_frame_equal(features(warehouse, "account_snapshots", "account_id, as_of_date"), stored, rel_tol=1e-6)
    assert stored.filter(account_id="a2")["as_of_date"].max() < date(2025, 2, 15)
    assert stored["tickets_count_ever"].max() > 20
