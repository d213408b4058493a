"""A text as a model takes it: its terms, and what stands beside it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.learning.texts.beside import Beside, beside_values, learn_beside
from pipelines.learning.texts.terms import learn_terms, term_values

if TYPE_CHECKING:
    from scipy import sparse

BESIDE = ("columns", "vectors")
"""Views that are not of terms; they stand behind those that are."""


def learn_features(ready: Sequence[str], beside: Beside | None) -> tuple[list[dict], "sparse.csr_matrix"]:
    """The views of texts (see `terms.spaced`) and of what stands beside them, and all values (texts × features)."""
    from scipy import sparse

    views, values = learn_terms(ready)
    others = learn_beside(beside)
    if not others:
        return views, values
    blocks = [values, *(beside_values(view, beside, len(ready)) for view in others)]
    return [*views, *others], sparse.hstack(blocks, format="csr")


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
