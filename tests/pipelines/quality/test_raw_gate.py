"""The gate on raw input as Dagster checks: what passes, what stops the run, and in which words."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from pipelines.commands.running import failures
from pipelines.database import connect, table_exists
from pipelines.extraction.assets import as_of_definitions, raw_definitions
from pipelines.extraction.contracts import Entity, Source
from pipelines.quality.checker import stop_checker
from pipelines.quality.raw_gate import raw_gate_definitions
from pipelines.warehouse import Warehouse

GATE = dg.AssetCheckKey(dg.AssetKey(["raw_scorecast", "as_of"]), "raw_gate")
TODAY = datetime.now(UTC).date().isoformat()
ARTICLE = Entity(
    name="article",
    description="An article.",
    columns={"id": "varchar", "words": "bigint", "updated_at": "timestamp"},
    key=("id",),
    time="updated_at",
    rules={"words is negative": "words >= 0"},
)
AUTHOR = Entity("author", "Who writes.", {"id": "varchar"}, key=("id",))
CMS = Source(name="cms", description="A site.", entities=(ARTICLE, AUTHOR))
SOCIAL = Source(name="social", description="Posts.", entities=(Entity("post", "A post.", {"id": "varchar"}, ("id",)),))
ABSENT = Source(
    name="web", description="Not here.", entities=(Entity("event", "A visit.", {"id": "varchar"}, ("id",)),)
)


def check_of(source: str, table: str) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(dg.AssetKey([f"raw_{source}", table]), "contract")


class Company:
    """Exports of a small company, loaded by the real assets, gated, and a table that is built from them."""

    def __init__(self, data: Path):
        self.data, self.exports = data, 0
        self.configure()

    def configure(self, more: str = "") -> None:
        folders = "sources:\n  cms: landing/cms\n  social: landing/social\n"
        (self.data / "sources.yaml").write_text(folders + more)

    def export(self, good: int, bad: int = 0, day: str = TODAY) -> None:
        """One more export of articles; bad ones have a negative number of words. Authors and posts are always good."""
        self.exports += 1
        lines = [f"{self.exports}-{n},{-1 if n < bad else 300},{day}" for n in range(good + bad)]
        self.write("cms/article", ["id,words,updated_at", *lines])
        self.write("cms/author", ["id", f"w{self.exports}"])
        self.write("social/post", ["id", f"p{self.exports}"])

    def write(self, entity: str, lines: list[str]) -> None:
        path = self.data / "landing" / entity / f"{self.exports}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")

    def run(self) -> dg.ExecuteInProcessResult:
        sources = [CMS, SOCIAL, ABSENT]

        @dg.asset(key=["staging", "articles"], deps=[dg.AssetKey(["raw_scorecast", "as_of"])])
        def built(warehouse: Warehouse) -> None:
            with warehouse.connect() as connection:
                connection.execute("create schema if not exists staging")
                connection.execute("create or replace table staging.articles as select * from raw_cms.article")

        defs = dg.Definitions.merge(
            raw_definitions(sources),
            as_of_definitions(sources),
            raw_gate_definitions(sources),
            dg.Definitions(assets=[built], resources={"warehouse": Warehouse()}, executor=dg.in_process_executor),
        )
        job = defs.resolve_implicit_global_asset_job_def()
        with dg.DagsterInstance.ephemeral() as instance:
            return job.execute_in_process(instance=instance, raise_on_error=False)

    def is_built(self) -> bool:
        with connect(self.data / "warehouse.duckdb") as connection:
            return table_exists(connection, "staging", "articles")

    def ask(self, query: str) -> list[tuple]:
        with connect(self.data / "warehouse.duckdb", read_only=True) as connection:
            return connection.execute(query).fetchall()


def checks(result: dg.ExecuteInProcessResult) -> dict[dg.AssetCheckKey, dg.AssetCheckEvaluation]:
    evaluations = {evaluation.asset_check_key: evaluation for evaluation in result.get_asset_check_evaluations()}
    return {key: evaluation for key, evaluation in evaluations.items() if key.name in ("raw_gate", "contract")}


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    monkeypatch.setenv("SCORECAST_SOURCES", str(tmp_path / "sources.yaml"))
    return Company(tmp_path)


def test_clean_tables_pass_and_what_follows_is_built(company: Company):
    company.export(good=200)
    result = company.run()
    assert result.success
    found = checks(result)
    tables = {check_of("cms", "article"), check_of("cms", "author"), check_of("social", "post")}
    assert set(found) == {GATE, *tables}
    assert all(evaluation.passed for evaluation in found.values())
    assert {evaluation.description for evaluation in found.values()} == {"Everything holds."}
    assert company.is_built()


def test_too_many_rows_in_quarantine_stop_the_run_and_are_counted_in_words(company: Company):
    company.export(good=180, bad=20)
    result = company.run()
    assert not result.success
    gate = checks(result)[GATE]
    assert not gate.passed
    assert gate.blocking
    assert gate.severity == dg.AssetCheckSeverity.ERROR
    assert gate.description == (
        "cms: at most 5% of the new rows are in quarantine, but not for article"
        " (quarantined_rows 20, new_rows 200, reasons words is negative (20 times))"
    )
    assert not company.is_built()


def test_what_stopped_the_run_is_on_the_source_and_not_on_others(company: Company):
    company.export(good=180, bad=20)
    found = checks(company.run())
    article, post = found[check_of("cms", "article")], found[check_of("social", "post")]
    assert not article.passed
    assert article.severity == dg.AssetCheckSeverity.ERROR
    assert not article.blocking
    assert "quarantine" in article.description
    assert post.passed
    assert post.description == "Everything holds."


def test_the_limit_comes_from_the_configuration(company: Company):
    company.configure("quarantine_limit: 0.2\n")
    company.export(good=180, bad=20)
    result = company.run()
    assert result.success
    assert checks(result)[GATE].passed
    assert company.is_built()


def test_a_warning_is_shown_and_stops_nothing(company: Company):
    company.configure(f"as_of: {TODAY}\n")
    company.export(good=200, day="2024-01-31")
    result = company.run()
    assert result.success
    found = checks(result)
    article = found[check_of("cms", "article")]
    assert not article.passed
    assert article.severity == dg.AssetCheckSeverity.WARN
    assert "the newest row of every table is at most 7 days older than the run's day" in article.description
    assert found[GATE].passed
    assert company.is_built()


def test_a_run_after_a_good_export_goes_on_again(company: Company):
    company.export(good=180, bad=20)
    assert not company.run().success
    company.export(good=200)
    assert company.run().success
    assert company.is_built()


def test_findings_are_kept_with_their_run_and_documented(company: Company):
    company.export(good=180, bad=20)
    first = company.run()
    company.export(good=200)
    second = company.run()
    failed = company.ask(
        "select run_id, gate, suite, is_blocking, message from published.data_quality where not success"
    )
    assert [row[:4] for row in failed] == [(first.run_id, "raw", "cms", True)]
    assert failed[0][4] == checks(first)[GATE].description
    counts = dict(company.ask("select run_id, count(*) from published.data_quality group by all"))
    assert set(counts) == {first.run_id, second.run_id}
    gate = checks(second)[GATE]
    assert counts[second.run_id] == gate.metadata["expectations"].value
    stop_checker(wait=True)
    assert gate.metadata["data_docs"].value == "/reports/raw/index.html"
    assert (company.data / "reports" / "raw" / "index.html").exists()


def test_a_source_that_is_not_configured_has_no_check(company: Company):
    (definition,) = raw_gate_definitions([CMS, ABSENT]).asset_checks
    assert set(definition.check_keys) == {GATE, check_of("cms", "article"), check_of("cms", "author")}
    assert not raw_gate_definitions([ABSENT]).asset_checks


def test_a_run_after_the_bad_file_is_gone_goes_on_without_it(company: Company):
    company.export(good=200)
    assert company.run().success
    company.export(good=150, bad=50)
    assert not company.run().success
    assert not company.run().success
    (company.data / "landing" / "cms" / "article" / "2.csv").unlink()
    assert company.run().success
    assert company.ask("select count(*) from staging.articles") == [(200,)]


def test_no_source_is_loaded_by_a_clock_before_the_last_load_and_all_say_so_in_one_line(company: Company):
    company.export(good=20)
    assert company.run().success
    with connect(company.data / "warehouse.duckdb") as connection:
        connection.execute(
            "update raw_cms._manifest set loaded_at = loaded_at + interval 2 day where file = 'author/1.csv'"
        )
    company.export(good=20)
    result = company.run()
    assert not result.success
    (line,) = failures(result.all_events)
    assert line.startswith("This computer's clock is before the last load: cms was loaded at")
    assert "\n" not in line
    assert company.ask("select count(*) from raw_cms.article") == [(20,)]
    assert company.ask("select count(*) from raw_social.post") == [(1,)]
