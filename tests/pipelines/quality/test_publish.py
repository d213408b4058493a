"""The gate before a release, through real releases: what is refused, in which words, and that nothing else changes."""

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines.extraction.configuration import DEFAULT_ROW_COUNT_RANGE
from pipelines.publishing.release import build_release
from pipelines.publishing.states import AuditFailedError, Release
from pipelines.quality.checker import stop_checker
from pipelines.quality.findings import Finding
from pipelines.quality.publish import audit_release
from tests.pipelines.components.texts import Company as Texts
from tests.pipelines.components.texts import sentiment

NOW = datetime(2026, 6, 29, 5, tzinfo=UTC)
SUNDAY = date(2026, 6, 28)


class Company:
    """A warehouse with forty scored accounts and forecasts, and its audited releases."""

    def __init__(self, folder: Path):
        self.folder, self.releases_made = folder, 0
        self.published, self.docs = folder / "published.duckdb", folder / "docs"
        self.findings: Sequence[Finding] = ()
        self.row_count_range = DEFAULT_ROW_COUNT_RANGE
        self.growing: Sequence[str] = ()
        self.own_ranges: dict[str, tuple[float, float]] = {}
        self.write(
            f"""
            create schema raw_scorecast;
            create schema published;
            create table raw_scorecast.as_of as select date '{SUNDAY}' as as_of_date;
            create table published.churn_scores as
            select
                'a' || n as account_id, date '{SUNDAY}' as as_of_date, n / 50 as probability,
                n::integer + 1 as score, 'Few logins' as reason_1, '[]' as reasons, 'v1' as model_version
            from range(40) as numbers (n);
            create table published.forecasts as
            select
                metric, 'total' as segment, date '2026-07-01' + n::integer as period_start_date,
                1.0 as p10, 2.0 as p50, 3.0 as p90
            from (values ('bookings'), ('tickets')) as metrics (metric), range(20) as numbers (n);
            """
        )

    def write(self, statement: str) -> None:
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as connection:
            connection.execute(statement)

    def publish(self) -> Release:
        self.releases_made += 1
        keys = {"forecasts": ["metric", "segment", "period_start_date"]}

        def audit(connection: duckdb.DuckDBPyConnection) -> Sequence[Finding]:
            ranges = self.row_count_range, self.growing, {}, self.own_ranges
            self.findings = audit_release(connection, keys, self.docs, *ranges)
            return self.findings

        now = NOW + timedelta(minutes=self.releases_made)
        warehouse, releases = self.folder / "warehouse.duckdb", self.folder / "releases"
        return build_release(warehouse, self.published, releases, audit, f"run {self.releases_made}", now)

    def failed(self) -> list[str]:
        return [finding.message for finding in self.findings if not finding.success]

    def ask(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.published), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def company(tmp_path: Path) -> Company:
    company = Company(tmp_path)
    company.publish()
    return company


def test_a_sound_release_passes_with_docs_and_is_recorded(company: Company):
    company.publish()
    assert company.failed() == []
    stop_checker(wait=True)
    assert (company.docs / "index.html").exists()
    recorded = company.ask("select run_id, count(*), bool_and(success) from data_quality group by all order by 1")
    assert recorded[1] == ("run 2", len(company.findings), True)
    assert {finding.suite for finding in company.findings} == {
        "churn_scores",
        "churn_scores types",
        "churn_scores columns",
        "forecasts",
        "forecasts types",
        "forecasts columns",
        "forecasts parts",
    }


