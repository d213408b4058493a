"""The generated SQL against a second, naive computation: every event compared with every as_of date, in polars."""

import re
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.dbt_project.features.project import dbt, write_rows

FIRST_DAY = date(2023, 12, 4)
AS_OF = date(2025, 3, 12)
WINDOWS = {"7d": 7, "28d": 28, "91d": 91, "364d": 364, "ever": None}

moments = st.datetimes(datetime(2023, 12, 4), datetime(2025, 3, 14))
accounts = st.sampled_from(["a1", "a2", "a3", "a4"])
people = st.sampled_from(["p1", "p2", "p3"])
tickets = st.lists(
    st.fixed_dictionaries(
        {
            "recorded_account_id": accounts | st.none(),
            "priority": st.sampled_from(["low", "urgent", None]),
            "effort": st.none() | st.integers(-8, 80).map(lambda eighths: eighths / 8),
            "rating": st.none() | st.integers(1, 5).map(float),
            "is_escalated": st.none() | st.booleans(),
            "known_at": moments,
        }
    ),
    max_size=25,
)
visits = st.lists(
    st.fixed_dictionaries(
        {"recorded_person_id": people | st.none(), "minutes": st.integers(0, 90).map(float), "known_at": moments}
    ),
    max_size=15,
)
versions = st.lists(
    st.tuples(moments, st.sampled_from(["basic", "pro"]), st.sampled_from(["gold", None])),
    min_size=1,
    max_size=4,
    unique_by=lambda version: version[0],
)
# A merge goes from a higher to a lower number, so there are chains (a4 to a3 to a1) but no rings.
account_merges = st.dictionaries(st.integers(2, 4), st.tuples(st.integers(1, 3), moments), max_size=3).map(
    lambda merges: {loser: merge for loser, merge in merges.items() if merge[0] < loser}
)
person_merges = st.dictionaries(st.integers(2, 3), st.tuples(st.integers(1, 2), moments), max_size=2).map(
    lambda merges: {loser: merge for loser, merge in merges.items() if merge[0] < loser}
)


def merge_rows(entity: str, merges: dict[int, tuple[int, datetime]]) -> list[dict]:
    return [
        {
            f"{entity}_id": f"{entity[0]}{loser}",
            f"surviving_{entity}_id": f"{entity[0]}{survivor}",
            "known_at": known_at,
        }
        for loser, (survivor, known_at) in merges.items()
    ]


def as_of_dates() -> list[date]:
    sundays = [FIRST_DAY + timedelta(days=6 + 7 * number) for number in range(80)]
    return [day for day in sundays if day <= AS_OF] + [AS_OF]


def stands_for(recorded: str, merges: dict[int, tuple[int, datetime]], day: date) -> str:
    """Whom an id stands for at the end of a day, following the merges known by then."""
    current = recorded
    while True:
        merge = merges.get(int(current[1:]))
        if merge is None or merge[1].date() > day:
            return current
        current = f"{current[0]}{merge[0]}"


def windows_of(events: pl.DataFrame, name: str, day: date) -> dict[str, object]:
    """Counts and sums of one entity's events at one day."""
    ages = events.with_columns(age=(pl.lit(day) - pl.col("known_at").dt.date()).dt.total_days())
    values: dict[str, object] = {}
    for window, days in WINDOWS.items():
        within = ages if days is None else ages.filter(pl.col("age") < days)
        values[f"{name}_count_{window}"] = float(within.height)
        if name == "visits":
            values[f"visits_minutes_sum_{window}"] = within["minutes"].sum()
            continue
        values[f"tickets_effort_sum_{window}"] = within["effort"].sum()
        values[f"tickets_rating_average_{window}"] = within["rating"].mean()
        values[f"tickets_delay_max_{window}"] = within["effort"].max()
        values[f"tickets_escalations_count_{window}"] = float(within["is_escalated"].sum())
        if window == "91d":
            for priority in ("low", "urgent"):
                count = within.filter(pl.col("priority") == priority).height
                values[f"tickets_count_{window}_priority_{priority}"] = float(count)
    stems = ["visits_count", "visits_minutes_sum"]
    if name == "tickets":
        stems = ["tickets_count", "tickets_effort_sum", "tickets_escalations_count"]
    for stem in stems:
        for short, long in (("7d", "28d"), ("28d", "91d")):
            whole = values[f"{stem}_{long}"] / WINDOWS[long]
            values[f"{stem}_{short}_vs_{long}"] = values[f"{stem}_{short}"] / WINDOWS[short] / whole if whole else None
    if name == "tickets":
        for short, long in (("7d", "28d"), ("28d", "91d")):
            part, whole = values[f"tickets_rating_average_{short}"], values[f"tickets_rating_average_{long}"]
            values[f"tickets_rating_average_{short}_vs_{long}"] = part / whole if part is not None else None
    values[f"days_since_last_{name}"] = ages["age"].min()
    values[f"days_since_first_{name}"] = ages["age"].max()
    return values


def frame_of(rows: list[dict], names: list[str], types: dict) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in names} for row in rows], schema=types)


TICKET_TYPES = {
    "recorded_account_id": pl.String,
    "priority": pl.String,
    "effort": pl.Float64,
    "rating": pl.Float64,
    "is_escalated": pl.Boolean,
    "known_at": pl.Datetime,
}
VISIT_TYPES = {"recorded_person_id": pl.String, "minutes": pl.Float64, "known_at": pl.Datetime}


