"""What `scorecast predict` is asked: the options, and the typed table with its target as the learner wants it."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from pipelines.any_table.answers import Answers
    from pipelines.learning.columns.leaks import Finding
    from pipelines.learning.columns.types import TypePlan
    from pipelines.learning.specs import PredictionSpec

CONTENT = "__content"
"""What rows without a key are told apart by: copies of a row are one entity, so that none is judged by its copy."""
YES = ("yes", "true", "1", "1.0", "y", "t", "won", "converted", "churned")
FEWEST_ROWS = 50
FEWEST_OF_EACH = 10
FEWEST_OF_CLASS = 5
MOST_NUMBERS = 20
"""A column of numbers with more distinct values is an amount to estimate, not a class."""
MOST_SEGMENTS = 3
SEGMENT_LEVELS = range(2, 9)


class CannotPredict(ValueError):
    """The input cannot be learnt from; the message says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class Request:
    """What is asked, as on the command line."""

    train: str
    target: str
    positive: str | None = None
    negative: Sequence[str] = ()
    """The answers that are no; none: all that are not yes."""
    task: str | None = None
    """yes_no, classes, ordered or amount; by the target's values when None."""
    levels: Sequence[str] = ()
    """Of an ordered answer, its levels from the lowest to the highest; none: its whole numbers."""
    loss: str = "absolute"
    """What an amount is judged by: absolute or squared."""
    key: str | None = None
    as_of: str | None = None
    exclude: Sequence[str] = ()
    text: Sequence[str] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    """Column → kind (number, boolean, date, category, text) where it is not to be guessed."""
    segments: Sequence[str] = ()
    value: str | None = None
    score: str | None = None
    out: Path = Path("prediction")
    form: str = "parquet"
    """Of the scores: parquet, csv or xlsx."""
    keep_columns: bool = False
    """The columns of the table come along with the scores."""
    seed: int = 0
    keep_leaky: bool = False
    force: bool = False


@dataclass(frozen=True)
class Question:
    """The training table, typed, with the target as the learner wants it."""

    frame: "pl.DataFrame"
    plan: "TypePlan"
    spec: "PredictionSpec"
    positive: str | None
    late: "list[Finding]"
    """Columns that are written with the answer or after it; the spec leaves them out, unless leaky ones are kept."""


@dataclass(frozen=True)
class _Target:
    """The answers as the learner wants them, in the order of the table's rows."""

    values: "pl.Series"
    task: str
    positive: str | None = None
    levels: tuple[str, ...] = ()


def question_of(table: "pl.DataFrame", request: Request, notes: list[str]) -> Question:
    """
    Type the table, and settle task, target, key and columns that are left out; what a reader should know joins `notes`.

    Raises CannotPredict for input that cannot be learnt from.
    """
    from pipelines.learning.columns.types import infer_types

    _check_columns(table, request)
    keep = [request.target, *([request.key] if request.key else [])]
    wishes = {**request.types, **({request.as_of: "date"} if request.as_of else {})}
    try:
        frame, plan = infer_types(table, wishes, request.text, keep)
    except ValueError as problem:
        raise CannotPredict(f"{request.train}: {problem}") from problem
    notes += plan.notes
    target = _target(table, frame, request, notes)
    _check_roles(frame, plan, target, request, notes)
    frame = _with_key(frame.with_columns(target.values.alias(request.target)), request, notes)
    late = _late_columns(frame, plan, request, notes)
    return Question(frame, plan, _spec(frame, plan, target, late, request), target.positive, late)


def _target(table: "pl.DataFrame", frame: "pl.DataFrame", request: Request, notes: list[str]) -> _Target:
    """The answers by the task that is asked for or, where none is, by what they look like."""
    from pipelines.any_table.amounts import amounts_of
    from pipelines.any_table.answers import AnswerMistake, answers_in, levels_of

    try:
        task = _task_asked(request)
        amounts = amounts_of(table[request.target], task, MOST_NUMBERS, notes)
    except ValueError as problem:
        raise CannotPredict(f"{request.train}: {problem}") from problem
    if amounts is not None:
        return _Target(amounts, "amount")
    found = answers_in(frame[request.target])
    _check_answers(found, request)
    notes += found.notes
    if task == "ordered":
        try:
            values, levels = levels_of(found, request.levels, notes)
        except AnswerMistake as problem:
            raise CannotPredict(f"{request.train}: {problem}") from None
        return _Target(values, task, levels=levels)
    values, positive = _answers(found, request, notes)
    return _Target(values, "yes_no" if positive is not None else "classes", positive)


