"""From a staged table to the raw one: breaches put aside, repeats left out, of two rows of one key the newer kept."""

import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pipelines.database import literal, quoted
from pipelines.extraction.checking import (
    IN_FUTURE,
    TOLERANCE,
    breach_query,
    cast_expression,
    meanings_joined,
    moment_of,
    times_from_future,
    typed_name,
    typed_select,
)
from pipelines.extraction.files import (
    raw_records,
    unreadable,
    why_not_json,
)
from pipelines.extraction.loading.manifest import (
    DUPLICATE_OF,
)
from pipelines.extraction.loading.state import Load, Staged, new_name


def insert_rows(load: Load, part: Staged, put_aside: list[tuple]) -> None:
    """Check one staged table and move its good rows into the raw table; the others are added to `put_aside`."""
    files, lines, bad, passed = (new_name() for _ in range(4))
    execute = load.connection.execute
    _register_lines(load, part, files, lines)
    try:
        query = breach_query(load.entity, part.table, part.columns, load.now)
        execute(f"create temp table {bad} (_row bigint, reason varchar)")
        execute(f"create temp table {passed} (_row bigint)")
        if query:
            execute(f"insert into {bad} {query}")
            _judge_again(load, part, bad)
        line = "coalesce(l._line, r._row - f._first + f._start)"
        places = f"join {files} f on r._path = f._path left join {lines} l on r._row = l._row"
        _find_duplicates(load, part, bad, passed, line, places)
        casts = [
            f"{cast_expression(column, 'r.' + quoted(column.staged))} as {quoted(column.name)}"
            for column in part.columns
        ]
        execute(
            f"insert into {load.table} by name select {', '.join([*casts, ''])} f._name as _file, {line} as _line,"
            f" {literal(load.now)} as _loaded_at"
            f" from (select rowid as _row, * from {part.table}) r {places}{meanings_joined(part.columns, 'r.')}"
            f" where r._row not in (select _row from {bad}) and r._row not in (select _row from {passed})"
        )
        raw = ", ".join(f"{quoted(column.name)} := r.{quoted(column.staged)}" for column in part.columns)
        text = f"to_json(struct_pack({raw}))::varchar" if raw else "''"
        rows = load.rows(
            f"select r._path, {line}, string_agg(b.reason, '; '), any_value({text})"
            f" from (select rowid as _row, * from {part.table}) r"
            f" {places} join {bad} b on r._row = b._row group by r._row, r._path, {line} order by r._path, r._row"
        )
    finally:
        execute(f"drop table if exists {bad}")
        execute(f"drop table if exists {passed}")
        execute(f"drop table if exists {files}")
        execute(f"drop table if exists {lines}")
    _with_raw_text(load, part, rows, put_aside)


def _judge_again(load: Load, part: Staged, bad: str) -> None:
    """Note for each file when the first of its rows from the future is to be judged again."""
    times = times_from_future(load.entity, part.columns, load.now)
    if not times:
        return
    later = f"(select _row from {bad} where contains(reason, {literal(f' {IN_FUTURE}: ')}))"
    rows = f"(select rowid, * from {part.table} where rowid in {later})"
    comes = ", ".join(
        f"case when {is_later} then {moment_of(name, unit)} end" for name, (unit, is_later) in times.items()
    )
    for path, first in load.rows(
        f"select _path, min(greatest({comes}, null)) from ({typed_select(rows, part.columns)}) group by all"
    ):
        part.files[path].judge_again_at = first - TOLERANCE if first else None


def _register_lines(load: Load, part: Staged, files: str, lines: str) -> None:
    """Temporary tables that say which line a row of the staged table stands in."""
    import pyarrow

    spans = load.rows(f"select _path, min(rowid), count(*) from {part.table} group by all")
    places, numbered = [], []
    for path, first, count in spans:
        item = part.files[path]
        records = part.record_lines.get(path)
        start = 1 + item.header_lines if item.file.format == "csv" else 1
        if records is not None and len(records) == count:
            numbered.append((range(first, first + count), records))
        elif records is not None:
            start = None
        places.append((path, item.file.name, first, start, load.positions[item.file.name]))
    text, number = pyarrow.string(), pyarrow.int64()
    load.temp_table(
        files,
        {
            "_path": pyarrow.array([path for path, *_ in places], text),
            "_name": pyarrow.array([name for _, name, *_ in places], text),
            "_first": pyarrow.array([first for _, _, first, *_ in places], number),
            "_start": pyarrow.array([start for *_, start, _ in places], number),
            "_position": pyarrow.array([position for *_, position in places], number),
        },
    )
    load.temp_table(
        lines,
        {
            "_row": pyarrow.chunked_array([pyarrow.array(rows, number) for rows, _ in numbered], number),
            "_line": pyarrow.chunked_array([pyarrow.array(records, number) for _, records in numbered], number),
        },
    )


