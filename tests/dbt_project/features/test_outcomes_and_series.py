"""What happened after a day, and the daily series, on rows small enough to check by hand."""

from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.dbt_project.engines import not_portable
from tests.dbt_project.features.project import dbt, features, write_rows

START = datetime(2025, 1, 1, 9)
AS_OF = date(2025, 6, 29)


def account(name: str, **values: object) -> dict:
    version = {"account_id": name, "valid_from": START, "created_at": START, "industry": "Retail", "is_deleted": False}
    return version | values


def revenue(name: str, at: datetime, mrr: float, **values: object) -> dict:
    amounts = {"mrr": mrr, "arr": 12 * mrr, "is_customer": mrr > 0, "currency": "USD", "first_customer_at": START}
    return {"account_id": name, "valid_from": at, **amounts} | values


def paid(name: str, begins: datetime, ends: datetime | None, mrr: float) -> dict:
    amounts = {"mrr": mrr, "currency": "USD", "paid_from": begins, "paid_to": ends, "known_at": STOP}
    return {"subscription_id": f"{name} {mrr}", "account_id": name, **amounts}


def lead(name: str, at: datetime, **values: object) -> dict:
    return {"lead_id": name, "valid_from": at, "source": "web", "is_open": True, "created_at": START} | values


def ticket(name: str, *later: dict, at: datetime | None = None, **values: object) -> list[dict]:
    """A ticket's versions: as it comes in, and what changes `hours` later."""
    at = at or OPENED
    first = {"ticket_id": name, "valid_from": at, "created_at": at, "status": "new", "priority": "normal"} | values
    versions = [first]
    for change in later:
        versions.append({**versions[-1], "valid_from": at + timedelta(hours=change["hours"]), **change})
        del versions[-1]["hours"]
    return versions


def solved(hours: float, **values: object) -> dict:
    return {"hours": hours, "status": "solved", "solved_at": OPENED + timedelta(hours=hours), **values}