def _check_roles(frame: "pl.DataFrame", plan: "TypePlan", target: _Target, request: Request, notes: list[str]) -> None:
    """Raises CannotPredict where --value or --as-of cannot be what they are meant to be."""
    from pipelines.learning.specs import TASKS

    if request.value and (why := TASKS[target.task].no_value):
        raise CannotPredict(f"--value is the money at stake of a yes; {request.target} {why}. Leave it out.")
    if unknown := target.values.null_count():
        what = "not learnt from" if request.score else "scored, not learnt from"
        notes.append(f"{unknown:,} rows of {request.train} have no known {request.target}; they are {what}.")
    if request.as_of and (empty := frame[request.as_of].null_count()):
        raise CannotPredict(
            f"{request.train}: {request.as_of!r} (--as-of) is empty or no date in {empty:,} rows; every row needs the "
            "date as of which it was known. Mend them, or leave --as-of out."
        )
    if request.value and plan.kinds.get(request.value) != "number":
        raise CannotPredict(
            f"{request.train}: {request.value!r} (--value) must be an amount, but it is read as "
            f"{plan.kinds.get(request.value, 'no number')}."
        )


def _late_columns(frame: "pl.DataFrame", plan: "TypePlan", request: Request, notes: list[str]) -> "list[Finding]":
    """Columns that are written with the answer or after it: empty where it is not known, or dated when it changed."""
    from pipelines.learning.columns.leaks import filled_with_the_answer
    from pipelines.learning.columns.stamps import creation_column, written_at_changes

    answers = frame[request.target]
    own = {request.target, request.key, request.as_of, CONTENT, *request.exclude}
    others = [name for name in frame.columns if name not in own]
    late = filled_with_the_answer(frame.select(others), answers.is_null())
    dates = [name for name in (*others, request.as_of) if plan.kinds.get(name) == "date"]
    known = {request.as_of, *(each.column for each in late)}
    late += [each for each in written_at_changes(frame, dates, answers) if each.column not in known]
    if request.as_of is None and (created := creation_column(frame, dates)) is not None:
        notes.append(
            f"{created} is in every row and the earliest of its dates: with --as-of {shlex.quote(created)} the model"
            " learns from older rows, is judged on newer ones, and sees dates by their distance from it."
        )
    return late


def _spec(
    frame: "pl.DataFrame", plan: "TypePlan", target: _Target, late: "list[Finding]", request: Request
) -> "PredictionSpec":
    from pipelines.learning.specs import PredictionSpec

    return PredictionSpec(
        name=_plain(request.target),
        entity_key=request.key or CONTENT,
        target=request.target,
        as_of=request.as_of,
        exclude=(*request.exclude, *(() if request.keep_leaky else (each.column for each in late))),
        text=tuple(dict.fromkeys([*plan.text, *request.text])),
        value=request.value,
        segments=tuple(request.segments or _segments(frame, plan, request)),
        task=target.task,
        levels=target.levels,
        loss=request.loss,
        keep_leaky=request.keep_leaky,
        min_rows=FEWEST_ROWS,
        min_positives=FEWEST_OF_EACH,
        step_days=1,
        max_calibration_error=1.0,
    )


def _task_asked(request: Request) -> str | None:
    """The task that the options ask for; None where the target's values say it. Raises CannotPredict if they clash."""
    from pipelines.learning.specs import LOSSES, TASKS, levels_problem

    for option, given, known in (("--task", request.task, (None, *TASKS)), ("--loss", request.loss, LOSSES)):
        if given not in known:
            raise CannotPredict(f"{option} is {given!r}; it can be {', '.join(filter(None, known))}.")
    task = request.task or ("ordered" if request.levels else None)
    if request.levels and (problem := levels_problem(task, request.levels)):
        raise CannotPredict(f"--levels {','.join(request.levels)}: {problem}.")
    if request.negative and request.positive is None:
        raise CannotPredict("--negative says which answers are no; say with --positive which one is yes.")
    if request.positive is not None:
        if task not in (None, "yes_no"):
            other = f"--task {task}" if request.task else "--levels"
            raise CannotPredict(f"--positive is for a yes-or-no question; leave it out, or {other}.")
        return "yes_no"
    return task


def _with_key(frame: "pl.DataFrame", request: Request, notes: list[str]) -> "pl.DataFrame":
    """The key is there in every row; without one, equal rows are one entity."""
    import polars as pl

    if request.key is None:
        features = frame.select(sorted(set(frame.columns) - {request.target}))
        return frame.with_columns(features.hash_rows(seed=0).cast(pl.String).alias(CONTENT))
    if empty := frame[request.key].null_count():
        raise CannotPredict(f"{request.train}: the key {request.key!r} is empty in {empty:,} rows.")
    if request.as_of is None and (repeated := frame.height - frame[request.key].n_unique()):
        notes.append(
            f"{request.train}: {repeated:,} rows repeat a {request.key} that was there before. Rows of one "
            f"{request.key} are taken as the same entity at different times; every row is scored."
        )
    return frame


def check_named(table: "pl.DataFrame", location: str, options: Mapping[str, Iterable[str | None]]) -> None:
    """Raises CannotPredict where an option names a column that the table lacks."""
    from pipelines.spelling import did_you_mean

    for option, names in options.items():
        for name in names:
            if name is not None and name not in table.columns:
                raise CannotPredict(
                    f"{location} has no column {name!r} ({option}).{did_you_mean(name, table.columns)}"
                    f" It has: {', '.join(table.columns[:30])}{', ...' if table.width > 30 else ''}."
                )


