"""A small system with everything that a contract can say, and a landing folder for it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.extraction.contracts import Entity, Source

NOW = datetime(2025, 1, 10, 12, 0)

ACCOUNT = Entity(
    name="account",
    description="A company.",
    columns={
        "Id": "varchar",
        "Name": "varchar",
        "Seats": "bigint",
        "Revenue": "double",
        "IsDeleted": "boolean",
        "StartDate": "date",
        "SystemModstamp": "timestamp",
    },
    key=("Id",),
    version="SystemModstamp",
    time="SystemModstamp",
    required=("SystemModstamp",),
    rules={"Seats is negative": "Seats >= 0"},
)
EVENT = Entity(
    name="event",
    description="Something that happened.",
    columns={"id": "varchar", "kind": "varchar", "received": "bigint"},
    key=("id",),
    time="received",
    time_unit="epoch_ms",
)
CRM = Source(name="crm", description="A CRM.", entities=(ACCOUNT, EVENT))
HEADER = "Id,Name,Seats,Revenue,IsDeleted,StartDate,SystemModstamp"


class Landing:
    """A source's folder, and what was loaded from it."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection):
        self.folder, self.connection, self.source, self.now = folder, connection, CRM, NOW

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def accounts(self, name: str, *rows: str, header: str = HEADER) -> Path:
        return self.write(f"account/{name}", "\n".join([header, *rows]) + "\n")

    def load(self, entity: str = "account", now: datetime | None = None):
        from pipelines.extraction.loading import load_source

        reports = load_source(self.connection, self.source, self.folder, now or self.now)
        return next(report for report in reports if report.entity == entity)

    def rows(self, query: str) -> list[tuple]:
        return self.connection.execute(query).fetchall()

    def ids(self, entity: str = "account") -> list[str]:
        key = {"account": "Id", "event": "id"}[entity]
        return [row[0] for row in self.rows(f'select {key} from raw_crm.{entity} order by "_file", "_line"')]

    def quarantine(self) -> list[tuple]:
        return self.rows("select file, line, reason, raw_text from raw_crm._quarantine order by file, line")


def account(id_: str, stamp: str = "2025-01-01 00:00:00", name: str = "Acme", seats: str = "5") -> str:
    return f"{id_},{name},{seats},10.5,false,2024-01-31,{stamp}"


@pytest.fixture(name="account")
def account_line() -> Callable[..., str]:
    """One valid CSV line of an account."""
    return account


@pytest.fixture
def landing(tmp_path: Path):
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        folder = tmp_path / "crm"
        folder.mkdir()
        yield Landing(folder, connection)
