"""Fit a yes-or-no prediction: choose columns and candidates, calibrate, judge out of time, refit on everything known.

oldest ──────────────────────────────────────────────────────────────────── newest known answer
│ fit              │ gap │ choose and calibrate │ gap │ judge (the test)    │
│ fit the chosen candidate again                │ gap │ judge (the test)    │
│ the model that scores: the chosen candidate on all rows, calibrated on what it said out of time │
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs

from pipelines.learning import evaluation
from pipelines.learning.calibration import fit_platt, sigmoid
from pipelines.learning.candidates import (
    BOOSTING,
    FEWEST_TREES,
    STRENGTHS,
    Rows,
    boosting_data,
    constant_learner,
    describe,
    encoded_rows,
    fit_boosting,
    fit_logistic,
    fit_logistic_path,
    margins,
)
from pipelines.learning.cards import write_card
from pipelines.learning.columns import Column, as_numbers, choose_columns, tidy
from pipelines.learning.drift import make_baseline
from pipelines.learning.encoding import Encoding, fit_encoding
from pipelines.learning.plots import calibration_plot, gain_plot
from pipelines.learning.scoring import FittedPrediction, encode_for, log_odds, predict, score_prediction
from pipelines.learning.specs import PredictionSpec
from pipelines.learning.splitting import Split, split_rows, thin

__all__ = ["FitResult", "FittedPrediction", "TooLittleData", "fit_prediction", "predict", "score_prediction"]

MOST_ROWS = 120_000
"""Beyond this whole entities are drawn at random to learn from."""
PLENTY = 20_000
"""Rows beyond which, where one answer is rare, a part of the other's rows is fitted on and stands for all of them."""
COMMON_PER_RARE = 8
NOISE = 2.0
"""Standard errors by which a challenger must be worse to be refused."""
SURE = 1.645
"""One-sided 95 %: how sure we must be that the AUC is above one half."""
FEWEST_FAIR_POSITIVES = 10
STRONGEST_ROWS = 1_000
TOO_GOOD = 0.97
"""An AUC that is more often a leak than a success."""


class TooLittleData(ValueError):
    """There is not enough to learn from; the message says what there is and what is needed."""


@dataclass(frozen=True)
class FitResult:
    """A fitted model and the verdict on it."""

    model: FittedPrediction
    kept: bool
    reason: str
    metrics: dict
    """Figures on the test rows; `deciles` and `segments` are lists of rows."""
    candidates: list[dict]
    """name, log_loss_validation, log_loss (test; for the best of each family), chosen."""
    dropped: list[tuple[str, str]]
    plots: dict[str, bytes]
    card: str


