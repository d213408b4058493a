"""Whatever stands in the files: every record is loaded or in quarantine, at the line where it stands."""

import csv
import io
import tempfile
from datetime import datetime
from pathlib import Path

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading import load_source

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


@settings(max_examples=60, deadline=None)
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


@settings(max_examples=20, deadline=None)
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
