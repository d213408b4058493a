"""How good estimates of amounts are. Arrays with one entry per row in, figures in the amount's unit out."""

import math
from collections.abc import Mapping

import numpy as np

from pipelines.learning.judging.evaluation import clustered_mean

RESAMPLES = 200
FIGURES = (
    "mean_absolute_error",
    "mean_absolute_error_noise",
    "mean_absolute_error_of_median",
    "median_absolute_error",
    "median_absolute_error_noise",
    "root_mean_squared_error",
    "root_mean_squared_error_noise",
    "root_mean_squared_error_of_mean",
    "error_share",
    "error_share_noise",
    "r2",
    "coverage",
    "coverage_noise",
    "below",
    "above",
    "mean_width",
    "mean_came",
    "mean_said",
    "base_median",
    "base_mean",
    "loss",
    "tenths",
    "reliability",
)
"""What a fit says of the rows held out, for evaluation.json and the card."""


def evaluate(came: np.ndarray, estimated: Mapping[str, np.ndarray], clusters: np.ndarray) -> dict[str, float]:
    """All figures of one set of rows; `*_noise` is a standard error by entities (`clusters`, integers).

    `estimated`: expected, p10, p50, p90. The absolute errors are those of p50, which has the least of them; the squared
    ones and the totals are those of `expected`. `error_share`: the sum of absolute errors over that of amounts.
    """
    clusters = np.unique(clusters, return_inverse=True)[1]
    off = np.abs(estimated["p50"] - came)
    squares = (estimated["expected"] - came) ** 2
    mean, noise = clustered_mean(off, clusters)
    inside = ((came >= estimated["p10"]) & (came <= estimated["p90"])).astype(np.float64)
    coverage, coverage_noise = clustered_mean(inside, clusters)
    root = math.sqrt(float(squares.mean()))
    size, variance = float(np.abs(came).mean()), float(came.var())
    return {
        "mean_absolute_error": mean,
        "mean_absolute_error_noise": noise,
        "median_absolute_error": float(np.median(off)),
        "median_absolute_error_noise": _median_noise(off, clusters),
        "root_mean_squared_error": root,
        "root_mean_squared_error_noise": clustered_mean(squares, clusters)[1] / max(2 * root, 1e-300),
        "error_share": mean / size if size else math.nan,
        "error_share_noise": clustered_mean(off - mean / size * np.abs(came), clusters)[1] / size if size else math.nan,
        "r2": 1 - float(squares.mean()) / variance if variance else math.nan,
        "coverage": coverage,
        "coverage_noise": coverage_noise,
        "below": float(np.mean(came < estimated["p10"])),
        "above": float(np.mean(came > estimated["p90"])),
        "mean_width": float((estimated["p90"] - estimated["p10"]).mean()),
        "mean_came": float(came.mean()),
        "mean_said": float(estimated["expected"].mean()),
    }


def by_tenth(came: np.ndarray, estimated: Mapping[str, np.ndarray]) -> list[dict]:
    """One row per tenth of `expected`, the largest first: what was said and what came, means and quantiles."""
    order = np.argsort(-estimated["expected"], kind="stable")
    return [
        {
            "tenth": number,
            "rows": len(group),
            "mean_said": float(estimated["expected"][group].mean()),
            "mean_came": float(came[group].mean()),
            "noise": float(came[group].std() / math.sqrt(len(group))),
            "median_said": float(np.median(estimated["p50"][group])),
            "median_came": float(np.median(came[group])),
            "mean_absolute_error": float(np.abs(estimated["p50"][group] - came[group]).mean()),
        }
        for number, group in enumerate(np.array_split(order, min(10, len(order))), start=1)
    ]


def reliability(came: np.ndarray, estimated: Mapping[str, np.ndarray]) -> list[dict]:
    """How often intervals hold, one row per fifth of their width, the narrowest first."""
    width = estimated["p90"] - estimated["p10"]
    return [
        {
            "rows": len(group),
            "mean_width": float(width[group].mean()),
            "below": float(np.mean(came[group] < estimated["p10"][group])),
            "inside": float(
                np.mean((came[group] >= estimated["p10"][group]) & (came[group] <= estimated["p90"][group]))
            ),
            "above": float(np.mean(came[group] > estimated["p90"][group])),
        }
        for group in np.array_split(np.argsort(width, kind="stable"), min(5, len(width)))
    ]


def _median_noise(values: np.ndarray, clusters: np.ndarray) -> float:
    """Standard error of a median by the bootstrap over entities (Efron, 1979)."""
    generator = np.random.default_rng(0)
    count = int(clusters.max()) + 1
    order = np.argsort(values, kind="stable")
    ordered, owner = values[order], clusters[order]
    found = []
    for _ in range(RESAMPLES):
        weights = np.cumsum(np.bincount(generator.integers(0, count, count), minlength=count)[owner])
        found.append(ordered[np.searchsorted(weights, weights[-1] / 2)])
    return float(np.std(found))
