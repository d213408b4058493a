"""`scorecast predict`: a table and a column to predict in, a judged model and scored rows out; without Dagster."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.any_table.evaluation import evaluation_of
from pipelines.any_table.question import CannotPredict, Question, Request, question_of

if TYPE_CHECKING:
    import polars as pl

    from pipelines.learning.fitting.fit import FitResult

ROW = "row"
"""The key of rows in a table without one: their number in the file, from 1."""


@dataclass(frozen=True)
class Outcome:
    """What was written. `evaluation` is the content of evaluation.json; `scored` the number of scored rows."""

    evaluation: dict
    scored: int
    files: list[Path]


@dataclass(frozen=True)
class _Asked:
    """The rows to score: those of `to_score` (typed: as `apply_types` gives them) or, without it, of the table."""

    table: "pl.DataFrame"
    to_score: "pl.DataFrame | None"
    typed: "tuple[pl.DataFrame, list[str]] | None"


def predict_table(
    request: Request,
    say: Callable[[str], None] = lambda message: None,
) -> Outcome:
    """Learn, judge, score, and write model.zip, evaluation.json, model_card.html and the scores to `request.out`.

    There are no scores of a model without signal, unless `request.force`. Raises CannotPredict for bad input.
    """
    from pipelines.any_table.remote import without_query
    from pipelines.any_table.scores import drop_scores
    from pipelines.any_table.unfamiliar import in_a_line
    from pipelines.learning.imports import import_lightgbm_alone

    started = time.perf_counter()
    check_output(request.out, request.form)
    import_lightgbm_alone()
    from pipelines.learning.columns.types import apply_types
    from pipelines.learning.scoring.storage import save_model

    say(f"reading {without_query(request.train)}")
    notes: list[str] = []
    table, to_score = read_tables(request.train, request.score, notes)
    # From here on they are only named, in what others read.
    request = replace(request, train=without_query(request.train), score=request.score and without_query(request.score))
    question = question_of(table, request, notes)
    result = _with_late_columns(_fitted(question, request, say), question)

    request.out.mkdir(parents=True, exist_ok=True)
    files = [request.out / name for name in ("model.zip", "evaluation.json", "model_card.html")]
    save_model(result.model, files[0])
    asked = _Asked(table, to_score, None if to_score is None else apply_types(question.plan, to_score))
    unfamiliar = _unfamiliar(result, question, asked)
    if line := in_a_line(unfamiliar, request.score or "What is scored"):
        notes.insert(0, line)
    scored = 0
    drop_scores(request.out)
    if result.verdict != "no_signal" or request.force:
        say("scoring")
        path, scored = _write_scores(result, question, asked, request, notes)
        files.append(path)
    seconds = round(time.perf_counter() - started, 3)
    evaluation = {**evaluation_of(result, question, notes, seconds), "unfamiliar": unfamiliar, "seed": request.seed}
    files[1].write_text(json.dumps(evaluation, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    files[2].write_text(_card(result, question, evaluation, request))
    return Outcome(evaluation, scored, files)


def check_output(out: Path, form: str) -> None:
    """Raises CannotPredict where the folder is a file, or scores cannot have this form."""
    from pipelines.any_table.scores import FORMS

    if out.exists() and not out.is_dir():
        raise CannotPredict(f"{out} (--out) is a file; name a folder.")
    if form not in FORMS:
        raise CannotPredict(f"--format is {form!r}; it can be {', '.join(FORMS)}.")


def read_tables(train: str, score: str | None, notes: list[str]) -> "tuple[pl.DataFrame, pl.DataFrame | None]":
    """The table to learn from and, if one is given, the one to score. Raises CannotPredict."""
    from pipelines.any_table.tables import TableError, read_table

    try:
        return read_table(train, notes), read_table(score, notes) if score else None
    except TableError as problem:
        raise CannotPredict(str(problem)) from problem


def _fitted(question: Question, request: Request, say: Callable[[str], None]) -> "FitResult":
    from pipelines.learning.context import Context
    from pipelines.learning.fitting.fit import TooLittleData, fit_prediction

    try:
        return fit_prediction(question.frame, question.spec, context=Context(seed=request.seed, say=say))
    except (TooLittleData, ValueError) as problem:
        raise CannotPredict(f"{request.train}: {problem}") from problem


def _write_scores(
    result: "FitResult", question: Question, asked: _Asked, request: Request, notes: list[str]
) -> tuple[Path, int]:
    """The file of scores and the number of its rows."""
    from pipelines.any_table.scores import write_scores
    from pipelines.spreadsheets import SheetFull

    scores, score_notes = _scores(result, question, asked, request)
    try:
        path, written_notes = write_scores(scores, request.out, request.form)
    except SheetFull as problem:
        raise CannotPredict(f"{problem} Choose --format csv or parquet.") from None
    notes += [*score_notes, *written_notes]
    return path, scores.height


def _card(result: "FitResult", question: Question, evaluation: dict, request: Request) -> str:
    """The model card's page."""
    from pipelines.learning.cards.of_fit import card_of_fit

    extra = {
        "kept": None,  # nobody is told to use it, or not to
        "unfamiliar": [each for each in evaluation["unfamiliar"] if each["words"]],
        "seconds": evaluation["seconds"],
        "notes": evaluation["notes"],
        "created_at": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    if question.positive is not None:
        extra["question"] = f"{request.target} is {question.positive}"
    elif question.spec.task in ("ordered", "amount"):
        extra["question"] = request.target
    return card_of_fit(result, extra)


def _with_late_columns(result: "FitResult", question: Question) -> "FitResult":
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


def _scores(
    result: "FitResult", question: Question, asked: _Asked, request: Request
) -> "tuple[pl.DataFrame, list[str]]":
    """Rows of --score, or those of TRAIN whose answer is not known, or all of TRAIN."""
    import polars as pl

    from pipelines.any_table.scores import scored_apart, with_numbers
    from pipelines.learning.scoring.unseen import unseen_rows

    table, to_score, notes = asked.table, asked.to_score, []
    key = question.spec.entity_key
    numbers = pl.Series(ROW, range(1, (to_score if to_score is not None else table).height + 1), dtype=pl.Int64)
    if asked.typed is not None:
        frame, notes = asked.typed
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


def _unfamiliar(result: "FitResult", question: Question, asked: _Asked) -> list[dict]:
    """What is scored beside what was learnt from, by column; nothing where all rows were learnt from."""
    from pipelines.any_table.unfamiliar import compared

    is_unknown, columns = question.frame[question.spec.target].is_null(), result.model.encoding.names
    used = question.frame.select(columns)
    learnt = used.filter(~is_unknown) if is_unknown.any() else used
    if asked.to_score is not None and asked.typed is not None:
        return compared(learnt, asked.to_score, asked.typed[0], question.plan, columns)
    if not is_unknown.any():
        return []
    return compared(learnt, asked.table.filter(is_unknown), used.filter(is_unknown), question.plan, columns)
