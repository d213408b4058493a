"""Fit a prediction: choose columns and candidates, calibrate, judge on rows held out, refit on everything known.

oldest ──────────────────────────────────────────────────────────────────── newest known answer
│ fit              │ gap │ choose and calibrate │ gap │ judge (the test)    │
│ fit the chosen candidate again                │ gap │ judge (the test)    │
│ the model that scores: the chosen candidate on all rows, calibrated on what it said out of time │
"""

import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl

from pipelines.learning.columns.choosing import choose_columns
from pipelines.learning.columns.kinds import Column, Dropped
from pipelines.learning.columns.leaks import ROWS, Finding, duplicate_clusters, repeated_rows
from pipelines.learning.columns.ordered_levels import level_values
from pipelines.learning.context import Context
from pipelines.learning.fitting.amount_figures import amount_gates, amounts_on_test
from pipelines.learning.fitting.amounts import amount_state, amounts_of_test, judge_of, stretched_by, try_amounts
from pipelines.learning.fitting.champions import against_champion
from pipelines.learning.fitting.drifting import calibrate_model
from pipelines.learning.fitting.figures import drivers, judged, on_test, without
from pipelines.learning.fitting.judge import Calibration, Judge
from pipelines.learning.fitting.level_figures import level_gates
from pipelines.learning.fitting.selection import (
    Recipe,
    Tried,
    fit_parts,
    judge_of_answers,
    mixed_margins,
    try_candidates,
)
from pipelines.learning.fitting.splitting import Split, split_rows
from pipelines.learning.fitting.training import AMPLE, TooLittleData, Training, enough_rows, fingerprint, prepare
from pipelines.learning.judging.drift import make_baseline
from pipelines.learning.learners.candidates import margins
from pipelines.learning.learners.encoding import Encoding
from pipelines.learning.scoring.fitted import FittedPrediction, encode_for, predict, score_prediction
from pipelines.learning.scoring.unseen import learnt_ranges
from pipelines.learning.specs import TASKS, PredictionSpec
from pipelines.learning.version import code_version

__all__ = ["FitResult", "FittedPrediction", "TooLittleData", "fit_prediction", "predict", "score_prediction"]

