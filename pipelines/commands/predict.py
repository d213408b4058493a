"""`scorecast predict`: predict a column of any table: a judged, explained model and scored rows, without Dagster."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.common import told_in_words


def predict(
    train: Annotated[
        str,
        typer.Argument(help="CSV, Excel, JSON, Parquet, its https:// or s3:// address, or file.duckdb:table"),
    ],
    target: Annotated[str, typer.Option(help="column to predict")],
    positive: Annotated[str | None, typer.Option(help="the target's value that counts as yes")] = None,
    negative: Annotated[
        list[str] | None, typer.Option(help="the target's value that counts as no, the others are open; again for more")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="yes_no, classes, ordered or amount; without it, by the target's values")
    ] = None,
    levels: Annotated[
        str | None,
        typer.Option(help="an ordered answer's levels, from the lowest: low,medium,high; without it, numbers"),
    ] = None,
    loss: Annotated[
        str, typer.Option(help="what an amount is judged by: absolute (the median) or squared")
    ] = "absolute",
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
    form: Annotated[str, typer.Option("--format", help="of the scores: parquet, csv or xlsx")] = "parquet",
    keep_columns: Annotated[bool, typer.Option(help="the columns of the table beside the scores")] = False,
    seed: Annotated[int, typer.Option(help="for the same draws every time")] = 0,
    keep_leaky: Annotated[bool, typer.Option(help="learn from columns that give the answer away, too")] = False,
    force: Annotated[bool, typer.Option(help="write scores even of a model without a signal")] = False,
) -> None:
    """Predict a column of any table: a judged, explained model and scored rows, without Dagster."""
    from pipelines.any_table.predict import predict_table
    from pipelines.any_table.question import CannotPredict, Request
    from pipelines.any_table.summary import doing, print_outcome, types_of

    with told_in_words(CannotPredict, code=2):
        request = Request(
            train=train,
            target=target,
            positive=positive,
            negative=tuple(negative or ()),
            task=task,
            levels=tuple(level.strip() for level in levels.split(",")) if levels is not None else (),
            loss=loss,
            key=key,
            as_of=as_of,
            exclude=tuple(exclude or ()),
            text=tuple(text or ()),
            types=types_of(type_ or ()),
            segments=tuple(segment or ()),
            value=value,
            score=score,
            out=out,
            form=form,
            keep_columns=keep_columns,
            seed=seed,
            keep_leaky=keep_leaky,
            force=force,
        )
        with doing() as say:
            outcome = predict_table(request, say)
    print_outcome(outcome, request)
    raise typer.Exit(3 if outcome.evaluation["verdict"] == "no_signal" else 0)
