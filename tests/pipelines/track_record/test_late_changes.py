"""A status that sales overwrites at conversion, in a warehouse of three tables."""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import duckdb
import pytest

from pipelines.track_record.late_changes import late_changes

START = datetime(2025, 1, 5)
LEADS = 120


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """Every other lead converts in its third week; owner and city stay."""
    draws = random.Random(1)
    with duckdb.connect() as connection:
        connection.execute("create schema core")
        connection.execute("create schema features")
        connection.execute(
            """
            create table core.lead_versions (
                lead_id varchar, valid_from timestamp, valid_to timestamp, version bigint, known_at timestamp,
                status varchar, employee_count bigint, owner varchar, city varchar
            )
            """
        )
        connection.execute(
            "create table features.lead_outcomes (lead_id varchar, as_of_date date, is_converted boolean)"
        )
        for number in range(LEADS):
            lead, converts = f"L{number}", number % 2 == 0
            owner = draws.choice("abcdef")
            changes = [(START, "Open", None)]
            if converts:
                changes.append((START + timedelta(days=18, hours=5), "Converted", 10 + number))
            elif number % 10 == 1:
                changes.append((START + timedelta(days=16), "Lost", None))
            ends = [start for start, _, _ in changes[1:]] + [None]
            for version, ((start, status, size), end) in enumerate(zip(changes, ends, strict=True), start=1):
                connection.execute(
                    "insert into core.lead_versions values (?, ?, ?, ?, ?, ?, ?, ?, 'Berlin')",
                    [lead, start, end, version, start, status, size, owner],
                )
            for week in range(3):
                connection.execute(
                    "insert into features.lead_outcomes values (?, ?, ?)",
                    [lead, date(2025, 1, 5) + timedelta(days=7 * week), converts],
                )
        yield connection


def snapshots(connection: duckdb.DuckDBPyConnection, condition: str) -> None:
    connection.execute(
        f"""
        create or replace table features.lead_snapshots as
        select outcomes.lead_id, outcomes.as_of_date, versions.status, versions.city
        from features.lead_outcomes as outcomes
        inner join core.lead_versions as versions
            on outcomes.lead_id = versions.lead_id and {condition}
        """
    )


KNOWN_THEN = "valid_from::date <= as_of_date and coalesce(valid_to::date, date '9999-12-31') > as_of_date"
KNOWN_NOW = "valid_to is null"


def find(connection: duckdb.DuckDBPyConnection) -> dict:
    found = late_changes(connection, "lead_id", "lead_snapshots", "lead_outcomes", "is_converted")
    return {change.attribute: change for change in found}


def test_what_is_written_at_the_outcome_is_found_with_its_figures(warehouse):
    snapshots(warehouse, KNOWN_THEN)
    found = find(warehouse)
    assert set(found) == {"status", "employee_count"}
    status = found["status"]
    assert (status.entities_with, status.entities_without) == (60, 60)
    assert status.changed_with == 1.0
    assert status.changed_without < 0.25
    assert status.example == "status: Open -> Converted"
    assert status.is_feature and not status.unversioned
    assert not found["employee_count"].is_feature
    assert "100% of 60 with it" in status.reason and "known at the time" in status.reason


def test_snapshots_that_hold_the_later_value_are_told_from_those_that_do_not(warehouse):
    snapshots(warehouse, KNOWN_NOW)
    found = find(warehouse)
    assert found["status"].unversioned
    assert "hold the later value" in found["status"].reason
    assert "city" not in found


def test_tables_of_another_schema_and_another_name_of_the_day_give_the_same(warehouse):
    snapshots(warehouse, KNOWN_NOW)
    before = find(warehouse)
    for table in ("lead_snapshots", "lead_outcomes"):
        warehouse.execute(f"create table core.{table} as select * rename (as_of_date as day) from features.{table}")
        warehouse.execute(f"drop table features.{table}")
    tables = ("core.lead_snapshots", "core.lead_outcomes")
    found = late_changes(warehouse, "lead_id", *tables, "is_converted", as_of="day")
    assert {change.attribute: change for change in found} == before


def test_without_versions_or_without_an_outcome_nothing_is_said(warehouse):
    snapshots(warehouse, KNOWN_THEN)
    assert late_changes(warehouse, "deal_id", "lead_snapshots", "lead_outcomes", "is_converted") == []
    warehouse.execute("update features.lead_outcomes set is_converted = false")
    assert find(warehouse) == {}


def test_a_status_that_changes_as_often_without_the_outcome_is_told_by_its_value(warehouse):
    snapshots(warehouse, KNOWN_THEN)
    warehouse.execute(
        """
        update core.lead_versions set valid_to = timestamp '2025-01-08' where lead_id in (
            select lead_id from features.lead_outcomes where not is_converted
        )
        """
    )
    warehouse.execute(
        """
        insert into core.lead_versions by name
        select lead_id, 'Lost' as status, 'Berlin' as city, 'a' as owner, valid_to as valid_from
        from core.lead_versions where valid_to = timestamp '2025-01-08' and version = 1
        """
    )
    warehouse.execute("delete from features.lead_outcomes where not is_converted and as_of_date > date '2025-01-05'")
    status = find(warehouse)["status"]
    assert status.became == "Converted"
    assert (status.changed_with, status.changed_without) == (1.0, 0.0)
