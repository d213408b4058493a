"""`scorecast forget`: what was loaded is as if it had never been there, and the command says what that was."""

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner, Result

from assets.sources import all_sources
from pipelines.commands.main import app
from pipelines.extraction.configuration import read_configuration
from pipelines.extraction.loading.load import load_source
from pipelines.extraction.loading.state import LoadReport
from pipelines.locking import run_lock
from pipelines.quality.raw import check_raw
from pipelines.registry.store import champion_version, model_path, promote
from pipelines.transformation.building import FULL_REFRESH, target_dir

NOW = datetime(2026, 6, 29, 5)
SOURCES = {source.name: source for source in all_sources()}
STATS = "date,campaign_id,campaign_name,impressions,clicks,cost_micros"


class Company:
    """Landed exports of two systems, loaded by their real contracts into a data folder of its own."""

    def __init__(self, data: Path):
        self.data, self.loads = data, 0

    def stats(self, name: str, *rows: str, header: str = STATS) -> Path:
        return self.write(f"google_ads/campaign_stats/{name}", "\n".join([header, *rows]) + "\n")

    def write(self, name: str, text: str) -> Path:
        path = self.data / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def load(self, now: datetime | None = None) -> list[LoadReport]:
        self.loads += 1
        with duckdb.connect(str(self.data / "warehouse.duckdb")) as connection:
            return [
                report
                for name, folder in read_configuration().folders.items()
                for report in load_source(connection, SOURCES[name], folder, now or NOW + timedelta(hours=self.loads))
            ]

    def call(self, *arguments: str) -> Result:
        result = CliRunner().invoke(app, ["forget", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def ask(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.data / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def state(self) -> list[list[tuple]]:
        """All that is on record of the statistics."""
        return [
            self.ask("select * exclude (_loaded_at) from raw_google_ads.campaign_stats order by all"),
            self.ask("describe raw_google_ads.campaign_stats"),
            self.ask("select * exclude (loaded_at) from raw_google_ads._quarantine order by all"),
            self.ask("select * from raw_google_ads._repeats order by all"),
            self.ask("select * exclude (noticed_at) from raw_google_ads._schema_changes order by all"),
            self.ask(
                "select entity, file, rows, quarantined, status, repeated, changed, judge_again_at"
                " from raw_google_ads._manifest order by all"
            ),
        ]


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    sources = tmp_path / "sources.yaml"
    sources.write_text("sources:\n  google_ads: landing/google_ads\n  stripe: landing/stripe\n")
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    monkeypatch.setenv("SCORECAST_SOURCES", str(sources))
    company = Company(tmp_path)
    company.write("stripe/customer/1.csv", "id,created,updated\nc1,1700000000,1700000000\n")
    company.stats("1.csv", "2026-06-01,c1,Brand,10,1,100", "2026-06-02,c1,Brand,10,1,100")
    company.load()
    return company


@pytest.mark.parametrize(
    "bad",
    [
        ["2026-06-02,c1,Brand,999,9,900", "2026-06-03,c1,Brand,10,1,100", "2026-06-03,c1,Brand,10,1,100"],
        ["2026-06-01,c1,Brand,10,1,100", "2099-01-01,c1,Brand,10,1,100", "broken"],
        [],
    ],
)
@pytest.mark.parametrize("stays", [True, False])
def test_a_file_is_as_if_it_had_never_been_there(company: Company, bad: list[str], stays: bool):
    later = ["2026-06-01,c1,Brand,10,1,100", "2026-06-02,c1,Brand,20,1,100", "2026-06-04,c1,Brand,1,1,1"]
    company.stats("3.csv", *later)
    company.load()
    expected = company.state()
    (company.data / "landing/google_ads/campaign_stats/3.csv").unlink()
    assert company.call("google_ads").exit_code == 0
    company.loads = 0
    company.load()
    path = company.stats("2.csv", *bad)
    company.load()
    company.stats("3.csv", *later)
    company.load()
    if not stays:
        path.unlink()
    result = company.call("google_ads/campaign_stats/2.csv")
    assert result.exit_code == 0
    assert result.stdout.startswith("Forgot google_ads/campaign_stats/2.csv: ")
    assert (f"It is still there ({path}): the next run loads it anew" in result.stdout) == stays
    assert result.stdout.endswith("Next: make run\n")
    assert (target_dir() / FULL_REFRESH).exists()
    path.unlink(missing_ok=True)
    company.load()
    assert company.state() == expected


def test_its_columns_and_their_types_go_back(company: Company):
    company.stats("2.csv", "2026-06-03,c1,7", header="date,campaign_id,Tier__c")
    company.load()
    expected = company.state()
    company.stats("3.csv", "2026-06-04,c1,n/a,x", header="date,campaign_id,Tier__c,Only_here").rename(
        company.data / "landing/google_ads/campaign_stats/bad.csv"
    )
    company.load()
    types = dict(company.ask("select column_name, column_type from (describe raw_google_ads.campaign_stats)"))
    assert (types["Tier__c"], types["Only_here"]) == ("VARCHAR", "VARCHAR")
    (company.data / "landing/google_ads/campaign_stats/bad.csv").unlink()
    company.call("campaign_stats/bad.csv")
    assert company.state() == expected


def test_a_source_goes_as_a_whole_and_others_stay(company: Company):
    result = company.call("google_ads")
    assert result.stdout == "Forgot google_ads: 2 rows of 1 files.\nNext: make run\n"
    assert company.ask("select distinct schema_name from duckdb_tables()") == [("raw_stripe",)]
    company.load()
    assert company.ask("select count(*) from raw_google_ads.campaign_stats") == [(2,)]


def test_files_are_named_by_their_path_or_their_name_where_one_source_has_it(company: Company):
    path = company.stats("2.csv", "2026-06-03,c1,Brand,10,1,100")
    company.load()
    assert "Forgot google_ads/campaign_stats/2.csv: 1 rows." in company.call(str(path)).stdout
    assert "Forgot google_ads/campaign_stats/1.csv: 2 rows." in company.call("campaign_stats/1.csv").stdout
    assert company.ask("select count(*) from raw_google_ads.campaign_stats") == [(0,)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("strip", "Did you mean 'stripe'?"),
        ("campaign_stat/1.csv", "Did you mean 'campaign_stats/1.csv'?"),
        ("nothing at all", "Sources: google_ads, stripe;"),
    ],
)
def test_a_name_that_nothing_has_is_told_with_what_is_like_it(company: Company, name: str, words: str):
    before = company.state()
    result = company.call("google_ads/campaign_stats/1.csv", name)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Nothing that was loaded is called '{name}'.")
    assert words in result.stderr
    assert company.state() == before
    assert not (target_dir() / FULL_REFRESH).exists()


def test_what_a_clock_that_was_ahead_loaded_is_forgotten_since_then(company: Company):
    company.stats("2.csv", "2026-06-03,c1,Brand,10,1,100")
    company.load(now=NOW + timedelta(days=900))
    with pytest.raises(RuntimeError, match="forget --since '2028-12-15 05:00:00'"):
        company.load()
    result = company.call("--since", "2028-12-15 05:00:00")
    assert result.stdout.startswith("Forgot google_ads/campaign_stats/2.csv: 1 rows.")
    assert {report.status for report in company.load() if report.entity == "campaign_stats"} == {"loaded"}
    assert company.ask("select count(*) from raw_google_ads.campaign_stats") == [(3,)]
    assert company.call("--since", "2028-01-01").stdout == "Nothing was loaded since then.\nNext: make run\n"


def test_what_it_replaced_in_a_file_that_is_gone_is_told_and_the_gate_goes_on(company: Company):
    (company.data / "landing/google_ads/campaign_stats/1.csv").unlink()
    company.stats("2.csv", "2026-06-01,c1,Brand,999,1,100")
    company.load()
    (company.data / "landing/google_ads/campaign_stats/2.csv").unlink()
    told = company.call("google_ads/campaign_stats/2.csv").stdout
    assert "What stood back in google_ads/campaign_stats/1.csv does not come back: the file is no longer there." in told
    company.load()
    with duckdb.connect(str(company.data / "warehouse.duckdb")) as connection:
        findings = check_raw(connection, [SOURCES["google_ads"]], NOW.date(), 0.05, company.data / "docs")
    assert [finding.message for finding in findings if finding.is_blocking and not finding.success] == []
    assert company.ask("select count(*) from raw_google_ads.campaign_stats") == [(1,)]


def test_models_that_were_fitted_while_the_rows_were_there_are_withdrawn(company: Company):
    company.stats("2.csv", "2026-06-03,c1,Brand,10,1,100")
    company.load()
    for name, at in (("old", "20260629T055959"), ("churn", "20260629T063000"), ("lead_score", "20260629T080000")):
        model_path(name, f"{name}-{at}").parent.mkdir(parents=True)
        model_path(name, f"{name}-{at}").touch()
        promote(name, f"{name}-{at}")
    told = company.call("google_ads/campaign_stats/2.csv").stdout
    assert "Fitted while those rows were there, so withdrawn: lead_score-20260629T080000. The next run fits" in told
    assert "scorecast rollback --model lead_score --to lead_score-20260629T080000\n" in told
    assert [champion_version(name) for name in ("churn", "lead_score")] == ["churn-20260629T063000", None]
    recorded = "select model, status, metrics ->> 'withdrawn' from published.model_runs order by model"
    assert company.ask(recorded) == [("lead_score", "withdrawn", "lead_score-20260629T080000")]
    told = company.call("stripe").stdout
    assert "so withdrawn: churn-20260629T063000. The next run" in told
    assert champion_version("old") == "old-20260629T055959" and len(company.ask(recorded)) == 2
    assert "withdrawn" not in company.call("--since", "2028-01-01").stdout


def test_it_needs_a_name_and_something_loaded_and_no_run(company: Company, monkeypatch: pytest.MonkeyPatch):
    assert company.call().exit_code == 2
    monkeypatch.setattr("pipelines.commands.forgetting.WAIT_SECONDS", 0.0)
    with run_lock(company.data / "warehouse.lock", "a run"):
        result = company.call("stripe")
    assert result.exit_code == 1
    assert "Waiting for a run" in result.stderr
    assert company.ask("select count(*) from raw_stripe.customer") == [(1,)]
    (company.data / "warehouse.duckdb").unlink()
    assert "Nothing is loaded yet" in company.call("stripe").stderr
