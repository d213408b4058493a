"""From margins to probabilities, by a slope and offsets alone, so that contributions to the margin still add up.

Two answers: sigmoid(slope · margin + offset), Platt scaling. More: softmax(slope · margins + offsets), one offset for
each class. Levels in an order: sigmoid(slope · margin + offset) is the share above a cut, one offset for each cut.
"""

from collections.abc import Callable

import numpy as np

PRIOR_STRENGTH = 4.0
"""Weight of the prior slope = 1, offset = 0, in cases; keeps a fit on a handful of cases from running away."""
SMALLEST_SLOPE = 0.05
MOST_STEPS, SMALLEST_STEP = 100, 1e-6


def sigmoid(margin: np.ndarray) -> np.ndarray:
    """Log-odds to probability, without overflow."""
    margin = np.asarray(margin, dtype=np.float64)
    small = np.exp(-np.abs(margin))
    return np.where(margin >= 0, 1 / (1 + small), small / (1 + small))


def minimise(
    loss: Callable[[np.ndarray], float],
    derivatives: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    start: np.ndarray,
    smallest_gradient: float,
) -> np.ndarray:
    """Newton's method on a convex loss, with steps halved until they do not raise it.

    `derivatives`: a solution's gradient and Hessian. It ends when no part of the gradient is larger than
    `smallest_gradient`, when no step helps any more, or after `MOST_STEPS`.
    """
    solution, before = start, loss(start)
    for _ in range(MOST_STEPS):
        gradient, hessian = derivatives(solution)
        if np.abs(gradient).max() <= smallest_gradient:
            break
        step, size = np.linalg.solve(hessian, gradient), 1.0
        while (after := loss(solution - size * step)) > before and size > SMALLEST_STEP:
            size /= 2
        if after > before:
            break
        solution, before = solution - size * step, after
    return solution


def fit_platt(margin: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Slope and offset by Newton's method on the penalised log loss.

    Platt (1999), "Probabilistic outputs for support vector machines"; the penalty pulls towards the uncalibrated
    margin. The slope
    stays positive: calibration must not turn the ranking around.
    """
    terms = np.column_stack([np.asarray(margin, dtype=np.float64), np.ones(len(margin))])
    slope, offset = _fit_terms(np.zeros(len(margin)), terms, target, np.array([1.0, 0.0]))
    if slope >= SMALLEST_SLOPE:
        return float(slope), float(offset)
    rate = (float(np.sum(target)) + 0.5) / (len(margin) + 1)
    return SMALLEST_SLOPE, float(np.log(rate / (1 - rate)) - SMALLEST_SLOPE * terms[:, 0].mean())


def fit_slope(margin: np.ndarray, target: np.ndarray, part: np.ndarray) -> float:
    """The slope of `fit_calibration` with an offset of its own for every part (0, 1, ... of every row).

    Where the base rate differs between parts, one offset would make the slope pay for it.
    """
    if margin.ndim > 1:
        return _fit_classes(margin, target, part, (SMALLEST_SLOPE, None))[0]
    terms = np.column_stack([margin, part[:, None] == np.unique(part)]).astype(np.float64)
    prior = np.append(1.0, np.zeros(terms.shape[1] - 1))
    return max(SMALLEST_SLOPE, float(_fit_terms(np.zeros(len(margin)), terms, target, prior)[0]))


def fit_offset(slope: float, margin: np.ndarray, target: np.ndarray) -> float | list[float]:
    """The offset (one for each class) by which probabilities are on average what came on these rows."""
    if margin.ndim > 1:
        return _fit_classes(margin, target, np.zeros(len(margin), dtype=np.int64), (slope, slope))[1]
    return float(_fit_terms(slope * margin, np.ones((len(margin), 1)), target, np.zeros(1))[0])


def _fit_terms(fixed: np.ndarray, terms: np.ndarray, target: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Weights of `terms` (rows × weights) beside the `fixed` margin with the least log loss, drawn towards `prior`."""
    y = np.asarray(target, dtype=np.float64)
    strength = PRIOR_STRENGTH / len(y)

    def loss(beta: np.ndarray) -> float:
        margins = fixed + terms @ beta
        return float(np.mean(np.logaddexp(0, margins) - y * margins) + strength / 2 * np.sum((beta - prior) ** 2))

    def derivatives(beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = sigmoid(fixed + terms @ beta)
        weights = np.maximum(p * (1 - p), 1e-9) / len(y)
        gradient = terms.T @ (p - y) / len(y) + strength * (beta - prior)
        return gradient, terms.T @ (terms * weights[:, None]) + strength * np.eye(len(prior))

    return minimise(loss, derivatives, prior, 1e-12)


def fit_calibration(margin: np.ndarray, target: np.ndarray) -> tuple[float, float | list[float]]:
    """Slope and offset for margins of one dimension (target 0/1), or offsets for rows × classes (target: class number).

    Guo, Pleiss, Sun and Weinberger (2017), "On Calibration of Modern Neural Networks", vector scaling with one
    slope; the penalty pulls towards the uncalibrated margins, as in `fit_platt`.
    """
    if margin.ndim == 1:
        return fit_platt(margin, target)
    return _fit_classes(margin, target, np.zeros(len(margin), dtype=np.int64), (SMALLEST_SLOPE, None))


def _fit_classes(
    margin: np.ndarray, target: np.ndarray, part: np.ndarray, slopes: tuple[float, float | None]
) -> tuple[float, list[float]]:
    """A slope within `slopes`, and the offsets of the first part; every part has its own. `margin`: rows × classes."""
    from scipy.optimize import minimize

    classes, parts = margin.shape[1], int(part.max(initial=0)) + 1
    truth = np.eye(classes)[target.astype(np.int64)]
    prior = np.append(1.0, np.zeros(parts * classes))

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        scaled = beta[0] * margin + beta[1:].reshape(parts, classes)[part]
        error = softmax(scaled) - truth
        value = float(np.sum(_log_sum(scaled) - np.sum(scaled * truth, axis=1)))
        of_parts = np.concatenate([error[part == number].sum(axis=0) for number in range(parts)])
        gradient = np.append(np.sum(error * margin), of_parts)
        away = beta - prior
        return value + PRIOR_STRENGTH / 2 * float(away @ away), gradient + PRIOR_STRENGTH * away

    bounds = [slopes, *[(None, None)] * (parts * classes)]
    beta = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(beta[0]), [float(offset) for offset in beta[1 : classes + 1]]


def calibrated(calibration: tuple[float, float | list[float]], margin: np.ndarray) -> np.ndarray:
    """Probability of yes (rows), or of every class or level (rows × classes)."""
    slope, offset = calibration
    if margin.ndim == 1 and isinstance(offset, list):
        return level_probabilities(slope * margin[:, None] + np.asarray(offset))
    if margin.ndim == 1:
        return sigmoid(slope * margin + offset)
    return softmax(slope * margin + np.asarray(offset))


def level_probabilities(log_odds: np.ndarray) -> np.ndarray:
    """Probability of every level (rows × levels), from the log-odds of being above each cut (rows × cuts, falling)."""
    above = np.column_stack([np.ones(len(log_odds)), sigmoid(log_odds), np.zeros(len(log_odds))])
    return above[:, :-1] - above[:, 1:]


def softmax(margin: np.ndarray) -> np.ndarray:
    """Rows of margins to rows of probabilities, without overflow."""
    shares = np.exp(margin - margin.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _log_sum(margin: np.ndarray) -> np.ndarray:
    highest = margin.max(axis=1)
    return highest + np.log(np.exp(margin - highest[:, None]).sum(axis=1))
