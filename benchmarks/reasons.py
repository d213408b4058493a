"""
Scoring with reasons: 60 columns, two cores, a booster of 600 trees with 7 leaves and a spline logistic regression.

Probabilities, contributions, words and JSON of 20,000 rows, as `score_prediction` writes them, in rows per second
against the bar. Beside the booster LightGBM's own `pred_contrib` with the same words is measured in the same run, its
threads on both cores. Every side is the best of three.
"""

import os
import sys
import time
from collections.abc import Callable

import numpy as np
import polars as pl

from pipelines.learning.columns.kinds import Column
from pipelines.learning.learners import candidates
from pipelines.learning.learners.candidates import boosting_data, encoded_rows, fit_logistic
from pipelines.learning.learners.encoding import fit_encoding
from pipelines.learning.scoring import fitted as scoring
from pipelines.learning.scoring.fitted import FittedPrediction, score_prediction
from pipelines.learning.specs import PredictionSpec

CORES = {0, 1}
ROWS, COLUMNS, TREES, LEAVES = 20_000, 60, 600, 7
BAR = 10_000.0
REPEATS = 3


def customers(seed: int) -> pl.DataFrame:
    """Amounts, counts, shares with gaps, yes and no, and categories; `is_gone` depends on many of them."""
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {"customer_id": [f"C{number}" for number in range(ROWS)]}
    odds = np.zeros(ROWS)
    for number in range(COLUMNS):
        values = rng.normal(size=ROWS)
        odds += rng.normal(0, 0.3) * values
        kind = number % 6
        if kind == 0:
            columns[f"amount_{number}"] = np.round(np.exp(5 + values), 2)
        elif kind == 1:
            columns[f"visits_{number}_count_28d"] = rng.poisson(np.exp(values))
        elif kind == 2:
            columns[f"share_{number}"] = np.where(rng.random(ROWS) < 0.1, np.nan, 1 / (1 + np.exp(-values)))
        elif kind == 3:
            columns[f"is_{number}"] = values > 0.5
        elif kind == 4:
            columns[f"segment_{number}"] = np.array(list("abcdefgh"))[np.clip(values * 2 + 4, 0, 7).astype(int)]
        else:
            columns[f"usage_{number}_sum_7d"] = np.round(np.exp(3 + values))
    return pl.DataFrame({**columns, "is_gone": rng.random(ROWS) < 1 / (1 + np.exp(-odds))})


def models(frame: pl.DataFrame) -> dict[str, FittedPrediction]:
    """The two kinds, fitted on the rows that they score: only their size matters here."""
    import lightgbm

    spec = PredictionSpec("churn", "customer_id", "is_gone", as_of=None)
    kinds = {pl.Boolean: "boolean", pl.String: "category"}
    columns = [Column(name, kinds.get(frame[name].dtype, "number")) for name in frame.columns[1:-1]]
    encoding, matrix = fit_encoding(frame, columns, np.arange(ROWS), None)
    rows, target = encoded_rows(encoding, matrix, frame), frame["is_gone"].to_numpy().astype(float)
    parameters = {"objective": "binary", "num_leaves": LEAVES, "learning_rate": 0.03, "feature_fraction": 0.5}
    data = boosting_data(rows, target, num_threads=len(CORES))
    booster = lightgbm.train({**parameters, "verbosity": -1}, data, TREES)
    learners = {
        f"{TREES} trees of {LEAVES} leaves": {"kind": "boosting", "model": booster.model_to_string()},
        "spline logistic": fit_logistic(rows, target, np.ones(ROWS), 0.1),
    }
    return {
        name: FittedPrediction(spec, encoding, [(1.0, learner)], (1.0, 0.0), name) for name, learner in learners.items()
    }


def rows_per_second(model: FittedPrediction, frame: pl.DataFrame) -> float:
    """Best of a few, once everything is loaded."""
    score_prediction(model, frame.head(100))
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        score_prediction(model, frame)
        seconds.append(time.perf_counter() - started)
    return frame.height / min(seconds)


def with_lightgbm(action: Callable[[], float]) -> float:
    """The same with LightGBM's own TreeSHAP."""

    def contributions(learner: dict, rows: candidates.Rows, columns: int, text_means: np.ndarray):
        parts = candidates._booster(learner["model"]).predict(rows.matrix, pred_contrib=True, num_threads=len(CORES))
        return parts[:, :-1], float(parts[0, -1])

    ours, scoring.contributions = scoring.contributions, contributions
    try:
        return action()
    finally:
        scoring.contributions = ours


def main() -> int:
    os.sched_setaffinity(0, CORES)
    frame = customers(seed=0)
    is_fast = True
    for name, model in models(frame).items():
        ours = rows_per_second(model, frame)
        is_fast &= ours >= BAR
        print(f"{name:<24} {ours:9,.0f} rows/s   bar {BAR:,.0f}   ratio {ours / BAR:5.2f}")
        if "trees" in name:
            theirs = with_lightgbm(lambda model=model: rows_per_second(model, frame.head(ROWS // 4)))
            print(f"{'with LightGBM’s TreeSHAP':<24} {theirs:9,.0f} rows/s   ours over it: {ours / theirs:5.2f}")
    return 0 if is_fast else 1


if __name__ == "__main__":
    sys.exit(main())
