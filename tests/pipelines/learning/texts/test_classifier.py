"""A classifier of texts: what it finds, what it refuses, and whether its words are true."""

import numpy as np
import pytest

from pipelines.learning.context import Context
from pipelines.learning.judging.evaluation import calibration_error
from pipelines.learning.learners.calibration import calibrated
from pipelines.learning.texts import linear
from pipelines.learning.texts.classifier import TextFit, TooFewTexts, fit_texts
from pipelines.learning.texts.linear import fit_classes
from pipelines.learning.texts.reasons import word_contributions
from pipelines.learning.texts.terms import learn_terms, spaced, term_values

SUBJECTS = {
    "delivery": ["parcel", "arrived", "courier", "late", "shipping", "address"],
    "billing": ["invoice", "charged", "refund", "twice", "card", "amount"],
    "account": ["password", "login", "locked", "email", "reset", "profile"],
}
OTHERS = [f"filler{number}" for number in range(60)]


def tickets(rows: int, noise: float = 0.1, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts with two or three words of their subject among others; some labels are wrong."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(rows):
        label = str(rng.choice(list(SUBJECTS)))
        words = [*rng.choice(SUBJECTS[label], rng.integers(1, 4)), *rng.choice(OTHERS, rng.integers(3, 9))]
        texts.append(" ".join(map(str, rng.permutation(words))))
        labels.append(str(rng.choice(list(SUBJECTS))) if rng.random() < noise else label)
    return texts, labels


@pytest.fixture(scope="module")
def fit() -> TextFit:
    return fit_texts(*tickets(900), Context())


def test_it_finds_what_there_is_and_its_percentages_hold_on_new_texts(fit: TextFit):
    assert fit.verdict == "ok"
    assert 0.85 < fit.figures["accuracy"] < 0.98
    texts, labels = tickets(4_000, seed=1)
    said = fit.model.probabilities(texts)
    assert said.shape == (4_000, 3) and np.allclose(said.sum(axis=1), 1)
    answers = np.array([fit.model.classes.index(label) for label in labels])
    accuracy = (said.argmax(axis=1) == answers).mean()
    assert abs(accuracy - fit.figures["accuracy"]) < 0.05
    assert calibration_error((said.argmax(axis=1) == answers).astype(float), said.max(axis=1)) < 0.08
    assert abs(said.max(axis=1).mean() - accuracy) < 0.04


def test_the_calibration_error_is_that_of_what_it_answers(fit: TextFit):
    labels = tickets(900)[1]
    right = np.array([fit.model.classes[each] for each in fit.said.argmax(axis=1)]) == np.array(labels)[fit.test]
    expected = calibration_error(right.astype(float), fit.said.max(axis=1))
    assert fit.figures["calibration_error"] == pytest.approx(expected) and expected > 0.01


def test_the_same_texts_give_the_same_model(fit: TextFit):
    again = fit_texts(*tickets(900), Context(threads=1))
    assert np.array_equal(again.model.weights, fit.model.weights)
    assert again.model.calibration == fit.model.calibration
    assert again.figures == fit.figures


def test_labels_by_chance_are_no_signal():
    rng = np.random.default_rng(5)
    texts, _ = tickets(400)
    assert fit_texts(texts, [str(each) for each in rng.choice(["a", "b"], 400)], Context()).verdict == "no_signal"


def test_no_text_is_judged_by_its_copy():
    """Labels by chance, every text three times: by looking up copies all of them would be right."""
    rng = np.random.default_rng(6)
    texts, _ = tickets(150, seed=7)
    labels = [str(each) for each in rng.choice(["a", "b"], 150)]
    copied = [f"{text}{mark}" for mark in ("", "!", " .") for text in texts]
    found = fit_texts(copied, labels * 3, Context())
    assert found.verdict == "no_signal" and found.copies > 250
    assert found.figures["accuracy"] < 0.75


@pytest.mark.parametrize(
    ("texts", "labels", "words"),
    [
        (["a text"] * 20, ["a", "b"] * 10, "There are 20 texts with a label; it takes 30 or more."),
        ([f"text {number}" for number in range(40)], ["a"] * 40, "All texts have the label 'a'"),
        ([f"text {number}" for number in range(40)], ["a"] * 37 + ["b"] * 3, "Too few texts of b"),
        (["one and the same text"] * 40, ["a", "b"] * 20, "Nearly all texts are copies"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_words(texts: list[str], labels: list[str], words: str):
    with pytest.raises(TooFewTexts, match=words):
        fit_texts(texts, labels, Context())


def test_words_add_up_to_the_log_odds_and_taking_one_out_changes_them_by_what_it_said(fit: TextFit):
    texts = spaced([*tickets(30, seed=9)[0], "parcel parcel parcel late!", "nothing known: ŵŵŵ", ""])
    model = fit.model
    margins = model.margins(_joined(term_values(model.views, texts)))
    scaled = model.calibration[0] * margins + np.asarray(model.calibration[1])
    chosen = calibrated(model.calibration, margins).argmax(axis=1)
    for row, words in enumerate(word_contributions(model, texts, chosen)):
        said = scaled[row, chosen[row]]
        others = np.delete(scaled[row], chosen[row]).mean()
        assert words.base + sum(words.contributions.values()) == pytest.approx(said - others, abs=1e-4)
    word = "parcel"
    (said,) = word_contributions(model, ["my parcel filler1"], np.array([model.classes.index("delivery")]))
    left = dict(said.contributions)
    taken = left.pop(word)
    assert taken > 0 and taken == max(v for k, v in said.contributions.items() if " " not in k)
    blocks = term_values(model.views, ["my parcel filler1"])
    alone = term_values(model.views, [word])
    for block, own in zip(blocks, alone, strict=True):
        block.data[np.isin(block.indices, own.indices)] = 0.0
    without = model.calibration[0] * model.margins(_joined(blocks)) + np.asarray(model.calibration[1])
    place = model.classes.index("delivery")
    rest = without[0, place] - np.delete(without[0], place).mean()
    assert rest == pytest.approx(said.base + sum(left.values()), abs=0.05 + 1e-4)


def _joined(blocks: list):
    from scipy import sparse

    return sparse.hstack(blocks, format="csr")


def test_equal_texts_are_fitted_once_with_the_same_solution(monkeypatch: pytest.MonkeyPatch):
    texts, labels = tickets(200, seed=11)
    values, target = learn_terms(spaced(texts * 4))[1], np.unique(labels * 4, return_inverse=True)[1]
    weights, intercepts = fit_classes(values, target, 0.15, 3)
    monkeypatch.setattr(linear, "MOSTLY_DISTINCT", 0.0)
    each, each_intercepts = fit_classes(values, target, 0.15, 3)
    assert np.abs(weights - each).max() < 0.01 and np.abs(intercepts - each_intercepts).max() < 0.01
    assert np.abs(weights).max() > 0.3
