"""The scored rows as a table: the key and the columns of the user keep their names, ours give way."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.learning.scoring.fitted import score_prediction

if TYPE_CHECKING:
    import polars as pl

    from pipelines.learning.scoring.fitted import FittedPrediction

APART, OURS = "__", "scorecast_"
"""Before the names of the user's columns while ours are made, and before ours where the user's are called so."""


def scored_apart(
    model: "FittedPrediction", frame: "pl.DataFrame", given: Mapping[str, str]
) -> tuple["pl.DataFrame", list[str]]:
    """
    Score rows; a column of ours that is called like one of the user's gets another name, and a note says so.

    `given`: the user's columns in `frame` that go in front, key first, and what they are called there. Columns that
    would be empty (`expected_value` without a value) are left out.
    """
    spec = model.spec
    apart = {name: f"{APART}{name}" for name in given}
    named = replace(spec, entity_key=apart[spec.entity_key], as_of=apart.get(spec.as_of))
    rows = frame.with_columns(frame[name].alias(other) for name, other in apart.items())
    scores = score_prediction(replace(model, spec=named), rows)
    front = scores.select(apart.values()).rename({other: given[name] for name, other in apart.items()})
    ours = scores.drop(*apart.values())
    empty = [name for name in ("as_of_date", "expected_value") if name in ours.columns and ours.height]
    ours = ours.drop(name for name in empty if ours[name].null_count() == ours.height)
    renamed = other_names(ours.columns, front.columns)
    notes = [f"Your column {name!r} keeps its name; ours is called {new!r}." for name, new in renamed.items()]
    return front.hstack(ours.rename(renamed)), notes


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
