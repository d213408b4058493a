"""Which systems the files of a folder are of, by names of folders, else by columns and names of files."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines.extraction.configuration import Configuration, ConfigurationError, SourceSettings
from pipelines.extraction.contracts import Source
from pipelines.extraction.files import folder_problem, is_left_alone, printable
from pipelines.extraction.recognition import file_columns, find_files, known_share
from pipelines.spelling import did_you_mean, plain

SHOWN_FILES = 8


def folder_configuration(
    folder: Path, sources: Sequence[Source], configuration: Configuration
) -> tuple[Configuration, list[str]]:
    """
    The configuration with this folder's exports as its only sources, and messages about what of it is not looked into.

    The folder holds folders that are called like systems, or is the folder of one that it is called like, or has files
    of one system or more: each file is that system's whose columns it has. A file stands for itself alone. What
    `sources.yaml` says about files, columns, time zone and encoding holds. Raises `ConfigurationError` if there is
    neither.
    """
    only = frozenset([folder]) if folder.is_file() else None
    notes = (
        [f"{printable(folder)} is a file: it alone is judged. Name its folder to have all of it judged."]
        if only
        else []
    )
    folder = folder.parent if only else folder
    if problem := folder_problem(folder):
        raise ConfigurationError(f"The folder {folder} {problem}.")
    names = {plain(source.name): source.name for source in sources}
    entries = [entry for entry in sorted(folder.iterdir()) if not is_left_alone(entry)]
    entries = [entry for entry in entries if only is None or entry in only]
    found = _by_names(entries, names) or _by_files(folder, entries, names, sources, configuration, only)
    settings = {
        name: replace(
            configuration.sources.get(name) or SourceSettings(path),
            folder=path.resolve(),
            only=_below(found.files.get(name), path),
        )
        for name, path in sorted(found.folders.items())
    }
    return replace(configuration, sources=settings), [*notes, *found.notes]


@dataclass(frozen=True)
class _Found:
    """Systems that a folder has exports of."""

    folders: Mapping[str, Path] = field(default_factory=dict)
    """System → where its exports are."""
    files: Mapping[str, frozenset[Path] | None] = field(default_factory=dict)
    """System → the files that are its own, where they are not all of its folder."""
    notes: tuple[str, ...] = ()


def _by_names(entries: Sequence[Path], names: Mapping[str, str]) -> _Found | None:
    """The folders that are called like systems (`names`: plain → its name); None if no folder is."""
    folders = {names[plain(entry.name)]: entry for entry in entries if entry.is_dir() and plain(entry.name) in names}
    notes = tuple(
        f"{printable(entry)} is not looked into: it has no system's name.{did_you_mean(entry.name, names.values())}"
        for entry in entries
        if entry not in folders.values()
    )
    return _Found(folders, notes=notes) if folders else None


def _by_files(
    folder: Path,
    entries: Sequence[Path],
    names: Mapping[str, str],
    sources: Sequence[Source],
    configuration: Configuration,
    only: frozenset[Path] | None,
) -> _Found:
    """The system that the folder is called like, or whose files alone it has; else each system with its own files."""
    by_system = _files_of_systems(folder, sources, configuration, only)
    owner = names.get(plain(folder.name)) or (next(iter(by_system)) if len(by_system) == 1 else None)
    if owner:
        foreign = {system: some for system, some in by_system.items() if system != owner}
        notes = [f"{_listed(some)}: looks like {system}'s, not {owner}'s" for system, some in foreign.items()]
        return _Found({owner: folder}, {owner: only}, tuple(notes))
    if by_system:
        notes = _apart(folder, by_system)
        claimed = set().union(*by_system.values())
        entries = [entry for entry in entries if not any(path.is_relative_to(entry) for path in claimed)]
    else:
        notes = [
            f"No system is recognised in {printable(folder)}. Call it, or a folder in it for each system, one of:"
            f" {', '.join(sorted(names.values()))}. None of them? `scorecast new source FILE...`."
        ]
    known = [*names.values(), *(entity.name for source in sources for entity in source.entities)]
    notes += [f"{printable(entry)} is not looked into.{did_you_mean(entry.stem, known)}" for entry in entries]
    return _Found(dict.fromkeys(by_system, folder), by_system, tuple(notes))


def _below(files: frozenset[Path] | None, folder: Path) -> frozenset[Path] | None:
    """Files as they are called below the folder's real path."""
    return files and frozenset(folder.resolve() / file.relative_to(folder) for file in files)


def _apart(folder: Path, by_system: Mapping[str, Collection[Path]]) -> list[str]:
    """How a run is told of a folder with the files of several systems."""
    held = "; ".join(f"{system}: {_listed(files)}" for system, files in by_system.items())
    yaml = ", ".join(f"{system}: {printable(folder.resolve() / system)}" for system in by_system)
    return [
        f"{printable(folder)} has files of {len(by_system)} systems, which are judged apart here. {held}",
        "For a run, put each system's files into a folder of its own, and write into sources.yaml, such as:"
        f" `sources: {{{yaml}}}`",
    ]


def _listed(files: Collection[Path]) -> str:
    names = [printable(file.name) for file in sorted(files)]
    more = [f"{len(names) - SHOWN_FILES:,} more"] if len(names) > SHOWN_FILES else []
    return ", ".join([*names[:SHOWN_FILES], *more])


def _files_of_systems(
    folder: Path, sources: Sequence[Source], configuration: Configuration, only: Collection[Path] | None
) -> dict[str, frozenset[Path]]:
    """
    System → its files in a folder: those of which its entities know most columns, then those that are called like it.

    A file that several systems know as well is that one's which has the most others. Systems that have no file for
    themselves are left out.
    """
    scores: dict[Path, dict[str, tuple[bool, float, bool, int]]] = {}
    for source in sources:
        mapped = configuration.mapped(source) if source.name in configuration.sources else source
        claims = find_files(folder, mapped.entities, configuration.limits, only)
        for entity in mapped.entities:
            for file in claims.files[entity.name]:
                known, share = known_share(entity, file_columns(file.path))
                is_called = plain(source.name) in plain(file.name)
                score = (known > 0, round(share, 2), is_called, known)
                of_file = scores.setdefault(file.path, {})
                of_file[source.name] = max(score, of_file.get(source.name, score))
    # By columns where any system knows a file's, else by names.
    is_known = any(score[0] for of in scores.values() for score in of.values())
    best = {file: _best(of) for file, of in scores.items() if max(of.values())[0] == is_known}
    counts = Counter(systems[0] for systems in best.values() if len(systems) == 1)
    held: dict[str, set[Path]] = {}
    for file, of in scores.items():
        if owners := [system for system in best.get(file, of) if system in counts]:
            held.setdefault(max(owners, key=counts.__getitem__), set()).add(file)
    return {system: frozenset(held[system]) for system in sorted(held)}


def _best(scores: Mapping[str, tuple]) -> list[str]:
    """The systems with the highest score."""
    return [system for system, score in scores.items() if score == max(scores.values())]
