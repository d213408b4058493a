import threading
from collections import defaultdict

import lightgbm
import pytest

from pipelines.learning.context import Context
from pipelines.learning.fitting.fit import fit_prediction
from tests.pipelines.learning.synthetic import panel, question


@pytest.mark.parametrize("num_threads", [1, 2, 8])
def test_lightgbm_at_work_in_several_threads_is_told_one_number_of_threads(monkeypatch, num_threads):
    """LightGBM keeps that number for the whole process: another one set meanwhile made it write past its buffers."""
    told = defaultdict(set)
    construct, train, predict = lightgbm.Dataset.construct, lightgbm.train, lightgbm.Booster.predict

    def note(place: str, number: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            told[place].add(number)

    def spy_construct(data, *args, **kwargs):
        note("construct", data.params.get("num_threads"))
        return construct(data, *args, **kwargs)

    def spy_train(params, *args, **kwargs):
        note("train", params.get("num_threads"))
        return train(params, *args, **kwargs)

    def spy_predict(booster, *args, **kwargs):
        note("predict", kwargs.get("num_threads"))
        return predict(booster, *args, **kwargs)

    monkeypatch.setattr(lightgbm.Dataset, "construct", spy_construct)
    monkeypatch.setattr(lightgbm, "train", spy_train)
    monkeypatch.setattr(lightgbm.Booster, "predict", spy_predict)
    fit_prediction(panel().drop("true_log_odds"), question(), context=Context(threads=num_threads))
    assert told == {"construct": {1}, "train": {1}, "predict": {1}}
