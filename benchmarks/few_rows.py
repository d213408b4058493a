"""
`scorecast predict` learnt from few leads: how well it ranks all others, how often it refuses, and what chance would do.

Each draw takes so many leads, with so many conversions among them, from the public leads of X Education (without what
sales people fill in later), learns from them by the command's own function, and scores all other leads. A refusal (no
signal beyond chance, so no scores) is counted, not judged. The base rate that a draw is compared with is that of its
own rows. The data are not in the repository; without them the script says so and ends.
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from _measure import ROOT, report, use_two_cores
from predictions import TABLES
from sklearn.metrics import log_loss, roc_auc_score

from pipelines.any_table.predict import predict_table
from pipelines.any_table.question import CannotPredict, Request

LEADS = next(table for table in TABLES if table.name == "X Education leads")


@dataclass(frozen=True)
class Few:
    """How many leads and conversions a draw has, and its bars."""

    rows: int
    conversions: int
    auc: float
    refusals: int
    may_be_worse: bool
    """Whether a draw may be worse than saying its own base rate of everyone."""


SIZES = (
    Few(200, 24, auc=0.83, refusals=3, may_be_worse=False),
    Few(100, 12, auc=0.78, refusals=15, may_be_worse=True),
)


def main() -> int:
    """Measure every size; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the public data")
    parser.add_argument("--draws", type=int, default=50)
    options = parser.parse_args()
    path = options.data / LEADS.source
    if not path.exists():
        sys.exit(f"{path} is not there; --data names the folder of the public data.")
    use_two_cores()
    leads = pl.read_csv(path, infer_schema=False).drop(pl.col("^$"), strict=False)
    return 0 if all([measured(leads, size, options.draws) for size in SIZES]) else 1


def measured(leads: pl.DataFrame, size: Few, draws: int) -> bool:
    """Print the figures of one size against its bars."""
    aucs, losses, of_base, refusals = [], [], [], []
    for draw in range(draws):
        train, rest = drawn(leads, size, np.random.default_rng(draw))
        answer = (rest[LEADS.target] == LEADS.positive).to_numpy()
        probability, refusal = learnt(train, rest)
        if probability is None:
            refusals.append(refusal)
            continue
        aucs.append(roc_auc_score(answer, probability))
        losses.append(log_loss(answer, probability))
        of_base.append(log_loss(answer, np.full(len(answer), size.conversions / size.rows)))
    print(f"\n{size.rows} leads with {size.conversions} conversions, {draws} draws")
    print(f"AUC {np.percentile(aucs, [0, 10, 50, 90]).round(3).tolist()} (worst, 10 %, median, 90 %)")
    print(f"log loss {np.mean(losses):.3f} against {np.mean(of_base):.3f} of the draws' base rate")
    print(f"refused: {sorted(set(refusals))}" if refusals else "never refused")
    worse = sum(loss > base for loss, base in zip(losses, of_base, strict=True))
    if size.may_be_worse:
        print(f"{worse} of {len(losses)} draws worse than their base rate")
    return all(
        [
            report("median AUC", float(np.median(aucs)), "", size.auc, at_least=True, digits=3),
            report("refusals", len(refusals), "", size.refusals * draws / 50, digits=0),
            size.may_be_worse or report("draws worse than the base rate", worse, "", 0, digits=0),
        ]
    )


def drawn(leads: pl.DataFrame, size: Few, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A draw's leads, and others with the same share of conversions: as many as there are."""
    converted = (leads[LEADS.target] == LEADS.positive).to_numpy()
    yes, no = rng.permutation(np.flatnonzero(converted)), rng.permutation(np.flatnonzero(~converted))
    others = size.rows - size.conversions
    rest_yes = yes[size.conversions :][: round((len(no) - others) * size.conversions / others)]
    chosen = rng.permutation(np.concatenate([yes[: size.conversions], no[:others]]))
    return leads[chosen], leads[np.concatenate([rest_yes, no[others:]])]


def learnt(train: pl.DataFrame, rest: pl.DataFrame) -> tuple[np.ndarray | None, str]:
    """Probabilities of the rest, or None and why there are none."""
    with tempfile.TemporaryDirectory(prefix="scorecast-few-") as name:
        folder = Path(name)
        train.write_csv(folder / "train.csv")
        rest.write_csv(folder / "rest.csv")
        request = Request(
            train=str(folder / "train.csv"),
            target=LEADS.target,
            positive=LEADS.positive,
            key=LEADS.key,
            exclude=LEADS.exclude,
            score=str(folder / "rest.csv"),
            out=folder / "out",
        )
        try:
            outcome = predict_table(request)
        except CannotPredict as problem:
            return None, str(problem).replace(f"{folder}/", "")
        if outcome.evaluation["verdict"] == "no_signal":
            return None, outcome.evaluation["verdict"]
        scores = pl.read_parquet(folder / "out" / "scores.parquet", columns=[LEADS.key, "probability"])
        scored = rest.select(LEADS.key).join(scores.with_columns(pl.col(LEADS.key).cast(pl.String)), on=LEADS.key)
        return scored["probability"].to_numpy(), ""


if __name__ == "__main__":
    sys.exit(main())
