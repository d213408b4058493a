"""Texts that nearly say the same, so that none is judged by its copy.

Broder (1997), "On the resemblance and containment of documents": the share of equal minima of hashes estimates the
share of common shingles (Jaccard). Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3: bands.
"""

from collections.abc import Sequence

import numpy as np

HASHES, BANDS = 64, 16
ALIKE = 0.8
"""Share of equal minima from which on two texts count as one."""
SHINGLES = 2**20
PRIME = np.uint64(2**31 - 1)


def alike_clusters(texts: Sequence[str]) -> np.ndarray:
    """The cluster of every text, int64 from 0: near-duplicates share one. Texts without a word are clusters of one."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    distinct, place = np.unique(np.asarray(texts, dtype=object).astype(str), return_inverse=True)
    signatures = _signatures(distinct)
    links = [_links(signatures, band) for band in range(BANDS)]
    one, other = (np.concatenate(ends) for ends in zip(*links, strict=True))
    size = len(distinct)
    graph = coo_matrix((np.ones(len(one), dtype=np.int8), (one, other)), shape=(size, size))
    clusters = connected_components(graph, directed=False)[1].astype(np.int64)[place]
    empty = np.flatnonzero(np.array([not text for text in texts], dtype=bool))
    clusters[empty] = size + np.arange(len(empty))
    return np.unique(clusters, return_inverse=True)[1].astype(np.int64)


def _signatures(texts: np.ndarray) -> np.ndarray:
    """Minima of hashes (texts × HASHES, uint32) over runs of five characters, case and signs aside."""
    from sklearn.feature_extraction.text import HashingVectorizer

    shingles = HashingVectorizer(
        analyzer="char_wb", ngram_range=(5, 5), n_features=SHINGLES, norm=None, alternate_sign=False, binary=True
    ).transform(texts)
    rng = np.random.default_rng(1)
    factors, offsets = (rng.integers(1, 2**31 - 1, HASHES, dtype=np.uint64) for _ in range(2))
    signatures = np.full((len(texts), HASHES), np.iinfo(np.uint32).max, dtype=np.uint32)
    filled = np.flatnonzero(np.diff(shingles.indptr))
    starts, codes = shingles.indptr[filled], shingles.indices.astype(np.uint64)
    for number in range(HASHES):
        hashed = ((codes * factors[number] + offsets[number]) % PRIME).astype(np.uint32)
        signatures[filled, number] = np.minimum.reduceat(hashed, starts)
    # A text without a shingle is like no other.
    rest = np.setdiff1d(np.arange(len(texts)), filled)
    signatures[rest, :] = np.iinfo(np.uint32).max - rest[:, None].astype(np.uint32)
    return signatures


def _links(signatures: np.ndarray, band: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of texts that are alike, of those that agree in a band: each with the first of its group."""
    width = HASHES // BANDS
    rows = np.ascontiguousarray(signatures[:, band * width : (band + 1) * width])
    _, first, group = np.unique(rows.view([("", rows.dtype)] * width).ravel(), return_index=True, return_inverse=True)
    leader = first[group]
    members = np.flatnonzero(leader != np.arange(len(rows)))
    agreeing = (signatures[members] == signatures[leader[members]]).mean(axis=1) >= ALIKE
    return members[agreeing], leader[members[agreeing]]
