"""Which entity a file of a source's folder belongs to: by folder, by name, or by its columns."""

import csv
import gzip
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

from pipelines.extraction.configuration import Limits
from pipelines.extraction.contracts import Entity
from pipelines.extraction.files import (
    DELIMITERS,
    SEPARATOR_LINE,
    LandedFile,
    format_of,
    is_left_alone,
    landed,
    open_file,
    printable,
    walk,
)
from pipelines.spelling import did_you_mean, plain

HEAD_BYTES = 1 << 18
FEWEST_KNOWN, LEAST_SHARE = 3, 0.5
"""Of a file's columns, for an entity to be recognised by them."""


@dataclass
class Claims:
    """What a source's folder holds."""

    files: dict[str, list[LandedFile]]
    """Entity → its files, sorted by name."""
    notes: dict[str, str] = field(default_factory=dict)
    """File → how it was recognised, where its name alone does not say it."""
    strays: list[str] = field(default_factory=list)
    """Messages about what belongs to no entity."""


def find_files(
    folder: Path, entities: Sequence[Entity], limits: Limits | None = None, only: Collection[Path] | None = None
) -> Claims:
    """
    The files of each entity below a source's folder.

    A folder or file is an entity's if it is called like it (singular or plural; case and underscores do not matter),
    or if the contract's patterns fit. Of other files the words of the name must hold the entity's and the columns be
    the entity's, or the columns alone must be those of one entity. Hidden and unfinished files (`.tmp`, `.part`) are
    left alone. What is no ordinary file (a pipe, a link that leads out of the folder, a name that is not UTF-8) is
    among the files, with its `refusal`. `only`: paths below the folder; others are passed over.
    """
    claims = Claims({entity.name: [] for entity in entities})
    limits, root = limits or Limits(), folder.resolve()
    for entry in sorted(folder.iterdir()):
        if is_left_alone(entry) or (only is not None and not any(each.is_relative_to(entry) for each in only)):
            continue
        entity = _by_name(entry, folder, entities)
        for path, refusal in walk(entry, root):
            if is_left_alone(path) or (only is not None and path not in only):
                continue
            owner, how = (entity, "") if entity else _recognised(path, folder, entities, refusal)
            if owner is None:
                _note_stray(claims, entry, path, entities)
                continue
            file = landed(path, folder, refusal, limits)
            claims.files[owner.name].append(file)
            if how:
                claims.notes[file.name] = f"{file.name} is taken for {owner.name}, {how}"
    _add_inner(claims, entities)
    for files in claims.files.values():
        files.sort(key=lambda file: file.name)
    return claims


def file_columns(path: Path) -> list[str]:
    """The names of a file's columns as far as its head shows them; nothing where it cannot be read."""
    try:
        format_ = format_of(path)
        if format_ == "parquet":
            import pyarrow.parquet

            return pyarrow.parquet.read_schema(path).names
        if format_ == "xlsx":
            from python_calamine import CalamineWorkbook

            rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python(nrows=1)
            return [str(name) for name in rows[0]] if rows else []
        with open_file(path) as stream:
            head = gzip.GzipFile(fileobj=stream).read(HEAD_BYTES) if path.suffix == ".gz" else stream.read(HEAD_BYTES)
    except Exception:
        return []
    is_wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = head.decode("utf-16" if is_wide else "utf-8-sig", errors="replace")
    return _csv_columns(text) if format_ == "csv" else _json_columns(text)


def known_share(entity: Entity, columns: Sequence[str]) -> tuple[int, float]:
    """How many of a file's columns the entity knows, and which share that is; 0 without its key or what is required."""
    names = entity.names()
    found = {names[plain(column)] for column in columns if plain(column) in names}
    found |= {column for path, column in entity.nested().items() if path.split(".")[0] in columns}
    needed = set(entity.key) | (set(entity.required) - {entity.version, entity.time} if entity.version else set())
    if not needed <= found:
        return 0, 0.0
    return len(found), len(found) / max(len(columns), 1)


def _by_name(entry: Path, folder: Path, entities: Sequence[Entity]) -> Entity | None:
    """The entity whose pattern, else whose name or plural an entry of the folder has."""
    is_folder = os.path.isdir(entry)
    stem = entry.name if is_folder else _stem(entry)
    fitting = [each for each in entities if any(fnmatch(entry.name.lower(), p.lower()) for p in each.files)]
    if len(fitting) == 1 and not is_folder:
        return fitting[0]
    exact = {name: entity for entity in entities for name in _forms(entity.name)}
    return exact.get(plain(stem))


