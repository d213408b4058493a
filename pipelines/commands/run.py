"""`scorecast run`: run a job from exports to published tables, and print the result."""

from typing import Annotated, Literal

import typer

from pipelines.commands.common import own_temporary_files, prepare_instance, told_in_words

Job = Literal["daily", "weekly_refit"]


def run(
    job: Annotated[Job, typer.Argument(help="which job")] = "daily",
) -> None:
    """Run a job from exports to published tables, and print the result."""
    from pipelines.commands.running import NoSample, prepare_run, run_job
    from pipelines.commands.summary import print_summary
    from pipelines.components.declared.documents import YamlMistakes
    from pipelines.extraction.configuration import ConfigurationError
    from pipelines.publishing.summary import has_scores
    from pipelines.settings import published_path
    from pipelines.transformation.building import ProjectMistake

    prepare_instance()
    with (
        told_in_words(ConfigurationError, ProjectMistake, NoSample),
        told_in_words(YamlMistakes, code=2),
        own_temporary_files(),
    ):
        prepare_run()
        ok = run_job(job)
        if not ok:
            typer.echo("The run failed. What is published now:", err=True)
        elif not has_scores(published_path()):
            typer.echo("  ! No model could be fitted: there are no scores and no forecasts. Why is below.", err=True)
    print_summary()
    raise typer.Exit(0 if ok else 1)
