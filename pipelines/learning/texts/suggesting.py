"""Which texts without a label would teach most: those that the model doubts, no two alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.texts.alike import alike_clusters
from pipelines.learning.texts.beside import Beside
from pipelines.learning.texts.terms import learn_terms, spaced

if TYPE_CHECKING:
    from pipelines.learning.texts.classifier import TextModel
    from pipelines.learning.texts.tags import TagModel

DOUBTFUL = 10
"""Texts for each that is suggested, the most doubtful, that it is chosen from."""
MOST_LOOKED_AT = 20_000
"""Texts that are chosen from where no model doubts, evenly spread."""
DIMENSIONS = 64


def suggested(
    texts: Sequence[str],
    count: int,
    model: "TextModel | TagModel | None" = None,
    beside: Beside | None = None,
    seed: int = 0,
) -> list[int]:
    """
    Places of at most `count` cleaned texts to label, the most doubtful first; of copies one, and none that is empty.

    The texts that the model doubts most are parted into as many groups as are asked for, by k-means on their words, and
    of each group the text nearest to its middle is taken. Without a model all texts are parted. Zhdanov (2019),
    "Diverse mini-batch Active Learning".
    """
    from threadpoolctl import threadpool_limits

    filled = np.array([row for row, text in enumerate(texts) if text], dtype=np.int64)
    _, first = np.unique(alike_clusters([texts[row] for row in filled]), return_index=True)
    places = filled[np.sort(first)]
    doubt = np.ones(len(places))
    if model is not None:
        doubt = doubts(model, model.probabilities([texts[row] for row in places], beside and beside.take(places)))
        most = np.argsort(-doubt, kind="stable")[: DOUBTFUL * count]
    else:
        most = np.unique(np.linspace(0, len(places) - 1, min(len(places), MOST_LOOKED_AT)).astype(np.int64))
    places, doubt = places[most], doubt[most]
    if len(places) > count:
        with threadpool_limits(limits=1):  # so that sums, and with them the choice, are the same on every machine
            chosen = _middles([texts[row] for row in places], doubt, count, seed)
        places, doubt = places[chosen], doubt[chosen]
    return places[np.argsort(-doubt, kind="stable")].tolist()


def doubts(model: "TextModel | TagModel", said: np.ndarray) -> np.ndarray:
    """
    How unsure a model is of every text, 0 to 1, from its probabilities (texts × classes).

    One class a text: by how little the likeliest is ahead of the next. Several labels: by the label nearest to even.
    """
    from pipelines.learning.texts.tags import TagModel

    if isinstance(model, TagModel):
        return 1 - np.abs(2 * said - 1).min(axis=1)
    two = np.sort(said, axis=1)[:, -2:]
    return 1 - (two[:, 1] - two[:, 0])


def _middles(texts: Sequence[str], weights: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Numbers of the texts nearest to the middles of so many groups; where groups are empty, the first of the rest."""
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.decomposition import TruncatedSVD

    _, values = learn_terms(spaced(texts))
    size = min(DIMENSIONS, min(values.shape) - 1)
    if size < 1:
        return np.arange(count)
    points = TruncatedSVD(size, random_state=seed).fit_transform(values.astype(np.float64))
    points /= np.linalg.norm(points, axis=1, keepdims=True) + 1e-12
    means = MiniBatchKMeans(count, random_state=seed, n_init=3).fit(points, sample_weight=np.maximum(weights, 1e-6))
    distance = ((points - means.cluster_centers_[means.labels_]) ** 2).sum(axis=1)
    order = np.lexsort((distance, means.labels_))
    _, first = np.unique(means.labels_[order], return_index=True)
    chosen = order[first]
    rest = np.setdiff1d(np.arange(len(texts)), chosen)[: count - len(chosen)]
    return np.concatenate([chosen, rest])
