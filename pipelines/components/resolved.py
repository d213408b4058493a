"""The blocks within a component's YAML as Dagster reads them: it fills in templates where it knows a block."""

import dagster as dg
from pydantic import Field

from pipelines.components.declared import forecast, needs, prediction, text


class PublishedScores(prediction.PublishedScores, dg.Resolvable):
    """The published table, and the columns that describe its rows."""


class RuledPoints(prediction.RuledPoints, dg.Resolvable):
    """One line of a rule: how many points whom it holds for gets, and how that is told."""


class PublishedForecast(forecast.PublishedForecast, dg.Resolvable):
    """The published table."""


class PublishedTexts(text.PublishedTexts, dg.Resolvable):
    """The published table, and the columns that describe its rows."""


class Trends(text.Trends, dg.Resolvable):
    """How texts are followed from week to week in topic_trends."""


class Brands(text.Brands, dg.Resolvable):
    """Names of companies that a text may be about, and the words for them."""


class Records(needs.Records, dg.Resolvable):
    """Records of one entity that count; SQL over the columns of its contract, epochs being timestamps."""


class Needs(needs.Needs, dg.Resolvable):
    """What has to be there, and what to call it."""

    records: list[Records] = Field(min_length=1)
    """The entities that bring them; one of them is enough."""


class MetricNeeds(needs.MetricNeeds, dg.Resolvable):
    """What a forecast needs for one of its metrics."""

    records: list[Records] = Field(min_length=1)
    """The entities that bring them; one of them is enough."""
