"""What the project's SQL takes from DuckDB that a second engine, Spark, does not have."""

import re
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, UnsupportedError

from pipelines.settings import dbt_project_dir

SPARK_FUNCTIONS = {
    *["AND", "OR", "CASE", "IF", "EXISTS", "CAST", "TRY_CAST", "COALESCE", "NULLIF", "GREATEST", "LEAST"],
    *[
        "AVG",
        "COUNT",
        "MAX",
        "MIN",
        "SUM",
        "FIRST_VALUE",
        "LAST_VALUE",
        "LAG",
        "LEAD",
        "ROW_NUMBER",
        "DENSE_RANK",
        "GROUP_CONCAT",
    ],
    *["CONCAT", "LOWER", "UPPER", "TRIM", "REPLACE", "REGEXP_REPLACE", "REGEXP_SPLIT", "MD5", "JSON_EXTRACT_SCALAR"],
    *["LENGTH", "SUBSTRING", "TRANSLATE", "ABS", "REGEXP_LIKE"],
    *["FLOOR", "ROUND", "SQRT", "DATEDIFF", "DATE_DIFF", "TS_OR_DS_TO_DATE", "UNIX_TO_TIME", "TIMESTAMP_MICROS"],
}
"""Functions that Spark has, by sqlglot's names; a new one comes here when Spark's reference lists it."""
SYNTAX = {
    exp.Qualify: [],
    exp.Pivot: [],
    exp.Slice: [],
    exp.Comprehension: [],
    exp.Join: ["method"],
    exp.Star: ["except_", "replace", "rename"],
    exp.SetOperation: ["by_name"],
}
"""Syntax of DuckDB's own that sqlglot hands on as it is: nodes, or those that have one of these arguments."""
DUCKDB_MACRO = re.compile(r"{%-?\s*macro duckdb__(\w+)\(.*?{%-?\s*endmacro", re.DOTALL)


def spark_lacks(sql: str) -> set[str]:
    """
    What of this DuckDB SQL cannot be said in Spark SQL: functions by name, anything else in words.

    `with recursive` passes: the engine has to have it (identity and merges are made with it).
    """
    lacking = set()
    for statement in sqlglot.parse(sql, read="duckdb"):
        lacking |= syntax(statement)
        try:
            said = statement.sql("spark", unsupported_level=ErrorLevel.RAISE)
            lacking |= functions(said) - SPARK_FUNCTIONS
        except (UnsupportedError, ParseError) as problem:
            lacking.add(f"syntax: {problem}")
    return lacking


def syntax(statement: exp.Expression) -> set[str]:
    """The syntax in a statement that only DuckDB has, in words."""
    return {
        f"syntax of {type(node).__name__}"
        for node in statement.walk()
        for kind, arguments in SYNTAX.items()
        if isinstance(node, kind) and (not arguments or any(node.args.get(name) for name in arguments))
    }


def functions(spark_sql: str) -> set[str]:
    """The functions that a statement of Spark SQL calls, in upper case; raises `ParseError` where it is none."""
    called = sqlglot.parse_one(spark_sql, read="spark").find_all(exp.Func)
    return {(call.name if isinstance(call, exp.Anonymous) else call.sql_name()).upper() for call in called}


def sources() -> dict[str, str]:
    """The text of every macro, model and generic test by its path in the project."""
    project = dbt_project_dir()
    files = [path for room in ("macros", "models", "tests") for path in (project / room).glob("**/*.sql")]
    return {str(path.relative_to(project)): path.read_text() for path in files}


def is_said_twice(function: str) -> bool:
    """Whether the project calls this function in macros `duckdb__...`, which have a second form, and nowhere else."""
    call = re.compile(rf"\b{re.escape(function)}\s*\(", re.IGNORECASE)
    texts = sources().values()
    called_elsewhere = any(call.search(DUCKDB_MACRO.sub("", text)) for text in texts)
    return not called_elsewhere and any(call.search(text) for text in texts)


def not_portable(compiled: Path) -> dict[str, set[str]]:
    """
    Compiled files with what Spark lacks in them, at any depth of a folder.

    A function that only macros `duckdb__...` call is left out: each has a second form beside it.
    """
    found = {path.name: spark_lacks(path.read_text()) for path in compiled.glob("**/*.sql")}
    said_twice = {name for name in set().union(*found.values()) if is_said_twice(name)}
    return {path: names - said_twice for path, names in found.items() if names - said_twice}
