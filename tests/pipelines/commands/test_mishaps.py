"""A full disk, a folder that nobody may write, files that are damaged: one line and exit code 1, never a traceback."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from typer.testing import CliRunner, Result

from pipelines.commands.main import app
from pipelines.commands.mishaps import in_words
from pipelines.commands.running import failures
from pipelines.publishing.release import build_release
from pipelines.registry.fits import record_fit
from tests.pipelines.publishing.test_release import NOW, Company


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases."""
    company = Company(tmp_path_factory.mktemp("template") / "data")
    company.write("drop table published.model_runs")
    company.write("create table published.wide as select range as id, md5(range::varchar) as name from range(30000)")
    with duckdb.connect(str(company.warehouse)) as connection:
        record_fit(connection, model="m", run_id="1", started_at=NOW, rows=3, status="skipped", reason="too few")
    for number in range(2):
        paths = company.warehouse, company.published, company.releases
        build_release(*paths, lambda _: [], f"run {number}", NOW + timedelta(minutes=number))
    return company.published.parent


@pytest.fixture
def data(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data = Path(shutil.copytree(template, tmp_path / "data"))
    (tmp_path / "sources.yaml").write_text("sources: {stripe: landing/stripe}\n")
    monkeypatch.setenv("SCORECAST_DATA", str(data))
    monkeypatch.setenv("SCORECAST_SOURCES", str(tmp_path / "sources.yaml"))
    return data


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def fails_in_a_line(*arguments: str) -> str:
    result = call(*arguments)
    told = result.output.strip()
    assert (result.exit_code, told.count("\n")) == (1, 0), told
    return told


def truncate(path: Path, share: float = 0.5) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))


def error_of(call: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


def full_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table runs (body blob)")
    connection.execute("pragma max_page_count = 2")
    connection.execute("insert into runs values (zeroblob(100000))")


def full_device(path: Path) -> None:
    with open("/dev/full", "wb", buffering=0) as file:
        file.write(b"one byte too many")


def read_only_sqlite(path: Path) -> None:
    sqlite3.connect(path).execute("create table runs (body blob)")
    sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("insert into runs values (1)")


def damaged_sqlite(path: Path) -> None:
    path.write_text("gone " * 1_000)
    sqlite3.connect(path).execute("select * from runs")


@pytest.mark.parametrize(
    ("happen", "words"),
    [
        (full_sqlite, "free some space and run again."),
        (full_device, "free some space and run again."),
        (read_only_sqlite, "cannot be read or written by this user (readonly database)."),
        (damaged_sqlite, "dagster, where Dagster writes what ran, is damaged. Move it away and run again;"),
        (lambda path: path.read_text(), "run: No such file or directory."),
    ],
    ids=["a full SQLite file", "a full disk", "a read-only SQLite file", "a damaged SQLite file", "a file that went"],
)
def test_what_the_system_says_is_told_with_what_to_do(data: Path, happen: Callable[[Path], None], words: str):
    problem = error_of(lambda: happen(data / "run"))
    told = in_words(problem)
    assert words in told
    assert "\n" not in told
    wrapped = RuntimeError("a step failed")
    wrapped.__cause__ = problem
    assert in_words(wrapped) == told


def test_a_mistake_in_the_program_keeps_its_traceback(data: Path):
    with duckdb.connect() as connection:
        problems = [error_of(partial(connection.execute, query)) for query in ("selec 1", "from nowhere")]
    for problem in (*problems, KeyError("name"), ValueError("No such thing"), BrokenPipeError(32, "Broken pipe")):
        assert in_words(problem) is None


def test_a_damaged_release_is_told_and_rollback_puts_the_kept_one_in_its_place(data: Path):
    assert call("status").exit_code == 0
    newest = sorted((data / "releases").glob("*.duckdb"))[-1].stem
    truncate(data / "published.duckdb")
    status = call("status")
    assert status.exit_code == 1
    first = status.stdout.splitlines()[0]
    assert first.startswith("! published.duckdb is damaged (")
    assert f"the kept release {newest} takes its place. `scorecast run` publishes a good file again" in first
    assert f"Kept: release {newest}" in " ".join(status.stdout.split())
    assert "Query it" not in status.stdout
    models = call("models")
    assert models.exit_code == 0
    assert "! published.duckdb is damaged (" in models.stdout
    told = fails_in_a_line("sql", "select sum(length(name)) from wide")
    assert told == (
        f"{data / 'published.duckdb'} is damaged. `scorecast run` publishes a good file again, `scorecast rollback` the"
        " newest kept release at once."
    )
    assert call("rollback").exit_code == 0
    assert call("status").exit_code == 0
    assert call("sql", "select sum(length(name)) from wide").exit_code == 0


def test_a_lost_release_is_told(data: Path):
    (data / "published.duckdb").unlink()
    told = fails_in_a_line("sql", "select 1")
    assert told.startswith("published.duckdb is not there; the kept release ")
    assert "`scorecast rollback`" in told


def test_where_no_release_can_be_read_every_command_says_so(data: Path):
    for path in (data / "published.duckdb", *(data / "releases").glob("*.duckdb")):
        truncate(path)
    assert "so a new history begins" in fails_in_a_line("status")
    assert "There is no release to go back to: published.duckdb is damaged" in fails_in_a_line("rollback")
    assert "published.duckdb is damaged" in fails_in_a_line("sql", "select sum(length(name)) from wide")


def test_a_damaged_warehouse_is_told_with_the_way_back(data: Path):
    warehouse = data / "warehouse.duckdb"
    truncate(warehouse, share=0.01)
    way_back = f"mv {warehouse} {warehouse}.damaged"
    assert way_back in fails_in_a_line("models")
    assert way_back in fails_in_a_line("sql", "--warehouse", "select 1")
    assert call("status").exit_code == 0


def test_steps_that_fail_for_one_reason_are_told_in_one_line(data: Path):
    truncate(data / "warehouse.duckdb", share=0.01)

    def asset(name: str) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def read() -> None:
            duckdb.connect(str(data / "warehouse.duckdb")).close()

        return read

    @dg.asset
    def other() -> None:
        raise ValueError("something else")

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([asset("one"), asset("two"), other], instance=instance, raise_on_error=False)
    told = failures(result.all_events)
    assert len(told) == 2
    (damaged,) = (line for line in told if "is damaged" in line)
    assert damaged.startswith(f"one, two: {data / 'warehouse.duckdb'} is damaged. Move it away")
    assert any(line.startswith("other: ") and line.endswith("something else") for line in told)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read: Is a directory."),
        (lambda path: path.write_bytes("sources: {}  # für\n".encode("latin-1")), "is not UTF-8 text (byte 16)."),
    ],
    ids=["a folder", "another encoding"],
)
def test_a_configuration_that_cannot_be_read_is_told(data: Path, spoil: Callable[[Path], object], words: str):
    path = data.parent / "sources.yaml"
    spoil(path)
    for command in ("status", "sample"):
        assert fails_in_a_line(command).startswith(f"{path} {words}")


