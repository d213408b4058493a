"""Columns that know the answer because they were written after it.

`leaky`: gives the answer away. `suspect`: may be honest; somebody who knows the process has to say. How a leak differs
from an honest strong column: what is known before the outcome leaves doubt nearly everywhere, so its groups (levels,
ranges, "is filled in") seldom come near 0 % or 100 %; what is written after the outcome leaves hardly any. "Seldom" is
measured against a yardstick: a smooth score of AUC 0.95, which hardly any honest column reaches, at the same base rate.
Kaufman, Rosset and Perlich (2012), "Leakage in data mining: formulation, detection, and avoidance".
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.learning.columns.levels import hashed, learn_effects

if TYPE_CHECKING:
    from pipelines.learning.columns.kinds import Column

ROWS = "(rows)"
"""What a finding about the table itself is called."""

MOST_ROWS = 12_000
MODEL_ROWS = 5_000
MODEL_COLUMNS = 100
TREES = 40
MOST_LEVELS = 60
MOST_BINS = 24
MOST_CLASSES = 12
NORMAL = NormalDist()

YARDSTICK = math.sqrt(2) * NORMAL.inv_cdf(0.95)
"""Distance of two normal distributions of spread 1 between which the AUC is 0.95."""
PURITIES = (0.01, 0.02, 0.05, 0.1, 0.15)
"""How impure a group may be. At equal base rates a share of so many; in general twice that, times the base rate."""
PURE = 0.05
"""The loosest of them that tells when only one answer has near-pure groups."""
FEWEST_COVERED = 0.25
"""Share of an answer's rows that near-pure groups must hold to be more than a detail."""
MUCH_COVERED = 0.5
"""The same for groups of one answer only."""
ANSWERING = 0.97
EXACT = 0.99
"""AUC of a single column: hardly ever honest; never honest."""
AS_GOOD_WITHOUT = 0.85
"""Where the others explain this share of what all explain, the outcome is easy to tell and the column no leak."""
ANSWER = 0.48
MOST_OF_IT = 0.5
"""A column this strong alone, without which the model loses most, is the answer: a smooth score of AUC 0.90 has a
strength of 0.43, the outcome with one in ten wrong 0.53."""
TOO_GOOD = 0.75
HINGES = 0.3
"""Share of log loss that a model on honest columns hardly ever explains; what is left of it without a few columns."""
STRONG = 0.24
STRONGER = 0.26
"""Strength (see `_Figures`) of a smooth score of AUC 0.81; of a column that is the outcome with one in five wrong."""
FEW = 3
FAR = 1.5
FARTHER = 2.0
NEAR_CERTAIN = 0.1
"""Share of rows in groups whose outcome is nearly certain, from which a column counts as suspiciously certain."""
TELLING = 0.15
"""Share of log loss that "is filled in" explains beyond which it tells the outcome."""
SURE = math.log(1e6)
"""Evidence (nats) that a group's rate is no accident: one in a million for a table, however many columns it has."""
FEWEST_PRESENT = 0.1
KIN = 0.5
IN_ORDER = 0.3
"""Agreement of neighbours in key order beyond chance (Cohen's kappa)."""
FEWEST_REPEATED = 0.01
SAME_ANSWER = 0.98


FILLED_IN = "filled in"
FEWEST_WAITING, MOST_FILLED = 20, 0.95
"""Rows without an answer that can tell which columns come with it, and the share that counts as nearly all."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with a column. `grade`: leaky or suspect; `reason`: one line with figures; `figures`: the same."""

    column: str
    grade: str
    reason: str
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Bins:
    """A column as groups: `codes` from 0 (missing) per row, and what each is called in a sentence."""

    name: str
    kind: str
    codes: np.ndarray
    labels: list[str]
    usual: int | None = None
    """Code of a number that most rows have; others are exceptions to it, as filled is to empty."""
    later: int = 0
    """Codes from 1 to this are dates after the row's as_of."""


@dataclass(frozen=True)
class _Figures:
    """What one column says about a yes-or-no outcome, every row judged by the rows of other entities.

    `yes`, `no`: rates of yes that the rows of this answer were given, and the share of its rows that got each;
    `explained`: share of log loss; `strength`: the same if both answers were equally frequent, so that it compares with
    other tables.
    """

    yes: tuple[np.ndarray, np.ndarray]
    no: tuple[np.ndarray, np.ndarray]
    explained: float
    strength: float
    auc: float


@dataclass(frozen=True)
class _Question:
    """A yes-or-no outcome and what belongs to it."""

    target: np.ndarray
    clusters: np.ndarray
    is_flat: bool
    base: float
    loss: float
    fewest: int
    words: tuple[str, str]
    draw: np.ndarray
    """A hash by which rows are drawn and halved, so that their order does not matter."""
    content: np.ndarray

    @property
    def odds(self) -> float:
        return math.log(self.base / (1 - self.base))

    @property
    def error(self) -> float:
        """Standard error, at most, of a share of the rarer answer's entities."""
        return 0.5 / math.sqrt(self.fewest)


