"""The scored rows as a table: the key and the columns of the user keep their names, ours give way."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipelines.learning.scoring.fitted import score_prediction
from pipelines.spreadsheets import REASONS, WRITERS, for_people

if TYPE_CHECKING:
    from pipelines.learning.scoring.fitted import FittedPrediction

FORMS = ("parquet", "csv", "xlsx")
APART, OURS = "__", "scorecast_"
"""Before the names of the user's columns while ours are made, and before ours where the user's are called so."""


def scored_apart(
    model: "FittedPrediction", frame: pl.DataFrame, given: Mapping[str, str], kept: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, list[str]]:
    """
    Score rows; a column of ours that is called like one of the user's gets another name, and a note says so.

    `given`: the columns of `frame` that go in front, key first, and what they are called there: the same if they are
    the user's. `kept`: the user's columns of the same rows, which come last. Columns that would be empty
    (`expected_value` without a value) are left out.
    """
    spec = model.spec
    apart = {name: f"{APART}{name}" for name in given}
    named = replace(spec, entity_key=apart[spec.entity_key], as_of=apart.get(spec.as_of))
    rows = frame.with_columns(frame[name].alias(other) for name, other in apart.items())
    scores = score_prediction(replace(model, spec=named), rows)
    theirs = [name for name, called in given.items() if name == called]
    scores = scores.rename({apart[name]: called for name, called in given.items() if name != called})
    empty = [name for name in ("as_of_date", "expected_value") if name in scores.columns and scores.height]
    scores = scores.drop(name for name in empty if scores[name].null_count() == scores.height)
    last = kept.drop(theirs, strict=False) if kept is not None else frame.select()
    own = [name for name in scores.columns if name not in apart.values()]
    renamed = other_names(own, [*theirs, *last.columns])
    notes = [f"Your column {name!r} keeps its name; ours is called {new!r}." for name, new in renamed.items()]
    scores = scores.rename({**renamed, **{apart[name]: name for name in theirs}})
    return pl.DataFrame([*scores, *last]), notes


def with_numbers(table: pl.DataFrame, kinds: Mapping[str, str]) -> pl.DataFrame:
    """A table as it came, with columns of texts that are all plain numbers as numbers; `kinds`: of the columns."""
    columns = []
    for values in table:
        if values.dtype == pl.String and kinds.get(values.name) == "number":
            typed = (values.cast(dtype, strict=False) for dtype in (pl.Int64, pl.Float64))
            values = next((each for each in typed if each.null_count() == values.null_count()), values)
        columns.append(values)
    return pl.DataFrame(columns)


def drop_scores(folder: Path) -> None:
    """Remove the scores of an earlier run, in whatever form."""
    for form in FORMS:
        (folder / f"scores.{form}").unlink(missing_ok=True)


def write_scores(scores: pl.DataFrame, folder: Path, form: str) -> tuple[Path, list[str]]:
    """
    Write `scores.<form>` into a folder; returns the file, and notes.

    CSV and Excel are without the JSON of all reasons, and no text in them is a formula. Raises `SheetFull`.
    """
    path = folder / f"scores.{form}"
    if form == "parquet":
        scores.write_parquet(path, compression_level=1)
        return path, []
    reasons = [name for name in (REASONS, f"{OURS}{REASONS}") if name in scores.columns][-1:]
    return path, WRITERS[path.suffix](for_people(scores.drop(reasons)), path, "scores")


def other_names(ours: Collection[str], theirs: Collection[str]) -> dict[str, str]:
    """New names for those of ours that the user has, too."""
    taken, renamed = {*ours, *theirs}, {}
    for name in ours:
        if name in theirs:
            new = f"{OURS}{name}"
            while new in taken:
                new = f"{OURS}{new}"
            renamed[name] = new
            taken.add(new)
    return renamed
