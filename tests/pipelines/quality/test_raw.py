"""The gate on raw input: what stops a run, what is only shown, and that it says so in words."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading.load import load_source
from pipelines.quality.checker import stop_checker
from pipelines.quality.findings import Finding, record_findings
from pipelines.quality.raw import check_raw

NOW = datetime(2025, 1, 10, 12)
AS_OF = date(2025, 1, 9)
ACCOUNT = Entity(
    name="account",
    description="A company.",
    columns={"Id": "varchar", "Seats": "bigint", "Stamp": "timestamp"},
    key=("Id",),
    version="Stamp",
    time="Stamp",
    rules={"Seats is negative": "Seats >= 0"},
)
EVENT = Entity(
    name="event",
    description="Something that happened.",
    columns={"id": "varchar", "received": "bigint"},
    key=("id",),
    time="received",
    time_unit="epoch_ms",
)
TASK = Entity(
    name="task",
    description="Something to do.",
    columns={"id": "varchar", "account": "varchar", "event": "varchar", "other": "varchar"},
    key=("id",),
    references={"account": ("account",), "event": ("event", "account"), "other": ("other.thing",)},
)
CRM = Source(name="crm", description="A CRM.", entities=(ACCOUNT, EVENT))
SPARE = Source(name="spare", description="A system without an export.", entities=(EVENT,))


class Raw:
    """Loaded exports of a small CRM, and the gate on them."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection):
        self.folder, self.connection, self.docs, self.loads = folder, connection, folder / "docs", 0

    def load(self, good: int, bad: int = 0) -> None:
        """One more export of accounts; bad ones have negative seats."""
        self.loads += 1
        rows = [f"{self.loads}-{n},{-1 if n < bad else 5},2025-01-09" for n in range(good + bad)]
        self.load_text("\n".join(["Id,Seats,Stamp", *rows]) + "\n")

    def load_text(self, text: str) -> None:
        path = self.folder / "crm" / "account" / f"{self.loads}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        load_source(self.connection, CRM, self.folder / "crm", NOW + timedelta(hours=self.loads))

    def check(self, as_of: date = AS_OF, limit: float = 0.05) -> list[Finding]:
        return check_raw(self.connection, [CRM, SPARE], as_of, limit, self.docs)

    def stops(self, **options) -> list[str]:
        return [finding.message for finding in self.check(**options) if finding.is_blocking and not finding.success]


@pytest.fixture
def raw(tmp_path: Path):
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        raw = Raw(tmp_path, connection)
        raw.load(200)
        connection.execute("insert into raw_crm.event (id, received) values ('e1', epoch_ms(timestamp '2025-01-09'))")
        yield raw


def test_a_clean_load_passes_and_is_documented(raw: Raw):
    findings = raw.check()
    assert {finding.suite for finding in findings} == {"crm"}
    assert [finding.message for finding in findings if not finding.success] == []
    assert len(findings) == 7
    stop_checker(wait=True)
    page = (raw.docs / "index.html").read_text()
    assert "7 expectations; 7 hold" in page
    assert page.count(">every row of every file is loaded or in quarantine<") == 1


def test_too_many_rows_in_quarantine_stop_the_run_with_counts(raw: Raw):
    raw.load(150, bad=50)
    assert raw.stops() == [
        "crm: at most 5% of the new rows are in quarantine, but not for account"
        " (quarantined_rows 50, new_rows 200, reasons Seats is negative (50 times))"
    ]
    assert raw.stops(limit=0.25) == []


def test_only_the_last_load_counts(raw: Raw):
    raw.load(100, bad=100)
    assert len(raw.stops()) == 1
    raw.load(200)
    assert raw.stops() == []


def test_a_few_bad_rows_among_a_handful_do_not_stop_the_run(raw: Raw):
    raw.load(49, bad=50)
    assert raw.stops() == []


def test_rows_that_are_exported_again_are_no_bad_rows(raw: Raw):
    raw.loads += 1
    raw.load_text("Id,Seats,Stamp\n" + "".join(f"1-{n},5,2025-01-09\n" for n in range(200)))
    (repeated,) = raw.connection.execute("select sum(repeated) from raw_crm._manifest").fetchone()
    assert repeated == 200
    assert raw.stops() == []


