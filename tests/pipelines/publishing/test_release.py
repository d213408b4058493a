"""Releases: whole or not at all, history that only grows, and a way back."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.publishing.release import build_release
from pipelines.publishing.rollback import rollback
from pipelines.publishing.states import SCORE_HISTORY, AuditFailedError, NothingToPublishError, Release
from pipelines.quality.findings import Finding

NOW = datetime(2026, 6, 29, 5, 0, 12, tzinfo=UTC)
SUNDAY = date(2026, 6, 28)
HISTORIES = {
    "score_history": "select * exclude (reasons) from score_history",
    "model_runs": "from model_runs",
    "data_quality": "from data_quality",
    "releases": "select * replace (newest_data::varchar as newest_data) from releases",
}
"""Append-only tables; a score's old reasons are the one thing that may go."""


class Company:
    """A warehouse with scores, forecasts and runs, and what is published from it."""

    def __init__(self, folder: Path):
        folder.mkdir(exist_ok=True)
        self.warehouse, self.published = folder / "warehouse.duckdb", folder / "published.duckdb"
        self.releases = folder / "releases"
        self.moment = NOW
        self.run = 0
        self.write(
            """
            create schema raw_scorecast;
            create schema published;
            create table published.forecasts as select 'bookings' as metric, 1.0 as forecast;
            create view published.accounts as select 'a' as account_id;
            create table published.model_runs (model varchar, run_id varchar, started_at timestamptz)
            """
        )
        self.day(SUNDAY)
        self.score({"a": (0.2, {"logins": (12, -0.5), "tickets": (1, 0.1)}), "b": (0.7, {"logins": (1, 0.9)})})

    def write(self, statement: str, parameters: list | None = None) -> None:
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute(statement, parameters or [])

    def day(self, as_of: date) -> None:
        self.as_of = as_of
        self.write(f"create or replace table raw_scorecast.as_of as select date '{as_of}' as as_of_date")

    def score(self, scores: dict[str, tuple[float, dict]], version: str = "v1", table: str = "churn_scores") -> None:
        """Scores of `{account: (probability, {feature: (value, contribution)})}` as of the company's day."""
        rows = []
        for account, (probability, reasons) in scores.items():
            entries = [{"feature": "base", "value": None, "contribution": -9.0, "text": "The typical risk"}]
            entries += [
                {"feature": name, "value": value, "contribution": contribution, "text": f"{name.capitalize()}: {value}"}
                for name, (value, contribution) in reasons.items()
            ]
            rows.append([account, self.as_of, probability, 50, entries[-1]["text"], json.dumps(entries), version])
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute(
                f"create or replace table published.{table} (account_id varchar, as_of_date date, probability double,"
                " score integer, reason_1 varchar, reasons varchar, model_version varchar)"
            )
            connection.executemany(f"insert into published.{table} values (?, ?, ?, ?, ?, ?, ?)", rows)

    def publish(self, findings: tuple[Finding, ...] = (), **options) -> Release:
        self.moment += timedelta(minutes=1)
        self.run += 1
        fit = "insert into published.model_runs (model, run_id, started_at) values ('churn', ?, ?)"
        self.write(fit, [f"run {self.run}", self.moment])
        arguments = {"run_id": f"run {self.run}", "now": self.moment, **options}
        return build_release(self.warehouse, self.published, self.releases, lambda _: findings, **arguments)

    def roll_back(self, to: str | None = None) -> Release:
        self.moment += timedelta(minutes=1)
        return rollback(self.published, self.releases, to, self.moment)

    def ask(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.published), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def names(self) -> list[str]:
        return sorted(path.name for path in self.published.parent.iterdir())


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


def finding(success: bool, is_blocking: bool = True) -> Finding:
    return Finding("publish", "churn_scores", "account_id is unique", success, is_blocking, "churn_scores: a, b twice")


WHOLE = ["published.duckdb", "published.lock", "releases", "warehouse.duckdb"]


def test_all_tables_and_views_carry_the_one_release(company: Company):
    release = company.publish()
    assert release.release_id == "2026-06-29T050112.000Z"
    for table in ("churn_scores", "forecasts", "accounts"):
        assert company.ask(f"select distinct release_id from {table}") == [(release.release_id,)]
        assert company.ask(f"select count(*) from published.{table}") == company.ask(f"select count(*) from {table}")
    row = company.ask("select release_id, as_of_date, run_id, status, note from releases")
    assert row == [(release.release_id, SUNDAY, "run 1", "published", "all tables made anew")]
    (tables,) = company.ask("select tables from releases")[0]
    assert json.loads(tables) == release.tables
    assert release.tables["churn_scores"]["rows"] == 2
    assert release.tables["churn_scores"]["types"]["probability"] == "DOUBLE"
    assert company.names() == WHOLE


