"""Who is held back, and how sure a difference between two groups is."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.learning.judging.holdback import held_back, rate_difference, rate_interval

KEYS = pl.Series([f"0015{number:06d}" for number in range(20_000)])


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_as_many_as_asked_for_are_held_back(share: float):
    assert held_back("churn", KEYS, share).mean() == pytest.approx(share, abs=4 * (share / len(KEYS)) ** 0.5)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=30, unique=True), st.floats(0, 0.99), st.randoms())
def test_an_entity_is_always_in_the_same_group(keys: list[str], share: float, chance):
    flags = dict(zip(keys, held_back("churn", pl.Series(keys), share), strict=True))
    shuffled = keys[:]
    chance.shuffle(shuffled)
    assert held_back("churn", pl.Series(shuffled), share).to_list() == [flags[key] for key in shuffled]


def test_a_larger_share_keeps_those_of_a_smaller_one():
    small, large = held_back("churn", KEYS, 0.05), held_back("churn", KEYS, 0.2)
    assert (large | ~small).all()
    assert large.sum() > small.sum() > 0


def test_predictions_hold_back_different_entities():
    both = (held_back("churn", KEYS, 0.1) & held_back("lead_score", KEYS, 0.1)).mean()
    assert both == pytest.approx(0.01, abs=0.004)


def test_numbers_are_keys_like_their_text():
    assert (
        held_back("churn", pl.Series([7, 12]), 0.5).to_list()
        == held_back("churn", pl.Series(["7", "12"]), 0.5).to_list()
    )


def test_without_a_share_nobody_is_held_back():
    assert not held_back("churn", KEYS, 0.0).any()


@pytest.mark.parametrize("share", [-0.1, 1.0, 30.0])
def test_a_share_that_makes_no_sense_is_refused(share: float):
    with pytest.raises(ValueError, match="from 0 to below 1"):
        held_back("churn", KEYS, share)


def test_the_intervals_of_newcombes_paper():
    """Table II of the paper, method 10: 56/70 - 48/80, 9/10 - 3/10, 10/10 - 0/20."""
    for (a, m, b, n), (low, high) in {
        (56, 70, 48, 80): (0.0524, 0.3339),
        (9, 10, 3, 10): (0.1705, 0.8090),
        (10, 10, 0, 20): (0.6791, 1.0),
    }.items():
        _, lowest, highest = rate_difference(a, m, b, n)
        assert lowest == pytest.approx(low, abs=5e-5)
        assert highest == pytest.approx(high, abs=5e-5)


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_an_interval_holds_its_difference_and_turns_around(cases: int, others: int, data: st.DataObject):
    hits, other_hits = data.draw(st.integers(0, cases)), data.draw(st.integers(0, others))
    difference, low, high = rate_difference(hits, cases, other_hits, others)
    assert -1 <= low <= difference <= high <= 1
    back = rate_difference(other_hits, others, hits, cases)
    assert back == pytest.approx((-difference, -high, -low))
    assert rate_interval(hits, cases)[0] <= hits / cases <= rate_interval(hits, cases)[1]


def test_the_interval_covers_the_truth_nineteen_times_in_twenty():
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(2_000):
        low, high = rate_difference(int(generator.binomial(60, 0.1)), 60, int(generator.binomial(400, 0.25)), 400)[1:]
        covered += low <= -0.15 <= high
    assert 0.93 < covered / 2_000 < 0.975
