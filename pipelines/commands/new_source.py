"""`scorecast new source`: write a system's contract and staging models from its exports; what no flag says is asked."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.common import ask, told_in_words
from pipelines.settings import data_dir, dbt_project_dir, project_root

if TYPE_CHECKING:
    from pipelines.new_source.exports import Trial
    from pipelines.new_source.proposal import Draft, Question


def new_source(
    files: Annotated[
        list[Path], typer.Argument(help="exports of the system, one file or more for each kind of record")
    ],
    name: Annotated[str | None, typer.Option(help="what the system is called, such as pipedrive")] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--as", help="what a file holds: deals.csv=opportunities", metavar="FILE=ENTITY")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", help="a column: deal.amount=Value; deal.amount= for none", metavar="TABLE.OURS=COLUMN"),
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Option(
            help="words of the status that mean won, lost or converted: deal.won=Signed",
            metavar="TABLE.MEANING=WORD,WORD",
        ),
    ] = None,
    description: Annotated[str | None, typer.Option(help="one sentence for the UI")] = None,
    owner: Annotated[str, typer.Option(help="team:<name> or an e-mail address")] = "team:data",
    yes: Annotated[bool, typer.Option("--yes", help="take what is proposed; ask only what cannot be known")] = False,
) -> None:
    """Write the source of a system that Scorecast does not know from its exports; what no flag says is asked."""
    from assets.sources import all_sources
    from pipelines.extraction.configuration import known_sources
    from pipelines.new_source.contract import source_of
    from pipelines.new_source.exports import read_exports
    from pipelines.new_source.given import read_flags
    from pipelines.new_source.proposal import drafted, shown
    from pipelines.new_source.vocabulary import vocabularies
    from pipelines.new_source.write import require_new, tried, write_source
    from pipelines.transformation.canonical import canonical_entities

    is_terminal = sys.stdin.isatty()

    def asked(question: "Question") -> str | None:
        return ask(question, question.words) if is_terminal and (question.default is None or not yes) else None

    with told_in_words(ValueError, LookupError, FileExistsError, code=2):
        given = read_flags(name, description, owner, kinds or (), columns or (), words or ())
        if name:
            require_new(project_root(), name)
        known = vocabularies(canonical_entities(dbt_project_dir()), all_sources())
        with read_exports(files) as exports:
            draft = drafted(exports, known, given, asked, known_sources())
            require_new(project_root(), draft.name)
            source = source_of(draft)
            if not is_terminal or yes:
                typer.echo("\n\n".join(shown(table) for table in draft.tables))
            _tell(draft, tried(draft, source))
        if is_terminal and not yes:
            typer.confirm("Write it?", default=True, abort=True)
        elif not yes:
            raise LookupError(
                "Nothing is written: there is no terminal to ask on. --yes takes this; --map changes a column."
            )
        written = write_source(project_root(), draft, source)
    for path in written:
        typer.echo(f"Wrote {path.relative_to(project_root())}")
    typer.echo(f"Write into sources.yaml, under `sources:`\n  {draft.name}: {_folder(files[0])}\nNext: make run")


def _tell(draft: "Draft", results: "list[Trial]") -> None:
    """What the words of a status are taken for, what is to be known of the files, and how they load."""
    typer.echo("")
    for table in draft.tables:
        for meaning, some in table.words.items():
            typer.echo(f"{table.name}: {meaning.replace('_', ' ')} is {', '.join(some)}.")
    for note in draft.notes:
        typer.echo(note)
    for each in results:
        aside = f", {len(each.put_aside):,} put aside: {each.put_aside[0]}" if each.put_aside else ""
        typer.echo(f"{each.path.name}: {each.rows:,} rows load{aside}.")


def _folder(file: Path) -> Path:
    """The folder of the exports as sources.yaml names it."""
    folder = file.resolve().parent
    return folder.relative_to(data_dir()) if folder.is_relative_to(data_dir()) else folder
