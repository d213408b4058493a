"""`scorecast predict` through the real command: what it writes, what it refuses, and in which words."""

import json
import random
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from pipelines.commands.main import app
from pipelines.learning.scoring.fitted import predict
from pipelines.learning.scoring.storage import load_model
from tests.pipelines.learning.columns.test_stamps import records
from tests.pipelines.learning.synthetic import weakly_related


def customers(rows: int = 600, seed: int = 1) -> pl.DataFrame:
    """Text columns as a CSV has them; `left` is yes more often for short tenure and monthly contracts."""
    generator = np.random.default_rng(seed)
    tenure = generator.integers(0, 72, rows)
    contract = generator.choice(["monthly", "yearly"], rows)
    spend = np.exp(generator.normal(7, 0.8, rows))
    odds = 0.3 - 0.06 * tenure + 1.4 * (contract == "monthly") + 0.5 * generator.normal(size=rows)
    return pl.DataFrame(
        {
            "id": [f"C{number:04d}" for number in generator.permutation(rows)],
            "tenure": [str(each) for each in tenure],
            "contract": contract,
            "spend": [f"{each:,.2f}" for each in spend],
            "region": generator.choice(["north", "south", "Select"], rows),
            "noise": generator.normal(size=rows).round(3).astype(str),
            "left": np.where(generator.random(rows) < 1 / (1 + np.exp(-odds)), "Yes", "No"),
        }
    )


def written(frame: pl.DataFrame, path: Path) -> str:
    frame.write_csv(path)
    return str(path)


