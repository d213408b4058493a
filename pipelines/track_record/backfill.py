"""
Scores for past days as they would have been then: `backfills/<name>`, one partition a Sunday.

Each day's snapshots are scored by a model that was fitted only on answers known by then. Such a model is fitted for
every fourth Sunday, whichever days are asked for; one in between would hardly differ. A backfill changes neither the
champion nor today's scores: its rows go into `score_history` with the next release, marked `is_backfill`. The YAML and
the code are today's, not those of the day.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from pipelines.database import connect
from pipelines.instance.metadata import WARNING, constant, markdown_metadata
from pipelines.publishing.states import BACKFILL, SCORE_HISTORY
from pipelines.settings import dbt_project_dir, published_path
from pipelines.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from pipelines.learning.scoring.fitted import FittedPrediction
    from pipelines.track_record.compared import ScoredPrediction

FIRST_SUNDAY = date(1970, 1, 4)
DAYS_BETWEEN_FITS = 28
EARLIEST_SUNDAY = date(2015, 1, 4)
"""The first partition while nothing is published and the days with snapshots are unknown."""


@dataclass(frozen=True)
class Backfilled:
    """The result of one day: how many were scored, or why none were."""

    as_of: date
    rows: int
    note: str


def backfill_asset(prediction: "ScoredPrediction") -> dg.AssetsDefinition:
    """The partitioned asset; a range of partitions is one run, so that its days share models."""

    @dg.asset(
        key=["backfills", prediction.name],
        deps=[list(prediction.features_table), list(prediction.outcomes_table)],
        group_name=prediction.name,
        kinds={"duckdb"},
        owners=[prediction.owner],
        partitions_def=sundays(published_path()),
        backfill_policy=dg.BackfillPolicy.single_run(),
        description=(
            "Scores of past Sundays as they would have been then, for `published.score_outcomes`; today's scores and "
            f"the model in use stay as they are. {prediction.description}"
        ),
        pool="warehouse",
    )
    def backfill(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        days = [date.fromisoformat(key) for key in context.partition_keys]
        with warehouse.connect() as connection:
            made = []
            for done in backfill_scores(connection, prediction, days):
                context.log.info(f"{prediction.name}, {done.as_of}: {done.rows:,} scored; {done.note}")
                made.append(done)
        lines = ["| day | scored | how |", "|---|---|---|"]
        lines += [f"| {done.as_of} | {done.rows:,} | {done.note} |" for done in made]
        metadata = {
            "dagster/row_count": sum(done.rows for done in made),
            "days": markdown_metadata("\n".join(lines)),
        }
        if why := not_scored(prediction.name, made):
            metadata[WARNING] = why
        return dg.MaterializeResult(metadata=metadata)

    return backfill


def not_scored(name: str, made: Sequence[Backfilled]) -> str:
    """How many days could not be scored, and why the newest of them could not; empty if all were."""
    empty = [done for done in made if not done.rows]
    if not empty:
        return ""
    many = "none" if len(empty) == len(made) else f"{len(made) - len(empty):,}"
    newest = max(empty, key=lambda done: done.as_of)
    return f"{name}: {many} of {len(made):,} Sundays could be scored. {newest.as_of}: {newest.note.rstrip('.')}."


def days_with_snapshots(published: Path) -> tuple[date, date] | None:
    """The first and the last Sunday that the newest run has snapshots of; None before the first release."""
    import duckdb
    import yaml

    if not published.exists():
        return None
    try:
        with connect(published, read_only=True) as connection:
            (as_of,) = connection.execute("select max(as_of_date) from releases").fetchone()
    except duckdb.Error:  # a damaged release is reported by the commands that read it
        return None
    settings = yaml.safe_load((dbt_project_dir() / "dbt_project.yml").read_text())
    kept = sundays_between(as_of - timedelta(days=settings["vars"]["snapshot_days"] - 1), as_of)
    return kept[0], kept[-1]


@lru_cache(maxsize=1)
def sundays(published: Path) -> dg.WeeklyPartitionsDefinition:
    """The days that can be backfilled, as known when the definitions are loaded."""
    first, last = days_with_snapshots(published) or (EARLIEST_SUNDAY, None)
    return dg.WeeklyPartitionsDefinition(
        start_date=str(first), end_date=str(last + timedelta(days=7)) if last else None, day_offset=0, end_offset=1
    )


def fitted_on(as_of: date) -> date:
    """The day on which the model of a day is fitted: the last of every fourth Sunday."""
    return as_of - timedelta(days=(as_of - FIRST_SUNDAY).days % DAYS_BETWEEN_FITS)


def backfill_scores(
    connection: "duckdb.DuckDBPyConnection", prediction: "ScoredPrediction", days: Iterable[date]
) -> Iterator[Backfilled]:
    """Score past days into `scores.backfilled`, replacing what an earlier backfill wrote for a day."""
    columns = ", ".join(f"{name} {kind}" for name, kind in SCORE_HISTORY.items())
    connection.execute("create schema if not exists scores")
    connection.execute(f"create table if not exists scores.backfilled ({columns})")
    fitted_day, model, verdict = None, None, ""
    for day in sorted(days):
        frame = prediction.rows_to_score(connection, as_of=day)
        if frame.is_empty():
            yield Backfilled(day, 0, "there is no snapshot of this day")
            continue
        if fitted_day != fitted_on(day):
            fitted_day = fitted_on(day)
            model, verdict = _model_of(connection, prediction, fitted_day)
        _replace(connection, prediction, day, None if model is None else _scored(model, prediction, frame, fitted_day))
        yield Backfilled(day, 0 if model is None else frame.height, verdict)


def _model_of(
    connection: "duckdb.DuckDBPyConnection", prediction: "ScoredPrediction", day: date
) -> "tuple[FittedPrediction | None, str]":
    """The model that a fit on this day would have kept, or None, and the reason."""
    from pipelines.learning.fitting.fit import TooLittleData, fit_prediction

    try:
        result = fit_prediction(prediction.training_frame(connection, known_by=day), prediction.learning_spec())
    except TooLittleData as problem:
        return None, f"no model on {day}: {problem}"
    if not result.kept:
        return None, f"no model on {day}: {result.reason}"
    return result.model, f"by a model of {day}, AUC {result.metrics['auc']:.3f} out of time"


def _scored(
    model: "FittedPrediction", prediction: "ScoredPrediction", frame: "pl.DataFrame", fitted: date
) -> "pl.DataFrame":
    """Rows for the score history, without reasons: the history keeps reasons for two weeks only."""
    import polars as pl

    from pipelines.learning.scoring.fitted import grade, percentile_scores, predict

    probability = pl.Series(predict(model, frame))
    score = percentile_scores(probability.to_numpy())
    value = frame[prediction.value].cast(pl.Float64) if prediction.value else pl.Series([None] * frame.height)
    currency = frame["currency"] if "currency" in frame.columns else pl.Series([None] * frame.height, dtype=pl.String)
    return pl.DataFrame(
        {
            "entity_id": frame[prediction.entity].cast(pl.String),
            "as_of_date": frame[prediction.as_of].cast(pl.Date),
            "probability": probability,
            "score": pl.Series(score, dtype=pl.Int32),
            "grade": [grade(each) for each in score],
            "expected_value": (value * probability).cast(pl.Float64),
            "currency": currency,
        }
    ).with_columns(
        table_name=constant(prediction.publish.table),
        model_version=constant(f"{prediction.name}-as-of-{fitted}"),
        release_id=pl.concat_str(pl.lit(BACKFILL), pl.col("as_of_date").cast(pl.String)),
        horizon_days=constant(prediction.horizon_days),
        is_backfill=pl.lit(True),
    )


def _replace(
    connection: "duckdb.DuckDBPyConnection", prediction: "ScoredPrediction", day: date, rows: "pl.DataFrame | None"
) -> None:
    connection.execute(
        "delete from scores.backfilled where table_name = ? and as_of_date = ?", [prediction.publish.table, day]
    )
    if rows is None:
        return
    connection.register("backfilled_rows", rows.to_arrow())
    try:
        connection.execute("insert into scores.backfilled by name select * from backfilled_rows")
    finally:
        connection.unregister("backfilled_rows")


def sundays_between(first: date, last: date) -> list[date]:
    """Every Sunday from `first` to `last`. Raises ValueError if there is none, or `last` is earlier."""
    if last < first:
        raise ValueError(f"--to {last} is earlier than --from {first}.")
    sunday = first + timedelta(days=(6 - first.weekday()) % 7)
    if sunday > last:
        raise ValueError(f"There is no Sunday from {first} to {last}; snapshots are kept for Sundays.")
    return [sunday + timedelta(days=7 * week) for week in range((last - sunday).days // 7 + 1)]
