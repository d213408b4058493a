"""What a table of labels says of texts that are short, empty, foreign, or of words that speak against them."""

import json

import numpy as np
import polars as pl
import pytest

from pipelines.learning.context import Context
from pipelines.learning.texts.classifier import TextModel, fit_texts
from pipelines.learning.texts.labelling import NO_TEXT, NO_WORD_FOR_IT, NO_WORDS, labelled, moods_by_word_list

WORDS = {"delivery": ["parcel", "courier", "shipping", "address"], "billing": ["invoice", "refund", "charged", "card"]}
OTHERS = ["please", "hello", "team", "again", "monday", "since", "order", "about", "question", "thanks"]


@pytest.fixture(scope="module")
def model() -> TextModel:
    """Four of five texts are about deliveries."""
    rng = np.random.default_rng(0)
    labels = [("billing" if number % 5 == 0 else "delivery") for number in range(200)]
    texts = [" ".join([*rng.choice(WORDS[label], 2), *rng.choice(OTHERS, 5)]) for label in labels]
    return fit_texts(texts, labels, Context()).model


def test_a_text_whose_words_all_speak_against_its_label_has_a_reason_too(model: TextModel):
    found = labelled(model, ["c", "e", "i", "r", "ad", *OTHERS])
    unsaid = found.filter(reason_1=NO_WORD_FOR_IT)
    assert unsaid.height and found["reason_1"].null_count() == 0
    for row in unsaid.to_dicts():
        told = json.loads(row["reasons"])
        assert row["predicted"] == "delivery" and row["probability"] > 0.5 and row["reason_2"] is None
        assert told["words"] and all(word["contribution"] <= 0 for word in told["words"])


def test_what_cannot_be_read_has_null_and_says_why(model: TextModel):
    german = "Die Rechnung war schon wieder falsch, und seit drei Wochen antwortet uns niemand mehr."
    found = labelled(model, ["", "jjjj", german, "parcel courier"])
    assert found["reason_1"].to_list()[:2] == [NO_TEXT, NO_WORDS]
    assert found["reason_1"][2] == "It is in German; the model learnt from English."
    assert found["predicted"].to_list() == [None, None, None, "delivery"]
    for column in ("probability", "probability_billing", "probability_delivery", "reasons"):
        assert found[column].is_null().to_list() == [True, True, True, False]


def test_moods_have_the_same_form_as_labels(model: TextModel):
    moods, labels = moods_by_word_list(["great", ""]), labelled(model, ["great", ""])
    shared = [name for name in labels.columns if not name.startswith("probability_")]
    assert moods.columns == shared and moods.schema == labels.select(shared).schema
    assert moods["predicted"].to_list() == ["positive", None]
    assert moods["reason_1"].to_list() == ["“great”", NO_TEXT]
    assert moods.select(pl.col("probability", "reasons").is_null().all()).row(0) == (True, True)
