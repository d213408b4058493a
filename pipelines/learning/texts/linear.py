"""Linear support vector machines on sparse values: one class against the rest.

Hsieh et al. (2008), "A dual coordinate descent method for large-scale linear SVM".
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.texts.beside import Beside
from pipelines.learning.texts.features import feature_values
from pipelines.learning.texts.terms import spaced

if TYPE_CHECKING:
    from scipy import sparse
    from sklearn.svm import LinearSVC

STRENGTHS = (0.15, 1.0)
"""Inverse regularisation of the candidates; chosen on texts that they have not seen."""
ABSENT, PRESENT = -3.0, 1.0
"""The margin of a class that no text has, and of one that all have."""
MOSTLY_DISTINCT = 0.8
"""Share of different rows from which on each is taken for itself."""
_liblinear = Lock()
"""Held while it fits: it draws from one generator of the whole process, and two at once would not be repeatable."""


class Linear(ABC):
    """What models of one label a text and of several share: views, weights and intercepts are theirs."""

    views: list[dict]
    weights: np.ndarray
    intercepts: np.ndarray

    @abstractmethod
    def of_values(self, values: "sparse.csr_matrix") -> np.ndarray:
        """Probabilities (texts × labels, float64) of the values of all features."""

    def margins(self, values: "sparse.csr_matrix") -> np.ndarray:
        """Texts × labels, float64, before calibration."""
        return np.asarray(values @ self.weights, dtype=np.float64) + self.intercepts

    def probabilities(self, texts: Sequence[str], beside: Beside | None = None) -> np.ndarray:
        """Of cleaned texts: texts × labels, float64. `beside`: what the model has learnt from beside texts."""
        return self.of_values(feature_values(self.views, spaced(texts), beside))


def fit_classes(
    values: "sparse.csr_matrix", target: np.ndarray, strength: float, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (features × classes, float32) and intercepts; a class that these texts lack is far below all others."""
    weights, intercepts = np.zeros((values.shape[1], classes), dtype=np.float32), np.full(classes, ABSENT)
    if len(there := np.unique(target)) == 1 or not values.shape[1]:
        intercepts[there] = PRESENT
        return weights, intercepts
    found = _machine(values, target, strength)
    if len(found.classes_) == 2:
        sides = np.vstack([-found.coef_[0], found.coef_[0]]) / 2, np.array([-1.0, 1.0]) * found.intercept_[0] / 2
    else:
        sides = found.coef_, found.intercept_
    weights[:, found.classes_] = sides[0].T
    intercepts[found.classes_] = sides[1]
    return weights, intercepts


def fit_labels(values: "sparse.csr_matrix", has: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (features × labels, float32) and intercepts; `has`: texts × labels, whether a text has a label."""
    labels = has.shape[1]
    weights, intercepts = np.zeros((values.shape[1], labels), dtype=np.float32), np.full(labels, ABSENT)
    for label in range(labels):
        there = int(has[:, label].sum())
        if there in (0, len(has)) or not values.shape[1]:
            intercepts[label] = PRESENT if there else ABSENT
            continue
        found = _machine(values, has[:, label], strength)
        weights[:, label], intercepts[label] = found.coef_[0], found.intercept_[0]
    return weights, intercepts


def _machine(values: "sparse.csr_matrix", target: np.ndarray, strength: float) -> "LinearSVC":
    from sklearn.svm import LinearSVC

    values, target, weights = _once(values, target)
    with _liblinear:
        return LinearSVC(C=strength, dual=True, random_state=0).fit(values, target, sample_weight=weights)


def _once(values: "sparse.csr_matrix", target: np.ndarray) -> tuple["sparse.csr_matrix", np.ndarray, np.ndarray | None]:
    """Equal rows of one class as one row of their number's weight, which has the same solution; where they are many."""
    marks = values @ np.random.default_rng(0).random(values.shape[1])
    _, first, counts = np.unique(np.column_stack([marks, target]), axis=0, return_index=True, return_counts=True)
    if len(first) >= MOSTLY_DISTINCT * len(target):
        return values, target, None
    order = np.argsort(first)
    return values[first[order]], target[first[order]], counts[order].astype(np.float64)
