import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pipelines.learning.learners.candidates import Rows, fit_logistic, fit_logistic_path


def rows_of(terms: np.ndarray) -> Rows:
    return Rows(terms, terms, np.arange(terms.shape[1]), None, np.zeros(0, dtype=np.int64))


def answers(terms: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    odds = terms @ generator.normal(0, 0.4, terms.shape[1]) - 1
    target = (generator.random(len(terms)) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    return target, generator.uniform(0.5, 3, len(terms))


@pytest.mark.parametrize("strength", [0.003, 0.3, 3.0])
@pytest.mark.parametrize("width", [1, 40, 350])
def test_logistic_regression_is_scikit_learns(strength, width):
    """Narrow terms take our Newton steps, wide ones scikit-learn's own solver."""
    terms = np.random.default_rng(1).normal(size=(2_000, width)).astype(np.float32)
    target, weights = answers(terms)
    expected = LogisticRegression(C=strength, tol=1e-9, max_iter=5_000).fit(terms, target, sample_weight=weights)
    ours = fit_logistic(rows_of(terms), target, weights, strength)

    def objective(slopes: np.ndarray, intercept: float) -> float:
        margin = terms @ slopes + intercept
        return float(strength * weights @ (np.logaddexp(0, margin) - target * margin) + slopes @ slopes / 2)

    best = objective(expected.coef_[0], expected.intercept_[0])
    assert best - 1e-3 * abs(best) <= objective(ours["weights"], ours["intercept"]) <= 1.1 * best


def test_a_path_ends_where_each_strength_alone_ends():
    terms = np.random.default_rng(2).normal(size=(1_000, 12)).astype(np.float32)
    target, weights = answers(terms, seed=3)
    path = list(fit_logistic_path(rows_of(terms), target, weights, (3.0, 0.03)))
    assert [learner["strength"] for learner in path] == [0.03, 3.0]
    for learner in path:
        alone = fit_logistic(rows_of(terms), target, weights, learner["strength"])
        assert np.allclose(learner["weights"], alone["weights"], atol=0.02)


@pytest.mark.parametrize("column", [np.zeros(400), np.repeat([0.0, 1.0], 200), np.repeat([0.0, 1e6], 200)])
def test_terms_that_tell_nothing_or_everything_give_finite_weights(column):
    target = np.repeat([0.0, 1.0], 200)
    learner = fit_logistic(rows_of(column[:, None].astype(np.float32)), target, np.ones(400), 3.0)
    assert np.isfinite(learner["weights"]).all() and np.isfinite(learner["intercept"])


def test_without_terms_it_says_the_base_rate():
    target = np.repeat([0.0, 1.0], [300, 100])
    learner = fit_logistic(rows_of(np.zeros((400, 0), dtype=np.float32)), target, np.ones(400), 1.0)
    assert 1 / (1 + np.exp(-learner["intercept"])) == pytest.approx(0.25, abs=0.002)
