"""Sixty bad inputs: each named in one line or read right, nothing beside it harmed, and all right once it is gone."""

import gzip
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.extraction.configuration import Limits
from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading.load import load_source

NOW = datetime(2025, 1, 10, 12, 0)
ACCOUNT = Entity(
    name="account",
    description="A company.",
    columns={"Id": "varchar", "Seats": "bigint", "Revenue": "double", "Stamp": "timestamp"},
    key=("Id",),
    version="Stamp",
    time="Stamp",
)
GOOD_FILES = ("account/1.csv", "account/2.jsonl", "account/z.parquet")
"""What lies beside every bad input."""
LIMITS = Limits(row_size=3 * 10**6)
STAMP = datetime(2025, 1, 1)


@dataclass(frozen=True)
class Bad:
    """A bad input: what puts it there, and what comes of it."""

    name: str
    """The file, below the entity's folder."""
    content: bytes | Callable[[Path], object]
    says: str = ""
    """In the line about the file; nothing for a file that is read right."""
    line: int | None = None
    """Of the row that is put aside; None: of the whole file."""
    ids: Sequence[str] = ()
    """The rows that are loaded of it all the same."""

    def put(self, folder: Path) -> None:
        path = folder / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(self.content):
            self.content(path)
        else:
            path.write_bytes(self.content)


def csv(*lines: str, header: str = "Id,Seats,Stamp", end: str = "\n", encoding: str = "utf-8") -> bytes:
    return "".join(line + end for line in (header, *lines)).encode(encoding)


def jsonl(*lines: str) -> bytes:
    return "".join(line + "\n" for line in lines).encode()


def parquet(columns: dict[str, object], **options: object) -> Callable[[Path], object]:
    return lambda path: pq.write_table(pa.table(columns), path, **options)


def repeated(value: object, times: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * times), pa.array([value]))


def cut(share: float) -> Callable[[Path], object]:
    def put(path: Path) -> None:
        parquet({"Id": [f"b{n}" for n in range(5000)], "Stamp": [STAMP] * 5000})(path)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return put


def damaged(path: Path) -> None:
    parquet({"Id": [f"b{n}" for n in range(5000)], "Stamp": [STAMP] * 5000}, compression="zstd")(path)
    content = bytearray(path.read_bytes())
    content[40:2000] = b"\xff" * 1960
    path.write_bytes(bytes(content))


