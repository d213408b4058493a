"""`scorecast new prediction`: a few questions, whose answers make the YAML that `docs/add_a_model.md` describes."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.components.declared.documents import PREDICTION, YamlMistakes
from pipelines.components.named_columns import NUMBER, columns_of
from pipelines.components.validation import read_components, require_valid_yaml
from pipelines.database import placed
from pipelines.learning.specs import TASKS
from pipelines.spelling import suggestion_or_list
from pipelines.transformation.known_tables import Table

if TYPE_CHECKING:
    from pipelines.components.declared.prediction import DeclaredPrediction

HORIZON = re.compile(r"_(\d+)d$")
LIKELY = re.compile(r"^(is|has|was|will)_")
MONEY = re.compile(r"(^|_)(arr|mrr|amount|revenue|value|price)$")
WORDS = re.compile(r"(^|_)(name|company|email_domain|source|stage|currency|title)$")
KEY = re.compile(r"(^|_)id$", re.IGNORECASE)
COMMENTS = {
    "entity": "key column of the snapshots",
    "features": "what was known at as_of_date",
    "outcomes": "what happened after: the target is a column here",
    "as_of": "the table has no time",
    "horizon_days": "days until the answer is known",
    "population": "SQL over the snapshot: who is learnt from and scored",
    "value": "money at stake; makes expected_value",
    "described_by": "model whose columns name the entity for people",
}


@dataclass(frozen=True)
class Answers:
    """The attributes of the new prediction; None: not answered yet."""

    name: str | None = None
    description: str | None = None
    owner: str | None = None
    features: str | None = None
    outcomes: str | None = None
    """The empty text: the target is a column of the features."""
    entity: str | None = None
    target: str | None = None
    task: str | None = None
    levels: tuple[str, ...] | None = None
    as_of: str | None = None
    """The empty text: the table has no time."""
    horizon_days: int | None = None
    population: str | None = None
    value: str | None = None
    table: str | None = None
    described_by: str | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Question:
    """One question, with possible answers and a default."""

    key: str
    words: str
    choices: list[str] = field(default_factory=list)
    default: str | None = None
    """None: there is no default; the empty text: no answer is needed."""
    valid: frozenset[str] = frozenset()
    """All valid answers; empty if they are not known."""

    def problem(self, answer: str) -> str | None:
        """Why an answer is not valid, or None."""
        if not self.valid or answer in self.valid or (answer == "" and self.default == ""):
            return None
        return f"there is no '{answer}'{suggestion_or_list(answer, sorted(self.valid))}"


def existing_predictions(root: Path) -> "list[DeclaredPrediction]":
    """The predictions under `root/assets`. Raises `YamlMistakes` if one cannot be read."""
    return [component for document, component in read_components(root) if document.type == PREDICTION]


def next_question(
    answers: Answers, tables: Mapping[str, Table], existing: "Sequence[DeclaredPrediction]" = ()
) -> Question | None:
    """
    The first open question; None when the YAML can be written. The choices depend on the answers so far.

    `existing`: the existing predictions; the population of a similar one is proposed.
    """
    for key, ask in _QUESTIONS.items():
        if getattr(answers, key) is None:
            question = ask(answers, tables)
            if key == "population" and (like := prediction_alike(answers, tables, existing)) is not None:
                words = f"{question.words}; {like.name} asks it of {like.population!r}"
                question = replace(question, words=words, default=like.population)
            if question is not None:
                return replace(question, key=key)
    return None


def prediction_alike(
    answers: Answers, tables: Mapping[str, Table], existing: "Sequence[DeclaredPrediction]"
) -> "DeclaredPrediction | None":
    """
    The most similar existing prediction: of the same target, else of the same features. None if there is none, or if
    its population uses columns that these features do not have.
    """
    features = ".".join(placed(answers.features, "features"))
    there = set(_columns(answers, tables, "features"))

    def alike(other: "DeclaredPrediction") -> tuple[bool, bool, bool]:
        same_target = other.target == answers.target and (other.outcomes or "") == answers.outcomes
        same_features = ".".join(other.features_table) == features
        return same_target, same_features, other.population != "true"

    candidates = [other for other in existing if any(alike(other)[:2]) and set(columns_of(other.population)) <= there]
    return max(candidates, key=alike, default=None)


def complete(
    answers: Answers,
    tables: Mapping[str, Table],
    asked: Callable[[Question], str | None],
    existing: "Sequence[DeclaredPrediction]" = (),
) -> Answers:
    """
    Ask the open questions by `asked` until all are answered; None as an answer takes the default.

    Raises LookupError with the possible answers if there is neither an answer nor a default.
    """
    while (question := next_question(answers, tables, existing)) is not None:
        given = asked(question)
        answer = question.default if given is None else given
        if answer is None:
            flag = f"--{question.key.replace('_', '-')}"
            there = f" There are: {', '.join(question.choices[:20])}." if question.choices else ""
            raise LookupError(f"{flag} is missing: {question.words}.{there}")
        answers = replace(answers, **{question.key: _as_typed(question.key, answer)})
    return answers


def written(answers: Answers) -> str:
    """The YAML, with short comments."""
    import yaml

    def scalar(value: object) -> str:
        text = yaml.safe_dump(value, width=10_000, allow_unicode=True, default_flow_style=True).strip()
        return text.removesuffix("\n...").strip()

    def line(key: str, value: object, indent: int = 2) -> str:
        text = f"{' ' * indent}{key}: {scalar(value)}"
        comment = "one row per entity" if key == "features" and not answers.as_of else COMMENTS.get(key)
        return f"{text:<34}# {comment}" if comment and len(text) < 34 else text

    values = {each.name: getattr(answers, each.name) for each in fields(answers)}
    order = ["name", "description", "owner", "entity", "features", "outcomes", "target"]
    lines = [f"type: {PREDICTION}", "attributes:"]
    lines += [line(key, values[key]) for key in order if values[key]]
    if answers.task != "yes_no":
        lines.append(f"{line('task', answers.task):<34}# {TASKS[answers.task].words if answers.task in TASKS else ''}")
    if answers.levels:
        lines.append(line("levels", list(answers.levels)))
    if answers.as_of == "":
        lines.append(line("as_of", None))
    elif answers.as_of != "as_of_date":
        lines.append(f"  as_of: {scalar(answers.as_of)}")
    if answers.horizon_days is not None:
        lines.append(line("horizon_days", answers.horizon_days))
    if answers.population not in ("", "true"):
        lines.append(line("population", answers.population))
    if answers.value:
        lines.append(line("value", answers.value))
    lines += ["  publish:", line("table", answers.table, 4)]
    if answers.described_by:
        lines.append(line("described_by", answers.described_by, 4))
        if answers.columns:
            lines.append(f"    columns: [{', '.join(scalar(column) for column in answers.columns)}]")
    return "\n".join(lines) + "\n"


def require_new(root: Path, name: str) -> Path:
    """The path of a prediction's YAML. Raises FileExistsError when it exists."""
    path = root / "assets" / "predictions" / name / "defs.yaml"
    if path.exists():
        raise FileExistsError(f"{path.relative_to(root)} is there already. Edit it, or choose another --name.")
    return path


