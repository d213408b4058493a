"""Hold-back: a random share of entities that nobody acts on, so that acting on scores can be measured."""

import hashlib
import math
from statistics import NormalDist

import polars as pl

SURE = 0.95


def held_back(name: str, keys: pl.Series, share: float) -> pl.Series:
    """
    Whether each entity is held back (Boolean): its hash with the prediction's name falls into the share.

    The same entity always gets the same answer, whatever else is scored; a larger share keeps those of a smaller one;
    predictions hold back different entities. Raises ValueError if the share is not from 0 to below 1.
    """
    if not 0 <= share < 1:
        raise ValueError(f"{name}: holdback is {share}; give the share to hold back, from 0 to below 1, such as 0.1.")
    if share == 0:
        return pl.Series("is_holdback", [False] * len(keys), dtype=pl.Boolean)
    limit = share * 2**64
    flags = [
        int.from_bytes(hashlib.sha256(f"{name}\x1f{key}".encode()).digest()[:8], "big") < limit
        for key in keys.cast(pl.String)
    ]
    return pl.Series("is_holdback", flags, dtype=pl.Boolean)


def rate_interval(hits: float, cases: float, sure: float = SURE) -> tuple[float, float]:
    """Interval of a rate. Wilson (1927), "Probable inference, the law of succession, and statistical inference"."""
    z = NormalDist().inv_cdf((1 + sure) / 2)
    rate = hits / cases
    middle = (rate + z**2 / (2 * cases)) / (1 + z**2 / cases)
    half = z / (1 + z**2 / cases) * math.sqrt(max(0.0, rate * (1 - rate) / cases + z**2 / (4 * cases**2)))
    return max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half))


def rate_difference(
    hits: int, cases: int, other_hits: int, other_cases: int, sure: float = SURE
) -> tuple[float, float, float]:
    """
    First rate minus the other, with its interval: (difference, low, high); `cases` are independent and at least one.

    Newcombe (1998), "Interval estimation for the difference between independent proportions", Statistics in Medicine
    17, method 10: from the two rates' Wilson intervals, which holds for few cases and for rates near 0 and 1.
    """
    first, other = hits / cases, other_hits / other_cases
    low, high = rate_interval(hits, cases, sure)
    other_low, other_high = rate_interval(other_hits, other_cases, sure)
    difference = first - other
    return (
        difference,
        difference - math.hypot(first - low, other_high - other),
        difference + math.hypot(high - first, other - other_low),
    )
