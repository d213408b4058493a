"""The rows of a table as `scorecast classify` takes them: cleaned texts, their labels, and the columns beside them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.any_table.question import CannotPredict

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from pipelines.learning.columns.types import TypePlan
    from pipelines.learning.texts.beside import Beside

MOST_NAMED = 30
NOT_LEARNT = "Not learnt, nor ever said"
NUMBERS = 0.9
"""Share of texts that are numbers from which on a column holds no texts."""
Labels = tuple[str, ...]


@dataclass(frozen=True)
class TextRows:
    """A table's cleaned texts, "" where there is none, and its labels, None where none is known."""

    table: "pl.DataFrame"
    cleaned: list[str]
    labels: list[Labels | None]
    notes: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> list[bool]:
        """Of every row, whether its label is not known."""
        return [labels is None for labels in self.labels]


@dataclass(frozen=True)
class Lesson:
    """What is learnt from: places of rows, their texts and labels."""

    rows: "np.ndarray"
    texts: list[str]
    labels: list[Labels]


def text_rows(
    table: "pl.DataFrame", where: str, text: Sequence[str], label: str, separator: str | None, may_be_open: bool
) -> TextRows:
    """
    A table to learn from. `separator`: between the labels of a text that has several.

    Raises CannotPredict where its texts are none, or no row has a label, unless it `may_be_open`.
    """
    for column in text:
        _check_texts(table, where, column)
    cleaned = cleaned_texts(table, text)
    labels, notes = _labels(table[label], separator)
    if not may_be_open and all(each is None for each in labels):
        raise CannotPredict(f"{where}: the label {label!r} has no value in any row.")
    return TextRows(table, cleaned, labels, notes)


def cleaned_texts(table: "pl.DataFrame", columns: Sequence[str]) -> list[str]:
    """The texts of every row, several columns one behind the other; a column that the table lacks has none."""
    from pipelines.learning.columns.types import as_words
    from pipelines.learning.texts.cleaning import cleaned_all

    there = [list(cleaned_all(as_words(table[column]).to_list())) for column in columns if column in table.columns]
    return [" ".join(part for part in parts if part) for parts in zip(*there, strict=True)]


def lesson_of(known: TextRows, fewest: int, notes: list[str]) -> Lesson:
    """
    The rows to learn from: those with a text and a label that `fewest` or more have.

    The rarer labels go into a note. Of several labels a text keeps those that are learnt, maybe none.
    """
    import numpy as np

    pairs = [
        (row, text, labels)
        for row, (text, labels) in enumerate(zip(known.cleaned, known.labels, strict=True))
        if text and labels is not None
    ]
    counts = Counter(label for _, _, labels in pairs for label in labels)
    rare = {label for label, count in counts.items() if count < fewest}
    several = any(len(labels) > 1 for _, _, labels in pairs)
    if rare and len(counts) - len(rare) >= (1 if several else 2):
        listed = sorted(rare)
        named = ", ".join(f"{label!r} ({counts[label]})" for label in listed[:MOST_NAMED])
        more = f" and {len(listed) - MOST_NAMED:,} more" if len(listed) > MOST_NAMED else ""
        notes.append(f"{NOT_LEARNT}: {named}{more}. A label takes {fewest} texts.")
        pairs = [
            (row, text, tuple(label for label in labels if label not in rare))
            for row, text, labels in pairs
            if several or labels[0] not in rare
        ]
    rows = np.array([row for row, _, _ in pairs], dtype=np.int64)
    return Lesson(rows, [text for _, text, _ in pairs], [labels for _, _, labels in pairs])


