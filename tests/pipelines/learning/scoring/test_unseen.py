"""Rows to score that are of another kind than those learnt from are counted; growing older makes nobody one."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.learning.fitting.fit import FittedPrediction, fit_prediction
from pipelines.learning.scoring.storage import load_model, save_model
from pipelines.learning.scoring.unseen import unseen_rows
from tests.pipelines.learning.synthetic import panel, question


def everyone(**changes: object) -> pl.DataFrame:
    """The panel with a flag that all learnt from share, a plan, and an age in days."""
    frame = panel(entities=300, points=14).drop("true_log_odds")
    first = frame["as_of_date"].min()
    joined = pl.col("account_id").str.slice(1).cast(pl.Int64) % 200
    return frame.with_columns(
        is_customer=True,
        plan=pl.when(pl.col("segment") == "Retail").then(pl.lit("basic")).otherwise(pl.lit("pro")),
        days_known=joined + (pl.col("as_of_date") - first).dt.total_days(),
    ).with_columns(**changes)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> FittedPrediction:
    """Fitted, stored and opened again."""
    path: Path = tmp_path_factory.mktemp("models") / "m.zip"
    save_model(fit_prediction(everyone(), question()).model, path)
    return load_model(path)


def today(**changes: object) -> pl.DataFrame:
    frame = everyone()
    newest = frame["as_of_date"].max()
    later = newest + timedelta(days=120)
    frame = frame.filter(pl.col("as_of_date") == newest).drop("is_gone_90d")
    return frame.with_columns(
        as_of_date=pl.lit(later),
        started_date=pl.col("started_date") + pl.duration(days=120),
        days_known=pl.col("days_known") + 120,
    ).with_columns(**changes)


IS_EVERY_THIRD = pl.int_range(pl.len()) % 3 == 0


def test_the_same_kind_of_people_is_no_news_also_when_they_have_grown_older(model: FittedPrediction):
    frame = today()
    assert (frame["days_known"] > everyone()["days_known"].max()).mean() > 0.3
    assert unseen_rows(model.baseline, frame, "as_of_date") is None


def test_who_lacks_what_all_had_in_common_is_told_with_the_condition_that_leaves_them_out(model: FittedPrediction):
    found = unseen_rows(model.baseline, today(is_customer=~IS_EVERY_THIRD), "as_of_date")
    assert (found.rows, found.outside) == (300, 100)
    assert found.in_words() == (
        "100 of 300 rows to score (33%) are unlike any that the model learnt from: is_customer is not true in 100. "
        "Their scores have no ground."
    )
    assert "narrow `population`, such as `population: is_customer`; " in found.what_to_do()


@pytest.mark.parametrize(
    ("column", "value", "how"),
    [
        ("arr", pl.lit(-5.0), "below "),
        ("arr", pl.lit(1e9), "above "),
        ("arr", pl.lit(None), "empty"),
        ("plan", pl.lit("enterprise"), "another word than ever before"),
        ("plan", pl.lit(None), "empty"),
        ("days_known", pl.lit(-1), "below 0"),
        ("started_date", pl.lit(date(2010, 1, 1)), "earlier than "),
    ],
)
def test_what_was_never_there_is_outside(model: FittedPrediction, column: str, value: pl.Expr, how: str):
    changed = pl.when(IS_EVERY_THIRD).then(value).otherwise(pl.col(column))
    found = unseen_rows(model.baseline, today(**{column: changed}), "as_of_date")
    assert found.outside == 100
    assert [(each.column, each.rows) for each in found.columns] == [(column, 100)]
    assert found.columns[0].how.startswith(how)


def test_a_row_that_is_outside_in_many_columns_counts_once(model: FittedPrediction):
    strange = {
        name: pl.when(IS_EVERY_THIRD).then(-1e6).otherwise(pl.col(name)) for name in ("arr", "tickets_count_28d")
    }
    assert unseen_rows(model.baseline, today(**strange), "as_of_date").outside == 100


def test_a_few_are_left_alone(model: FittedPrediction):
    few = pl.int_range(pl.len()) < 20
    assert unseen_rows(model.baseline, today(is_customer=~few), "as_of_date") is None


def test_what_was_sometimes_missing_may_be_missing(model: FittedPrediction):
    assert unseen_rows(model.baseline, today(satisfaction_rating_avg_91d=None), "as_of_date") is None


def test_samples_of_the_same_people_raise_no_alarm():
    """Few cases, many columns: somebody is always beyond the extremes of some column."""
    generator = np.random.default_rng(2)

    def people(rows: int) -> pl.DataFrame:
        numbers = {f"x{number}": generator.normal(size=rows) for number in range(150)}
        keys = {"account_id": [f"{generator.integers(1 << 60)}" for _ in range(rows)]}
        return pl.DataFrame({**keys, **numbers, "is_gone_90d": generator.random(rows) < 0.4})

    model = fit_prediction(people(220), question(as_of=None, horizon_days=None, value=None)).model
    found = [unseen_rows(model.baseline, people(rows), None) for rows in (20, 24, 50, 300) for _ in range(10)]
    assert found == [None] * 40


def test_a_model_from_before_ranges_says_nothing(model: FittedPrediction):
    old = {name: value for name, value in model.baseline.items() if name != "ranges"}
    assert unseen_rows(old, today(is_customer=False), "as_of_date") is None
