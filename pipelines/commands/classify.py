"""`scorecast classify`: learn which label a text gets, from texts that have one, without Dagster."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.common import told_in_words


def classify(
    train: Annotated[
        str,
        typer.Argument(help="CSV, Excel, JSON, Parquet, its https:// or s3:// address, or file.duckdb:table"),
    ],
    text: Annotated[
        list[str], typer.Option(help="column with the texts; given several times (title, body) they are read as one")
    ],
    label: Annotated[str, typer.Option(help="column with the labels to learn")],
    multi: Annotated[
        str | None, typer.Option(help='what stands between the labels of a text that has several, e.g. ";"')
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="column to learn from beside the text, a number or a category; repeatable")
    ] = None,
    key: Annotated[str | None, typer.Option(help="column that names the rows; without it, their number")] = None,
    score: Annotated[str | None, typer.Option(help="table to label; without it, TRAIN's rows without a label")] = None,
    out: Annotated[Path, typer.Option(help="folder for scores, evaluation, model and card")] = Path("classification"),
    form: Annotated[str, typer.Option("--format", help="of the scores: parquet, csv or xlsx")] = "parquet",
    keep_columns: Annotated[bool, typer.Option(help="the columns of the table beside the scores")] = False,
    embeddings: Annotated[
        str | None, typer.Option(help="folder or name of a sentence-transformers model to read meaning with (an extra)")
    ] = None,
    suggest: Annotated[
        int | None, typer.Option(help="list so many texts whose label would teach most, in suggestions.csv to fill in")
    ] = None,
    seed: Annotated[int, typer.Option(help="for the same draws every time")] = 0,
    force: Annotated[bool, typer.Option(help="write scores even of a model without a signal")] = False,
) -> None:
    """Learn which label a text gets: a judged classifier, explained by words, and labelled texts, without Dagster."""
    from pipelines.any_table.classify import TextRequest, classify_texts
    from pipelines.any_table.question import CannotPredict
    from pipelines.any_table.summary import doing, print_classified

    with told_in_words(CannotPredict, code=2):
        request = TextRequest(
            train,
            tuple(text),
            label,
            key=key,
            score=score,
            out=out,
            form=form,
            keep_columns=keep_columns,
            seed=seed,
            force=force,
            multi=multi,
            columns=tuple(column or ()),
            embeddings=embeddings,
            suggest=suggest,
        )
        with doing() as say:
            done = classify_texts(request, say)
    print_classified(done, request)
    raise typer.Exit(3 if done.evaluation["verdict"] == "no_signal" and suggest is None else 0)