SCORES_OF = "update published.churn_scores set"
WRONG_ROWS = (
    "insert into published.churn_scores from (from published.churn_scores where account_id = 'a3')",
    f"{SCORES_OF} account_id = null where account_id = 'a4'",
    f"{SCORES_OF} probability = null where account_id = 'a5'",
    f"{SCORES_OF} probability = 'nan' where account_id = 'a6'",
    f"{SCORES_OF} probability = 1.2 where account_id = 'a7'",
    f"{SCORES_OF} score = 100 where account_id = 'a8'",
    f"{SCORES_OF} reason_1 = null where account_id = 'a9'",
    f"{SCORES_OF} reason_1 = ' ' where account_id = 'a10'",
    "insert into published.forecasts from (from published.forecasts limit 1)",
    "update published.forecasts set p10 = 2.5 where metric = 'tickets'",
    "update published.forecasts set p50 = 3.5 where metric = 'bookings'",
)
SAID_OF_WRONG_ROWS = (
    "churn_scores: account_id is never null, but not in 1 of 41 rows",
    "churn_scores: account_id is unique, but not in 2 of 41 rows, e.g. a3",
    "churn_scores: probability is never null, but not in 2 of 41 rows",
    "churn_scores: probability is between 0 and 1, but not in 1 of 41 rows, e.g. 1.2 (account_id a7)",
    "churn_scores: score is between 1 and 99, but not in 1 of 41 rows, e.g. 100 (account_id a8)",
    "churn_scores: every score has a reason, but not in 1 of 41 rows",
    "churn_scores: no reason is empty, but not in 1 of 41 rows, e.g. (empty) (account_id a10)",
    "forecasts: metric, segment, period_start_date together are unique, but not in 2 of 41 rows",
    "forecasts: p10 is at most p50, but not in 20 of 41 rows, e.g. p10 2.5, p50 2.0 (metric tickets, segment total",
    "forecasts: p50 is at most p90, but not in 21 of 41 rows",
)


def refusal(company: Company) -> list[str]:
    """What a refused release says, after making sure that nothing but the words is left of it."""
    before = company.published.read_bytes()
    with pytest.raises(AuditFailedError) as refused:
        company.publish()
    assert company.published.read_bytes() == before
    assert len(list((company.folder / "releases").glob("*.duckdb"))) == 1
    assert not list(company.folder.glob("*draft*"))
    return str(refused.value).splitlines()[1:]


def test_wrong_rows_are_refused_each_in_its_own_words(company: Company):
    for change in WRONG_ROWS:
        company.write(change)
    told = refusal(company)
    assert len(told) == len(SAID_OF_WRONG_ROWS)
    for words in SAID_OF_WRONG_ROWS:
        assert [line for line in told if line.startswith(f"- {words}")], words


@pytest.mark.parametrize(
    "change", ["probability = 1.2 where account_id = 'a3'", "account_id = 'a4' where account_id = 'a3'"]
)
def test_one_wrong_row_is_enough(company: Company, change: str):
    company.write(f"{SCORES_OF} {change}")
    assert len(refusal(company)) == 1


@pytest.mark.parametrize(("gone", "left"), [("score > 20", 20), ("true", 0)])
def test_lost_rows_are_refused(company: Company, gone: str, left: int):
    company.write(f"delete from published.churn_scores where {gone}")
    told = refusal(company)
    words = (
        "- churn_scores: its row count is near the last release's 40 (28 to 61, by row_count_range"
        f" in sources.yaml), but there is {left}"
    )
    assert words in told


def test_a_dropped_column_is_refused_by_name(company: Company):
    company.write("alter table published.churn_scores drop column reason_1")
    assert refusal(company) == [
        "- churn_scores columns: every column of the last release is still there, but reason_1 is missing"
    ]


@pytest.mark.parametrize(
    ("column", "type_"), [("score", "varchar"), ("as_of_date", "timestamp"), ("model_version", "integer")]
)
def test_a_column_of_another_type_than_its_name_promises_is_refused(company: Company, column: str, type_: str):
    company.write("update published.churn_scores set model_version = '1'")
    company.write(f"alter table published.churn_scores alter column {column} type {type_}")
    words = f"- churn_scores types: a column's type is the one that its name promises, but not for {column} (type"
    assert [line for line in refusal(company) if line.startswith(words)]


def test_the_columns_of_a_company_of_its_own_come_and_go(company: Company):
    company.write("alter table published.churn_scores add column custom_renewal_date varchar")
    company.publish()
    company.write("alter table published.churn_scores drop column custom_renewal_date")
    company.publish()
    assert company.failed() == []


def test_how_far_a_row_count_may_go_is_a_setting(company: Company):
    company.write("delete from published.churn_scores where score > 20")
    company.row_count_range = (0.5, 2.0)
    company.publish()
    assert company.failed() == []


