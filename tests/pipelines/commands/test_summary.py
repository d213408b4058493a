from pathlib import Path

import pytest

from pipelines.commands.summary import next_step
from tests.pipelines.commands.test_running import configure


def test_one_more_day_is_offered_only_to_those_who_look_at_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    configure(monkeypatch, tmp_path, "sample: {accounts: 10}\nsources: {stripe: landing/stripe}\n")
    assert "--next-day" in next_step()
    configure(monkeypatch, tmp_path, "sources: {stripe: landing/stripe}\n")
    assert next_step() == ""
