"""What the levels of a wide category (companies, post codes) say about a yes-or-no answer: one number a level.

A level's rate of yes is drawn towards the base rate, the more the fewer entities it has (Micci-Barreca, 2001, "A
preprocessing scheme for high-cardinality categorical attributes in classification and prediction problems"); how much
is estimated from the levels themselves (empirical Bayes: Bühlmann and Straub, 1970, "Glaubwürdigkeit für
Schadensätze"). A training row gets the effect that was learnt on the other folds, so that its own answer does not leak
into it (cross fitting, as in scikit-learn's TargetEncoder).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

FOLDS = 5
FEWEST_ENTITIES = 5
"""Entities that must share a level before anything is said about it."""
SURE = 2.33
"""Standard errors by which levels must differ more than by chance: one-sided 99 %. Where it is hard to tell, a level's
effect would be drawn to almost nothing anyway."""


@dataclass(frozen=True)
class LevelEffects:
    """Levels that enough entities share, the most frequent first, and what each says."""

    levels: list[str]
    effects: np.ndarray
    """Log-odds of a level's shrunk rate less those of the base rate, float64; all 0 where levels differ by chance."""
    out_of_fold: np.ndarray
    """The same for every row, learnt without its entity and a fifth of the others; 0 for other levels, nan for none."""


def entities_per_level(values: pl.Series, clusters: np.ndarray) -> pl.DataFrame:
    """level, entities (how many share it) and rows of every value, the most shared first; missing is no level."""
    return (
        pl.DataFrame({"level": values, "entity": clusters})
        .drop_nulls("level")
        .group_by("level")
        .agg(pl.col("entity").n_unique().alias("entities"), pl.len().alias("rows"))
        .sort(["entities", "level"], descending=[True, False])
    )


def learn_effects(
    values: pl.Series, clusters: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None
) -> LevelEffects:
    """
    Effects of the levels of `values` (text, null for missing) on `target` (0/1), from rows of equal length.

    `clusters`: entity of each row as an integer; rows of one entity in one level are one piece of evidence, whose
    answer is their mean. `weights`: how many rows each stands for. Folds depend on the entities' numbers alone, so the
    order of rows changes nothing.
    """
    words = values.cast(pl.String)
    counted = entities_per_level(words, clusters).filter(pl.col("entities") >= FEWEST_ENTITIES)
    levels, size = counted["level"].to_list(), counted.height
    codes = _codes(words, levels)
    if not size:
        return LevelEffects([], np.zeros(0), np.where(np.isnan(codes), np.nan, 0.0))
    fold = (hashed(clusters, 0) % np.uint64(FOLDS)).astype(np.int64)
    known = np.flatnonzero(codes < size)
    sums = _sums_by_fold(
        codes[known].astype(np.int64),
        clusters[known].astype(np.int64),
        fold[known],
        target[known],
        np.ones(len(known)) if weights is None else weights[known],
        size,
    )
    by_fold = np.zeros((FOLDS, size + 1))
    for number in range(FOLDS):
        # Not the sum of all less this fold's: rounding would tell of its answers.
        by_fold[number, :size] = _shrunk(np.delete(sums, number, axis=1).sum(axis=1))
    place = np.nan_to_num(codes, nan=size).astype(np.int64)
    out_of_fold = np.where(np.isnan(codes), np.nan, by_fold[fold, place])
    return LevelEffects(levels, _shrunk(sums.sum(axis=1)), out_of_fold)


def effects_of(values: pl.Series, levels: list[str], effects: np.ndarray) -> np.ndarray:
    """The effect of every row's level (float64): 0 for one that is not among `levels`, nan for none."""
    codes = _codes(values.cast(pl.String), levels)
    return np.where(np.isnan(codes), np.nan, np.append(effects, 0.0)[np.nan_to_num(codes).astype(np.int64)])


def hashed(codes: np.ndarray, seed: int) -> np.ndarray:
    """A 64-bit hash of integers. Steele, Lea and Flood (2014), SplitMix64."""
    x = codes.astype(np.uint64) + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _codes(words: pl.Series, levels: list[str]) -> np.ndarray:
    """Number of every row's level, that of the levels for any other, nan for none (float64)."""
    table = pl.DataFrame(
        {"level": pl.Series(levels, dtype=pl.String), "code": np.arange(len(levels), dtype=np.float64)}
    )
    codes = pl.DataFrame({"level": words}).join(table, on="level", how="left", maintain_order="left")["code"]
    return np.where(words.is_null().to_numpy(), np.nan, codes.fill_null(len(levels)).to_numpy())


def _sums_by_fold(
    codes: np.ndarray, clusters: np.ndarray, fold: np.ndarray, target: np.ndarray, weights: np.ndarray, size: int
) -> np.ndarray:
    """Sums over the entities of each fold and level that `_shrunk` needs (7 × folds × levels)."""
    # In an order of its own, or sums would depend on that of the rows in the last digit.
    order = np.lexsort((weights, target, clusters, codes))
    codes, clusters, fold, target, weights = (each[order] for each in (codes, clusters, fold, target, weights))
    first = np.append(True, (codes[1:] != codes[:-1]) | (clusters[1:] != clusters[:-1]))
    starts = np.flatnonzero(first)
    total = np.add.reduceat(weights, starts)
    rate = np.add.reduceat(weights * target, starts) / total
    weight = total / np.diff(np.append(starts, len(codes)))
    cells = fold[starts] * size + codes[starts]
    sums = (np.ones(len(starts)), rate, weight, weight * rate, weight**2, weight**2 * rate, (weight * rate) ** 2)
    return np.stack([np.bincount(cells, each, FOLDS * size).reshape(FOLDS, size) for each in sums])


def _shrunk(sums: np.ndarray) -> np.ndarray:
    """Effects in log-odds of every level, from its sums; 0 for one without entities.

    Between levels: the variance of rates by the method of moments, as for random effects of unequal size (Q less what
    it would be by chance). Within: that of an entity's answer around its level's rate, weights included, so that rows
    drawn by their answer (`enough_rows`) count for what they tell.
    """
    result = np.zeros(sums.shape[1])
    present = sums[0] > 0
    count, answers, weight, hits, square, square_hits, square_squares = sums[:, present]
    entities, levels, whole = count.sum(), int(present.sum()), weight.sum()
    base = hits.sum() / max(whole, 1e-300)
    if levels < 2 or entities <= levels or not 0 < base < 1:
        return result
    rate = hits / weight
    around = np.maximum(square_squares - 2 * rate * square_hits + rate**2 * square, 0)
    within = float(around.sum() / whole * entities / (entities - levels))
    apart = float(weight @ (rate - base) ** 2)
    # Q in units of `within` is about chi-squared; a yes-or-no answer adds its kurtosis where levels are small.
    yes = answers.sum() / entities
    tails = 1 / (yes * (1 - yes)) - 6
    error = within * np.sqrt((2 + tails / count).sum() + 2 * levels**2 / (entities - levels))
    excess = apart - (levels - 1) * within
    if excess <= SURE * error:
        return result
    between = excess / (whole - (weight**2).sum() / whole)
    # At least as if there were one more entity at the base rate: no level is surer than its entities.
    drawn = base + weight / (weight + max(within / between, 1.0)) * (rate - base)
    result[present] = np.log(drawn / (1 - drawn)) - np.log(base / (1 - base))
    return result
