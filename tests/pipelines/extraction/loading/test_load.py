"""Incremental loading, schema changes and provenance."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow
import pytest

from pipelines.extraction.as_of import write_as_of
from pipelines.extraction.configuration import Configuration, SourceSettings
from pipelines.extraction.contracts import Entity
from pipelines.extraction.files import UnreadableFileError
from pipelines.extraction.loading import due, reading
from pipelines.extraction.loading import load as loading
from pipelines.extraction.loading.load import load_all, load_source, rejected_files
from pipelines.extraction.loading.manifest import ClockSetBack
from pipelines.extraction.loading.state import CannotLoad, Load
from pipelines.track_record.scored_before import SCORED_DAYS, write_scored


def test_rows_arrive_typed_with_their_file_line_and_load_time(landing, account):
    landing.accounts("2025-01.csv", account("a1"), account("a2", stamp="2025-01-02T03:00:00+02:00"))
    report = landing.load()
    assert (report.status, report.new_rows, report.total_rows, report.quarantined) == ("loaded", 2, 2, 0)
    assert landing.rows("select * from raw_crm.account order by Id") == [
        ("a1", "Acme", 5, 10.5, False, date(2024, 1, 31), datetime(2025, 1, 1), "account/2025-01.csv", 2, landing.now),
        (
            "a2",
            "Acme",
            5,
            10.5,
            False,
            date(2024, 1, 31),
            datetime(2025, 1, 2, 1),
            "account/2025-01.csv",
            3,
            landing.now,
        ),
    ]


def test_only_new_and_changed_files_are_read(landing, account):
    landing.accounts("1.csv", account("a1"))
    landing.load()
    later = landing.now + timedelta(days=1)
    landing.accounts("2.csv", account("a2"))
    second = landing.load(now=later)
    assert (second.new_files, second.unchanged_files, second.new_rows) == (1, 1, 1)
    assert landing.rows("select Id, _loaded_at from raw_crm.account order by Id") == [
        ("a1", landing.now),
        ("a2", later),
    ]
    landing.accounts("1.csv", account("a1"), account("a3"))
    assert landing.load(now=later).new_rows == 2
    assert sorted(landing.ids()) == ["a1", "a2", "a3"]
    assert landing.load(now=later).status == "unchanged"


def test_a_file_that_was_only_touched_is_not_read_again(landing, account):
    path = landing.accounts("1.csv", account("a1"))
    landing.load()
    os.utime(path, (1, 1))
    assert landing.load(now=landing.now + timedelta(days=1)).new_files == 0
    assert landing.rows("select modified_ns, loaded_at from raw_crm._manifest") == [(10**9, landing.now)]


def test_a_file_that_is_gone_keeps_its_rows(landing, account):
    path = landing.accounts("1.csv", account("a1"))
    landing.load()
    path.unlink()
    assert landing.load().status == "empty"
    assert landing.ids() == ["a1"]


def test_versions_of_a_record_stay_and_every_format_loads(landing, account):
    landing.accounts("1.csv", account("a1"))
    landing.write(
        "account/2.jsonl",
        '{"Id": "a1", "Seats": 7, "IsDeleted": true, "SystemModstamp": "2025-01-02T00:00:00Z", "Tags": {"x": [1]}}\n\n'
        '{"Id": "a2", "Seats": null, "SystemModstamp": "2025-01-02", "Name": 5}\n',
    )
    target = landing.folder / "account" / "3.parquet"
    landing.connection.execute(
        "copy (select 'a3' as Id, 9::integer as Seats, 'nan'::float as Revenue,"
        " timestamptz '2025-01-03 01:00:00+01' as SystemModstamp, {'a': 1} as Extra)"
        f" to '{target}' (format parquet)"
    )
    report = landing.load()
    assert report.quarantined == 0
    assert landing.rows(
        "select Id, Name, Seats, Revenue, SystemModstamp, Tags, Extra, _line from raw_crm.account order by _file, _line"
    ) == [
        ("a1", "Acme", 5, 10.5, datetime(2025, 1, 1), None, None, 2),
        ("a1", None, 7, None, datetime(2025, 1, 2), '{"x":[1]}', None, 1),
        ("a2", "5", None, None, datetime(2025, 1, 2), None, None, 3),
        ("a3", None, 9, None, datetime(2025, 1, 3), None, '{"a":1}', 1),
    ]


def test_lines_are_right_with_values_that_span_lines(landing, account):
    odd = [account("a3", seats="-1", name='5" pipe'), account("a4", seats="-1", name='"two\nlines"'), "broken"]
    landing.accounts("1.csv", account("a1", name='"two\nlines"'), "", account("a2"), *odd)
    landing.load()
    assert landing.rows("select Id, _line, Name from raw_crm.account order by Id") == [
        ("a1", 2, "two\nlines"),
        ("a2", 5, "Acme"),
    ]
    assert landing.quarantine() == [
        ("account/1.csv", 6, "Seats is negative (Seats = -1)", odd[0]),
        ("account/1.csv", 7, "Seats is negative (Seats = -1)", odd[1]),
        ("account/1.csv", 9, "1 values in the line, but the header has 7 columns", "broken"),
    ]


def test_a_column_appears_and_vanishes(landing, account):
    landing.accounts("1.csv", account("a1"))
    landing.accounts(
        "2.csv", account("a2") + ",5", header="Id,Name,Seats,Revenue,IsDeleted,StartDate,SystemModstamp,Tier__c"
    )
    landing.accounts("3.csv", "a3,2025-01-01,6", header="Id,SystemModstamp,Tier__c")
    report = landing.load()
    assert landing.rows("select Id, Name, Tier__c from raw_crm.account order by Id") == [
        ("a1", "Acme", None),
        ("a2", "Acme", 5),
        ("a3", None, 6),
    ]
    changes = landing.rows("select file, column_name, change from raw_crm._schema_changes order by all")
    assert ("account/2.csv", "Tier__c", "added as bigint") in changes
    assert ("account/3.csv", "Name", "vanished: null from this file on") in changes
    assert len(changes) == 6
    assert "Tier__c: added as bigint (account/2.csv)" in report.schema_changes
    landing.accounts("4.csv", "a4,2025-01-01,Acme", header="Id,SystemModstamp,Name")
    assert [change for change in landing.load().schema_changes] == [
        "Name: added as varchar (account/4.csv)",
        "Tier__c: vanished: null from this file on (account/4.csv)",
    ]


def test_a_passed_through_column_widens_when_its_type_changes(landing):
    header = "Id,SystemModstamp,Code__c,Zip__c"
    landing.accounts("1.csv", "a1,2025-01-01,1,", header=header)
    landing.load()
    landing.accounts("2.csv", "a2,2025-01-01,1.5,00123", header=header)
    landing.accounts("3.csv", "a3,2025-01-01,x,123", header=header)
    report = landing.load()
    assert "Code__c: type changed from bigint to varchar (account/2.csv)" in report.schema_changes
    assert landing.rows("select Code__c, Zip__c from raw_crm.account order by Id") == [
        ("1", None),
        ("1.5", "00123"),
        ("x", "123"),
    ]


def test_names_are_matched_without_case_and_another_delimiter_is_found(landing):
    landing.write("Account/1.CSV", "\ufeffid;NAME;systemmodstamp\r\na1;Müller, Söhne;2025-01-01\r\n")
    landing.load()
    assert landing.rows("select Id, Name, _file from raw_crm.account") == [("a1", "Müller, Söhne", "Account/1.CSV")]


def test_dates_in_the_contracts_own_format(landing):
    entity, event = landing.source.entities
    entity = dataclasses.replace(entity, date_format="%m/%d/%Y")
    landing.source = dataclasses.replace(landing.source, entities=(entity, event))
    landing.accounts(
        "1.csv", "a1,02/01/2024,1/2/2025", "a2,31/01/2024,2025-01-03", header="Id,StartDate,SystemModstamp"
    )
    landing.load()
    assert landing.rows("select Id, StartDate, SystemModstamp from raw_crm.account") == [
        ("a1", date(2024, 2, 1), datetime(2025, 1, 2))
    ]
    assert landing.quarantine()[0][2] == "StartDate is not a date (%m/%d/%Y): '31/01/2024'"


def test_a_changed_contract_reads_the_files_again(landing, account):
    landing.accounts("1.csv", account("a1", seats="-1"))
    assert landing.load().quarantined == 1
    entity, event = landing.source.entities
    landing.source = dataclasses.replace(
        landing.source, entities=(dataclasses.replace(entity, rules={"Seats is below -9": "Seats >= -9"}), event)
    )
    assert landing.load().new_rows == 1
    assert landing.quarantine() == []


def test_rows_that_waited_for_a_duplicate_load_when_it_is_corrected(landing, account):
    landing.accounts("1.csv", account("a1"))
    landing.accounts("2.csv", account("a1"), account("a2"))
    landing.accounts("3.csv", account("a1", name="Other"), account("a2"))
    first = landing.load()
    assert (first.quarantined, first.repeated, first.changed) == (0, 2, 1)
    landing.accounts("1.csv", account("a9"))
    landing.load()
    assert sorted(landing.ids()) == ["a1", "a2", "a9"]
    assert landing.rows('select "Name" from raw_crm.account where "Id" = \'a1\'') == [("Other",)]
    assert landing.quarantine() == []
    assert manifest(landing) == [("1.csv", 1, 0, 0, 0), ("2.csv", 2, 0, 0, 0), ("3.csv", 2, 0, 1, 1)]


def manifest(landing, entity="account"):
    """(file, rows, quarantined, repeated, changed) of each file."""
    return [
        (file.split("/")[1], *counts)
        for file, *counts in landing.rows(
            f"select file, rows, quarantined, repeated, changed from raw_crm._manifest where entity = '{entity}'"
            " order by file"
        )
    ]


EVENTS = "id,kind,received"


def dump(landing, name, *rows):
    return landing.write(f"event/{name}", "\n".join([EVENTS, *rows]) + "\n")


@pytest.mark.parametrize("at_once", [True, False])
def test_a_full_dump_every_day_loads_what_is_new_and_replaces_what_changed(landing, at_once):
    days = {
        "1.csv": ["e1,a,946684800000", "e2,b,946684800000", "e1,twice,946684800000"],
        "2.csv": ["e1,a,946684800000", "e2,b,946684800000", "e3,,"],
        "3.csv": ["e3,,", "e2,B,946684800000", "e1,a,946684800000"],
        "4.csv": ["e1,a,946684800000", "e2,B,946684800000", "e2,b,946684800000"],
        "5.csv": ["e2,b,946684800000"],
    }
    repeated = changed = 0
    for name, rows in days.items():
        dump(landing, name, *rows)
        if not at_once or name == "5.csv":
            report = landing.load("event")
            repeated, changed = repeated + report.repeated, changed + report.changed
    assert (repeated, changed) == (6, 2)
    assert landing.rows('select id, kind, "_file", "_line" from raw_crm.event order by id') == [
        ("e1", "a", "event/1.csv", 2),
        ("e2", "b", "event/5.csv", 2),
        ("e3", None, "event/2.csv", 4),
    ]
    assert manifest(landing, "event") == [
        ("1.csv", 3, 1, 0, 0),
        ("2.csv", 3, 0, 2, 0),
        ("3.csv", 3, 0, 2, 1),
        ("4.csv", 3, 1, 2, 0),
        ("5.csv", 1, 0, 0, 1),
    ]
    assert [(file, line, raw) for file, line, _, raw in landing.quarantine()] == [
        ("event/1.csv", 4, "e1,twice,946684800000"),
        ("event/4.csv", 4, "e2,b,946684800000"),
    ]


def test_a_replaced_row_comes_back_when_the_newer_file_is_corrected(landing):
    dump(landing, "1.csv", "e1,a,946684800000")
    landing.load("event")
    dump(landing, "2.csv", "e1,b,946684800000")
    assert landing.load("event").changed == 1
    dump(landing, "2.csv", "e2,b,946684800000")
    landing.load("event")
    assert landing.rows("select id, kind from raw_crm.event order by id") == [("e1", "a"), ("e2", "b")]
    assert manifest(landing, "event") == [("1.csv", 1, 0, 0, 0), ("2.csv", 1, 0, 0, 0)]


def test_what_is_delivered_later_is_newer_whatever_its_name(landing):
    dump(landing, "dump-9.csv", "e1,old,946684800000")
    landing.load("event")
    later = landing.now + timedelta(hours=1)
    dump(landing, "dump-10.csv", "e1,new,946684800000")
    landing.load("event", now=later)
    dump(landing, "dump-9.csv", "e1,old,946684800000", "e2,x,946684800000")
    landing.load("event", now=later + timedelta(hours=1))
    assert landing.rows("select id, kind from raw_crm.event order by id") == [("e1", "new"), ("e2", "x")]


def test_a_warehouse_from_before_the_counts_goes_on(landing, account):
    landing.accounts("1.csv", account("a1"))
    landing.load()
    for column in ("repeated", "changed", "first_loaded_at"):
        landing.connection.execute(f"alter table raw_crm._manifest drop column {column}")
    landing.accounts("2.csv", account("a1"))
    assert landing.load().repeated == 1


def test_only_the_chosen_entities_are_loaded(landing, account):
    landing.accounts("1.csv", account("a1"))
    reports = load_source(landing.connection, landing.source, landing.folder, landing.now, entities=["event"])
    assert [report.entity for report in reports] == ["event"]
    assert landing.ids() == []


def test_a_killed_load_leaves_the_old_state_and_the_next_one_heals(landing, account, tmp_path):
    landing.accounts("1.csv", account("a1"))
    landing.load()
    landing.connection.close()
    landing.accounts("2.csv", *(account(f"b{number}") for number in range(20_000)))
    program = (
        "import duckdb, os, signal, pathlib\n"
        "from pipelines.extraction.loading.load import load_source\n"
        "from pipelines.extraction.loading.state import Load\n"
        "from tests_conftest import CRM, NOW\n"
        "append = Load.append\n"
        "def die(self, table, columns):\n"
        "    append(self, table, columns)\n"
        "    if table == '_manifest': os.kill(os.getpid(), signal.SIGKILL)\n"
        "Load.append = die\n"
        f"with duckdb.connect({str(tmp_path / 'warehouse.duckdb')!r}) as connection:\n"
        f"    load_source(connection, CRM, pathlib.Path({str(landing.folder)!r}), NOW)\n"
    )
    here = Path(__file__).resolve().parents[1]
    (tmp_path / "tests_conftest.py").write_text((here / "conftest.py").read_text())
    killed = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parents[2]), str(tmp_path)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    landing.connection = duckdb.connect(str(tmp_path / "warehouse.duckdb"))
    assert landing.ids() == ["a1"]
    assert landing.rows("select file from raw_crm._manifest") == [("account/1.csv",)]
    landing.load()
    assert len(landing.ids()) == 20_001


def test_the_run_date_is_the_latest_day_but_never_after_today(landing, account):
    landing.accounts("1.csv", account("a1", stamp="2025-01-07 10:00:00"))
    millis = int(datetime(2025, 1, 8, 23, tzinfo=UTC).timestamp() * 1000)
    landing.write("event/1.jsonl", f'{{"id": "e1", "received": {millis}}}\n')
    landing.load()
    now = landing.now.replace(tzinfo=UTC)
    assert write_as_of(landing.connection, [landing.source], None, now) == date(2025, 1, 8)
    assert landing.rows("select * from raw_scorecast.as_of") == [(date(2025, 1, 8), landing.now)]
    assert write_as_of(landing.connection, [landing.source], None, datetime(2025, 1, 7)) == date(2025, 1, 7)
    assert write_as_of(landing.connection, [landing.source], date(2024, 12, 31), now) == date(2024, 12, 31)


def test_load_all_leaves_out_what_the_company_does_not_have(landing, account):
    landing.accounts("1.csv", account("a1"))
    other = dataclasses.replace(landing.source, name="other")
    reports = load_all(
        landing.connection,
        [landing.source, other],
        Configuration(sources={"crm": SourceSettings(landing.folder)}),
        landing.now,
    )
    assert {report.source for report in reports} == {"crm"}
    assert landing.rows("select as_of_date from raw_scorecast.as_of") == [(date(2025, 1, 1),)]
    assert landing.rows("select count(*) from information_schema.tables where table_schema = 'raw_other'") == [(0,)]


@pytest.mark.slow
def test_a_large_back_fill_is_loaded_in_few_queries(landing):
    for month in range(24):
        path = landing.folder / "event" / f"{month:02}.csv"
        path.parent.mkdir(exist_ok=True)
        landing.connection.execute(
            f"copy (select 'e{month}_' || i as id, 'click' as kind, 1700000000000 + i as received"
            " from range(20000) t(i))"
            f" to '{path}' (header)"
        )
    started = time.monotonic()
    assert landing.load("event").new_rows == 480_000
    assert time.monotonic() - started < 20


def test_whom_releases_scored_between_sundays_is_told_to_the_models(landing, tmp_path):
    published, sunday = tmp_path / "published 'x'.duckdb", date(2026, 6, 28)
    assert write_scored(landing.connection, published, sunday) == 0
    assert landing.rows("from raw_scorecast.scored") == []
    days = [sunday - timedelta(days=back) for back in (0, 1, 7, 8, SCORED_DAYS - 2, SCORED_DAYS)]
    with duckdb.connect(str(published)) as release:
        tables = {"churn_scores": {"columns": ["account_id", "probability"]}, "gone": {"columns": ["a"]}}
        release.execute("create table releases (release_id varchar, tables json)")
        release.execute("insert into releases values ('1', '{}'), ('2', ?)", [json.dumps(tables)])
        release.execute("create table score_history (table_name varchar, entity_id varchar, as_of_date date)")
        rows = [("churn_scores", "a", day) for day in [*days, days[1]]]
        release.executemany("insert into score_history values (?, ?, ?)", [*rows, ("dropped_scores", "a", days[1])])
    assert write_scored(landing.connection, published, sunday) == 3
    told = landing.rows("select entity_key, entity_id, as_of_date from raw_scorecast.scored order by 3 desc")
    assert told == [("account_id", "a", day) for day in (days[1], days[3], days[4])]
    assert write_scored(landing.connection, published, sunday) == 3


def test_a_rejected_file_is_tried_again_when_the_program_changes(landing, account, monkeypatch):
    landing.accounts("1.csv", account("a1"))

    def cannot(path, known):
        raise UnreadableFileError(f"{path}: this reader is too old")

    with monkeypatch.context() as older:
        older.setattr(reading, "csv_header", cannot)
        assert len(landing.load().rejected) == 1
        assert landing.load().status == "unchanged"
    assert landing.load().status == "unchanged"
    monkeypatch.setattr(due, "program_fingerprint", lambda: "the next version")
    report = landing.load()
    assert (report.status, report.new_files, landing.ids()) == ("loaded", 1, ["a1"])
    assert landing.quarantine() == []
    assert landing.load().status == "unchanged"


@pytest.mark.parametrize(
    "problem",
    [
        duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate data of size 32.0 MiB"),
        MemoryError(),
        OSError(errno.EMFILE, "Too many open files"),
        duckdb.IOException('IO Error: Could not write file "x.tmp": No space left on device'),
        duckdb.IOException('IO Error: Could not read from file "1.csv": Input/output error'),
    ],
)
def test_memory_and_disks_that_fail_stop_the_load_and_are_held_against_no_file(landing, account, monkeypatch, problem):
    landing.accounts("1.csv", account("a1"))
    landing.accounts("2.csv", account("a2"))

    def fail(load, staged, scratch):
        raise problem

    with monkeypatch.context() as short:
        short.setattr(reading, "_read_csv", fail)
        with pytest.raises(CannotLoad, match=r"^crm\.account: .*\. Nothing of it was loaded or recorded") as stopped:
            landing.load()
    assert "\n" not in str(stopped.value)
    assert landing.rows("select * from raw_crm._manifest") == landing.quarantine() == []
    landing.load()
    assert landing.ids() == ["a1", "a2"]


def test_files_that_fit_into_memory_only_one_by_one_are_read_one_by_one(landing, account, monkeypatch):
    landing.accounts("1.csv", account("a1"))
    landing.accounts("2.csv", account("a2"))
    read = reading._read_csv

    def at_most_one(load, staged, scratch):
        if len(staged.files) > 1:
            raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate data of size 32.0 MiB")
        read(load, staged, scratch)

    monkeypatch.setattr(reading, "_read_csv", at_most_one)
    assert landing.load().status == "loaded"
    assert landing.ids() == ["a1", "a2"]


def test_a_json_file_that_cannot_be_read_does_not_drag_others_down(landing, monkeypatch):
    landing.write("event/1.jsonl", '{"id": "e1", "kind": "a"}\n')
    landing.write("event/2.jsonl", '{"id": "e2", "": 1}\n')
    landing.write("event/3.jsonl", '{"id": "e3", "kind": "c"}\n')
    rows = Load.rows

    def unable(self, query):
        if "json_keys" in query and "3.jsonl" in query:
            raise duckdb.InvalidInputException("Invalid Input Error: no such depth")
        return rows(self, query)

    monkeypatch.setattr(Load, "rows", unable)
    report = landing.load("event")
    assert landing.ids("event") == ["e1", "e2"]
    (message,) = report.rejected
    assert message.startswith(f"{landing.folder}/event/3.jsonl cannot be read as JSON lines (Invalid Input Error: no")


def test_a_clock_that_was_behind_for_one_load_loses_nothing(landing, account):
    far, today = "2099-01-01 12:00:00", "2025-01-10 11:00:00"
    landing.accounts("1.csv", account("a1"), account("a2", stamp=today), account("a3", stamp=far))
    millis = int(datetime(2025, 1, 10, 11, tzinfo=UTC).timestamp() * 1000)
    landing.write("event/1.jsonl", f'{{"id": "e1", "received": {millis}}}\n')
    assert landing.load(now=landing.now - timedelta(days=3)).quarantined == 2
    assert landing.load(now=landing.now - timedelta(days=2)).status == "unchanged"
    report = landing.load()
    assert (report.status, report.quarantined) == ("loaded", 1)
    assert (landing.ids(), landing.ids("event")) == (["a1", "a2"], ["e1"])
    assert [(file, line) for file, line, _, _ in landing.quarantine()] == [("account/1.csv", 4)]
    assert landing.load(now=landing.now + timedelta(days=1)).status == "unchanged"


def test_a_load_before_the_last_one_of_any_source_is_refused_before_anything_is_touched(landing, account, tmp_path):
    other = dataclasses.replace(landing.source, name="other")
    landing.accounts("1.csv", account("a1"))
    landing.load()
    before = landing.now - timedelta(seconds=1)
    with pytest.raises(ClockSetBack) as refused:
        load_source(landing.connection, other, landing.folder, before.replace(tzinfo=UTC))
    assert str(refused.value) == (
        "This computer's clock is before the last load: crm was loaded at 2025-01-10 12:00:00 UTC. Nothing was loaded"
        " now. Set the clock right; if it was ahead at that load, take back what was loaded by it:"
        " .venv/bin/scorecast forget --since '2025-01-10 12:00:00'"
    )
    assert landing.rows("select schema_name from duckdb_schemas() where schema_name = 'raw_other'") == []


INTERNAL = (
    "rowid",
    "ROWID",
    "_row",
    "_path",
    "_read_0",
    "_typed_7",
    "_content",
    "_position",
    "c0",
    "filename",
    "k",
    "l",
)


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_a_column_may_be_called_as_the_loader_calls_its_own(landing, format_):
    for number, name in enumerate(INTERNAL):
        rows = [{"id": f"{number}-{n}", "kind": "x", name: n % 3, "received": 946684800000} for n in range(8)]
        rows += [{**rows[0], "kind": "y"}, {**rows[1], "received": -1 << 60}]
        again = [{**rows[2], "kind": "z"}, rows[3], {**rows[4], name: 9}, {**rows[0], "id": f"{number}-new"}]
        for part, records in enumerate((rows, again)):
            path = landing.write(f"event/{number}-{part}.{format_}", "")
            landing.connection.register("records", pyarrow.Table.from_pylist(records))
            option = {"csv": "format csv, header", "jsonl": "format json", "parquet": "format parquet"}[format_]
            landing.connection.execute(f"copy (from records) to '{path}' ({option})")
    report = landing.load("event")
    assert report.rejected == ()
    assert (report.new_rows, report.repeated, report.changed) == (11 * len(INTERNAL), len(INTERNAL), 2 * len(INTERNAL))
    assert report.quarantined == 2 * len(INTERNAL)
    assert landing.rows("select kind, rowid_ from raw_crm.event where id in ('0-2', '0-4', '0-5') order by id") == [
        ("z", 2),
        ("x", 9),
        ("x", 2),
    ]
    assert landing.load("event").status == "unchanged"


def test_rows_that_are_not_accounted_for_stop_the_load(landing, account, monkeypatch):
    landing.accounts("1.csv", account("a1"))
    landing.load()
    landing.accounts("2.csv", account("a2"), account("a3", seats="-1"))
    insert = loading.insert_rows

    def lose_one(load, part, put_aside):
        insert(load, part, put_aside)
        load.connection.execute(f"delete from {load.table} where Id = 'a2'")

    with monkeypatch.context() as faulty:
        faulty.setattr(loading, "insert_rows", lose_one)
        with pytest.raises(CannotLoad, match=r"crm\.account: 1 rows too few of account/2\.csv"):
            landing.load()
    assert landing.ids() == ["a1"]
    assert landing.rows("select file from raw_crm._manifest") == [("account/1.csv",)]
    assert landing.quarantine() == []


def test_a_reader_that_finds_other_rows_than_the_file_has_is_not_believed(landing, account, monkeypatch):
    landing.accounts("1.csv", account("a1"), account("a2"))
    landing.accounts("2.csv", account("a3"))
    query = reading._csv_query

    def drop_one(load, staged, paths):
        broken = query(load, staged, paths)
        load.connection.execute(f"delete from {staged.table} where c0 = 'a2'")
        return broken

    monkeypatch.setattr(reading, "_csv_query", drop_one)
    report = landing.load()
    assert landing.ids() == ["a3"]
    assert "1.csv cannot be read as CSV (it has 2 rows, but 1 of them could be read)" in report.rejected[0]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("1990-01-01", None),
        ("1989-12-31 23:59:59", "is before 1990, so it stands for no date"),
        ("1899-12-31 23:59:59", "is of no plausible year (1900 to 2199)"),
        ("290000-01-01", "is of no plausible year (1900 to 2199)"),
    ],
)
def test_times_of_no_plausible_year_are_put_aside(landing, account, value, why):
    landing.accounts("1.csv", account("a1"), account("a2", stamp=value))
    landing.load()
    assert landing.ids() == ["a1", *([] if why else ["a2"])]
    reason = f"SystemModstamp {why}: '{value}'"
    assert [said for _, _, said, _ in landing.quarantine()] == [reason] * bool(why)


@pytest.mark.parametrize(("unit", "good"), [("epoch_s", 1_735_689_600), ("epoch_ms", 1_735_689_600_000)])
@pytest.mark.parametrize("beyond", [2**63 - 1, -(2**63), 10**17, -(10**17)])
def test_epochs_of_no_plausible_year_are_put_aside(landing, unit, good, beyond):
    account, event = landing.source.entities
    columns = {**event.columns, "created": "bigint"}
    event = dataclasses.replace(event, columns=columns, time_unit=unit, epochs=("created",))
    landing.source = dataclasses.replace(landing.source, entities=(account, event))
    lines = [f"e1,,{good},{good}", f"e2,,{beyond},{good}", f"e3,,{good},{beyond}", f"e4,,{good},"]
    landing.write("event/1.csv", "\n".join(["id,kind,received,created", *lines]) + "\n")
    landing.load("event")
    assert landing.ids("event") == ["e1", "e4"]
    counted = {"epoch_s": "seconds", "epoch_ms": "milliseconds"}[unit]
    assert [said for _, _, said, _ in landing.quarantine()] == [
        f"{name} is of no plausible year (1900 to 2199, counted in {counted} since 1970): '{beyond}'"
        for name in ("received", "created")
    ]
    assert write_as_of(landing.connection, [landing.source], None, landing.now) == date(2025, 1, 1)


def test_the_run_date_survives_a_time_that_was_loaded_before_times_were_checked(landing, account):
    landing.accounts("1.csv", account("a1"))
    landing.load()
    landing.connection.execute(f"insert into raw_crm.event (id, received) values ('old', {2**63 - 1})")
    assert write_as_of(landing.connection, [landing.source], None, landing.now) == date(2025, 1, 1)


DATED = Entity(
    name="account",
    description="A company with dates and numbers of every meaning.",
    columns={
        **{"Id": "varchar", "CreatedDate": "timestamp", "PaidAt": "date", "DueDate": "date", "BirthDate": "date"},
        **{
            "ExpectedDate": "date",
            "Seats": "bigint",
            "Amount": "double",
            "Probability": "double",
            "Growth_percent": "double",
        },
        "SystemModstamp": "timestamp",
    },
    key=("Id",),
    version="SystemModstamp",
    time="SystemModstamp",
)


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [
        ("CreatedDate", ["1995-03-01", "2025-01-10"], ["1970-01-01 00:01:39", "1989-12-31", "2025-03-01"]),
        ("PaidAt", ["2024-12-31"], ["1970-01-01", "2025-02-01"]),
        ("DueDate", ["2026-12-31", "1985-01-01", "9999-12-31"], ["1970-01-01", "1900-01-01"]),
        ("BirthDate", ["1962-05-04", "1901-01-01"], ["0001-01-01"]),
        ("ExpectedDate", ["2027-01-01"], ["1970-01-01"]),
        ("Seats", ["0", "5000"], ["-3", "1000000000000"]),
        ("Amount", ["-500", "45000000000000"], ["1000000000000000", "-1000000000000000", "inf"]),
        ("Probability", ["0", "100", "0.5"], ["140", "-1"]),
        ("Growth_percent", ["250", "-40"], ["1000000000000000"]),
    ],
)
def test_what_a_column_cannot_mean_is_put_aside_with_the_reason(landing, column, good, bad):
    landing.source = dataclasses.replace(landing.source, entities=(DATED, landing.source.entities[1]))
    lines = [f"{value},{value},2025-01-01" for value in (*good, *bad)]
    landing.write("account/1.csv", "\n".join([f"Id,{column},SystemModstamp", *lines]) + "\n")
    landing.load()
    assert landing.ids() == good
    said = landing.quarantine()
    assert [line for _, line, _, _ in said] == list(range(2 + len(good), 2 + len(good) + len(bad)))
    assert all(reason.startswith(f"{column} is ") and text for _, _, reason, text in said), said


def test_what_is_said_to_have_happened_tomorrow_is_judged_again_when_it_has(landing):
    landing.source = dataclasses.replace(landing.source, entities=(DATED, landing.source.entities[1]))
    landing.write("account/1.csv", "Id,PaidAt,SystemModstamp\na1,2025-01-20,2025-01-01\na2,2025-01-02,2025-01-02\n")
    landing.load()
    assert landing.ids() == ["a2"] and "PaidAt is in the future: 2025-01-20" in landing.quarantine()[0][2]
    landing.load(now=landing.now + timedelta(days=10))
    assert landing.ids() == ["a1", "a2"] and landing.quarantine() == []


def test_an_open_end_is_a_plausible_date(landing):
    landing.accounts(
        "1.csv", "a1,9999-12-31,2025-01-01", "a2,0024-01-31,2025-01-01", header="Id,StartDate,SystemModstamp"
    )
    landing.load()
    assert landing.ids() == ["a1"]
    assert landing.quarantine()[0][2] == "StartDate is of no plausible year (1900 to 9999): '0024-01-31'"


def test_a_file_that_could_not_be_read_is_forgotten_when_it_is_gone(landing, account):
    landing.accounts("1.csv", account("a1"))
    path = landing.write("account/2.csv", "")
    landing.load()
    path.unlink()
    assert landing.load().message == "no new files; account/2.csv is gone: it is as if it had never been there"
    assert rejected_files(landing.connection, "crm", "account") == landing.quarantine() == []
    assert landing.rows("select file from raw_crm._manifest") == [("account/1.csv",)]
    path = landing.accounts("1.csv")
    path.write_text("")
    assert "its former version stay" in landing.load().rejected[0]
    path.unlink()
    landing.load()
    assert landing.ids() == ["a1"]
    assert rejected_files(landing.connection, "crm", "account") == landing.quarantine() == []


def many(prefix, good, bad=0, **values):
    return [f"{prefix}{n},{values.get('kind', '')},{'x' if n < bad else 946684800000}" for n in range(good + bad)]


def test_a_file_that_the_gate_stopped_is_as_if_it_had_never_been_there_once_it_is_gone(landing):
    dump(landing, "1.csv", *many("e", 200, kind="a"))
    landing.load("event")
    before = manifest(landing, "event")
    path = landing.write(
        "event/2.csv",
        "\n".join(["id,kind,received,Tier__c", *(f"{row},7" for row in many("e", 150, 50, kind="b"))]) + "\n",
    )
    stopped = landing.load("event", now=landing.now + timedelta(hours=1))
    assert (stopped.changed, stopped.quarantined) == (150, 50)
    path.unlink()
    dump(landing, "3.csv", *many("f", 3))
    report = landing.load("event", now=landing.now + timedelta(hours=2))
    assert "event/2.csv is gone: it is as if it had never been there" in report.message
    assert landing.rows("select count(*) from raw_crm.event where kind = 'a'") == [(200,)]
    assert landing.rows("select count(*) from raw_crm.event") == [(203,)]
    assert manifest(landing, "event") == [*before, ("3.csv", 3, 0, 0, 0)]
    assert "Tier__c" not in {name for name, *_ in landing.rows("describe raw_crm.event")}


def test_files_beside_the_one_that_the_gate_stopped_stay_and_so_does_what_had_passed(landing):
    bad, good = dump(landing, "1.csv", *many("a", 50, 60)), dump(landing, "2.csv", *many("b", 200, 5))
    landing.load("event")
    bad.unlink()
    good.unlink()
    landing.load("event")
    assert landing.rows("select count(*) from raw_crm.event") == [(200,)]
    few = dump(landing, "3.csv", *many("c", 5, 5))
    landing.load("event", now=landing.now + timedelta(hours=1))
    few.unlink()
    landing.load("event", now=landing.now + timedelta(hours=2))
    assert landing.rows("select count(*) from raw_crm.event") == [(205,)]


def test_what_a_file_that_goes_had_replaced_in_one_that_is_gone_is_told_and_stays_accounted_for(landing):
    first = dump(landing, "1.csv", *many("e", 200, kind="a"))
    landing.load("event")
    first.unlink()
    second = dump(landing, "2.csv", *many("e", 150, 50, kind="b"))
    landing.load("event", now=landing.now + timedelta(hours=1))
    second.unlink()
    report = landing.load("event", now=landing.now + timedelta(hours=2))
    assert "what stood back in event/1.csv does not come back: it is gone, too" in report.message
    assert landing.rows("select count(*) from raw_crm.event") == [(50,)]
    assert manifest(landing, "event") == [("1.csv", 200, 0, 0, 150)]
