"""The command line: `scorecast run | predict | backfill | sql | ui | status | new | models | sample | forget | ...`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.core import TyperGroup

from pipelines.settings import UnusableFolder, data_dir, project_root, published_path, warehouse_path

Job = Literal["daily", "weekly_refit"]


class Commands(TyperGroup):
    """The commands; errors of the disk or a file end any of them with one line."""

    def invoke(self, ctx: typer.Context) -> object:
        """Run a command; other errors keep their traceback."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except Exception as problem:
            from pipelines.commands.mishaps import in_words

            if (message := in_words(problem)) is None:
                raise
            typer.echo(message, err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Honest, explained scores and forecasts on your own warehouse.",
)
new = typer.Typer(no_args_is_help=True, help="Write the YAML of something new.")
app.add_typer(new, name="new")


def main() -> None:
    """Entry point of the `scorecast` command."""
    try:
        try:
            app()
        except UnusableFolder as problem:
            typer.echo(str(problem), err=True)
            raise SystemExit(2) from None
    except SystemExit as end:
        # All output is written; an orderly shutdown of all libraries would take two seconds.
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except BrokenPipeError:
            pass
        except OSError as problem:
            code = 1
            with suppress(OSError):
                os.write(2, f"The output could not be written: {problem.strerror}.\n".encode())
        os._exit(code)


@app.callback()
def keep_private(context: typer.Context) -> None:
    """Only the user may read what a command and its processes write; a YAML of `new` keeps the usual rights."""
    if context.invoked_subcommand != "new":
        context.call_on_close(partial(os.umask, os.umask(0o077)))


def prepare_instance() -> Path:
    """The Dagster instance's folder, `data/dagster`, with the project's dagster.yaml in it."""
    home = data_dir() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    quoted = str(home).replace("'", "''")  # YAML's escape within single quotes
    settings = (project_root() / "dagster.yaml").read_text().replace("${DAGSTER_HOME}", quoted)
    (home / "dagster.yaml").write_text(settings)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


@contextmanager
def told_in_words(*mistakes: type[Exception], code: int = 1) -> Iterator[None]:
    """End the command with these errors' message alone: the user can correct them."""
    try:
        yield
    except mistakes as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(code) from None


@app.command()
def run(
    job: Annotated[Job, typer.Argument(help="which job")] = "daily",
) -> None:
    """Run a job from exports to published tables, and print the result."""
    from pipelines.commands.running import NoSample, prepare_run, print_summary, run_job
    from pipelines.components.validation import YamlMistakes
    from pipelines.extraction.configuration import ConfigurationError
    from pipelines.transformation.building import ProjectMistake

    prepare_instance()
    with told_in_words(ConfigurationError, ProjectMistake, NoSample), told_in_words(YamlMistakes, code=2):
        prepare_run()
        ok = run_job(job)
    if not ok:
        typer.echo("The run failed. What is published now:", err=True)
    print_summary()
    raise typer.Exit(0 if ok else 1)


