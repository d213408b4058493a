"""A company whose past is made by hand: snapshots, outcomes, a last release, and one prediction about its accounts."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl

from pipelines.components.prediction import Prediction
from pipelines.components.resolved import PublishedScores
from pipelines.database import connect, write_frame
from pipelines.publishing.states import SCORE_HISTORY
from pipelines.track_record.score_history import past_scores
from tests.pipelines.learning.synthetic import FIRST, panel

HORIZON = 90
TARGET = "is_gone_90d"
LAST = FIRST + timedelta(days=7 * 79)

TYPES = {"varchar": pl.String, "date": pl.Date, "double": pl.Float64, "integer": pl.Int32, "boolean": pl.Boolean}


def prediction(**changes: object) -> Prediction:
    settings = {
        "name": "churn",
        "description": "A question.",
        "entity": "account_id",
        "features": "account_snapshots",
        "outcomes": "account_outcomes",
        "target": TARGET,
        "horizon_days": HORIZON,
        "value": "arr",
        "publish": PublishedScores(table="churn_scores", described_by="accounts", expected_value_as="expected_loss"),
        **changes,
    }
    return Prediction(**settings)


def weekly(entities: int = 250, seed: int = 0) -> pl.DataFrame:
    """Every Sunday of eighty weeks, with the answer that only time will tell."""
    return panel(entities=entities, points=80, step_days=7, seed=seed).drop("true_log_odds")


def elsewhere() -> Prediction:
    """The same question of tables that `Company.move` has put into core."""
    return prediction(features="core.account_snapshots", outcomes="core.account_outcomes", as_of="day")


class Company:
    """Files in a folder: the warehouse and the last release."""

    def __init__(self, data: Path):
        self.data = data
        self.warehouse, self.published = data / "warehouse.duckdb", data / "published.duckdb"

    def write(self, frame: pl.DataFrame, as_of: date) -> None:
        """A warehouse as of a day: the frame's rows up to it, answers where their horizon has passed."""
        known = frame.filter(pl.col("as_of_date") <= as_of)
        is_known = pl.col("as_of_date") + pl.duration(days=HORIZON) <= as_of
        outcomes = known.select("account_id", "as_of_date", pl.when(is_known).then(pl.col(TARGET)).alias(TARGET))
        described = {"feature": ["tickets_count_28d"], "snapshot": ["account_snapshots"], "description": ["Tickets"]}
        with connect(self.warehouse) as connection:
            write_frame(connection, known.drop(TARGET), "features", "account_snapshots")
            write_frame(connection, outcomes, "features", "account_outcomes")
            write_frame(connection, pl.DataFrame(described), "features", "catalogue")
            write_frame(connection, known.select("account_id").unique(), "core", "accounts")
            write_frame(connection, pl.DataFrame({"as_of_date": [as_of]}), "raw_scorecast", "as_of")

    def answers(self, rows: Sequence[tuple[str, date, bool | None]], as_of: date) -> None:
        """Only outcomes, as of a day."""
        schema = {"account_id": pl.String, "as_of_date": pl.Date, TARGET: pl.Boolean}
        with connect(self.warehouse) as connection:
            write_frame(connection, pl.DataFrame(rows, schema, orient="row"), "features", "account_outcomes")
            write_frame(connection, pl.DataFrame({"as_of_date": [as_of]}), "raw_scorecast", "as_of")

    def move(self, schema: str, as_of: str) -> None:
        """The tables of the prediction into another schema, with another name for the day."""
        with connect(self.warehouse) as connection:
            connection.execute(f"create schema if not exists {schema}")
            for table in ("account_snapshots", "account_outcomes"):
                connection.execute(
                    f"create table {schema}.{table} as select * rename (as_of_date as {as_of}) from features.{table}"
                )
                connection.execute(f"drop table features.{table}")

    def released(self, rows: Sequence[dict]) -> None:
        """A last release whose score history has these rows; what a row does not say has a default."""
        usual = {
            **dict.fromkeys(SCORE_HISTORY),
            "table_name": "churn_scores",
            "score": 50,
            "horizon_days": HORIZON,
            "is_backfill": False,
            "is_holdback": False,
            "model_version": "churn-1",
        }
        full = [{**usual, "release_id": f"release of {row['as_of_date']}", **row} for row in rows]
        schema = {name: TYPES[kind] for name, kind in SCORE_HISTORY.items()}
        self.published.unlink(missing_ok=True)
        with duckdb.connect(str(self.published)) as connection:
            connection.register("rows", pl.DataFrame(full, schema).to_arrow())
            connection.execute("create table score_history as from rows")
            connection.execute("create table releases as select max(release_id) as release_id from rows")

    def ask(self, query: str) -> list[dict]:
        with connect(self.warehouse, read_only=True) as connection:
            return connection.execute(query).pl().to_dicts()

    def compare(self, write, *arguments) -> object:
        """Call what compares past scores with their outcomes."""
        with connect(self.warehouse) as connection, past_scores(connection, self.published):
            return write(connection, *arguments)
