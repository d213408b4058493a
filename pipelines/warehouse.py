"""The warehouse behind a small resource: connect, read a frame, write a frame. One run at a time writes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from pipelines.database import connect
from pipelines.locking import run_lock
from pipelines.settings import data_dir, warehouse_path

if TYPE_CHECKING:
    import duckdb


KEY_METADATA = "scorecast/key"
"""Metadata of a published asset: its key columns, comma-separated; without it the table's first column."""


class Warehouse(dg.ConfigurableResource):
    """
    The pipeline's own DuckDB file.

    One run at a time holds this resource; others wait, whether the schedule, the UI or the command line started them.
    The kernel frees the lock of a killed process.
    """

    wait_seconds: float = 3600.0

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> "Iterator[Warehouse]":
        """Hold the run lock from the first step that needs the warehouse to the last."""

        def say(holder: str) -> None:
            if context.log:
                context.log.info(f"Waiting for the warehouse: {holder}")

        owner = f"run {context.run_id}" if context.run_id else "a run"
        with run_lock(data_dir() / "warehouse.lock", owner=owner, timeout=self.wait_seconds, on_wait=say):
            yield self

    @contextmanager
    def connect(self, read_only: bool = False) -> "Iterator[duckdb.DuckDBPyConnection]":
        """A connection to the warehouse, closed on leaving."""
        with connect(warehouse_path(), read_only=read_only) as connection:
            yield connection