def test_provenance_comes_last(company: Company):
    company.publish()
    company.publish()
    columns = [row[0] for row in company.ask("describe churn_scores")]
    assert columns[0] == "account_id"
    assert columns[-4:] == ["probability_change_7d", "change_reason", "model_version", "release_id"]


def test_nobody_writes_the_published_file(company: Company):
    release = company.publish()
    for path in (company.published, company.releases / f"{release.release_id}.duckdb"):
        assert path.stat().st_mode & 0o777 == 0o400


def test_a_table_that_was_not_made_is_carried_over_from_where_it_was_made(company: Company):
    first = company.publish()
    company.write("drop table published.forecasts")
    company.publish()
    third = company.publish()
    assert company.ask("select metric, release_id from forecasts") == [("bookings", third.release_id)]
    assert third.tables["forecasts"]["carried_over_from"] == first.release_id
    assert "carried_over_from" not in third.tables["churn_scores"]
    assert third.note == f"forecasts was not made in this run and is carried over from {first.release_id}"


def test_scores_of_a_skipped_model_keep_their_day(company: Company):
    company.publish()
    company.day(SUNDAY + timedelta(days=1))
    release = company.publish()
    assert release.as_of_date == SUNDAY + timedelta(days=1)
    assert company.ask("select distinct as_of_date from churn_scores") == [(SUNDAY,)]
    assert release.note == f"churn_scores is as of {SUNDAY}"


def test_a_refused_release_changes_nothing(company: Company):
    company.publish()
    before = company.published.read_bytes()
    with pytest.raises(AuditFailedError, match=r"last one stays published:\n- churn_scores: a, b twice"):
        company.publish((finding(True), finding(False)))
    assert company.published.read_bytes() == before
    assert company.names() == WHOLE
    assert len(list(company.releases.glob("*.duckdb"))) == 1
    fewer = replace(finding(False), message="accounts: its row count is far off (by row_count_range in sources.yaml)")
    with pytest.raises(AuditFailedError, match=r"`row_count_range: \[0, 10\]` in sources.yaml lets one run through"):
        company.publish((fewer,))


def test_a_warning_is_published_with_the_release(company: Company):
    company.publish((finding(False, is_blocking=False),))
    assert company.ask("select run_id, success, is_blocking from data_quality") == [("run 1", False, False)]


def test_nothing_loaded_yet(company: Company, tmp_path: Path):
    company.write("drop table raw_scorecast.as_of")
    with pytest.raises(NothingToPublishError, match="daily"):
        company.publish()
    company.warehouse.unlink()
    with pytest.raises(NothingToPublishError, match="make run"):
        build_release(company.warehouse, company.published, company.releases, lambda _: [], "run", NOW)
    assert not company.published.exists()


def test_release_ids_only_grow_also_when_the_clock_is_set_back(company: Company):
    ids = [company.publish(now=NOW - timedelta(hours=hours)).release_id for hours in (0, 0, 5, 5)]
    assert ids == sorted(set(ids))
    assert sorted(path.stem for path in company.releases.glob("*.duckdb")) == ids


def comments(company: Company) -> dict[tuple[str, str], str]:
    return {
        (table, column): words
        for table, column, words in company.ask(
            "select table_name, column_name, comment from duckdb_columns()"
            " where not internal and database_name = current_database()"
        )
    }


def test_columns_say_what_they_are_also_when_carried_over_and_rolled_back(company: Company):
    company.write("comment on column published.churn_scores.account_id is 'The company''s \"key\".'")
    company.write("comment on table published.churn_scores is 'Who leaves.'")
    company.publish()
    first = comments(company)
    assert first["churn_scores", "account_id"] == 'The company\'s "key".'
    assert first["churn_scores", "score"].startswith("Where the row stands among all that were scored")
    assert first["churn_scores", "release_id"] == "The release that this row is published in."
    without = {key for key, words in first.items() if not words}
    assert without == {("accounts", "account_id"), ("forecasts", "metric"), ("forecasts", "forecast")}, "nobody said it"
    company.write("drop table published.churn_scores")
    company.publish()
    assert comments(company) == first
    company.score({"a": (0.2, {"logins": (12, -0.5)})})
    company.write("comment on column published.churn_scores.account_id is 'Another company.'")
    company.publish()
    assert comments(company)["churn_scores", "account_id"] == "Another company."
    company.roll_back()
    assert comments(company) == first
    ((about,),) = company.ask("select comment from duckdb_tables() where table_name = 'churn_scores'")
    assert about == "Who leaves."
    ((about,),) = company.ask("select comment from duckdb_tables() where table_name = 'score_history'")
    assert "Grade A is the fifth of those scored that day who are most likely" in about


