"""The contract as SQL: casts of every column, and conditions with messages for bad rows. Strings in, SQL out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from pipelines.database import literal, quoted
from pipelines.extraction.contracts import Entity

IN_WORDS = {
    "bigint": "a whole number",
    "integer": "a whole number",
    "double": "a number",
    "boolean": "true or false",
    "date": "a date (2024-01-31)",
    "timestamp": "a time (2024-01-31 13:45:00)",
    "varchar": "a text",
}
INTEGERS = {"tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint"}
FRACTIONS = {"float", "double", "decimal"}
TIMES = {"date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone"}
MAX_VALUE_LENGTH = 80
TOLERANCE = timedelta(days=1)
"""A time is in the future when it is later than now by more than this: clocks and time zones differ."""
IN_FUTURE = "is in the future"
LEFT_OUT = ", so left out"
"""Ends the reason of a row that is put aside though nothing is wrong with it."""
FIRST_YEAR, LAST_YEAR, OPEN_END_YEAR = 1900, 2199, 9999
"""Plausible years of a contract's `time`; other dates may be as late as `OPEN_END_YEAR`, which means no end."""
FIRST_RECORD = date(1990, 1, 1)
"""Nothing that has happened to a record is older: it is a zero, or a filler, that stands for no date."""
FIRST_PLAN = date(1971, 1, 1)
"""No other date is, but those of lives and companies: 1970 is what a zero becomes when it is read as a time."""
HAS_HAPPENED = re.compile(r"(ed|paid|sent)_?(at|date|datetime)?$|^creat|^date$|^session_", re.IGNORECASE)
LIES_AHEAD = re.compile(
    r"(expect|schedul|estimat|plann|propos|need|requir|anticipat|target|project|forecast|promis)ed", re.IGNORECASE
)
IS_OLD = re.compile(r"birth|born|found|establish|incorporat|since", re.IGNORECASE)
"""Names of dates that may lie before anybody kept records."""
LARGEST = 10**14
"""No amount or count of a company is as large, in the smallest unit of any currency."""
IS_COUNT = re.compile(
    r"employees|seats|quantity|users|licen[cs]es|clicks|impressions|views|logins|actions|calls|errors|likes|replies|"
    r"attempt|minutes|conversions|(?<!ac)(?<!dis)count",
    re.IGNORECASE,
)
LARGEST_COUNT = 10**10
IS_SHARE = re.compile(r"probability|likelihood|percent|pct", re.IGNORECASE)
IS_CHANGE = re.compile(r"growth|change|increase|variance|delta", re.IGNORECASE)
"""Names of percentages that may be any."""
FIRST_SECOND, LAST_SECOND = 31_536_000, 4_102_444_800
"""1971 to 2100 since 1970: no number is there in two of seconds, milliseconds and days, nor is 20260131."""
PER_SECOND = {"epoch_s": 1, "epoch_ms": 1000}


@dataclass(frozen=True)
class StagedColumn:
    """A column as it was read, and as it is loaded."""

    source: str
    """Name in the export."""
    staged: str
    """Name in the temporary table that files are read into: never one that DuckDB or the loader uses itself."""
    name: str
    """Name in the raw table: the contract's spelling."""
    read_type: str
    """Type as read, lower case: `varchar` for all columns of text formats."""
    type: str
    """Type in the raw table."""
    in_contract: bool
    date_format: str | None = None
    """The contract's date format, if it is not ISO 8601."""
    time_zone: str | None = None
    """Of times that are written without one; None: UTC."""
    meanings: str = ""
    """A temporary table with what values that are not written plainly mean: `path, value, meant, nothing, why`."""


def base_type(type_name: str) -> str:
    """`DECIMAL(18,3)` -> `decimal`, `STRUCT(...)` -> `struct`, `VARCHAR[]` -> `list`, lower case."""
    lowered = type_name.lower()
    return "list" if lowered.endswith("]") else lowered.split("(")[0].strip()


def cast_expression(column: StagedColumn, value: str) -> str:
    """SQL that turns the value as read into the raw table's type, null where it cannot be; needs `meanings_joined`."""
    cast = plain_cast(column, value)
    return (
        f"case when {column.meanings}.why is null then {cast} else {column.meanings}.meant end"
        if column.meanings
        else cast
    )


