import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, norm
from sklearn import metrics

from pipelines.learning.judging import evaluation
from pipelines.learning.learners.calibration import fit_platt, sigmoid

CASES = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.01, 0.1, 0.2, 0.35, 0.5, 0.8, 0.97])), min_size=4, max_size=80
)


@given(CASES)
def test_the_figures_agree_with_scikit_learn(cases):
    target = np.array([yes for yes, _ in cases], dtype=float)
    probability = np.array([p for _, p in cases])
    if len(set(target)) < 2:
        assert np.isnan(evaluation.auc(target, probability))
        return
    assert evaluation.auc(target, probability) == pytest.approx(metrics.roc_auc_score(target, probability))
    assert evaluation.average_precision(target, probability) == pytest.approx(
        metrics.average_precision_score(target, probability)
    )
    assert evaluation.log_loss(target, probability) == pytest.approx(metrics.log_loss(target, probability))
    assert evaluation.brier(target, probability) == pytest.approx(metrics.brier_score_loss(target, probability))


def test_calibration_error_tells_honest_from_boastful():
    generator = np.random.default_rng(0)
    probability = generator.beta(1, 4, size=20_000)
    target = (generator.random(20_000) < probability).astype(float)
    noise = evaluation.calibration_noise(probability, 20_000)
    assert evaluation.calibration_error(target, probability) < 2.5 * noise
    assert evaluation.calibration_error(target, probability / 2) == pytest.approx(probability.mean() / 2, abs=0.01)


def test_the_decile_table_adds_up():
    generator = np.random.default_rng(1)
    probability = generator.random(1005)
    target = (generator.random(1005) < probability).astype(float)
    table = evaluation.decile_table(target, probability)
    assert table["rows"].sum() == 1005
    assert table["positives"].sum() == target.sum()
    assert table["gain"][-1] == pytest.approx(1)
    assert table["predicted_rate"].is_sorted(descending=True)
    assert table["lift"][0] == pytest.approx(evaluation.lift(target, probability), rel=0.05)


def test_the_error_of_a_loss_difference_knows_repeated_rows():
    """The same entity four times over is one piece of evidence: the error must not halve."""
    generator = np.random.default_rng(2)
    target = (generator.random(500) < 0.3).astype(float)
    one, other = np.clip(0.3 + 0.2 * generator.normal(size=(2, 500)), 0.05, 0.95)
    single = evaluation.loss_difference(target, one, other, np.arange(500))
    repeated = evaluation.loss_difference(
        np.tile(target, 4), np.tile(one, 4), np.tile(other, 4), np.tile(np.arange(500), 4)
    )
    assert repeated == pytest.approx(single, rel=1e-6)
    assert evaluation.loss_difference(target, one, one, np.arange(500)) == (0.0, 0.0)


def test_auc_error_shrinks_with_cases():
    assert evaluation.auc_error(0.8, 400, 400) == pytest.approx(evaluation.auc_error(0.8, 100, 100) / 2, rel=0.02)


def test_rank_z_of_one_part_is_the_rank_sum_test_and_parts_are_ranked_apart():
    generator = np.random.default_rng(5)
    target = generator.random(60) < 0.3
    score = np.round(generator.normal(size=60) + target, 1)
    test = mannwhitneyu(score[target], score[~target], method="asymptotic", use_continuity=False)
    z = evaluation.rank_z([(target, score)])
    assert 2 * norm.sf(abs(z)) == pytest.approx(test.pvalue, rel=1e-9)
    # Another part on another scale, with the same order within, says the same once more.
    assert evaluation.rank_z([(target, score), (target, score + 100)]) == pytest.approx(z * np.sqrt(2), rel=1e-9)
    assert evaluation.rank_z([(target, np.zeros(60))]) == 0.0
    assert evaluation.rank_z([(np.zeros(60), score)]) == 0.0


def test_platt_finds_slope_and_offset_again():
    generator = np.random.default_rng(3)
    margin = generator.normal(size=30_000) * 2
    target = generator.random(30_000) < sigmoid(0.5 * margin - 1)
    slope, offset = fit_platt(margin, target)
    assert slope == pytest.approx(0.5, abs=0.03)
    assert offset == pytest.approx(-1, abs=0.05)


def test_platt_never_turns_the_ranking_around():
    generator = np.random.default_rng(4)
    margin = generator.normal(size=5_000)
    slope, offset = fit_platt(margin, generator.random(5_000) < sigmoid(-2 * margin))
    assert slope > 0
    assert np.isfinite(offset)
    assert fit_platt(np.full(50, 3.0), np.zeros(50))[1] < 0


def test_platt_hardly_moves_on_a_handful_of_cases():
    slope, offset = fit_platt(np.array([-2.0, -1, 1, 2]), np.array([0, 0, 1, 1]))
    assert 0.7 < slope < 1.5
    assert abs(offset) < 0.3
