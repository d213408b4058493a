"""Which labels a text has, one, several or none: a linear model for each on the same terms, calibrated and judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.context import Context
from pipelines.learning.judging import evaluation
from pipelines.learning.learners.calibration import fit_platt, sigmoid
from pipelines.learning.texts.alike import alike_clusters
from pipelines.learning.texts.beside import Beside
from pipelines.learning.texts.classifier import FEWEST_OF_CLASS, FEWEST_TEXTS, TextFit, by_language, too_rare
from pipelines.learning.texts.fitting import Choice, TooFewTexts, Way, candidates, fit_and_judge, verdict_on
from pipelines.learning.texts.languages import languages_learnt
from pipelines.learning.texts.linear import Linear, fit_labels
from pipelines.learning.texts.splitting import parts_of
from pipelines.learning.texts.terms import spaced

if TYPE_CHECKING:
    from scipy import sparse

ENOUGH = 50
"""Texts of a label from which on its cut-off follows what came, not what its probabilities promise."""
LOWEST, HIGHEST = 0.01, 0.9
"""Of cut-offs."""
USUAL_SLOPE = 4.0
"""From a support vector machine's margin to log-odds; calibration is drawn towards it where a label has few texts."""


@dataclass(frozen=True)
class TagModel(Linear):
    """A fitted model of the labels of a text: plain values and arrays."""

    classes: tuple[str, ...]
    views: list[dict]
    """See `features.Learnt`."""
    weights: np.ndarray
    """Features of all views × labels, float32."""
    intercepts: np.ndarray
    slopes: np.ndarray
    offsets: np.ndarray
    """Of every label's margin, calibrated by itself."""
    cutoffs: np.ndarray
    """The probability from which on a label is said, chosen for its F1 on texts that no fit had seen."""
    strength: float
    languages: dict[str, int] = field(default_factory=dict)
    """Code → texts, of those that it learnt from; empty where they cannot be told."""

    def of_values(self, values: "sparse.csr_matrix") -> np.ndarray:
        """Probabilities (texts × labels, float64) of the values of all features."""
        return sigmoid(self.slopes * self.margins(values) + self.offsets)

    def effects(self) -> tuple[np.ndarray, np.ndarray]:
        """What a feature adds to the log-odds of a label (features × labels), and those without any feature."""
        return self.weights * self.slopes, self.intercepts * self.slopes + self.offsets


@dataclass(frozen=True)
class TagFit(TextFit):
    """A model of several labels a text, and how it did on texts that it had not seen.

    figures: accuracy (its likeliest label is one of the text's), exact (all labels are right), micro_f1, macro_f1,
    log_loss and baseline_log_loss (means over texts and labels), calibration_error (of the likeliest label),
    calibration_error_of_labels (mean over labels), classes (class, rows, precision, recall, f1, average_precision,
    base_rate, cutoff, calibration_error), and others.
    """

    model: TagModel


def fit_tags(
    texts: Sequence[str], tag_lists: Sequence[Sequence[str]], context: Context, beside: Beside | None = None
) -> TagFit:
    """
    Fit on cleaned texts, none empty, with the labels of each, maybe none; deterministic for the same texts in order.

    Raises TooFewTexts where there are fewer than `FEWEST_TEXTS`, a label of fewer than `FEWEST_OF_CLASS`, nothing to
    tell apart, or nothing but copies.
    """
    classes = tuple(sorted({tag for tags in tag_lists for tag in tags}))
    has = _marks(tag_lists, classes)
    _check_enough(classes, has)
    context.say("looking for copies")
    clusters = alike_clusters(texts)
    languages = languages_learnt(texts)

    def choose(unseen: Mapping[float, np.ndarray], rows: np.ndarray) -> Choice:
        truth = has[rows]
        calibrations = {strength: _calibration(margins, truth) for strength, margins in unseen.items()}
        said = {
            strength: sigmoid(calibrations[strength][0] * margins + calibrations[strength][1])
            for strength, margins in unseen.items()
        }
        losses = {strength: float(_losses(truth, p).mean()) for strength, p in said.items()}
        best = min(losses, key=lambda strength: (losses[strength], strength))
        cutoffs = np.array([_cutoff(truth[:, tag], said[best][:, tag]) for tag in range(len(classes))])
        return Choice(best, (*calibrations[best], cutoffs), losses)

    way = Way(
        fit=lambda values, rows, strength: fit_labels(values, has[rows], strength),
        choose=choose,
        make=lambda views, linear, choice: TagModel(
            classes, views, *linear, *choice.calibration, choice.strength, languages
        ),
    )
    part = parts_of(clusters, _rarest(has), context.seed)
    found = fit_and_judge(spaced(texts), beside, part, way, context)
    figures = _figures(has, found.train, found.test, found.said, clusters, found.model)
    is_right = has[found.test, found.said.argmax(axis=1)]
    figures |= {"rounds": found.rounds, "languages": by_language(texts, found.test, is_right, languages)}
    verdict, reason = verdict_on(figures)
    return TagFit(
        model=found.model,
        verdict=verdict,
        reason=reason,
        figures=figures,
        candidates=candidates(found.choice),
        test=found.test,
        said=found.said,
        copies=len(texts) - len(np.unique(clusters)),
    )


def _marks(tag_lists: Sequence[Sequence[str]], classes: Sequence[str]) -> np.ndarray:
    """Texts × labels, bool."""
    place = {tag: number for number, tag in enumerate(classes)}
    has = np.zeros((len(tag_lists), len(classes)), dtype=bool)
    for row, tags in enumerate(tag_lists):
        has[row, [place[tag] for tag in tags]] = True
    return has


