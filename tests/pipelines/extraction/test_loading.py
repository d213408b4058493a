"""Incremental loading, schema changes and provenance."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines.extraction.as_of import SCORED_DAYS, write_as_of, write_scored
from pipelines.extraction.configuration import Configuration
from pipelines.extraction.loading import load_all, load_source


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
    landing.source = dataclasses.replace(landing.source, entities=(dataclasses.replace(entity, rules={}), event))
    assert landing.load().new_rows == 1
    assert landing.quarantine() == []


def test_rows_that_waited_for_a_duplicate_load_when_it_is_corrected(landing, account):
    landing.accounts("1.csv", account("a1"))
    landing.accounts("2.csv", account("a1"), account("a2"))
    landing.accounts("3.csv", account("a1", name="Other"), account("a2"))
    first = landing.load()
    assert (first.quarantined, first.repeated) == (1, 2)
    landing.accounts("1.csv", account("a9"))
    landing.load()
    assert sorted(landing.ids()) == ["a1", "a2", "a9"]
    assert [(file, line) for file, line, _, _ in landing.quarantine()] == [("account/3.csv", 2)]
    assert manifest(landing) == [("1.csv", 1, 0, 0, 0), ("2.csv", 2, 0, 0, 0), ("3.csv", 2, 1, 1, 0)]


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
        "1.csv": ["e1,a,1000", "e2,b,1000", "e1,twice,1000"],
        "2.csv": ["e1,a,1000", "e2,b,1000", "e3,,"],
        "3.csv": ["e3,,", "e2,B,1000", "e1,a,1000"],
        "4.csv": ["e1,a,1000", "e2,B,1000", "e2,b,1000"],
        "5.csv": ["e2,b,1000"],
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
        ("event/1.csv", 4, "e1,twice,1000"),
        ("event/4.csv", 4, "e2,b,1000"),
    ]


def test_a_replaced_row_comes_back_when_the_newer_file_is_corrected(landing):
    dump(landing, "1.csv", "e1,a,1000")
    landing.load("event")
    dump(landing, "2.csv", "e1,b,1000")
    assert landing.load("event").changed == 1
    dump(landing, "2.csv", "e2,b,1000")
    landing.load("event")
    assert landing.rows("select id, kind from raw_crm.event order by id") == [("e1", "a"), ("e2", "b")]
    assert manifest(landing, "event") == [("1.csv", 1, 0, 0, 0), ("2.csv", 1, 0, 0, 0)]


def test_what_is_delivered_later_is_newer_whatever_its_name(landing):
    dump(landing, "dump-9.csv", "e1,old,1000")
    landing.load("event")
    later = landing.now + timedelta(hours=1)
    dump(landing, "dump-10.csv", "e1,new,1000")
    landing.load("event", now=later)
    dump(landing, "dump-9.csv", "e1,old,1000", "e2,x,1000")
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
        "from pipelines.extraction import loading\n"
        "from tests_conftest import CRM, NOW\n"
        "append = loading._Loader._append\n"
        "def die(self, table, columns):\n"
        "    append(self, table, columns)\n"
        "    if table == '_manifest': os.kill(os.getpid(), signal.SIGKILL)\n"
        "loading._Loader._append = die\n"
        f"with duckdb.connect({str(tmp_path / 'warehouse.duckdb')!r}) as connection:\n"
        f"    loading.load_source(connection, CRM, pathlib.Path({str(landing.folder)!r}), NOW)\n"
    )
    here = Path(__file__).resolve().parent
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
        landing.connection, [landing.source, other], Configuration(folders={"crm": landing.folder}), landing.now
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