@pytest.mark.skipif(not Path("/sys/kernel").exists(), reason="a folder that not even root may write")
def test_a_folder_that_nobody_may_write_is_told(data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCORECAST_DATA", "/sys/kernel/scorecast")
    for command in (("run",), ("backfill", "--from", "2026-06-01", "--to", "2026-06-30")):
        told = fails_in_a_line(*command)
        assert told.startswith("/sys/kernel/scorecast")
        assert "cannot be read or written by this user" in told


def scorecast(*arguments: str, most_bytes: int | None = None, stdout: int | None = subprocess.PIPE) -> tuple[int, str]:
    """Exit code and what was said, of a process whose files may not grow beyond a size."""

    def limit() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    command = [sys.executable, "-m", "pipelines.commands.main", *arguments]
    ended = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, preexec_fn=limit, timeout=300)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("most_bytes", [0, 50_000], ids=["at once", "in Dagster's own files"])
def test_a_run_on_a_full_disk_ends_in_a_line(data: Path, most_bytes: int):
    before = (data / "published.duckdb").read_bytes()
    code, said = scorecast("run", most_bytes=most_bytes)
    assert code == 1
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1, said
    assert "run again" in said
    assert (data / "published.duckdb").read_bytes() == before


def test_a_rollback_on_a_full_disk_ends_in_a_line(data: Path):
    before = (data / "published.duckdb").read_bytes()
    code, said = scorecast("rollback", most_bytes=200_000)
    assert (code, len(said.strip().splitlines())) == (1, 1), said
    assert "is too full for a release" in said
    assert (data / "published.duckdb").read_bytes() == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a file that is always full")
def test_output_that_cannot_be_written_is_no_success(data: Path):
    with open("/dev/full", "w") as full:
        code, said = scorecast("sql", "--csv", "select id from wide limit 3", stdout=full.fileno())
    assert (code, len(said.strip().splitlines())) == (1, 1), said
    assert "could not be written" in said
