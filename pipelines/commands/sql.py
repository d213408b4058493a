"""`scorecast sql`: query the published tables, or with --warehouse the pipeline's own, read-only."""

from typing import Annotated

import typer

from pipelines.settings import published_path, warehouse_path


def sql(
    query: Annotated[str | None, typer.Argument(help="a query; without one a shell opens")] = None,
    csv: Annotated[bool, typer.Option(help="print CSV instead of a table")] = False,
    warehouse: Annotated[
        bool, typer.Option("--warehouse", help="query the pipeline's own file: raw tables, quarantine, features")
    ] = False,
) -> None:
    """Query the published tables, or with --warehouse the pipeline's own, read-only."""
    from pipelines.commands.sql_shell import open_shell, run_query

    path = warehouse_path() if warehouse else published_path()
    if not path.exists():
        from pipelines.publishing.kept_releases import last_release

        if not warehouse and (note := last_release(path).note):
            typer.echo(f"{note}. `scorecast rollback` publishes it again.", err=True)
            raise typer.Exit(1)
        nothing = "Nothing is loaded yet" if warehouse else "Nothing is published yet"
        typer.echo(f"{nothing}: {path} is not there. Run `make run` first.", err=True)
        raise typer.Exit(1)
    if query is None:
        open_shell(path)
    else:
        raise typer.Exit(run_query(path, query, as_csv=csv))