@app.command()
def predict(
    train: Annotated[str, typer.Argument(help="CSV, Parquet, JSONL, or database.duckdb:schema.table")],
    target: Annotated[str, typer.Option(help="column to predict")],
    positive: Annotated[str | None, typer.Option(help="the target's value that counts as yes")] = None,
    key: Annotated[str | None, typer.Option(help="column that names the rows; without it, their number")] = None,
    as_of: Annotated[str | None, typer.Option(help="column with the date as of which a row was known")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="column that the model may not see; again for more")] = None,
    text: Annotated[list[str] | None, typer.Option(help="column of free text; again for more")] = None,
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="COLUMN=KIND where the kind is not to be guessed; again for more")
    ] = None,
    segment: Annotated[list[str] | None, typer.Option(help="column by which the card repeats its figures")] = None,
    value: Annotated[str | None, typer.Option(help="column with the money at stake, for expected_value")] = None,
    score: Annotated[
        str | None, typer.Option(help="table to score; without it, TRAIN's rows of unknown answer")
    ] = None,
    out: Annotated[Path, typer.Option(help="folder for scores, evaluation, model and card")] = Path("prediction"),
    seed: Annotated[int, typer.Option(help="for the same draws every time")] = 0,
    keep_leaky: Annotated[bool, typer.Option(help="learn from columns that give the answer away, too")] = False,
    force: Annotated[bool, typer.Option(help="write scores even of a model without a signal")] = False,
) -> None:
    """Predict a column of any table: a judged, explained model and scored rows, without Dagster."""
    from pipelines.any_table.predict import CannotPredict, Request, predict_table
    from pipelines.any_table.summary import doing, print_outcome, types_of

    with told_in_words(CannotPredict, code=2):
        request = Request(
            train=train,
            target=target,
            positive=positive,
            key=key,
            as_of=as_of,
            exclude=tuple(exclude or ()),
            text=tuple(text or ()),
            types=types_of(type_ or ()),
            segments=tuple(segment or ()),
            value=value,
            score=score,
            out=out,
            seed=seed,
            keep_leaky=keep_leaky,
            force=force,
        )
        with doing() as say:
            outcome = predict_table(request, say)
    print_outcome(outcome, request)
    raise typer.Exit(0 if outcome.evaluation["verdict"] == "ok" else 3)


@app.command()
def backfill(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="first day")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="last day")],
    model: Annotated[str | None, typer.Option(help="one prediction; without it all")] = None,
) -> None:
    """Score past Sundays as they would have been scored then, and compare with outcomes; today's scores stay."""
    from pipelines.commands.running import print_summary, run_backfill
    from pipelines.extraction.configuration import ConfigurationError

    prepare_instance()
    with told_in_words(ConfigurationError, ValueError):
        ok = run_backfill(first.date(), last.date(), model)
    print_summary()
    raise typer.Exit(0 if ok else 1)


@app.command()
def ui(port: Annotated[int, typer.Option(min=1, max=65535, help="port of 127.0.0.1")] = 3000) -> None:
    """Open the Dagster UI on 127.0.0.1, with the daemon that runs schedules and sensors, and the reports."""
    from pipelines.commands.web import PortTaken, serve, take_port

    with told_in_words(PortTaken):
        door = take_port(port)
    from pipelines.commands.running import open_instance

    home = prepare_instance()
    open_instance()
    typer.echo(f"Dagster UI: http://127.0.0.1:{port}   (run history in {home}; stop with Ctrl-C)")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    serve(door)


@app.command()
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


@app.command()
def status() -> None:
    """What is published, how good it is, and how old."""
    from pipelines.commands.running import print_summary
    from pipelines.extraction.configuration import ConfigurationError, read_configuration

    with told_in_words(ConfigurationError):
        read_configuration()  # raises before half of the summary is printed
    if not print_summary():
        raise typer.Exit(1)


