"""
Two companies with predictions of plain tables, one of several classes, beside the standard ones in one daily run.

The exports of one carry hostile texts, in values, headers and file names; it gets the scores of the other, a tame one.
"""

import csv
import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from tests.pipelines.components.test_new_prediction import Project

SCRIPT = "<script>alert(1)</script>"
TEXTS = {
    "tame": " tame",
    "hostile": f" '\"); drop table main.canary; --{SCRIPT}{{{{ 7 * 7 }}}}{{% do nothing() %}}\\ %s $1 ü",
}
"""What is put behind names, titles and categories; both begin alike, so that they sort alike."""
E_MAILS = {"tame": "+tame", "hostile": f"+'\";drop<{SCRIPT}>{{{{7*7}}}}"}
FILES = {"tame": "", "hostile": " '\"); drop table main.canary; --<b>%s ü"}
HEADERS = {
    "Extra_01__c": 'Extra_01"); drop table main.canary; --',
    "Extra_02__c": "Extra_02'); copy (select 1) to 'pwned.csv'; --",
    "Extra_03__c": f"Extra_03 {SCRIPT} {{{{ 7 * 7 }}}} {{% do nothing() %}}",
    "Plain_01__c": '"',
    "Plain_02__c": "'; --",
    "Plain_03__c": "名前",
    "Plain_04__c": "?!",
    "Plain_05__c": "select",
    "Plain_06__c": "x" * 300,
    "Plain_07__c": "back\\slash",
    "Plain_08__c": "Tier__c",
    "Plain_09__c": "tier",
    "Plain_10__c": "TIER !",
    "Plain_11__c": "/* comment",
}
"""Columns of accounts that no contract knows. Models see columns by name: the three that have values sort alike."""
NAMES = {
    *{"Name", "Industry", "LastName", "Company", "Title", "LeadSource", "Implementation_Partner__c", "BillingCity"},
    *{"name", "company", "lastname", "plan_nickname", "subject", "description", "utm_campaign", "text", "author"},
}
E_MAIL = re.compile(r"([^@\s]+)(@[^@\s]+\.[^@\s]+)")

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
READINGS = '"*_readings*", "*latest_ticket_topic"'
"""Features of what text models read in tickets and posts."""
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

pytestmark = pytest.mark.slow


def renamed(row: dict, kind: str) -> dict:
    """A record with its names, categories and e-mail addresses in this kind's way."""
    for name, value in row.items():
        if isinstance(value, str) and (parts := E_MAIL.fullmatch(value)):
            row[name] = parts[1] + E_MAILS[kind] + parts[2]
        elif value and name in NAMES:
            row[name] = f"{value}{TEXTS[kind]}"
    return row


def write_company(landing: Path, target: Path, kind: str) -> None:
    """Write the exports in `landing` to `target` in this kind's way."""
    for path in sorted(path for path in landing.rglob("*") if path.is_file()):
        copy = target / path.relative_to(landing)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.parent != landing:
            copy = copy.with_stem(copy.stem + FILES[kind])
        if path.suffix == ".jsonl":
            rows = [renamed(json.loads(line), kind) for line in path.read_text().splitlines() if is_json(line)]
            copy.write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif path.suffix == ".csv":
            with path.open(newline="") as file:
                rows = [renamed(row, kind) for row in csv.DictReader(file) if None not in row]
            if path.parent.name == "account":
                headers = HEADERS.values() if kind == "hostile" else HEADERS
                rows = [{**row, **dict(zip(headers, extra_values(row["Id"], kind), strict=True))} for row in rows]
            with copy.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        else:
            shutil.copy(path, copy)


def is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def extra_values(key: str, kind: str) -> list[str]:
    """Values of the extra columns of an account; all but three are empty."""
    number = int(re.sub(r"\D", "", key) or 0)
    varying = [f"{'abcde'[number % 5]}{TEXTS[kind]}", str(number * 37 % 101), f"{'xyz'[number % 3]}{TEXTS[kind]}"]
    return varying + [""] * (len(HEADERS) - len(varying))


