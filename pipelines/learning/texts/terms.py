"""Texts as sparse terms: words, pairs of words, and runs of two to four characters within a word."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer

TOKEN = re.compile(r"\[(?:email|iban|card|phone|number)\]|\w+(?:['\u2019]\w+)*|[^\w\s]")
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


def learn_terms(texts: Sequence[str]) -> tuple[list[dict], "sparse.csr_matrix"]:
    """
    The terms of these texts (see `spaced`), and their values (texts × terms, float32).

    A view is a dictionary with analyzer, ngrams, vocabulary (list of terms in order) and weights (inverse document
    frequencies, float64). Values are 1 + log(count) times weight; each view of a text has length 1.
    """
    from scipy import sparse

    distinct, place = distinct_texts(texts)
    twice = [distinct[row] for row in np.flatnonzero(np.bincount(place, minlength=len(distinct)) > 1)]
    views, blocks = [], []
    for view in VIEWS:
        vectorizer = _vectorizer(view, min_df=view["least"], max_features=MOST_TERMS)
        try:
            # More than two equal texts say no more of a term than two.
            block = vectorizer.fit_transform(distinct + twice)
            block = block if len(distinct) == len(texts) else block[place]
        except ValueError:  # no text has a token
            continue
        vocabulary = [str(term) for term in vectorizer.get_feature_names_out()]
        views.append({**view, "vocabulary": vocabulary, "weights": np.asarray(vectorizer.idf_, dtype=np.float64)})
        blocks.append(block.astype(np.float32))
    empty = sparse.csr_matrix((len(texts), 0), dtype=np.float32)
    return views, sparse.hstack(blocks, format="csr") if blocks else empty


def term_values(views: Sequence[dict], texts: Sequence[str]) -> list["sparse.csr_matrix"]:
    """The values of texts (see `spaced`), a matrix (texts × terms of the view, float32) for each view."""
    distinct, place = distinct_texts(texts)
    blocks = []
    for view in views:
        vectorizer = _vectorizer(view, vocabulary=view["vocabulary"])
        vectorizer.idf_ = view["weights"]
        block = vectorizer.transform(distinct).astype(np.float32)
        blocks.append(block if len(distinct) == len(texts) else block[place])
    return blocks


def distinct_texts(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Every text once, in order, and the number of each one's (int64)."""
    numbers: dict[str, int] = {}
    place = np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)
    return list(numbers), place


def term_counts(view: dict, texts: Sequence[str]) -> "sparse.csr_matrix":
    """How often every term of a view stands in each text (texts × terms, int64)."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(**_reading(view), vocabulary=view["vocabulary"]).transform(texts)


def _vectorizer(view: dict, **settings: object) -> "TfidfVectorizer":
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(**_reading(view), sublinear_tf=True, **settings)


def _reading(view: dict) -> dict:
    """How a view takes a text apart, as scikit-learn's settings."""
    words = {"token_pattern": r"\S+"} if view["analyzer"] == "word" else {}
    return {"analyzer": view["analyzer"], "ngram_range": tuple(view["ngrams"]), "lowercase": False, **words}
