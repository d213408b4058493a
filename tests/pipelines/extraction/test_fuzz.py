"""Valid exports of several systems, changed at random: no row is lost silently and no value changes silently."""

import csv
import gzip
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from assets.sources.product import product
from assets.sources.salesforce import salesforce
from assets.sources.stripe import stripe
from assets.sources.zendesk import zendesk
from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading.load import load_source
from tests.pipelines.extraction.test_plain_copies import workbook

NOW, DAY = datetime(2025, 6, 1), datetime(2025, 1, 31, 13, 45)
TOKEN = re.compile(r"[GKLM]\d{3}x")
"""Every record has one, in its key: by it the test finds each record again, wherever it is."""
TEXT = st.text(alphabet="ab12 ,;|\t\"'\nßé", max_size=8)


def epoch(moment: datetime) -> int:
    return int((moment - datetime(1970, 1, 1)).total_seconds())


def accounts(token: str, n: int, text: str) -> dict:
    known = DAY + timedelta(hours=n)
    return {
        "Id": token,
        "Name": text,
        "NumberOfEmployees": n * 37,
        "AnnualRevenue": n * 1250.25,
        "IsDeleted": n % 3 == 0,
        "CreatedDate": DAY,
        "SystemModstamp": known,
        "Tier__c": f"tier {n}",
    }


def invoices(token: str, n: int, text: str) -> dict:
    at = epoch(DAY) + n * 86_400
    return {
        "id": token,
        "customer": f"cus_{n}",
        "number": text,
        "amount_due": n * 999,
        "amount_due_in_units": n * 9.99,
        "created": at,
        "due_date": at + 86_400 * 14 if n % 2 else None,
        "updated": at + 60,
    }


def tickets(token: str, n: int, text: str) -> dict:
    opened = DAY + timedelta(minutes=n)
    return {
        "id": token,
        "subject": text,
        "description": f"It does not work {n} times",
        "via_channel": "web",
        "created_at": opened,
        "updated_at": opened + timedelta(days=2),
        "solved_at": opened + timedelta(days=1) if n % 2 else None,
    }


def usage(token: str, n: int, text: str) -> dict:
    return {
        "workspace_id": token,
        "date": (DAY + timedelta(days=n)).date(),
        "active_users": n + 1,
        "minutes_active": n * 1.5,
        "received_at": DAY + timedelta(days=n + 1),
        "comment": text,
    }


KINDS: dict[str, tuple[Source, str, Callable[[str, int, str], dict]]] = {
    "account": (salesforce, "lead", accounts),
    "invoice": (stripe, "customer", invoices),
    "ticket": (zendesk, "user", tickets),
    "usage_daily": (product, "workspace", usage),
}
"""Entity → its system, another entity of it that has a file, and what makes the values of a record."""

REFUSED = object()
"""No value: the row must be put aside."""
NONSENSE: dict[str, dict[str, object]] = {
    "number": {
        **dict.fromkeys(("abc", "infinity", "0x1F", "1e400", "1_000", "TRUE", "1 2 3", "2025-01-01", "1;2"), REFUSED),
        **{"n/a": None, "-": None, "  ": None, "007": 7},
    },
    "time": {
        **dict.fromkeys(("abc", "31/02/2025", "infinity", "epoch", "now", "2025-13-01", "12:30"), REFUSED),
        **{"n/a": None, "": None, "0001-01-01": REFUSED, "2025-01-31": datetime(2025, 1, 31)},
    },
    "boolean": {**dict.fromkeys(("maybe", "2", "ja"), REFUSED), "n/a": None, "": None, "Yes": True},
    "text": {
        text: text
        for text in (
            "=1+1",
            "\\N",
            "null",
            "1e5",
            '"',
            "'",
            "  x ",
            "ﬀ\u200b",
            "1,5",
            "NaN",
            "[1]",
            "🙂\x01",
            "x" * 3000,
        )
    },
}
"""What is written in place of a value, by its kind → how it is to be read."""

Make = Callable[[str, int, str], dict]


@dataclass
class Table:
    """The columns of a file as they are called in it, and its rows; what is expected stands beside."""

    names: list[str]
    rows: list[list]
    columns: list[str]
    """What each column holds: the contract's column, or a custom one."""
    expected: list[dict[str, object]]
    """Of each row: column → the value as it is to be loaded."""
    kinds: dict[str, str]
    """Column → a key of `NONSENSE`."""
    may_be_aside: set[str] = field(default_factory=set)
    """Records with nonsense."""
    broken: set[int] = field(default_factory=set)
    """Rows that are no records."""
    missing: set[str] = field(default_factory=set)
    """Columns without which the file is refused."""
    is_twice: bool = False
    """It has a column of the contract twice."""