def listening(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path may have 108 characters
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def forbidden(path: Path) -> None:
    path.write_bytes(csv(f"b1,5,{STAMP}"))
    path.chmod(0)


def forbidden_folder(path: Path) -> None:
    path.mkdir()
    (path / "1.csv").write_bytes(csv(f"b1,5,{STAMP}"))
    path.chmod(0)


def sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(50 * 10**9)


def link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def promised(path: Path) -> None:
    """A Parquet file of some hundred kilobytes with 200 million rows of nothing."""
    group = pa.table({"Id": pa.nulls(10**7, pa.string()), "Stamp": pa.nulls(10**7, pa.timestamp("us"))})
    with pq.ParquetWriter(path, group.schema) as writer:
        for _ in range(7):
            writer.write_table(group, row_group_size=10**7)


WIDE = [f"c{number}" for number in range(2001)]
TEXT = "x" * 200_000
ROW = f"b1,5,{STAMP}"
AS_JSON = f'{{"Id": "b1", "Stamp": "{STAMP}"'

BAD = [
    # What is no file.
    Bad("bad.csv", b"", "is empty (0 bytes)"),
    Bad("bad.csv", os.mkfifo, "is a named pipe, not a file"),
    Bad("bad.jsonl", os.mkfifo, "is a named pipe, not a file"),
    Bad("bad.csv", listening, "is a socket, not a file"),
    Bad("bad.csv", Path.mkdir, "is an empty folder"),
    Bad("bad.parquet", link("gone"), "account/gone, which is not there"),
    Bad("bad.csv", link("bad.csv"), "is a link to"),
    Bad("bad.csv", link("/dev/zero"), "is a link to /dev/zero, which is not in"),
    Bad("bad.csv", link("/etc/hostname"), "is a link to /etc/hostname, which is not in"),
    Bad("bad", link(".."), "is a link to the folder"),
    Bad("bad.csv", forbidden, "cannot be read (Permission denied). Let this user read it"),
    Bad("bad.csv", forbidden_folder, "cannot be read (Permission denied). Let this user read it"),
    Bad("bad.csv", sparse, "over a limit: it has 50 GB, at most 20 GB are allowed"),
    # Names.
    Bad(os.fsdecode(b"b\xe9d.csv"), csv(ROW), "has a name that is not UTF-8. Rename it"),
    Bad("b*d.csv", csv(ROW), "has *, ? or [ in its path"),
    Bad("bad.xlsx", b"PK\x03\x04", "cannot be read as an Excel workbook"),
    Bad("bad", csv(ROW), "files with no ending are not read"),
    Bad("b\n'\"; drop table x; --.csv", csv(ROW), ids=["b1"]),
    Bad("Id=other/Seats=9/bad.csv", csv(ROW), ids=["b1"]),
    # Not what the ending says.
    Bad("bad.csv", b"PK\x03\x04 and more", "is no table but an Excel workbook or a zip archive"),
    Bad("bad.jsonl", gzip.compress(jsonl(AS_JSON + "}")), "is no table but compressed (gzip)"),
    Bad("bad.csv", b"%PDF-1.7", "is no table but a PDF"),
    Bad("bad.csv", parquet({"Id": ["b1"], "Stamp": [STAMP]}), "is a Parquet file. Give it the ending .parquet"),
    Bad("bad.parquet", csv(ROW), "cannot be read as a whole Parquet file"),
    # Encodings and line ends.
    Bad("bad.csv", csv(ROW, encoding="utf-16"), ids=["b1"]),
    Bad("bad.csv", csv(ROW, encoding="utf-16")[:-1], "cannot be read as utf-16"),
    Bad("bad.csv", csv(ROW, encoding="utf-16-le"), "begins with zero bytes"),
    Bad("bad.csv", csv(f"b1,5,{STAMP}", header="Id,Größe,Stamp", encoding="latin-1"), ids=["b1"]),
    Bad("bad.csv", csv("b1,5,5", header="Id,Größe,@").replace(b"@", b"caf\xe9"), "line 1: the header is not UTF-8"),
    Bad(
        "bad.csv",
        csv(ROW, "@,5,2025-01-01", "ßü,5,2025-01-01").replace(b"@", b"b\xe9"),
        "not UTF-8: byte 0xe9",
        line=3,
        ids=["b1", "ßü"],
    ),
    Bad("bad.csv", b"\xef\xbb\xbf" + csv(ROW), ids=["b1"]),
    Bad("bad.csv", csv(ROW, "b2,x,2025-01-01", ROW.replace("b1", "b3"), end="\r"), "'x'", line=3, ids=["b1", "b3"]),
    Bad("bad.jsonl", jsonl(AS_JSON + "}", "{").replace(b"\n", b"\r"), "not valid JSON", line=2, ids=["b1"]),
    Bad("bad.csv", csv(ROW, f"b2,5,{STAMP}\rb3,5,{STAMP}"), "a lone CR within the line", line=3, ids=["b1"]),
    Bad("bad.csv", csv(ROW, header="Id,Seats,Stamp\rb2"), "line 1: the header has a lone CR"),
    Bad("bad.csv", csv(f"b1,5,{STAMP},\0", header="Id,Seats,Stamp,No\0te"), ids=["b1"]),
    # Headers.
    Bad("bad.csv", b"\n\n\n", "line 1: there is no column 'Id'"),
    Bad("bad.csv", csv("5", header="Seats"), "line 1: there is no column 'Id', which is part of the key"),
    Bad("bad.csv", csv(ROW, header="Id,ID,Stamp"), "line 1: the column Id, ID is there more than once"),
    Bad("bad.csv", csv(ROW, header='Id,Seats,"Stamp'), "a quote is opened in the header and never closed"),
    Bad("bad.csv", csv(ROW + ",x", header=f"Id,Seats,Stamp,{TEXT}"), ids=["b1"]),
    Bad("bad.csv", csv(ROW + ",x,y,z,,,", header='Id,Seats,Stamp,rowid,_file,"two\nlines",,No,no'), ids=["b1"]),
    Bad("bad.csv", csv(header="Id,Stamp," + ",".join(WIDE)), "it has 2,003 columns, at most 2,000 are allowed"),
    # Lines.
    Bad("bad.csv", csv(ROW, "b2"), "1 values in the line, but the header has 3 columns", line=3, ids=["b1"]),
    Bad("bad.csv", csv(f'"b0,5,{STAMP}', ROW), "a quote is opened and never closed", line=2, ids=["b1"]),
    Bad("bad.csv", csv(f'"{TEXT}",5,{STAMP}', "b2", ROW), "1 values", line=3, ids=[TEXT, "b1"]),
    Bad("bad.csv", csv(f"b1,5,{STAMP},{'x' * 4_000_000}"), "line 2 has more than 3 MB, at most 3 MB are allowed"),
    Bad("bad.csv", csv(f"b2,{'9' * 5000},{STAMP}", ROW), "Seats is not a whole number", line=2, ids=["b1"]),
    Bad("bad.csv", csv("b2,5,2025-01-13", ROW), "is in the future", line=2, ids=["b1"]),
    Bad("bad.csv", csv(ROW, ROW), "already loaded from account/bad.csv, line 2", line=3, ids=["b1"]),
    # JSON.
    Bad("bad.jsonl", jsonl(AS_JSON + ', "x": ' + "[" * 10**5 + "]" * 10**5 + "}"), ids=["b1"]),
    Bad("bad.jsonl", jsonl(AS_JSON + ', "x": ' + "[" * 10**5, AS_JSON + "}"), "not valid JSON", line=1, ids=["b1"]),
    Bad("bad.jsonl", jsonl(AS_JSON + ', "Seats": ' + "9" * 5000 + "}"), "Seats is not a whole number", line=1),
    Bad("bad.jsonl", jsonl("[", AS_JSON + "}", "]"), "the line is not valid JSON", line=1, ids=["b1"]),
    Bad("bad.jsonl", jsonl(AS_JSON + "}", AS_JSON.replace("Id", "ID") + "}"), "the column ID, Id is there more than"),
    Bad("bad.jsonl", jsonl(AS_JSON + ', "": 1, "a\\u0000b": 2, "x": 3, "X": 4, "\'\\"": 5}'), ids=["b1"]),
    Bad("bad.jsonl", jsonl(AS_JSON + ', "x": "' + "x" * 4_000_000 + '"}'), "line 1 has more than 3 MB, at most 3 MB"),
    Bad("bad.jsonl", jsonl(*(f'{{"Id": "b", "{name}": 1}}' for name in WIDE)), "it has 2,002 columns, at most 2,000"),
    Bad(
        "bad.jsonl",
        jsonl(AS_JSON + "".join(f', "{name}": 1' for name in WIDE[:1900]) + "}", *["{}"] * 50_000),
        "its 50,001 lines of 1,902 keys in all become 1.52 GB",
    ),
    # Parquet.
    Bad("bad.parquet", cut(0.5), "cannot be read as a whole Parquet file"),
    Bad("bad.parquet", cut(0.98), "cannot be read as a whole Parquet file"),
    Bad("bad.parquet", damaged, "cannot be read as a whole Parquet file"),
    Bad("bad.parquet", b"PAR1" + os.urandom(50) + b"PAR1", "cannot be read as a whole Parquet file"),
    Bad("bad.parquet", parquet({"Stamp": [STAMP]}), "there is no column 'Id', which is part of the key"),
    Bad("bad.parquet", parquet({name: ["b1"] for name in ["Id", *WIDE]}), "it has 2,002 columns, at most 2,000"),
    Bad("bad.parquet", promised, "over a limit: its "),
    Bad(
        "bad.parquet",
        parquet({"Id": repeated("x" * 10**6, 2000), "Stamp": repeated(STAMP, 2000)}, compression="zstd"),
        "become 2 GB when they are read",
    ),
    Bad(
        "bad.parquet",
        parquet({"Id": ["x" * 5 * 10**6], "Stamp": [STAMP]}, compression="zstd"),
        "a value has 5 MB, at most 3 MB are allowed",
    ),
    Bad("bad.parquet", parquet({"Id": ["b1"], "Stamp": [STAMP], "a\0b": [1], 'say "x"': [2]}), ids=["b1"]),
]


class Company:
    """One database; every case is a system of its own in it."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection, as_user: Callable):
        self.folder, self.connection, self.as_user = folder, connection, as_user

    def landing(self, name: str) -> Path:
        """The entity's folder of a system, with the good files in it."""
        folder = self.folder / name / "account"
        folder.mkdir(parents=True)
        (folder / "1.csv").write_bytes(csv(f"g1,5,{STAMP}"))
        (folder / "2.jsonl").write_bytes(jsonl(*(f'{{"Id": "{id_}", "Stamp": "{STAMP}"}}' for id_ in ("g2", "g3"))))
        parquet({"Id": ["g4"], "Stamp": [STAMP], "Tier": ["A"]})(folder / "z.parquet")
        return folder

    def load(self, name: str):
        source = Source(name=name, description="", entities=(ACCOUNT,))
        (report,) = self.as_user(load_source, self.connection, source, self.folder / name, NOW, limits=LIMITS)
        return report

    def rows(self, query: str, *values: object) -> list[tuple]:
        return self.connection.execute(query, values).fetchall()

    def state(self, name: str) -> dict[str, list[tuple]]:
        """What is loaded, put aside and on record, without when."""
        schema = f"raw_{name}"
        return {
            "rows": self.rows(
                f"select Id, Seats, Revenue, Stamp, Tier, _file, _line from {schema}.account order by all"
            ),
            "quarantine": self.rows(f"select file, line, reason, raw_text from {schema}._quarantine order by all"),
            "manifest": self.rows(
                "select file, rows, quarantined, repeated, changed, status, message"
                f" from {schema}._manifest order by all"
            ),
        }


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, as_user):
    folder = tmp_path_factory.mktemp("company")
    with duckdb.connect(str(folder / "warehouse.duckdb"), config={"memory_limit": "1200MB"}) as connection:
        yield Company(folder, connection, as_user)
    for path in folder.rglob("bad.csv"):
        path.chmod(0o700)


