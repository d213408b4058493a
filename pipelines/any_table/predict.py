"""`scorecast predict`: a table and a column to predict in, a judged model and scored rows out; without Dagster."""

import json
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from pipelines.any_table.answers import Answers
    from pipelines.learning.columns.leaks import Finding
    from pipelines.learning.columns.types import TypePlan
    from pipelines.learning.fitting.fit import FitResult
    from pipelines.learning.specs import PredictionSpec

ROW = "row"
"""The key of rows in a table without one: their number in the file, from 1."""
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
class Outcome:
    """What was written. `evaluation` is the content of evaluation.json; `scored` the number of scored rows."""

    evaluation: dict
    scored: int
    files: list[Path]


@dataclass(frozen=True)
class _Question:
    """The training table, typed, with the target as the learner wants it."""

    frame: "pl.DataFrame"
    plan: "TypePlan"
    spec: "PredictionSpec"
    positive: str | None
    notes: list[str]
    late: "list[Finding]"
    """Columns that are written with the answer or after it; the spec leaves them out, unless leaky ones are kept."""


def predict_table(
    request: Request,
    say: Callable[[str], None] = lambda message: None,
) -> Outcome:
    """Learn, judge, score, and write model.zip, evaluation.json, model_card.html and the scores to `request.out`.

    There are no scores of a model without signal, unless `request.force`. Raises CannotPredict for bad input.
    """
    from pipelines.any_table.remote import without_query
    from pipelines.any_table.scores import FORMS, drop_scores, write_scores
    from pipelines.any_table.tables import TableError, read_table
    from pipelines.any_table.unfamiliar import in_a_line
    from pipelines.learning.imports import import_lightgbm_alone

    started = time.perf_counter()
    if request.out.exists() and not request.out.is_dir():
        raise CannotPredict(f"{request.out} (--out) is a file; name a folder.")
    if request.form not in FORMS:
        raise CannotPredict(f"--format is {request.form!r}; it can be {', '.join(FORMS)}.")
    import_lightgbm_alone()
    from pipelines.learning.cards.of_fit import card_of_fit
    from pipelines.learning.columns.types import apply_types
    from pipelines.learning.context import Context
    from pipelines.learning.fitting.fit import TooLittleData, fit_prediction
    from pipelines.learning.scoring.storage import save_model
    from pipelines.spreadsheets import SheetFull

    say(f"reading {without_query(request.train)}")
    notes: list[str] = []
    try:
        table = read_table(request.train, notes)
        to_score = read_table(request.score, notes) if request.score else None
    except TableError as problem:
        raise CannotPredict(str(problem)) from problem
    # From here on they are only named, in what others read.
    request = replace(request, train=without_query(request.train), score=request.score and without_query(request.score))
    question = _question(table, request, notes)
    try:
        result = fit_prediction(question.frame, question.spec, context=Context(seed=request.seed, say=say))
    except (TooLittleData, ValueError) as problem:
        raise CannotPredict(f"{request.train}: {problem}") from problem
    result = _with_late_columns(result, question)

    request.out.mkdir(parents=True, exist_ok=True)
    files = [request.out / name for name in ("model.zip", "evaluation.json", "model_card.html")]
    save_model(result.model, files[0])
    typed = None if to_score is None else apply_types(question.plan, to_score)
    unfamiliar = _unfamiliar(result, question, table, to_score, typed)
    if line := in_a_line(unfamiliar, request.score or "What is scored"):
        notes.insert(0, line)
    scored = 0
    drop_scores(request.out)
    if result.verdict != "no_signal" or request.force:
        say("scoring")
        scores, score_notes = _scores(result, question, table, to_score, typed, request)
        try:
            path, written_notes = write_scores(scores, request.out, request.form)
        except SheetFull as problem:
            raise CannotPredict(f"{problem} Choose --format csv or parquet.") from None
        notes += [*score_notes, *written_notes]
        scored = scores.height
        files.append(path)
    seconds = round(time.perf_counter() - started, 3)
    evaluation = {**_evaluation(result, question, notes, seconds), "unfamiliar": unfamiliar, "seed": request.seed}
    words = {} if question.positive is None else {"question": f"{request.target} is {question.positive}"}
    words |= {"unfamiliar": [each for each in unfamiliar if each["words"]]}
    words |= {"question": request.target} if question.spec.task in ("ordered", "amount") else {}
    extra = {**words, "seconds": seconds, "notes": evaluation["notes"], "created_at": f"{datetime.now(UTC):%Y-%m-%d}"}
    files[1].write_text(json.dumps(evaluation, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    files[2].write_text(card_of_fit(result, extra))
    return Outcome(evaluation, scored, files)


def _question(table: "pl.DataFrame", request: Request, notes: list[str]) -> _Question:
    from pipelines.any_table.amounts import amounts_of
    from pipelines.any_table.answers import AnswerMistake, answers_in, levels_of
    from pipelines.learning.columns.leaks import filled_with_the_answer
    from pipelines.learning.columns.stamps import creation_column, written_at_changes
    from pipelines.learning.columns.types import infer_types
    from pipelines.learning.specs import TASKS, PredictionSpec

    _check_columns(table, request)
    keep = [request.target, *([request.key] if request.key else [])]
    wishes = {**request.types, **({request.as_of: "date"} if request.as_of else {})}
    try:
        frame, plan = infer_types(table, wishes, request.text, keep)
    except ValueError as problem:
        raise CannotPredict(f"{request.train}: {problem}") from problem
    notes += plan.notes
    try:
        task = _task_asked(request)
        amounts = amounts_of(table[request.target], task, MOST_NUMBERS, notes)
    except ValueError as problem:
        raise CannotPredict(f"{request.train}: {problem}") from problem
    positive, levels = None, ()
    if amounts is not None:
        target, task = amounts, "amount"
    else:
        found = answers_in(frame[request.target])
        _check_answers(found, request)
        notes += found.notes
        if task == "ordered":
            try:
                target, levels = levels_of(found, request.levels, notes)
            except AnswerMistake as problem:
                raise CannotPredict(f"{request.train}: {problem}") from None
        else:
            target, positive = _answers(found, request, notes)
            task = "yes_no" if positive is not None else "classes"
    if request.value and (why := TASKS[task].no_value):
        raise CannotPredict(f"--value is the money at stake of a yes; {request.target} {why}. Leave it out.")
    if unknown := target.null_count():
        what = "not learnt from" if request.score else "scored, not learnt from"
        notes.append(f"{unknown:,} rows of {request.train} have no known {request.target}; they are {what}.")
    if request.as_of and (empty := frame[request.as_of].null_count()):
        raise CannotPredict(
            f"{request.train}: {request.as_of!r} (--as-of) is empty or no date in {empty:,} rows; every row needs the "
            "date as of which it was known. Mend them, or leave --as-of out."
        )
    frame = frame.with_columns(target.alias(request.target))
    frame = _with_key(frame, request, notes)
    if request.value and plan.kinds.get(request.value) != "number":
        raise CannotPredict(
            f"{request.train}: {request.value!r} (--value) must be an amount, but it is read as "
            f"{plan.kinds.get(request.value, 'no number')}."
        )
    own = {request.target, request.key, request.as_of, CONTENT, *request.exclude}
    others = [name for name in frame.columns if name not in own]
    late = filled_with_the_answer(frame.select(others), frame[request.target].is_null())
    dates = [name for name in (*others, request.as_of) if plan.kinds.get(name) == "date"]
    found = written_at_changes(frame, dates, frame[request.target])
    late += [each for each in found if each.column not in (request.as_of, *(each.column for each in late))]
    if request.as_of is None and (created := creation_column(frame, dates)) is not None:
        notes.append(
            f"{created} is in every row and the earliest of its dates: with --as-of {shlex.quote(created)} the model"
            " learns from older rows, is judged on newer ones, and sees dates by their distance from it."
        )
    spec = PredictionSpec(
        name=_plain(request.target),
        entity_key=request.key or CONTENT,
        target=request.target,
        as_of=request.as_of,
        exclude=(*request.exclude, *(() if request.keep_leaky else (each.column for each in late))),
        text=tuple(dict.fromkeys([*plan.text, *request.text])),
        value=request.value,
        segments=tuple(request.segments or _segments(frame, plan, request)),
        task=task,
        levels=levels,
        loss=request.loss,
        keep_leaky=request.keep_leaky,
        min_rows=FEWEST_ROWS,
        min_positives=FEWEST_OF_EACH,
        step_days=1,
        max_calibration_error=1.0,
    )
    return _Question(frame, plan, spec, positive, notes, late)


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


def _with_late_columns(result: "FitResult", question: _Question) -> "FitResult":
    """What `filled_with_the_answer` and `written_at_changes` found, beside the leaks that the fit found by itself."""
    late = {each.column: each for each in question.late}
    if not late:
        return result
    dropped = [
        replace(each, kind="leaky", reason=late[each.column].reason) if each.column in late else each
        for each in result.dropped
    ]
    others = [each for each in result.findings if each.column not in late]
    return replace(result, dropped=dropped, findings=[*others, *question.late])


def _check_columns(table: "pl.DataFrame", request: Request) -> None:
    from pipelines.spelling import did_you_mean

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
    for option, names in options.items():
        for name in names:
            if name is not None and name not in table.columns:
                raise CannotPredict(
                    f"{request.train} has no column {name!r} ({option}).{did_you_mean(name, table.columns)}"
                    f" It has: {', '.join(table.columns[:30])}{', ...' if table.width > 30 else ''}."
                )
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


def _scores(
    result: "FitResult",
    question: _Question,
    table: "pl.DataFrame",
    to_score: "pl.DataFrame | None",
    typed: "tuple[pl.DataFrame, list[str]] | None",
    request: Request,
) -> "tuple[pl.DataFrame, list[str]]":
    """Rows of --score (`typed`: as `apply_types`), or those of TRAIN whose answer is not known, or all of TRAIN."""
    import polars as pl

    from pipelines.any_table.scores import scored_apart, with_numbers
    from pipelines.learning.scoring.unseen import unseen_rows

    notes = []
    key = question.spec.entity_key
    numbers = pl.Series(ROW, range(1, (to_score if to_score is not None else table).height + 1), dtype=pl.Int64)
    if typed is not None:
        frame, notes = typed
        notes = [f"{request.score}: {note}" for note in notes if f"`{request.target}`" not in note]
        if request.key and request.key not in frame.columns:
            notes.append(f"{request.score}: the key {request.key!r} is missing; rows are told apart by their number.")
    else:
        unknown = question.frame[request.target].is_null()
        rows = unknown if unknown.any() else pl.Series([True] * table.height)
        if not unknown.any():
            notes.append(f"The scores are of {request.train} itself, which the model learnt from.")
        frame, numbers = question.frame.filter(rows), numbers.filter(rows)
    by_number = request.key is None or request.key not in frame.columns
    frame = frame.with_columns(numbers.alias(key)) if by_number else frame
    given = {key: ROW if by_number else key, **({request.as_of: request.as_of} if request.as_of else {})}
    unseen = unseen_rows(result.model.baseline, frame, result.model.spec.as_of)
    if unseen is not None:
        notes.append(unseen.in_words())
    kept = None
    if request.keep_columns:
        kept = with_numbers(to_score if to_score is not None else table.filter(rows), question.plan.kinds)
    scores, name_notes = scored_apart(result.model, frame, given, kept)
    return scores, [*notes, *name_notes]


def _unfamiliar(
    result: "FitResult",
    question: _Question,
    table: "pl.DataFrame",
    to_score: "pl.DataFrame | None",
    typed: "tuple[pl.DataFrame, list[str]] | None",
) -> list[dict]:
    """What is scored beside what was learnt from, by column; nothing where all rows were learnt from."""
    from pipelines.any_table.unfamiliar import compared

    is_unknown, columns = question.frame[question.spec.target].is_null(), result.model.encoding.names
    used = question.frame.select(columns)
    learnt = used.filter(~is_unknown) if is_unknown.any() else used
    if to_score is not None and typed is not None:
        return compared(learnt, to_score, typed[0], question.plan, columns)
    if not is_unknown.any():
        return []
    return compared(learnt, table.filter(is_unknown), used.filter(is_unknown), question.plan, columns)


def _evaluation(result: "FitResult", question: _Question, notes: Sequence[str], seconds: float) -> dict:
    """What evaluation.json says."""
    from pipelines.learning.judging.amounts import FIGURES
    from pipelines.learning.judging.ordered import FIGURES as LEVEL_FIGURES
    from pipelines.learning.specs import TASKS

    figures, spec = result.metrics, question.spec
    names = ("auc", "auc_error", "average_precision", "brier", "log_loss", "log_loss_error", "calibration_error")
    names += ("lift_top_decile", "base_rate", "baseline_log_loss", "accuracy", "macro_f1", "classes", "confusion")
    names += (*FIGURES, *LEVEL_FIGURES)
    loss = TASKS[spec.task].loss
    left_out: dict[str, list[dict]] = {
        kind: [asdict(each) for each in result.dropped if each.kind == kind]
        for kind in ("constant", "id_like", "excluded", "target", "unusable")
    }
    suspects = {row["column"]: row for row in figures["suspects"]}
    found = [
        {"column": each.column, "reason": each.reason, "grade": each.grade, **each.figures}
        for each in [*result.findings, *_order_leaks(question)]
    ]
    return {
        "task": spec.task,
        "target": spec.target,
        "positive": question.positive,
        **({"levels": list(spec.levels)} if spec.levels else {}),
        "verdict": result.verdict,
        "n_rows": figures["n_rows"],
        "n_train": figures["n_fit"],
        "n_holdout": figures["n_test"],
        "split": "time" if figures["split"] == "time" else "stratified",
        **{name: _as_json(figures[name]) for name in names if name in figures},
        "gain_over_base_rate": figures["gain_over_base_rate"],
        "gain_error": figures["gain_error"],
        "method": result.model.method,
        "candidates": [
            {"name": row["name"], loss: row[f"{loss}_validation"], "chosen": row["chosen"]} for row in result.candidates
        ],
        "leaky": [each for each in found if each["grade"] == "leaky"],
        "suspect": [{**each, **suspects.get(each["column"], {})} for each in found if each["grade"] == "suspect"],
        **left_out,
        "drivers": [{key: row[key] for key in ("column", "strength", "share")} for row in figures["drivers"]],
        "segments": _as_json(figures["segments"]),
        "notes": [*notes, *(note.replace("**", "") for note in result.notes)],
        "seconds": seconds,
        "fit_seconds": result.fit_seconds,
    }


def _order_leaks(question: _Question) -> list["Finding"]:
    """Whether the key, or the order of the rows in the file, gives the answer away. Neither is learnt from anyway."""
    import numpy as np
    import polars as pl

    from pipelines.learning.columns.leaks import key_leak

    key = question.spec.entity_key
    known = question.frame.filter(pl.col(question.spec.target).is_not_null())
    answers = known[question.spec.target]
    if question.spec.task == "amount":
        answers = answers > answers.median()
    answers = answers.cast(pl.Enum(question.spec.levels) if question.spec.levels else pl.String)
    answers = answers.to_physical() if question.spec.levels else answers
    answers = answers.rank("dense").to_numpy().astype(np.float64)
    orders = [pl.Series("(order of the rows)", range(known.height))]
    if key != CONTENT and (known[key].dtype == pl.String or known[key].dtype.is_numeric()):
        orders.append(known[key])
    found = [key_leak(order, answers, np.arange(known.height)) for order in orders]
    return [each for each in found if each is not None]


def _as_json(value: object) -> object:
    """The same with null in place of nan, which JSON does not have."""
    from pipelines.learning.judging.evaluation import finite

    if isinstance(value, dict):
        return {key: _as_json(each) for key, each in value.items()}
    return [_as_json(each) for each in value] if isinstance(value, list | tuple) else finite(value)
