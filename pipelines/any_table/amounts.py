"""A target that is an amount: whether it is one, its values as numbers, and what is said of it in the terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

FIGURES = (
    "mean_absolute_error",
    "mean_absolute_error_noise",
    "mean_absolute_error_of_median",
    "median_absolute_error",
    "median_absolute_error_noise",
    "root_mean_squared_error",
    "root_mean_squared_error_noise",
    "root_mean_squared_error_of_mean",
    "error_share",
    "error_share_noise",
    "r2",
    "coverage",
    "coverage_noise",
    "below",
    "above",
    "mean_width",
    "mean_came",
    "mean_said",
    "base_median",
    "base_mean",
    "loss",
    "tenths",
    "reliability",
)
"""Figures of the rows held out that evaluation.json has."""


def amounts_of(values: "pl.Series", task: str | None, most_classes: int, notes: list[str]) -> "pl.Series | None":
    """The target as an amount (Float64, null where there is none); None where it is not to be estimated as one.

    `task`: as asked for; where it was not, an amount is a number with more than `most_classes` different values. Raises
    ValueError for an amount that is no number.
    """
    from pipelines.learning.columns.types import infer_types

    if task not in (None, "amount"):
        return None
    frame, plan = infer_types(values.to_frame(), {values.name: "number"} if task else {})
    (kind,) = plan.kinds.values()
    if kind != "number" or (task is None and frame.to_series().drop_nulls().n_unique() <= most_classes):
        return None
    notes += plan.notes
    amounts = frame.to_series().alias(values.name)
    if task is None:
        notes.append(
            f"{values.name} is a number with {amounts.drop_nulls().n_unique():,} different values: it is estimated as "
            "an amount (--task and --positive ask otherwise)."
        )
    return amounts


def result_in_words(figures: Mapping) -> str:
    """How far off the estimates are, against saying the same of everyone, and how often the interval holds."""
    return (
        f"off by {figures['mean_absolute_error']:,.4g} ± {figures['mean_absolute_error_noise']:,.2g} on average "
        f"({_share(figures['error_share'])} of the amount; the median of everyone is off by "
        f"{figures['mean_absolute_error_of_median']:,.4g}), R² {figures['r2']:.3f}, "
        f"{figures['coverage']:.0%} within p10 to p90 (promised: 80%), by {figures['method']}"
    )


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
