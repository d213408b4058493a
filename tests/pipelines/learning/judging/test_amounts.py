"""Figures of estimates, by hand."""

import numpy as np
import pytest

from pipelines.learning.judging.amounts import by_tenth, evaluate, reliability

CAME = np.array([10.0, 20.0, 30.0, 40.0])
SAID = {
    "expected": np.array([12.0, 22.0, 32.0, 42.0]),
    "p10": np.array([5.0, 5.0, 31.0, 5.0]),
    "p50": np.array([11.0, 20.0, 33.0, 40.0]),
    "p90": np.array([15.0, 19.0, 40.0, 50.0]),
}


def test_errors_are_of_p50_and_squares_and_totals_of_expected():
    figures = evaluate(CAME, SAID, np.arange(4))
    assert figures["mean_absolute_error"] == 1.0
    assert figures["median_absolute_error"] == pytest.approx(0.5, abs=0.5)
    assert figures["error_share"] == pytest.approx(4 / 100)
    assert figures["root_mean_squared_error"] == 2.0
    assert figures["r2"] == pytest.approx(1 - 4 / 125)
    assert (figures["coverage"], figures["below"], figures["above"]) == (0.5, 0.25, 0.25)
    assert (figures["mean_said"], figures["mean_came"]) == (27.0, 25.0)


def test_rows_of_one_entity_count_as_one_for_the_noise():
    generator = np.random.default_rng(0)
    came = np.repeat(generator.normal(size=200), 5)
    said = {name: np.zeros(1_000) for name in SAID}
    apart, together = (evaluate(came, said, each) for each in (np.arange(1_000), np.repeat(np.arange(200), 5)))
    for name in ("mean_absolute_error_noise", "median_absolute_error_noise"):
        assert together[name] == pytest.approx(np.sqrt(5) * apart[name], rel=0.3)


def test_tenths_go_from_the_largest_down_and_fifths_from_the_narrowest_up():
    tenths, fifths = by_tenth(CAME, SAID), reliability(CAME, SAID)
    assert [row["mean_said"] for row in tenths] == [42.0, 32.0, 22.0, 12.0]
    assert [row["mean_came"] for row in tenths] == [40.0, 30.0, 20.0, 10.0]
    assert [row["mean_width"] for row in fifths] == [9.0, 10.0, 14.0, 45.0]
    assert [row["below"] for row in fifths] == [1.0, 0.0, 0.0, 0.0]
