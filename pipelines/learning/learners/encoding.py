"""From a frame to numbers: one matrix for trees, one for linear models, both from the declared types.

`Encoding` is plain data (dictionaries, lists, numbers), so that it can be stored without pickle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.learning.columns.choosing import MOST_LEVELS, frequent_levels
from pipelines.learning.columns.kinds import Column, as_numbers, kind_of
from pipelines.learning.columns.levels import effects_of, learn_effects

if TYPE_CHECKING:
    from scipy import sparse

QUANTILE_ROWS = 10_000
MOST_SPLINE_COLUMNS = 150
KNOTS = 7
"""Quantiles of a number between which its spline bends."""
FEWEST_DISTINCT = 10
"""A number with so few values has no spline."""
TEXT_VIEWS = (("word", (1, 2), 4_000), ("char_wb", (3, 5), 6_000))


@dataclass(frozen=True)
class Encoding:
    """What was learnt from the training rows about every column.

    `columns`: one dictionary each with name, kind and, by kind: levels (category, the most frequent first),
    reference_day (date without as_of), typical (value that reasons compare with), and the linear transform (low, high,
    centre, scale, mean, deviation, knots, means, flag_rate). A wide category has `effects` (log-odds) of the levels in
    `effect_levels`, and is transformed as a number.
    `texts`: one dictionary per text column and view with vocabulary, weights and means.
    """

    columns: list[dict]
    texts: list[dict]
    as_of: str | None

    @property
    def names(self) -> list[str]:
        """Original columns in the order of contributions: encoded ones, then text."""
        seen = dict.fromkeys(text["name"] for text in self.texts)
        return [column["name"] for column in self.columns] + list(seen)


def fit_encoding(
    frame: pl.DataFrame,
    columns: Sequence[Column],
    clusters: np.ndarray,
    as_of: str | None,
    with_text: bool = True,
    target: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> tuple[Encoding, np.ndarray]:
    """Learn from tidied training rows; also returns their tree matrix (rows × columns, float32, nan where missing).

    `target` (0/1) and `weights` (how many rows each stands for) are for wide categories. Their effects in the returned
    matrix are out of fold, so they differ from what `encode` gives for the same rows. Without a target a wide category
    is encoded as any other.
    """
    states: list[dict] = []
    learnt: dict[int, np.ndarray] = {}
    for column in columns:
        if column.kind == "text":
            continue
        state: dict = {"name": column.name, "kind": column.kind}
        if column.is_wide and target is not None:
            found = learn_effects(frame[column.name], clusters, target, weights)
            state["levels"] = found.levels[:MOST_LEVELS]
            levels = found.levels if found.effects.any() else []
            state.update(effect_levels=levels, effects=found.effects[: len(levels)])
            learnt[len(states)] = found.out_of_fold
        elif column.kind == "category":
            state["levels"] = frequent_levels(frame[column.name], clusters)
        if column.kind == "date" and as_of is None:
            state["reference_day"] = float(as_numbers(frame[column.name]).max() or 0.0)
        states.append(state)
    draft = Encoding(states, [], as_of)
    matrix = encode(draft, frame)
    for number, values in learnt.items():
        matrix[:, number] = values
    _learn_linear(states, matrix)
    texts = [
        _learn_text(frame[column.name], column.name, view)
        for column in columns
        if column.kind == "text" and with_text
        for view in TEXT_VIEWS
    ]
    return Encoding(states, [text for text in texts if text["vocabulary"]], as_of), matrix


def encode(encoding: Encoding, frame: pl.DataFrame) -> np.ndarray:
    """Tree matrix of tidied rows. A column that the frame lacks is missing throughout; others are ignored."""
    matrix = np.full((frame.height, len(encoding.columns)), np.nan, dtype=np.float32)
    known = _as_of_days(encoding, frame)
    for number, column in enumerate(encoding.columns):
        if column["name"] not in frame.columns:
            continue
        with np.errstate(over="ignore"):
            matrix[:, number] = _encode_column(column, frame[column["name"]], known)
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix


def linear_matrix(encoding: Encoding, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred, robustly scaled terms (rows × terms, float32) from a tree matrix, and the position of each one's column.

    Numbers: clipped to their 0.5 % and 99.5 % quantiles, asinh of the distance to the median (a signed logarithm in the
    tails); when there are few columns, of this a cubic spline with knots at quantiles (de Boor, 1978; Eilers and Marx,
    1996, "Flexible smoothing with B-splines and penalties"), else itself. Missing is the mean, plus a flag where
    missing is common.
    """
    owners = _term_owners(encoding)
    # Term by term, so that each is written to memory of its own and not across all rows.
    result = np.zeros((len(owners), len(matrix)), dtype=np.float32)
    place = 0
    for i, column in enumerate(encoding.columns):
        values = matrix[:, i]
        terms: list[np.ndarray] = []
        if _is_numeric(column):
            bent = _bend(column, values)
            if column["knots"]:
                terms += list(2 * (_spline(bent, column["knots"]) - np.asarray(column["means"], dtype=np.float32)).T)
            else:
                terms.append((bent - np.float32(column["mean"])) / np.float32(column["deviation"]))
        elif column["kind"] == "boolean":
            terms.append(2 * (values - np.float32(column["mean"])))
        else:
            terms += [2 * ((values == code) - np.float32(rate)) for code, rate in enumerate(column["rates"])]
        if column["flag_rate"] is not None:
            terms.append(2 * (np.isnan(values) - np.float32(column["flag_rate"])))
        for term in terms:
            result[place] = term
            result[place, np.isnan(result[place])] = 0
            place += 1
    return result.T, owners


