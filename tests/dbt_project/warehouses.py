"""A small warehouse from Python rows: raw tables typed by the sources' contracts, then the real dbt project on them."""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.money import MoneySettings, write_money_settings
from tests.dbt_project.parsed_dbt import run_dbt

Rows = Sequence[Mapping[str, object]]
LOADED_AT = datetime(2026, 1, 1, 5)


def source(name: str) -> Source:
    return getattr(importlib.import_module(f"assets.sources.{name}"), name)


def epoch(moment: str) -> int:
    """Seconds since 1970 of an ISO time in UTC."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())


def epoch_ms(moment: str) -> int:
    return epoch(moment) * 1000


def column_types(entity: Entity, rows: Rows, without: Iterable[str]) -> dict[str, str]:
    """The contract's types, less the columns that this export lacks, plus its custom columns (by the first value)."""
    types = {name: kind for name, kind in entity.columns.items() if name not in without}
    for row in rows:
        for name, value in row.items():
            if name not in types and name != "_loaded_at":
                types[name] = "double" if isinstance(value, int | float) else "varchar"
    return types


READ = {"ticket_class": "billing", "ticket_mood": "negative"}
"""What text models said of the ticket t-1, whatever is known of it by then."""


def write_raw(
    warehouse: Path,
    raw: Mapping[str, Rows],
    as_of: str,
    without: Mapping[str, Iterable[str]] | None = None,
    money: MoneySettings | None = None,
) -> None:
    """
    Append rows to raw tables: `{"stripe.customer": [{"id": "cus_1", ...}]}`. Tables are made when first named.

    `without` names columns that an export lacks (`{"stripe.customer": ["metadata"]}`); `_loaded_at` in a row says
    when it was loaded. Writes the run's day and the settings of money too.
    """
    with duckdb.connect(str(warehouse)) as connection:
        write_money_settings(connection, money or MoneySettings())
        connection.execute("create or replace table raw_scorecast.as_of (as_of_date date, run_at timestamp)")
        connection.execute("insert into raw_scorecast.as_of values (?, ?)", [as_of, f"{as_of} 06:00"])
        connection.execute("create schema if not exists scores")
        for model, said in READ.items():
            connection.execute(f"create or replace table scores.{model} (ticket_id varchar, predicted varchar)")
            connection.execute(f"insert into scores.{model} values ('t-1', ?)", [said])
        for table, rows in raw.items():
            source_name, entity_name = table.split(".")
            entity = next(one for one in source(source_name).entities if one.name == entity_name)
            types = column_types(entity, rows, (without or {}).get(table, ()))
            name = f'raw_{source_name}."{entity_name}"'
            columns = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
            connection.execute(f"create schema if not exists raw_{source_name}")
            connection.execute(
                f"create table if not exists {name} ({columns}, _file varchar, _line bigint, _loaded_at timestamp)"
            )
            for line, row in enumerate(rows, start=1):
                values = {**row, "_file": "rows", "_line": line, "_loaded_at": row.get("_loaded_at", LOADED_AT)}
                named = ", ".join(f'"{column}"' for column in values)
                marks = ", ".join("?" for _ in values)
                connection.execute(f"insert into {name} ({named}) values ({marks})", list(values.values()))


def build(warehouse: Path, *arguments: str, select: str = "staging core", command: str = "build") -> None:
    """`dbt build` (or `run`: no tests) of part of the real project into this warehouse; fails with dbt's words."""
    result = run_dbt(
        command,
        "--select",
        *select.split(),
        *arguments,
        warehouse=warehouse,
        target_dir=warehouse.parent / "target",
    )
    assert result.returncode == 0, result.stdout[-6000:]


def table(warehouse: Path, query: str) -> list[dict]:
    """The rows of a query as dicts."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        result = connection.execute(query)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