@dataclass(frozen=True)
class Training:
    """Known rows, ready to learn from."""

    frame: pl.DataFrame
    """Tidied, thinned, in a fixed order."""
    target: np.ndarray
    clusters: np.ndarray
    days: np.ndarray | None
    step_days: int | None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Recipe:
    """What to fit: the weight and settings of each learner, and the columns."""

    name: str
    parts: tuple[tuple[float, dict], ...]
    columns: tuple[Column, ...]


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

    `frame`: features, `spec.entity_key`, `spec.as_of` (Date or Datetime) and `spec.target` (boolean, null while not
    known; such rows are
    ignored). `descriptions`: feature → words, for reasons. `champion`: the model in use. Deterministic for the same
    rows,
    seed and machine.

    Raises TooLittleData with the reason in words, ValueError if the key or target column is missing or of the wrong
    type.
    """
    from threadpoolctl import threadpool_limits

    say = progress or (lambda message: None)
    with threadpool_limits(num_threads):
        training = prepare(frame, spec, seed)
        split = split_rows(
            training.days,
            training.clusters,
            training.target,
            spec.horizon_days or 0,
            spec.min_rows,
            spec.min_positives,
            seed,
        )
        columns, dropped = choose_columns(
            training.frame[split.train], training.target[split.train], training.clusters[split.train], spec, seed
        )
        say(f"{spec.name}: {len(split.train):,} rows to learn from, {len(split.test):,} to judge on")
        return _fit(training, split, columns, dropped, spec, dict(descriptions or {}), champion, seed, num_threads, say)


def prepare(frame: pl.DataFrame, spec: PredictionSpec, seed: int) -> Training:
    """Rows with a known answer, thinned in time, tidied, in an order that does not depend on the input's."""
    for name, role in ((spec.entity_key, "entity key"), (spec.target, "target")):
        if name not in frame.columns:
            raise ValueError(f"{spec.name}: the table has no column {name!r} ({role}); it has {frame.columns[:20]}.")
    frame = frame.filter(pl.col(spec.target).is_not_null() & pl.col(spec.entity_key).is_not_null())
    frame = frame.with_columns(_as_boolean(frame[spec.target], spec))
    _check_enough(frame, spec)
    notes: list[str] = []
    days = _days(frame, spec)
    step = None
    if days is not None:
        frame, days, step = _thin(frame, days, spec)
        if step < spec.step_days:
            notes.append(f"Snapshots every {step} days are used instead of every {spec.step_days}: there are few rows.")
    if frame.height > MOST_ROWS:
        entities = frame[spec.entity_key].unique().sort()
        share = MOST_ROWS / frame.height
        chosen = entities.sample(max(1, int(len(entities) * share)), shuffle=True, seed=seed)
        notes.append(f"A random {share:.0%} of the entities is learnt from, to stay within memory.")
        frame = frame.filter(pl.col(spec.entity_key).is_in(chosen.implode()))
    order = [name for name in (spec.as_of, spec.entity_key) if name in frame.columns]
    frame = tidy(frame.sort(order, maintain_order=True).with_columns(cs.float().cast(pl.Float32)))
    clusters = frame[spec.entity_key].rank("dense").to_numpy().astype(np.int64) - 1
    target = frame[spec.target].to_numpy().astype(np.float64)
    return Training(frame, target, clusters, _days(frame, spec), step, notes)


def _fit(
    training: Training,
    split: Split,
    columns: list[Column],
    dropped: list[tuple[str, str]],
    spec: PredictionSpec,
    descriptions: dict[str, str],
    champion: FittedPrediction | None,
    seed: int,
    num_threads: int,
    say: Callable[[str], None],
) -> FitResult:
    recipes, out_of_fold = _try_candidates(training, split, columns, spec, seed, num_threads, say)
    seen = np.concatenate([rows for _, rows in split.inner])
    losses = {name: _calibrated_loss(margin, training.target[seen]) for name, margin in out_of_fold.items()}
    finalists = _finalists(recipes, losses)
    winner = min(finalists, key=lambda name: losses[name])

    test = split.test
    encoding, learners = _fit_parts(training, split.train, list(recipes[n] for n in finalists), spec, seed, num_threads)
    rows = encode_for(encoding, training.frame[test])
    margin_of = {
        name: sum(weight * margins(learners[_key(part)], rows, num_threads) for weight, part in recipes[name].parts)
        for name in finalists
    }
    platt_of = {name: fit_platt(out_of_fold[name], training.target[seen]) for name in finalists}
    probability_of = {name: sigmoid(platt_of[name][0] * margin_of[name] + platt_of[name][1]) for name in finalists}
    probability = probability_of[winner]
    say(f"{spec.name}: {winner} is best of {len(recipes)}; refitting it on all {len(training.target):,} rows")

    candidates = [
        {
            "name": name,
            "log_loss_validation": losses[name],
            "log_loss": evaluation.log_loss(training.target[test], probability_of[name]) if name in finalists else None,
            "auc": evaluation.auc(training.target[test], probability_of[name]) if name in finalists else None,
            "chosen": name == winner,
        }
        for name in sorted(losses, key=lambda name: losses[name])
    ]
    figures = _metrics(training, split, probability, spec)
    everything = np.arange(len(training.target))
    final_encoding, final = _fit_parts(training, everything, [recipes[winner]], spec, seed, num_threads)
    platt = fit_platt(
        np.concatenate([out_of_fold[winner], margin_of[winner]]),
        np.concatenate([training.target[seen], training.target[test]]),
    )
    kept, reason = _gates(figures, spec)
    if kept and champion is not None:
        kept, reason = _against_champion(
            champion, recipes[winner], dropped, training, split, probability, spec, seed, num_threads, figures
        )
    model = FittedPrediction(
        spec=spec,
        encoding=final_encoding,
        learners=[(weight, final[_key(part)]) for weight, part in recipes[winner].parts],
        platt=platt,
        method=winner,
        metrics=figures,
        dropped=dropped,
        descriptions={name: descriptions[name] for name in final_encoding.names if name in descriptions},
        trained_until_day=None if training.days is None else int(training.days.max()),
        fingerprint=fingerprint(training.frame, [*final_encoding.names, spec.target]),
        code_version=code_version(),
        baseline=make_baseline(
            training.frame, final_encoding.columns, final_encoding.as_of, spec.entity_key, probability
        ),
    )
    figures["strongest"] = _strongest(model, training.frame[test[:STRONGEST_ROWS]])
    notes = [*training.notes, *split.notes, *_fitted_on(training, seed), *_too_good(figures)]
    card = write_card(model, figures, candidates, dropped, notes, kept, reason, split.inner_kind)
    deciles = pl.DataFrame(figures["deciles"])
    plots = {
        "calibration": calibration_plot(deciles, f"{spec.name}: calibration on the test"),
        "gain": gain_plot(deciles, f"{spec.name}: gain on the test"),
    }
    return FitResult(replace(model, card=card), kept, reason, figures, candidates, dropped, plots, card)


