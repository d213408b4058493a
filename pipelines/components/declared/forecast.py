"""The attributes of a forecast's YAML: the series, the metrics, and the published table."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.components.declared.needs import MetricNeeds
from pipelines.components.declared.prediction import NAME

if TYPE_CHECKING:
    from pipelines.learning.forecasting.fit import ForecastSpec


class PublishedForecast(BaseModel):
    """The published table."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    table: str = Field(pattern=NAME)
    """Name in the schema `published`."""


class DeclaredForecast(BaseModel):
    """The attributes of a forecast's YAML."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=NAME)
    """What the forecast is called: `models/<name>_forecast`, `scores/<name>_forecast`."""
    description: str
    """One sentence for those who find the forecast in the UI."""
    series: str
    """Model in the schema `features`: metric, segment, metric_date, value; where they mean something, also currency,
    known_until_date and behind."""
    metrics: Annotated[dict[str, Literal["sum", "last"]], Field(min_length=1)]
    """Metric to how days add up to a period: `sum` for flows, `last` for stocks."""
    publish: PublishedForecast
    """The table that users get."""
    owner: str = "team:data"
    """`team:<name>` or an e-mail address."""
    frequency: Literal["W"] = "W"
    """How long a period is: weeks."""
    horizon: int = Field(13, ge=1)
    """Periods to forecast."""
    prophet: Literal["totals", "all", "none"] = "totals"
    """Which series Prophet may compete for: `totals`, `all` or `none`; it is the slowest candidate."""
    holidays: list[str] = Field(default_factory=list)
    """Countries (ISO codes) whose holidays Prophet knows."""
    needs: list[MetricNeeds] = Field(default_factory=list)
    """What each metric needs of the exports, for `scorecast check`; a metric without is not judged there."""

    def learning_spec(self) -> "ForecastSpec":
        """The spec that `pipelines.learning` takes."""
        from pipelines.learning.forecasting.fit import ForecastSpec

        return ForecastSpec(
            name=self.name,
            metrics=self.metrics,
            frequency=self.frequency,
            horizon=self.horizon,
            prophet=self.prophet,
            holidays=tuple(self.holidays),
        )

    @property
    def model_name(self) -> str:
        """The name of the chosen methods among the models."""
        return f"{self.name}_forecast"
