"""A fitted prediction, and what it says about rows: probability, level or amount, score, grade, reasons."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from pipelines.learning.columns.kinds import Dropped, tidy
from pipelines.learning.columns.ordered_levels import level_values
from pipelines.learning.judging.ordered import median_levels
from pipelines.learning.learners.amounts import Scale
from pipelines.learning.learners.calibration import calibrated, level_probabilities, sigmoid
from pipelines.learning.learners.candidates import Rows, contributions, encoded_rows, margins
from pipelines.learning.learners.encoding import Encoding, encode, scoring_notes
from pipelines.learning.learners.intervals import quantities
from pipelines.learning.scoring.reasons import Telling, build_reasons, mentions_of
from pipelines.learning.scoring.unsaid import Unsaid, unsaid
from pipelines.learning.specs import PredictionSpec

logger = logging.getLogger(__name__)

SCORED_ROWS, BLOCKS_AT_ONCE = 15_000, 2
"""Rows that are scored at a time, to stay within memory, and how many such blocks at once."""
FURTHEST_LOG_ODDS = 30.0
"""Beyond this a probability cannot be told from 0 or 1."""
GRADES = (("A", 80), ("B", 60), ("C", 40), ("D", 20), ("E", 0))
"""Lowest score of each grade; A is the most likely fifth."""


@dataclass(frozen=True)
class FittedPrediction:
    """Everything that scoring needs, as plain data; what `storage` writes and reads."""

    spec: PredictionSpec
    encoding: Encoding
    learners: list[tuple[float, dict]]
    """Weight and learner; the margin is their weighted sum. Those without weight are bounds of an amount's interval."""
    calibration: tuple[float, float | list[float]]
    """Slope and offset (or one offset for each class, or each cut between levels) from margins to log-odds, or to the
    scale of an amount."""
    method: str
    classes: tuple[str, ...] = ()
    """Names of the classes, or of the levels in their order, by number; none for a yes-or-no question or an amount."""
    amount: dict = field(default_factory=dict)
    """Of an amount: `link` and `scale` on which it is estimated, and the `intervals` (see `learners.intervals`)."""
    metrics: dict = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    descriptions: dict[str, str] = field(default_factory=dict)
    trained_until_day: int | None = None
    """Day number (since 1970) of the newest snapshot learnt from; None for a table without time."""
    fingerprint: str = ""
    """Of the rows and columns learnt from."""
    code_version: str = ""
    baseline: dict = field(default_factory=dict)
    """What the training rows looked like, for `drift`; empty in models stored before there were any."""

    @property
    def is_ordered(self) -> bool:
        """Whether the classes are levels in an order, which share one margin."""
        return self.spec.task == "ordered"

    @property
    def has_margins(self) -> bool:
        """Whether every class has a margin of its own."""
        return bool(self.classes) and not self.is_ordered


def log_odds(model: FittedPrediction, frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, float]:
    """Log-odds of every row, the contribution of every column in `model.encoding.names` (rows × columns), and the base.

    base + sum of contributions = log-odds, exactly (to rounding). For yes-or-no models; of a model of classes see
    `strengths`. Of a model of levels, the log-odds of the cut that is nearest to even for a typical row (`middle_cut`):
    contributions are the same for every cut. Of a model of amounts, on the scale of its estimate: the amount's, or that
    of its logarithm.
    """
    return _log_odds(model, encode_for(model.encoding, tidy(frame)))


def strengths(model: FittedPrediction, frame: pl.DataFrame) -> np.ndarray:
    """Contribution of every column to the log-odds of yes, or of the class that is predicted (rows × columns)."""
    rows = encode_for(model.encoding, tidy(frame))
    if not model.has_margins:
        return _log_odds(model, rows)[1]
    parts = np.zeros((frame.height, len(model.encoding.names)))
    predicted = _class_probabilities(model, rows).argmax(axis=1)
    for number in np.unique(predicted):
        selected = np.flatnonzero(predicted == number)
        parts[selected] = _log_odds(_of_class(model, int(number)), rows.take(selected))[1]
    return parts


