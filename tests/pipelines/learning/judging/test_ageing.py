"""Everyone grows older between training and today: that alone is no drift, and what comes on top of it is."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from pipelines.learning.judging.ageing import expected_on, panel_of, trend_of
from pipelines.learning.judging.drift import column_shifts, make_baseline

FIRST = date(2024, 1, 7)
TRAINED = [FIRST + timedelta(days=14 * number) for number in range(39)]
TODAY = TRAINED[-1] + timedelta(days=120)
ONLY_GROW = ("days_since_first_invoice", "months_with_us", "orders_so_far", "signed_date", "days_until_2040")
NAMES = [*ONLY_GROW, "orders_28d"]
COLUMNS = [{"name": name, "kind": "date" if name == "signed_date" else "number"} for name in NAMES]


def company(days: list[date], entities: int = 400, older_by: int = 0, busier: float = 1.0) -> pl.DataFrame:
    """
    The same customers on each of these days, with an order rate of their own.

    `older_by`: as if all had come so many days earlier; `busier`: they order so many times as much, since ever.
    """
    generator = np.random.default_rng(5)
    came = generator.integers(0, 300, entities) + older_by
    rate = busier * generator.gamma(2, 0.1, entities)
    frames = []
    for day in days:
        age = came + (day - FIRST).days + 30
        frames.append(
            pl.DataFrame(
                {
                    "account_id": [f"A{number:04d}" for number in range(entities)],
                    "as_of_date": [day] * entities,
                    "days_since_first_invoice": age,
                    "months_with_us": age // 30,
                    "orders_so_far": np.floor(rate * age),
                    "signed_date": [day - timedelta(days=int(each)) for each in age],
                    "days_until_2040": (date(2040, 1, 1) - day).days - came,
                    "orders_28d": generator.poisson(rate * 28),
                }
            )
        )
    return pl.concat(frames)


@pytest.fixture(scope="module")
def learnt_from() -> dict:
    frame = company(TRAINED)
    return make_baseline(frame, COLUMNS, "as_of_date", "account_id", np.linspace(0.01, 0.9, frame.height))


def majors(baseline: dict, today: pl.DataFrame) -> set[str]:
    return {row["column"] for row in column_shifts(baseline, today, "as_of_date") if row["is_major"]}


def test_what_only_grows_is_found_by_its_values_and_not_by_its_name(learnt_from: dict):
    assert set(learnt_from["trends"]) == set(ONLY_GROW)
    renamed = {name: f"c{number}" for number, name in enumerate(NAMES)}
    frame = company(TRAINED).rename(renamed)
    columns = [{**column, "name": renamed[column["name"]]} for column in COLUMNS]
    found = make_baseline(frame, columns, "as_of_date", "account_id", np.linspace(0.01, 0.9, 100))["trends"]
    assert set(found) == {renamed[name] for name in ONLY_GROW}


def test_ageing_alone_is_no_shift(learnt_from: dict):
    assert majors({**learnt_from, "trends": {}}, company([TODAY])) == set(ONLY_GROW), (
        "the same without looking at trends"
    )
    assert majors(learnt_from, company([TODAY])) == set()


def test_newcomers_at_the_usual_pace_are_no_shift(learnt_from: dict):
    """A tenth of the customers leaves and as many come: some grow older, some are new."""
    today = company([TODAY]).with_columns(
        pl.when(pl.int_range(pl.len()) % 10 == 0).then(pl.col(name) * 0.05).otherwise(pl.col(name)).alias(name)
        for name in ("days_since_first_invoice", "orders_so_far")
    )
    assert majors(learnt_from, today) == set()


@pytest.mark.parametrize(
    ("changes", "moved"),
    [
        ({"older_by": 500}, {"days_since_first_invoice", "months_with_us", "orders_so_far", "signed_date"}),
        ({"busier": 3.0}, {"orders_so_far", "orders_28d"}),
    ],
    ids=["others", "busier"],
)
def test_a_real_shift_is_still_one(learnt_from: dict, changes: dict, moved: set[str]):
    assert moved <= majors(learnt_from, company([TODAY], **changes))
    assert "orders_28d" in moved or "orders_28d" not in majors(learnt_from, company([TODAY], **changes))


def test_customers_who_are_all_new_are_a_shift(learnt_from: dict):
    today = company([TODAY]).with_columns(days_since_first_invoice=pl.int_range(pl.len()) % 60)
    assert "days_since_first_invoice" in majors(learnt_from, today)


def test_a_growing_column_that_is_gone_is_a_shift(learnt_from: dict):
    assert "days_since_first_invoice" in majors(learnt_from, company([TODAY]).drop("days_since_first_invoice"))


def test_the_trend_says_where_a_value_will_be():
    frame = company(TRAINED)
    days = (frame["as_of_date"] - FIRST).dt.total_days().to_numpy().astype(float)
    panel = panel_of(days, frame["account_id"].rank("dense").to_numpy().astype(np.int64))
    trend = trend_of(panel, frame["days_since_first_invoice"].to_numpy().astype(float))
    assert (trend["sign"], trend["per_day"]) == (1, 1.0)
    ages = company([TODAY])["days_since_first_invoice"].to_numpy()
    for values, missing in expected_on(trend, (TODAY - FIRST).days):
        assert missing == 0
        assert np.abs(np.quantile(ages, [0.1, 0.5, 0.9]) - np.quantile(values, [0.1, 0.5, 0.9])).max() < 8


def test_without_entities_seen_again_there_is_no_trend():
    assert panel_of(np.arange(10.0), np.arange(10)) is None
    assert panel_of(np.zeros(10), np.arange(10) % 3) is None
