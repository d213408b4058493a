"""The levels of an ordered answer: ratings from 1 to 5, or words from low to high."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipelines.learning.specs import MOST_LEVELS


def level_words(values: pl.Series) -> pl.Series:
    """Answers as text; a whole number has no decimals, however it is stored."""
    if not values.dtype.is_numeric():
        return values.cast(pl.String)
    numbers = values.cast(pl.Float64)
    whole = numbers.round().cast(pl.Int64, strict=False)
    return whole.cast(pl.String).zip_with((whole == numbers).fill_null(True), numbers.cast(pl.String))


def levels_in(words: pl.Series) -> tuple[str, ...]:
    """The levels of answers that are whole numbers, the lowest first: with those in between that nobody has, where
    there are at most `MOST_LEVELS` then.

    Raises ValueError for other answers, and for too many levels.
    """
    known = words.drop_nulls().unique().sort()
    numbers = known.cast(pl.Int64, strict=False)
    if numbers.null_count():
        other = known.filter(numbers.is_null())[0]
        raise ValueError(
            f"{words.name} is {other!r} in some rows, which is no whole number; name its levels from the lowest to the "
            "highest (levels)"
        )
    distinct = numbers.sort().to_list()
    if len(distinct) > MOST_LEVELS:
        raise ValueError(
            f"{words.name} has {len(distinct):,} different numbers, and {MOST_LEVELS} levels are the most; make ranges "
            "of it, or estimate it as an amount (task amount)"
        )
    if distinct and distinct[-1] - distinct[0] < MOST_LEVELS:
        distinct = list(range(distinct[0], distinct[-1] + 1))
    return tuple(map(str, distinct))


def level_values(levels: Sequence[str]) -> np.ndarray:
    """What each level counts as in a mean (float64, rising): its number where numbers rise, else its place from 1."""
    places = np.arange(1.0, len(levels) + 1)
    try:
        numbers = np.array([float(int(level)) for level in levels])
    except ValueError:
        return places
    return numbers if (np.diff(numbers) > 0).all() else places
