"""`scorecast export`: a published table, or a part of it, as a file that people open."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.common import published_file, told_in_words


def export(
    table: Annotated[str, typer.Argument(help="a published table, such as lead_scores")],
    to: Annotated[Path, typer.Option(help="the file to write: .csv, .xlsx or .parquet")],
    where: Annotated[str | None, typer.Option(help="which rows, as an SQL condition: \"grade = 'A'\"")] = None,
    columns: Annotated[str | None, typer.Option(help="which columns, with commas between; without it all")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace the file if it is there already")] = False,
) -> None:
    """Write a published table, or a part of it, as CSV, Excel or Parquet."""
    from pipelines.commands.exporting import ExportError, export_table

    path = published_file()
    names = [name.strip() for name in columns.split(",")] if columns is not None else None
    with told_in_words(ExportError):
        written = export_table(path, table, to, where, names, force)
    typer.echo(written.in_words())
