"""`scorecast classify --suggest`: the texts whose label would teach most, as a sheet to fill in."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.any_table.question import CannotPredict

if TYPE_CHECKING:
    import polars as pl

    from pipelines.learning.texts.beside import Beside
    from pipelines.learning.texts.classifier import TextModel
    from pipelines.learning.texts.tags import TagModel

FILE = "suggestions.csv"


def write_suggestions(
    folder: Path,
    count: int,
    model: "TextModel | TagModel | None",
    table: "pl.DataFrame",
    key: "pl.Series",
    texts: Sequence[str],
    beside: "Beside | None",
    columns: Sequence[str],
    label: str,
    separator: str | None,
    notes: list[str],
) -> Path:
    """
    Write at most `count` of the rows of a table without a label: key, texts (cleaned and masked), what the model says.

    `columns`: of texts; `label`: the name of the column to fill in, which is empty. Raises CannotPredict where no row
    has a text.
    """
    import polars as pl

    from pipelines.any_table.scores import other_names
    from pipelines.any_table.text_rows import cleaned_texts
    from pipelines.learning.texts.labelling import labelled
    from pipelines.learning.texts.suggesting import suggested
    from pipelines.spreadsheets import WRITERS

    if not any(texts):
        raise CannotPredict("No row without a label has a text: there is nothing to suggest.")
    places = suggested(texts, count, model, beside)
    if len(places) < count:
        notes.append(f"{len(places):,} texts are suggested: there are no more without a label that are not copies.")
    rows = table[places]
    theirs = [key[places], *(pl.Series(name, cleaned_texts(rows, [name])) for name in columns if name in table.columns)]
    said = {
        "predicted": pl.Series([None] * len(places), dtype=pl.String),
        "probability": pl.Series([None] * len(places)),
    }
    if model is not None:
        import numpy as np

        scores = labelled(
            model, [texts[place] for place in places], beside and beside.take(np.array(places)), separator or ""
        )
        said = {name: scores[name] for name in said}
    given = [*(values.name for values in theirs), label]
    renamed = other_names(list(said), given)
    frame = pl.DataFrame(
        [
            *theirs,
            *(values.alias(renamed.get(name, name)) for name, values in said.items()),
            pl.Series(label, [None] * len(places), dtype=pl.String),
        ]
    )
    path = folder / FILE
    notes += WRITERS[".csv"](frame.with_columns(pl.col(pl.Float64).round(4)), path, "suggestions")
    return path
