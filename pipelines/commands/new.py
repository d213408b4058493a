"""`scorecast new prediction`: write the YAML of a new prediction; on a terminal, what no flag says is asked."""

import sys
from typing import Annotated

import typer

from pipelines.commands.common import ask, told_in_words
from pipelines.settings import project_root


def new_prediction(
    name: Annotated[str | None, typer.Option(help="what the model is called, such as expansion")] = None,
    features: Annotated[str | None, typer.Option(help="model in features, or any table as schema.table")] = None,
    entity: Annotated[str | None, typer.Option(help="its key column")] = None,
    outcomes: Annotated[str | None, typer.Option(help="model with the target; empty: the features have it")] = None,
    target: Annotated[str | None, typer.Option(help="column to predict")] = None,
    task: Annotated[str | None, typer.Option(help="yes_no, classes, ordered or amount")] = None,
    levels: Annotated[
        str | None, typer.Option(help="of an ordered answer, from the lowest, with commas between")
    ] = None,
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

    def asked(question: Question) -> str | None:
        answer = ask(question, f"{question.key}: {question.words}")
        if question.key == "name":
            require_new(project_root(), answer)
        return answer

    def listed(words: str | None) -> tuple[str, ...] | None:
        return None if words is None else tuple(part.strip() for part in words.split(",") if part.strip())

    answers = Answers(
        name=name,
        features=features,
        entity=entity,
        outcomes=outcomes,
        target=target,
        task=task,
        levels=listed(levels),
        as_of=as_of,
        horizon_days=horizon_days,
        population=population,
        value=value,
        table=table,
        described_by=described_by,
        columns=listed(columns),
        description=description,
        owner=owner,
    )
    with told_in_words(ValueError, LookupError, FileExistsError, code=2):
        tables, existing = known_tables(), existing_predictions(project_root())
        answers = complete(answers, tables, asked if sys.stdin.isatty() else lambda question: None, existing)
        path = write_prediction(project_root(), answers, tables)
    who = f"those of {answers.population!r}" if answers.population not in ("", "true") else "everyone"
    typer.echo(f"It learns from and scores {who} (population).")
    typer.echo(f"Wrote {path.relative_to(project_root())}. Next: make run")
