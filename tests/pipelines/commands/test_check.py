"""`scorecast check`: what it prints and its exit codes, on the exports of a small company; it leaves nothing behind."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipelines.commands.checking import aligned
from pipelines.commands.main import app

EXPORTS = Path(__file__).resolve().parents[4] / "shared" / "exports"
SUBSCRIPTIONS = "id,Customer ID,Plan,Quantity,Currency,Interval,Amount,Status,Created (UTC),Ended At (UTC)\n"
CUSTOMERS = "id,Email,Name,Created (UTC),Currency\n"


def subscription(number: int, ended: str = "") -> str:
    status = "canceled" if ended else "active"
    return f'sub_{number},cus_{number},Team,1,eur,month,"1,099.00",{status},2025-01-0{number % 9 + 1} 09:00,{ended}\n'


@pytest.fixture
def stripe(tmp_path: Path) -> Path:
    """A folder of Stripe's exports: 80 customers, of whom 35 left and of one there is no record; one row is wrong."""
    folder = tmp_path / "exports" / "stripe"
    folder.mkdir(parents=True)
    rows = [subscription(n, "2025-09-01 09:00" if n < 35 else "") for n in range(80)]
    rows.append(subscription(80).replace("1,099.00", "-5"))
    (folder / "subscriptions-2026-06-28.csv").write_text(SUBSCRIPTIONS + "".join(rows))
    known = "".join(f"cus_{n},p{n}@firm{n}.example,Firm {n},2026-06-0{n % 9 + 1} 09:00,eur\n" for n in range(79))
    (folder / "customers-2026-06-28.csv").write_text(CUSTOMERS + known)
    (folder / "invoces.xls").write_text("x")
    return folder


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command in a data folder of its own."""
    sources = tmp_path / "sources.yaml"
    sources.write_text("sources: {stripe: ../exports/stripe}\n")
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SCORECAST_SOURCES", str(sources))

    def call(*arguments: object) -> Result:
        result = CliRunner().invoke(app, ["check", *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return call


def test_it_says_what_was_understood_and_leaves_nothing_behind(check, stripe, tmp_path):
    result = check()
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"stripe  {stripe}"
    words = [" ".join(line.split()) for line in lines]
    assert "subscription subscriptions-2026-06-28.csv 81 1 2025-01-01 to 2025-01-09 EUR 80" in words
    assert "customer customers-2026-06-28.csv 79 2026-06-01 to 2026-06-09 EUR 79" in words
    for told in (
        "customer (Customer ID)",
        "missing: phone, address_country, delinquent, metadata, deleted, updated",
        "read: plan_amount_in_units has commas between thousands",
        "1 row of subscription put aside, such as subscriptions-2026-06-28.csv, line 82: plan_amount_in_units is",
        "subscription.customer: 1 of 80 (1.2%) match no customer, such as 'cus_79' (subscriptions-2026-06-28.csv, line",
        "invoces.xls is not read: its ending is none of",
        "Did you mean 'invoice'?",
    ):
        assert told in result.stdout
    assert any(line.split()[:6] == ["churn", "yes", "80", "customers,", "35", "left;"] for line in lines)
    assert any(line.split()[:3] == ["lead_score", "no", "there"] for line in lines)
    left = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert left == []


def test_a_folder_is_checked_in_place_of_those_of_sources_yaml(check, stripe, tmp_path):
    (tmp_path / "sources.yaml").write_text("sources: {zendesk: nowhere}\n")
    for folder in (stripe, stripe.parent):
        result = check(folder)
        assert (result.exit_code, result.stdout.splitlines()[0]) == (0, f"stripe  {stripe}")


LEADS = "Id,Email,Company,Status,IsConverted,CreatedDate,SystemModstamp\n"


def mixed(folder: Path, stripe: Path) -> Path:
    """A folder of downloads: Stripe's files, one of Salesforce, one of nobody, and a name that both systems have."""
    folder.mkdir()
    for file in stripe.glob("*.csv"):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "Lead.csv").write_text(LEADS + "00Q1,a@b.example,Co,Open,0,2026-01-01 09:00:00,2026-01-01 09:00:00\n")
    (folder / "holiday.csv").write_text("a,b\n1,2\n")
    return folder


def test_files_of_several_systems_in_one_folder_are_judged_apart_and_told_where_to_put(check, stripe, tmp_path):
    folder = mixed(tmp_path / "Downloads", stripe)
    result = check(folder)
    assert result.exit_code == 0
    words = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "lead Lead.csv 1 2026-01-01 to 2026-01-01" in words
    assert "subscription subscriptions-2026-06-28.csv 81 1 2025-01-01 to 2025-01-09 EUR 80" in words
    (told,) = [line for line in words if "has files of 2 systems" in line]
    assert "salesforce: Lead.csv; stripe: customers-2026-06-28.csv, subscriptions-2026-06-28.csv" in told
    assert f"`sources: {{salesforce: {folder}/salesforce, stripe: {folder}/stripe}}`" in result.stdout
    assert "holiday.csv is not looked into." in result.stdout
    assert "is not read" not in result.stdout, "another system's files are no strays"