def as_text(column: StagedColumn, value: str) -> str:
    """SQL: the value as read, as a text."""
    return value if column.read_type == "varchar" else f"{value}::varchar"


def meanings_joined(columns: Sequence[StagedColumn], prefix: str = "") -> str:
    """SQL: joins of the columns' meanings; `prefix`: of the staged table's columns."""
    return "".join(
        f" left join (select * from {column.meanings}) {column.meanings} on {column.meanings}.path = {prefix}_path"
        f" and {column.meanings}.value = {as_text(column, prefix + quoted(column.staged))}"
        for column in columns
        if column.meanings
    )


def plain_cast(column: StagedColumn, value: str) -> str:
    """SQL that turns a plainly written value into the raw table's type, null where it cannot be."""
    read, target = base_type(column.read_type), base_type(column.type)
    if read in ("struct", "list", "map", "union"):
        return f"to_json({value})::varchar"
    if read == target:
        return f"nullif({value}, 'nan'::double)" if target == "double" else value
    if target == "varchar":
        return f"{value}::varchar"
    if read == "varchar" and target in ("date", "timestamp") and column.date_format:
        written = f"try_strptime({value}, {literal(column.date_format)})"
        if column.time_zone and target == "timestamp" and "%z" not in column.date_format:
            in_zone = f"timezone({literal(column.time_zone)}, {written})::timestamp"
            written = f"case when contains({value}, ':') then {in_zone} else {written} end"
        return f"coalesce({written}::{target}, {plain_cast(replace(column, date_format=None), value)})"
    if read == "varchar" and target == "timestamp":
        local = ""
        if column.time_zone:
            in_zone = f"timezone({literal(column.time_zone)}, try_cast({value} as timestamp))::timestamp"
            local = f" when contains({value}, ':') and not regexp_matches({value}, '(Z|UTC|GMT) *$') then {in_zone}"
        return (
            f"case when {value} like '%:%+%' or {value} like '%:%-%'"
            f" then try_cast(try_cast({value} as timestamptz) as timestamp){local}"
            f" else try_cast({value} as timestamp) end"
        )
    numbers = INTEGERS | FRACTIONS
    comparable = read == "varchar" or (read in numbers and target in numbers) or (read in TIMES and target in TIMES)
    cast = f"try_cast({value if comparable else f'{value}::varchar'} as {column.type})"
    return f"nullif({cast}, 'nan'::double)" if target == "double" else cast


def blank(column: StagedColumn, value: str) -> str:
    """SQL: nothing is written there. A text of blanks is nothing, except in a text column that may be empty."""
    if column.read_type != "varchar":
        return f"{value} is null"
    return f"({value} is null or ({value} < '!' and trim({value}) = ''))"


def wrong_type(column: StagedColumn, value: str, cast: str, why: str) -> str | None:
    """SQL: whether a value is not of the contract's type; None if every value is. `why`: see `typed_select`."""
    read, target = base_type(column.read_type), base_type(column.type)
    if column.meanings and target in ("varchar", *INTEGERS):
        wrong = f"{why} is not null and {cast} is null and not {blank(column, value)}"
        plain = wrong_type(replace(column, meanings=""), value, cast, why)
        return f"{wrong} or {why} is null and ({plain})" if plain else wrong
    if not column.in_contract or target == "varchar" or read == target:
        return None
    wrong = f"{cast} is null and not {blank(column, value)}"
    if target == "double":
        wrong += f" and lower(trim({value}::varchar)) <> 'nan' or isinf({cast})"
    elif target in INTEGERS and read == "varchar":
        wrong += f" or contains({value}, '.') and try_cast({value} as double) <> {cast}"
    elif target in INTEGERS and read in FRACTIONS:
        wrong = f"({wrong} or {value} <> {cast}) and not isnan({value}::double)"
    return wrong