def test_a_reader_with_the_old_release_open_keeps_it(company: Company):
    first = company.publish()
    with duckdb.connect(str(company.published), read_only=True) as reader:
        for _ in range(3):
            company.publish(now=NOW)
        assert reader.execute("select distinct release_id from churn_scores").fetchall() == [(first.release_id,)]


def test_the_last_releases_are_kept(company: Company):
    ids = [company.publish(keep=3).release_id for _ in range(5)]
    assert sorted(path.stem for path in company.releases.glob("*.duckdb")) == ids[-3:]
    assert [row[0] for row in company.ask("select release_id from releases order by 1")] == ids


def test_leftovers_of_a_killed_publish_are_removed(company: Company):
    draft = company.published.with_name("published.4711.draft.duckdb")
    draft.write_bytes(b"half")
    draft.with_name(f"{draft.name}.wal").write_bytes(b"half")
    draft.with_name(f"{draft.name}.tmp").mkdir()
    (draft.with_name(f"{draft.name}.tmp") / "block").write_bytes(b"half")
    company.publish()
    assert company.names() == WHOLE


def test_odd_names_and_a_column_release_id_of_their_own(company: Company):
    company.write('create table published."order by" as select 1 as "group", \'mine\' as release_id')
    release = company.publish()
    assert company.ask('select "group", release_id from "order by"') == [(1, release.release_id)]


# What changed within a week


def changes(company: Company) -> dict[str, tuple]:
    rows = company.ask("select account_id, round(probability_change_7d, 6), change_reason from churn_scores")
    return {account: (change, reason) for account, change, reason in rows}


def test_levels_in_an_order_have_no_place_in_the_history_of_one_probability(company: Company):
    """The probability beside a predicted level is that of another answer in every row."""
    company.score({"a": (0.6, {"wait": (3, -0.5)})}, table="moods")
    company.write("alter table published.moods add column predicted integer default 4")
    company.publish()
    assert company.ask("select distinct table_name from score_history") == [("churn_scores",)]
    assert "probability_change_7d" not in [name for name, *_ in company.ask("describe moods")]


def test_there_is_no_change_without_an_earlier_release(company: Company):
    company.publish()
    assert changes(company) == {"a": (None, None), "b": (None, None)}


def test_the_reason_of_a_change_is_what_moved_most_in_its_direction(company: Company):
    company.publish()
    company.day(SUNDAY + timedelta(days=7))
    company.score(
        {
            "a": (0.5, {"logins": (3, 0.4), "tickets": (9, 0.2)}),
            "b": (0.6, {"logins": (1, 0.9), "visits": (4, -0.3)}),
            "new": (0.1, {}),
        }
    )
    company.publish()
    assert changes(company) == {
        "a": (0.3, "Logins: 3, was 12 (raises the probability)"),
        "b": (-0.1, "New among the reasons: Visits: 4"),
        "new": (None, None),
    }


def test_a_reason_against_the_change_is_not_its_reason(company: Company):
    company.publish()
    company.day(SUNDAY + timedelta(days=7))
    company.score({"a": (0.1, {"logins": (12, -0.5), "tickets": (2, 0.2)}), "b": (0.7, {"logins": (1, 0.95)})})
    company.publish()
    assert changes(company) == {"a": (-0.1, None), "b": (0.0, None)}


def test_another_model_is_named_as_a_reason(company: Company):
    company.publish()
    company.day(SUNDAY + timedelta(days=7))
    company.score({"a": (0.3, {"logins": (12345.678, 0.1)}), "b": (0.7, {})}, version="v2")
    company.publish()
    (change, reason) = changes(company)["a"]
    assert change == 0.1
    assert reason == f"The model is another one than on {SUNDAY}; Logins: 12345.678, was 12 (raises the probability)"