def without_readings(yaml: str) -> str:
    """A prediction that does not see what text models read: a hostile text is another, and may be of another mood."""
    if "exclude: [" in yaml:
        return yaml.replace("exclude: [", f"exclude: [{READINGS}, ")
    return yaml.replace("attributes:\n", f"attributes:\n  exclude: [{READINGS}]\n")


@dataclass(frozen=True)
class Company:
    """A company in a folder of its own, after its first daily run in a copy of the project."""

    project: Project
    output: str

    def ask(self, query: str, file: str = "published.duckdb") -> list[tuple]:
        with duckdb.connect(str(self.project.data / file), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def companies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Company]:
    """The same company twice, tame and hostile, each after its first run; in the hostile one there is a canary."""
    folder = tmp_path_factory.mktemp("companies")

    def project(kind: str) -> Project:
        (folder / kind).mkdir()
        made = Project(folder / kind)
        for path in made.root.glob("assets/predictions/*/defs.yaml"):
            path.write_text(without_readings(path.read_text()))
        for name, text in YAML.items():
            prediction = made.root / "assets" / "predictions" / name
            prediction.mkdir()
            (prediction / "defs.yaml").write_text(text)
        return made

    def said(ended: subprocess.CompletedProcess[str]) -> str:
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def after_a_run(kind: str) -> Company:
        made = project(kind)
        write_company(sample.data / "landing", made.data / "landing", kind)
        with duckdb.connect(str(made.data / "warehouse.duckdb")) as connection:
            connection.execute("create table main.canary as select 'sings' as canary")
        return Company(made, said(made.call("-m", "pipelines.commands.main", "run")))

    sample = project("sample")
    size = ("--accounts", "200", "--months", "12", "--seed", "3")
    said(sample.call("-m", "pipelines.commands.main", "sample", *size))
    with ThreadPoolExecutor() as pool:
        return dict(zip(TEXTS, pool.map(after_a_run, TEXTS), strict=True))


@pytest.fixture(scope="module")
def tame(companies: dict[str, Company]) -> Company:
    return companies["tame"]


SAME = {
    "churn_scores": "account_id, as_of_date, probability, score, grade, arr, expected_loss, currency",
    "lead_scores": "lead_id, as_of_date, probability, score, grade, expected_value",
    "opportunity_scores": "opportunity_id, as_of_date, probability, score, grade, expected_value",
    "accounts": "account_id, is_customer, arr",
    "people": "account_id, count(*)",
    "forecasts": "metric, period_start_date, forecast, p10, p90, actual",
    "lead_conversions": "lead_id, as_of_date, probability, score, grade",
    "model_runs where model not in ('ticket_type', 'ticket_priority', 'ticket_class', 'ticket_mood', 'post_sentiment',"
    " 'complaint_cause', 'article_tag')": "model, status, auc, calibration_error",
}
"""Texts are what tickets are told apart by, so the models of their types and of what is important are others."""


def is_close(one: object, other: object) -> bool:
    """Whether two values are the same, figures but for rounding."""
    return one == other or (isinstance(one, float) and one == pytest.approx(other, rel=1e-9, abs=1e-9))


@pytest.mark.parametrize("table", SAME)
def test_what_is_published_is_that_of_a_tame_company(companies: dict[str, Company], table: str):
    query = f"select {SAME[table]} from published.{table} group by all order by all"
    tame, hostile = (companies[kind].ask(query) for kind in TEXTS)
    assert len(tame) == len(hostile) > 0
    for one, other in zip(tame, hostile, strict=True):
        assert [is_close(*values) for values in zip(one, other, strict=True)] == [True] * len(one), (one, other)


