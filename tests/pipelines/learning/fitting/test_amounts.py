"""Amounts: estimates with intervals and reasons that add up, chosen by the loss that is asked for; refused if bad."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.learning.fitting.fit import FitResult, TooLittleData, fit_prediction, predict, score_prediction
from pipelines.learning.scoring.storage import load_model, save_model
from pipelines.learning.specs import PredictionSpec

KNOWN = 1_200


def deals(rows: int = 3_200, seed: int = 0) -> pl.DataFrame:
    """Sizes of deals: factors of seats, plan and region, and more noise where the plan is new."""
    generator = np.random.default_rng(seed)
    seats = np.exp(3 + generator.normal(size=rows)).round() + 1
    plan = generator.choice(["basic", "pro", "new"], size=rows)
    region = generator.choice([f"region {number}" for number in range(12)], size=rows)
    effect = {f"region {number}": 0.1 * number for number in range(12)}
    noise = np.where(plan == "new", 0.7, 0.25) * generator.normal(size=rows)
    size = 4 + 0.8 * np.log(seats) + 0.6 * (plan == "pro") + np.array([effect[each] for each in region]) + noise
    columns = {"deal_id": np.arange(rows), "seats": seats, "plan": plan, "region": region, "luck": noise**2 % 1}
    return pl.DataFrame({**columns, "amount": np.exp(size).round(2)})


def asked(**changes: object) -> PredictionSpec:
    settings = {"name": "size", "entity_key": "deal_id", "target": "amount", "task": "amount", "as_of": None, **changes}
    return PredictionSpec(**settings)


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return deals()


@pytest.fixture(scope="module")
def fitted(table: pl.DataFrame) -> FitResult:
    return fit_prediction(table[:KNOWN], asked(segments=("plan",), groups={"size": ["seats"]}))


@pytest.fixture(scope="module")
def scores(fitted: FitResult, table: pl.DataFrame) -> pl.DataFrame:
    return score_prediction(fitted.model, table[KNOWN:].drop("amount"))


@pytest.fixture(scope="module")
def balance() -> FitResult:
    """An amount that may be negative, judged by the squared error."""
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(2, 500))
    frame = pl.DataFrame({"deal_id": np.arange(500), "x": x, "y": y, "amount": 100 * x - 50 * y**2 + 20 * x * y})
    noise = pl.Series(10 * generator.normal(size=500))
    return fit_prediction(frame.with_columns(pl.col("amount") + noise), asked(loss="squared"))


def test_it_is_better_than_the_median_and_says_by_how_much(fitted: FitResult):
    figures = fitted.metrics
    assert fitted.kept and fitted.verdict == "ok"
    assert figures["mean_absolute_error"] < 0.7 * figures["mean_absolute_error_of_median"]
    assert "where saying the median of everyone is off by" in fitted.reason
    assert 0 < figures["mean_absolute_error_noise"] < 0.2 * figures["mean_absolute_error"]
    assert figures["error_share"] == pytest.approx(figures["mean_absolute_error"] / figures["mean_came"])
    assert sum(row["chosen"] for row in fitted.candidates) == 1
    errors = [row["error_validation"] for row in fitted.candidates]
    assert errors == sorted(errors) and fitted.candidates[0]["chosen"]


def test_factors_multiply_to_the_estimate_and_are_told_as_such(scores: pl.DataFrame):
    for row in scores.head(200).iter_rows(named=True):
        reasons = json.loads(row["reasons"])
        assert np.prod([each["factor"] for each in reasons]) == pytest.approx(row["p50"], rel=1e-9)
        assert reasons[0]["feature"] == "base" and reasons[-1]["feature"] == "other"
        named = [each for each in reasons if "words" in each]
        assert all(each["text"].endswith(f"(x{round(each['factor'], 2):g})") for each in named)
    groups = np.array([json.loads(each)[0]["factor"] for each in scores["reasons"]])
    together = groups * scores["points_size"].to_numpy() * scores["points_other"].to_numpy()
    assert together == pytest.approx(scores["p50"].to_numpy(), rel=1e-9)


def test_contributions_add_up_to_the_mean_under_the_squared_loss(balance: FitResult):
    assert balance.model.amount["link"] == "identity", "some amounts are negative"
    generator = np.random.default_rng(2)
    frame = pl.DataFrame({"deal_id": np.arange(50), "x": generator.normal(size=50), "y": generator.normal(size=50)})
    for row in score_prediction(balance.model, frame).iter_rows(named=True):
        reasons = json.loads(row["reasons"])
        assert sum(each["contribution"] for each in reasons) == pytest.approx(row["expected"], abs=1e-7)
        assert all(each["text"][-1] == ")" and each["text"].rsplit("(")[-1][0] in "+-" for each in reasons[1:-1])
    assert balance.metrics["r2"] > 0.8
    assert np.allclose(predict(balance.model, frame), score_prediction(balance.model, frame)["expected"])


def test_intervals_hold_on_rows_that_were_never_seen_and_are_wider_where_less_is_known(
    scores: pl.DataFrame, table: pl.DataFrame
):
    came = table["amount"][KNOWN:].to_numpy()
    low, middle, high = (scores[name].to_numpy() for name in ("p10", "p50", "p90"))
    assert (low <= middle).all() and (middle <= high).all() and (low >= 0).all()
    assert np.mean((low <= came) & (came <= high)) == pytest.approx(0.8, abs=0.045)
    assert np.mean(came < low) == pytest.approx(0.1, abs=0.03)
    is_new = (table["plan"][KNOWN:] == "new").to_numpy()
    assert np.mean((low <= came)[is_new] & (came <= high)[is_new]) == pytest.approx(0.8, abs=0.06)
    assert (high / low)[is_new].mean() > 1.8 * (high / low)[~is_new].mean()


def test_expected_adds_up_in_total_and_p50_is_the_better_guess(scores: pl.DataFrame, table: pl.DataFrame):
    came = table["amount"][KNOWN:]
    assert scores["expected"].sum() == pytest.approx(came.sum(), rel=0.06)
    assert scores["p50"].sum() < 0.97 * came.sum(), "the median of amounts with large ones is below their mean"
    assert (scores["p50"] - came).abs().mean() < (scores["expected"] - came).abs().mean()
    assert (scores["score"].sort().diff().drop_nulls() >= 0).all() and scores["score"].is_between(1, 99).all()
    assert scores.sort("expected")["score"].is_sorted()


def test_figures_by_segment_and_drivers_are_in_the_amounts_unit(fitted: FitResult, table: pl.DataFrame):
    rows = {row["value"]: row for row in fitted.metrics["segments"]}
    assert set(rows) == {"basic", "new", "pro"}
    assert rows["new"]["error_share"] > rows["pro"]["error_share"]
    assert "further off here than overall" in rows["new"]["warning"] and rows["pro"]["warning"] == ""
    driver = fitted.metrics["drivers"][0]
    assert driver["column"] == "seats"
    means = [each["observed_mean"] for each in driver["effects"]]
    assert means == sorted(means) and means[-1] > 2 * means[0]
    assert sum(row["rows"] for row in fitted.metrics["tenths"]) == fitted.metrics["n_test"]
    assert [row["mean_width"] for row in fitted.metrics["reliability"]] == sorted(
        row["mean_width"] for row in fitted.metrics["reliability"]
    )


def test_a_stored_model_says_the_same(fitted: FitResult, scores: pl.DataFrame, table: pl.DataFrame, tmp_path: Path):
    save_model(fitted.model, tmp_path / "model.zip")
    again = score_prediction(load_model(tmp_path / "model.zip"), table[KNOWN:].drop("amount"))
    assert again.equals(scores)


def test_noise_is_refused():
    frame = deals(300, seed=4).with_columns(pl.col("amount").shuffle(seed=1))
    result = fit_prediction(frame, asked())
    assert (result.verdict, result.kept) == ("no_signal", False)
    assert result.reason.startswith("Refused: no better than the median of everyone by more than noise")


def test_amounts_of_zero_stay_there_and_nothing_is_below():
    generator = np.random.default_rng(5)
    frame = deals(500, seed=5)
    buys = generator.random(500) < np.where(frame["plan"] == "basic", 0.2, 0.8)
    frame = frame.with_columns(pl.when(pl.Series(buys)).then("amount").otherwise(0.0).alias("amount"))
    result = fit_prediction(frame, asked(loss="squared"))
    scores = score_prediction(result.model, frame)
    assert result.kept
    assert any(row["name"].startswith("two parts") for row in result.candidates)
    assert min(scores[name].min() for name in ("expected", "p10", "p50", "p90")) >= 0
    is_basic = frame["plan"] == "basic"
    assert scores.filter(is_basic)["p10"].median() == 0
    assert scores["expected"].sum() == pytest.approx(frame["amount"].sum(), rel=0.15)
    for row in scores.head(20).iter_rows(named=True):
        parts = json.loads(row["reasons"])
        is_factor = "factor" in parts[0]
        pulls = [each["factor" if is_factor else "contribution"] for each in parts]
        assert (np.prod(pulls) if is_factor else sum(pulls)) == pytest.approx(row["expected"], rel=1e-9, abs=1e-7)


def test_a_copy_of_the_amount_is_left_out_and_an_honest_strong_column_is_not():
    frame = deals(400, seed=6).with_columns(with_tax=(pl.col("amount") * 1.19).round(0))
    result = fit_prediction(frame, asked())
    assert [(each.column, each.kind) for each in result.dropped if each.kind == "leaky"] == [("with_tax", "leaky")]
    assert "seats" in result.model.encoding.names


def test_without_a_usable_column_the_interval_is_that_of_all_amounts():
    frame = deals(400, seed=8).select("deal_id", "amount", copy=pl.col("amount") * 2)
    result = fit_prediction(frame, asked())
    assert (result.verdict, result.model.method) == ("no_signal", "the same of everyone")
    assert result.metrics["coverage"] == pytest.approx(0.8, abs=0.12)
    scores = score_prediction(result.model, frame)
    assert scores["p10"][0] == pytest.approx(frame["amount"].quantile(0.1), rel=0.35)
    assert scores["p90"][0] == pytest.approx(frame["amount"].quantile(0.9), rel=0.35)


def test_newer_rows_judge_where_there_is_time_and_open_rows_teach_nothing():
    frame = deals(600, seed=7)
    days = [date(2025, 1, 1) + timedelta(days=number // 2) for number in range(600)]
    frame = frame.with_columns(as_of_date=pl.Series(days), amount=pl.when(pl.int_range(600) < 580).then("amount"))
    result = fit_prediction(frame, asked(as_of="as_of_date", horizon_days=10))
    assert result.metrics["split"] == "time" and result.metrics["n_rows"] == 580
    assert result.metrics["test_from"] > result.metrics["fit_until"]


@pytest.mark.parametrize(
    ("frame", "error", "words"),
    [
        (deals(300).with_columns(amount=pl.lit(5.0)), TooLittleData, "is 5 in all 300 rows"),
        (deals(300).with_columns(amount=pl.lit("5 or so")), ValueError, "must be a number to be estimated"),
        (deals(300).with_columns(deal_id=pl.lit(1)), TooLittleData, "1 different rows or entities with a known"),
        (deals(50), TooLittleData, "50 rows with a known amount; 100 are needed"),
    ],
    ids=["constant", "text", "copies", "few"],
)
def test_what_cannot_be_estimated_is_said_in_words(frame: pl.DataFrame, error: type[Exception], words: str):
    with pytest.raises(error, match=words):
        fit_prediction(frame, asked())


def test_a_spec_that_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match="the answer is an amount itself"):
        asked(value="seats")
    with pytest.raises(ValueError, match="loss is 'median'; it can be absolute or squared"):
        asked(loss="median")
    assert PredictionSpec.from_state(asked(loss="squared").to_state()) == asked(loss="squared")


def test_relative_amounts_of_two_currencies_are_learnt_as_multiples():
    """Yen and dollars: what an answer is of the amount that is known before has no currency."""
    generator = np.random.default_rng(4)
    is_yen, x = generator.random(1_000) < 0.5, generator.normal(size=1_000)
    listed = np.exp(5 + generator.normal(size=1_000)) * np.where(is_yen, 150, 1)
    noise = 0.1 * generator.normal(size=1_000)
    currency = np.where(is_yen, "JPY", "USD")
    frame = pl.DataFrame({"deal_id": np.arange(1_000), "x": x, "listed": listed, "currency": currency})
    frame = frame.with_columns(pl.Series("amount", listed * np.exp(0.3 * x + noise)))
    result = fit_prediction(frame[:700], asked(relative_to="listed", exclude=("cur*", "deal")))
    assert result.kept and "% of listed on the test" in result.reason and "multiples of `listed`" in result.notes[0]
    assert result.metrics["base_median"] == pytest.approx(1, abs=0.05)
    assert {each.column: each.kind for each in result.dropped}["currency"] == "excluded"
    new = score_prediction(result.model, frame[700:].drop("amount")).join(frame, on="deal_id")
    off = (new["p50"] / new["amount"] - 1).abs()
    for name in ("JPY", "USD"):
        assert off.filter(new["currency"] == name).mean() < 0.11, name
    assert ((new["p10"] <= new["amount"]) & (new["amount"] <= new["p90"])).mean() == pytest.approx(0.8, abs=0.08)
    without = frame[:700].with_columns(listed=pl.when(pl.col("deal_id") < 620).then(0.0).otherwise("listed"))
    with pytest.raises(TooLittleData, match="80 rows with a known amount"):
        fit_prediction(without, asked(relative_to="listed"))
    with pytest.raises(ValueError, match="the answer is no amount"):
        asked(task="yes_no", relative_to="listed")


def test_a_refit_keeps_the_champion_unless_it_is_better(fitted: FitResult, table: pl.DataFrame):
    same = fit_prediction(table[:KNOWN], asked(), champion=fitted.model)
    assert not same.kept and "the champion stays" in same.reason
    worse = replace(fitted.model, spec=replace(fitted.model.spec, loss="squared"))
    other = fit_prediction(table[:300], asked(), champion=worse)
    assert other.kept and "answers another question" in other.reason
