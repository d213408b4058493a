import json

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.learning.scoring.fitted import grade, log_odds, percentile_scores, predict, score_prediction

NUMBERS = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True, width=64))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "usage_logins_sum_7d": NUMBERS,
            "usage_logins_sum_28d": NUMBERS,
            "tickets_count_28d": st.one_of(st.none(), st.integers(-(2**40), 2**40)),
            "has_late_invoice": st.one_of(st.none(), st.booleans()),
            "segment": st.one_of(st.none(), st.sampled_from(["Retail", "Energy", " ", "Ünknown"]), st.text(max_size=5)),
            "started_date": st.one_of(st.none(), st.dates()),
            "satisfaction_rating_avg_91d": NUMBERS,
            "arr": NUMBERS,
        }
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_reasons_add_up_to_the_log_odds_whatever_the_values(fitted, known, rows):
    columns = list(rows[0])
    frame = pl.DataFrame(rows, schema={name: known.schema[name] for name in columns}, strict=False).with_columns(
        pl.lit("A1").alias("account_id"), pl.lit(known["as_of_date"].max()).alias("as_of_date")
    )
    scores = score_prediction(fitted.model, frame)
    probability = scores["probability"].to_numpy()
    assert ((probability > 0) & (probability < 1)).all()
    odds, parts, base = log_odds(fitted.model, frame)
    assert np.allclose(np.log(probability) - np.log1p(-probability), odds, atol=1e-6, rtol=1e-6)
    assert np.allclose(base + parts.sum(axis=1), odds, atol=1e-9)
    for text, expected in zip(scores["reasons"], odds, strict=True):
        entries = json.loads(text)
        assert abs(sum(entry["contribution"] for entry in entries) - expected) < 1e-6
        assert entries[0]["contribution"] == base
        assert len({entry["feature"] for entry in entries}) == len(entries) <= 10
        assert all(entry["text"] for entry in entries)
    assert scores.select("reason_1", "reason_2", "reason_3").null_count().sum_horizontal()[0] == 0


def test_a_contribution_is_what_the_learners_say_by_themselves(fitted, known):
    """The sum over columns against the plain prediction of each learner, two ways to the same margin."""
    from pipelines.learning.columns.kinds import tidy
    from pipelines.learning.learners.candidates import margins
    from pipelines.learning.scoring.fitted import encode_for

    rows = encode_for(fitted.model.encoding, tidy(known.head(300)))
    margin = sum(weight * margins(learner, rows) for weight, learner in fitted.model.learners)
    slope, offset = fitted.model.calibration
    odds, _, _ = log_odds(fitted.model, known.head(300))
    assert np.allclose(slope * margin + offset, odds, atol=1e-6)


def test_a_reason_has_the_right_direction(fitted, known):
    row = known.head(1)
    calm = row.with_columns(pl.lit(60.0).alias("usage_logins_sum_7d"), pl.lit(240.0).alias("usage_logins_sum_28d"))
    idle = row.with_columns(pl.lit(1.0).alias("usage_logins_sum_7d"), pl.lit(4.0).alias("usage_logins_sum_28d"))
    assert predict(fitted.model, idle)[0] > predict(fitted.model, calm)[0]
    texts = score_prediction(fitted.model, idle).select("reason_1", "reason_2", "reason_3").row(0)
    assert next(text for text in texts if "ogins" in text).endswith("(raises the risk)")
    texts = score_prediction(fitted.model, calm).select("reason_1", "reason_2", "reason_3").row(0)
    assert next(text for text in texts if "ogins" in text).endswith("(lowers the risk)")


@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=300))
def test_percentile_scores_keep_the_order_and_the_range(probabilities):
    probability = np.array(probabilities)
    scores = percentile_scores(probability)
    assert scores.min() >= 1
    assert scores.max() <= 99
    order = np.argsort(probability, kind="stable")
    assert (np.diff(scores[order]) >= 0).all()
    for value in set(probabilities[:5]):
        assert len(set(scores[probability == value])) == 1


def test_percentile_scores_fill_the_range():
    scores = percentile_scores(np.linspace(0.01, 0.99, 1000))
    assert (scores.min(), scores.max()) == (1, 99)
    assert abs(np.mean([grade(score) == "A" for score in scores]) - 0.2) < 0.02


@pytest.mark.parametrize(("score", "letter"), [(99, "A"), (80, "A"), (79, "B"), (40, "C"), (39, "D"), (1, "E")])
def test_grades(score, letter):
    assert grade(score) == letter
