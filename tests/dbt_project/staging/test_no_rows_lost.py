"""A raw table that is there is never taken as absent; if a staging view has lost its rows, nothing is made of it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipelines.settings import dbt_project_dir, project_root
from pipelines.transformation.building import dbt_environment, dbt_options
from tests.dbt_project.parsed_dbt import run_dbt
from tests.dbt_project.warehouses import source, table, write_raw

BUILDS = 3
"""Each loses about one view where dbt's cache is asked."""
REPEATED_BUILDS = """
import json
import sys
import time

from dbt.adapters.cache import RelationsCache
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

builds, options = int(sys.argv[1]), sys.argv[2:]
add = RelationsCache.add


def slow_add(cache, relation):
    add(cache, relation)
    time.sleep(0.02)  # other threads find the schema known, and only part of it there


RelationsCache.add = slow_add
manifest = dbtRunner().invoke(["parse", "--quiet", *options]).result
for _ in range(builds):
    result = dbtRunner(manifest=manifest).invoke(["run", "--quiet", "--select", "staging", *options]).result
    print(json.dumps([[view.node.name, view.status, "where false" in view.node.compiled_code] for view in result]))
    DuckDBConnectionManager.close_all_connections()
"""
LOSES_ROWS = """
{% macro some_columns(relation) %}
    {{ return([] if relation.schema in ('raw_other', 'raw_salesforce') else columns_if_there(relation)) }}
{% endmacro %}
"""
OTHER_LEADS = """
with leads as (
    {{ raw_columns(source('raw_other', 'people'), {'lead_id': ['id', 'string'], 'known_at': ['seen', 'timestamp']}) }}
)
select * from leads
"""
WITH_LOOKUP = """
with deals as (
    {{ raw_columns(source('raw_other', 'deals'), {
        'opportunity_id': ['id', 'string'],
        'product': ['product', 'string'],
    }) }}
),
products as (
    {{ raw_columns(source('raw_other', 'products'), {'product': ['id', 'string']}) }}
)
select deals.* from deals left join products on deals.product = products.product
"""
OTHER_SOURCES = """
sources: [{name: raw_other, tables: [{name: people}, {name: deals}, {name: products}]}]
"""


def one_row_each() -> dict[str, list[dict]]:
    """A row without values for every raw table of every source."""
    names = [path.stem for path in (project_root() / "assets" / "sources").glob("[!_]*.py")]
    return {f"{name}.{entity.name}": [{}] for name in names for entity in source(name).entities}


@pytest.mark.slow
def test_no_view_is_lost_while_dbt_lists_what_there_is(tmp_path: Path):
    warehouse = tmp_path / "warehouse.duckdb"
    write_raw(warehouse, one_row_each(), "2025-06-30")
    ended = subprocess.run(
        [sys.executable, "-c", REPEATED_BUILDS, str(BUILDS), *dbt_options(dbt_project_dir(), tmp_path / "target")],
        env={**os.environ, **dbt_environment(warehouse)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    builds = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(builds) == BUILDS
    assert [(number, name) for number, views in enumerate(builds) for name, _, is_lost in views if is_lost] == []
    assert {status for views in builds for _, status, _ in views} == {"success"}
    assert len(builds[0]) == len(list((dbt_project_dir() / "models" / "staging").glob("*/*.sql")))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with one more system in it."""
    project = tmp_path_factory.mktemp("project") / "dbt_project"
    shutil.copytree(dbt_project_dir(), project, ignore=shutil.ignore_patterns("target", "logs"))
    staging = project / "models" / "staging" / "other"
    staging.mkdir()
    (staging / "stg_other__leads.sql").write_text(OTHER_LEADS)
    (staging / "stg_other__opportunities.sql").write_text(WITH_LOOKUP)
    (staging / "_other.yml").write_text(OTHER_SOURCES)
    return project


@pytest.fixture(scope="module")
def stopped(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess]:
    """A warehouse, and how a build ended that took two systems as absent after one that did not."""
    folder = tmp_path_factory.mktemp("stopped")
    warehouse = folder / "warehouse.duckdb"
    write_raw(
        warehouse,
        {
            "salesforce.lead": [{"Id": "L1", "Company": "Acme", "SystemModstamp": "2025-06-01"}],
            "stripe.customer": [{"id": "cus_1", "created": 1735689600, "updated": 1735689600}],
        },
        "2025-06-30",
    )
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema raw_other")
        connection.execute("create table raw_other.people as select 'P1' as id, timestamp '2025-06-02' as seen")
        connection.execute("create table raw_other.products as select 'X' as id")
    options = {"project_dir": project, "warehouse": warehouse, "target_dir": folder / "target"}
    selected = ["--select", "staging", "+leads"]
    first = run_dbt("run", *selected, **options)
    assert first.returncode == 0, first.stdout[-6000:]
    (project / "macros" / "loses_rows.sql").write_text(LOSES_ROWS)
    raw_columns = project / "macros" / "raw_columns.sql"
    raw_columns.write_text(raw_columns.read_text().replace("columns_if_there(", "some_columns("))
    return warehouse, run_dbt("run", *selected, **options)


@pytest.mark.slow
def test_a_view_that_lost_its_rows_is_told_and_stops_what_is_made_of_it(stopped: tuple):
    warehouse, ended = stopped
    said = " ".join(ended.stdout.split())
    assert ended.returncode == 1
    for raw, view in (
        ("raw_salesforce.lead", "staging.stg_salesforce__leads"),
        ("raw_other.people", "staging.stg_other__leads"),
    ):
        assert f"{raw} has rows, but {view}, which is made of it, has none. Nothing is built from it." in said
    assert "SKIP relation core.leads" in said
    assert table(warehouse, "select lead_id from core.leads order by lead_id") == [{"lead_id": "L1"}, {"lead_id": "P1"}]
    assert table(warehouse, "select lead_id from staging.stg_salesforce__leads") == [{"lead_id": "L1"}]


@pytest.mark.slow
def test_a_view_may_be_empty_where_its_yaml_or_its_tables_say_so(stopped: tuple):
    warehouse, _ = stopped
    assert table(warehouse, "select * from staging.stg_stripe__contacts") == []
    assert table(warehouse, "select * from staging.stg_other__opportunities") == []
    assert table(warehouse, "select count(*) as n from staging.stg_stripe__accounts") == [{"n": 1}]
