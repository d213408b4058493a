"""Fitting an amount: which learner estimates best, on which scale, and where the amount will lie."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np

from pipelines.learning.columns.kinds import Column
from pipelines.learning.columns.levels import hashed
from pipelines.learning.context import Context
from pipelines.learning.fitting.champions import SETTINGS
from pipelines.learning.fitting.judge import Judge, judge_of_amounts
from pipelines.learning.fitting.selection import Part, Recipe, Tried, best_mix, some_rows
from pipelines.learning.fitting.splitting import Split
from pipelines.learning.fitting.training import Training
from pipelines.learning.learners.amounts import (
    BOUNDS,
    MOST_ZEROS,
    STRENGTHS,
    TWO_PARTS,
    Scale,
    fit_amount,
    fit_splines,
    fit_trees,
    name_of,
    spline_links,
    tree_losses,
)
from pipelines.learning.learners.candidates import FEWEST_TREES, margins
from pipelines.learning.learners.intervals import fit_intervals, stretched
from pipelines.learning.scoring.fitted import amounts_said
from pipelines.learning.specs import PredictionSpec

IN_TWO = "two parts: whether any, and how much"
FEWEST_OTHERS = 100
"""Rows with an amount that is not 0, for how much it is to be learnt from them alone."""
WORTH_A_PART = 1e-3
"""Share of the loss that a further part of a mix must gain: below that it only costs time."""

Learners = dict[str, dict]
"""Candidate → the learner of one part of the split."""


def judge_of(training: Training, recipe: Recipe, spec: PredictionSpec) -> Judge:
    """By what a recipe's estimates are judged, on the scale that they are made."""
    return judge_of_amounts(training, recipe.parts[0][1]["link"], spec.loss)


@dataclass
class _Search:
    """The candidates tried so far, each judged on the same rows: those held out of the parts, one after the other."""

    training: Training
    spec: PredictionSpec
    columns: tuple[Column, ...]
    pool: ThreadPoolExecutor
    parts: list[Part]
    recipes: dict[str, Recipe] = field(default_factory=dict)
    estimated: dict[str, np.ndarray] = field(default_factory=dict)
    """Margins of the rows held out, shape (rows,)."""
    losses: dict[str, float] = field(default_factory=dict)

    @cached_property
    def rows(self) -> np.ndarray:
        """The rows held out, as places in the training table."""
        return np.concatenate([part.held_out for part in self.parts])

    @property
    def folds(self) -> np.ndarray:
        """The part that each of the rows was held out of."""
        return np.repeat(np.arange(len(self.parts)), [len(part.held_out) for part in self.parts])

    @property
    def has_columns(self) -> bool:
        return self.parts[0].has_columns

    @property
    def best(self) -> str:
        return min(self.losses, key=lambda name: (self.losses[name], name))

    @property
    def link(self) -> str:
        """The scale of the best candidate."""
        return self.recipes[self.best].parts[0][1]["link"]

    def fits(self, jobs: Sequence[Callable[[Part], Learners]]) -> dict[str, tuple[dict, np.ndarray]]:
        """Every candidate's settings, and its margins of all rows held out.

        Trees are as many as were best on the mean of the parts: a number of each part's own would flatter them.
        """
        running = [[self.pool.submit(job, part) for job in jobs] for part in self.parts]
        fits = [{name: each for job in own for name, each in job.result().items()} for own in running]
        found = {}
        for name in [name for name in fits[0] if all(name in fit for fit in fits)]:
            settings = {key: fits[0][name][key] for key in SETTINGS if key in fits[0][name]}
            if "trees" in settings:
                trees = float(np.mean([fit[name]["trees"] for fit in fits]))
                settings["trees"] = max(FEWEST_TREES, round(trees))
            estimated = self.pool.map(
                lambda fit, part, name=name, own=settings: _says(fit[name], own, part), fits, self.parts
            )
            found[name] = settings, np.concatenate(list(estimated))
        return found

    def add(self, name: str, parts: Sequence[dict], margin: np.ndarray) -> None:
        """Judge a recipe of learners with these settings, whose margins add up."""
        recipe = Recipe(name, tuple((1.0, settings) for settings in parts), self.columns)
        self.recipes[name], self.estimated[name] = recipe, margin
        judge = judge_of(self.training, recipe, self.spec)
        self.losses[name] = judge.loss(margin, self.training.target[self.rows])