def _term_owners(encoding: Encoding) -> np.ndarray:
    """Position of the column that each linear term belongs to."""
    owners: list[int] = []
    for i, column in enumerate(encoding.columns):
        if _is_numeric(column):
            terms = len(column["means"]) or 1
        else:
            terms = len(column["rates"]) if column["kind"] == "category" else 1
        owners += [i] * (terms + (column["flag_rate"] is not None))
    return np.array(owners, dtype=np.int64)


def text_matrix(encoding: Encoding, frame: pl.DataFrame) -> "tuple[sparse.csr_matrix | None, np.ndarray]":
    """TF-IDF terms of all text columns (rows × terms, sparse), and the position of each term's column in `names`."""
    from scipy import sparse

    if not encoding.texts:
        return None, np.zeros(0, dtype=np.int64)
    names = encoding.names
    blocks, owners = [], []
    for state in encoding.texts:
        texts = _texts(frame, state["name"])
        vectorizer = _vectorizer(state["analyzer"], state["ngrams"], vocabulary=state["vocabulary"])
        vectorizer.idf_ = np.asarray(state["weights"], dtype=np.float64)
        blocks.append(vectorizer.transform(texts))
        owners += [names.index(state["name"])] * len(state["vocabulary"])
    return sparse.hstack(blocks, format="csr"), np.array(owners, dtype=np.int64)


def scoring_notes(encoding: Encoding, frame: pl.DataFrame) -> list[str]:
    """What is missing from these rows, in words: columns that are gone or cannot be read."""
    notes = []
    for name in encoding.names:
        if name not in frame.columns:
            notes.append(f"Column {name!r} is missing; it counts as empty.")
    for column in encoding.columns:
        if column["name"] not in frame.columns or column["kind"] in ("category", "text"):
            continue
        values = frame[column["name"]]
        if kind_of(values.dtype) == "category" or kind_of(values.dtype) is None:
            lost = as_numbers(values).null_count() - values.null_count()
            if lost:
                notes.append(
                    f"Column {column['name']!r}: {lost:,} values are no {column['kind']}; they count as empty."
                )
    return notes


