"""Tables in which it is known which column was written after the outcome, and which honest one is strong."""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import polars as pl

from pipelines.learning.columns.kinds import Column, kind_of

Draw = Callable[[np.ndarray, np.random.Generator], pl.Series]


def gaussian(auc: float) -> Draw:
    """An honest score: normal within each answer, so far apart that its AUC is `auc`."""
    distance = np.sqrt(2) * NormalDist().inv_cdf(auc)
    return lambda y, g: pl.Series(g.normal(size=len(y)) + distance * y)


def skewed(auc: float) -> Draw:
    """The same with a long tail, in whole numbers (minutes, clicks), missing for one row in ten."""

    def draw(y: np.ndarray, g: np.random.Generator) -> pl.Series:
        values = np.floor(np.exp(3 + 0.8 * gaussian(auc)(y, g).to_numpy()))
        return pl.Series(values.astype(np.int64)).set(pl.Series(g.random(len(y)) < 0.1), None)

    return draw


def category(rates_of_no: tuple[float, ...], rates_of_yes: tuple[float, ...]) -> Draw:
    """Levels with these frequencies among no and among yes."""

    def draw(y: np.ndarray, g: np.random.Generator) -> pl.Series:
        ends = np.cumsum([rates_of_no, rates_of_yes], axis=1)[y.astype(int)]
        level = (g.random(len(y))[:, None] > ends[:, :-1]).sum(axis=1)
        return pl.Series([f"level {number}" for number in level])

    return draw


def flipped(noise: float) -> Draw:
    """The outcome itself as a word, wrong in this share of rows."""
    return lambda y, g: pl.Series(np.where((y > 0) != (g.random(len(y)) < noise), "closed", "open"))


def filled_after(share: float, noise: float = 0.0) -> Draw:
    """A reason, filled in for this share of the yes; and by mistake for a few no (`noise` of what is filled)."""

    def draw(y: np.ndarray, g: np.random.Generator) -> pl.Series:
        wrong = share * y.mean() / max(1 - y.mean(), 1e-9) * noise
        filled = g.random(len(y)) < np.where(y > 0, share, wrong)
        words = g.choice(["price", "service", "competitor", "moved"], len(y))
        return pl.Series(words).set(pl.Series(~filled), None)

    return draw


def near_pure_code(share: float, noise: float = 0.02) -> Draw:
    """A code whose groups are near pure for this share of the table, and say nothing in the rest."""

    def draw(y: np.ndarray, g: np.random.Generator) -> pl.Series:
        seen = np.where(g.random(len(y)) < noise, 1 - y, y)
        code = g.integers(0, 4, len(y)) + np.where(g.random(len(y)) < share, 4 + 4 * seen, 0)
        return pl.Series(code.astype(np.int64))

    return draw


def amount_after(share: float) -> Draw:
    """Money paid back: above zero only after a yes, for this share of them."""

    def draw(y: np.ndarray, g: np.random.Generator) -> pl.Series:
        return pl.Series(np.where((y > 0) & (g.random(len(y)) < share), np.exp(g.normal(3, 1, len(y))), 0.0).round(2))

    return draw


def numbered_by_answer(mixed: float) -> Draw:
    """Row numbers given after sorting by the outcome; a share of the rows got any number."""

    def draw(y: np.ndarray, g: np.random.Generator) -> pl.Series:
        place = np.where(g.random(len(y)) < mixed, g.random(len(y)) * 2, y + g.random(len(y)))
        return pl.Series((1_000 + np.argsort(np.argsort(place))).astype(np.int64))

    return draw


def table(
    planted: dict[str, Draw], rows: int, base: float, others: str, seed: int, columns: int = 12
) -> tuple[pl.DataFrame, list[Column], np.ndarray]:
    """Planted columns among `others`: "none", "weak" (AUC up to .55) or "moderate" (up to .70)."""
    g = np.random.default_rng(seed)
    y = (g.random(rows) < base).astype(np.float64)
    y[:10], y[10:20] = 1, 0
    best = {"none": 0.5, "weak": 0.55, "moderate": 0.7}[others]
    frame: dict[str, pl.Series] = {}
    for number in range(0 if others == "none" else columns):
        auc = 0.5 + (best - 0.5) * (1 - number / columns)
        kind = number % 4
        if kind == 3:
            away = 2 * (auc - 0.5)
            frame[f"other_{number}"] = category((0.4, 0.4, 0.2), (0.4 - 0.3 * away, 0.4, 0.2 + 0.3 * away))(y, g)
        else:
            frame[f"other_{number}"] = (skewed if kind == 2 else gaussian)(auc)(y, g)
    frame |= {name: draw(y, g) for name, draw in planted.items()}
    made = pl.DataFrame(frame)
    return made, [Column(name, kind_of(made[name].dtype)) for name in made.columns], y


# An outcome that is wrong in 20 % of rows, or numbers with 40 % mixed, are as strong as an honest column of AUC 0.8.
LEAKS: dict[str, Draw] = {
    "outcome, 1 % wrong": flipped(0.01),
    "outcome, 5 % wrong": flipped(0.05),
    "outcome, 10 % wrong": flipped(0.10),
    "filled for all yes": filled_after(1.0),
    "filled for 50 % of yes": filled_after(0.5, 0.02),
    "filled for 20 % of yes": filled_after(0.2),
    "near-pure code, 70 %": near_pure_code(0.7),
    "near-pure code, 50 %": near_pure_code(0.5),
    "amount after, 90 % of yes": amount_after(0.9),
    "amount after, 40 % of yes": amount_after(0.4),
    "numbered by answer": numbered_by_answer(0.1),
    "score, AUC .98": gaussian(0.98),
}
HONEST: dict[str, Draw] = {
    "score, AUC .75": gaussian(0.75),
    "score, AUC .80": gaussian(0.80),
    "score, AUC .85": gaussian(0.85),
    "score, AUC .90": gaussian(0.90),
    "skewed, AUC .80": skewed(0.80),
    "skewed, AUC .90": skewed(0.90),
    "strong category": category((0.45, 0.3, 0.15, 0.1), (0.1, 0.2, 0.3, 0.4)),
    "contract-like category": category((0.43, 0.25, 0.32), (0.89, 0.09, 0.02)),
    "two levels, like sex": category((0.15, 0.85), (0.68, 0.32)),
    "optional field": lambda y, g: pl.Series(g.choice(["a", "b", "c"], len(y))).set(
        pl.Series(g.random(len(y)) < np.where(y > 0, 0.15, 0.5)), None
    ),
}
