"""Values that are not written plainly: found in one pass, decided by file and column, then looked up by the casts."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipelines.database import literal, read_frame
from pipelines.extraction.checking import (
    FIRST_SECOND,
    FRACTIONS,
    INTEGERS,
    LAST_SECOND,
    OPEN_END_YEAR,
    PER_SECOND,
    TIMES,
    StagedColumn,
    as_text,
    base_type,
    plain_cast,
    year_bounds,
)
from pipelines.extraction.loading.state import Load, Staged, new_name
from pipelines.values.keys import NO_REFERENCE, NOBODY

if TYPE_CHECKING:
    import polars as pl

    from pipelines.extraction.loading.deciding import Evidence, Question

YEARS_AHEAD = 10
"""How far a year of two digits may lie in the future, in a column that may say something about it."""
PAGE_ROWS = 200_000
"""Of distinct values in memory at once."""
COLUMNS_AT_ONCE = 50
NUMBER, WHOLE = "-?[0-9]+([.][0-9]*)?", "-?[0-9]+([.]0*)?"
NUMBER_OR_THOUSANDS, WHOLE_OR_THOUSANDS = "-?[0-9]+([.]([0-9]{0,2}|[0-9]{4,}))?", "-?[0-9]+([.](0{0,2}|0{4,}))?"
"""Where a decimal comma is likely, three digits after a point may be a thousand."""
JSON_EXPONENT = "-?[0-9]+([.][0-9]+)?[eE][-+]?[0-9]+"
UUID_LENGTH = 36
YEAR_FIRST = "^ *[0-9]{4,}-[0-9]{1,2}-[0-9]{1,2}"


@dataclass(frozen=True)
class _Column:
    """A column that a contract gives a type, and the SQL that finds its values that are not plain."""

    position: int
    column: StagedColumn
    kind: str
    text: str
    is_odd: str
    is_looked_up: str
    """Values that are decided once one is odd: more, because the others have a say."""


def find_meanings(load: Load, part: Staged) -> None:
    """
    Give each column with values that are not written plainly its `meanings`, and tell its files how they are read.

    Every file is decided by itself, so that it does not matter with which others it is loaded.
    """
    hint = "," if next(iter(part.files.values())).delimiter == ";" else "."
    columns = _odd_columns(load, part, hint == ",")
    if not columns:
        return
    from pipelines.extraction.loading.deciding import decide

    words: list[str] = []
    try:
        evidence = [_evidence(load, part, column, words) for column in columns]
        decisions = decide(evidence, hint)
        for column, table, item, decision in zip(columns, words, evidence, decisions, strict=True):
            _write_meanings(load, part, column, table, item.question, decision)
    finally:
        for table in words:
            load.connection.execute(f"drop table if exists {table}")


def _odd_columns(load: Load, part: Staged, may_be_thousands: bool) -> list[_Column]:
    """The columns with values that are not plain; `may_be_thousands`: as those of `12.500` are not."""
    kinds = {position: kind for position, column in enumerate(part.columns) if (kind := _kind(load, column))}
    odd = _odd_of(load, part, kinds, may_be_thousands)
    numbers = {position: kind for position, kind in kinds.items() if kind in ("number", "whole")}
    if not may_be_thousands and any(column.position in numbers for column in odd):
        odd = [column for column in odd if column.position not in numbers] + _odd_of(load, part, numbers, True)
    return sorted(odd, key=lambda column: column.position)


def _odd_of(load: Load, part: Staged, kinds: Mapping[int, str], may_be_thousands: bool) -> list[_Column]:
    """As `_odd_columns`, of some columns; `kinds`: by position."""
    format_ = next(iter(part.files.values())).file.format
    columns = [
        _column(load, position, part.columns[position], kind, format_, may_be_thousands)
        for position, kind in kinds.items()
    ]
    odd: list[_Column] = []
    for first in range(0, len(columns), COLUMNS_AT_ONCE):
        some = columns[first : first + COLUMNS_AT_ONCE]
        tests = ", ".join(f"bool_or({column.is_odd})" for column in some)
        (answer,) = load.rows(f"select {tests} from {part.table}")
        odd += [column for column, is_odd in zip(some, answer, strict=True) if is_odd]
    return odd


def _kind(load: Load, column: StagedColumn) -> str:
    """`number`, `whole`, `time`, `boolean`, `identifier`, or empty: there is nothing to decide."""
    read, target, entity = base_type(column.read_type), base_type(column.type), load.entity
    is_text, is_number = read == "varchar", read in INTEGERS | FRACTIONS
    if not column.in_contract or not (is_text or is_number or read in TIMES):
        return ""
    if _epoch_unit(load, column):
        return "time"
    if target in ("date", "timestamp"):
        return "time" if is_number or is_text else ""
    if target == "varchar":
        named = column.name in (*entity.key, *entity.references, *entity.forms) or _is_identifier(column.name, load)
        return "identifier" if named and (is_text or is_number) else ""
    if not is_text:
        return ""
    kinds = {**dict.fromkeys(FRACTIONS, "number"), **dict.fromkeys(INTEGERS, "whole"), "boolean": "boolean"}
    return kinds.get(target, "")


def _is_identifier(name: str, load: Load) -> bool:
    """Whether a column of texts names a record: it ends in `id`, or has the name of an entity of its source."""
    return name.lower().endswith("id") or name.lower() in {entity.name for entity in load.source.entities}


def _form(load: Load, column: StagedColumn) -> str:
    """The form of an identifier: that of the source, unless the column has another system's."""
    targets = load.entity.references.get(column.name, ())
    is_ours = not targets or any("." not in target for target in targets)
    return load.entity.forms.get(column.name, load.source.key_form if is_ours else "")


