"""Slow imports, done in the background while DuckDB or dbt work and this process would only wait."""

import contextlib
import importlib
import os
import threading

LEARNERS = (
    "sklearn.linear_model",
    "lightgbm",
    "statsforecast.models",
    "prophet",
    "skops.io",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
)
"""What the models' steps import, seconds each."""


def import_ahead(*modules: str) -> threading.Thread:
    """Import modules in a thread. One that fails is left to its step, which imports it again and tells why."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"

    def work() -> None:
        for module in modules:
            with contextlib.suppress(Exception):
                importlib.import_module(module)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
