"""Which columns a model may use, what kind each is, and why the others were dropped."""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars.selectors as cs

from pipelines.learning.evaluation import auc
from pipelines.learning.specs import PredictionSpec

LEAK_AUC = 0.98
LEAK_ROWS = 8_000
ID_NAME = re.compile(r"(?:^|[_\s])(?:id|key|number|no|nr|uuid|guid)$", re.IGNORECASE)
ID_SHARE = 0.95
MOST_LEVELS = 40
FEWEST_ENTITIES = 5
FEWEST_ENTITIES_LEAK = 10


@dataclass(frozen=True)
class Column:
    """A usable column. `kind`: number, boolean, category, date or text."""

    name: str
    kind: str


def kind_of(dtype: pl.DataType) -> str | None:
    """What a declared type is encoded as; None if it cannot be."""
    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_numeric() or dtype == pl.Duration:
        return "number"
    if dtype in (pl.Date, pl.Datetime):
        return "date"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "category"
    return None


def tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with blank text, NaN and infinity as null, and times without zone."""
    return frame.with_columns(
        cs.float().map_batches(lambda s: s.set(~s.is_finite(), None)),
        (cs.string() | cs.categorical() | cs.enum()).cast(pl.String).str.strip_chars().replace("", None),
        cs.duration().dt.total_seconds() / 86_400,
        cs.decimal().cast(pl.Float64),
        cs.datetime().dt.replace_time_zone(None),
    )


def frequent_levels(values: pl.Series, clusters: np.ndarray) -> list[str]:
    """The values that enough different entities share, the most frequent first. Rows of one entity count once."""
    table = (
        pl.DataFrame({"level": values, "entity": clusters})
        .drop_nulls("level")
        .group_by("level")
        .agg(pl.col("entity").n_unique().alias("entities"))
    )
    fewest = max(FEWEST_ENTITIES, round(0.002 * len(np.unique(clusters))))
    shared = table.filter(pl.col("entities") >= fewest).sort(["entities", "level"], descending=[True, False])
    return shared["level"].head(MOST_LEVELS).to_list()


def choose_columns(
    frame: pl.DataFrame, target: np.ndarray, clusters: np.ndarray, spec: PredictionSpec, seed: int
) -> tuple[list[Column], list[tuple[str, str]]]:
    """Usable columns and (column, reason) for the dropped ones.

    `frame`: training rows, tidied; `target`: 0/1; `clusters`: entity of each row as an integer from 0. Looks at
    training rows only,
    so that the test has no say in what the model sees.
    """
    columns: list[Column] = []
    dropped: list[tuple[str, str]] = []
    sample = _leak_sample(target, clusters, seed)
    own = {spec.entity_key, spec.target, spec.as_of}
    for name in frame.columns:
        if name in own:
            continue
        if name in spec.exclude:
            dropped.append((name, "excluded by the spec"))
            continue
        kind, reason = _judge(frame[name], clusters, spec)
        if reason is None:
            reason = _leak(frame[name], kind, target, clusters, sample)
        if reason is not None:
            dropped.append((name, reason))
        else:
            columns.append(Column(name, kind))
    dropped += [
        (name, "text column of the spec that the table does not have") for name in spec.text if name not in frame
    ]
    return columns, dropped


def as_numbers(values: pl.Series) -> pl.Series:
    """Numbers, booleans, dates (days since 1970) or numbers written as text, as Float64; the rest null."""
    if values.dtype in (pl.Date, pl.Datetime):
        days = values.cast(pl.Datetime("us"), strict=False).dt.replace_time_zone(None).dt.epoch("us") / 86_400e6
        return days.cast(pl.Float64)
    if values.dtype == pl.Duration:
        return (values.dt.total_seconds() / 86_400).cast(pl.Float64)
    if values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    if values.dtype == pl.String:
        values = values.str.strip_chars()
    if kind_of(values.dtype) is None:
        return pl.Series(values.name, [None] * len(values), dtype=pl.Float64)
    numbers = values.cast(pl.Float64, strict=False)
    return numbers.set(~numbers.is_finite(), None)


def _judge(values: pl.Series, clusters: np.ndarray, spec: PredictionSpec) -> tuple[str, str | None]:
    """Kind, and the reason to drop it without a look at the target."""
    name, kind = values.name, kind_of(values.dtype)
    if _bare(name) == _bare(spec.target):
        return "", f"has the target's name ({spec.target})"
    if values.null_count() == len(values):
        return "", "no value in the training period"
    if kind is None:
        return "", f"values of type {values.dtype} cannot be encoded"
    distinct = values.drop_nulls().n_unique()
    if distinct == 1 and values.null_count() == 0:
        return "", f"constant: always {values[0]!r}"
    if name in spec.text:
        return ("text", None) if kind == "category" else (kind, f"named as text, but is {values.dtype}")
    entities = len(np.unique(clusters))
    if kind == "category" and distinct > MOST_LEVELS and as_numbers(values).null_count() == values.null_count():
        kind = "number"
    if values.dtype.is_integer() and ID_NAME.search(name) and distinct >= ID_SHARE * entities:
        return "", f"id-like: {distinct:,} distinct values among {entities:,} entities"
    if kind == "category":
        levels = frequent_levels(values, clusters)
        if not levels:
            return "", f"id-like: {distinct:,} distinct values among {entities:,} entities, none shared by enough"
    if kind == "number" and values.dtype == pl.String and distinct >= ID_SHARE * entities and ID_NAME.search(name):
        return "", f"id-like: {distinct:,} distinct values among {entities:,} entities"
    return kind, None


def _leak_sample(target: np.ndarray, clusters: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of two halves without a common entity."""
    generator = np.random.default_rng(seed)
    half = generator.integers(0, 2, size=int(clusters.max()) + 1)[clusters]
    chosen = np.sort(generator.permutation(len(target))[:LEAK_ROWS])
    return chosen[half[chosen] == 0], chosen[half[chosen] == 1]


