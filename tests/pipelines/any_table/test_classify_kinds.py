"""`scorecast classify` with several labels a text, columns beside it, texts to label, and texts of every kind."""

import json
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.pipelines.any_table.test_classify import run, table, written
from tests.pipelines.learning.texts.test_languages import ENDINGS, SAID, SUPPORT, _texts
from tests.pipelines.learning.texts.test_tags import tagged


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("several")
    texts, tags = tagged(600)
    joined = [";".join(each) or "other" for each in tags]
    joined[0], joined[1], joined[2] = "Billing ; delivery", "rare;BILLING", ""
    frame = pl.DataFrame({"id": range(600), "said": texts, "tags": joined})
    options = ("--text", "said", "--label", "tags", "--multi", ";", "--key", "id", "--out", folder / "out")
    code, output = run(written(frame, folder / "t.csv"), *options, "--score", folder / "t.csv")
    assert code == 0, output
    return folder / "out", " ".join(output.split())


def test_a_text_gets_all_labels_above_their_cutoffs(several: tuple[Path, str]):
    scores = pl.read_parquet(several[0] / "scores.parquet")
    names = ["account", "billing", "delivery", "other"]
    assert scores.columns[1:7] == ["predicted", "probability", *(f"probability_{name}" for name in names)]
    evaluation = json.loads((several[0] / "evaluation.json").read_text())
    cutoffs = {row["class"]: row["cutoff"] for row in evaluation["classes"]}
    for row in scores.to_dicts():
        said = {name for name in names if row[f"probability_{name}"] >= cutoffs[name]}
        assert set(filter(None, row["predicted"].split(";"))) == said
    assert scores["predicted"].str.contains(";").sum() > 20
    assert {"micro_f1", "exact", "calibration_error_of_labels"} <= evaluation.keys()
    assert all("average_precision" in row for row in evaluation["classes"])


def test_a_rare_label_of_several_is_told_and_spellings_are_one(several: tuple[Path, str]):
    assert "Not learnt, nor ever said: 'rare' (1). A label takes 5 texts." in several[1]
    assert "'BILLING', 'Billing', 'billing' are one answer, 'billing'" in several[1]
    assert "labels that differ by blanks alone are one" in several[1]
    assert "several labels: right is a text whose likeliest" in (several[0] / "model_card.html").read_text()


def test_columns_and_several_texts_are_one_model(tmp_path: Path):
    rng = np.random.default_rng(1)
    plan = rng.choice(["Free", "Gold"], 500)
    arr = np.exp(rng.normal(5, 2, 500)).round(2)
    urgent = rng.random(500) < np.where(plan == "Gold", 0.85, 0.15)
    words = table(500)["said"].to_list()
    frame = pl.DataFrame(
        {
            "title": [text.split(" ")[0] for text in words],
            "body": [" ".join(text.split(" ")[1:]) for text in words],
            "plan": plan,
            "arr": [f"{value:,.2f}" if number % 9 else None for number, value in enumerate(arr)],
            "level": np.where(urgent, "urgent", "calm"),
        }
    )
    options = ("--text", "title", "--text", "body", "--label", "level", "--column", "plan", "--column", "arr")
    out = tmp_path / "o"
    code, output = run(
        *(written(frame, tmp_path / "t.csv"), *options, "--out", out),
        *("--score", written(frame.drop("level", "arr"), tmp_path / "new.csv")),
    )
    assert code == 0, output
    assert "column `arr` is missing; all its values count as missing" in " ".join(output.split())
    scores = pl.read_parquet(out / "scores.parquet")
    assert set(scores["reason_1"]) >= {"plan is Gold", "plan is Free"}
    for row in scores.head(20).to_dicts():
        told = json.loads(row["reasons"])
        assert {each["column"] for each in told["columns"]} == {f"plan is {plan[row['row'] - 1]}", "arr is missing"}
        odds = told["base"] + sum(each["contribution"] for each in told["words"] + told["columns"])
        assert odds == pytest.approx(np.log(row["probability"] / (1 - row["probability"])), abs=0.01)
    card = (out / "model_card.html").read_text()
    assert "level by title and body, with plan, arr beside" in card


def test_texts_to_label_are_listed_ready_to_fill_in(tmp_path: Path):
    frame = table(400).with_columns(pl.when(pl.int_range(400) < 80).then("type").alias("type"))
    frame = frame.with_columns(
        said=pl.when(pl.int_range(400).is_between(100, 200)).then(pl.lit("write to ann@shop.example")).otherwise("said")
    )
    path, out = written(frame, tmp_path / "t.csv"), tmp_path / "o"
    code, output = run(
        *(path, "--text", "said", "--label", "type", "--key", "id", "--out", out, "--suggest", 20),
    )
    assert code == 0 and "Fill in 'type'" in output, output
    sheet = pl.read_csv(out / "suggestions.csv", infer_schema=False)
    assert sheet.columns == ["id", "said", "predicted", "probability", "type"]
    assert sheet.height == 20 and sheet["type"].null_count() == 20 and sheet["said"].n_unique() == 20
    assert set(sheet["id"]) <= set(frame.filter(pl.col("type").is_null())["id"])
    assert "@" not in sheet.write_csv()
    scores = pl.read_parquet(out / "scores.parquet")
    unsure = scores.filter(pl.col("id").is_in(sheet["id"].to_list()))["probability"].mean()
    assert unsure < scores["probability"].mean()
    filled = sheet.with_columns(type=pl.lit("billing")).select("id", "said", "type")
    added = written(
        pl.concat([frame.filter(~pl.col("id").is_in(sheet["id"].to_list())), filled]), tmp_path / "again.csv"
    )
    assert run(added, "--text", "said", "--label", "type", "--out", tmp_path / "o2")[0] == 0