def test_a_table_may_have_a_range_of_its_own(company: Company):
    company.own_ranges = {"churn_scores": (0.5, 2.0)}
    company.write("delete from published.churn_scores where score > 10")
    assert "near the last release's 40 (20 to 81, by row_count_range in its YAML)" in refusal(company)[0]
    company.own_ranges = {"churn_scores": (0.1, 2.0)}
    company.publish()
    assert company.failed() == []


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ("probability = 0.5 where account_id = 'a3'", 1),  # a rule's points are no probability
        ("decided_by = 'model' where account_id = 'a3'", 1),
        ("probability = 'nan', decided_by = 'model' where account_id = 'a3'", 1),
        ("decided_by = null where account_id in ('a3', 'a4')", 2),
        ("probability = 0.5, decided_by = 'model' where account_id = 'a3'", 0),
        ("probability = 1.5, decided_by = 'model' where account_id = 'a3'", 1),
    ],
)
def test_what_a_rule_decided_has_no_probability_and_what_a_model_decided_has_one(
    company: Company, change: str, rows: int
):
    company.write("alter table published.churn_scores add column decided_by varchar default 'rule'")
    company.write("update published.churn_scores set probability = null")
    company.write(f"{SCORES_OF} {change}")
    if rows:
        (told,) = refusal(company)
        assert f"not in {rows} of 40 rows" in told and "churn_scores: " in told
    else:
        company.publish()
        assert company.failed() == []


def test_a_table_that_keeps_what_was_may_grow_by_any_number_but_not_shrink(company: Company):
    company.growing = ("forecasts",)
    more = (
        "insert into published.forecasts select 'more ' || n, 'total', date '2026-07-01', 1, 2, 3 from range(900) t (n)"
    )
    company.write(more)
    company.publish()
    assert company.failed() == []
    company.write("delete from published.forecasts where metric like 'more%'")
    with pytest.raises(
        AuditFailedError, match=r"forecasts: its row count is near the last release's 940 \(658 or more"
    ):
        company.publish()


ONE_SYSTEM = """
    create table published.accounts as
    select 'salesforce:' || n as account_id, 'salesforce' as known_from from range(100) as numbers (n);
"""
SECOND_SYSTEM = """
    update published.accounts set known_from = 'salesforce, stripe' where account_id < 'salesforce:5';
    insert into published.accounts select 'stripe:' || n, 'stripe' from range(400) as numbers (n);
    insert into published.forecasts
    select 'revenue ' || n, 'total', date '2026-07-01' + day::integer, 1, 2, 3
    from range(5) as numbers (n), range(20) as days (day);
    insert into published.forecasts
    select metric, segment, date '2026-07-01' + day::integer, 1, 2, 3
    from (values ('bookings', 'Retail, large'), ('tickets', 'high')) as parts (metric, segment), range(20) as t (day);
    alter table published.churn_scores add column source_system varchar;
    update published.churn_scores set source_system = 'salesforce';
"""


LOSSES = {
    "a system lost": (
        "delete from published.accounts where known_from = 'salesforce';"
        "update published.accounts set known_from = 'stripe'",
        "- accounts parts: of every metric and system there are about as many rows as in the last release (0.7 to 1.5 "
        "times, by row_count_range in sources.yaml), but not for known_from salesforce (rows 0, before 100)",
    ),
    "half a system lost": (
        "update published.accounts set known_from = 'stripe' where known_from = 'salesforce, stripe'",
        "but not for known_from salesforce (rows 55, before 100)",
    ),
    "a system twice": (
        "insert into published.accounts select 'twice:' || n, 'salesforce' from range(60) as numbers (n)",
        "but not for known_from salesforce (rows 160, before 100)",
    ),
    "a metric lost": (
        "delete from published.forecasts where metric = 'tickets' and segment = 'total'",
        "- forecasts parts: of every metric and system there are about as many rows as in the last release (0.7 to 1.5 "
        "times, by row_count_range in sources.yaml), but not for metric tickets, segment total (rows 0, before 20)",
    ),
}


