"""The raw tables in a real Dagster instance."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from pipelines.commands.running import failure_reason
from pipelines.extraction.assets import FILES_CHECK, as_of_definitions, raw_definitions
from pipelines.extraction.contracts import Entity, Source

CMS = Source(
    name="cms",
    description="A site.",
    owner="team:marketing",
    entities=(
        Entity("article", "An article.", {"id": "varchar", "at": "timestamp"}, key=("id",), time="at"),
        Entity("author", "Who writes.", {"id": "varchar"}, key=("id",)),
    ),
)


class FileWarehouse(dg.ConfigurableResource):
    path: str

    @contextmanager
    def connect(self):
        with duckdb.connect(self.path) as connection:
            yield connection


@pytest.fixture
def company(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    configured = tmp_path / "sources.yaml"
    configured.write_text("sources:\n  cms: landing/cms\n")
    monkeypatch.setenv("SCORECAST_SOURCES", str(configured))
    folder = tmp_path / "landing" / "cms"
    (folder / "article").mkdir(parents=True)
    (folder / "article" / "1.csv").write_text("id,at,tone__c\na1,2024-05-01,warm\na1,2024-05-01,warm\n")
    (folder / "author.jsonl").write_text('{"id": "w1"}\n')
    return tmp_path


def definitions(folder: Path) -> dg.Definitions:
    return dg.Definitions.merge(
        raw_definitions([CMS]),
        as_of_definitions([CMS]),
        dg.Definitions(resources={"warehouse": FileWarehouse(path=str(folder / "warehouse.duckdb"))}),
    )


def run(folder: Path, selection: list | None = None) -> dg.ExecuteInProcessResult:
    defs = definitions(folder)
    (folder / "dagster").mkdir(exist_ok=True)
    with dg.DagsterInstance.local_temp(str(folder / "dagster")) as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(instance=instance, asset_selection=selection, raise_on_error=False)


def test_a_run_loads_the_tables_and_says_so(company):
    result = run(company)
    assert result.success
    found = {m.asset_key: m.metadata for m in (e.materialization for e in result.get_asset_materialization_events())}
    article = found[dg.AssetKey(["raw_cms", "article"])]
    assert (article["dagster/row_count"].value, article["new_rows"].value, article["quarantined"].value) == (1, 1, 1)
    columns = {column.name: column.type for column in article["dagster/column_schema"].value.columns}
    assert columns["tone__c"] == "varchar"
    assert columns["_line"] == "bigint"
    assert "tone__c: passed through as varchar" in article["schema_changes"].value
    assert found[dg.AssetKey(["raw_scorecast", "as_of"])]["as_of_date"].value == "2024-05-01"
    assert all(check.passed for check in result.get_asset_check_evaluations())


def test_one_table_can_be_loaded_alone(company):
    result = run(company, [dg.AssetKey(["raw_cms", "author"])])
    assert result.success
    assert [event.asset_key.path[-1] for event in result.get_asset_materialization_events()] == ["author"]


def test_a_file_that_cannot_be_read_warns_and_stops_nothing(company):
    (company / "landing" / "cms" / "article" / "2.csv").write_text("")
    for _ in range(2):
        result = run(company)
        assert result.success
        checks = {check.asset_key.path[-1]: check for check in result.get_asset_check_evaluations()}
        assert checks["author"].passed
        assert not checks["article"].passed
        assert checks["article"].severity == dg.AssetCheckSeverity.WARN
        assert "2.csv is empty (0 bytes)" in checks["article"].description


def test_a_missing_folder_warns_and_stops_nothing_when_something_is_loaded(company):
    assert run(company).success
    (company / "landing").rename(company / "moved")
    result = run(company)
    assert result.success
    check = result.get_asset_check_evaluations()[0]
    assert not check.passed
    assert str(company / "landing" / "cms") in check.description


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (None, "cms: {folder} is not there"),
        ({}, "cms: no file in {folder} is one of article, author"),
        ({"author.csv": "id\n"}, "cms: no file in {folder} is one of article, author"),
        ({"author.csv": ""}, "cms: none of its 1 files is read"),
        ({"article.csv": "id,at\na1,never\na2,never\n"}, "cms: all 2 rows of its files are put aside"),
    ],
)
def test_a_run_of_nothing_stops_before_anything_is_built_and_says_why(company, files, words):
    folder = company / "landing" / "cms"
    shutil.rmtree(folder)
    if files is not None:
        folder.mkdir()
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    result = run(company)
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_key == "raw_scorecast__as_of"
    assert words.format(folder=folder) in failure_reason(failed)


def test_rows_that_cannot_be_loaded_at_all_are_told_with_their_reason_as_long_as_they_lie_there(company):
    article = company / "landing" / "cms" / "article"
    (article / "2.csv").write_text("id,at\n1,05/03/2024\n2,2024-05-01\n")
    (article / "3.csv").write_text("id,at\n1,never\n2,never\n3,never\n")
    for _ in range(2):
        (check,) = [c for c in run(company).get_asset_check_evaluations() if c.asset_key.path[-1] == "article"]
        assert not check.passed
        assert check.description.splitlines() == [
            "cms/article/2.csv: 1 of 2 rows are put aside. at is not a time (2024-01-31 13:45:00): '05/03/2024' (day"
            " and month cannot be told apart: write `cms: {folder: ..., date_format: day_first}`, or month_first, in"
            " sources.yaml, or export dates as 2024-01-31)",
            "cms/article/3.csv: all 3 rows are put aside. at is not a time (2024-01-31 13:45:00): 'never'",
        ]
    (company / "sources.yaml").write_text("sources:\n  cms: {folder: landing/cms, date_format: day_first}\n")
    run(company)
    with duckdb.connect(str(company / "warehouse.duckdb")) as connection:
        found = connection.execute("select article.at::varchar from raw_cms.article where id = '1'").fetchall()
    assert found == [("2024-03-05 00:00:00",)]


def test_what_the_ui_shows(company):
    specs = {spec.key: spec for spec in definitions(company).resolve_all_asset_specs()}
    article = specs[dg.AssetKey(["raw_cms", "article"])]
    assert (article.group_name, article.owners, article.kinds) == ("cms", ["team:marketing"], {"duckdb"})
    assert article.description == "An article."
    deps = {dep.asset_key for dep in specs[dg.AssetKey(["raw_scorecast", "as_of"])].deps}
    assert deps == {dg.AssetKey(["raw_cms", "article"]), dg.AssetKey(["raw_cms", "author"])}
    load = definitions(company).resolve_assets_def(dg.AssetKey(["raw_cms", "article"]))
    assert load.op.pool == "warehouse"
    assert {key.name for key in load.check_keys} == {FILES_CHECK}


def test_a_source_that_is_not_configured_has_no_assets(company, monkeypatch):
    (company / "sources.yaml").write_text("sources:\n")
    assert not raw_definitions([CMS]).assets