def table(entity: Entity, make: Make, letter: str, texts: Iterable[str]) -> Table:
    records = [make(f"{letter}{n:03}x", n, text) for n, text in enumerate(texts)]
    columns = list(records[0])
    kinds = {}
    for column in columns:
        value = next((record[column] for record in records if record[column] is not None), None)
        is_time = column in (entity.time, *entity.epochs) or isinstance(value, date) or value is None
        is_number = isinstance(value, (int, float))
        kinds[column] = (
            "time" if is_time else "boolean" if isinstance(value, bool) else "number" if is_number else "text"
        )
    return Table(list(columns), [list(record.values()) for record in records], columns, records, kinds)


# Changes of the table


def permuted(data: st.DataObject, some: Table, entity: Entity) -> None:
    order = data.draw(st.permutations(range(len(some.names))))
    some.names, some.columns = [some.names[n] for n in order], [some.columns[n] for n in order]
    some.rows = [[row[n] for n in order] for row in some.rows]


def dropped(data: st.DataObject, some: Table, entity: Entity) -> None:
    position = data.draw(st.integers(0, len(some.names) - 1))
    is_last = some.columns.count(some.columns[position]) == 1
    if is_last:
        lose(some, entity, some.columns[position])
    for values in (some.names, some.columns, *some.rows):
        del values[position]
    some.is_twice &= is_last


def renamed(data: st.DataObject, some: Table, entity: Entity) -> None:
    position = data.draw(st.integers(0, len(some.names) - 1))
    is_last = some.columns.count(some.columns[position]) == 1
    if is_last:
        lose(some, entity, some.columns[position])
    free = [name for name in ("xyz", "Größe", "a b", "%", "rowid", "_file") if name not in some.names]
    some.names[position] = some.columns[position] = data.draw(st.sampled_from(free))
    some.is_twice &= is_last


def lose(some: Table, entity: Entity, column: str) -> None:
    """What becomes of a file without the column."""
    if column in (*entity.key, *entity.required) and column not in entity.filled:
        some.missing.add(column)
    for row in some.expected:
        row.pop(column, None)
        if column in entity.columns and column not in entity.filled:
            row[column] = None


def doubled(data: st.DataObject, some: Table, entity: Entity) -> None:
    position = data.draw(st.integers(0, len(some.names) - 1))
    for values in (some.names, some.columns, *some.rows):
        values.append(values[position])
    some.is_twice |= some.columns[position] in entity.columns


def nonsense(data: st.DataObject, some: Table, entity: Entity) -> None:
    row, position = (data.draw(st.integers(0, len(values) - 1)) for values in (some.rows, some.names))
    column = some.columns[position]
    token = token_of(some, row, entity)
    if column not in some.kinds or column == token_column(entity) or token is None or some.columns.count(column) > 1:
        return
    kind = some.kinds[column]
    written = data.draw(st.sampled_from(list(NONSENSE[kind])))
    some.rows[row][position] = written
    some.may_be_aside.add(token)
    some.expected[row].pop(column, None)
    if column in entity.columns:
        some.expected[row][column] = NONSENSE[kind][written]


def row_doubled(data: st.DataObject, some: Table, entity: Entity) -> None:
    row = data.draw(st.integers(0, len(some.rows) - 1))
    some.rows.append(list(some.rows[row]))
    some.expected.append(dict(some.expected[row]))


CHANGES = [permuted, dropped, renamed, doubled, nonsense, nonsense, nonsense, row_doubled]


def token_column(entity: Entity) -> str:
    return entity.key[-1]


def token_of(some: Table, row: int, entity: Entity) -> str | None:
    column = token_column(entity)
    return some.rows[row][some.columns.index(column)] if column in some.columns else None


# Formats


def text_of(value: object, is_comma: bool = False, is_german: bool = False) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and is_comma:
        return str(value).replace(".", ",")
    if isinstance(value, datetime):
        return f"{value:%d.%m.%Y %H:%M:%S}" if is_german else value.isoformat(sep=" ")
    return f"{value:%d.%m.%Y}" if isinstance(value, date) and is_german else str(value)


