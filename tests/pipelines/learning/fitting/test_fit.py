import itertools
import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.learning.cards.of_fit import card_of_fit
from pipelines.learning.fitting.fit import TooLittleData, fit_prediction, predict, score_prediction
from pipelines.learning.fitting.training import prepare
from pipelines.learning.judging import evaluation
from pipelines.learning.specs import PredictionSpec
from tests.pipelines.learning.conftest import DESCRIPTIONS
from tests.pipelines.learning.synthetic import FIRST, HORIZON, panel, question, weakly_related


def fit(frame: pl.DataFrame, **changes: object):
    return fit_prediction(frame.drop("true_log_odds", strict=False), question(**changes))


def reasons_of(result) -> dict[str, str]:
    return {each.column: f"{each.kind}: {each.reason}" for each in result.dropped}


def test_it_ranks_and_calibrates_almost_as_well_as_the_truth(fitted, known):
    judged = known.filter(pl.col("as_of_date") >= date.fromisoformat(fitted.metrics["test_from"]))
    target = judged["is_gone_90d"].to_numpy()
    oracle = evaluation.auc(target, judged["true_log_odds"].to_numpy())
    assert fitted.kept
    assert fitted.metrics["n_test"] == judged.height
    assert oracle - 0.02 < fitted.metrics["auc"] < oracle + 0.01
    truth = 1 / (1 + np.exp(-judged["true_log_odds"].to_numpy()))
    assert fitted.metrics["log_loss"] < evaluation.log_loss(target, truth) + 0.02
    assert fitted.metrics["calibration_error"] < 0.05
    assert fitted.metrics["lift_top_decile"] > 2
    assert sum(row["positives"] for row in fitted.metrics["deciles"]) == fitted.metrics["n_test_positive"]


def test_the_test_begins_after_every_training_answer_is_known(fitted):
    figures = fitted.metrics
    assert figures["split"] == "time"
    gap = date.fromisoformat(figures["test_from"]) - date.fromisoformat(figures["fit_until"])
    assert gap >= timedelta(days=HORIZON)
    assert f"{figures['fit_from']} to {figures['fit_until']}" in card_of_fit(fitted, {})
    assert f"A gap of {HORIZON} days" in card_of_fit(fitted, {})


def test_an_outcome_known_only_inside_the_gap_cannot_reach_the_model(known):
    """Answers between the last training snapshot and the test are turned around; the evaluation must not notice."""
    clean = fit(known)
    first, last = (date.fromisoformat(clean.metrics[key]) for key in ("fit_until", "test_from"))
    in_gap = (pl.col("as_of_date") > first) & (pl.col("as_of_date") < last)
    assert known.filter(in_gap).height > 0
    turned = fit(
        known.with_columns(pl.when(in_gap).then(~pl.col("is_gone_90d")).otherwise("is_gone_90d").alias("is_gone_90d"))
    )
    for name in ("auc", "log_loss", "n_fit", "n_test"):
        assert turned.metrics[name] == clean.metrics[name]
    assert turned.candidates == clean.candidates


def test_the_same_rows_in_another_order_give_the_same_model(fitted, known):
    again = fit_prediction(
        known.drop("true_log_odds").sample(fraction=1.0, shuffle=True, seed=7),
        question(segments=("segment",)),
        descriptions=DESCRIPTIONS,
    )
    assert again.metrics == fitted.metrics
    assert again.model.fingerprint == fitted.model.fingerprint
    assert np.array_equal(predict(again.model, known), predict(fitted.model, known))


def test_scores_have_the_promised_shape(fitted, known):
    rows = known.filter(pl.col("as_of_date") == known["as_of_date"].max())
    scores = score_prediction(fitted.model, rows)
    assert scores.schema == {
        "account_id": pl.String,
        "as_of_date": pl.Date,
        "probability": pl.Float64,
        "score": pl.Int32,
        "grade": pl.String,
        "expected_value": pl.Float64,
        "reasons": pl.String,
        "reason_1": pl.String,
        "reason_2": pl.String,
        "reason_3": pl.String,
    }
    assert scores["account_id"].equals(rows["account_id"])
    assert scores["probability"].is_between(0, 1, closed="none").all()
    assert scores["score"].is_between(1, 99).all()
    assert set(scores["grade"]) == set("ABCDE")
    ordered = scores.sort("probability")
    assert ordered["score"].is_sorted()
    assert ordered["grade"].is_sorted(descending=True)
    assert np.allclose(scores["expected_value"], rows["arr"] * scores["probability"])
    assert scores.select(pl.all().exclude("expected_value").null_count().sum()).row(0) == (0,) * 9
    assert score_prediction(fitted.model, rows.head(0)).schema == scores.schema
    assert score_prediction(fitted.model, rows.head(1))["score"].to_list() == [50]