def run(*options: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["predict", *map(str, options)], catch_exceptions=False)
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run: learnt from 600 rows, scored 100 others."""
    folder = tmp_path_factory.mktemp("predict")
    train, new = written(customers(), folder / "train.csv"), customers(100, seed=2).drop("left")
    options = ("--target", "left", "--positive", "Yes", "--key", "id", "--value", "spend")
    code, _ = run(train, *options, "--score", written(new, folder / "new.csv"), "--out", folder / "out")
    assert code == 0
    return folder / "out"


def evaluation(folder: Path) -> dict:
    return json.loads((folder / "evaluation.json").read_text())


def test_scores_have_key_answer_money_and_reasons_that_add_up(told: Path):
    scores = pl.read_parquet(told / "scores.parquet")
    assert scores.columns == [
        *("id", "probability", "score", "grade", "expected_value", "reasons", "reason_1", "reason_2", "reason_3")
    ]
    assert scores["id"].to_list() == customers(100, seed=2)["id"].to_list()
    spend = customers(100, seed=2)["spend"].str.replace_all(",", "").cast(pl.Float64)
    assert np.allclose(scores["expected_value"], spend * scores["probability"])
    odds = np.log(scores["probability"] / (1 - scores["probability"]))
    sums = [sum(entry["contribution"] for entry in json.loads(each)) for each in scores["reasons"]]
    assert np.abs(odds - np.array(sums)).max() < 1e-6
    assert scores.null_count().sum_horizontal().item() == 0


def test_the_evaluation_says_how_good_and_on_what(told: Path):
    says = evaluation(told)
    assert says["task"] == "yes_no" and says["positive"] == "Yes" and says["verdict"] == "ok"
    assert says["n_rows"] == says["n_train"] + says["n_holdout"] == 600
    assert says["split"] == "stratified"
    assert 0.7 < says["auc"] < 0.95
    assert says["log_loss"] < says["baseline_log_loss"]
    assert {"average_precision", "brier", "calibration_error", "lift_top_decile", "seconds", "fit_seconds"} <= set(says)
    assert sum(row["chosen"] for row in says["candidates"]) == 1
    assert says["leaky"] == says["suspect"] == says["constant"] == []
    assert says["drivers"][0]["column"] in ("tenure", "contract")


def test_the_card_names_what_drives_it_and_the_model_opens_again(told: Path):
    card = (told / "model_card.html").read_text()
    assert "tenure" in card.lower() and "<svg" in card
    assert "In use" not in card  # a pipeline's model is; here nobody has decided
    assert load_model(told / "model.zip").spec.target == "left"


def test_the_order_of_rows_and_columns_changes_nothing(told: Path, tmp_path: Path):
    frame = customers()
    columns = frame.columns
    random.Random(3).shuffle(columns)
    turned = frame.select(columns).sample(fraction=1.0, shuffle=True, seed=4)
    new = customers(100, seed=2).drop("left")
    options = ("--target", "left", "--positive", "Yes", "--key", "id", "--value", "spend", "--out", tmp_path / "out")
    run(written(turned, tmp_path / "train.csv"), *options, "--score", written(new, tmp_path / "new.csv"))
    same, other = (pl.read_parquet(folder / "scores.parquet") for folder in (told, tmp_path / "out"))
    assert other.equals(same)


def test_without_a_key_rows_have_their_number_and_order_still_changes_nothing(tmp_path: Path):
    frame = customers(300).drop("id")
    probabilities = []
    for name, rows in (("a", frame), ("b", frame.reverse())):
        run(written(rows, tmp_path / f"{name}.csv"), "--target", "left", "--out", tmp_path / name)
        probabilities.append(pl.read_parquet(tmp_path / name / "scores.parquet").sort("row")["probability"])
    assert probabilities[0].to_list() == probabilities[1].reverse().to_list()


def test_a_random_answer_is_no_signal_and_gets_no_scores_unless_forced(tmp_path: Path):
    frame = customers().with_columns(pl.col("left").shuffle(seed=5))
    train = written(frame, tmp_path / "train.csv")
    options = (train, "--target", "left", "--key", "id", "--out", tmp_path / "out")
    code, output = run(*options)
    assert code == 3
    assert "no better than the base rate" in output
    assert evaluation(tmp_path / "out")["verdict"] == "no_signal"
    assert abs(evaluation(tmp_path / "out")["auc"] - 0.5) < 0.12
    assert not (tmp_path / "out" / "scores.parquet").exists()
    assert run(*options, "--force")[0] == 3
    assert pl.read_parquet(tmp_path / "out" / "scores.parquet").height == 600


def test_a_weak_model_is_called_so_scores_and_ends_with_0(tmp_path: Path):
    train = written(weakly_related(150, seed=4), tmp_path / "train.csv")
    code, output = run(train, "--target", "left", "--key", "id", "--out", tmp_path / "out")
    says = evaluation(tmp_path / "out")
    assert (code, says["verdict"]) == (0, "weak")
    assert says["log_loss"] > says["baseline_log_loss"] or says["gain_over_base_rate"] < 2 * says["gain_error"]
    assert "Weak: trust the order, not the percentages." in output
    assert f"AUC {says['auc']:.3f} ± {says['auc_error']:.3f}" in output
    assert f"log loss {says['log_loss']:.4f} ± {says['log_loss_error']:.4f}" in output
    assert pl.read_parquet(tmp_path / "out" / "scores.parquet").height == 150


@pytest.mark.slow
def test_random_answers_hardly_ever_pass(tmp_path: Path):
    passed = 0
    for seed in range(20):
        rows = (60, 150, 300, 800)[seed % 4]
        frame = customers(rows, seed=seed).with_columns(pl.col("left").shuffle(seed=seed))
        train = written(frame, tmp_path / "train.csv")
        passed += run(train, "--target", "left", "--key", "id", "--out", tmp_path / "out")[0] == 0
    assert passed <= 1


def test_a_planted_leak_is_left_out_and_can_be_kept(tmp_path: Path):
    frame = customers()
    wrong = np.random.default_rng(6).random(600) < 0.03
    after = pl.Series("closing_call", np.where((frame["left"] == "Yes").to_numpy() ^ wrong, "done", "not done"))
    train = written(frame.with_columns(after), tmp_path / "train.csv")
    options = (train, "--target", "left", "--key", "id", "--out", tmp_path / "out")
    code, output = run(*options)
    assert code == 0 and "closing_call" in output
    leaky = evaluation(tmp_path / "out")["leaky"]
    assert [each["column"] for each in leaky] == ["closing_call"]
    assert evaluation(tmp_path / "out")["auc"] < 0.95
    run(*options, "--keep-leaky")
    assert evaluation(tmp_path / "out")["auc"] > 0.95
    assert evaluation(tmp_path / "out")["drivers"][0]["column"] == "closing_call"


def test_what_is_filled_in_with_the_answer_is_a_leak_although_every_answered_row_has_it(tmp_path: Path):
    """As a CRM's close date: rows that wait for their answer, the ones to be scored, never have it."""
    frame = customers().with_columns(closed_on=pl.lit("2026-01-31"))
    waits = pl.int_range(pl.len()) % 6 == 0
    frame = frame.with_columns(
        pl.when(waits).then(None).otherwise(pl.col(name)).alias(name) for name in ("left", "closed_on", "noise")
    ).with_columns(closed_on=pl.when(pl.col("left") == "Yes").then(pl.lit("2026-02-28")).otherwise("closed_on"))
    frame = frame.with_columns(closed_on=pl.when(waits).then(None).otherwise("closed_on"))
    options = ("--target", "left", "--positive", "Yes", "--key", "id")
    code, _ = run(written(frame, tmp_path / "t.csv"), *options, "--out", tmp_path / "out")
    told = {each["column"]: each["reason"] for each in evaluation(tmp_path / "out")["leaky"]}
    assert code == 0 and set(told) == {"closed_on", "noise"}
    assert told["noise"].startswith("filled in once the answer is known: in 100% of the rows that have one, in 0% of")
    assert evaluation(tmp_path / "out")["excluded"] == []
    assert "filled in once the answer is known" in (tmp_path / "out" / "model_card.html").read_text()
    assert pl.read_parquet(tmp_path / "out" / "scores.parquet").height == 100
    run(written(frame, tmp_path / "t.csv"), *options, "--keep-leaky", "--out", tmp_path / "kept")
    assert {each["column"] for each in evaluation(tmp_path / "kept")["leaky"]} == {"closed_on", "noise"}
    assert "closed_on" in [each["column"] for each in evaluation(tmp_path / "kept")["drivers"]]


