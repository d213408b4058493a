"""Whatever stands in the files: every record is loaded or in quarantine, at the line where it stands."""

import csv
import io
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading.load import load_source
from pipelines.extraction.loading.manifest import ACCOUNTED, take_back, transaction

SOURCE = Source(
    name="any",
    description="Anything.",
    entities=(
        Entity(
            name="thing",
            description="A thing.",
            columns={"id": "varchar", "n": "bigint", "t": "varchar"},
            key=("id",),
            rules={"n is negative": "n >= 0"},
        ),
    ),
)
NOW = datetime(2025, 1, 1)
TEXT = st.text(alphabet='ab ",\né\t', max_size=6)
RECORD = st.tuples(st.sampled_from(["k1", "k2", "k3", "k4", ""]), st.sampled_from(["1", "-1", "x", ""]), TEXT)
BROKEN = st.sampled_from([b"one", b"a,b,c,d", b'"open,1,2', b"k9,1,caf\xe9", b'"k8"x,1,2', b"k7,1,fine"])


def encoded(record: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(record)
    return out.getvalue().rstrip("\n").encode()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(RECORD.map(encoded) | BROKEN, max_size=8), min_size=1, max_size=3))
def test_rows_in_file_are_loaded_or_in_quarantine(files):
    with tempfile.TemporaryDirectory() as name, duckdb.connect() as connection:
        folder = Path(name) / "thing"
        folder.mkdir()
        for number, records in enumerate(files):
            (folder / f"{number}.csv").write_bytes(b"\n".join([b"id,n,t", *records]) + b"\n")
        load_source(connection, SOURCE, Path(name), NOW)
        loaded = connection.execute("select _file, _line from raw_any.thing").fetchall()
        aside = connection.execute("select file, line from raw_any._quarantine").fetchall()
        manifest = connection.execute(
            "select file, rows, quarantined, repeated, changed from raw_any._manifest order by 1"
        ).fetchall()
        assert len(set(loaded + aside)) == len(loaded) + len(aside)
        assert len(loaded) == sum(rows - sum(others) for _, rows, *others in manifest)
        for (file, rows, quarantined, repeated, _), records in zip(manifest, files, strict=True):
            assert rows - quarantined - repeated >= sum(place[0] == file for place in loaded)
            assert quarantined == sum(place[0] == file for place in aside)
            starts = 2
            expected = []
            for record in records:
                expected.append((file, starts))
                starts += 1 + record.count(b"\n")
            found = {place for place in loaded + aside if place[0] == file}
            if not any(b'"open' in record for record in records):
                assert found <= set(expected)
                assert rows == len(expected)
        keys = connection.execute("select count(*), count(distinct id) from raw_any.thing").fetchone()
        assert keys[0] == keys[1]


@settings(max_examples=14, deadline=None)
@given(st.lists(st.lists(RECORD.map(encoded), max_size=6), min_size=2, max_size=4))
def test_loading_file_by_file_is_loading_all_at_once(files):
    with tempfile.TemporaryDirectory() as name, duckdb.connect() as once, duckdb.connect() as stepwise:
        folder = Path(name) / "thing"
        folder.mkdir()
        for number, records in enumerate(files):
            (folder / f"{number}.csv").write_bytes(b"\n".join([b"id,n,t", *records]) + b"\n")
            load_source(stepwise, SOURCE, Path(name), NOW)
        load_source(once, SOURCE, Path(name), NOW)
        for query in (
            "select * from raw_any.thing order by all",
            "select file, line, reason, raw_text from raw_any._quarantine order by all",
            "select file, rows, quarantined, repeated, changed, status from raw_any._manifest order by all",
        ):
            assert once.execute(query).fetchall() == stepwise.execute(query).fetchall()


VERSIONED = replace(SOURCE, entities=(replace(SOURCE.entities[0], version="t"),))
SMALL = st.tuples(st.sampled_from(["k1", "k2", "k3"]), st.sampled_from(["1", "2", "-1"]), st.sampled_from(["a", "b"]))
A, B = ("k1", "1", "a"), ("k1", "1", "b")
GONE = [("remove", "0", []), ("write", "1", [])]
"""The file whose row was replaced is gone, and one that only repeated that row changes."""
STEP = st.tuples(st.sampled_from(["write", "write", "remove", "forget"]), st.sampled_from("0123"), st.lists(SMALL))


@settings(max_examples=14, deadline=None)
@given(st.lists(STEP, min_size=2, max_size=9), st.sampled_from([SOURCE, VERSIONED]))
@example([("write", "0", [A]), ("write", "1", [A]), ("write", "2", [B]), ("write", "0", [A, A]), *GONE], SOURCE)
def test_every_row_stays_accounted_for_whatever_comes_changes_and_goes(steps, source):
    (entity,) = source.entities
    with tempfile.TemporaryDirectory() as name, duckdb.connect() as connection:
        folder = Path(name) / "thing"
        folder.mkdir()
        for number, (step, file, rows) in enumerate(steps):
            path = folder / f"{file}.csv"
            if step == "write":
                path.write_bytes(b"\n".join([b"id,n,t", *map(encoded, rows)]) + b"\n")
            else:
                path.unlink(missing_ok=True)
            if step == "forget" and number:
                with transaction(connection):
                    take_back(connection, "raw_any", entity, {f"thing/{file}.csv"})
            load_source(connection, source, Path(name), NOW + timedelta(hours=number), quarantine_limit=1)
            (accounted,) = connection.execute(f"select coalesce(sum({ACCOUNTED}), 0) from raw_any._manifest").fetchone()
            key = "(id, t)" if entity.version else "id"
            (total, keys) = connection.execute(f"select count(*), count(distinct {key}) from raw_any.thing").fetchone()
            assert accounted == total == keys


@settings(max_examples=10, deadline=None)
@given(st.lists(st.lists(SMALL, max_size=5), min_size=2, max_size=4), st.data())
def test_without_a_file_all_is_as_if_it_had_never_been_there(files, data):
    bad = data.draw(st.integers(0, len(files) - 1))
    with tempfile.TemporaryDirectory() as name, duckdb.connect() as with_it, duckdb.connect() as without:
        folder, other = Path(name) / "all" / "thing", Path(name) / "some" / "thing"
        for number, records in enumerate(files):
            content = b"\n".join([b"id,n,t", *map(encoded, records)]) + b"\n"
            for place in [folder] if number == bad else [folder, other]:
                place.mkdir(parents=True, exist_ok=True)
                (place / f"{number}.csv").write_bytes(content)
                now = NOW + timedelta(hours=number)
                load_source(with_it if place == folder else without, SOURCE, place.parent, now, quarantine_limit=1)
        (folder / f"{bad}.csv").unlink()
        with transaction(with_it):
            waiting = take_back(with_it, "raw_any", SOURCE.entities[0], {f"thing/{bad}.csv"})
            for file in waiting:
                with_it.execute("update raw_any._manifest set contract = null where file = ?", [file])
        load_source(with_it, SOURCE, folder.parent, NOW + timedelta(days=1), quarantine_limit=1)
        for query in (
            "select * exclude (_loaded_at) from raw_any.thing order by all",
            "select file, line, reason, raw_text from raw_any._quarantine order by all",
            "select file, rows, quarantined, repeated, changed, status from raw_any._manifest order by all",
        ):
            assert with_it.execute(query).fetchall() == without.execute(query).fetchall()