def _log_odds(model: FittedPrediction, rows: Rows) -> tuple[np.ndarray, np.ndarray, float]:
    total = np.zeros((len(rows.matrix), len(model.encoding.names)))
    base = 0.0
    for weight, learner in model.learners:
        if not weight:
            continue
        part, part_base = contributions(learner, rows, total.shape[1], text_means(model.encoding))
        total += weight * part
        base += weight * part_base
    slope, offset = model.calibration
    total *= slope
    base = slope * base + (offset[middle_cut(model, rows)] if model.is_ordered else offset)
    return _within(model, base + total.sum(axis=1)), total, base


def middle_cut(model: FittedPrediction, rows: Rows) -> int:
    """The cut between levels that is nearest to even odds for a typical row: the same for whatever rows."""
    one, means = rows.take(np.arange(min(1, len(rows.matrix)))), text_means(model.encoding)
    columns = len(model.encoding.names)
    typical = sum(weight * contributions(learner, one, columns, means)[1] for weight, learner in model.learners)
    slope, offsets = model.calibration
    return int(np.abs(slope * typical + np.asarray(offsets)).argmin())


def _within(model: FittedPrediction, margin: np.ndarray) -> np.ndarray:
    """Log-odds that can be told from 0 and 1, or amounts (their logarithms) within what an amount may be."""
    if model.amount:
        return Scale(**model.amount["scale"]).clipped(model.amount["link"], margin)
    return np.clip(margin, -FURTHEST_LOG_ODDS, FURTHEST_LOG_ODDS)


def amounts_said(state: Mapping, loss: str, margin: np.ndarray, bounds: np.ndarray) -> dict[str, np.ndarray]:
    """expected, p10, p50, p90 by a model's `amount`. `margin`: calibrated; `bounds`: rows × 2, learnt quantiles."""
    scale, link = Scale(**state["scale"]), state["link"]
    return quantities(scale, link, loss, state["intervals"], scale.clipped(link, margin), bounds)


def _bounds(model: FittedPrediction, rows: Rows) -> np.ndarray:
    return np.column_stack([margins(learner, rows) for weight, learner in model.learners if not weight])


def _class_probabilities(model: FittedPrediction, rows: Rows) -> np.ndarray:
    margin = sum(weight * margins(learner, rows) for weight, learner in model.learners)
    return calibrated(model.calibration, margin)


def _of_class(model: FittedPrediction, number: int) -> FittedPrediction:
    """The yes-or-no model of one class against the others."""
    slope, offsets = model.calibration
    return replace(
        model,
        learners=[(weight, learner["learners"][number]) for weight, learner in model.learners],
        calibration=(slope, offsets[number]),
        spec=replace(model.spec, likelihood_word=f"chance of {model.classes[number]}"),
        classes=(),
    )


def encode_for(encoding: Encoding, tidied: pl.DataFrame) -> Rows:
    """Tidied rows as the learners take them."""
    return encoded_rows(encoding, encode(encoding, tidied), tidied)


def text_means(encoding: Encoding) -> np.ndarray:
    """Mean of every text term over the training rows."""
    return np.concatenate([np.asarray(text["means"]) for text in encoding.texts]) if encoding.texts else np.zeros(0)


def predict(model: FittedPrediction, frame: pl.DataFrame) -> np.ndarray:
    """Probability of every row, strictly within (0, 1); rows × classes for a model of classes or levels.

    Of an amount, the estimate that its reasons add up to: the median or the mean, by the spec's loss.
    """
    rows = encode_for(model.encoding, tidy(frame))
    if model.classes:  # levels too: their calibration knows that they share one margin
        return _class_probabilities(model, rows)
    margin = sum(weight * margins(learner, rows) for weight, learner in model.learners if weight)
    slope, offset = model.calibration
    calibrated_margin = _within(model, slope * margin + offset)
    if model.amount:
        return Scale(**model.amount["scale"]).to_amount(model.amount["link"], calibrated_margin)
    return sigmoid(calibrated_margin)


