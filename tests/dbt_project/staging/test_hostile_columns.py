"""Whatever a raw table's columns are called: each passes to staging under a safe name of its own, and keeps it."""

import re
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipelines.database import quoted
from tests.dbt_project.warehouses import build, source, table, write_raw

HOSTILE = [
    '"); drop table main.canary; --',
    "'); drop table main.canary; --",
    '" from (select 1) as x; create table main.pwned as select 1; --',
    "{{ run_query('drop table main.canary') }}",
    "{% do run_query('drop table main.canary') %}",
    *["select", "rowid", "null", "true", "1", "2025-01-01", "loaded_at", "custom_tier"],
    *["Tier__c", "tier", "TIER!", "t-i-e-r", "tier ", "Größe", "größe", "GRÖSSE", "名前", "имя", "?", "??", "\u212aey"],
    *['"', '""', "'", "`", "\\", "\\'", ";", "--", "/*", "*/", "\n", "a\nb", "\r", "\t", " ", "%s", "$1", "?1", ":x"],
    *["x" * 300, "é" * 300, "<script>", "😀", "a\u0301", "\u202edrop"],
]
TABLES = {
    "salesforce.lead": "stg_salesforce__leads",
    "salesforce.account": "stg_salesforce__accounts",
    "stripe.customer": "stg_stripe__accounts",
    "web.session": "stg_web__visits",
    "zendesk.ticket": "stg_zendesk__tickets",
    "hubspot.contact": "stg_hubspot__contacts",
    "product.workspace": "stg_product__accounts",
}
NAMES = st.lists(
    st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    min_size=8,
    max_size=30,
)


def new_names(drawn: list[str], taken: set[str]) -> list[str]:
    """Those of the names that a table can have besides the columns that it has, and that are not the loader's own."""
    chosen = []
    for name in drawn:
        folded = re.sub("[A-Z]", lambda letter: letter[0].lower(), name)
        if folded not in taken and not name.startswith("_"):
            taken.add(folded)
            chosen.append(name)
    return chosen


def add_columns(warehouse: Path, columns: dict[str, list[str]]) -> None:
    """Give raw tables these columns, each filled with its own name."""
    with duckdb.connect(str(warehouse)) as connection:
        for raw, names in columns.items():
            system, entity = raw.split(".")
            for name in names:
                into = f"{quoted(f'raw_{system}', entity)}"
                connection.execute(f"alter table {into} add column {quoted(name)} varchar")
                connection.execute(f"update {into} set {quoted(name)} = ?", [name])


def custom_columns(warehouse: Path) -> dict[str, dict[str, str]]:
    """For each raw table the custom columns of its staging view, each with the vendor's name that it is filled with."""
    rows = {raw: table(warehouse, f"select * from staging.{view}")[0] for raw, view in TABLES.items()}
    return {
        raw: {name: value for name, value in row.items() if name.startswith("custom_")} for raw, row in rows.items()
    }


@pytest.mark.slow
@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=st.tuples(*[NAMES] * len(TABLES)), later=st.tuples(*[NAMES] * len(TABLES)))
def test_every_column_passes_under_a_safe_name_that_it_keeps(
    tmp_path_factory: pytest.TempPathFactory, first: tuple[list[str], ...], later: tuple[list[str], ...]
):
    warehouse = tmp_path_factory.mktemp("hostile") / "warehouse.duckdb"
    write_raw(warehouse, {raw: [{}] for raw in TABLES}, "2025-06-30")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create table main.canary as select 'sings' as canary")
    taken, before, columns = {}, {raw: {} for raw in TABLES}, {raw: [] for raw in TABLES}
    for raw in TABLES:
        system, name = raw.split(".")
        (entity,) = (entity for entity in source(system).entities if entity.name == name)
        taken[raw] = {column.lower() for column in entity.columns}
    for drawn in (first, later):
        added = {raw: new_names([*names, *HOSTILE[:3]], taken[raw]) for raw, names in zip(TABLES, drawn, strict=True)}
        add_columns(warehouse, added)
        build(warehouse, select=" ".join(TABLES.values()), command="run")
        for raw, custom in custom_columns(warehouse).items():
            columns[raw] += added[raw]
            assert sorted(custom.values()) == sorted(columns[raw])
            assert all(re.fullmatch("custom_[a-z0-9_]+", name) for name in custom)
            assert custom.items() >= before[raw].items(), "a column that came later renamed another"
            before[raw] = custom
    assert table(warehouse, "select canary from main.canary") == [{"canary": "sings"}]
    assert table(warehouse, "select table_name from duckdb_tables() where table_name = 'pwned'") == []
