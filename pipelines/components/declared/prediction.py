"""The attributes of a prediction's YAML: the question, the population, and the published table."""

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines.components.declared.needs import Needs
from pipelines.database import placed, quoted

if TYPE_CHECKING:
    from pipelines.learning.specs import PredictionSpec

NAME = r"^[a-z][a-z0-9_]*$"
"""Names of models and published tables; they are part of file names, asset keys and queries."""


LINKED = {
    "account_id": "accounts",
    "lead_id": "leads",
    "opportunity_id": "opportunities",
    "ticket_id": "tickets",
}
"""Keys of entities whose records core.record_keys has → what staging calls such records."""

SCORES_OF_OTHERS = {"probability": "double", "score": "integer", "grade": "varchar", "expected": "double"}
"""What a published table may show of another prediction's scores, with its type."""


class RuledPoints(BaseModel):
    """One line of a rule: how many points whom it holds for gets, and how that is told."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    when: str = Field(min_length=1)
    """SQL condition over the snapshot."""
    points: float = Field(allow_inf_nan=False)
    """What it adds where the condition holds; below 0 it takes away."""
    because: str = Field(min_length=1)
    """The reason in words: "waiting for more than two days"."""


class PublishedScores(BaseModel):
    """The published table, and the columns that describe its rows."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    table: str = Field(pattern=NAME)
    """Name in the schema `published`."""
    described_by: str | None = None
    """Core model (or `schema.table`) with one row per entity; none: the key alone says who it is."""
    columns: list[str] = Field(default_factory=list)
    """Columns of that model to show beside the key."""
    features: list[str] = Field(default_factory=list)
    """Snapshot columns to show behind them, as they were known on the day."""
    private: list[str] = Field(default_factory=list)
    """More columns of that model: those with personal data, such as names, e-mail addresses and phone numbers."""
    show_private: bool = True
    """Whether the published table has the `private` columns; false: no release from then on has them."""
    link: str | None = Field(None, pattern=NAME)
    """Name of a column with the record's address in its system, by the `links` of sources.yaml."""
    expected_value_as: str = Field("expected_value", pattern=NAME)
    """What probability times value is called."""
    row_count_range: list[float] = Field(default_factory=list)
    """Lowest and highest multiple of the last release's rows, for what comes and goes; none: that of sources.yaml."""
    from_scores: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Another prediction → what of its scores to show, and as which column: `churn: {probability: churn_probability}`.
    Found by its key in the columns of `described_by`; null while it has no scores of the day."""

    @property
    def described(self) -> list[str]:
        """The columns that are shown of the model that describes the entity."""
        return [*self.columns, *(self.private if self.show_private else [])]


class DeclaredPrediction(BaseModel):
    """The attributes of a prediction's YAML."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: str = Field(pattern=NAME)
    """What the model is called: `models/<name>`, `scores/<name>`."""
    description: str
    """One sentence for those who find the model in the UI."""
    entity: str
    """Key column of the snapshots."""
    features: str
    """Model in the schema `features` with one row per entity and `as_of`; or any table, as `schema.table`."""
    outcomes: str | None = None
    """Model in the schema `features` with the target at the same grain; none: the target is a column of `features`."""
    target: str
    """Column with the answer, null while it is not known."""
    publish: PublishedScores
    """The table that users get."""
    task: Literal["yes_no", "classes", "ordered", "amount"] = "yes_no"
    """`yes_no`, `classes` for a target with more answers than two, `ordered` for one of a few levels in an order, or
    `amount` for a number to estimate."""
    levels: list[str | int] = Field(default_factory=list)
    """Of an ordered answer, its levels from the lowest to the highest; none: the whole numbers that it has."""
    loss: Literal["absolute", "squared"] = "absolute"
    """What an amount's estimate is judged by: its median, or its mean."""
    relative_to: str | None = None
    """Snapshot column with an amount that the answer is estimated as a multiple of; rows without it are left out."""
    as_of: str | None = "as_of_date"
    """Column with the day at which the features were known; null: a table without time."""
    horizon_days: int | None = Field(None, ge=0)
    """Days after `as_of` until the answer is known."""
    owner: str = "team:data"
    """`team:<name>` or an e-mail address."""
    happens: str | None = None
    """The verb of a yes, for people: "leave", "are won"; none: from the target's name."""
    population: str = "true"
    """SQL condition over the snapshot: who is learnt from and scored."""
    rule: list[RuledPoints] = Field(default_factory=list)
    """Who scores while no model is in use: everyone gets the points of the conditions that hold, and the score is the
    place among all. The published table says in `decided_by` whether the model or the rule did."""
    value: str | None = None
    """Snapshot column with the money at stake."""
    value_from: str | None = Field(None, pattern=NAME)
    """Prediction of amounts for the same entity: while it has a model in use, its `expected` is the money at stake, and
    `value` only where it has none. The published table has it as a column of that name."""
    text: list[str] = Field(default_factory=list)
    """Snapshot columns with free text."""
    exclude: list[str] = Field(default_factory=list)
    """Snapshot columns that the model may not see, by name or pattern (`*_7d*`)."""
    segments: list[str] = Field(default_factory=list)
    """Snapshot columns by whose values the model card repeats the metrics."""
    templates: dict[str, str] = Field(default_factory=dict)
    """Snapshot column → wording of its reason: "no login for {value} days" (also {typical})."""
    groups: dict[str, list[str]] = Field(default_factory=dict)
    """Name → snapshot columns by prefix or pattern, first match wins; the published table has `points_<name>` of each,
    and `points_other`: log-odds that add up with the reasons' base to the score."""
    step_days: int = Field(14, ge=1)
    """Days between the snapshots that are learnt from."""
    history_days: int = Field(728, ge=1)
    """How far back to learn from: what is older is another business, or was loaded without those that left."""
    max_calibration_error: float = Field(0.08, ge=0, le=1)
    """How far predicted and observed rates may differ out of time (beyond sampling noise) for a model to be kept."""
    min_rows: int = Field(100, ge=1)
    """Rows with a known answer that a fit needs."""
    min_positives: int = Field(12, ge=1)
    """Entities with a yes, and entities with a no, that a fit needs."""
    holdback: float = Field(default=0.0, ge=0, lt=1)
    """Share of the entities that are flagged `is_holdback`: nobody acts on them, so that acting can be measured."""
    needs: Needs | None = None
    """What it needs of the exports, for `scorecast check`; none: not judged there."""

    @field_validator("levels", mode="before")
    @classmethod
    def _levels_are_words(cls, given: object) -> object:
        """YAML reads `no` and `yes` as false and true."""
        for each in given if isinstance(given, list) else []:
            if isinstance(each, bool) or not isinstance(each, str | int):
                raise ValueError(f"{each!r} is no level; write a text in quotes, or a whole number")
        return given

    def learning_spec(self) -> "PredictionSpec":
        """The spec that `pipelines.learning` takes."""
        from pipelines.learning.specs import PredictionSpec

        return PredictionSpec(
            name=self.name,
            entity_key=self.entity,
            target=self.target,
            task=self.task,
            levels=self.named_levels,
            loss=self.loss,
            relative_to=self.relative_to,
            as_of=self.as_of,
            horizon_days=self.horizon_days,
            exclude=tuple(self.exclude),
            text=tuple(self.text),
            value=self.value,
            segments=tuple(self.segments),
            templates=self.templates,
            groups=self.groups,
            step_days=self.step_days,
            max_calibration_error=self.max_calibration_error,
            min_rows=self.min_rows,
            min_positives=self.min_positives,
        )

    @property
    def named_levels(self) -> tuple[str, ...]:
        """The levels as text."""
        return tuple(map(str, self.levels))

    @property
    def who(self) -> str:
        """SQL condition over the snapshot: who is learnt from and scored."""
        return f"({self.population})" + (f" and {quoted(self.relative_to)} > 0" if self.relative_to else "")

    @property
    def features_table(self) -> tuple[str, str]:
        """Schema and table of the features."""
        return placed(self.features, "features")

    @property
    def outcomes_table(self) -> tuple[str, str]:
        """Schema and table that has the target."""
        return placed(self.outcomes, "features") if self.outcomes else self.features_table

    @property
    def described_by_table(self) -> tuple[str, str] | None:
        """Schema and table that describes an entity to users."""
        return placed(self.publish.described_by, "core") if self.publish.described_by else None

    @property
    def is_snapshot(self) -> bool:
        """Whether the features have one row per entity and date, and the answers come from another table."""
        return self.as_of is not None and self.outcomes is not None

    @property
    def why_not_compared(self) -> str | None:
        """Why past scores cannot be compared with outcomes, in words; None if they can."""
        if self.task != "yes_no":
            from pipelines.learning.specs import TASKS

            kept = "its scores are neither kept in score_history nor compared with what came of them."
            return f"It {TASKS[self.task].does}: {kept}"
        if not self.is_snapshot:
            missing = "outcomes" if self.as_of else "as_of"
            return f"Its YAML names no `{missing}`: no table says what came of a score on its day."
        return None
