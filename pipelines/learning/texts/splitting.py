"""Which texts judge a model, and which choose between its candidates: copies are on one side of every split."""

import numpy as np

PARTS, TEST_PARTS, INNER_FOLDS = 15, 3, 3
"""Texts are dealt into parts, class by class; three at a time are a test, the others hold each other out in turn."""
FEW_TEXTS = 500
"""Below, every text is judged once, by a model that has not seen it: a fifth of so few would say nothing."""
ALWAYS = -1
"""The part of texts that are never held out: all of their class nearly say the same."""


def parts_of(clusters: np.ndarray, target: np.ndarray, seed: int) -> np.ndarray:
    """The part of every text: whole clusters, dealt evenly class by class; a class that is one cluster is `ALWAYS`."""
    _, first = np.unique(clusters, return_index=True)
    draw = np.random.default_rng(seed).random(len(first))
    order = np.lexsort((draw, target[first]))
    part = np.empty(len(first), dtype=np.int64)
    part[order] = np.arange(len(first)) % PARTS
    dealt = part[clusters]
    pairs = np.unique(np.column_stack([target, clusters]), axis=0)
    classes, counts = np.unique(pairs[:, 0], return_counts=True)
    alone = pairs[np.isin(pairs[:, 0], classes[counts == 1]), 1]
    dealt[np.isin(clusters, alone)] = ALWAYS
    return dealt


def tests_of(part: np.ndarray) -> list[np.ndarray]:
    """Which texts (bool) are the test in each round: one round, or so many that every text is judged once."""
    rounds = PARTS // TEST_PARTS if len(part) < FEW_TEXTS else 1
    tests = [part // TEST_PARTS == number for number in range(rounds)]
    return [test for test in tests if test.any()]


def folds_of(part: np.ndarray) -> np.ndarray:
    """The inner fold of every text, int64, -1 for one that is never held out."""
    return np.where(part == ALWAYS, -1, part % INNER_FOLDS)
