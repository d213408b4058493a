"""Modules that are hidden from those who import them only because they are there."""

import importlib
import sys

import pytest

from pipelines.learning.imports import without


def test_a_hidden_module_is_not_found_and_is_there_again_afterwards(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with without("colorsys"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("colorsys")
        assert "colorsys" not in sys.modules
    assert importlib.import_module("colorsys").hsv_to_rgb(0, 0, 1) == (1, 1, 1)


def test_what_is_loaded_already_stays():
    with without("json"):
        assert importlib.import_module("json") is sys.modules["json"]
