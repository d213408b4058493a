"""Segments add up to the total, whatever the forecasts and their errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.learning.forecasting.reconciliation import reconcile

STEPS = 3


@st.composite
def forecasts(draw: st.DrawFn, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count = draw(st.integers(1, 6))
    number = st.floats(least, 1e6, allow_nan=False)
    total = np.array(draw(st.lists(number, min_size=STEPS, max_size=STEPS)))
    segments = np.array(draw(st.lists(number, min_size=STEPS * count, max_size=STEPS * count))).reshape(STEPS, count)
    variances = np.array(draw(st.lists(st.floats(0, 1e8), min_size=count + 1, max_size=count + 1)))
    return total, segments, variances


@given(forecasts(least=0.0))
def test_segments_add_up_and_stay_above_zero(case):
    total, segments, variances = case
    new_total, new_segments = reconcile(total, segments, variances, np.ones(segments.shape[1], dtype=bool))
    assert new_segments.sum(axis=1) == pytest.approx(new_total, rel=1e-9, abs=1e-9)
    assert (new_segments >= 0).all()
    assert (new_total >= 0).all()
    # The new total lies between what the total said and what its segments said.
    said = np.column_stack([total, segments.sum(axis=1)])
    slack = 1e-6 * (1 + said.max())
    assert (new_total >= said.min(axis=1) - slack).all()
    assert (new_total <= said.max(axis=1) + slack).all()


@given(forecasts(least=-1e6))
def test_it_is_weighted_least_squares(case):
    total, segments, variances = case
    count = segments.shape[1]
    variances = variances + 1.0
    new_total, new_segments = reconcile(total, segments, variances, np.zeros(count, dtype=bool))
    summing = np.vstack([np.ones(count), np.eye(count)])
    root = np.sqrt(np.maximum(variances / variances.max(), 1e-9))
    for step in range(STEPS):
        said = np.concatenate([[total[step]], segments[step]])
        expected, *_ = np.linalg.lstsq(summing / root[:, None], said / root, rcond=None)
        assert new_segments[step] == pytest.approx(expected, rel=1e-6, abs=1e-3)
        assert new_total[step] == pytest.approx(expected.sum(), rel=1e-6, abs=1e-2)


@given(forecasts(least=0.0))
def test_forecasts_that_add_up_are_left_alone(case):
    _, segments, variances = case
    new_total, new_segments = reconcile(
        segments.sum(axis=1), segments, variances, np.ones(segments.shape[1], dtype=bool)
    )
    assert new_segments == pytest.approx(segments, rel=1e-9, abs=1e-6)
    assert new_total == pytest.approx(segments.sum(axis=1), rel=1e-9, abs=1e-6)


def test_the_uncertain_give_way():
    new_total, new_segments = reconcile(
        np.array([100.0]), np.array([[50.0, 30.0]]), np.array([0.0, 30.0, 10.0]), np.ones(2, dtype=bool)
    )
    assert new_total == pytest.approx([100.0], abs=1e-4)
    assert new_segments[0] == pytest.approx([65.0, 35.0], abs=1e-4)


def test_a_segment_that_would_turn_negative_is_held_at_zero():
    new_total, new_segments = reconcile(
        np.array([40.0]), np.array([[60.0, 1.0]]), np.array([1.0, 1.0, 1.0]), np.ones(2, dtype=bool)
    )
    assert new_segments[0] == pytest.approx([50.0, 0.0])
    assert new_total == pytest.approx([50.0])
