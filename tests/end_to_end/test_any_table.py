"""Predictions of plain tables, one of them of several classes, beside the standard ones in one daily run."""

import shutil

import duckdb
import pytest

from tests.pipelines.components.test_new_prediction import Project

pytestmark = pytest.mark.slow

YAML = {
    "ticket_type": """
type: pipelines.components.prediction.Prediction
attributes:
  name: ticket_type
  description: Which type each ticket is of, by what was written.
  entity: ticket_id
  features: core.tickets
  target: type
  task: classes
  as_of: null
  text: [subject, description]
  exclude: [latest_type, latest_status, latest_priority, latest_tags, latest_assignee_id, solved_at]
  publish:
    table: ticket_types
""",
    "lead_converts": """
type: pipelines.components.prediction.Prediction
attributes:
  name: lead_converts
  description: Which leads convert, from one table.
  entity: lead_id
  features: core.leads
  target: is_converted
  as_of: null
  exclude: [converted_at, converted_opportunity_id, status, is_open, account_id, recorded_account_id]
  publish:
    table: lead_conversions
""",
}
LOAD = """
from pipelines.definitions import defs
graph = defs.resolve_asset_graph()
print(*sorted("/".join(key.path) for key in graph.executable_asset_keys))
"""
RELEASE = """
import dagster as dg
from pipelines.definitions import defs
from pipelines.commands.running import notices
with dg.DagsterInstance.local_temp() as instance:
    job = defs.resolve_job_def("daily").get_subset(asset_selection={dg.AssetKey(["published", "release"])})
    result = job.execute_in_process(instance=instance)
print(*notices(result.all_events), sep="\\n")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small company after its first daily run."""
    project = Project(tmp_path_factory.mktemp("any_table"))
    for name, text in YAML.items():
        folder = project.root / "assets" / "predictions" / name
        folder.mkdir()
        (folder / "defs.yaml").write_text(text)
    made = project.call("-m", "pipelines.commands.main", "sample", "--accounts", "150", "--months", "9", "--seed", "3")
    assert made.returncode == 0, made.stderr
    project.run = project.call("-m", "pipelines.commands.main", "run")
    assert project.run.returncode == 0, project.run.stdout + project.run.stderr
    return project


def ask(project: Project, query: str, file: str = "published.duckdb") -> list[tuple]:
    with duckdb.connect(str(project.data / file), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_the_definitions_load_with_the_standard_ones(project: Project):
    loaded = project.call("-c", LOAD)
    assert loaded.returncode == 0, loaded.stderr[-3000:]
    keys = set(loaded.stdout.split())
    names = {"churn", "lead_score", "opportunity_win", *YAML}
    assert {f"scores/{name}" for name in names} <= keys
    assert {key for key in keys if key.startswith("backfills/")} == {
        f"backfills/{name}" for name in names - YAML.keys()
    }


def test_everyone_is_scored_and_published(project: Project):
    (tickets,) = ask(project, "select count(*) from core.tickets", "warehouse.duckdb")
    (leads,) = ask(project, "select count(*) from core.leads", "warehouse.duckdb")
    assert ask(project, "select count(distinct ticket_id) from ticket_types") == [tickets]
    assert ask(project, "select count(distinct lead_id) from lead_conversions") == [leads]
    kinds = {kind for (kind,) in ask(project, "select distinct predicted from ticket_types")}
    assert kinds <= {"incident", "problem", "question", "task"} and len(kinds) > 1
    assert "lead_scores" in project.run.stdout and "ticket_types" in project.run.stdout


def test_health_of_both_is_there_and_says_what_is_not(project: Project):
    rows = ask(
        project,
        """
        select model, rows_scored, max_psi, score_psi, auc, promised_auc, is_refit_requested, reason from model_health
        where model in ('ticket_type', 'lead_converts') order by model
        """,
    )
    leads, tickets = rows
    for _, scored, max_psi, score_psi, auc, promised, is_requested, _ in rows:
        assert scored > 100 and max_psi < 0.25 and promised > 0.5
        assert (score_psi, auc, is_requested) == (None, None, False)
    assert leads[-1] == "Its YAML names no `as_of`: no table says what came of a score on its day."
    assert tickets[-1].startswith("It tells several classes apart: its scores are neither kept in score_history nor")


def test_the_track_record_has_those_that_can_be_compared(project: Project):
    assert ask(project, "select count(*) from score_outcomes where model in ('ticket_type', 'lead_converts')") == [(0,)]
    tables = {table for (table,) in ask(project, "select distinct table_name from score_history")}
    assert {"lead_scores", "lead_conversions"} <= tables
    assert "ticket_types" not in tables


def test_a_model_that_is_removed_leaves_the_next_release(project: Project):
    scored = ask(project, "select count(*) from score_history where table_name = 'lead_conversions'")
    shutil.rmtree(project.root / "assets" / "predictions" / "lead_converts")
    ran = project.call("-c", RELEASE)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "! lead_conversions has left the release: nothing in assets/ makes it any more" in ran.stdout
    tables = {table for (table,) in ask(project, "select table_name from duckdb_tables()")}
    assert {"ticket_types", "lead_scores", "accounts", "model_health"} <= tables
    assert "lead_conversions" not in tables
    assert ask(project, "select count(*) from score_history where table_name = 'lead_conversions'") == scored
    assert ask(project, "select count(*) from model_runs where model = 'lead_converts'") == [(1,)]