@pytest.mark.parametrize(("days", "compared"), [(4, False), (5, True), (10, True), (11, False)])
def test_a_week_is_five_to_ten_days(company: Company, days: int, compared: bool):
    company.publish()
    company.day(SUNDAY + timedelta(days=days))
    company.score({"a": (0.5, {"logins": (3, 0.4)})})
    company.publish()
    assert (changes(company)["a"][0] is not None) == compared


def test_the_release_closest_to_a_week_before_counts(company: Company):
    for day, probability in ((0, 0.1), (2, 0.2), (5, 0.3), (9, 0.9)):
        company.day(SUNDAY + timedelta(days=day))
        company.score({"a": (probability, {"logins": (1, probability)})})
        company.publish()
    assert changes(company)["a"][0] == pytest.approx(0.9 - 0.2)


def test_scores_that_were_taken_back_do_not_count(company: Company):
    good = company.publish()
    company.score({"a": (0.99, {"logins": (0, 5.0)})})
    company.publish()
    company.roll_back()
    company.day(SUNDAY + timedelta(days=7))
    company.score({"a": (0.5, {"logins": (3, 0.4)})})
    company.publish()
    assert changes(company)["a"][0] == pytest.approx(0.3)
    assert company.ask(f"select count(*) from score_history where release_id = '{good.release_id}'") == [(2,)]


def test_the_history_drops_old_reasons_but_no_probability(company: Company):
    company.publish()
    company.day(SUNDAY + timedelta(days=15))
    company.score({"a": (0.5, {"logins": (3, 0.4)})})
    company.publish()
    rows = company.ask("select as_of_date, probability, reasons is null from score_history order by 1, 2")
    assert rows == [(SUNDAY, 0.2, True), (SUNDAY, 0.7, True), (company.as_of, 0.5, False)]


@pytest.mark.parametrize(
    ("words", "likelihood", "expected"),
    [
        ("Tickets in the last 28 days: {}", "risk", "Tickets in the last 28 days: 5, was 1 (raises the risk)"),
        ("Only {} tickets", "chance of a deal", "Only 5 tickets, was 1 (raises the chance of a deal)"),
        (
            "Plan: x, usually y (raises the bar): {}",
            "risk",
            "Plan: x, usually y (raises the bar): 5, was 1 (raises the risk)",
        ),
    ],
)
def test_a_change_says_the_value_now_and_then_and_which_way_it_moved(
    company: Company, words: str, likelihood: str, expected: str
):
    def give_reason(value: int, contribution: float) -> None:
        entries = [
            {
                "feature": "base",
                "value": None,
                "contribution": -1.0,
                "likelihood": likelihood,
                "text": "The typical one",
            },
            {
                "feature": "tickets",
                "value": value,
                "contribution": contribution,
                "words": words.format(value),
                "text": f"{words.format(value)}, usually 1.5 (lowers the {likelihood})",
            },
        ]
        company.write("update published.churn_scores set reasons = ?", [json.dumps(entries)])

    give_reason(1, -0.5)
    company.publish()
    company.day(SUNDAY + timedelta(days=7))
    company.score({"a": (0.4, {"logins": (1, 0.1)})})
    give_reason(5, -0.1)
    company.publish()
    assert changes(company)["a"] == (0.2, expected)


def backfilled(company: Company, day: date, probability: float, version: str = "churn-as-of") -> None:
    """What a backfill leaves in the warehouse."""
    listed = ", ".join(f"{name} {kind}" for name, kind in SCORE_HISTORY.items())
    company.write(f"create schema if not exists scores; create or replace table scores.backfilled ({listed})")
    company.write(
        "insert into scores.backfilled by name select 'churn_scores' as table_name, 'a' as entity_id, ?::date as"
        " as_of_date, ? as probability, 50 as score, 'A' as grade, true as is_backfill, ? as model_version,"
        " 'backfill-' || ? as release_id",
        [day, probability, version, str(day)],
    )


def test_backfilled_scores_are_marked_in_the_history_and_change_nothing_else(company: Company):
    day = SUNDAY - timedelta(days=7)
    company.publish()
    scores = company.ask("select * exclude (release_id) from churn_scores")
    backfilled(company, day, 0.9)
    company.publish()
    assert company.ask("select * exclude (release_id) from churn_scores") == scores
    history = "select probability, release_id, model_version from score_history where is_backfill"
    assert company.ask(history) == [(0.9, f"backfill-{day}", "churn-as-of")]
    assert company.ask("select count(*) from score_history where not is_backfill") == [(4,)]