def _odd_identifier(text: str, form: str, is_key: bool) -> str:
    """SQL: an identifier may stand for nobody, or in another form than the one that is compared."""
    nobody = NOBODY if is_key else NOBODY.replace(")$", f"|{NO_REFERENCE})$")
    tests = [
        f"ends_with({text}, '.0')",
        f"contains({text}, '+')",
        f"regexp_matches({text}, {literal(nobody.replace('^', '^(?i)', 1))})",
        f"regexp_matches({text}, '^\\s|\\s$')",
        f"(length({text}) = {UUID_LENGTH} or contains({text}, '@')) and {text} <> lower({text})",
    ]
    if form == "salesforce":
        # One of 15, or one of 18 that is not in capital letters behind: a program lost its case.
        tests += [f"length({text}) = 15", f"length({text}) = 18 and {text}[16:] <> upper({text}[16:])"]
    return f"({' or '.join(tests)})"


def _epoch_unit(load: Load, column: StagedColumn) -> str:
    """`s` or `ms` for a column of epochs; empty for others."""
    is_epoch = column.name == load.entity.time or column.name in load.entity.epochs
    return load.entity.time_unit.removeprefix("epoch_") if is_epoch and load.entity.time_unit in PER_SECOND else ""


def _column(
    load: Load, position: int, column: StagedColumn, kind: str, format_: str, may_be_thousands: bool
) -> _Column:
    text = as_text(column, column.staged)
    filled = f"trim({text}) <> ''"
    as_json = f" and not regexp_full_match({text}, '{JSON_EXPONENT}')" if format_ == "jsonl" else ""

    def is_not(pattern: str) -> str:
        return f"not regexp_full_match({text}, '({pattern})?'){as_json}"

    if kind in ("number", "whole"):
        plain = (NUMBER_OR_THOUSANDS, WHOLE_OR_THOUSANDS) if may_be_thousands else (NUMBER, WHOLE)
        is_odd, is_looked_up = is_not(plain[kind == "whole"]), f"{is_not('-?[0-9]+')} and {filled}"
    elif unit := _epoch_unit(load, column):
        per_second = PER_SECOND[f"epoch_{unit}"]
        is_whole = base_type(column.read_type) in INTEGERS
        number = column.staged if is_whole else f"try_cast({text} as double)"
        # What a cast takes for a number, too: 1.7E+12 has lost its digits.
        signs = "" if is_whole else "".join(f" and not contains({text}, '{sign}')" for sign in "eE_")
        within = f"{number} between {FIRST_SECOND * per_second} and {LAST_SECOND * per_second}{signs}"
        is_odd, is_looked_up = f"not coalesce({within}, not {filled}){as_json}", f"{filled}{as_json}"
    elif kind == "time":
        first, last = year_bounds("timestamp", OPEN_END_YEAR)
        as_time = plain_cast(replace(column, read_type="varchar", type="timestamp", time_zone=None), text)
        read = f"({as_time})" if column.date_format else f"try_cast({text} as timestamp)"
        # A cast takes `epoch` for 1970.
        within = f"{read} between {first} and {last} and not contains({text}, 'poch')"
        is_odd = f"not coalesce({within}, not {filled})"
        is_looked_up = f"{is_odd} and not (regexp_matches({text}, '{YEAR_FIRST}') and ({as_time}) is not null)"
    elif kind == "boolean":
        is_odd = f"try_cast({text} as boolean) is null and {text} <> ''"
        is_looked_up = f"{is_odd} and {filled}"
    else:
        is_odd = is_looked_up = _odd_identifier(text, _form(load, column), column.name in load.entity.key)
    return _Column(position, column, kind, text, is_odd, is_looked_up)