def filled_with_the_answer(frame: pl.DataFrame, waiting: pl.Series) -> list[Finding]:
    """Columns that nearly every answered row has, and hardly any of those `waiting` (boolean) for their answer.

    They come with the answer, so rows to score never have them; the answered rows alone cannot show that.
    """
    if not FEWEST_WAITING <= waiting.sum() < frame.height:
        return []
    found = []
    for values in frame:
        empty = values.is_null()
        answered, others = 1 - float(empty.filter(~waiting).mean()), 1 - float(empty.filter(waiting).mean())
        if answered >= MOST_FILLED and others <= 1 - MOST_FILLED:
            reason = (
                f"filled in once the answer is known: in {answered:.0%} of the rows that have one, in {others:.0%} "
                f"of the {int(waiting.sum()):,} that wait for it"
            )
            found.append(Finding(values.name, "leaky", reason, {"answered": answered, "waiting": others}))
    return found


def find_leaks(
    frame: pl.DataFrame,
    columns: "Sequence[Column]",
    target: np.ndarray,
    clusters: np.ndarray,
    seed: int,
    days: np.ndarray | None = None,
    classes: Sequence[str] = (),
) -> list[Finding]:
    """Findings about `columns`, the worst first within a grade, then one about the table's rows, if any.

    `frame`: tidied training rows (null is missing); `target`: 0/1, or integer codes of K classes, per row; `clusters`:
    entity of each row; `days`: day number of each row's as_of, from which dates are counted. Neither the order of rows
    nor that of columns matters. Beyond 12,000 rows a part is looked at, chosen by a hash of their content (or of their
    entity where entities repeat).
    """
    names = sorted(column.name for column in columns)
    if not names or len(target) < 2 or float(np.min(target)) == float(np.max(target)):
        return []
    by_name = {column.name: column for column in columns}
    target, clusters = np.asarray(target, dtype=np.float64), np.asarray(clusters, dtype=np.int64)
    hashes = frame.select(names).hash_rows(seed).to_numpy()
    repeated = _repeated_rows(frame, names, hashes, target, clusters)
    is_flat = pl.Series(clusters).n_unique() == len(clusters)
    draw = hashes if is_flat else hashed(clusters, seed)
    # Levels in an order are codes, too; wide categories are told by where an answer stands between the ends.
    standing = target / max(float(target.max()), 1.0)
    described = {
        name: learn_effects(frame[name], clusters, standing).out_of_fold for name in names if by_name[name].is_wide
    }
    overall = float(np.clip(np.mean(standing), 1e-9, 1 - 1e-9))
    if len(target) > MOST_ROWS:
        rows = _drawn(draw, MOST_ROWS)
        frame, target, clusters = frame.select(names).filter(rows), target[rows], clusters[rows]
        draw, hashes = draw[rows], hashes[rows]
        described = {name: effects[rows] for name, effects in described.items()}
        days = None if days is None else days[rows]
    bins = [
        _bin_levels(name, described[name], overall)
        if name in described
        else _bin(frame[name], by_name[name].kind, days)
        for name in names
    ]

    def ask(answer: float, words: tuple[str, str]) -> _Question:
        is_yes = (target == answer).astype(np.float64)
        base = float(is_yes.mean())
        loss = -(base * math.log(base) + (1 - base) * math.log(1 - base))
        fewest = min(pl.Series(clusters[is_yes == side]).n_unique() for side in (0, 1))
        return _Question(is_yes, clusters, is_flat, base, loss, fewest, words, draw, hashes)

    def called(code: float) -> str:
        return f"“{classes[int(code)]}”" if classes else f"class {code:g}"

    codes, counts = np.unique(target, return_counts=True)
    if len(codes) < 2:
        return repeated
    if len(codes) == 2 and not classes:
        return [*_find(bins, frame, ask(codes[-1], ("yes", "no"))), *repeated]
    most = np.lexsort((codes, -counts))[:MOST_CLASSES]
    by_class = [
        (
            counts[place] / len(target),
            _find(bins, frame, ask(codes[place], (called(codes[place]), f"not {called(codes[place])}"))),
        )
        for place in most
    ]
    return [*_over_classes(by_class), *repeated]


