"""The gate before publishing: checks on a drafted release."""

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import quoted
from pipelines.extraction.configuration import DEFAULT_ROW_COUNT_RANGE
from pipelines.quality.checker import check
from pipelines.quality.findings import Finding
from pipelines.quality.suites import Rule, Suite

if TYPE_CHECKING:
    import duckdb

MIN_ROWS_TO_COMPARE = 20
IN_SOURCES = "sources.yaml"
SYSTEM_COLUMNS = ("source_system", "known_from")
"""Columns with the systems that have a record of a row, comma-separated."""
MAY_BE_NULL = ("currency",)
"""Columns of a key that may be null: a count has no currency, and of some amounts nobody says it."""
PART_COLUMNS = (("metric", "currency", "segment"), *((name,) for name in SYSTEM_COLUMNS))
"""Groups of columns by whose values a table's rows are counted; a table need not have them."""


def audit_release(
    connection: "duckdb.DuckDBPyConnection",
    keys: Mapping[str, Sequence[str]],
    docs: Path,
    row_count_range: tuple[float, float] = DEFAULT_ROW_COUNT_RANGE,
    growing: Collection[str] = (),
    withheld: Mapping[str, Collection[str]] | None = None,
    own_ranges: Mapping[str, tuple[float, float]] | None = None,
) -> list[Finding]:
    """
    Check every table of a drafted release; the rules follow from its columns, so a new model needs none of its own.

    `keys`: table to its key columns (default: the first column). Blocking: keys null or not unique, probabilities
    outside 0 to 1, missing although a model decided or there although a rule did, scores outside 1 to 99, a score
    without a reason, quantiles out of order, a column of the last release missing, a type that the column's name
    excludes, a row count outside `row_count_range` times the last release's. Tables in `growing` are append-only: their
    row counts have no upper limit. If a table's rows belong to metrics or systems, the rows of each are compared: new
    ones may have any number, lost ones block. Columns that are `withheld` from a table may be missing. `own_ranges`:
    table to the range that its prediction's YAML has instead, because what is open comes and goes. Warning: a table
    that is older than the release.
    """
    tables, as_of = _release(connection)
    earlier = _last_release(connection)
    suites = []
    for table in sorted(tables):
        types = {name: type_ for name, type_, *_ in connection.execute(f"describe {quoted(table)}").fetchall()}
        columns = list(types)
        key = [column for column in keys.get(table, columns[:1]) if column in columns]
        parts_before = comparable_parts(earlier.get(table, {}), columns)
        own = (own_ranges or {}).get(table)
        allowed, by = (row_count_range, IN_SOURCES) if own is None else (own, "its YAML")
        rows = (allowed[0], math.inf) if table in growing or parts_before else allowed
        if parts_before:
            now = tables[table].get("parts", {})
            suites.append(_parts_suite(table, parts_before, now, allowed, table in growing, by))
        rules = contract(columns, key, as_of, earlier.get(table), rows, by)
        looked_at = list(dict.fromkeys([*key, *(c for c in CHECKED_COLUMNS if c in columns)]))
        selected = [f"cast({c} as varchar) as {c}" if c == "as_of_date" else quoted(c) for c in looked_at]
        if "probability" in columns and (decider := _decider(columns)):
            selected.append(f"{_has_its_probability(decider, columns)} as {HAS_ITS_PROBABILITY}")
        frame = connection.execute(f"select {', '.join(selected)} from {quoted(table)}").pl()
        suites.append(Suite(table, frame, rules, key=tuple(key)))
        suites.append(_types_suite(table, types))
        if earlier.get(table, {}).get("columns"):
            gone = (withheld or {}).get(table, ())
            columns_before = [column for column in earlier[table]["columns"] if column not in gone]
            suites.append(_columns_suite(connection, table, columns_before))
    return check("publish", suites, docs)


WARNING_COLUMN = "warning"
"""A table that has it is of findings: each such text is told, and how many rows there are says nothing."""
CHECKED_COLUMNS = ("probability", "score", "reason_1", "p10", "p50", "p90", "as_of_date", WARNING_COLUMN)
DECIDERS = ("method", "decided_by")
"""Columns that say what chose a row's answer: a model, or a rule or list, which has no probability."""
HAS_ITS_PROBABILITY = "has_its_probability"
"""Added to what is checked of a table with one of `DECIDERS`: see `_has_its_probability`."""

LABEL = "probability_"
"""Prefix of the columns of a text model's labels, which come and go with what people label."""
CUSTOM = "custom_"
"""Prefix of a company's custom fields, which may come, go and change type."""
NUMBER = r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*"
PROMISED_TYPES = {
    r"probability|probability_change_7d|p10|p50|p90|forecast|score|expected(_\w+)?|horizon_days": NUMBER,
    r"\w+_date": "DATE",
    r"\w+_at": "TIMESTAMP.*",
    r"is_\w+": "BOOLEAN",
    r"reason_\d|change_reason|model_version|release_id": "VARCHAR",
}
"""Pattern of column names → pattern of the DuckDB types that such columns must have."""


