"""What a model says where the base rate moves, against what is true."""

import numpy as np
import polars as pl
import pytest

from pipelines.learning.fitting.drifting import calibrate_model
from pipelines.learning.fitting.fit import fit_prediction, predict
from pipelines.learning.fitting.judge import ANSWERS
from pipelines.learning.fitting.training import Training
from pipelines.learning.learners.calibration import fit_calibration, fit_offset, fit_slope, softmax
from tests.pipelines.learning.synthetic import FIRST, panel, question

KNOWN = 20
"""Dates with known answers; the later ones are scored."""


def risen(since: int, seed: int) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """A panel whose odds are e times as high from a date on, each row's true probability, and its date's number."""
    frame, generator = panel(entities=400, points=KNOWN + 3, seed=seed), np.random.default_rng(seed)
    point = ((frame["as_of_date"] - FIRST).dt.total_days() // 28).to_numpy()
    truth = 1 / (1 + np.exp(-(frame["true_log_odds"].to_numpy() + (point >= since))))
    answers = pl.Series(generator.random(len(truth)) < truth)
    return frame.drop("true_log_odds").with_columns(is_gone_90d=answers), truth, point


@pytest.mark.parametrize("since", [7, 10, 13])
def test_a_base_rate_that_has_risen_is_counted_once(since: int):
    """Models of less history had to be shifted; the one that has learnt the higher rate must not be shifted again."""
    frame, truth, point = risen(since, seed=0)
    model = fit_prediction(frame.filter(point < KNOWN), question()).model
    said, truth = predict(model, frame.filter(point >= KNOWN)), truth[point >= KNOWN]
    assert said.mean() == pytest.approx(truth.mean(), abs=0.03)
    highest = np.argsort(-said)[: len(said) // 10]
    assert said[highest].mean() == pytest.approx(truth[highest].mean(), abs=0.03)


def test_the_slope_does_not_pay_for_base_rates_that_differ():
    generator = np.random.default_rng(1)
    margin, part = generator.normal(-2, 1.5, size=20_000), np.repeat([0, 1], 10_000)
    odds = 1.3 * (margin + 2) - 2 + np.where(part == 0, -1, 1)
    target = (generator.random(20_000) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    slope = fit_slope(margin, target, part)
    assert slope == pytest.approx(1.3, abs=0.05)
    offset = fit_offset(slope, margin, target)
    assert np.mean(1 / (1 + np.exp(-(slope * margin + offset)))) == pytest.approx(target.mean(), abs=1e-3)


def test_classes_have_a_slope_over_parts_and_shares_that_came():
    generator = np.random.default_rng(2)
    margin, part = generator.normal(size=(9_000, 3)), np.repeat([0, 1], 4_500)
    truth = softmax(1.5 * margin + np.where(part[:, None] == 0, [0.0, 0, 0], [0.0, 1, -1]))
    target = (generator.random(9_000)[:, None] > truth.cumsum(axis=1)).sum(axis=1).astype(np.float64)
    slope = fit_slope(margin, target, part)
    assert slope == pytest.approx(1.5, abs=0.06)
    assert fit_calibration(margin, target)[0] < slope
    said = softmax(slope * margin + np.array(fit_offset(slope, margin, target)))
    shares = [float(np.mean(target == number)) for number in range(3)]
    assert said.mean(axis=0) == pytest.approx(shares, abs=2e-3)


def test_rows_held_out_at_random_calibrate_as_before():
    generator = np.random.default_rng(3)
    margin = generator.normal(size=500)
    target = (generator.random(500) < 0.5).astype(np.float64)
    training = Training(pl.DataFrame(), target, np.arange(500), None, None)
    found = calibrate_model(ANSWERS, training, [(margin, np.arange(500))], False, lambda rows: margin[rows] + 5)
    assert found == fit_calibration(margin, target)