def _try_candidates(
    training: Training,
    split: Split,
    columns: list[Column],
    spec: PredictionSpec,
    seed: int,
    num_threads: int,
    say: Callable[[str], None],
) -> tuple[dict[str, Recipe], dict[str, np.ndarray]]:
    """Fit every candidate on each inner part; recipes, and their margins on rows that they had not seen."""
    collected: dict[str, list[np.ndarray]] = {}
    trees: dict[str, list[int]] = {setting: [] for setting in BOOSTING}
    for number, (fit, held_out) in enumerate(split.inner, start=1):
        say(f"{spec.name}: trying candidates, part {number} of {len(split.inner)}")
        chosen, weights = enough_rows(training.target, fit, seed)
        encoding, rows = _encoded(training, chosen, columns, spec)
        unseen = encode_for(encoding, training.frame[held_out])
        target, answers = training.target[chosen], training.target[held_out]
        if not encoding.names:
            collected.setdefault("base rate", []).append(margins(constant_learner(training.target[fit]), unseen))
            continue
        for learner in fit_logistic_path(rows, target, weights, STRENGTHS):
            collected.setdefault(f"logistic C={learner['strength']:g}", []).append(margins(learner, unseen))
        if rows.matrix.shape[1] == 0:
            continue
        data = boosting_data(rows, target, encoding, weights)
        validation = boosting_data(unseen, answers, encoding, reference=data)
        for setting in BOOSTING:
            learner = fit_boosting(data, setting, seed, num_threads, validation)
            trees[setting].append(max(learner["trees"], FEWEST_TREES))
            collected.setdefault(setting, []).append(margins(learner, unseen, num_threads))
    out_of_fold = {name: np.concatenate(parts) for name, parts in collected.items() if len(parts) == len(split.inner)}
    if not out_of_fold:
        out_of_fold = {"base rate": np.zeros(sum(len(held_out) for _, held_out in split.inner))}
    recipes = {}
    for name in out_of_fold:
        part = {"kind": "logistic", "strength": 0.0}
        if name.startswith("logistic"):
            part = {"kind": "logistic", "strength": float(name.split("=")[1])}
        elif name in trees:
            part = {"kind": "boosting", "setting": name, "trees": round(float(np.mean(trees[name])))}
        recipes[name] = Recipe(name, ((1.0, part),), tuple(columns))
    return _with_blend(recipes, out_of_fold, training.target[np.concatenate([rows for _, rows in split.inner])])


