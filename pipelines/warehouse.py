"""The warehouse behind a small resource: connect, read a frame, write a frame. One run at a time writes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

from pipelines.database import connect, opened
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
    The kernel frees the lock of a killed process. Within a run the file is opened once: to read the catalogue of a
    thousand tables' columns takes longer than most steps' own queries.
    """

    wait_seconds: float = 3600.0
    _is_held: bool = PrivateAttr(default=False)
    _open: "duckdb.DuckDBPyConnection | None" = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> "Iterator[Warehouse]":
        """Hold the run lock from the first step that needs the warehouse to the last."""

        def say(holder: str) -> None:
            if context.log:
                context.log.info(f"Waiting for the warehouse: {holder}")

        owner = f"run {context.run_id}" if context.run_id else "a run"
        with run_lock(data_dir() / "warehouse.lock", owner=owner, timeout=self.wait_seconds, on_wait=say):
            self._is_held = True
            try:
                yield self
            finally:
                self._is_held = False
                self.close()

    @contextmanager
    def connect(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        """
        A connection to the warehouse.

        During a run the file stays open for the next step, until `close`; after an error it is opened anew.
        """
        if not self._is_held:
            with connect(warehouse_path()) as connection:
                yield connection
            return
        if self._open is None:
            self._open = opened(warehouse_path())
        try:
            with self._open.cursor() as connection:
                yield connection
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file, for another process (dbt) or another connection to open it."""
        connection, self._open = self._open, None
        if connection is not None:
            connection.close()
