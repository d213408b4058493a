"""The command line: `scorecast check | run | predict | classify | backfill | sql | ui | status | new | ...`."""

import gc
import os
import sys
from contextlib import suppress
from functools import partial

import typer
from typer.core import TyperGroup

from pipelines.commands.backfill import backfill
from pipelines.commands.check import check
from pipelines.commands.classify import classify
from pipelines.commands.dbt import dbt
from pipelines.commands.export import export
from pipelines.commands.forget import forget
from pipelines.commands.models import models
from pipelines.commands.new import new_prediction
from pipelines.commands.new_source import new_source
from pipelines.commands.predict import predict
from pipelines.commands.reconcile import reconcile
from pipelines.commands.rollback import rollback
from pipelines.commands.run import run
from pipelines.commands.sample import sample
from pipelines.commands.sql import sql
from pipelines.commands.status import status
from pipelines.commands.ui import ui
from pipelines.settings import GARBAGE_THRESHOLDS, UnusableFolder


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
new = typer.Typer(no_args_is_help=True, help="Write the files of something new.")
app.add_typer(new, name="new")


def main() -> None:
    """Entry point of the `scorecast` command."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
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


app.command()(check)
app.command()(run)
app.command()(predict)
app.command()(classify)
app.command()(backfill)
app.command()(ui)
app.command()(sql)
app.command()(export)
app.command()(status)
app.command()(reconcile)
new.command("prediction")(new_prediction)
new.command("source")(new_source)
app.command()(models)
app.command()(rollback)
app.command()(forget)
app.command()(sample)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(dbt)


if __name__ == "__main__":
    main()
