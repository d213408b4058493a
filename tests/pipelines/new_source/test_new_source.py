"""`scorecast new source` in a copy of the project: what it writes loads, builds and has the files' own figures."""

import json
import shutil
from collections import defaultdict
from pathlib import Path

import duckdb
import pytest

from tests.pipelines.components.test_new_prediction import Project
from tests.pipelines.new_source.invented import billing, pipedrive, plain_crm, read, write, zoho

pytestmark = pytest.mark.slow

COMMAND = ("-m", "pipelines.commands.main", "new", "source")
LOAD_AND_BUILD = """
from datetime import UTC, datetime
from assets.sources import all_sources
from pipelines.database import connect
from pipelines.definitions import defs
from pipelines.extraction.configuration import read_configuration
from pipelines.extraction.loading.load import load_all
from pipelines.settings import warehouse_path
from pipelines.transformation.building import run_dbt

keys = {key.to_user_string() for key in defs.resolve_all_asset_keys()}
assert {"raw_pipedrive/deal", "staging/stg_zoho__leads"} <= keys, sorted(keys)
with connect(warehouse_path()) as connection:
    for report in load_all(connection, all_sources(), read_configuration(), datetime.now(UTC)):
        assert (report.status, report.quarantined) == ("loaded", 0), report
core = ("accounts", "people", "leads", "opportunities", "subscriptions", "tickets", "payments", "usage")
raise SystemExit(run_dbt("run", "--select", *(f"+{name}" for name in core)).returncode)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with Pipedrive, Zoho and two systems more made by the command from its proposals, loaded and built."""
    folder = tmp_path_factory.mktemp("new_source")
    project = Project(folder)
    invented = (pipedrive, zoho, billing, plain_crm)
    systems = {files[0].parent.name: files for files in (made(folder) for made in invented)}
    for files in systems.values():
        made = project.call(*COMMAND, *map(str, files), "--yes")
        assert (made.returncode, made.stderr) == (0, ""), made.stderr
        assert f"{files[0].parent.name}: {files[0].parent}\nNext: make run" in made.stdout
    (project.root / "sources.yaml").write_text(
        f"sources: {json.dumps({name: str(files[0].parent) for name, files in systems.items()})}\n"
    )
    built = project.call("-c", LOAD_AND_BUILD)
    assert built.returncode == 0, built.stdout[-4000:] + built.stderr[-4000:]
    return project


