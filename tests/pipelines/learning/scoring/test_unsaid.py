"""A reason names what tells the scored rows apart, once; what it does not name still adds up."""

import json

import numpy as np
import polars as pl
import pytest

from pipelines.learning.context import Context
from pipelines.learning.fitting.fit import fit_prediction
from pipelines.learning.scoring.fitted import FittedPrediction, predict, score_prediction
from pipelines.learning.scoring.unsaid import FEWEST_ROWS, unsaid
from pipelines.learning.specs import PredictionSpec

ROWS = 900


def leads(rows: int = ROWS, seed: int = 1) -> pl.DataFrame:
    """Leads with what follows from their age: that their person has one lead, since when, and how many by window."""
    g = np.random.default_rng(seed)
    age = g.integers(0, 365, rows)
    return pl.DataFrame(
        {
            "lead_id": [f"L{number}" for number in range(rows)],
            "lead_age_days": age,
            "source": g.choice(["Web", "Event", "Referral"], rows),
            "country": g.choice(["DE", "FR", "US"], rows),
            "typical_deal_amount": g.normal(15_000, 2_000, rows),
            "person_days_since_first_leads": age,
            "person_leads_count_28d": (age < 28).astype(int),
            "person_leads_count_91d": (age < 91).astype(int),
            "mails": g.integers(0, 2, rows),
        }
    ).with_columns(person_country="country")


@pytest.fixture(scope="module")
def model() -> FittedPrediction:
    frame = leads()
    odds = (
        1.5 * (frame["lead_age_days"] < 91)
        + 0.8 * (frame["source"] == "Referral")
        + 0.9 * (frame["country"] == "DE")
        + frame["mails"]
        + (frame["typical_deal_amount"] - 15_000) / 1_500
    )
    g = np.random.default_rng(2)
    frame = frame.with_columns(converts=pl.Series(g.random(ROWS) < 1 / (1 + np.exp(2 - odds.to_numpy()))))
    spec = PredictionSpec("lead", "lead_id", "converts", min_rows=50, min_positives=10)
    fitted = fit_prediction(frame, spec, context=Context(seed=0)).model
    assert {"typical_deal_amount", "person_leads_count_91d", "person_country"} <= set(fitted.encoding.names)
    return fitted


def today(**same: object) -> pl.DataFrame:
    return leads(300, seed=3).with_columns(pl.lit(value).alias(name) for name, value in same.items())


def named(scores: pl.DataFrame) -> set[str]:
    entries = [json.loads(reasons) for reasons in scores["reasons"]]
    return {each["feature"] for some in entries for each in some} - {"base", "other"}


def test_what_is_the_same_for_all_is_no_reason_and_the_rest_adds_up(model: FittedPrediction):
    frame = today(typical_deal_amount=19_000.0)
    scores = score_prediction(model, frame)
    assert "typical_deal_amount" not in named(scores)
    assert "typical_deal_amount" in named(score_prediction(model, today())), "which varies there"
    probability = predict(model, frame)
    for reasons, expected in zip(scores["reasons"], probability, strict=True):
        total = sum(each["contribution"] for each in json.loads(reasons))
        assert total == pytest.approx(np.log(expected / (1 - expected)))


def test_a_value_that_nearly_all_have_is_no_reason_and_another_is(model: FittedPrediction):
    few = pl.Series("mails", [1] * 6 + [0] * 294)
    frame = today().with_columns(few)
    has_mails = [
        any(each["feature"] == "mails" for each in json.loads(one)) for one in score_prediction(model, frame)["reasons"]
    ]
    assert not any(has_mails[6:])
    assert any(has_mails[:6])


def test_what_only_says_that_the_row_is_there_adds_to_its_age(model: FittedPrediction):
    names = named(score_prediction(model, today()))
    assert "lead_age_days" in names
    assert not {name for name in names if name.startswith("person_")}
    follows = unsaid(model.encoding.names, today()).follows
    assert {model.encoding.names[rule.of] for rule in follows.values()} == {"lead_age_days", "country"}


def test_what_says_more_than_the_age_is_told(model: FittedPrediction):
    g = np.random.default_rng(5)
    others = pl.Series("person_leads_count_91d", g.integers(0, 2, 300))
    follows = unsaid(model.encoding.names, today().with_columns(others)).follows
    assert model.encoding.names.index("person_leads_count_91d") not in follows
    one = pl.Series("person_leads_count_91d", [3]).extend(today()["person_leads_count_91d"][1:])
    rules = unsaid(model.encoding.names, frame := today().with_columns(one))
    place = model.encoding.names.index("person_leads_count_91d")
    told = rules.told(np.ones((300, len(model.encoding.names))), frame)
    assert (told[0, place], set(told[1:, place])) == (1.0, {0.0})


def test_of_few_rows_nothing_is_left_out(model: FittedPrediction):
    few = today(typical_deal_amount=19_000.0).head(FEWEST_ROWS - 1)
    rules = unsaid(model.encoding.names, few)
    assert (rules.usual, rules.follows) == ({}, {})
    assert "typical_deal_amount" in named(score_prediction(model, few))


def test_that_two_columns_are_missing_does_not_make_them_one():
    g = np.random.default_rng(6)
    there = g.random((300, 2)) < 0.15
    values = np.where(there, g.integers(0, 300, (300, 2)).astype(float), np.nan)
    frame = pl.DataFrame({"days_since_last_calls": values[:, 0], "days_since_last_visits": values[:, 1]}).fill_nan(None)
    assert unsaid(frame.columns, frame).follows == {}
