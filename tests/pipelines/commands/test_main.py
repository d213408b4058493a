"""The `scorecast` command: what it prints, its exit codes, and that a mistake is told in words, not by a traceback."""

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import dagster as dg
import duckdb
import pytest
from typer.testing import CliRunner, Result

from pipelines.commands.common import prepare_instance
from pipelines.commands.main import app
from pipelines.commands.run import Job
from pipelines.publishing.release import build_release
from pipelines.publishing.states import Release
from pipelines.schedules import SCHEDULES
from pipelines.settings import project_root
from pipelines.transformation.building import ProjectMistake

NOW = datetime(2026, 6, 29, 5, tzinfo=UTC)


class Company:
    """A data folder of its own, worked on by the commands that users type."""

    def __init__(self, data: Path, sources: Path):
        self.data, self.sources = data, sources
        self.published = data / "published.duckdb"
        self.releases: list[Release] = []

    def call(self, *arguments: str) -> Result:
        result = CliRunner().invoke(app, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def publish(self) -> Release:
        """A real release of two accounts, whose scores are the number of the release."""
        number = len(self.releases) + 1
        warehouse = self.data / "warehouse.duckdb"
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute(
                f"""
                create schema if not exists raw_scorecast;
                create schema if not exists published;
                create or replace table raw_scorecast.as_of as select date '2026-06-28' as as_of_date;
                create or replace table published.churn_scores as
                select
                    account_id, account_name, date '2026-06-28' as as_of_date, 0.5 as probability,
                    {number} as score, '[]' as reasons, 'v1' as model_version
                from (values ('a1', 'Acme, Inc.'), ('a2', 'Bolt')) as accounts (account_id, account_name);
                """
            )
        now = NOW + timedelta(minutes=number)
        folder = self.data / "releases"
        release = build_release(warehouse, self.published, folder, lambda connection: [], f"run {number}", now)
        self.releases.append(release)
        return release

    def scores(self) -> list[tuple]:
        with duckdb.connect(str(self.published), read_only=True) as connection:
            return connection.execute("select distinct score from churn_scores").fetchall()


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    data, sources = tmp_path / "data", tmp_path / "sources.yaml"
    data.mkdir()
    sources.write_text("sample:\n  accounts: 30\n  months: 2\nsources:\n  salesforce: landing/salesforce\n")
    monkeypatch.setenv("SCORECAST_DATA", str(data))
    monkeypatch.setenv("SCORECAST_SOURCES", str(sources))
    return Company(data, sources)


def test_without_a_command_it_lists_what_there_is(company: Company):
    told = company.call().output
    assert all(
        command in told
        for command in ("check", "run", "backfill", "ui", "sql", "export", "status", "rollback", "sample", "dbt")
    )


@pytest.mark.parametrize("arguments", [("sql",), ("sql", "select 1"), ("sql", "select 1", "--csv")])
def test_sql_before_the_first_release_says_what_to_type(company: Company, arguments: tuple[str, ...]):
    result = company.call(*arguments)
    assert result.exit_code == 1
    assert str(company.published) in result.stderr
    assert "make run" in result.stderr
    assert result.stdout == ""
    assert not company.published.exists()


def test_sql_prints_a_table(company: Company):
    company.publish()
    result = company.call("sql", "select account_name, score from published.churn_scores order by account_id")
    assert result.exit_code == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if "│" in line]
    assert rows == [["account_name", "score"], ["varchar", "int32"], ["Acme, Inc.", "1"], ["Bolt", "1"]]


def test_sql_prints_csv(company: Company):
    release = company.publish()
    result = company.call("sql", "--csv", "select * from churn_scores order by account_id")
    assert result.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["account_name"] for row in rows] == ["Acme, Inc.", "Bolt"]
    assert {row["release_id"] for row in rows} == {release.release_id}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("selec 1", "syntax error"),
        ("select * from churn_score", "churn_score does not exist"),
        ("select account_name::integer from churn_scores", "Could not convert string 'Acme, Inc.'"),
    ],
)
def test_a_broken_query_fails_in_the_words_of_duckdb(company: Company, query: str, words: str):
    company.publish()
    result = company.call("sql", query)
    assert result.exit_code == 1
    assert words in result.stderr
    assert result.stdout == ""


