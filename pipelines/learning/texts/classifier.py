"""Which class a text is of: a linear model on sparse terms, calibrated and judged on texts held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.context import Context
from pipelines.learning.judging import evaluation
from pipelines.learning.learners.calibration import calibrated, fit_calibration
from pipelines.learning.texts.alike import alike_clusters
from pipelines.learning.texts.beside import Beside
from pipelines.learning.texts.fitting import Choice, TooFewTexts, Way, candidates, fit_and_judge, verdict_on
from pipelines.learning.texts.languages import NAMES, languages_learnt, languages_of, spread_rows
from pipelines.learning.texts.linear import Linear, fit_classes
from pipelines.learning.texts.splitting import parts_of
from pipelines.learning.texts.terms import spaced

if TYPE_CHECKING:
    from scipy import sparse

FEWEST_TEXTS = 30
FEWEST_OF_CLASS = 5
MOST_NAMED = 10


@dataclass(frozen=True)
class TextModel(Linear):
    """A fitted classifier of texts: plain values and arrays."""

    classes: tuple[str, ...]
    views: list[dict]
    """See `features.Learnt`."""
    weights: np.ndarray
    """Features of all views × classes, float32."""
    intercepts: np.ndarray
    calibration: tuple[float, list[float]]
    """Slope, and an offset for each class."""
    strength: float
    languages: dict[str, int] = field(default_factory=dict)
    """Code → texts, of those that it learnt from; empty where they cannot be told."""

    def of_values(self, values: "sparse.csr_matrix") -> np.ndarray:
        """Probabilities (texts × classes, float64) of the values of all features."""
        return calibrated(self.calibration, self.margins(values))

    def effects(self) -> tuple[np.ndarray, np.ndarray]:
        """What a feature adds to the log-odds of a class, less the mean of those of all others (features × classes),
        and those log-odds without any feature.
        """
        slope, offsets = self.calibration
        classes = len(self.classes)
        others = classes / (classes - 1)
        weights = slope * others * (self.weights - self.weights.mean(axis=1, keepdims=True))
        bases = slope * self.intercepts + np.asarray(offsets)
        return weights, others * (bases - bases.mean())


@dataclass(frozen=True)
class TextFit:
    """A classifier, and how it did on texts that it had not seen."""

    model: TextModel
    verdict: str
    """"ok"; "weak" where it is right no more often than always saying the commonest class, but its percentages are
    better than the shares of the classes; "no_signal" where they are not, by more than noise."""
    reason: str
    figures: dict
    """On the test: accuracy, macro_f1, log_loss, calibration_error, classes, confusion, languages and others."""
    candidates: list[dict]
    """name, log_loss_validation, chosen."""
    test: np.ndarray
    """Places of the test's texts: of few texts nearly all, each judged by a model that had not seen it."""
    said: np.ndarray
    """Probabilities of the test's texts (texts × classes)."""
    copies: int
    """Texts that nearly say what another says; they are never on both sides of a split."""


def fit_texts(texts: Sequence[str], labels: Sequence[str], context: Context, beside: Beside | None = None) -> TextFit:
    """
    Fit on cleaned texts with a label each, none empty; deterministic for the same texts in the same order.

    `beside`: columns and vectors of the same texts. Raises TooFewTexts where there are fewer than `FEWEST_TEXTS`, fewer
    than two classes of `FEWEST_OF_CLASS`, or nothing but copies.
    """
    names, target = np.unique(np.asarray(labels, dtype=object).astype(str), return_inverse=True)
    classes = tuple(names.tolist())
    _check_enough(names, target)
    context.say("looking for copies")
    clusters = alike_clusters(texts)
    languages = languages_learnt(texts)

    def choose(unseen: Mapping[float, np.ndarray], rows: np.ndarray) -> Choice:
        truth = target[rows]
        calibrations = {strength: fit_calibration(margin, truth) for strength, margin in unseen.items()}
        losses = {
            strength: evaluation.log_loss(truth, calibrated(calibrations[strength], margin))
            for strength, margin in unseen.items()
        }
        best = min(losses, key=lambda strength: (losses[strength], strength))
        return Choice(best, calibrations[best], losses)

    way = Way(
        fit=lambda values, rows, strength: fit_classes(values, target[rows], strength, len(classes)),
        choose=choose,
        make=lambda views, linear, choice: TextModel(
            classes, views, *linear, choice.calibration, choice.strength, languages
        ),
    )
    found = fit_and_judge(spaced(texts), beside, parts_of(clusters, target, context.seed), way, context)
    figures = _figures(target, found.train, found.test, found.said, list(classes), clusters)
    is_right = found.said.argmax(axis=1) == target[found.test]
    figures |= {"rounds": found.rounds, "languages": by_language(texts, found.test, is_right, languages)}
    verdict, reason = verdict_on(figures)
    return TextFit(
        model=found.model,
        verdict=verdict,
        reason=reason,
        figures=figures,
        candidates=candidates(found.choice),
        test=found.test,
        said=found.said,
        copies=len(texts) - len(np.unique(clusters)),
    )


def by_language(
    texts: Sequence[str], test: np.ndarray, is_right: np.ndarray, languages: Mapping[str, int]
) -> list[dict]:
    """Of every language that was learnt from: language, name, texts, and those of the test with their accuracy."""
    looked_at = spread_rows(len(test)) if len(languages) > 1 else np.arange(len(test))
    spoken = np.full(len(test), next(iter(languages), None), dtype=object)
    if len(languages) > 1:
        spoken = np.array(languages_of([texts[row] for row in test[looked_at]], languages)[0], dtype=object)
    rows = []
    for code, count in languages.items():
        right = is_right[looked_at][spoken == code]
        accuracy = float(right.mean()) if len(right) else None
        rows.append(
            {"language": code, "name": NAMES[code], "texts": count, "texts_of_test": len(right), "accuracy": accuracy}
        )
    return rows


def too_rare(labels: Sequence[str]) -> str:
    """That these labels have too few texts."""
    named = ", ".join(labels[:MOST_NAMED]) + (
        f" and {len(labels) - MOST_NAMED:,} more" if len(labels) > MOST_NAMED else ""
    )
    return f"Too few texts of {named}: every label takes {FEWEST_OF_CLASS}."


def _check_enough(classes: np.ndarray, target: np.ndarray) -> None:
    if len(target) < FEWEST_TEXTS:
        raise TooFewTexts(f"There are {len(target):,} texts with a label; it takes {FEWEST_TEXTS} or more.")
    counts = np.bincount(target)
    if len(classes) < 2:
        raise TooFewTexts(f"All texts have the label {str(classes[0])!r}: there is nothing to tell apart.")
    if rare := [str(name) for name, count in zip(classes, counts, strict=True) if count < FEWEST_OF_CLASS]:
        raise TooFewTexts(too_rare(rare))


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
