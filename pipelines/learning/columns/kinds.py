"""A column: what kind its type makes it, its values tidied, its values as numbers."""

from dataclasses import dataclass
from typing import Literal

import polars as pl
import polars.selectors as cs


@dataclass(frozen=True)
class Column:
    """A usable column. `kind`: number, boolean, category, date or text."""

    name: str
    kind: str
    is_wide: bool = False
    """A category that is told by what its levels say of the answer (see `levels`), not by which level it is."""


@dataclass(frozen=True)
class Dropped:
    """A column that a model does not use, and why."""

    column: str
    kind: Literal["leaky", "excluded", "id_like", "constant", "target", "unusable"]
    """`leaky`: written with the outcome or after it; `excluded`: by the spec; `target`: it has the target's name."""
    reason: str
    """In words."""


def kind_of(dtype: pl.DataType) -> str | None:
    """What a declared type is encoded as; None if it cannot be."""
    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_numeric() or dtype == pl.Duration:
        return "number"
    if dtype in (pl.Date, pl.Datetime):
        return "date"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "category"
    return None


def tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with blank text, NaN and infinity as null, and times without zone."""
    return frame.with_columns(
        cs.float().map_batches(lambda s: s.set(~s.is_finite(), None)),
        (cs.string() | cs.categorical() | cs.enum()).cast(pl.String).str.strip_chars().replace("", None),
        cs.duration().dt.total_seconds() / 86_400,
        cs.decimal().cast(pl.Float64),
        cs.datetime().dt.replace_time_zone(None),
    )


def as_numbers(values: pl.Series) -> pl.Series:
    """Numbers, booleans, dates (days since 1970) or numbers written as text, as Float64; the rest null."""
    if values.dtype in (pl.Date, pl.Datetime):
        days = values.cast(pl.Datetime("us"), strict=False).dt.replace_time_zone(None).dt.epoch("us") / 86_400e6
        return days.cast(pl.Float64)
    if values.dtype == pl.Duration:
        return (values.dt.total_seconds() / 86_400).cast(pl.Float64)
    if values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    if values.dtype == pl.String:
        values = values.str.strip_chars()
    if kind_of(values.dtype) is None:
        return pl.Series(values.name, [None] * len(values), dtype=pl.Float64)
    numbers = values.cast(pl.Float64, strict=False)
    return numbers.set(~numbers.is_finite(), None)