def good_rows(company: Company, name: str) -> list[tuple]:
    return company.rows(
        f"select Id, Seats, Revenue, Stamp, Tier, _file, _line from raw_{name}.account"
        f" where _file in {GOOD_FILES} order by all"
    )


@pytest.fixture(scope="module")
def undisturbed(company: Company) -> dict[str, dict[str, list[tuple]]]:
    """Ending to what a run has that never saw the bad file, but only its replacement; `` without one."""
    states = {}
    for ending in ("", ".csv", ".jsonl", ".parquet"):
        name = f"clean_{ending.removeprefix('.')}"
        replace_it(company.landing(name), ending)
        company.load(name)
        states[ending] = company.state(name)
    return states


def replace_it(folder: Path, ending: str) -> None:
    if ending == ".csv":
        (folder / "bad.csv").write_bytes(csv(f"r1,7,{STAMP}"))
    elif ending == ".jsonl":
        (folder / "bad.jsonl").write_bytes(jsonl(f'{{"Id": "r1", "Seats": 7, "Stamp": "{STAMP}"}}'))
    elif ending == ".parquet":
        parquet({"Id": ["r1"], "Stamp": [STAMP], "Seats": [7]})(folder / "bad.parquet")


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        for child in path.iterdir():
            remove(child)
        path.rmdir()
    else:
        path.unlink()