def events_at(events: pl.DataFrame, key: str, entity: str | None, merges: dict, day: date) -> pl.DataFrame:
    """The events of an entity that were known at a day, those of ids that stood for it included."""
    known = events.filter(pl.col("known_at").dt.date() <= day)
    mine = [recorded for recorded in known[key].unique() if recorded and stands_for(recorded, merges, day) == entity]
    return known.filter(pl.col(key).is_in(mine))


def assert_same(actual: pl.DataFrame, expected: list[dict], keys: list[str]) -> None:
    if not expected:
        assert actual.is_empty()
        return
    frame = pl.DataFrame(expected, infer_schema_length=None)
    frame = frame.cast({pl.Null: pl.Float64})
    assert set(frame.columns) <= set(actual.columns), set(frame.columns) - set(actual.columns)
    actual = actual.select(frame.columns).sort(keys)
    numbers = [name for name in frame.columns if frame.schema[name].is_numeric()]
    assert_frame_equal(
        actual.with_columns(pl.col(numbers).cast(pl.Float64)),
        frame.with_columns(pl.col(numbers).cast(pl.Float64)).sort(keys),
        rel_tol=1e-6,
    )


@pytest.fixture(scope="module")
def compiled(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[duckdb.DuckDBPyConnection, dict[str, str]]:
    """A warehouse with empty core tables, and what dbt makes of the snapshot models for the day AS_OF."""
    warehouse = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        write_rows(connection, {}, AS_OF)
    dbt(project, warehouse, "run", "--full-refresh", "--select", "core", "account_snapshots")
    dbt(project, warehouse, "compile", "--full-refresh", "--select", "account_snapshots", "lead_snapshots")
    folder = next((project / "target" / "compiled").glob("**/models/features"))
    connection = duckdb.connect(str(warehouse))
    connection.execute("set threads = 2")
    return connection, {path.stem: path.read_text() for path in folder.glob("*_snapshots.sql")}


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(tickets, st.dictionaries(accounts, versions, min_size=1), account_merges)
def test_account_features_are_those_of_a_naive_computation(compiled, tickets, versions, merges):
    connection, sql = compiled
    version_rows = [
        {"account_id": account, "valid_from": at, "plan": plan, "custom_tier": tier, "is_deleted": False}
        for account, of_account in versions.items()
        for at, plan, tier in of_account
    ]
    rows = {
        "tickets": [{"ticket_id": str(number), **ticket} for number, ticket in enumerate(tickets)],
        "account_versions": version_rows,
        "account_merges": merge_rows("account", merges),
    }
    write_rows(connection, rows, AS_OF)
    actual = connection.execute(sql["account_snapshots"]).pl()

    events = frame_of(tickets, list(TICKET_TYPES), TICKET_TYPES)
    expected = []
    for account, of_account in versions.items():
        for day in as_of_dates():
            known = [version for version in sorted(of_account) if version[0].date() <= day]
            if known:
                mine = events_at(events, "recorded_account_id", account, merges, day)
                if stands_for(account, merges, day) != account:
                    continue
                row = {"account_id": account, "as_of_date": day, "plan": known[-1][1], "custom_tier": known[-1][2]}
                expected.append(row | windows_of(mine, "tickets", day))
    keys = ["account_id", "as_of_date"]
    is_merged_away = pl.Series(
        [stands_for(row[0], merges, row[1]) != row[0] for row in actual.select(keys).iter_rows()]
    )
    actual = actual.filter(~is_merged_away.cast(pl.Boolean))
    assert actual.height == len(expected)
    text = [{**row, "custom_tier": row["custom_tier"] or ""} for row in expected]
    assert_same(actual.with_columns(pl.col("custom_tier").fill_null("")), text, keys)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(visits, people | st.none(), people | st.none(), moments, person_merges)
def test_a_lead_has_its_persons_features_under_the_persons_name(compiled, visits, first, second, changed_at, merges):
    connection, sql = compiled
    opened_at = datetime(2024, 6, 3)
    changed_at = max(changed_at, opened_at + timedelta(hours=1))
    lead = {"lead_id": "l1", "is_open": True, "is_converted": False, "created_at": opened_at}
    rows = {
        "visits": [{"visit_id": str(number), **visit} for number, visit in enumerate(visits)],
        "lead_versions": [
            lead | {"valid_from": opened_at, "recorded_person_id": first, "source": "web"},
            lead | {"valid_from": changed_at, "recorded_person_id": second, "source": "fair"},
        ],
        "person_merges": merge_rows("person", merges),
    }
    write_rows(connection, rows, AS_OF)
    actual = connection.execute(sql["lead_snapshots"]).pl()

    events = frame_of(visits, list(VISIT_TYPES), VISIT_TYPES)
    expected = []
    for day in as_of_dates():
        if day < opened_at.date():
            continue
        has_changed = changed_at.date() <= day
        person = second if has_changed else first
        row = {"lead_id": "l1", "as_of_date": day, "source": "fair" if has_changed else "web"}
        row["lead_age_days"] = (day - opened_at.date()).days
        if row["lead_age_days"] > 365:
            continue
        stood_for = stands_for(person, merges, day) if person else None
        mine = events_at(events, "recorded_person_id", stood_for, merges, day)
        values = windows_of(mine, "visits", day)
        # Of a parent the windows in the middle are kept, no trends.
        kept = {name: value for name, value in values.items() if not re.search("_7d$|_364d$|_vs_", name)}
        named = {f"person_{name}": value if person else None for name, value in kept.items()}
        expected.append(row | named)
    assert_same(actual, expected, ["lead_id", "as_of_date"])
