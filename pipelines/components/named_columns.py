"""Checks of the tables and columns that a YAML names: whether they exist, and have a usable type."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pipelines.components.declared.documents import Where
from pipelines.learning.specs import TASKS, is_pattern
from pipelines.spelling import suggestion_or_list
from pipelines.transformation.known_tables import Table

if TYPE_CHECKING:
    from pipelines.components.declared.prediction import DeclaredPrediction
    from pipelines.components.declared.text import DeclaredText

CUSTOM = "custom_"
"""Prefix of a company's custom fields, which come and go with its exports."""

NUMBER = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|REAL|DECIMAL\b.*)")


def column_problems(prediction: "DeclaredPrediction", tables: Mapping[str, Table]) -> Iterator[tuple[Where, str]]:
    """
    Tables and columns that a prediction names and that do not exist, or have a type that it cannot use.

    Yields the path of the attribute and the problem in words. Columns of a table whose columns are not all known are
    not reported.
    """
    features, outcomes = ".".join(prediction.features_table), ".".join(prediction.outcomes_table)
    placed = {("features",): features}
    if prediction.outcomes:
        placed[("outcomes",)] = outcomes
    if prediction.described_by_table:
        placed[("publish", "described_by")] = ".".join(prediction.described_by_table)
    for path, name in placed.items():
        if name not in tables and not name.startswith("raw_"):  # a raw table exists once an export was loaded
            yield path, no_table(path[-1], name, tables)

    look = partial(_look, tables)
    for path, name in placed.items():
        yield from look(("entity",), "entity", prediction.entity, name)
        if prediction.as_of and path != ("publish", "described_by"):
            for at, text in look(("as_of",), "as_of", prediction.as_of, name):
                yield at, f"{text}; a table without time needs `as_of: null`"
    yield from look(("target",), "target", prediction.target, outcomes)
    if prediction.value:
        yield from look(("value",), "value", prediction.value, features)
    if prediction.relative_to:
        yield from look(("relative_to",), "relative_to", prediction.relative_to, features)
    for role in ("text", "exclude", "segments"):
        for number, column in enumerate(getattr(prediction, role)):
            if not (role == "exclude" and is_pattern(column)):
                yield from look((role, number), role, column, features)
    for number, column in enumerate(prediction.publish.features):
        yield from look(("publish", "features", number), "column", column, features)
    if prediction.described_by_table:
        for role in ("columns", "private"):
            for number, column in enumerate(getattr(prediction.publish, role)):
                yield from look(("publish", role, number), "column", column, placed["publish", "described_by"])
    there = {column.lower() for column in tables[features].columns} if features in tables else set()
    conditions: dict[Where, str] = {("population",): prediction.population}
    conditions |= {("rule", number, "when"): line.when for number, line in enumerate(prediction.rule)}
    for path, condition in conditions.items():
        try:
            for column in columns_of(condition, path[-1]):
                if column.lower() not in there:
                    yield from look(path, f"{path[-1]}:", column, features)
        except ValueError as problem:
            yield path, str(problem)
    yield from _wrong_types(prediction, tables, features, outcomes)


def _look(tables: Mapping[str, Table], path: Where, role: str, column: str, table: str) -> Iterator[tuple[Where, str]]:
    """The problem that a table has no such column, if all its columns are known."""
    known = tables.get(table)
    if known is None or column in known.columns or column in known.words:
        return
    if known.is_complete and not column.startswith(CUSTOM):
        yield path, f"{role} '{column}' is no column of {table}{suggestion_or_list(column, known.columns)}"


def text_problems(text: "DeclaredText", tables: Mapping[str, Table]) -> Iterator[tuple[Where, str]]:
    """Tables and columns that a text model names and that do not exist; as `column_problems`."""
    placed = {("table",): ".".join(text.texts_table)}
    if text.described_by_table:
        placed[("publish", "described_by")] = ".".join(text.described_by_table)
    for path, name in placed.items():
        if name not in tables and not name.startswith("raw_"):
            yield path, no_table(path[-1], name, tables)

    look = partial(_look, tables)
    own = placed[("table",)]
    for name in placed.values():
        yield from look(("key",), "key", text.key, name)
    yield from look(("at",), "at", text.at, own)
    for number, column in enumerate(text.text):
        yield from look(("text", number), "text", column, own)
    if text.brands and text.brands.column:
        yield from look(("brands", "column"), "column", text.brands.column, own)
    if text.trends and text.trends.by:
        yield from look(("trends", "by"), "by", text.trends.by, own)
    for role in ("columns", "private") if text.described_by_table else ():
        for number, column in enumerate(getattr(text.publish, role)):
            yield from look(("publish", role, number), "column", column, placed["publish", "described_by"])
    there = {column.lower() for column in tables[own].columns} if own in tables else set()
    for role, condition in (("population", text.population), ("label", f"({text.label}) is not null")):
        if role == "label" and text.label is None:
            continue
        try:
            for column in columns_of(condition):
                if column.lower() not in there:
                    yield from look((role,), f"{role}:", column, own)
        except ValueError as problem:
            yield (role,), str(problem).replace("population", role, 1)