def _leak(
    values: pl.Series, kind: str, target: np.ndarray, clusters: np.ndarray, sample: tuple[np.ndarray, np.ndarray]
) -> str | None:
    """Why this column alone knows the answer too well, or None.

    Bins of the column (and one for "missing") get their rate of yes in one half of the entities; the AUC is measured in
    the other.
    """
    missing = values.is_null().to_numpy()
    reason = _leak_by_presence(missing, target, clusters)
    if reason is not None or kind == "text":
        return reason
    learn, judge = sample
    if not (0 < target[judge].sum() < len(judge) and 0 < target[learn].sum() < len(learn)):
        return None
    if kind == "category":
        top = values.drop_nulls().value_counts(sort=True)[values.name].head(MOST_LEVELS).to_list()
        codes = values.replace_strict(top, range(1, len(top) + 1), default=len(top) + 1, return_dtype=pl.Int64)
        bins = np.where(missing, 0, codes.fill_null(0).to_numpy())
    else:
        numbers = as_numbers(values).to_numpy()
        known = numbers[learn][~missing[learn]]
        edges = np.unique(np.quantile(known, np.linspace(0.05, 0.95, 19))) if len(known) else np.array([])
        bins = np.where(missing, 0, 1 + np.searchsorted(edges, np.where(missing, 0, numbers)))
        in_judge = judge[~missing[judge]]
        if len(in_judge) == len(judge):
            raw = auc(target[judge], numbers[judge])
            if max(raw, 1 - raw) >= LEAK_AUC:
                return f"leak: alone it predicts the outcome with AUC {max(raw, 1 - raw):.3f}"
    size = int(bins.max()) + 1
    hits = np.bincount(bins[learn], weights=target[learn], minlength=size)
    rows = np.bincount(bins[learn], minlength=size)
    rate = (hits + target[learn].mean()) / (rows + 1)
    measured = auc(target[judge], rate[bins[judge]])
    return f"leak: alone it predicts the outcome with AUC {measured:.3f}" if measured >= LEAK_AUC else None


def _leak_by_presence(missing: np.ndarray, target: np.ndarray, clusters: np.ndarray) -> str | None:
    """A column that is filled in (or left empty) only once the answer is known.

    Where one of the two groups holds a single answer, and at the base rate that is no accident for so many entities.
    For a group of only "no", half of all "no" must be in it and the base rate be ordinary: rare outcomes leave innocent
    groups without a single yes.
    """
    base = float(target.mean())
    if base in (0.0, 1.0):
        return None
    for group, words in ((~missing, "filled in"), (missing, "left empty")):
        rows, hits = int(group.sum()), float(target[group].sum())
        if rows == 0 or 0 < hits < rows:
            continue
        entities = len(np.unique(clusters[group]))
        if hits == rows and entities >= FEWEST_ENTITIES_LEAK and entities * np.log(base) < np.log(1e-9):
            return f"leak: {words} in {rows:,} rows, and the outcome is yes in all of them"
        share = rows / float((target == 0).sum())
        if hits == 0 and base >= 0.1 and share >= 0.5 and entities * np.log1p(-base) < np.log(1e-12):
            return f"leak: {words} in {rows:,} rows, and the outcome is no in all of them"
    return None


def _bare(name: str) -> str:
    return re.sub(r"^(is|has|was)|[^a-z0-9]", "", re.sub(r"[^a-z0-9]", "", name.lower()))