def key_leak(values: pl.Series, target: np.ndarray, clusters: np.ndarray) -> Finding | None:
    """Whether a key's order sorts the outcome: labels in blocks, ids given by class. None if not.

    `values`: numbers, or text whose last run of digits counts; also the rows' place in the file. `target`: 0/1 or class
    codes. An entity counts once. Meant for keys that are no input anyway, and used for row-number-like inputs.
    """
    text = values.dtype == pl.String
    numbers = values.str.extract(r"(\d+)\D*$").cast(pl.Float64, strict=False) if text else values.cast(pl.Float64)
    if numbers.null_count() == len(numbers):
        return None
    entities = (
        pl.DataFrame({"entity": clusters, "key": numbers, "answer": np.asarray(target, dtype=np.float64)})
        .drop_nulls()
        .group_by("entity")
        .agg(pl.col("key").min(), pl.col("answer").max())
        .sort("key", "answer")
    )
    keys, answers = entities["key"].to_numpy(), entities["answer"].to_numpy()
    if len(answers) < 50 or len(np.unique(keys)) < 0.5 * len(keys):
        return None
    # Equal keys must not sort by answer, so only neighbours with different keys are compared.
    differ = keys[1:] != keys[:-1]
    agree = float((answers[1:] == answers[:-1])[differ].mean())
    shares = np.unique(answers, return_counts=True)[1] / len(answers)
    chance = float((shares**2).sum())
    if chance > 1 - 1e-9:
        return None
    kappa = (agree - chance) / (1 - chance)
    error = math.sqrt(chance * (1 - chance) / differ.sum()) / (1 - chance)
    if kappa < IN_ORDER or kappa < 6 * error:
        return None
    reason = (
        f"keys in the outcome's order: neighbours by this key have the same outcome in {agree:.0%} of cases, "
        f"by chance it would be {chance:.0%}"
    )
    return Finding(values.name, "leaky", reason, {"agreement": agree, "chance": chance, "kappa": kappa})


def repeated_rows(
    frame: pl.DataFrame, columns: "Sequence[Column]", target: np.ndarray, clusters: np.ndarray
) -> Finding | None:
    """Rows of different entities that are copies of each other, or None; see `duplicate_clusters` for what to do."""
    names = sorted(column.name for column in columns)
    if not names or not len(target):
        return None
    found = _repeated_rows(frame, names, frame.select(names).hash_rows(0).to_numpy(), target, clusters)
    return found[0] if found else None


