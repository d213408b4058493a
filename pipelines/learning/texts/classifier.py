"""Which class a text is of: a linear model on sparse terms, calibrated and judged on texts held out."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.context import Context
from pipelines.learning.judging import evaluation
from pipelines.learning.learners.calibration import calibrated, fit_calibration
from pipelines.learning.texts.alike import alike_clusters
from pipelines.learning.texts.terms import learn_terms, spaced, term_values

if TYPE_CHECKING:
    from scipy import sparse

STRENGTHS = (0.15, 1.0)
"""Inverse regularisation of the candidates; chosen on texts that they have not seen."""
PARTS, TEST_PARTS, INNER_FOLDS = 15, 3, 3
"""Texts are dealt into parts, class by class; the first are the test, the others hold each other out in turn."""
FEWEST_TEXTS = 30
FEWEST_OF_CLASS = 5
MOST_NAMED = 30
_liblinear = Lock()
"""Held while it fits: it draws from one generator of the whole process, and two at once would not be repeatable."""
SURE = 2.33
"""Standard errors by which the loss must be below the base rate's: one-sided 99 %."""


class TooFewTexts(ValueError):
    """There is too little to learn from; the message says what there is and what it takes."""


@dataclass(frozen=True)
class TextModel:
    """A fitted classifier of texts: plain values and arrays."""

    classes: tuple[str, ...]
    views: list[dict]
    """See `terms.learn_terms`."""
    weights: np.ndarray
    """Terms of all views × classes, float32."""
    intercepts: np.ndarray
    calibration: tuple[float, list[float]]
    """Slope, and an offset for each class."""
    strength: float

    def margins(self, values: "sparse.csr_matrix") -> np.ndarray:
        """Texts × classes, float64, before calibration."""
        return np.asarray(values @ self.weights, dtype=np.float64) + self.intercepts

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """Of cleaned texts: texts × classes, float64."""
        from scipy import sparse

        if not len(texts):
            return np.empty((0, len(self.classes)))
        values = sparse.hstack(term_values(self.views, spaced(texts)), format="csr")
        return calibrated(self.calibration, self.margins(values))


@dataclass(frozen=True)
class TextFit:
    """A classifier, and how it did on texts that it had not seen."""

    model: TextModel
    verdict: str
    """"ok"; "weak" where it is right no more often than always saying the commonest class, but its percentages are
    better than the shares of the classes; "no_signal" where they are not, by more than noise."""
    reason: str
    figures: dict
    """On the test: accuracy, macro_f1, log_loss, calibration_error, classes, confusion and others."""
    candidates: list[dict]
    """name, log_loss_validation, chosen."""
    test: np.ndarray
    """Places of the test's texts."""
    said: np.ndarray
    """Probabilities of the test's texts (texts × classes)."""
    copies: int
    """Texts that nearly say what another says; they are never on both sides of a split."""


def fit_texts(texts: Sequence[str], labels: Sequence[str], context: Context) -> TextFit:
    """
    Fit on cleaned texts with a label each, none empty; deterministic for the same texts in the same order.

    Raises TooFewTexts where there are fewer than `FEWEST_TEXTS`, or fewer than two classes of `FEWEST_OF_CLASS`.
    """
    classes, target = np.unique(np.asarray(labels, dtype=object).astype(str), return_inverse=True)
    _check_enough(classes, target)
    context.say("looking for copies")
    clusters = alike_clusters(texts)
    ready = spaced(texts)
    part = _parts(clusters, target, context.seed)
    is_test = part < TEST_PARTS
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    if not len(test) or len(np.unique(target[train])) < len(classes):
        raise TooFewTexts("Nearly all texts are copies of a few: there is nothing to judge a model on.")
    fold = part[train] % INNER_FOLDS

    context.say(f"comparing candidates on {len(train):,} texts")
    with ThreadPoolExecutor(max_workers=context.threads) as pool:
        held_out = list(pool.map(lambda number: _unseen(ready, target, train, fold == number), range(INNER_FOLDS)))
        unseen = {strength: np.empty((len(train), len(classes))) for strength in STRENGTHS}
        for number, margins in enumerate(held_out):
            for strength in STRENGTHS:
                unseen[strength][fold == number] = margins[strength]
        losses = {
            strength: evaluation.log_loss(target[train], calibrated(fit_calibration(margin, target[train]), margin))
            for strength, margin in unseen.items()
        }
        best = min(losses, key=lambda strength: (losses[strength], strength))
        calibration = fit_calibration(unseen[best], target[train])
        context.say("fitting")
        everything = np.arange(len(target))
        judged, model = pool.map(
            lambda rows: _model(ready, target, rows, best, calibration, tuple(classes.tolist())), (train, everything)
        )
    said = judged.probabilities([texts[row] for row in test])
    figures = _figures(target, train, test, said, classes.tolist(), clusters)
    verdict, reason = _verdict(figures)
    return TextFit(
        model=model,
        verdict=verdict,
        reason=reason,
        figures=figures,
        candidates=[
            {"name": f"linear (C = {strength:g})", "log_loss_validation": losses[strength], "chosen": strength == best}
            for strength in STRENGTHS
        ],
        test=test,
        said=said,
        copies=len(texts) - len(np.unique(clusters)),
    )


