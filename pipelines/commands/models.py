"""`scorecast models`: list the models' versions with their metrics, which one scores, and why others were not kept."""

from typing import Annotated

import typer

from pipelines.commands.common import told_in_words


def models(
    name: Annotated[str | None, typer.Argument(help="one model; without it all of them")] = None,
) -> None:
    """List the models' versions with their metrics, which one scores, and why others were not kept."""
    from pipelines.registry.versions import print_versions

    with told_in_words(LookupError):
        print_versions(name)
