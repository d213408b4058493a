"""`scorecast classify`: texts with labels in, a judged classifier and labelled texts out; without Dagster."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.any_table.evaluation import as_json
from pipelines.any_table.predict import ROW, check_output, read_tables
from pipelines.any_table.question import CannotPredict, check_named

if TYPE_CHECKING:
    import polars as pl

    from pipelines.learning.texts.classifier import TextFit, TextModel

ROW_NUMBER = "__row"
MOST_PAIRS, EXAMPLES, EXAMPLE_CHARACTERS = 10, 2, 200
"""Of the classes that are most often taken for each other, in evaluation.json."""
MOST_NAMED = 30
NUMBERS = 0.9
"""Share of texts that are numbers from which on a column holds no texts."""


@dataclass(frozen=True)
class TextRequest:
    """What is asked, as on the command line."""

    train: str
    text: str
    label: str
    key: str | None = None
    score: str | None = None
    out: Path = Path("classification")
    form: str = "parquet"
    """Of the scores: parquet, csv or xlsx."""
    keep_columns: bool = False
    seed: int = 0
    force: bool = False


@dataclass(frozen=True)
class Classified:
    """What was written. `evaluation` is the content of evaluation.json; `scored` the number of texts with a label."""

    evaluation: dict
    scored: int
    files: list[Path]


@dataclass(frozen=True)
class _Texts:
    """A table's cleaned texts, "" where there is none, and its labels, None where none is known."""

    table: "pl.DataFrame"
    cleaned: list[str]
    labels: list[str | None]
    notes: list[str] = field(default_factory=list)