def year_bounds(unit: str, last_year: int = LAST_YEAR) -> tuple[str, str]:
    """SQL: the first and the last value of a `timestamp`, `date`, `epoch_s` or `epoch_ms` of a plausible year."""
    first, last = datetime(FIRST_YEAR, 1, 1), datetime(last_year, 12, 31, 23, 59, 59)
    if unit in PER_SECOND:
        start = datetime(1970, 1, 1)
        return tuple(str(int((end - start).total_seconds()) * PER_SECOND[unit]) for end in (first, last))
    return tuple(literal(end.date() if unit == "date" else end) for end in (first, last))


def has_happened(name: str) -> bool:
    """Whether a date of this name cannot lie ahead: `created`, `ended_at`, `ConvertedDate`, but not `due_date`."""
    return bool(HAS_HAPPENED.search(name)) and not LIES_AHEAD.search(name)


def is_record_time(entity: Entity, name: str) -> bool:
    """Whether a contract's time says what has happened, or when a record was written."""
    return name in (entity.time, entity.version) or has_happened(name)


def moment(entity: Entity) -> str:
    """SQL: the contract's `time` as a timestamp, null where it is of no plausible year."""
    return "null::timestamp" if entity.time is None else moment_of(entity.time, entity.time_unit)


def moment_of(name: str, unit: str) -> str:
    """SQL: a column's `timestamp`, `date`, `epoch_s` or `epoch_ms` as a timestamp, null if of no plausible year."""
    column = quoted(name)
    first, last = year_bounds(unit)
    per_second = PER_SECOND.get(unit)
    value = f"make_timestamp({column}::bigint * {1_000_000 // per_second})" if per_second else f"{column}::timestamp"
    return f"case when {column} between {first} and {last} then {value} end"


def time_unit(entity: Entity, column: StagedColumn) -> str | None:
    """`timestamp`, `date`, `epoch_s` or `epoch_ms` of a contract's column; None if it is no time."""
    if column.name == entity.time or column.name in entity.epochs:
        return entity.time_unit
    type_ = base_type(column.type)
    return type_ if column.in_contract and type_ in ("date", "timestamp") else None


def bound(day: datetime, unit: str) -> str:
    """SQL: a moment as a value of a `timestamp`, `date`, `epoch_s` or `epoch_ms`."""
    if unit in PER_SECOND:
        return str(int((day - datetime(1970, 1, 1)).total_seconds()) * PER_SECOND[unit])
    return literal(day.date() if unit == "date" else day.replace(microsecond=0))


def times_from_future(entity: Entity, columns: Sequence[StagedColumn], now: datetime) -> dict[str, tuple[str, str]]:
    """Column → its unit, and the SQL condition that it is later than now and a day though it says what has happened."""
    found = {}
    for column in columns:
        unit = time_unit(entity, column)
        if unit and is_record_time(entity, column.name):
            name = quoted(column.name)
            later = f"({name} > {bound(now + TOLERANCE, unit)} and {name} <= {year_bounds(unit)[1]})"
            found[column.name] = unit, later
    return found


def too_early(entity: Entity, column: StagedColumn) -> tuple[str, str] | None:
    """(SQL condition, words) for a date before anything that the column can mean; None for other columns."""
    unit = time_unit(entity, column)
    if unit is None or IS_OLD.search(column.name):
        return None
    first = FIRST_RECORD if is_record_time(entity, column.name) else FIRST_PLAN
    name, start = quoted(column.name), datetime(first.year, first.month, first.day)
    condition = f"{name} < {bound(start, unit)} and {name} >= {year_bounds(unit)[0]}"
    return condition, f"{column.name} is before {first.year}, so it stands for no date: "


def out_of_bounds(entity: Entity, column: StagedColumn) -> tuple[str, str] | None:
    """(SQL condition, words) for a number that the column cannot mean; None for keys, times and what is no number."""
    keys = (*entity.key, *entity.references, entity.version)
    is_number = base_type(column.type) in INTEGERS | FRACTIONS
    if not is_number or column.name in keys or time_unit(entity, column):
        return None
    low, high = -LARGEST, LARGEST
    if IS_COUNT.search(column.name):
        low, high = 0, LARGEST_COUNT
    elif IS_SHARE.search(column.name) and not IS_CHANGE.search(column.name):
        low, high = 0, 100
    name = quoted(column.name)
    if any(column.name in rule_columns(entity, condition) for condition in entity.rules.values()):
        # the contract says itself what is too low, or which share
        return (f"{name} > {high}", f"{column.name} is larger than {high:,}: ") if high > 100 else None
    return f"{name} not between {low} and {high}", f"{column.name} is not between {low:,} and {high:,}: "


