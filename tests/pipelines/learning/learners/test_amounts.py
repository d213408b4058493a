"""Scales, losses and calibration of amounts, and the penalty that draws curves to straight lines."""

import numpy as np
import pytest

from pipelines.learning.learners.amounts import Scale, fit_calibration, fit_splines, losses_of
from pipelines.learning.learners.candidates import Rows, margins
from pipelines.learning.learners.encoding import bends
from pipelines.learning.learners.intervals import fit_intervals, quantities, stretched


def skewed(rows: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    """Margins, and amounts whose logarithm they are the middle of."""
    generator = np.random.default_rng(0)
    margin = generator.normal(3, 1, size=rows)
    return margin, np.exp(margin + generator.normal(size=rows))


@pytest.mark.parametrize("loss", ["absolute", "squared"])
def test_calibration_turns_a_median_into_the_mean_and_leaves_it_where_it_is_asked_for(loss: str):
    margin, amounts = skewed()
    scale = Scale.of(amounts)
    slope, offset = fit_calibration("log", scale, loss, margin, amounts)
    assert slope == pytest.approx(1, abs=0.15)
    shift = offset + (slope - 1) * 3
    assert shift == pytest.approx(0.0 if loss == "absolute" else 0.5, abs=0.15)
    said = scale.to_amount("log", slope * margin + offset)
    assert losses_of(loss, amounts, said).mean() <= losses_of(loss, amounts, np.exp(margin)).mean() + 1e-9


def test_a_scale_keeps_estimates_within_what_an_amount_may_be():
    scale = Scale.of(np.array([0.0, 1.0, 10.0, 20.0]))
    assert scale.links == ["identity", "log"] and scale.zeros == 0.25
    assert scale.to_amount("identity", np.array([-5.0, 12.0, 1e9])).tolist() == [0.0, 12.0, 40.0]
    assert np.isfinite(scale.to_margin("log", np.zeros(1))).all()
    signed = Scale.of(np.array([-10.0, 10.0]))
    assert signed.links == ["identity"] and signed.lowest == -30.0


def test_bends_of_a_straight_line_are_none_and_those_of_a_curve_are_not():
    knots = [0.0] * 3 + [0.0, 1.0, 1.5, 4.0, 9.0] + [9.0] * 3
    at = np.asarray(knots)
    centres = (at[1:-3] + at[2:-2] + at[3:-1]) / 3
    matrix = bends(knots)
    assert matrix.shape == (len(centres) - 2, len(centres))
    assert np.abs(matrix @ (3 * centres + 1)).max() < 1e-9
    assert np.abs(matrix @ centres**2).max() > 0.1


def test_the_absolute_error_is_not_moved_by_a_few_wild_amounts():
    generator = np.random.default_rng(3)
    x = generator.normal(size=(500, 1)).astype(np.float32)
    amounts = 5 * x[:, 0].astype(np.float64) + 0.1 * generator.normal(size=500)
    amounts[:20] = 10_000
    rows = Rows(x, x, np.zeros(1, dtype=np.int64), None, np.zeros(0, dtype=np.int64))
    off = {
        loss: np.abs(margins(next(fit_splines(rows, amounts, (10.0,), loss, "identity")), rows) - amounts)[20:].mean()
        for loss in ("absolute", "squared")
    }
    assert off["absolute"] < 2 < off["squared"]


def test_intervals_hold_in_narrow_and_in_wide_groups_though_the_quantiles_learnt_are_wrong():
    generator = np.random.default_rng(4)
    width = generator.choice([1.0, 10.0], size=6_000)
    margin = generator.normal(50, 5, size=6_000)
    amounts = margin + width * generator.normal(size=6_000)
    bounds = np.column_stack([margin - 0.3 * width, margin + 3 * width])
    scale, half = Scale.of(amounts), slice(0, 3_000)
    everyone = np.arange(6_000)
    intervals = fit_intervals(scale, "identity", "absolute", margin[half], bounds[half], amounts[half], everyone[half])
    rest = slice(3_000, None)
    said = quantities(scale, "identity", "absolute", intervals, margin[rest], bounds[rest])
    inside = (amounts[rest] >= said["p10"]) & (amounts[rest] <= said["p90"])
    for mine in (width[rest] == 1.0, width[rest] == 10.0):
        assert inside[mine].mean() == pytest.approx(0.8, abs=0.03)
        assert (amounts[rest][mine] < said["p10"][mine]).mean() == pytest.approx(0.1, abs=0.025)
    doubled = fit_intervals(scale, "identity", "absolute", margin, bounds, margin + 2 * (amounts - margin), everyone)
    narrowed = stretched(doubled, margin, bounds, amounts, everyone)
    assert (narrowed["stretch"] < 0.65).all(), "rows that are twice as sure narrow the intervals almost by half"
