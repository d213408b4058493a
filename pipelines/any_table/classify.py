"""`scorecast classify`: texts with labels in, a judged classifier and labelled texts out; without Dagster."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.any_table.evaluation import as_json
from pipelines.any_table.predict import ROW, check_output, read_tables
from pipelines.any_table.question import CannotPredict, check_named
from pipelines.any_table.text_rows import (
    NOT_LEARNT,
    Lesson,
    TextRows,
    cleaned_texts,
    columns_beside,
    in_several_ways,
    lesson_of,
    most_confused,
    text_rows,
)

if TYPE_CHECKING:
    import polars as pl

    from pipelines.learning.columns.types import TypePlan
    from pipelines.learning.texts.beside import Beside
    from pipelines.learning.texts.classifier import TextFit

ROW_NUMBER = "__row"
MOST_PAIRS, EXAMPLES, EXAMPLE_CHARACTERS = 10, 2, 200
"""Of the classes that are most often taken for each other, in evaluation.json."""


@dataclass(frozen=True)
class TextRequest:
    """What is asked, as on the command line."""

    train: str
    text: tuple[str, ...]
    """Columns, read one behind the other."""
    label: str
    key: str | None = None
    score: str | None = None
    out: Path = Path("classification")
    form: str = "parquet"
    """Of the scores: parquet, csv or xlsx."""
    keep_columns: bool = False
    seed: int = 0
    force: bool = False
    multi: str | None = None
    """Stands between the labels of a text that has several."""
    columns: tuple[str, ...] = ()
    """Learnt from beside the texts."""
    embeddings: str | None = None
    """Folder or name of a sentence-transformers model, whose vectors stand beside the texts."""
    suggest: int | None = None
    """So many texts to label are wanted."""

    @property
    def texts_called(self) -> str:
        """The columns of texts in words."""
        return " and ".join(self.text)


@dataclass(frozen=True)
class Classified:
    """What was written. `evaluation` is the content of evaluation.json; `scored` the number of texts with a label."""

    evaluation: dict
    scored: int
    files: list[Path]


@dataclass(frozen=True)
class _Asked:
    """The texts to label: rows of a table with their number in the file, from 1, and what stands beside them."""

    table: "pl.DataFrame"
    numbers: "pl.Series"
    texts: list[str]
    beside: "Beside | None"
    where: str


def classify_texts(request: TextRequest, say: Callable[[str], None] = lambda message: None) -> Classified:
    """
    Learn, judge, label, and write model.zip, evaluation.json, model_card.html and the scores to `request.out`.

    With `request.suggest` suggestions.csv, too, also where there is too little to learn from. There are no scores of a
    model without signal, unless `request.force`. Raises CannotPredict for bad input.
    """
    from pipelines.any_table.remote import without_query
    from pipelines.any_table.scores import drop_scores
    from pipelines.learning.texts.classifier import FEWEST_OF_CLASS
    from pipelines.learning.texts.fitting import TooFewTexts
    from pipelines.learning.texts.storage import save_text_model

    started = time.perf_counter()
    check_output(request.out, request.form)
    notes: list[str] = []
    say(f"reading {without_query(request.train)}")
    table, to_score = read_tables(request.train, request.score, notes)
    # From here on they are only named, in what others read.
    request = replace(request, train=without_query(request.train), score=request.score and without_query(request.score))
    _check_columns(table, to_score, request)
    say("cleaning texts")
    known = text_rows(table, request.train, request.text, request.label, request.multi, request.suggest is not None)
    notes += known.notes
    if request.suggest is not None and to_score is None and not any(known.is_open):
        raise CannotPredict(
            f"{request.train}: every row has a label; there is nothing to suggest (--score names others)."
        )
    beside, plan = columns_beside(table, request.columns, notes)
    beside = _with_vectors(beside, known.cleaned, request, say)
    lesson = lesson_of(known, FEWEST_OF_CLASS, notes)
    try:
        fit = _fitted(lesson, beside and beside.take(lesson.rows), request, say)
    except TooFewTexts as found:
        problem = " ".join([str(found), *(note for note in notes if note.startswith(NOT_LEARNT))])
        if request.suggest is None:
            raise CannotPredict(f"{request.train}: {problem}") from found
        return _only_suggested(problem, _asked(known, to_score, beside, plan, request, notes, say), request, notes)
    notes += _about_texts(known, lesson, fit, request)

    request.out.mkdir(parents=True, exist_ok=True)
    files = [request.out / name for name in ("model.zip", "evaluation.json", "model_card.html")]
    save_text_model(fit.model, files[0])
    drop_scores(request.out)
    asked = _asked(known, to_score, beside, plan, request, notes, say)
    scored = 0
    if fit.verdict != "no_signal" or request.force:
        say("scoring")
        path, scored = _write_scores(fit, asked, request, notes)
        files.append(path)
    if request.suggest is not None:
        say("choosing texts to label")
        files.insert(0, _suggest(fit, asked, request, notes))
    evaluation = {
        "text": request.texts_called,
        "label": request.label,
        **({"columns_beside": list(request.columns)} if request.columns else {}),
        "verdict": fit.verdict,
        "reason": fit.reason,
        "method": f"linear on {_learnt_from(request)} (C = {fit.model.strength:g})",
        **fit.figures,
        "candidates": fit.candidates,
        "most_confused": most_confused(_mistakes(fit, lesson), MOST_PAIRS, EXAMPLES, EXAMPLE_CHARACTERS),
        "copies": fit.copies,
        "notes": notes,
        "seed": request.seed,
        "seconds": round(time.perf_counter() - started, 3),
    }
    (request.out / "evaluation.json").write_text(
        json.dumps(as_json(evaluation), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )
    (request.out / "model_card.html").write_text(_card(evaluation, request))
    return Classified(evaluation, scored, files)


def _suggest(fit: "TextFit | None", asked: _Asked, request: TextRequest, notes: list[str]) -> Path:
    """The sheet of texts to label."""
    from pipelines.any_table.suggestions import write_suggestions

    return write_suggestions(
        request.out,
        request.suggest,
        None if fit is None else fit.model,
        asked.table,
        _key(asked, request),
        asked.texts,
        asked.beside,
        request.text,
        request.label,
        request.multi,
        notes,
    )


def _only_suggested(problem: str, asked: _Asked, request: TextRequest, notes: list[str]) -> Classified:
    """Texts to label where there is too little to learn from."""
    notes.insert(0, f"No model yet: {problem} The texts to label are those that differ most.")
    request.out.mkdir(parents=True, exist_ok=True)
    path = _suggest(None, asked, request, notes)
    return Classified({"verdict": "too_few", "reason": problem, "notes": notes}, 0, [path])


def _key(asked: _Asked, request: TextRequest) -> "pl.Series":
    """What names the rows: the key where there is one, or their number."""
    if request.key is not None and request.key in asked.table.columns:
        return asked.table[request.key]
    return asked.numbers


def _check_columns(table: "pl.DataFrame", to_score: "pl.DataFrame | None", request: TextRequest) -> None:
    asked = {"--text": request.text, "--label": [request.label], "--key": [request.key], "--column": request.columns}
    check_named(table, request.train, asked)
    if to_score is not None:
        check_named(to_score, request.score, {"--text": request.text})
    if request.label in (*request.text, request.key):
        raise CannotPredict(f"The label {request.label!r} cannot be the text or the key, too.")
    for column in request.columns:
        if column in (*request.text, request.label, request.key):
            raise CannotPredict(f"--column {column!r} is the text, the label or the key already; name another column.")
    if request.suggest is not None and request.suggest < 1:
        raise CannotPredict(f"--suggest is {request.suggest}; name how many texts you would label, e.g. 50.")
    if request.multi is not None and not request.multi:
        raise CannotPredict("--multi is empty; give what stands between the labels of a text, e.g. --multi ';'.")


def _with_vectors(
    beside: "Beside | None", texts: list[str], request: TextRequest, say: Callable[[str], None]
) -> "Beside | None":
    """What stands beside the texts, with their vectors where a model for them is named."""
    if request.embeddings is None:
        return beside
    from pipelines.any_table.embeddings import CACHE, vectors_of
    from pipelines.learning.texts.beside import Beside

    vectors = vectors_of(texts, request.embeddings, request.out / CACHE, say)
    return Beside({} if beside is None else beside.columns, vectors, request.embeddings)


def _fitted(lesson: Lesson, beside: "Beside | None", request: TextRequest, say: Callable[[str], None]) -> "TextFit":
    """Raises TooFewTexts."""
    from pipelines.learning.context import Context
    from pipelines.learning.texts.classifier import fit_texts
    from pipelines.learning.texts.tags import fit_tags

    context = Context(seed=request.seed, say=say)
    if request.multi is not None:
        return fit_tags(lesson.texts, lesson.labels, context, beside)
    return fit_texts(lesson.texts, [label for (label,) in lesson.labels], context, beside)


def _about_texts(known: TextRows, lesson: Lesson, fit: "TextFit", request: TextRequest) -> list[str]:
    """What is to be known of the texts: those without words, copies, and one text with several answers."""
    notes = []
    if empty := sum(not text for text in known.cleaned):
        notes.append(f"{request.train}: {empty:,} rows have no text; they are neither learnt from nor labelled.")
    if fit.copies:
        notes.append(f"{fit.copies:,} texts nearly say what another says; copies are never on both sides of a split.")
    if several := in_several_ways(lesson.texts, lesson.labels):
        different = "several labels" if request.multi is None else "other labels in another row"
        notes.append(f"{several:,} texts have {different}; nobody can tell which of them a new one would get.")
    if fit.figures["rounds"] > 1:
        notes.append(
            f"With {len(lesson.texts):,} texts nearly every one is judged, each by a model that had not seen it; the "
            "model in use has learnt from all of them."
        )
    return notes


def _asked(
    known: TextRows,
    to_score: "pl.DataFrame | None",
    beside: "Beside | None",
    plan: "TypePlan | None",
    request: TextRequest,
    notes: list[str],
    say: Callable[[str], None],
) -> _Asked:
    """The rows of --score, or those of TRAIN without a label, or all of TRAIN."""
    import polars as pl

    if to_score is not None:
        numbers = pl.Series(ROW, range(1, to_score.height + 1), dtype=pl.Int64)
        texts = cleaned_texts(to_score, request.text)
        aside, _ = columns_beside(to_score, request.columns, notes, plan)
        return _Asked(to_score, numbers, texts, _with_vectors(aside, texts, request, say), request.score)
    is_open = pl.Series(known.is_open, dtype=pl.Boolean)
    rows = is_open if is_open.any() else ~is_open
    if not is_open.any():
        notes.append(f"The scores are of {request.train} itself, which the model learnt from.")
    places = rows.arg_true()
    return _Asked(
        known.table[places],
        (places.cast(pl.Int64) + 1).alias(ROW),
        [known.cleaned[place] for place in places],
        beside and beside.take(places.to_numpy()),
        request.train,
    )


def _write_scores(fit: "TextFit", asked: _Asked, request: TextRequest, notes: list[str]) -> tuple[Path, int]:
    """The file of scores, and how many texts have a label in it."""
    import polars as pl

    from pipelines.any_table.scores import other_names, write_scores
    from pipelines.learning.texts.labelling import labelled
    from pipelines.spreadsheets import SheetFull

    key = _key(asked, request)
    if request.key not in (None, key.name):
        notes.append(f"{asked.where}: the key {request.key!r} is missing; rows are told apart by their number.")
    scores = labelled(fit.model, asked.texts, asked.beside, request.multi or "")
    last = asked.table.drop(key.name, strict=False) if request.keep_columns else asked.table.select()
    renamed = other_names(scores.columns, [key.name, *last.columns])
    notes += [f"Your column {name!r} keeps its name; ours is called {new!r}." for name, new in renamed.items()]
    try:
        path, written = write_scores(pl.DataFrame([key, *scores.rename(renamed), *last]), request.out, request.form)
    except SheetFull as problem:
        raise CannotPredict(f"{problem} Choose --format csv or parquet.") from None
    notes += written
    if fit.model.languages:
        unseen = pl.col("language").is_not_null() & ~pl.col("language").is_in(list(fit.model.languages))
        foreign = scores.filter(unseen & pl.col("predicted").is_null())["language"].value_counts(sort=True)
        if foreign.height:
            notes.append(_about_languages(asked.where, dict(foreign.iter_rows())))
    return path, scores.height - scores["predicted"].null_count()


def _mistakes(fit: "TextFit", lesson: Lesson) -> Mapping[tuple[str, str], list[str]]:
    """Texts of the test by a label that was missed and the answer that was given instead."""
    pairs: dict[tuple[str, str], list[str]] = {}
    for place, answer in zip(fit.test.tolist(), fit.said.argmax(axis=1).tolist(), strict=True):
        truth, said = lesson.labels[place], fit.model.classes[answer]
        if said not in truth:
            for label in truth:
                pairs.setdefault((label, said), []).append(lesson.texts[place])
    return pairs


def _learnt_from(request: TextRequest) -> str:
    parts = ["words and runs of characters", *(["columns"] if request.columns else [])]
    if request.embeddings is not None:
        parts.append(f"the vectors of {Path(request.embeddings).name}")
    return " beside ".join(parts)


def _about_languages(where: str, counts: Mapping[str, int]) -> str:
    from pipelines.learning.texts.languages import NAMES

    named = ", ".join(f"{NAMES[code]} ({count:,})" for code, count in counts.items())
    return f"{where}: texts in a language that the model never saw have no label: {named}."


def _card(evaluation: Mapping, request: TextRequest) -> str:
    """The model card's page."""
    from pipelines.learning.cards.texts import text_card

    beside = f", with {', '.join(request.columns)} beside" if request.columns else ""
    question = f"{request.label} by {request.texts_called}{beside}"
    # Nobody is told to use it, or not to.
    about = {"name": request.label, "question": question, "kept": None}
    return text_card(evaluation, about, has_several=request.multi is not None)
