"""Key phrases of a text that nobody labelled, and the words of a language that say nothing."""

import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from pipelines.learning.texts.languages import likeliest_language
from pipelines.values.private_data import MASKS

MASK = re.compile(MASKS)
"""A masked value (see `values.private_data`)."""
LONGEST = 2
"""Words of a phrase: longer ones are rarely the same in two texts."""
MOST_LETTERS = 60
"""Of a phrase; what is longer is no word."""
ALIKE = 0.8
"""Phrases that share this part of their letters or more are one, as are two of which one has all words of the other."""
MOST_CHARACTERS = 4_000
"""Of a text; the phrases of an article stand at its beginning, and time grows with its length."""
SURE = 0.8
"""Probability from which on a text counts as one of a language."""
LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pt", "pl", "sv", "da", "no", "fi")
"""Whose words that say nothing are left out where a text's language is not asked for."""
OTHER_NAMES = {"cs": "cz", "nb": "no", "nn": "no"}
"""Languages whose list of such words stands under another code."""


def key_phrases(texts: Sequence[str], most: int = 5) -> list[list[tuple[str, float]]]:
    """
    The phrases that say what each cleaned text is about, in the order of the texts: (phrase in lower case, score above
    0), the best first, of which a lower score is better. At most `most`; none for a text without words.

    No two phrases of a text are alike, and none has a masked value in it. YAKE: Campos et al., 2020, "YAKE! Keyword
    extraction from single documents using multiple local features", Information Sciences 509. The language is told by
    py3langid where that is sure, English otherwise.
    """
    from yake import KeywordExtractor

    extractors: dict[str, KeywordExtractor] = {}
    known: dict[str, list[tuple[str, float]]] = {}
    for text in texts:
        if text in known:
            continue
        # A mask ends a sentence, so that no phrase reaches over it.
        words = MASK.sub(" . ", text[:MOST_CHARACTERS])
        if not any(sign.isalpha() for sign in words):
            known[text] = []
            continue
        language = _language(words)
        if language not in extractors:
            extractors[language] = KeywordExtractor(
                lan=language, n=LONGEST, top=4 * most, dedup_lim=1.0, stopwords=stop_words((language,))
            )
        known[text] = _distinct(extractors[language].extract_keywords(words), most)
    return [known[text] for text in texts]


def stop_words(languages: Sequence[str] = LANGUAGES) -> set[str]:
    """The words of these languages (ISO 639-1) that say nothing alone, in lower case; none of an unknown language."""
    return {word for language in languages for word in _listed(language)}


@lru_cache(maxsize=32)
def _listed(language: str) -> frozenset[str]:
    """The list that comes with yake."""
    folder = Path(find_spec("yake").origin).parent / "core" / "StopwordsList"
    path = folder / f"stopwords_{OTHER_NAMES.get(language, language)}.txt"
    if not path.exists():
        return frozenset()
    written = path.read_bytes()
    try:
        text = written.decode("utf-8")
    except UnicodeDecodeError:
        text = written.decode("iso-8859-1")
    return frozenset(word for word in text.lower().split() if word)


def _language(text: str) -> str:
    language, probability = likeliest_language(text)
    return language if probability >= SURE and _listed(language) else "en"


def _distinct(found: Sequence[tuple[str, float]], most: int) -> list[tuple[str, float]]:
    """The best of the phrases found, without those that are alike."""
    chosen: list[tuple[str, float]] = []
    for phrase, score in sorted(found, key=lambda each: (each[1], each[0])):
        phrase = phrase.lower()
        if len(phrase) <= MOST_LETTERS and not any(_are_alike(phrase, other) for other, _ in chosen):
            chosen.append((phrase, float(score)))
            if len(chosen) == most:
                break
    return chosen


def _are_alike(one: str, other: str) -> bool:
    from difflib import SequenceMatcher

    words, others = set(one.split()), set(other.split())
    letters = SequenceMatcher(None, one, other)
    return words <= others or others <= words or (letters.real_quick_ratio() >= ALIKE <= letters.ratio())
