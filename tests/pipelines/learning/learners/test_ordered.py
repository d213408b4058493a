"""Levels in an order: the calibration finds the cuts of a proportional-odds model, and never says less than nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.learning.judging.ordered import rps_losses, shares_above
from pipelines.learning.learners.calibration import calibrated
from pipelines.learning.learners.ordered import (
    base_offsets,
    boosting_objective,
    fit_calibration,
    fit_offset,
    fit_slope,
    fit_terms,
)

OFFSETS = np.array([2.0, 0.5, -0.4, -2.2])
"""Log-odds above each cut, of a row of margin 0."""


def drawn(margin: np.ndarray, slope: float = 1.0, offsets: np.ndarray = OFFSETS, seed: int = 0) -> np.ndarray:
    """Levels from 0 of a proportional-odds model."""
    noise = np.random.default_rng(seed).logistic(size=len(margin))
    return ((slope * margin + noise)[:, None] > -offsets).sum(axis=1)


def test_slope_and_cuts_of_a_simulated_model_are_found():
    margin = 1.5 * np.random.default_rng(1).normal(size=20_000)
    slope, offsets = fit_calibration(5, margin, drawn(margin, slope=1.3))
    assert slope == pytest.approx(1.3, abs=0.04)
    assert np.abs(np.array(offsets) - OFFSETS).max() < 0.07


def test_it_is_the_maximum_of_the_likelihood():
    """As statsmodels finds it, whose likelihood has no prior."""
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    margin = np.random.default_rng(2).normal(size=5_000)
    target = drawn(margin)
    slope, offsets = fit_calibration(5, margin, target)
    theirs = OrderedModel(target, margin[:, None], distr="logit").fit(method="bfgs", disp=0)
    assert slope == pytest.approx(theirs.params[0], abs=2e-3)
    cuts = -theirs.model.transform_threshold_params(theirs.params)[1:-1]
    assert np.array(offsets) == pytest.approx(cuts, abs=3e-3)


def test_weights_of_terms_are_found_with_one_margin_for_all_cuts():
    terms = np.random.default_rng(3).normal(size=(8_000, 3))
    target = drawn(terms @ np.array([1.0, -0.5, 0.0]))
    solution = fit_terms(terms, target, 5, 100.0, np.zeros(7))
    assert solution[:3] == pytest.approx([1.0, -0.5, 0.0], abs=0.06)
    assert solution[3:] == pytest.approx(OFFSETS, abs=0.12)


class Rows:
    """Stands for LightGBM's rows, of which only the answers are asked."""

    def __init__(self, target: np.ndarray):
        self.target = target

    def get_label(self) -> np.ndarray:
        return self.target.astype(np.float32)


def test_trees_descend_the_mean_log_loss_of_the_cuts():
    """The gradient and curvature are those of the loss that is measured, and the offsets find the base rates again."""
    margin = 2 * np.random.default_rng(5).normal(size=300)
    target = drawn(margin)
    objective, measure = boosting_objective(target, 5)
    offsets = base_offsets(target, 5)
    log_odds, above = margin[:, None] + offsets, target[:, None] > np.arange(4)
    shares = 1 / (1 + np.exp(-log_odds))
    loss = measure(margin, Rows(target))[1]
    assert loss == pytest.approx(-np.where(above, np.log(shares), np.log1p(-shares)).mean(), rel=1e-6)
    gradient, curvature = objective(margin, Rows(target))
    assert gradient == pytest.approx((shares - above).mean(axis=1), abs=1e-6)
    assert curvature == pytest.approx((shares * (1 - shares)).mean(axis=1), abs=1e-6)
    assert measure(margin, Rows(target))[1] < loss, "the offsets have moved to where the margin is told"
    for _ in range(20):
        gradient, _ = objective(margin, Rows(target))
    assert abs(gradient.mean()) < 1e-3
    far, _ = objective(np.full(300, 1e6), Rows(target))
    assert np.isfinite(far).all()


def test_a_shift_between_parts_is_no_matter_of_the_slope():
    margin = np.random.default_rng(4).normal(size=6_000)
    part = np.repeat([0, 1], 3_000)
    target = drawn(margin)
    moved = margin + 3.0 * part
    assert fit_slope(5, moved, target, part) == pytest.approx(1.0, abs=0.08)
    assert fit_slope(5, moved, target, np.zeros(6_000, dtype=np.int64)) < 0.5
    said = calibrated((0.7, fit_offset(5, 0.7, margin, target)), margin)
    assert said.mean(axis=0) == pytest.approx(np.bincount(target) / 6_000, abs=0.02)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(3, 11).flatmap(
        lambda levels: st.tuples(
            st.just(levels),
            st.lists(
                st.tuples(st.floats(-50, 50), st.integers(0, levels - 1)),
                min_size=2,
                max_size=40,
            ),
        )
    )
)
def test_shares_fall_from_cut_to_cut_and_levels_sum_to_one(case: tuple[int, list[tuple[float, int]]]):
    """Of whatever rows: few, with levels that nobody has, ranked perfectly or the wrong way round."""
    levels, rows = case
    margin, target = (np.array(each, dtype=np.float64) for each in zip(*rows, strict=True))
    slope, offsets = fit_calibration(levels, margin, target)
    assert slope > 0 and np.isfinite(offsets).all() and (np.diff(offsets) < 0).all()
    said = calibrated((slope, offsets), np.append(margin, [-1e6, 0.0, 1e6]))
    assert said.shape == (len(rows) + 3, levels) and (said >= 0).all()
    assert said.sum(axis=1) == pytest.approx(1.0)
    assert (np.diff(shares_above(said), axis=1) <= 1e-12).all()
    higher = shares_above(calibrated((slope, offsets), margin + 1.0))
    assert (higher >= shares_above(said[:-3]) - 1e-12).all(), "what raises the margin raises every level"


def test_the_score_counts_how_far_off_the_probability_lies():
    """By hand: the mean over the cuts of squared differences."""
    said = np.array([[0.2, 0.5, 0.3], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    assert rps_losses(np.array([1, 1, 0]), said) == pytest.approx([(0.2**2 + 0.3**2) / 2, 0.5, 1.0])