def contract(
    columns: Sequence[str],
    key: Sequence[str],
    as_of: date,
    last: Mapping | None,
    row_count_range: tuple[float, float] = DEFAULT_ROW_COUNT_RANGE,
    range_by: str = IN_SOURCES,
) -> list[Rule]:
    """
    The rules for a published table, by its columns.

    `last`: the table's entry in the last release (`rows`); None for a new table. `range_by`: where `row_count_range`
    stands.
    """
    rules = [_not_null(column) for column in key if column not in MAY_BE_NULL]
    if len(key) > 1:
        rules.append(
            Rule("ExpectCompoundColumnsToBeUnique", {"column_list": list(key)}, f"{', '.join(key)} together are unique")
        )
    else:
        rules += [Rule("ExpectColumnValuesToBeUnique", {"column": column}, f"{column} is unique") for column in key]
    if "probability" in columns and _decider(columns):
        says = "what a model decided has a probability, and what a rule decided has none"
        held = {"column": HAS_ITS_PROBABILITY, "value_set": [True]}
        rules += [Rule("ExpectColumnValuesToBeInSet", held, says), _not_null(HAS_ITS_PROBABILITY, says)]
    elif "probability" in columns:
        rules.append(_not_null("probability"))
    if "probability" in columns:
        rules.append(_between("probability", 0, 1))
    if "score" in columns:
        rules += [_not_null("score"), _between("score", 1, 99)]
    if "reason_1" in columns:
        rules.append(_not_null("reason_1", "every score has a reason"))
        rules.append(
            Rule("ExpectColumnValuesToMatchRegex", {"column": "reason_1", "regex": r"\S"}, "no reason is empty")
        )
    for low, high in (("p10", "p50"), ("p50", "p90")):
        if low in columns and high in columns:
            rules.append(
                Rule(
                    "ExpectColumnPairValuesAToBeGreaterThanB",
                    {"column_A": high, "column_B": low, "or_equal": True, "ignore_row_if": "either_value_is_missing"},
                    f"{low} is at most {high}",
                )
            )
    if "as_of_date" in columns and "score" in columns:
        rules.append(
            Rule(
                "ExpectColumnMinToBeBetween",
                {"column": "as_of_date", "min_value": str(as_of), "max_value": str(as_of)},
                f"it is as of the release's day, {as_of}",
                is_blocking=False,
            )
        )
    if WARNING_COLUMN in columns:
        says = "nothing in it is a warning"
        rules.append(Rule("ExpectColumnValuesToBeNull", {"column": WARNING_COLUMN}, says, is_blocking=False))
    elif last and last["rows"] >= MIN_ROWS_TO_COMPARE:
        low, high = (
            int(last["rows"] * row_count_range[0]),
            None if math.isinf(row_count_range[1]) else int(last["rows"] * row_count_range[1]) + 1,
        )
        rules.append(
            Rule(
                "ExpectTableRowCountToBeBetween",
                {"min_value": low, "max_value": high},
                f"its row count is near the last release's {last['rows']}"
                f" ({low} {'or more' if high is None else f'to {high}'}, by row_count_range in {range_by})",
            )
        )
    return rules


def _decider(columns: Collection[str]) -> str | None:
    """The column that says what chose a row's answer; None for a table of a model's answers alone."""
    return next((name for name in DECIDERS if name in columns), None)


def _has_its_probability(decider: str, columns: Collection[str]) -> str:
    """
    SQL: whether a row has a probability if it should, and none if it should not.

    A model of texts has none of a text that it cannot read: it has no words to add up then.
    """
    silent = "reasons is null" if "reasons" in columns else "false"
    is_there = "coalesce(not isnan(try_cast(probability as double)), false)"
    return f"""
        case
            when {decider} = 'rule' then probability is null
            when {decider} = 'model' then {is_there} or {silent}
            when {decider} is not null then true
        end
    """


def _not_null(column: str, says: str | None = None) -> Rule:
    return Rule("ExpectColumnValuesToNotBeNull", {"column": column}, says or f"{column} is never null")


def _between(column: str, low: float, high: float) -> Rule:
    arguments = {"column": column, "min_value": low, "max_value": high}
    return Rule("ExpectColumnValuesToBeBetween", arguments, f"{column} is between {low} and {high}")


def _columns_suite(connection: "duckdb.DuckDBPyConnection", table: str, columns: Sequence[str]) -> Suite:
    """Columns are added, never renamed or dropped, but for custom fields and labels that no text has any more."""
    may_go = (CUSTOM, LABEL) if _decider(columns) else (CUSTOM,)
    rule = Rule(
        "ExpectTableColumnsToMatchSet",
        {"column_set": [name for name in columns if not name.startswith(may_go)], "exact_match": False},
        "every column of the last release is still there",
    )
    return Suite(f"{table} columns", connection.execute(f"select * from {quoted(table)} limit 1").pl(), [rule])


