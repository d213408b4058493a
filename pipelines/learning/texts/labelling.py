"""Labels of texts with their words: what the model says of each, as a table."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.texts.beside import Beside
from pipelines.learning.texts.features import feature_values
from pipelines.learning.texts.languages import NAMES, foreign_words, known_shares, languages_of
from pipelines.learning.texts.reasons import Words, explained, word_contributions
from pipelines.learning.texts.tags import TagModel
from pipelines.learning.texts.terms import distinct_texts, spaced

if TYPE_CHECKING:
    import polars as pl

    from pipelines.learning.texts.classifier import TextModel

REASONS = 3
NO_TEXT = "There is no text."
NO_WORDS = "None of its words is known to the model."
NO_WORD_FOR_IT = "No word speaks for it: of texts with so little to go by, most are that."
NO_SIDE = "No word of the list speaks for either side."
KEY_PHRASE = "It stands out in the text."
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
            reasons.append([refusal] if refusal else _reasons(words) or [NO_WORD_FOR_IT])
            listed.append(_listed(words) if refusal is None else None)
    return _answers(model, np.concatenate(probabilities), is_known, separator).with_columns(
        language=pl.Series(languages, dtype=pl.String),
        **_columns(reasons),
        reasons=pl.Series(listed, dtype=pl.String),
    )


def labelled_without_words(model: "TextModel", texts: Sequence[str], instead: str) -> "pl.DataFrame":
    """The label of cleaned texts as `labelled` gives it, in less time: `reasons` is null, reason_1 `instead`."""
    import polars as pl

    ready = spaced(texts)
    languages, is_foreign = languages_of(texts, model.languages, known_shares(_vocabulary(model), ready))
    values = feature_values(model.views, ready, None)
    said, is_known = model.of_values(values), (np.diff(values.indptr) > 0) & ~is_foreign
    reasons = [
        instead
        if is_known[row]
        else foreign_words(languages[row], model.languages)
        if is_foreign[row]
        else (NO_WORDS if text else NO_TEXT)
        for row, text in enumerate(texts)
    ]
    return _answers(model, said, is_known, SEPARATOR).with_columns(
        language=pl.Series(languages, dtype=pl.String),
        **_columns([[reason] for reason in reasons]),
        reasons=pl.lit(None, dtype=pl.String),
    )


def _answers(
    model: "TextModel | TagModel", said: np.ndarray, is_known: Sequence[bool], separator: str
) -> "pl.DataFrame":
    """The label and all probabilities (texts × classes), null where nothing is known."""
    import polars as pl

    names = [f"probability_{label}" for label in model.classes]
    return pl.DataFrame(
        {
            "predicted": _predicted(model, said, separator),
            "probability": said.max(axis=1),
            **{name: said[:, number] for number, name in enumerate(names)},
        }
    ).with_columns(pl.when(pl.Series(is_known, dtype=pl.Boolean)).then(pl.all()))


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


def tagged(model: "TagModel", texts: Sequence[str]) -> "pl.DataFrame":
    """
    The labels of cleaned texts that are above their cut-offs, a row each: place (of the text, Int64), tag (String),
    probability (Float64), language, reason_1 to reason_3 and reasons (JSON) of that label.
    """
    import polars as pl

    ready = spaced(texts)
    languages, is_foreign = languages_of(texts, model.languages, known_shares(_vocabulary(model), ready))
    said = model.probabilities(texts) if len(texts) else np.empty((0, len(model.classes)))
    said[is_foreign] = 0.0
    places, tags = np.nonzero(said >= model.cutoffs)
    words = list(word_contributions(model, [ready[place] for place in places], tags))
    return pl.DataFrame(
        {
            "place": pl.Series(places, dtype=pl.Int64),
            "tag": pl.Series([model.classes[tag] for tag in tags], dtype=pl.String),
            "probability": pl.Series(said[places, tags], dtype=pl.Float64),
            "language": pl.Series([languages[place] for place in places], dtype=pl.String),
            **_columns([_reasons(each) or [NO_WORD_FOR_IT] for each in words]),
            "reasons": pl.Series([_listed(each) for each in words], dtype=pl.String),
        }
    )


def tagged_by_key_phrases(texts: Sequence[str]) -> "pl.DataFrame":
    """Key phrases of cleaned texts, in the form of `tagged`: probability and reasons are null, nothing was learnt."""
    import polars as pl

    from pipelines.learning.texts.phrases import key_phrases

    rows = [(place, phrase) for place, found in enumerate(key_phrases(texts)) for phrase, _ in found]
    languages, _ = languages_of(texts, {})
    return pl.DataFrame(
        {
            "place": pl.Series([place for place, _ in rows], dtype=pl.Int64),
            "tag": pl.Series([phrase for _, phrase in rows], dtype=pl.String),
            "probability": pl.Series([None] * len(rows), dtype=pl.Float64),
            "language": pl.Series([languages[place] for place, _ in rows], dtype=pl.String),
            **_columns([[KEY_PHRASE]] * len(rows)),
            "reasons": pl.Series([None] * len(rows), dtype=pl.String),
        }
    )


def moods_by_word_list(texts: Sequence[str]) -> "pl.DataFrame":
    """
    Moods of cleaned texts by a list of English words, in the form of `labelled`: probability and reasons are null, a
    list has none. A text that is surely in another language has null, and the reason.
    """
    import polars as pl

    from pipelines.learning.texts.word_list import LANGUAGE, moods

    languages, _ = languages_of(texts, {})
    said, reasons = [], []
    for text, language, mood in zip(texts, languages, moods(texts), strict=True):
        is_read = bool(text) and language in (LANGUAGE, None)
        said.append(mood.mood if is_read else None)
        if is_read:
            reasons.append([f"“{word}”" for word in mood.words[:REASONS]] or [NO_SIDE])
        else:
            reasons.append(
                [f"It is in {NAMES[language]}; the list of words is {NAMES[LANGUAGE]}." if text else NO_TEXT]
            )
    return pl.DataFrame(
        {
            "predicted": pl.Series(said, dtype=pl.String),
            "probability": pl.Series([None] * len(said), dtype=pl.Float64),
            "language": pl.Series(languages, dtype=pl.String),
            **_columns(reasons),
            "reasons": pl.Series([None] * len(said), dtype=pl.String),
        }
    )


def _columns(reasons: Sequence[Sequence[str]]) -> "dict[str, pl.Series]":
    """reason_1 to reason_3 (String) of every row."""
    import polars as pl

    return {
        f"reason_{number + 1}": pl.Series(
            [each[number] if len(each) > number else None for each in reasons], dtype=pl.String
        )
        for number in range(REASONS)
    }