def without_rare(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str], list[str]]:
    """Texts and labels without the labels that too few texts have (where two others are left), and a note of those."""
    counts = Counter(label for _, label in pairs)
    rare = sorted(label for label, count in counts.items() if count < FEWEST_OF_CLASS)
    notes = []
    if rare and len(counts) - len(rare) >= 2:
        named = ", ".join(f"{label!r} ({counts[label]})" for label in rare[:MOST_NAMED])
        notes.append(f"Not learnt, nor ever said: {named}. A label takes {FEWEST_OF_CLASS} texts.")
        pairs = [(text, label) for text, label in pairs if label not in rare]
    return [text for text, _ in pairs], [label for _, label in pairs], notes


def _check_enough(classes: np.ndarray, target: np.ndarray) -> None:
    if len(target) < FEWEST_TEXTS:
        raise TooFewTexts(f"There are {len(target):,} texts with a label; it takes {FEWEST_TEXTS} or more.")
    counts = np.bincount(target)
    if len(classes) < 2:
        raise TooFewTexts(f"All texts have the label {str(classes[0])!r}: there is nothing to tell apart.")
    if rare := [str(name) for name, count in zip(classes, counts, strict=True) if count < FEWEST_OF_CLASS]:
        raise TooFewTexts(f"Too few texts of {', '.join(rare)}: every label takes {FEWEST_OF_CLASS}.")


def _parts(clusters: np.ndarray, target: np.ndarray, seed: int) -> np.ndarray:
    """The part of every text: whole clusters, dealt evenly class by class."""
    _, first = np.unique(clusters, return_index=True)
    draw = np.random.default_rng(seed).random(len(first))
    order = np.lexsort((draw, target[first]))
    part = np.empty(len(first), dtype=np.int64)
    part[order] = np.arange(len(first)) % PARTS
    return part[clusters]


def _unseen(ready: Sequence[str], target: np.ndarray, train: np.ndarray, out: np.ndarray) -> dict[float, np.ndarray]:
    """Margins of the texts held out, for every strength."""
    from scipy import sparse

    fit, held_out = train[~out], train[out]
    views, values = learn_terms([ready[row] for row in fit])
    others = sparse.hstack(term_values(views, [ready[row] for row in held_out]), format="csr")
    classes = int(target.max()) + 1
    found = {}
    for strength in STRENGTHS:
        weights, intercepts = _linear(values, target[fit], strength, classes)
        found[strength] = np.asarray(others @ weights, dtype=np.float64) + intercepts
    return found


def _model(
    ready: Sequence[str],
    target: np.ndarray,
    rows: np.ndarray,
    strength: float,
    calibration: tuple[float, list[float]],
    classes: tuple[str, ...],
) -> TextModel:
    views, values = learn_terms([ready[row] for row in rows])
    weights, intercepts = _linear(values, target[rows], strength, len(classes))
    return TextModel(classes, views, weights, intercepts, calibration, strength)


def _linear(
    values: "sparse.csr_matrix", target: np.ndarray, strength: float, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (terms × classes, float32) and intercepts of a linear support vector machine, class against the rest.

    Hsieh et al. (2008), "A dual coordinate descent method for large-scale linear SVM". A class that these texts lack
    has an intercept far below all others.
    """
    from sklearn.svm import LinearSVC

    weights, intercepts = np.zeros((values.shape[1], classes), dtype=np.float32), np.full(classes, -3.0)
    with _liblinear:
        found = LinearSVC(C=strength, dual=True, random_state=0).fit(values, target)
    if len(found.classes_) == 2:
        sides = np.vstack([-found.coef_[0], found.coef_[0]]) / 2, np.array([-1.0, 1.0]) * found.intercept_[0] / 2
    else:
        sides = found.coef_, found.intercept_
    weights[:, found.classes_] = sides[0].T
    intercepts[found.classes_] = sides[1]
    return weights, intercepts


def _figures(
    target: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    said: np.ndarray,
    classes: list[str],
    clusters: np.ndarray,
) -> dict:
    """Figures on the test, with the gain over the shares of the classes and its standard error by clusters."""
    losses = evaluation.log_losses(target[test], said)
    base = evaluation.base_rate_losses(target[train], target[test])
    gain, error = evaluation.clustered_mean(base - losses, clusters[test])
    _, loss_error = evaluation.clustered_mean(losses, clusters[test])
    found = evaluation.evaluate(target[test], said)
    # Of what it answers: over all classes, most of which are never likely, any model looks right.
    is_right, likeliest = said.argmax(axis=1) == target[test], said.max(axis=1)
    return {
        **{name: found[name] for name in ("auc", "log_loss", "brier", "base_rate")},
        "calibration_error": evaluation.calibration_error(is_right.astype(np.float64), likeliest),
        **evaluation.by_class(target[test], said, classes),
        "log_loss_error": loss_error,
        "baseline_log_loss": float(base.mean()),
        "calibration_noise": evaluation.calibration_noise(likeliest, len(np.unique(clusters[test]))),
        "gain_over_base_rate": gain,
        "gain_error": error,
        "n_rows": len(target),
        "n_fit": len(train),
        "n_test": len(test),
    }


def _verdict(figures: dict) -> tuple[str, str]:
    loss, base = figures["log_loss"], figures["baseline_log_loss"]
    against = f"log loss {loss:.4f} on the texts held out, {base:.4f} by the shares of the classes alone"
    if figures["gain_over_base_rate"] <= SURE * figures["gain_error"]:
        return "no_signal", f"No better than the shares of the classes by more than noise ({against})."
    if figures["accuracy"] <= figures["base_rate"]:
        return "weak", f"Right no more often than always saying the commonest class ({against})."
    return "ok", f"Better than the shares of the classes ({against})."