def _check_columns(table: "pl.DataFrame", request: Request) -> None:
    options = {
        "--target": [request.target],
        "--key": [request.key],
        "--as-of": [request.as_of],
        "--value": [request.value],
    }
    options |= {
        "--exclude": request.exclude,
        "--text": request.text,
        "--type": request.types,
        "--segment": request.segments,
    }
    check_named(table, request.train, options)
    if request.target in (request.key, request.as_of):
        raise CannotPredict(f"The target {request.target!r} cannot be the key or the date, too.")


def _check_answers(found: "Answers", request: Request) -> None:
    """Raises CannotPredict where there is nothing to tell apart."""
    counts = found.counts
    if not counts:
        raise CannotPredict(f"{request.train}: the target {request.target!r} has no value in any row.")
    if len(counts) == 1:
        only = next(iter(counts))
        raise CannotPredict(
            f"{request.train}: the target {request.target!r} is {only!r} in all {counts[only]:,} rows that have one; "
            "there is nothing to tell apart. Take in rows with another outcome."
        )


def _answers(found: "Answers", request: Request, notes: list[str]) -> "tuple[pl.Series, str | None]":
    """The target as a boolean and the value that is yes, or as text for classes and None."""
    import polars as pl

    from pipelines.any_table.answers import AnswerMistake, likely_levels, likely_question, only_decided

    answers, counts = found.values, found.counts
    positive = request.positive
    if positive is not None:
        positive = found.same(positive)
        if positive is None:
            raise CannotPredict(
                f"{request.train}: no row has {request.target} = {request.positive!r} (--positive); it is "
                f"{_listed(counts)}."
            )
    elif len(counts) == 2 and request.task != "classes":
        named = [value for value in counts if value.lower() in YES]
        positive = named[0] if len(named) == 1 else min(counts, key=lambda value: (counts[value], value))
        notes.append(f"{request.target} = {positive!r} is taken as yes.")
    if positive is not None:
        try:
            answers, decided_notes = only_decided(found, positive, request.negative)
        except AnswerMistake as problem:
            raise CannotPredict(f"{request.train}: {problem}") from None
        notes += decided_notes
        yes = (answers == positive).alias(request.target)
        few = min(int(yes.sum()), int((~yes).sum()))
        if few < FEWEST_OF_EACH:
            raise CannotPredict(
                f"{request.train}: {request.target} is {positive!r} in {int(yes.sum()):,} rows and something else in "
                f"{int((~yes).sum()):,}; {FEWEST_OF_EACH} of each are needed to learn and judge."
            )
        asked = (request.positive or positive).strip()
        return yes, asked if asked in found.spelt else positive
    if request.task == "yes_no":
        raise CannotPredict(
            f"{request.train}: the target {request.target!r} has {len(counts):,} different values ({_listed(counts)}); "
            "say with --positive which of them is yes."
        )
    if len(counts) > MOST_NUMBERS and answers.drop_nulls().cast(pl.Float64, strict=False).null_count() == 0:
        raise CannotPredict(
            f"{request.train}: the target {request.target!r} is a number with {len(counts):,} different values. "
            "Ask for an amount with --task amount, make ranges of it, or ask for one value with --positive."
        )
    notes += [hint for hint in (likely_question(found), None if request.task else likely_levels(found)) if hint]
    rare = [value for value, rows in counts.items() if rows < FEWEST_OF_CLASS]
    if rare:
        notes.append(
            f"{request.target}: {_listed(dict.fromkeys(rare, 0))} with fewer than {FEWEST_OF_CLASS} rows left out."
        )
        answers = answers.set(answers.is_in(rare).fill_null(False), None)
    if len(counts) - len(rare) < 2:
        raise CannotPredict(
            f"{request.train}: the target {request.target!r} has {len(counts):,} different values, and fewer than two "
            f"of them in {FEWEST_OF_CLASS} rows or more: that is a name or a number, not a class."
        )
    return answers, None


def _listed(counts: Mapping[str, int]) -> str:
    names = list(counts)
    return ", ".join(map(repr, names[:8])) + (f" and {len(names) - 8:,} more" if len(names) > 8 else "")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "target"


def _segments(frame: "pl.DataFrame", plan: "TypePlan", request: Request) -> list[str]:
    """Columns of a few values, by which the card shows for whom the model works less well."""
    own = {request.target, request.key, request.as_of, request.value, *request.exclude}
    few = [
        (frame[name].n_unique(), name)
        for name, kind in plan.kinds.items()
        if kind == "category" and name not in own and frame[name].n_unique() in SEGMENT_LEVELS
    ]
    return [name for _, name in sorted(few, key=lambda each: (-each[0], each[1]))][:MOST_SEGMENTS]