def test_sql_cannot_write_a_release(company: Company):
    company.publish()
    before = company.published.read_bytes()
    result = company.call("sql", "delete from churn_scores")
    assert result.exit_code == 1
    assert "read-only" in result.stderr
    assert company.published.read_bytes() == before


def test_sql_without_a_query_opens_a_shell(company: Company, monkeypatch: pytest.MonkeyPatch):
    company.publish()
    lines = iter(["select score * 7 as seven", "from churn_scores limit 1;", ".quit"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(lines))
    result = company.call("sql")
    assert result.exit_code == 0
    assert "(read-only)" in result.stdout
    assert "seven" in result.stdout and "│     7 │" in result.stdout


def test_status_before_the_first_release_fails(company: Company):
    result = company.call("status")
    assert result.exit_code == 1
    assert "Nothing is published yet" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "2026-06-01", "--to", "2026-06-30"), "Nothing has been built yet"),
        (("--from", "2026-06-30", "--to", "2026-06-01"), "--to 2026-06-01 is earlier than --from 2026-06-30."),
        (("--from", "2026-06-29", "--to", "2026-07-04"), "There is no Sunday from 2026-06-29 to 2026-07-04"),
    ],
)
def test_a_backfill_that_cannot_be_says_why(company: Company, arguments: tuple[str, ...], words: str):
    result = company.call("backfill", *arguments)
    assert result.exit_code == 1
    assert words in result.stderr
    assert not company.published.exists()


def test_a_backfill_of_no_prediction_lists_those_there_are(company: Company):
    company.publish()
    result = company.call("backfill", "--from", "2026-06-01", "--to", "2026-06-30", "--model", "weather")
    assert result.exit_code == 1
    assert "no prediction 'weather'; there are churn, " in result.stderr


def test_rollback_before_the_first_release_fails(company: Company):
    result = company.call("rollback")
    assert result.exit_code == 1
    assert result.stderr == f"Nothing is published yet: {company.published} is not there.\n"
    assert not company.published.exists()


def test_rollback_with_one_release_has_nothing_to_go_back_to(company: Company):
    company.publish()
    before = company.published.read_bytes()
    result = company.call("rollback")
    assert result.exit_code == 1
    assert result.stderr == (
        "There is no release before the current one to go back to. No other one is kept: what is published stays as it"
        " is.\n"
    )
    assert company.published.read_bytes() == before


def test_rollback_to_an_unknown_release_lists_those_that_are_kept(company: Company):
    first, second, current = company.publish(), company.publish(), company.publish()
    before = company.published.read_bytes()
    result = company.call("rollback", "2020-01-01T000000.000Z")
    assert result.exit_code == 1
    assert "There is no release 2020-01-01T000000.000Z" in result.stderr
    assert f"Kept: {first.release_id}, {second.release_id}." in result.stderr
    assert current.release_id not in result.stderr
    assert company.published.read_bytes() == before


def test_rollback_publishes_the_release_before_or_the_named_one(company: Company):
    first, second, _ = company.publish(), company.publish(), company.publish()
    result = company.call("rollback")
    assert result.exit_code == 0
    assert f"tables of release {second.release_id}" in result.stdout
    assert company.scores() == [(2,)]
    result = company.call("rollback", first.release_id)
    assert result.exit_code == 0
    assert f"tables of release {first.release_id}" in result.stdout
    assert company.scores() == [(1,)]


