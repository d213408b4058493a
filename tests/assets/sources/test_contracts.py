"""Every system's contract hangs together."""

import duckdb
import pytest

from assets.sources import all_sources
from pipelines.extraction.checking import rule_columns
from pipelines.extraction.configuration import known_sources
from pipelines.extraction.loading.schema_changes import prepare_schema

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
