"""`scorecast rollback`: an older release published again, or an older version of a model."""

from datetime import datetime
from typing import Annotated

import typer

from pipelines.commands.common import prepare_instance, told_in_words
from pipelines.settings import data_dir, published_path


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
