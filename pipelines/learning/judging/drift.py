"""
Does a model still hold? Whether what it sees has moved away from what it learnt from, and whether it keeps its promise.

Population stability index (PSI): the sum over bins of (actual - expected) × ln(actual / expected). Lewis (1994), "An
Introduction to Credit Scoring"; the customary limits (.10 some shift, .25 a major one) are from Siddiqi (2006), "Credit
Risk Scorecards". Without any shift, PSI / (1/n + 1/m) of two samples of n and m independent cases follows chi-squared
with one degree of freedom less than there are bins: Yurdakul and Naranjo (2020), "Statistical properties of the
population stability index", Journal of Risk Model Validation 14(4). So a PSI counts only above what chance gives.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
import polars as pl

from pipelines.learning.columns.kinds import as_numbers, tidy
from pipelines.learning.judging import evaluation
from pipelines.learning.judging.ageing import Panel, expected_on, panel_of, trend_of

BINS = 10
MOST_ROWS = 10_000
"""Rows that a baseline is made of, evenly spread over the training rows; more make it hardly more exact."""
MAJOR_SHIFT = 0.25
SURE = 0.95
NOISE = 2.0
"""Standard errors by which a promise must be missed. A false alarm costs a refit that must still beat the champion."""
FEWEST_ENTITIES = 10
"""Entities with a yes, and with a no, below which outcomes say nothing about a model yet."""
MEASURED = ("number", "boolean", "date")
"""Kinds of columns that are counted in bins; others by their levels."""


def population_stability(expected: np.ndarray, actual: np.ndarray) -> float:
    """
    PSI of two samples counted in the same bins (arrays of counts, at least one case each); 0 for the same shares.

    Half a case is added to every bin of both (Jeffreys), so that an empty one gives no infinite index.
    """
    expected, actual = np.asarray(expected, dtype=np.float64) + 0.5, np.asarray(actual, dtype=np.float64) + 0.5
    before, now = expected / expected.sum(), actual / actual.sum()
    return float(np.sum((now - before) * np.log(now / before)))


def stability_noise(bins: int, before: float, now: float, looks: int = 1) -> float:
    """
    The PSI that samples of so many independent cases stay below without any shift, in 95 % of cases.

    `looks`: how many indices are compared with it at once (Bonferroni). The quantile of chi-squared is by Wilson and
    Hilferty (1931), "The distribution of chi-square".
    """
    freedom = max(bins - 1, 1)
    z = NormalDist().inv_cdf(1 - (1 - SURE) / max(looks, 1))
    quantile = freedom * (1 - 2 / (9 * freedom) + z * math.sqrt(2 / (9 * freedom))) ** 3
    return quantile * (1 / max(before, 1) + 1 / max(now, 1))


def make_baseline(
    frame: pl.DataFrame,
    columns: Sequence[Mapping],
    as_of: str | None,
    entity_key: str,
    probability: np.ndarray,
) -> dict:
    """
    What the training rows looked like, as plain values and arrays that a stored model can hold.

    `frame`: tidied training rows. `columns`: those of the encoding (name, kind, levels). `probability`: what was
    predicted on rows that had not been learnt from, for the distribution of scores.
    """
    chosen = frame
    if frame.height > MOST_ROWS:
        chosen = frame[np.linspace(0, frame.height - 1, MOST_ROWS).astype(np.int64)]
    edges, counts, names, kinds, levels = [], [], [], [], []
    for column in columns:
        names.append(column["name"])
        kinds.append(column["kind"])
        levels.append([str(level) for level in column.get("levels", [])])
        cut = _edges(quantities(chosen, column["name"], column["kind"], as_of)) if column["kind"] in MEASURED else []
        edges.append(np.asarray(cut, dtype=np.float64))
        counts.append(_count(chosen, column["name"], column["kind"], edges[-1], levels[-1], as_of))
    score_edges = _edges(probability)
    panel = _panel(frame, as_of, entity_key)
    return {
        "cases": int(frame[entity_key].n_unique()),
        "names": names,
        "kinds": kinds,
        "levels": levels,
        "edges": np.concatenate([*edges, []]),
        "edge_counts": np.array([len(each) for each in edges], dtype=np.int64),
        "counts": np.concatenate([*counts, []]),
        "score_edges": score_edges,
        "score_counts": _count_numbers(probability, score_edges),
        "trends": {} if panel is None else _trends(frame, columns, as_of, panel),
    }


def score_shift(baseline: Mapping, probability: np.ndarray) -> tuple[float, float]:
    """PSI of today's probabilities against those at the fit, and what it would stay below by chance."""
    counts = _count_numbers(probability, baseline["score_edges"])
    noise = stability_noise(len(counts), baseline["cases"], len(probability))
    return population_stability(baseline["score_counts"], counts), noise