def implausible(entity: Entity, column: StagedColumn) -> tuple[str, str] | None:
    """(SQL condition, words) for a date, time or epoch of an implausible year; None for other columns."""
    unit = time_unit(entity, column)
    if unit is None:
        return None
    is_time_like = column.name == entity.time or column.name in entity.epochs
    last_year = LAST_YEAR if is_time_like else OPEN_END_YEAR
    first, last = year_bounds(unit, last_year)
    counted = {"epoch_s": ", counted in seconds since 1970", "epoch_ms": ", counted in milliseconds since 1970"}
    words = f"{column.name} is of no plausible year ({FIRST_YEAR} to {last_year}{counted.get(unit, '')}): "
    return f"{quoted(column.name)} not between {first} and {last}", words


def shown_time(name: str, unit: str) -> str:
    """SQL: a time in a readable form."""
    column = quoted(name)
    if unit == "epoch_s":
        return f"{column}::varchar || ' (' || strftime(to_timestamp({column}), '%Y-%m-%d %H:%M:%S') || ')'"
    if unit == "epoch_ms":
        return f"{column}::varchar || ' (' || strftime(epoch_ms({column}), '%Y-%m-%d %H:%M:%S') || ')'"
    return f"{column}::varchar"


def shown(value: str) -> str:
    """SQL: a value in quotes, not too long."""
    return f"'''' || left({value}::varchar, {MAX_VALUE_LENGTH}) || ''''"


def rule_columns(entity: Entity, condition: str) -> list[str]:
    """The contract's columns that a rule mentions, in its order."""
    words = [word.lower() for word in re.findall(r"\w+", condition)]
    return sorted(
        (name for name in entity.columns if name.lower() in words), key=lambda name: words.index(name.lower())
    )


def typed_name(column: StagedColumn, position: int) -> str:
    """A column's name in `typed_select`: the contract's columns keep theirs, because rules use them."""
    return column.name if column.in_contract else f"_typed_{position}"


def typed_select(staged: str, columns: Sequence[StagedColumn]) -> str:
    """
    SQL: every column under its `typed_name` with its type, what was read as `_read_<i>`, the row as `_row`.

    Of a column with `meanings` also `_why_<i>`: not null where the value was looked up; a text where it was refused.
    """
    items = ["rowid as _row", "_path"]
    for position, column in enumerate(columns):
        value, name = quoted(column.staged), quoted(typed_name(column, position))
        read = f"case when {column.meanings}.nothing then null else {value} end" if column.meanings else value
        items += [f"{cast_expression(column, value)} as {name}", f"{read} as _read_{position}"]
        items += [f"{column.meanings}.why as _why_{position}"] if column.meanings else []
    return f"select {', '.join(items)} from {staged}{meanings_joined(columns)}"


