"""Where an amount will lie: conformalised quantile regression, by group of rows about which as much is known.

Romano, Patterson and Candès (2019), "Conformalized quantile regression", NeurIPS, with each end moved on its own
(their theorem 2): learnt quantiles are moved until as many of the rows that they had not seen lie beyond as promised.
This is done apart for rows with narrow and with wide intervals (Mondrian conformal prediction: Vovk, 2012,
"Conditional validity of inductive conformal predictors"), so that neither pays for the other. A model that has learnt
from more rows is surer than those whose errors were looked at, so last of all every interval is stretched or narrowed
alike until it holds on the newest rows held out (Lei et al., 2018, "Distribution-free predictive inference for
regression", section 5.2).
"""

from collections.abc import Mapping

import numpy as np

from pipelines.learning.learners.amounts import BOUNDS, Scale

MOST_GROUPS = 5
FEWEST_TO_STRETCH = 100
"""Entities by which intervals may be stretched; with fewer they stay as they are."""
STRETCH_PRIOR = 300
"""Rows' worth of trust in the intervals as they are, so that the chance of a small test does not rule."""
CLOSE = 1e-4
"""Share by which an end may lie above the smallest amount and still mean that it is 0."""
GROUP_ENTITIES = 150
"""Entities a group must have: with fewer the share that lies beyond is too uncertain."""


def fit_intervals(
    scale: Scale,
    link: str,
    loss: str,
    margin: np.ndarray,
    bounds: np.ndarray,
    amounts: np.ndarray,
    clusters: np.ndarray,
) -> dict:
    """How to move quantiles and the estimate, as plain values and arrays, from rows that were not learnt from.

    `margin`: the calibrated estimate on the scale `link`; `bounds`: rows × 2, learnt quantiles on it; `amounts`: what
    came; `clusters`: entity of every row. `edges` of the interval's width (inner, groups - 1); by group `low` and
    `high`, by which the ends are moved, and `other`, from the estimate to the mean (or the median, where the estimate
    is the mean); `stretch`, times which both sides of the estimate are taken, see `stretched`.
    """
    width = bounds[:, 1] - bounds[:, 0]
    groups = int(np.clip(len(np.unique(clusters)) // GROUP_ENTITIES, 1, MOST_GROUPS))
    edges = np.unique(np.quantile(width, np.arange(1, groups) / groups))
    group = np.searchsorted(edges, width, side="right")
    came, estimate = scale.to_margin(link, amounts), scale.to_amount(link, margin)
    low, high, other = [], [], []
    for number in range(len(edges) + 1):
        selected = group == number if (group == number).any() else np.ones(len(group), dtype=bool)
        low.append(-_conformal(bounds[selected, 0] - came[selected]))
        high.append(_conformal(came[selected] - bounds[selected, 1]))
        if loss == "squared":
            other.append(float(np.median(came[selected] - margin[selected])))
        elif link == "log":
            ratio = amounts[selected].sum() / max(estimate[selected].sum(), 1e-300)
            other.append(float(np.log(max(ratio, 1e-300))))
        else:
            other.append(float((amounts[selected] - estimate[selected]).mean()))
    moves = {"low": np.array(low), "high": np.array(high), "other": np.array(other)}
    return {"edges": edges, **moves, "stretch": np.ones(2)}


def stretched(
    intervals: Mapping, margin: np.ndarray, bounds: np.ndarray, came: np.ndarray, clusters: np.ndarray
) -> dict:
    """The intervals with both sides made wider or narrower, towards what holds on rows that nothing was fitted on.

    `came`: the amounts of these rows, on the margins' scale; otherwise as for `fit_intervals`.
    """
    if len(np.unique(clusters)) < FEWEST_TO_STRETCH:
        return dict(intervals)
    low, high = _ends(intervals, margin, bounds)
    sides = ((margin - came, margin - low), (came - margin, high - margin))
    stretch = [
        _conformal(np.divide(far, side, out=np.where(far > 0, np.inf, 0.0), where=side > 0)) for far, side in sides
    ]
    known = np.array([each if 0 < each < np.inf else 1.0 for each in stretch])
    weight = len(came) / (len(came) + STRETCH_PRIOR)
    return {**intervals, "stretch": intervals["stretch"] * known**weight}


def _ends(intervals: Mapping, margin: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of every row's interval, on the margins' scale."""
    group = np.searchsorted(intervals["edges"], bounds[:, 1] - bounds[:, 0], side="right")
    low, high = bounds[:, 0] + intervals["low"][group], bounds[:, 1] + intervals["high"][group]
    below, above = intervals["stretch"]
    return margin - below * (margin - low), margin + above * (high - margin)


def quantities(
    scale: Scale, link: str, loss: str, intervals: Mapping, margin: np.ndarray, bounds: np.ndarray
) -> dict[str, np.ndarray]:
    """expected, p10, p50, p90 of every row (float64), in the amount's unit; p10 <= p50 <= p90.

    The estimate that reasons add up to is p50 under the absolute loss, and expected under the squared one.
    """
    group = np.searchsorted(intervals["edges"], bounds[:, 1] - bounds[:, 0], side="right")
    estimate, other = (scale.to_amount(link, each) for each in (margin, margin + intervals["other"][group]))
    low, high = (scale.to_amount(link, each) for each in _ends(intervals, margin, bounds))
    if link == "log" and scale.zeros:
        low = np.where(low <= scale.floor * (1 + CLOSE), 0.0, low)
    middle, mean = (estimate, other) if loss == "absolute" else (other, estimate)
    return {"expected": mean, "p10": np.minimum(low, middle), "p50": middle, "p90": np.maximum(high, middle)}


def _conformal(beyond: np.ndarray) -> float:
    """By how much an end is moved outwards so that a new row lies beyond with the promised chance."""
    # Between two ranks, so that many small groups do not add up to more than what is promised.
    rank = (len(beyond) + 1) * (1 - BOUNDS[0])
    return float(np.interp(rank, np.arange(1, len(beyond) + 1), np.sort(beyond)))
