"""Which columns a model may use, what kind each is, and why the others were dropped."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from pipelines.learning.columns.amount_leaks import find_amount_leaks
from pipelines.learning.columns.kinds import Column, Dropped, as_numbers, kind_of
from pipelines.learning.columns.leaks import Finding, find_leaks
from pipelines.learning.columns.levels import FEWEST_ENTITIES, entities_per_level
from pipelines.learning.specs import PredictionSpec

ID_NAME = re.compile(r"(?:^|[_\s])(?:id|key|number|no|nr|uuid|guid)$", re.IGNORECASE)
PERSONS_NAME = re.compile(
    r"(?:contact|customer|lead|user|person|owner)?(?:(?:first|given|middle|last|family|sur|fore)name|vorname|nachname)"
)
"""What a column with persons' names is called, by its letters."""
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
    known_in_time: Collection[str] = (),
) -> tuple[list[Column], list[Dropped], list[Finding]]:
    """Usable columns, the dropped ones, and what the leak guard found.

    `frame`: training rows, tidied; `target`: 0/1, numbers of classes or levels, or amounts; `clusters`: entity of each
    row as an integer from 0; `days`: day number of each row's as_of, or None; `classes`: names by number. Looks at
    training rows only, so that the test has no say in what the model sees. A category is wide unless the answer is one
    of several classes: of those it keeps its frequent levels, and is dropped if it has none. `known_in_time`: columns
    that are computed from what was known by each row's as_of; however much they tell, they do not give the answer away.
    """
    columns: list[Column] = []
    dropped: list[Dropped] = []
    own = {spec.entity_key, spec.target, spec.as_of}
    entities = len(np.unique(clusters))
    for name in frame.columns:
        if name in own:
            continue
        if spec.excludes(name):
            dropped.append(Dropped(name, "excluded", "excluded by the spec"))
            continue
        judged = _judge(frame[name], clusters, entities, spec, can_be_wide=spec.task != "classes")
        (dropped if isinstance(judged, Dropped) else columns).append(judged)
    dropped += [
        Dropped(name, "unusable", "text column of the spec that the table does not have")
        for name in spec.text
        if name not in frame
    ]
    if spec.task == "amount":
        findings = find_amount_leaks(frame, columns, target, clusters, seed, days)
    else:
        findings = find_leaks(frame, columns, target, clusters, seed, days, classes)
    findings = [replace(each, grade="suspect") if each.column in known_in_time else each for each in findings]
    leaky = {finding.column: finding.reason for finding in findings if finding.grade == "leaky"}
    if not spec.keep_leaky:
        dropped += [Dropped(column.name, "leaky", leaky[column.name]) for column in columns if column.name in leaky]
        columns = [column for column in columns if column.name not in leaky]
    return columns, dropped, findings


def _judge(
    values: pl.Series, clusters: np.ndarray, entities: int, spec: PredictionSpec, can_be_wide: bool
) -> Column | Dropped:
    """The column, or why it is dropped without a look at the target."""
    name, kind = values.name, kind_of(values.dtype)
    if _bare(name) == _bare(spec.target):
        return Dropped(name, "target", f"has the target's name ({spec.target})")
    if values.null_count() == len(values):
        return Dropped(name, "constant", "no value in the training period")
    if kind is None:
        return Dropped(name, "unusable", f"values of type {values.dtype} cannot be encoded")
    distinct = values.drop_nulls().n_unique()
    if distinct == 1 and values.null_count() == 0:
        return Dropped(name, "constant", f"always {values[0]!r}")
    if name in spec.text:
        if kind == "category":
            return Column(name, "text")
        return Dropped(name, "unusable", f"named as text, but is {values.dtype}")
    if kind == "category" and distinct > MOST_LEVELS and as_numbers(values).null_count() == values.null_count():
        kind = "number"
    if kind == "category" and PERSONS_NAME.fullmatch(_letters(name)):
        return Dropped(name, "id_like", "the names of persons: who is called what is no ground for a score")
    id_like = Dropped(name, "id_like", f"{distinct:,} distinct values among {entities:,} entities")
    if ID_NAME.search(name) and distinct >= ID_SHARE * entities and _is_whole(values):
        return id_like
    is_wide = False
    if kind == "category":
        counted = entities_per_level(values, clusters)
        is_wide = can_be_wide and _is_wide(counted)
        if not is_wide and not _frequent(counted, entities):
            return replace(id_like, reason=f"{id_like.reason}, none shared by enough")
    if kind == "number" and values.dtype == pl.String and distinct >= ID_SHARE * entities and ID_NAME.search(name):
        return id_like
    return Column(name, kind, is_wide)


def _is_whole(values: pl.Series) -> bool:
    """Whether these are numbers without decimals, of whatever type."""
    if not values.dtype.is_numeric():
        return False
    return values.dtype.is_integer() or bool((values.drop_nulls() % 1 == 0).all())


def _bare(name: str) -> str:
    return re.sub(r"^(is|has|was)|[^a-z0-9]", "", _letters(name))


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