@pytest.mark.parametrize("label", [pl.lit(None), pl.when(pl.int_range(120) < 12).then(pl.lit("billing"))])
def test_texts_to_label_are_listed_where_there_is_too_little_to_learn_from(tmp_path: Path, label: pl.Expr):
    frame = table(120).with_columns(label.cast(pl.String).alias("type"))
    out = tmp_path / "o"
    code, output = run(
        written(frame, tmp_path / "t.csv"), "--text", "said", "--label", "type", "--out", out, "--suggest", 9
    )
    assert code == 0 and "No model yet: There are" in output, output
    sheet = pl.read_csv(out / "suggestions.csv", infer_schema=False)
    assert sheet.columns == ["row", "said", "predicted", "probability", "type"] and sheet.height == 9
    assert sheet["predicted"].null_count() == 9 and sheet["said"].n_unique() == 9
    assert set(sheet["row"]) <= {str(number + 1) for number, each in enumerate(frame["type"]) if each is None}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--suggest", 0), "--suggest is 0; name how many"),
        (("--suggest", 5), "every row has a label; there is nothing to suggest"),
        (("--column", "plan"), "has no column 'plan' (--column)"),
        (("--column", "said"), "--column 'said' is the text, the label or the key already"),
        (("--multi", ""), "--multi is empty"),
        (("--text", "nothing"), "has no column 'nothing' (--text)"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_line(tmp_path: Path, options: tuple, words: str):
    path = written(table(60), tmp_path / "t.csv")
    code, output = run(path, "--text", "said", "--label", "type", "--out", tmp_path / "o", *options)
    assert code == 2 and words in " ".join(output.split()) and "Traceback" not in output


def test_a_file_of_another_language_has_no_labels_and_says_so(tmp_path: Path):
    texts, labels = _texts(SAID, ENDINGS, 40)
    train = written(pl.DataFrame({"said": texts, "type": labels}), tmp_path / "t.csv")
    new = written(pl.DataFrame({"said": SUPPORT["es"] + SUPPORT["ru"]}), tmp_path / "new.csv")
    code, output = run(train, "--text", "said", "--label", "type", "--score", new, "--out", tmp_path / "o")
    assert code == 0 and "Spanish (4), Russian (3)" in " ".join(output.split()), output
    scores = pl.read_parquet(tmp_path / "o" / "scores.parquet")
    assert scores.height == 7 and scores["predicted"].null_count() == 7
    languages = json.loads((tmp_path / "o" / "evaluation.json").read_text())["languages"]
    assert [(row["language"], row["texts"]) for row in languages] == [("en", 80)]


def test_texts_of_every_kind_are_read_and_none_is_lost(tmp_path: Path):
    """Control characters, a million characters, right to left, mixed languages, learnt from and labelled."""
    odd = [
        "\x00\x01\x1b[31m the invoice\x07 is wrong \ufeff",
        "refund " + "what I have paid " * 60_000,
        "החשבונית שגויה ואף אחד לא עונה",
        "the invoice ist falsch, la factura también",
        "\u202e\u202d",
        "💸💸💸",
        "a" * 1_000_000,
    ]
    texts, labels = _texts(SAID, ENDINGS, 40)
    frame = pl.DataFrame({"said": texts + odd * 2, "type": labels + ["billing"] * len(odd) + [None] * len(odd)})
    started = time.process_time()
    frame.write_parquet(tmp_path / "t.parquet")
    code, output = run(tmp_path / "t.parquet", "--text", "said", "--label", "type", "--out", tmp_path / "o")
    assert code == 0, output
    scores = pl.read_parquet(tmp_path / "o" / "scores.parquet")
    assert scores["row"].to_list() == list(range(len(texts) + len(odd) + 1, frame.height + 1))
    assert (scores["predicted"].is_not_null() | scores["reason_1"].str.ends_with(".")).all()
    assert scores["predicted"][0] == scores["predicted"][1] == scores["predicted"][3] == "billing"
    assert time.process_time() - started < 20


def test_fifty_thousand_equal_texts_are_quick(tmp_path: Path):
    same = ["where is my parcel, it should have been here on Monday"] * 50_000
    options = ("--text", "said", "--label", "type", "--out", tmp_path / "o")
    frame = pl.DataFrame({"said": same, "type": ["a", "b"] * 25_000})
    started = time.process_time()
    code, output = run(written(frame, tmp_path / "same.csv"), *options)
    assert code == 2 and "Nearly all texts are copies" in output
    assert time.process_time() - started < 10
    more = pl.concat([frame.with_columns(type=pl.lit("delivery")), table(300).select("said", "type")])
    started = time.process_time()
    code, output = run(written(more, tmp_path / "more.csv"), *options)
    assert code == 0 and "texts nearly say what another says" in " ".join(output.split()), output
    assert time.process_time() - started < 40
