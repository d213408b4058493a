"""How good probabilities are. Arrays with one entry per row in (`target` 0/1, `probability` in (0, 1)), figures out."""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

SMALLEST = 1e-12


def log_losses(target: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Loss of every row, in nats. Good (1952), "Rational Decisions".

    `probability`: of yes, with targets 0/1; or rows × classes, with the number of the class as target.
    """
    if np.ndim(probability) == 2:
        chosen = np.take_along_axis(probability, np.asarray(target, dtype=np.int64)[:, None], axis=1)[:, 0]
        return -np.log(np.clip(chosen, SMALLEST, 1.0))
    p = np.clip(np.asarray(probability, dtype=np.float64), SMALLEST, 1 - SMALLEST)
    return -np.where(np.asarray(target) > 0, np.log(p), np.log1p(-p))


def log_loss(target: np.ndarray, probability: np.ndarray) -> float:
    """Mean loss in nats; lower is better."""
    return float(log_losses(target, probability).mean())


def base_rate_losses(known: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Loss of every row of `target` for saying the rates of `known` of it; answers 0/1 or numbers of classes."""
    counts = np.bincount(known.astype(np.int64), minlength=max(2, int(target.max(initial=0)) + 1))
    rates = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return -np.log(rates)[target.astype(np.int64)]


def brier(target: np.ndarray, probability: np.ndarray) -> float:
    """Mean squared error. Brier (1950), "Verification of forecasts expressed in terms of probability"."""
    return float(np.mean((np.asarray(probability, dtype=np.float64) - target) ** 2))


def auc(target: np.ndarray, score: np.ndarray) -> float:
    """Chance that a random yes scores above a random no, ties counted half; nan with one class only.

    Mann and Whitney (1947); Hanley and McNeil (1982), "The meaning and use of the area under a ROC curve".
    """
    target = np.asarray(target) > 0
    positives, negatives = int(target.sum()), int((~target).sum())
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = _average_ranks(np.asarray(score))
    return float((ranks[target].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auc_error(value: float, positives: int, negatives: int) -> float:
    """Standard error of an AUC from independent cases. Hanley and McNeil (1982), equation 2."""
    if positives < 1 or negatives < 1:
        return float("nan")
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    variance = value * (1 - value) + (positives - 1) * (q1 - value**2) + (negatives - 1) * (q2 - value**2)
    return math.sqrt(max(variance, 0.0) / (positives * negatives))


def rank_z(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """
    Standard errors by which cases with a yes rank above the others, each part (answers, scores) within itself.

    The rank sum test (Mann and Whitney 1947) stratified by part with the weights of van Elteren (1960): parts that were
    scored by different models are not comparable. Its variance is that of no relation at all, with ties. 0 where no
    part has both answers.
    """
    surplus = variance = 0.0
    for target, score in parts:
        yes, size = int((target > 0).sum()), len(target)
        if not 0 < yes < size:
            continue
        _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
        middle = (np.cumsum(counts) - (counts - 1) / 2)[place]
        ties = float(((counts.astype(np.float64)) ** 3 - counts).sum())
        weight = 1 / (size + 1)
        surplus += weight * float(middle[target > 0].sum() - yes * (size + 1) / 2)
        variance += weight**2 * yes * (size - yes) / 12 * (size + 1 - ties / (size * (size - 1)))
    return surplus / math.sqrt(variance) if variance > 0 else 0.0


def average_precision(target: np.ndarray, score: np.ndarray) -> float:
    """Area under precision over recall as a step function, as scikit-learn's `average_precision_score`."""
    target = np.asarray(target) > 0
    if not target.any():
        return float("nan")
    order = np.argsort(-np.asarray(score), kind="stable")
    ordered = np.asarray(score)[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    hits = np.cumsum(target[order])[last_of_tie]
    precision = hits / (last_of_tie + 1)
    return float(np.sum(np.diff(np.append(0, hits)) * precision) / hits[-1])


def calibration_error(target: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Mean distance between predicted and observed rate in bins of equal size.

    Naeini, Cooper and Hauskrecht (2015), with the equal-mass bins of Nixon et al. (2019).
    """
    order = np.argsort(probability, kind="stable")
    groups = np.array_split(order, min(bins, len(order)))
    gaps = [abs(float(np.mean(probability[g])) - float(np.mean(target[g]))) * len(g) for g in groups if len(g)]
    return float(sum(gaps) / len(order))


def calibration_noise(probability: np.ndarray, cases: int, bins: int = 10) -> float:
    """The calibration error that perfect probabilities would show on so many independent cases.

    Mean absolute deviation of a binomial rate by the normal approximation, sqrt(2 / pi) standard errors per bin.
    """
    spread = float(np.mean(probability * (1 - probability)))
    return math.sqrt(2 / math.pi) * math.sqrt(spread / max(cases / bins, 1))


def lift(target: np.ndarray, score: np.ndarray, share: float = 0.1) -> float:
    """Rate of yes in the highest `share` of rows over the rate in all rows."""
    target = np.asarray(target)
    rate = float(target.mean())
    if rate == 0:
        return float("nan")
    top = np.argsort(-np.asarray(score), kind="stable")[: max(1, math.ceil(len(target) * share))]
    return float(target[top].mean()) / rate


def decile_table(target: np.ndarray, probability: np.ndarray) -> pl.DataFrame:
    """One row per tenth, the most likely first: predicted and observed rate, lift, share of all yes so far (gain)."""
    order = np.argsort(-np.asarray(probability), kind="stable")
    rate, total = float(np.mean(target)), float(np.sum(target))
    rows, found = [], 0.0
    for number, group in enumerate(np.array_split(order, min(10, len(order))), start=1):
        hits = float(np.sum(target[group]))
        found += hits
        rows.append(
            {
                "decile": number,
                "rows": len(group),
                "positives": int(hits),
                "predicted_rate": float(np.mean(probability[group])),
                "observed_rate": hits / len(group),
                "lift": hits / len(group) / rate if rate else float("nan"),
                "gain": found / total if total else float("nan"),
            }
        )
    return pl.DataFrame(rows)


def money_by_decile(target: np.ndarray, probability: np.ndarray, value: np.ndarray) -> list[dict]:
    """The tenths of `decile_table` in money: what is at stake a row (mean), and each tenth's share of it.

    `value`: the money of every row, nan where it does not count. `share_of_yes`: of the money of the rows with a yes.
    Empty where there is no money, or none of a yes.
    """
    known = np.where(np.isfinite(value), value, 0.0)
    won = known * (np.asarray(target) > 0)
    if not (known.min() >= 0 and won.sum() > 0):
        return []
    order = np.argsort(-np.asarray(probability), kind="stable")
    return [
        {
            "decile": number,
            "at_stake": float(np.nanmean(value[group])) if np.isfinite(value[group]).any() else 0.0,
            "share": float(known[group].sum() / known.sum()),
            "share_of_yes": float(won[group].sum() / won.sum()),
        }
        for number, group in enumerate(np.array_split(order, min(10, len(order))), start=1)
    ]


def evaluate(target: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """All figures of one set of rows.

    For rows × classes: AUC, average precision and calibration error are means over the classes, each against the rest,
    weighted by frequency; the Brier score is the sum over classes (Brier's own).
    """
    if np.ndim(probability) == 2:
        codes = np.asarray(target, dtype=np.int64)
        one = [(codes == number) for number in range(probability.shape[1])]
        used = [number for number, selected in enumerate(one) if 0 < selected.sum() < len(codes)]
        weights = np.array([one[number].mean() for number in used]) if used else np.ones(1)

        def mean(figure) -> float:
            values = [figure(one[number].astype(np.float64), probability[:, number]) for number in used]
            return float(np.average(values, weights=weights)) if values else float("nan")

        truth = np.eye(probability.shape[1])[codes]
        return {
            "auc": mean(auc),
            "average_precision": mean(average_precision),
            "brier": float(np.mean(np.sum((probability - truth) ** 2, axis=1))),
            "log_loss": log_loss(codes, probability),
            "calibration_error": mean(calibration_error),
            "lift_top_decile": mean(lift),
            "base_rate": float(np.bincount(codes).max() / len(codes)),
        }
    return {
        "auc": auc(target, probability),
        "average_precision": average_precision(target, probability),
        "brier": brier(target, probability),
        "log_loss": log_loss(target, probability),
        "calibration_error": calibration_error(target, probability),
        "lift_top_decile": lift(target, probability),
        "base_rate": float(np.mean(target)),
    }


def by_class(target: np.ndarray, probability: np.ndarray, classes: Sequence[str]) -> dict:
    """Accuracy, macro F1, precision and recall by class, and who is taken for whom."""
    truth, predicted = np.asarray(target, dtype=np.int64), probability.argmax(axis=1)
    size = len(classes)
    counts = np.bincount(truth * size + predicted, minlength=size * size).reshape(size, size)
    hits, there, called = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    rows = []
    for number, name in enumerate(classes):
        precision = float(hits[number] / called[number]) if called[number] else 0.0
        recall = float(hits[number] / there[number]) if there[number] else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        rows.append({"class": name, "rows": int(there[number]), "precision": precision, "recall": recall, "f1": f1})
    return {
        "accuracy": float(hits.sum() / max(len(truth), 1)),
        "macro_f1": float(np.mean([row["f1"] for row in rows if row["rows"]])),
        "classes": rows,
        "confusion": {"labels": list(classes), "counts": counts.tolist()},
    }


def loss_difference(
    target: np.ndarray, challenger: np.ndarray, champion: np.ndarray, clusters: np.ndarray
) -> tuple[float, float]:
    """Mean log loss of the challenger minus the champion's on the same rows, and its standard error.

    Rows of one entity are not independent, so the error is the cluster-robust one.
    `clusters`: the entity of every row, as integers from 0.
    """
    return clustered_mean(log_losses(target, challenger) - log_losses(target, champion), clusters)


def clustered_mean(values: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """Mean, and its standard error where rows of one cluster are not independent (Liang and Zeger, 1986)."""
    mean = float(values.mean())
    sums = np.bincount(clusters, weights=values - mean)
    groups = len(np.unique(clusters))
    correction = groups / max(groups - 1, 1)
    return mean, math.sqrt(correction * float(np.sum(sums**2))) / len(values)


def finite(value: object) -> object:
    """The same, None in place of nan and infinity: tables and JSON have no such numbers."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties sharing their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]
