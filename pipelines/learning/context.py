"""How a fit is done, whatever it is of."""

from collections.abc import Callable
from dataclasses import dataclass


def quiet(message: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Context:
    """What every step of a fit is given beside its data."""

    seed: int = 0
    """The same seed and rows give the same model."""
    threads: int = 2
    """At once; LightGBM has one number of threads a process, so whatever runs at once must have the same."""
    say: Callable[[str], None] = quiet
    """Is told what is being done, for those who wait."""
