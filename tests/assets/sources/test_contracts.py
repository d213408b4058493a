"""Every system's contract hangs together."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from assets.sources import all_sources
from pipelines.database import placed
from pipelines.extraction.checking import rule_columns
from pipelines.extraction.configuration import known_sources
from pipelines.extraction.loading.schema_changes import prepare_schema
from pipelines.extraction.loading.state import contract_fingerprint
from pipelines.extraction.recognition import find_files, known_share

ENTITIES = [(source, entity) for source in all_sources() for entity in source.entities]


def test_every_file_is_a_source_of_its_own_name():
    assert [source.name for source in all_sources()] == known_sources()


@pytest.mark.parametrize(
    ("source", "entity"), ENTITIES, ids=[f"{source.name}.{entity.name}" for source, entity in ENTITIES]
)
def test_a_contract_mentions_only_its_own_columns(source, entity):
    mentioned = [*entity.key, *entity.required, entity.version, entity.time]
    assert {name for name in mentioned if name} <= set(entity.columns)
    with duckdb.connect() as connection:
        prepare_schema(connection, source)
        for reason, condition in entity.rules.items():
            assert rule_columns(entity, condition), reason
            connection.execute(f'select count(*) from raw_{source.name}."{entity.name}" where {condition}')
        if entity.time:
            kinds = {"timestamp": "timestamp", "date": "date", "epoch_s": "bigint", "epoch_ms": "bigint"}
            assert entity.columns[entity.time] == kinds[entity.time_unit]


@pytest.mark.parametrize(
    ("source", "entity"), ENTITIES, ids=[f"{source.name}.{entity.name}" for source, entity in ENTITIES]
)
def test_references_are_keys_of_one_column(source, entity):
    keys = {f"{source.name}.{entity.name}": entity.key for source, entity in ENTITIES}
    assert set(entity.references) <= set(entity.columns)
    for targets in entity.references.values():
        assert [len(keys[".".join(placed(target, source.name))]) for target in targets] == [1] * len(targets)
    # A reference is no reason to load a file again.
    assert contract_fingerprint(entity) == contract_fingerprint(replace(entity, references={}))


def test_the_labels_of_a_zendesk_views_export_are_known(tmp_path: Path):
    (zendesk,) = (source for source in all_sources() if source.name == "zendesk")
    columns = ["Ticket status", "ID", "Subject", "Requested", "Updated", "Solved", "Priority", "Ticket type", "Via"]
    (tmp_path / "export-2026-06-01.csv").write_text(f"{','.join(columns)}\nOpen,1,Help,,,,,,\n")
    claims = find_files(tmp_path, zendesk.entities)
    assert [file.name for file in claims.files["ticket"]] == ["export-2026-06-01.csv"]
    (ticket,) = (entity for entity in zendesk.entities if entity.name == "ticket")
    assert known_share(ticket, columns) == (len(columns), 1.0)