def duplicate_clusters(frame: pl.DataFrame, columns: "Sequence[Column]", clusters: np.ndarray) -> np.ndarray:
    """Entity of each row as a code from 0 (int64), where entities with an identical row count as one.

    For a table with a finding about its rows: without one, equal rows are an accident of columns with few values.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    names = sorted(column.name for column in columns)
    own = np.unique(clusters, return_inverse=True)[1]
    content = np.unique(frame.select(names).hash_rows(0).to_numpy(), return_inverse=True)[1]
    size = int(own.max()) + 1
    total = size + int(content.max()) + 1
    edges = sparse.coo_matrix((np.ones(len(own), dtype=np.int8), (own, size + content)), shape=(total, total))
    merged = connected_components(edges, directed=False)[1][own]
    return np.unique(merged, return_inverse=True)[1].astype(np.int64)


def _find(bins: list[_Bins], frame: pl.DataFrame, question: _Question) -> list[Finding]:
    """Column by column first; then, without what is leaky by itself, each against the others."""
    figures = {column.name: _judge(column, question) for column in bins if column.kind != "text"}
    evidence = SURE + math.log(len(bins))
    alone = [_alone(column, figures.get(column.name), frame, question, evidence) for column in bins]
    leaky = {found.column: found for found in alone if found is not None and found.grade == "leaky"}
    suspect = {found.column: found for found in alone if found is not None and found.grade == "suspect"}
    judged = sorted((c for c in bins if c.name in figures), key=lambda c: (-figures[c.name].strength, c.name))
    cleared = _cleared(leaky, judged, figures, question)
    leaky = {name: found for name, found in leaky.items() if name not in cleared}
    rest = [column for column in judged if column.name not in leaky]
    for found in _against_others(rest, figures, question):
        if found.grade == "leaky":
            suspect.pop(found.column, None)
            leaky[found.column] = found
        else:
            suspect.setdefault(found.column, found)

    def order(found: Finding) -> tuple[float, str]:
        return -found.figures.get("explained", 0.0), found.column

    return sorted(leaky.values(), key=order) + sorted(suspect.values(), key=order)


def _alone(
    column: _Bins, figures: _Figures | None, frame: pl.DataFrame, question: _Question, evidence: float
) -> Finding | None:
    """What a column says of itself: when it is filled in, what its groups give away, in which order it counts."""
    found = _by_presence(column, question, evidence)
    if (found is None or found.grade == "suspect") and figures is not None:
        by_groups = _by_itself(column, figures, question)
        if by_groups is not None and (found is None or by_groups.grade == "leaky"):
            found = by_groups
    if (found is None or found.grade == "suspect") and _is_row_number(column, frame, question):
        found = key_leak(frame[column.name], question.target, question.clusters) or found
    return found


def _cleared(
    leaky: dict[str, Finding], judged: list[_Bins], figures: dict[str, _Figures], question: _Question
) -> set[str]:
    """Columns with pure groups that the others explain as well: the outcome is easy to tell, and they are honest."""
    doubtful = {name for name, found in leaky.items() if "purity" in found.figures and figures[name].auc < EXACT}
    rest = [column for column in judged if column.name not in leaky]
    if not doubtful or not rest:
        return set()
    all_honest = [column for column in judged if column.name in doubtful or column.name not in leaky]
    as_good = _model_explains(rest, question) >= AS_GOOD_WITHOUT * _model_explains(all_honest, question)
    return doubtful if as_good else set()


def _over_classes(by_class: list[tuple[float, list[Finding]]]) -> list[Finding]:
    """From each class's share of rows and findings (against all others), the most frequent class first.

    A column may honestly know one class of many; it is a finding if it gives away classes with half of the rows.
    """
    found: dict[str, list[tuple[float, Finding]]] = {}
    for share, findings in by_class:
        for finding in findings:
            found.setdefault(finding.column, []).append((share, finding))
    result = []
    for findings in found.values():
        for grade, counted in (("leaky", ("leaky",)), ("suspect", ("leaky", "suspect"))):
            counted_rows = [(share, finding) for share, finding in findings if finding.grade in counted]
            if sum(share for share, _ in counted_rows) >= 0.5:
                first = counted_rows[0][1]
                result.append(Finding(first.column, grade, first.reason, first.figures))
                break
    return sorted(result, key=lambda finding: (finding.grade, finding.column))


def _bin(values: pl.Series, kind: str, days: np.ndarray | None) -> _Bins:
    """Levels or ranges. Ranges end at quantiles; a number with few values has a group for each."""
    missing = values.is_null().to_numpy()
    if kind == "text":
        return _Bins(values.name, kind, np.where(missing, 0, 1), ["empty", "filled in"])
    rows = len(values)
    if kind in ("category", "boolean"):
        ranks = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
        counts = np.bincount(ranks)
        order = 1 + np.argsort(-counts[1:], kind="stable")
        kept = order[:MOST_LEVELS][counts[order[:MOST_LEVELS]] >= max(5, 0.002 * rows)]
        place = np.full(len(counts), len(kept) + 1)
        place[0], place[kept] = 0, np.arange(1, len(kept) + 1)
        first = np.zeros(len(counts), dtype=np.int64)
        first[ranks[::-1]] = np.arange(rows)[::-1]
        labels = [f'"{values[int(first[rank])]}"' for rank in kept]
        return _Bins(values.name, kind, place[ranks], ["empty", *labels, "another value"])
    numbers = _numbers(values, days)
    missing = np.isnan(numbers)
    known = np.sort(numbers[~missing])
    if not len(known):
        return _Bins(values.name, kind, np.zeros(rows, dtype=np.int64), ["empty"])
    starts = np.flatnonzero(np.append(True, known[1:] != known[:-1]))
    distinct, counts = known[starts], np.diff(np.append(starts, len(known)))
    if len(distinct) <= MOST_BINS:
        edges = distinct[:-1]
    else:
        steps = int(min(MOST_BINS - 4, max(4, rows // 25)))
        shares = np.append(np.linspace(0, 1, steps + 1)[1:-1], (0.01, 0.025, 0.975, 0.99) if rows >= 1_000 else ())
        edges = np.unique(known[(shares * (len(known) - 1)).astype(np.int64)])
        edges = edges[edges < known[-1]]
    often = int(np.argmax(counts))
    is_usual = bool(counts[often] >= 0.5 * rows)
    after = distinct[distinct <= -1].max(initial=-math.inf) if kind == "date" and days is not None else None
    # The usual value stands alone, and so do dates that are still to come.
    apart = [distinct[often - 1]] if is_usual and often else []
    apart += [after] if after is not None and math.isfinite(after) and after < known[-1] else []
    edges = np.unique(np.append(edges, apart))
    codes = np.where(missing, 0, 1 + np.searchsorted(edges, numbers))
    labels = ["empty", *_range_labels(edges, distinct, kind, days)]
    usual = int(1 + np.searchsorted(edges, distinct[often])) if len(distinct) > 1 and is_usual else None
    later = int(1 + np.searchsorted(edges, after)) if after is not None and math.isfinite(after) else 0
    return _Bins(values.name, kind, codes, labels, usual, later)


def _bin_levels(name: str, effects: np.ndarray, overall: float) -> _Bins:
    """
    A wide category as ranges of what its levels say of other entities; no level has rows enough alone.

    `effects`: log-odds against the rate of all rows, `overall`.
    """
    rates = 1 / (1 + np.exp(-effects - math.log(overall / (1 - overall))))
    bins = _bin(pl.Series(name, rates, nan_to_null=True), "rate", None)
    labels = ["empty", *(f"values with {label} yes in their other rows" for label in bins.labels[1:])]
    return _Bins(name, "number", bins.codes, labels)


def _range_labels(edges: np.ndarray, distinct: np.ndarray, kind: str, days: np.ndarray | None) -> list[str]:
    def word(value: float) -> str:
        if kind == "date" and days is None:
            return str(np.datetime64("1970-01-01") + np.timedelta64(math.floor(value), "D"))
        if kind == "rate":
            return _percent(value)
        return f"{value:,.6g}"

    lows = distinct[np.append(0, np.searchsorted(distinct, edges, side="right"))]
    highs = np.append(edges, distinct[-1])
    unit = " days ago" if kind == "date" and days is not None else ""
    return [
        f"{word(low)}{unit}" if low == high else f"{word(low)} to {word(high)}{unit}"
        for low, high in zip(lows, highs, strict=True)
    ]


def _numbers(values: pl.Series, days: np.ndarray | None) -> np.ndarray:
    """Float64 with nan for missing; a date as days before `days`, or since 1970."""
    if values.dtype in (pl.Date, pl.Datetime):
        since = (values.cast(pl.Datetime("us")).dt.replace_time_zone(None).dt.epoch("us") / 86_400e6).to_numpy()
        return since if days is None else days - since
    return values.cast(pl.Float64, strict=False).fill_null(math.nan).to_numpy()


def _judge(column: _Bins, question: _Question) -> _Figures:
    """Every row's rate of yes among the other entities' rows of its group, shrunk towards the base rate."""
    codes, target, base = column.codes, question.target, question.base
    rows, hits = _counts(codes, question)
    if question.is_flat:
        yes = ((hits - 1 + base) / np.maximum(rows, 1), hits)
        no = ((hits + base) / np.maximum(rows, 1), rows - hits)
    else:
        pairs = codes.astype(np.int64) * (int(question.clusters.max()) + 1) + question.clusters
        inverse = np.unique(pairs, return_inverse=True)[1]
        own_rows, own_hits = np.bincount(inverse)[inverse], np.bincount(inverse, weights=target)[inverse]
        rate = (hits[codes] - own_hits + base) / (rows[codes] - own_rows + 1)
        yes, no = ((rate[counted_rows], np.ones(int(counted_rows.sum()))) for counted_rows in (target > 0, target == 0))
    yes, no = ((rates[weights > 0], weights[weights > 0] / weights.sum()) for rates, weights in (yes, no))
    loss = -base * np.log(yes[0]) @ yes[1] - (1 - base) * np.log1p(-no[0]) @ no[1]
    # Odds against the answer, as if yes and no were one to one.
    against_yes = (1 - yes[0]) / (1 - base) * base / yes[0]
    against_no = no[0] / base * (1 - base) / (1 - no[0])
    even = (np.log1p(against_yes) @ yes[1] + np.log1p(against_no) @ no[1]) / 2
    order = np.argsort((hits + base) / (rows + 1), kind="stable")
    hit, missed = hits[order], (rows - hits)[order]
    auc = float((hit * (np.cumsum(missed) - missed / 2)).sum() / (hit.sum() * missed.sum()))
    return _Figures(yes, no, float(1 - loss / question.loss), float(1 - even / math.log(2)), auc)


def _by_itself(column: _Bins, figures: _Figures, question: _Question) -> Finding | None:
    """Near-pure groups over much of the table, or an order that no honest column has."""
    described = {"auc": figures.auc, "explained": figures.explained}
    if figures.explained <= 0:
        return None
    if figures.auc >= ANSWERING and figures.strength >= MOST_OF_IT:
        reason = f"alone it predicts the outcome with AUC {figures.auc:.3f}{_examples(column, question)}"
        return Finding(column.name, "leaky", reason, described | {"purity": 0.0})
    one_sided = None
    for purity in PURITIES:
        covered, least = _coverage(figures, question, purity), _yardstick(question, purity)
        yes, no = covered
        slack = 2 * question.error
        told_now = described | {"purity": purity, "covered_yes": yes, "covered_no": no}
        both = (yes + no) / 2
        if both >= max(FEWEST_COVERED, sum(least) / 2) + slack:
            return Finding(column.name, "leaky", _pure(column, figures, question, purity, covered), told_now)
        for answer, share, floor in ((1, yes, least[0]), (0, no, least[1])):
            if purity > PURE or share < max(FEWEST_COVERED, floor) + slack:
                continue
            frequency = question.base if answer else 1 - question.base
            # Groups without any of a rare answer are common and mostly innocent; groups full of it are not.
            grade = "leaky" if frequency <= 0.65 and share >= MUCH_COVERED else "suspect"
            finding = Finding(column.name, grade, _pure(column, figures, question, purity, covered), told_now)
            if grade == "leaky":
                return finding
            if frequency <= 0.65 or (frequency <= 0.9 and purity <= 0.02):
                one_sided = one_sided or finding
    return one_sided


def _by_presence(column: _Bins, question: _Question, sure: float) -> Finding | None:
    """Filled in (or not the usual number) only once the answer is known. `sure`: the evidence needed, in nats."""
    suspect = None
    for group, words, others in _presences(column):
        if not group.any() or group.all():
            continue
        for rows, verb, is_rest in ((group, words, False), (others, f"not {words}", True)):
            found = _present_where(rows, verb, is_rest, words == FILLED_IN, column, question, sure)
            if found is not None and found.grade == "leaky":
                return found
            suspect = suspect or found
    return suspect


def _presences(column: _Bins) -> Iterator[tuple[np.ndarray, str, np.ndarray]]:
    """Ways of being there: the rows, what they are called in a sentence, and the other rows."""
    missing = column.codes == 0
    yield ~missing, FILLED_IN, missing
    if column.usual is not None:
        usual = column.codes == column.usual
        yield ~usual & ~missing, f"other than {column.labels[column.usual]}", usual | missing
    if column.later:
        later = (column.codes >= 1) & (column.codes <= column.later)
        yield later, "later than the day of the row", ~later


def _present_where(
    rows: np.ndarray, verb: str, is_rest: bool, is_empty: bool, column: _Bins, question: _Question, sure: float
) -> Finding | None:
    """Whether the outcome is all but settled in these rows. `is_rest`: they are what the others are not."""
    answer = int(question.target[rows].mean() > question.base)
    impurity, covered, evidence = _purity(rows, answer, question)
    frequency = question.base if answer else 1 - question.base
    if evidence < sure or frequency > 0.9:
        return None
    figures = {"rows": float(rows.sum()), "rate": float(question.target[rows].mean()), "covered": covered}
    figures |= {"explained": _judge(_Bins(column.name, "boolean", rows.astype(np.int64), []), question).explained}
    reason = (
        f"{verb} in {int(rows.sum()):,} rows, and the outcome is {question.words[1 - answer]} "
        f"in {_percent(1 - impurity * (1 - frequency))} of them ({_percent(frequency)} overall): "
        f"{_percent(covered)} of all that are {question.words[1 - answer]}"
    )
    if is_rest:
        decides = impurity == 0 and covered >= 0.5
    else:
        # A number may honestly be unusual only where the outcome is the ordinary one.
        least = FEWEST_PRESENT if is_empty or frequency <= 0.5 else MUCH_COVERED
        decides = impurity <= 0.1 and covered >= least
    if decides:
        return Finding(column.name, "leaky", reason, figures)
    is_telling = figures["explained"] >= TELLING or (not is_rest and impurity <= 0.1)
    return Finding(column.name, "suspect", reason, figures) if is_telling else None


@dataclass(frozen=True)
class _Standing:
    """The columns that are left, the strongest first, and what they explain together."""

    ranked: list[_Bins]
    figures: dict[str, _Figures]
    question: _Question
    certain: dict[str, float]
    """Of the strong ones: the share of rows that they are nearly certain about."""
    certain_ones: list[_Bins]
    """Few that are nearly certain about many rows; none where there are many of them."""
    whole: float
    """Share of log loss that a model on all columns explains."""
    hinges: float
    """Share of it that is left without the certain ones."""

    @classmethod
    def of(cls, rest: list[_Bins], figures: dict[str, _Figures], question: _Question) -> "_Standing":
        ranked = sorted(rest, key=lambda column: (-figures[column.name].strength, column.name))
        strong = [column for column in ranked if figures[column.name].strength >= STRONG + question.error]
        certain = {column.name: sum(_coverage(figures[column.name], question, 0.1)) / 2 for column in strong}
        certain_ones = [column for column in strong if certain[column.name] >= NEAR_CERTAIN]
        if len(_unlike(certain_ones)) > FEW:
            certain_ones = []  # where many are strong, the outcome is easy to tell
        whole = _model_explains(ranked, question) if strong else 0.0
        left = _model_explains(_without(ranked, certain_ones), question) if certain_ones else whole
        hinges = left / max(whole, 1e-9) if certain_ones else 1.0
        return cls(ranked, figures, question, certain, certain_ones, whole, hinges)


def _against_others(rest: list[_Bins], figures: dict[str, _Figures], question: _Question) -> list[Finding]:
    """Columns that stand out among those that do not give the answer away by themselves."""
    standing = _Standing.of(rest, figures, question)
    strong = [column for column in standing.ranked if column.name in standing.certain]
    found = [_against(column, standing) for column in strong]
    return [each for each in found if each is not None]


def _against(column: _Bins, standing: _Standing) -> Finding | None:
    """Whether a strong column is too far ahead of the others, or a model of all rests on it alone."""
    figures, error, whole, hinges = standing.figures, standing.question.error, standing.whole, standing.hinges
    others = _without(standing.ranked, [column])
    strength = figures[column.name].strength
    second = max(0.0, figures[others[0].name].strength) if others else 0.0
    is_far = strength >= FAR * second and standing.certain[column.name] >= NEAR_CERTAIN
    is_farther = strength >= FARTHER * second and strength >= STRONGER + error
    is_hinge = column in standing.certain_ones and hinges <= 1 - MOST_OF_IT
    is_answer = strength >= ANSWER + error
    if not (is_far or is_farther or is_hinge or is_answer):
        return None
    without = hinges * whole if standing.certain_ones == [column] else _model_explains(others, standing.question)
    loses_most = without <= (1 - MOST_OF_IT) * whole
    too_good = is_hinge and whole >= TOO_GOOD and hinges <= HINGES
    explained, auc = figures[column.name].explained, figures[column.name].auc
    next_best = max(0.0, figures[others[0].name].explained) if others else 0.0
    compared = f"alone it explains {explained:.0%} of the outcome (AUC {auc:.3f}), the next column {next_best:.0%}"
    modelled = f"all columns together explain {whole:.0%}, without this one {without:.0%}"
    if is_hinge and len(standing.certain_ones) > 1:
        modelled += f", without all that are as strong {hinges * whole:.0%}"
    reason = f"{compared}; {modelled}{_examples(column, standing.question)}"
    shown = {"auc": auc, "explained": explained, "next": next_best, "whole": whole, "without": without}
    if (is_answer and loses_most) or too_good:
        return Finding(column.name, "leaky", reason, shown)
    if is_far or is_hinge or (is_farther and loses_most):
        return Finding(column.name, "suspect", reason, shown)
    return None


def _unlike(columns: list[_Bins]) -> list[_Bins]:
    """One of each kind: the first of those that say much the same."""
    result: list[_Bins] = []
    for column in columns:
        if not any(_are_kin(column, other) for other in result):
            result.append(column)
    return result


def _without(columns: list[_Bins], some: list[_Bins]) -> list[_Bins]:
    """The columns that are neither these nor say much the same as one of them."""
    return [column for column in columns if not any(column is other or _are_kin(column, other) for other in some)]


def _model_explains(columns: list[_Bins], question: _Question) -> float:
    """Share of log loss that quick boosting on the first columns explains out of fold, stopped where it is best."""
    columns = columns[:MODEL_COLUMNS]
    if not columns:
        return 0.0
    import lightgbm

    draw = question.draw
    chosen = np.flatnonzero(_drawn(draw, MODEL_ROWS))
    # The order of rows must not matter to the sums inside the trees either.
    chosen = chosen[np.lexsort((question.target[chosen], question.content[chosen], draw[chosen]))]
    second = (draw[chosen] // np.uint64(2)) % np.uint64(2) == 1
    matrix = np.column_stack([column.codes[chosen] for column in columns]).astype(np.float32)
    target = question.target[chosen]
    if len(np.unique(target[second])) < 2 or len(np.unique(target[~second])) < 2:
        return 0.0
    parameters = {
        "objective": "binary",
        "num_leaves": 8,
        "learning_rate": 0.15,
        "min_data_in_leaf": int(min(30, max(5, len(chosen) // 100))),
        "feature_fraction": 0.5,
        "lambda_l2": 5.0,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "seed": 1,
        "verbosity": -1,
    }
    categories = [place for place, column in enumerate(columns) if column.kind == "category"]
    binning = {"verbosity": -1, "num_threads": 1, "max_bin": 2 * MOST_LEVELS, "min_data_in_bin": 1}
    losses = np.zeros(TREES)
    for fit in (second, ~second):
        data = lightgbm.Dataset(matrix[fit], target[fit], categorical_feature=categories, params=binning)
        held_out = lightgbm.Dataset(matrix[~fit], target[~fit], data, params=binning)
        scores: dict = {}
        lightgbm.train(parameters, data, len(losses), [held_out], callbacks=[lightgbm.record_evaluation(scores)])
        losses += np.array(scores["valid_0"]["binary_logloss"]) * float((~fit).mean())
    return max(0.0, float(1 - losses.min() / question.loss))


def _repeated_rows(
    frame: pl.DataFrame, names: list[str], hashes: np.ndarray, target: np.ndarray, clusters: np.ndarray
) -> list[Finding]:
    """Rows of different entities that are equal in all columns and in the outcome, far more than by chance.

    By chance rows are equal where columns have few values; then leaving out a column makes many more equal, and equal
    rows differ in their outcome about as often as the outcome is uncertain. Copies do neither.
    """
    equal, agree = _equal_rows(hashes, target, clusters)
    share = float(equal.mean())
    if share < FEWEST_REPEATED or equal.sum() < 20 or agree < SAME_ANSWER:
        return []
    shares = np.unique(target[equal], return_counts=True)[1] / equal.sum()
    if (shares**2).sum() > SAME_ANSWER and np.mean(target == target[equal][0]) > 0.5:
        return []  # all of the common answer: no wonder that they agree
    rows = frame.height
    part = frame.select(names)
    together = 1.0
    for name in names:
        counts = part[name].value_counts()["count"].to_numpy() / rows
        together *= float((counts**2).sum())
    if rows * together > 0.01:
        return []
    richest = sorted(names, key=lambda name: (-part[name].n_unique(), name))[:5]
    for left_out in richest if len(names) > 1 else []:
        fewer = part.select(name for name in names if name != left_out).hash_rows(0).to_numpy()
        if _equal_rows(fewer, target, clusters)[0].mean() > 2 * share:
            return []
    reason = (
        f"{int(equal.sum()):,} of {rows:,} rows equal a row of another key in every column, and in the outcome in "
        f"{_percent(agree)} of cases: copies, kept together so that no row is judged by its copy"
    )
    return [Finding(ROWS, "leaky", reason, {"rows": float(equal.sum()), "share": share, "agreement": agree})]


def _equal_rows(hashes: np.ndarray, target: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, float]:
    """Which rows another entity has too, and how often its outcome is the same."""
    repeated = pl.Series(hashes).is_duplicated().to_numpy()
    rows = pl.DataFrame({"content": hashes[repeated], "answer": target[repeated], "entity": clusters[repeated]})
    counted = rows.with_columns(
        pl.len().over("content").alias("rows"),
        pl.len().over("content", "answer").alias("same"),
        pl.col("entity").n_unique().over("content").alias("entities"),
    )
    counted_rows = (counted["entities"] > 1).to_numpy()
    equal = np.zeros(len(hashes), dtype=bool)
    equal[np.flatnonzero(repeated)[counted_rows]] = True
    agree = counted.filter(counted_rows).select(((pl.col("same") - 1) / (pl.col("rows") - 1)).mean()).item()
    return equal, float(agree or 0.0)


def _coverage(figures: _Figures, question: _Question, purity: float) -> tuple[float, float]:
    """Share of the yes in near-pure groups of yes, and of the no in those of no."""
    rates, shares = figures.yes
    yes = float(shares[1 - rates <= 2 * purity * (1 - question.base)].sum())
    rates, shares = figures.no
    return yes, float(shares[rates <= 2 * purity * question.base].sum())


def _yardstick(question: _Question, purity: float) -> tuple[float, float]:
    """The same two shares for a smooth score of AUC 0.95: log-odds normal, half the squared distance from the base."""
    half = YARDSTICK**2 / 2
    least = 2 * purity * (1 - question.base)
    most = 2 * purity * question.base
    yes = 1 - NORMAL.cdf((math.log((1 - least) / least) - question.odds - half) / YARDSTICK)
    no = NORMAL.cdf((math.log(most / (1 - most)) - question.odds + half) / YARDSTICK)
    return yes, no


def _purity(counted_rows: np.ndarray, answer: int, question: _Question) -> tuple[float, float, float]:
    """Impurity against the base rate, share of that answer's rows, and evidence in nats per entity."""
    target = question.target if answer else 1 - question.target
    frequency = question.base if answer else 1 - question.base
    rate = float(target[counted_rows].mean())
    entities = int(counted_rows.sum()) if question.is_flat else len(np.unique(question.clusters[counted_rows]))
    evidence = entities * divergence(rate, frequency)
    return (1 - rate) / (1 - frequency), float(target[counted_rows].sum() / target.sum()), evidence


