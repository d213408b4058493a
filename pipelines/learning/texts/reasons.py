"""Which words speak for a text's class: contributions of words and pairs of words that add up to its log-odds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.texts.beside import Beside, in_words, owners_of
from pipelines.learning.texts.features import feature_blocks, joined
from pipelines.learning.texts.terms import term_counts, word_counts

if TYPE_CHECKING:
    from scipy import sparse

    from pipelines.learning.texts.classifier import TextModel
    from pipelines.learning.texts.tags import TagModel

CHUNK = 2_000
"""Texts at once."""


@dataclass(frozen=True)
class Words:
    """What speaks for and against a class in one text."""

    contributions: dict[str, float]
    """Word, sign or pair of words → log-odds of the class against the others; nothing that the model does not know."""
    base: float
    """Log-odds without any word; with all contributions, columns and meaning the log-odds of the class."""
    columns: dict[str, float] = field(default_factory=dict)
    """What a column beside the text says (`plan is Free`) → log-odds."""
    meaning: float | None = None
    """What the vector of the whole text says, in log-odds."""


def word_contributions(
    model: "TextModel | TagModel", texts: Sequence[str], chosen: np.ndarray, beside: Beside | None = None
) -> Iterator[Words]:
    """
    For every text (see `terms.spaced`) what each word says for the class with the number in `chosen`.

    Log-odds are the class's margin, calibrated, of a model of one class a text less the mean of those of all others. A
    run of characters belongs to the words that it stands in, by how often. Taking a word's terms out of the text lowers
    the log-odds by what it says, the length of the text's vector being held.
    """
    effects = model.effects()
    for part, aside, rows in _chunks(texts, beside):
        yield from _words(model.views, effects, part, feature_blocks(model.views, part, aside), chosen[rows], aside)


def explained(
    model: "TextModel | TagModel", texts: Sequence[str], beside: Beside | None = None
) -> Iterator[tuple[np.ndarray, list[Words]]]:
    """Probabilities (texts × classes) and what the words say for the likeliest class, some texts (see `terms.spaced`)
    at a time.
    """
    effects = model.effects()
    for part, aside, _ in _chunks(texts, beside):
        blocks = feature_blocks(model.views, part, aside)
        probability = model.of_values(joined(blocks, len(part)))
        yield probability, _words(model.views, effects, part, blocks, probability.argmax(axis=1), aside)


def _chunks(texts: Sequence[str], beside: Beside | None) -> Iterator[tuple[Sequence[str], Beside | None, slice]]:
    for start in range(0, len(texts), CHUNK):
        rows = slice(start, min(start + CHUNK, len(texts)))
        yield texts[rows], beside and beside.take(np.arange(rows.start, rows.stop)), rows


def _words(
    views: Sequence[dict],
    effects: tuple[np.ndarray, np.ndarray],
    texts: Sequence[str],
    blocks: Sequence["sparse.csr_matrix"],
    chosen: np.ndarray,
    beside: Beside | None,
) -> list[Words]:
    """Of a few texts, with the values of every view."""
    weights, bases = effects
    found: list[dict[str, float]] = [{} for _ in texts]
    columns: list[dict[str, float]] = [{} for _ in texts]
    meanings: np.ndarray | None = None
    first = 0
    for view, values in zip(views, blocks, strict=True):
        of_view = weights[first : first + values.shape[1]]
        first += values.shape[1]
        rows = np.repeat(np.arange(len(texts)), np.diff(values.indptr))
        said = values.data * of_view[values.indices, chosen[rows]]
        match view["analyzer"]:
            case "word":
                names = view["vocabulary"]
                for row, term, amount in zip(rows.tolist(), values.indices.tolist(), said.tolist(), strict=True):
                    found[row][names[term]] = amount
            case "columns":
                _by_column(view, beside, rows, values.indices, said, columns)
            case "vectors":
                meanings = np.bincount(rows, weights=said, minlength=len(texts))
            case _:
                _share_out(view, texts, values, said, found)
    return [
        Words(words, float(bases[chosen[row]]), columns[row], None if meanings is None else float(meanings[row]))
        for row, words in enumerate(found)
    ]


def _by_column(
    view: dict, beside: Beside | None, rows: np.ndarray, features: np.ndarray, said: np.ndarray, found: list[dict]
) -> None:
    """Add up what the features of each column say, by the column's value in words."""
    states, size = view["columns"], len(view["columns"])
    sums = np.bincount(rows * size + owners_of(view)[features], weights=said, minlength=len(found) * size)
    for row, amounts in enumerate(sums.reshape(len(found), size).tolist()):
        for state, amount in zip(states, amounts, strict=True):
            values = None if beside is None else beside.columns.get(state["name"])
            found[row][in_words(state, values, row)] = amount


def _share_out(
    view: dict, texts: Sequence[str], values: "sparse.csr_matrix", said: np.ndarray, found: list[dict[str, float]]
) -> None:
    """Add what runs of characters say to the words that they stand in."""
    words, counts = word_counts(texts)
    runs = term_counts(view, words)  # words × terms
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