def _find_duplicates(load: Load, part: Staged, bad: str, passed: str, line: str, places: str) -> None:
    """
    Settle rows whose key (and version) another row of the batch or of the raw table has.

    Twice in one file: the first one stays, the others go to `bad`. Delivered again by another file with the same
    content: `passed`, counted as repeated. With other content the newest row takes the place of the former ones, which
    are deleted or `passed` (a formula's value changes without a new version); a row of a file that is older than the
    loaded row's is a duplicate.
    """
    version = (load.entity.version,) if load.entity.version else ()
    present = {column.name for column in part.columns}
    names = [name for name in dict.fromkeys((*load.entity.key, *version)) if name in present]
    if not names:
        return
    execute = load.connection.execute
    keys = ", ".join(quoted(name) for name in names)
    same = " and ".join(f"k.{quoted(name)} is not distinct from o.{quoted(name)}" for name in names)
    typed = typed_select(part.table, [column for column in part.columns if column.name in names])
    shown = " || ', ' || ".join(f"'{name} = ' || coalesce(k.{quoted(name)}::varchar, 'null')" for name in names)
    met, judged = new_name(), new_name()
    good = f"(select * from ({typed}) where _row not in (select _row from {bad}))"
    row = f"select k._row, k._path, 'duplicate key ' || {shown} as _said, k.* exclude (_row, _path) from k"
    execute(
        f"create temp table {met} as with k as materialized (select _row, _path, {keys} from {good}),"
        f" again as (select {keys} from k group by {keys} having count(*) > 1)"
        f" {row} semi join again o on {same} union {row} semi join {load.table} o on {same}"
    )
    try:
        are_met, is_delivered_again = load.rows(
            f"select count(*) > 0, exists (from {met} k semi join {load.table} o on {same})"
            f" or exists (select 1 from {met} group by {keys} having count(distinct _path) > 1) from {met}"
        )[0]
        if is_delivered_again:
            _judge(load, part, met, judged, keys, same, line, places)
        elif are_met:
            _judge_within_files(load, met, judged, keys, line, places)
        if are_met:
            _settle(load, part, judged, bad, passed)
    finally:
        execute(f"drop table if exists {met}; drop table if exists {judged}")


def _judge_within_files(load: Load, met: str, judged: str, keys: str, line: str, places: str) -> None:
    """As `_judge`, where no key is in several files or in the raw table."""
    load.connection.execute(
        f"""
        create temp table {judged} as
        with placed as (
            select r.*, f._name as _file, {line} as _line from {met} r {places}
        ), ranked as (
            select *, row_number() over in_file as _nth, first_value(_line) over in_file as _first_line
            from placed window in_file as (partition by {keys}, _file order by _row)
        )
        select _row, _path, _said, _file, if(_nth = 1, 'first', 'duplicate') as _verdict,
            if(_nth > 1, _file, null) as _of_file, if(_nth > 1, _first_line, null) as _of_line,
            null::bigint as _loaded, false as _is_outdated
        from ranked
        """
    )


