"""Ordered answers: one margin, and an offset for every cut between two levels.

The log-odds of an answer above a cut are slope · margin + the cut's offset (proportional odds: McCullagh, 1980,
"Regression models for ordinal data"): what moves the margin moves all levels alike. Learners find the margin by the
mean log loss of the cuts' yes-or-no questions (the all-threshold loss of Rennie and Srebro, 2005, "Loss functions for
preference levels"): it is convex, and a level that nobody has does no harm. The calibration finds slope and offsets by
maximum likelihood.

Answers are numbers of levels, from 0; cut j lies between the levels j and j + 1.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.learners.calibration import PRIOR_STRENGTH, SMALLEST_SLOPE, minimise, sigmoid

if TYPE_CHECKING:
    import lightgbm
    from scipy import sparse

HALF_A_ROW = 0.5
"""Rows of every level at the mean margin that the calibration counts beside those that it has: so every level has some,
and the offsets stay in their order."""
FURTHEST_STEP, FURTHEST_OFFSET, FURTHEST_MARGIN = 1.0, 30.0, 50.0
"""Of trees and of what a cut's offset moves while they grow: nothing overflows."""
MOST_STEPS, SMALLEST_GRADIENT = 200, 1e-4
CLOSE = 1e-8
"""Gradient at which the calibration is found; where nobody has a level, its digits reach not much further."""
SMALLEST_SHARE = 1e-300


def base_offsets(target: np.ndarray, levels: int) -> np.ndarray:
    """Log-odds of an answer above each cut (falling), where nothing else is known."""
    rows = np.bincount(target.astype(np.int64), minlength=levels) + HALF_A_ROW
    above = np.cumsum(rows[::-1])[::-1][1:] / rows.sum()
    return np.log(above / (1 - above))


def fit_terms(
    terms: "np.ndarray | sparse.csr_matrix", target: np.ndarray, levels: int, strength: float, start: np.ndarray
) -> np.ndarray:
    """The terms' weights, then the cuts' offsets, with the least loss; weights cost their square by 1 / `strength`."""
    from scipy.optimize import minimize

    columns, above = terms.shape[1], _above(target, levels)
    penalty = 1 / (strength * len(target))

    def loss(solution: np.ndarray) -> tuple[float, np.ndarray]:
        weights, offsets = solution[:columns], solution[columns:]
        log_odds = (terms @ weights)[:, None] + offsets
        error = (sigmoid(log_odds) - above) / log_odds.size
        value = float((np.logaddexp(0, log_odds) - above * log_odds).mean()) + penalty / 2 * float(weights @ weights)
        return value, np.append(terms.T @ error.sum(axis=1) + penalty * weights, error.sum(axis=0))

    options = {"maxiter": MOST_STEPS, "gtol": SMALLEST_GRADIENT}
    return minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x


Objective = Callable[[np.ndarray, "lightgbm.Dataset"], tuple[np.ndarray, np.ndarray]]
Measure = Callable[[np.ndarray, "lightgbm.Dataset"], tuple[str, float, bool]]


def boosting_objective(target: np.ndarray, levels: int) -> tuple[Objective, Measure]:
    """The loss of training rows with these answers for LightGBM, and its mean on any rows; the offsets move along.

    It is asked for every tree, so it is in single precision, as LightGBM's gradients are, and one exponential a row.
    """
    cuts, offsets = levels - 1, base_offsets(target, levels)
    rates = sigmoid(offsets)

    def objective(margin: np.ndarray, data: "lightgbm.Dataset") -> tuple[np.ndarray, np.ndarray]:
        share = _shares(margin, offsets)
        curvature = share * (1 - share)
        above, moves = (each.mean(axis=1, dtype=np.float64) for each in (share, curvature))
        step = (rates - above) / np.maximum(moves, SMALLEST_SHARE)
        moved = offsets + np.clip(step, -FURTHEST_STEP, FURTHEST_STEP)
        offsets[:] = np.clip(moved, -FURTHEST_OFFSET, FURTHEST_OFFSET)
        return (share.sum(axis=0) - target) / cuts, curvature.sum(axis=0) / cuts

    def measure(margin: np.ndarray, data: "lightgbm.Dataset") -> tuple[str, float, bool]:
        # Of each cut log(1 + exp(-z)), and z where the answer is below it.
        reached = data.get_label().astype(np.int64)
        below = np.append(np.cumsum(offsets[::-1])[::-1], 0.0)[reached] + (cuts - reached) * margin
        loss = float(below.mean()) - float(np.log(_shares(margin, offsets)).mean(dtype=np.float64)) * cuts
        return "all_thresholds", loss / cuts, False

    return objective, measure