def test_the_ui_shows_a_rollback_as_the_latest_release(company: Company):
    first, _ = company.publish(), company.publish()
    assert company.call("rollback").exit_code == 0
    with duckdb.connect(str(company.published), read_only=True) as connection:
        ((current,),) = connection.execute("select max(release_id) from releases").fetchall()
    with dg.DagsterInstance.from_config(str(company.data / "dagster")) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["published", "release"]))
    told = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert told["release_id"] == current
    assert told["note"] == f"tables of release {first.release_id}"
    assert told["tables"] == {"churn_scores": 2}


def test_status_says_that_a_release_is_a_rollback(company: Company):
    with duckdb.connect(str(company.data / "warehouse.duckdb")) as connection:
        connection.execute(
            """
            create schema published;
            create table published.model_runs (
                run_id varchar, model varchar, started_at timestamptz, status varchar, reason varchar,
                model_version varchar, auc double, calibration_error double, error double,
                metrics json
            );
            """
        )
    first, _ = company.publish(), company.publish()
    assert "rolled back" not in company.call("status").stdout
    company.call("rollback")
    told = " ".join(company.call("status").stdout.split())
    assert f"rolled back to the tables of release {first.release_id}" in told


def test_status_says_which_model_has_no_more_than_an_order(company: Company):
    with duckdb.connect(str(company.data / "warehouse.duckdb")) as connection:
        connection.execute(
            """
            create schema published;
            create table published.model_runs as
            select 'churn' as model, now() as started_at, 'kept' as status, '' as reason, 'v1' as model_version,
                0.6721 as auc, 0.07 as calibration_error, null::double as error,
                '{"is_only_order": true, "auc_error": 0.0312}'::json as metrics
            """
        )
    company.publish()
    said = " ".join(company.call("status").stdout.replace("│", " ").split())
    assert "weak: AUC 0.672 ± 0.031 out of time; trust the order, not the percentages" in said
    assert "calibration error" not in said


def test_status_says_how_old_the_newest_data_of_each_source_is(company: Company):
    today = datetime.now(UTC).date()
    with duckdb.connect(str(company.data / "warehouse.duckdb")) as connection:
        connection.execute("create schema raw_scorecast")
        connection.execute("create table raw_scorecast.newest (source text, entity text, newest_date date)")
        for source, entity, age in (("stripe", "customer", 40), ("stripe", "invoice", 1), ("zendesk", "ticket", 8)):
            row = [source, entity, today - timedelta(days=age)]
            connection.execute("insert into raw_scorecast.newest values (?, ?, ?)", row)
    company.publish()
    lines = company.call("status").stdout.splitlines()
    assert f"stripe: newest data 1 day old ({today - timedelta(days=1)})" in lines
    assert f"! zendesk: newest data 8 days old ({today - timedelta(days=8)})" in lines
    company.sources.write_text(company.sources.read_text() + "stale_after_days: 8\n")
    assert (
        f"zendesk: newest data 8 days old ({today - timedelta(days=8)})" in company.call("status").stdout.splitlines()
    )
    query = "select newest_data['zendesk'] from releases order by release_id"
    assert company.call("sql", "--csv", query).stdout.splitlines()[1] == str(today - timedelta(days=8))
    company.publish()
    assert company.call("rollback").exit_code == 0
    assert company.call("sql", "--csv", query).stdout.splitlines()[1:] == [str(today - timedelta(days=8))] * 3
    company.sources.write_text(company.sources.read_text().replace("stale_after_days: 8", "stale_after_days: never"))
    assert "'stale_after_days' must be a whole number of days from 1 on, such as 7" in company.call("status").stderr


def test_sample_writes_a_landing_folder_of_the_size_asked_for(company: Company):
    result = company.call("sample", "--accounts", "50", "--months", "3", "--seed", "4")
    assert result.exit_code == 0
    state = json.loads((company.data / "landing" / "sample.json").read_text())
    assert (state["accounts"], state["months"], state["seed"], state["complete"]) == (50, 3, 4, True)
    systems = {path.name for path in (company.data / "landing").iterdir() if path.is_dir()}
    assert systems == {path.stem for path in (project_root() / "assets" / "sources").glob("[!_]*.py")}
    assert all(any(path.is_file() for path in (company.data / "landing" / name).rglob("*")) for name in systems)


