"""A draft's contract: the `Source` that its exports are loaded with, and the Python file that declares it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.recognition import find_files
from pipelines.new_source.proposal import TIMES_OF_EVENTS, Draft, DraftTable
from pipelines.spelling import plain

LINE = 120
DUCKDB = {"string": "varchar", "bigint": "bigint", "double": "double", "boolean": "boolean"}
WRITTEN = ("name", "description", "columns", "key", "version", "time", "time_unit", "required", "labels", "files")
"""The parts of an entity that a draft has."""


def source_of(draft: Draft) -> Source:
    """The contract of a draft; file names that do not say what a file holds are among it as patterns."""
    entities = [_entity(draft, table) for table in draft.tables]
    for position, table in enumerate(draft.tables):
        found = [pattern for export in table.exports for pattern in _pattern(export.path, entities, position)]
        entities[position] = replace(entities[position], files=tuple(dict.fromkeys(found)))
    return Source(draft.name, draft.description, tuple(entities), draft.owner)


def raw_names(table: DraftTable) -> dict[str, str]:
    """Our name → the contract's column: the same, but where the file has another column that is called so."""
    headers = {plain(name): name for name in table.exports[0].names}
    named: dict[str, str] = {}
    for ours in in_order(table):
        header = table.columns[ours]
        wanted = "account_name" if ours == "account_key" and table.has_account_names else ours
        if same := next((named[other] for other in named if table.columns[other] == header), None):
            named[ours] = same
            continue
        is_free = headers.get(plain(wanted), header) == header
        name = wanted if is_free else re.sub(r"\W+", "_", header.lower()).strip("_")
        while name in named.values() or (name != ours and name in table.columns):
            name += "_"
        named[ours] = name
    return named


def python_of(source: Source) -> str:
    """The file in `assets/sources/` that declares a source, laid out as ruff does it."""
    lines = [
        f'"""raw_{source.name}.*: {", ".join(entity.name for entity in source.entities)}."""',
        "",
        "from pipelines.extraction.contracts import Entity, Source",
        "",
        f"{source.name} = Source(",
        *_argument("name", source.name, 1),
        *_argument("description", source.description, 1),
        *_argument("owner", source.owner, 1),
        "    entities=(",
    ]
    for entity in source.entities:
        lines.append("        Entity(")
        for name in WRITTEN:
            value = getattr(entity, name)
            if value and not (name == "time_unit" and value == "timestamp"):
                lines += _argument(name, value, 3)
        lines.append("        ),")
    lines += ["    ),", ")"]
    return "\n".join(lines) + "\n"


def in_order(table: DraftTable) -> list[str]:
    """Our names of the mapped columns: the key, core's in its order, what only staging reads, the times."""
    order = [*table.vocabulary.key, *table.vocabulary.entity.columns]
    last = [name for name in order if name in ("created_at", "known_at")]
    extras = [name for name in table.columns if name not in order]
    order = dict.fromkeys([*(name for name in order if name not in last), *extras, *last])
    return [name for name in order if name in table.columns]


def _entity(draft: Draft, table: DraftTable) -> Entity:
    vocabulary, names = table.vocabulary, raw_names(table)
    types = {names[ours]: _type(table, ours) for ours in in_order(table)}
    key = tuple(names[ours] for ours in vocabulary.key)
    if vocabulary.is_versioned:
        version = time = names.get("known_at", "known_at")
        types.setdefault(version, "timestamp")
    else:
        version, time = None, next(names[ours] for ours in TIMES_OF_EVENTS if ours in names)
    what = table.name.replace("_", " ").capitalize()
    grain = "version of the record" if vocabulary.is_versioned else "record"
    return Entity(
        name=table.name,
        description=f"{what} of {draft.name}, for {table.entity}. One row per {grain}.",
        columns=types,
        key=key,
        version=version,
        time=time,
        time_unit="date" if types[time] == "date" else "timestamp",
        required=(time,) if time not in key else (),
        labels={names[ours]: (table.columns[ours],) for ours in in_order(table)},
    )


def _type(table: DraftTable, ours: str) -> str:
    """The type in DuckDB with which the file's column loads."""
    type_, column = table.vocabulary.types.get(ours, "string"), table.column(ours)
    if ours in ("known_at", "created_at"):
        return "timestamp"
    if type_ in ("date", "timestamp"):
        return "timestamp" if column.has_times or type_ == "timestamp" else "date"
    if type_ == "bigint" and column.filled and column.shares["whole"] < 1:
        return "double"
    return DUCKDB[type_]


def _pattern(path: Path, entities: Sequence[Entity], position: int) -> Iterator[str]:
    """A pattern of a file's name where it would not be taken for its entity without one."""
    claimed = find_files(path.resolve().parent, entities).files[entities[position].name]
    if not any(file.path.name == path.name for file in claimed):
        yield re.sub(r"\d[\d_.-]*(?=\D|$)", "*", path.name)


def _argument(name: str, value: object, depth: int) -> list[str]:
    """A keyword argument on one line, or with one item a line where it has several names."""
    indent = "    " * depth
    if isinstance(value, Mapping):
        inner = [line for key, item in value.items() for line in _item(f"{_text(key)}: ", item, depth + 1)]
        return [f"{indent}{name}={{", *inner, f"{indent}}},"]
    return _item(f"{name}=", value, depth)


def _item(start: str, value: object, depth: int) -> list[str]:
    indent = "    " * depth
    line = f"{indent}{start}{_value(value)},"
    if len(line) <= LINE:
        return [line]
    if isinstance(value, tuple):
        inner = [f"{indent}    {_text(each)}," for each in value]
        return [f"{indent}{start}(", *(_marked(each) for each in inner), f"{indent}),"]
    return [_marked(line)]


def _marked(line: str) -> str:
    return line if len(line) <= LINE else f"{line}  # noqa: E501"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_text(each) for each in value)}{',' if len(value) == 1 else ''})"
    return _text(str(value))


def _text(text: str) -> str:
    """A text as Python, in the quotes that ruff prefers."""
    written = json.dumps(text, ensure_ascii=False)
    if '\\"' in written and "'" not in text:
        return "'" + written[1:-1].replace('\\"', '"') + "'"
    return written
