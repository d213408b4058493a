"""Copies of texts, found and kept together."""

import time

import numpy as np

from pipelines.learning.texts.alike import alike_clusters

COMPLAINT = "My flight was cancelled and nobody at the desk could tell me when the next one leaves for Boston"


def test_near_copies_share_a_cluster_and_others_do_not():
    texts = [
        COMPLAINT,
        COMPLAINT + "!",
        COMPLAINT.upper(),
        "RT " + COMPLAINT,
        "My bag was lost and nobody at the desk could tell me where it is or when it comes to Boston",
        "Thanks for the great service today",
        "",
        "",
        "?",
    ]
    clusters = alike_clusters(texts)
    assert clusters.dtype == np.int64
    assert len(set(clusters[:4].tolist())) == 1
    assert len(set(clusters.tolist())) == 6


def test_the_order_of_texts_does_not_matter():
    rng = np.random.default_rng(3)
    words = np.array([f"word{number}" for number in range(50)])
    texts = [" ".join(rng.choice(words, 12)) for _ in range(200)]
    texts += [f"{text} {rng.choice(words)}" for text in texts[:60]]
    order = rng.permutation(len(texts))
    clusters, shuffled = alike_clusters(texts), alike_clusters([texts[place] for place in order])
    same = clusters[order][:, None] == clusters[order][None, :]
    assert (same == (shuffled[:, None] == shuffled[None, :])).all()


def test_fifty_thousand_equal_texts_are_one_cluster_at_once():
    started = time.process_time()
    clusters = alike_clusters([COMPLAINT] * 50_000)
    assert len(set(clusters.tolist())) == 1
    assert time.process_time() - started < 10