def _wrong_types(
    prediction: "DeclaredPrediction", tables: Mapping[str, Table], features: str, outcomes: str
) -> Iterator[tuple[Where, str]]:
    def type_of(column: str | None, table: str) -> str | None:
        known = tables.get(table)
        return known.columns.get(column) if known and column else None

    type_ = type_of(prediction.target, outcomes)
    if type_ and prediction.task == "yes_no" and type_ != "BOOLEAN" and not NUMBER.fullmatch(type_):
        yield (
            ("target",),
            f"target '{prediction.target}' of {outcomes} is {type_}, and a yes_no target is a boolean (or 0 and 1): "
            "make it one in the model, or write `task: classes`",
        )
    if type_ and prediction.task == "classes" and re.match("DOUBLE|FLOAT|DATE|TIME", type_):
        yield ("target",), f"target '{prediction.target}' of {outcomes} is {type_}, which has no classes to tell apart"
    if type_ and prediction.task == "amount" and not NUMBER.fullmatch(type_):
        yield ("target",), f"target '{prediction.target}' of {outcomes} is {type_}, which is no amount to estimate"
    if type_ and prediction.task == "ordered" and re.match("BOOLEAN|DATE|TIME", type_):
        yield ("target",), f"target '{prediction.target}' of {outcomes} is {type_}, which has no levels in an order"
    elif type_ and prediction.task == "ordered" and not NUMBER.fullmatch(type_) and not prediction.levels:
        yield (
            ("target",),
            f"target '{prediction.target}' of {outcomes} is {type_}: name its levels from the lowest to the highest, "
            "such as `levels: [low, medium, high]`",
        )
    if prediction.value and (why := TASKS[prediction.task].no_value):
        yield ("value",), f"value '{prediction.value}': the target {why}; leave `value` out"
    type_ = type_of(prediction.as_of, features)
    if type_ and type_ != "DATE" and not type_.startswith("TIMESTAMP"):
        yield ("as_of",), f"as_of '{prediction.as_of}' of {features} is {type_}; it must be a date"
    if prediction.task != "amount" and prediction.relative_to:
        yield ("relative_to",), f"relative_to '{prediction.relative_to}' is for `task: amount`; leave it out"
    for role in ("value", "relative_to"):
        type_ = type_of(getattr(prediction, role), features)
        if type_ and not NUMBER.fullmatch(type_):
            yield (role,), f"{role} '{getattr(prediction, role)}' of {features} is {type_}; it must be a number"
    for number, column in enumerate(prediction.text):
        type_ = type_of(column, features)
        if type_ and type_ != "VARCHAR" and not type_.startswith("ENUM"):
            yield ("text", number), f"text '{column}' of {features} is {type_}; it must be text (VARCHAR)"


def columns_of(condition: str, role: str = "population") -> list[str]:
    """
    The columns that an SQL condition names outside of subqueries, in order; `role`: what the YAML calls it.

    Raises ValueError when DuckDB cannot parse it as one condition.
    """
    import json

    import duckdb

    if condition == "true":
        return []
    # Written into the query: for parameters DuckDB imports numpy and pandas, which takes half a second.
    query = f"select 1 from snapshots where (\n{condition}\n)".replace("'", "''")
    with duckdb.connect(config={"python_enable_replacements": "false", "threads": "1"}) as connection:
        parsed = json.loads(connection.execute(f"select json_serialize_sql('{query}')").fetchone()[0])
    if parsed["error"] or len(parsed["statements"]) != 1:
        reason = str(parsed.get("error_message", "more than one statement")).splitlines()[0]
        raise ValueError(f"{role} is no SQL condition: {reason}")
    node = parsed["statements"][0]["node"]
    if node["type"] != "SELECT_NODE" or any(
        node[part] for part in ("group_expressions", "having", "qualify", "modifiers")
    ):
        raise ValueError(f"{role} is no SQL condition: give what stands after `where` alone")
    found: list[str] = []

    def walk(part: object) -> None:
        if isinstance(part, dict):
            if part.get("class") in ("SUBQUERY", "LAMBDA"):
                return
            if part.get("class") == "COLUMN_REF":
                names = part["column_names"]
                found.append(names[1] if names[0] == "snapshots" and len(names) > 1 else names[0])
            for each in part.values():
                walk(each)
        elif isinstance(part, list):
            for each in part:
                walk(each)

    walk(node["where_clause"])
    return list(dict.fromkeys(found))


def no_table(role: str, name: str, tables: Mapping[str, Table]) -> str:
    """The message that a table does not exist, with a suggestion."""
    schema, _, table = name.partition(".")
    siblings = [each.partition(".")[2] for each in tables if each.startswith(f"{schema}.")]
    if siblings:
        return f"{role} '{table}' is no table of the schema {schema}{suggestion_or_list(table, siblings)}"
    schemas = sorted({each.partition(".")[0] for each in tables})
    return f"{role} '{name}': there is no schema '{schema}'{suggestion_or_list(schema, schemas)}"
