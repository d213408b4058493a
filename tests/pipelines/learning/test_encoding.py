import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from pipelines.learning.encoding import _knots, _spline


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=30, max_size=200), st.integers(0, 2**32 - 1))
def test_splines_are_scipys_and_add_up_to_one(values, seed):
    known = np.round(np.array(values), 3)
    knots = _knots(known)
    if not knots:
        return
    draws = np.random.default_rng(seed).uniform(knots[0], knots[-1], 50)
    inside = np.concatenate([draws, knots])
    expected = BSpline(np.asarray(knots), np.eye(len(knots) - 4), 3)(inside)
    found = _spline(inside, knots)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_splines_stay_where_they_end_and_miss_what_is_missing():
    knots = _knots(np.arange(100.0))
    found = _spline(np.array([-5.0, 0.0, np.nan, 99.0, 1e9]), knots)
    assert found[0].tolist() == found[1].tolist() and found[3].tolist() == found[4].tolist()
    assert np.isnan(found[2]).all()