def test_keys_that_are_null_or_twice_stop_the_run(raw: Raw):
    raw.connection.execute("insert into raw_crm.account from (from raw_crm.account limit 3)")
    raw.connection.execute("insert into raw_crm.account (Id, Stamp) values (null, timestamp '2025-01-01')")
    assert raw.stops() == [
        "crm: every row has its key, but not for account (null_keys 1)",
        "crm: every key (with its version) is there once, but not for account (duplicate_keys 3)",
    ]


def test_another_version_of_a_key_is_no_duplicate(raw: Raw):
    raw.connection.execute(
        "insert into raw_crm.account select * replace (Stamp + interval 1 day as Stamp) from raw_crm.account"
    )
    assert raw.stops() == []


def test_rows_from_the_future_stop_the_run(raw: Raw):
    raw.connection.execute("update raw_crm.account set Stamp = current_date + interval 10 day where Id = '1-1'")
    assert raw.stops() == ["crm: no row is from the future, but not for account (days_in_future 9)"]


def test_lost_rows_stop_the_run(raw: Raw):
    raw.connection.execute("delete from raw_crm.account where Id in ('1-1', '1-2')")
    (message,) = raw.stops()
    assert message == "crm: every row of every file is loaded or in quarantine, but not for account (lost_rows 2)"


def test_nothing_new_and_no_rows_are_only_shown(raw: Raw):
    raw.connection.execute("delete from raw_crm.event")
    shown = [finding for finding in raw.check(as_of=AS_OF + timedelta(days=8)) if not finding.success]
    assert [finding.message for finding in shown] == [
        "crm: the newest row of every table is at most 7 days older than the run's day, but not for account"
        " (days_since_newest 8)",
        "crm: every table has rows, but not for event (rows 0)",
    ]
    assert not any(finding.is_blocking for finding in shown)
    shown = [finding.expectation for finding in raw.check(as_of=AS_OF + timedelta(days=7)) if not finding.success]
    assert shown == ["every table has rows"]


def test_findings_are_kept_for_those_who_look_later(raw: Raw):
    raw.load(100, bad=100)
    findings = raw.check()
    moment = datetime(2025, 1, 10, 12, tzinfo=UTC)
    raw.connection.execute("create schema published")
    for run in ("run 1", "run 2"):
        record_findings(raw.connection, "published.data_quality", findings, run, moment)
    kept = "select run_id, gate, suite, count(*), count(*) filter (where not success) from published.data_quality"
    assert raw.connection.execute(f"{kept} group by all order by 1").fetchall() == [
        ("run 1", "raw", "crm", 7, 1),
        ("run 2", "raw", "crm", 7, 1),
    ]


def test_a_source_that_was_never_loaded_has_no_findings(tmp_path: Path):
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        assert check_raw(connection, [CRM, SPARE], AS_OF, 0.05, tmp_path / "docs") == []


def test_a_bad_file_stops_no_run_once_it_is_gone(raw: Raw):
    raw.load(150, bad=50)
    assert len(raw.stops()) == 1
    (raw.folder / "crm" / "account" / f"{raw.loads}.csv").unlink()
    load_source(raw.connection, CRM, raw.folder / "crm", NOW + timedelta(hours=5))
    assert raw.stops() == []
    assert raw.connection.execute("select count(*) from raw_crm.account").fetchone() == (200,)


def test_a_file_that_cannot_be_read_does_not_hide_the_bad_load_before_it(raw: Raw):
    raw.load(150, bad=50)
    stopped = raw.stops()
    path = raw.folder / "crm" / "account" / f"{raw.loads}.csv"
    bad = path.read_text()
    for text, name in (("", "empty.csv"), ("", path.name)):
        path.with_name(name).write_text(text)
        load_source(raw.connection, CRM, raw.folder / "crm", NOW + timedelta(hours=raw.loads + 1))
        assert raw.stops() == stopped
    path.write_text(bad.replace(",-1,", ",1,"))
    load_source(raw.connection, CRM, raw.folder / "crm", NOW + timedelta(hours=raw.loads + 2))
    assert raw.stops() == []


