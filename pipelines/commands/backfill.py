"""`scorecast backfill`: past Sundays scored as they would have been scored then."""

from datetime import datetime
from typing import Annotated

import typer

from pipelines.commands.common import own_temporary_files, prepare_instance, told_in_words


def backfill(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="first day")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="last day")],
    model: Annotated[str | None, typer.Option(help="one prediction; without it all")] = None,
) -> None:
    """Score past Sundays as they would have been scored then, and compare with outcomes; today's scores stay."""
    from pipelines.commands.running import run_backfill
    from pipelines.commands.summary import print_summary
    from pipelines.extraction.configuration import ConfigurationError

    prepare_instance()
    with told_in_words(ConfigurationError, ValueError), own_temporary_files():
        ok = run_backfill(first.date(), last.date(), model)
    print_summary()
    raise typer.Exit(0 if ok else 1)
