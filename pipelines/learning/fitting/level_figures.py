"""What is said of a fit to levels in an order: figures on the test, and whether it may score."""

import numpy as np

from pipelines.learning.columns.ordered_levels import level_values
from pipelines.learning.fitting.splitting import Split
from pipelines.learning.fitting.training import Training
from pipelines.learning.judging import ordered
from pipelines.learning.judging.evaluation import calibration_noise, finite
from pipelines.learning.specs import PredictionSpec

SURE = 2.33
"""Standard errors by which a model must beat the base rates: one-sided 99 %."""


def levels_on_test(training: Training, split: Split, probability: np.ndarray) -> dict:
    """Figures of the test rows. `probability`: rows × levels."""
    target, clusters = training.target[split.test], training.clusters[split.test]
    figures = ordered.evaluate(target, probability, training.target[split.train], clusters, training.classes)
    return {
        **{name: finite(value) for name, value in figures.items()},
        "tenths": ordered.by_tenth(target, probability, level_values(training.classes)),
        "calibration_noise": calibration_noise(ordered.shares_above(probability), len(np.unique(clusters))),
        "deciles": [],
        "segments": [],
    }


def in_words(figures: dict) -> str:
    """How far off it is in levels, against always saying the median level."""
    return (
        f"off by {figures['error_in_levels']:.2f} levels on the test, where always saying {figures['median_level']} is "
        f"off by {figures['error_in_levels_of_median']:.2f}"
    )


def level_gates(figures: dict, spec: PredictionSpec) -> tuple[str, bool, str]:
    """Verdict, whether the model may score, and why."""
    gain, error = figures["gain_over_base_rate"], figures["gain_error"]
    if not gain > SURE * error:
        reason = (
            f"Refused: no better than the base rates by more than noise (ranked probability score {abs(gain):.4f} "
            f"{'better' if gain > 0 else 'worse'}, where chance alone makes {SURE * error:.4f}; {in_words(figures)})."
        )
        return "no_signal", False, reason
    limit = spec.max_calibration_error + figures["calibration_noise"]
    if figures["calibration_error"] > limit:
        reason = (
            f"Refused: said and observed shares above a level differ by {figures['calibration_error']:.3f} on average "
            f"(limit {limit:.3f})."
        )
        return "ok", False, reason
    return "ok", True, f"Kept: the first model, {in_words(figures)}."
