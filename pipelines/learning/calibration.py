"""Platt scaling: probability = sigmoid(slope · margin + offset), so that contributions to the margin still add up."""

import numpy as np

PRIOR_STRENGTH = 4.0
"""Weight of the prior slope = 1, offset = 0, in cases; keeps a fit on a handful of cases from running away."""
SMALLEST_SLOPE = 0.05


def sigmoid(margin: np.ndarray) -> np.ndarray:
    """Log-odds to probability, without overflow."""
    margin = np.asarray(margin, dtype=np.float64)
    small = np.exp(-np.abs(margin))
    return np.where(margin >= 0, 1 / (1 + small), small / (1 + small))


def fit_platt(margin: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Slope and offset by Newton's method on the penalised log loss.

    Platt (1999), "Probabilistic outputs for support vector machines"; the penalty pulls towards the uncalibrated
    margin. The slope
    stays positive: calibration must not turn the ranking around.
    """
    x = np.column_stack([np.asarray(margin, dtype=np.float64), np.ones(len(margin))])
    y = np.asarray(target, dtype=np.float64)
    start = np.array([1.0, 0.0])
    beta, loss = start.copy(), _penalised_loss(start, x, y, start)
    for _ in range(100):
        p = sigmoid(x @ beta)
        gradient = x.T @ (p - y) + PRIOR_STRENGTH * (beta - start)
        weights = np.maximum(p * (1 - p), 1e-9)
        step = np.linalg.solve(x.T @ (x * weights[:, None]) + PRIOR_STRENGTH * np.eye(2), gradient)
        size = 1.0
        while size > 1e-6 and _penalised_loss(beta - size * step, x, y, start) > loss:
            size /= 2
        beta = beta - size * step
        loss = _penalised_loss(beta, x, y, start)
        if float(np.abs(size * step).max()) < 1e-9:
            break
    slope = float(beta[0])
    if slope >= SMALLEST_SLOPE:
        return slope, float(beta[1])
    rate = (float(y.sum()) + 0.5) / (len(y) + 1)
    return SMALLEST_SLOPE, float(np.log(rate / (1 - rate)) - SMALLEST_SLOPE * x[:, 0].mean())


def _penalised_loss(beta: np.ndarray, x: np.ndarray, y: np.ndarray, prior: np.ndarray) -> float:
    margin = x @ beta
    return float(np.sum(np.logaddexp(0, margin) - y * margin) + PRIOR_STRENGTH / 2 * np.sum((beta - prior) ** 2))
