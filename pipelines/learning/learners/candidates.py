"""The candidates: regularised logistic regression and gradient boosting (`selection` mixes them).

A fitted learner is a plain dictionary; `margins` gives its log-odds, `contributions` splits them exactly over the
original columns.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.learning.learners import ordered
from pipelines.learning.learners.calibration import minimise, sigmoid
from pipelines.learning.learners.encoding import Encoding, bends, linear_matrix, text_matrix
from pipelines.learning.learners.tree_contributions import tree_contributions

if TYPE_CHECKING:
    import lightgbm
    from scipy import sparse

STRENGTHS = (0.003, 0.03, 0.3, 3.0)
"""Inverse regularisation of the logistic candidates; chosen out of sample."""
MOST_TREES = 500
PATIENCE = 30
FEWEST_TREES = 10
ALL_COLUMNS = "boosting, all columns"
FOR_MANY_CLASSES = "boosting, few trees a class"
BOOSTING = {
    "boosting, small trees": {"num_leaves": 7, "lambda_l2": 5.0, "learning_rate": 0.07},
    "boosting, large trees": {"num_leaves": 24, "lambda_l2": 20.0, "learning_rate": 0.12},
    ALL_COLUMNS: {
        **{"num_leaves": 31, "lambda_l2": 1.0, "learning_rate": 0.05, "feature_fraction": 1.0, "min_data_in_leaf": 5},
        **{"bagging_fraction": 0.8, "bagging_freq": 1},
    },
    FOR_MANY_CLASSES: {"num_leaves": 7, "lambda_l2": 5.0, "learning_rate": 0.15},
}
"""The first two look at few columns a tree, which is best where many say a little each. The last finds what two or
three columns say together only, in few rows: those who pay by use, use much and called support. For many classes, each
of which has trees of its own, half as many are enough."""
FEATURE_SHARE = 0.3
"""Share of the columns that a tree may use; not fewer than `FEWEST_FEATURES`."""
FEWEST_FEATURES = 5
SMALLEST_GRADIENT = 1e-3
DENSE_TERMS = 300
"""Up to so many terms Newton's method on the normal equations is faster than L-BFGS."""


@dataclass(frozen=True)
class Rows:
    """Encoded rows: tree matrix, and the linear terms with their owners (positions in `Encoding.names`)."""

    matrix: np.ndarray
    linear: np.ndarray
    owners: np.ndarray
    text: "sparse.csr_matrix | None"
    text_owners: np.ndarray
    categories: tuple[int, ...] = ()
    """Columns of the matrix that hold codes of levels."""
    curves: tuple[tuple[int, np.ndarray], ...] = ()
    """First term and bends (see `bends`) of every column that is told by splines."""

    @property
    def terms(self) -> int:
        """How many terms a linear learner has."""
        return self.linear.shape[1] + (0 if self.text is None else self.text.shape[1])

    def take(self, rows: np.ndarray) -> "Rows":
        """Some of the rows."""
        text = None if self.text is None else self.text[rows]
        return Rows(
            self.matrix[rows], self.linear[rows], self.owners, text, self.text_owners, self.categories, self.curves
        )


def encoded_rows(encoding: Encoding, matrix: np.ndarray, frame: pl.DataFrame) -> Rows:
    """Everything the learners need of these rows."""
    linear, owners = linear_matrix(encoding, matrix)
    text, text_owners = text_matrix(encoding, frame)
    is_code = [column["kind"] == "category" and "effects" not in column for column in encoding.columns]
    curves = tuple(
        (int(np.searchsorted(owners, place)), bends(column["knots"]))
        for place, column in enumerate(encoding.columns)
        if column.get("knots")
    )
    return Rows(matrix, linear, owners, text, text_owners, tuple(np.flatnonzero(is_code).tolist()), curves)


def fit_logistic(rows: Rows, target: np.ndarray, weights: np.ndarray, strength: float, levels: int = 0) -> dict:
    """L2-regularised logistic regression (`strength` is scikit-learn's C; `weights` are per row).

    `levels`: how many an ordered answer has; 0 for a target of 0 and 1.
    """
    return next(fit_logistic_path(rows, target, weights, (strength,), levels))


def fit_logistic_path(
    rows: Rows, target: np.ndarray, weights: np.ndarray, strengths: tuple[float, ...], levels: int = 0
) -> Iterator[dict]:
    """One learner per strength, weakest first, each starting where the last ended."""
    terms = rows.terms
    if levels:
        fit, intercepts = _ordered(rows, target, levels), ordered.base_offsets(target, levels)
    else:
        is_small = rows.text is None and terms <= min(DENSE_TERMS, len(target))
        fit = _newton(rows, target, weights) if is_small else _lbfgs(rows, target, weights)
        intercepts = np.array([_log_odds(target)])
    start = np.append(np.zeros(terms), intercepts)
    for strength in sorted(strengths):
        if terms:
            start = fit(strength, start)
        # The margin of an ordered answer has no intercept: its offsets are those of the calibration.
        intercept = 0.0 if levels else float(start[-1])
        yield {"kind": "logistic", "strength": float(strength), "weights": start[:terms], "intercept": intercept}


