"""What a prediction is asked: plain values, the same in YAML, in a stored model and in a test."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from string import Formatter

RISK = re.compile(r"churn|leav|cancel|default|fraud|late|lost|escalat|complain", re.IGNORECASE)
LOSSES = ("absolute", "squared")
FEWEST_LEVELS, MOST_LEVELS = 3, 11
"""Of an ordered answer: fewer are a question of yes or no, more an amount."""


@dataclass(frozen=True)
class Task:
    """What kinds of answers differ in."""

    words: str
    does: str
    """What a model of it does, for a sentence that says what it therefore lacks."""
    loss: str
    """Candidates are compared by it: the name that figures have."""
    likelihood: str | None = None
    """What reasons raise or lower; None: a risk or a chance, by the prediction's name."""
    no_value: str | None = None
    """Why no money is at stake that a probability could be multiplied with; None where there may be."""


TASKS = {
    "yes_no": Task("a question of yes or no", "answers yes or no", "log_loss"),
    "classes": Task("more than two answers", "tells several classes apart", "log_loss"),
    "ordered": Task(
        "one of a few levels in an order",
        "tells levels in an order apart",
        "rps",
        "level",
        "is one of several levels, which have no one probability",
    ),
    "amount": Task("a number to estimate", "estimates an amount", "error", "amount", "is an amount itself"),
}
"""By the name that a spec has for it."""


@dataclass(frozen=True)
class PredictionSpec:
    """A question about an entity: yes or no, one of several classes or of several levels in an order, or an amount.

    The frame it is asked of has one row per `entity_key` and `as_of`, the features known then, and `target`
    (boolean, text for classes, whole numbers or text for levels, a number for an amount; null while the answer is not
    known). `as_of=None` says that the table has no time.
    """

    name: str
    entity_key: str
    target: str
    task: str = "yes_no"
    """`yes_no`, `classes` for an answer that is one of several, `ordered` for one of a few levels in an order, or
    `amount` for a number to estimate."""
    levels: tuple[str, ...] = ()
    """Of an ordered answer, its levels from the lowest to the highest; none: the whole numbers that it has."""
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
        if problem := levels_problem(self.task, self.levels):
            raise ValueError(f"{self.name}: {problem}.")
        if self.loss not in LOSSES:
            raise ValueError(f"{self.name}: loss is {self.loss!r}; it can be {' or '.join(LOSSES)}.")
        if self.value is not None and (why := TASKS[self.task].no_value):
            raise ValueError(f"{self.name}: value is {self.value!r}, but the answer {why}; leave value out.")
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
        """The word that reasons use for the probability, for a level or for an amount."""
        word = self.likelihood_word or TASKS[self.task].likelihood
        return word or ("risk" if RISK.search(f"{self.name} {self.target}") else "chance")

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


def levels_problem(task: str, levels: Sequence[str]) -> str | None:
    """What is wrong with the levels of a task, in words; None if nothing is."""
    if not levels:
        return None
    if task != "ordered":
        return "levels are for `task: ordered`; leave them out"
    if not FEWEST_LEVELS <= len(levels) <= MOST_LEVELS:
        return f"levels has {len(levels)}; it can have {FEWEST_LEVELS} to {MOST_LEVELS}, from the lowest to the highest"
    if not all(level.strip() for level in levels):
        return "one of levels is empty"
    twice = next((level for level in levels if levels.count(level) > 1), None)
    return None if twice is None else f"levels has {twice!r} twice"


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
