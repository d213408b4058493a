"""The sample company from exports to published tables, through the command line that users type."""

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from assets.sources import all_sources
from pipelines.components.declared.prediction import DeclaredPrediction
from pipelines.components.prediction.queries import run_date, training_frame
from pipelines.components.prospects import Loaded, answers_of
from pipelines.components.validation import read_components

ROOT = Path(__file__).resolve().parent.parent.parent
SCORECAST = str(Path(sys.executable).parent / "scorecast")

CONTRACTS = {
    "churn_scores": [
        *["account_id", "account_name", "as_of_date", "horizon_days", "probability", "score", "grade", "arr"],
        *["expected_loss", "currency", "reason_1", "reason_2", "reason_3", "reasons", "probability_change_7d"],
        *["change_reason", "model_version", "release_id", "owner_id", "owner_name", "account_url"],
        *["main_contact_name", "main_contact_email", "main_contact_phone"],
    ],
    "lead_scores": [
        *[
            "lead_id",
            "email_domain",
            "company",
            "source",
            "as_of_date",
            "horizon_days",
            "probability",
            "score",
            "grade",
        ],
        *["expected_value", "reason_1", "reason_2", "reason_3", "reasons", "probability_change_7d", "change_reason"],
        *["points_engagement", "points_fit", "points_other", "model_version", "release_id"],
        *["full_name", "email", "phone", "person_id", "account_id", "owner_id", "owner_name", "lead_url"],
    ],
    "ticket_priorities": [
        *["ticket_id", "account_id", "account_name", "subject", "ticket_url", "priority", "status", "type", "channel"],
        *["waiting_hours", "is_late", "churn_probability", "as_of_date", "horizon_days", "probability", "score"],
        *["grade", "arr", "currency", "expected_value", "reason_1", "reason_2", "reason_3", "reasons", "decided_by"],
        *["probability_change_7d", "change_reason", "model_version", "release_id"],
    ],
    "people": ["person_id", "account_id", "lead_id", "email", "full_name", "phone"],
    "forecasts": [
        *[
            "metric",
            "currency",
            "segment",
            "period_start_date",
            "frequency",
            "forecast",
            "p10",
            "p50",
            "p90",
            "actual",
            "method",
        ],
        *["note", "as_of_date", "release_id"],
    ],
    "account_amounts": ["account_id", "currency", "arr", "open_amount", "won_amount", "amount_invoiced", "amount_paid"],
    "identity_report": ["topic", "warning"],
    "reconciliation": ["line_id", "figure", "currency", "month_start_date", "role", "rows", "amount"],
}

pytestmark = pytest.mark.slow