def test_sample_takes_what_is_not_given_from_the_configuration(company: Company):
    assert company.call("sample", "--accounts", "20").exit_code == 0
    state = json.loads((company.data / "landing" / "sample.json").read_text())
    assert (state["accounts"], state["months"]) == (20, 2)


def test_next_day_adds_files_of_one_more_day_and_changes_none(company: Company):
    landing = company.data / "landing"

    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in landing.rglob("*") if path.is_file() and path.parent != landing}

    company.call("sample", "--accounts", "50", "--months", "3")
    before = files()
    result = company.call("sample", "--next-day")
    assert result.exit_code == 0
    assert "Wrote 2026-07-01. Next: make run" in result.stdout
    after = files()
    added = set(after) - set(before)
    assert added
    assert all("2026-07-01" in path.name for path in added)
    assert {path: after[path] for path in before} == before
    assert "Wrote 2026-07-02" in company.call("sample", "--next-day").stdout


def test_next_day_without_a_sample_says_what_to_type(company: Company):
    result = company.call("sample", "--next-day")
    assert result.exit_code == 1
    assert "write a sample first (`scorecast sample`)" in result.stderr
    assert "Traceback" not in result.output


def test_next_day_after_an_interrupted_sample_says_what_to_type(company: Company):
    company.call("sample", "--accounts", "20", "--months", "1")
    state = company.data / "landing" / "sample.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"complete": False}))
    result = company.call("sample", "--next-day")
    assert result.exit_code == 1
    assert "Write it again (`scorecast sample`)" in result.stderr


def test_sample_does_not_touch_the_exports_of_a_real_company(company: Company):
    export = company.data / "landing" / "salesforce" / "account" / "export.csv"
    export.parent.mkdir(parents=True)
    export.write_text("Id\n1\n")
    result = company.call("sample")
    assert result.exit_code == 1
    assert str(export.parent.parent) in result.stderr
    assert export.read_text() == "Id\n1\n"


@pytest.mark.parametrize("option", ["--accounts", "--months"])
def test_a_size_that_makes_no_company_is_refused(company: Company, option: str):
    result = company.call("sample", option, "0")
    assert result.exit_code == 2
    assert option in result.stderr
    assert not (company.data / "landing").exists()


def test_sample_with_a_mistake_in_the_configuration_names_the_line(company: Company):
    company.sources.write_text("sample:\n  accounts: many\n")
    result = company.call("sample")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{company.sources}, line 2: 'accounts' must be a whole number")