def test_reasons_are_written_in_words_from_different_sources(fitted, known):
    scores = score_prediction(fitted.model, known.head(400))
    texts = scores["reason_1"].to_list() + scores["reason_2"].to_list() + scores["reason_3"].to_list()
    assert any(text.startswith("Logins in the last 7 days: ") and ", usually " in text for text in texts)
    assert all(text.endswith(("(raises the risk)", "(lowers the risk)")) for text in texts)
    for row in scores.select("reason_1", "reason_2", "reason_3").iter_rows():
        assert sum("ogins" in text for text in row) <= 1
    entry = json.loads(scores["reasons"][0])
    assert [entry[0]["feature"], entry[-1]["feature"]] == ["base", "other"]
    assert entry[1]["text"] == scores["reason_1"][0]


def test_a_leak_a_constant_an_id_and_an_excluded_column_are_dropped_with_the_reason(known):
    target = known["is_gone_90d"].to_numpy()
    generator = np.random.default_rng(3)
    noisy = np.where(generator.random(len(target)) < 0.005, ~target, target)
    result = fit(
        known.with_columns(
            pl.Series("leak_number", target + 0.1 * generator.normal(size=len(target))),
            pl.Series("leak_word", np.where(noisy, "closed", "open")),
            pl.Series("left_date", np.where(target & (generator.random(len(target)) < 0.3), 1.0, np.nan)),
            pl.lit(None).alias("nothing"),
            pl.lit(None, dtype=pl.Float64).alias("no_number"),
            pl.lit(5).alias("always_five"),
            pl.Series("Gone 90D", target),
            pl.col("account_id").alias("domain"),
            pl.col("account_id").hash().alias("crm_id"),
            pl.Series("tags", [["a"]] * known.height),
        ),
        exclude=("arr",),
    )
    why = reasons_of(result)
    assert why["leak_number"].startswith("leaky: alone it predicts the outcome with AUC")
    assert why["leak_word"].startswith("leaky: ")
    assert why["left_date"].startswith("leaky: filled in")
    assert why["nothing"] == why["no_number"] == "constant: no value in the training period"
    assert why["always_five"] == "constant: always 5"
    assert why["Gone 90D"] == "target: has the target's name (is_gone_90d)"
    assert why["domain"].startswith("id_like: ")
    assert why["crm_id"].startswith("id_like: ")
    assert why["tags"].startswith("unusable: values of type List")
    assert why["arr"] == "excluded: excluded by the spec"
    assert not set(why) & set(result.model.encoding.names)
    assert set(result.model.encoding.names) >= {"usage_logins_sum_7d", "segment", "has_late_invoice", "started_date"}
    assert all(name in card_of_fit(result, {}) for name in why)
    assert result.metrics["auc"] < 0.9


def test_what_is_odd_at_scoring_is_survived_and_reported(fitted, known, caplog):
    rows = known.head(50).with_columns(
        pl.lit("Space").alias("segment"),
        pl.lit(float("inf")).alias("usage_logins_sum_7d"),
        pl.lit("many").alias("tickets_count_28d"),
        pl.lit(1).alias("a_new_column"),
    )
    scores = score_prediction(fitted.model, rows.drop("has_late_invoice", "started_date"))
    assert scores["probability"].is_between(0, 1, closed="none").all()
    assert "'has_late_invoice' is missing" in caplog.text
    assert "'tickets_count_28d': 50 values are no number" in caplog.text
    missing = score_prediction(
        fitted.model, rows.with_columns(pl.lit(None, dtype=pl.Boolean).alias("has_late_invoice"))
    )
    expected = score_prediction(fitted.model, rows.drop("has_late_invoice"))
    assert_frame_equal(missing.drop("reasons"), expected.drop("reasons"))
    with pytest.raises(ValueError, match="account_id"):
        score_prediction(fitted.model, rows.drop("account_id"))