def _encode_column(column: dict, values: pl.Series, known: np.ndarray | None) -> np.ndarray:
    if column["kind"] == "category":
        if kind_of(values.dtype) is None:
            return np.full(len(values), np.nan, dtype=np.float32)
        if "effects" in column:
            return effects_of(values, column["effect_levels"], column["effects"])
        levels = column["levels"]
        codes = values.cast(pl.String).replace_strict(
            levels, range(len(levels)), default=len(levels), return_dtype=pl.Float32
        )
        return np.where(values.is_null().to_numpy(), np.nan, codes.to_numpy())
    if column["kind"] == "boolean" and values.dtype == pl.String:
        words = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
        return values.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Float32).to_numpy()
    numbers = as_numbers(values).to_numpy()
    if column["kind"] == "date":
        return (column["reference_day"] if known is None else known) - numbers
    return numbers


def _is_numeric(column: Mapping) -> bool:
    """Whether a column's place in the matrix holds a quantity, not a code."""
    return column["kind"] in ("number", "date") or "effects" in column


def _as_of_days(encoding: Encoding, frame: pl.DataFrame) -> np.ndarray | None:
    """Day number of the end of every row's as_of."""
    if encoding.as_of is None:
        return None
    if encoding.as_of not in frame.columns:
        return np.full(frame.height, np.nan)
    return as_numbers(frame[encoding.as_of]).to_numpy()


