"""The command line: `scorecast run | backfill | ui | sql | status | sample | rollback | dbt`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.settings import data_dir, project_root, published_path

Job = Literal["daily", "weekly_refit"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Honest, explained scores and forecasts on your own warehouse.",
)


def main() -> None:
    """Entry point of the `scorecast` command."""
    app()


def prepare_instance() -> Path:
    """The Dagster instance's folder, `data/dagster`, with the project's dagster.yaml in it."""
    home = data_dir() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    settings = (project_root() / "dagster.yaml").read_text().replace("${DAGSTER_HOME}", str(home))
    (home / "dagster.yaml").write_text(settings)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


@contextmanager
def told_in_words(*mistakes: type[Exception]) -> Iterator[None]:
    """A mistake that the user can mend ends the command with its message alone."""
    try:
        yield
    except mistakes as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(1) from None


@app.command()
def run(
    job: Annotated[Job, typer.Argument(help="which job")] = "daily",
) -> None:
    """Run a job from exports to published tables, and say what came out."""
    from pipelines.extraction.configuration import ConfigurationError
    from pipelines.running import prepare_run, print_summary, run_job

    prepare_instance()
    with told_in_words(ConfigurationError):
        prepare_run()
    ok = run_job(job)
    print_summary()
    raise typer.Exit(0 if ok else 1)


@app.command()
def backfill(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="first day")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="last day")],
    model: Annotated[str | None, typer.Option(help="one prediction; without it all")] = None,
) -> None:
    """Score past Sundays as they would have been then, and say how they came out; today's scores stay as they are."""
    from pipelines.extraction.configuration import ConfigurationError
    from pipelines.running import print_summary, run_backfill

    prepare_instance()
    with told_in_words(ConfigurationError, ValueError):
        ok = run_backfill(first.date(), last.date(), model)
    print_summary()
    raise typer.Exit(0 if ok else 1)


@app.command()
def ui(port: int = 3000) -> None:
    """Open the Dagster UI on 127.0.0.1, with the daemon that runs schedules and sensors."""
    home = prepare_instance()
    typer.echo(f"Dagster UI: http://127.0.0.1:{port}   (run history in {home}; stop with Ctrl-C)")
    dagster = str(Path(sys.executable).parent / "dagster")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.execv(
        dagster,
        [
            dagster,
            "dev",
            "--workspace",
            str(project_root() / "workspace.yaml"),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ],
    )


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(help="a query; without one a shell opens")] = None,
    csv: Annotated[bool, typer.Option(help="print CSV instead of a table")] = False,
) -> None:
    """Query the published tables, read-only."""
    from pipelines.sql_shell import open_shell, run_query

    if not published_path().exists():
        typer.echo(f"Nothing is published yet: {published_path()} is not there. Run `make run` first.", err=True)
        raise typer.Exit(1)
    if query is None:
        open_shell(published_path())
    else:
        raise typer.Exit(run_query(published_path(), query, as_csv=csv))


@app.command()
def status() -> None:
    """What is published, how good it is, and how old."""
    from pipelines.running import print_summary

    if not print_summary():
        raise typer.Exit(1)


@app.command()
def rollback(
    to: Annotated[str | None, typer.Argument(help="release_id; without one the release before the current")] = None,
) -> None:
    """Publish an older release again; what was published since stays in the history."""
    from datetime import UTC

    from pipelines.publishing import rollback as roll_back

    with told_in_words(ValueError, FileNotFoundError, LookupError):
        release = roll_back(published_path(), data_dir() / "releases", to=to, now=datetime.now(UTC))
    typer.echo(f"Published again: {release.note}. It is release {release.release_id}.")


@app.command()
def sample(
    next_day: Annotated[
        bool, typer.Option("--next-day", help="write one more day to the sample that is there")
    ] = False,
    accounts: Annotated[int | None, typer.Option(min=1)] = None,
    months: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[int | None, typer.Option()] = None,
) -> None:
    """Write the sample company's exports into data/landing."""
    from pipelines.running import write_sample_company, write_sample_day

    with told_in_words(FileNotFoundError, FileExistsError, ValueError):
        if next_day:
            typer.echo(f"Wrote {write_sample_day()}. Next: make run")
        else:
            write_sample_company(accounts=accounts, months=months, seed=seed)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def dbt(context: typer.Context) -> None:
    """Call dbt with this project's profile and variables: `scorecast dbt build --select core`."""
    from pipelines.transformation import run_dbt

    raise typer.Exit(run_dbt(*context.args).returncode)


if __name__ == "__main__":
    main()
