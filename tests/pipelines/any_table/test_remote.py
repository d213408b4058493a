import functools
import importlib.util
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.any_table import remote
from pipelines.any_table.remote import NotReachable, copied, is_address, without_query
from pipelines.any_table.tables import TableError, read_table


def httpfs_is_there() -> bool:
    if importlib.util.find_spec(remote.EXTENSION):
        return True
    try:
        duckdb.connect().execute("load httpfs")
    except duckdb.Error:
        return False
    return True


needs_httpfs = pytest.mark.skipif(not httpfs_is_there(), reason="DuckDB's extension httpfs is not installed")
SMALL = "id,plan,seats\nA1,basic,3\nA2,pro,12\n"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which its files are served."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("location", "is_one"),
    [
        ("https://host/x.csv", True),
        ("S3://bucket/x.parquet", True),
        ("data/https/x.csv", False),
        ("C:/x.csv", False),
        ("http.csv", False),
    ],
)
def test_an_address_is_told_from_a_path(location: str, is_one: bool):
    assert is_address(location) == is_one


def test_signatures_and_passwords_of_an_address_are_shown_to_nobody():
    assert without_query("https://me:s3cret@host:81/a/x.csv?X-Amz-Signature=abc#f") == "https://host:81/a/x.csv"
    assert without_query("a folder/what?.csv") == "a folder/what?.csv"


def test_without_the_extension_and_a_network_a_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Offline:
        def __enter__(self) -> "Offline":
            return self

        def __exit__(self, *_: object) -> None: ...

        def execute(self, statement: str, *_: object) -> None:
            raise duckdb.IOException(f"cannot {statement}")

    monkeypatch.setattr(duckdb, "connect", Offline)
    with pytest.raises(NotReachable) as told:
        copied("https://host/x.csv?key=s3cret", tmp_path)
    assert str(told.value).startswith("https://host/x.csv cannot be read: DuckDB's extension httpfs is not there")
    assert "Download the file" in str(told.value) and "\n" not in str(told.value) and "s3cret" not in str(told.value)


def test_a_pattern_is_no_table(tmp_path: Path):
    with pytest.raises(NotReachable, match=r"stands for several files; name one\."):
        copied("s3://bucket/*.csv", tmp_path)


@needs_httpfs
def test_a_table_is_the_same_from_its_address_in_every_form(served: tuple[Path, str]):
    folder, address = served
    (folder / "small table.csv").write_text(SMALL)
    pl.read_csv(folder / "small table.csv").write_parquet(folder / "small.parquet")
    (folder / "small.json").write_text('[{"id": "A1", "plan": "basic"}, {"id": "A2", "plan": "pro"}]')
    for name, asked in (("small table.csv", "small%20table.csv?token=1"), ("small.parquet",) * 2, ("small.json",) * 2):
        assert_frame_equal(read_table(f"{address}/{asked}"), read_table(str(folder / name)))


@needs_httpfs
def test_what_is_not_there_or_broken_is_named_by_its_address(served: tuple[Path, str]):
    folder, address = served
    with pytest.raises(TableError) as told:
        read_table(f"{address}/missing.csv?key=s3cret")
    assert str(told.value).startswith(f"{address}/missing.csv cannot be read: ") and "s3cret" not in str(told.value)
    (folder / "broken.csv").write_text("a,b\n1,2\n3,4,5\n")
    with pytest.raises(TableError) as told:
        read_table(f"{address}/broken.csv")
    assert f"{address}/broken.csv" in str(told.value) and "scratch" not in str(told.value)
