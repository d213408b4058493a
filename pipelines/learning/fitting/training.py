"""The rows that a prediction learns from: known answers, thinned in time, tidied, in an order of their own."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import polars.selectors as cs

from pipelines.learning.columns.kinds import as_numbers, tidy
from pipelines.learning.columns.ordered_levels import level_words, levels_in
from pipelines.learning.fitting.splitting import thin
from pipelines.learning.specs import FEWEST_LEVELS, PredictionSpec

MOST_ROWS = 200_000
"""Beyond this whole entities are drawn at random to learn from."""
PLENTY = 15_000
"""Rows beyond which, where one answer is rare, a part of the other's rows is fitted on and stands for all of them."""
COMMON_PER_RARE = 8
AMPLE = 2
"""Times what a fit needs at least: to leave out snapshots that are close to others, and to test on later dates."""
MOST_CLASSES = 100
STRATA = 5
"""Parts of the amounts, from small to large, that every side of a split has."""


class TooLittleData(ValueError):
    """There is not enough to learn from; the message says what there is and what is needed."""


@dataclass(frozen=True)
class Training:
    """Known rows, ready to learn from."""

    frame: pl.DataFrame
    """Tidied, thinned, in a fixed order; columns by name."""
    target: np.ndarray
    """0 and 1, the number of the class or level, or the amount (float64)."""
    clusters: np.ndarray
    """Entity of every row, integers from 0."""
    days: np.ndarray | None
    """Day number (since 1970) of every row's as_of; None for a table without time."""
    step_days: int | None
    classes: tuple[str, ...] = ()
    """Names of the classes, or of the levels in their order, by number; none for a yes-or-no question."""
    notes: list[str] = field(default_factory=list)
    is_amount: bool = False
    is_ordered: bool = False

    @property
    def learners(self) -> int:
        """How many learners a candidate is, one for each class; 0: one margin answers alone."""
        return 0 if self.is_ordered else len(self.classes)

    @property
    def levels(self) -> int:
        """How many levels in an order there are; 0 for other answers."""
        return len(self.classes) if self.is_ordered else 0

    @property
    def standing(self) -> np.ndarray | None:
        """In [0, 1], what wide categories are told by: the answer, or a level's or amount's rank; None for classes."""
        if self.is_amount or self.is_ordered:
            return ranks(self.target)
        return None if self.classes else self.target

    @property
    def strata(self) -> np.ndarray:
        """What must be there on both sides of a split (float64): the answer, or the fifth that an amount lies in."""
        return np.minimum(np.floor(STRATA * ranks(self.target)), STRATA - 1) if self.is_amount else self.target


