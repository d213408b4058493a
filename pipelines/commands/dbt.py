"""`scorecast dbt`: call dbt with this project's profile and variables: `scorecast dbt build --select core`."""

import typer


def dbt(context: typer.Context) -> None:
    """Call dbt with this project's profile and variables: `scorecast dbt build --select core`."""
    from pipelines.transformation.building import run_dbt

    raise typer.Exit(run_dbt(*context.args).returncode)
