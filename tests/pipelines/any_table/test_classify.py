"""`scorecast classify`: from a file of texts with labels to a folder with labelled texts."""

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from pipelines.commands.main import app
from tests.pipelines.learning.texts.test_classifier import tickets


def table(rows: int, seed: int = 0) -> pl.DataFrame:
    texts, labels = tickets(rows, seed=seed)
    return pl.DataFrame({"id": [f"t{number}" for number in range(rows)], "said": texts, "type": labels})


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["classify", *map(str, words)])
    return result.exit_code, result.output


def written(frame: pl.DataFrame, path: Path) -> Path:
    frame.write_csv(path)
    return path


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    train = table(500)
    train = train.with_columns(pl.when(pl.int_range(500) < 3).then(pl.lit("")).otherwise("said").alias("said"))
    new = table(60, seed=3).drop("type")
    new = pl.concat(
        [
            new,
            pl.DataFrame(
                {
                    "id": ["empty", "other", "private"],
                    "said": [None, "⠿⠿ ⠷⠷", "parcel late, write to ann@shop.example or +49 30 901820"],
                }
            ),
        ]
    )
    ended = run(
        written(train, folder / "train.csv"),
        *("--text", "said", "--label", "type", "--key", "id", "--keep-columns"),
        *("--score", written(new, folder / "new.csv"), "--out", folder / "out"),
    )
    assert ended[0] == 0, ended[1]
    assert "Accuracy" in ended[1] and "62 texts labelled" not in ended[1]
    assert "61 texts labelled" in ended[1]
    return folder / "out"


def test_every_text_has_its_label_with_probabilities_and_words(labelled: Path):
    scores = pl.read_parquet(labelled / "scores.parquet")
    assert scores.columns == [
        *["id", "predicted", "probability", "probability_account", "probability_billing", "probability_delivery"],
        *["language", "reason_1", "reason_2", "reason_3", "reasons", "said"],
    ]
    known = scores.filter(pl.col("predicted").is_not_null())
    assert (known.select(pl.sum_horizontal(pl.col("^probability_.*$"))).to_series() - 1).abs().max() < 1e-9
    truth = table(60, seed=3)
    assert (known.join(truth, on="id")["predicted"] == known.join(truth, on="id")["type"]).mean() > 0.8
    (private,) = scores.filter(pl.col("id") == "private").to_dicts()
    assert private["predicted"] == "delivery" and "“parcel”" in (private["reason_1"], private["reason_2"])


def test_a_text_without_words_or_of_unknown_ones_has_no_label_and_says_why(labelled: Path):
    scores = pl.read_parquet(labelled / "scores.parquet")
    rows = {row["id"]: row for row in scores.to_dicts()}
    assert rows["empty"]["predicted"] is None and rows["empty"]["reason_1"] == "There is no text."
    assert rows["empty"]["probability"] is None and rows["empty"]["probability_billing"] is None
    assert rows["other"]["predicted"] is None and rows["other"]["reason_1"].startswith("None of its words")


def test_nothing_that_is_written_has_private_data(labelled: Path):
    scores = pl.read_parquet(labelled / "scores.parquet").drop("said")  # which is the user's own column
    everything = scores.write_csv() + (labelled / "evaluation.json").read_text()
    everything += (labelled / "model_card.html").read_text()
    assert "ann@shop" not in everything and "901820" not in everything and "[email]" in everything


def test_the_evaluation_and_the_card_tell_the_same(labelled: Path):
    evaluation = json.loads((labelled / "evaluation.json").read_text())
    assert evaluation["verdict"] == "ok" and 0.7 < evaluation["accuracy"] < 1
    assert {row["class"] for row in evaluation["classes"]} == {"account", "billing", "delivery"}
    wrong = sum(map(sum, evaluation["confusion"]["counts"])) - sum(
        counts[number] for number, counts in enumerate(evaluation["confusion"]["counts"])
    )
    assert sum(pair["texts"] for pair in evaluation["most_confused"]) == wrong
    assert "3 rows have no text" in " ".join(evaluation["notes"])
    card = (labelled / "model_card.html").read_text()
    assert "type by said" in card and "<script" not in card


