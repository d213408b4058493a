import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.learning.fitting.splitting import split_rows, thin


@settings(max_examples=80, deadline=None)
@given(
    points=st.integers(1, 40),
    step=st.integers(1, 40),
    horizon=st.integers(0, 200),
    entities=st.integers(20, 80),
    seed=st.integers(0, 5),
)
def test_no_training_answer_is_younger_than_the_test(points, step, horizon, entities, seed):
    generator = np.random.default_rng(seed)
    days = np.repeat(np.arange(points) * step, entities)
    clusters = np.tile(np.arange(entities), points)
    target = (generator.random(len(days)) < 0.3).astype(float)
    split = split_rows(days, clusters, target, horizon, 40, 12, seed)
    assert len(np.intersect1d(split.train, split.test)) == 0
    assert len(split.test)
    if split.kind == "time":
        assert days[split.train].max() + horizon <= days[split.test].min()
        assert days[split.train].max() < days[split.test].min()
    else:
        assert split.notes
        assert not set(clusters[split.train]) & set(clusters[split.test])
    for fit, held_out in split.inner:
        assert set(fit) <= set(split.train)
        assert set(held_out) <= set(split.train)
        if split.inner_kind == "time":
            assert days[fit].max() + horizon <= days[held_out].min()
            assert days[fit].max() < days[held_out].min()
        else:
            assert not set(clusters[fit]) & set(clusters[held_out])


def test_two_years_of_snapshots_are_cut_by_time_twice():
    days = np.repeat(np.arange(20) * 28, 200)
    clusters = np.tile(np.arange(200), 20)
    target = (np.random.default_rng(0).random(len(days)) < 0.1).astype(float)
    split = split_rows(days, clusters, target, 90, 200, 30, 0)
    assert (split.kind, split.inner_kind, split.notes) == ("time", "time", [])


@given(st.lists(st.integers(0, 800), min_size=1, max_size=200), st.integers(1, 60))
def test_thinning_keeps_the_newest_and_the_distance(days, step):
    chosen = thin(np.array(days), step)
    assert chosen[-1] == max(days)
    assert set(chosen) <= set(days)
    assert (np.diff(chosen) >= step).all()


def test_a_stratified_hold_out_keeps_the_rate():
    target = (np.arange(1000) % 10 == 0).astype(float)
    split = split_rows(None, np.arange(1000), target, 0, 200, 30, 0)
    assert split.kind == "stratified"
    assert len(split.test) == 200
    assert target[split.test].sum() == 20
