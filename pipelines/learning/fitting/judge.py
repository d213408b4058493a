"""How what learners say of rows is set right and judged: answers by log loss, levels by their ranked probability score,
amounts by the error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from pipelines.learning.fitting.training import Training
from pipelines.learning.judging import evaluation
from pipelines.learning.judging import ordered as levels_judged
from pipelines.learning.learners import amounts, calibration, ordered

Calibration = tuple[float, float | list[float]]


@dataclass(frozen=True)
class Judge:
    """Rows' margins and answers in, what is said of them and what that costs out (one entry per row)."""

    calibrate: Callable[[np.ndarray, np.ndarray], Calibration]
    """Margins and answers to slope and offset."""
    says: Callable[[Calibration, np.ndarray], np.ndarray]
    """Calibration and margins to probabilities, or to amounts."""
    losses: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Answers and what was said of them to the loss of every row."""
    base_losses: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """Training answers and answers to the loss of saying the same of everyone."""
    loss_name: str
    worth_a_part: float = 0.0
    """Loss that a further part of a mix of answers must gain: below that it only costs time."""
    slope: Callable[[np.ndarray, np.ndarray, np.ndarray], float] | None = None
    """Margins, answers and parts to the slope where each part has a base rate of its own; None: rates do not move."""
    offset: Callable[[float, np.ndarray, np.ndarray], float | list[float]] | None = None
    """Slope, margins and answers to the offset (one for each class or cut)."""

    def loss(self, margin: np.ndarray, target: np.ndarray) -> float:
        """Mean loss of margins that were calibrated on these very rows."""
        return float(self.losses(target, self.says(self.calibrate(margin, target), margin)).mean())


ANSWERS = Judge(
    calibrate=calibration.fit_calibration,
    says=calibration.calibrated,
    losses=evaluation.log_losses,
    base_losses=evaluation.base_rate_losses,
    loss_name="log loss",
    worth_a_part=2e-4,
    slope=calibration.fit_slope,
    offset=calibration.fit_offset,
)


def judge_of_levels(levels: int) -> Judge:
    """For the one margin of so many levels in an order."""
    return Judge(
        calibrate=partial(ordered.fit_calibration, levels),
        says=calibration.calibrated,
        losses=levels_judged.rps_losses,
        base_losses=partial(levels_judged.base_rps_losses, levels),
        loss_name="ranked probability score",
        worth_a_part=5e-5,
        slope=partial(ordered.fit_slope, levels),
        offset=partial(ordered.fit_offset, levels),
    )


def judge_of_amounts(training: Training, link: str, loss: str) -> Judge:
    """For margins on the scale `link`; `loss`: what estimates are judged by."""
    scale = amounts.Scale.of(training.target)

    def says(calibrated: Calibration, margin: np.ndarray) -> np.ndarray:
        slope, offset = calibrated
        return scale.to_amount(link, slope * margin + offset)

    return Judge(
        calibrate=partial(amounts.fit_calibration, link, scale, loss),
        says=says,
        losses=partial(amounts.losses_of, loss),
        base_losses=lambda known, target: amounts.losses_of(loss, target, amounts.typical(loss, known)),
        loss_name=f"mean {loss} error",
    )