def column_shifts(baseline: Mapping, frame: pl.DataFrame, as_of: str | None) -> list[dict]:
    """
    PSI of every column that the model uses, the largest first: column, psi, noise, is_major.

    `frame`: rows to score, one an entity. A column that is missing counts as empty. `noise` allows for looking at all
    columns at once; `is_major` is a PSI above .25 and above noise. Of a column that only ever grows, the psi is that
    against where it would be by now if it went on as in training, where this is smaller: ageing alone is no shift.
    """
    frame = tidy(frame)
    trends, today = baseline.get("trends", {}), _newest_day(frame, as_of)
    shifts, at_edge, at_bin = [], 0, 0
    for name, kind, levels, size in zip(
        baseline["names"], baseline["kinds"], baseline["levels"], baseline["edge_counts"], strict=True
    ):
        edges = baseline["edges"][at_edge : at_edge + int(size)]
        counts = _count(frame, name, kind, edges, levels, as_of)
        before = baseline["counts"][at_bin : at_bin + len(counts)]
        at_edge, at_bin = at_edge + int(size), at_bin + len(counts)
        index = population_stability(before, counts)
        if name in trends and today is not None:
            index = min(index, _against_trend(trends[name], today, quantities(frame, name, kind, as_of)))
        noise = stability_noise(len(counts), baseline["cases"], frame.height, looks=len(baseline["names"]))
        is_major = index > max(MAJOR_SHIFT, noise)
        shifts.append({"column": name, "psi": index, "noise": noise, "is_major": is_major})
    return sorted(shifts, key=lambda row: (-row["psi"], row["column"]))


