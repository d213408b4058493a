"""Which learner answers best: every candidate on rows that it has not seen, and the best mix of them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.columns.kinds import Column
from pipelines.learning.context import Context
from pipelines.learning.fitting.judge import ANSWERS, Judge, judge_of_levels
from pipelines.learning.fitting.splitting import Split
from pipelines.learning.fitting.training import Training, enough_rows
from pipelines.learning.learners.amounts import Scale, fit_amount
from pipelines.learning.learners.candidates import (
    BOOSTING,
    FEWEST_TREES,
    FOR_MANY_CLASSES,
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
    per_class,
)
from pipelines.learning.learners.encoding import Encoding, encode, fit_encoding
from pipelines.learning.specs import PredictionSpec

if TYPE_CHECKING:
    import lightgbm

SELECTION_ROWS = 30_000
"""Candidates are compared on so many rows at most; the one that is chosen learns from all."""
THREADED_ROWS = 10_000
"""In smaller tables threads within a booster cost more than they save."""
MOST_CLASSES = 5
"""Up to so many classes all boosters are tried, beyond it one: there are as many of each as classes."""
MIX_STEPS = 4


@dataclass(frozen=True)
class Recipe:
    """What to fit: the weight and settings of each learner, and the columns.

    A part without weight says nothing of the estimate: it is a bound of an amount's interval.
    """

    name: str
    parts: tuple[tuple[float, dict], ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Tried:
    """Every recipe, what it said about rows that it had not seen, and how well."""

    recipes: dict[str, Recipe]
    margins: dict[str, np.ndarray]
    """Rows (× classes); in the order of `rows`."""
    rows: np.ndarray
    folds: np.ndarray
    """The part of the split in which each of `rows` was held out."""
    losses: dict[str, float]
    """Mean loss once calibrated: log loss in nats, ranked probability score, or an amount's error."""
    bounds: np.ndarray | None = None
    """Of amounts, learnt quantiles of `rows` (× 2) on the scale of the best recipe's margins."""

    @property
    def best(self) -> str:
        """The recipe with the lowest loss."""
        return min(self.losses, key=lambda name: (self.losses[name], name))


def judge_of_answers(training: Training) -> Judge:
    """By what probabilities are judged."""
    return judge_of_levels(training.levels) if training.is_ordered else ANSWERS


def try_candidates(
    training: Training,
    split: Split,
    columns: Sequence[Column],
    spec: PredictionSpec,
    context: Context,
) -> Tried:
    """Fit every candidate on each inner part of the split, several at a time."""
    inner = [
        (some_rows(fit, 1.0, training, context), some_rows(held_out, 0.5, training, context))
        for fit, held_out in split.inner
    ]
    context.say(f"{spec.name}: comparing candidates on {sum(len(held_out) for _, held_out in inner):,} rows")
    has_many = training.learners > MOST_CLASSES
    tried = [name for name in BOOSTING if (name == FOR_MANY_CLASSES) == has_many]
    with ThreadPoolExecutor(max_workers=context.threads) as pool:
        parts = list(pool.map(lambda part: Part.of(training, part, columns, spec, context), inner))
        boosters = [
            [pool.submit(part.fit_boosting, setting, context) for setting in tried if part.has_columns]
            for part in parts
        ]
        logistic = [pool.submit(part.fit_logistic) for part in parts]
        learners = [[*jobs, job] for jobs, job in zip(boosters, logistic, strict=True)]
        fitted = [{name: entry for job in jobs for name, entry in job.result().items()} for jobs in learners]
    rows = np.concatenate([part.held_out for part in parts])
    folds = np.repeat(np.arange(len(parts)), [len(part.held_out) for part in parts])
    recipes, estimated = {}, {}
    for name in fitted[0]:
        if all(name in fits for fits in fitted):
            settings = {**fitted[0][name][0]}
            if "trees" in settings:
                trees = float(np.mean([fits[name][0]["trees"] for fits in fitted]))
                settings["trees"] = max(FEWEST_TREES, round(trees))
            recipes[name] = Recipe(name, ((1.0, settings),), tuple(columns))
            estimated[name] = np.concatenate([fits[name][1] for fits in fitted])
    return _with_mix(recipes, estimated, rows, folds, training.target[rows], judge_of_answers(training))