class Company:
    """A company in a folder of its own, worked on through the command line."""

    def __init__(self, data: Path):
        self.data = data
        self.environment = {**os.environ, "SCORECAST_DATA": str(data)}

    def start(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [SCORECAST, *arguments],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def call(self, *arguments: str) -> str:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=600)
        assert process.returncode == 0, output
        return output

    def ask(self, query: str, file: str = "published.duckdb") -> list[tuple]:
        with duckdb.connect(str(self.data / file), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Company:
    """A small company after its first daily run. Its truth is moved away first: no asset may need it."""
    company = Company(tmp_path_factory.mktemp("company"))
    company.call("sample", "--accounts", "200", "--months", "12", "--seed", "3")
    (company.data / "truth").rename(company.data / "hidden_truth")
    company.first_output = company.call("run")
    return company


def test_the_first_run_says_what_was_published(company: Company):
    for table in CONTRACTS:
        assert table in company.first_output
    assert "AUC" in company.first_output
    assert "make sql" in company.first_output


@pytest.mark.parametrize("name", ["churn", "lead_score", "opportunity_win"])
def test_a_check_counts_what_the_models_learn_from(company: Company, name: str):
    (prediction,) = [
        each for _, each in read_components(ROOT) if isinstance(each, DeclaredPrediction) and each.name == name
    ]
    sources = all_sources()
    with duckdb.connect(str(company.data / "warehouse.duckdb"), read_only=True) as connection:
        learnt_from = training_frame(connection, prediction)
        loaded = Loaded(connection, sources, [each.name for each in sources], run_date(connection), ROOT)
        found = answers_of(loaded, prediction, prediction.needs.records)
    positives, negatives = (
        learnt_from.filter(learnt_from[prediction.target] == answer)[prediction.entity].n_unique()
        for answer in (True, False)
    )
    assert found.positives == positives
    if name == "lead_score":  # that sales gave up a lead, and when, stands in no column of its own
        assert negatives <= found.negatives < 1.1 * negatives and learnt_from.height <= found.rows
    elif name == "churn":  # who stopped is known when the gap has passed that a pause may have, two Sundays later
        assert found.negatives == negatives
        assert learnt_from.height <= found.rows <= learnt_from.height + 2 * (positives + negatives)
    else:
        assert (found.negatives, found.rows) == (negatives, learnt_from.height)


@pytest.mark.parametrize("table", CONTRACTS)
def test_published_tables_keep_their_contract(company: Company, table: str):
    columns = [name for (name,) in company.ask(f"select column_name from (describe published.{table})")]
    assert [name for name in CONTRACTS[table] if name not in columns] == []


def test_every_published_table_and_column_says_what_it_is(company: Company):
    here = "not internal and database_name = current_database()"
    columns = company.ask(f"select table_name, column_name from duckdb_columns() where {here} and comment is null")
    assert columns == []
    tables = company.ask(f"select table_name from duckdb_tables() where {here} and comment is null")
    assert tables == []
    graded = f"select comment from duckdb_tables() where {here} and table_name in ('churn_scores', 'lead_scores')"
    assert ["Grade A is the fifth" in words for (words,) in company.ask(graded)] == [True, True]


@pytest.mark.parametrize("table", ["churn_scores", "lead_scores"])
def test_scores_are_probabilities_with_reasons_that_add_up(company: Company, table: str):
    rows = company.ask(f"select probability, score, grade, reason_1, reasons from published.{table}")
    assert len(rows) > 50
    assert all(0 < probability < 1 and 1 <= score <= 99 and reason for probability, score, _, reason, _ in rows)
    assert len({grade for _, _, grade, _, _ in rows}) > 2
    assert all(json.loads(reasons) for *_, reasons in rows)


def test_every_open_ticket_is_ranked_by_the_model_or_the_rule(company: Company):
    still_open = """
        select ticket_id from core.ticket_versions
        where valid_to is null and status not in ('solved', 'closed', 'deleted') and not is_deleted
    """
    ranked = company.ask("select ticket_id from published.ticket_priorities")
    assert sorted(ranked) == sorted(company.ask(still_open, "warehouse.duckdb")) != []
    rows = company.ask(
        "select score, probability is null, decided_by, reason_1, (waiting_hours > 168) = is_late, churn_probability"
        " from published.ticket_priorities"
    )
    assert all(1 <= score <= 99 and reason and is_late for score, _, _, reason, is_late, _ in rows)
    assert {(by, has_none) for _, has_none, by, *_ in rows} in ({("rule", True)}, {("model", False)})
    assert [risk for *_, risk in rows if risk is not None and 0 < risk < 1], "the company's churn stands beside it"
    learnt = company.ask("select count(*) from features.ticket_outcomes where is_important_90d", "warehouse.duckdb")
    assert learnt[0][0] > 12


def test_what_is_overwritten_at_conversion_is_found_from_its_history(company: Company):
    ((metrics,),) = company.ask("select metrics from published.model_runs where model = 'lead_score'")
    found = {change["attribute"]: change for change in json.loads(metrics)["leaky_from_history"]}
    assert {"status", "rating"} <= set(found)
    assert not {"source", "country", "title"} & set(found)
    status = found["status"]
    assert status["changed_with"] > 0.8 > 0.2 > status["changed_without"]
    assert status["example"].endswith("-> Closed - Converted")
    assert status["is_feature"] and not status["unversioned"]


def test_everybody_who_is_a_customer_has_one_score(company: Company):
    customers = company.ask("select count(*) from core.accounts where is_customer", "warehouse.duckdb")
    assert company.ask("select count(*), count(distinct account_id) from published.churn_scores") == [customers[0] * 2]


def test_forecasts_reach_thirteen_weeks_and_segments_add_up(company: Company):
    metrics = company.ask(
        """
        select total.metric, count(*) as weeks,
            max(abs(total.forecast - parts.forecast)) / max(abs(total.forecast)) as gap
        from published.forecasts as total
        inner join (
            select metric, currency, period_start_date, sum(forecast) as forecast from published.forecasts
            where segment <> 'total' and actual is null group by all
        ) as parts
            on total.metric = parts.metric
            and total.currency is not distinct from parts.currency
            and total.period_start_date = parts.period_start_date
        where total.segment = 'total' and total.actual is null
        group by total.metric, total.currency
        """
    )
    assert {metric for metric, _, _ in metrics} == {"bookings", "recurring_revenue", "new_leads", "tickets"}
    assert all(weeks == 13 and gap < 1e-6 for _, weeks, gap in metrics)


def test_the_custom_field_reaches_the_model_without_an_edit(company: Company):
    columns = [
        name
        for (name,) in company.ask("select column_name from (describe features.account_snapshots)", "warehouse.duckdb")
    ]
    assert any("implementation_partner" in name for name in columns)


def test_the_run_is_in_the_history_that_the_ui_shows(company: Company, monkeypatch):
    import dagster as dg
    from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME

    monkeypatch.setenv("DAGSTER_HOME", str(company.data / "dagster"))
    with dg.DagsterInstance.get() as instance:
        run = instance.get_runs()[-1]
        assert (run.job_name, run.status) == ("daily", dg.DagsterRunStatus.SUCCESS)
        of_the_jobs_page = dg.RunsFilter(
            job_name="daily", tags={".dagster/repository": f"{SINGLETON_REPOSITORY_NAME}@scorecast"}
        )
        assert run.run_id in [found.run_id for found in instance.get_runs(of_the_jobs_page)]
        event = instance.get_latest_materialization_event(dg.AssetKey(["published", "churn_scores"]))
        assert event.asset_materialization.metadata["dagster/row_count"].value > 0
        model = instance.get_latest_materialization_event(dg.AssetKey(["models", "churn"]))
        assert "| 1 |" in model.asset_materialization.metadata["by_tenth"].value
        forecast = instance.get_latest_materialization_event(dg.AssetKey(["models", "company_forecast"]))
        for metric in ("bookings (USD)", "bookings (EUR)", "tickets"):
            picture = forecast.asset_materialization.metadata[metric].value
            assert picture.startswith("![picture](data:image/svg+xml")
        release = instance.get_latest_materialization_event(dg.AssetKey(["published", "release"]))
        for link in (
            model.asset_materialization.metadata["model_card"].value,
            release.asset_materialization.metadata["data_docs"].value,
        ):
            assert link.startswith("/reports/")
            assert (company.data / link.removeprefix("/")).is_file()


def test_what_was_written_is_its_users_alone(company: Company):
    """By the command, and by the processes of dbt, of the gates, and of the sample."""
    open_to_others = [path for path in company.data.rglob("*") if path.stat().st_mode & 0o077]
    assert open_to_others == []


def test_one_more_day_by_two_runs_started_at_once_and_readers_all_along(company: Company):
    (before,) = company.ask("select max(as_of_date) from published.churn_scores")[0]
    releases = company.ask("select count(*) from published.releases")[0][0]
    fitted = "select count(*) from published.model_runs where status <> 'skipped'"
    fits = company.ask(fitted)[0][0]
    day = date.fromisoformat(company.call("sample", "--next-day").split()[1].rstrip("."))
    assert day == before + timedelta(days=1)
    runs = [company.start("run"), company.start("run")]
    answers = set()
    while any(run.poll() is None for run in runs):
        rows = company.ask(
            """
            select count(distinct release_id) from (
                select release_id from published.churn_scores
                union all select release_id from published.lead_scores
                union all select release_id from published.forecasts
            )
            """
        )
        answers.add(rows[0][0])
        time.sleep(0.05)
    outputs = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n".join(outputs)
    assert answers == {1}, "a reader saw two releases at once"
    assert company.ask("select distinct as_of_date from published.churn_scores") == [(day,)]
    assert company.ask("select count(*) from published.releases")[0][0] == releases + 2
    assert company.ask(fitted)[0][0] == fits, "a daily run fitted a model anew"
    history = company.ask(
        "select distinct as_of_date from published.score_history where table_name = 'churn_scores' order by 1"
    )
    assert history[-2:] == [(before,), (day,)]
    off_grid = company.ask(
        "select distinct as_of_date from features.account_snapshots where isodow(as_of_date) <> 7", "warehouse.duckdb"
    )
    assert off_grid in ([(day,)], [])


def test_a_backfill_shows_what_scores_of_the_past_came_to(company: Company):
    (day,) = company.ask("select max(as_of_date) from published.lead_scores")[0]
    scores = company.ask("select * exclude (release_id) from published.lead_scores order by 1")
    champion = (company.data / "models" / "lead_score" / "champion.json").read_bytes()
    begin, end = day - timedelta(days=81), day - timedelta(days=68)
    output = company.call("backfill", "--from", str(begin), "--to", str(end), "--model", "lead_score")
    assert company.ask("select * exclude (release_id) from published.lead_scores order by 1") == scores
    assert (company.data / "models" / "lead_score" / "champion.json").read_bytes() == champion
    sundays = company.ask("select distinct as_of_date from published.score_history where is_backfill order by 1")
    assert len(sundays) == 2
    assert all(begin <= sunday <= end and sunday.weekday() == 6 for (sunday,) in sundays)
    rows = company.ask(
        "select as_of_date, grade, matured_rows, actual_rate from published.score_outcomes"
        " where model = 'lead_score' and is_backfill order by 1, 2"
    )
    assert [(sunday, grade) for sunday, grade, *_ in rows] == [(s, g) for (s,) in sundays for g in "ABCDE"]
    rates = {grade: rate for sunday, grade, _, rate in rows if sunday == sundays[-1][0]}
    assert rates["A"] > rates["E"]
    assert f"leads graded A on {sundays[-1][0]}, " in output


def test_one_model_alone_from_the_ui_and_one_of_dbt(company: Company):
    program = """
import dagster as dg
from pipelines.definitions import defs
job = defs.get_implicit_global_asset_job_def()
with dg.DagsterInstance.get() as instance:
    names = [("models", "churn"), ("scores", "churn"), ("published", "churn_scores"), ("features", "lead_outcomes")]
    keys = [dg.AssetKey(name) for name in names]
    result = job.execute_in_process(instance=instance, asset_selection=keys)
assert result.success
built = [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()]
assert sorted(built) == sorted("/".join(name) for name in names), built
"""
    before = company.ask("select count(*) from published.model_runs where model = 'churn'", "warehouse.duckdb")[0][0]
    subprocess.run(
        [sys.executable, "-c", program],
        env={**company.environment, "DAGSTER_HOME": str(company.data / "dagster")},
        cwd=ROOT,
        check=True,
    )
    after = company.ask("select count(*) from published.model_runs where model = 'churn'", "warehouse.duckdb")[0][0]
    assert after == before + 1


def test_six_kills_leave_every_release_whole_and_the_next_run_right(company: Company, tmp_path: Path):
    """The short form of the benchmark, which kills the other commands, too."""
    company.call("sample", "--next-day")
    options = ["--kills", "6", "--kills-per-run", "6", "--undisturbed", "0", "--operations", "daily"]
    result = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "break_it.py"), *options, "--standing", str(company.data)],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        timeout=1500,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    figures = result.stdout.splitlines()[-6:]
    assert figures[0].startswith("6 kills, 1 runs compared")
    assert [line.split("  ")[0] for line in figures[1:] if line.endswith("ok")] == [
        f"kills: {fault}" for fault in ("unreadable", "mixed", "lost", "unequal", "left behind")
    ]
    for moment in ("s after the start", "after a draft appears", "after the release is swapped in"):
        assert moment in result.stdout
    assert not list(tmp_path.iterdir())