def try_amounts(
    training: Training, split: Split, columns: Sequence[Column], spec: PredictionSpec, context: Context
) -> Tried:
    """Fit candidates on each inner part of the split, several at a time: every scale and loss first, then, on the best
    scale, larger trees and mixes; last the bounds of its interval.
    """
    inner = [
        (some_rows(fit, 1.0, training, context), some_rows(held_out, 0.5, training, context))
        for fit, held_out in split.inner
    ]
    scale = Scale.of(training.target)
    context.say(f"{spec.name}: comparing candidates on {sum(len(held_out) for _, held_out in inner):,} rows")
    with ThreadPoolExecutor(max_workers=context.threads) as pool:
        parts = list(pool.map(lambda part: Part.of(training, part, columns, spec, context), inner))
        search = _Search(training, spec, tuple(columns), pool, parts)
        _try_every_scale(search, scale, context)
        if search.has_columns:
            _try_larger(search, scale, context)
        link = search.link
        _try_mixes(search)
        bounds = search.fits([_bound(scale, link, quantile, context) for quantile in BOUNDS])
    chosen = search.recipes[search.best]
    with_bounds = (*chosen.parts, *((0.0, settings) for settings, _ in bounds.values()))
    search.recipes[chosen.name] = Recipe(chosen.name, with_bounds, chosen.columns)
    margins_of_bounds = np.column_stack([margin for _, margin in bounds.values()])
    return Tried(search.recipes, search.estimated, search.rows, search.folds, search.losses, margins_of_bounds)


def _try_every_scale(search: _Search, scale: Scale, context: Context) -> None:
    """Splines and a few trees on every scale, and the two parts of an amount with many zeros."""
    loss = search.spec.loss
    jobs = [_splines(scale, link, "squared", STRENGTHS) for link in spline_links(scale)]
    if search.has_columns:
        two_parts = [("small trees", "log", part) for part in _two_parts(scale, search.training)]
        few = [("few trees", *pair) for pair in tree_losses(scale)]
        jobs += [_trees(scale, *settings, loss, context) for settings in (*few, *two_parts)]
    found = search.fits(jobs)
    halves = [found.pop(name) for name in [name for name, (own, _) in found.items() if own["loss"] in TWO_PARTS]]
    for name, (settings, margin) in found.items():
        search.add(name, [settings], margin)
    if halves:
        search.add(IN_TWO, [settings for settings, _ in halves], sum(margin for _, margin in halves))


def _try_larger(search: _Search, scale: Scale, context: Context) -> None:
    """On the best scale: the two best losses with small and large trees, and splines that outliers do not pull."""
    link, loss = search.link, search.spec.loss
    best_first = [search.recipes[name].parts[0][1] for name in _of_link(search, link)]
    losses_of_trees = [each["loss"] for each in best_first if each["kind"] == "boosting"]
    jobs = [
        _trees(scale, setting, link, loss_of_trees, loss, context)
        for setting in ("small trees", "large trees")
        for loss_of_trees in losses_of_trees[:2]
    ]
    strengths = [each["strength"] for each in best_first if each["kind"] == "linear"][:1]
    if loss == "absolute":
        jobs.append(_splines(scale, link, "absolute", tuple(strengths)))
    for name, (settings, margin) in search.fits(jobs).items():
        search.add(name, [settings], margin)


def _try_mixes(search: _Search) -> None:
    """The best of each kind on the best scale, together where that gains enough."""
    judge = judge_of(search.training, search.recipes[search.best], search.spec)
    target, best = search.training.target[search.rows], min(search.losses.values())
    mix = best_mix(
        search.recipes,
        search.estimated,
        _to_mix(search),
        lambda margin: judge.loss(margin, target),
        best,
        WORTH_A_PART * best,
    )
    if mix is not None:
        search.recipes["mix"], search.estimated["mix"] = mix
        search.losses["mix"] = judge.loss(mix[1], target)


def amount_state(training: Training, tried: Tried, recipe: Recipe, calibration: tuple, spec: PredictionSpec) -> dict:
    """What scoring needs beside the learners, as plain values, from the rows that the candidates had not seen."""
    scale, link = Scale.of(training.target), recipe.parts[0][1]["link"]
    margin = scale.clipped(link, calibration[0] * tried.margins[recipe.name] + calibration[1])
    answers, clusters = training.target[tried.rows], training.clusters[tried.rows]
    intervals = fit_intervals(scale, link, spec.loss, margin, tried.bounds, answers, clusters)
    return {"link": link, "scale": asdict(scale), "intervals": intervals}