def columns_beside(
    table: "pl.DataFrame", names: Sequence[str], notes: list[str], plan: "TypePlan | None" = None
) -> "tuple[Beside | None, TypePlan | None]":
    """The named columns beside the texts, as numbers or words, and how they were read; `plan`: how others were."""
    import numpy as np
    import polars as pl

    from pipelines.learning.columns.kinds import as_numbers
    from pipelines.learning.columns.types import apply_types, as_words, infer_types
    from pipelines.learning.texts.beside import Beside

    if not names:
        return None, None
    if plan is None:
        typed, plan = infer_types(table.select(names))
        notes += plan.notes
    else:
        typed, told = apply_types(plan, table)
        notes += told
    found: dict[str, np.ndarray] = {}
    for state in plan.columns:
        values = typed[state["name"]]
        if state["kind"] in ("number", "date"):
            found[state["source"]] = as_numbers(values).fill_null(float("nan")).to_numpy()
        else:
            words = as_words(values).str.strip_chars().replace("", None)
            found[state["source"]] = np.array(words.cast(pl.String).to_list(), dtype=object)
    return Beside(found), plan


def _check_texts(table: "pl.DataFrame", where: str, column: str) -> None:
    filled = [text for text in cleaned_texts(table, [column]) if text]
    if not filled:
        raise CannotPredict(f"{where}: the text {column!r} is empty in every row.")
    if sum(map(_is_number, filled)) >= NUMBERS * len(filled):
        raise CannotPredict(
            f"{where}: {column!r} holds numbers, not texts; `scorecast predict` learns from numbers, and --column puts"
            " them beside a text."
        )


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ""))
    except ValueError:
        return text in ("[number]", "[phone]", "[card]")
    return True


def _labels(column: "pl.Series", separator: str | None) -> tuple[list[Labels | None], list[str]]:
    """The labels of every row in one spelling each, and notes."""
    import polars as pl

    from pipelines.any_table.answers import answers_in
    from pipelines.learning.columns.types import as_words

    words = as_words(column)
    rows = pl.DataFrame({"row": range(len(column)), "label": words.str.split(separator) if separator else words})
    rows = rows.explode("label") if separator else rows
    given = rows["label"]
    tidy = given.str.strip_chars().str.replace_all(r"\s+", " ").alias(column.name)
    notes = _about_blanks(column.name, given, tidy)
    answers = answers_in(tidy)
    found: list[dict[str, None] | None] = [None] * len(column)
    for row, label in zip(rows["row"].to_list(), answers.values.to_list(), strict=True):
        if label is not None:
            found[row] = {**(found[row] or {}), label: None}
    return [None if labels is None else tuple(labels) for labels in found], [*notes, *answers.notes]


def _about_blanks(name: str, given: "pl.Series", tidy: "pl.Series") -> list[str]:
    """A line on labels that differ by blanks alone."""
    ways: dict[str, set[str]] = {}
    for before, after in set(zip(given.to_list(), tidy.to_list(), strict=True)):
        if after:
            ways.setdefault(after, set()).add(before)
    several = sorted(label for label, spelt in ways.items() if len(spelt) > 1)
    if not several:
        return []
    named = ", ".join(map(repr, several[:MOST_NAMED])) + (" and more" if len(several) > MOST_NAMED else "")
    return [f"{name}: {named}: labels that differ by blanks alone are one."]


def in_several_ways(texts: Iterable[str], labels: Iterable[Labels]) -> int:
    """How many texts have one set of labels in one row and another in another."""
    ways: dict[str, set[frozenset[str]]] = {}
    for text, given in zip(texts, labels, strict=True):
        ways.setdefault(text, set()).add(frozenset(given))
    return sum(len(given) > 1 for given in ways.values())


def most_confused(
    pairs: Mapping[tuple[str, str], Sequence[str]], most: int, examples: int, characters: int
) -> list[dict]:
    """Pairs of label and answer that are most often taken for each other, with texts of the test, masked."""
    order = sorted(pairs.items(), key=lambda each: (-len(each[1]), each[0]))[:most]
    return [
        {
            "label": label,
            "predicted": answer,
            "texts": len(found),
            "examples": [text[:characters] for text in found[:examples]],
        }
        for (label, answer), found in order
    ]
