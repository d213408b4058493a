"""`scorecast sample`: write the sample company's exports into data/landing."""

from typing import Annotated

import typer

from pipelines.commands.common import told_in_words


def sample(
    next_day: Annotated[
        bool, typer.Option("--next-day", help="write one more day to the sample that is there")
    ] = False,
    accounts: Annotated[int | None, typer.Option(min=1)] = None,
    months: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[int | None, typer.Option()] = None,
) -> None:
    """Write the sample company's exports into data/landing."""
    from pipelines.commands.running import write_sample_company, write_sample_day

    with told_in_words(FileNotFoundError, FileExistsError, ValueError):
        if next_day:
            typer.echo(f"Wrote {write_sample_day()}. Next: make run")
        else:
            write_sample_company(accounts=accounts, months=months, seed=seed)