def _learn_linear(states: list[dict], matrix: np.ndarray) -> None:
    """Write each column's linear transform and typical value into its state."""
    rows = len(matrix)
    step = max(1, -(-rows // QUANTILE_ROWS))
    numeric = [i for i, state in enumerate(states) if _is_numeric(state)]
    with_knots = len(states) <= MOST_SPLINE_COLUMNS
    ordered = np.sort(matrix[::step][:, numeric], axis=0) if numeric else np.zeros((0, 0))
    for place, i in enumerate(numeric):
        known = ordered[~np.isnan(ordered[:, place]), place].astype(np.float64)
        if not len(known):
            known = matrix[~np.isnan(matrix[:, i]), i].astype(np.float64)
        low, q1, centre, q3, high = _quantiles(known, (0.005, 0.25, 0.5, 0.75, 0.995))
        clipped = np.clip(known, low, high)
        scale = (q3 - q1) / 1.349 or float(np.mean(np.abs(clipped - centre))) or 1.0
        states[i].update(low=low, high=high, centre=centre, scale=scale, typical=centre)
        states[i]["knots"] = []
    for i in numeric:
        bent = _bend(states[i], matrix[::step, i])
        known = bent[~np.isnan(bent)].astype(np.float64)
        states[i]["mean"] = float(known.mean()) if len(known) else 0.0
        states[i]["deviation"] = (float(known.std()) if len(known) else 0.0) or 1.0
        states[i]["knots"] = _knots(known) if with_knots else []
        states[i]["means"] = _spline(known, states[i]["knots"]).mean(axis=0).tolist() if states[i]["knots"] else []
    seen: set[bytes] = set()
    for i, state in enumerate(states):
        missing = np.isnan(matrix[:, i])
        known = matrix[~missing, i]
        if state["kind"] == "boolean":
            state["mean"] = float(known.mean()) if len(known) else 0.0
            state["typical"] = float(state["mean"] >= 0.5)
        elif state["kind"] == "category" and "effects" not in state:
            counts = np.bincount(known.astype(np.int64), minlength=len(state["levels"]) + 1)
            state["rates"] = [float(count) / max(rows, 1) for count in counts]
            state["typical"] = float(np.argmax(counts))
        pattern = np.packbits(missing).tobytes()
        common = max(10, 0.005 * rows) <= missing.sum() <= min(rows - 10, 0.995 * rows)
        state["flag_rate"] = float(missing.mean()) if common and pattern not in seen else None
        if common:
            seen.add(pattern)


def _bend(column: dict, values: np.ndarray) -> np.ndarray:
    """Clip and take asinh of the scaled distance to the median; float32, nan stays."""
    clipped = np.clip(values, np.float32(column["low"]), np.float32(column["high"]))
    return np.arcsinh((clipped - np.float32(column["centre"])) / np.float32(column["scale"]))


def _knots(known: np.ndarray) -> list[float]:
    """Knots of a cubic B-spline at quantiles of these values, the ends four times; none for too few distinct values."""
    distinct = np.unique(known)
    if len(distinct) <= FEWEST_DISTINCT:
        return []
    inner = np.unique(np.quantile(known, np.linspace(0, 1, KNOTS)))
    if len(inner) < 4:  # one value is most of them
        inner = np.quantile(distinct, np.linspace(0, 1, 4))
    return [float(inner[0])] * 3 + [float(knot) for knot in inner] + [float(inner[-1])] * 3


def bends(knots: Sequence[float]) -> np.ndarray:
    """By what the weights of splines depart from a straight line (bends × splines): second divided differences.

    Eilers and Marx (1996), for knots that are not evenly spaced: over the splines' centres (Greville's abscissae).
    """
    at = np.asarray(knots)
    centres = (at[1:-3] + at[2:-2] + at[3:-1]) / 3
    gaps = np.maximum(np.diff(centres), 1e-9 * max(float(centres[-1] - centres[0]), 1e-300))
    gaps /= gaps.mean()
    result = np.zeros((len(centres) - 2, len(centres)))
    for number, (before, after) in enumerate(pairwise(gaps)):
        result[number, number : number + 3] = 1 / before, -1 / before - 1 / after, 1 / after
    return result


def _spline(values: np.ndarray, knots: Sequence[float]) -> np.ndarray:
    """The B-splines' values (rows × splines, float32), nan where missing; beyond the last knots as at them.

    By the recursion of Cox and de Boor: de Boor (1978), "A Practical Guide to Splines", chapter IX. (SciPy's BSpline
    gives the same; importing it takes longer than `scorecast predict` takes to fit.)
    """
    result = np.full((len(values), len(knots) - 4), np.nan, dtype=np.float32)
    known = ~np.isnan(values)
    at = np.asarray(knots)
    inside = np.clip(values[known].astype(np.float64), at[0], at[-1])
    # The last knot belongs to the last span, or nothing would be left of the largest value.
    span = np.clip(np.searchsorted(at, inside, side="right") - 1, 3, len(at) - 5)
    basis = [np.ones_like(inside)]
    for degree in range(1, 4):
        rises = [np.zeros_like(inside)]
        for number in range(degree):
            left, right = at[span + number + 1 - degree], at[span + number + 1]
            rises[-1] += basis[number] * (right - inside) / (right - left)
            rises.append(basis[number] * (inside - left) / (right - left))
        basis = rises
    filled = np.zeros((len(inside), result.shape[1]), dtype=np.float32)
    for number in range(4):
        filled[np.arange(len(inside)), span - 3 + number] = basis[number]
    result[known] = filled
    return result


def _quantiles(ordered: np.ndarray, shares: Sequence[float]) -> list[float]:
    """Of sorted values without nan; 0 for none."""
    if not len(ordered):
        return [0.0] * len(shares)
    return [float(ordered[round(share * (len(ordered) - 1))]) for share in shares]


def _learn_text(values: pl.Series, name: str, view: tuple[str, tuple[int, int], int]) -> dict:
    analyzer, ngrams, most = view
    texts = values.fill_null("").to_list()
    vectorizer = _vectorizer(analyzer, ngrams, max_features=most, min_df=3)
    state = {"name": name, "analyzer": analyzer, "ngrams": list(ngrams), "vocabulary": [], "weights": [], "means": []}
    try:
        terms = vectorizer.fit_transform(texts)
    except ValueError:  # no term is frequent enough: the texts are empty or all different
        return state
    state["vocabulary"] = vectorizer.get_feature_names_out().tolist()
    state["weights"] = vectorizer.idf_.astype(np.float64)
    state["means"] = np.asarray(terms.mean(axis=0), dtype=np.float64).ravel()
    return state


def _vectorizer(analyzer: str, ngrams: Sequence[int], **options: object):
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        analyzer=analyzer, ngram_range=tuple(ngrams), sublinear_tf=True, strip_accents="unicode", **options
    )


def _texts(frame: pl.DataFrame, name: str) -> list[str]:
    if name not in frame.columns:
        return [""] * frame.height
    return frame[name].cast(pl.String, strict=False).fill_null("").to_list()
