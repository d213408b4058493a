"""Labels of texts with their words: what the model says of each, as a table."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.learning.texts.classifier import TextModel
from pipelines.learning.texts.reasons import word_contributions
from pipelines.learning.texts.terms import spaced

if TYPE_CHECKING:
    import polars as pl

REASONS = 3
NO_TEXT = "There is no text."
NO_WORDS = "None of its words is known to the model."


def labelled(model: TextModel, texts: Sequence[str]) -> "pl.DataFrame":
    """
    The label of cleaned texts, in their order: predicted (String), probability, probability_<label> (Float64), reason_1
    to reason_3 and reasons (JSON). A text without a word that the model knows has a reason_1 that says so, and null.
    """
    import polars as pl

    names = [f"probability_{label}" for label in model.classes]
    probability = model.probabilities(texts)
    chosen = probability.argmax(axis=1)
    reasons, listed, is_known = [], [], []
    for text, words in zip(texts, word_contributions(model, spaced(texts), chosen), strict=True):
        order = sorted(words.contributions.items(), key=lambda each: (-each[1], each[0]))
        reasons.append([f"“{word}”" for word, amount in order[:REASONS] if amount > 0])
        is_known.append(bool(order))
        if not order:
            reasons[-1] = [NO_WORDS if text else NO_TEXT]
        told = [{"words": word, "contribution": round(amount, 6)} for word, amount in order]
        listed.append(json.dumps({"base": round(words.base, 6), "words": told}, ensure_ascii=False) if order else None)
    known = pl.Series(is_known, dtype=pl.Boolean)
    frame = pl.DataFrame(
        {
            "predicted": pl.Series(model.classes, dtype=pl.String).gather(chosen),
            "probability": probability.max(axis=1) if len(texts) else pl.Series([], dtype=pl.Float64),
            **{name: probability[:, number] for number, name in enumerate(names)},
        }
    ).with_columns(pl.when(known).then(pl.all()))
    told = {
        f"reason_{number + 1}": pl.Series(
            [each[number] if len(each) > number else None for each in reasons], dtype=pl.String
        )
        for number in range(REASONS)
    }
    return frame.with_columns(**told, reasons=pl.Series(listed, dtype=pl.String))


def labelled_by_word_list(texts: Sequence[str]) -> "pl.DataFrame":
    """
    Moods of cleaned texts by a list of words, in the form of `labelled`: probability and reasons are null, a list has
    none.
    """
    import polars as pl

    from pipelines.learning.texts.word_list import moods

    said = moods(texts)
    reasons = [
        [f"“{word}”" for word in mood.words[:REASONS]] or ["No word of the list speaks for either side."]
        if text
        else [NO_TEXT]
        for mood, text in zip(said, texts, strict=True)
    ]
    told = {
        f"reason_{number + 1}": [each[number] if len(each) > number else None for each in reasons]
        for number in range(REASONS)
    }
    return pl.DataFrame(
        {
            "predicted": [mood.mood if text else None for mood, text in zip(said, texts, strict=True)],
            "probability": [None] * len(texts),
            **told,
            "reasons": [None] * len(texts),
        },
        schema={
            "predicted": pl.String,
            "probability": pl.Float64,
            **dict.fromkeys(told, pl.String),
            "reasons": pl.String,
        },
    )
