"""Several labels a text: what is found, how sure it is, and whether its words are true."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from pipelines.learning.context import Context
from pipelines.learning.judging.evaluation import calibration_error
from pipelines.learning.texts.classifier import TooFewTexts
from pipelines.learning.texts.features import feature_values
from pipelines.learning.texts.labelling import labelled
from pipelines.learning.texts.reasons import word_contributions
from pipelines.learning.texts.storage import load_text_model, save_text_model
from pipelines.learning.texts.tags import TagFit, _cutoff, fit_tags
from pipelines.learning.texts.terms import spaced
from tests.pipelines.learning.texts.test_classifier import OTHERS, SUBJECTS

SHARES = {"delivery": 0.4, "billing": 0.25, "account": 0.06}


def tagged(rows: int, noise: float = 0.05, seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Texts with one or two words of each of their labels among others; some labels are missing or wrong."""
    rng = np.random.default_rng(seed)
    texts, tags = [], []
    for _ in range(rows):
        given = [tag for tag, share in SHARES.items() if rng.random() < share]
        words = [word for tag in given for word in rng.choice(SUBJECTS[tag], rng.integers(1, 3))]
        words += list(rng.choice(OTHERS, rng.integers(3, 9)))
        texts.append(" ".join(map(str, rng.permutation(words))))
        tags.append([tag for tag in SHARES if (tag in given) != (rng.random() < noise)])
    return texts, tags


@pytest.fixture(scope="module")
def fit() -> TagFit:
    return fit_tags(*tagged(1_200), Context())


def marks(tags: list[list[str]], classes: tuple[str, ...]) -> np.ndarray:
    return np.array([[name in each for name in classes] for each in tags])


def test_it_finds_each_label_and_its_percentages_hold_on_new_texts(fit: TagFit):
    assert fit.verdict == "ok" and fit.model.classes == ("account", "billing", "delivery")
    texts, tags = tagged(4_000, seed=1)
    truth, said = marks(tags, fit.model.classes), fit.model.probabilities(texts)
    assert said.shape == truth.shape and (said.sum(axis=1) > 1.2).any()  # they are no shares of one
    for number in range(3):
        assert calibration_error(truth[:, number].astype(float), said[:, number]) < 0.06
        assert abs(said[:, number].mean() - truth[:, number].mean()) < 0.03
    called = said >= fit.model.cutoffs
    assert abs(f1_score(truth, called, average="micro") - fit.figures["micro_f1"]) < 0.06


def test_its_figures_are_those_of_the_texts_held_out(fit: TagFit):
    truth = marks(tagged(1_200)[1], fit.model.classes)[fit.test]
    called, figures = fit.said >= fit.model.cutoffs, fit.figures
    assert len(fit.test) == figures["n_test"] == 241
    assert figures["micro_f1"] == pytest.approx(f1_score(truth, called, average="micro"))
    assert figures["macro_f1"] == pytest.approx(f1_score(truth, called, average="macro"))
    assert figures["exact"] == pytest.approx((truth == called).all(axis=1).mean())
    for number, row in enumerate(figures["classes"]):
        assert row["average_precision"] == pytest.approx(average_precision_score(truth[:, number], fit.said[:, number]))
        assert row["average_precision"] > row["base_rate"] and row["cutoff"] == fit.model.cutoffs[number]
    p = np.clip(fit.said, 1e-12, 1 - 1e-12)
    assert figures["log_loss"] == pytest.approx(-np.where(truth, np.log(p), np.log1p(-p)).mean())
    assert figures["log_loss"] < figures["baseline_log_loss"]


def test_labels_by_chance_are_no_signal():
    rng = np.random.default_rng(4)
    texts, _ = tagged(90)
    tags = [[tag for tag in "abc" if rng.random() < 0.3] for _ in texts]
    assert fit_tags(texts, tags, Context()).verdict == "no_signal"


def test_words_add_up_to_the_log_odds_of_the_label(fit: TagFit):
    ready, model = spaced(tagged(20, seed=5)[0]), fit.model
    log_odds = model.slopes * model.margins(feature_values(model.views, ready, None)) + model.offsets
    for tag in range(3):
        for row, words in enumerate(word_contributions(model, ready, np.full(len(ready), tag))):
            assert words.base + sum(words.contributions.values()) == pytest.approx(log_odds[row, tag], abs=1e-4)


def test_the_labels_above_their_cutoffs_are_said_and_the_likeliest_is_explained(fit: TagFit):
    texts = ["parcel late courier and the invoice charged twice", "filler1 filler2 filler3 filler4"]
    scores = labelled(fit.model, texts, separator=" | ")
    assert scores["predicted"].to_list() in (["delivery | billing", ""], ["billing | delivery", ""])
    assert scores["probability"][0] == max(scores.select("^probability_.*$").row(0))
    likeliest = scores["predicted"][0].split(" | ")[0]
    assert scores["probability"][0] == scores[f"probability_{likeliest}"][0]
    assert any(word in scores["reason_1"][0] for word in SUBJECTS[likeliest])


def test_it_is_read_back_as_it_was_written(fit: TagFit, tmp_path: Path):
    again = load_text_model(tmp_path / "m.zip", save_text_model(fit.model, tmp_path / "m.zip"))
    new = tagged(10, seed=8)[0]
    assert np.array_equal(again.probabilities(new), fit.model.probabilities(new))
    assert labelled(again, new).equals(labelled(fit.model, new))


@pytest.mark.parametrize(
    ("texts", "tags", "words"),
    [
        (["a text"] * 20, [["a"]] * 20, "There are 20 texts with labels; it takes 30 or more."),
        ([f"text {n}" for n in range(40)], [["a"]] * 40, "All texts have the label 'a': there is nothing"),
        ([f"text {n}" for n in range(40)], [["a"]] * 20 + [["b"]] * 17 + [["a", "c"]] * 3, "Too few texts of c"),
        (["one and the same text"] * 40, [["a"], ["b", "a"]] * 20, "Nearly all texts are copies"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_words(texts: list[str], tags: list[list[str]], words: str):
    with pytest.raises(TooFewTexts, match=words):
        fit_tags(texts, tags, Context())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_no_other_cutoff_has_a_better_f1(cases: list[tuple[float, bool]]):
    said = np.array([p for p, _ in cases])
    truth = np.array([is_true for _, is_true in cases])
    enough = np.tile(truth, 60), np.tile(said, 60)  # so that what came decides
    cutoff = _cutoff(*enough)
    f1 = {each: f1_score(enough[0], enough[1] >= each, zero_division=0) for each in {*said.tolist(), cutoff}}
    if 0.01 < cutoff < 0.9:
        assert f1[cutoff] == pytest.approx(max(f1.values()))
