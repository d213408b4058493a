"""The data folder may be called almost anything; what cannot work is refused in one line before anything is written."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from pipelines.commands.common import prepare_instance
from pipelines.database import connect
from pipelines.settings import UnusableFolder, data_dir, project_root, warehouse_path
from pipelines.transformation.building import run_dbt
from pipelines.warehouse import Warehouse

ODD = 'p$HOME ${HOME}: o\'b "q" [x] {{y}} 100% ü & ~;'


@pytest.mark.parametrize("name", ["C#", "why?", "a%20b", "two\nlines"])
def test_a_name_that_others_read_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path / name / "data"))
    with pytest.raises(UnusableFolder, match="Rename the folder, or set SCORECAST_DATA to another one") as refused:
        data_dir()
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("command", [["run", "daily"], ["status"], ["sample"], ["sql", "select 1"]])
def test_every_command_refuses_it_in_one_line_and_writes_nothing(tmp_path: Path, command: list[str]):
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.commands.main", *command],
        cwd=project_root(),
        env={**os.environ, "SCORECAST_DATA": str(tmp_path / "C#")},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (1, 2)
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith(f"The data folder cannot be '{tmp_path}/C#': dbt, DuckDB and SQLite do not take '#'")
    assert list(tmp_path.iterdir()) == []


def test_dagster_and_the_warehouse_work_in_a_folder_with_an_odd_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path / ODD))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    home = prepare_instance()

    @dg.asset
    def numbers(warehouse: Warehouse) -> None:
        with warehouse.connect() as connection:
            connection.execute("create table numbers as select 1 as n")

    with dg.DagsterInstance.get() as instance:
        run = dg.materialize([numbers], resources={"warehouse": Warehouse()}, instance=instance)
        assert run.success
        assert instance.get_latest_materialization_event(dg.AssetKey("numbers")).run_id == run.run_id
    assert (home / "history" / "runs" / f"{run.run_id}.db").exists()
    assert [path.name for path in tmp_path.iterdir()] == [ODD]
    with connect(warehouse_path(), read_only=True) as connection:
        assert connection.execute("from numbers").fetchall() == [(1,)]


@pytest.mark.slow
def test_dbt_works_in_a_folder_with_an_odd_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path / ODD))
    (tmp_path / ODD).mkdir()
    query = "select current_database() as name"
    shown = run_dbt("show", "--inline", query, target_dir=tmp_path / ODD / "dbt", capture=True)
    assert shown.returncode == 0, shown.stdout[-2000:]
    assert "| warehouse" in shown.stdout
    assert warehouse_path().exists()
