"""Export files: one per entity and month or day, with what was known by then."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from pipelines.sample import mess
from pipelines.sample.plan import DAY, Plan, day_number
from pipelines.sample.shapes import DAY_DATE, MILLISECONDS, NUMBER, TIME, WHOLE, Shape

HALF_WAY_COLUMNS = {"salesforce.lead": ("NumberOfEmployees",)}
"""Columns that only files from the half of the back-fill on have."""


def periods(first_day: date, last_day: date) -> Iterator[tuple[date, date]]:
    """The first and last day of each calendar month's share of a span."""
    start = first_day
    while start <= last_day:
        next_month = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        end = min(next_month - timedelta(days=1), last_day)
        yield start, end
        start = end + timedelta(days=1)


def known_rows(frame: pl.DataFrame, shape: Shape, since: int | None, until: int) -> pl.DataFrame:
    """The rows that became known on the day numbers `since` (None: ever) to `until`, in time's order."""
    known = pl.col(shape.known)
    rows = frame.filter(known < (until + 1) * DAY)
    if since is not None:
        rows = rows.filter(known >= since * DAY)
    return rows.sort(shape.known, *shape.key)


def typed(frame: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """The vendor's columns in order, with times as the vendor writes them (texts, except in Parquet)."""
    is_text = shape.format != "parquet"
    columns = []
    for name, kind in shape.columns.items():
        column = pl.col(name)
        if kind == TIME:
            column = pl.from_epoch(column, time_unit="s")
            column = column.dt.strftime("%Y-%m-%dT%H:%M:%S.000Z") if is_text else column
        elif kind == DAY_DATE:
            column = pl.from_epoch(column, time_unit="s").dt.date()
        elif kind == MILLISECONDS:
            column = column * 1000
        elif kind == WHOLE:
            column = column.cast(pl.Int64)
        elif kind == NUMBER:
            column = column.cast(pl.Float64)
        columns.append(column.alias(name))
    return frame.select(columns)


def write_period(
    folder: Path, plan: Plan, shape: Shape, rows: pl.DataFrame, last_day: date, chunk: int
) -> tuple[int, int]:
    """
    Write one file of one entity: the rows, and invalid ones beside them.

    Returns how many rows are true and how many invalid.
    """
    part = f".part-{chunk:04d}" if plan.chunks > 1 else ""
    path = folder / shape.source / shape.entity / f"{last_day.isoformat()}{part}.{shape.format}"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = typed(rows, shape)
    half_way = day_number(plan.first_day) + (day_number(plan.planned_last_day) - day_number(plan.first_day) + 1) // 2
    if day_number(last_day) < half_way:
        frame = frame.drop(HALF_WAY_COLUMNS.get(shape.name, ()))
    bad = mess.invalid_rows(frame, shape, f"{plan.seed}/{chunk}/{last_day}")
    if shape.format == "parquet":
        pl.concat([frame, bad.rows]).write_parquet(path, compression="zstd", statistics=True)
        return len(frame), len(bad.rows)
    if shape.format == "csv":
        text = frame.write_csv()
        broken = mess.as_csv(bad, frame.columns)
    else:
        text = frame.write_ndjson()
        broken = mess.as_jsonl(bad)
    path.write_text(mess.scatter(text, broken, header=shape.format == "csv"), encoding="utf-8")
    return len(frame), len(broken)


def month_ends(plan: Plan) -> list[tuple[int, int]]:
    """Day numbers of the first and last day of each of the back-fill's files."""
    return [(day_number(start), day_number(end)) for start, end in periods(plan.first_day, plan.planned_last_day)]