def write_prediction(root: Path, answers: Answers, tables: Mapping[str, Table]) -> Path:
    """
    Check the YAML together with the existing ones, then write it.

    Raises FileExistsError when it exists and ValueError when it would not load; nothing is written then.
    """
    path = require_new(root, answers.name)
    text = written(answers)
    file = str(path.relative_to(root))
    try:
        require_valid_yaml(root, lambda: tables, {file: text})
    except YamlMistakes as problem:
        problems = [each.text if each.file == file else str(each) for each in problem.mistakes]
        raise ValueError("\n".join(problems)) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    # Atomically, because Dagster may be loading the folder.
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.write_text(text)
    os.replace(draft, path)
    return path


def _as_typed(key: str, answer: str) -> object:
    if key == "horizon_days":
        if not answer.strip().isdigit():
            raise LookupError(f"--horizon-days must be a whole number of days, not {answer!r}.")
        return int(answer)
    if key in ("columns", "levels"):
        return tuple(part.strip() for part in answer.split(",") if part.strip())
    return answer.strip()


def _chosen(answers: Answers, tables: Mapping[str, Table], which: str) -> Table:
    """The chosen features, outcomes or describing model; an empty table if it is not known."""
    name, schema = getattr(answers, which) or answers.features or "", "core" if which == "described_by" else "features"
    return tables.get(".".join(placed(name, schema)), Table({}))