SURE = 2.33
"""Standard errors by which a model must beat the base rate (loss) or chance (AUC): one-sided 99 %."""
SURE_OF_RANK = 2.58
"""The same for the ranking of all rows that no fit had seen: more, as the candidate was chosen on most of them."""
DEFAULT_CONTEXT = Context()
TOO_GOOD = 0.97
"""An AUC that is more often a leak than a success."""
TOO_GOOD_R2 = 0.995
"""The same for the explained variance of an amount."""
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
    """"ok"; "weak" where it ranks beyond chance, but its percentages are no better than the average; or "no_signal"
    where it is no better than the same for everyone by more than noise."""
    metrics: dict
    """Figures on the test rows; `deciles`, `segments` and `drivers` are lists of rows."""
    candidates: list[dict]
    """name, log_loss_validation (of amounts error_validation, of levels rps_validation), chosen; with a log loss also
    log_loss and auc (test; for the chosen one)."""
    dropped: list[Dropped]
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
    context: Context = DEFAULT_CONTEXT,
    known_in_time: Collection[str] = (),
) -> FitResult:
    """Fit, judge and decide whether to keep.

    `frame`: features, `spec.entity_key`, `spec.as_of` (Date or Datetime) and `spec.target` (boolean, text for
    classes, whole numbers or text for levels, a number for an amount; rows where it is null are ignored).
    `descriptions`: feature → words, for reasons. `champion`: the model in use. `known_in_time`: columns that cannot
    have been written after the answer. Deterministic for the same rows, seed and machine; the order of rows and columns
    changes nothing.

    Raises TooLittleData with the reason in words, ValueError if the key or target column is missing or of the wrong
    type.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        material = _material(frame, spec, context, known_in_time)
        fitted = _fit_chosen(material, spec, context)
        model, figures = _judge(material, fitted, spec, descriptions or {}, context)
        verdict, kept, reason = GATES[spec.task](figures, spec)
        if kept and champion is not None:
            kept, reason = against_champion(
                champion,
                fitted.recipe,
                material.dropped,
                material.training,
                material.split,
                fitted.estimated,
                spec,
                context,
                figures,
                fitted.judge,
            )
    notes = [*material.training.notes, *material.split.notes, *_too_good(figures)]
    if spec.relative_to is not None:
        notes.insert(0, f"**All figures are multiples of `{spec.relative_to}`**: 1 is an answer as large as that.")
    if TASKS[spec.task].loss == "log_loss":
        has_gain = figures["gain_over_base_rate"] > SURE * figures["gain_error"]
        figures["is_only_order"] = verdict == "ok" and not (
            has_gain and figures["log_loss"] < figures["baseline_log_loss"]
        )
        verdict = "weak" if figures["is_only_order"] else verdict
        notes += _weaknesses(figures)
    return FitResult(
        model=model,
        kept=kept,
        reason=reason,
        verdict=verdict,
        metrics=figures,
        candidates=_candidates(material.tried, fitted.recipe.name, figures, TASKS[spec.task].loss),
        dropped=material.dropped,
        findings=material.findings,
        notes=notes,
        calibrated_on=material.split.inner_kind,
        fit_seconds=round(fitted.seconds, 3),
    )


@dataclass(frozen=True)
class _Material:
    """What is learnt from, and how every candidate did on it."""

    training: Training
    split: Split
    tried: Tried
    dropped: list[Dropped]
    findings: list[Finding]


@dataclass(frozen=True)
class _Fitted:
    """The chosen recipe, fitted twice: on the training rows, to be judged, and on all rows, to score."""

    recipe: Recipe
    encoding: Encoding
    learners: list[tuple[float, dict]]
    """Of all rows, each with its weight."""
    calibration: Calibration
    """Of these learners."""
    margin: np.ndarray
    """On the test, of the fit on the training rows; test rows (× classes), log-odds or an amount's scale."""
    estimated: np.ndarray
    """The same, calibrated as a model of the training rows is: probabilities, or amounts."""
    bounds: np.ndarray | None
    """Of amounts, the learnt quantiles of the test rows (× 2), on the margins' scale."""
    judge: Judge
    seconds: float


def _material(frame: pl.DataFrame, spec: PredictionSpec, context: Context, known_in_time: Collection[str]) -> _Material:
    """Prepare and split the rows, choose the columns, try the candidates."""
    training, copies = _without_copies(prepare(frame, spec, context.seed), spec)
    split = split_rows(
        training.days,
        training.clusters,
        training.strata,
        spec.horizon_days or 0,
        AMPLE * spec.min_rows,
        AMPLE * spec.min_positives,
        context.seed,
    )
    if not all(len(rows) for rows in (split.train, split.test, *(part for pair in split.inner for part in pair))):
        raise TooLittleData(
            f"There are {len(np.unique(training.clusters)):,} different rows or entities with a known {spec.target}, "
            "too few to learn from some and judge on others; copies of a row count as one."
        )
    columns, dropped, findings = choose_columns(
        training.frame[split.train],
        training.target[split.train],
        training.clusters[split.train],
        None if training.days is None else training.days[split.train],
        spec,
        context.seed,
        training.classes,
        known_in_time,
    )
    findings = [each for each in findings if each.column != ROWS] + copies
    context.say(f"{spec.name}: {len(split.train):,} rows to learn from, {len(split.test):,} to judge on")
    tries = try_amounts if spec.task == "amount" else try_candidates
    return _Material(training, split, tries(training, split, columns, spec, context), dropped, findings)