def test_there_are_sixty():
    assert len(BAD) >= 60


@pytest.mark.parametrize(
    "number", range(len(BAD)), ids=[f"{n}-{bad.says[:30] or 'right'}" for n, bad in enumerate(BAD)]
)
def test_a_bad_input(company: Company, undisturbed, number: int):
    bad, name = BAD[number], f"case_{number}"
    folder = company.landing(name)
    bad.put(folder)
    report = company.load(name)

    assert good_rows(company, name) == undisturbed[""]["rows"]
    aside = company.rows(f"select file, line, reason from raw_{name}._quarantine order by line")
    loaded = company.rows(f"select Id from raw_{name}.account where _file not in {GOOD_FILES} order by _line")
    assert [id_ for (id_,) in loaded] == list(bad.ids)
    if not bad.says:
        assert (report.rejected, aside) == ((), [])
    elif bad.line is None:
        (told,) = report.rejected
        assert bad.says in told
        assert told.isprintable()
        assert os.fsencode(bad.name).decode(errors="backslashreplace").split(".")[0].split("*")[0] in told
        assert [(line, reason) for _, line, reason in aside] == [(None, told)]
    else:
        assert (aside[0][:2], report.rejected) == ((f"account/{bad.name}", bad.line), ())
        assert bad.says in aside[0][2]
    assert os.listdir(company.folder / "scratch") == []

    remove(folder / bad.name.split("/")[0])
    company.load(name)
    assert good_rows(company, name) == undisturbed[""]["rows"]

    ending = Path(bad.name).suffix if bad.name.startswith("bad.") and ".xlsx" not in bad.name else ""
    replace_it(folder, ending)
    assert company.load(name).rejected == ()
    after = company.state(name)
    if ending:
        assert after == undisturbed[ending]
    else:
        beside = [row for row in after["rows"] if row[-2] in GOOD_FILES]
        assert beside == undisturbed[""]["rows"]
