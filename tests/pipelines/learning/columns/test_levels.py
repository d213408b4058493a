"""Categories of many levels: what a level says is learnt from others, no more than it can know, and is not lost."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.learning.columns.choosing import choose_columns
from pipelines.learning.columns.kinds import Column
from pipelines.learning.columns.leaks import find_leaks
from pipelines.learning.columns.levels import FEWEST_ENTITIES, effects_of, learn_effects
from pipelines.learning.fitting.fit import fit_prediction, predict, score_prediction
from pipelines.learning.fitting.training import enough_rows
from pipelines.learning.judging import evaluation
from pipelines.learning.judging.drift import column_shifts
from pipelines.learning.learners.calibration import sigmoid
from pipelines.learning.scoring.fitted import encode_for, log_odds
from pipelines.learning.scoring.storage import load_model, save_model
from pipelines.learning.specs import PredictionSpec

SPEC = PredictionSpec("deals", "deal_id", "is_won", as_of=None)


def deals(rows: int, levels: int, spread: float, seed: int = 0, base: float = 0.25) -> tuple[pl.DataFrame, np.ndarray]:
    """One row a deal: a company that moves the log-odds by a normal of this spread, two numbers; and the true odds."""
    rng = np.random.default_rng(seed)
    company, size = rng.integers(0, levels, rows), rng.normal(size=rows)
    odds = np.log(base / (1 - base)) + spread * rng.normal(size=levels)[company] + 0.6 * size
    frame = pl.DataFrame(
        {
            "deal_id": np.arange(rows),
            "company": [f"Company {number}" for number in company],
            "size": size,
            "other": rng.normal(size=rows),
            "is_won": rng.random(rows) < sigmoid(odds),
        }
    )
    return frame.with_columns(frame["company"].set(pl.Series(rng.random(rows) < 0.05), None)), odds


def snapshots(seed: int, entities: int = 300, levels: int = 12) -> tuple[pl.Series, np.ndarray, np.ndarray, np.ndarray]:
    """Levels, entities (up to six rows each, not in order), answers and weights of rows."""
    rng = np.random.default_rng(seed)
    clusters = rng.permutation(np.repeat(np.arange(entities), rng.integers(1, 7, entities)))
    level = rng.integers(0, levels, entities)[clusters]
    level = np.where(rng.random(len(level)) < 0.1, rng.integers(0, levels, len(level)), level)
    target = (rng.random(len(level)) < np.linspace(0.1, 0.9, levels)[level]).astype(np.float64)
    words = pl.Series([f"l{number}" for number in level]).set(pl.Series(rng.random(len(level)) < 0.05), None)
    return words, clusters, target, np.where(target > 0, 1.0, 3.7)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 299))
def test_an_entity_s_own_answers_do_not_move_its_values(seed, entity):
    words, clusters, target, weights = snapshots(seed)
    own = clusters == entity
    before = learn_effects(words, clusters, target, weights)
    after = learn_effects(words, clusters, np.where(own, 1 - target, target), weights)
    assert np.array_equal(before.out_of_fold[own], after.out_of_fold[own], equal_nan=True)
    # Others are told of it, unless it has no level, or its answers there come to a half either way.
    if own.sum() - words.filter(pl.Series(own)).null_count() == 1:
        assert not np.array_equal(before.out_of_fold[~own], after.out_of_fold[~own], equal_nan=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_order_of_rows_changes_nothing(seed, shuffle):
    words, clusters, target, weights = snapshots(seed)
    order = np.random.default_rng(shuffle).permutation(len(target))
    first = learn_effects(words, clusters, target, weights)
    second = learn_effects(words[order], clusters[order], target[order], weights[order])
    assert first.levels == second.levels
    assert np.array_equal(first.effects, second.effects)
    assert np.array_equal(first.out_of_fold[order], second.out_of_fold, equal_nan=True)


def test_effects_are_the_true_ones_drawn_to_zero_by_what_is_not_known():
    """Regressed on the effects, the truth has a slope of one: they are drawn in as far as they should be."""
    rng = np.random.default_rng(1)
    truth, level = rng.normal(0, 0.5, 400), rng.integers(0, 400, 16_000)
    target = (rng.random(16_000) < sigmoid(truth[level] - 1)).astype(np.float64)
    found = learn_effects(pl.Series([f"l{each}" for each in level]), np.arange(16_000), target)
    mine = truth[[int(name[1:]) for name in found.levels]]
    assert np.corrcoef(mine, found.effects)[0, 1] > 0.75
    assert np.polyfit(found.effects, mine, 1)[0] == pytest.approx(1.0, abs=0.12)
    assert found.effects.std() < 0.45
    raw = np.corrcoef(truth[level], target)[0, 1]
    assert 0.5 * raw < np.corrcoef(found.out_of_fold, target)[0, 1] < raw


@pytest.mark.parametrize(("levels", "rows", "rate"), [(60, 6_000, 0.3), (400, 3_000, 0.3), (300, 9_000, 0.02)])
def test_levels_that_differ_by_chance_say_nothing(levels, rows, rate):
    rng = np.random.default_rng(2)
    words = [pl.Series([f"l{each}" for each in rng.integers(0, levels, rows)]) for _ in range(40)]
    targets = [(rng.random(rows) < rate).astype(np.float64) for _ in words]
    found = [learn_effects(each, np.arange(rows), target) for each, target in zip(words, targets, strict=True)]
    assert all(each.levels for each in found)
    assert sum(bool(each.effects.any()) for each in found) <= 3


def test_rows_of_one_entity_are_one_piece_of_evidence():
    rng = np.random.default_rng(3)
    level = pl.Series([f"l{each}" for each in rng.integers(0, 50, 1_000)])
    target = (rng.random(1_000) < np.where(level.str.ends_with("7"), 0.6, 0.2)).astype(np.float64)
    once = learn_effects(level, np.arange(1_000), target)
    many = np.repeat(np.arange(1_000), rng.integers(1, 30, 1_000))
    often = learn_effects(level[many], many, target[many])
    assert once.effects.any()
    assert often.levels == once.levels
    assert often.effects == pytest.approx(once.effects, abs=1e-9)
    # A level that one entity has in many rows is shared with nobody.
    alone = learn_effects(
        pl.concat([level, pl.Series(["own"] * 40)]),
        np.append(np.arange(1_000), [1_000] * 40),
        np.append(target, [1.0] * 40),
    )
    assert "own" not in alone.levels and (alone.out_of_fold[1_000:] == 0).all()


def test_rows_drawn_by_their_answer_tell_what_all_of_them_would():
    rng = np.random.default_rng(4)
    level, truth = rng.integers(0, 200, 120_000), rng.normal(0, 0.7, 200)
    target = (rng.random(120_000) < sigmoid(truth[level] - 4.2)).astype(np.float64)
    words = pl.Series([f"l{each}" for each in level])
    rows, weights = enough_rows(target, np.arange(120_000), seed=0)
    assert weights.max() > 4
    whole = learn_effects(words, np.arange(120_000), target)
    part = learn_effects(words[rows], rows, target[rows], weights)
    drawn = effects_of(pl.Series(whole.levels), part.levels, part.effects)
    assert np.corrcoef(whole.effects, drawn)[0, 1] > 0.97
    assert np.polyfit(whole.effects, drawn, 1)[0] == pytest.approx(1.0, abs=0.1)
    assert drawn.mean() == pytest.approx(whole.effects.mean(), abs=0.05)


def test_levels_that_decide_the_answer_are_no_surer_than_their_entities():
    level = np.repeat(np.arange(100), 6)
    found = learn_effects(pl.Series([f"l{each}" for each in level]), np.arange(600), (level % 2).astype(np.float64))
    assert np.isfinite(found.effects).all() and 1 < np.abs(found.effects).max() < np.log(2 * 6 + 2)


def test_unseen_and_rare_levels_say_nothing_and_missing_is_missing():
    values = pl.Series(["a", "new", None, "b"])
    assert effects_of(values, ["b", "a"], np.array([0.5, -1.0])) == pytest.approx([-1, 0, np.nan, 0.5], nan_ok=True)
    none = learn_effects(pl.Series(["a", None, "b"]), np.arange(3), np.array([0.0, 1.0, 1.0]))
    assert none.levels == [] and none.out_of_fold == pytest.approx([0, np.nan, 0], nan_ok=True)


def chosen(frame: pl.DataFrame, clusters: np.ndarray | None = None, classes: tuple[str, ...] = ()):
    target = frame["is_won"].to_numpy().astype(np.float64)
    clusters = np.arange(frame.height) if clusters is None else clusters
    spec = replace(SPEC, task="classes") if classes else SPEC
    columns, dropped, _ = choose_columns(frame, target, clusters, None, spec, 0, classes)
    return {column.name: column for column in columns}, {each.column: f"{each.kind}: {each.reason}" for each in dropped}


def test_a_category_is_wide_where_many_levels_are_shared_by_different_entities():
    frame, _ = deals(6_000, 500, 0.5)
    rng = np.random.default_rng(5)
    names = pl.Series([f"Name {each}" for each in rng.integers(0, 40_000, 6_000)])
    shared = pl.Series([f"Name {each}" for each in rng.integers(0, 100, 6_000)])
    columns, dropped = chosen(
        frame.with_columns(
            few=pl.Series([f"s{each}" for each in rng.integers(0, 40, 6_000)]),
            own=names,
            namesakes=shared.zip_with(pl.Series(rng.random(6_000) < 0.2), names),
        )
    )
    assert columns["company"] == Column("company", "category", is_wide=True)
    assert columns["few"] == Column("few", "category")
    assert dropped["own"].startswith("id_like: ")
    assert "namesakes" in dropped or not columns["namesakes"].is_wide
    # The same rows, but of so few entities that hardly a level is shared.
    snapshots_of = frame["company"].rank("dense").fill_null(0).to_numpy().astype(np.int64)
    assert "company" in chosen(frame, snapshots_of)[1]


def test_of_classes_a_wide_category_keeps_what_it_had():
    frame, _ = deals(6_000, 500, 0.5)
    often = pl.when(pl.col("deal_id") % 3 == 0).then(pl.lit("Company 1")).otherwise("company")
    columns, _ = chosen(frame.with_columns(often=often), classes=("lost", "won"))
    assert columns["often"] == Column("often", "category")
    none_often, _ = deals(20_000, 2_000, 0.5)
    assert chosen(none_often)[0]["company"].is_wide
    assert "none shared by enough" in chosen(none_often, classes=("lost", "won"))[1]["company"]
    frame = frame.with_columns(often=often, is_won=pl.when("is_won").then(pl.lit("won")).otherwise(pl.lit("lost")))
    result = fit_prediction(frame.head(2_000), PredictionSpec("deals", "deal_id", "is_won", as_of=None, task="classes"))
    states = {state["name"]: state for state in result.model.encoding.columns}
    assert states["often"]["levels"][0] == "Company 1" and "effects" not in states["often"]


@pytest.fixture(scope="module")
def real():
    """A table with a real effect of 500 companies, its truth, and the fits with and without the companies."""
    frame, odds = deals(12_000, 500, 1.0)
    known, held_out = frame[:8_000], frame[8_000:]
    return known, held_out, odds[8_000:], fit_prediction(known, SPEC), fit_prediction(known.drop("company"), SPEC)


def test_a_real_effect_of_many_levels_is_found(real):
    _, held_out, odds, result, without = real
    assert result.kept and not result.findings
    answers = held_out["is_won"].to_numpy().astype(np.float64)
    found, blind = (evaluation.auc(answers, predict(each.model, held_out)) for each in (result, without))
    truth = evaluation.auc(answers, odds)
    assert found > blind + 0.06
    assert truth - 0.04 < found < truth + 0.005
    assert evaluation.calibration_error(answers, predict(result.model, held_out)) < 0.03
    assert blind + 0.03 < result.metrics["auc"] < found + 0.03
    assert "company" in [row["column"] for row in result.metrics["drivers"][:2]]


def test_its_reasons_add_up_and_name_the_level(real):
    _, held_out, _, result, _ = real
    scores = score_prediction(result.model, held_out)
    logits = np.log(scores["probability"] / (1 - scores["probability"])).to_numpy()
    sums = [sum(entry["contribution"] for entry in json.loads(row)) for row in scores["reasons"]]
    assert np.abs(logits - sums).max() < 1e-6
    odds, parts, base = log_odds(result.model, held_out)
    assert np.abs(base + parts.sum(axis=1) - odds).max() < 1e-6
    said = [next((each for each in json.loads(row) if each["feature"] == "company"), None) for row in scores["reasons"]]
    for entry, company in zip(said, held_out["company"], strict=True):
        if entry is not None:
            assert entry["value"] == company
            assert entry["text"].startswith(f"Company: {company} (" if company else "No company on record (")
    assert sum(entry is not None for entry in said) > 0.9 * held_out.height


def test_it_is_stored_as_plain_values_and_scores_alike_in_any_order(real, tmp_path):
    known, held_out, _, result, _ = real
    save_model(result.model, tmp_path / "m.zip")
    again = load_model(tmp_path / "m.zip")
    odd = held_out.with_columns(company=pl.Series(["Company 7", "never seen", None, " Company 7 "] * 1_000))
    assert_frame_equal(score_prediction(again, odd), score_prediction(result.model, odd), check_exact=True)
    place = next(i for i, state in enumerate(again.encoding.columns) if state["name"] == "company")
    column = encode_for(again.encoding, odd.with_columns(pl.col("company").str.strip_chars())).matrix[:4, place]
    assert column[0] == column[3] != 0 and column[1] == 0 and np.isnan(column[2])
    assert np.isnan(encode_for(again.encoding, odd.drop("company")).matrix[:, place]).all()
    shuffled = known.sample(fraction=1.0, shuffle=True, seed=3).select(sorted(known.columns, reverse=True))
    assert np.array_equal(predict(fit_prediction(shuffled, SPEC).model, odd), predict(again, odd))


def test_its_drift_is_told_by_its_most_frequent_levels(real):
    _, held_out, _, result, _ = real
    place = result.model.baseline["names"].index("company")
    assert len(result.model.baseline["levels"][place]) == 40
    assert not any(row["is_major"] for row in column_shifts(result.model.baseline, held_out, None))
    moved = held_out.with_columns(company=pl.lit("Elsewhere"))
    assert column_shifts(result.model.baseline, moved, None)[0]["column"] == "company"


def test_many_levels_of_noise_do_no_harm():
    frame, _ = deals(24_000, 2_000, 0.0, seed=6)
    known, held_out = frame[:12_000], frame[12_000:]
    result, without = fit_prediction(known, SPEC), fit_prediction(known.drop("company"), SPEC)
    assert not result.findings
    assert "company" in result.model.encoding.names
    difference, error = evaluation.loss_difference(
        held_out["is_won"].to_numpy().astype(np.float64),
        predict(result.model, held_out),
        predict(without.model, held_out),
        np.arange(held_out.height),
    )
    assert difference < 2 * error + 1e-4


def leaks_of(
    level: np.ndarray, target: np.ndarray, clusters: np.ndarray | None = None, seed: int = 0
) -> dict[str, str]:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {"level": [f"l{each}" for each in level]}
        | {f"n{i}": rng.normal(size=len(level)) + 0.4 * target for i in range(4)}
    )
    columns = [Column("level", "category", is_wide=True), *(Column(f"n{i}", "number") for i in range(4))]
    clusters = np.arange(len(level)) if clusters is None else clusters
    return {found.column: found.grade for found in find_leaks(frame, columns, target, clusters, seed)}


@pytest.mark.parametrize(("rows", "levels"), [(4_000, 500), (20_000, 3_000), (40_000, 300)])
def test_levels_that_give_the_answer_away_are_a_leak_and_an_honest_effect_is_none(rows, levels):
    rng = np.random.default_rng(7)
    level, truth = rng.integers(0, levels, rows), rng.normal(size=levels)
    honest = (rng.random(rows) < sigmoid(0.8 * truth[level] - 1)).astype(np.float64)
    assert leaks_of(level, honest) == {}
    given_away = (truth[level] > 0.6).astype(np.float64)
    wrong = rng.random(rows) < 0.03
    assert leaks_of(level, np.where(wrong, 1 - given_away, given_away)) == {"level": "leaky"}
    assert leaks_of(level, rng.permutation(honest)) == {}


def test_a_level_that_its_own_entities_alone_share_gives_nothing_away():
    """Twenty snapshots each of companies whose answer never changes, in groups of entities that have none in common."""
    rng = np.random.default_rng(8)
    clusters = np.repeat(np.arange(600), 20)
    level, target = rng.integers(0, 60, 600)[clusters], (rng.random(600) < 0.4).astype(np.float64)[clusters]
    frame = pl.DataFrame({"level": [f"l{each}" for each in level]})
    assert FEWEST_ENTITIES <= 10
    assert find_leaks(frame, [Column("level", "category", is_wide=True)], target, clusters, 0) == []
