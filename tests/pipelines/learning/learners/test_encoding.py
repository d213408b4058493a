import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from pipelines.learning.columns.choosing import MOST_LEVELS, frequent_levels
from pipelines.learning.columns.kinds import Column
from pipelines.learning.learners.encoding import _knots, _spline, encode, fit_encoding, linear_matrix


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


def categories(rows: int = 3_000, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """A category of few levels, one of many, a number, and answers that depend on the many."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 100, rows)
    frame = pl.DataFrame(
        {
            "few": pl.Series(rng.choice(["a", "b", "c"], rows)).set(pl.Series(rng.random(rows) < 0.1), None),
            "many": pl.Series([f"l{each}" for each in level]).set(pl.Series(rng.random(rows) < 0.1), None),
            "size": rng.normal(size=rows),
        }
    )
    return frame, (rng.random(rows) < np.linspace(0.1, 0.7, 100)[level]).astype(np.float64)


def test_a_category_that_is_not_wide_is_its_rank_whatever_the_target():
    frame, target = categories()
    columns = [Column("few", "category"), Column("many", "category"), Column("size", "number")]
    clusters = np.arange(frame.height)
    encoding, matrix = fit_encoding(frame, columns, clusters, None, target=target, weights=np.ones(frame.height))
    for number, name in enumerate(("few", "many")):
        levels = frequent_levels(frame[name], clusters)
        assert len(levels) == min(frame[name].drop_nulls().n_unique(), MOST_LEVELS)
        codes = {level: float(code) for code, level in enumerate(levels)}
        expected = [np.nan if each is None else codes.get(each, len(levels)) for each in frame[name]]
        assert np.array_equal(matrix[:, number], np.array(expected, dtype=np.float32), equal_nan=True)
        assert set(encoding.columns[number]) == {"name", "kind", "levels", "rates", "typical", "flag_rate"}
    without, same = fit_encoding(frame, columns, clusters, None)
    assert np.array_equal(matrix, same, equal_nan=True) and without == encoding
    # A wide one is encoded alike where there is no target to learn from.
    blind, again = fit_encoding(
        frame, [columns[0], Column("many", "category", is_wide=True), columns[2]], clusters, None
    )
    assert np.array_equal(matrix, again, equal_nan=True) and blind == encoding


def test_a_wide_category_is_one_number_out_of_fold_where_it_was_learnt_and_a_spline_in_the_linear_terms():
    frame, target = categories()
    columns = [Column("many", "category", is_wide=True), Column("size", "number"), Column("few", "category")]
    clusters = np.arange(frame.height)
    encoding, matrix = fit_encoding(frame, columns, clusters, None, target=target)
    state = encoding.columns[0]
    assert state["kind"] == "category" and len(state["levels"]) == MOST_LEVELS and len(state["knots"]) > 4
    fresh = encode(encoding, frame)
    assert np.array_equal(np.isnan(matrix), np.isnan(fresh))
    assert np.array_equal(matrix[:, 1:], fresh[:, 1:], equal_nan=True)
    known = ~np.isnan(fresh[:, 0])
    assert 0.7 < np.corrcoef(matrix[known, 0], fresh[known, 0])[0, 1] < 0.99
    # What is told of a row that was learnt from holds none of its answer.
    assert np.corrcoef(matrix[known, 0], target[known])[0, 1] < np.corrcoef(fresh[known, 0], target[known])[0, 1] - 0.02
    terms, owners = linear_matrix(encoding, fresh)
    splines = len(state["knots"]) - 4
    assert (owners == 0).sum() == splines + 1  # with a flag for missing
    assert np.isfinite(terms).all() and (terms[~known, :splines] == 0).all()
    reversed_order, other = fit_encoding(frame, columns[::-1], clusters, None, target=target)
    assert np.array_equal(other[:, ::-1], matrix, equal_nan=True)
    assert reversed_order.columns[2]["effect_levels"] == state["effect_levels"]


def test_a_wide_category_of_noise_is_zero_throughout():
    frame, target = categories()
    shuffled = np.random.default_rng(1).permutation(target)
    columns = [Column("many", "category", is_wide=True)]
    encoding, matrix = fit_encoding(frame, columns, np.arange(frame.height), None, target=shuffled)
    assert encoding.columns[0]["effect_levels"] == [] and len(encoding.columns[0]["levels"]) == MOST_LEVELS
    assert set(np.unique(encode(encoding, frame)[~np.isnan(matrix)])) == {0.0}
    assert (linear_matrix(encoding, encode(encoding, frame))[0][:, 0] == 0).all()