def test_a_backfill_again_replaces_itself_and_outlives_the_warehouse(company: Company):
    day = SUNDAY - timedelta(days=70)
    backfilled(company, day, 0.9)
    company.publish()
    backfilled(company, day, 0.8)
    company.publish()
    company.publish()
    company.write("drop table scores.backfilled")
    company.publish()
    assert company.ask("select probability from score_history where is_backfill") == [(0.8,)]


def test_a_release_made_before_backfills_were_kept_is_read(company: Company):
    """A history with the columns that it had then."""
    company.publish()
    with duckdb.connect(str(company.published.with_suffix(".old"))) as connection:
        connection.execute(f"attach '{company.published}' as new (read_only)")
        for table in ("releases", "model_runs", "churn_scores", "forecasts", "accounts"):
            connection.execute(f"create table {table} as from new.{table}")
        old = "table_name, entity_id, as_of_date, probability, score, reasons, model_version, release_id"
        connection.execute(f"create table score_history as select {old} from new.score_history")
    company.published.with_suffix(".old").replace(company.published)
    for checksum in company.releases.glob("*.sha256"):  # That version wrote none.
        checksum.unlink()
    company.day(SUNDAY + timedelta(days=7))
    company.score({"a": (0.5, {"logins": (3, 0.4)})})
    company.publish()
    assert changes(company)["a"][0] == pytest.approx(0.3)
    assert company.ask("select count(*), count(is_backfill) from score_history") == [(3, 1)]


# Going back


def test_rollback_publishes_the_older_tables_as_a_new_release(company: Company):
    first = company.publish()
    company.score({"a": (0.9, {})})
    second = company.publish()
    back = company.roll_back()
    assert back.release_id > second.release_id
    assert (back.status, back.note) == ("rollback", f"tables of release {first.release_id}")
    assert company.ask("select account_id, probability, release_id from churn_scores order by 1") == [
        ("a", 0.2, back.release_id),
        ("b", 0.7, back.release_id),
    ]
    statuses = company.ask("select release_id, status from releases order by 1")
    assert [status for _, status in statuses] == ["published", "published", "rollback"]
    assert company.names() == WHOLE


def test_rolling_back_again_goes_further_back(company: Company):
    ids = [company.publish().release_id for _ in range(3)]
    notes = [company.roll_back().note for _ in range(2)]
    assert notes == [f"tables of release {ids[1]}", f"tables of release {ids[0]}"]
    with pytest.raises(LookupError, match="no release before the current one"):
        company.roll_back()


def test_a_rollback_to_a_rollback_is_one_to_its_tables(company: Company):
    first, _ = company.publish(), company.publish()
    back = company.roll_back()
    company.publish()
    assert company.roll_back(back.release_id).note == f"tables of release {first.release_id}"


def test_a_release_that_is_not_kept_is_named_with_those_that_are(company: Company):
    first, _ = company.publish(), company.publish()
    with pytest.raises(LookupError, match=rf"no release 1999.*Kept: {first.release_id}\.$"):
        company.roll_back("1999")


def test_a_file_of_a_release_that_never_was_is_no_way_back(company: Company):
    company.publish()
    company.publish()
    never = company.releases / "2026-06-29T050130.000Z.duckdb"
    never.write_bytes(b"half a copy")
    with pytest.raises(LookupError):
        company.roll_back(never.stem)


def test_rollback_before_anything_is_published(company: Company):
    with pytest.raises(LookupError, match="Nothing is published"):
        company.roll_back()


STEPS = ("publish", "rollback", "refuse", "lose a table", "next day")