def rows_by_part(connection: "duckdb.DuckDBPyConnection", table: str, columns: Collection[str]) -> dict[str, int]:
    """
    Rows of a published table by metric and segment, or by source system: `metric bookings, segment total` → 65.

    A row that several systems know counts for each of them. Empty for a table without such columns.
    """
    counted: dict[str, int] = {}
    for names in PART_COLUMNS:
        there = [name for name in names if name in columns]
        if names[0] not in there:
            continue
        is_list = names[0] in SYSTEM_COLUMNS
        values = [f"unnest(string_split({name}, ', ')) as {name}" if is_list else name for name in there]
        for *part, rows in connection.execute(
            f"select {', '.join(there)}, count(*) from (select {', '.join(values)} from {quoted(table)}) group by all"
        ).fetchall():
            counted[", ".join(f"{name} {value}" for name, value in zip(there, part, strict=True))] = rows
    return dict(sorted(counted.items()))


def comparable_parts(before: Mapping, columns: Collection[str]) -> Mapping[str, int]:
    """Rows by part of a table in the last release; none where the parts are told by other columns now."""
    told_by = {name for names in PART_COLUMNS for name in names}
    same = told_by & set(before.get("columns") or columns) == told_by & set(columns)
    return (before.get("parts") or {}) if same else {}


def _rows_now(part: str, before: Mapping[str, int], now: Mapping[str, int]) -> int:
    """
    Rows of a part of the last release; where it is gone, of the same in a currency that is new.

    `currency` and `reporting_currency` in sources.yaml give the same amounts another one.
    """
    if part in now:
        return now[part]
    renamed = (other for other in now if other not in before and _but_currency(other) == _but_currency(part))
    return max((now[other] for other in renamed), default=0)


def _but_currency(part: str) -> str:
    return re.sub(r"\bcurrency \w+, ", "", part, count=1)


def _parts_suite(
    table: str,
    before: Mapping[str, int],
    now: Mapping[str, int],
    row_count_range: tuple[float, float],
    grows: bool,
    range_by: str,
) -> Suite:
    """Every part of the last release is still there with about as many rows; new parts may be added."""
    import polars as pl

    compared = {part: rows for part, rows in before.items() if rows >= MIN_ROWS_TO_COMPARE}
    rows_now = {part: _rows_now(part, before, now) for part in compared}
    low, high = row_count_range[0], math.inf if grows else row_count_range[1]
    frame = pl.DataFrame(
        {
            "part": list(compared),
            "rows": list(rows_now.values()),
            "before": list(compared.values()),
            "is_near": [low * rows <= rows_now[part] <= high * rows for part, rows in compared.items()],
        },
        schema={"part": pl.String, "rows": pl.Int64, "before": pl.Int64, "is_near": pl.Boolean},
    )
    rule = Rule(
        "ExpectColumnValuesToBeInSet",
        {"column": "is_near", "value_set": [True]},
        "of every metric and system there are about as many rows as in the last release "
        f"({low:g} {'or more' if grows else f'to {high:g}'} times, by row_count_range in {range_by})",
        shows=("rows", "before"),
    )
    return Suite(f"{table} parts", frame, [rule], shown_by=("part",))


def _types_suite(table: str, types: Mapping[str, str]) -> Suite:
    """Columns have the type that their name requires."""
    import polars as pl

    promised = {name: promise for name in types if (promise := _promise(name)) is not None}
    frame = pl.DataFrame(
        {
            "column": list(promised),
            "type": [types[name] for name in promised],
            "is_as_promised": [bool(re.fullmatch(promise, types[name])) for name, promise in promised.items()],
        }
    )
    rule = Rule(
        "ExpectColumnValuesToBeInSet",
        {"column": "is_as_promised", "value_set": [True]},
        "a column's type is the one that its name promises",
        shows=("type",),
    )
    return Suite(f"{table} types", frame, [rule], shown_by=("column",))


def _promise(column: str) -> str | None:
    """The pattern of types that a column of this name may have; None for any."""
    if column.startswith(CUSTOM):
        return None
    return next((types for names, types in PROMISED_TYPES.items() if re.fullmatch(names, column)), None)


def _release(connection: "duckdb.DuckDBPyConnection") -> tuple[dict[str, dict], date]:
    """The draft's description of its tables, and its day."""
    tables, as_of = connection.execute(
        "select tables, as_of_date from releases order by release_id desc limit 1"
    ).fetchone()
    return json.loads(tables), as_of


def _last_release(connection: "duckdb.DuckDBPyConnection") -> dict[str, dict]:
    """Tables of the release before the draft, with rows and columns; empty for the first release."""
    row = connection.execute("select tables from releases order by release_id desc limit 1 offset 1").fetchone()
    return json.loads(row[0]) if row else {}
