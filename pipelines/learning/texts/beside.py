"""What stands beside a text in one model: numbers and categories of its row, and vectors of its meaning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipelines.values.private_data import masked

if TYPE_CHECKING:
    from scipy import sparse

MOST_LEVELS = 50
FEWEST_OF_LEVEL = 5
"""Texts that a level of a category takes; rarer ones are one level."""
FURTHEST = 10.0
"""Standard deviations from the mean beyond which a number is taken as that far."""
WEIGHT_OF_VECTORS = 2.0
"""The typical length of a vector, where each view of words has 1. See docs/decisions/011-texts.md."""
LONGEST_VALUE = 60
"""Characters of a value in words."""


@dataclass(frozen=True)
class Beside:
    """Of as many texts as there are: columns and vectors."""

    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    """By name: numbers (float64, nan where missing), or words (object, None where missing)."""
    vectors: np.ndarray | None = None
    """Texts × size, float32."""
    source: str | None = None
    """What made the vectors."""

    def take(self, rows: np.ndarray) -> "Beside":
        """The same of some of the texts."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return Beside(columns, None if self.vectors is None else self.vectors[rows], self.source)


def learn_beside(beside: Beside | None) -> list[dict]:
    """
    The views of what stands beside texts: one of the columns and one of the vectors, as far as there are any.

    A number is the signed logarithm (asinh) of its distance to the median in quartile ranges, standardised, 0 where
    missing, and a flag for missing; a category is a flag for every level. All columns together weigh what one view of
    words does.
    """
    if beside is None:
        return []
    views: list[dict] = []
    if beside.columns:
        states = [_learn_column(name, values) for name, values in beside.columns.items()]
        views.append({"analyzer": "columns", "columns": states, "scale": 1 / np.sqrt(len(states)).item()})
    if beside.vectors is not None:
        mean = beside.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        length = float(np.sqrt(np.mean(np.sum((beside.vectors - mean) ** 2, axis=1)))) or 1.0
        scale = WEIGHT_OF_VECTORS / length
        views.append({"analyzer": "vectors", "mean": mean, "scale": scale, "source": beside.source})
    return views


def beside_values(view: dict, beside: Beside | None, count: int) -> "sparse.csr_matrix":
    """The values of a view beside `count` texts (texts × features, float32). Raises ValueError where vectors lack."""
    from scipy import sparse

    if view["analyzer"] == "vectors":
        if beside is None or beside.vectors is None:
            raise ValueError(f"The model needs the vectors of texts that {view['source']} makes.")
        return sparse.csr_matrix((beside.vectors - view["mean"]) * np.float32(view["scale"]))
    blocks = []
    for state in view["columns"]:
        values = None if beside is None else beside.columns.get(state["name"])
        blocks.append(_flags(state, values, count) if "levels" in state else _number(state, values, count))
    return sparse.csr_matrix(np.hstack(blocks) * np.float32(view["scale"]))


def owners_of(view: dict) -> np.ndarray:
    """The number of the column that every feature of a view of columns belongs to, int64."""
    sizes = [len(state["levels"]) + 2 if "levels" in state else 2 for state in view["columns"]]
    return np.repeat(np.arange(len(sizes)), sizes)


def in_words(state: dict, values: np.ndarray | None, row: int) -> str:
    """What a column says of a text, masked: `plan is Free`, `arr is missing`."""
    value = None if values is None else values[row]
    if "levels" in state:
        known = None if value is None else str(value)
    else:
        known = None if value is None or not np.isfinite(value) else f"{value:,.6g}"
    return f"{state['name']} is {'missing' if known is None else masked(known)[:LONGEST_VALUE]}"


def _learn_column(name: str, values: np.ndarray) -> dict:
    if values.dtype == object:
        filled = [value for value in values.tolist() if value is not None]
        levels, counts = np.unique(np.array(filled, dtype=object).astype(str), return_counts=True)
        order = sorted(zip(levels.tolist(), counts.tolist(), strict=True), key=lambda each: (-each[1], each[0]))
        return {"name": name, "levels": [level for level, count in order if count >= FEWEST_OF_LEVEL][:MOST_LEVELS]}
    known = values[np.isfinite(values)]
    state = {"name": name, "centre": 0.0, "spread": 1.0, "mean": 0.0, "deviation": 1.0}
    if len(known):
        low, centre, high = np.quantile(known, [0.25, 0.5, 0.75])
        state |= {"centre": float(centre), "spread": float(high - low) or float(known.std()) or 1.0}
        bent = _bent(state, known)
        state |= {"mean": float(bent.mean()), "deviation": float(bent.std()) or 1.0}
    return state


def _bent(state: dict, values: np.ndarray) -> np.ndarray:
    return np.arcsinh((values - state["centre"]) / state["spread"])


def _number(state: dict, values: np.ndarray | None, count: int) -> np.ndarray:
    """The number and the flag for missing (texts × 2)."""
    given = np.full(count, np.nan) if values is None else np.asarray(values, dtype=np.float64)
    is_known = np.isfinite(given)
    standard = (_bent(state, np.where(is_known, given, 0.0)) - state["mean"]) / state["deviation"]
    return np.column_stack([np.where(is_known, np.clip(standard, -FURTHEST, FURTHEST), 0.0), ~is_known])


def _flags(state: dict, values: np.ndarray | None, count: int) -> np.ndarray:
    """A flag for every level, for any other, and for missing."""
    places = {level: number for number, level in enumerate(state["levels"])}
    other, missing = len(places), len(places) + 1
    given: Sequence = [None] * count if values is None else values.tolist()
    found = [missing if value is None else places.get(str(value), other) for value in given]
    return np.eye(len(places) + 2)[found]