def test_hostile_texts_arrive_as_they_are(companies: dict[str, Company]):
    query = "select distinct replace(account_name, '{}', '') from published.accounts order by 1"
    tame, hostile = (companies[kind].ask(query.format(text.replace("'", "''"))) for kind, text in TEXTS.items())
    assert tame == hostile
    custom = [name for (name,) in companies["hostile"].ask("select column_name from (describe published.accounts)")]
    custom = [name for name in custom if name.startswith("custom_")]
    assert len(custom) >= len(HEADERS)
    assert all(re.fullmatch("[a-z0-9_]+", name) for name in custom)


def test_nothing_in_the_exports_was_run(companies: dict[str, Company]):
    hostile = companies["hostile"]
    assert hostile.ask("select canary from main.canary", "warehouse.duckdb") == [("sings",)]
    assert not list(hostile.project.root.parent.rglob("pwned*"))
    pages = [path.read_text() for path in (hostile.project.data / "reports").rglob("*.html")]
    assert pages
    assert not [page for page in pages if SCRIPT in page]
    assert [page for page in pages if "&lt;script&gt;" in page]


def test_the_definitions_load_with_the_standard_ones(tame: Company):
    loaded = tame.project.call("-c", LOAD)
    assert loaded.returncode == 0, loaded.stderr[-3000:]
    keys = set(loaded.stdout.split())
    names = {"churn", "lead_score", "opportunity_win", "ticket_priority", *YAML}
    assert {f"scores/{name}" for name in names} <= keys
    assert {key for key in keys if key.startswith("backfills/")} == {
        f"backfills/{name}" for name in names - YAML.keys()
    }


def test_everyone_is_scored_and_published(tame: Company):
    (tickets,) = tame.ask("select count(*) from core.tickets", "warehouse.duckdb")
    (leads,) = tame.ask("select count(*) from core.leads", "warehouse.duckdb")
    assert tame.ask("select count(distinct ticket_id) from ticket_types") == [tickets]
    assert tame.ask("select count(distinct lead_id) from lead_conversions") == [leads]
    kinds = {kind for (kind,) in tame.ask("select distinct predicted from ticket_types")}
    assert kinds <= {"incident", "problem", "question", "task"} and len(kinds) > 1
    assert "lead_scores" in tame.output and "ticket_types" in tame.output


def test_health_of_both_is_there_and_says_what_is_not(tame: Company):
    rows = tame.ask(
        """
        select model, rows_scored, max_psi, score_psi, auc, promised_auc, is_refit_requested, reason from model_health
        where model in ('ticket_type', 'lead_converts') order by model
        """
    )
    leads, tickets = rows
    for _, scored, max_psi, score_psi, auc, promised, is_requested, _ in rows:
        assert scored > 100 and max_psi < 0.25 and promised > 0.5
        assert (score_psi, auc, is_requested) == (None, None, False)
    assert leads[-1] == "Its YAML names no `as_of`: no table says what came of a score on its day."
    assert tickets[-1].startswith("It tells several classes apart: its scores are neither kept in score_history nor")


def test_the_track_record_has_those_that_can_be_compared(tame: Company):
    assert tame.ask("select count(*) from score_outcomes where model in ('ticket_type', 'lead_converts')") == [(0,)]
    tables = {table for (table,) in tame.ask("select distinct table_name from score_history")}
    assert {"lead_scores", "lead_conversions"} <= tables
    assert "ticket_types" not in tables


def test_a_model_that_is_removed_leaves_the_next_release(tame: Company):
    scored = tame.ask("select count(*) from score_history where table_name = 'lead_conversions'")
    shutil.rmtree(tame.project.root / "assets" / "predictions" / "lead_converts")
    ran = tame.project.call("-c", RELEASE)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "! lead_conversions has left the release: nothing in assets/ makes it any more" in ran.stdout
    tables = {table for (table,) in tame.ask("select table_name from duckdb_tables()")}
    assert {"ticket_types", "lead_scores", "accounts", "model_health"} <= tables
    assert "lead_conversions" not in tables
    assert tame.ask("select count(*) from score_history where table_name = 'lead_conversions'") == scored
    assert tame.ask("select count(*) from model_runs where model = 'lead_converts'") == [(1,)]
