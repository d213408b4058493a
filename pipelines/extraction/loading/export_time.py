"""When an export was made: the version of its records where they have none of their own."""

import re
from datetime import UTC, date, datetime, time

from pipelines.database import literal, quoted
from pipelines.extraction.checking import PER_SECOND, StagedColumn, base_type, has_happened, typed_select, year_bounds
from pipelines.extraction.loading.state import Fresh, Load, Staged, naive

DAY_IN_NAME = re.compile(r"(?<!\d)(20\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")
DAY_ENDS = time(23, 59, 59)


def fill_export_time(load: Load, staged: Staged) -> None:
    """Give records of files that lack the contract's version, or its time, those of the export."""
    present = {column.name for column in staged.columns}
    missing = [name for name in load.entity.filled if name not in present]
    if not missing:
        return
    latest = _latest_times(load, staged)
    for name in missing:
        type_ = base_type(load.entity.columns[name])
        position = len(staged.columns)
        column = StagedColumn(
            source=name, staged=f"c{position}", name=name, read_type="varchar", type=type_, in_contract=True
        )
        load.connection.execute(f"alter table {staged.table} add column {column.staged} varchar")
        for path, item in staged.files.items():
            made_at = export_time(item, latest.get(path), load.now)
            written = str(int(made_at.replace(tzinfo=UTC).timestamp()) * PER_SECOND.get(load.entity.time_unit, 1))
            value = written if type_ == "bigint" else made_at.isoformat(sep=" ")
            load.connection.execute(
                f"update {staged.table} set {column.staged} = {literal(value)} where _path = {literal(path)}"
            )
        staged.columns.append(column)
    for item in staged.files.values():
        made_at = export_time(item, latest.get(str(item.clean or item.path)), load.now)
        note = f"it has no {' or '.join(missing)}: its records are taken as they were on {made_at:%Y-%m-%d}"
        item.message = "; ".join(filter(None, (item.message, note)))


def day_in_name(name: str) -> date | None:
    """The day that a file's name or folder tells, None if it tells none."""
    for year, month, day in DAY_IN_NAME.findall(name):
        try:
            return date(int(year), int(month), int(day))
        except ValueError:  # no such day
            continue
    return None


def export_time(item: Fresh, latest: datetime | None, now: datetime) -> datetime:
    """The end of the day in the name, else the latest event in the file, else its own time; not after `now`."""
    if day := day_in_name(item.file.name):
        return min(datetime.combine(day, DAY_ENDS), now)
    touched = naive(datetime.fromtimestamp(item.file.modified_ns / 10**9, UTC))
    return min(latest or touched, now).replace(microsecond=0)


def _latest_times(load: Load, staged: Staged) -> dict[str, datetime]:
    """Path → the latest time of what has happened: other times, of what is due or will end, may lie ahead."""
    times, columns = [], [each for each in staged.columns if each.in_contract and has_happened(each.name)]
    for column in columns:
        name, type_ = quoted(column.name), base_type(column.type)
        if type_ in ("date", "timestamp"):
            first, _ = year_bounds(type_)
            value = f"{name}::timestamp"
        elif column.name in (*load.entity.epochs, load.entity.time) and load.entity.time_unit in PER_SECOND:
            first, _ = year_bounds(load.entity.time_unit)
            value = f"make_timestamp({name}::bigint * {1_000_000 // PER_SECOND[load.entity.time_unit]})"
        else:
            continue
        times.append(f"max(case when {name} >= {first} and {value} <= {literal(load.now)} then {value} end)")
    if not times:
        return {}
    rows = load.rows(
        f"select _path, greatest({', '.join([*times, 'null'])}) from ({typed_select(staged.table, columns)})"
        " group by all"
    )
    return {path: moment for path, moment in rows if moment is not None}
