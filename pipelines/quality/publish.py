"""The gate before a release: may users see this?"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.quality.findings import Finding
from pipelines.quality.suites import Rule, Suite, validate

if TYPE_CHECKING:
    import duckdb

LEAST_OF_LAST, MOST_OF_LAST = 0.7, 1.5
"""A table whose row count leaves this range of the last release's is suspicious."""
MIN_ROWS_TO_COMPARE = 20


def audit_release(
    connection: "duckdb.DuckDBPyConnection", keys: Mapping[str, Sequence[str]], docs: Path
) -> list[Finding]:
    """
    Check every table of a drafted release; the rules follow from a table's columns, so a new model needs none.

    `keys`: table to its key columns (default: the first column). Blocking: keys null or not unique, probabilities
    outside 0 to 1, scores outside 1 to 99, a score without a reason, quantiles out of order, a column or too many rows
    gone since the last release. Warned of: a table that is older than the release.
    """
    tables, as_of = _release(connection)
    earlier = _last_release(connection)
    suites = []
    for table in sorted(tables):
        columns = [row[0] for row in connection.execute(f"describe {table}").fetchall()]
        key = [column for column in keys.get(table, columns[:1]) if column in columns]
        rules = contract(columns, key, as_of, earlier.get(table))
        looked_at = list(dict.fromkeys([*key, *(c for c in CHECKED_COLUMNS if c in columns)]))
        selected = [f"cast({c} as varchar) as {c}" if c == "as_of_date" else c for c in looked_at]
        frame = connection.execute(f"select {', '.join(selected)} from {table}").pl()
        suites.append(Suite(table, frame, rules))
        if earlier.get(table, {}).get("columns"):
            suites.append(_columns_suite(connection, table, earlier[table]["columns"]))
    return validate("publish", suites, docs)


CHECKED_COLUMNS = ("probability", "score", "reason_1", "p10", "p50", "p90", "as_of_date")


def contract(columns: Sequence[str], key: Sequence[str], as_of: date, last: Mapping | None) -> list[Rule]:
    """The rules that a published table's columns ask for."""
    rules = [_not_null(column) for column in key]
    if len(key) > 1:
        rules.append(
            Rule("ExpectCompoundColumnsToBeUnique", {"column_list": list(key)}, f"{', '.join(key)} together are unique")
        )
    else:
        rules += [Rule("ExpectColumnValuesToBeUnique", {"column": column}, f"{column} is unique") for column in key]
    if "probability" in columns:
        rules += [_not_null("probability"), _between("probability", 0, 1)]
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
    if last and last["rows"] >= MIN_ROWS_TO_COMPARE:
        low, high = int(last["rows"] * LEAST_OF_LAST), int(last["rows"] * MOST_OF_LAST) + 1
        rules.append(
            Rule(
                "ExpectTableRowCountToBeBetween",
                {"min_value": low, "max_value": high},
                f"its row count is near the last release's {last['rows']} ({low} to {high})",
            )
        )
    return rules


def _not_null(column: str, says: str | None = None) -> Rule:
    return Rule("ExpectColumnValuesToNotBeNull", {"column": column}, says or f"{column} is never null")


def _between(column: str, low: float, high: float) -> Rule:
    arguments = {"column": column, "min_value": low, "max_value": high}
    return Rule("ExpectColumnValuesToBeBetween", arguments, f"{column} is between {low} and {high}")


def _columns_suite(connection: "duckdb.DuckDBPyConnection", table: str, columns: Sequence[str]) -> Suite:
    """Columns are added, never renamed or dropped."""
    rule = Rule(
        "ExpectTableColumnsToMatchSet",
        {"column_set": list(columns), "exact_match": False},
        "every column of the last release is still there",
    )
    return Suite(f"{table} columns", connection.execute(f"select * from {table} limit 1").pl(), [rule])


def _release(connection: "duckdb.DuckDBPyConnection") -> tuple[list[str], date]:
    tables, as_of = connection.execute(
        "select tables, as_of_date from releases order by release_id desc limit 1"
    ).fetchone()
    return list(json.loads(tables)), as_of


def _last_release(connection: "duckdb.DuckDBPyConnection") -> dict[str, dict]:
    """Table to rows and columns of the release before the draft; empty for the first one."""
    row = connection.execute("select tables from releases order by release_id desc limit 1 offset 1").fetchone()
    return json.loads(row[0]) if row else {}