def _fit_chosen(material: _Material, spec: PredictionSpec, context: Context) -> _Fitted:
    """Fit the best recipe on the training rows and on all rows, at once."""
    training, split, tried = material.training, material.split, material.tried
    recipe = tried.recipes[tried.best]
    context.say(
        f"{spec.name}: {recipe.name} is best of {len(tried.recipes)}; fitting it on all {len(training.target):,} rows"
    )
    half = replace(context, threads=max(1, context.threads // 2))

    def fit(rows: np.ndarray) -> tuple[tuple[Encoding, list[tuple[float, dict]]], float]:
        started = time.perf_counter()
        return fit_parts(training, rows, recipe, spec, half), time.perf_counter() - started

    with ThreadPoolExecutor(max_workers=2) as pool:
        judged, everything = pool.map(fit, (split.train, np.arange(len(training.target))))
    ((encoding, learners), seconds), ((final_encoding, final), _) = judged, everything

    def said(encoding: Encoding, learners: list[tuple[float, dict]], rows: np.ndarray) -> np.ndarray:
        return mixed_margins(learners, encode_for(encoding, training.frame[rows]), context)

    test = encode_for(encoding, training.frame[split.test])
    margin = mixed_margins(learners, test, context)
    judge = judge_of(training, recipe, spec) if training.is_amount else judge_of_answers(training)
    earlier = [(tried.margins[recipe.name], tried.rows)]
    calibration = calibrate_model(judge, training, earlier, split.is_by_time_within, partial(said, encoding, learners))
    estimated = judge.says(calibration, margin)
    final_calibration = calibrate_model(
        judge, training, [*earlier, (margin, split.test)], split.kind == "time", partial(said, final_encoding, final)
    )
    bounds = [margins(learner, test, context.threads) for weight, learner in learners if not weight]
    return _Fitted(
        recipe,
        final_encoding,
        final,
        final_calibration,
        margin,
        estimated,
        np.column_stack(bounds) if bounds else None,
        judge,
        seconds,
    )


def _judge(
    material: _Material, fitted: _Fitted, spec: PredictionSpec, descriptions: Mapping[str, str], context: Context
) -> tuple[FittedPrediction, dict]:
    """The model that scores, and the figures of the test."""
    training, split, tried = material.training, material.split, material.tried
    if training.is_amount:
        estimated = amounts_of_test(training, split, tried, fitted.recipe, fitted.margin, fitted.bounds, spec)
        figures = amounts_on_test(training, split, estimated, spec)
    else:
        figures = on_test(training, split, fitted.estimated, spec)
    figures |= judged(training, split, tried, fitted.estimated, fitted.judge, spec.task)
    figures["n_fitted"] = len(enough_rows(training.strata, np.arange(len(training.target)), context.seed)[0])
    model = _model(material, fitted, spec, descriptions, figures)
    figures["drivers"] = drivers(model, training.frame[split.test], training.target[split.test])
    suspects = [finding for finding in material.findings if finding.grade == "suspect"]
    with ThreadPoolExecutor(max_workers=context.threads) as pool:
        worth = pool.map(
            lambda each: without(each.column, training, split, tried, spec, context, fitted.judge), suspects
        )
        figures["suspects"] = [
            {"column": finding.column, "reason": finding.reason, **figure}
            for finding, figure in zip(suspects, worth, strict=True)
        ]
    return model, figures


def _model(
    material: _Material, fitted: _Fitted, spec: PredictionSpec, descriptions: Mapping[str, str], figures: dict
) -> FittedPrediction:
    """What is stored and scores: fitted on all rows, calibrated on what was said of rows that were not learnt from."""
    training, split, tried = material.training, material.split, material.tried
    test, encoding, calibration = split.test, fitted.encoding, fitted.calibration
    scores = fitted.estimated.max(axis=1) if training.learners else fitted.estimated
    if training.is_ordered:
        scores = fitted.estimated @ level_values(training.classes)
    amount: dict = {}
    if training.is_amount:
        amount = amount_state(training, tried, fitted.recipe, calibration, spec)
        amount = stretched_by(amount, training, test, calibration, fitted.margin, fitted.bounds)
        scores = amounts_of_test(training, split, tried, fitted.recipe, fitted.margin, fitted.bounds, spec)["expected"]
        if spec.relative_to is not None:
            scores = scores * training.frame[spec.relative_to][test].to_numpy()
    baseline = make_baseline(training.frame, encoding.columns, encoding.as_of, spec.entity_key, scores)
    ranges = learnt_ranges(training.frame, encoding.columns, encoding.as_of, _features(training.frame, spec))
    return FittedPrediction(
        spec=spec,
        encoding=encoding,
        learners=fitted.learners,
        calibration=calibration,
        method=fitted.recipe.name,
        classes=training.classes,
        amount=amount,
        metrics=figures,
        dropped=material.dropped,
        descriptions={name: descriptions[name] for name in encoding.names if name in descriptions},
        trained_until_day=None if training.days is None else int(training.days.max()),
        fingerprint=fingerprint(training.frame, [*encoding.names, spec.target]),
        code_version=code_version(),
        baseline=baseline | {"ranges": ranges},
    )


def _candidates(tried: Tried, chosen: str, figures: dict, loss_name: str) -> list[dict]:
    """What was tried, the best first."""
    on_test = ("log_loss", "auc") if loss_name == "log_loss" else ()
    return [
        {
            "name": name,
            f"{loss_name}_validation": loss,
            **{figure: figures[figure] if name == chosen else None for figure in on_test},
            "chosen": name == chosen,
        }
        for name, loss in sorted(tried.losses.items(), key=lambda item: (item[1], item[0]))
    ]


def _features(frame: pl.DataFrame, spec: PredictionSpec) -> list[str]:
    """Columns that a model may look at."""
    own = (spec.entity_key, spec.target, spec.as_of)
    return [name for name in frame.columns if name not in own and not spec.excludes(name)]


def _without_copies(training: Training, spec: PredictionSpec) -> tuple[Training, list[Finding]]:
    """Copies of a row count as one entity, so that no row is judged by its copy; and what was found."""
    features = [Column(name, "") for name in _features(training.frame, spec)]
    found = repeated_rows(training.frame, features, training.target, training.clusters)
    if found is None:
        return training, []
    return replace(training, clusters=duplicate_clusters(training.frame, features, training.clusters)), [found]


def _too_good(figures: dict) -> list[str]:
    if not (figures["auc"] >= TOO_GOOD if "auc" in figures else (figures["r2"] or 0) >= TOO_GOOD_R2):
        return []
    names = ", ".join(f"`{row['column']}`" for row in figures["drivers"][:3])
    return [
        f"**Suspiciously good**: it hardly makes a mistake. Make sure that {names} were known before the outcome; if "
        "they were not, leave them out."
    ]


def _weaknesses(figures: dict) -> Iterator[str]:
    """Where the model in use is no better than saying the same of everyone."""
    if figures["is_only_order"]:
        yield RANKS_ONLY
    if "accuracy" in figures and figures["accuracy"] < figures["base_rate"]:
        yield (
            f"**The class that it names is right less often than always naming the commonest**: for"
            f" {figures['accuracy']:.0%} of the rows held out against {figures['base_rate']:.0%}. Its probabilities"
            " tell more than the class."
        )


def _gates(figures: dict, spec: PredictionSpec) -> tuple[str, bool, str]:
    """Verdict, whether the model may score, and why."""
    gain, error = figures["gain_over_base_rate"], figures["gain_error"]
    # Where the base rate has moved since, probabilities can be off and the ranking still be worth something.
    if "rank_z" in figures:
        ranks = figures["rank_z"] > SURE_OF_RANK
    else:
        ranks = figures["auc"] - SURE * figures.get("auc_error", float("inf")) > 0.5
    if not figures["auc"] > 0.5 or not (gain > SURE * error or ranks):
        return (
            "no_signal",
            False,
            (
                "Refused: no better than the base rate by more than noise (log loss"
                f" {abs(gain):.4f} {'better' if gain > 0 else 'worse'}, where chance alone makes {SURE * error:.4f};"
                f" AUC {figures['auc']:.3f})."
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


GATES = {"yes_no": _gates, "classes": _gates, "ordered": level_gates, "amount": amount_gates}
"""By task: figures and spec to the verdict, whether the model may score, and why."""