def test_infinite_and_missing_numbers_do_not_stop_a_fit(known):
    generator = np.random.default_rng(4)
    wild = known["usage_logins_sum_28d"].to_numpy().copy()
    wild[generator.random(len(wild)) < 0.1] = np.inf
    wild[generator.random(len(wild)) < 0.1] = np.nan
    wild[0] = 1e300
    result = fit(known.with_columns(pl.Series("usage_logins_sum_28d", wild)))
    assert result.kept
    assert np.isfinite(predict(result.model, known)).all()


def test_too_little_data_says_what_is_there_and_what_is_needed(known):
    with pytest.raises(TooLittleData, match=r"99 rows with a known is_gone_90d; 100 are needed"):
        fit(known.head(99))
    with pytest.raises(TooLittleData, match=r"is no in all .* both outcomes are needed"):
        fit(known.filter(~pl.col("is_gone_90d")))
    few = pl.concat([known.filter(~pl.col("is_gone_90d")), known.filter(pl.col("is_gone_90d")).head(7)])
    with pytest.raises(TooLittleData, match=r"7 of 400 entities have is_gone_90d = yes .* 12 are needed"):
        fit(few)
    with pytest.raises(TooLittleData, match="0 rows"):
        fit(known.with_columns(pl.lit(None).alias("is_gone_90d")))
    with pytest.raises(TooLittleData, match="0 rows"):
        fit(known.with_columns(pl.lit(None, dtype=pl.Boolean).alias("is_gone_90d")))


def test_a_wrong_target_or_key_is_named(known):
    with pytest.raises(ValueError, match="no column 'account_id'"):
        fit(known.drop("account_id"))
    with pytest.raises(ValueError, match="must be true, false or null"):
        fit(known.with_columns(pl.lit("Yes").alias("is_gone_90d")))
    with pytest.raises(ValueError, match="must be a date"):
        fit(known.with_columns(pl.col("as_of_date").cast(pl.String)))


def test_weekly_snapshots_are_thinned_and_unknown_answers_ignored():
    weekly = panel(entities=150, points=60, step_days=7)
    newest = weekly["as_of_date"].max() - timedelta(days=HORIZON)
    known = weekly.with_columns(
        pl.when(pl.col("as_of_date") <= newest).then("is_gone_90d").otherwise(None).alias("is_gone_90d")
    )
    training = prepare(known, question(), seed=0)
    used = sorted(set(training.frame["as_of_date"]))
    assert used[-1] <= newest
    assert used[-1] == max(day for day in weekly["as_of_date"].unique() if day <= newest)
    assert {(b - a).days for a, b in itertools.pairwise(used)} == {28}
    few = prepare(known.filter(pl.col("account_id") < "A00020"), question(min_rows=175, min_positives=3), seed=0)
    assert few.step_days == 14
    assert "dates 14 days apart instead of 28" in few.notes[0]


def test_a_table_without_time_gets_a_stratified_hold_out_and_says_so(known):
    flat = panel(entities=800, points=1).drop("as_of_date", "true_log_odds")
    result = fit_prediction(flat, question(as_of=None))
    assert result.kept
    assert result.metrics["split"] == "stratified"
    assert any("A table without time" in note for note in result.notes)
    scores = score_prediction(result.model, flat.head(20))
    assert scores["as_of_date"].null_count() == 20
    one_date = fit_prediction(flat.with_columns(pl.lit(FIRST).alias("as_of_date")), question())
    assert one_date.metrics["split"] == "stratified"
    assert (
        score_prediction(one_date.model, flat.with_columns(pl.lit(FIRST).alias("as_of_date")))["probability"].len()
        == 800
    )


def test_too_little_time_for_the_gap_holds_out_entities_and_says_so():
    short = panel(entities=400, points=3)
    result = fit(short)
    assert result.metrics["split"] == "entities"
    assert any("Not judged out of time" in note for note in result.notes)


def test_text_reaches_the_linear_candidate(known):
    generator = np.random.default_rng(5)
    flat = panel(entities=900, points=1).drop("true_log_odds")
    angry = generator.random(900) < 0.3
    words = np.where(angry, "we are cancelling, very angry", "thanks, all is well here")
    texts = [f"{word} {generator.integers(1000)}" for word in words]
    flat = flat.with_columns(
        pl.Series("last_message", texts),
        pl.Series("is_gone_90d", generator.random(900) < np.where(angry, 0.6, 0.05)),
    )
    result = fit_prediction(flat, question(text=("last_message", "not_there")))
    assert "last_message" in result.model.encoding.names
    assert "not_there" in reasons_of(result)
    assert result.metrics["auc"] > 0.75
    scores = score_prediction(result.model, flat)
    assert scores["reason_1"].str.starts_with("Last message mentions “").mean() > 0.5
    odds = np.log(scores["probability"] / (1 - scores["probability"]))
    sums = np.array([sum(entry["contribution"] for entry in json.loads(row)) for row in scores["reasons"]])
    assert np.abs(odds - sums).max() < 1e-6


