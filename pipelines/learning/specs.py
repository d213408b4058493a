"""What a prediction is asked: plain values, the same in YAML, in a stored model and in a test."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from string import Formatter

RISK = re.compile(r"churn|leav|cancel|default|fraud|late|lost|escalat|complain", re.IGNORECASE)
TASKS = ("yes_no", "classes", "amount")
LOSSES = ("absolute", "squared")


@dataclass(frozen=True)
class PredictionSpec:
    """A question about an entity: yes or no, one of several classes, or an amount.

    The frame it is asked of has one row per `entity_key` and `as_of`, the features known then, and `target`
    (boolean, text for classes, a number for an amount; null while the answer is not known). `as_of=None` says that the
    table has no time.
    """

    name: str
    entity_key: str
    target: str
    task: str = "yes_no"
    """`yes_no`, `classes` for an answer that is one of several, or `amount` for a number to estimate."""
    loss: str = "absolute"
    """What an amount's estimate is judged by: `absolute` (its estimate is the median) or `squared` (the mean)."""
    relative_to: str | None = None
    """Column with an amount that the answer is told as a multiple of, so that amounts of several currencies are learnt
    together: a multiple has none. Rows where it is not above 0 are not learnt from."""
    as_of: str | None = "as_of_date"
    horizon_days: int | None = None
    """Days after `as_of` until the answer is known; the gap between training and test."""
    exclude: tuple[str, ...] = ()
    """Columns that are not learnt from, by name or pattern (`*_7d*`)."""
    text: tuple[str, ...] = ()
    """Columns of free text."""
    value: str | None = None
    """Column with the money at stake; `expected_value` is probability times this."""
    segments: tuple[str, ...] = ()
    """Columns by whose values the card repeats the metrics."""
    keep_leaky: bool = False
    """Learn from columns that give the answer away, too."""
    min_rows: int = 100
    min_positives: int = 12
    """Entities with a yes, and entities with a no, that a fit needs."""
    step_days: int = 28
    """Training takes a snapshot about every so many days: closer ones tell ever less that is new, and cost time."""
    max_calibration_error: float = 0.08
    """A model whose probabilities are further off than this (beyond sampling noise) is not kept."""
    likelihood_word: str | None = None
    """What a reason raises or lowers: "risk" or "chance"; guessed from the name when None."""
    templates: dict[str, str] = field(default_factory=dict)
    """Column → how its reason is told: "no login for {value} days" (also {typical}); the direction is added."""
    groups: dict[str, list[str]] = field(default_factory=dict)
    """Name → columns by prefix or pattern (`usage`, `*_count_*`); their contributions are summed in `points_<name>`.

    The first group that a column matches has it; columns of no group are in `points_other`.
    """

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not self.name or not self.entity_key or not self.target:
            raise ValueError("A prediction needs a name, an entity_key and a target.")
        if self.entity_key == self.target:
            raise ValueError(f"{self.name}: {self.target!r} cannot be both entity_key and target.")
        if self.task not in TASKS:
            raise ValueError(f"{self.name}: task is {self.task!r}; it can be {' or '.join(TASKS)}.")
        if self.loss not in LOSSES:
            raise ValueError(f"{self.name}: loss is {self.loss!r}; it can be {' or '.join(LOSSES)}.")
        if self.task == "amount" and self.value is not None:
            raise ValueError(
                f"{self.name}: value is {self.value!r}, but the answer is an amount itself; leave value out."
            )
        if self.task != "amount" and self.relative_to is not None:
            raise ValueError(
                f"{self.name}: relative_to is {self.relative_to!r}, but the answer is no amount; leave it out."
            )
        if self.horizon_days is not None and self.horizon_days < 0:
            raise ValueError(f"{self.name}: horizon_days is {self.horizon_days}; give days after as_of, zero or more.")
        if self.min_rows < 1 or self.min_positives < 1 or self.step_days < 1:
            raise ValueError(f"{self.name}: min_rows, min_positives and step_days must be at least 1.")
        for column, template in self.templates.items():
            if problem := check_template(template):
                raise ValueError(f"{self.name}: the template of {column!r}, {template!r}, cannot be used: {problem}.")
        for group, patterns in self.groups.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]*", group) or group == "other":
                raise ValueError(
                    f"{self.name}: a group cannot be called {group!r}: it names a column, points_<group>, so use "
                    "lower-case letters, digits and _ (`other` is taken by the columns of no group)."
                )
            if isinstance(patterns, str) or not patterns or not all(patterns):
                raise ValueError(f"{self.name}: the group {group!r} needs a list of column prefixes or patterns.")
        object.__setattr__(self, "groups", {group: list(patterns) for group, patterns in self.groups.items()})

    @property
    def likelihood(self) -> str:
        """The word that reasons use for the probability, or for an amount."""
        if self.task == "amount":
            return self.likelihood_word or "amount"
        return self.likelihood_word or ("risk" if RISK.search(f"{self.name} {self.target}") else "chance")

    def excludes(self, column: str) -> bool:
        """Whether a column is not to be learnt from."""
        return any(column == each or (is_pattern(each) and fnmatchcase(column, each)) for each in self.exclude)

    def groups_of(self, columns: Sequence[str]) -> list[str]:
        """The group of every column; `other` for those of none."""
        return [
            next((group for group, patterns in self.groups.items() if any(_matches(c, p) for p in patterns)), "other")
            for c in columns
        ]

    def unmatched_patterns(self, columns: Sequence[str]) -> list[str]:
        """Patterns of the groups that none of these columns matches, as `group: pattern`."""
        return [
            f"{group}: {pattern}"
            for group, patterns in self.groups.items()
            for pattern in patterns
            if not any(_matches(column, pattern) for column in columns)
        ]

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


def is_pattern(name: str) -> bool:
    """Whether it stands for many columns, as in a shell."""
    return bool(set("*?[") & set(name))


def _matches(column: str, pattern: str) -> bool:
    return fnmatchcase(column, pattern if is_pattern(pattern) else pattern + "*")


PLACEHOLDERS = ("value", "typical")


def check_template(template: str) -> str | None:
    """What is wrong with a template, in words; None if nothing is."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as problem:
        return f"its braces do not match ({problem})"
    for _, name, form, conversion in parts:
        if name is not None and (name not in PLACEHOLDERS or form or conversion):
            return "its placeholders may be {value} and {typical} only"
    return None if template.strip() else "it is empty"
