"""A small system with everything that a contract can say, and a landing folder for it."""

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
        from pipelines.extraction.loading.load import load_source

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


def without_the_rights_of_root() -> None:
    """Let this thread, and those that it starts, read only what its user may: tests may run as root."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    rights = (ctypes.c_uint32 * 6)()
    system = ctypes.CDLL(None, use_errno=True)
    assert system.capget(header, rights) == 0
    rights[0] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert system.capset(header, rights) == 0


@pytest.fixture(scope="session")
def as_user() -> Callable[..., object]:
    """Calls a function as a user who is not root."""

    def call(function: Callable[..., object], *values: object, **options: object) -> object:
        with ThreadPoolExecutor(1, initializer=without_the_rights_of_root) as pool:
            return pool.submit(function, *values, **options).result()

    return call


@pytest.fixture
def landing(tmp_path: Path):
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        folder = tmp_path / "crm"
        folder.mkdir()
        yield Landing(folder, connection)