def breaches(entity: Entity, columns: Sequence[StagedColumn], now: datetime) -> list[tuple[str, str]]:
    """
    (SQL condition, SQL text) for everything that can be wrong with a row of `typed_select`.

    A rule on a null value passes, and so does a missing column that is not required.
    """
    found = []
    present = {column.name: (position, column) for position, column in enumerate(columns) if column.in_contract}
    for name, (position, column) in present.items():
        value, cast = f"_read_{position}", quoted(name)
        if wrong := wrong_type(column, value, cast, f"_why_{position}"):
            words = IN_WORDS.get(base_type(column.type), column.type)
            if column.date_format and base_type(column.type) in ("date", "timestamp"):
                words = f"{words.split(' (')[0]} ({column.date_format})"
            reason = f"{literal(f'{name} is not {words}: ')} || {shown(value)}"
            if column.meanings:
                reason += f" || coalesce(' (' || nullif(_why_{position}, '') || ')', '')"
            found.append((wrong, reason))
        for beyond in (implausible(entity, column), too_early(entity, column), out_of_bounds(entity, column)):
            if beyond:
                condition, words = beyond
                found.append((condition, f"{literal(words)} || {shown(value)}"))
        if name in entity.key or name in entity.required:
            role = "part of the key" if name in entity.key else "required"
            found.append((blank(column, value), literal(f"{name} is empty, but it is {role}")))
    clock = literal(f" (this run's clock: {now:%Y-%m-%d %H:%M})")
    for name, (unit, later) in times_from_future(entity, columns, now).items():
        found.append((later, f"{literal(f'{name} {IN_FUTURE}: ')} || {shown_time(name, unit)} || {clock}"))
    conditions = [(reason, condition, f"not ({condition})") for reason, condition in entity.rules.items()]
    conditions += [(f"{what}{LEFT_OUT}", condition, condition) for what, condition in entity.left_out.items()]
    for reason, condition, is_breach in conditions:
        mentioned = rule_columns(entity, condition)
        if all(name in present for name in mentioned):
            values = " || ', ' || ".join(
                f"{literal(f'{name} = ')} || coalesce({quoted(name)}::varchar, 'null')" for name in mentioned
            )
            found.append((is_breach, f"{literal(f'{reason} (')} || {values} || ')'"))
    return [(f"({condition})", text) for condition, text in found]


def breach_query(entity: Entity, staged: str, columns: Sequence[StagedColumn], now: datetime) -> str | None:
    """SQL: `_row, reason` of every row that breaks the contract by itself; None when nothing can be wrong."""
    wrong = breaches(entity, columns, now)
    if not wrong:
        return None
    texts = ", ".join(f"case when {condition} then {text} end" for condition, text in wrong)
    return (
        f"select _row, concat_ws('; ', {texts}) as reason from ({typed_select(staged, columns)})"
        f" where {' or '.join(condition for condition, _ in wrong)}"
    )


_DAY = "[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}"
_INTEGER = "-?(0|[1-9][0-9]*)"
_WHOLE = f"(regexp_full_match({{value}}, '{_INTEGER}') and try_cast({{value}} as bigint) is not null)"
LOOKS_LIKE = {
    "boolean": "lower({value}) in ('true', 'false')",
    "bigint": _WHOLE,
    "double": (
        f"({_WHOLE} or regexp_full_match({{value}}, '{_INTEGER}([.][0-9]+([eE][+-]?[0-9]+)?|[eE]-[0-9]+)')"
        " and isfinite(try_cast({value} as double)))"
    ),
    "date": f"regexp_full_match({{value}}, '{_DAY}') and try_cast({{value}} as date) is not null",
    "timestamp": (
        f"regexp_full_match({{value}}, '{_DAY}([T ][0-9]{{{{2}}}}:[0-9]{{{{2}}}}.*)?')"
        " and try_cast({value} as timestamp) is not null"
    ),
}
"""The types of columns that no contract names, narrowest first, and how each of their values must look."""


def inference_query(staged: str, columns: Sequence[str]) -> str:
    """
    SQL: for every text column a struct of the types that fit all its values.

    A whole number must look like one (`007` and `+49` are texts) and be no larger than a bigint, so that no identifier
    loses a digit.
    """
    items = []
    for name in columns:
        value = quoted(name)
        tests = [f"filled := count(nullif(trim({value}), ''))"]
        tests += [f'"{type_}" := bool_and({test.format(value=value)})' for type_, test in LOOKS_LIKE.items()]
        items.append(f"struct_pack({', '.join(tests)})")
    return f"select {', '.join(items)} from {staged}"


def inferred_type(possible: Mapping[str, object]) -> str | None:
    """The narrowest type of `inference_query`'s answer; None for a column without a value."""
    if not possible["filled"]:
        return None
    return next((name for name in LOOKS_LIKE if possible[name]), "varchar")


def common_type(first: str | None, second: str | None) -> str | None:
    """The narrowest type that holds both: whole numbers go into numbers, dates into times, anything into text."""
    if first == second or second is None:
        return first
    if first is None:
        return second
    for pair in (("bigint", "double"), ("date", "timestamp")):
        if {first, second} == set(pair):
            return pair[1]
    return "varchar"
