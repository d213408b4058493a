"""published.topic_trends: topics and words of all text models by week, and what of it rises beyond noise."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from pipelines.components.prediction.queries import run_date
from pipelines.components.text.component import Text
from pipelines.components.text.queries import texts_since
from pipelines.database import comment_on, write_frame
from pipelines.instance.metadata import table_metadata, table_shape
from pipelines.publishing.assets import ANY_ROWS, RANGE_METADATA
from pipelines.publishing.descriptions import COLUMNS, TABLES
from pipelines.warehouse import KEY_METADATA, Warehouse

if TYPE_CHECKING:
    import duckdb
    import polars as pl

TABLE = "topic_trends"
DAYS = 7 * 66
"""Of texts that are read: 13 weeks that are told, those that they are judged by, and a year in which a word is new."""


def topic_trends_definitions(models: Sequence[Text]) -> dg.Definitions:
    """One asset for all text models that have `trends`; none where none has."""
    followed = [model for model in models if model.trends is not None]
    if not followed:
        return dg.Definitions()

    @dg.asset(
        key=["published", TABLE],
        deps=[key for model in followed for key in (["scores", model.name], list(model.texts_table))],
        group_name=TABLE,
        kinds={"duckdb"},
        owners=["team:data"],
        description=TABLES[TABLE],
        metadata={KEY_METADATA: "source,kind,name,week_start_date", RANGE_METADATA: ANY_ROWS},
        pool="warehouse",
    )
    def topic_trends(warehouse: Warehouse) -> dg.MaterializeResult:
        import polars as pl
        from polars import selectors as cs

        with warehouse.connect() as connection:
            trends = pl.concat([_trends(connection, model) for model in followed])
            write_frame(connection, trends, "published", TABLE)
            comment_on(connection, f"published.{TABLE}", TABLES[TABLE], COLUMNS[TABLE])
            shape = table_shape(connection, "published", TABLE)
        rising = trends.filter(pl.col("is_rising") & ~pl.col("is_partial"))
        newest = rising.filter(pl.col("week_start_date") == pl.col("week_start_date").max())
        return dg.MaterializeResult(
            metadata={**shape, "rising": table_metadata(newest.drop("is_partial", cs.starts_with("example_")).head(10))}
        )

    return dg.Definitions(assets=[topic_trends])


def _trends(connection: "duckdb.DuckDBPyConnection", model: Text) -> "pl.DataFrame":
    """The trends of one model's texts."""
    import polars as pl

    from pipelines.learning.texts.cleaning import cleaned_all
    from pipelines.learning.texts.trends import text_trends

    texts = texts_since(connection, model, DAYS)
    cleaned = pl.Series("text", list(cleaned_all(texts["text"].to_list())), dtype=pl.String)
    return text_trends(texts.with_columns(cleaned), model.trends.called, run_date(connection))
