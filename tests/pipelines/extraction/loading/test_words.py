"""A word that the vendor added yesterday is told once."""

import importlib
import re
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading.load import load_source
from pipelines.settings import dbt_project_dir

TICKET = Entity(
    "ticket",
    "A ticket.",
    {"id": "varchar", "status": "varchar"},
    ("id",),
    words={"status": ("open", "on_hold")},
)


@pytest.fixture
def notices(tmp_path: Path):
    with duckdb.connect() as connection:

        def load(name: str, content: str, day: int) -> tuple[str, ...]:
            (tmp_path / name).write_text(content)
            (report,) = load_source(connection, Source("desk", "A desk.", (TICKET,)), tmp_path, datetime(2026, 6, day))
            return report.notices

        yield load


def test_a_new_word_is_told_with_its_rows_when_it_first_appears(notices):
    assert notices("ticket-1.csv", "id,status\n1,open\n2, On-Hold \n3,\n", 1) == ()
    new = "desk.ticket: status has words that are not known: 'waiting' (2), 'ringing' (1). They count as 'other'."
    assert notices("ticket-2.csv", "id,status\n4,Waiting\n5,waiting\n6,ringing\n7,open\n", 2) == (new,)
    assert notices("ticket-3.csv", "id,status\n8,waiting\n", 3) == ()
    assert notices("ticket-3.csv", "id,status\n8,waiting\n9,lost\n", 4) == (
        "desk.ticket: status has words that are not known: 'lost' (1). They count as 'other'.",
    )


def core_words() -> set[tuple[str, ...]]:
    """The lists of words in core's SQL."""
    models = [path.read_text() for path in sorted((dbt_project_dir() / "models" / "core").rglob("*.sql"))]
    lists = [found for text in models for found in re.findall(r"one_of\('[\w.]+', \[(.*?)\]\)", text)]
    return {tuple(re.findall(r"'(\w+)'", found)) for found in lists}


@pytest.mark.parametrize("name", ["zendesk", "stripe", "salesforce", "hubspot"])
def test_the_words_of_contracts_are_those_that_core_knows(name: str):
    source = getattr(importlib.import_module(f"assets.sources.{name}"), name)
    declared = {(entity.name, column): known for entity in source.entities for column, known in entity.words.items()}
    assert declared
    for place, known in declared.items():
        assert any(set(words) <= set(known) for words in core_words()), place