def as_csv(data: st.DataObject, some: Table) -> tuple[str, bytes]:
    draw = data.draw
    delimiter, ends = draw(st.sampled_from(",;\t|")), draw(st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n"]]))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    is_comma, is_german, has_sep = (draw(st.booleans()) for _ in range(3))

    def line(values: list[str], number: int) -> str:
        end, out = ends[number % len(ends)], io.StringIO(newline="")
        csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerow(values)
        return out.getvalue().replace("\n", end)

    lines = [line(some.names, 0)]
    lines += [line([text_of(value, is_comma, is_german) for value in row], n) for n, row in enumerate(some.rows)]
    lines[-1] = lines[-1].rstrip("\r\n") + draw(st.sampled_from(["", ends[0], ends[0] * 3]))
    broken = draw(st.integers(0, len(lines) * 2))
    if 0 < broken < len(lines) and not {"\n", "\r"} & set(lines[broken].rstrip("\r\n")):
        bare = lines[broken].rstrip("\r\n")
        too_much, too_little = f"{bare}{delimiter}{bare}", bare.rpartition(delimiter)[0]
        changed = draw(st.sampled_from([too_much, too_little, lines[0].rstrip("\r\n"), f'"{bare}']))
        lines[broken] = changed + lines[broken].removeprefix(bare)
        some.broken.add(broken - 1)
    content = "".join(lines)
    if has_sep:
        content = f"sep={delimiter}{ends[0]}{content}"
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    try:
        return "csv", content.encode(encoding)
    except UnicodeEncodeError:
        return "csv", content.encode()


def as_json(data: st.DataObject, some: Table) -> tuple[str, bytes]:
    kind = data.draw(st.sampled_from(["lines", "array", "wrapped"]))
    is_ascii = data.draw(st.booleans())
    records = [
        {name: str(value) if isinstance(value, date) else value for name, value in zip(some.names, row, strict=True)}
        for row in some.rows
    ]
    if kind == "lines":
        text = "\n".join(json.dumps(record, ensure_ascii=is_ascii) for record in records) + "\n"
        return data.draw(st.sampled_from(["jsonl", "ndjson", "json"])), text.encode()
    document = records if kind == "array" else {"count": len(records), "records": records, "next": None}
    return "json", json.dumps(document, ensure_ascii=is_ascii, indent=data.draw(st.sampled_from([None, 1]))).encode()


def as_parquet(data: st.DataObject, some: Table) -> tuple[str, bytes]:
    out, columns = io.BytesIO(), []
    for position in range(len(some.names)):
        values = [row[position] for row in some.rows]
        is_mixed = len({type(value) for value in values if value is not None}) > 1
        columns.append(
            pa.array([None if value is None else text_of(value) for value in values] if is_mixed else values)
        )
    pq.write_table(pa.Table.from_arrays(columns, names=some.names), out)
    return "parquet", out.getvalue()


def as_xlsx(data: st.DataObject, some: Table) -> tuple[str, bytes]:
    def cell(value: object) -> object:
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else text_of(value)

    return "xlsx", workbook([some.names, *([cell(value) for value in row] for row in some.rows)])


FORMATS = [as_csv, as_csv, as_csv, as_json, as_json, as_parquet, as_xlsx]
INSERTED = [
    b"\0",
    b'"',
    b'""',
    b"\n",
    b"\r",
    b"\r\n",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\x1a",
    b",",
    b";",
    b"{",
    b"[",
    b"a",
]


def damaged(data: st.DataObject, ending: str, content: bytes) -> bytes:
    if ending in ("parquet", "xlsx"):
        return content[: data.draw(st.integers(0, len(content) - 1))]
    for _ in range(data.draw(st.integers(1, 3))):
        last = data.draw(st.sampled_from([len(content), len(content), min(len(content), 100)]))
        position = data.draw(st.integers(0, max(last - 1, 0)))
        before, after = content[:position], content[position:]
        changed = [before, before + after[1:], before + after[7:], *(before + piece + after for piece in INSERTED)]
        content = data.draw(st.sampled_from(changed))
    return content


# What must hold


def good(entity: Entity) -> bytes:
    """A file of one record of any entity."""

    def value(column: str, type_: str) -> object:
        if column in (entity.time, *entity.epochs) and type_ == "bigint":
            return epoch(DAY)
        return {"varchar": "G000x", "bigint": 1, "double": 1.0, "boolean": column == "livemode"}.get(type_, DAY)

    columns = {column: value(column, type_) for column, type_ in entity.columns.items()}
    return f"{','.join(columns)}\n{','.join(map(text_of, columns.values()))}\n".encode()


def alike(found: object, wanted: object, ending: str) -> bool:
    """Whether a loaded value is the one that was written: line ends and, in sheets, blanks are not told apart."""
    if isinstance(wanted, date) and isinstance(found, int):
        wanted = epoch(datetime.combine(wanted, time()) if not isinstance(wanted, datetime) else wanted)
    if isinstance(wanted, datetime) and not isinstance(found, datetime) and isinstance(found, date):
        wanted = wanted.date()
    if isinstance(wanted, str) and isinstance(found, (str, type(None))):
        texts = [re.sub(r"\r\n?", "\n", text or "") for text in (found, wanted)]
        if ending == "xlsx":
            texts = [" ".join(text.split()) for text in texts]
        return texts[0] == texts[1]
    return found == wanted


def check_values(loaded: list[dict], some: Table, entity: Entity, ending: str) -> None:
    """Every loaded row is one that was written, and every record without nonsense is loaded."""
    column = token_column(entity)
    wanted = [(token_of(some, n, entity), row) for n, row in enumerate(some.expected) if n not in some.broken]
    for row in loaded:
        different = [
            [
                (name, row.get(name), value)
                for name, value in expected.items()
                if not alike(row.get(name), value, ending)
            ]
            for token, expected in wanted
            if token == row[column]
        ]
        assert [] in different, different
    tokens = {row[column] for row in loaded}
    assert {token for token, _ in wanted} - tokens <= some.may_be_aside


def check_tokens(loaded: list[dict], aside: list[tuple], content: bytes, entity: Entity) -> None:
    """Every record whose token is left in the damaged file is in the key of a loaded row, or in a text put aside."""
    text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", errors="replace")
    known = [row[token_column(entity)] or "" for row in loaded] + [raw for *_, raw in aside]
    assert len(TOKEN.findall(text)) <= sum(len(TOKEN.findall(each)) for each in known)


@dataclass
class Changed:
    """A changed file, and what it was made from."""

    table: Table
    file: str
    ending: str
    content: bytes
    is_packed: bool
    is_damaged: bool


def changed(data: st.DataObject, entity: Entity, make: Make, letter: str) -> Changed:
    some = table(entity, make, letter, data.draw(st.lists(TEXT, min_size=1, max_size=6)))
    for change in data.draw(st.lists(st.sampled_from(CHANGES), max_size=3)):
        change(data, some, entity)
    ending, content = data.draw(st.sampled_from(FORMATS))(data, some)
    is_packed = ending in ("csv", "json", "jsonl") and data.draw(st.sampled_from([False, False, True]))
    if is_packed:
        content = gzip.compress(content, mtime=0)
    is_damaged = data.draw(st.booleans())
    if is_damaged:
        content = damaged(data, ending, content)
    file = f"{entity.name}/{letter}.{ending}{'.gz' if is_packed else ''}"
    return Changed(some, file, ending, content, is_packed, is_damaged)


def check(one: Changed, entity: Entity, connection: duckdb.DuckDBPyConnection, raw: str) -> None:
    """The file is refused with a reason, or each of its rows is loaded as it was written or put aside."""
    some, where = one.table, f"= '{one.file}'"
    rows_loaded = connection.execute(f"from {raw}.{entity.name} where _file {where}")
    loaded = rows_loaded.to_arrow_table().to_pylist()
    aside = connection.execute(
        f"select line, reason, coalesce(raw_text, '') from {raw}._quarantine where file {where}"
    ).fetchall()
    ((status, message, rows, repeated),) = connection.execute(
        f"select status, message, rows, repeated from {raw}._manifest where file {where}"
    ).fetchall()
    if status == "rejected":
        assert one.file in message
        assert loaded == []
        words = [f"'{column}'" for column in some.missing] + ["more than once"] * some.is_twice
        is_named = any(each in message for each in words)
        assert is_named or one.is_damaged, message
        return
    assert rows == len(loaded) + len(aside)
    assert repeated == 0
    if not one.is_damaged:
        assert not some.missing and not (some.is_twice and one.ending not in ("json", "jsonl", "ndjson"))
        assert rows == len(some.rows)
    if not one.is_damaged or one.is_packed:
        check_values(loaded, some, entity, one.ending)
    elif one.ending not in ("parquet", "xlsx"):
        check_tokens(loaded, aside, one.content, entity)


LETTERS = "KLM"
"""Of three changed files in one load."""


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # making a failure smaller takes minutes
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
def test_every_row_of_changed_files_is_loaded_or_put_aside_as_it_was_written(data):
    name = data.draw(st.sampled_from(list(KINDS)))
    source, beside, make = KINDS[name]
    by_name = {entity.name: entity for entity in source.entities}
    entity, other = by_name[name], by_name[beside]
    some = [changed(data, entity, make, letter) for letter in LETTERS]
    files = {one.file: one.content for one in some}
    files |= {f"{name}/a.csv": as_csv_plainly(table(entity, make, "G", "xyz")), f"{beside}.csv": good(other)}
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        (Path(folder) / name).mkdir()
        for path, content in files.items():
            (Path(folder) / path).write_bytes(content)
        load_source(connection, replace(source, entities=(entity, other)), Path(folder), NOW)
        raw = f"raw_{source.name}"
        loaded = dict(connection.execute(f"select _file, count(*) from {raw}.{name} group by 1").fetchall())
        assert loaded[f"{name}/a.csv"] == 3
        assert set(loaded) <= set(files)
        assert connection.execute(f"select count(*) from {raw}.{beside}").fetchone() == (1,)
        for one in some:
            check(one, entity, connection, raw)


def as_csv_plainly(some: Table) -> bytes:
    lines = [some.names, *([text_of(value) for value in row] for row in some.rows)]
    return "".join(",".join(line) + "\n" for line in lines).encode()
