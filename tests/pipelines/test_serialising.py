import multiprocessing

import numpy as np
import skops.io

from pipelines.serialising import serialiser

STATE = {"weights": np.array([0.5, -1.0]), "name": "churn", "parts": [(1.0, {"kind": "logistic"})]}


def the_same(data: bytes) -> bool:
    state = skops.io.loads(data, trusted=[])
    return (
        state["weights"].tolist() == [0.5, -1.0]
        and state["name"] == "churn"
        and state["parts"][0][1] == STATE["parts"][0][1]
    )


def test_another_process_makes_the_bytes_and_is_gone_afterwards():
    with serialiser() as serialise:
        workers = multiprocessing.active_children()
        data = serialise(STATE)
    assert len(workers) == 1 and not workers[0].is_alive()
    assert the_same(data)


def test_without_that_process_this_one_does_it():
    with serialiser() as serialise:
        multiprocessing.active_children()[0].kill()
        assert the_same(serialise(STATE))
        assert the_same(serialise(STATE))
