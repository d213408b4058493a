"""Whether a challenger takes the champion's place: only if it is better by more than noise, on rows new to both."""

from collections.abc import Callable

import numpy as np

from pipelines.learning.columns.kinds import Column, Dropped
from pipelines.learning.context import Context
from pipelines.learning.fitting.drifting import calibrate_model
from pipelines.learning.fitting.judge import Judge
from pipelines.learning.fitting.selection import Recipe, fit_parts, mixed_margins
from pipelines.learning.fitting.splitting import Split
from pipelines.learning.fitting.training import Training
from pipelines.learning.judging import evaluation
from pipelines.learning.scoring.fitted import FittedPrediction, encode_for, predict
from pipelines.learning.specs import TASKS, PredictionSpec

NOISE = 2.0
"""Standard errors by which a challenger must be better."""
FEWEST_FAIR_POSITIVES = 10
SETTINGS = ("kind", "link", "loss", "quantile", "strength", "setting", "trees")


def against_champion(
    champion: FittedPrediction,
    challenger: Recipe,
    dropped: list[Dropped],
    training: Training,
    split: Split,
    estimated: np.ndarray,
    spec: PredictionSpec,
    context: Context,
    figures: dict,
    judge: Judge,
) -> tuple[bool, str]:
    """Whether the challenger is kept, and why; adds both losses to `figures`. `estimated`: by it, of the test.

    A champion was refitted on all that was known when it was made, often on these very test rows, so its own
    probabilities would be judged on what it has learnt by heart. Where enough test rows are younger than its answers,
    it is compared as it is; otherwise its recipe (columns and settings) is fitted on the challenger's training rows and
    compared, like with like.
    """

    def asked(of: PredictionSpec) -> tuple:
        how = of.task, of.task == "amount" and (of.loss, of.relative_to)
        return of.target, of.horizon_days, of.entity_key, how

    question = asked(champion.spec)
    if question != asked(spec) or champion.classes != training.classes:
        return True, f"Kept: the champion answers another question ({champion.spec.target}, {question[1]} days)."
    banned = {each.column for each in dropped if each.kind in ("leaky", "excluded", "target")}
    tainted = sorted(banned & set(champion.encoding.names))
    if tainted:
        return True, f"Kept: the champion uses columns that must not be used any more ({', '.join(tainted)})."
    test = split.test
    fair = _rows_unseen_by(champion, training, split, spec)
    if fair is not None:
        theirs, how = predict(champion, training.frame[test[fair]]), "as it is"
    else:
        fair = np.arange(len(test))
        theirs, how = _refit_champion(champion, challenger, training, split, spec, context, judge), "fitted anew"
        if theirs is None:
            return False, (
                "Refused: the same recipe as the champion's, and too few answers are younger than the champion to tell "
                "the two apart; the champion stays."
            )
    answers = training.target[test[fair]]
    theirs, own = judge.losses(answers, theirs), judge.losses(answers, estimated[fair])
    difference, error = evaluation.clustered_mean(own - theirs, training.clusters[test[fair]])
    loss = TASKS[spec.task].loss
    figures[f"champion_{loss}"] = float(theirs.mean())
    figures[f"challenger_{loss}"] = float(own.mean())
    figures["champion_compared"] = how
    form = ",.4g" if training.is_amount else ".4f"
    compared = (
        f"{judge.loss_name} {own.mean():{form}} against the champion's {theirs.mean():{form}} "
        f"({how}) on {len(fair):,} test rows, noise {error:{form}}"
    )
    if difference < -NOISE * error:
        return True, f"Kept: better than the champion, {compared}."
    words = (
        "worse than the champion" if difference > NOISE * error else "not better than the champion by more than noise"
    )
    return False, f"Refused: {words}, {compared}; the champion stays."


def _rows_unseen_by(
    champion: FittedPrediction, training: Training, split: Split, spec: PredictionSpec
) -> np.ndarray | None:
    """Positions of test rows that the champion's training answers were known before; None if they are too few."""
    if training.days is None or champion.trained_until_day is None:
        return None
    first = champion.trained_until_day + max(spec.horizon_days or 0, 1)
    fair = np.flatnonzero(training.days[split.test] >= first)
    counts = np.bincount(training.strata[split.test][fair].astype(np.int64), minlength=2)
    return fair if counts.min() >= FEWEST_FAIR_POSITIVES else None


def _refit_champion(
    champion: FittedPrediction,
    challenger: Recipe,
    training: Training,
    split: Split,
    spec: PredictionSpec,
    context: Context,
    judge: Judge,
) -> np.ndarray | None:
    """What the champion's recipe says about the test, learning from the same rows; None if it is the same recipe."""
    texts = dict.fromkeys(text["name"] for text in champion.encoding.texts)
    columns = [Column(each["name"], each["kind"], "effects" in each) for each in champion.encoding.columns]
    columns += [Column(name, "text") for name in texts]
    columns = [column for column in columns if column.name in training.frame.columns]
    parts = _parts(champion)
    if parts == challenger.parts and set(columns) == set(challenger.columns):
        return None
    recipe = Recipe("champion", parts, tuple(columns))
    earlier = []
    for fit, held_out in split.inner:
        earlier.append((_fitted(recipe, training, fit, spec, context)(held_out), held_out))
    said = _fitted(recipe, training, split.train, spec, context)
    calibration = calibrate_model(judge, training, earlier, split.is_by_time_within, said)
    return judge.says(calibration, said(split.test))


def _parts(champion: FittedPrediction) -> tuple[tuple[float, dict], ...]:
    """Weights and settings that the champion was fitted with."""
    firsts = [
        (weight, learner["learners"][0] if learner["kind"] == "per_class" else learner)
        for weight, learner in champion.learners
    ]
    return tuple((weight, {key: first[key] for key in SETTINGS if key in first}) for weight, first in firsts)


def _fitted(
    recipe: Recipe, training: Training, fit: np.ndarray, spec: PredictionSpec, context: Context
) -> Callable[[np.ndarray], np.ndarray]:
    """The recipe fitted on some rows: row numbers to margins."""
    encoding, learners = fit_parts(training, fit, recipe, spec, context)
    return lambda rows: mixed_margins(learners, encode_for(encoding, training.frame[rows]), context)
