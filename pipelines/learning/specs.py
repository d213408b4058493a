"""What a prediction is asked: plain values, the same in YAML, in a stored model and in a test."""

import re
from dataclasses import asdict, dataclass, fields

TASKS = ("yes_no", "classes")
RISK = re.compile(r"churn|leav|cancel|default|fraud|late|lost|escalat|complain", re.IGNORECASE)


@dataclass(frozen=True)
class PredictionSpec:
    """A yes-or-no question about an entity.

    The frame it is asked of has one row per `entity_key` and `as_of`, the features known then, and `target` (boolean,
    null while
    the answer is not known). `as_of=None` says that the table has no time.
    """

    name: str
    entity_key: str
    target: str
    task: str = "yes_no"
    """`yes_no`, or `classes` for a target with more answers than two."""
    as_of: str | None = "as_of_date"
    horizon_days: int | None = None
    """Days after `as_of` until the answer is known; the gap between training and test."""
    exclude: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    """Columns of free text."""
    value: str | None = None
    """Column with the money at stake; `expected_value` is probability times this."""
    segments: tuple[str, ...] = ()
    """Columns by whose values the card repeats the metrics."""
    min_rows: int = 200
    min_positives: int = 30
    """Entities with a yes, and entities with a no, that a fit needs."""
    step_days: int = 28
    """Snapshots closer together than this hardly add information; training takes one about every `step_days`."""
    max_calibration_error: float = 0.08
    """A model whose probabilities are further off than this (beyond sampling noise) is not kept."""
    likelihood_word: str | None = None
    """What a reason raises or lowers: "risk" or "chance"; guessed from the name when None."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not self.name or not self.entity_key or not self.target:
            raise ValueError("A prediction needs a name, an entity_key and a target.")
        if self.entity_key == self.target:
            raise ValueError(f"{self.name}: {self.target!r} cannot be both entity_key and target.")
        if self.task not in TASKS:
            raise ValueError(f"{self.name}: task is {self.task!r}; use {' or '.join(TASKS)}.")
        if self.horizon_days is not None and self.horizon_days < 0:
            raise ValueError(f"{self.name}: horizon_days is {self.horizon_days}; give days after as_of, zero or more.")
        if self.min_rows < 1 or self.min_positives < 1 or self.step_days < 1:
            raise ValueError(f"{self.name}: min_rows, min_positives and step_days must be at least 1.")

    @property
    def likelihood(self) -> str:
        """The word that reasons use for the probability."""
        return self.likelihood_word or ("risk" if RISK.search(f"{self.name} {self.target}") else "chance")

    def to_state(self) -> dict:
        """As plain values, for storage."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_state(cls, state: dict) -> "PredictionSpec":
        """Back from plain values; a field that this version does not know is an error of the caller's version."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(state) - known)
        if unknown:
            raise ValueError(f"The stored spec has fields that this version does not know: {', '.join(unknown)}.")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in state.items()})