def _judge(load: Load, part: Staged, met: str, judged: str, keys: str, same: str, line: str, places: str) -> None:
    """
    A temporary table: what becomes of each row in `met`, and of which other row it is told.

    Columns: _row, _path, _said, _file, _verdict (`first`, `duplicate`, `repeated`, `changed`), _of_file, _of_line,
    _loaded (the raw table's row of that key), _is_outdated (a later row of the batch takes its place).
    """

    def content(table: str, names: Sequence[str]) -> str:
        return ", ".join(f"{quoted(f'c{n}')} := {table}.{quoted(name)}" for n, name in enumerate(names))

    typed = content("t", [typed_name(column, position) for position, column in enumerate(part.columns)])
    loaded = content("o", [column.name for column in part.columns])
    positions = new_name()
    load.temp_table(positions, {"_file": list(load.positions), "_position": list(load.positions.values())})
    candidates = f"(select rowid, * from {part.table} where rowid in (select _row from {met}))"
    here = "_row, _position, _file, _line, _content"
    load.connection.execute(
        f"""
        create temp table {judged} as
        with placed as (
            select r.*, f._position, f._name as _file, {line} as _line,
                struct_pack({typed}) as _content
            from {met} r join ({typed_select(candidates, part.columns)}) t on r._row = t._row {places}
        ), ranked as (
            select *, row_number() over in_file as _nth, first_value(_line) over in_file as first_line
            from placed window in_file as (partition by {keys}, _file order by _row)
        ), beside as (
            select k.*, o.rowid as _loaded, o._file as _loaded_file, o._line as _loaded_line,
                p._position as _loaded_position,
                case when o.rowid is not null then struct_pack({loaded}) end as _loaded_content
            from ranked k left join {load.table} o on {same} left join {positions} p on o._file = p._file
            where _nth = 1
        ), compared as (
            select *, _position < _loaded_position as _is_older,
                struct_pack({", ".join(f"{name} := {name}" for name in here.split(", "))}) as _self,
                lag(_content) over turn as _content_before, row_number() over turn as _turn
            from beside
            window turn as (partition by {keys}, coalesce(_position < _loaded_position, false) order by _position)
        ), held as (
            -- before it: the row that holds the key by then, not one that only repeats that row
            select *, lag(case when _content is distinct from
                    case when _turn = 1 then _loaded_content else _content_before end then _self end ignore nulls)
                over (partition by {keys}, _is_older order by _position) as _before
            from (select * replace (coalesce(_is_older, false) as _is_older) from compared)
        ), explained as (
            select *,
                _loaded is null and _before is null as _is_first,
                case when _loaded is not null and (_is_older or _before is null) then
                        {{'file': _loaded_file, 'line': _loaded_line, 'content': _loaded_content}}
                    else {{'file': _before._file, 'line': _before._line, 'content': _before._content}}
                end as _of
            from held
        ), verdicts as (
            select *, case when _is_first then 'first'
                when _content is not distinct from _of.content then 'repeated'
                when _is_older then 'duplicate' else 'changed' end as _verdict
            from explained
        )
        select _row, _path, _said, _file, _verdict, _of.file as _of_file, _of.line as _of_line, _loaded,
            _position < max(_position) filter (where _verdict = 'changed')
                over (partition by {keys}) as _is_outdated
        from verdicts
        union all
        select _row, _path, _said, _file, 'duplicate', _file, first_line, null, false from ranked where _nth > 1
        """
    )
    load.connection.execute(f"drop table {positions}")


def _settle(load: Load, part: Staged, judged: str, bad: str, passed: str) -> None:
    """Write down the verdicts: reasons, what is not loaded, what leaves the raw table, and the counts."""
    execute = load.connection.execute
    execute(
        f"insert into {bad} select _row, _said || ': {DUPLICATE_OF} ' || _of_file || ', line '"
        f" || coalesce(_of_line::varchar, '?') || ' (the first one was kept)' from {judged}"
        " where _verdict = 'duplicate'"
    )
    execute(
        f"insert into {passed} select _row from {judged}"
        " where _verdict = 'repeated' or _verdict in ('first', 'changed') and _is_outdated"
    )
    execute(f"delete from {load.table} where rowid in (select _loaded from {judged} where _verdict = 'changed')")
    for path, kind, rows in load.rows(
        f"select _path, _verdict, count(*) from {judged} where _verdict in ('repeated', 'changed') group by all"
    ):
        setattr(part.files[path], kind, rows)
    execute(
        f"insert into {load.schema}._repeats by name select {literal(load.entity.name)} as entity, _file as file,"
        f" _of_file as of_file, _verdict as kind, count(*) as rows from {judged}"
        " where _verdict in ('repeated', 'changed') group by all"
    )


def _with_raw_text(load: Load, part: Staged, rows: list[tuple], put_aside: list[tuple]) -> None:
    """Fetch the text of bad rows from the files; formats without lines keep the row as JSON."""
    by_path: dict[str, list[tuple]] = defaultdict(list)
    for path, line, reason, text in rows:
        by_path[path].append((line, reason, text))
    for path, entries in by_path.items():
        item = part.files[path]
        item.quarantined += len(entries)
        texts: Mapping[int, str] = {}
        if item.file.format != "parquet":
            texts = _raw_records(load, part, path, [line for line, _, _ in entries if line])
        for line, reason, text in entries:
            text = texts.get(line, text)
            if item.file.format == "jsonl":
                reason = why_not_json(text) or reason
                if "UTF-8" in reason and not item.message:
                    item.message = f"line {line}: {reason}"
            put_aside.append((item.file.name, line, reason, text))


def _raw_records(load: Load, part: Staged, path: str, lines: Sequence[int]) -> Mapping[int, str]:
    """The text of records by their line; nothing when the file can no longer be read."""
    try:
        return raw_records(part.files[path].path, _spans(part, path, lines))
    except OSError as problem:
        unreadable(problem)
        return {}


def _spans(part: Staged, path: str, starts: Sequence[int]) -> dict[int, int]:
    """The line in which a record starts to the line after it; a CSV record may span several."""
    item, records = part.files[path], part.record_lines.get(path)
    if records is None or item.file.format != "csv":
        return {start: start + 1 for start in starts}
    others = sorted([*records, *(line for line, _, _ in item.broken), item.lines + 1])
    return {start: others[bisect.bisect_right(others, start)] for start in starts}
