"""A check of exports from the command line: load them into memory, judge them, and print what was found."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from pipelines.commands.running import progress_bar, terminal
from pipelines.components.prospects import NO, YES, Prospect, needed_entities, prospects
from pipelines.components.validation import read_components
from pipelines.database import connect_in_memory
from pipelines.extraction.checkup import FilesSeen, PutAside, Reference, SourceSeen, Twins, look
from pipelines.extraction.configuration import read_configuration
from pipelines.extraction.files import printable
from pipelines.extraction.systems import folder_configuration
from pipelines.settings import project_root

SHOWN_READINGS, SHOWN_CURRENCIES, SHOWN_PROBLEMS = 10, 5, 20
STYLES = {YES: "green", NO: "red"}


@dataclass(frozen=True)
class Findings:
    """What a check found."""

    sources: Sequence[SourceSeen]
    prospects: Sequence[Prospect]
    notes: Sequence[str]
    """What is not looked into."""

    @property
    def stops(self) -> list[str]:
        """Why a run would stop before anything is built."""
        return [stop for source in self.sources for stop in source.stops]

    @property
    def rows(self) -> int:
        """Rows of all files that were read."""
        return sum(file.rows for source in self.sources for some in source.files for file in some.files)

    @property
    def something_can_be_made(self) -> bool:
        """Whether a run would go through, and something might come of it."""
        return self.rows > 0 and not self.stops and any(each.verdict != NO for each in self.prospects)


def check_exports(folder: Path | None, in_full: bool = False) -> Findings:
    """
    Read the exports of a folder, or of `sources.yaml`, as a run would, into memory.

    `in_full`: also the older files of entities on whose records nothing depends. Raises
    `ConfigurationError`, `YamlMistakes`, and `CannotLoad` when memory or disk are short.
    """
    configuration = read_configuration()
    with progress_bar(terminal(), "Check") as update:
        update(doing="loading the contracts")
        from assets.sources import all_sources

        sources, notes, now = all_sources(), [], datetime.now(UTC).replace(tzinfo=None)
        if folder is not None:
            configuration, notes = folder_configuration(folder, sources, configuration)
        root = project_root()
        components = [component for _, component in read_components(root)]
        needed = None if in_full else needed_entities(components)
        with connect_in_memory(threads="1") as connection:
            seen = look(
                connection,
                sources,
                configuration,
                now,
                needed,
                lambda doing, done, of: update(doing=doing, completed=done, total=of),
            )
            update(doing="judging what can be made")
            present, day = list(configuration.sources), configuration.as_of
            judged = prospects(connection, sources, present, day, now, root, components)
    return Findings(seen, judged, notes)


def print_findings(findings: Findings) -> None:
    """Print what was found: per source, what can be made of it, and what stands in the way."""
    console = Console(soft_wrap=True, highlight=False)
    for source in findings.sources:
        _print_source(console, source)
    _print_problems(console, findings.notes)
    _print(console, "What can be made of it", "bold")
    for each, line in zip(
        findings.prospects, aligned([_prospect_line(each) for each in findings.prospects]), strict=True
    ):
        _print(console, f"  {line}", STYLES.get(each.verdict, "yellow"))
    _print_problems(console, [f"A run would stop: {stop}" for stop in findings.stops])
    if not findings.rows:
        _print_problems(console, ["No row of any export was found."])
    if not findings.something_can_be_made:
        _print_problems(console, ["Nothing can be made of it yet."])


def _prospect_line(prospect: Prospect) -> list[str]:
    return [prospect.name, prospect.verdict, prospect.reason]


def _print_source(console: Console, source: SourceSeen) -> None:
    _print(console, f"{source.name}  {source.folder}", "bold")
    if source.problem:
        _print_problems(console, [f"The folder {source.problem}."])
    elif not source.files:
        _print_problems(console, ["No file was read."])
    else:
        header = ["taken for", "file", "rows", "put aside", "period", "currencies"]
        for line in aligned([header, *map(_file_line, source.files)], right=(2, 3)):
            _print(console, f"  {line}")
    for entity, files in source.unread.items():
        _print(console, f"  {entity}: {files:,} older files were not looked at; `--all` reads them, too")
    for some in source.files:
        for line in _column_lines(some):
            _print(console, f"  {line}")
    _print_problems(console, [f"Could not be read: {message}" for message in source.rejected])
    _print_problems(console, [_aside_in_words(aside) for aside in source.put_aside])
    _print_problems(console, [_reference_in_words(reference) for reference in source.references])
    _print_problems(console, [_twins_in_words(twins) for twins in source.twins])
    _print_problems(console, source.unclaimed)
    console.print()


def _file_line(some: FilesSeen) -> list[str]:
    files = some.files
    name = files[0].name if len(files) == 1 else f"{files[0].name} … {files[-1].name} ({len(files)} files)"
    firsts, lasts = [file.first for file in files if file.first], [file.last for file in files if file.last]
    period = f"{min(firsts):%Y-%m-%d} to {max(lasts):%Y-%m-%d}" if firsts else ""
    currencies: dict[str, int] = {}
    for file in files:
        for currency, rows in file.currencies.items():
            currencies[currency] = currencies.get(currency, 0) + rows
    largest = sorted(currencies, key=lambda currency: -currencies[currency])
    shown = [f"{currency} {currencies[currency]:,}" for currency in largest[:SHOWN_CURRENCIES]]
    more = [f"{len(largest) - len(shown)} more"] if len(largest) > len(shown) else []
    how = f"{some.entity}, {some.how}" if some.how else some.entity
    rows, aside = sum(file.rows for file in files), sum(file.put_aside for file in files)
    return [how, name, f"{rows:,}", f"{aside:,}" if aside else "", period, ", ".join([*shown, *more])]


def _column_lines(some: FilesSeen) -> Iterator[str]:
    yield f"{some.entity} uses: {_named(some.used)}"
    if some.custom:
        yield f"    kept as custom fields: {', '.join(some.custom)}"
    if some.missing:
        yield f"    missing: {', '.join(some.missing)}"
    if repeated := sum(file.repeated for file in some.files):
        yield f"    {repeated:,} rows repeat others"
    for reading in some.readings[:SHOWN_READINGS]:
        yield f"    read: {reading}"
    if len(some.readings) > SHOWN_READINGS:
        yield f"    and {len(some.readings) - SHOWN_READINGS} more such readings"


def _named(used: Mapping[str, str]) -> str:
    """Columns, with what the files call them where that is something else."""
    return ", ".join(
        name if name.lower() == original.lower() else f"{name} ({original})" for name, original in used.items()
    )


def _aside_in_words(aside: PutAside) -> str:
    rows = f"{aside.rows:,} row{'s' * (aside.rows > 1)} of {aside.entity} put aside"
    return f"{rows}, such as {_place(aside.file, aside.line)}: {aside.example}"


def _reference_in_words(reference: Reference) -> str:
    column, records = f"{reference.entity}.{reference.column}", reference.records
    if reference.absent:
        return f"{column}: not looked up in {records:,} records, there is no {' and no '.join(reference.absent)}"
    return (
        f"{column}: {reference.unmatched:,} of {records:,} ({reference.unmatched / records:.1%}) match no"
        f" {' or '.join(reference.to)}, such as '{reference.value}' ({_place(reference.file, reference.line)})"
    )


def _twins_in_words(twins: Twins) -> str:
    return (
        f"{twins.entity}: {twins.deals:,} with the amount and the name, or close date and company, of a"
        f" {twins.other}, such as '{twins.name}': {twins.amount:,.0f} would count twice. Leave the deals of one of the"
        " two systems out of its exports; `scorecast forget <system>/<file>` takes back what a run has loaded of them"
    )


def _place(file: str, line: int | None) -> str:
    return f"{file}, line {line}" if line else file


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Rows of a table as lines, the columns below one another; `right`: numbers of the columns that end there."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]

    def padded(cell: str, number: int) -> str:
        blanks = " " * (widths[number] - cell_len(cell))
        return blanks + cell if number in right else cell + blanks

    return ["  ".join(padded(cell, number) for number, cell in enumerate(row)).rstrip() for row in rows]


def _print_problems(console: Console, problems: Sequence[str]) -> None:
    """The first of them, and how many there are more."""
    for problem in problems[:SHOWN_PROBLEMS]:
        _print(console, f"  ! {problem}", "yellow")
    if len(problems) > SHOWN_PROBLEMS:
        _print(console, f"  ! and {len(problems) - SHOWN_PROBLEMS:,} more of this kind", "yellow")


def _print(console: Console, text: str, style: str = "") -> None:
    """A line as it stands: what files and values say is neither markup nor a terminal's command."""
    console.print(Text(printable(text), style))