def divergence(rate: float, base: float) -> float:
    """Kullback-Leibler divergence of two coins: what one throw tells, in nats."""
    first = rate * math.log(rate / base) if rate > 0 else 0.0
    return first + ((1 - rate) * math.log((1 - rate) / (1 - base)) if rate < 1 else 0.0)


def _is_row_number(column: _Bins, frame: pl.DataFrame, question: _Question) -> bool:
    """Whole numbers without much of a gap, (nearly) one for each entity."""
    if column.kind != "number" or not frame[column.name].dtype.is_integer():
        return False
    values = frame[column.name].drop_nulls()
    distinct = values.n_unique()
    entities = len(question.target) if question.is_flat else len(np.unique(question.clusters))
    return distinct >= 0.95 * entities and values.max() - values.min() <= 20 * distinct


def _are_kin(first: _Bins, second: _Bins) -> bool:
    """Whether one says most of what the other says: mutual information above half of the smaller entropy."""
    joint = first.codes.astype(np.int64) * (int(second.codes.max()) + 1) + second.codes
    entropies = [_entropy(np.bincount(codes)) for codes in (first.codes, second.codes, joint)]
    smaller = min(entropies[:2])
    return smaller > 0 and (entropies[0] + entropies[1] - entropies[2]) / smaller > KIN


