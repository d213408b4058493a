"""Fit a prediction: choose columns and candidates, calibrate, judge on rows held out, refit on everything known.

oldest ──────────────────────────────────────────────────────────────────── newest known answer
│ fit              │ gap │ choose and calibrate │ gap │ judge (the test)    │
│ fit the chosen candidate again                │ gap │ judge (the test)    │
│ the model that scores: the chosen candidate on all rows, calibrated on what it said out of time │
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from pipelines.learning.columns.choosing import choose_columns
from pipelines.learning.columns.kinds import Column
from pipelines.learning.columns.leaks import ROWS, Finding, duplicate_clusters, repeated_rows
from pipelines.learning.fitting.champions import against_champion
from pipelines.learning.fitting.figures import code_version, drivers, judged, on_test, without
from pipelines.learning.fitting.selection import Tried, fit_parts, mixed_margins, try_candidates
from pipelines.learning.fitting.splitting import Split, split_rows
from pipelines.learning.fitting.training import TooLittleData, Training, enough_rows, fingerprint, prepare
from pipelines.learning.judging.drift import make_baseline
from pipelines.learning.learners.calibration import calibrated, fit_calibration
from pipelines.learning.learners.encoding import Encoding
from pipelines.learning.scoring.fitted import FittedPrediction, encode_for, predict, score_prediction
from pipelines.learning.scoring.unseen import learnt_ranges
from pipelines.learning.specs import PredictionSpec

__all__ = ["FitResult", "FittedPrediction", "TooLittleData", "fit_prediction", "predict", "score_prediction"]

SURE = 2.33
"""Standard errors by which a model must beat the base rate (loss) or chance (AUC): one-sided 99 %."""
TOO_GOOD = 0.97
"""An AUC that is more often a leak than a success."""


RANKS_ONLY = (
    "**Trust the order, not the percentages**: who comes first is better than chance, but the percentages are no "
    "better than telling everyone the average."
)


@dataclass(frozen=True)
class FitResult:
    """A fitted model and the verdict on it."""

    model: FittedPrediction
    kept: bool
    reason: str
    verdict: str
    """"ok", or "no_signal" where the model is no better than the base rate by more than noise."""
    metrics: dict
    """Figures on the test rows; `deciles`, `segments` and `drivers` are lists of rows."""
    candidates: list[dict]
    """name, log_loss_validation, log_loss and auc (test; for the chosen one), chosen."""
    dropped: list[tuple[str, str]]
    findings: list[Finding]
    """Columns that are leaky (dropped, unless the spec keeps them) or suspect (kept)."""
    notes: list[str]
    """Statements about the data and the split that a reader must see first."""
    calibrated_on: str
    """How the rows that chose and calibrated were held out: `Split.inner_kind`."""
    fit_seconds: float
    """Seconds that the chosen candidate took to fit on the training rows."""


def fit_prediction(
    frame: pl.DataFrame,
    spec: PredictionSpec,
    descriptions: Mapping[str, str] | None = None,
    champion: FittedPrediction | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
    num_threads: int = 2,
) -> FitResult:
    """Fit, judge and decide whether to keep.

    `frame`: features, `spec.entity_key`, `spec.as_of` (Date or Datetime) and `spec.target` (boolean, or text for
    classes; rows where it is null are ignored). `descriptions`: feature → words, for reasons. `champion`: the model in
    use.
    Deterministic for the same rows, seed and machine; the order of rows and columns changes nothing.

    Raises TooLittleData with the reason in words, ValueError if the key or target column is missing or of the wrong
    type.
    """
    from threadpoolctl import threadpool_limits

    say = progress or (lambda message: None)
    with threadpool_limits(1):
        training, copies = _without_copies(prepare(frame, spec, seed), spec)
        split = split_rows(
            training.days,
            training.clusters,
            training.target,
            spec.horizon_days or 0,
            spec.min_rows,
            spec.min_positives,
            seed,
        )
        columns, dropped, findings = choose_columns(
            training.frame[split.train],
            training.target[split.train],
            training.clusters[split.train],
            None if training.days is None else training.days[split.train],
            spec,
            seed,
            training.classes,
        )
        findings = [each for each in findings if each.column != ROWS] + copies
        say(f"{spec.name}: {len(split.train):,} rows to learn from, {len(split.test):,} to judge on")
        tried = try_candidates(training, split, columns, spec, seed, num_threads, say)
        return _fit(
            training, split, tried, dropped, findings, spec, descriptions or {}, champion, seed, num_threads, say
        )


def _fit(
    training: Training,
    split: Split,
    tried: Tried,
    dropped: list[tuple[str, str]],
    findings: list[Finding],
    spec: PredictionSpec,
    descriptions: Mapping[str, str],
    champion: FittedPrediction | None,
    seed: int,
    num_threads: int,
    say: Callable[[str], None],
) -> FitResult:
    recipe = tried.recipes[tried.best]
    say(f"{spec.name}: {recipe.name} is best of {len(tried.recipes)}; fitting it on all {len(training.target):,} rows")
    everything = np.arange(len(training.target))

    def fit(rows: np.ndarray) -> tuple[tuple[Encoding, list[tuple[float, dict]]], float]:
        started = time.perf_counter()
        return fit_parts(training, rows, recipe, spec, seed, max(1, num_threads // 2)), time.perf_counter() - started

    with ThreadPoolExecutor(max_workers=2) as pool:
        ((encoding, learners), seconds), ((final_encoding, final), _) = pool.map(fit, (split.train, everything))
    test, said, answers = split.test, tried.margins[recipe.name], training.target[tried.rows]
    margin = mixed_margins(learners, encode_for(encoding, training.frame[test]), num_threads)
    probability = calibrated(fit_calibration(said, answers), margin)
    figures = on_test(training, split, probability, spec)
    figures |= judged(training, split, tried, probability)
    figures["n_fitted"] = len(enough_rows(training.target, everything, seed)[0])
    model = FittedPrediction(
        spec=spec,
        encoding=final_encoding,
        learners=final,
        calibration=fit_calibration(np.concatenate([said, margin]), np.concatenate([answers, training.target[test]])),
        method=recipe.name,
        classes=training.classes,
        metrics=figures,
        dropped=dropped,
        descriptions={name: descriptions[name] for name in final_encoding.names if name in descriptions},
        trained_until_day=None if training.days is None else int(training.days.max()),
        fingerprint=fingerprint(training.frame, [*final_encoding.names, spec.target]),
        code_version=code_version(),
        baseline=make_baseline(
            training.frame,
            final_encoding.columns,
            final_encoding.as_of,
            spec.entity_key,
            probability.max(axis=1) if training.classes else probability,
        )
        | {
            "ranges": learnt_ranges(
                training.frame, final_encoding.columns, final_encoding.as_of, _features(training.frame, spec)
            )
        },
    )
    figures["drivers"] = drivers(model, training.frame[test], training.target[test])
    suspects = [finding for finding in findings if finding.grade == "suspect"]
    with ThreadPoolExecutor(max_workers=num_threads) as pool:
        worth = pool.map(lambda each: without(each.column, training, split, tried, spec, seed), suspects)
        figures["suspects"] = [
            {"column": finding.column, "reason": finding.reason, **figure}
            for finding, figure in zip(suspects, worth, strict=True)
        ]
    verdict, kept, reason = _gates(figures, spec)
    if kept and champion is not None:
        kept, reason = against_champion(
            champion, recipe, dropped, training, split, probability, spec, seed, num_threads, figures
        )
    candidates = [
        {
            "name": name,
            "log_loss_validation": loss,
            "log_loss": figures["log_loss"] if name == recipe.name else None,
            "auc": figures["auc"] if name == recipe.name else None,
            "chosen": name == recipe.name,
        }
        for name, loss in sorted(tried.losses.items(), key=lambda item: (item[1], item[0]))
    ]
    notes = [*training.notes, *split.notes, *_too_good(figures)]
    if verdict == "ok" and not figures["gain_over_base_rate"] > SURE * figures["gain_error"]:
        notes.append(RANKS_ONLY)
    return FitResult(
        model=model,
        kept=kept,
        reason=reason,
        verdict=verdict,
        metrics=figures,
        candidates=candidates,
        dropped=dropped,
        findings=findings,
        notes=notes,
        calibrated_on=split.inner_kind,
        fit_seconds=round(seconds, 3),
    )


def _features(frame: pl.DataFrame, spec: PredictionSpec) -> list[str]:
    """Columns that a model may look at."""
    own = (spec.entity_key, spec.target, spec.as_of)
    return [name for name in frame.columns if name not in own and name not in spec.exclude]


def _without_copies(training: Training, spec: PredictionSpec) -> tuple[Training, list[Finding]]:
    """Copies of a row count as one entity, so that no row is judged by its copy; and what was found."""
    features = [Column(name, "") for name in _features(training.frame, spec)]
    found = repeated_rows(training.frame, features, training.target, training.clusters)
    if found is None:
        return training, []
    return replace(training, clusters=duplicate_clusters(training.frame, features, training.clusters)), [found]


def _too_good(figures: dict) -> list[str]:
    if not figures["auc"] >= TOO_GOOD:
        return []
    names = ", ".join(f"`{row['column']}`" for row in figures["drivers"][:3])
    return [
        f"**Suspiciously good**: it hardly makes a mistake. Make sure that {names} were known before the outcome; if "
        "they were not, leave them out."
    ]


def _gates(figures: dict, spec: PredictionSpec) -> tuple[str, bool, str]:
    """Verdict, whether the model may score, and why."""
    gain, error = figures["gain_over_base_rate"], figures["gain_error"]
    # Where the base rate has moved since, probabilities can be off and the ranking still be worth something.
    ranks = figures["auc"] - SURE * figures.get("auc_error", float("inf")) > 0.5
    if not figures["auc"] > 0.5 or not (gain > SURE * error or ranks):
        return (
            "no_signal",
            False,
            (
                f"Refused: no better than the base rate by more than noise (log loss {gain:+.4f} better, where chance "
                f"alone makes {SURE * error:.4f}; AUC {figures['auc']:.3f})."
            ),
        )
    limit = spec.max_calibration_error + figures["calibration_noise"]
    if figures["calibration_error"] > limit:
        return (
            "ok",
            False,
            (
                f"Refused: predicted and observed rates differ by {figures['calibration_error']:.3f} on average "
                f"(limit {limit:.3f})."
            ),
        )
    return "ok", True, f"Kept: the first model, AUC {figures['auc']:.3f} on the test."
