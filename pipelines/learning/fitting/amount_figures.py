"""What is said of a fit to amounts: errors on the test, intervals, by segment, and whether it may score."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from pipelines.learning.fitting.figures import FEWEST_SEGMENT_ROWS, of_rows
from pipelines.learning.fitting.splitting import Split
from pipelines.learning.fitting.training import Training
from pipelines.learning.judging import amounts
from pipelines.learning.judging.evaluation import finite
from pipelines.learning.scoring.wording import describe_value
from pipelines.learning.specs import PredictionSpec

SURE = 2.33
"""Standard errors by which a model must beat the same estimate for everyone: one-sided 99 %."""
SURE_OF_SEGMENT = 1.645
"""The same for a segment to be warned of: one-sided 95 %."""
WORSE = 1.25
"""Times the whole's error in per cent that a segment's must be, beyond noise, to be warned of."""


def amounts_on_test(
    training: Training, split: Split, estimated: Mapping[str, np.ndarray], spec: PredictionSpec
) -> dict:
    """Figures of the test rows. `estimated`: expected, p10, p50 and p90 of each."""
    came, clusters = training.target[split.test], training.clusters[split.test]
    known = training.target[split.train]
    figures: dict = amounts.evaluate(came, estimated, clusters)
    figures |= {
        "loss": spec.loss,
        "base_median": float(np.median(known)),
        "base_mean": float(known.mean()),
        "mean_absolute_error_of_median": float(np.abs(came - np.median(known)).mean()),
        "root_mean_squared_error_of_mean": float(np.sqrt(np.mean((came - known.mean()) ** 2))),
        "tenths": amounts.by_tenth(came, estimated),
        "reliability": amounts.reliability(came, estimated),
        "deciles": [],
        **of_rows(training, split, spec),
    }
    figures["error"] = 100 * figures["error_share"]
    figures = {name: finite(value) for name, value in figures.items()}
    figures["segments"] = [
        row
        for name in spec.segments
        if name in training.frame.columns
        for row in _by_segment(training.frame[name][split.test], name, came, estimated, clusters, figures)
    ]
    return figures


def _by_segment(
    values: pl.Series,
    name: str,
    came: np.ndarray,
    estimated: Mapping[str, np.ndarray],
    clusters: np.ndarray,
    whole: Mapping,
) -> list[dict]:
    """Figures for each of the ten most frequent values, with a warning where the error is much larger."""
    values = values.cast(pl.String).fill_null("(none)")
    rows = []
    for value in values.value_counts(sort=True)[values.name].head(10).sort():
        selected = (values == value).to_numpy()
        if selected.sum() < FEWEST_SEGMENT_ROWS:
            continue
        here = amounts.evaluate(
            came[selected], {key: each[selected] for key, each in estimated.items()}, clusters[selected]
        )
        share, usual = here["error_share"], whole["error_share"] or 0.0
        noise = here["mean_absolute_error_noise"] / max(here["mean_absolute_error"], 1e-300) * share
        is_worse = share > WORSE * usual and share - SURE_OF_SEGMENT * noise > usual
        rows.append(
            {
                "segment": name,
                "value": value,
                "rows": int(selected.sum()),
                "mean_came": here["mean_came"],
                "mean_said": here["mean_said"],
                "mean_absolute_error": here["mean_absolute_error"],
                "mean_absolute_error_noise": here["mean_absolute_error_noise"],
                "error_share": finite(share),
                "coverage": here["coverage"],
                "warning": f"It is further off here than overall: by {share:.0%} of the amount, against {usual:.0%}."
                if is_worse
                else "",
            }
        )
    return rows


def amount_gates(figures: dict, spec: PredictionSpec) -> tuple[str, bool, str]:
    """Verdict, whether the model may score, and why."""
    gain, error = figures["gain_over_base_rate"], figures["gain_error"]
    same = "the median" if spec.loss == "absolute" else "the mean"
    own, base = (
        (figures["mean_absolute_error"], figures["mean_absolute_error_of_median"])
        if spec.loss == "absolute"
        else (figures["root_mean_squared_error"], figures["root_mean_squared_error_of_mean"])
    )
    own_words, base_words = (describe_value(each, "number") for each in (own, base))
    if spec.relative_to is not None:
        same = f"{same} multiple of {spec.relative_to}"
        own_words, base_words = f"{own:.1%} of {spec.relative_to}", f"{base:.1%}"
    words = f"off by {own_words} on the test, where saying {same} of everyone is off by {base_words}"
    if spec.loss == "squared":
        words = words.replace("off by", "off (root mean square) by")
    if not gain > SURE * error or not own < base:
        return "no_signal", False, f"Refused: no better than {same} of everyone by more than noise ({words})."
    return "ok", True, f"Kept: the first model, {words}."
