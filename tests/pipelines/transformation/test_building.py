"""dbt in a process of its own: parsed ahead, told what to build, gone when the run is gone."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from pipelines.extraction.money import MoneySettings, write_money_settings
from pipelines.settings import project_root
from pipelines.transformation import building as transformation
from pipelines.transformation.building import (
    BUILT,
    LEAST_MEMORY,
    MANIFEST,
    STAMP,
    DbtWorker,
    dbt_environment,
    ensure_manifest,
    is_built,
    is_current,
    keep_manifest,
    memory_limit,
    needs_much_memory,
)

PARENT = """
import sys
from pipelines.transformation.building import DbtWorker
for line in DbtWorker().run("build", "--select", "time_spine"):
    print(line, end="", flush=True)
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    return tmp_path


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
def test_a_worker_parses_builds_lets_go_of_the_file_and_builds_again(data: Path, monkeypatch: pytest.MonkeyPatch):
    worker = DbtWorker()
    worker.wait_until_parsed()
    assert (data / "dbt" / MANIFEST).exists()
    said = "".join(worker.run("build", "--select", "stg_salesforce__accounts", "--log-format", "json"))
    assert "stg_salesforce__accounts" in said
    with duckdb.connect(str(data / "warehouse.duckdb")) as connection:  # others may write between two commands
        assert connection.execute("select count(*) from staging.stg_salesforce__accounts").fetchone() == (0,)
        connection.execute("create schema raw_zendesk")
        connection.execute("create table raw_zendesk.ticket as select '1' as id")
    "".join(worker.run("run", "--select", "stg_zendesk__tickets", "--log-format", "json"))
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("select ticket_id from staging.stg_zendesk__tickets").fetchall() == [("1",)]
    assert worker.is_ready
    worker.close()
    assert not worker.is_ready
    for name in (MANIFEST, "partial_parse.msgpack"):
        with (data / "dbt" / name).open("r+b") as file:
            file.truncate(1000)
    has_parsed = SimpleNamespace(wait_until_parsed=lambda: None)
    monkeypatch.setattr(transformation, "_waiting", has_parsed)  # before the damage
    assert "nodes" in json.loads(ensure_manifest().read_text())


@pytest.mark.parametrize("damaged", [MANIFEST, STAMP])
@pytest.mark.parametrize("content", [b"", b'{"nodes": {', b"\xff\xfe", None])
def test_a_manifest_that_is_damaged_is_made_anew(tmp_path: Path, damaged: str, content: bytes | None):
    (tmp_path / "manifest.json").write_text('{"nodes": {}}')
    keep_manifest(tmp_path, "f1")
    assert is_current(tmp_path, "f1") and not is_current(tmp_path, "f2")
    if content is None:
        (tmp_path / damaged).unlink()
    else:
        (tmp_path / damaged).write_bytes(content)
    assert not is_current(tmp_path, "f1")
    keep_manifest(tmp_path, "f1")
    assert is_current(tmp_path, "f1")
    assert (tmp_path / MANIFEST).read_text() == '{"nodes": {}}'


def test_half_a_manifest_is_not_kept(tmp_path: Path):
    (tmp_path / "manifest.json").write_text('{"nodes": {')
    with pytest.raises(transformation.ProjectMistake, match="not whole"):
        keep_manifest(tmp_path, "f1")
    assert not (tmp_path / MANIFEST).exists()


def test_a_stamp_that_cannot_be_read_stands_for_nothing(data: Path):
    (data / "dbt").mkdir()
    (data / "dbt" / BUILT).write_bytes(b"\xff")
    assert not is_built()


@pytest.mark.parametrize("results", [None, b"", b'{"results": [', b"{}"])
def test_results_that_cannot_be_read_are_told_in_dbts_words(
    data: Path, monkeypatch: pytest.MonkeyPatch, results: bytes | None
):
    class Worker:
        fingerprint = "f1"

        def run(self, *arguments: str) -> Iterator[str]:
            (data / "dbt").mkdir()
            if results is not None:
                (data / "dbt" / "run_results.json").write_bytes(results)
            yield "No space left on device\n"

        def close(self) -> None:
            pass

    monkeypatch.setattr(transformation, "_take_worker", Worker)
    with pytest.raises(RuntimeError, match="No space left on device"):
        list(transformation.build())
    assert not is_built()


@pytest.mark.slow
def test_a_project_that_does_not_parse_is_told_in_dbts_words(data: Path, tmp_path: Path):
    project = tmp_path / "project"
    (project / "models" / "core").mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml"):
        (project / name).write_text((project_root() / "dbt_project" / name).read_text())
    (project / "models" / "core" / "broken.sql").write_text("select * from {{ ref('nothing') }}")
    with pytest.raises(RuntimeError, match="nothing"):
        DbtWorker(project).wait_until_parsed()


@pytest.mark.slow
def test_dbt_goes_when_the_run_is_killed(data: Path):
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=project_root(), stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (found := children(parent.pid)) and time.monotonic() < until:
        time.sleep(0.05)
    (dbt,) = found
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    while is_running(dbt) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_running(dbt)


