"""Slow imports, done in the background while DuckDB or dbt work and this process would only wait."""

import contextlib
import importlib
import sys
import threading

LEARNERS = (
    "sklearn.linear_model",
    "lightgbm",
    "statsforecast.models",
    "prophet",
)
"""What the models' steps import, seconds each."""


def import_ahead(*modules: str) -> threading.Thread:
    """Import modules in a thread. One that fails is left to its step, which imports it again and tells why."""

    def work() -> None:
        for module in modules:
            with contextlib.suppress(Exception):
                importlib.import_module(module)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def import_lightgbm_alone() -> None:
    """LightGBM without its wrappers for scikit-learn, pandas and dask, which nothing here uses: 0.3 s instead of 1.4 s.

    Only while no other thread imports anything: for these 0.3 s the three cannot be found. Where one of them is loaded
    already there is nothing to gain, and LightGBM is imported as always.
    """
    wrapped = ("sklearn", "pandas", "dask")
    if "lightgbm" in sys.modules or any(name in sys.modules for name in wrapped):
        return
    sys.modules.update(dict.fromkeys(wrapped))
    try:
        importlib.import_module("lightgbm")
    finally:
        for name in wrapped:
            del sys.modules[name]