def test_files_of_another_system_in_a_systems_folder_are_named(check, stripe):
    mixed(stripe.parent / "all", stripe).joinpath("Lead.csv").rename(stripe / "Lead.csv")
    result = check(stripe)
    assert "Lead.csv: looks like salesforce's, not stripe's" in result.stdout


def test_a_file_in_place_of_a_folder_is_judged_alone(check, stripe, tmp_path):
    file = mixed(tmp_path / "Downloads", stripe) / "subscriptions-2026-06-28.csv"
    result = check(file)
    assert result.exit_code == 0
    assert f"{file} is a file: it alone is judged. Name its folder to have all of it judged." in result.stdout
    assert "customers-2026-06-28.csv" not in result.stdout and "Lead.csv" not in result.stdout
    assert any(line.split()[:4] == ["churn", "yes", "80", "customers,"] for line in result.stdout.splitlines())
    assert check(file.with_name("holiday.csv")).exit_code == 1


@pytest.mark.parametrize("junk", [{}, {"foo.csv": "a,b\n1,2\n", "notes.txt": "x"}])
def test_where_nothing_is_found_the_exit_code_is_1(check, tmp_path, junk):
    folder = tmp_path / "junk"
    folder.mkdir()
    for name, text in junk.items():
        (folder / name).write_text(text)
    result = check(folder)
    assert result.exit_code == 1
    assert "No row of any export was found." in result.stdout
    assert all(f"{name} is not looked into." in result.stdout for name in junk)


def test_what_a_file_says_commands_no_terminal(check, stripe):
    text = (stripe / "customers-2026-06-28.csv").read_text()
    (stripe / "customers-2026-06-28.csv").write_text(text.replace(",Name,", ",Name [red]\x1b[2J,", 1))
    result = check()
    assert "\x1b" not in result.stdout
    assert "kept as custom fields: Name [red]\\x1b[2J" in result.stdout


def test_all_reads_the_older_files_too(check, stripe, monkeypatch):
    monkeypatch.setattr("pipelines.extraction.checkup.SMALL_FILES", 1)
    monkeypatch.setattr("pipelines.extraction.checkup.PART_FILES", 1)
    for day in ("2026-06-27", "2026-06-28"):
        (stripe / f"invoices-{day}.csv").write_text(f"id,Customer,Date (UTC)\nin_{day},cus_1,{day} 09:00\n")
    told = "invoice: 1 older files were not looked at; `--all` reads them, too"
    assert told in check().stdout
    result = check("--all")
    assert told not in result.stdout
    assert "invoices-2026-06-27.csv … invoices-2026-06-28.csv (2 files)" in result.stdout


def test_a_run_that_would_stop_makes_nothing(check, stripe):
    path = stripe / "subscriptions-2026-06-28.csv"
    path.write_text(path.read_text().replace('"1,099.00",active', "many,active"))
    path.write_text(path.read_text() + "".join(subscription(n) for n in range(100, 140)))
    result = check()
    assert result.exit_code == 1
    assert "A run would stop: stripe.subscription: 38.0% of the rows are put aside" in result.stdout
    assert result.stdout.splitlines()[-1].strip() == "! Nothing can be made of it yet."


@pytest.mark.parametrize(
    ("sources", "arguments", "words"),
    [
        ("sources: {strip: exports}\n", (), "there is no source 'strip'. Did you mean 'stripe'?"),
        ("sources: {stripe: {folder: x, columns: {customer: {nme: y}}}}\n", (), "has no column 'nme'"),
        ("sources: {}\n", ("nowhere",), "The folder nowhere is not there."),
    ],
)
def test_a_mistake_is_exit_code_2_and_one_line(tmp_path, sources, arguments, words):
    # In a process of its own: the sources' modules read sources.yaml when they are imported.
    (tmp_path / "sources.yaml").write_text(sources)
    result = subprocess.run(
        [sys.executable, "-m", "pipelines.commands.main", "check", *arguments],
        env={"PATH": "", "SCORECAST_DATA": str(tmp_path / "data"), "SCORECAST_SOURCES": str(tmp_path / "sources.yaml")},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    assert words in result.stderr and result.stderr.count("\n") == 1


def test_columns_stand_below_one_another():
    rows = [("a", "1,000", "x"), ("漢字", "2", "")]
    assert aligned(rows, right=(1,)) == ["a     1,000  x", "漢字      2"]


@pytest.mark.real_data
@pytest.mark.skipif(not EXPORTS.exists(), reason=f"the vendors' exports are not at {EXPORTS}")
def test_four_vendors_exports(check):
    result = check(EXPORTS)
    assert result.exit_code == 0
    assert "167 customers, 40 left" in result.stdout
    assert "2,500 leads, 319 converted" in result.stdout
    assert "README.md is not looked into" in result.stdout
