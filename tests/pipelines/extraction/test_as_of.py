"""How far each raw table tells: a table that fell silent ends, one that is quiet now and then goes on."""

from datetime import date, datetime, timedelta

import duckdb
import pytest

from pipelines.extraction.as_of import write_newest
from pipelines.extraction.contracts import Entity, Source

AS_OF = date(2025, 6, 29)
TICKET = Entity(
    name="ticket",
    description="A ticket.",
    columns={"id": "varchar", "updated_at": "timestamp"},
    key=("id",),
    time="updated_at",
)
DESK = Source(name="desk", description="A help desk.", entities=(TICKET,))


def every(days: int, until: date, count: int = 60) -> list[date]:
    return [until - timedelta(days=days * number) for number in range(count)]


def newest(days: list[date], files: tuple[str, ...] = (), vanished: date | None = None) -> list[tuple]:
    with duckdb.connect() as connection:
        connection.execute("create schema raw_desk; create schema raw_scorecast")
        connection.execute("create table raw_desk.ticket (id varchar, updated_at timestamp)")
        connection.execute("create table raw_desk._manifest (entity varchar, file varchar, status varchar)")
        connection.execute("create table raw_desk._vanished (entity varchar, key varchar, vanished_at timestamp)")
        for number, day in enumerate(days):
            moment = datetime(day.year, day.month, day.day, 9)
            connection.execute("insert into raw_desk.ticket values (?, ?)", [str(number), moment])
        for file in files:
            connection.execute("insert into raw_desk._manifest values ('ticket', ?, 'loaded')", [file])
        if vanished:
            connection.execute("insert into raw_desk._vanished values ('ticket', '1', ?)", [vanished])
        write_newest(connection, [DESK], AS_OF)
        return connection.execute("select newest_date, known_until_date from raw_scorecast.newest").fetchall()


@pytest.mark.parametrize(
    ("days", "found"),
    [
        (every(1, date(2025, 6, 1)), (date(2025, 6, 1), date(2025, 6, 1))),
        (every(1, AS_OF), (AS_OF, AS_OF)),
        (every(21, date(2025, 6, 10)), (date(2025, 6, 10), AS_OF)),
        (every(7, date(2025, 6, 10)), (date(2025, 6, 10), date(2025, 6, 10))),
        ([*every(1, date(2025, 6, 1)), date(2019, 1, 1)], (date(2025, 6, 1), date(2025, 6, 1))),
        ([date(2025, 6, 1)], (date(2025, 6, 1), date(2025, 6, 1))),
    ],
    ids=["daily and silent", "goes on", "quiet now and then", "weekly and silent", "an old hole", "one export"],
)
def test_a_table_ends_where_it_fell_silent_for_longer_than_before(days, found):
    assert newest(days) == [found]


def test_a_dated_file_and_a_record_that_is_gone_are_signs_of_life():
    days = every(1, date(2025, 6, 1))
    assert newest(days, files=("ticket/2025-06-28.csv",)) == [(date(2025, 6, 28), AS_OF)]
    assert newest(days, vanished=date(2025, 6, 20)) == [(date(2025, 6, 20), AS_OF)]
    assert newest([]) == []
