"""Which rows a model is fitted on when one answer is rare."""

import numpy as np
import pytest

from pipelines.learning.fitting.training import COMMON_PER_RARE, PLENTY, enough_rows


def answers(rows: int, rare: int, rare_answer: float = 1.0) -> np.ndarray:
    target = np.full(rows, 1.0 - rare_answer)
    target[np.random.default_rng(7).choice(rows, rare, replace=False)] = rare_answer
    return target


@pytest.mark.parametrize("rare_answer", [0.0, 1.0])
def test_all_of_the_rare_answer_and_a_weighted_part_of_the_other(rare_answer: float):
    target = answers(80_000, 1_000, rare_answer)
    rows, weights = enough_rows(target, np.arange(80_000), seed=0)
    is_rare = target[rows] == rare_answer
    assert is_rare.sum() == 1_000
    assert 0.97 * PLENTY < len(rows) < 1.03 * PLENTY
    assert (weights[is_rare] == 1).all()
    assert np.average(target[rows], weights=weights) == pytest.approx(target.mean(), rel=0.02, abs=0.001)


def test_a_rare_answer_has_company_enough():
    target = answers(200_000, 6_000)
    rows, _ = enough_rows(target, np.arange(200_000), seed=0)
    assert (target[rows] == 0).sum() == pytest.approx(COMMON_PER_RARE * 6_000, rel=0.02)


@pytest.mark.parametrize(("rows", "rare"), [(PLENTY, 50), (60_000, 30_000), (60_000, 10_000), (0, 0)])
def test_few_rows_or_balanced_answers_are_all_taken(rows: int, rare: int):
    target = answers(rows, rare) if rows else np.zeros(0)
    taken, weights = enough_rows(target, np.arange(rows), seed=0)
    assert len(taken) == rows
    assert (weights == 1).all()


def test_the_same_rows_every_time_and_only_of_those_given():
    target = answers(90_000, 900)
    given = np.arange(0, 90_000, 2)
    first, second = (enough_rows(target, given, seed=3)[0] for _ in range(2))
    assert (first == second).all()
    assert np.isin(first, given).all()
