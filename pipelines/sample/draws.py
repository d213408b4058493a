"""Random numbers without a state: each is a pure function of the seed, a stream's name and integer keys.

So a longer simulation never changes what a shorter one drew, and the order of work does not matter.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
NORMAL_FROM = 25.0
"""From this rate on a Poisson count is drawn as a rounded normal one."""

Keys = int | np.ndarray


def mix(bits: np.ndarray) -> np.ndarray:
    """Scramble 64-bit integers, in place (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    bits ^= bits >> np.uint64(30)
    bits *= FIRST
    bits ^= bits >> np.uint64(27)
    bits *= SECOND
    bits ^= bits >> np.uint64(31)
    return bits


class Draws:
    """The random numbers of one chunk of accounts. Keys broadcast against each other, like any arrays."""

    def __init__(self, seed: int, chunk: int) -> None:
        self.name = f"{seed}/{chunk}"

    def _bits(self, stream: str, keys: Sequence[Keys]) -> np.ndarray:
        start = int.from_bytes(blake2b(f"{self.name}/{stream}".encode(), digest_size=8).digest(), "little")
        bits = np.full(1, start, dtype=np.uint64)
        for key in keys:
            bits = mix(
                (np.atleast_1d(np.asarray(key, dtype=np.int64)).astype(np.uint64) + np.uint64(1)) * GOLDEN ^ bits
            )
        return bits

    def uniform(self, stream: str, *keys: Keys) -> np.ndarray:
        """Float64 in (0, 1)."""
        return ((self._bits(stream, keys) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53

    def normal(self, stream: str, *keys: Keys) -> np.ndarray:
        """Standard normal float64 (Box and Muller 1958)."""
        bits = self._bits(stream, keys)
        radius = ((bits >> np.uint64(32)).astype(np.float64) + 0.5) * 2.0**-32
        angle = (bits & np.uint64(0xFFFFFFFF)).astype(np.float64) * (2.0**-32 * 2 * np.pi)
        return np.sqrt(-2 * np.log(radius)) * np.cos(angle)

    def exponential(self, stream: str, *keys: Keys) -> np.ndarray:
        """Float64 with mean 1."""
        return -np.log(self.uniform(stream, *keys))

    def integer(self, stream: str, below: int | np.ndarray, *keys: Keys) -> np.ndarray:
        """Int64 in [0, below)."""
        return (self.uniform(stream, *keys) * below).astype(np.int64)

    def choice(self, stream: str, weights: Sequence[float], *keys: Keys) -> np.ndarray:
        """Int64 positions, drawn by weight."""
        edges = np.cumsum(weights)
        return np.searchsorted(edges / edges[-1], self.uniform(stream, *keys)).clip(0, len(weights) - 1)

    def chance(self, stream: str, probability: float | np.ndarray, *keys: Keys) -> np.ndarray:
        """Boolean, true with the given probability."""
        return self.uniform(stream, *keys) < probability

    def poisson(self, stream: str, rate: np.ndarray, *keys: Keys) -> np.ndarray:
        """Int64 counts with the given rates, in the rates' shape."""
        left = self.uniform(stream, *keys)
        rate, left = np.broadcast_arrays(np.asarray(rate, dtype=np.float64), left)
        count = np.zeros(rate.shape, dtype=np.int64)
        small = (rate < NORMAL_FROM) & (left > np.exp(-rate))
        where = np.flatnonzero(small)
        left_small, rate_small = left.ravel()[where], rate.ravel()[where]
        term = np.exp(-rate_small)
        total = term.copy()
        counts = np.zeros(len(where), dtype=np.int64)
        going = np.arange(len(where))
        step = 0
        while len(going) and step < 100:
            step += 1
            counts[going] = step
            term = term * rate_small[going] / step
            total = total + term
            more = left_small[going] > total
            going, term, total = going[more], term[more], total[more]
        count.ravel()[where] = counts
        large = rate >= NORMAL_FROM
        if large.any():
            normal = self.normal(f"{stream}/large", *keys)
            around = np.rint(rate + np.sqrt(rate) * np.broadcast_to(normal, rate.shape))
            count[large] = np.maximum(around[large], 0).astype(np.int64)
        return count