def score_prediction(
    model: FittedPrediction, frame: pl.DataFrame, descriptions: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """Score rows of features; one row each, in their order.

    Returns entity_key, as_of (Date, null without time), probability (Float64), score (Int32, 1-99: percentile among
    these rows), grade (A-E: fifths of the score, A the most likely), expected_value (value × probability, null without
    a value), reasons (JSON) and reason_1 to reason_3 (words), see `build_reasons`, and for a spec with groups
    points_<group> and points_other: sums of contributions, which with the base add up to the log-odds. A model of
    classes has predicted (String) and probability_<class> in place of probability; its score, grade, value and reasons
    are those of the class that is predicted. A model of levels has predicted (Int64 where levels are whole numbers,
    else String: the median), its probability, probability_<level>, and expected (Float64: the mean, words counting from
    1), whose percentile is the score; the reasons add up to the log-odds of one cut, that of their likelihood ("chance
    of 4 or higher"), and are the same for every other. A model of an amount has expected (the mean), p10, p50 and p90
    in the amount's unit in place of probability, grade and expected_value; score is the percentile of expected, and the
    reasons add up to p50 (to expected under the squared loss), or are factors that multiply to it; with `relative_to`,
    both are of the multiple of that column, of which every row needs an amount above 0. A column that is
    missing counts as empty, and is logged; a new one is ignored. What tells these rows nothing apart is no reason (see
    `unsaid`). `descriptions`: feature → words; those of the fit when None.

    Raises ValueError if the key column is missing.
    """
    spec = model.spec
    if spec.entity_key not in frame.columns:
        raise ValueError(
            f"{spec.name}: the rows to score have no column {spec.entity_key!r}; they have {frame.columns[:20]}."
        )
    for note in scoring_notes(model.encoding, frame) + _spec_notes(spec, frame):
        logger.warning("%s: %s", spec.name, note)
    firsts = range(0, max(frame.height, 1), SCORED_ROWS)
    with ThreadPoolExecutor(max_workers=BLOCKS_AT_ONCE) as pool:
        names, texts = model.encoding.names, {text["name"] for text in model.encoding.texts}
        left_out = unsaid(names, tidy(frame.select(name for name in names if name in frame.columns)), texts)
        blocks = pool.map(
            lambda first: _answers(model, frame[first : first + SCORED_ROWS], descriptions or {}, left_out), firsts
        )
        answers, explained = (pl.concat(parts) for parts in zip(*blocks, strict=True))
    has_time = spec.as_of is not None and spec.as_of in frame.columns
    nothing = pl.Series([None] * frame.height)
    who = {
        spec.entity_key: frame[spec.entity_key],
        spec.as_of or "as_of_date": (frame[spec.as_of] if has_time else nothing).cast(pl.Date),
        **answers.to_dict(),
    }
    if model.amount:
        if spec.relative_to is not None:
            unit = frame[spec.relative_to].cast(pl.Float64)
            who |= {name: answers[name] * unit for name in answers.columns}
        # Of multiples: amounts in several currencies have no order.
        score = pl.Series(percentile_scores(answers["expected"].to_numpy()), dtype=pl.Int32)
        return pl.DataFrame({**who, "score": score, **explained.to_dict()})
    likeliest = answers["probability"] if "probability" in answers else answers.drop("predicted").max_horizontal()
    score = percentile_scores((answers["expected"] if model.is_ordered else likeliest).to_numpy())
    value = frame[spec.value].cast(pl.Float64, strict=False) if spec.value in frame.columns else None
    return pl.DataFrame(
        {
            **who,
            "score": pl.Series(score, dtype=pl.Int32),
            "grade": pl.Series([grade(each) for each in range(100)]).gather(score),
            "expected_value": nothing.cast(pl.Float64) if value is None else value * likeliest,
            **explained.to_dict(),
        }
    )


def _answers(
    model: FittedPrediction, frame: pl.DataFrame, descriptions: Mapping[str, str], left_out: Unsaid
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Probabilities or amounts, and reasons with group points, of some rows."""
    tidied = tidy(frame)
    rows = encode_for(model.encoding, tidied)
    if model.is_ordered:
        return _levels(model, rows, tidied, descriptions, left_out)
    if not model.classes:
        odds, explained = _explained(model, rows, tidied, descriptions, left_out)
        if model.amount:
            return pl.DataFrame(amounts_said(model.amount, model.spec.loss, odds, _bounds(model, rows))), explained
        return pl.DataFrame({"probability": sigmoid(odds)}), explained
    probability = _class_probabilities(model, rows)
    predicted = probability.argmax(axis=1)
    parts, places = [], []
    for number in range(len(model.classes)):
        selected = np.flatnonzero(predicted == number)
        if len(selected) or number == 0:
            some = rows.take(selected), tidied[selected]
            parts.append(_explained(_of_class(model, number), *some, descriptions, left_out)[1])
            places.append(selected)
    explained = pl.concat(parts)[np.argsort(np.concatenate(places), kind="stable")]
    names = pl.Series("predicted", model.classes, dtype=pl.String).gather(predicted)
    columns = {f"probability_{name}": probability[:, number] for number, name in enumerate(model.classes)}
    return pl.DataFrame({"predicted": names, **columns}), explained


def _levels(
    model: FittedPrediction, rows: Rows, tidied: pl.DataFrame, descriptions: Mapping[str, str], left_out: Unsaid
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The level of some rows with its probability, that of every level and the mean; and reasons with group points."""
    _, offsets = model.calibration
    cut = middle_cut(model, rows)
    more = "" if cut == len(offsets) - 1 else " or higher"
    asked = replace(model, spec=replace(model.spec, likelihood_word=f"chance of {model.classes[cut + 1]}{more}"))
    odds, explained = _explained(asked, rows, tidied, descriptions, left_out)
    probability = level_probabilities(odds[:, None] + (np.asarray(offsets) - offsets[cut]))
    predicted, values = median_levels(probability), level_values(model.classes)
    are_numbers = [f"{value:.0f}" for value in values] == list(model.classes)
    named = pl.Series("predicted", values.astype(np.int64) if are_numbers else model.classes).gather(predicted)
    own = np.take_along_axis(probability, predicted[:, None], axis=1)[:, 0]
    columns = {f"probability_{name}": probability[:, number] for number, name in enumerate(model.classes)}
    return (
        pl.DataFrame({"predicted": named, "probability": own, **columns, "expected": probability @ values}),
        explained,
    )


def _explained(
    model: FittedPrediction, rows: Rows, tidied: pl.DataFrame, descriptions: Mapping[str, str], left_out: Unsaid
) -> tuple[np.ndarray, pl.DataFrame]:
    """Log-odds, and reasons with group points."""
    spec, encoding = model.spec, model.encoding
    odds, parts, base = _log_odds(model, rows)
    telling = Telling(
        kinds={column["name"]: column for column in encoding.columns},
        likelihood=spec.likelihood,
        as_of=encoding.as_of,
        descriptions={**model.descriptions, **descriptions},
        templates=spec.templates,
        mentions=None if rows.text is None else mentions_of(encoding, rows, _text_weights(model), tidied),
        link=model.amount.get("link"),
    )
    reasons = build_reasons(encoding.names, left_out.told(parts, tidied), odds, base, tidied, telling)
    points = group_points(spec, encoding.names, parts, odds - base)
    if model.amount.get("link") == "log":
        points = {name: np.exp(values) for name, values in points.items()}
    return odds, reasons.with_columns(pl.Series(name, values) for name, values in points.items())


def group_points(
    spec: PredictionSpec, names: Sequence[str], parts: np.ndarray, total: np.ndarray
) -> dict[str, np.ndarray]:
    """`points_<group>` of every row: the sum of its columns' contributions; `points_other`: the rest of `total`."""
    if not spec.groups:
        return {}
    group_of = np.array(spec.groups_of(names))
    points = {f"points_{group}": parts[:, group_of == group].sum(axis=1) for group in spec.groups}
    return {**points, "points_other": total - sum(points.values())}


def _spec_notes(spec: PredictionSpec, frame: pl.DataFrame) -> list[str]:
    """What the spec names and these rows do not have."""
    notes = [f"No column matches {each!r} of the groups." for each in spec.unmatched_patterns(frame.columns)]
    return notes + [f"No column {each!r} for its template." for each in spec.templates if each not in frame.columns]


def _text_weights(model: FittedPrediction) -> np.ndarray:
    """Margin per unit of every text term, all learners together."""
    terms = len(text_means(model.encoding))
    total = np.zeros(terms)
    for weight, learner in model.learners:
        if learner["kind"] != "boosting" and len(learner["weights"]):
            total += weight * learner["weights"][-terms:]
    return model.calibration[0] * total


def percentile_scores(probability: np.ndarray) -> np.ndarray:
    """1 to 99: the share of these rows that score lower, ties in the middle. A single row has 50."""
    if not len(probability):
        return np.zeros(0, dtype=np.int32)
    _, inverse, counts = np.unique(probability, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    return np.clip(np.round(100 * middle / len(probability)), 1, 99).astype(np.int32)[inverse]


def grade(score: int) -> str:
    """A to E, from the score."""
    return next(letter for letter, lowest in GRADES if score >= lowest)
