"""
`scorecast predict` on 1,000,000 rows and 50 columns, on two cores: seconds and peak memory against their bars.

The table is made from a seed and is as mixed as a CRM's: numbers with gaps and long tails, numbers as text, yes and no,
dates, categories of few and of many levels. The whole command is timed, with reading, evaluation and the card. The AUC
is printed beside what the true probabilities reach, so that speed is not bought by learning nothing.
"""

import argparse
import json
import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from _measure import SCORECAST, report, timed

from pipelines.learning.judging.evaluation import auc

ROWS = 1_000_000
COLUMNS = 50
TAILED, NUMBERS, COUNTS, AS_TEXT, FLAGS, DATES, CATEGORIES, WIDE = 8, 10, 8, 2, 6, 4, 7, 3
LEVELS, WIDE_LEVELS = 12, 20_000
SECONDS_BAR, MEMORY_BAR = 60.0, 4.0
YES_RATE = 0.2


def write_table(path: Path, rows: int, seed: int = 0) -> float:
    """A key, 48 columns and the target `won` ("Yes"/"No"), as CSV or Parquet; the AUC of the true probabilities."""
    rng = np.random.default_rng(seed)
    columns: dict[str, pl.Series] = {"customer_id": pl.Series(np.arange(rows)).cast(pl.String).str.zfill(8)}
    log_odds = np.zeros(rows)
    for index in range(TAILED):
        values = rng.lognormal(3, 1, rows)
        log_odds += 0.25 * (index < 3) * (np.log(values) - 3)
        columns[f"amount_{index}"] = with_gaps(pl.Series(values.round(2)), 0.05 * index, rng)
    for index in range(NUMBERS):
        values = rng.normal(size=rows)
        log_odds += 0.3 * (index < 2) * np.abs(values) + 0.2 * (index == 2) * values
        columns[f"measure_{index}"] = with_gaps(pl.Series(values.astype(np.float32)), 0.03 * index, rng)
    for index in range(COUNTS):
        values = rng.poisson(2 + index, rows)
        log_odds += 0.15 * (index < 3) * (values - 2 - index)
        columns[f"visits_{index}"] = pl.Series(values)
    for index in range(AS_TEXT):
        values = rng.gamma(2, 900, rows)
        log_odds += 0.3 * (index == 0) * (values > 2_500)
        columns[f"revenue_{index}"] = with_gaps(thousands(values), 0.02, rng).fill_null(" ")
    for index in range(FLAGS):
        values = rng.random(rows) < 0.1 + 0.1 * index
        log_odds += 0.5 * (index < 2) * values
        columns[f"is_{index}"] = yes_no(values)
    for index in range(DATES):
        days = rng.integers(0, 1_500, rows)
        log_odds -= 0.0005 * (index == 0) * days
        columns[f"date_{index}"] = pl.Series(np.datetime64(date(2022, 1, 1)) + days.astype("timedelta64[D]"))
    for index in range(CATEGORIES):
        values = np.minimum(rng.geometric(0.25, rows), LEVELS) - 1
        log_odds += 0.4 * (index < 2) * rng.normal(size=LEVELS)[values]
        columns[f"segment_{index}"] = with_gaps(labels("Segment", LEVELS).gather(values), 0.02 * index, rng)
    for index in range(WIDE):
        values = (rng.beta(0.6, 3, rows) * WIDE_LEVELS).astype(np.int64)
        log_odds += 0.5 * (index == 0) * rng.normal(size=WIDE_LEVELS)[values]
        columns[f"company_{index}"] = labels("Company", WIDE_LEVELS).gather(values)
    log_odds += np.log(YES_RATE / (1 - YES_RATE)) - log_odds.mean()
    won = rng.random(rows) < 1 / (1 + np.exp(-log_odds))
    frame = pl.DataFrame({**columns, "won": yes_no(won)})
    assert frame.width == COLUMNS
    frame.write_csv(path) if path.suffix == ".csv" else frame.write_parquet(path)
    return auc(won, log_odds)


def labels(word: str, count: int) -> pl.Series:
    """Names of a category's levels."""
    return pl.Series([f"{word} {level}" for level in range(count)])


def yes_no(values: np.ndarray) -> pl.Series:
    """As people write it."""
    return pl.Series(["No", "Yes"]).gather(values.astype(np.int64))


def thousands(values: np.ndarray) -> pl.Series:
    """Numbers as a spreadsheet writes them: 1,234.5."""
    tenths = (pl.Series(values) * 10).round().cast(pl.Int64)
    whole, rest = tenths // 10, tenths % 10
    frame = pl.DataFrame({"high": whole // 1_000, "low": whole % 1_000, "whole": whole, "rest": rest})
    rest_text = pl.format(".{}", pl.col("rest"))
    short = pl.col("whole").cast(pl.String) + rest_text
    long = pl.format("{},{}", pl.col("high"), pl.col("low").cast(pl.String).str.zfill(3)) + rest_text
    return frame.select(pl.when(pl.col("high") > 0).then(long).otherwise(short)).to_series()


def with_gaps(values: pl.Series, share: float, rng: np.random.Generator) -> pl.Series:
    """The values with a random share missing."""
    missing = pl.Series(rng.random(len(values)) < share)
    return values.zip_with(~missing, pl.Series([None], dtype=values.dtype).new_from_index(0, len(values)))


def main() -> int:
    """Make the table, measure the command, clean up; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description="Seconds and memory of scorecast predict on a large table.")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--scorecast", type=Path, default=SCORECAST, help="the command to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scorecast-benchmark-") as name:
        table, out = Path(name) / f"table.{options.format}", Path(name) / "out"
        best = write_table(table, options.rows)
        size = table.stat().st_size / 2**20
        print(f"{options.rows:,} rows x {COLUMNS} columns, {size:,.0f} MiB of {options.format}, two cores", flush=True)
        question = ["--target", "won", "--positive", "Yes", "--key", "customer_id", "--out", str(out)]
        seconds, memory = timed([str(options.scorecast), "predict", str(table), *question])
        evaluation = json.loads((out / "evaluation.json").read_text())
    print(f"AUC {evaluation['auc']:.4f}; the true probabilities reach {best:.4f}")
    results = [report("wall time", seconds, "s", SECONDS_BAR), report("peak memory", memory, "GiB", MEMORY_BAR)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