def judge_outcomes(target: np.ndarray, probability: np.ndarray, clusters: np.ndarray) -> dict:
    """
    How good probabilities were once their outcomes are known: auc, log_loss, calibration_error, each with `*_noise`.

    `clusters`: the entity of every row, as integers. The noise of an AUC and a log loss is a standard error by
    entities, not rows; that of a calibration error is what perfect probabilities would show. nan where undefined.
    """
    target, probability = np.asarray(target, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    _, clusters = np.unique(clusters, return_inverse=True)
    yes, no = (len(np.unique(clusters[target == answer])) for answer in (1, 0))
    area = evaluation.auc(target, probability)
    losses = evaluation.log_losses(target, probability)
    groups = int(clusters.max()) + 1
    sums = np.bincount(clusters, weights=losses - losses.mean())
    return {
        "matured_rows": len(target),
        "matured_entities": groups,
        "matured_yes": yes,
        "matured_no": no,
        "auc": area,
        "auc_noise": evaluation.auc_error(area, yes, no),
        "log_loss": float(losses.mean()),
        "log_loss_noise": math.sqrt(groups / max(groups - 1, 1) * float(np.sum(sums**2))) / len(losses),
        "calibration_error": evaluation.calibration_error(target, probability),
        "calibration_noise": evaluation.calibration_noise(probability, groups),
    }


def has_worsened(promised: Mapping, matured: Mapping | None) -> tuple[bool, str]:
    """
    Whether AUC or calibration on matured outcomes is worse than promised by more than noise, and the reason in words.

    `promised`: the metrics of the fit (auc, auc_low, calibration_error). `matured`: from `judge_outcomes`, or None.
    """
    if matured is None:
        return False, "No outcome of its scores is known yet."
    if min(matured["matured_yes"], matured["matured_no"]) < FEWEST_ENTITIES:
        return False, (
            f"Too few outcomes are known yet: {matured['matured_yes']:,} yes and {matured['matured_no']:,} no; "
            f"{FEWEST_ENTITIES} of each are needed."
        )
    fit_noise = (promised["auc"] - promised["auc_low"]) / NormalDist().inv_cdf(SURE)
    noise = math.hypot(fit_noise, matured["auc_noise"])
    fall = promised["auc"] - matured["auc"]
    ranking = (
        f"AUC {matured['auc']:.3f} on {matured['matured_rows']:,} outcomes that have come, promised "
        f"{promised['auc']:.3f} (noise {noise:.3f})"
    )
    # The error of perfect probabilities is a mean of half-normal gaps, one a bin: this is how much it varies.
    spread = matured["calibration_noise"] * math.sqrt((math.pi / 2 - 1) / BINS)
    limit = promised["calibration_error"] + matured["calibration_noise"] + NOISE * spread
    calibration = (
        f"calibration error {matured['calibration_error']:.3f}, promised {promised['calibration_error']:.3f} "
        f"(noise {matured['calibration_noise']:.3f})"
    )
    worse = [
        *([ranking] if fall > NOISE * noise else []),
        *([calibration] if matured["calibration_error"] > limit else []),
    ]
    if worse:
        return True, f"Worse than promised beyond noise: {'; '.join(worse)}."
    return False, f"As promised: {ranking}; {calibration}."


def _panel(frame: pl.DataFrame, as_of: str | None, entity_key: str) -> Panel | None:
    if as_of is None or as_of not in frame.columns:
        return None
    return panel_of(as_numbers(frame[as_of]).to_numpy(), frame[entity_key].rank("dense").to_numpy().astype(np.int64))


def _trends(frame: pl.DataFrame, columns: Sequence[Mapping], as_of: str | None, panel: Panel) -> dict[str, dict]:
    """How the columns that only ever grow move with time."""
    found = {
        column["name"]: trend_of(panel, quantities(frame, column["name"], column["kind"], as_of))
        for column in columns
        if column["kind"] in ("number", "date")
    }
    return {name: trend for name, trend in found.items() if trend is not None}


def _newest_day(frame: pl.DataFrame, as_of: str | None) -> float | None:
    return as_numbers(frame[as_of]).max() if as_of is not None and as_of in frame.columns else None


def _against_trend(trend: Mapping, day: float, values: np.ndarray) -> float:
    """PSI of a growing column's values against those that it would have on this day, the smaller of the two ways."""
    found = []
    for expected, missing in expected_on(trend, day):
        edges = _edges(expected)
        counts = (1 - missing) * _count_numbers(expected, edges)
        counts[-1] = missing * len(expected)
        # As many cases as there are to compare with, so that the half case that every bin gets weighs the same.
        counts *= len(values) / len(expected)
        found.append(population_stability(counts, _count_numbers(values, edges)))
    return min(found)


def _edges(values: np.ndarray) -> np.ndarray:
    """Inner edges of up to ten bins of equal count; a value that fills more than one bin gives one edge."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.zeros(0)
    return np.unique(np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf")).astype(np.float64)


def _count_numbers(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Values per bin (at or below an edge), above the last edge, and missing."""
    known = values[np.isfinite(values)]
    counts = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1)
    return np.append(counts, len(values) - len(known)).astype(np.float64)


def _count(
    frame: pl.DataFrame, name: str, kind: str, edges: np.ndarray, levels: Sequence[str], as_of: str | None
) -> np.ndarray:
    """Rows per bin; of a category per level, other and missing; of text only filled in and missing."""
    if kind in MEASURED:
        return _count_numbers(quantities(frame, name, kind, as_of), edges)
    if name not in frame.columns:
        return np.array([0.0] * (len(levels) + 1) + [frame.height])
    counted = dict(frame[name].cast(pl.String, strict=False).value_counts().iter_rows())
    missing = counted.pop(None, 0)
    known = [counted.pop(level, 0) for level in levels]
    return np.array([*known, sum(counted.values()), missing], dtype=np.float64)


def quantities(frame: pl.DataFrame, name: str, kind: str, as_of: str | None) -> np.ndarray:
    """A column as numbers, nan where missing; a date as days before as_of, so that time alone moves nothing."""
    if name not in frame.columns:
        return np.full(frame.height, np.nan)
    numbers = as_numbers(frame[name])
    if kind == "date" and as_of is not None and as_of in frame.columns:
        numbers = as_numbers(frame[as_of]) - numbers
    # Training rows are kept in single precision; the same value must fall into the same bin.
    return numbers.to_numpy().astype(np.float32).astype(np.float64)
