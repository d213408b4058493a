"""Which words speak for a text's class: contributions of words and pairs of words that add up to its log-odds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.texts.classifier import TextModel
from pipelines.learning.texts.terms import term_counts, term_values

if TYPE_CHECKING:
    from scipy import sparse

CHUNK = 2_000
"""Texts at once."""


@dataclass(frozen=True)
class Words:
    """What speaks for and against a class in one text."""

    contributions: dict[str, float]
    """Word, sign or pair of words → log-odds of the class against the others; nothing that the model does not know."""
    base: float
    """Log-odds without any word; with all contributions the log-odds of the class."""


def word_contributions(model: TextModel, texts: Sequence[str], chosen: np.ndarray) -> Iterator[Words]:
    """
    For every text (see `terms.spaced`) what each word says for the class with the number in `chosen`.

    Log-odds are the class's margin, calibrated, less the mean of those of all other classes. A run of characters
    belongs to the words that it stands in, by how often. Taking a word's terms out of the text lowers the log-odds by
    what it says, the length of the text's vector being held.
    """
    slope, offsets = model.calibration
    classes = len(model.classes)
    others = classes / (classes - 1)
    weights = slope * others * (model.weights - model.weights.mean(axis=1, keepdims=True))
    bases = slope * model.intercepts + np.asarray(offsets)
    bases = others * (bases - bases.mean())
    for start in range(0, len(texts), CHUNK):
        part, whose = texts[start : start + CHUNK], chosen[start : start + CHUNK]
        found: list[dict[str, float]] = [{} for _ in part]
        first = 0
        for view, values in zip(model.views, term_values(model.views, part), strict=True):
            of_view = weights[first : first + values.shape[1]]
            first += values.shape[1]
            rows = np.repeat(np.arange(len(part)), np.diff(values.indptr))
            said = values.data * of_view[values.indices, whose[rows]]
            if view["analyzer"] == "word":
                names = view["vocabulary"]
                for row, term, amount in zip(rows.tolist(), values.indices.tolist(), said.tolist(), strict=True):
                    found[row][names[term]] = amount
            else:
                _share_out(view, part, values, said, found)
        for row, contributions in enumerate(found):
            yield Words(contributions, float(bases[whose[row]]))


def _share_out(
    view: dict, texts: Sequence[str], values: "sparse.csr_matrix", said: np.ndarray, found: list[dict[str, float]]
) -> None:
    """Add what runs of characters say to the words that they stand in."""
    from scipy import sparse

    words = sorted({word for text in texts for word in text.split(" ") if word})
    place = {word: number for number, word in enumerate(words)}
    runs = term_counts(view, words)  # words × terms
    rows, columns = [], []
    for row, text in enumerate(texts):
        known = [place[word] for word in text.split(" ") if word]
        rows += [row] * len(known)
        columns += known
    counts = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(texts), len(words)))  # sums repeats
    # What one occurrence of a run says in a text, found by the text's and the run's number.
    keys = np.repeat(np.arange(len(texts)), np.diff(values.indptr)) * np.int64(values.shape[1]) + values.indices
    order = np.argsort(keys)
    occurrences = (counts @ runs).tocsr()
    occurrences.sort_indices()
    each = said[order] / occurrences.data
    keys = keys[order]

    whose = np.repeat(np.arange(len(texts)), np.diff(counts.indptr))
    sizes = np.diff(runs.indptr)[counts.indices]
    pairs = np.repeat(np.arange(len(whose)), sizes)
    steps = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    entries = runs.indptr[counts.indices][pairs] + steps
    where = np.searchsorted(keys, whose[pairs] * np.int64(values.shape[1]) + runs.indices[entries])
    amounts = each[where] * runs.data[entries] * counts.data[pairs]
    sums = np.bincount(pairs, weights=amounts, minlength=len(whose))
    for row, word, amount, size in zip(
        whose.tolist(), counts.indices.tolist(), sums.tolist(), sizes.tolist(), strict=True
    ):
        if size:
            found[row][words[word]] = found[row].get(words[word], 0.0) + amount
