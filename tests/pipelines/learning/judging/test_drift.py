"""What a model sees against what it learnt from, and what it promised against what came."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.learning.fitting.fit import fit_prediction, predict
from pipelines.learning.judging.drift import (
    MAJOR_SHIFT,
    column_shifts,
    has_worsened,
    judge_outcomes,
    make_baseline,
    population_stability,
    score_shift,
    stability_noise,
)
from pipelines.learning.scoring.storage import load_model, save_model
from tests.pipelines.learning.synthetic import panel, question

COUNTS = st.lists(st.integers(0, 500), min_size=2, max_size=12).filter(lambda counts: sum(counts) > 0)
COLUMNS = [
    {"name": "logins", "kind": "number"},
    {"name": "plan", "kind": "category", "levels": ["basic", "pro"]},
    {"name": "is_late", "kind": "boolean"},
    {"name": "signed_date", "kind": "date"},
]


def population(rows: int = 2_000, seed: int = 0, shift: float = 0.0, days: int = 0) -> pl.DataFrame:
    """One row an entity; `shift` moves the logins by so many deviations, `days` moves as_of and dates alike."""
    generator = np.random.default_rng(seed)
    as_of = pl.date(2026, 1, 4) + pl.duration(days=days)
    return pl.DataFrame(
        {
            "account_id": [f"a{number}" for number in range(rows)],
            "logins": np.where(generator.random(rows) < 0.1, np.nan, generator.normal(shift, 1, rows)),
            "plan": generator.choice(["basic", "pro", "rare"], rows, p=[0.6, 0.3, 0.1]),
            "is_late": generator.random(rows) < 0.3,
            "age": generator.integers(0, 900, rows),
        }
    ).with_columns(as_of_date=as_of, signed_date=as_of - pl.duration(days=pl.col("age")))


def baseline(frame: pl.DataFrame, probability: np.ndarray | None = None) -> dict:
    probability = np.linspace(0.01, 0.9, frame.height) if probability is None else probability
    return make_baseline(frame, COLUMNS, "as_of_date", "account_id", probability)


@given(counts=COUNTS)
def test_the_same_shares_have_an_index_of_zero(counts: list[int]):
    assert population_stability(counts, counts) == pytest.approx(0.0, abs=1e-12)


@given(st.data())
def test_the_index_is_positive_symmetric_and_finite(data: st.DataObject):
    before = data.draw(COUNTS)
    now = data.draw(st.lists(st.integers(0, 500), min_size=len(before), max_size=len(before)))
    index = population_stability(before, now)
    assert 0 <= index < 40
    assert index == pytest.approx(population_stability(now, before))
    assert index == pytest.approx(population_stability(before[::-1], now[::-1]))


def test_the_index_of_a_textbook_example():
    """Half the people moved from one of two equal bins: (.25 - .5) ln(.25 / .5) + (.75 - .5) ln(.75 / .5)."""
    expected = -0.25 * math.log(0.5) + 0.25 * math.log(1.5)
    assert population_stability([500_000, 500_000], [250_000, 750_000]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("before", "now"), [(300, 300), (2_000, 150)])
def test_without_a_shift_the_index_stays_below_noise_nineteen_times_in_twenty(before: int, now: int):
    generator = np.random.default_rng(1)
    shares = np.full(10, 0.1)
    noise = stability_noise(10, before, now)
    above = [
        population_stability(generator.multinomial(before, shares), generator.multinomial(now, shares)) > noise
        for _ in range(4_000)
    ]
    assert 0.025 < np.mean(above) < 0.07


def test_looking_at_more_columns_allows_for_more_noise():
    assert stability_noise(10, 500, 500, looks=300) > 1.5 * stability_noise(10, 500, 500)


def test_nothing_has_moved_in_another_sample_of_the_same_people():
    shifts = column_shifts(baseline(population(seed=1)), population(seed=2), "as_of_date")
    assert {row["column"] for row in shifts} == {column["name"] for column in COLUMNS}
    assert not any(row["is_major"] for row in shifts)
    assert all(row["psi"] < row["noise"] for row in shifts)


def test_the_column_that_moved_is_first_and_the_others_are_still():
    shifts = column_shifts(baseline(population(seed=1)), population(seed=2, shift=1.0), "as_of_date")
    assert [row["column"] for row in shifts if row["is_major"]] == ["logins"]
    assert shifts[0]["column"] == "logins"


def test_a_date_is_an_age_so_that_time_alone_moves_nothing():
    shifts = column_shifts(baseline(population(seed=1)), population(seed=2, days=400), "as_of_date")
    assert not any(row["is_major"] for row in shifts)


@pytest.mark.parametrize("name", ["logins", "plan", "is_late", "signed_date"])
def test_a_column_that_is_gone_or_empty_has_moved(name: str):
    before = baseline(population(seed=1))
    for now in (population(seed=2).drop(name), population(seed=2).with_columns(pl.lit(None).alias(name))):
        shifts = {row["column"]: row for row in column_shifts(before, now, "as_of_date")}
        assert shifts[name]["is_major"]
        assert shifts[name]["psi"] > 1


def test_new_words_in_a_category_are_a_shift():
    now = population(seed=2).with_columns(plan=pl.lit("enterprise"))
    assert column_shifts(baseline(population(seed=1)), now, "as_of_date")[0]["column"] == "plan"


def test_a_handful_of_rows_proves_nothing():
    shifts = column_shifts(baseline(population(seed=1)), population(rows=8, seed=2, shift=0.5), "as_of_date")
    assert not any(row["is_major"] for row in shifts)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(seed: int):
    now = population(seed=3, shift=0.4)
    before = baseline(population(seed=1))
    shuffled = now.sample(fraction=1, shuffle=True, seed=seed)
    assert column_shifts(before, shuffled, "as_of_date") == column_shifts(before, now, "as_of_date")


def test_scores_that_doubled_have_moved():
    generator = np.random.default_rng(0)
    before = baseline(population(), generator.beta(2, 20, 2_000))
    index, noise = score_shift(before, generator.beta(2, 20, 1_000))
    assert index < noise < MAJOR_SHIFT
    assert score_shift(before, generator.beta(4, 18, 1_000))[0] > MAJOR_SHIFT


def test_a_fitted_model_knows_what_it_learnt_from_and_keeps_it_in_its_file(tmp_path: Path):
    frame = panel(entities=300, points=14).drop("true_log_odds")
    model = fit_prediction(frame, question()).model
    save_model(model, tmp_path / "m.zip")
    stored = load_model(tmp_path / "m.zip").baseline
    newest = frame.filter(pl.col("as_of_date") == frame["as_of_date"].max())
    for kept in (model.baseline, stored):
        shifts = column_shifts(kept, newest, "as_of_date")
        assert {row["column"] for row in shifts} <= set(frame.columns)
        assert len(shifts) == len(model.encoding.columns)
        assert not any(row["is_major"] for row in shifts)
    assert column_shifts(model.baseline, newest, "as_of_date") == column_shifts(stored, newest, "as_of_date")
    moved = newest.with_columns(pl.col("usage_logins_sum_7d") * 0.2, pl.col("usage_logins_sum_28d") * 0.2)
    assert column_shifts(stored, moved, "as_of_date")[0]["column"].startswith("usage_logins")
    index, noise = score_shift(stored, predict(model, newest))
    assert index < max(noise, MAJOR_SHIFT)
    assert score_shift(stored, predict(model, moved))[0] > index


# Promises


PROMISED = {"auc": 0.82, "auc_low": 0.79, "calibration_error": 0.02}


def outcomes(rows: int, slope: float, seed: int = 0, stated: float = 1.0) -> dict:
    """What came of scores whose log-odds are true up to a factor: `slope` for the truth, `stated` for what was said."""
    generator = np.random.default_rng(seed)
    odds = generator.normal(-1.5, 1.3, rows)
    target = generator.random(rows) < 1 / (1 + np.exp(-(slope * (odds + 1.5) - 1.5)))
    probability = 1 / (1 + np.exp(-(odds * stated)))
    return judge_outcomes(target, probability, np.arange(rows))


def test_a_model_that_keeps_its_promise_is_left_alone():
    promised = {"auc": outcomes(50_000, 1.0)["auc"], "calibration_error": 0.01}
    promised["auc_low"] = promised["auc"] - 0.02
    asked = [has_worsened(promised, outcomes(600, 1.0, seed))[0] for seed in range(200)]
    assert np.mean(asked) < 0.07


def test_a_model_that_ranks_no_more_is_to_be_fitted_anew():
    is_worse, reason = has_worsened(PROMISED, outcomes(2_000, 0.0))
    assert is_worse
    assert "AUC 0.5" in reason or "AUC 0.4" in reason
    assert "promised 0.820" in reason


def test_a_model_whose_rates_are_off_is_to_be_fitted_anew():
    generator = np.random.default_rng(0)
    probability = generator.beta(2, 6, 3_000)
    matured = judge_outcomes(generator.random(3_000) < probability / 2, probability, np.arange(3_000))
    is_worse, reason = has_worsened({**PROMISED, "auc": matured["auc"], "auc_low": matured["auc"] - 0.03}, matured)
    assert is_worse
    assert reason.startswith("Worse than promised beyond noise: calibration error")


def test_few_outcomes_ask_for_nothing():
    assert has_worsened(PROMISED, None) == (False, "No outcome of its scores is known yet.")
    is_worse, reason = has_worsened(PROMISED, outcomes(30, 0.0))
    assert not is_worse
    assert "10 of each are needed" in reason


def test_the_same_entities_again_make_no_evidence():
    """A score a day of the same people is not more proof than one score each."""
    generator = np.random.default_rng(4)
    probability = generator.beta(2, 6, 400)
    target = generator.random(400) < probability
    once = judge_outcomes(target, probability, np.arange(400))
    often = judge_outcomes(np.tile(target, 30), np.tile(probability, 30), np.tile(np.arange(400), 30))
    assert often["matured_rows"] == 12_000
    assert often["matured_entities"] == 400
    for figure in ("auc", "log_loss", "calibration"):
        error = "calibration_error" if figure == "calibration" else figure
        assert often[error] == pytest.approx(once[error], abs=0.003)
        assert often[f"{figure}_noise"] == pytest.approx(once[f"{figure}_noise"], rel=0.02)


def test_models_that_were_stored_before_there_were_baselines_still_open(tmp_path: Path):
    model = fit_prediction(panel(entities=300, points=14).drop("true_log_odds"), question()).model
    save_model(replace(model, baseline={}), tmp_path / "m.zip")
    assert load_model(tmp_path / "m.zip").baseline == {}