def test_rows_are_missed_beside_a_new_version_that_cannot_be_read(raw: Raw):
    (raw.folder / "crm" / "account" / "1.csv").write_text("")
    load_source(raw.connection, CRM, raw.folder / "crm", NOW + timedelta(hours=5))
    raw.connection.execute("delete from raw_crm.account where Id in ('1-1', '1-2')")
    assert "lost_rows 2" in raw.stops()[0]


def test_a_time_that_overflows_stops_no_gate(raw: Raw):
    raw.connection.execute(f"insert into raw_crm.event (id, received) values ('e2', {2**63 - 1}), ('e3', {-(2**63)})")
    assert raw.stops() == []


def test_what_many_companies_do_not_have_is_no_finding_until_it_was_there(raw: Raw):
    raw.connection.execute("delete from raw_crm.event")
    account, event = CRM.entities
    crm = replace(CRM, entities=(account, replace(event, is_optional=True)))

    def empty() -> list[str]:
        found = check_raw(raw.connection, [crm], AS_OF, 0.05, raw.docs)
        return [finding.message for finding in found if not finding.success]

    assert empty() == []
    raw.connection.execute(
        "insert into raw_crm._manifest (entity, file, status) values ('event', 'event/1.csv', 'loaded')"
    )
    assert empty() == ["crm: every table has rows, but not for event (rows 0)"]


def test_keys_that_match_no_record_are_told_and_kept_with_an_example(raw: Raw):
    crm = replace(CRM, entities=(*CRM.entities, TASK))
    (raw.folder / "crm" / "task").mkdir()
    # 200 accounts, of which 1-0 to 1-199 are there: one of 20 keys, then two, match none.
    tasks = [f"{n},1-{n + 180},e1,x" for n in range(21)]
    (raw.folder / "crm" / "task" / "1.csv").write_text("\n".join(["id,account,event,other", *tasks[1:]]) + "\n")
    load_source(raw.connection, crm, raw.folder / "crm", NOW + timedelta(hours=2))

    def told() -> list[str]:
        found = [each for each in check_raw(raw.connection, [crm, SPARE], AS_OF, 0.05, raw.docs) if not each.success]
        assert not any(finding.is_blocking for finding in found)
        return [finding.message for finding in found if finding.suite == "crm keys"]

    assert told() == []
    kept = raw.connection.execute("from raw_scorecast.matched_keys order by column_name").fetchall()
    assert kept == [
        ("crm", "task.account", "account", 20, 1, "1-200"),
        ("crm", "task.event", "event or account", 20, 0, None),
    ]
    (raw.folder / "crm" / "task" / "2.csv").write_text("id,account,event,other\n30,n/a,,\n31,gone,e1,\n")
    load_source(raw.connection, crm, raw.folder / "crm", NOW + timedelta(hours=3))
    assert told() == [
        "crm keys: at most 5% of the keys of other records match none (identity_report has examples), but not for"
        " task.account (unmatched 2, records 21)"
    ]


def test_keys_of_records_that_nobody_exports_are_not_called_wrong(raw: Raw):
    crm = replace(CRM, entities=(*CRM.entities, TASK))
    raw.connection.execute("delete from raw_crm.event")
    (raw.folder / "crm" / "task").mkdir()
    (raw.folder / "crm" / "task" / "1.csv").write_text("id,account,event,other\n1,1-1,e9,\n")
    load_source(raw.connection, crm, raw.folder / "crm", NOW + timedelta(hours=2))
    suites = {
        finding.suite for finding in check_raw(raw.connection, [crm], AS_OF, 0.05, raw.docs) if not finding.success
    }
    assert "crm keys" not in suites
    kept = raw.connection.execute("select unmatched from raw_scorecast.matched_keys where column_name = 'task.event'")
    assert kept.fetchall() == [(None,)]