def _with_blend(
    recipes: dict[str, Recipe], out_of_fold: dict[str, np.ndarray], target: np.ndarray
) -> tuple[dict[str, Recipe], dict[str, np.ndarray]]:
    """Add the mean of the best logistic and the best boosting."""
    best = _best_of_families(recipes, {name: _calibrated_loss(m, target) for name, m in out_of_fold.items()})
    if len(best) < 2:
        return recipes, out_of_fold
    parts = tuple((0.5, recipes[name].parts[0][1]) for name in best)
    blend = Recipe("blend", parts, recipes[best[0]].columns)
    return {**recipes, "blend": blend}, {**out_of_fold, "blend": sum(0.5 * out_of_fold[name] for name in best)}


def _best_of_families(recipes: dict[str, Recipe], losses: dict[str, float]) -> list[str]:
    best = []
    for kind in ("logistic", "boosting"):
        family = [
            name for name in losses if len(recipes[name].parts) == 1 and recipes[name].parts[0][1]["kind"] == kind
        ]
        if family:
            best.append(min(family, key=lambda name: losses[name]))
    return best


def _finalists(recipes: dict[str, Recipe], losses: dict[str, float]) -> list[str]:
    """The best of each family, and their mean: these meet the test."""
    return _best_of_families(recipes, losses) + (["blend"] if "blend" in recipes else [])


def _fit_parts(
    training: Training, rows: np.ndarray, recipes: list[Recipe], spec: PredictionSpec, seed: int, num_threads: int
) -> tuple[Encoding, dict[str, dict]]:
    """Fit each distinct learner of the recipes (which share their columns) once on these rows."""
    chosen, weights = enough_rows(training.target, rows, seed)
    encoding, encoded = _encoded(training, chosen, list(recipes[0].columns), spec)
    target = training.target[chosen]
    learners: dict[str, dict] = {}
    data = None
    for part in (part for recipe in recipes for _, part in recipe.parts):
        if _key(part) in learners:
            continue
        if part["kind"] == "boosting" and encoded.matrix.shape[1]:
            data = data or boosting_data(encoded, target, encoding, weights)
            learners[_key(part)] = fit_boosting(data, part["setting"], seed, num_threads, trees=part["trees"])
        elif part["kind"] == "logistic" and part["strength"] > 0 and encoding.names:
            learners[_key(part)] = fit_logistic(encoded, target, weights, part["strength"])
        else:
            learners[_key(part)] = constant_learner(training.target[rows])
    return encoding, learners


