"""Columns and vectors beside a text: learnt from, and named in reasons that add up."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.learning.context import Context
from pipelines.learning.texts.beside import Beside, beside_values, learn_beside
from pipelines.learning.texts.classifier import TextFit, fit_texts
from pipelines.learning.texts.features import feature_values
from pipelines.learning.texts.labelling import MEANING, labelled
from pipelines.learning.texts.reasons import word_contributions
from pipelines.learning.texts.storage import load_text_model, save_text_model
from pipelines.learning.texts.terms import spaced
from tests.pipelines.learning.texts.test_classifier import OTHERS


def case(rows: int, seed: int = 0) -> tuple[list[str], list[str], Beside]:
    """Urgent where the text says so, or the plan is Gold, or the revenue is high; revenue has a heavy tail and gaps."""
    rng = np.random.default_rng(seed)
    said, gold = rng.random(rows) < 0.3, rng.random(rows) < 0.4
    revenue = np.exp(rng.normal(6, 2, rows))
    odds = -2.5 + 3 * said + 2.5 * gold + 1.0 * (np.log(revenue) - 6)
    labels = np.where(rng.random(rows) < 1 / (1 + np.exp(-odds)), "urgent", "calm").tolist()
    texts = [" ".join([*rng.choice(OTHERS, 5), "outage" if each else "question"]) for each in said]
    plan = np.array(["Gold" if each else rng.choice(["Free", "Basic", None]) for each in gold], dtype=object)
    revenue[rng.random(rows) < 0.1] = np.nan
    return texts, labels, Beside({"plan": plan, "revenue": revenue})


@pytest.fixture(scope="module")
def fit() -> TextFit:
    texts, labels, beside = case(900)
    return fit_texts(texts, labels, Context(), beside)


def test_columns_beside_the_text_make_it_better(fit: TextFit):
    texts, labels, _ = case(900)
    alone = fit_texts(texts, labels, Context())
    assert fit.figures["log_loss"] < alone.figures["log_loss"] - 0.08
    assert fit.figures["auc"] > 0.83


def test_reasons_name_columns_and_add_up(fit: TextFit):
    texts, _, beside = case(60, seed=2)
    model, ready = fit.model, spaced(texts)
    urgent = np.full(60, model.classes.index("urgent"))
    slope, offsets = model.calibration
    scaled = slope * model.margins(feature_values(model.views, ready, beside)) + np.asarray(offsets)
    for row, words in enumerate(word_contributions(model, ready, urgent, beside)):
        total = words.base + sum(words.contributions.values()) + sum(words.columns.values())
        assert total == pytest.approx(scaled[row, urgent[row]] - scaled[row, 1 - urgent[row]], abs=1e-4)
    aside = Beside({"plan": np.array(["Gold", None], dtype=object), "revenue": np.array([250_000.0, np.nan])})
    scores = labelled(model, ["filler1 outage"] * 2, aside)
    assert {scores[f"reason_{n}"][0] for n in (1, 2)} <= {"plan is Gold", "revenue is 250,000", "“outage”"}
    assert '"column": "plan is missing"' in scores["reasons"][1] and "revenue is missing" in scores["reasons"][1]
    assert scores["probability_urgent"][0] > scores["probability_urgent"][1] + 0.05


def test_a_column_that_is_missing_and_a_level_never_seen_are_no_error(fit: TextFit, tmp_path: Path):
    model = load_text_model(tmp_path / "m.zip", save_text_model(fit.model, tmp_path / "m.zip"))
    texts, _, beside = case(20, seed=3)
    assert np.array_equal(model.probabilities(texts, beside), fit.model.probabilities(texts, beside))
    other = Beside({"plan": np.array(["Platinum"] * 20, dtype=object)})
    assert np.isfinite(model.probabilities(texts, other)).all()
    assert "plan is Platinum" in labelled(model, texts, other)["reasons"][0]
    assert np.isfinite(model.probabilities(texts)).all()


def test_numbers_of_any_size_and_private_words_stay_within_bounds():
    wild = Beside({"n": np.array([1e300, -1e300, 0.0, 1.0, np.inf, np.nan]), "same": np.full(6, 7.0)})
    (view,) = learn_beside(wild)
    values = beside_values(view, wild, 6).toarray()
    assert np.isfinite(values).all() and np.abs(values).max() <= 10
    assert (values[4:, 1] > 0).all() and (values[:4, 1] == 0).all()
    texts, labels, _ = case(60, seed=4)
    mails = Beside({"mail": np.array([f"ann{n}@shop.example" for n in range(60)], dtype=object)})
    assert "@" not in "".join(labelled(fit_texts(texts, labels, Context(), mails).model, texts, mails)["reasons"])


def test_vectors_have_one_reason_that_adds_up():
    texts, labels, _ = case(600, seed=5)
    rng = np.random.default_rng(0)
    vectors = rng.normal(0, 1, (600, 8)).astype(np.float32)
    vectors[:, 0] += np.array([2.0 if label == "urgent" else -2.0 for label in labels])
    beside = Beside(vectors=vectors, source="a folder")
    fit = fit_texts(texts, labels, Context(), beside)
    assert fit.figures["accuracy"] > 0.9
    model, ready = fit.model, spaced(texts)
    slope, offsets = model.calibration
    scaled = slope * model.margins(feature_values(model.views, ready, beside)) + np.asarray(offsets)
    chosen = np.zeros(600, dtype=np.int64)
    for row, words in enumerate(word_contributions(model, ready, chosen, beside)):
        total = words.base + sum(words.contributions.values()) + words.meaning
        assert total == pytest.approx(scaled[row, 0] - scaled[row, 1], abs=1e-4)
    assert labelled(model, texts, beside)["reason_1"].to_list().count(MEANING) > 300
    with pytest.raises(ValueError, match="needs the vectors of texts that a folder makes"):
        model.probabilities(texts)
