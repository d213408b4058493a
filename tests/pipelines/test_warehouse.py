"""The warehouse's file within a run: opened once, given to others on request, and opened anew after an error."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from pipelines import warehouse as module
from pipelines.settings import warehouse_path
from pipelines.warehouse import Warehouse


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The paths that were opened, in a data folder of its own."""
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    paths: list[Path] = []

    def noted(path: Path) -> duckdb.DuckDBPyConnection:
        paths.append(path)
        return real(path)

    real = module.opened
    monkeypatch.setattr(module, "opened", noted)
    return paths


def can_be_opened_by_others() -> bool:
    """Whether another process can write the file now."""
    look = f"import duckdb; duckdb.connect({str(warehouse_path())!r}).execute('from numbers')"
    return subprocess.run([sys.executable, "-c", look], capture_output=True, check=False).returncode == 0


def test_steps_of_a_run_share_an_open_file_that_is_closed_for_others_and_at_the_end(opened: list[Path]):
    seen = {}

    @dg.asset
    def numbers(warehouse: Warehouse) -> None:
        with warehouse.connect() as connection:
            connection.execute("create table numbers as select 1 as n")
            connection.execute("create temp table own as select 1 as n")

    @dg.asset(deps=[numbers])
    def read(warehouse: Warehouse) -> None:
        with warehouse.connect() as connection:
            seen["rows"] = connection.execute("from numbers").fetchall()
            seen["own"] = connection.execute("select count(*) from duckdb_tables() where temporary").fetchone()

    @dg.asset(deps=[read])
    def given(warehouse: Warehouse) -> None:
        warehouse.close()
        seen["others"] = can_be_opened_by_others()

    assert dg.materialize([numbers, read, given], resources={"warehouse": Warehouse()}).success
    assert seen == {"rows": [(1,)], "own": (0,), "others": True}
    assert len(opened) == 1
    assert can_be_opened_by_others()


def test_what_a_failed_step_began_is_undone_and_the_next_opens_the_file_anew(opened: list[Path]):
    held = Warehouse()

    @dg.op
    def steps(warehouse: Warehouse) -> None:
        with warehouse.connect() as connection:
            connection.execute("create table numbers as select 1 as n")
        with pytest.raises(duckdb.CatalogException), warehouse.connect() as connection:
            connection.execute("begin")
            connection.execute("insert into numbers values (2)")
            connection.execute("from nowhere")
        with warehouse.connect() as connection:
            assert connection.execute("from numbers").fetchall() == [(1,)]

    @dg.job(resource_defs={"warehouse": held})
    def job():
        steps()

    assert job.execute_in_process().success
    assert len(opened) == 2


def test_without_a_run_the_file_is_closed_after_each_use(opened: list[Path]):
    with Warehouse().connect() as connection:
        connection.execute("create table numbers as select 1 as n")
    assert can_be_opened_by_others()
    assert opened == []