def test_run_with_a_mistake_in_the_configuration_names_the_line(company: Company, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DAGSTER_HOME", "/elsewhere")
    company.sources.write_text("sources:\n  salesforce: landing/salesforce\ntimezone: Berlin\n")
    result = company.call("run")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{company.sources}, line 3: there is no time zone 'Berlin'")
    assert not (company.data / "landing").exists()


def test_run_with_a_dbt_project_that_does_not_parse_fails_in_dbts_words(
    company: Company, monkeypatch: pytest.MonkeyPatch
):
    def broken() -> None:
        raise ProjectMistake("dbt could not parse the project:\nSyntax error near line 72")

    monkeypatch.setattr("pipelines.commands.running.prepare_run", broken)
    result = company.call("run")
    assert result.exit_code == 1
    assert result.stderr == "dbt could not parse the project:\nSyntax error near line 72\n"


@pytest.mark.slow
def test_a_run_whose_sample_could_not_be_written_says_so(company: Company):
    company.sources.write_text("sample: {accounts: 20, months: 2}\nsources: {stripe: landing/stripe}\n")
    (company.data / "landing").symlink_to(company.data / "nowhere")
    result = subprocess.run([sys.executable, "-m", "pipelines.commands.main", "run"], capture_output=True, text=True)
    assert result.returncode == 1
    assert "landing" in result.stderr
    assert result.stderr.endswith("The sample company was not written.\n")
    assert "Traceback" not in result.stderr


def test_sql_on_the_warehouse_shows_what_was_put_aside(company: Company):
    assert "Nothing is loaded yet" in company.call("sql", "--warehouse", "select 1").stderr
    with duckdb.connect(str(company.data / "warehouse.duckdb")) as connection:
        connection.execute("create schema raw_stripe; create table raw_stripe._quarantine as select 'no id' as reason")
    result = company.call("sql", "--warehouse", "--csv", "select reason from raw_stripe._quarantine")
    assert result.stdout.splitlines() == ["reason", "no id"]
    assert company.call("sql", "--warehouse", "drop table raw_stripe._quarantine").exit_code == 1


def test_status_with_a_mistake_in_sources_yaml_tells_it(company: Company):
    company.sources.write_text("sources: {stripe: landing/stripe}\ntimezone: Europe/Berln\n")
    result = company.call("status")
    assert result.exit_code == 1
    assert "Europe/Berln" in result.stderr


def test_run_of_an_unknown_job_lists_the_jobs_and_writes_nothing(company: Company):
    result = company.call("run", "nightly")
    assert result.exit_code == 2
    assert all(word in result.stderr for word in ("nightly", "daily", "weekly_refit"))
    assert list(company.data.iterdir()) == []


def test_the_jobs_that_can_be_run_are_those_that_there_are():
    jobs = {schedule.job.name for schedule in SCHEDULES}
    assert set(get_args(Job)) == jobs


def test_the_instance_has_the_dagster_settings_of_the_project(company: Company, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DAGSTER_HOME", "/elsewhere")
    home = prepare_instance()
    assert home == company.data / "dagster"
    settings = (project_root() / "dagster.yaml").read_text()
    assert (home / "dagster.yaml").read_text() == settings.replace("${DAGSTER_HOME}", str(home))
    (home / "dagster.yaml").write_text("outdated: true")
    prepare_instance()
    assert "outdated" not in (home / "dagster.yaml").read_text()


def modes(folder: Path) -> dict[str, int]:
    """Everything below a folder with its permissions."""
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*")}


def test_what_commands_write_is_their_users_alone(company: Company):
    company.data.rmdir()
    umask = os.umask(0o022)
    try:
        company.call("sample", "--accounts", "20", "--months", "1")
        assert company.data.stat().st_mode & 0o777 == 0o700
        written = modes(company.data)
        assert len(written) > 20
        assert {mode for mode in written.values() if mode & 0o077} == set()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(umask)


def test_processes_that_a_command_starts_keep_it_private_too(company: Company):
    """The sample of a first run is written by a process of its own."""
    umask = os.umask(0o022)
    try:
        subprocess.run(
            [sys.executable, "-m", "pipelines.commands.main", "sample", "--accounts", "20", "--months", "1"], check=True
        )
    finally:
        os.umask(umask)
    assert {mode for mode in modes(company.data).values() if mode & 0o077} == set()


def test_a_data_folder_that_is_there_keeps_its_mode(company: Company):
    company.data.chmod(0o750)
    company.publish(), company.publish()
    before = modes(company.data)
    umask = os.umask(0o022)
    try:
        company.call("rollback")
    finally:
        os.umask(umask)
    assert company.data.stat().st_mode & 0o777 == 0o750
    new = {path: mode for path, mode in modes(company.data).items() if path not in before}
    assert {mode for path, mode in new.items() if path.startswith("releases/")} == {0o400}
    assert {path for path, mode in new.items() if mode & 0o077} == set()
    assert company.published.stat().st_mode & 0o777 == 0o400