def test_labels_in_several_spellings_are_one_and_open_ones_are_labelled(tmp_path: Path):
    frame = table(200).with_columns(
        pl.when(pl.int_range(200) % 7 == 0)
        .then(pl.col("type").str.to_uppercase() + " ")
        .when(pl.int_range(200) % 7 == 1)
        .then(pl.lit("N/A"))
        .otherwise("type")
        .alias("type")
    )
    code, output = run(written(frame, tmp_path / "t.csv"), "--text", "said", "--label", "type", "--out", tmp_path / "o")
    assert code == 0, output
    scores = pl.read_parquet(tmp_path / "o" / "scores.parquet")
    assert scores["row"].to_list() == [number + 1 for number in range(200) if number % 7 == 1]
    assert set(scores["predicted"]) <= {"account", "billing", "delivery"}


def test_a_label_of_three_texts_is_left_out_and_told(tmp_path: Path):
    rare = pl.when(pl.int_range(200) < 3).then(pl.lit("praise")).otherwise("type").alias("type")
    path, out = written(table(200).with_columns(rare), tmp_path / "t.csv"), tmp_path / "o"
    code, output = run(path, "--text", "said", "--label", "type", "--out", out)
    assert code == 0 and "Not learnt, nor ever said: 'praise' (3). A label takes 5 texts." in " ".join(output.split())
    assert "probability_praise" not in pl.read_parquet(out / "scores.parquet").columns
    assert pl.read_parquet(out / "scores.parquet").height == 200


def test_a_column_of_the_users_keeps_its_name(tmp_path: Path):
    frame = table(150).rename({"id": "predicted"})
    out = tmp_path / "o"
    code, output = run(
        *(written(frame, tmp_path / "t.csv"), "--text", "said", "--label", "type", "--key", "predicted"),
        *("--out", out, "--format", "csv"),
    )
    assert code == 0, output
    scores = pl.read_csv(out / "scores.csv")
    assert scores["predicted"].to_list() == frame["predicted"].to_list()
    assert "scorecast_predicted" in scores.columns


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({}, ("--text", "sais"), "has no column 'sais' (--text). Did you mean 'said'?"),
        ({"said": pl.lit("")}, (), "the text 'said' is empty in every row"),
        ({"said": pl.int_range(60)}, (), "'said' holds numbers, not texts; `scorecast predict` learns from numbers"),
        ({"type": pl.lit("one")}, (), "All texts have the label 'one'"),
        ({"type": pl.lit(None)}, (), "the label 'type' has no value in any row"),
        ({"said": pl.lit("the same again")}, (), "Nearly all texts are copies"),
        ({}, ("--label", "said"), "The label 'said' cannot be the text or the key, too."),
        ({}, ("--format", "tsv"), "--format is 'tsv'; it can be parquet, csv, xlsx."),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_a_line(
    tmp_path: Path, change: dict, options: tuple[str, ...], words: str
):
    path = written(table(60).with_columns(**change), tmp_path / "t.csv")
    code, output = run(path, "--text", "said", "--label", "type", "--out", tmp_path / "o", *options)
    assert code == 2 and words in " ".join(output.split()), output
    assert "Traceback" not in output and not (tmp_path / "o").exists()


def test_labels_by_chance_write_no_scores(tmp_path: Path):
    frame = table(300).with_columns(
        type=pl.Series(["a", "b", "b", "a", "b"] * 60).sample(fraction=1, shuffle=True, seed=2)
    )
    asked = (written(frame, tmp_path / "t.csv"), "--text", "said", "--label", "type", "--out", tmp_path / "o")
    code, output = run(*asked)
    assert code == 3 and "No signal" in output
    assert not (tmp_path / "o" / "scores.parquet").exists()
    assert run(*asked, "--force")[0] == 3
    assert pl.read_parquet(tmp_path / "o" / "scores.parquet").height == 300
