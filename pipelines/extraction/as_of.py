"""The run's date: everything downstream uses what was known by the end of that day."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from pipelines.database import literal, quoted
from pipelines.extraction.checking import moment
from pipelines.extraction.contracts import Entity, Source
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
    Write `raw_scorecast.as_of` (as_of_date, run_at: one row) and return the date; beside it what is set about money.

    It is the configured date, else the latest day in the data, never after today. Raises `RatesProblem`.
    """
    moment = now.astimezone(UTC).replace(tzinfo=None) if now.tzinfo else now
    day = configured or min(latest_day(connection, sources) or moment.date(), moment.date())
    write_money_settings(connection, money)
    connection.execute(
        "create or replace table raw_scorecast.as_of as"
        f" select {literal(day)} as as_of_date, {literal(moment)} as run_at"
    )
    return day