def _columns(answers: Answers, tables: Mapping[str, Table], which: str) -> dict[str, str | None]:
    return dict(_chosen(answers, tables, which).columns)


def _valid(answers: Answers, tables: Mapping[str, Table], which: str) -> frozenset[str]:
    """The columns that are valid answers; empty if not all are known."""
    table = _chosen(answers, tables, which)
    return frozenset(table.columns) if table.is_complete and not table.words else frozenset()


def _of_schema(tables: Mapping[str, Table], schema: str) -> list[str]:
    return [name.partition(".")[2] for name in sorted(tables) if name.startswith(f"{schema}.")]


def _tables(tables: Mapping[str, Table]) -> frozenset[str]:
    """Tables by every name that the YAML accepts."""
    short = (name.partition(".")[2] for name in tables if name.startswith(("features.", "core.")))
    return frozenset([*tables, *short])


def _name(answers: Answers, tables: Mapping[str, Table]) -> Question:
    return Question("", "what the model is called, such as expansion")


def _features(answers: Answers, tables: Mapping[str, Table]) -> Question:
    there = _of_schema(tables, "features")
    snapshots = [name for name in there if name.endswith("_snapshots")]
    core = [f"core.{name}" for name in _of_schema(tables, "core")]
    others = [
        name for name in there if name not in snapshots and not name.endswith("_outcomes") and name != "catalogue"
    ]
    return Question(
        "", "the table with what is known of each entity", [*snapshots, *others, *core], valid=_tables(tables)
    )


def _outcomes(answers: Answers, tables: Mapping[str, Table]) -> Question:
    there = [name for name in _of_schema(tables, "features") if name.endswith("_outcomes")]
    own = answers.features.removesuffix("_snapshots") + "_outcomes"
    is_own = answers.target is None or answers.target not in _columns(answers, tables, "features")
    default = own if own in there and is_own else ""
    return Question(
        "", "the table with the answers (empty: they are a column of the features)", there, default, _tables(tables)
    )


def _entity(answers: Answers, tables: Mapping[str, Table]) -> Question:
    keys = [name for name in _columns(answers, tables, "features") if KEY.search(name)]
    valid = _valid(answers, tables, "features")
    return Question("", "the key column: what one score is for", keys, keys[0] if keys else None, valid)


def _as_of(answers: Answers, tables: Mapping[str, Table]) -> Question:
    columns = _columns(answers, tables, "features")
    days = [
        name for name, type_ in columns.items() if name == "as_of_date" or (type_ or "").startswith(("DATE", "TIME"))
    ]
    default = "as_of_date" if "as_of_date" in days or not columns else ""
    valid = _valid(answers, tables, "features")
    return Question("", "the column that says as of when a row is (empty: a table without time)", days, default, valid)


def _target(answers: Answers, tables: Mapping[str, Table]) -> Question:
    columns = _columns(answers, tables, "outcomes")
    own = {answers.entity, answers.as_of}
    booleans = [name for name, type_ in columns.items() if type_ == "BOOLEAN" or (not type_ and LIKELY.match(name))]
    numbers = [name for name, type_ in columns.items() if name not in own and NUMBER.fullmatch(type_ or "DOUBLE")]
    names = [name for name in columns if name not in own]
    others = {"classes": names, "ordered": names, "amount": numbers}
    choices = others.get(answers.task, booleans)
    return Question("", "the column to predict", choices, None, _valid(answers, tables, "outcomes"))


def _task(answers: Answers, tables: Mapping[str, Table]) -> Question:
    type_ = _columns(answers, tables, "outcomes").get(answers.target)
    words = "yes or no, one of several classes, one of a few levels in an order, or an amount"
    return Question("", words, list(TASKS), _likely_task(type_), frozenset(TASKS))


