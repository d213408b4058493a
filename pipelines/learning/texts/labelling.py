"""Labels of texts with their words: what the model says of each, as a table."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.texts.beside import Beside
from pipelines.learning.texts.languages import foreign_words, known_shares, languages_of
from pipelines.learning.texts.reasons import Words, explained
from pipelines.learning.texts.tags import TagModel
from pipelines.learning.texts.terms import distinct_texts, spaced

if TYPE_CHECKING:
    import polars as pl

    from pipelines.learning.texts.classifier import TextModel

REASONS = 3
NO_TEXT = "There is no text."
NO_WORDS = "None of its words is known to the model."
MEANING = "the text's meaning as a whole"
SEPARATOR = ";"


def labelled(
    model: "TextModel | TagModel", texts: Sequence[str], beside: Beside | None = None, separator: str = SEPARATOR
) -> "pl.DataFrame":
    """
    The label of cleaned texts, in their order: predicted (String), probability, probability_<label> (Float64), language
    (its code in ISO 639-1, null where it cannot be told), reason_1 to reason_3 and reasons (JSON).

    Of a `TagModel` predicted has all labels above their cut-offs, the likeliest first, with the separator between, ""
    where there is none; probability and the reasons are those of the likeliest label. A text without a word that the
    model knows, or in a language that it never saw, has a reason_1 that says so, and null.
    """
    import polars as pl

    distinct, place = distinct_texts(texts)
    if beside is None and len(distinct) < len(texts):
        return labelled(model, distinct, None, separator)[place]
    ready = spaced(texts)
    languages, is_foreign = languages_of(texts, model.languages, known_shares(_vocabulary(model), ready))
    probabilities, reasons, listed, is_known = [np.empty((0, len(model.classes)))], [], [], []
    for probability, words_of in explained(model, ready, beside):
        probabilities.append(probability)
        for words in words_of:
            row = len(reasons)
            refusal = None
            if is_foreign[row]:
                refusal = foreign_words(languages[row], model.languages)
            elif not words.contributions:
                refusal = NO_WORDS if texts[row] else NO_TEXT
            is_known.append(refusal is None)
            reasons.append(_reasons(words) if refusal is None else [refusal])
            listed.append(_listed(words) if refusal is None else None)
    said = np.concatenate(probabilities)
    names = [f"probability_{label}" for label in model.classes]
    frame = pl.DataFrame(
        {
            "predicted": _predicted(model, said, separator),
            "probability": said.max(axis=1),
            **{name: said[:, number] for number, name in enumerate(names)},
        }
    ).with_columns(pl.when(pl.Series(is_known, dtype=pl.Boolean)).then(pl.all()))
    told = {
        f"reason_{number + 1}": pl.Series(
            [each[number] if len(each) > number else None for each in reasons], dtype=pl.String
        )
        for number in range(REASONS)
    }
    return frame.with_columns(
        language=pl.Series(languages, dtype=pl.String), **told, reasons=pl.Series(listed, dtype=pl.String)
    )


def _predicted(model: "TextModel | TagModel", said: np.ndarray, separator: str) -> "pl.Series":
    import polars as pl

    if not isinstance(model, TagModel):
        return pl.Series(model.classes, dtype=pl.String).gather(said.argmax(axis=1))
    joined = []
    for row in said:
        order = np.argsort(-row, kind="stable")
        joined.append(separator.join(model.classes[tag] for tag in order if row[tag] >= model.cutoffs[tag]))
    return pl.Series(joined, dtype=pl.String)


def _vocabulary(model: "TextModel | TagModel") -> frozenset[str]:
    return frozenset(
        term for view in model.views if view["analyzer"] == "word" for term in view["vocabulary"] if " " not in term
    )


def _reasons(words: Words) -> list[str]:
    """What says most for the class, at most `REASONS`."""
    amounts = {f"“{word}”": amount for word, amount in words.contributions.items()} | words.columns
    if words.meaning is not None:
        amounts[MEANING] = words.meaning
    order = sorted(amounts.items(), key=lambda each: (-each[1], each[0]))
    return [name for name, amount in order[:REASONS] if amount > 0]


def _listed(words: Words) -> str:
    """All that speaks for or against the class, as JSON; it adds up to the log-odds."""
    told: dict = {"base": round(words.base, 6), "words": _sorted("words", words.contributions)}
    if words.columns:
        told["columns"] = _sorted("column", words.columns)
    if words.meaning is not None:
        told["meaning"] = round(words.meaning, 6)
    return json.dumps(told, ensure_ascii=False)


def _sorted(name: str, amounts: dict[str, float]) -> list[dict]:
    order = sorted(amounts.items(), key=lambda each: (-each[1], each[0]))
    return [{name: key, "contribution": round(amount, 6)} for key, amount in order]
