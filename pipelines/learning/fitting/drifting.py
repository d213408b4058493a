"""Calibration where time passes: what a model takes over from earlier ones, and what it knows itself."""

from collections.abc import Callable, Sequence

import numpy as np

from pipelines.learning.fitting.judge import Calibration, Judge
from pipelines.learning.fitting.training import Training


def calibrate_model(
    judge: Judge,
    training: Training,
    held_out: Sequence[tuple[np.ndarray, np.ndarray]],
    newest_by_time: bool,
    margin_of: Callable[[np.ndarray], np.ndarray],
) -> Calibration:
    """Calibration of a model, from what models of the same recipe said of rows that they had not learnt from.

    `held_out`: these margins and the numbers of the rows, the newest last; `newest_by_time`: whether the last are newer
    than all that their model learnt from. `margin_of`: row numbers to the margins of the model itself, which has learnt
    from all of them.

    How far probabilities are spread (the slope) is told by rows not learnt from, each part with the base rate of its
    time. By how much the base rate had moved for those earlier models is nothing that the model itself would need: it
    has learnt these rows, and a shift on top would count their base rate twice. So its offset is the one by which it
    says of the newest rows what came of them.
    """
    margins = np.concatenate([margin for margin, _ in held_out])
    answers = training.target[np.concatenate([rows for _, rows in held_out])]
    if judge.slope is None or judge.offset is None or not newest_by_time:
        return judge.calibrate(margins, answers)
    part = np.repeat(np.arange(len(held_out)), [len(rows) for _, rows in held_out])
    slope = judge.slope(margins, answers, part)
    newest = held_out[-1][1]
    return slope, judge.offset(slope, margin_of(newest), training.target[newest])