def rows(project: Project, query: str) -> list[tuple]:
    with duckdb.connect(str(project.data / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def counted(file: Path, outcome: str, amount: str) -> dict[str, tuple[int, float]]:
    """How many deals of an export ended how, and their amounts."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in read(file):
        word = row[outcome].lower()
        found["won" if "won" in word else "lost" if "lost" in word else "open"].append(float(row[amount]))
    return {how: (len(some), sum(some)) for how, some in found.items()}


@pytest.mark.parametrize(
    ("system", "file", "outcome", "amount"),
    [
        ("pipedrive", "deals-1.csv", "Deal - Status", "Deal - Value"),
        ("zoho", "Deals_2026_01_05.csv", "Stage", "Amount"),
    ],
)
def test_deals_and_their_outcomes_are_those_of_the_file(project, tmp_path, system, file, outcome, amount):
    expected = counted(project.root.parent / system / file, outcome, amount)
    found = rows(
        project,
        "select case when is_won then 'won' when is_closed then 'lost' else 'open' end,"
        " count(*), sum(amount), count(account_id)"
        f" from core.opportunities where source_system = '{system}' group by all",
    )
    assert {how: (number, total) for how, number, total, _ in found} == {
        how: (number, pytest.approx(total)) for how, (number, total) in expected.items()
    }
    assert all(number == linked for _, number, _, linked in found), "every deal has its company"


def test_every_company_and_person_is_there_once(project):
    companies = rows(project, "select count(*), count(distinct account_name), count(domain) from core.accounts")
    assert companies == [(20 + 15 + 12 + 6, 53, 15 + 12)]
    people = rows(
        project, "select count(*), count(distinct person_id), count(email), count(account_id) from core.people"
    )
    assert people == [(40 + 30 + 40 + 6 + 6, 122, 122, 40 + 30)]


def test_leads_are_converted_and_given_up_as_the_file_says(project):
    leads = read(project.root.parent / "zoho" / "Leads_2026_01_05.csv")
    found = rows(
        project,
        "select count(*), count(*) filter (is_converted), count(*) filter (is_open) from core.leads"
        " where source_system = 'zoho'",
    )
    converted = [row for row in leads if row["Is Converted"] == "true"]
    worked_on = [row for row in leads if row["Lead Status"] != "Junk Lead" and row not in converted]
    assert found == [(len(leads), len(converted), len(worked_on))]


def test_outcomes_are_also_columns_of_yes_and_no_and_companies_those_that_deals_name(project):
    found = rows(
        project,
        "select is_won, is_closed, count(*), count(account_id), count(closed_at) from core.opportunities"
        " where source_system = 'plaincrm' group by all order by all",
    )
    assert found == [(False, False, 10, 10, 0), (False, True, 10, 10, 10), (True, True, 10, 10, 10)]
    usage = "select count(*), count(distinct account_id), sum(logins) from core.usage"
    assert rows(project, usage) == [(30, 6, sum(range(1, 31)))]


def test_words_for_how_a_record_stands_are_ours_and_money_is_what_was_paid(project):
    folder = project.root.parent / "paycircle"
    counted: dict[str, int] = defaultdict(int)
    for row in read(folder / "Subscriptions.csv"):
        counted[row["subscriptions.status"]] += 1
    found = dict(rows(project, "select status, count(*) from core.subscriptions group by all"))
    assert found == {
        "active": counted["Active"] + counted["Non Renewing"],
        "canceled": counted["Cancelled"],
        "trialing": counted["In Trial"],
    }
    prices = "select distinct mrr from core.subscriptions order by 1"
    assert rows(project, prices) == [(50.0,), (100.0,)]
    paid = [float(row["Amount"]) for row in read(folder / "Invoices.csv") if row["Status"] == "Paid"]
    assert rows(project, "select count(*), sum(amount) from core.payments") == [(len(paid), sum(paid))]
    statuses = dict(rows(project, "select latest_status, count(*) from core.tickets group by all"))
    assert statuses == {"open": 10, "solved": 10, "pending": 10}


def test_a_closed_deal_was_open_from_its_creation_to_its_close(project):
    """The stage, the amount and the fields outside the contract are not known before the close, or the export."""
    versions = rows(
        project,
        "select is_closed, known_at, stage, amount, custom_deal_lost_reason from core.opportunity_versions"
        " where source_system = 'pipedrive' and opportunity_id = '1' order by known_at",
    )
    (deal,) = [row for row in read(project.root.parent / "pipedrive" / "deals-1.csv") if row["Deal - ID"] == "1"]
    assert [(is_closed, str(known_at)) for is_closed, known_at, *_ in versions[:2]] == [
        (False, deal["Deal - Deal created"]),
        (True, deal["Deal - Lost time"]),
    ]
    assert versions[0][2:] == (None, None, None)
    assert versions[1][2:] == (deal["Deal - Stage"], float(deal["Deal - Value"]), None)
    assert versions[-1][4] == "price"


def test_the_projects_own_rules_hold_for_what_is_written(project):
    """Every model and column is described, no sentence stands five times, a contract mentions only its own columns."""
    for rules in ("dbt_project/test_declarations.py", "assets/sources/test_contracts.py"):
        shutil.copy(Path(__file__).parents[2] / rules, project.root)
    held = project.call("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_declarations.py", "test_contracts.py")
    assert held.returncode == 0, held.stdout[-3000:]


def test_it_refuses_to_write_over_a_source_and_without_an_answer(project, tmp_path):
    files = [str(path) for path in pipedrive(tmp_path)]
    again = project.call(*COMMAND, *files, "--yes")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == "--name is missing: what the system is called, such as pipedrive.\n"
    named = project.call(*COMMAND, *files, "--name", "pipedrive", "--yes")
    assert (named.returncode, "assets/sources/pipedrive.py is there already. Edit it" in named.stderr) == (2, True)
    unsure = project.call(*COMMAND, *files, "--name", "pipes")
    assert unsure.returncode == 2 and "opportunity_id" in unsure.stdout
    assert unsure.stderr.startswith("Nothing is written: there is no terminal to ask on. --yes takes this")
    assert not (project.root / "assets/sources/pipes.py").exists()


def test_on_a_terminal_it_asks_what_it_cannot_know(project, tmp_path):
    rows = [
        {
            "Id": f"d{number}",
            "Deal": f"Deal {number}",
            "Total": number,
            "Created": f"2025-0{number % 9 + 1}-01",
            "Phase": phase,
        }
        for number, phase in enumerate(["signed", "gone", "new"] * 8)
    ]
    file = write(tmp_path / "exports" / "deals.csv", rows)
    lines = ["hubspot", "bond", "", "amount=Totl", "amount=Total", "", "gone", "sined", "signed", "y"]
    code, shown = project.type(*lines, command=("new", "source", str(file)))
    assert code == 0, shown
    assert "There is a source hubspot already" in shown
    assert "deals.csv has no column 'Totl'. Did you mean 'Total'?" in shown
    assert "'Phase' has no 'sined'. Did you mean 'signed'?" in shown
    sql = (project.root / "dbt_project/models/staging/bond/stg_bond__opportunities.sql").read_text()
    assert "lower(trim(stage)) in ('signed')" in sql and "'amount': ['amount', 'double']" in sql
