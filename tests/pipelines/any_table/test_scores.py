"""The scored rows: what is the user's keeps its name and content, whatever it is called."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from python_calamine import CalamineWorkbook
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


def written(frame: pl.DataFrame, folder: Path, *options: object) -> Path:
    """The file of the scores; the frame is written as CSV."""
    folder.mkdir(exist_ok=True)
    frame.write_csv(folder / "deals.csv")
    asked = ["predict", folder / "deals.csv", "--target", "won", "--out", folder / "out", *options]
    result = CliRunner().invoke(app, list(map(str, asked)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    (path,) = (folder / "out").glob("scores.*")
    return path


def predicted(frame: pl.DataFrame, folder: Path, *options: object) -> pl.DataFrame:
    return pl.read_parquet(written(frame, folder, *options))


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


def test_the_columns_of_the_table_come_along_and_none_is_lost(tmp_path: Path):
    frame = deals().with_columns(row=pl.lit("mine"), grade=pl.col("size") * 2, text=pl.lit("=1+1"))
    scores = predicted(frame.drop("deal"), tmp_path, "--keep-columns")
    assert scores.columns[:4] == ["scorecast_row", "probability", "score", "scorecast_grade"]
    assert scores.columns[-6:] == ["day", "size", "won", "row", "grade", "text"]
    assert scores["scorecast_row"].to_list() == list(range(1, 201))
    assert scores["size"].to_list() == frame["size"].to_list()
    assert scores["row"].unique().to_list() == ["mine"]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_scores_for_a_spreadsheet_run_nothing_and_keep_numbers_numbers(tmp_path: Path, form: str):
    frame = deals().with_columns(pl.lit("=1+1").alias("=2+2"), change=-pl.int_range(pl.len()))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "scores.parquet").write_text("of an earlier run")
    path = written(frame, tmp_path, "--key", "deal", "--keep-columns", "--format", form)
    if form == "xlsx":
        header, _, second, *_ = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
        row = dict(zip(header, second, strict=True))
        assert (row["=2+2"], row["change"], row["size"]) == ("=1+1", -1.0, frame["size"][1])
        assert isinstance(row["probability"], float)
    else:
        scores = pl.read_csv(path)
        assert scores["'=2+2"].unique().to_list() == ["'=1+1"]
        assert scores["change"].to_list() == frame["change"].to_list()
        assert scores["size"].to_list() == frame["size"].to_list()
        header = scores.columns
    assert "reason_1" in header and "reasons" not in header


def test_a_form_that_there_is_not_is_refused_before_anything_is_learnt(tmp_path: Path):
    deals().write_csv(tmp_path / "deals.csv")
    asked = [
        "predict",
        str(tmp_path / "deals.csv"),
        "--target",
        "won",
        "--format",
        "ods",
        "--out",
        str(tmp_path / "out"),
    ]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 2 and "it can be parquet, csv, xlsx" in result.output
    assert not (tmp_path / "out").exists()


def test_the_same_rows_give_the_same_figures_in_every_format(usual: pl.DataFrame, tmp_path: Path):
    deals().write_parquet(tmp_path / "deals.parquet")
    options = ("--target", "won", "--key", "deal", "--as-of", "day", "--value", "size", "--out", tmp_path / "out")
    CliRunner().invoke(app, ["predict", *map(str, (tmp_path / "deals.parquet", *options))], catch_exceptions=False)
    assert pl.read_parquet(tmp_path / "out" / "scores.parquet").equals(usual)
