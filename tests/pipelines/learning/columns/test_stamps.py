"""A date that says when a record was last changed is a leak in a table of records as they stand today."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from pipelines.learning.columns.stamps import creation_column, written_at_changes

START, DAYS, ROWS = datetime(2024, 6, 1), 900, 2_000


def dates(days: np.ndarray, whole: bool = False) -> pl.Series:
    values = [None if np.isnan(day) else START + timedelta(days=float(day)) for day in days]
    return pl.Series(values, dtype=pl.Datetime("us")).dt.truncate("1d" if whole else "1s")


def records(**more: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Leads as a CRM has them today: those that converted were last changed then, the others at any time since."""
    g = np.random.default_rng(4)
    created = g.uniform(0, DAYS, ROWS)
    converts = g.random(ROWS) < 0.15
    changed = created + np.where(converts, g.exponential(8, ROWS), g.uniform(0, 1, ROWS) * (DAYS - created))
    frame = pl.DataFrame({"Begin": dates(created), "Stamp": dates(np.minimum(changed, DAYS)), **more})
    return frame, pl.Series(converts)


@pytest.mark.parametrize("name", ["Stamp", "SystemModstamp", "LastModifiedDate", "updated_at", "Last Modified Date"])
def test_the_last_change_is_found_by_what_it_is_whatever_it_is_called(name: str):
    frame, answers = records()
    (found,) = written_at_changes(frame.rename({"Stamp": name}), ["Begin", name], answers)
    assert (found.column, found.grade) == (name, "leaky")
    assert "says when the record was last changed, which is after the answer" in found.reason
    assert found.figures["auc"] > 0.7


def test_a_last_change_that_has_no_time_or_no_other_date_is_known_by_its_name():
    frame, answers = records()
    day = frame.select(updated_at=pl.col("Stamp").dt.date())
    g = np.random.default_rng(5)
    alone = pl.DataFrame({"updated_at": dates(np.where(answers, 200, 800) + g.uniform(0, 90, ROWS))})
    assert [
        each.column for each in written_at_changes(day.with_columns(frame["Begin"]), ["Begin", "updated_at"], answers)
    ]
    assert [each.column for each in written_at_changes(alone, ["updated_at"], answers)] == ["updated_at"]
    assert written_at_changes(alone.rename({"updated_at": "arrival"}), ["arrival"], answers) == []


def test_a_last_change_that_tells_nothing_stays():
    frame, answers = records()
    shuffled = answers.shuffle(seed=1)
    assert written_at_changes(frame.rename({"Stamp": "updated_at"}), ["Begin", "updated_at"], shuffled) == []


@pytest.mark.parametrize("case", ["signup after birth", "arrival", "due", "first response", "planned close"])
def test_dates_that_are_later_for_another_reason_stay_though_they_tell_the_answer(case: str):
    g = np.random.default_rng(6)
    created = g.uniform(0, DAYS, ROWS)
    answers = pl.Series(g.random(ROWS) < np.where(created > DAYS / 2, 0.7, 0.1))
    begin, later = {
        "signup after birth": (dates(g.uniform(-20_000, -7_000, ROWS), whole=True), dates(created)),
        "arrival": (dates(created), dates(np.minimum(created + g.exponential(40, ROWS), DAYS), whole=True)),
        "due": (dates(created), dates(np.floor(created) + 14 + created % 1)),
        "first response": (dates(created), dates(np.minimum(created + g.exponential(0.3, ROWS), DAYS))),
        "planned close": (dates(created), dates(created + g.uniform(1, 120, ROWS))),
    }[case]
    frame = pl.DataFrame({"begin": begin, "later": later})
    assert written_at_changes(frame, ["begin", "later"], answers) == []


def test_the_creation_is_the_earliest_of_the_dates_and_of_their_time():
    frame, _ = records()
    names = ["Begin", "Stamp"]
    assert creation_column(frame, names) == "Begin"
    assert creation_column(frame.select("Begin"), ["Begin"]) is None, "nothing to be the earliest of"
    with_gap = frame.with_columns(pl.when(pl.int_range(pl.len()) > 0).then("Begin").alias("Begin"))
    assert creation_column(with_gap, names) is None
    born = pl.Series("Born", dates(np.random.default_rng(1).uniform(-20_000, -7_000, ROWS), whole=True))
    assert creation_column(frame.with_columns(born).drop("Stamp"), ["Born", "Begin"]) is None
    assert creation_column(frame.with_columns(born), ["Born", *names]) is None