def _shares(margin: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Probability of an answer above each cut (cuts × rows, float32)."""
    odds = np.exp(-np.clip(margin, -FURTHEST_MARGIN, FURTHEST_MARGIN)).astype(np.float32)
    return 1 / (1 + np.exp(-offsets).astype(np.float32)[:, None] * odds)


def fit_calibration(levels: int, margin: np.ndarray, target: np.ndarray) -> tuple[float, list[float]]:
    """Slope (positive, drawn a little towards 1) and the cuts' offsets (falling) with the greatest likelihood."""
    slope, *offsets = _fit_cuts(levels, margin, target, np.zeros(len(margin), dtype=np.int64), None).tolist()
    if slope >= SMALLEST_SLOPE:
        return slope, offsets
    return SMALLEST_SLOPE, fit_offset(levels, SMALLEST_SLOPE, margin, target)


def fit_slope(levels: int, margin: np.ndarray, target: np.ndarray, part: np.ndarray) -> float:
    """The slope of `fit_calibration` with offsets of its own for every part (0, 1, ... of every row)."""
    return max(SMALLEST_SLOPE, float(_fit_cuts(levels, margin, target, part, None)[0]))


def fit_offset(levels: int, slope: float, margin: np.ndarray, target: np.ndarray) -> list[float]:
    """The cuts' offsets (falling) by which levels are said as often as they came on these rows."""
    return _fit_cuts(levels, margin, target, np.zeros(len(margin), dtype=np.int64), slope)[1:].tolist()


def _fit_cuts(levels: int, margin: np.ndarray, target: np.ndarray, part: np.ndarray, slope: float | None) -> np.ndarray:
    """The slope (as given, where it is), then the offsets of every part's cuts."""
    cuts, parts = levels - 1, int(part.max(initial=0)) + 1
    middle = np.bincount(part, margin, parts) / np.maximum(np.bincount(part, minlength=parts), 1)
    everyone = np.append(margin, np.repeat(middle, levels)).astype(np.float64)
    level = np.append(target, np.tile(np.arange(levels), parts)).astype(np.int64)
    own = np.append(part, np.repeat(np.arange(parts), levels)).astype(np.int64)
    weights = np.append(np.ones(len(margin)), np.full(parts * levels, HALF_A_ROW)) / len(margin)
    # The cuts below and above a row's level; a row of the lowest or of the highest level has one of them only.
    below, over = 1 + own * cuts + level - 1, 1 + own * cuts + level
    has_below, has_over = level > 0, level < cuts
    prior, strength = 1.0 if slope is None else slope, PRIOR_STRENGTH / len(margin)
    start = np.append(prior, np.concatenate([base_offsets(level[own == p], levels) for p in range(parts)]))
    start[1:] -= prior * np.repeat(middle, cuts)

    def shares(beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of every row, the probability of its level, and of an answer at or above it, and above it."""
        low, high = np.full(len(everyone), np.inf), np.full(len(everyone), -np.inf)
        low[has_below] = beta[0] * everyone[has_below] + beta[below[has_below]]
        high[has_over] = beta[0] * everyone[has_over] + beta[over[has_over]]
        # Of two shares near 1, what is left of each is subtracted: those have all their digits.
        reached, passed = sigmoid(low), sigmoid(high)
        return np.where(low + high > 0, sigmoid(-high) - sigmoid(-low), reached - passed), reached, passed

    def loss(beta: np.ndarray) -> float:
        share = shares(beta)[0]
        if (share <= 0).any():
            return np.inf
        return float(-weights @ np.log(share)) + strength / 2 * float((beta[0] - prior) ** 2)

    def derivatives(beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        share, reached, passed = shares(beta)
        share = np.maximum(share, SMALLEST_SHARE)
        first, second = reached * (1 - reached), passed * (1 - passed)
        to_low, to_high = -weights * first / share, weights * second / share
        low_low = weights * ((first / share) ** 2 - first * (1 - 2 * reached) / share)
        high_high = weights * ((second / share) ** 2 + second * (1 - 2 * passed) / share)
        low_high = -weights * first * second / share**2
        size = len(beta)

        def summed(at_low: np.ndarray, at_high: np.ndarray) -> np.ndarray:
            found = np.bincount(below[has_below], at_low[has_below], size)
            return found + np.bincount(over[has_over], at_high[has_over], size)

        gradient = summed(to_low, to_high)
        gradient[0] = float(everyone @ (to_low + to_high)) + strength * (beta[0] - prior)
        hessian = np.diag(summed(low_low, high_high))
        both = has_below & has_over
        np.add.at(hessian, (below[both], over[both]), low_high[both])
        hessian += np.triu(hessian, 1).T
        hessian[0, 1:] = hessian[1:, 0] = summed(everyone * (low_low + low_high), everyone * (high_high + low_high))[1:]
        hessian[0, 0] = float(everyone**2 @ (low_low + 2 * low_high + high_high)) + strength
        if slope is not None:
            gradient[0], hessian[0, :], hessian[:, 0], hessian[0, 0] = 0.0, 0.0, 0.0, 1.0
        return gradient, hessian

    return minimise(loss, derivatives, start, CLOSE)


def _above(target: np.ndarray, levels: int) -> np.ndarray:
    """Whether each answer is above each cut (rows × cuts)."""
    return np.asarray(target)[:, None] > np.arange(levels - 1)