def fit_parts(
    training: Training, rows: np.ndarray, recipe: Recipe, spec: PredictionSpec, context: Context
) -> tuple[Encoding, list[tuple[float, dict]]]:
    """Fit a recipe on these rows: the encoding, and each learner with its weight."""
    # By the table's rows, not these: fits that run at once must agree on it (see boosting_data).
    threads = context.threads if len(training.target) >= THREADED_ROWS else 1
    chosen, weights = enough_rows(training.strata, rows, context.seed)
    encoding, encoded = encoded_part(training, chosen, recipe.columns, spec, weights)
    target = training.target[chosen]
    shared: list = []

    def binned(answers: np.ndarray) -> "lightgbm.Dataset":
        """The rows with these answers; binned once for all boosters of a yes-or-no question."""
        if answers is not target:
            return boosting_data(encoded, answers, weights, num_threads=threads)
        if not shared:
            shared.append(boosting_data(encoded, answers, weights, num_threads=threads))
        return shared[0]

    def fit(settings: dict) -> dict:
        if training.is_amount:
            return fit_amount(encoded, target, settings, Scale.of(training.target), context.seed, threads)
        if settings["kind"] == "boosting" and encoded.matrix.shape[1]:
            trees = settings["trees"]
            return per_class(
                lambda answers: fit_boosting(
                    binned(answers), settings["setting"], context.seed, threads, trees=trees, levels=training.levels
                ),
                training.learners,
                target,
            )
        if settings["kind"] == "logistic" and settings["strength"] > 0 and encoded.terms:
            strength = settings["strength"]
            return per_class(
                lambda answers: fit_logistic(encoded, answers, weights, strength, training.levels),
                training.learners,
                target,
            )
        return per_class(lambda answers: constant_learner(answers, training.levels), training.learners, target)

    return encoding, [(weight, fit(settings)) for weight, settings in recipe.parts]


def mixed_margins(learners: Sequence[tuple[float, dict]], rows: Rows, context: Context) -> np.ndarray:
    """The weighted sum of the learners' margins."""
    return sum(weight * margins(learner, rows, context.threads) for weight, learner in learners if weight)


def encoded_part(
    training: Training, rows: np.ndarray, columns: Sequence[Column], spec: PredictionSpec, weights: np.ndarray
) -> tuple[Encoding, Rows]:
    """An encoding learnt from these rows, and the rows in it. `weights`: how many rows each stands for."""
    part = training.frame if len(rows) == training.frame.height else training.frame[rows]
    as_of = spec.as_of if training.days is not None else None
    standing = None if training.standing is None else training.standing[rows]
    encoding, matrix = fit_encoding(part, columns, training.clusters[rows], as_of, target=standing, weights=weights)
    return encoding, encoded_rows(encoding, matrix, part)


@dataclass(frozen=True)
class Part:
    """One inner part of the split, encoded once for all candidates."""

    rows: Rows
    target: np.ndarray
    weights: np.ndarray
    unseen: Rows
    answers: np.ndarray
    held_out: np.ndarray
    learners: int
    levels: int

    @classmethod
    def of(
        cls,
        training: Training,
        part: tuple[np.ndarray, np.ndarray],
        columns: Sequence[Column],
        spec: PredictionSpec,
        context: Context,
    ) -> "Part":
        """Of the rows to fit on and those held out."""
        fit, held_out = part
        chosen, weights = enough_rows(training.strata, fit, context.seed)
        encoding, rows = encoded_part(training, chosen, columns, spec, weights)
        frame = training.frame[held_out]
        unseen = encoded_rows(encoding, encode(encoding, frame), frame)
        return cls(
            rows,
            training.target[chosen],
            weights,
            unseen,
            training.target[held_out],
            held_out,
            training.learners,
            training.levels,
        )

    @property
    def has_columns(self) -> bool:
        """Whether there is anything for trees to learn from."""
        return self.rows.matrix.shape[1] > 0

    def fit_boosting(self, setting: str, context: Context) -> dict[str, tuple[dict, np.ndarray]]:
        """Settings with the number of trees that was best here, and margins of the rows held out."""

        def fit(target: np.ndarray, answers: np.ndarray) -> dict:
            data = boosting_data(self.rows, target, self.weights, num_threads=1)
            validation = boosting_data(self.unseen, answers, reference=data, num_threads=1)
            return fit_boosting(data, setting, context.seed, 1, validation, levels=self.levels)

        learner = per_class(fit, self.learners, self.target, self.answers)
        trees = learner.get("trees") or round(float(np.mean([each["trees"] for each in learner["learners"]])))
        return {setting: ({"kind": "boosting", "setting": setting, "trees": trees}, margins(learner, self.unseen, 1))}

    def fit_logistic(self) -> dict[str, tuple[dict, np.ndarray]]:
        """Margins of the rows held out, for every strength of regularisation."""
        if not self.rows.terms:
            learner = per_class(lambda answers: constant_learner(answers, self.levels), self.learners, self.target)
            return {"base rate": ({"kind": "logistic", "strength": 0.0}, margins(learner, self.unseen, 1))}
        paths = [
            list(fit_logistic_path(self.rows, target, self.weights, STRENGTHS, self.levels))
            for target in _targets(self.target, self.learners)
        ]
        found = {}
        for number, strength in enumerate(sorted(STRENGTHS)):
            learner = _as_one([path[number] for path in paths])
            settings = {"kind": "logistic", "strength": strength}
            found[describe(settings)] = (settings, margins(learner, self.unseen, 1))
        return found