def _entropy(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _counts(codes: np.ndarray, question: _Question) -> tuple[np.ndarray, np.ndarray]:
    return np.bincount(codes).astype(np.float64), np.bincount(codes, weights=question.target)


def _pure(column: _Bins, figures: _Figures, question: _Question, purity: float, covered: tuple[float, float]) -> str:
    most, least = 2 * purity * question.base, 1 - 2 * purity * (1 - question.base)
    named, others = question.words
    sides = (
        (covered[0], f"{named} have one with which at least {_percent(least)} are"),
        (covered[1], f"{others} have one with which at most {_percent(most)} are {named}"),
    )
    described = " and ".join(
        f"{_percent(share)} of the rows that are {words}" for share, words in sides if share >= 0.005
    )
    return (
        f"its values all but settle the outcome: {described} (overall {_percent(question.base)}); alone it has AUC"
        f" {figures.auc:.3f} and explains {max(figures.explained, 0):.0%} of the outcome{_examples(column, question)}"
    )


def _examples(column: _Bins, question: _Question) -> str:
    """The groups that tell most."""
    rows, hits = _counts(column.codes, question)
    described = [
        (rows[code] * divergence(hits[code] / rows[code], question.base), code)
        for code in range(len(rows))
        if rows[code]
    ]
    best = sorted(described, key=lambda pair: (-pair[0], pair[1]))[:3]
    words = (f"{column.labels[code]} {_percent(hits[code] / rows[code])} of {int(rows[code]):,}" for _, code in best)
    return f" (share of {question.words[0]}: {'; '.join(words)})"


def _percent(share: float) -> str:
    """Near 0 and 1 with a digit more, where it matters."""
    return f"{share:.1%}" if 0 < share < 0.02 or 0.98 < share < 1 else f"{share:.0%}"


def _drawn(draw: np.ndarray, most: int) -> np.ndarray:
    """About `most` of the rows, by their hash."""
    return draw / 2.0**64 < most / len(draw)