@new.command("prediction")
def new_prediction(
    name: Annotated[str | None, typer.Option(help="what the model is called, such as expansion")] = None,
    features: Annotated[str | None, typer.Option(help="model in features, or any table as schema.table")] = None,
    entity: Annotated[str | None, typer.Option(help="its key column")] = None,
    outcomes: Annotated[str | None, typer.Option(help="model with the target; empty: the features have it")] = None,
    target: Annotated[str | None, typer.Option(help="column to predict")] = None,
    task: Annotated[str | None, typer.Option(help="yes_no or classes")] = None,
    as_of: Annotated[str | None, typer.Option(help="column that says as of when a row is; empty: no time")] = None,
    horizon_days: Annotated[int | None, typer.Option(min=0, help="days until the answer is known")] = None,
    population: Annotated[
        str | None, typer.Option(help="SQL condition: who is learnt from and scored; true: all")
    ] = None,
    value: Annotated[str | None, typer.Option(help="column with the money at stake; empty: none")] = None,
    table: Annotated[str | None, typer.Option(help="the published table")] = None,
    described_by: Annotated[str | None, typer.Option(help="core model that names the entity; empty: none")] = None,
    columns: Annotated[str | None, typer.Option(help="its columns to show, with commas between")] = None,
    description: Annotated[str | None, typer.Option(help="one sentence for the UI")] = None,
    owner: Annotated[str | None, typer.Option(help="team:<name> or an e-mail address")] = None,
) -> None:
    """Write the YAML of a new prediction; on a terminal, what no flag says is asked."""
    from pipelines.components.new_prediction import (
        Answers,
        Question,
        complete,
        existing_predictions,
        require_new,
        write_prediction,
    )
    from pipelines.transformation.known_tables import known_tables

    def ask(question: Question) -> str | None:
        if question.choices:
            more = " ..." if len(question.choices) > 12 else ""
            typer.echo(f"\n  {', '.join(question.choices[:12])}{more}")
        while True:
            answer = typer.prompt(f"{question.key}: {question.words}", default=question.default)
            problem = question.problem(answer)
            if problem is None:
                break
            typer.echo(f"  {problem}")
        if question.key == "name":
            require_new(project_root(), answer)
        return answer

    shown = tuple(part.strip() for part in columns.split(",") if part.strip()) if columns is not None else None
    answers = Answers(
        name=name,
        features=features,
        entity=entity,
        outcomes=outcomes,
        target=target,
        task=task,
        as_of=as_of,
        horizon_days=horizon_days,
        population=population,
        value=value,
        table=table,
        described_by=described_by,
        columns=shown,
        description=description,
        owner=owner,
    )
    with told_in_words(ValueError, LookupError, FileExistsError, code=2):
        tables, existing = known_tables(), existing_predictions(project_root())
        answers = complete(answers, tables, ask if sys.stdin.isatty() else lambda question: None, existing)
        path = write_prediction(project_root(), answers, tables)
    who = f"those of {answers.population!r}" if answers.population not in ("", "true") else "everyone"
    typer.echo(f"It learns from and scores {who} (population).")
    typer.echo(f"Wrote {path.relative_to(project_root())}. Next: make run")


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="one model; without it all of them")] = None,
) -> None:
    """List the models' versions with their metrics, which one scores, and why others were not kept."""
    from pipelines.registry.versions import print_versions

    with told_in_words(LookupError):
        print_versions(name)


@app.command()
def rollback(
    release_id: Annotated[str | None, typer.Argument(help="without one the release before the current")] = None,
    model: Annotated[str | None, typer.Option(help="go back to an earlier version of this model instead")] = None,
    to: Annotated[str | None, typer.Option(help="the model's version; without one the version before")] = None,
) -> None:
    """Publish an older release again, or make an older version of a model score; the history keeps both."""
    from datetime import UTC

    if model is not None:
        from pipelines.registry.versions import roll_back_model

        if release_id is not None:
            raise typer.BadParameter("a model's version is given as --to VERSION")
        with told_in_words(ValueError, FileNotFoundError, LookupError, TimeoutError):
            typer.echo(roll_back_model(model, to, datetime.now(UTC)))
        return
    if to is not None:
        raise typer.BadParameter("--to is the version of a model: give --model, too")
    from pipelines.publishing.rollback import rollback as roll_back
    from pipelines.publishing.states import NoSpaceLeftError

    with told_in_words(ValueError, FileNotFoundError, LookupError, NoSpaceLeftError):
        release = roll_back(published_path(), data_dir() / "releases", to=release_id, now=datetime.now(UTC))
    typer.echo(f"Published again: {release.note}. It is release {release.release_id}.")
    from pipelines.commands.running import report_rollback

    prepare_instance()
    report_rollback(release)


@app.command()
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
    from pipelines.commands.running import write_sample_company, write_sample_day

    with told_in_words(FileNotFoundError, FileExistsError, ValueError):
        if next_day:
            typer.echo(f"Wrote {write_sample_day()}. Next: make run")
        else:
            write_sample_company(accounts=accounts, months=months, seed=seed)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def dbt(context: typer.Context) -> None:
    """Call dbt with this project's profile and variables: `scorecast dbt build --select core`."""
    from pipelines.transformation.building import run_dbt

    raise typer.Exit(run_dbt(*context.args).returncode)


if __name__ == "__main__":
    main()