def _targets(target: np.ndarray, classes: int) -> list[np.ndarray]:
    return [target] if not classes else [(target == number).astype(np.float64) for number in range(classes)]


def _as_one(learners: list[dict]) -> dict:
    return learners[0] if len(learners) == 1 else {"kind": "per_class", "learners": learners}


def _with_mix(
    recipes: dict[str, Recipe],
    estimated: dict[str, np.ndarray],
    rows: np.ndarray,
    folds: np.ndarray,
    target: np.ndarray,
    judge: Judge,
) -> Tried:
    """Add the mix of the best logistic regression and the boosters that answers best, if it gains something."""

    def loss(margin: np.ndarray) -> float:
        return judge.loss(margin, target)

    losses = {name: loss(margin) for name, margin in estimated.items()}
    logistic = [name for name in losses if recipes[name].parts[0][1]["kind"] == "logistic"]
    names = [min(logistic, key=lambda name: losses[name])] if logistic else []
    names += [name for name in losses if name in BOOSTING]
    mix = best_mix(recipes, estimated, names, loss, min(losses.values()), judge.worth_a_part)
    if mix is not None:
        recipe, margin = mix
        recipes, estimated, losses = (
            {**recipes, "mix": recipe},
            {**estimated, "mix": margin},
            {**losses, "mix": loss(margin)},
        )
    return Tried(recipes, estimated, rows, folds, losses)


def best_mix(
    recipes: dict[str, Recipe],
    estimated: dict[str, np.ndarray],
    names: Sequence[str],
    loss: Callable[[np.ndarray], float],
    best: float,
    worth_a_part: float,
) -> tuple[Recipe, np.ndarray] | None:
    """The weighted mean of the named recipes with the least loss, and its margins; None if none is below `best`.

    `loss`: of margins; `worth_a_part`: what a further part must gain.
    """
    mixes: list[tuple[float, tuple[int, ...], np.ndarray]] = []
    for shares in product(range(MIX_STEPS + 1), repeat=len(names)):
        used = sum(share > 0 for share in shares)
        if sum(shares) != MIX_STEPS or used < 2:
            continue
        margin = sum(share / MIX_STEPS * estimated[name] for share, name in zip(shares, names, strict=True) if share)
        mixes.append((loss(margin) + worth_a_part * (used - 1), shares, margin))
    if not mixes:
        return None
    lowest, shares, margin = min(mixes, key=lambda mix: mix[:2])
    if lowest >= best:
        return None
    parts = tuple(
        (share / MIX_STEPS, recipes[name].parts[0][1]) for share, name in zip(shares, names, strict=True) if share
    )
    return Recipe("mix", parts, recipes[names[0]].columns), margin


def some_rows(rows: np.ndarray, share: float, training: Training, context: Context) -> np.ndarray:
    """At most `share` × SELECTION_ROWS of these rows, whole entities, drawn at random."""
    most = int(share * SELECTION_ROWS)
    if len(rows) <= most:
        return rows
    clusters = training.clusters[rows]
    entities = np.random.default_rng(context.seed).permutation(int(training.clusters.max()) + 1)
    return rows[np.argsort(entities[clusters], kind="stable")[:most]]