def test_a_model_without_a_signal_is_refused():
    noise = panel(entities=300, points=12)
    shuffled = noise["is_gone_90d"].sample(fraction=1.0, shuffle=True, seed=1)
    result = fit(noise.with_columns(shuffled))
    assert not result.kept
    assert "no better than the base rate by more than noise" in result.reason
    assert "This model is not used: it scores nobody." in card_of_fit(result, {})


def test_one_usable_column_or_none_is_enough_to_run(known):
    one = fit(known.select("account_id", "as_of_date", "tickets_count_28d", "is_gone_90d"), value=None)
    assert one.model.encoding.names == ["tickets_count_28d"]
    scores = score_prediction(one.model, known.head(5))
    assert scores["reason_2"].str.contains("stands out").all()
    none = fit(known.select("account_id", "as_of_date", "is_gone_90d"), value=None)
    assert not none.kept
    assert score_prediction(none.model, known.head(5))["probability"].n_unique() == 1


def test_a_refit_of_equal_quality_leaves_the_champion(known):
    older = fit(known.filter(pl.col("as_of_date") < FIRST + timedelta(days=18 * 28)))
    result = fit_prediction(known.drop("true_log_odds"), question(), champion=older.model)
    assert not result.kept
    assert result.reason.startswith("Refused: ")
    assert "the champion stays" in result.reason


def test_a_challenger_that_is_better_beyond_noise_replaces_the_champion(known):
    """The champion learnt without the columns that matter most."""
    weak = fit(known.drop("usage_logins_sum_7d", "usage_logins_sum_28d"))
    assert weak.kept
    result = fit_prediction(known.drop("true_log_odds"), question(), champion=weak.model)
    assert result.kept
    assert result.reason.startswith("Kept: better than the champion")
    assert result.metrics["challenger_log_loss"] < result.metrics["champion_log_loss"]


def test_a_challenger_that_learnt_nonsense_is_refused(known):
    """The champion is old enough to be judged as it is; the challenger's younger training answers are half wrong."""
    champion = fit(known.filter(pl.col("as_of_date") < FIRST + timedelta(days=10 * 28)))
    assert champion.kept
    judged = known["as_of_date"].max() - timedelta(days=4 * 28)
    wrong = pl.col("as_of_date") < judged
    noise = pl.Series("noise", np.random.default_rng(6).random(known.height) < 0.2)
    spoilt = known.with_columns(noise).with_columns(
        pl.when(wrong & pl.col("noise"))
        .then(pl.col("tickets_count_28d") < 1)
        .otherwise("is_gone_90d")
        .alias("is_gone_90d")
    )
    result = fit_prediction(
        spoilt.drop("true_log_odds", "noise"), question(max_calibration_error=0.5), champion=champion.model
    )
    assert not result.kept
    assert result.reason.startswith("Refused: worse than the champion, ")
    assert result.metrics["champion_compared"] == "as it is"
    assert result.metrics["champion_log_loss"] < result.metrics["challenger_log_loss"]


def test_a_champion_that_uses_a_column_now_excluded_or_answers_another_question_gives_way(fitted, known):
    frame = known.drop("true_log_odds")
    excluded = fit_prediction(frame, question(exclude=("usage_logins_sum_7d",)), champion=fitted.model)
    assert excluded.kept
    assert "must not be used any more (usage_logins_sum_7d)" in excluded.reason
    other = replace(fitted.model, spec=question(horizon_days=30))
    assert "another question" in fit_prediction(frame, question(), champion=other).reason


def test_the_card_tells_the_story(fitted):
    page = card_of_fit(fitted, {})
    for words in ("tested on newer ones", "Candidates", "Retail", "Where to be careful", fitted.model.fingerprint[:16]):
        assert words in page
    chosen = [row for row in fitted.candidates if row["chosen"]]
    assert [row["name"] for row in chosen] == [fitted.model.method]
    assert chosen[0]["log_loss"] == fitted.metrics["log_loss"]
    assert chosen[0]["log_loss_validation"] == min(row["log_loss_validation"] for row in fitted.candidates)
    json.dumps(fitted.metrics)