def _recognised(path: Path, folder: Path, entities: Sequence[Entity], refusal: str) -> tuple[Entity | None, str]:
    """The entity that a file's own name, or its columns, belong to, and by which of both it was found."""
    if format_of(path) is None:
        return None, ""
    if entity := _by_name(path, folder, entities):
        return entity, ""
    if refusal:
        return None, ""
    columns = file_columns(path)
    shares = {entity.name: known_share(entity, columns) for entity in entities}
    named = [entity for entity in _named_within(_stem(path), entities) if shares[entity.name][0]]
    if named:
        owner = max(named, key=lambda entity: shares[entity.name])
        return owner, "" if len(named) == 1 else "by its name and columns"
    best = sorted(entities, key=lambda entity: -shares[entity.name][0])
    (most, share), (second, _) = [*(shares[each.name] for each in best), (0, 0.0)][:2]
    if most >= FEWEST_KNOWN and share >= LEAST_SHARE and most > second:
        return best[0], "by its columns"
    return None, ""


def _named_within(stem: str, entities: Sequence[Entity]) -> list[Entity]:
    """Entities whose words stand in a file's name: `deal_history`, not `deal`, where both do."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", stem)]
    joined = {"".join(words[start:end]) for start in range(len(words)) for end in range(start + 1, len(words) + 1)}
    found = [entity for entity in entities if _forms(entity.name) & joined]
    return [
        each for each in found if not any(plain(each.name) in plain(other.name) for other in found if other != each)
    ]


def _forms(name: str) -> set[str]:
    """An entity's name and its plural, plain."""
    bare = plain(name)
    plural = f"{bare[:-1]}ies" if re.search(r"[^aeiou]y$", bare) else f"{bare}es" if bare.endswith("s") else f"{bare}s"
    return {bare, plural}


def _stem(path: Path) -> str:
    """A file's name without its endings."""
    name = path.name.removesuffix(".gz")
    return name.rsplit(".", 1)[0] if format_of(path) else path.stem


def _note_stray(claims: Claims, entry: Path, path: Path, entities: Sequence[Entity]) -> None:
    """What belongs to no entity is told: a file that could be read, and a folder whose files could not."""
    if format_of(path) is None and entry == path:
        return
    hint = did_you_mean(_stem(entry), [entity.name for entity in entities])
    where = printable(path if format_of(path) else entry)
    message = f"{where} is not read: neither its name nor its columns are those of an entity of this source"
    message += f".{hint}" if hint else "; `files:` and `columns:` in sources.yaml can say what they are."
    if message not in claims.strays:
        claims.strays.append(message)


def _add_inner(claims: Claims, entities: Sequence[Entity]) -> None:
    """Files whose records hold lists of other entities' records are files of these, too."""
    for entity in entities:
        if entity.inside is None:
            continue
        for file in claims.files.get(entity.inside.entity, []):
            if file.format in ("json", "jsonl") and not file.refusal and entity.inside.field in file_columns(file.path):
                claims.files[entity.name].append(replace(file, inside=entity.inside))


def _csv_columns(text: str) -> list[str]:
    """The first record of a CSV text, after a `sep=` line, by the delimiter that gives the most fields."""
    lines = text.splitlines()
    if lines and SEPARATOR_LINE.fullmatch(lines[0].encode()):
        lines = lines[1:]
    records = []
    for delimiter in DELIMITERS:
        try:
            records.append(next(csv.reader(lines, delimiter=delimiter), []))
        except csv.Error:
            continue
    return [name.strip() for name in max(records, key=len, default=[])]


def _json_columns(text: str) -> list[str]:
    """The keys of the first object of JSON lines, of an array, or of the first list of objects in an object."""
    for record in _first_records(text):
        return list(record)
    return []


def _first_records(text: str) -> Iterator[Mapping]:
    decoder, position = json.JSONDecoder(), 0
    starts = [match.start() for match in re.finditer(r"\{", text[:HEAD_BYTES])][:3]
    for position in starts:
        try:
            value, _ = decoder.raw_decode(text, position)
        except json.JSONDecodeError:  # a wrapping object whose end the head does not show
            continue
        lists = [each for each in value.values() if isinstance(each, list) and each and isinstance(each[0], dict)]
        is_wrapping = position == starts[0] and lists and not any(key.lower() == "id" for key in value)
        yield lists[0][0] if is_wrapping else value
        return
