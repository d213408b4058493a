"""Texts as sparse terms: words, pairs of words, and runs of two to four characters within a word."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipelines.values.private_data import MASKS

if TYPE_CHECKING:
    from scipy import sparse

TOKEN = re.compile(MASKS + r"|\w+(?:['\u2019]\w+)*|[^\w\s]")
"""A masked value, a word, or a single sign: an exclamation mark and an emoji say something, too."""
MOST_TERMS = 100_000
"""Of each view, the most frequent."""
VIEWS = (
    {"analyzer": "word", "ngrams": (1, 2), "least": 1},
    {"analyzer": "char_wb", "ngrams": (2, 4), "least": 2},
)
"""`least`: how many texts a term has to stand in."""


def tokens_of(text: str) -> list[str]:
    """The words and signs of a text, in lower case."""
    return TOKEN.findall(text.lower())


def spaced(texts: Sequence[str]) -> list[str]:
    """Every text as its tokens with blanks between, as the views read it."""
    return [" ".join(tokens_of(text)) for text in texts]


class Terms(NamedTuple):
    """The terms that a part of counted texts has, as views of a model."""

    views: list[dict]
    """Each a dictionary with analyzer, ngrams, vocabulary (list of terms in order) and weights (inverse document
    frequencies, float64)."""
    places: list[tuple[int, np.ndarray]]
    """Of each view, which one of `VIEWS` it is, and the places of its terms among all that were counted."""


@dataclass(frozen=True)
class TermCounts:
    """How often every term stands in every text: counted once, whatever part of the texts is learnt from."""

    terms: list[np.ndarray]
    """Of each of `VIEWS`, all terms in order (object)."""
    counts: "list[sparse.csr_matrix]"
    """Of each, texts × terms (int64)."""

    def learn(self, rows: np.ndarray) -> Terms:
        """The terms of some texts; a view without a term is left out."""
        found = Terms([], [])
        for number, (view, terms, counts) in enumerate(zip(VIEWS, self.terms, self.counts, strict=True)):
            part = counts[rows]
            texts_with = np.bincount(part.indices, minlength=len(terms))
            kept = np.flatnonzero(texts_with >= view["least"])
            if len(kept) > MOST_TERMS:
                how_often = np.asarray(part.sum(axis=0)).ravel()[kept]
                kept = np.sort(kept[np.argsort(-how_often, kind="stable")[:MOST_TERMS]])
            if len(kept):
                weights = np.log((1 + len(rows)) / (1 + texts_with[kept])) + 1
                found.views.append({**view, "vocabulary": terms[kept].tolist(), "weights": weights})
                found.places.append((number, kept))
        return found

    def values(self, terms: Terms, rows: np.ndarray) -> "sparse.csr_matrix":
        """
        The values of some texts (texts × terms of all views, float32): 1 + log(count) times weight; each view of a text
        has length 1.
        """
        from scipy import sparse

        blocks = [
            _weighed(self.counts[number][rows][:, kept], view["weights"])
            for view, (number, kept) in zip(terms.views, terms.places, strict=True)
        ]
        return sparse.hstack(blocks, format="csr") if blocks else sparse.csr_matrix((len(rows), 0), dtype=np.float32)


def count_terms(texts: Sequence[str]) -> TermCounts:
    """Count the terms of texts (see `spaced`) in every view."""
    distinct, place = distinct_texts(texts)
    counted = [_counts(view, distinct, None) for view in VIEWS]
    counts = [block if len(distinct) == len(texts) else block[place] for _, block in counted]
    return TermCounts([terms for terms, _ in counted], counts)


def learn_terms(texts: Sequence[str]) -> tuple[list[dict], "sparse.csr_matrix"]:
    """The terms of these texts (see `spaced`) as views, and their values."""
    counted, rows = count_terms(texts), np.arange(len(texts))
    terms = counted.learn(rows)
    return terms.views, counted.values(terms, rows)


def _weighed(counts: "sparse.csr_matrix", weights: np.ndarray) -> "sparse.csr_matrix":
    """1 + log(count) times weight, each text of length 1 (float32)."""
    from sklearn.preprocessing import normalize

    values = counts.astype(np.float64)
    if not counts.shape[0]:
        return values.astype(np.float32)
    values.data = (np.log(values.data) + 1) * weights[values.indices]
    return normalize(values, copy=False).astype(np.float32)


def term_values(views: Sequence[dict], texts: Sequence[str]) -> list["sparse.csr_matrix"]:
    """The values of texts (see `spaced`), a matrix (texts × terms of the view, float32) for each view."""
    distinct, place = distinct_texts(texts)
    blocks = []
    for view in views:
        block = _weighed(term_counts(view, distinct), view["weights"])
        blocks.append(block if len(distinct) == len(texts) else block[place])
    return blocks


def distinct_texts(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Every text once, in order, and the number of each one's (int64)."""
    numbers: dict[str, int] = {}
    place = np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)
    return list(numbers), place


def term_counts(view: dict, texts: Sequence[str]) -> "sparse.csr_matrix":
    """How often every term of a view stands in each text (texts × terms, int64)."""
    return _counts(view, texts, view["vocabulary"])[1]


def _counts(
    view: dict, texts: Sequence[str], vocabulary: Sequence[str] | None
) -> "tuple[np.ndarray, sparse.csr_matrix]":
    """Terms (object; those of the vocabulary, if one is given) and how often each stands in every text."""
    from scipy import sparse
    from sklearn.feature_extraction.text import CountVectorizer

    # Runs of characters are within words: they are counted in every word once, and the words in the texts.
    words = word_counts(texts) if view["analyzer"] == "char_wb" else None
    counted = texts if words is None else words.words
    vectorizer = CountVectorizer(**_reading(view), vocabulary=vocabulary)
    terms = np.empty(0, dtype=object) if vocabulary is None else np.asarray(vocabulary, dtype=object)
    if not len(counted):
        return terms, sparse.csr_matrix((len(texts), len(terms)), dtype=np.int64)
    try:
        counts = vectorizer.transform(counted) if vocabulary is not None else vectorizer.fit_transform(counted)
    except ValueError:  # no text has a token
        return terms, sparse.csr_matrix((len(texts), 0), dtype=np.int64)
    if words is not None:
        counts = words.counts @ counts
        counts.sort_indices()
    return (terms if vocabulary is not None else vectorizer.get_feature_names_out()), counts.tocsr()


class WordCounts(NamedTuple):
    """How often every word stands in every text."""

    words: list[str]
    counts: "sparse.csr_matrix"
    """Texts × words (int64)."""


def word_counts(texts: Sequence[str]) -> WordCounts:
    """Count the words of texts (see `spaced`)."""
    from scipy import sparse

    place: dict[str, int] = {}
    columns, ends = [], [0]
    for text in texts:
        columns += [place.setdefault(word, len(place)) for word in text.split(" ") if word]
        ends.append(len(columns))
    counts = sparse.csr_matrix(
        (np.ones(len(columns), dtype=np.int64), np.asarray(columns, dtype=np.int64), np.asarray(ends, dtype=np.int64)),
        shape=(len(texts), len(place)),
    )
    counts.sum_duplicates()
    return WordCounts(list(place), counts)


def _reading(view: dict) -> dict:
    """How a view takes a text apart, as scikit-learn's settings."""
    words = {"token_pattern": r"\S+"} if view["analyzer"] == "word" else {}
    return {"analyzer": view["analyzer"], "ngram_range": tuple(view["ngrams"]), "lowercase": False, **words}
