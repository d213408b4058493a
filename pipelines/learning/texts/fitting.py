"""One way to fit and to judge, for one label a text and for several: candidates compared and probabilities set right on
texts that they have not seen, judged on others, and fitted again on all.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from pipelines.learning.context import Context
from pipelines.learning.texts.beside import Beside
from pipelines.learning.texts.features import Features, Learnt, features_of
from pipelines.learning.texts.linear import STRENGTHS
from pipelines.learning.texts.splitting import INNER_FOLDS, folds_of, tests_of

if TYPE_CHECKING:
    from scipy import sparse

Linear = tuple[np.ndarray, np.ndarray]
"""Weights (features × classes) and intercepts."""
SURE = 2.33
"""Standard errors by which the loss must be below the base rate's: one-sided 99 %."""


class TooFewTexts(ValueError):
    """There is too little to learn from; the message says what there is and what it takes."""


class Probable(Protocol):
    """What a fitted model is asked."""

    def of_values(self, values: "sparse.csr_matrix") -> np.ndarray:
        """Texts × classes, of the values of all features."""


Model = TypeVar("Model", bound=Probable)


@dataclass(frozen=True)
class Choice:
    """What texts that no fit had seen decide."""

    strength: float
    calibration: Any
    losses: Mapping[float, float]
    """Of every strength."""


@dataclass(frozen=True)
class Way(Generic[Model]):
    """What differs between one label a text and several. Rows are the places of texts."""

    fit: "Callable[[sparse.csr_matrix, np.ndarray, float], Linear]"
    """From values, their rows and a strength."""
    choose: Callable[[Mapping[float, np.ndarray], np.ndarray], Choice]
    """From the margins of rows that were not seen, by strength, and the rows."""
    make: Callable[[list[dict], Linear, Choice], Model]


@dataclass(frozen=True)
class Found(Generic[Model]):
    """A model, and what others like it said of texts that they had not seen."""

    model: Model
    choice: Choice
    test: np.ndarray
    """Rows that were judged, in order."""
    train: np.ndarray
    """Rows that the first judged model learnt from."""
    said: np.ndarray
    """Probabilities of the test's rows."""
    rounds: int


def fit_and_judge(
    ready: Sequence[str], beside: Beside | None, part: np.ndarray, way: Way[Model], context: Context
) -> Found[Model]:
    """
    Fit on texts (see `terms.spaced`) dealt into parts (see `splitting`).

    Raises TooFewTexts where no text can be held out.
    """
    tests, folds = tests_of(part), folds_of(part)
    if not tests or any(len(set(folds[~test]) - {-1}) < 2 for test in tests):
        raise TooFewTexts("Nearly all texts are copies of a few: there is nothing to judge a model on.")
    everything = np.arange(len(part))
    first, places, said = None, [], []
    features = features_of(ready, beside)
    with ThreadPoolExecutor(max_workers=context.threads) as pool:

        def chosen(rows: np.ndarray) -> Choice:
            """By inner folds."""
            jobs = [(rows[folds[rows] != number], rows[folds[rows] == number]) for number in range(INNER_FOLDS)]
            jobs = [(fit, out) for fit, out in jobs if len(fit) and len(out)]
            margins = list(pool.map(lambda job: _unseen(features, *job, way), jobs))
            out = np.concatenate([out for _, out in jobs])
            order = np.argsort(out)
            unseen = {each: np.concatenate([found[each] for found in margins])[order] for each in STRENGTHS}
            return way.choose(unseen, out[order])

        def model(rows: np.ndarray, choice: Choice) -> tuple[Model, Learnt]:
            learnt = features.learn(rows)
            return way.make(learnt.views, way.fit(learnt.values(rows), rows, choice.strength), choice), learnt

        context.say(f"comparing candidates on {len(part):,} texts")
        for test in tests:
            train, held_out = np.flatnonzero(~test), np.flatnonzero(test)
            choice = chosen(train)
            if len(tests) == 1:
                context.say("fitting")
                judged, final = pool.map(lambda rows, choice=choice: model(rows, choice), (train, everything))
            else:
                judged = model(train, choice)
            places.append(held_out)
            said.append(judged[0].of_values(judged[1].values(held_out)))
            first = train if first is None else first
        if len(tests) > 1:
            choice = chosen(everything)
            final = model(everything, choice)
    test = np.concatenate(places)
    order = np.argsort(test)
    return Found(final[0], choice, test[order], first, np.concatenate(said)[order], len(tests))


def _unseen(features: Features, fit: np.ndarray, out: np.ndarray, way: Way) -> dict[float, np.ndarray]:
    """Margins of the texts held out, for every strength."""
    learnt = features.learn(fit)
    values, others = learnt.values(fit), learnt.values(out)
    found = {}
    for strength in STRENGTHS:
        weights, intercepts = way.fit(values, fit, strength)
        found[strength] = np.asarray(others @ weights, dtype=np.float64) + intercepts
    return found


def candidates(choice: Choice) -> list[dict]:
    """The strengths that were compared: name, log_loss_validation, chosen."""
    return [
        {"name": f"linear (C = {strength:g})", "log_loss_validation": loss, "chosen": strength == choice.strength}
        for strength, loss in choice.losses.items()
    ]


def verdict_on(figures: Mapping) -> tuple[str, str]:
    """The verdict and its reason: what the losses say beside those of the shares of the classes."""
    loss, base = figures["log_loss"], figures["baseline_log_loss"]
    against = f"log loss {loss:.4f} on the texts held out, {base:.4f} by the shares of the classes alone"
    if figures["gain_over_base_rate"] <= SURE * figures["gain_error"]:
        return "no_signal", f"No better than the shares of the classes by more than noise ({against})."
    if figures["accuracy"] <= figures["base_rate"]:
        return "weak", f"Right no more often than always saying the commonest class ({against})."
    return "ok", f"Better than the shares of the classes ({against})."
