"""The run's date: everything downstream uses what was known by the end of that day."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from pipelines.database import literal, quoted
from pipelines.extraction.checking import moment
from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading.export_time import day_in_name
from pipelines.extraction.money import MoneySettings, write_money_settings

if TYPE_CHECKING:
    import duckdb


def day_of(entity: Entity) -> str:
    """SQL: the latest day of the contract's `time` column."""
    return f"max({moment(entity)})::date"


def latest_day(connection: "duckdb.DuckDBPyConnection", sources: Iterable[Source]) -> date | None:
    """The latest day on which a loaded row became known, or one was found to be gone; None when nothing is loaded."""
    connection.execute("set TimeZone = 'UTC'")
    sources = list(sources)
    tables = {
        (schema, table)
        for schema, table in connection.execute(
            "select table_schema, table_name from information_schema.tables where table_schema like 'raw%'"
        ).fetchall()
    }
    queries = [
        f"select {day_of(entity)} as day from {quoted(f'raw_{source.name}')}.{quoted(entity.name)}"
        for source in sources
        for entity in source.entities
        if entity.time and (f"raw_{source.name}", entity.name) in tables
    ]
    queries += [
        f"select max(vanished_at)::date as day from {quoted(f'raw_{source.name}')}._vanished"
        for source in sources
        if (f"raw_{source.name}", "_vanished") in tables
    ]
    if not queries:
        return None
    return connection.execute(f"select max(day) from ({' union all '.join(queries)})").fetchone()[0]


def write_as_of(
    connection: "duckdb.DuckDBPyConnection",
    sources: Iterable[Source],
    configured: date | None,
    now: datetime,
    money: MoneySettings = MoneySettings(),
) -> date:
    """
    Write `raw_scorecast.as_of` (as_of_date, run_at: one row), `raw_scorecast.newest` and what is set about money.

    It is the configured date, else the latest day in the data, never after today. Raises `RatesProblem`.
    """
    sources = list(sources)
    moment = now.astimezone(UTC).replace(tzinfo=None) if now.tzinfo else now
    day = configured or min(latest_day(connection, sources) or moment.date(), moment.date())
    write_money_settings(connection, money)
    connection.execute(
        "create or replace table raw_scorecast.as_of as"
        f" select {literal(day)} as as_of_date, {literal(moment)} as run_at"
    )
    write_newest(connection, sources, day)
    return day


def write_newest(connection: "duckdb.DuckDBPyConnection", sources: Iterable[Source], as_of: date) -> None:
    """
    Write `raw_scorecast.newest`: one row per raw table that has a row with a time.

    Columns: source, entity, newest_date (of its newest row or of the newest day in a loaded file's name), and
    known_until_date: `as_of`, unless the table has been silent since for longer than ever in the year before; then
    newest_date. What a table that fell silent would tell of the days since is not known; it is not nothing.
    """
    connection.execute(
        "create or replace table raw_scorecast.newest"
        " (source varchar, entity varchar, newest_date date, known_until_date date)"
    )
    tables = set(
        connection.execute(
            "select table_schema, table_name from information_schema.tables where table_schema like 'raw%'"
        ).fetchall()
    )
    for source in sources:
        schema = f"raw_{source.name}"
        for entity in source.entities:
            if entity.time is None or (schema, entity.name) not in tables:
                continue
            parts = [f"select {moment(entity)}::date as day from {quoted(schema)}.{quoted(entity.name)}"]
            if (schema, "_vanished") in tables:
                parts.append(
                    f"select vanished_at::date from {quoted(schema)}._vanished where entity = {literal(entity.name)}"
                )
            days = connection.execute(
                f"select distinct day from ({' union all '.join(parts)}) where day is not null order by day"
            ).fetchall()
            if not days:
                continue
            active = [day for (day,) in days]
            silences = [
                (after - before).days
                for before, after in pairwise(active)
                if before >= active[-1] - timedelta(days=365)
            ]
            newest = max([active[-1], *_days_of_files(connection, schema, entity.name, tables)])
            goes_on = (as_of - newest).days <= max(silences, default=0)
            connection.execute(
                "insert into raw_scorecast.newest values (?, ?, ?, ?)",
                [source.name, entity.name, newest, as_of if goes_on else newest],
            )


def _days_of_files(
    connection: "duckdb.DuckDBPyConnection", schema: str, entity: str, tables: set[tuple[str, str]]
) -> list[date]:
    """The days in the names of an entity's files that were loaded."""
    if (schema, "_manifest") not in tables:
        return []
    files = connection.execute(
        f"select file from {quoted(schema)}._manifest where entity = ? and status <> 'rejected'", [entity]
    ).fetchall()
    return [day for (file,) in files if (day := day_in_name(file))]
