"""A text as a model takes it: its terms, and what stands beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.texts.beside import Beside, beside_values, learn_beside
from pipelines.learning.texts.terms import TermCounts, Terms, count_terms, term_values

if TYPE_CHECKING:
    from scipy import sparse

BESIDE = ("columns", "vectors")
"""Views that are not of terms; they stand behind those that are."""


@dataclass(frozen=True)
class Features:
    """Texts (see `terms.spaced`), taken apart once, and what stands beside them."""

    counted: TermCounts
    beside: Beside | None

    def learn(self, rows: np.ndarray) -> "Learnt":
        """The views of some texts and of what stands beside them."""
        return Learnt(self, self.counted.learn(rows), learn_beside(self.beside_of(rows)))

    def beside_of(self, rows: np.ndarray) -> Beside | None:
        """What stands beside some texts."""
        return self.beside and self.beside.take(rows)


@dataclass(frozen=True)
class Learnt:
    """The views that were learnt from some of the texts."""

    features: Features
    terms: Terms
    others: list[dict]
    """Views that are not of terms."""

    @property
    def views(self) -> list[dict]:
        """All views, as a model keeps them."""
        return [*self.terms.views, *self.others]

    def values(self, rows: np.ndarray) -> "sparse.csr_matrix":
        """The values of texts over all views (texts × features, float32)."""
        beside = self.features.beside_of(rows)
        others = [beside_values(view, beside, len(rows)) for view in self.others]
        return joined([self.features.counted.values(self.terms, rows), *others], len(rows))


def features_of(ready: Sequence[str], beside: Beside | None) -> Features:
    """Take texts (see `terms.spaced`) apart."""
    return Features(count_terms(ready), beside)


def feature_blocks(views: Sequence[dict], ready: Sequence[str], beside: Beside | None) -> list["sparse.csr_matrix"]:
    """The values of texts, a matrix (texts × features of the view, float32) for each view."""
    blocks = term_values([view for view in views if view["analyzer"] not in BESIDE], ready)
    return blocks + [beside_values(view, beside, len(ready)) for view in views if view["analyzer"] in BESIDE]


def feature_values(views: Sequence[dict], ready: Sequence[str], beside: Beside | None) -> "sparse.csr_matrix":
    """The values of texts over all views (texts × features, float32)."""
    return joined(feature_blocks(views, ready, beside), len(ready))


def joined(blocks: Sequence["sparse.csr_matrix"], count: int) -> "sparse.csr_matrix":
    """The values of all views side by side, of `count` texts."""
    from scipy import sparse

    return sparse.hstack(blocks, format="csr") if blocks else sparse.csr_matrix((count, 0), dtype="float32")