def enough_rows(target: np.ndarray, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """
    The rows to fit on, and how many each stands for (float64): all, unless one answer is rare and rows are many.

    What can be learnt of a rare answer is in its own rows. They are all kept; of the others a random part is, weighted
    so that the base rate stays. King and Zeng (2001), "Logistic Regression in Rare Events Data". Judging and
    calibrating use every row.
    """
    if len(rows) <= PLENTY:
        return rows, np.ones(len(rows))
    answers = target[rows]
    is_rare = answers == (answers.mean() < 0.5)
    common = len(rows) - int(is_rare.sum())
    share = max(PLENTY - is_rare.sum(), COMMON_PER_RARE * is_rare.sum()) / max(common, 1)
    if share >= 1:
        return rows, np.ones(len(rows))
    kept = is_rare | (np.random.default_rng(seed).random(len(rows)) < share)
    return rows[kept], np.where(is_rare, 1.0, 1 / share)[kept]


def _encoded(
    training: Training, rows: np.ndarray, columns: list[Column], spec: PredictionSpec
) -> tuple[Encoding, Rows]:
    part = training.frame if len(rows) == training.frame.height else training.frame[rows]
    as_of = spec.as_of if training.days is not None else None
    encoding, matrix = fit_encoding(part, columns, training.clusters[rows], as_of)
    return encoding, encoded_rows(encoding, matrix, part)


def _metrics(training: Training, split: Split, probability: np.ndarray, spec: PredictionSpec) -> dict:
    target, clusters = training.target[split.test], training.clusters[split.test]
    figures: dict = evaluation.evaluate(target, probability)
    yes, no = (len(np.unique(clusters[target == answer])) for answer in (1, 0))
    figures |= {
        "auc_low": figures["auc"] - SURE * evaluation.auc_error(figures["auc"], yes, no),
        "calibration_noise": evaluation.calibration_noise(probability, len(np.unique(clusters))),
        "n_fit": len(split.train),
        "n_test": len(split.test),
        "n_positive": int(training.target.sum()),
        "n_test_positive": int(target.sum()),
        "n_rows": len(training.target),
        "n_entities": len(np.unique(training.clusters)),
        "n_test_entities_positive": yes,
        "split": split.kind,
    }
    if training.days is not None:
        for name, rows in (("fit", split.train), ("test", split.test)):
            figures[f"{name}_from"] = _iso(training.days[rows].min())
            figures[f"{name}_until"] = _iso(training.days[rows].max())
        figures["gap_days"] = spec.horizon_days or 0
        figures["step_days"] = training.step_days
    figures["deciles"] = evaluation.decile_table(target, probability).to_dicts()
    figures["segments"] = [
        row
        for name in spec.segments
        if name in training.frame.columns
        for row in _by_segment(training.frame[name][split.test], name, target, probability)
    ]
    return figures


def _by_segment(values: pl.Series, name: str, target: np.ndarray, probability: np.ndarray) -> list[dict]:
    values = values.cast(pl.String).fill_null("(none)")
    rows = []
    for value in values.value_counts(sort=True)[values.name].head(10).sort():
        mine = (values == value).to_numpy()
        if mine.sum() >= 30:
            rows.append(
                {
                    "segment": name,
                    "value": value,
                    "rows": int(mine.sum()),
                    "observed_rate": float(target[mine].mean()),
                    "predicted_rate": float(probability[mine].mean()),
                    "auc": evaluation.auc(target[mine], probability[mine]),
                }
            )
    return rows


def _strongest(model: FittedPrediction, frame: pl.DataFrame) -> list[dict]:
    """The columns that move this model's log-odds most: mean absolute contribution over these rows."""
    size = np.abs(log_odds(model, frame)[1]).mean(axis=0)
    order = np.argsort(-size, kind="stable")[:15]
    return [{"column": model.encoding.names[i], "mean_contribution": float(size[i])} for i in order if size[i] > 0]


def _fitted_on(training: Training, seed: int) -> list[str]:
    rows, weights = enough_rows(training.target, np.arange(len(training.target)), seed)
    if len(rows) == len(training.target):
        return []
    return [
        f"Fitted on {len(rows):,} rows: all of the rarer answer and one in {weights.max():.1f} of the other, weighted; "
        "judged and calibrated on all."
    ]


def _too_good(figures: dict) -> list[str]:
    if figures["auc"] < TOO_GOOD:
        return []
    names = ", ".join(f"`{row['column']}`" for row in figures["strongest"][:3])
    return [
        f"**Suspiciously good** (AUC {figures['auc']:.3f}): make sure that {names} were known before the outcome; "
        "if they were not, exclude them."
    ]


def _gates(figures: dict, spec: PredictionSpec) -> tuple[bool, str]:
    if not figures["auc_low"] > 0.5:
        return False, (
            f"Refused: AUC {figures['auc']:.3f} on the test is not clearly better than chance "
            f"(lower bound {figures['auc_low']:.3f})."
        )
    limit = spec.max_calibration_error + figures["calibration_noise"]
    if figures["calibration_error"] > limit:
        return False, (
            f"Refused: predicted and observed rates differ by {figures['calibration_error']:.3f} on average "
            f"(limit {limit:.3f})."
        )
    return True, f"Kept: the first model, AUC {figures['auc']:.3f} on the test."


def _against_champion(
    champion: FittedPrediction,
    challenger: Recipe,
    dropped: list[tuple[str, str]],
    training: Training,
    split: Split,
    probability: np.ndarray,
    spec: PredictionSpec,
    seed: int,
    num_threads: int,
    figures: dict,
) -> tuple[bool, str]:
    """Is the challenger at least as good, within noise, as the champion on the same test rows?

    A champion was refitted on all that was known when it was made, often on these very test rows, so its own
    probabilities would be
    judged on what it has learnt by heart. Where enough test rows are younger than its answers, it is compared as it is;
    otherwise its
    recipe (columns and settings) is fitted on the challenger's training rows and compared, like with like.
    """
    question = (champion.spec.target, champion.spec.horizon_days, champion.spec.entity_key)
    if question != (spec.target, spec.horizon_days, spec.entity_key):
        return True, f"Kept: the champion answers another question ({champion.spec.target}, {question[1]} days)."
    banned = {name for name, why in dropped if why.startswith(("leak", "excluded", "has the target"))}
    tainted = sorted(banned & set(champion.encoding.names))
    if tainted:
        return True, f"Kept: the champion uses columns that must not be used any more ({', '.join(tainted)})."
    test = split.test
    fair = _rows_unseen_by(champion, training, split, spec)
    if fair is not None:
        theirs, how = predict(champion, training.frame[test[fair]]), "as it is"
    else:
        fair = np.arange(len(test))
        theirs, how = _refit_champion(champion, challenger, training, split, spec, seed, num_threads), "fitted anew"
        if theirs is None:
            return True, "Kept: the same recipe as the champion's, with newer data."
    difference, error = evaluation.loss_difference(
        training.target[test[fair]], probability[fair], theirs, training.clusters[test[fair]]
    )
    figures["champion_log_loss"] = evaluation.log_loss(training.target[test[fair]], theirs)
    figures["challenger_log_loss"] = figures["champion_log_loss"] + difference
    figures["champion_compared"] = how
    compared = (
        f"log loss {figures['challenger_log_loss']:.4f} against the champion's {figures['champion_log_loss']:.4f} "
        f"({how}) on {len(fair):,} test rows, noise {error:.4f}"
    )
    if difference > NOISE * error and difference > 1e-6:
        return False, f"Refused: worse than the champion beyond noise, {compared}."
    words = "better than the champion" if difference < -NOISE * error else "as good as the champion, with newer data"
    return True, f"Kept: {words}, {compared}."


def _rows_unseen_by(
    champion: FittedPrediction, training: Training, split: Split, spec: PredictionSpec
) -> np.ndarray | None:
    """Positions of test rows that the champion's training answers were known before; None if they are too few."""
    if training.days is None or champion.trained_until_day is None:
        return None
    first = champion.trained_until_day + max(spec.horizon_days or 0, 1)
    fair = np.flatnonzero(training.days[split.test] >= first)
    target = training.target[split.test][fair]
    return fair if min(target.sum(), len(target) - target.sum()) >= FEWEST_FAIR_POSITIVES else None


def _refit_champion(
    champion: FittedPrediction,
    challenger: Recipe,
    training: Training,
    split: Split,
    spec: PredictionSpec,
    seed: int,
    num_threads: int,
) -> np.ndarray | None:
    """What the champion's recipe says about the test, learning from the same rows; None if it is the same recipe."""
    texts = dict.fromkeys(text["name"] for text in champion.encoding.texts)
    columns = [Column(column["name"], column["kind"]) for column in champion.encoding.columns]
    columns += [Column(name, "text") for name in texts]
    columns = [column for column in columns if column.name in training.frame.columns]
    keep = ("kind", "strength", "setting", "trees")
    parts = tuple(
        (weight, {key: learner[key] for key in keep if key in learner}) for weight, learner in champion.learners
    )
    if parts == challenger.parts and set(columns) == set(challenger.columns):
        return None
    recipe = Recipe("champion", parts, tuple(columns))
    seen_margin, seen_target = [], []
    for fit, held_out in split.inner:
        seen_margin.append(_margin_of(recipe, training, fit, held_out, spec, seed, num_threads))
        seen_target.append(training.target[held_out])
    slope, offset = fit_platt(np.concatenate(seen_margin), np.concatenate(seen_target))
    margin = _margin_of(recipe, training, split.train, split.test, spec, seed, num_threads)
    return sigmoid(slope * margin + offset)


def _margin_of(
    recipe: Recipe,
    training: Training,
    fit: np.ndarray,
    judge: np.ndarray,
    spec: PredictionSpec,
    seed: int,
    num_threads: int,
) -> np.ndarray:
    encoding, learners = _fit_parts(training, fit, [recipe], spec, seed, num_threads)
    rows = encode_for(encoding, training.frame[judge])
    return sum(weight * margins(learners[_key(part)], rows, num_threads) for weight, part in recipe.parts)


def _calibrated_loss(margin: np.ndarray, target: np.ndarray) -> float:
    slope, offset = fit_platt(margin, target)
    return evaluation.log_loss(target, sigmoid(slope * margin + offset))


def _key(part: dict) -> str:
    return describe({"trees": 0, "strength": 0.0, **part})


def _as_boolean(values: pl.Series, spec: PredictionSpec) -> pl.Series:
    if values.dtype in (pl.Boolean, pl.Null):
        return values.cast(pl.Boolean)
    if values.dtype.is_numeric() and values.is_in([0, 1]).all():
        return values.cast(pl.Boolean)
    raise ValueError(
        f"{spec.name}: the target {spec.target!r} must be true, false or null; it is {values.dtype} with values "
        f"such as {values.unique().head(3).to_list()}. Make it a boolean in the outcomes model."
    )


def _check_enough(frame: pl.DataFrame, spec: PredictionSpec) -> None:
    if frame.height < spec.min_rows:
        raise TooLittleData(f"{frame.height:,} rows with a known {spec.target}; {spec.min_rows:,} are needed.")
    entities = frame.group_by(spec.target).agg(pl.col(spec.entity_key).n_unique().alias("entities"))
    count = dict(entities.iter_rows())
    if len(count) == 1:
        only = "yes" if True in count else "no"
        raise TooLittleData(
            f"{spec.target} is {only} in all {frame.height:,} rows with a known outcome; both outcomes are needed "
            f"({spec.min_positives} entities each)."
        )
    for answer, word in ((True, "yes"), (False, "no")):
        if count[answer] < spec.min_positives:
            raise TooLittleData(
                f"{count[answer]:,} of {frame[spec.entity_key].n_unique():,} entities have {spec.target} = {word} "
                f"({frame.height:,} rows); {spec.min_positives} are needed."
            )


def _days(frame: pl.DataFrame, spec: PredictionSpec) -> np.ndarray | None:
    """Day number of every row's as_of; None for a table without time or with one date."""
    if spec.as_of is None or spec.as_of not in frame.columns:
        return None
    values = frame[spec.as_of]
    if values.dtype not in (pl.Date, pl.Datetime):
        raise ValueError(f"{spec.name}: {spec.as_of!r} must be a date, it is {values.dtype}.")
    if values.null_count():
        raise ValueError(f"{spec.name}: {spec.as_of!r} is null in {values.null_count():,} rows with a known outcome.")
    days = np.floor(as_numbers(values).to_numpy()).astype(np.int64)
    return days if len(np.unique(days)) > 1 else None


def _thin(frame: pl.DataFrame, days: np.ndarray, spec: PredictionSpec) -> tuple[pl.DataFrame, np.ndarray, int]:
    """Snapshots about every `step_days`; closer together where too few rows would remain."""
    step = spec.step_days
    while True:
        mask = np.isin(days, thin(days, step))
        part = frame.filter(pl.Series(mask))
        positive = part.filter(pl.col(spec.target))[spec.entity_key].n_unique()
        negative = part.filter(~pl.col(spec.target))[spec.entity_key].n_unique()
        if step <= 1 or (part.height >= spec.min_rows and min(positive, negative) >= spec.min_positives):
            return part, days[mask], step
        step = max(1, step // 2)


def fingerprint(frame: pl.DataFrame, columns: list[str]) -> str:
    """SHA-256 over names, types and values of these columns, in this order of rows."""
    digest = hashlib.sha256()
    for name in columns:
        digest.update(frame.select(name).rechunk().write_ipc(None).getvalue())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def code_version() -> str:
    """The package's version and a digest of the learning code itself."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    try:
        version = metadata.version("scorecast")
    except metadata.PackageNotFoundError:
        version = "0"
    return f"{version}+{digest.hexdigest()[:12]}"


def _iso(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=int(day))).isoformat()