OPENED = datetime(2025, 1, 4, 12)
GAP = timedelta(days=14)
STOP, MERGE = datetime(2025, 3, 10, 12), datetime(2025, 2, 5, 12)
YEAR_BEFORE = datetime(2024, 6, 17, 9)
ROWS = {
    "account_versions": [
        account("stays"),
        account("stops", industry="Energy"),
        account("swaps"),
        account("merged"),
        account("merged", valid_from=MERGE, is_deleted=True),
        account("prospect"),
        *(account(name) for name in ("pauses", "midnight", "returns", "overlaps", "pauses_now")),
        *(
            account(name, valid_from=YEAR_BEFORE)
            for name in ("pays_a_year", "grows_and_stops", "changes_currency", "unknown_price", "merged_in_year")
        ),
    ],
    "account_merges": [
        {"account_id": "merged", "surviving_account_id": "stops", "known_at": MERGE},
        {"account_id": "merged_in_year", "surviving_account_id": "stays", "known_at": MERGE},
    ],
    "account_revenue_versions": [
        revenue("stays", START, 100),
        revenue("stops", START, 10),
        revenue("stops", STOP, 0),
        revenue("swaps", START, 20),
        revenue("swaps", STOP, 0),
        revenue("swaps", STOP + timedelta(minutes=5), 30),
        revenue("merged", START, 5),
        revenue("merged", MERGE, 0),
        # a pause a second shorter than the gap, a switch over midnight, a gap as long as that, one that is still on
        revenue("pauses", START, 1),
        revenue("pauses", STOP, 0),
        revenue("pauses", STOP + GAP - timedelta(seconds=1), 1),
        revenue("midnight", START, 1),
        revenue("midnight", datetime(2025, 3, 9, 23, 59, 50), 0),
        revenue("midnight", datetime(2025, 3, 10, 0, 0, 20), 2),
        revenue("returns", START, 1),
        revenue("returns", STOP, 0),
        revenue("returns", STOP + GAP, 1),
        revenue("overlaps", START, 1),
        revenue("overlaps", STOP, 3),
        revenue("overlaps", STOP + timedelta(days=2), 2),
        revenue("pauses_now", START, 1),
        revenue("pauses_now", datetime(2025, 6, 20, 12), 0),
        revenue("pays_a_year", YEAR_BEFORE, 10),
        revenue("grows_and_stops", YEAR_BEFORE, 10),
        revenue("grows_and_stops", datetime(2024, 7, 23, 12), 20),
        revenue("grows_and_stops", datetime(2024, 12, 20, 12), 0),
        revenue("changes_currency", YEAR_BEFORE, 10),
        revenue("changes_currency", datetime(2025, 4, 1), 10, currency="EUR"),
        revenue("unknown_price", YEAR_BEFORE, 10),
        revenue("unknown_price", datetime(2025, 4, 1), 0, is_customer=True),
        revenue("merged_in_year", YEAR_BEFORE, 10),
        revenue("merged_in_year", MERGE, 0),
    ],
    "paid_periods": [
        paid("stays", START, None, 100),
        paid("stops", START, STOP, 10),
        paid("swaps", START, STOP + timedelta(minutes=5), 20),
        paid("swaps", STOP + timedelta(minutes=5), None, 30),
        paid("stops", START, MERGE, 5),
    ],
    "leads": [
        {"lead_id": name, "source": "web", "is_deleted": False, "occurred_at": START, "known_at": STOP}
        | {"merged_into_lead_id": into, "is_deleted": is_deleted}
        for name, into, is_deleted in [
            ("converts", None, False),
            ("waits", None, False),
            ("also waits", None, False),
            ("merges", "converts", False),
            ("deleted", None, True),
        ]
    ],
    "tickets": [
        {"ticket_id": "t1", "latest_priority": "low", "priority": "low", "occurred_at": MERGE, "known_at": STOP},
        {"ticket_id": "t2", "latest_priority": "low", "occurred_at": MERGE, "deleted_at": STOP, "known_at": STOP},
        {"ticket_id": "never", "subject": "No answer", "description": "Is anybody there?"}
        | {"occurred_at": OPENED, "known_at": OPENED},
    ],
    "ticket_versions": [
        *ticket("raised", {"hours": 40, "status": "open", "priority": "high"}, solved(50)),
        *ticket("lowered", {"hours": 40, "status": "open", "priority": "low"}, solved(50)),
        *ticket("raised_before", {"hours": 20, "priority": "urgent"}, solved(50)),
        *ticket("late", solved(169)),
        *ticket("in_time", solved(71), recorded_account_id="stays"),
        *ticket("reopened", solved(9), {"hours": 20, "status": "open", "solved_at": None}, solved(60), solved(90)),
        *ticket("rated_bad", solved(50)),
        *ticket("rated_bad_after", solved(50)),
        *ticket("leaves", solved(50), recorded_account_id="stops"),
        *ticket("merged", solved(50), recorded_account_id="merged"),
        *ticket("never", {"hours": 5, "status": "waits for a vendor's word"}),
        *ticket("deleted", {"hours": 60, "is_deleted": True, "status": "deleted"}),
        *ticket("gone", solved(20)),
    ],
    "ticket_comments": [
        {"ticket_comment_id": f"{author} {hours}", "ticket_id": "never", "author": author}
        | {"occurred_at": OPENED + timedelta(hours=hours), "known_at": OPENED + timedelta(hours=hours)}
        for author, hours in [("us", 4), ("customer", 6), ("us", 30), ("us", 50)]
    ],
    "satisfaction_ratings": [
        {"satisfaction_rating_id": name, "ticket_id": name, "is_good": is_good, "known_at": at}
        for name, is_good, at in [
            ("rated_bad", False, datetime(2025, 1, 8)),
            ("in_time", True, datetime(2025, 1, 8)),
            ("rated_bad_after", False, datetime(2025, 4, 6)),
        ]
    ],
    "lead_versions": [
        lead("converts", START),
        lead("converts", STOP, is_open=False, is_converted=True),
        lead("merges", START, source="fair"),
        lead("merges", STOP, is_open=False, merged_into_lead_id="converts"),
        lead("waits", START),
        *(
            version
            for name, deal in [("brings", "brought"), ("falls through", "undone")]
            for version in (
                lead(name, YEAR_BEFORE, created_at=YEAR_BEFORE),
                lead(name, datetime(2024, 10, 1), created_at=YEAR_BEFORE, is_open=False, is_converted=True)
                | {"converted_opportunity_id": deal},
            )
        ),
    ],
    "opportunity_versions": [
        {"opportunity_id": "o1", "valid_from": START, "is_open": True, "is_won": False, "amount": 50.0},
        {"opportunity_id": "o1", "valid_from": STOP, "is_open": False, "is_won": True, "amount": 50.0},
        {"opportunity_id": "o5", "valid_from": START, "is_open": True, "is_won": False, "amount": 70.0},
        {"opportunity_id": "o5", "valid_from": MERGE, "is_open": False, "is_won": True, "amount": 70.0},
        {"opportunity_id": "o5", "valid_from": STOP, "is_open": False, "is_won": False, "amount": 70.0},
        {"opportunity_id": "o6", "valid_from": START, "is_open": True, "is_won": False, "amount": 5.0},
        {"opportunity_id": "o6", "valid_from": MERGE, "is_open": False, "is_won": True, "amount": 5.0},
        {"opportunity_id": "o6", "valid_from": STOP, "is_won": True, "amount": 5.0, "is_deleted": True},
        *(
            {"opportunity_id": name, "valid_from": at, "is_open": False, "is_won": is_won, "amount": amount}
            for name, at, is_won, amount in [
                ("brought", datetime(2024, 11, 20, 9), True, 40.0),
                ("brought", datetime(2024, 12, 10, 9), True, 45.0),
                ("undone", datetime(2024, 11, 20, 9), True, 40.0),
                ("undone", datetime(2024, 12, 10, 9), False, 40.0),
            ]
        ),
        *(
            {"opportunity_id": name, "valid_from": at, "is_open": not is_won, "is_won": is_won}
            | {"amount": amount, "currency": currency}
            for name, first, last in [("corrected", "USD", "USD"), ("in_euro", "USD", "EUR")]
            for at, is_won, amount, currency in [
                (START, False, 30.0, first),
                (MERGE, True, 30.0, first),
                (STOP, True, 20.0, last),
            ]
        ),
    ],
    "closed_opportunities": [
        {"opportunity_id": name, "account_id": account_id, "result": result, "won_amount": amount, "currency": currency}
        | {"occurred_at": STOP, "known_at": STOP + timedelta(days=30)}
        for name, account_id, result, amount, currency in [
            ("o1", "stops", "won", 50.0, "USD"),
            ("o2", "stays", "won", 7.0, "USD"),
            ("o3", "stays", "won", 9.0, "EUR"),
            ("o4", "stays", "lost", 0.0, "USD"),
        ]
    ],
}
TUESDAY, LATE_FRIDAY = date(2025, 1, 7), date(2025, 5, 2)
SCORED = [
    *[("account_id", name, TUESDAY) for name in ("stays", "stops", "swaps", "merged", "prospect")],
    ("account_id", "stays", LATE_FRIDAY),
    ("account_id", "stays", date(2025, 1, 5)),
    *[("lead_id", name, date(2025, 1, 10)) for name in ("converts", "merges", "waits")],
    ("opportunity_id", "o1", TUESDAY),
    ("ticket_id", "late", TUESDAY),
    ("ticket_id", "leaves", date(2025, 1, 6)),
    ("person_id", "somebody", TUESDAY),
]
"""Whom releases scored, on days that snapshots do not keep and on one that they do."""


