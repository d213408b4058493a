"""Records without a time of change count as they were on the day of the export."""

from datetime import datetime

import duckdb
import pytest

from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading.load import load_source

BILL = Entity(
    "bill",
    "A bill.",
    {"id": "varchar", "created": "bigint", "due": "bigint", "updated": "bigint"},
    ("id",),
    "updated",
    "updated",
    "epoch_s",
    epochs=("created", "due"),
    required=("created", "updated"),
)
SHOP = Source("shop", "A shop.", (BILL,))
NOW = datetime(2026, 6, 1)
ROWS = "id,created,due\n1,2026-01-10 08:00:00,2026-02-10\n2,2026-03-04 09:30:00,2026-05-04\n"


@pytest.fixture
def load(tmp_path):
    with duckdb.connect() as connection:

        def load_file(name: str, content: str = ROWS, now: datetime = NOW):
            (tmp_path / name).write_text(content)
            (report,) = load_source(connection, SHOP, tmp_path, now)
            found = connection.execute("select id, make_timestamp(updated * 1000000) from raw_shop.bill order by all")
            return report, found.fetchall()

        yield load_file


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("bills-2026-03-20.csv", datetime(2026, 3, 20, 23, 59, 59)),
        ("bills_20260320.csv", datetime(2026, 3, 20, 23, 59, 59)),
        # No such day; none in the name: the latest that has happened, not what is due, may be months ahead.
        ("bills-2026-02-31.csv", datetime(2026, 3, 4, 9, 30)),
        ("bills.csv", datetime(2026, 3, 4, 9, 30)),
        ("bills-2027-01-01.csv", NOW),
    ],
)
def test_the_day_of_the_export(load, name, moment):
    report, rows = load(name)
    assert rows == [("1", moment), ("2", moment)]
    assert f"it has no updated: its records are taken as they were on {moment:%Y-%m-%d}" in report.message


def test_a_file_with_the_column_keeps_its_own_times(load):
    _, rows = load("bills-2026-03-20.csv", "id,created,updated\n1,2026-01-10,2026-01-11\n")
    assert rows == [("1", datetime(2026, 1, 11))]


def test_what_nobody_claims_is_a_warning_of_its_own(load):
    report, _ = load("notes.csv", "a,b\n1,2\n")
    (stray,) = report.strays
    assert "notes.csv is not read: neither its name nor its columns are those of an entity" in stray
