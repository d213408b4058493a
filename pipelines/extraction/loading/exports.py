"""What one export after another tells: the first is a state without a history, and a full one ends what it lacks."""

from collections.abc import Collection, Mapping
from datetime import date, datetime

from pipelines.database import literal, quoted
from pipelines.extraction.checking import TOLERANCE, moment, typed_select
from pipelines.extraction.loading.export_time import DAY_ENDS, day_in_name
from pipelines.extraction.loading.state import Load, Staged

MOST_VANISH = 0.5
"""Of an entity's records: an export that lacks more of them is taken for a part of one."""


def note_first_export(load: Load) -> None:
    """
    Write down when an entity's first export was made, where that tells no more than the records' state by then.

    It does if there is one row a record up to its latest change, and if it is all that there is, or later exports of
    the same load repeat its rows. Files that each bring the changes since the last are a history by themselves, and
    nothing is written down. Nor is it for events, which have no versions.
    """
    entity = literal(load.entity.name)
    files = load.rows(
        f"select file, coalesce(repeated, 0) + coalesce(changed, 0), latest from {load.schema}._manifest"
        f" where entity = {entity} and status = 'loaded' and rows > 0"
        " qualify first_loaded_at = min(first_loaded_at) over ()"
    )
    if load.entity.version is not None and any(latest is None for *_, latest in files):
        return  # loaded by a program that did not note it: what is written down stands
    load.connection.execute(f"delete from {load.schema}._first_exports where entity = {entity}")
    if load.entity.version is None or load.source.export == "incremental":
        return
    days = _days_of_exports({file: latest for file, _, latest in files}, files=[file for file, *_ in files])
    first_day = min(days.values(), default=None)
    times = [latest for file, _, latest in files if days[file] == first_day and latest]
    are_apart = set(days.values()) != {first_day} and not any(delivered_again for _, delivered_again, _ in files)
    if not times or (are_apart and load.source.export != "full"):
        return
    made_at, key = literal(min(max(times), load.now)), ", ".join(quoted(name) for name in load.entity.key)
    load.connection.execute(
        f"""
        insert into {load.schema}._first_exports by name
        select {entity} as entity, {made_at} as made_at from {load.table} where {moment(load.entity)} <= {made_at}
        having count(*) > 0 and count(*) = count(distinct ({key}))
        """
    )


def note_latest(load: Load, staged: Collection[Staged]) -> None:
    """Note the latest time of the rows of each file, also of those that other files have."""
    for part in staged if load.entity.version else ():
        if load.entity.time in {column.name for column in part.columns}:
            typed = typed_select(part.table, [each for each in part.columns if each.name == load.entity.time])
            for path, latest in load.rows(
                f"select _path, max(case when {moment(load.entity)} <= {literal(load.now + TOLERANCE)}"
                f" then {moment(load.entity)} end) from ({typed}) group by all"
            ):
                part.files[path].latest = latest


def _days_of_exports(latest: Mapping[str, datetime | None], files: Collection[str]) -> dict[str, date]:
    """File → the day of its export: that in its name. Files without one are one export if no file has one."""
    named = {name: day_in_name(name) for name in files}
    if not any(named.values()):
        return dict.fromkeys(latest, date.max)
    return {name: named.get(name) or (time_.date() if time_ else date.min) for name, time_ in latest.items()}


def note_vanished(load: Load, staged: Collection[Staged], is_whole: bool) -> str:
    """
    Write down which records of former exports the newest one lacks, if the source's exports are full ones; tell of it.

    Call it when the rows are in the raw table. Nothing vanishes by an export that could not be read whole
    (`is_whole`), that is older than what is loaded, or that lacks more than half of the records. Where the user does
    not say what the exports are, nothing ends, and what is told is how to say it.
    """
    fresh = [item for part in staged for item in part.files.values()]
    if load.source.export == "incremental" or load.entity.version is None or not is_whole or not fresh:
        return ""
    days = _days_of_exports({item.file.name: item.latest for item in fresh}, files=load.positions)
    newest = max(days.values())
    if any((day_in_name(name) or date.min) > newest for name in load.positions):
        return ""
    of_newest = [name for name, day in days.items() if day == newest]
    present = " union all ".join(query for part in staged if (query := _keys_of(load, part, of_newest)))
    if not present:
        return ""
    held = f"(select distinct {_key_text(load)} as key from {load.table})"
    missing = f"select key from {held} where key not in (select key from ({present}) where key is not null)"
    lacking, records = load.rows(f"select (select count(*) from ({missing})), (select count(*) from {held})")[0]
    entity, vanished, is_part = literal(load.entity.name), f"{load.schema}._vanished", lacking > MOST_VANISH * records
    if load.source.export is None:
        if is_part or not lacking:
            return ""
        return (
            f"{lacking:,} of {records:,} records are not in the newest export any more. If each of your exports has"
            f" every record, write `export: full` for {load.source.name} in sources.yaml: then they end; else"
            " `export: incremental`."
        )
    load.connection.execute(f"delete from {vanished} where entity = {entity} and key in ({present})")
    if is_part:
        return (
            f"{lacking:,} of {records:,} records are not in the newest export: it is taken for a part, and none ends."
        )
    made_at = min(load.now, datetime.combine(newest, DAY_ENDS)) if newest != date.max else load.now
    ended = load.rows(
        f"insert into {vanished} by name select {entity} as entity, key, {literal(made_at)} as vanished_at"
        f" from ({missing}) where key not in (select key from {vanished} where entity = {entity}) returning key"
    )
    return f"{len(ended):,} of {records:,} records are not in the newest export any more: they end." if ended else ""


def _key_text(load: Load) -> str:
    """SQL: a record's key as one text."""
    return f"concat_ws('|', {', '.join(quoted(name) for name in load.entity.key)})"


def _keys_of(load: Load, part: Staged, names: Collection[str]) -> str:
    """SQL: the keys of the rows that files have in a staged table, bad rows among them."""
    columns = [column for column in part.columns if column.name in load.entity.key]
    paths = [path for path, item in part.files.items() if item.file.name in names]
    if not paths or len(columns) < len(load.entity.key):
        return ""
    chosen = f"(select rowid, * from {part.table} where _path in (select unnest({literal(paths)})))"
    return f"select {_key_text(load)} as key from ({typed_select(chosen, columns)})"
