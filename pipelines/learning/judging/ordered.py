"""How good probabilities of levels in an order are. `target`: number of each row's level, from 0; `probability`: rows ×
levels.
"""

import math
from collections.abc import Sequence

import numpy as np

from pipelines.learning.judging.evaluation import auc, calibration_error, clustered_mean, log_loss

FIGURES = (
    "rps",
    "baseline_rps",
    "error_in_levels",
    "error_in_levels_noise",
    "error_in_levels_of_median",
    "median_level",
    "exactly_right",
    "exactly_right_of_median",
    "within_one",
    "within_one_of_median",
    "cuts",
    "tenths",
    "confusion",
)
"""What a fit says of the rows held out, for evaluation.json and the card."""


def shares_above(probability: np.ndarray) -> np.ndarray:
    """Probability of an answer above each cut between two levels (rows × cuts)."""
    return np.cumsum(probability[:, ::-1], axis=1)[:, -2::-1]


def rps_losses(target: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Ranked probability score of every row, the mean of the cuts' squared errors: 0 is perfect, 1 the other end.

    Epstein (1969), "A scoring system for probability forecasts of ranked categories".
    """
    above = shares_above(probability)
    return np.mean((above - _came_above(target, above.shape[1])) ** 2, axis=1)


def base_rps_losses(levels: int, known: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The same of saying the rates of `known` of every row of `target`."""
    rates = np.bincount(known.astype(np.int64), minlength=levels) / len(known)
    return rps_losses(target, np.broadcast_to(rates, (len(target), levels)))


def median_levels(probability: np.ndarray) -> np.ndarray:
    """The level that is said of every row: the one that at least half lie at or below, and half at or above."""
    return (np.cumsum(probability, axis=1) >= 0.5 - 1e-12).argmax(axis=1)


def evaluate(
    target: np.ndarray, probability: np.ndarray, known: np.ndarray, clusters: np.ndarray, levels: Sequence[str]
) -> dict:
    """Figures of one set of rows. `known`: the answers learnt from; `clusters`: entities, for the standard errors.

    `auc`: the chance that of two rows of different levels the higher one has the higher mean (Harrell's concordance).
    `calibration_error`: mean of those of the cuts; `confusion` is by the level that is said, the median.
    """
    clusters = np.unique(clusters, return_inverse=True)[1]
    truth, said = target.astype(np.int64), median_levels(probability)
    usual = int(np.median(known))
    off, off_of_usual = np.abs(said - truth), np.abs(usual - truth)
    error, noise = clustered_mean(off.astype(np.float64), clusters)
    cuts = _by_cut(truth, shares_above(probability), levels)
    size = len(levels)
    return {
        "auc": _concordance(truth, probability @ np.arange(size)),
        "log_loss": log_loss(truth, probability),
        "rps": float(rps_losses(truth, probability).mean()),
        "calibration_error": float(np.mean([row["calibration_error"] for row in cuts])),
        "error_in_levels": error,
        "error_in_levels_noise": noise,
        "error_in_levels_of_median": float(off_of_usual.mean()),
        "median_level": levels[usual],
        "exactly_right": float(np.mean(off == 0)),
        "exactly_right_of_median": float(np.mean(off_of_usual == 0)),
        "within_one": float(np.mean(off <= 1)),
        "within_one_of_median": float(np.mean(off_of_usual <= 1)),
        "cuts": cuts,
        "confusion": {
            "labels": list(levels),
            "counts": np.bincount(truth * size + said, minlength=size**2).reshape(size, size).tolist(),
        },
    }


def by_tenth(target: np.ndarray, probability: np.ndarray, values: np.ndarray) -> list[dict]:
    """One row per tenth of the expected level, the highest first: what was said and what came, means of `values`."""
    said, came = probability @ values, values[target.astype(np.int64)]
    return [
        {
            "tenth": number,
            "rows": len(group),
            "mean_said": float(said[group].mean()),
            "mean_came": float(came[group].mean()),
            "noise": float(came[group].std() / math.sqrt(len(group))),
        }
        for number, group in enumerate(np.array_split(np.argsort(-said, kind="stable"), min(10, len(said))), start=1)
    ]


def _by_cut(truth: np.ndarray, above: np.ndarray, levels: Sequence[str]) -> list[dict]:
    """Of every cut, the lowest level above it, and how often an answer was said to be above it, and was."""
    came = _came_above(truth, above.shape[1])
    return [
        {
            "level": levels[cut + 1],
            "said": float(above[:, cut].mean()),
            "came": float(came[:, cut].mean()),
            "calibration_error": calibration_error(came[:, cut], above[:, cut]),
        }
        for cut in range(above.shape[1])
    ]


def _came_above(target: np.ndarray, cuts: int) -> np.ndarray:
    return (np.asarray(target)[:, None] > np.arange(cuts)).astype(np.float64)


def _concordance(truth: np.ndarray, mean: np.ndarray) -> float:
    """AUC of every pair of levels, weighted by how many pairs of rows it stands for; nan where all are of one level."""
    there, rows = np.unique(truth, return_counts=True)
    hits = pairs = 0.0
    for first in range(len(there)):
        for second in range(first + 1, len(there)):
            either = (truth == there[first]) | (truth == there[second])
            weight = float(rows[first] * rows[second])
            hits += weight * auc(truth[either] == there[second], mean[either])
            pairs += weight
    return hits / pairs if pairs else math.nan
