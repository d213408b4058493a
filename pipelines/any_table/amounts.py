"""A target that is an amount: whether it is one, its values as numbers, and what is said of it in the terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


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
    from pipelines.learning.scoring.wording import describe_value

    names = ("mean_absolute_error", "mean_absolute_error_noise", "mean_absolute_error_of_median")
    off, noise, base = (describe_value(figures[name], "number") for name in names)
    return (
        f"off by {off} ± {noise} on average ({_share(figures['error_share'])} of the amount; saying the median of "
        f"everyone is off by {base}), R² {_fixed(figures['r2'])}, {figures['coverage']:.0%} within p10 to p90 "
        f"(promised: 80%), by {figures['method']}"
    )


def _fixed(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.2f}"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
