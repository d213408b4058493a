"""SQL functions of ours on DuckDB: a plugin of dbt-duckdb that makes them for every connection of dbt."""

from functools import lru_cache

import duckdb
import pyarrow as pa
from dbt.adapters.duckdb.plugins import BasePlugin

from pipelines.values.private_data import masked

MOST_REMEMBERED, SHORT = 50_000, 2_000
"""Texts, and the characters of one at most: every version of a ticket has the same."""

remembered = lru_cache(maxsize=MOST_REMEMBERED)(masked)


class Plugin(BasePlugin):
    """Makes `without_private_data(varchar) → varchar`; see the macro `masked_text`."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Called by dbt-duckdb once for the connection that all its cursors come from."""
        conn.create_function("without_private_data", masked_texts, ["VARCHAR"], "VARCHAR", type="arrow")


def masked_texts(texts: pa.ChunkedArray) -> pa.Array:
    """Texts (string) without private data; null stays null."""
    given = texts.to_pylist()
    return pa.array([text and (remembered if len(text) <= SHORT else masked)(text) for text in given], type=pa.string())
