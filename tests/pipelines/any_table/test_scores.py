"""The scored rows: what is the user's keeps its name and content, whatever it is called."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from pipelines.commands.main import app

OURS = ("score", "grade", "probability", "reasons", "reason_1", "row", "expected_value")


def deals(rows: int = 200) -> pl.DataFrame:
    """`won` goes with `size`."""
    generator = np.random.default_rng(7)
    size = generator.normal(size=rows).round(3)
    won = generator.random(rows) < 1 / (1 + np.exp(-2 * size))
    days = [date(2025, 1, 1) + timedelta(days=n) for n in range(rows)]
    return pl.DataFrame({"deal": [f"d{n}" for n in range(rows)], "day": days, "size": size, "won": won})


def predicted(frame: pl.DataFrame, folder: Path, *options: object) -> pl.DataFrame:
    """The scores; the frame is written as CSV."""
    folder.mkdir(exist_ok=True)
    frame.write_csv(folder / "deals.csv")
    asked = ["predict", folder / "deals.csv", "--target", "won", "--out", folder / "out", *options]
    result = CliRunner().invoke(app, list(map(str, asked)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return pl.read_parquet(folder / "out" / "scores.parquet")


def notes(folder: Path) -> list[str]:
    return json.loads((folder / "out" / "evaluation.json").read_text())["notes"]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Scores of a table whose columns are called like none of ours."""
    options = ("--key", "deal", "--as-of", "day", "--value", "size")
    return predicted(deals(), tmp_path_factory.mktemp("usual"), *options)


@pytest.mark.parametrize("ours", ["score", "reasons", "probability"])
def test_a_key_and_a_date_called_like_ours_keep_their_content(usual: pl.DataFrame, tmp_path: Path, ours: str):
    options = ("--key", ours, "--as-of", "grade", "--value", "size")
    scores = predicted(deals().rename({"deal": ours, "day": "grade"}), tmp_path, *options)
    renamed = {"deal": ours, "day": "grade", ours: f"scorecast_{ours}", "grade": "scorecast_grade"}
    assert scores.columns == [renamed.get(name, name) for name in usual.columns]
    assert scores.drop("scorecast_reasons" if ours == "reasons" else "reasons").rows() == usual.drop("reasons").rows()
    assert f"Your column '{ours}' keeps its name; ours is called 'scorecast_{ours}'." in notes(tmp_path)


def test_columns_called_like_ours_are_learnt_from_like_others(tmp_path: Path):
    plain = (
        deals()
        .drop("deal", "day")
        .with_columns(
            (pl.col("size") * (number + 1) + pl.int_range(pl.len()) % (number + 2)).alias(f"a{number}")
            for number in range(len(OURS))
        )
    )
    named = plain.rename({f"a{number}": ours for number, ours in enumerate(sorted(OURS))})  # in the same order
    expected, scores = (predicted(frame, tmp_path / name) for frame, name in ((plain, "plain"), (named, "named")))
    assert scores.columns == expected.columns
    assert scores["probability"].to_list() == expected["probability"].to_list()
