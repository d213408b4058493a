"""The tables of a release: copied from the warehouse, carried over from the last release, described."""

import json
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from pipelines.database import comment_on, quoted
from pipelines.publishing.descriptions import COLUMNS, TABLES, description_of
from pipelines.quality.publish import rows_by_part

if TYPE_CHECKING:
    import duckdb
from pipelines.publishing.changes import with_changes
from pipelines.publishing.states import (
    HISTORY_KEYS,
    OF_MANY_DAYS,
    OWN_TABLES,
    has_one_probability,
    names_of,
    tables_in,
    types_of,
)

TIME_IN_VERSION = re.compile(r"-\d{8}T\d{6}(-\d+)?$")
"""What the name of a version has behind that of its model."""


def facts_of(connection: "duckdb.DuckDBPyConnection", table: str) -> dict:
    """What a release says of one of its tables."""
    (rows,) = connection.execute(f"select count(*) from {quoted(table)}").fetchone()
    types = types_of(connection, quoted(table))
    described = {"rows": rows, "columns": list(types), "types": types}
    parts = rows_by_part(connection, table, types)
    if parts:
        described["parts"] = parts
    if "as_of_date" in types and table not in OF_MANY_DAYS:
        (as_of,) = connection.execute(f"select max(as_of_date) from {quoted(table)}").fetchone()
        described["as_of_date"] = str(as_of) if as_of else None
    return described


def copy_tables(
    connection: "duckdb.DuckDBPyConnection",
    previous: bool,
    release_id: str,
    declared: Collection[str] | None,
    withheld: Mapping[str, Collection[str]],
) -> tuple[dict[str, dict], dict[str, str]]:
    """
    The release's tables, copied or carried over, and the last release's tables that it is without, with the reason.

    Tables that are no longer declared go, and those of a model that was withdrawn. The histories are there already.
    """
    special = OWN_TABLES | set(HISTORY_KEYS)
    made = [table for table in tables_in(connection, "warehouse", "published") if table not in special]
    kept = [table for table in tables_in(connection, "previous", "main") if table not in special] if previous else []
    removed = {}
    if declared is not None:
        removed = {table: "nothing in assets/ makes it any more" for table in kept if table not in declared}
        made = [table for table in made if table in declared]
        kept = [table for table in kept if table in declared]
    withdrawn = _withdrawn_models(connection)
    made = [table for table in made if model_of(connection, f"warehouse.published.{quoted(table)}") not in withdrawn]
    for table in set(kept) - set(made):
        if (model := model_of(connection, f"previous.{quoted(table)}")) in withdrawn:
            removed[table] = f"the model {model} was withdrawn"
    kept = [table for table in kept if table not in removed]
    tables = {}
    for table in made:
        source = f"warehouse.published.{quoted(table)}"
        columns = set(names_of(connection, source))
        query = f"from {source}"
        if has_one_probability(columns) and "change_reason" not in columns:
            query = with_changes(connection, table, previous)
        chosen = _all_but(columns & {"release_id", *withheld.get(table, ())})
        connection.execute(
            f"create table {quoted(table)} as select {chosen}, '{release_id}' as release_id from ({query})"
        )
        tables[table] = facts_of(connection, table)
    for table in sorted(set(kept) - set(made)):
        last, described = connection.execute(
            "select release_id, tables from previous.releases order by release_id desc limit 1"
        ).fetchone()
        origin = json.loads(described).get(table, {}).get("carried_over_from", last)
        tables[table] = carry_over(connection, "previous", table, release_id, origin, withheld.get(table, ()))
    return tables, removed


def _withdrawn_models(connection: "duckdb.DuckDBPyConnection") -> set[str]:
    """The models that were withdrawn and of which no version was made the champion since."""
    (draft,) = connection.execute("select current_database()").fetchone()
    if "model_runs" not in tables_in(connection, draft, "main") or "status" not in names_of(connection, "model_runs"):
        return set()
    rows = connection.execute(
        """
        select model from model_runs where status in ('kept', 'rolled_back', 'withdrawn')
        group by model having arg_max(status, started_at) = 'withdrawn'
        """
    ).fetchall()
    return {model for (model,) in rows}


def model_of(connection: "duckdb.DuckDBPyConnection", relation: str) -> str | None:
    """The model whose scores or forecasts a table has; None where no model (but a rule), or not one alone, made it."""
    if "model_version" not in names_of(connection, relation):
        return None
    versions = connection.execute(f"select distinct model_version from {relation} limit 2").fetchall()
    if len(versions) != 1 or versions[0][0] is None:
        return None
    return TIME_IN_VERSION.sub("", str(versions[0][0]))


def describe_tables(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write comments on every table and column: ours, then those of the file that the table was copied from."""
    sources = "(database_name, schema_name) in (('previous', 'main'), ('target', 'main'), ('warehouse', 'published'))"
    rows = connection.execute(
        f"""
        select table_name, column_name, comment, database_name from duckdb_columns()
        where comment is not null and {sources}
        union all
        select table_name, '', comment, database_name from duckdb_tables() where comment is not null and {sources}
        order by database_name
        """
    ).fetchall()
    comments = {(table, column): words for table, column, words, _ in rows}  # the warehouse's come last
    (draft,) = connection.execute("select current_database()").fetchone()
    for table in tables_in(connection, draft, "main"):
        own = COLUMNS.get(table, {})
        columns = {
            column: own.get(column) or comments.get((table, column)) or description_of(table, column)
            for column in names_of(connection, quoted(table))
        }
        about = TABLES.get(table) or comments.get((table, ""))
        comment_on(connection, quoted(table), about, {column: words for column, words in columns.items() if words})


def carry_over(
    connection: "duckdb.DuckDBPyConnection",
    database: str,
    table: str,
    release_id: str,
    origin: str,
    withheld: Collection[str] = (),
) -> dict:
    """Copy a table of an earlier release, less the `withheld` columns; `origin` is the release in which it was made."""
    source = f"{database}.main.{quoted(table)}"
    chosen = _all_but(set(names_of(connection, source)).intersection(withheld))
    connection.execute(
        f"create table {quoted(table)} as select {chosen} replace ('{release_id}' as release_id) from {source}"
    )
    return {**facts_of(connection, table), "carried_over_from": origin}


def _all_but(columns: Collection[str]) -> str:
    """A select list; what it leaves out is never written into the file."""
    return f"* exclude ({', '.join(map(quoted, sorted(columns)))})" if columns else "*"