LogisticFit = Callable[[float, np.ndarray], np.ndarray]
"""Strength and a start (weights, then the intercept or intercepts) to the solution, float64."""


def _newton(rows: Rows, target: np.ndarray, weights: np.ndarray) -> LogisticFit:
    """Newton's method with the intercept not penalised, as scikit-learn's solver `newton-cholesky`.

    Importing scikit-learn takes longer than `scorecast predict` takes to fit, so it does without.
    """
    terms = np.column_stack([rows.linear, np.ones(len(target))]).astype(np.float64)
    share = weights / weights.sum()

    def loss(solution: np.ndarray, penalty: np.ndarray) -> float:
        margin = terms @ solution
        return float(share @ (np.logaddexp(0, margin) - target * margin)) + float(penalty @ solution**2) / 2

    def fit(strength: float, start: np.ndarray) -> np.ndarray:
        penalty = np.append(np.full(rows.terms, 1 / (strength * weights.sum())), 0.0)

        def derivatives(solution: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            probability = sigmoid(terms @ solution)
            curvature = np.maximum(share * probability * (1 - probability), np.finfo(float).tiny)
            hessian = terms.T @ (terms * curvature[:, None])
            # A little more than nothing for the intercept, should every probability be 0 or 1.
            hessian[np.diag_indices_from(hessian)] += np.append(penalty[:-1], 1e-9)
            return terms.T @ (share * (probability - target)) + penalty * solution, hessian

        return minimise(lambda solution: loss(solution, penalty), derivatives, start, SMALLEST_GRADIENT)

    return fit


def _lbfgs(rows: Rows, target: np.ndarray, weights: np.ndarray) -> LogisticFit:
    """scikit-learn's solver for many terms, sparse ones of texts among them."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    terms = _terms_with_text(rows)

    def fit(strength: float, start: np.ndarray) -> np.ndarray:
        model = LogisticRegression(C=strength, max_iter=150, tol=SMALLEST_GRADIENT, warm_start=True)
        model.coef_, model.intercept_, model.classes_ = start[None, :-1], start[-1:], np.array([0, 1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(terms, target.astype(np.int64), sample_weight=weights)
        return np.append(model.coef_[0], model.intercept_).astype(np.float64)

    return fit


def _ordered(rows: Rows, target: np.ndarray, levels: int) -> LogisticFit:
    """One margin for all cuts between levels."""
    terms = _terms_with_text(rows).astype(np.float64)
    return lambda strength, start: ordered.fit_terms(terms, target, levels, strength, start)


def _terms_with_text(rows: Rows) -> "np.ndarray | sparse.csr_matrix":
    if rows.text is None:
        return rows.linear
    from scipy import sparse

    return sparse.hstack([sparse.csr_matrix(rows.linear), rows.text], "csr")


def boosting_data(
    rows: Rows,
    target: np.ndarray,
    weights: np.ndarray | None = None,
    reference: "lightgbm.Dataset | None" = None,
    *,
    num_threads: int,
    max_bin: int = 63,
    with_sets: bool = False,
) -> "lightgbm.Dataset":
    """Binned rows that several settings share; validation rows are binned as those of `reference`.

    LightGBM keeps one number of threads for the whole process and sizes its buffers by it: whatever runs at once must
    name the same `num_threads`, or it crashes (`OMP_SET_NUM_THREADS` in its c_api.cpp).

    Categories go in as numbers, by the rank of their frequency: trees cut them where that helps, and unlike with sets
    of levels there is nothing to learn by heart. `with_sets`: they go in as sets nevertheless.
    """
    import lightgbm

    return lightgbm.Dataset(
        rows.matrix,
        label=target.astype(np.float32),
        weight=weights,
        feature_name=[f"f{number}" for number in range(rows.matrix.shape[1])],
        categorical_feature=list(rows.categories) if with_sets else [],
        params={
            "max_bin": max_bin,
            "verbosity": -1,
            "data_random_seed": 1,
            "bin_construct_sample_cnt": 20_000,
            "feature_pre_filter": False,
            "num_threads": num_threads,
        },
        free_raw_data=False,
        reference=reference,
    ).construct()


def fit_boosting(
    data: "lightgbm.Dataset",
    setting: str,
    seed: int,
    num_threads: int,
    validation: "lightgbm.Dataset | None" = None,
    trees: int = MOST_TREES,
    levels: int = 0,
) -> dict:
    """LightGBM with one of the `BOOSTING` settings; with `validation` it stops early on its log loss.

    `num_threads`: that of the `data`, see `boosting_data`. `levels`: how many an ordered answer has; 0 for 0 and 1.
    """
    import lightgbm

    size, columns = data.num_data(), data.num_feature()
    objective, measure = ordered.boosting_objective(data.get_label(), levels) if levels else ("binary", None)
    parameters = {
        "objective": objective,
        "metric": "binary_logloss" if validation is not None and not levels else "None",
        "feature_fraction": max(FEATURE_SHARE, min(1.0, FEWEST_FEATURES / columns)),
        "min_data_in_leaf": int(min(60, max(5, size // 100))),
        **BOOSTING[setting],
        "deterministic": True,
        "force_col_wise": True,
        "seed": seed,
        "num_threads": num_threads,
        "verbosity": -1,
    }
    held_out = [] if validation is None else [validation]
    stop = [] if validation is None else [lightgbm.early_stopping(PATIENCE, verbose=False)]
    booster = lightgbm.train(
        parameters, data, num_boost_round=trees, valid_sets=held_out, feval=measure, callbacks=stop
    )
    used = booster.best_iteration if validation is not None and booster.best_iteration > 0 else trees
    return {"kind": "boosting", "setting": setting, "trees": int(used), "model": booster.model_to_string(used)}


def per_class(fit: Callable[..., dict], classes: int, *targets: np.ndarray) -> dict:
    """The learner that `fit` makes of 0/1 targets, or one a class (class against the rest) where there are classes.

    Rifkin and Klautau (2004), "In Defense of One-Vs-All Classification".
    """
    if not classes:
        return fit(*targets)
    learners = [fit(*((target == number).astype(np.float64) for target in targets)) for number in range(classes)]
    return {"kind": "per_class", "learners": learners}


def constant_learner(target: np.ndarray, levels: int = 0) -> dict:
    """The base rate: what a model without usable columns says."""
    intercept = 0.0 if levels else _log_odds(target)
    return {"kind": "logistic", "strength": 0.0, "weights": np.zeros(0), "intercept": intercept}


def margins(learner: dict, rows: Rows, num_threads: int = 2, trees: int | None = None) -> np.ndarray:
    """Log-odds of every row, float64; rows × classes for a learner of classes. `trees`: the first so many, or all."""
    if learner["kind"] == "per_class":
        return np.column_stack([margins(each, rows, num_threads) for each in learner["learners"]])
    if learner["kind"] == "boosting":
        return _booster(learner["model"]).predict(
            rows.matrix, raw_score=True, num_threads=num_threads, num_iteration=trees
        )
    weights = learner["weights"]
    if not len(weights):
        return np.full(len(rows.matrix), learner["intercept"])
    dense = rows.linear.shape[1]
    result = rows.linear @ weights[:dense] + learner["intercept"]
    return result if rows.text is None else result + rows.text @ weights[dense:]


def contributions(learner: dict, rows: Rows, columns: int, text_means: np.ndarray) -> tuple[np.ndarray, float]:
    """Contribution of every original column to the log-odds (rows × columns), and the base: they add up to `margins`.

    Logistic: weight × (term − its mean over the training rows). Boosting: TreeSHAP, exact for trees.
    """
    result = np.zeros((len(rows.matrix), columns))
    if learner["kind"] == "boosting":
        part, base = tree_contributions(learner["model"], rows.matrix)
        result[:, : part.shape[1]] = part
        return result, base
    weights, base = learner["weights"], learner["intercept"]
    if not len(weights):
        return result, base
    dense = rows.linear.shape[1]
    for owner in np.unique(rows.owners):
        owned = np.flatnonzero(rows.owners == owner)
        result[:, owner] += rows.linear[:, owned] @ weights[owned]
    if rows.text is not None:
        for owner in np.unique(rows.text_owners):
            owned = rows.text_owners == owner
            offset = float(weights[dense:][owned] @ text_means[owned])
            result[:, owner] += rows.text[:, np.flatnonzero(owned)] @ weights[dense:][owned] - offset
            base += offset
    return result, base


def describe(learner: dict) -> str:
    """In words, for model cards and run logs."""
    if learner["kind"] == "boosting":
        return f"{learner['setting']} ({learner['trees']} trees)"
    return f"logistic (C = {learner['strength']:g})"


def _log_odds(target: np.ndarray) -> float:
    rate = (float(target.sum()) + 0.5) / (len(target) + 1)
    return math.log(rate / (1 - rate))


@lru_cache(maxsize=8)
def _booster(text: str) -> "lightgbm.Booster":
    import lightgbm

    return lightgbm.Booster(model_str=text)
