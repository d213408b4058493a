"""The asset `published/release` as Dagster runs it: what its settings change, and what is left of a refused release."""

from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from pipelines.commands.running import notices
from pipelines.publishing.assets import WITHHELD_METADATA, release_asset
from pipelines.publishing.states import AuditFailedError
from pipelines.warehouse import Warehouse

SUNDAY = date(2026, 6, 28)


class Company:
    """A warehouse with scored accounts, released by the real asset."""

    def __init__(self, data: Path):
        self.data = data
        self.configure("")
        self.write(
            f"""
            create schema raw_scorecast;
            create schema published;
            create table raw_scorecast.as_of as select date '{SUNDAY}' as as_of_date;
            """
        )
        self.score(40)

    def configure(self, text: str) -> None:
        (self.data / "sources.yaml").write_text(text)

    def write(self, statement: str) -> None:
        with duckdb.connect(str(self.data / "warehouse.duckdb")) as connection:
            connection.execute(statement)

    def score(self, accounts: int, probability: float = 0.5) -> None:
        self.write(
            f"""
            create or replace table published.churn_scores as
            select
                'a' || n as account_id, date '{SUNDAY}' as as_of_date, {probability}::double as probability,
                50 as score, 'Few logins' as reason_1, '[]' as reasons, 'v1' as model_version
            from range({accounts}) as numbers (n)
            """
        )

    def run(self, *tables: str, **metadata: str) -> dg.ExecuteInProcessResult:
        specs = [dg.AssetSpec(["published", table], metadata=metadata) for table in tables or ("churn_scores",)]
        asset = release_asset(specs)
        with dg.DagsterInstance.ephemeral() as instance:
            return dg.materialize([asset], instance=instance, resources={"warehouse": Warehouse()})

    def ask(self, query: str, file: str = "published") -> list[tuple]:
        with duckdb.connect(str(self.data / f"{file}.duckdb"), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    monkeypatch.setenv("SCORECAST_SOURCES", str(tmp_path / "sources.yaml"))
    return Company(tmp_path)


def test_a_company_that_doubles_is_published_once_the_range_is_wider(company: Company):
    company.run()
    company.score(80)
    with pytest.raises(AuditFailedError, match=r"row_count_range in sources\.yaml\), but there is 80"):
        company.run()
    company.configure("row_count_range: [0.7, 3]\n")
    assert company.run().success
    assert company.ask("select count(*) from churn_scores") == [(80,)]


def test_what_refused_a_release_can_be_asked_for_and_is_history_in_the_next_one(company: Company):
    company.run()
    before = (company.data / "published.duckdb").read_bytes()
    company.score(40, probability=1.2)
    with pytest.raises(AuditFailedError, match="probability is between 0 and 1"):
        company.run()
    assert (company.data / "published.duckdb").read_bytes() == before
    recorded = company.ask("from published.data_quality", file="warehouse")
    (refusal,) = company.ask(
        "select gate, suite, is_blocking, message, run_id, checked_at from published.data_quality where not success",
        file="warehouse",
    )
    assert refusal[:3] == ("publish", "churn_scores", True)
    assert refusal[3].startswith("churn_scores: probability is between 0 and 1, but not in 40 of 40 rows")

    company.score(40)
    company.run()
    company.run()
    kept = "from data_quality where run_id = ? and checked_at = ?"
    with duckdb.connect(str(company.data / "published.duckdb"), read_only=True) as connection:
        assert sorted(connection.execute(kept, refusal[4:]).fetchall()) == sorted(recorded)
    attempts = "select run_id, bool_and(success) from data_quality group by run_id order by min(checked_at)"
    assert [passed for _, passed in company.ask(attempts)] == [True, False, True, True]


def test_a_model_that_was_removed_leaves_the_release_and_keeps_its_history(company: Company):
    """Its table is still in the warehouse, as the last run that knew it left it."""
    company.write("create table published.old_scores as from published.churn_scores")
    company.run("churn_scores", "old_scores")
    history = company.ask("from score_history where table_name = 'old_scores' order by entity_id")
    assert len(history) == 40

    result = company.run("churn_scores")
    assert "old_scores" not in [name for (name,) in company.ask("select table_name from duckdb_tables()")]
    assert company.ask("from score_history where table_name = 'old_scores' order by entity_id") == history
    (tables, note) = company.ask("select tables, note from releases order by release_id desc limit 1")[0]
    assert "old_scores" not in tables
    assert note.startswith("old_scores has left the release: nothing in assets/ makes it any more.")
    (said,) = notices(result.all_events)
    assert said == f"  ! {note}"

    again = company.run("churn_scores")
    assert notices(again.all_events) == [], "it is told once"
    assert company.ask("select note from releases order by release_id desc limit 1") == [("all tables made anew",)]

    back = company.run("churn_scores", "old_scores")
    assert back.success
    assert len(company.ask("from old_scores")) == 40


def test_a_table_that_is_declared_and_was_not_made_is_still_carried_over(company: Company):
    company.write("create table published.old_scores as from published.churn_scores")
    company.run("churn_scores", "old_scores")
    company.write("drop table published.old_scores")
    company.run("churn_scores", "old_scores")
    assert len(company.ask("from old_scores")) == 40
    ((note,),) = company.ask("select note from releases order by release_id desc limit 1")
    assert "old_scores was not made in this run and is carried over" in note


def test_a_run_says_that_the_last_release_was_damaged_and_the_next_one_does_not(company: Company):
    company.run()
    published = company.data / "published.duckdb"
    published.chmod(0o644)
    published.write_bytes(published.read_bytes()[:100_000])
    company.score(40, probability=0.6)
    (told,) = notices(company.run().all_events)
    (kept, _) = sorted((company.data / "releases").glob("*.duckdb"))
    assert told.startswith("  ! published.duckdb is damaged (IO Error: Could not read enough bytes")
    assert told.endswith(f"; the kept release {kept.stem} takes its place.")
    assert company.ask("select count(*) from score_history") == [(80,)]
    assert notices(company.run().all_events) == []


@pytest.mark.parametrize("is_made_again", [True, False])
def test_columns_that_are_withheld_leave_the_release_though_the_last_one_had_them(
    company: Company, is_made_again: bool
):
    """Also those of a table that no run has made since, and not one of their values stays in the file."""
    company.write("alter table published.churn_scores add column email varchar default 'ann@withheld.example'")
    company.run()
    assert company.ask("select distinct email from churn_scores") == [("ann@withheld.example",)]
    assert b"ann@withheld.example" in (company.data / "published.duckdb").read_bytes()
    if not is_made_again:
        company.write("drop table published.churn_scores")

    assert company.run(**{WITHHELD_METADATA: "email,phone"}).success
    columns = [name for name, *_ in company.ask("describe churn_scores")]
    assert "email" not in columns
    assert "reason_1" in columns
    assert b"ann@withheld.example" not in (company.data / "published.duckdb").read_bytes()


def test_a_column_that_is_not_withheld_may_not_leave(company: Company):
    company.write("alter table published.churn_scores add column email varchar default 'x'")
    company.run()
    company.write("alter table published.churn_scores drop column email")
    with pytest.raises(AuditFailedError, match="every column of the last release is still there, but email is missing"):
        company.run(**{WITHHELD_METADATA: "phone"})