def test_a_column_that_has_lost_its_type_is_empty(fitted, known):
    rows = known.head(20)
    names = ["segment", "usage_logins_sum_7d", "started_date", "has_late_invoice"]
    untyped = score_prediction(fitted.model, rows.with_columns(pl.lit(None).alias(name) for name in names))
    gone = score_prediction(fitted.model, rows.drop(names))
    assert untyped["probability"].equals(gone["probability"])
    assert untyped["reasons"].equals(gone["reasons"])


def test_more_rows_than_fit_in_memory_are_drawn_by_entity_and_said_so(known, monkeypatch):
    monkeypatch.setattr("pipelines.learning.fitting.training.MOST_ROWS", 2_000)
    training = prepare(known, question(), seed=0)
    per_entity = training.frame.group_by("account_id").len()["len"]
    assert training.frame.height == 2_000
    assert set(per_entity) == {known["as_of_date"].n_unique()}
    assert "a random 25% of them" in training.notes[0]


def test_amounts_whose_currency_nobody_knows_are_taken_as_one():
    frame = panel(entities=200, points=12).drop("true_log_odds")
    nobody = fit_prediction(frame.with_columns(currency=pl.lit(None, dtype=pl.String)), question())
    assert nobody.metrics["money"]["currency"] is None
    assert len(nobody.metrics["money"]["deciles"]) == 10


def test_what_ranks_but_says_no_better_percentages_than_the_average_is_weak_and_shows_it():
    spec = PredictionSpec(name="left", entity_key="id", target="left", as_of=None)
    seen = set()
    for seed in range(3, 8):
        result = fit_prediction(weakly_related(150, seed), spec)
        figures = result.metrics
        seen.add(result.verdict)
        assert 0 < figures["log_loss_error"] < 0.5 and 0 < figures["auc_error"] < 0.5
        if result.verdict == "ok":
            assert figures["log_loss"] < figures["baseline_log_loss"]
        page = card_of_fit(result, {})
        assert (">Weak</span>" in page) == (result.verdict == "weak") == ("Trust the order" in page)
        assert f"{figures['log_loss']:.4f} ± {figures['log_loss_error']:.4f}" in page
        assert f"{figures['auc']:.4f} ± {figures['auc_error']:.4f}" in page
    assert seen == {"ok", "weak", "no_signal"}


def test_a_class_that_is_right_less_often_than_the_commonest_is_said():
    random = np.random.default_rng(5)
    x, z = random.normal(size=(2, 240))
    utility = np.stack([np.full(240, 0.35), 0.9 * x, 0.9 * z], axis=1) + random.gumbel(size=(240, 3))
    table = pl.DataFrame(
        {"id": [f"a{row}" for row in range(240)], "x": x, "z": z, "plan": np.array(["a", "b", "c"])[utility.argmax(1)]}
    )
    spec = PredictionSpec(name="plan", entity_key="id", target="plan", task="classes", as_of=None)
    for drawn in range(2):
        result = fit_prediction(table.sample(fraction=1 - 0.02 * drawn, seed=drawn), spec)
        is_worse = result.metrics["accuracy"] < result.metrics["base_rate"]
        assert is_worse == any("less often than always naming the commonest" in note for note in result.notes)


@pytest.mark.parametrize("seed", [5, 6])
def test_what_three_columns_say_only_together_is_found(seed: int):
    """Who pays by use and uses much, and who pays by use, uses little and calls often; the rest is noise."""
    rng, rows = np.random.default_rng(seed), 3000
    columns = {
        "id": np.arange(rows),
        "minutes": rng.normal(180, 55, rows).clip(0).round(),
        "calls": rng.poisson(1.6, rows),
        "has_plan": rng.random(rows) < 0.3,
        **{f"other_{number}": rng.normal(size=rows).round(3) for number in range(12)},
    }
    uses_much, calls_often = columns["minutes"] > 240, (columns["calls"] >= 4) & (columns["minutes"] < 160)
    risk = np.where(~columns["has_plan"] & (uses_much | calls_often), 0.8, 0.05)
    left = rng.random(rows) < risk
    spec = PredictionSpec(name="churn", entity_key="id", target="left", as_of=None)
    fitted = fit_prediction(pl.DataFrame({**columns, "left": left}), spec)
    best = evaluation.log_loss(left.astype(float), risk)
    assert fitted.metrics["log_loss"] < best + 0.018 < fitted.metrics["baseline_log_loss"] - 0.1