def _check_enough(classes: Sequence[str], has: np.ndarray) -> None:
    if len(has) < FEWEST_TEXTS:
        raise TooFewTexts(f"There are {len(has):,} texts with labels; it takes {FEWEST_TEXTS} or more.")
    counts = has.sum(axis=0)
    if (counts == len(has)).all():
        named = ", ".join(repr(tag) for tag in classes)
        raise TooFewTexts(f"All texts have the label {named}: there is nothing to tell apart.")
    if rare := [tag for tag, count in zip(classes, counts, strict=True) if count < FEWEST_OF_CLASS]:
        raise TooFewTexts(too_rare(rare))


def _rarest(has: np.ndarray) -> np.ndarray:
    """The number of the rarest label of every text, so that rare ones are dealt evenly; texts without one share one."""
    order = np.argsort(has.sum(axis=0), kind="stable")
    first = has[:, order].argmax(axis=1)
    return np.where(has.any(axis=1), order[first], has.shape[1])


def _calibration(margins: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset of every label."""
    pairs = [fit_platt(USUAL_SLOPE * margins[:, tag], truth[:, tag]) for tag in range(truth.shape[1])]
    return USUAL_SLOPE * np.array([slope for slope, _ in pairs]), np.array([offset for _, offset in pairs])


def _losses(truth: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Mean loss over the labels of every text, in nats."""
    return evaluation.log_losses(truth.ravel().astype(np.float64), said.ravel()).reshape(truth.shape).mean(axis=1)


def _cutoff(truth: np.ndarray, said: np.ndarray) -> float:
    """
    The probability from which on saying the label gives the highest F1.

    Of a label of few texts the highest F1 that its calibrated probabilities promise: by a handful of texts that came it
    would follow chance. Lipton, Elkan and Naryanaswamy (2014), "Optimal thresholding of classifiers to maximize F1".
    """
    order = np.argsort(-said, kind="stable")
    hits = truth[order].astype(np.float64) if truth.sum() >= ENOUGH else said[order]
    f1 = 2 * np.cumsum(hits) / (np.arange(1, len(said) + 1) + hits.sum())
    last_of_tie = np.append(np.diff(said[order]) != 0, True)
    best = int(np.argmax(np.where(last_of_tie, f1, -1.0)))
    below = said[order][best + 1] if best + 1 < len(said) else 0.0
    return float(np.clip((said[order][best] + below) / 2, LOWEST, HIGHEST))


def _figures(
    has: np.ndarray, train: np.ndarray, test: np.ndarray, said: np.ndarray, clusters: np.ndarray, model: TagModel
) -> dict:
    """Figures on the test, with the gain over the shares of the labels and its standard error by clusters."""
    truth = has[test]
    shares = (has[train].sum(axis=0) + 0.5) / (len(train) + 1)
    losses = _losses(truth, said)
    base = _losses(truth, np.broadcast_to(shares, truth.shape))
    gain, error = evaluation.clustered_mean(base - losses, clusters[test])
    _, loss_error = evaluation.clustered_mean(losses, clusters[test])
    called = said >= model.cutoffs
    rows = [
        _of_label(tag, truth[:, n], called[:, n], said[:, n], model.cutoffs[n]) for n, tag in enumerate(model.classes)
    ]
    there = [row for row in rows if row["rows"]]
    likeliest = said.max(axis=1)
    is_right = truth[np.arange(len(test)), said.argmax(axis=1)]
    return {
        "accuracy": float(is_right.mean()),
        "base_rate": float(truth.mean(axis=0).max()),
        "exact": float((truth == called).all(axis=1).mean()),
        "micro_f1": _f1(int((truth & called).sum()), int(truth.sum()), int(called.sum())),
        "macro_f1": float(np.mean([row["f1"] for row in there])) if there else None,
        "log_loss": float(losses.mean()),
        "log_loss_error": loss_error,
        "baseline_log_loss": float(base.mean()),
        "brier": float(np.mean((said - truth) ** 2)),
        "calibration_error": evaluation.calibration_error(is_right.astype(np.float64), likeliest),
        "calibration_error_of_labels": float(np.mean([row["calibration_error"] for row in rows])),
        "calibration_noise": evaluation.calibration_noise(likeliest, len(np.unique(clusters[test]))),
        "labels_a_text": float(truth.sum(axis=1).mean()),
        "classes": rows,
        "gain_over_base_rate": gain,
        "gain_error": error,
        "n_rows": len(has),
        "n_fit": len(train),
        "n_test": len(test),
    }


def _of_label(tag: str, truth: np.ndarray, called: np.ndarray, said: np.ndarray, cutoff: float) -> dict:
    hits, there, calls = int((truth & called).sum()), int(truth.sum()), int(called.sum())
    return {
        "class": tag,
        "rows": there,
        "precision": hits / calls if calls else 0.0,
        "recall": hits / there if there else 0.0,
        "f1": _f1(hits, there, calls),
        "average_precision": evaluation.average_precision(truth, said),
        "base_rate": float(truth.mean()),
        "cutoff": float(cutoff),
        "calibration_error": evaluation.calibration_error(truth.astype(np.float64), said),
    }


def _f1(hits: int, there: int, calls: int) -> float:
    return 2 * hits / (there + calls) if there + calls else 0.0
