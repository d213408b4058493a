"""What `sources.yaml` says about money, written where the warehouse's models read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import write_frame
from pipelines.values.currencies import decimals

if TYPE_CHECKING:
    import duckdb
    import polars as pl

RATE_COLUMNS = ("date", "currency", "rate")


class RatesProblem(ValueError):
    """The file of exchange rates cannot be used; the message says where and what is wrong."""


@dataclass(frozen=True)
class MoneySettings:
    """How amounts are added up."""

    reporting_currency: str | None = None
    """The currency that all amounts are turned into, where there is a rate; None: each stays in its own."""
    exchange_rates: Path | None = None
    """CSV with `date, currency, rate`: what one unit of it is worth in the reporting currency from that day on."""
    free_plans: bool = False
    """Whether who pays nothing for a plan is a customer."""
    by_source: Mapping[str, str] = field(default_factory=dict)
    """System → the currency of its amounts that come without one."""


def write_money_settings(connection: "duckdb.DuckDBPyConnection", settings: MoneySettings) -> None:
    """
    Write `raw_scorecast.settings` (one row: reporting_currency, free_plans), `raw_scorecast.source_currencies`
    (source, currency) and `raw_scorecast.exchange_rates` (rate_date, currency, rate). Raises `RatesProblem`.
    """
    import polars as pl

    rates = pl.DataFrame(schema={"rate_date": pl.Date, "currency": pl.String, "rate": pl.Float64})
    if settings.exchange_rates:
        rates = read_rates(settings.exchange_rates, settings.reporting_currency)
    named = pl.DataFrame(
        list(settings.by_source.items()), schema={"source": pl.String, "currency": pl.String}, orient="row"
    )
    general = pl.DataFrame(
        [(settings.reporting_currency, settings.free_plans)],
        schema={"reporting_currency": pl.String, "free_plans": pl.Boolean},
        orient="row",
    )
    connection.execute("create schema if not exists raw_scorecast")
    for table, frame in {"settings": general, "source_currencies": named, "exchange_rates": rates}.items():
        write_frame(connection, frame, "raw_scorecast", table)


def read_rates(path: Path, reporting_currency: str | None) -> "pl.DataFrame":
    """
    The exchange rates of a CSV: rate_date (Date), currency (String), rate (Float64), sorted.

    Raises `RatesProblem`, with the line and the value, for a file that cannot be read or a row that is not one rate a
    currency and day.
    """
    import polars as pl

    from pipelines.values.numbers import numbers_in

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise RatesProblem(f"exchange_rates: {path} cannot be read: {problem}.") from None
    first = text.partition("\n")[0]
    mark = max(";,\t", key=first.count)
    try:
        rows = pl.read_csv(text.encode(), separator=mark, infer_schema=False, truncate_ragged_lines=False)
    except pl.exceptions.PolarsError as problem:
        raise RatesProblem(f"exchange_rates: {path} is no CSV: {str(problem).splitlines()[0]}.") from None
    rows = rows.rename({name: name.strip().lower() for name in rows.columns}, strict=False)
    missing = [name for name in RATE_COLUMNS if name not in rows.columns]
    if missing:
        raise RatesProblem(
            f"exchange_rates: {path} lacks the column(s) {', '.join(missing)}; its first line must name"
            f" {', '.join(RATE_COLUMNS)}, and has {', '.join(rows.columns)}."
        )
    decimal = "," if mark == ";" and rows["rate"].str.contains(",", literal=True).any() else "."
    read = rows.select(
        pl.col("date").str.strip_chars().str.to_date("%Y-%m-%d", strict=False).alias("rate_date"),
        pl.col("currency").str.strip_chars().str.to_uppercase(),
        numbers_in(rows["rate"], decimal).alias("rate"),
    )
    pairs = zip(rows.iter_rows(named=True), read.iter_rows(named=True), strict=True)
    for line, (written, found) in enumerate(pairs, 2):
        _require(path, line, written, found, reporting_currency)
    doubled = read.filter(pl.struct("rate_date", "currency").is_duplicated())
    if doubled.height:
        day, currency, _ = doubled.row(0)
        raise RatesProblem(f"exchange_rates: {path} has more than one rate of {currency} on {day}; keep one.")
    return read.sort("currency", "rate_date")


def _require(
    path: Path, line: int, written: dict[str, str], found: dict[str, object], reporting_currency: str | None
) -> None:
    """Raise `RatesProblem` for a row that is no rate."""
    where = f"exchange_rates: {path}, line {line}:"
    if not isinstance(found["rate_date"], date):
        raise RatesProblem(f"{where} date is {written['date']!r}; write a day such as 2025-01-31.")
    if found["currency"] not in decimals():
        raise RatesProblem(f"{where} currency is {written['currency']!r}; write a code of ISO 4217 such as USD.")
    rate = found["rate"]
    if rate is None or rate <= 0:
        raise RatesProblem(
            f"{where} rate is {written['rate']!r}; write what one {found['currency']} is worth in {reporting_currency}."
        )
    if found["currency"] == reporting_currency and rate != 1:
        raise RatesProblem(f"{where} the rate of {reporting_currency} in itself is 1, not {written['rate']}.")