def test_rollback_and_status(company: Company):
    output = company.call("rollback")
    assert "Published again" in output
    assert company.ask("select status from published.releases order by release_id desc limit 1") == [("rollback",)]
    assert "churn_scores" in company.call("status")
    assert "account_id" in company.call("sql", "select * from published.churn_scores limit 1")


def test_a_run_that_lost_a_tables_rows_releases_nothing(company: Company, tmp_path: Path):
    before = company.ask("select * from published.releases order by release_id")
    project = tmp_path / "project"
    for item in ("assets", "pipelines", "dbt_project"):
        shutil.copytree(ROOT / item, project / item)
    for item in ("sources.yaml", "pyproject.toml", "workspace.yaml", "dagster.yaml"):
        shutil.copy(ROOT / item, project / item)
    raw_columns = project / "dbt_project" / "macros" / "raw_columns.sql"
    lost = "(columns_if_there(raw_table) if raw_table.identifier != 'lead' else [])"
    raw_columns.write_text(raw_columns.read_text().replace("columns_if_there(raw_table)", lost))
    ended = subprocess.run(
        [sys.executable, "-m", "pipelines.commands.main", "run"],
        env={**company.environment, "PYTHONPATH": str(project)},
        cwd=project,
        capture_output=True,
        text=True,
        timeout=600,
    )
    said = " ".join((ended.stdout + ended.stderr).split())
    assert ended.returncode != 0
    assert "raw_salesforce.lead has rows, but staging.stg_salesforce__leads, which is made of it, has none." in said
    assert all(word not in said for word in ("Traceback", "in macro", "by macro"))
    assert company.ask("select * from published.releases order by release_id") == before