def ranks(values: np.ndarray) -> np.ndarray:
    """In [0, 1], the share of the values that are below each, ties in the middle."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return ((np.cumsum(counts) - counts / 2) / len(values))[inverse]


def prepare(frame: pl.DataFrame, spec: PredictionSpec, seed: int) -> Training:
    """Rows with a known answer, thinned in time, tidied, in an order that does not depend on the input's.

    Raises TooLittleData, and ValueError if the key or target column is missing or of the wrong type.
    """
    for name, role in ((spec.entity_key, "entity key"), (spec.target, "target")):
        if name not in frame.columns:
            raise ValueError(f"{spec.name}: the table has no column {name!r} ({role}); it has {frame.columns[:20]}.")
    frame = frame.filter(pl.col(spec.target).is_not_null() & pl.col(spec.entity_key).is_not_null())
    notes: list[str] = []
    frame, classes = _with_levels(frame, spec, notes) if spec.task == "ordered" else _with_answers(frame, spec)
    _check_enough(frame, spec, classes)
    days = days_of(frame, spec)
    step = None
    if days is not None:
        frame, days, step = _thin(frame, days, spec)
        if step is not None and step < spec.step_days:
            notes.append(f"It looks at dates {step} days apart instead of {spec.step_days}: there are few cases.")
    if frame.height > MOST_ROWS:
        entities = frame[spec.entity_key].unique().sort()
        share = MOST_ROWS / frame.height
        chosen = entities.sample(max(1, int(len(entities) * share)), shuffle=True, seed=seed)
        notes.append(f"It learns from a random {share:.0%} of them, to stay within memory.")
        frame = frame.filter(pl.col(spec.entity_key).is_in(chosen.implode()))
    frame = tidy(_in_order(frame, spec).with_columns((cs.float() - cs.by_name(spec.target)).cast(pl.Float32)))
    clusters = frame[spec.entity_key].rank("dense").to_numpy().astype(np.int64) - 1
    target = frame[spec.target].cast(pl.Float64).to_numpy()
    is_amount, is_ordered = spec.task == "amount", spec.task == "ordered"
    return Training(frame, target, clusters, days_of(frame, spec), step, classes, notes, is_amount, is_ordered)


def enough_rows(target: np.ndarray, rows: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """
    The rows to fit on, and how many each stands for (float64): all, unless one answer is rare and rows are many.

    What can be learnt of a rare answer is in its own rows. They are all kept; of the others a random part is, weighted
    so that the base rate stays. King and Zeng (2001), "Logistic Regression in Rare Events Data". Judging and
    calibrating use every row.
    """
    if len(rows) <= PLENTY or target.max() > 1:
        return rows, np.ones(len(rows))
    answers = target[rows]
    is_rare = answers == (answers.mean() < 0.5)
    common = len(rows) - int(is_rare.sum())
    share = max(PLENTY - is_rare.sum(), COMMON_PER_RARE * is_rare.sum()) / max(common, 1)
    if share >= 1:
        return rows, np.ones(len(rows))
    kept = is_rare | (np.random.default_rng(seed).random(len(rows)) < share)
    return rows[kept], np.where(is_rare, 1.0, 1 / share)[kept]


def days_of(frame: pl.DataFrame, spec: PredictionSpec) -> np.ndarray | None:
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


def fingerprint(frame: pl.DataFrame, columns: list[str]) -> str:
    """SHA-256 over names, types and values of these columns, in this order of rows."""
    digest = hashlib.sha256()
    for name in columns:
        digest.update(frame.select(name).rechunk().write_ipc(None).getvalue())
    return digest.hexdigest()


def _in_order(frame: pl.DataFrame, spec: PredictionSpec) -> pl.DataFrame:
    """Columns by name, rows by time, key and content: in what order they came has no say in what is learnt."""
    frame = frame.select(sorted(frame.columns))
    first = [name for name in (spec.as_of, spec.entity_key) if name in frame.columns]
    if not frame.select(first).is_duplicated().any():
        return frame.sort(first)
    content = frame.hash_rows(seed=1).alias("__order")
    return frame.with_columns(content).sort([*first, "__order"]).drop("__order")


def _with_answers(frame: pl.DataFrame, spec: PredictionSpec) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The target as a boolean, as the number of its class, or as an amount; and the classes' names."""
    values = frame[spec.target]
    if spec.task == "amount":
        if not values.dtype.is_numeric() and values.dtype != pl.Null:
            raise ValueError(
                f"{spec.name}: the target {spec.target!r} must be a number to be estimated as an amount; it is "
                f"{values.dtype} with values such as {values.unique().head(3).to_list()}."
            )
        frame = frame.with_columns(values.cast(pl.Float64))
        if spec.relative_to is not None:
            if spec.relative_to not in frame.columns:
                raise ValueError(f"{spec.name}: the table has no column {spec.relative_to!r} (relative_to).")
            frame = frame.filter(pl.col(spec.relative_to) > 0)
            frame = frame.with_columns(pl.col(spec.target) / pl.col(spec.relative_to))
        return frame.filter(pl.col(spec.target).is_finite()), ()
    if spec.task == "classes":
        names = values.cast(pl.String)
        classes = tuple(sorted(names.unique().to_list()))
        if len(classes) > MOST_CLASSES:
            raise ValueError(
                f"{spec.name}: the target {spec.target!r} has {len(classes):,} distinct values (such as "
                f"{', '.join(map(repr, classes[:3]))}); {MOST_CLASSES} classes are the most. A number to forecast is "
                "no class: make ranges of it first."
            )
        codes = names.replace_strict(list(classes), range(len(classes)), return_dtype=pl.Int32) if classes else values
        return frame.with_columns(codes.alias(spec.target)), classes
    if values.dtype not in (pl.Boolean, pl.Null) and not (values.dtype.is_numeric() and values.is_in([0, 1]).all()):
        raise ValueError(
            f"{spec.name}: the target {spec.target!r} must be true, false or null; it is {values.dtype} with values "
            f"such as {values.unique().head(3).to_list()}. Make it a boolean in the outcomes model."
        )
    return frame.with_columns(values.cast(pl.Boolean)), ()


