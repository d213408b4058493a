"""What the track record needs of a prediction, as protocols; `components.prediction` implements them."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    import duckdb
    import polars as pl

    from pipelines.learning.specs import PredictionSpec


class Published(Protocol):
    """The table that users get."""

    table: str


class ScoredPrediction(Protocol):
    """A prediction whose past scores are kept and, where possible, compared with outcomes."""

    name: str
    description: str
    owner: str
    entity: str
    target: str
    as_of: str | None
    horizon_days: int | None
    value: str | None
    publish: Published
    why_not_compared: str | None
    features_table: tuple[str, str]
    outcomes_table: tuple[str, str]

    def learning_spec(self) -> "PredictionSpec":
        """The spec that `learning` takes."""

    def training_frame(self, connection: "duckdb.DuckDBPyConnection", known_by: "date | None" = None) -> "pl.DataFrame":
        """Rows to learn from whose answer was known by a day (default: the run's date)."""

    def rows_to_score(self, connection: "duckdb.DuckDBPyConnection", as_of: "date | None" = None) -> "pl.DataFrame":
        """The population's snapshots of a day (default: the run's date)."""

    def scoring_frame(self, connection: "duckdb.DuckDBPyConnection") -> "Sequence":
        """The rows to score, a description of them, and whether the model learnt from their answers."""
