"""`scorecast models`: the models' versions with their metrics, which one scores, why others do not; withdraw one."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from pipelines.commands.common import told_in_words


def models(
    name: Annotated[str | None, typer.Argument(help="one model; without it all of them")] = None,
    withdraw: Annotated[
        str | None, typer.Option(metavar="MODEL", help="take this model out of use: the next release is without it")
    ] = None,
) -> None:
    """List the models' versions with their metrics, which one scores, and why others were not kept; withdraw one."""
    from pipelines.registry.versions import print_versions, withdraw_model

    with told_in_words(LookupError, TimeoutError):
        if withdraw is None:
            print_versions(name)
        elif name in (None, withdraw):
            typer.echo(withdraw_model(withdraw, datetime.now(UTC)))
        else:
            raise typer.BadParameter(f"it says {name} and --withdraw {withdraw}: name the model once")