def _with_levels(frame: pl.DataFrame, spec: PredictionSpec, notes: list[str]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The target as the number of its level, from 0, and the levels. Other answers are left out, with a note."""
    words = level_words(frame[spec.target])
    try:
        levels = spec.levels or levels_in(words)
    except ValueError as problem:
        raise ValueError(f"{spec.name}: the target {problem}.") from None
    if 1 < len(levels) < FEWEST_LEVELS:
        raise TooLittleData(
            f"{spec.target} is {' or '.join(levels)} in all {frame.height:,} rows where it is known; an order has "
            f"{FEWEST_LEVELS} levels or more."
        )
    codes = words.replace_strict(levels, range(len(levels)), default=None, return_dtype=pl.Int32) if levels else words
    other = words.filter(codes.is_null())
    if len(other):
        shown = ", ".join(map(repr, other.fill_null("no number").unique().sort().head(3)))
        notes.append(f"{len(other):,} rows whose {spec.target} is none of the levels (such as {shown}) were left out.")
    return frame.with_columns(codes.alias(spec.target)).filter(codes.is_not_null()), levels


def _check_enough(frame: pl.DataFrame, spec: PredictionSpec, classes: tuple[str, ...]) -> None:
    if frame.height < spec.min_rows:
        raise TooLittleData(f"{frame.height:,} rows with a known {spec.target}; {spec.min_rows:,} are needed.")
    if spec.task == "amount":
        if frame[spec.target].n_unique() == 1:
            raise TooLittleData(
                f"{spec.target} is {frame[spec.target][0]:g} in all {frame.height:,} rows where it is known; there is "
                "nothing to estimate."
            )
        return
    entities = frame.group_by(spec.target).agg(pl.col(spec.entity_key).n_unique().alias("entities"))
    count = dict(entities.iter_rows())
    words = dict(enumerate(classes)) if classes else {True: "yes", False: "no"}
    if len(count) == 1:
        raise TooLittleData(
            f"{spec.target} is {words[next(iter(count))]} in all {frame.height:,} rows with a known outcome; "
            f"both outcomes are needed ({spec.min_positives} entities each)."
        )
    if spec.task == "ordered" and (others := sum(count.values()) - max(count.values())) < spec.min_positives:
        raise TooLittleData(
            f"{others:,} of {frame[spec.entity_key].n_unique():,} entities have another {spec.target} than "
            f"{words[max(count, key=lambda level: count[level])]}; {spec.min_positives} are needed."
        )
    for answer, word in words.items():
        if count.get(answer, 0) < spec.min_positives and not classes:
            raise TooLittleData(
                f"{count.get(answer, 0):,} of {frame[spec.entity_key].n_unique():,} entities have {spec.target} = "
                f"{word} ({frame.height:,} rows); {spec.min_positives} are needed."
            )


def _thin(frame: pl.DataFrame, days: np.ndarray, spec: PredictionSpec) -> tuple[pl.DataFrame, np.ndarray, int | None]:
    """Snapshots about every `step_days`; closer together where too few rows would remain.

    Only for entities that are seen again and again: where each is there once, its rows are all there is.
    """
    if frame[spec.entity_key].n_unique() == frame.height:
        return frame, days, None
    step = spec.step_days
    while True:
        mask = np.isin(days, thin(days, step))
        part = frame.filter(pl.Series(mask))
        fewest = part.group_by(spec.target).agg(pl.col(spec.entity_key).n_unique().alias("n"))["n"]
        enough = spec.task in ("amount", "ordered") or (len(fewest) > 1 and fewest.min() >= AMPLE * spec.min_positives)
        if step <= 1 or (part.height >= AMPLE * spec.min_rows and enough):
            return part, days[mask], step
        step = max(1, step // 2)