def test_memory_grows_with_the_warehouse_and_a_setting_rules(data: Path, monkeypatch: pytest.MonkeyPatch):
    warehouse = data / "warehouse.duckdb"
    least = f"{LEAST_MEMORY // 2**20}MiB"
    assert memory_limit(warehouse) == least
    with warehouse.open("wb") as file:
        file.truncate(100 * 2**20)
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    assert memory_limit(warehouse) == f"{max(LEAST_MEMORY, min(1500 * 2**20, half)) // 2**20}MiB"
    monkeypatch.setenv("SCORECAST_MEMORY", "3GB")
    assert memory_limit(warehouse) == "3GB"


@pytest.mark.parametrize(("mebibytes", "before", "after"), [(10, False, False), (60, True, False), (140, True, True)])
def test_the_first_build_takes_more_memory_than_the_file_is_large(
    data: Path, mebibytes: int, before: bool, after: bool
):
    warehouse = data / "warehouse.duckdb"
    assert not needs_much_memory(warehouse)
    with warehouse.open("wb") as file:
        file.truncate(mebibytes * 2**20)
    assert needs_much_memory(warehouse) is before
    (data / "dbt").mkdir()
    (data / "dbt" / BUILT).write_text("built")
    assert needs_much_memory(warehouse) is after


def test_dbt_need_not_parse_anew_because_the_warehouse_has_grown(data: Path):
    before = dbt_environment()
    with (data / "warehouse.duckdb").open("wb") as file:
        file.truncate(1000 * 2**20)
    assert dbt_environment() == before


def test_what_the_tree_declares(tmp_path: Path):
    staging = tmp_path / "models" / "staging" / "crm"
    staging.mkdir(parents=True)
    (tmp_path / "models" / "core" / "sales").mkdir(parents=True)
    (staging / "stg_crm__deals.sql").touch()
    (tmp_path / "models" / "core" / "sales" / "deals.sql").touch()
    (tmp_path / "models" / "features").mkdir()
    for name in ("deal_snapshots", "deal_outcomes"):
        (tmp_path / "models" / "features" / f"{name}.sql").touch()
    declared = transformation.project_variables(tmp_path)
    assert {code: declared["currency_decimals"][code] for code in ("EUR", "JPY", "KWD")} == {
        "EUR": 2,
        "JPY": 0,
        "KWD": 3,
    }
    assert {name: declared[name] for name in ("staging_models", "core_models", "snapshot_models")} == {
        "staging_models": {"deals": ["stg_crm__deals"]},
        "core_models": ["deals"],
        "snapshot_models": ["deal_snapshots"],
    }


@pytest.mark.slow
def test_tables_that_grow_are_built_anew_once_when_rows_were_forgotten(data: Path, tmp_path: Path, monkeypatch):
    project = tmp_path / "project"
    (project / "models" / "core").mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml"):
        (project / name).write_text((project_root() / "dbt_project" / name).read_text())
    shutil.copytree(project_root() / "dbt_project" / "macros", project / "macros")
    (project / "models" / "core" / "visits.sql").write_text(
        "{{ config(materialized='incremental') }} select id from raw_web.visit"
        "{% if is_incremental() %} where id > (select max(id) from {{ this }}){% endif %}"
    )

    def visits(ids: str) -> list[int]:
        with duckdb.connect(str(data / "warehouse.duckdb")) as connection:
            connection.execute("create schema if not exists raw_web")
            connection.execute(f"create or replace table raw_web.visit as select unnest([{ids}]) as id")
        monkeypatch.setattr(transformation, "_waiting", DbtWorker(project))
        assert {result.status for result in transformation.build()} == {"success"}
        with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as connection:
            return [id_ for (id_,) in connection.execute("select id from core.visits order by 1").fetchall()]

    assert visits("1, 2, 3") == [1, 2, 3]
    transformation.ask_full_refresh()
    assert visits("1, 3") == [1, 3]
    assert not (data / "dbt" / transformation.FULL_REFRESH).exists()


def test_tables_that_grow_are_built_anew_when_what_they_are_made_by_changes(data: Path, monkeypatch):
    asked = data / "dbt" / transformation.FULL_REFRESH

    def is_asked(project: str, money: MoneySettings = MoneySettings()) -> bool:
        asked.unlink(missing_ok=True)
        with duckdb.connect(str(data / "warehouse.duckdb")) as connection:
            write_money_settings(connection, money)
        monkeypatch.setattr(transformation, "fingerprint", lambda: project)
        transformation.refresh_what_was_made_otherwise()
        return asked.exists()

    assert not is_asked("first"), "nothing is built yet"
    assert not is_asked("first")
    assert is_asked("second")
    assert not is_asked("second")
    assert is_asked("second", MoneySettings(free_plans=True))
    assert is_asked("second", MoneySettings(free_plans=True, by_source={"salesforce": "EUR"}))
    assert not is_asked("second", MoneySettings(free_plans=True, by_source={"salesforce": "EUR"}))
    (data / "dbt" / transformation.GROWN).unlink()
    (data / "dbt" / BUILT).write_text("of an older version")
    assert is_asked("second", MoneySettings(free_plans=True, by_source={"salesforce": "EUR"}))
