"""A fitted prediction, and what it says about rows: probability, score, grade, reasons."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import polars as pl

from pipelines.learning.calibration import sigmoid
from pipelines.learning.candidates import Rows, add_by_owner, contributions, encoded_rows
from pipelines.learning.columns import as_numbers, tidy
from pipelines.learning.encoding import Encoding, encode, scoring_notes
from pipelines.learning.specs import PredictionSpec
from pipelines.learning.wording import reason_text, stem

logger = logging.getLogger(__name__)

TOP_REASONS = 8
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
    """Weight and learner; the margin is their weighted sum."""
    platt: tuple[float, float]
    """Slope and offset from margin to log-odds."""
    method: str
    metrics: dict = field(default_factory=dict)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    descriptions: dict[str, str] = field(default_factory=dict)
    trained_until_day: int | None = None
    """Day number (since 1970) of the newest snapshot learnt from; None for a table without time."""
    fingerprint: str = ""
    """Of the rows and columns learnt from."""
    code_version: str = ""
    card: str = ""
    baseline: dict = field(default_factory=dict)
    """What the training rows looked like, for `drift`; empty in models stored before there were any."""


def log_odds(model: FittedPrediction, frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, float]:
    """Log-odds of every row, the contribution of every column in `model.encoding.names` (rows × columns), and the base.

    base + sum of contributions = log-odds, exactly (to rounding).
    """
    rows = encode_for(model.encoding, tidy(frame))
    total = np.zeros((frame.height, len(model.encoding.names)))
    base = 0.0
    for weight, learner in model.learners:
        part, part_base = contributions(learner, rows, total.shape[1], text_means(model.encoding))
        total += weight * part
        base += weight * part_base
    slope, offset = model.platt
    total *= slope
    base = slope * base + offset
    return np.clip(base + total.sum(axis=1), -FURTHEST_LOG_ODDS, FURTHEST_LOG_ODDS), total, base


def encode_for(encoding: Encoding, tidied: pl.DataFrame) -> Rows:
    """Tidied rows as the learners take them."""
    return encoded_rows(encoding, encode(encoding, tidied), tidied)


def text_means(encoding: Encoding) -> np.ndarray:
    """Mean of every text term over the training rows."""
    return np.concatenate([np.asarray(text["means"]) for text in encoding.texts]) if encoding.texts else np.zeros(0)


def predict(model: FittedPrediction, frame: pl.DataFrame) -> np.ndarray:
    """Probability of every row, strictly within (0, 1)."""
    return sigmoid(log_odds(model, frame)[0])


def score_prediction(
    model: FittedPrediction, frame: pl.DataFrame, descriptions: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """Score rows of features; one row each, in their order.

    Returns entity_key, as_of (Date, null without time), probability (Float64), score (Int32, 1-99: percentile among
    these rows),
    grade (A-E: fifths of the score, A the most likely), expected_value (value × probability, null without a value),
    reasons (JSON: the base, the
    strongest features and the remainder, whose contributions sum to the log-odds) and reason_1 to reason_3 (words,
    never null).
    A column that is missing counts as empty, and is logged; a new one is ignored. `descriptions`: feature → words;
    those of
    the fit when None.

    Raises ValueError if the key column is missing.
    """
    spec = model.spec
    if spec.entity_key not in frame.columns:
        raise ValueError(
            f"{spec.name}: the rows to score have no column {spec.entity_key!r}; they have {frame.columns[:20]}."
        )
    for note in scoring_notes(model.encoding, frame):
        logger.warning("%s: %s", spec.name, note)
    odds, parts, base = log_odds(model, frame)
    probability = sigmoid(odds)
    score = percentile_scores(probability)
    reasons = _reasons(model, frame, odds, parts, base, {**model.descriptions, **(descriptions or {})})
    has_time = spec.as_of is not None and spec.as_of in frame.columns
    value = frame[spec.value].cast(pl.Float64, strict=False) if spec.value in frame.columns else None
    return pl.DataFrame(
        {
            spec.entity_key: frame[spec.entity_key],
            spec.as_of or "as_of_date": frame[spec.as_of].cast(pl.Date)
            if has_time
            else pl.Series([None] * frame.height, dtype=pl.Date),
            "probability": probability,
            "score": pl.Series(score, dtype=pl.Int32),
            "grade": pl.Series([grade(each) for each in score], dtype=pl.String),
            "expected_value": pl.Series([None] * frame.height, dtype=pl.Float64)
            if value is None
            else value * pl.Series(probability),
            **{
                name: pl.Series([row[name] for row in reasons], dtype=pl.String)
                for name in ("reasons", "reason_1", "reason_2", "reason_3")
            },
        }
    )


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


def _reasons(
    model: FittedPrediction,
    frame: pl.DataFrame,
    odds: np.ndarray,
    parts: np.ndarray,
    base: float,
    descriptions: Mapping[str, str],
) -> list[dict[str, str]]:
    names = model.encoding.names
    likelihood = model.spec.likelihood
    kinds = {column["name"]: column for column in model.encoding.columns}
    shown = [_values(frame, name, kinds.get(name), model.encoding.as_of) for name in names]
    stems = [stem(name) for name in names]
    numbers = {each: number for number, each in enumerate(dict.fromkeys(stems))}
    groups = np.array([numbers[each] for each in stems], dtype=np.int64)
    by_stem = np.zeros((len(parts), len(numbers)))
    if names:
        add_by_owner(by_stem, parts, groups)

    @lru_cache(maxsize=100_000)
    def words(position: int, value: object, compared: object, raises: bool) -> str:
        column = kinds.get(names[position])
        typical = column["typical"] if column and column["kind"] in ("number", "date") else None
        kind = column["kind"] if column else "text"
        return reason_text(names[position], kind, compared, typical, 1.0 if raises else -1.0, descriptions, likelihood)

    result = []
    for row in range(len(parts)):
        part = parts[row]
        first = _distinct(part, by_stem[row], groups)
        order = np.argsort(-np.abs(part), kind="stable")[: TOP_REASONS + 3]
        picked = (first + [int(i) for i in order if part[i] != 0 and i not in first])[:TOP_REASONS]
        entries = [
            {
                "feature": "base",
                "value": None,
                "contribution": base,
                "text": f"The typical {likelihood} before any reason",
            }
        ]
        texts = []
        for position in picked:
            value, compared = shown[position][0][row], shown[position][1][row]
            text = words(position, value, compared, bool(part[position] > 0))
            texts.append(text)
            entries.append(
                {"feature": names[position], "value": value, "contribution": float(part[position]), "text": text}
            )
        rest = float(odds[row] - sum(entry["contribution"] for entry in entries))
        entries.append({"feature": "other", "value": None, "contribution": rest, "text": "Everything else together"})
        texts += [f"Nothing {'else ' if texts else ''}stands out: a typical {likelihood}"] * 3
        result.append(
            {
                "reasons": json.dumps(entries, ensure_ascii=False),
                "reason_1": texts[0],
                "reason_2": texts[1],
                "reason_3": texts[2],
            }
        )
    return result


def _distinct(part: np.ndarray, by_stem: np.ndarray, groups: np.ndarray) -> list[int]:
    """The strongest feature of each of the three strongest sources.

    A source counts with the sum of its features: two windows of one measure that pull apart cancel out.
    """
    chosen = []
    for group in np.argsort(-np.abs(by_stem), kind="stable")[:3]:
        if by_stem[group] == 0:
            break
        members = np.flatnonzero(groups == group)
        chosen.append(int(members[np.argmax(part[members] * np.sign(by_stem[group]))]))
    return chosen


def _values(frame: pl.DataFrame, name: str, column: dict | None, as_of: str | None) -> tuple[list, list]:
    """A column's values for JSON, and as compared in words (days before as_of for dates); None where missing."""
    if name not in frame.columns:
        nothing = [None] * frame.height
        return nothing, nothing
    values = frame[name]
    kind = column["kind"] if column else "text"
    if kind in ("category", "text"):
        texts = values.cast(pl.String, strict=False).str.strip_chars().replace("", None).to_list()
        return texts, texts
    numbers = as_numbers(values)
    if kind == "date":
        reference = as_numbers(frame[as_of]) if as_of in frame.columns else (column or {}).get("reference_day", 0.0)
        written = values.cast(pl.String, strict=False).to_list()
        return written, (reference - numbers).to_list()
    plain = [int(each) if each is not None and each == int(each) else each for each in numbers.to_list()]
    if kind == "boolean":
        plain = [None if each is None else bool(each) for each in plain]
    return plain, plain
