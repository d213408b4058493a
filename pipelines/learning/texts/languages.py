"""Which language a text is in, which languages a model learnt from, and what is in one that it never saw.

Languages are told apart by py3langid (Lui and Baldwin, 2012, "langid.py: an off-the-shelf language identification
tool"), whose probabilities allow for how short a text is.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

NAMES = {
    **{"af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "az": "Azerbaijani", "be": "Belarusian", "bg": "Bulgarian"},
    **{"bn": "Bengali", "bs": "Bosnian", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German"},
    **{"el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian"},
    **{"fi": "Finnish", "fr": "French", "ga": "Irish", "gl": "Galician", "gu": "Gujarati", "he": "Hebrew"},
    **{"hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian", "is": "Icelandic"},
    **{"it": "Italian", "ja": "Japanese", "ka": "Georgian", "kk": "Kazakh", "km": "Khmer", "kn": "Kannada"},
    **{"ko": "Korean", "ky": "Kyrgyz", "lo": "Lao", "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian"},
    **{"ml": "Malayalam", "mn": "Mongolian", "mr": "Marathi", "ms": "Malay", "my": "Burmese", "ne": "Nepali"},
    **{"nl": "Dutch", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian"},
    **{"ru": "Russian", "si": "Sinhala", "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian"},
    **{"sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tl": "Tagalog"},
    **{"tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese", "zh": "Chinese"},
}
"""The languages that are told apart, by their code in ISO 639-1."""
SURE = 0.5
"""Probability from which on a text counts as one of a language."""
FOREIGN, UNLIKELY = 0.3, 0.1
"""A text is foreign where one language has the first at least, and all that the model knows the second at most."""
NEVER = 1e-6
"""Probability below which a language counts for nothing."""
FEW_KNOWN = 0.5
"""Share of a text's words known to the model, up to which it can be in a language that the model never saw."""
FEWEST_TEXTS, LEAST_SHARE = 5, 0.02
"""What a language takes to be one that a model learnt from."""
MOST_LOOKED_AT = 4_000
"""Texts of which the languages of a whole are told, evenly spread."""
REMEMBERED = 20_000
"""Texts whose languages are remembered: in one run several models read the same tickets."""
CHARACTERS = 300
"""Of a text; the rest says the same."""
LAST_LATIN = "\u024f"
_reading = Lock()


def languages_learnt(texts: Sequence[str]) -> dict[str, int]:
    """Code → texts, the commonest first, of the languages that there is enough of in cleaned texts; of a part of them
    where there are many.
    """
    part = spread_rows(len(texts))
    found = Counter(_likeliest(texts[row])[0] for row in part)
    del found[None]
    enough = max(FEWEST_TEXTS, LEAST_SHARE * sum(found.values()))
    return {code: count for code, count in found.most_common() if count >= enough}


def languages_of(
    texts: Sequence[str], learnt: Mapping[str, int], known: np.ndarray | None = None
) -> tuple[list[str | None], np.ndarray]:
    """
    The language of every cleaned text (code, None where it cannot be told), and whether it is one the model never saw.

    `learnt`: the languages that the model learnt from; with none nothing is foreign. `known`: the share of each text's
    words that the model knows (float64, nan without a word); a text of known words is in a language of the model's.
    """
    is_foreign = np.zeros(len(texts), dtype=bool)
    found: list[str | None] = [None] * len(texts)
    single = next(iter(learnt)) if len(learnt) == 1 else None
    for row, text in enumerate(texts):
        if known is not None and np.isnan(known[row]):
            continue
        is_known = known is not None and known[row] > FEW_KNOWN
        if is_known and single is not None:
            found[row] = single
            continue
        best, sure, ranked = _likeliest(text)
        of_learnt = {code: chance for code, chance in ranked.items() if code in learnt}
        total = sum(of_learnt.values())
        if not learnt:
            found[row] = best
        elif not is_known and sure >= FOREIGN and total <= UNLIKELY:
            found[row] = next(iter(ranked))
            is_foreign[row] = True
        elif total > 0:
            code, chance = next(iter(of_learnt.items()))
            found[row] = code if chance >= (1 - UNLIKELY) * total else None
    return found, is_foreign


def likeliest_language(text: str) -> tuple[str, float]:
    """The code of the language that a text is most likely in, and its probability."""
    return _ranked(text[:CHARACTERS])[0]


def known_shares(vocabulary: Collection[str], ready: Sequence[str]) -> np.ndarray:
    """
    The share of known words of every text (see `terms.spaced`; float64), nan where it has no word of letters.

    One unknown word in Latin letters counts as known: `Awwwesome` is no other language. `@name` is no word.
    """
    shares = np.full(len(ready), np.nan)
    for row, text in enumerate(ready):
        tokens = text.split(" ")
        words = [
            word for before, word in zip(["", *tokens], tokens, strict=False) if word[:1].isalpha() and before != "@"
        ]
        if words:
            unknown = [word for word in words if word not in vocabulary]
            proves_nothing = len(unknown) == 1 and max(unknown[0]) <= LAST_LATIN
            shares[row] = 1.0 if proves_nothing else 1 - len(unknown) / len(words)
    return shares


def foreign_words(code: str, learnt: Mapping[str, int]) -> str:
    """Why a text of a language that the model never saw has no answer."""
    names = [NAMES[each] for each in learnt]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"It is in {NAMES[code]}; the model learnt from {listed}."


def spread_rows(count: int) -> np.ndarray:
    """Places of the texts that are looked at, of so many."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_LOOKED_AT)).astype(np.int64)) if count else np.arange(0)


def _likeliest(text: str) -> tuple[str | None, float, dict[str, float]]:
    """The language that a text is surely in, the probability of the likeliest, and all with theirs, likeliest first."""
    ranked = dict(_ranked(text[:CHARACTERS]))
    best, sure = next(iter(ranked.items()))
    return best if sure >= SURE else None, sure, ranked


@lru_cache(maxsize=REMEMBERED)
def _ranked(text: str) -> tuple[tuple[str, float], ...]:
    """The languages that a text may be in, with their probabilities, the likeliest first; the unlikely are left out."""
    with _reading:
        ranked = _identifier().rank(text)
    return tuple(pair for place, pair in enumerate(ranked) if place == 0 or pair[1] >= NEVER)


@lru_cache(maxsize=1)
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(NAMES)
    return identifier
