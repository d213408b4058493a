"""Small helpers for building frames: ids, picks and gaps. Times are whole seconds since 1970, null where unknown."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipelines.sample.plan import World

CHUNK_STRIDE = 10**10
"""Record numbers of different chunks are so far apart, so that no two ids are the same."""


def ids(prefix: str, chunk: int, numbers: np.ndarray | pl.Series, width: int = 15) -> pl.Series:
    """Identifiers `<prefix><number of the record, padded>`; null numbers stay null."""
    series = pl.Series(numbers, dtype=pl.Int64) if isinstance(numbers, np.ndarray) else numbers.cast(pl.Int64)
    return prefix + (series + chunk * CHUNK_STRIDE).cast(pl.String).str.zfill(width)


def pick(values: Sequence, positions: np.ndarray) -> pl.Series:
    """The values at the given positions."""
    return pl.Series(list(values)).gather(pl.Series(positions, dtype=pl.Int64))


def keep(mask: np.ndarray, values: pl.Series | np.ndarray) -> pl.Series:
    """The values where the mask is true, null elsewhere."""
    series = pl.Series(values)
    return pl.select(pl.when(pl.Series(mask)).then(series)).to_series()


def either(mask: np.ndarray, yes: pl.Series | np.ndarray | str, no: pl.Series | np.ndarray | str) -> pl.Series:
    """`yes` where the mask is true, `no` elsewhere; texts are literals."""
    first, second = (pl.lit(value) if isinstance(value, str) else pl.lit(pl.Series(value)) for value in (yes, no))
    return pl.select(pl.when(pl.Series(mask)).then(first).otherwise(second)).to_series()


def repeated(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For counts per item: the item of each unit, and its number within the item."""
    item = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    return item, np.arange(len(item)) - starts[item]


def versions(frame: pl.DataFrame, key: str, stamp: str) -> pl.DataFrame:
    """One row per key and stamp, in their order: of two changes in the same second the later row stays."""
    return frame.unique([key, stamp], keep="last", maintain_order=True).sort(key, stamp)


def event_numbers(world: World, uid: np.ndarray, week: np.ndarray, number: np.ndarray) -> pl.Series:
    """Digits that name an event: its chunk, week, owner's number and number in the week."""
    serial = pl.Series((week.astype(np.int64) * 10**9 + uid) * 100 + number)
    return f"{world.chunk:04d}" + serial.cast(pl.String).str.zfill(14)


def expand(counts: np.ndarray, item: np.ndarray, week: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One entry per event: its item, its week, and its number within the two."""
    row, number = repeated(counts)
    return item[row], week[row], number
