"""What a prediction or a forecast needs of the exports, as its YAML declares it for `scorecast check`."""

from pydantic import BaseModel, ConfigDict, Field


class Records(BaseModel):
    """Records of one entity that count; SQL over the columns of its contract, epochs being timestamps."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    of: str
    """The entity, as `system.entity`."""
    who: str | None = None
    """Whom a record is about; none: itself, its key."""
    counts: str = "true"
    """Condition of the records that count at all."""
    since: str
    """When it began: a subscription, a lead, a deal; or the day of a metric's value."""
    until: str = "null"
    """When it ended; null while it has not."""
    happened: str = "false"
    """Whether the answer is yes; of one with several records, when that holds for all of them."""


class Needs(BaseModel):
    """What has to be there, and what to call it."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    called: str
    """Those who are learnt from, for people: "customers"."""
    happened: str = "yes"
    """Those with the answer yes: "left"."""
    staging: str
    """The staging models that bring them: `subscriptions` stands for every `stg_*__subscriptions`."""
    records: list[Records] = Field(min_length=1)
    """The entities that bring them; one of them is enough."""


class MetricNeeds(Needs):
    """What a forecast needs for one of its metrics."""

    metric: str
    """The metric's name."""
