"""Against LightGBM's own pred_contrib, whatever the booster."""

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.learning.learners import tree_contributions as module
from pipelines.learning.learners.tree_contributions import tree_contributions

COLUMNS = 7
CATEGORY = 2
CONSTANT = 3
COUNT = 4


def table(rows: int, seed: int, missing: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, a category, a constant, a count with many zeros, and a target that interacts."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, COLUMNS))
    values[:, CATEGORY] = rng.integers(0, 40, rows)
    values[:, CONSTANT] = 1.5
    values[:, COUNT] = rng.poisson(0.7, rows)
    signal = values[:, 0] * values[:, 1] + (values[:, CATEGORY] % 3 == 0) + values[:, COUNT] - values[:, 5]
    values[rng.random(values.shape) < missing] = np.nan
    return values, (signal + rng.normal(size=rows) > 0.5).astype(float)


def fit(values: np.ndarray, target: np.ndarray, trees: int = 12, **parameters: object) -> lightgbm.Booster:
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 3, **parameters}
    data = lightgbm.Dataset(values, target, categorical_feature=[CATEGORY], params={"verbosity": -1})
    return lightgbm.train(settings, data, trees)


def check(booster: lightgbm.Booster, values: np.ndarray) -> None:
    """The same contributions, and a sum that is the raw score."""
    text = booster.model_to_string()
    expected = lightgbm.Booster(model_str=text).predict(values, pred_contrib=True, num_threads=1)
    ours, base = tree_contributions(text, values)
    assert ours.dtype == np.float64
    assert np.allclose(ours, expected[:, :-1], rtol=0, atol=1e-9)
    assert np.isclose(base, expected[0, -1], rtol=0, atol=1e-9)
    assert np.allclose(ours.sum(axis=1) + base, booster.predict(values, raw_score=True), rtol=0, atol=1e-9)
    assert not ours[:, booster.feature_importance() == 0].any()


@settings(max_examples=60, deadline=None)
@given(
    leaves=st.integers(2, 31),
    seed=st.integers(0, 10_000),
    missing=st.sampled_from([0.0, 0.02, 0.4]),
    dtype=st.sampled_from([np.float32, np.float64]),
    parameters=st.fixed_dictionaries(
        {
            "learning_rate": st.sampled_from([0.05, 0.3]),
            "max_depth": st.sampled_from([-1, 3]),
            "max_bin": st.sampled_from([15, 255]),
            "bagging_fraction": st.sampled_from([0.5, 1.0]),
            "bagging_freq": st.just(1),
            "feature_fraction": st.sampled_from([0.4, 1.0]),
            "boost_from_average": st.booleans(),
            "zero_as_missing": st.booleans(),
            "use_missing": st.booleans(),
            "max_cat_to_onehot": st.sampled_from([1, 64]),
            "objective": st.sampled_from(["binary", "regression"]),
        }
    ),
)
def test_the_values_are_those_of_pred_contrib(leaves, seed, missing, dtype, parameters):
    values, target = table(300, seed, missing)
    values = values.astype(dtype)
    booster = fit(values, target, num_leaves=leaves, **parameters)
    # Scored rows may have what training never had: missing values, other categories, zeros of all kinds.
    strange = values[:60].copy()
    strange[::3] = np.nan
    strange[1::7, CATEGORY] = [-1, 1_000, 40, -0.5, 3.7, 2**35, 39, 0, 1][: len(strange[1::7])]
    strange[2::7, :2] = np.inf
    strange[3::7, COUNT] = -0.0
    strange[4::7, COUNT] = 1e-38
    strange[5::7, 5] = -np.inf
    check(booster, np.concatenate([values, strange]))


def test_paths_with_more_columns_than_a_table_has_bits():
    """A chain of splits, each on another column: the leaves are too deep to tabulate."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2, size=(6_000, 16)).astype(np.float32)
    alike = np.cumprod(values, axis=1).sum(axis=1)
    booster = lightgbm.train(
        {"objective": "regression", "num_leaves": 17, "verbosity": -1, "min_data_in_leaf": 1, "num_threads": 1},
        lightgbm.Dataset(values, 2.0**alike, params={"verbosity": -1, "min_data_in_bin": 1}),
        3,
    )
    text = booster.model_to_string()
    assert any(grove.deep for grove in module._groves(text, 0))
    ours, base = tree_contributions(text, values[:500])
    expected = booster.predict(values[:500], pred_contrib=True)
    scale = np.abs(expected).max()
    assert np.allclose(ours, expected[:, :-1], rtol=0, atol=1e-12 * scale)
    assert np.isclose(base, expected[0, -1])


def test_a_booster_without_a_split_says_its_average_only():
    values, target = table(100, 0, 0.0)
    booster = fit(values, target, trees=3, min_data_in_leaf=90)
    ours, base = tree_contributions(booster.model_to_string(), values)
    assert ours.shape == values.shape
    assert not ours.any()
    assert np.isclose(base, booster.predict(values[:1], raw_score=True)[0])


def test_no_rows_and_several_blocks(monkeypatch):
    values, target = table(500, 1, 0.1)
    text = fit(values, target).model_to_string()
    whole, base = tree_contributions(text, values)
    monkeypatch.setattr(module, "BLOCK_ROWS", 64)
    parts, again = tree_contributions(text, values)
    assert np.array_equal(whole, parts)
    assert base == again
    assert tree_contributions(text, values[:0])[0].shape == (0, COLUMNS)


def test_every_class_of_a_booster_with_several():
    values, target = table(400, 2, 0.1)
    booster = fit(values, target + (values[:, 6] > 0), objective="multiclass", num_class=3, num_leaves=12)
    text = booster.model_to_string()
    expected = booster.predict(values, pred_contrib=True).reshape(len(values), 3, COLUMNS + 1)
    for number in range(3):
        ours, base = tree_contributions(text, values, output=number)
        assert np.allclose(ours, expected[:, number, :-1], rtol=0, atol=1e-9)
        assert np.isclose(base, expected[0, number, -1])
    with pytest.raises(ValueError, match="has 3 outputs; there is no number 3"):
        tree_contributions(text, values, output=3)


def test_what_is_not_supported_is_refused():
    values, target = table(300, 3, 0.0)
    linear = lightgbm.train(
        {"objective": "regression", "linear_tree": True, "verbosity": -1},
        lightgbm.Dataset(values, target, params={"verbosity": -1, "linear_tree": True}),
        2,
    )
    with pytest.raises(ValueError, match="linear_tree=false"):
        tree_contributions(linear.model_to_string(), values)
    forest = fit(values, target, boosting="rf", bagging_freq=1, bagging_fraction=0.5)
    with pytest.raises(ValueError, match="boosting=gbdt"):
        tree_contributions(forest.model_to_string(), values)
    text = fit(values, target).model_to_string()
    with pytest.raises(ValueError, match=r"uses \d columns, the matrix has 1"):
        tree_contributions(text, values[:, :1])
