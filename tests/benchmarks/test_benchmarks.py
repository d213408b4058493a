"""The benchmarks of predictions as they are run, with a stand-in for `scorecast` whose answers are known."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedShuffleSplit

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
WITHOUT = ("--packaged-splits", "0", "--skip-autogluon")
STAND_IN = """#!{python}
import json, sys
from pathlib import Path
import polars as pl
words = sys.argv[1:]
after = lambda option: words[words.index(option) + 1]
out = Path(after("--out"))
out.mkdir()
table = Path(words[1])
read = pl.read_csv if table.suffix == ".csv" else pl.read_parquet
with open("{calls}", "a") as calls:
    calls.write(json.dumps({{"words": words, "columns": read(table).columns}}) + "\\n")
if "--score" in words:
    rows = pl.read_csv(after("--score"))
    assert after("--target") not in rows.columns
    scores = rows.select(after("--key"), probability=pl.{probability}).sample(fraction={fraction}, shuffle=True, seed=3)
    scores.write_parquet(out / "scores.parquet")
(out / "evaluation.json").write_text(json.dumps({{"fit_seconds": 0.25, "auc": 0.7}}))
sys.exit({code})
"""


class Bench:
    """A folder with public data that a test made, a stand-in for the command, and the benchmarks to run with them."""

    def __init__(self, folder: Path):
        self.data, self.command, self.calls_file = folder / "data", folder / "scorecast", folder / "calls.jsonl"

    def customers(self, rows: int = 12_000) -> pl.DataFrame:
        rng = np.random.default_rng(4)
        chance = rng.choice([0.02, 0.5, 0.98], rows)
        frame = pl.DataFrame(
            {
                "customerID": [f"c{number}" for number in range(rows)],
                "chance": chance,
                "Churn": np.where(rng.random(rows) < chance, "Yes", "No"),
            }
        )
        (self.data / "telco_churn").mkdir(parents=True)
        frame.write_csv(self.data / "telco_churn" / "customers.csv")
        return frame

    def stand_in(self, probability: str = 'col("chance")', fraction: float = 1.0, code: int = 0) -> None:
        text = STAND_IN.format(
            python=sys.executable, calls=self.calls_file, probability=probability, fraction=fraction, code=code
        )
        self.command.write_text(text)
        self.command.chmod(0o755)

    def run(self, script: str, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(BENCHMARKS / script), "--scorecast", str(self.command), *options]
        return subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120
        )

    def predictions(self, splits: int = 2) -> subprocess.CompletedProcess[str]:
        return self.run("predictions.py", "--data", str(self.data), "--splits", str(splits), *WITHOUT)

    def calls(self) -> list[dict]:
        return [json.loads(line) for line in self.calls_file.read_text().splitlines()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_figures_are_those_of_the_held_out_rows_whatever_order_they_come_back_in(bench):
    frame = bench.customers()
    bench.stand_in()
    result = bench.predictions()
    assert result.returncode == 0, result.stdout + result.stderr
    target = (frame["Churn"] == "Yes").to_numpy()
    splits = StratifiedShuffleSplit(2, test_size=0.2, random_state=1).split(target, target)
    expected = np.mean([log_loss(target[rows], frame["chance"].to_numpy()[rows]) for _, rows in splits])
    line = next(line for line in result.stdout.splitlines() if line.startswith("log loss  "))
    assert f" {expected:.4f} " in line
    assert line.endswith("ok")
    assert "X Education leads: skipped" in result.stdout
    words = bench.calls()[0]["words"]
    assert words[0] == "predict"
    assert words[2:8] == ["--target", "Churn", "--positive", "Yes", "--key", "customerID"]


def test_a_missed_bar_is_said_and_ends_with_1(bench):
    bench.customers()
    bench.stand_in("lit(0.4)")
    result = bench.predictions()
    assert result.returncode == 1
    missed = [line.split("  ")[0] for line in result.stdout.splitlines() if line.endswith("MISSED")]
    assert missed == ["log loss", "calibration error"]


def test_rows_without_a_probability_stop_the_benchmark(bench):
    bench.customers()
    bench.stand_in(fraction=0.9)
    result = bench.predictions()
    assert result.returncode == 1
    assert "did not give every held-out row a probability" in result.stderr


def test_a_command_that_fails_stops_the_benchmark_with_its_exit_code(bench):
    bench.customers()
    bench.stand_in(code=3)
    result = bench.predictions()
    assert result.returncode == 1
    assert "exit code 3" in result.stderr


def test_without_the_data_each_table_is_skipped_with_a_line(bench):
    bench.stand_in()
    result = bench.predictions()
    assert result.returncode == 0
    assert [line.split(":")[1].split(",")[0].strip() for line in result.stdout.splitlines()] == ["skipped", "skipped"]


@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_the_large_table_is_made_measured_and_removed(bench, file_format):
    bench.stand_in()
    result = bench.run("large_table.py", "--rows", "3000", "--format", file_format)
    assert result.returncode == 0, result.stdout + result.stderr
    call = bench.calls()[0]
    assert len(call["columns"]) == 50
    assert {"won", "customer_id"} < set(call["columns"])
    assert not Path(call["words"][1]).exists()
    assert "AUC 0.7000" in result.stdout
    assert [line.split("  ")[0] for line in result.stdout.splitlines() if line.endswith("ok")] == [
        "wall time",
        "peak memory",
    ]


def test_peak_memory_counts_what_a_child_process_holds(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from _measure import timed

    child = "import time; held = b'1' * 300_000_000; time.sleep(0.8)"
    parent = f'import subprocess, sys; subprocess.run([sys.executable, "-c", "{child}"])'
    seconds, peak = timed([sys.executable, "-c", parent], every=0.1)
    assert seconds > 0.8
    assert 0.28 < peak < 0.6
