"""Past scores and their outcomes: `published.model_health`, `score_outcomes` and `uplift`, and checks on scores."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from pipelines.database import read_frame, table_exists
from pipelines.instance.metadata import column_schema, markdown_metadata
from pipelines.publishing.assets import GROWS_METADATA
from pipelines.publishing.descriptions import description_of
from pipelines.settings import published_path
from pipelines.track_record.health import MODEL_HEALTH, MODEL_HEALTH_KEY, health_checks, write_model_health
from pipelines.track_record.score_history import (
    SCORE_OUTCOMES,
    SCORE_OUTCOMES_KEY,
    UPLIFT,
    UPLIFT_KEY,
    past_scores,
    write_score_outcomes,
    write_uplift,
)
from pipelines.warehouse import KEY_METADATA, Warehouse

if TYPE_CHECKING:
    import duckdb

    from pipelines.track_record.compared import ScoredPrediction

TABLES = {
    "model_health": (
        MODEL_HEALTH_KEY,
        MODEL_HEALTH,
        "Of every model that scores, one row per version and day: how far its scores and columns have moved from what "
        "it learnt from (population stability index), how good its published scores turned out to be, with noise, what "
        "it promised, and whether it should be fitted anew, and why.",
    ),
    "score_outcomes": (
        SCORE_OUTCOMES_KEY,
        SCORE_OUTCOMES,
        "Did the scores come true? For every past release or backfilled day whose horizon has passed, by model and "
        "grade: how many, predicted and actual rate, money expected and come.",
    ),
    "uplift": (
        UPLIFT_KEY,
        UPLIFT,
        "What acting on the scores changed: actual rates of those held back and of the others, by model and grade, "
        "with the 95 % interval of the difference (Newcombe 1998). Empty without `holdback` in a prediction's YAML.",
    ),
}
CHECKS = {
    "scores_are_stable": "The scores are distributed as they were when the model was fitted.",
    "inputs_are_stable": "What moves the estimate most is as it was when the model learnt.",
    "promise_is_kept": "AUC and calibration on outcomes that have come are not worse than promised beyond noise.",
}


def track_record_definitions(predictions: Sequence["ScoredPrediction"]) -> dg.Definitions:
    """One step that makes the three tables, and one that shows the newest health as warnings on the scores."""
    if not predictions:
        return dg.Definitions()
    return dg.Definitions(assets=[_tables_step(predictions)], asset_checks=[_checks_step(predictions)])


def _specs(predictions: Sequence["ScoredPrediction"]) -> list[dg.AssetSpec]:
    """The three tables, with what they are made from and what their columns mean."""
    compared = [prediction for prediction in predictions if prediction.why_not_compared is None]
    deps = [
        *[dg.AssetKey(["scores", prediction.name]) for prediction in predictions],
        *[dg.AssetKey(table) for table in sorted({prediction.outcomes_table for prediction in compared})],
    ]
    backfills = [dg.AssetKey(["backfills", prediction.name]) for prediction in compared]
    return [
        dg.AssetSpec(
            ["published", table],
            deps=[*deps, *backfills] if table == "score_outcomes" else deps,
            description=description,
            group_name="track_record",
            kinds={"duckdb"},
            owners=["team:data"],
            metadata={
                KEY_METADATA: ",".join(key),
                GROWS_METADATA: True,
                **column_schema(types, {column: description_of(table, column) for column in types}),
            },
        )
        for table, (key, types, description) in TABLES.items()
    ]


def _tables_step(predictions: Sequence["ScoredPrediction"]) -> dg.AssetsDefinition:
    left_out = [f"- {each.name}: {each.why_not_compared}" for each in predictions if each.why_not_compared is not None]
    not_compared = dg.MetadataValue.md("\n".join(left_out) or "none")

    @dg.multi_asset(specs=_specs(predictions), name="compare_past_scores", can_subset=True, pool="warehouse")
    def track_record(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[dg.MaterializeResult]:
        chosen = {key.path[-1] for key in context.selected_asset_keys}
        with warehouse.connect() as connection, past_scores(connection, published_path()):
            if "model_health" in chosen:
                (as_of,) = connection.execute("select max(as_of_date) from raw_scorecast.as_of").fetchone()
                metadata = _health_metadata(write_model_health(connection, predictions, as_of))
                yield dg.MaterializeResult(asset_key=["published", "model_health"], metadata=metadata)
            for table, write in (("score_outcomes", write_score_outcomes), ("uplift", write_uplift)):
                if table in chosen:
                    metadata = {"dagster/row_count": write(connection, predictions), "not_compared": not_compared}
                    yield dg.MaterializeResult(asset_key=["published", table], metadata=metadata)

    return track_record


def _health_metadata(health: Sequence[dict]) -> dict[str, object]:
    """Which models should be fitted anew, and why."""
    reasons = {row["model"]: row["reason"] for row in health}
    return {
        "refit_requested": [row["model"] for row in health if row["is_refit_requested"]],
        "reasons": markdown_metadata("\n".join(f"- {model}: {why}" for model, why in reasons.items())),
    }


def _checks_step(predictions: Sequence["ScoredPrediction"]) -> dg.AssetChecksDefinition:
    specs = [
        dg.AssetCheckSpec(
            name,
            asset=["scores", prediction.name],
            description=description,
            additional_deps=[["published", "model_health"]],
        )
        for prediction in predictions
        for name, description in CHECKS.items()
    ]

    @dg.multi_asset_check(specs=specs, name="model_health_checks", can_subset=True, pool="warehouse")
    def checks(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
        with warehouse.connect() as connection:
            newest = _newest_health(connection)
        for key in context.selected_asset_check_keys:
            row = newest.get(key.asset_key.path[-1])
            passed, message = health_checks(row)[key.name] if row else (True, "There is no model that scores yet.")
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=passed,
                severity=dg.AssetCheckSeverity.WARN,
                description=message,
            )

    return checks


def _newest_health(connection: "duckdb.DuckDBPyConnection") -> dict[str, dict]:
    """Model to its newest row of `published.model_health`."""
    if not table_exists(connection, "published", "model_health"):
        return {}
    rows = read_frame(
        connection,
        "from published.model_health"
        " qualify row_number() over (partition by model order by as_of_date desc, model_version desc) = 1",
    )
    return {row["model"]: row for row in rows.to_dicts()}