def stretched_by(
    state: dict, training: Training, rows: np.ndarray, calibration: tuple, margin: np.ndarray, bounds: np.ndarray
) -> dict:
    """The same with intervals as wide as they must be on these rows. `margin`: not yet calibrated."""
    scale, link = Scale(**state["scale"]), state["link"]
    margin = scale.clipped(link, calibration[0] * margin + calibration[1])
    came = scale.to_margin(link, training.target[rows])
    return {**state, "intervals": stretched(state["intervals"], margin, bounds, came, training.clusters[rows])}


def amounts_of_test(
    training: Training,
    split: Split,
    tried: Tried,
    recipe: Recipe,
    margin: np.ndarray,
    bounds: np.ndarray,
    spec: PredictionSpec,
) -> dict[str, np.ndarray]:
    """expected, p10, p50, p90 of the test rows: intervals as wide as the other half of the test's entities needs."""
    calibration = judge_of(training, recipe, spec).calibrate(tried.margins[recipe.name], training.target[tried.rows])
    state = amount_state(training, tried, recipe, calibration, spec)
    is_second = hashed(training.clusters[split.test], 0) % np.uint64(2) == 1
    estimated: dict[str, np.ndarray] = {}
    for half in (is_second, ~is_second):
        other = np.flatnonzero(~half)
        own = stretched_by(state, training, split.test[other], calibration, margin[other], bounds[other])
        found = amounts_said(own, spec.loss, calibration[0] * margin[half] + calibration[1], bounds[half])
        for name, values in found.items():
            estimated.setdefault(name, np.empty(len(margin)))[half] = values
    return estimated


def _two_parts(scale: Scale, training: Training) -> tuple[str, ...]:
    """The losses of an amount in two parts, where zeros are many and others are enough to learn from."""
    others = np.count_nonzero(training.target)
    return TWO_PARTS if scale.lowest == 0 and scale.zeros > MOST_ZEROS and others >= FEWEST_OTHERS else ()


def _to_mix(search: _Search) -> list[str]:
    """The best of each kind on a scale: splines, small trees, large trees. More would slow down the reasons."""
    best: dict[object, str] = {}
    for name in _of_link(search, search.link):
        best.setdefault(search.recipes[name].parts[0][1].get("setting"), name)
    return [name for setting, name in best.items() if setting != "few trees"]


def _of_link(search: _Search, link: str) -> list[str]:
    """The candidates of a scale that are one learner, the best first."""
    found = [name for name, each in search.recipes.items() if each.parts[0][1]["link"] == link and name != IN_TWO]
    return sorted(found, key=lambda name: (search.losses[name], name))


def _says(learner: dict, settings: dict, part: Part) -> np.ndarray:
    """Margins of the rows held out, by as many trees as the settings have."""
    return margins(learner, part.unseen, 1, settings.get("trees"))


def _splines(scale: Scale, link: str, loss: str, strengths: tuple[float, ...]) -> Callable[[Part], Learners]:
    def fit(part: Part) -> Learners:
        learners = fit_splines(part.rows, scale.to_margin(link, part.target), strengths, loss, link)
        return {name_of(learner): learner for learner in learners}

    return fit


def _trees(
    scale: Scale, setting: str, link: str, loss: str, judged_by: str, context: Context
) -> Callable[[Part], Learners]:
    settings = {"kind": "boosting", "setting": setting, "link": link, "loss": loss}

    def fit(part: Part) -> Learners:
        held_out = part.unseen, part.answers
        learner = fit_trees(part.rows, part.target, settings, scale, context.seed, 1, held_out, judged_by)
        return {name_of(settings): learner}

    return fit


def _bound(scale: Scale, link: str, quantile: float, context: Context) -> Callable[[Part], Learners]:
    settings = {"kind": "boosting", "setting": "bound", "link": link, "loss": "quantile", "quantile": quantile}

    def fit(part: Part) -> Learners:
        if not part.has_columns:
            return {f"{quantile}": fit_amount(part.rows, part.target, settings, scale, context.seed, 1)}
        held_out = part.unseen, part.answers
        return {f"{quantile}": fit_trees(part.rows, part.target, settings, scale, context.seed, 1, held_out)}

    return fit
