"""Forecasts of the segments that add up to the forecast of the total."""

import numpy as np


def reconcile(
    total: np.ndarray, segments: np.ndarray, variances: np.ndarray, is_non_negative: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """
    Spread what separates the total (steps) from its segments (steps × n) by how uncertain each is.

    Weighted least squares reconciliation (Hyndman et al. 2011; Wickramasuriya et al. 2019) with a diagonal error
    matrix, here the `variances` of the backtest errors (total first, n + 1 of them). For one level it has a closed
    form: with the gap g = total − Σ segments, segment i moves by g·vᵢ/Σv and the total by −g·v₀/Σv. A segment that
    would turn negative though it never was (`is_non_negative`, n) is held at zero and the rest is solved again.
    Returns the reconciled total and segments.
    """
    weights = np.asarray(variances, dtype=float)
    if weights.max() <= 0:
        weights = np.ones_like(weights)
    # A series without error in the backtest still gives way a little; else a gap could have nowhere to go.
    weights = np.maximum(weights / weights.max(), 1e-9)
    reconciled = np.empty_like(segments, dtype=float)
    for step in range(len(total)):
        reconciled[step] = _one_step(total[step], segments[step], weights, is_non_negative)
    return reconciled.sum(axis=1), reconciled


def _one_step(total: float, segments: np.ndarray, weights: np.ndarray, is_non_negative: np.ndarray) -> np.ndarray:
    free = np.ones(len(segments), dtype=bool)
    while free.any():
        gap = total - segments[free].sum()
        moved = segments[free] + gap * weights[1:][free] / (weights[0] + weights[1:][free].sum())
        is_below = (moved < 0) & is_non_negative[free]
        if not is_below.any():
            result = np.zeros(len(segments))
            result[free] = moved
            return result
        free[np.flatnonzero(free)[is_below]] = False
    return np.zeros(len(segments))