def _likely_task(type_: str | None) -> str:
    if re.match("DOUBLE|FLOAT|DECIMAL", type_ or ""):
        return "amount"
    return "classes" if type_ == "VARCHAR" or (type_ or "").startswith("ENUM") else "yes_no"


def _levels(answers: Answers, tables: Mapping[str, Table]) -> Question | None:
    type_ = _columns(answers, tables, "outcomes").get(answers.target)
    if answers.task != "ordered" or NUMBER.fullmatch(type_ or ""):
        return None
    return Question("", "the levels from the lowest to the highest, with commas between: low, medium, high")


def _horizon_days(answers: Answers, tables: Mapping[str, Table]) -> Question | None:
    if not answers.as_of:
        return None
    found = HORIZON.search(answers.target)
    return Question("", f"days after {answers.as_of} until the answer is known", [], found[1] if found else None)


def _population(answers: Answers, tables: Mapping[str, Table]) -> Question:
    columns = _columns(answers, tables, "features")
    booleans = [name for name, type_ in columns.items() if type_ == "BOOLEAN" or (not type_ and LIKELY.match(name))]
    return Question("", "who is learnt from and scored, as an SQL condition (true: everyone)", booleans, "true")


def _value(answers: Answers, tables: Mapping[str, Table]) -> Question | None:
    if answers.task in TASKS and TASKS[answers.task].no_value:
        return None
    columns = _columns(answers, tables, "features")
    money = [n for n, type_ in columns.items() if MONEY.search(n) and (type_ is None or NUMBER.fullmatch(type_))]
    return Question(
        "", "the column with the money at stake (empty: none)", money, "", _valid(answers, tables, "features")
    )


def _table(answers: Answers, tables: Mapping[str, Table]) -> Question:
    name = answers.name if answers.name.endswith("_score") else f"{answers.name}_score"
    return Question("", "the published table", [], f"{name}s")


def _described_by(answers: Answers, tables: Mapping[str, Table]) -> Question:
    there = [name for name in _of_schema(tables, "core") if answers.entity in tables[f"core.{name}"].columns]
    plural = re.sub("y$", "ie", answers.entity.removesuffix("_id")) + "s"
    own = next((name for name in (plural, "people" if plural == "persons" else "") if name in there), "")
    return Question("", "the core model that names the entity for people (empty: none)", there, own, _tables(tables))


def _columns_shown(answers: Answers, tables: Mapping[str, Table]) -> Question | None:
    if not answers.described_by:
        return None
    columns = [
        name for name in _columns(answers, tables, "described_by") if name not in (answers.entity, answers.value)
    ]
    shown = [name for name in columns if WORDS.search(name)]
    return Question("", "its columns to show beside the score, with commas between", columns, ", ".join(shown[:4]))


def _description(answers: Answers, tables: Mapping[str, Table]) -> Question:
    within = f" within {answers.horizon_days} days" if answers.horizon_days else ""
    whose = re.sub("_id$", "", answers.entity).replace("_", " ")
    what = HORIZON.sub("", LIKELY.sub("", answers.target)).replace("_", " ")
    asks = {"yes_no": f"How likely each {whose} is {what}", "amount": f"How much {what} to expect of each {whose}"}.get(
        answers.task, f"Which {what} each {whose} has"
    )
    return Question("", "one sentence for those who find the model in the UI", [], f"{asks}{within}, and why.")


def _owner(answers: Answers, tables: Mapping[str, Table]) -> Question:
    return Question("", "who looks after it: team:<name> or an e-mail address", [], "team:data")


_QUESTIONS: dict[str, Callable[[Answers, Mapping[str, Table]], Question | None]] = {
    "name": _name,
    "features": _features,
    "entity": _entity,
    "as_of": _as_of,
    "outcomes": _outcomes,
    "target": _target,
    "task": _task,
    "levels": _levels,
    "horizon_days": _horizon_days,
    "population": _population,
    "value": _value,
    "table": _table,
    "described_by": _described_by,
    "columns": _columns_shown,
    "description": _description,
    "owner": _owner,
}
