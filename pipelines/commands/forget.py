"""`scorecast forget`: loaded files, or a whole source, as if they had never been there."""

from datetime import datetime
from typing import Annotated

import typer

from pipelines.commands.common import told_in_words


def forget(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="FILE|SOURCE", help="a file as <source>/<file>, or a whole source")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"], help="all that was loaded from then on (UTC)"
        ),
    ] = None,
) -> None:
    """Forget loaded files, or a whole source, as if they had never been there; the next run builds without them."""
    from pipelines.commands.forgetting import forget as forget_loaded
    from pipelines.extraction.configuration import ConfigurationError

    if not names and since is None:
        raise typer.BadParameter("name a file or a source, or give --since")
    with told_in_words(ConfigurationError, LookupError, TimeoutError):
        lines = forget_loaded(names or [], since, lambda line: typer.echo(line, err=True))
    typer.echo("\n".join([*lines, "Next: make run"]))