def test_a_second_system_is_welcome_and_what_was_there_may_neither_vanish_nor_double(company: Company):
    """Five times the accounts and six times the forecasts; from then on each system and metric counts on its own."""
    company.write(ONE_SYSTEM)
    company.publish()
    company.write(SECOND_SYSTEM)
    tables = company.publish().tables
    assert company.failed() == []
    assert tables["accounts"]["parts"] == {"known_from salesforce": 100, "known_from stripe": 400 + 45}
    assert tables["forecasts"]["parts"]["metric bookings, segment Retail, large"] == 20
    assert tables["churn_scores"]["parts"] == {"source_system salesforce": 40}

    warehouse = company.folder / "warehouse.duckdb"
    sound = warehouse.read_bytes()
    for name, (change, words) in LOSSES.items():
        company.write(change)
        with pytest.raises(AuditFailedError) as refused:
            company.publish()
        line, way_out = str(refused.value).splitlines()[1:]
        assert words in line, name
        assert "`row_count_range: [0, 10]` in sources.yaml lets one run through" in way_out
        warehouse.write_bytes(sound)
    company.publish()
    assert company.failed() == []


def test_the_same_amounts_in_another_currency_are_not_lost_but_a_currency_that_was_there_is(company: Company):
    company.write(
        """
        alter table published.forecasts add column currency varchar;
        update published.forecasts set currency = 'USD', period_start_date = period_start_date + 100
        where metric = 'tickets';
        update published.forecasts set metric = 'arr'
        """
    )
    company.publish()
    company.write("update published.forecasts set currency = 'EUR' where currency is null")
    company.publish()
    assert company.failed() == []
    company.write("delete from published.forecasts where currency = 'EUR'")
    with pytest.raises(AuditFailedError, match="but not for metric arr, currency EUR, segment total"):
        company.publish()


def test_after_a_release_that_did_not_count_parts_the_whole_table_is_compared(company: Company):
    """The last release is one of an earlier version."""
    with duckdb.connect(str(company.folder / "old.duckdb")) as connection:
        connection.execute(f"attach '{company.published}' as last (read_only); copy from database last to old")
        (tables,) = connection.execute("select tables from releases").fetchone()
        without = {name: {k: v for k, v in each.items() if k != "parts"} for name, each in json.loads(tables).items()}
        connection.execute("update releases set tables = ?", [json.dumps(without)])
    shutil.rmtree(company.folder / "releases")
    (company.folder / "old.duckdb").replace(company.published)
    company.write(
        "insert into published.forecasts select 'more ' || n, 'total', '2026-07-01', 1, 2, 3 from range(90) t (n)"
    )
    with pytest.raises(AuditFailedError, match="forecasts: its row count is near the last release's 40"):
        company.publish()


def test_docs_show_the_last_gate_alone(company: Company):
    page = company.docs / "index.html"
    stop_checker(wait=True)
    assert "its row count is near" not in page.read_text()
    company.publish()
    stop_checker(wait=True)
    assert "its row count is near the last release&#39;s 40" in page.read_text()
    assert [path.name for path in company.docs.iterdir()] == ["index.html"]


def test_after_a_refusal_the_next_sound_release_is_published(company: Company):
    company.write("update published.churn_scores set probability = 1.2 where account_id = 'a3'")
    with pytest.raises(AuditFailedError):
        company.publish()
    company.write("update published.churn_scores set probability = 0.2 where account_id = 'a3'")
    release = company.publish()
    assert company.ask("select distinct release_id from churn_scores") == [(release.release_id,)]


def test_a_new_column_and_a_new_table_are_welcome(company: Company):
    company.write("alter table published.churn_scores add column owner varchar")
    company.write("create table published.accounts as select 'a1' as account_id")
    company.publish()
    assert company.failed() == []


def test_scores_of_another_day_are_only_shown(company: Company):
    company.write(f"update raw_scorecast.as_of set as_of_date = date '{SUNDAY + timedelta(days=1)}'")
    company.publish()
    (message,) = company.failed()
    assert message.startswith("churn_scores: it is as of the release's day, 2026-06-29, but ")
    assert "2026-06-28" in message


def test_a_small_table_may_halve(company: Company):
    company.write("create table published.campaigns as select n as campaign_id from range(19) as numbers (n)")
    company.publish()
    company.write("delete from published.campaigns where campaign_id > 5")
    company.publish()
    assert company.failed() == []