@pytest.fixture(scope="module")
def warehouse(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        write_rows(connection, ROWS, AS_OF)
        connection.execute("create table raw_scorecast.scored (entity_key text, entity_id text, as_of_date date)")
        connection.executemany("insert into raw_scorecast.scored values (?, ?, ?)", SCORED)
    dbt(project, path, "build", "--full-refresh", "--select", "core", "features")
    return path


def outcomes(
    warehouse: Path, entity: str, target: str, model: str | None = None
) -> dict[tuple[str, date], bool | float | None]:
    frame = features(warehouse, model or f"{entity}_outcomes", f"{entity}_id, as_of_date")
    return {(name, day): value for name, day, value in frame.select(f"{entity}_id", "as_of_date", target).iter_rows()}


def test_churn_is_the_end_of_all_subscriptions_within_90_days(warehouse: Path):
    found = outcomes(warehouse, "account", "is_churned_90d")
    first = date(2025, 1, 5)
    assert not found["stays", first]
    assert found["stops", first] and found["stops", date(2025, 3, 9)]
    assert found["stops", date(2025, 3, 16)] is None, "no customer any more"
    assert found["swaps", first] is False, "one subscription replaced by another is no end"
    assert found["merged", first] is True, "the survivor stopped, and the merge itself was no end"
    assert ("merged", date(2025, 2, 9)) not in found
    assert found["prospect", first] is None
    assert found["stays", date(2025, 3, 16)] is False
    assert found["stays", date(2025, 3, 23)] is None, "90 days and the gap have not passed"


def test_a_stop_is_a_gap_of_a_stated_length(warehouse: Path):
    found = outcomes(warehouse, "account", "is_churned_90d")
    churned = {name for (name, day), value in found.items() if value and day >= date(2025, 2, 9)}
    assert churned == {"stops", "returns"}
    assert found["pauses", date(2025, 3, 9)] is False and found["midnight", date(2025, 3, 9)] is None
    assert found["returns", date(2025, 3, 9)] is True and found["overlaps", date(2025, 3, 9)] is False
    assert not [day for (name, day), value in found.items() if name == "pauses_now" and value], "its gap has not passed"


def test_conversion_and_win_become_known_after_their_horizon(warehouse: Path):
    leads = outcomes(warehouse, "lead", "is_converted_60d")
    assert leads["converts", date(2025, 1, 5)] is False, "64 days before"
    assert leads["converts", date(2025, 1, 12)] is True
    assert ("converts", date(2025, 3, 16)) not in leads
    assert leads["merges", date(2025, 1, 12)] is None
    assert leads["waits", date(2025, 4, 27)] is False and leads["waits", date(2025, 5, 4)] is None
    deals = outcomes(warehouse, "opportunity", "is_won_90d")
    assert deals["o1", date(2025, 1, 5)] is True
    assert deals["o5", date(2025, 1, 5)] is False and deals["o6", date(2025, 1, 5)] is False, (
        "taken back in the horizon"
    )


def test_revenue_of_a_year_is_in_one_currency_and_known_when_the_year_has_passed(warehouse: Path):
    found = outcomes(warehouse, "account", "revenue_365d")
    first, next_sunday = date(2024, 6, 23), date(2024, 6, 30)
    assert found["pays_a_year", first] == 120.0
    assert found["grows_and_stops", first] == round((30 * 120 + 150 * 240) / 365, 2)
    assert found["changes_currency", first] is None and found["unknown_price", first] is None
    assert found["merged_in_year", first] is None, "its survivor goes on with what it paid"
    assert found["pays_a_year", next_sunday] is None, "365 days have not passed"
    assert found["grows_and_stops", date(2024, 12, 22)] is None, "no customer any more"


def test_a_deal_is_worth_what_it_was_won_at(warehouse: Path):
    found = outcomes(warehouse, "opportunity", "won_amount_90d")
    first = date(2025, 1, 5)
    assert found["o1", first] == 50.0 and found["o1", TUESDAY] == 50.0
    assert found["o5", first] is None and found["o6", first] is None, "taken back in the horizon"
    assert found["corrected", first] == 20.0, "as it stands at the end of the horizon"
    assert found["in_euro", first] is None, "the deal was in dollars on that day"
    wins = outcomes(warehouse, "opportunity", "is_won_90d")
    assert wins["in_euro", first] is True and wins["corrected", first] is True


def test_a_lead_is_worth_what_its_deal_was_won_at(warehouse: Path):
    found = outcomes(warehouse, "lead", "deal_amount_180d", "lead_deal_outcomes")
    first, later = date(2024, 6, 23), date(2024, 9, 29)
    assert found["brings", first] == 45.0, "as it stands at the end of the horizon"
    assert found["brings", later] == 45.0
    assert ("brings", date(2024, 10, 6)) not in found, "converted by then"
    assert found["falls through", first] is None and found["falls through", later] is None
    assert found["waits", date(2025, 1, 5)] is None, "180 days have not passed"


def test_what_became_of_open_tickets(warehouse: Path):
    first = date(2025, 1, 5)
    found = {
        target: outcomes(warehouse, "ticket", target)
        for target in (
            "is_escalated_90d",
            "is_rated_bad_90d",
            "is_churned_90d",
            "is_solved_late_90d",
            "is_important_90d",
        )
    }
    yes = {
        target: {name for (name, day), value in of.items() if value and day == first} for target, of in found.items()
    }
    assert yes["is_escalated_90d"] == {"raised"}
    assert yes["is_rated_bad_90d"] == {"rated_bad"}
    assert yes["is_churned_90d"] == {"leaves", "merged"}, "a merged company shares its survivor's fate"
    assert yes["is_solved_late_90d"] == {"late", "never"}, "reopened and solved again within the hours is not late"
    assert yes["is_important_90d"] == set.union(*(of for target, of in yes.items() if target != "is_important_90d"))
    assert {name for name, day in found["is_important_90d"] if day == first} >= {"in_time", "lowered", "deleted"}
    assert ("gone", first) not in found["is_important_90d"], "it was solved by then"
    late_march = date(2025, 3, 30)
    assert found["is_solved_late_90d"]["never", late_march] is True
    assert found["is_churned_90d"]["never", late_march] is None, "the gap that makes a stop has not passed"
    assert found["is_important_90d"]["never", late_march] is None, "not before all of it is known"
    assert found["is_solved_late_90d"]["never", date(2025, 4, 6)] is None
    assert found["is_solved_late_90d"]["late", TUESDAY] is True
    assert found["is_churned_90d"]["leaves", date(2025, 1, 6)] is True, "a score between two Sundays"


def test_what_is_known_of_an_open_ticket(warehouse: Path):
    frame = features(warehouse, "ticket_snapshots", "ticket_id, as_of_date")
    (row,) = frame.filter(ticket_id="never", as_of_date=date(2025, 1, 5)).to_dicts()
    assert row["request"] == "No answer Is anybody there?"
    assert (row["waiting_hours"], row["is_late"], row["priority"]) == (36.0, False, "normal")
    assert (row["hours_since_last_message"], row["hours_since_customers_message"]) == (6.0, 30.0)
    assert (row["ticket_comments_count_ever"], row["arr"], row["currency"]) == (3, 0, None), "without a company"
    (later,) = frame.filter(ticket_id="never", as_of_date=date(2025, 1, 12)).to_dicts()
    assert (later["is_late"], later["hours_since_last_message"], later["ticket_comments_count_ever"]) == (
        True,
        154.0,
        4,
    )
    (other,) = frame.filter(ticket_id="in_time", as_of_date=date(2025, 1, 5)).to_dicts()
    assert (other["request"], other["arr"], other["currency"]) == (None, 1200.0, "USD")
    assert other["hours_since_last_message"] is None
    assert not [name for name in frame.columns if name.startswith("person_")]


def test_a_score_of_any_day_has_the_outcome_that_followed_it(warehouse: Path):
    found = outcomes(warehouse, "account", "is_churned_90d")
    assert [found[name, TUESDAY] for name in ("stays", "stops", "swaps", "merged")] == [False, True, False, True]
    assert found["prospect", TUESDAY] is None, "no customer then"
    assert found["stays", LATE_FRIDAY] is None, "90 days have not passed"
    assert ("somebody", TUESDAY) not in found
    leads = outcomes(warehouse, "lead", "is_converted_60d")
    assert leads["converts", date(2025, 1, 10)] is True
    assert leads["merges", date(2025, 1, 10)] is None
    assert leads["waits", date(2025, 1, 10)] is False
    assert outcomes(warehouse, "opportunity", "is_won_90d")["o1", TUESDAY] is True
    snapshots = features(warehouse, "account_snapshots", "account_id, as_of_date")
    assert TUESDAY not in snapshots["as_of_date"].to_list(), "features are those of Sundays and today"


def test_series_are_daily_without_gaps_and_segments_add_up(warehouse: Path):
    frame = features(warehouse, "metric_series", "metric, segment, metric_date")
    series = {
        key: dict(part.select("metric_date", "value").iter_rows())
        for key, part in frame.partition_by("metric", "currency", "segment", as_dict=True).items()
    }
    day = STOP.date()
    assert series["bookings", "USD", "total"][day] == 57.0
    assert series["bookings", "USD", "Energy"][day] == 50.0 and series["bookings", "USD", "Retail"][day] == 7.0
    assert series["bookings", "EUR", "total"][day] == 9.0
    assert series["recurring_revenue", "USD", "total"][START.date()] == 135.0
    assert series["recurring_revenue", "USD", "total"][MERGE.date()] == 130.0
    assert series["recurring_revenue", "USD", "total"][day] == 130.0, "no dip while a plan is switched"
    assert series["recurring_revenue", "USD", "total"][AS_OF] == 130.0
    assert series["tickets", None, "total"][MERGE.date()] == 1.0, "by when it was opened, less the deleted one"
    assert series["new_leads", None, "total"] == {
        START.date() + timedelta(days=number): 3.0 if number == 0 else 0.0 for number in range(180)
    }
    for (metric, currency, segment), values in series.items():
        days = sorted(values)
        assert days[-1] == AS_OF and len(days) == (days[-1] - days[0]).days + 1, (metric, segment)
        if segment == "total":
            parts = [part for (*of, name), part in series.items() if of == [metric, currency] and name != "total"]
            assert all(abs(sum(part.get(one, 0) for part in parts) - value) < 1e-6 for one, value in values.items())


def test_every_features_model_can_be_said_to_a_second_engine(project: Path, warehouse: Path):
    compiled = project / "target" / "compiled"
    written = {path.name for path in (project / "models" / "features").glob("*.sql")}
    assert written <= {path.name for path in compiled.glob("**/*.sql")}
    assert not_portable(compiled) == {}