def _evidence(load: Load, part: Staged, column: _Column, words: list[str]) -> "Evidence":
    """What the column's values say; they go into a new table, whose name is added to `words`."""
    from pipelines.extraction.loading.deciding import Evidence

    words.append(new_name())
    load.connection.execute(
        f"create temp table {words[-1]} as select _path as path, {column.text} as value, count(*)::bigint as rows"
        f" from {part.table} where {column.is_looked_up} group by all"
    )
    filled = f"select _path, count(*) from {part.table} where trim({column.text}) <> '' group by all"
    needs_filled = column.kind in ("time", "identifier")
    evidence = Evidence(_question(load, column), dict(load.rows(filled)) if needs_filled else {})
    for page in _pages(load, words[-1], column.kind):
        evidence.add(page)
    return evidence


def _question(load: Load, column: _Column) -> "Question":
    from pipelines.extraction.loading.deciding import Question

    entity, name = load.entity, column.column.name
    is_past = name in (entity.time, entity.version) or re.search("creat|modif|updat", name.lower())
    return Question(
        name=name,
        kind=column.kind,
        unit=_epoch_unit(load, column.column),
        is_date=base_type(column.column.type) == "date",
        is_key=name in entity.key,
        this_year=load.now.year,
        last_year=load.now.year + (0 if is_past else YEARS_AHEAD),
        order=entity.date_order,
        source=load.source.name,
        form=_form(load, column.column),
    )


def _pages(load: Load, table: str, kind: str) -> "Iterator[pl.DataFrame]":
    from pipelines.extraction.loading.deciding import prepared

    ((rows,),) = load.rows(f"select count(*) from {table}")
    for first in range(0, max(rows, 1), PAGE_ROWS):
        query = f"select * from {table} where rowid >= {first} and rowid < {first + PAGE_ROWS}"
        yield prepared(read_frame(load.connection, query), kind)


def _write_meanings(
    load: Load, part: Staged, column: _Column, words: str, question: "Question", decision: object
) -> None:
    """A temporary table with what the column's values mean; its name goes into the column."""
    from pipelines.extraction.loading.deciding import descriptions, meanings

    table, staged = new_name(), column.column
    part.columns[column.position] = replace(staged, meanings=table)
    load.connection.execute(
        f"create temp table {table} (path varchar, value varchar, meant {staged.type}, nothing boolean, why varchar)"
    )
    meant = "meant"
    if question.kind == "time":
        if staged.time_zone and not question.is_date:
            meant = f"case when local then timezone({literal(staged.time_zone)}, meant)::timestamp else meant end"
        if question.unit:
            meant = f"epoch_{question.unit}({meant})" if question.unit == "ms" else f"epoch_ms({meant}) // 1000"
    by_file: dict[str, dict[str, None]] = {}
    for page in _pages(load, words, question.kind):
        read = meanings(page, question, decision)
        view = new_name()
        load.connection.register(view, read.to_arrow())
        try:
            load.connection.execute(
                f"insert into {table} select path, value, try_cast({meant} as {staged.type}), nothing, why from {view}"
            )
        finally:
            load.connection.unregister(view)
        for path, parts in descriptions(read, question, decision).items():
            by_file.setdefault(path, {}).update(dict.fromkeys(parts))
    for path, parts in by_file.items():
        part.files[path].readings.append(f"{staged.name} {' and '.join(parts)}")
