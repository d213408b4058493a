"""The answer column: however an answer is spelt it is one answer, and some say that the answer is not known yet."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.learning.columns.ordered_levels import level_words, levels_in
from pipelines.learning.columns.types import as_words, counted
from pipelines.learning.specs import FEWEST_LEVELS, MOST_LEVELS
from pipelines.spelling import did_you_mean
from pipelines.values.words import NO, NO_VALUE_WORDS, YES, says_nothing

IS_WON = re.compile(r"\bwon\b|\bconverted\b|\bclosed[ _-]*won\b|\bcustomer\b", re.IGNORECASE)
IS_OVER = re.compile(
    r"\b(won|lost|dead|disqualified|unqualified|rejected|cancell?ed|abandoned|declined|churned|converted|closed|junk)\b",
    re.IGNORECASE,
)
"""Stages of a sale that nothing follows."""
CODE = re.compile(r"0\d")
"""How a number begins that zeros in front tell from others."""
SHOWN, MOST_SPELT = 8, 10_000
"""Answers in a note; and different ones that are looked at: more are amounts, or names."""


class AnswerMistake(ValueError):
    """An option names an answer that there is not; the message says which and what there is."""


@dataclass(frozen=True)
class Answers:
    """The answer of every row, in one spelling each."""

    values: pl.Series
    """String; null where no answer is known."""
    spelt: Mapping[str, str]
    """Spelling in the table → the one that stands for it."""
    notes: list[str]

    @property
    def counts(self) -> dict[str, int]:
        """Answer → rows, by answer."""
        return _rows_of(self.values)

    def same(self, wanted: str) -> str | None:
        """The answer that is meant: as it is written anywhere, in other letters, or as the same number or yes."""
        wanted, counts = wanted.strip(), self.counts
        if wanted in self.spelt:
            return self.spelt[wanted]
        for alike in (_folded, _number, _boolean):
            found = [value for value in counts if alike(value) is not None and alike(value) == alike(wanted)]
            if len(found) == 1:
                return found[0]
        return None


def answers_in(column: pl.Series) -> Answers:
    """
    Read an answer column: blanks and words for "no value" are null, and one answer has one spelling.

    `1` and `1.0` are one number; `Yes`, `YES` and, beside them, `y` or `true` are one yes; other words differ
    by more than their letters' case. The commonest spelling stands for all.
    """
    words = as_words(column).str.strip_chars().replace("", None)
    if words.n_unique() > MOST_SPELT:  # amounts, or names
        return Answers(words.set(says_nothing(words, ()).fill_null(False), None), {}, [])
    rows = _rows_of(words)
    nothing = set(counted(words).filter(pl.col("missing"))["bare"])
    unsaid = {word for word in rows if word.lower() in NO_VALUE_WORDS}
    if _are_yes_and_no(rows.keys() - nothing - unsaid):
        nothing |= unsaid
    spelt = _spellings({word: count for word, count in rows.items() if word not in nothing})
    ways: dict[str, list[str]] = {}
    for way, answer in spelt.items():
        ways.setdefault(answer, []).append(way)
    several = {answer: words for answer, words in sorted(ways.items()) if len(words) > 1}
    notes = [f"{column.name}: {_listed(words)} are one answer, {answer!r}." for answer, words in several.items()]
    if len(notes) > SHOWN:
        notes = [f"{column.name}: {len(several):,} answers are spelt in several ways, each taken as one."]
    if nothing:
        notes.append(f"{column.name}: {_counted({word: rows[word] for word in nothing})} counts as no answer.")
    values = words.replace_strict(list(spelt), list(spelt.values()), default=None, return_dtype=pl.String)
    return Answers(values.alias(column.name), spelt, notes)


def only_decided(answers: Answers, positive: str, negative: Sequence[str]) -> tuple[pl.Series, list[str]]:
    """
    The answers with all but yes and no as null, and notes: what is open, or what counts as no.

    `positive`: the answer that is yes; `negative`: those that are no, none: all others. Raises `AnswerMistake`.
    """
    name, counts = answers.values.name, answers.counts
    others = {value: rows for value, rows in counts.items() if value != positive}
    if not negative:
        if len(others) < 2:
            return answers.values, []
        notes = [f"{name}: {_counted(others)} count as no; --negative names those that do, and the others are open."]
        over = [value for value in others if _is_no(value)]
        if _is_yes(positive) and over and len(over) < len(others):
            going_on = {value: rows for value, rows in others.items() if value not in over}
            options = " ".join(f'--negative "{value}"' for value in over)
            notes.insert(
                0,
                f"{name}: {_counted(going_on)} look still open, not like a no. With {options} they are scored, not"
                " learnt from.",
            )
        return answers.values, notes
    wanted = []
    for given in negative:
        if (found := answers.same(given)) is None:
            raise AnswerMistake(f"no row has {name} = {given!r} (--negative).{did_you_mean(given, counts)}")
        if found == positive:
            raise AnswerMistake(f"{name} = {given!r} cannot be yes (--positive) and no (--negative).")
        wanted.append(found)
    still_open = {value: rows for value, rows in others.items() if value not in wanted}
    decided = answers.values.set(~answers.values.is_in([positive, *wanted]).fill_null(True), None)
    return decided, [f"{name}: {_counted(still_open)} are open."] if still_open else []


def likely_question(answers: Answers) -> str | None:
    """For classes one of which looks like a yes and one like a no: how to ask that instead; None for others."""
    yes = [value for value in answers.counts if _is_yes(value)]
    no = [value for value in answers.counts if _is_no(value) and value not in yes]
    if len(yes) != 1 or not no:
        return None
    options = " ".join(f'--negative "{value}"' for value in no)
    return (
        f"{answers.values.name} looks like a question of yes or no, with answers that are still open: --positive"
        f' "{yes[0]}" {options} asks that, and scores those that are open.'
    )


def levels_of(found: Answers, given: Sequence[str], notes: list[str]) -> tuple[pl.Series, tuple[str, ...]]:
    """
    The level of every row (String, null for none), and the levels from the lowest to the highest.

    `given`: the levels as the user writes them; none: the whole numbers that there are. Raises `AnswerMistake`.
    """
    name, words = found.values.name, _plain(found.values)
    if not given:
        try:
            levels = levels_in(words)
        except ValueError as problem:
            raise AnswerMistake(f"the target {problem}.") from None
        if len(levels) < FEWEST_LEVELS:
            raise AnswerMistake(
                f"{name} is {' or '.join(levels)}; levels in an order are {FEWEST_LEVELS} or more. Ask for one of the "
                "two with --positive."
            )
        return words, levels
    meant = []
    for level in given:
        if (answer := found.same(level)) is None:
            raise AnswerMistake(
                f"no row has {name} = {level!r} (--levels).{did_you_mean(level, found.counts)} Mend it or leave it out."
            )
        meant.append(answer)
    levels = tuple(_plain(pl.Series(meant)))
    if twice := next((answer for answer in levels if levels.count(answer) > 1), None):
        raise AnswerMistake(f"--levels names {twice!r} twice.")
    other = {answer: rows for answer, rows in found.counts.items() if answer not in meant}
    if other:
        notes.append(f"{name}: {_counted(other)} is none of the levels: no answer.")
    return words.set(~words.is_in(levels).fill_null(True), None), levels


def likely_levels(found: Answers) -> str | None:
    """For classes that are whole numbers: how to ask for them by their order; None for others."""
    numbers = pl.Series(list(found.counts), dtype=pl.String).cast(pl.Float64, strict=False)
    are_whole = numbers.null_count() == 0 and (numbers % 1 == 0).all()
    if not are_whole or not FEWEST_LEVELS <= len(numbers) <= MOST_LEVELS:
        return None
    return f"{found.values.name} is taken as {len(numbers)} classes; if their order counts, --task ordered goes by it."


def _is_yes(answer: str) -> bool:
    return bool(IS_WON.search(answer)) or (answer.isalpha() and answer.lower() in YES)


def _is_no(answer: str) -> bool:
    return bool(IS_OVER.search(answer)) or (answer.isalpha() and answer.lower() in NO)


def _rows_of(words: pl.Series) -> dict[str, int]:
    return dict(words.alias("word").drop_nulls().value_counts().sort("word").iter_rows())


def _spellings(rows: Mapping[str, int]) -> dict[str, str]:
    """Spelling → the commonest of those that mean the same; `rows`: by spelling."""
    meaning: Callable[[str], object] = _folded
    if _are_yes_and_no(rows):
        meaning = _boolean
    elif all(_number(word) is not None and not CODE.match(word) for word in rows):
        meaning = _number
    alike: dict[object, list[str]] = {}
    for word in rows:
        alike.setdefault(meaning(word), []).append(word)
    spelt = {}
    for words in alike.values():
        # Numbers as short as can be: what is `1` in one file is `1.0` in another.
        are_numbers = all(_number(word) is not None for word in words)
        best = min(words, key=lambda word, shortest=are_numbers: (0 if shortest else -rows[word], len(word), word))
        spelt |= dict.fromkeys(words, best)
    return spelt


def _are_yes_and_no(answers: Iterable[str]) -> bool:
    """Whether the answers are words for yes and no, both of one pair among them."""
    words = {word.lower() for word in answers}
    return words <= {*YES, *NO} and any(yes in words and no in words for yes, no in zip(YES, NO, strict=True))


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _plain(answers: pl.Series) -> pl.Series:
    """Answers that are all numbers as whole numbers are written; others as they are."""
    numbers = answers.cast(pl.Float64, strict=False)
    return level_words(numbers) if numbers.null_count() == answers.null_count() else answers


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _boolean(text: str) -> bool | None:
    word = text.lower()
    return True if word in YES else False if word in NO else None


def _listed(words: Sequence[str]) -> str:
    shown = ", ".join(map(repr, sorted(words)[:SHOWN]))
    return f"{shown} and {len(words) - SHOWN:,} more" if len(words) > SHOWN else shown


def _counted(values: Mapping[str, int]) -> str:
    largest = sorted(values, key=lambda value: (-values[value], value))
    shown = ", ".join(f"{value!r} ({values[value]:,} row{'s' * (values[value] != 1)})" for value in largest[:SHOWN])
    return f"{shown} and {len(largest) - SHOWN:,} more" if len(largest) > SHOWN else shown
