"""Columns that give an amount away: copies of it in another unit, with tax or rounded, and what tells that it is 0."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.learning.columns.kinds import as_numbers
from pipelines.learning.columns.leaks import Finding, find_leaks

if TYPE_CHECKING:
    from pipelines.learning.columns.kinds import Column

COPY, NEAR_COPY = 0.995, 0.97
"""Share of the order of the amounts that a column alone explains (its squared rank correlation), from which on it is
taken for a copy, or asked about. The strongest honest columns (a diamond's weight, last year's sales) stay below."""
FEWEST_KNOWN = 30
"""Rows that must have both, and rows of 0 and of more, for anything to be said."""


def find_amount_leaks(
    frame: pl.DataFrame,
    columns: "Sequence[Column]",
    target: np.ndarray,
    clusters: np.ndarray,
    seed: int,
    days: np.ndarray | None = None,
) -> list[Finding]:
    """Findings about `columns`, the leaky ones first.

    `frame`: tidied training rows; `target`: the amount of each row (float64); `clusters`, `days`: as for `find_leaks`,
    which judges what the columns say of whether an amount is 0, where many are.
    """
    found = {column.name: copy for column in columns if (copy := _copy_of(frame[column.name], column.kind, target))}
    is_more = (target != 0).astype(np.int64)
    if min(is_more.sum(), len(target) - is_more.sum()) >= FEWEST_KNOWN:
        names = ("0", "more than 0" if target.min() >= 0 else "not 0")
        for each in find_leaks(frame, columns, is_more, clusters, seed, days, names):
            if each.column in frame.columns and (each.grade == "leaky" or each.column not in found):
                found[each.column] = each
    return sorted(found.values(), key=lambda each: (each.grade != "leaky", each.column))


def _copy_of(values: pl.Series, kind: str, target: np.ndarray) -> Finding | None:
    """A number whose order is that of the amounts."""
    if kind != "number":
        return None
    pairs = pl.DataFrame({"column": as_numbers(values), "amount": target}).drop_nulls()
    if pairs.height < FEWEST_KNOWN:
        return None
    correlation = pairs.select(pl.corr("column", "amount", method="spearman")).item()
    explained = 0.0 if correlation is None or not np.isfinite(correlation) else float(correlation) ** 2
    if explained < NEAR_COPY:
        return None
    reason = f"alone it puts the amounts almost into their order: it explains {explained:.1%} of it"
    return Finding(values.name, "leaky" if explained >= COPY else "suspect", reason, {"explained": explained})
