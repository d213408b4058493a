"""Forecast: one YAML spec → `models/<name>` (the chosen methods), `scores/<name>`, `published/<table>`."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from pipelines.components.declared.forecast import DeclaredForecast
from pipelines.components.missing_exports import missing_exports
from pipelines.components.resolved import MetricNeeds, PublishedForecast
from pipelines.database import append_frame, columns_of, comment_on, read_frame, table_exists, write_frame
from pipelines.instance.metadata import constant, image_metadata, markdown_metadata, table_metadata, table_shape, warn
from pipelines.learning.scoring.files import write_checked
from pipelines.publishing.descriptions import EVERYWHERE, FORECASTS
from pipelines.registry.fits import record_fit
from pipelines.registry.store import (
    FORECAST,
    kept_metadata,
    load_choice,
    model_path,
    new_version,
    promote,
    read_champion,
    refused,
    settled_champion,
    should_fit,
)
from pipelines.warehouse import KEY_METADATA, Warehouse

if TYPE_CHECKING:
    from datetime import date

    import duckdb
    import polars as pl

    from pipelines.learning.forecasting.candidates import Fits
    from pipelines.learning.forecasting.fit import ForecastResult


SERIES_COLUMNS = {"metric", "currency", "segment", "metric_date", "value"}
_just_made: "dict[tuple[str, str], tuple[ForecastResult, Fits]]" = {}
"""Forecasts that a fit of this process has made, by run and model version, so that the same run reuses them."""


class Forecast(dg.Component, DeclaredForecast, dg.Resolvable):
    """Forecasts of metrics, by segment and in total, each by the method that did best in a backtest."""

    publish: PublishedForecast
    """The table that users get."""
    needs: list[MetricNeeds] = Field(default_factory=list)
    """What each metric needs of the exports, for `scorecast check`; a metric without is not judged there."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The three assets of this forecast; each can be materialised on its own."""
        shared = {"group_name": f"{self.name}_forecast", "owners": [self.owner], "pool": "warehouse"}

        @dg.asset(
            key=["models", self.model_name],
            deps=[["features", self.series]],
            kinds={"prophet", "statsforecast"},
            description=f"The method chosen for each series by backtest. {self.description}",
            **shared,
        )
        def model(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            return self.choose(context, warehouse)

        @dg.asset(
            key=["scores", self.model_name],
            deps=[["models", self.model_name], ["features", self.series]],
            kinds={"duckdb"},
            description=f"The forecast as of the run's date. {self.description}",
            **shared,
        )
        def scores(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            return self.forecast(context, warehouse)

        @dg.asset(
            key=["published", self.publish.table],
            deps=[["scores", self.model_name]],
            kinds={"duckdb"},
            description=f"What users query: forecast with interval, and the actuals before it. {self.description}",
            metadata={KEY_METADATA: "metric,currency,segment,period_start_date"},
            **shared,
        )
        def published(warehouse: Warehouse) -> dg.MaterializeResult:
            return self.publish_forecast(warehouse)

        return dg.Definitions(assets=[model, scores, published])

    def choose(self, context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        """Backtest every candidate on every series and store the best method of each series."""
        from pipelines.learning.forecasting.candidates import Fits
        from pipelines.learning.forecasting.fit import fit_forecasts

        with warehouse.connect() as connection:
            champion, message = settled_champion(connection, self.model_name, suffix=FORECAST)
        if message:
            warn(context, message)
        if not should_fit(context, champion):
            return dg.MaterializeResult(metadata=kept_metadata(context, champion))
        with warehouse.connect() as connection:
            series, as_of, ends = self._series(connection)
        started = datetime.now(UTC)
        run = {"model": self.model_name, "run_id": context.run_id, "started_at": started, "rows": series.height}
        known_until = {metric: end for metric, (end, _) in ends.items()}
        fits = Fits()
        result = fit_forecasts(series, as_of, self.learning_spec(), known_until=known_until, fits=fits)
        chosen = result.accuracy.filter(result.accuracy["chosen"])
        reason = "; ".join(f"{metric}/{segment}: {why}" for metric, segment, why in result.skipped.iter_rows())
        notes = [
            f"{metric}/{segment}, {method or 'all methods'}: {why}"
            for metric, segment, method, why in result.notes.iter_rows()
        ]
        if chosen.is_empty():
            with warehouse.connect() as connection:
                missing = missing_exports(connection, f"features.{self.series}") if series.is_empty() else None
                reason = missing or f"No series could be forecast. {reason}"
                record_fit(connection, **run, status="skipped", reason=reason, model_version=champion)
            context.log.warning(f"{self.model_name}: {reason}")
            return dg.MaterializeResult(metadata={"status": "skipped", "reason": reason})

        version = new_version(self.model_name, started, suffix=FORECAST)
        choice = json.dumps(chosen.select("metric", "currency", "segment", "method").to_dicts(), indent=2)
        checksum = write_checked(model_path(self.model_name, version, suffix=FORECAST), choice.encode())
        totals = chosen.filter(chosen["segment"] == "total")
        error = totals["smape"].mean()
        metrics = {"error": error, "series": chosen.height, "skipped": result.skipped.height}
        with warehouse.connect() as connection:
            connection.execute("begin")
            accuracy = result.accuracy.with_columns(as_of_date=constant(as_of), model_version=constant(version))
            append_frame(connection, accuracy, "published", "forecast_accuracy")
            record_fit(
                connection,
                **run,
                status="kept",
                reason=reason or "chosen by backtest",
                model_version=version,
                method=", ".join(sorted(set(chosen["method"]))),
                metrics=metrics,
                candidates=result.accuracy.to_dicts(),
                model_sha256=checksum,
            )
            connection.execute("commit")
        promote(self.model_name, version)
        _just_made[context.run_id, version] = result, fits
        return dg.MaterializeResult(
            metadata={
                "status": "kept",
                "model_version": version,
                **({"smape_of_totals": error} if error is not None else {}),
                "accuracy": table_metadata(totals),
                "notes": markdown_metadata("\n".join(f"- {note}" for note in notes) or "none"),
                **{name: image_metadata(picture) for name, picture in result.pictures.items()},
            }
        )

    def forecast(self, context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        """Forecast every series with its chosen method; the last forecast stays if no choice can be read."""
        import polars as pl

        from pipelines.learning.forecasting.fit import refresh_forecasts

        version, problem = read_champion(self.model_name, suffix=FORECAST)
        if version is None:
            why = problem or "no model yet; see published.model_runs for the reason"
            return dg.MaterializeResult(metadata={"status": why})
        with warehouse.connect() as connection:
            chosen, refusal = load_choice(connection, self.model_name, version)
            if chosen is None:
                return refused(context, connection, self.model_name, version, refusal)
            result, fits = _just_made.pop((context.run_id, version), (None, None))
            series, as_of, ends = self._series(connection)
            if result is None:
                known_until = {metric: end for metric, (end, _) in ends.items()}
                fits = self._fits_before(connection)
                result = refresh_forecasts(
                    series, as_of, self.learning_spec(), chosen, known_until=known_until, fits=fits
                )
            notes = behind_in_words(ends, as_of)
            if notes:
                warn(context, "\n".join(f"forecasts, {metric}: {note}" for metric, note in notes.items()))
            if result.forecasts.is_empty():
                why = "; ".join(
                    f"{metric}/{segment}: {reason}" for metric, segment, reason in result.skipped.iter_rows()
                )
                return dg.MaterializeResult(metadata={"status": f"nothing to forecast, the last one stays. {why}"})
            noted = pl.col("metric").replace_strict(notes, default=None, return_dtype=pl.String)
            forecasts = result.forecasts.with_columns(note=noted, model_version=constant(version))
            write_frame(connection, forecasts, "scores", self.model_name)
            self._keep_fits(connection, fits)
            shape = table_shape(connection, "scores", self.model_name)
        return dg.MaterializeResult(
            metadata={
                "status": "forecast",
                **shape,
                "model_version": version,
                **{name: image_metadata(picture) for name, picture in result.pictures.items()},
            }
        )

    def publish_forecast(self, warehouse: Warehouse) -> dg.MaterializeResult:
        """Write the published table from the scores."""
        with warehouse.connect() as connection:
            if not table_exists(connection, "scores", self.model_name):
                return dg.MaterializeResult(metadata={"status": "no forecast yet"})
            connection.execute("create schema if not exists published")
            # The last forecast of an older version, which stays where nothing can be forecast, has no notes.
            has_note = "note" in columns_of(connection, "scores", self.model_name)
            connection.execute(
                f"""
                create or replace table published.{self.publish.table} as
                select
                    metric, currency, segment, period_start_date, frequency, forecast, p10, p50, p90, actual, method,
                    {"note" if has_note else "null::varchar as note"}, as_of_date, model_version
                from scores.{self.model_name}
                order by metric, currency, segment, period_start_date
                """
            )
            described = {**EVERYWHERE, **FORECASTS}
            columns = columns_of(connection, "published", self.publish.table)
            comment_on(
                connection,
                f"published.{self.publish.table}",
                f"{self.description} One row per metric, currency, segment and period, with the actuals before.",
                {column: described[column] for column in columns},
            )
            shape = table_shape(connection, "published", self.publish.table)
        return dg.MaterializeResult(metadata=shape)

    def _fits_before(self, connection: "duckdb.DuckDBPyConnection") -> "Fits":
        """What the last run fitted: the history of weeks is the same for the rest of the week."""
        from pipelines.learning.forecasting.candidates import Fits

        if not table_exists(connection, "scores", self._fits_table):
            return Fits()
        kept = read_frame(connection, f"select fit, forecast from scores.{self._fits_table}")
        return Fits({fit: forecast.to_numpy() for fit, forecast in zip(kept["fit"], kept["forecast"], strict=True)})

    def _keep_fits(self, connection: "duckdb.DuckDBPyConnection", fits: "Fits") -> None:
        """Write what this run used, and no more, for the next."""
        import polars as pl

        used = {"fit": list(fits.used), "forecast": [forecast.tolist() for forecast in fits.used.values()]}
        frame = pl.DataFrame(used, schema={"fit": pl.String, "forecast": pl.List(pl.Float64)})
        write_frame(connection, frame, "scores", self._fits_table)

    @property
    def _fits_table(self) -> str:
        return f"{self.model_name}_fits"

    def _series(
        self, connection: "duckdb.DuckDBPyConnection"
    ) -> "tuple[pl.DataFrame, date, dict[str, tuple[date, str]]]":
        """The series, the run's day, and where metrics end earlier: metric to its last day and why, in words."""
        columns = columns_of(connection, "features", self.series)
        read = ", ".join(SERIES_COLUMNS & set(columns))
        series = read_frame(
            connection,
            f"select {read} from features.{self.series} where list_contains(?, metric)",
            [list(self.metrics)],
        )
        as_of = connection.execute("select as_of_date from raw_scorecast.as_of").fetchone()[0]
        ends = {}
        if {"known_until_date", "behind"} <= set(columns):
            rows = connection.execute(
                f"select metric, min(known_until_date), min(behind) from features.{self.series}"
                " where list_contains(?, metric) and known_until_date < ? group by metric order by metric",
                [list(self.metrics), as_of],
            ).fetchall()
            ends = {metric: (end, behind or f"known until {end}") for metric, end, behind in rows}
        return series, as_of, ends


def behind_in_words(ends: "Mapping[str, tuple[date, str]]", as_of: "date") -> dict[str, str]:
    """Metric to a sentence, for metrics that end one or more whole weeks before the run's day."""
    from pipelines.learning.forecasting.series import last_complete_week

    return {
        metric: f"{behind}; forecast from the week of {last_complete_week(end) + timedelta(weeks=1)} on"
        for metric, (end, behind) in ends.items()
        if last_complete_week(end) < last_complete_week(as_of)
    }
