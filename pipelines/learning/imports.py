"""Slow imports, done in the background while DuckDB or dbt work and this process would only wait."""

import contextlib
import importlib
import importlib.abc
import sys
import threading
from collections.abc import Collection, Iterator

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


class _NotFound(importlib.abc.MetaPathFinder):
    """Says of some modules that they are not there."""

    def __init__(self, modules: Collection[str]):
        self.modules = modules

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname in self.modules:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


@contextlib.contextmanager
def without(*modules: str) -> Iterator[None]:
    """Hide modules that others import if they are there; those that are loaded already stay.

    Only while no other thread imports anything that needs them.
    """
    finder = _NotFound(modules)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def import_lightgbm_alone() -> None:
    """LightGBM without its wrappers for scikit-learn, pandas and dask, which nothing here uses: 0.3 s instead of 1.4 s.

    Where one of them is loaded already there is nothing to gain, and LightGBM is imported as always.
    """
    wrapped = ("sklearn", "pandas", "dask")
    if "lightgbm" in sys.modules or any(name in sys.modules for name in wrapped):
        return
    with without(*wrapped):
        importlib.import_module("lightgbm")
