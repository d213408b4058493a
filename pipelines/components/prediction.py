"""Prediction: one YAML spec → `models/<name>`, `scores/<name>`, `published/<table>` and their checks."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from pipelines.components.backfill import backfill_asset
from pipelines.components.model_store import champion_version, kept_metadata, model_path, promote, should_fit
from pipelines.components.release import KEY_METADATA
from pipelines.components.run_log import record_fit
from pipelines.components.ui import image_metadata, literal, table_metadata
from pipelines.settings import data_dir
from pipelines.warehouse import Warehouse, read_frame, table_exists, write_frame

if TYPE_CHECKING:
    from datetime import date

    import duckdb
    import polars as pl

    from pipelines.learning.prediction import FitResult, FittedPrediction
    from pipelines.learning.specs import PredictionSpec


class PublishedScores(dg.Model, dg.Resolvable):
    """Which table users get, and how its rows are described to them."""

    table: str
    """Name in the schema `published`."""
    described_by: str
    """Core model with one row per entity."""
    columns: list[str] = Field(default_factory=list)
    """Columns of that core model to show beside the key."""
    expected_value_as: str = "expected_value"
    """What probability times value is called."""


class Prediction(dg.Component, dg.Model, dg.Resolvable):
    """A yes-or-no question about an entity, asked at every `as_of_date`; the answer is a probability with reasons."""

    name: str
    description: str
    entity: str
    """Key column of the snapshots."""
    features: str
    """Model in the schema `features` with one row per entity and `as_of_date`."""
    outcomes: str
    """Model in the schema `features` with the target at the same grain, null while it is not known."""
    target: str
    horizon_days: int
    publish: PublishedScores
    owner: str = "team:data"
    population: str = "true"
    """SQL condition over the snapshot: who is learnt from and scored."""
    value: str | None = None
    """Snapshot column with the money at stake."""
    text: list[str] = Field(default_factory=list)
    exclude: list[str] = Field(default_factory=list)
    segments: list[str] = Field(default_factory=list)
    """Snapshot columns by whose values the model card repeats the metrics."""
    step_days: int = 28
    """Days between the snapshots that are learnt from."""
    history_days: int = 728
    """How far back to learn from: what is older is another business, or was loaded without those that left."""
    max_calibration_error: float = 0.08
    """How far predicted and observed rates may differ out of time (beyond sampling noise) for a model to be kept."""
    min_rows: int = 200
    min_positives: int = 30
    holdback: float = Field(default=0.0, ge=0, lt=1)
    """Share of the entities that are flagged `is_holdback`, for nobody to act on, so that acting can be measured."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets of this prediction; every one can be materialised alone."""
        return dg.Definitions(
            assets=[self._model_asset(), self._scores_asset(), self._published_asset(), backfill_asset(self)]
        )

    def learning_spec(self) -> "PredictionSpec":
        """The same in the words of `pipelines.learning`, which knows no Dagster."""
        from pipelines.learning.specs import PredictionSpec

        return PredictionSpec(
            name=self.name,
            entity_key=self.entity,
            target=self.target,
            horizon_days=self.horizon_days,
            exclude=tuple(self.exclude),
            text=tuple(self.text),
            value=self.value,
            segments=tuple(self.segments),
            step_days=self.step_days,
            max_calibration_error=self.max_calibration_error,
            min_rows=self.min_rows,
            min_positives=self.min_positives,
        )

    def _model_asset(self) -> dg.AssetsDefinition:
        @dg.asset(
            key=["models", self.name],
            deps=[["features", self.features], ["features", self.outcomes], ["features", "catalogue"]],
            group_name=self.name,
            kinds={"scikitlearn", "lightgbm"},
            owners=[self.owner],
            description=f"The fitted model. {self.description}",
            pool="warehouse",
        )
        def model(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            return self.fit(context, warehouse)

        return model

    def _scores_asset(self) -> dg.AssetsDefinition:
        @dg.asset(
            key=["scores", self.name],
            deps=[["models", self.name], ["features", self.features], ["features", "catalogue"]],
            group_name=self.name,
            kinds={"duckdb"},
            owners=[self.owner],
            description=f"Everyone in the population, scored as of the run's date. {self.description}",
            pool="warehouse",
        )
        def scores(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            return self.score(context, warehouse)

        return scores

    def _published_asset(self) -> dg.AssetsDefinition:
        @dg.asset(
            key=["published", self.publish.table],
            deps=[["scores", self.name], ["core", self.publish.described_by]],
            group_name=self.name,
            kinds={"duckdb"},
            owners=[self.owner],
            description=f"What users query: key, answer, reasons, provenance. {self.description}",
            metadata={KEY_METADATA: self.entity},
            pool="warehouse",
        )
        def published(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            return self.publish_scores(warehouse)

        return published

    def fit(self, context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        """Fit a challenger, keep it if it is good enough, and write down what happened either way."""
        from pipelines.learning.prediction import TooLittleData, fit_prediction
        from pipelines.learning.storage import load_model, save_model

        champion_id = champion_version(self.name)
        if not should_fit(context, champion_id):
            return dg.MaterializeResult(metadata=kept_metadata(context, champion_id))

        with warehouse.connect() as connection:
            frame = self.training_frame(connection)
            descriptions = self._descriptions(connection)
        champion = load_model(model_path(self.name, champion_id)) if champion_id else None
        started = datetime.now(UTC)
        run = {"model": self.name, "run_id": context.run_id, "started_at": started, "rows": frame.height}
        try:
            result = fit_prediction(frame, self.learning_spec(), descriptions=descriptions, champion=champion)
        except TooLittleData as problem:
            with warehouse.connect() as connection:
                record_fit(connection, **run, status="skipped", reason=str(problem), model_version=champion_id)
            context.log.warning(f"{self.name} was not fitted: {problem}")
            return dg.MaterializeResult(metadata={"status": "skipped", "reason": str(problem)})

        version = f"{self.name}-{started:%Y%m%dT%H%M%S}"
        if result.kept:
            save_model(result.model, model_path(self.name, version))
            promote(self.name, version)
        with warehouse.connect() as connection:
            record_fit(
                connection,
                **run,
                status="kept" if result.kept else "refused",
                reason=result.reason,
                model_version=version if result.kept else champion_id,
                method=result.model.method,
                metrics=result.metrics,
                candidates=result.candidates,
            )
        self._write_card(result, version)
        return dg.MaterializeResult(metadata=fit_metadata(result, version))

    def score(self, context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        """Score the population as of the run's date; without a model the last scores stay as they are."""
        from pipelines.learning.holdback import held_back
        from pipelines.learning.prediction import score_prediction
        from pipelines.learning.storage import load_model

        version = champion_version(self.name)
        if version is None:
            return dg.MaterializeResult(metadata={"status": "no model yet; see published.model_runs for the reason"})
        model: FittedPrediction = load_model(model_path(self.name, version))
        with warehouse.connect() as connection:
            frame = self.rows_to_score(connection)
            scores = score_prediction(model, frame, descriptions=self._descriptions(connection))
            if self.value:
                scores = scores.join(frame.select(self.entity, self.value), on=self.entity, how="left")
            scores = scores.with_columns(
                held_back(self.name, scores[self.entity], self.holdback),
                model_version=literal(version),
                horizon_days=literal(self.horizon_days),
            )
            write_frame(connection, scores, "scores", self.name)
        metadata = {"dagster/row_count": scores.height, "model_version": version, "status": "scored"}
        return dg.MaterializeResult(metadata={**metadata, "sample": table_metadata(scores.head(5))})

    def publish_scores(self, warehouse: Warehouse) -> dg.MaterializeResult:
        """Join the scores with the words that users know the entity by."""
        with warehouse.connect() as connection:
            if not table_exists(connection, "scores", self.name):
                return dg.MaterializeResult(metadata={"status": "no scores yet"})
            connection.execute("create schema if not exists published")
            connection.execute(f"create or replace table published.{self.publish.table} as {self._published_query()}")
            rows = connection.execute(f"select count(*) from published.{self.publish.table}").fetchone()[0]
            sample = read_frame(connection, f"from published.{self.publish.table} order by score desc limit 5")
        return dg.MaterializeResult(metadata={"dagster/row_count": rows, "sample": table_metadata(sample)})

    def _published_query(self) -> str:
        described = "".join(f"descriptions.{column},\n" for column in self.publish.columns)
        value = f"scores.{self.value},\n" if self.value else ""
        expected = f"scores.expected_value as {self.publish.expected_value_as},\n" if self.value else ""
        return f"""
            select
                scores.{self.entity},
                {described}
                scores.as_of_date,
                scores.horizon_days,
                scores.probability,
                scores.score,
                scores.grade,
                {value}
                {expected}
                scores.reason_1,
                scores.reason_2,
                scores.reason_3,
                scores.reasons,
                scores.is_holdback,
                scores.model_version
            from scores.{self.name} as scores
            left join core.{self.publish.described_by} as descriptions using ({self.entity})
            order by scores.probability desc
        """

    def training_frame(self, connection: "duckdb.DuckDBPyConnection", known_by: "date | None" = None) -> "pl.DataFrame":
        """
        Snapshots whose answer is known, every `step_days` back from the newest; closer ones hardly add anything.

        `known_by`: as if it was this day (default: the run's date): only answers whose horizon had passed by then.
        """
        return read_frame(
            connection,
            f"""
            with today as (
                select coalesce($1::date, max(as_of_date)) as today_date from raw_scorecast.as_of
            ),
            known as (
                select outcomes.{self.entity}, outcomes.as_of_date, outcomes.{self.target}
                from features.{self.outcomes} as outcomes
                cross join today
                where outcomes.{self.target} is not null and outcomes.as_of_date + {self.horizon_days} <= today_date
            ),
            newest as (
                select max(known.as_of_date) as as_of_date
                from known
                inner join (select distinct as_of_date from features.{self.features}) as taken using (as_of_date)
            )
            select snapshots.*, known.{self.target}
            from features.{self.features} as snapshots
            inner join known using ({self.entity}, as_of_date)
            cross join newest
            cross join today
            where
                ({self.population})
                and date_diff('day', snapshots.as_of_date, newest.as_of_date) % {self.step_days} = 0
                and snapshots.as_of_date > today_date - {self.history_days}
            """,
            [known_by],
        )

    def rows_to_score(self, connection: "duckdb.DuckDBPyConnection", as_of: "date | None" = None) -> "pl.DataFrame":
        """The population's snapshots of a day (default: the run's date)."""
        return read_frame(
            connection,
            f"""
            select snapshots.*
            from features.{self.features} as snapshots
            where
                snapshots.as_of_date = coalesce($1::date, (select max(as_of_date) from raw_scorecast.as_of))
                and ({self.population})
            """,
            [as_of],
        )

    def _descriptions(self, connection: "duckdb.DuckDBPyConnection") -> dict[str, str]:
        rows = connection.execute(
            "select feature, description from features.catalogue where snapshot = ?", [self.features]
        ).fetchall()
        return dict(rows)

    def _write_card(self, result: "FitResult", version: str) -> None:
        path = data_dir() / "reports" / "models" / f"{version}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(result.card)


def fit_metadata(result: "FitResult", version: str) -> dict:
    """What the Dagster UI shows of a fit: figures, the card, pictures."""
    figures = {name: value for name, value in result.metrics.items() if isinstance(value, int | float)}
    return {
        "status": "kept" if result.kept else "refused",
        "reason": result.reason,
        "model_version": version,
        **figures,
        "candidates": dg.MetadataValue.json(json.loads(json.dumps(result.candidates, default=str))),
        "card": dg.MetadataValue.md(result.card),
        **{name: image_metadata(picture) for name, picture in result.plots.items()},
    }
