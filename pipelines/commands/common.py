"""What commands share: the Dagster instance that they work in, questions, and mistakes of the user in one line."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import typer

from pipelines.settings import data_dir, project_root, published_path

MOST_CHOICES = 12
"""Shown above a question."""


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


class Asked(Protocol):
    """A question as the rooms ask it."""

    choices: Sequence[str]
    default: str | None

    def problem(self, answer: str) -> str | None:
        """Why an answer is not valid, or None."""


def ask(question: Asked, prompt: str) -> str:
    """Ask on the terminal, with the first of the possible answers above, until the answer is valid."""
    if question.choices:
        more = " ..." if len(question.choices) > MOST_CHOICES else ""
        typer.echo(f"\n  {', '.join(question.choices[:MOST_CHOICES])}{more}")
    while True:
        answer = typer.prompt(prompt, default=question.default).strip()
        problem = question.problem(answer)
        if problem is None:
            return answer
        typer.echo(f"  {problem}")


def published_file() -> Path:
    """The file that users query; ends the command, saying what to do, where there is none."""
    path = published_path()
    if path.exists():
        return path
    from pipelines.publishing.kept_releases import last_release

    if note := last_release(path).note:
        typer.echo(f"{note}. `scorecast rollback` publishes it again.", err=True)
    else:
        typer.echo(f"Nothing is published yet: {path} is not there. Run `make run` first.", err=True)
    raise typer.Exit(1)


@contextmanager
def own_temporary_files() -> Iterator[None]:
    """
    Temporary files of this process and those that it starts lie beside the data and go when it ends.

    Libraries leave some (Prophet's optimiser does), and a killed process leaves all: the next one removes them.
    """
    from pipelines.extraction.scratch import scratch_folder

    before = os.environ.get("TMPDIR")
    with scratch_folder(data_dir()) as folder:
        os.environ["TMPDIR"], tempfile.tempdir = str(folder), str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = None
            if before is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before