def test_a_key_that_is_there_twice_is_said(tmp_path: Path):
    frame = pl.concat([customers(), customers().head(5)])
    run(written(frame, tmp_path / "t.csv"), *("--target", "left", "--key", "id", "--out", tmp_path / "out"))
    assert any("5 rows repeat a id that was there before" in note for note in evaluation(tmp_path / "out")["notes"])


def test_the_card_shows_what_happened_in_every_group(told: Path):
    page = (told / "model_card.html").read_text()
    groups = evaluation(told)["segments"]
    assert groups
    for group in groups:
        row = page.split(f"<bdi>{group['value']}</bdi>")[-1].split("</tr>")[0]
        cells = [cell.split("</td>")[0].split(">")[-1] for cell in row.split("<td")[2:]]
        assert cells[-1] == f"{group['rows']:,}" and all(cell.endswith("%") for cell in cells[-3:-1]), cells


def test_a_key_and_a_file_in_the_order_of_the_answer_are_named(tmp_path: Path):
    frame = customers().sort("left").with_columns(pl.Series("id", range(600)))
    run(written(frame, tmp_path / "train.csv"), "--target", "left", "--key", "id", "--out", tmp_path / "out")
    named = [each["column"] for each in evaluation(tmp_path / "out")["leaky"]]
    assert named == ["(order of the rows)", "id"]


def test_copies_of_rows_are_named_and_never_judge_each_other(tmp_path: Path):
    frame = customers(400)
    answers = pl.Series("left", np.where(np.random.default_rng(7).random(400) < 0.4, "Yes", "No"))
    copied = pl.concat([frame.with_columns(answers), frame.with_columns(answers, pl.col("id") + "b")])
    code, _ = run(written(copied, tmp_path / "train.csv"), "--target", "left", "--key", "id", "--out", tmp_path / "out")
    assert [each["column"] for each in evaluation(tmp_path / "out")["leaky"]] == ["(rows)"]
    assert code == 3


