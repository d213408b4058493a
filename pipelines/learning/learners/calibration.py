"""From margins to probabilities, by a slope and offsets alone, so that contributions to the margin still add up.

Two answers: sigmoid(slope · margin + offset), Platt scaling. More: softmax(slope · margins + offsets), one offset for
each class.
"""

import numpy as np

from pipelines.learning.judging.evaluation import log_loss

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


def fit_calibration(margin: np.ndarray, target: np.ndarray) -> tuple[float, float | list[float]]:
    """Slope and offset for margins of one dimension (target 0/1), or offsets for rows × classes (target: class number).

    Guo, Pleiss, Sun and Weinberger (2017), "On Calibration of Modern Neural Networks", vector scaling with one
    slope; the penalty pulls towards the uncalibrated margins, as in `fit_platt`.
    """
    if margin.ndim == 1:
        return fit_platt(margin, target)
    from scipy.optimize import minimize

    classes = margin.shape[1]
    truth = np.eye(classes)[target.astype(np.int64)]
    prior = np.append(1.0, np.zeros(classes))

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        scaled = beta[0] * margin + beta[1:]
        error = softmax(scaled) - truth
        value = float(np.sum(_log_sum(scaled) - np.sum(scaled * truth, axis=1)))
        gradient = np.append(np.sum(error * margin), error.sum(axis=0))
        away = beta - prior
        return value + PRIOR_STRENGTH / 2 * float(away @ away), gradient + PRIOR_STRENGTH * away

    bounds = [(SMALLEST_SLOPE, None), *[(None, None)] * classes]
    beta = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(beta[0]), [float(offset) for offset in beta[1:]]


def calibrated(calibration: tuple[float, float | list[float]], margin: np.ndarray) -> np.ndarray:
    """Probability of yes (rows), or of every class (rows × classes)."""
    slope, offset = calibration
    if margin.ndim == 1:
        return sigmoid(slope * margin + offset)
    return softmax(slope * margin + np.asarray(offset))


def calibrated_loss(margin: np.ndarray, target: np.ndarray) -> float:
    """Log loss (nats) of margins after calibration on these very rows."""
    return log_loss(target, calibrated(fit_calibration(margin, target), margin))


def softmax(margin: np.ndarray) -> np.ndarray:
    """Rows of margins to rows of probabilities, without overflow."""
    shares = np.exp(margin - margin.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _log_sum(margin: np.ndarray) -> np.ndarray:
    highest = margin.max(axis=1)
    return highest + np.log(np.exp(margin - highest[:, None]).sum(axis=1))


def _penalised_loss(beta: np.ndarray, x: np.ndarray, y: np.ndarray, prior: np.ndarray) -> float:
    margin = x @ beta
    return float(np.sum(np.logaddexp(0, margin) - y * margin) + PRIOR_STRENGTH / 2 * np.sum((beta - prior) ** 2))