@settings(max_examples=4, deadline=None)
@given(steps=st.lists(st.sampled_from(STEPS), min_size=2, max_size=5))
def test_whatever_happens_history_only_grows_and_a_release_is_one(tmp_path_factory, steps: list[str]):
    company = Company(tmp_path_factory.mktemp("company"))
    company.publish((finding(True),))
    for step in steps:
        before = {table: set(company.ask(query)) for table, query in HISTORIES.items()}
        count = len(before["releases"])
        if step == "publish":
            company.publish((finding(True),))
        elif step == "rollback" and company.ask("select count(distinct tables_of) from releases")[0][0] > 1:
            company.roll_back(min(path.stem for path in company.releases.glob("*.duckdb")))
        elif step == "refuse":
            with pytest.raises(AuditFailedError):
                company.publish((finding(False),))
        elif step == "lose a table":
            company.write("drop table if exists published.forecasts")
            company.publish((finding(True),))
        elif step == "next day":
            company.day(company.as_of + timedelta(days=1))
            company.publish((finding(True),))
        else:
            continue
        for table, rows in before.items():
            now = company.ask(HISTORIES[table])
            assert rows <= set(now)
            assert len(set(now)) == len(now)
        assert company.ask("select count(*) from releases") == [(count + (step != "refuse"),)]
        (release_id,) = company.ask("select max(release_id) from releases")[0]
        tables = "churn_scores", "forecasts", "accounts"
        seen = " union ".join(f"select release_id from {table}" for table in tables)
        assert company.ask(seen) == [(release_id,)]
        assert company.names() == WHOLE


def test_history_outlives_the_warehouse(company: Company):
    """Deleted and rebuilt, it knows only its own runs; an accuracy that it measures again is no second one."""

    def measure(*metrics: str) -> None:
        company.write(
            "create or replace table published.forecast_accuracy as"
            " select 'v1' as model_version, unnest(?) as metric, 'total' as segment, 'seasonal' as method, 0.1 as mae",
            [list(metrics)],
        )

    measure("bookings", "tickets")
    company.publish((finding(True),))
    company.warehouse.unlink()
    rebuilt = Company(company.warehouse.parent)
    rebuilt.moment, rebuilt.run, company = company.moment, company.run, rebuilt
    measure("bookings", "new_leads")
    company.publish((finding(True),))
    for table in ("model_runs", "data_quality", "releases"):
        assert company.ask(f"select run_id from {table} order by 1") == [("run 1",), ("run 2",)]
    metrics = company.ask("select metric, count(*) from forecast_accuracy group by all order by 1")
    assert metrics == [("bookings", 1), ("new_leads", 1), ("tickets", 1)]
    assert company.ask("select count(*) from score_history") == [(4,)]


@pytest.mark.parametrize("columns", [("", "'EUR' as currency,"), ("'EUR' as currency,", "")])
def test_a_history_of_a_version_with_other_key_columns_goes_on(company: Company, columns: tuple[str, str]):
    for column, segment in zip(columns, ("total", "retail"), strict=True):
        company.write(
            f"create or replace table published.forecast_accuracy as select 'v1' as model_version, {column}"
            f" 'bookings' as metric, '{segment}' as segment, 'seasonal' as method, 0.1 as mae"
        )
        company.publish((finding(True),))
    rows = company.ask("select segment, currency from forecast_accuracy order by 1 desc")
    assert rows == [("total", "EUR" if columns[0] else None), ("retail", "EUR" if columns[1] else None)]


def test_a_release_is_without_the_tables_of_a_withdrawn_model_made_now_or_before(company: Company):
    company.write("alter table published.model_runs add column status varchar")
    company.score({"a": (0.2, {"logins": (12, -0.5)})}, version="churn-20260601T030000")
    company.score({"b": (0.4, {"logins": (12, -0.5)})}, version="lead-20260601T030000", table="lead_scores")
    first = company.publish()
    assert {"churn_scores", "lead_scores"} <= first.tables.keys()
    decide = "insert into published.model_runs values ('churn', ?, ?, ?)"
    company.write(decide, ["withdrawal", company.moment + timedelta(seconds=1), "withdrawn"])
    company.write(decide, ["fit", company.moment + timedelta(seconds=2), "refused"])

    release = company.publish()
    assert "churn_scores" not in release.tables
    assert "lead_scores" in release.tables
    assert release.removed == {"churn_scores": "the model churn was withdrawn"}
    assert "churn_scores has left the release: the model churn was withdrawn" in release.note
    assert company.ask("select count(*) from score_history where table_name = 'churn_scores'") == [(1,)]
    company.write("drop table published.churn_scores")
    assert "churn_scores" not in company.publish().tables
    assert "churn_scores" in company.roll_back(first.release_id).tables, "a release of before can be published again"
    assert company.publish().removed == {"churn_scores": "the model churn was withdrawn"}

    company.write(decide, ["fit", company.moment + timedelta(seconds=3), "kept"])
    company.score({"a": (0.3, {"logins": (12, -0.5)})}, version="churn-20260629T030000")
    assert "churn_scores" in company.publish().tables