def test_a_table_of_findings_may_have_any_number_and_its_warnings_are_only_shown(company: Company):
    company.write(
        "create table published.identity_report as"
        " select 'f' || n as finding_id, case when n = 3 then 'a1 is two companies' end as warning from range(40) t(n)"
    )
    company.publish()
    told = [
        "identity_report: nothing in it is a warning, but not in 1 of 40 rows, e.g. a1 is two companies (finding_id f3)"
    ]
    assert company.failed() == told
    company.write("delete from published.identity_report where finding_id <> 'f3'")
    company.publish()
    assert company.failed() == [told[0].replace("1 of 40", "1 of 1")]


ANSWERED = "what a model decided has a probability, and what a rule decided has none"


def write_texts(company: Company) -> None:
    """What a list, a rule, a model of words, and a model that cannot read the language say of a text each."""
    company.write(
        """
        create table published.moods as from (values
            ('t1', 'negative', null, '“hate”', null, 'en', 'word_list'),
            ('t2', null, null, 'It is in German; the list of words is English.', null, 'de', 'word_list'),
            ('t3', 'positive', 0.75::double, '“nice”', '{}', 'en', 'model'),
            ('t4', null, null, 'It is in Polish; the model learnt from English.', null, 'pl', 'model'),
            ('t5', 'billing', 1.0, 'An editor gave it.', null, 'en', 'model')
        ) as texts (text_id, predicted, probability, reason_1, reasons, language, method)
        """
    )


def test_what_no_model_said_has_no_probability(company: Company):
    write_texts(company)
    company.write("create table published.ranks as select * rename (method as decided_by) from published.moods")
    company.publish()
    assert company.failed() == []
    for table in ("moods", "ranks"):
        assert company.ask(f"select count(*), count(probability) from {table}") == [(5, 2)]
        assert (table, ANSWERED) in {(finding.suite, finding.expectation) for finding in company.findings}


def test_a_model_that_gives_its_words_gives_a_probability(company: Company):
    write_texts(company)
    for number, change in enumerate(("probability = null", "method = null, probability = null", "probability = 1.5")):
        row = f"select * replace ('x{number}' as text_id) from published.moods where text_id = 't3'"
        company.write(f"insert into published.moods {row}")
        company.write(f"update published.moods set {change} where text_id = 'x{number}'")
    company.write("update published.moods set reason_1 = null where text_id = 't2'")
    with pytest.raises(AuditFailedError) as refused:
        company.publish()
    said = str(refused.value)
    assert f"moods: {ANSWERED}, but not in 1 of 8 rows, e.g. 0 (text_id x0)" in said
    assert f"moods: {ANSWERED}, but not in 1 of 8 rows, e.g. null (text_id x1)" in said
    assert "moods: probability is between 0 and 1, but not in 1 of 8 rows, e.g. 1.5 (text_id x2)" in said
    assert "moods: every score has a reason, but not in 1 of 8 rows, e.g. null (text_id t2)" in said


def test_a_table_of_a_model_alone_has_no_row_without_probability(company: Company):
    company.write("update published.churn_scores set probability = null where account_id = 'a3'")
    with pytest.raises(AuditFailedError, match="churn_scores: probability is never null, but not in 1 of 40 rows"):
        company.publish()


def test_a_company_with_a_list_of_words_alone_is_published_with_its_german_text(
    company: Company, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SCORECAST_DATA", str(company.folder))
    company.write("drop table raw_scorecast.as_of")
    texts = Texts(company.folder)
    german = "Die Rechnung war schon wieder falsch, und seit drei Wochen antwortet uns niemand mehr."
    texts.change(f"update core.posts set title = '', body = '{german}' where post_id = 'p0001'")
    texts.run(sentiment(label=None))
    company.write(f"update raw_scorecast.as_of set as_of_date = date '{SUNDAY}'")
    company.publish()
    assert company.failed() == []
    (row,) = company.ask("select sentiment, probability, language, method, reason_1 from moods where post_id = 'p0001'")
    assert row == (None, None, "de", "word_list", "It is in German; the list of words is English.")