def classify_texts(request: TextRequest, say: Callable[[str], None] = lambda message: None) -> Classified:
    """
    Learn, judge, label, and write model.zip, evaluation.json, model_card.html and the scores to `request.out`.

    There are no scores of a model without signal, unless `request.force`. Raises CannotPredict for bad input.
    """
    from pipelines.any_table.remote import without_query
    from pipelines.any_table.scores import drop_scores
    from pipelines.learning.context import Context
    from pipelines.learning.texts.classifier import TooFewTexts, fit_texts
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
    known = _known(table, request)
    notes += known.notes
    texts, labels = _to_learn_from(known, notes)
    try:
        fit = fit_texts(texts, labels, Context(seed=request.seed, say=say))
    except TooFewTexts as problem:
        raise CannotPredict(f"{request.train}: {problem}") from problem
    notes += _about_texts(known, texts, labels, fit, request)

    request.out.mkdir(parents=True, exist_ok=True)
    files = [request.out / name for name in ("model.zip", "evaluation.json", "model_card.html")]
    save_text_model(fit.model, files[0])
    drop_scores(request.out)
    scored = 0
    if fit.verdict != "no_signal" or request.force:
        say("scoring")
        path, scored = _write_scores(fit.model, known, to_score, request, notes)
        files.append(path)
    evaluation = {
        "text": request.text,
        "label": request.label,
        "verdict": fit.verdict,
        "reason": fit.reason,
        "method": f"linear on words and runs of characters (C = {fit.model.strength:g})",
        **fit.figures,
        "candidates": fit.candidates,
        "most_confused": _most_confused(fit, texts, labels),
        "copies": fit.copies,
        "notes": notes,
        "seed": request.seed,
        "seconds": round(time.perf_counter() - started, 3),
    }
    files[1].write_text(json.dumps(as_json(evaluation), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    files[2].write_text(_card(evaluation, request))
    return Classified(evaluation, scored, files)


def _check_columns(table: "pl.DataFrame", to_score: "pl.DataFrame | None", request: TextRequest) -> None:
    asked = {"--text": [request.text], "--label": [request.label], "--key": [request.key]}
    check_named(table, request.train, asked)
    if to_score is not None:
        check_named(to_score, request.score, {"--text": [request.text]})
    if request.label in (request.text, request.key):
        raise CannotPredict(f"The label {request.label!r} cannot be the text or the key, too.")


def _known(table: "pl.DataFrame", request: TextRequest) -> _Texts:
    """The table to learn from; raises CannotPredict where its text or label is none."""
    from pipelines.any_table.answers import answers_in

    cleaned = _cleaned(table, request.text)
    filled = [text for text in cleaned if text]
    if not filled:
        raise CannotPredict(f"{request.train}: the text {request.text!r} is empty in every row.")
    if sum(_is_number(text) for text in filled) >= NUMBERS * len(filled):
        raise CannotPredict(
            f"{request.train}: {request.text!r} holds numbers, not texts; `scorecast predict` learns from numbers."
        )
    answers = answers_in(table[request.label])
    if not answers.counts:
        raise CannotPredict(f"{request.train}: the label {request.label!r} has no value in any row.")
    return _Texts(table, cleaned, answers.values.to_list(), answers.notes)


def _cleaned(table: "pl.DataFrame", column: str) -> list[str]:
    from pipelines.learning.columns.types import as_words
    from pipelines.learning.texts.cleaning import cleaned_all

    return list(cleaned_all(as_words(table[column]).to_list()))


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return text in ("[number]", "[phone]", "[card]")
    return True


def _to_learn_from(known: _Texts, notes: list[str]) -> tuple[list[str], list[str]]:
    """Texts with a label that enough of them have, and their labels; the rarer labels go into a note."""
    from pipelines.learning.texts.classifier import FEWEST_OF_CLASS

    pairs = [
        (text, label) for text, label in zip(known.cleaned, known.labels, strict=True) if text and label is not None
    ]
    counts = Counter(label for _, label in pairs)
    rare = sorted(label for label, count in counts.items() if count < FEWEST_OF_CLASS)
    if rare and len(counts) - len(rare) >= 2:
        named = ", ".join(f"{label!r} ({counts[label]})" for label in rare[:MOST_NAMED])
        notes.append(f"Not learnt, nor ever said: {named}. A label takes {FEWEST_OF_CLASS} texts.")
        pairs = [(text, label) for text, label in pairs if label not in rare]
    return [text for text, _ in pairs], [label for _, label in pairs]


def _about_texts(
    known: _Texts, texts: Sequence[str], labels: Sequence[str], fit: "TextFit", request: TextRequest
) -> list[str]:
    """What is to be known of the texts: those without words, copies, and one text with several labels."""
    notes = []
    if empty := sum(not text for text in known.cleaned):
        notes.append(f"{request.train}: {empty:,} rows have no text; they are neither learnt from nor labelled.")
    if fit.copies:
        notes.append(f"{fit.copies:,} texts nearly say what another says; copies are never on both sides of a split.")
    ways: dict[str, set[str]] = {}
    for text, label in zip(texts, labels, strict=True):
        ways.setdefault(text, set()).add(label)
    if several := sum(len(given) > 1 for given in ways.values()):
        notes.append(f"{several:,} texts have several labels; nobody can tell which of them a new one would get.")
    return notes


def _write_scores(
    model: "TextModel", known: _Texts, to_score: "pl.DataFrame | None", request: TextRequest, notes: list[str]
) -> tuple[Path, int]:
    """The file of scores, and how many texts have a label in it."""
    import polars as pl

    from pipelines.any_table.scores import other_names, write_scores
    from pipelines.learning.texts.labelling import labelled
    from pipelines.spreadsheets import SheetFull

    if to_score is not None:
        table, texts, where = to_score, _cleaned(to_score, request.text), request.score
    else:
        open_rows = pl.Series([label is None for label in known.labels])
        rows = open_rows if open_rows.any() else ~open_rows
        if not open_rows.any():
            notes.append(f"The scores are of {request.train} itself, which the model learnt from.")
        table, where = known.table.with_row_index(ROW_NUMBER, offset=1).filter(rows), request.train
        texts = [text for text, is_scored in zip(known.cleaned, rows, strict=True) if is_scored]
    numbers = table[ROW_NUMBER] if ROW_NUMBER in table.columns else pl.Series(range(1, table.height + 1))
    table = table.drop(ROW_NUMBER, strict=False)
    key = numbers.cast(pl.Int64).alias(ROW)
    if request.key is not None and request.key in table.columns:
        key = table[request.key]
    elif request.key is not None:
        notes.append(f"{where}: the key {request.key!r} is missing; rows are told apart by their number.")
    scores = labelled(model, texts)
    last = table.drop(key.name, strict=False) if request.keep_columns else table.select()
    renamed = other_names(scores.columns, [key.name, *last.columns])
    notes += [f"Your column {name!r} keeps its name; ours is called {new!r}." for name, new in renamed.items()]
    try:
        path, written = write_scores(pl.DataFrame([key, *scores.rename(renamed), *last]), request.out, request.form)
    except SheetFull as problem:
        raise CannotPredict(f"{problem} Choose --format csv or parquet.") from None
    notes += written
    return path, scores.height - scores["predicted"].null_count()


def _most_confused(fit: "TextFit", texts: Sequence[str], labels: Sequence[str]) -> list[dict]:
    """Pairs of label and answer that are most often taken for each other, with texts of the test, masked."""
    predicted = fit.said.argmax(axis=1)
    pairs: dict[tuple[str, str], list[str]] = {}
    for place, answer in zip(fit.test.tolist(), predicted.tolist(), strict=True):
        pair = labels[place], fit.model.classes[answer]
        if pair[0] != pair[1]:
            pairs.setdefault(pair, []).append(texts[place])
    most = sorted(pairs.items(), key=lambda each: (-len(each[1]), each[0]))[:MOST_PAIRS]
    return [
        {
            "label": label,
            "predicted": answer,
            "texts": len(found),
            "examples": [text[:EXAMPLE_CHARACTERS] for text in found[:EXAMPLES]],
        }
        for (label, answer), found in most
    ]


def _card(evaluation: Mapping, request: TextRequest) -> str:
    """The model card's page."""
    from pipelines.learning.cards.page import card_page

    figures = (
        *("log_loss", "log_loss_error", "baseline_log_loss", "calibration_error", "base_rate", "brier", "auc"),
        *("accuracy", "macro_f1", "classes", "confusion", "verdict", "reason", "method", "notes", "n_rows", "seconds"),
    )
    return card_page(
        {
            **{name: evaluation[name] for name in figures},
            "name": request.label,
            "question": f"{request.label} by {request.text}",
            "task": "classes",
            "likelihood": "chance",
            "rows_word": "texts",
            "kept": None,  # nobody is told to use it, or not to
            "split_words": "tested on a part set aside at random, copies on one side",
            "n_train": evaluation["n_fit"],
            "n_holdout": evaluation["n_test"],
            "candidates": [
                {"name": row["name"], "log_loss": row["log_loss_validation"], "chosen": row["chosen"]}
                for row in evaluation["candidates"]
            ],
            "limits": [
                "The model in use has learnt from the texts of the test, too, after the test.",
                "Words say what moved the answer; they are no cause.",
            ],
            "created_at": f"{datetime.now(UTC):%Y-%m-%d}",
        }
    )
