"""Which rows teach, which calibrate and which judge.

With time: train on older snapshots, judge on the newest, and leave out in between every snapshot whose answer was not
yet known when
the test began. Inside the training period the same cut is made once more: its newer part chooses and calibrates.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.25
INNER_FOLDS = 3
FEW_ROWS = 3_000
INNER_FOLDS_OF_FEW = 5
"""With few rows a part held out is small, and what is left to learn from misses each of them."""


@dataclass(frozen=True)
class Split:
    """Row numbers of every part. `inner`: pairs (fit rows, validation rows) within `train`."""

    kind: str
    """"time", "entities" (whole entities held out) or "stratified" (a table without time)."""
    train: np.ndarray
    test: np.ndarray
    inner: list[tuple[np.ndarray, np.ndarray]]
    inner_kind: str
    notes: list[str] = field(default_factory=list)

    @property
    def is_by_time_within(self) -> bool:
        """Whether the rows that choose and calibrate are newer than those that the candidates are fitted on."""
        return self.kind == self.inner_kind == "time"


def thin(days: np.ndarray, step_days: int) -> np.ndarray:
    """The snapshots (sorted distinct day numbers) to use: the newest, then each that is at least `step_days` older."""
    chosen: list[int] = []
    for day in np.unique(days)[::-1]:
        if not chosen or chosen[-1] - day >= step_days:
            chosen.append(int(day))
    return np.array(chosen[::-1], dtype=np.int64)


def split_rows(
    days: np.ndarray | None,
    clusters: np.ndarray,
    target: np.ndarray,
    horizon_days: int,
    min_rows: int,
    min_positives: int,
    seed: int,
) -> Split:
    """Cut by time where there is enough of it, else by entities, and say so.

    `days`: day number of each row's as_of, None for a table without time; `clusters`: entity of each row, integers from
    0;
    `target`: 0/1. All of equal length; only rows with a known answer.
    """
    everything = np.arange(len(target))
    notes: list[str] = []
    if days is not None and len(np.unique(days)) > 1:
        cut = _cut(days, clusters, target, everything, horizon_days, TEST_SHARE, max(10, min_positives // 3))
        if cut is not None and _enough(clusters, target, cut[0], min_rows // 2, min_positives // 2):
            train, test = cut
            inner_cut = _cut(days, clusters, target, train, horizon_days, VALIDATION_SHARE, max(5, min_positives // 4))
            if inner_cut is not None and _enough(clusters, target, inner_cut[0], min_rows // 4, min_positives // 4):
                return Split("time", train, test, [inner_cut], "time")
            notes.append(
                "There is too little history to choose the method by later dates, too: it was chosen on cases set "
                "aside within the time that it learnt from."
            )
            return Split("time", train, test, _folds(clusters, target, train, seed), "entities", notes)
        notes.append(
            f"**Not judged out of time**: {as_date(days.min())} to {as_date(days.max())} has not enough "
            f"known answers on both sides of a gap of {horizon_days} days. It was tested on a random fifth instead; "
            "expect the figures to be too good."
        )
        kind = "entities"
    else:
        kind = "stratified"
        notes.append("**A table without time**: it was tested on a random fifth. What changes over time is not tested.")
    fold = _assign(clusters, target, everything, 5, seed)
    train, test = everything[fold != 0], everything[fold == 0]
    return Split(kind, train, test, _folds(clusters, target, train, seed + 1), "entities", notes)


def _cut(
    days: np.ndarray,
    clusters: np.ndarray,
    target: np.ndarray,
    rows: np.ndarray,
    horizon_days: int,
    share: float,
    min_positives: int,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Older and newer rows without the gap between them; the newer part grows until it has enough of both answers."""
    points = np.unique(days[rows])
    most = max(1, len(points) // 2)
    for size in range(max(1, round(len(points) * share)), most + 1):
        first = points[-size]
        newer = rows[days[rows] >= first]
        if _enough(clusters, target, newer, 1, min_positives):
            last = first - max(horizon_days, 1)
            older = rows[days[rows] <= last]
            return (older, newer) if len(older) else None
    return None


def _enough(clusters: np.ndarray, target: np.ndarray, rows: np.ndarray, min_rows: int, min_each: int) -> bool:
    is_common = target[rows] == np.bincount(target.astype(np.int64)).argmax()
    yes, no = rows[~is_common], rows[is_common]
    counts = len(np.unique(clusters[yes])), len(np.unique(clusters[no]))
    return len(rows) >= min_rows and min(counts) >= max(2, min_each)


def _folds(
    clusters: np.ndarray, target: np.ndarray, rows: np.ndarray, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    folds = INNER_FOLDS if len(rows) > FEW_ROWS else INNER_FOLDS_OF_FEW
    fold = _assign(clusters, target, rows, folds, seed)
    return [(rows[fold != number], rows[fold == number]) for number in range(folds)]


def _assign(clusters: np.ndarray, target: np.ndarray, rows: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """A fold for each of `rows`: whole entities, those of each answer spread evenly."""
    entities, inverse = np.unique(clusters[rows], return_inverse=True)
    answer = np.full(len(entities), -np.inf)
    np.maximum.at(answer, inverse, target[rows])
    shuffled = np.random.default_rng(seed).permutation(len(entities))
    order = shuffled[np.argsort(-answer[shuffled], kind="stable")]
    fold = np.empty(len(entities), dtype=np.int64)
    fold[order] = np.arange(len(entities)) % folds
    return fold[inverse]


def as_date(day: float) -> date:
    """The date of a day number, which counts from 1970."""
    return date(1970, 1, 1) + timedelta(days=int(day))
