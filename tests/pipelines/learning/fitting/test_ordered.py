"""Ordered answers: probabilities that respect the order, errors in levels, reasons that are the same for all levels."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.learning.fitting.fit import FitResult, TooLittleData, fit_prediction, predict, score_prediction
from pipelines.learning.judging.ordered import rps_losses, shares_above
from pipelines.learning.scoring.fitted import log_odds
from pipelines.learning.scoring.storage import load_model, save_model
from pipelines.learning.specs import PredictionSpec

KNOWN = 1_200
LEVELS = [f"probability_{level}" for level in range(1, 6)]


def visits(rows: int = 3_000, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """Ratings of 1 to 5 by a proportional-odds model, and the true probabilities (rows × levels)."""
    generator = np.random.default_rng(seed)
    wait, price = np.exp(generator.normal(size=rows)), generator.normal(size=rows)
    place = generator.choice([f"place {number}" for number in range(80)], size=rows)
    of_place = dict(zip(sorted(set(place)), generator.normal(size=80), strict=True))
    margin = -1.2 * np.log(wait) + 0.8 * np.sin(2 * price) + np.array([of_place[each] for each in place])
    offsets = np.array([2.5, 1.2, -0.2, -1.8])
    rating = 1 + ((margin + generator.logistic(size=rows))[:, None] > -offsets).sum(axis=1)
    above = 1 / (1 + np.exp(-(margin[:, None] + offsets)))
    truth = -np.diff(np.column_stack([np.ones(rows), above, np.zeros(rows)]), axis=1)
    columns = {"visit_id": np.arange(rows), "wait": wait, "price": price, "place": place}
    return pl.DataFrame({**columns, "rating": rating}), truth


def asked(**changes: object) -> PredictionSpec:
    settings = {"name": "stars", "entity_key": "visit_id", "target": "rating", "task": "ordered", "as_of": None}
    return PredictionSpec(**{**settings, **changes})


@pytest.fixture(scope="module")
def table() -> tuple[pl.DataFrame, np.ndarray]:
    return visits()


@pytest.fixture(scope="module")
def fitted(table: tuple[pl.DataFrame, np.ndarray]) -> FitResult:
    return fit_prediction(table[0][:KNOWN], asked(groups={"wait": ["wait"]}))


@pytest.fixture(scope="module")
def scores(fitted: FitResult, table: tuple[pl.DataFrame, np.ndarray]) -> pl.DataFrame:
    return score_prediction(fitted.model, table[0][KNOWN:].drop("rating"))


def test_it_is_judged_in_levels_and_by_the_ranked_probability_score(fitted: FitResult):
    figures = fitted.metrics
    assert fitted.kept and fitted.verdict == "ok" and figures["median_level"] in ("3", "4")
    assert figures["rps"] < 0.75 * figures["baseline_rps"]
    assert figures["error_in_levels"] < 0.8 * figures["error_in_levels_of_median"]
    assert figures["exactly_right"] > figures["exactly_right_of_median"]
    assert figures["within_one"] > figures["within_one_of_median"] > figures["exactly_right"]
    assert figures["auc"] > 0.75 and figures["calibration_error"] < 0.08
    counts = np.array(figures["confusion"]["counts"])
    off = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    assert (counts * off).sum() / counts.sum() == pytest.approx(figures["error_in_levels"])
    assert f"off by {figures['error_in_levels']:.2f} levels on the test, where always saying" in fitted.reason
    losses = [row["rps_validation"] for row in fitted.candidates]
    assert losses == sorted(losses) and fitted.candidates[0]["chosen"]
    assert sum(row["rows"] for row in figures["tenths"]) == figures["n_test"]
    means = [each["observed_mean"] for row in figures["drivers"] if row["column"] == "wait" for each in row["effects"]]
    assert means == sorted(means, reverse=True) and all(1 <= mean <= 5 for mean in means)


def test_probabilities_come_near_the_truth(
    fitted: FitResult, scores: pl.DataFrame, table: tuple[pl.DataFrame, np.ndarray]
):
    frame, truth = table
    came, said = frame["rating"][KNOWN:].to_numpy() - 1, scores.select(LEVELS).to_numpy()
    best = rps_losses(came, truth[KNOWN:]).mean()
    assert rps_losses(came, said).mean() < 1.1 * best
    assert said.mean(axis=0) == pytest.approx(truth[KNOWN:].mean(axis=0), abs=0.03)
    assert np.allclose(predict(fitted.model, frame[KNOWN:]), said)


def test_scores_have_the_level_its_probability_and_the_mean(scores: pl.DataFrame):
    assert scores.columns[2:10] == ["predicted", "probability", *LEVELS, "expected"]
    said = scores.select(LEVELS).to_numpy()
    assert said.sum(axis=1) == pytest.approx(1.0)
    assert scores["predicted"].dtype == pl.Int64
    median = (np.cumsum(said, axis=1) >= 0.5).argmax(axis=1)
    assert scores["predicted"].to_list() == (median + 1).tolist()
    assert scores["probability"].to_numpy() == pytest.approx(said[np.arange(len(said)), median])
    assert scores["expected"].to_numpy() == pytest.approx(said @ np.arange(1, 6))
    assert scores.sort("expected")["score"].is_sorted()
    assert (
        scores.filter(pl.col("grade") == "A")["expected"].min()
        > scores.filter(pl.col("grade") == "E")["expected"].max()
    )


def test_reasons_add_up_to_the_log_odds_of_the_level_that_they_name(fitted: FitResult, scores: pl.DataFrame):
    above = shares_above(scores.select(LEVELS).to_numpy())
    cuts = np.log(above / (1 - above))
    reasons = [json.loads(each) for each in scores["reasons"]]
    (asked_of,) = {each[0]["likelihood"] for each in reasons}
    level = int(asked_of.removeprefix("chance of ").removesuffix(" or higher"))
    sums = np.array([sum(entry["contribution"] for entry in each) for each in reasons])
    assert np.abs(sums - cuts[:, level - 2]).max() < 1e-6
    assert np.ptp(cuts - sums[:, None], axis=0).max() < 1e-6, "the same contributions hold for every cut"
    assert scores["reason_1"].str.contains(f"(raises|lowers) the {asked_of}").all()
    base = np.array([each[0]["contribution"] for each in reasons])
    assert base + scores["points_wait"].to_numpy() + scores["points_other"].to_numpy() == pytest.approx(sums)


def test_a_stored_model_and_a_single_row_say_the_same(
    fitted: FitResult, scores: pl.DataFrame, table: tuple[pl.DataFrame, np.ndarray], tmp_path: Path
):
    save_model(fitted.model, tmp_path / "model.zip")
    model, rows = load_model(tmp_path / "model.zip"), table[0][KNOWN : KNOWN + 1].drop("rating")
    alone = score_prediction(model, rows)
    assert alone.drop("score", "grade").equals(scores[:1].drop("score", "grade"))
    odds, parts, base = log_odds(model, rows)
    assert odds == pytest.approx(base + parts.sum(axis=1))
    assert score_prediction(model, rows.clear()).height == 0


def test_words_have_the_order_that_they_are_given_and_others_are_told(table: tuple[pl.DataFrame, np.ndarray]):
    names = ["awful", "poor", "fair", "good", "great"]
    words = table[0][:700].with_columns(
        pl.when(pl.col("visit_id") < 7)
        .then(pl.lit("n/a"))
        .otherwise(pl.col("rating").replace_strict(range(1, 6), names))
        .alias("rating")
    )
    fit = fit_prediction(words, asked(levels=tuple(names)))
    assert fit.model.classes == tuple(names) and fit.metrics["n_rows"] == 693
    assert "7 rows whose rating is none of the levels (such as 'n/a') were left out." in fit.notes
    said = score_prediction(fit.model, table[0][700:1000])
    assert set(said["predicted"]) <= set(names)
    assert said["expected"].is_between(1, 5).all()
    came = table[0]["rating"][700:1000]
    assert np.corrcoef(said["expected"], came)[0, 1] > 0.5


def test_the_highest_level_is_the_last_one_also_where_numbers_fall(table: tuple[pl.DataFrame, np.ndarray]):
    """Marks at school, of which 1 is the best: the highest score is that of the best mark to expect."""
    marks = table[0][:600].with_columns(6 - pl.col("rating"))
    said = score_prediction(fit_prediction(marks, asked(levels=("5", "4", "3", "2", "1"))).model, marks)
    assert said["expected"].is_between(1, 5).all() and said["predicted"].dtype == pl.String
    best = said.sort("score", descending=True).head(60)
    assert best["probability_1"].mean() > 3 * said["probability_1"].median()
    assert best["expected"].min() > said["expected"].median()


def test_with_time_the_newest_judge_and_a_champion_of_the_same_rows_stays(table: tuple[pl.DataFrame, np.ndarray]):
    days = [date(2025, 1, 1) + timedelta(days=number // 3) for number in range(900)]
    frame = table[0][:900].with_columns(pl.Series("seen_on", days))
    spec = asked(as_of="seen_on", horizon_days=10)
    first = fit_prediction(frame, spec)
    assert first.kept and first.metrics["split"] == "time" and len(first.model.calibration[1]) == 4
    again = fit_prediction(frame, spec, champion=first.model)
    assert not again.kept and "the champion stays" in again.reason


def test_levels_that_say_nothing_are_refused_and_no_row_is_scored_by_them(table: tuple[pl.DataFrame, np.ndarray]):
    shuffled = table[0][:400].with_columns(pl.col("rating").shuffle(seed=1))
    fit = fit_prediction(shuffled, asked())
    assert (fit.verdict, fit.kept) == ("no_signal", False)
    assert fit.reason.startswith("Refused: no better than the base rates by more than noise (ranked probability score")


def test_a_rescaled_copy_of_the_level_is_left_out(table: tuple[pl.DataFrame, np.ndarray]):
    copied = table[0][:600].with_columns((pl.col("rating") * 20 - 10).alias("percent"))
    fit = fit_prediction(copied, asked())
    assert [(each.column, each.kind) for each in fit.dropped] == [("percent", "leaky")]


def test_a_category_of_many_levels_that_gives_the_answer_away_is_left_out(table: tuple[pl.DataFrame, np.ndarray]):
    """A code that is given once the rating is known: 60 of them, each for one rating."""
    code = (pl.col("rating").cast(pl.String) + "-" + (pl.col("visit_id") % 12).cast(pl.String)).alias("code")
    fit = fit_prediction(table[0][:900].with_columns(code), asked())
    assert [(each.column, each.kind) for each in fit.dropped] == [("code", "leaky")]


def test_a_category_of_many_levels_is_learnt_from(fitted: FitResult):
    """Told by where the answers of each place stand, which classes cannot be."""
    (place,) = [column for column in fitted.model.encoding.columns if column["name"] == "place"]
    assert "effects" in place
    assert "place" in [row["column"] for row in fitted.metrics["drivers"]]


@pytest.mark.parametrize(
    ("values", "words", "error"),
    [
        ([1.5, 2.0, 3.0], "is '1.5' in some rows, which is no whole number", ValueError),
        (["low", "mid", "top"], "is 'low' in some rows", ValueError),
        (list(range(12)), "has 12 different numbers, and 11 levels are the most", ValueError),
        ([4, 5], "rating is 4 or 5 in all 240 rows", TooLittleData),
        ([5], "rating is 5 in all 240 rows", TooLittleData),
        ([1, 2, *[5] * 60], "entities have another rating than 5; 12 are needed", TooLittleData),
    ],
)
def test_what_has_no_levels_is_said(values: list, words: str, error: type):
    answers = (values * 240)[:240]
    frame = pl.DataFrame({"visit_id": range(240), "x": range(240), "rating": answers})
    with pytest.raises(error) as refused:
        fit_prediction(frame, asked())
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"levels": ("a", "b")}, "levels has 2; it can have 3 to 11"),
        ({"levels": ("a", "b", "a")}, "levels has 'a' twice"),
        ({"levels": ("a", " ", "b")}, "one of levels is empty"),
        ({"levels": ("a", "b", "c"), "task": "classes"}, "levels are for `task: ordered`"),
        ({"value": "price"}, "is one of several levels, which have no one probability; leave value out"),
    ],
)
def test_a_spec_that_cannot_be_meant_is_refused(changes: dict, words: str):
    with pytest.raises(ValueError) as refused:
        asked(**changes)
    assert words in str(refused.value)


def test_whole_numbers_are_levels_with_those_that_nobody_has(table: tuple[pl.DataFrame, np.ndarray]):
    """On a scale of 0 to 10 an error in levels is one in points, though nobody says 1."""
    points = table[0][:500].with_columns((2.0 * pl.col("rating")).alias("rating"))
    fit = fit_prediction(points, asked())
    assert fit.model.classes == tuple(map(str, range(2, 11)))
    said = score_prediction(fit.model, points)
    assert (said["probability_3"] < 0.02).all() and said["probability_3"].is_not_null().all()
    assert said["expected"].is_between(2, 10).all()
