"""Terms that are counted once for all parts of the texts: what scikit-learn finds in each part alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from pipelines.learning.texts import terms
from pipelines.learning.texts.terms import VIEWS, count_terms, learn_terms, spaced, term_values, tokens_of

WORDS = ["late", "parcel", "don't", "it’s", "!", "😡", "[email]", "Ärger", "rechnung", "a", "x2", "متأخر", "再", "_"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), min_size=1, max_size=12)


def of_sklearn(view: dict, texts: list[str]) -> TfidfVectorizer:
    words = {"token_pattern": r"\S+"} if view["analyzer"] == "word" else {}
    return TfidfVectorizer(
        analyzer=view["analyzer"],
        ngram_range=view["ngrams"],
        min_df=view["least"],
        lowercase=False,
        sublinear_tf=True,
        max_features=terms.MOST_TERMS,
        **words,
    ).fit(texts)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.data())
def test_any_part_has_the_terms_and_values_that_it_has_alone(texts: list[str], data: st.DataObject):
    ready = spaced(texts)
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, len(ready) - 1), min_size=1))))
    counted = count_terms(ready)
    learnt = counted.learn(rows)
    values = counted.values(learnt, np.arange(len(ready)))
    by_analyzer = {view["analyzer"]: view for view in learnt.views}
    start = 0
    for view in VIEWS:
        try:
            expected = of_sklearn(view, [ready[row] for row in rows])
        except ValueError:  # scikit-learn's way to say that there is no term
            assert view["analyzer"] not in by_analyzer
            continue
        found = by_analyzer[view["analyzer"]]
        assert found["vocabulary"] == expected.get_feature_names_out().tolist()
        np.testing.assert_allclose(found["weights"], expected.idf_, rtol=1e-12)
        block = values[:, start : start + len(found["vocabulary"])]
        np.testing.assert_allclose(block.toarray(), expected.transform(ready).toarray(), atol=1e-6)
        start += len(found["vocabulary"])
    assert values.shape == (len(ready), start) and values.dtype == np.float32
    blocks = term_values(learnt.views, ready)
    if blocks:
        stored = np.hstack([block.toarray() for block in blocks])
        np.testing.assert_allclose(stored, values.toarray(), atol=1e-6, err_msg="as a model from its file does")


def test_of_many_terms_the_most_frequent_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(terms, "MOST_TERMS", 3)
    ready = spaced(["late late late", "parcel parcel", "late refund", "parcel late"])
    views, values = learn_terms(ready)
    assert views[0]["vocabulary"] == ["late", "late late", "parcel"]
    assert [len(view["vocabulary"]) for view in views] == [3, 3] and values.shape == (4, 6)


def test_texts_without_a_token_have_no_terms():
    views, values = learn_terms(spaced(["", "  ", "\n"]))
    assert views == [] and values.shape == (3, 0)
    assert tokens_of("Don't! [email] 12,5 😡") == ["don't", "!", "[email]", "12", ",", "5", "😡"]