def test_more_than_two_answers_are_classes(tmp_path: Path):
    frame = customers(900).with_columns(
        pl.when(pl.col("left") == "Yes")
        .then(pl.lit("gone"))
        .when((pl.col("contract") == "yearly") ^ (pl.Series(np.random.default_rng(1).random(900)) < 0.25))
        .then(pl.lit("safe"))
        .otherwise(pl.lit("open"))
        .alias("state")
    )
    train = written(frame.drop("left"), tmp_path / "train.csv")
    code, output = run(train, "--target", "state", "--key", "id", "--out", tmp_path / "out")
    assert code == 0 and "accuracy" in output
    says = evaluation(tmp_path / "out")
    assert says["task"] == "classes"
    assert 0.45 < says["accuracy"] <= 1 and 0.4 < says["macro_f1"] <= 1
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    names = ["probability_gone", "probability_open", "probability_safe"]
    assert scores.columns[:5] == ["id", "predicted", *names]
    assert np.allclose(scores.select(names).sum_horizontal(), 1)
    likeliest = scores.select(names).to_numpy().argmax(axis=1)
    assert scores["predicted"].to_list() == [("gone", "open", "safe")[place] for place in likeliest]
    assert scores["reason_1"].str.contains("chance of").all()


def priced(rows: int = 400, seed: int = 0) -> pl.DataFrame:
    """Prices as people write them, a tenth of them open."""
    generator = np.random.default_rng(seed)
    size = generator.normal(size=rows)
    price = np.exp(7 + 0.6 * size + 0.2 * generator.normal(size=rows))
    written = pl.Series("price", [f"{each:,.2f} €" for each in price]).set(pl.Series(range(rows)) < rows // 10, "")
    return pl.DataFrame({"id": [f"H{number}" for number in range(rows)], "size": size.round(3), "price": written})


def test_a_number_with_many_values_is_estimated_as_an_amount(tmp_path: Path):
    train, out = written(priced(), tmp_path / "train.csv"), tmp_path / "out"
    code, output = run(train, "--target", "price", "--key", "id", "--out", out)
    said = " ".join(output.split())
    assert code == 0 and "it is estimated as an amount" in said and "40 rows of" in said
    assert "saying the median of everyone is off by" in said and "within p10 to p90" in said
    says = evaluation(out)
    assert (says["task"], says["positive"], says["verdict"], says["n_rows"]) == ("amount", None, "ok", 360)
    assert says["mean_absolute_error"] < 0.6 * says["mean_absolute_error_of_median"]
    scores = pl.read_parquet(out / "scores.parquet")
    assert scores.columns[:6] == ["id", "expected", "p10", "p50", "p90", "score"] and scores.height == 40
    assert scores["p50"].is_between(100, 20_000).all()
    assert scores["reason_1"].str.contains(r"Size: .+ \(x[0-9.]+\)$").all()
    card = (out / "model_card.html").read_text()
    assert "On average it is off by" in card and "Do its intervals hold?" in card


def test_the_task_can_be_chosen_and_clashes_are_said(tmp_path: Path):
    few = priced(200).with_columns(stars=pl.Series([number % 5 + 1 for number in range(200)]))
    train = written(few, tmp_path / "few.csv")
    assert run(train, "--target", "stars", "--task", "amount", "--key", "id", "--out", tmp_path / "out")[0] == 3
    assert evaluation(tmp_path / "out")["task"] == "amount"
    for words, options in {
        "--positive is for a yes-or-no question": ("price", "--task", "amount", "--positive", "1"),
        "--value is the money at stake of a yes": ("price", "--value", "size"),
        "say with --positive which of them is yes": ("stars", "--task", "yes_no"),
        "--task is 'guess'; it can be yes_no, classes, ordered, amount": ("stars", "--task", "guess"),
        "--loss is 'big'; it can be absolute, squared": ("price", "--loss", "big"),
        "'id' cannot be read as number": ("id", "--task", "amount"),
    }.items():
        code, output = run(train, "--target", *options, "--out", tmp_path / "no")
        assert code == 2 and words in " ".join(output.split()), output


def rated(rows: int = 600, seed: int = 3) -> pl.DataFrame:
    """Hotel stays with stars of 1 to 5 (as a spreadsheet writes them), which fall with the wait; a tenth are open."""
    generator = np.random.default_rng(seed)
    wait = generator.normal(size=rows)
    margin = -1.8 * wait + generator.logistic(size=rows)
    stars = 1 + (margin[:, None] > [-2.5, -1.0, 0.3, 2.0]).sum(axis=1)
    text = pl.Series("stars", [f"{each}.0" for each in stars]).set(pl.Series(range(rows)) < rows // 10, "")
    noise = generator.normal(size=rows).round(3)
    return pl.DataFrame({"id": [f"S{n}" for n in range(rows)], "wait": wait.round(3), "noise": noise, "stars": text})


def test_levels_of_numbers_are_said_in_their_order(tmp_path: Path):
    train, out = written(rated(), tmp_path / "train.csv"), tmp_path / "out"
    code, output = run(train, "--target", "stars", "--task", "ordered", "--key", "id", "--out", out)
    said = " ".join(output.split())
    assert code == 0 and "levels on average (always saying" in said and "within one level" in said, said
    says = evaluation(out)
    assert (says["task"], says["levels"], says["n_rows"]) == ("ordered", ["1", "2", "3", "4", "5"], 540)
    assert says["rps"] < 0.8 * says["baseline_rps"]
    assert says["error_in_levels"] < says["error_in_levels_of_median"]
    assert [row["level"] for row in says["cuts"]] == ["2", "3", "4", "5"]
    assert {"rps", "name", "chosen"} == set(says["candidates"][0])
    scores = pl.read_parquet(out / "scores.parquet")
    levels = [f"probability_{level}" for level in range(1, 6)]
    assert scores.columns[:9] == ["id", "predicted", "probability", *levels, "expected"]
    assert scores.height == 60 and scores["predicted"].is_between(1, 5).all()
    assert scores["reason_1"].str.contains("the chance of").all()
    card = (out / "model_card.html").read_text()
    assert f"<strong>{says['error_in_levels']:.2f} levels</strong>; always saying “{says['median_level']}”" in card
    assert "Does it keep its word, level by level?" in card and "raises the level most" in card


def test_levels_of_words_are_named_and_what_is_none_is_open(tmp_path: Path):
    words = {"1.0": "Poor", "2.0": "poor", "3.0": "fair", "4.0": "good", "5.0": "unsure"}
    train = written(rated().with_columns(pl.col("stars").replace(words)), tmp_path / "train.csv")
    options = ("--target", "stars", "--key", "id", "--levels", "Poor, fair,good")
    code, output = run(train, *options, "--out", tmp_path / "out")
    assert code == 0 and "is none of the levels: no answer" in " ".join(output.split())
    says = evaluation(tmp_path / "out")
    spelt = says["levels"][0]
    assert says["task"] == "ordered" and says["levels"] == [spelt, "fair", "good"] and spelt.lower() == "poor"
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    unsure = rated()["stars"].is_in(["", "5.0"]).sum()
    assert scores.height == unsure and set(scores["predicted"]) <= {spelt, "fair", "good"}
    for words, wrong in {
        "no row has stars = 'god' (--levels). Did you mean 'good'?": ("--levels", "poor,fair,god"),
        "--levels poor,fair: levels has 2; it can have 3 to 11": ("--levels", "poor,fair"),
        "--levels names": ("--levels", "poor,Poor,good"),
        "levels are for `task: ordered`": ("--levels", "poor,fair,good", "--task", "classes"),
        "leave it out, or --levels": ("--levels", "poor,fair,good", "--positive", "good"),
        "which is no whole number; name its levels": ("--task", "ordered"),
        "stars is one of several levels, which have no one": ("--levels", "poor,fair,good", "--value", "wait"),
    }.items():
        code, output = run(train, "--target", "stars", *wrong, "--out", tmp_path / "no")
        assert code == 2 and words in " ".join(output.split()), output


def test_classes_that_are_whole_numbers_are_told_that_they_may_have_an_order(tmp_path: Path):
    train = written(rated(200), tmp_path / "train.csv")
    code, output = run(train, "--target", "stars", "--key", "id", "--out", tmp_path / "out")
    assert evaluation(tmp_path / "out")["task"] == "classes" and code == 0
    assert "stars is taken as 5 classes; if their order counts, --task ordered" in " ".join(output.split())


def test_with_a_date_the_newest_rows_judge(tmp_path: Path):
    days = [str(date(2025, 1, 1) + timedelta(days=number // 2)) for number in range(600)]
    train = written(customers().with_columns(pl.Series("seen_on", days)), tmp_path / "train.csv")
    code, output = run(train, "--target", "left", "--key", "id", "--as-of", "seen_on", "--out", tmp_path / "out")
    says = evaluation(tmp_path / "out")
    assert code == 0 and "newest in time" in output
    assert says["split"] == "time"
    assert pl.read_parquet(tmp_path / "out" / "scores.parquet")["seen_on"].dtype == pl.Date


def test_what_is_odd_in_the_rows_to_score_is_survived_and_named(told: Path, tmp_path: Path):
    new = (
        customers(5, seed=3)
        .drop("left", "spend")
        .with_columns(pl.lit("never seen").alias("contract"), pl.lit("abc").alias("tenure"), pl.lit(1).alias("more"))
    )
    options = ("--target", "left", "--key", "id", "--score", written(new, tmp_path / "new.csv"))
    code, output = run(written(customers(), tmp_path / "train.csv"), *options, "--out", tmp_path / "out")
    assert code == 0
    assert "`spend` is missing" in output
    assert "`tenure`" in output and "abc" in output
    assert "5 of 5 rows to score (100%) are unlike any that the model learnt from" in " ".join(output.split())
    assert "new.csv is unlike the rows learnt from. spend: it is not there; contract: 100% have a value" in output
    said = {each["column"]: each for each in evaluation(tmp_path / "out")["unfamiliar"]}
    assert (said["contract"]["never_seen"], said["tenure"]["not_read"], said["spend"]["is_missing"]) == (1.0, 1.0, True)
    assert "such as &#39;never seen&#39;" in (tmp_path / "out" / "model_card.html").read_text()
    assert pl.read_parquet(tmp_path / "out" / "scores.parquet")["probability"].is_between(0, 1).all()
    one = customers(1, seed=3).drop("left")
    run(
        written(customers(), tmp_path / "train.csv"),
        *options[:4],
        "--score",
        written(one, tmp_path / "one.csv"),
        "--out",
        tmp_path / "one",
    )
    assert pl.read_parquet(tmp_path / "one" / "scores.parquet")["score"].to_list() == [50]


def test_parquet_and_duckdb_tables_and_rows_of_unknown_answer(tmp_path: Path):
    frame = customers().with_columns(
        pl.when(pl.int_range(600) < 50).then(None).otherwise("left").alias("left"), pl.lit(None).alias("empty")
    )
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        connection.register("frame", frame.to_arrow())
        connection.execute("create schema sales; create table sales.customers as select * from frame")
    frame.write_parquet(tmp_path / "train.parquet")
    found = []
    for number, table in enumerate((tmp_path / "train.parquet", f"{tmp_path / 'crm.duckdb'}:sales.customers")):
        code, output = run(table, "--target", "left", "--key", "id", "--out", tmp_path / str(number))
        assert code == 0 and "50 rows" in output
        found.append(pl.read_parquet(tmp_path / str(number) / "scores.parquet"))
    assert found[0].height == 50
    assert found[0].equals(found[1])
    assert [each["column"] for each in evaluation(tmp_path / "0")["constant"]] == ["empty"]


def test_two_hundred_rows_and_a_thousand_columns_are_learnt_from(tmp_path: Path):
    generator = np.random.default_rng(8)
    wide = pl.DataFrame(generator.normal(size=(400, 1_000)).round(3), schema=[f"x{n}" for n in range(1_000)])
    answers = generator.random(400) < 1 / (1 + np.exp(-2.5 * wide["x0"].to_numpy() - 2 * wide["x1"].to_numpy()))
    wide = wide.with_columns(pl.Series("won", answers.astype(int)))
    assert run(written(wide, tmp_path / "wide.csv"), "--target", "won", "--out", tmp_path / "wide")[0] == 0
    few = customers(200, seed=9)
    assert run(written(few, tmp_path / "few.csv"), "--target", "left", "--key", "id", "--out", tmp_path / "few")[0] == 0
    assert evaluation(tmp_path / "few")["n_rows"] == 200


def constant(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.lit("Yes").alias("left"))


def numbers(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.Series("left", range(frame.height)))


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (None, ("--target", "lost"), "has no column 'lost' (--target)"),
        (None, ("--target", "left", "--key", "ids"), "Did you mean 'id'?"),
        (None, ("--target", "left", "--positive", "Perhaps"), "no row has left = 'Perhaps'"),
        (None, ("--target", "left", "--key", "left"), "cannot be the key"),
        (None, ("--target", "left", "--type", "tenure"), "write it as COLUMN=KIND"),
        (None, ("--target", "left", "--as-of", "contract"), "contract"),
        (None, ("--target", "left", "--value", "contract"), "'contract' (--value) must be an amount"),
        (constant, ("--target", "left"), "is 'Yes' in all 600 rows"),
        (numbers, ("--target", "left", "--task", "classes"), "is a number with 600 different values"),
        (lambda frame: frame.head(30), ("--target", "left", "--key", "id"), "are needed"),
        (lambda frame: frame.head(0), ("--target", "left"), "train.csv"),
    ],
)
def test_bad_input_is_one_clear_line_and_code_2(tmp_path: Path, change, options: tuple[str, ...], words: str):
    frame = change(customers()) if change else customers()
    code, output = run(written(frame, tmp_path / "train.csv"), *options, "--out", tmp_path / "out")
    assert code == 2
    assert words in output
    assert len(output.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_file_as_folder_is_refused_and_kept(tmp_path: Path):
    (tmp_path / "out").write_text("mine")
    code, output = run(written(customers(), tmp_path / "t.csv"), "--target", "left", "--out", tmp_path / "out")
    assert code == 2 and "is a file; name a folder" in output
    assert (tmp_path / "out").read_text() == "mine"


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    code, output = run(tmp_path / "nothing.csv", "--target", "left")
    assert code == 2 and "nothing.csv" in output


def test_the_stored_model_says_what_the_scores_say(told: Path, tmp_path: Path):
    from pipelines.learning.columns.types import infer_types

    model = load_model(told / "model.zip")
    typed, _ = infer_types(customers(100, seed=2).drop("left"), keep=("id",))
    scores = pl.read_parquet(told / "scores.parquet")
    assert np.allclose(predict(model, typed), scores["probability"], atol=1e-9)


def test_the_date_of_the_last_change_is_left_out_and_the_creation_is_named_for_as_of(tmp_path: Path):
    frame, answers = records()
    fit = pl.Series("fit", np.random.default_rng(1).normal(size=frame.height)) + answers.cast(pl.Float64)
    table = frame.rename({"Begin": "Create Date"}).with_columns(fit, answers.alias("won"))
    code, told = run(written(table, tmp_path / "t.csv"), "--target", "won", "--out", tmp_path / "out")
    assert code == 0
    found = {each["column"]: each["reason"] for each in evaluation(tmp_path / "out")["leaky"]}
    assert list(found) == ["Stamp"]
    assert "says when the record was last changed, which is after the answer" in " ".join(told.split())
    assert "--as-of 'Create Date'" in told
    code, told = run(
        *(written(table, tmp_path / "t.csv"), "--target", "won", "--as-of", "Create Date", "--out", tmp_path / "out")
    )
    assert [each["column"] for each in evaluation(tmp_path / "out")["leaky"]] == ["Stamp"]
    assert "--as-of" not in told
