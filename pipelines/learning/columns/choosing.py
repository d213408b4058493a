"""Which columns a model may use, what kind each is, and why the others were dropped."""

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from pipelines.learning.columns.kinds import Column, as_numbers, kind_of
from pipelines.learning.columns.leaks import Finding, find_leaks
from pipelines.learning.columns.levels import FEWEST_ENTITIES, entities_per_level
from pipelines.learning.specs import PredictionSpec

ID_NAME = re.compile(r"(?:^|[_\s])(?:id|key|number|no|nr|uuid|guid)$", re.IGNORECASE)
ID_SHARE = 0.95
MOST_LEVELS = 40
WIDE_SHARE = 0.5
"""Share of the rows with a value that the levels of a wide category must hold: else it is a name with namesakes."""


def frequent_levels(values: pl.Series, clusters: np.ndarray) -> list[str]:
    """The values that enough different entities share, the most frequent first. Rows of one entity count once."""
    return _frequent(entities_per_level(values, clusters), len(np.unique(clusters)))


def _frequent(counted: pl.DataFrame, entities: int) -> list[str]:
    fewest = max(FEWEST_ENTITIES, round(0.002 * entities))
    return counted.filter(pl.col("entities") >= fewest)["level"].head(MOST_LEVELS).to_list()


def _is_wide(counted: pl.DataFrame) -> bool:
    """Whether more levels than can be told apart are each shared by different entities, and hold half of the rows."""
    shared = counted.filter(pl.col("entities") >= FEWEST_ENTITIES)
    return shared.height > MOST_LEVELS and shared["rows"].sum() >= WIDE_SHARE * counted["rows"].sum()


def choose_columns(
    frame: pl.DataFrame,
    target: np.ndarray,
    clusters: np.ndarray,
    days: np.ndarray | None,
    spec: PredictionSpec,
    seed: int,
    classes: Sequence[str] = (),
) -> tuple[list[Column], list[tuple[str, str]], list[Finding]]:
    """Usable columns, (column, reason) for the dropped ones, and what the leak guard found.

    `frame`: training rows, tidied; `target`: 0/1 or class numbers; `clusters`: entity of each row as an integer from 0;
    `days`: day number of each row's as_of, or None; `classes`: names by number. Looks at training rows only, so that
    the test has no say in what the model sees. A category is wide only where the answer is yes or no: of classes it
    keeps its frequent levels, and is dropped if it has none.
    """
    columns: list[Column] = []
    dropped: list[tuple[str, str]] = []
    own = {spec.entity_key, spec.target, spec.as_of}
    entities = len(np.unique(clusters))
    for name in frame.columns:
        if name in own:
            continue
        if name in spec.exclude:
            dropped.append((name, "excluded by the spec"))
            continue
        column, reason = _judge(frame[name], clusters, entities, spec, can_be_wide=not classes)
        if reason is not None:
            dropped.append((name, reason))
        else:
            columns.append(column)
    dropped += [
        (name, "text column of the spec that the table does not have") for name in spec.text if name not in frame
    ]
    findings = find_leaks(frame, columns, target, clusters, seed, days, classes)
    leaky = {finding.column: finding.reason for finding in findings if finding.grade == "leaky"}
    if not spec.keep_leaky:
        dropped += [(column.name, f"leak: {leaky[column.name]}") for column in columns if column.name in leaky]
        columns = [column for column in columns if column.name not in leaky]
    return columns, dropped, findings


def _judge(
    values: pl.Series, clusters: np.ndarray, entities: int, spec: PredictionSpec, can_be_wide: bool
) -> tuple[Column, str | None]:
    """The column, and the reason to drop it without a look at the target."""
    name, kind = values.name, kind_of(values.dtype)
    unusable = Column(name, "")
    if _bare(name) == _bare(spec.target):
        return unusable, f"has the target's name ({spec.target})"
    if values.null_count() == len(values):
        return unusable, "no value in the training period"
    if kind is None:
        return unusable, f"values of type {values.dtype} cannot be encoded"
    distinct = values.drop_nulls().n_unique()
    if distinct == 1 and values.null_count() == 0:
        return unusable, f"constant: always {values[0]!r}"
    if name in spec.text:
        is_text = kind == "category"
        return Column(name, "text" if is_text else kind), None if is_text else f"named as text, but is {values.dtype}"
    if kind == "category" and distinct > MOST_LEVELS and as_numbers(values).null_count() == values.null_count():
        kind = "number"
    id_like = f"id-like: {distinct:,} distinct values among {entities:,} entities"
    if ID_NAME.search(name) and distinct >= ID_SHARE * entities and _is_whole(values):
        return unusable, id_like
    is_wide = False
    if kind == "category":
        counted = entities_per_level(values, clusters)
        is_wide = can_be_wide and _is_wide(counted)
        if not is_wide and not _frequent(counted, entities):
            return unusable, f"{id_like}, none shared by enough"
    if kind == "number" and values.dtype == pl.String and distinct >= ID_SHARE * entities and ID_NAME.search(name):
        return unusable, id_like
    return Column(name, kind, is_wide), None


def _is_whole(values: pl.Series) -> bool:
    """Whether these are numbers without decimals, of whatever type."""
    if not values.dtype.is_numeric():
        return False
    return values.dtype.is_integer() or bool((values.drop_nulls() % 1 == 0).all())


def _bare(name: str) -> str:
    return re.sub(r"^(is|has|was)|[^a-z0-9]", "", re.sub(r"[^a-z0-9]", "", name.lower()))
