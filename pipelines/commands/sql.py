"""`scorecast sql`: query the published tables, or with --warehouse the pipeline's own, read-only."""

from typing import Annotated

import typer

from pipelines.commands.common import published_file
from pipelines.settings import warehouse_path


def sql(
    query: Annotated[str | None, typer.Argument(help="a query; without one a shell opens")] = None,
    csv: Annotated[bool, typer.Option(help="print CSV instead of a table")] = False,
    warehouse: Annotated[
        bool, typer.Option("--warehouse", help="query the pipeline's own file: raw tables, quarantine, features")
    ] = False,
) -> None:
    """Query the published tables, or with --warehouse the pipeline's own, read-only."""
    from pipelines.commands.sql_shell import open_shell, run_query

    if warehouse and not warehouse_path().exists():
        typer.echo(f"Nothing is loaded yet: {warehouse_path()} is not there. Run `make run` first.", err=True)
        raise typer.Exit(1)
    path = warehouse_path() if warehouse else published_file()
    if query is None:
        open_shell(path)
    else:
        raise typer.Exit(run_query(path, query, as_csv=csv))
