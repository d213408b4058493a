"""How texts are put together from templates, and how people spoil them: typos, haste, slang, markup, quotes."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from pipelines.sample.draws import Draws, Keys
from pipelines.sample.frames import either, pick
from pipelines.sample.phrases.slots import FEATURES, SLANG, SLOTS

LANGUAGES = ("en", "de")
GERMANY = 2
"""As `content.COUNTRIES` has it."""
SENTIMENTS = ("negative", "neutral", "positive")
TYPOS = ("swapped", "missing", "doubled")
SHORTEST_WITH_TYPO = 8


def german(draws: Draws, person: np.ndarray, country: np.ndarray, elsewhere: float) -> np.ndarray:
    """1 for persons who write German, 0 for English: most in Germany, and a share of those elsewhere."""
    return (draws.uniform("language", person) < np.where(country == GERMANY, 0.9, elsewhere)).astype(np.int64)


def sentiment_of(mood: np.ndarray) -> np.ndarray:
    """0 negative, 1 neutral, 2 positive, for a mood around 0."""
    return 1 + (mood > 0.6).astype(np.int64) - (mood < -0.6).astype(np.int64)


def drawn(lists: Sequence[Sequence[str]], group: np.ndarray, draws: Draws, stream: str, *keys: Keys) -> pl.Series:
    """A text for each row, drawn from the list with the number of the row's group."""
    starts = np.cumsum([0, *map(len, lists)])
    sizes = np.array([len(texts) for texts in lists])
    position = starts[group] + draws.integer(stream, sizes[group], *keys)
    return pick([text for texts in lists for text in texts], position)


def spoken(
    options: Mapping[str, Mapping[str, Sequence[str]] | Sequence[Sequence[str]] | Sequence[str]],
    language: np.ndarray,
    group: np.ndarray | None,
    draws: Draws,
    stream: str,
    *keys: Keys,
) -> pl.Series:
    """A text for each row in its language: of `options[language]`, or of the list there with the row's group."""
    if group is None:
        return drawn([options[name] for name in LANGUAGES], language, draws, stream, *keys)
    lists = [
        texts
        for name in LANGUAGES
        for texts in (options[name].values() if isinstance(options[name], Mapping) else options[name])
    ]
    return drawn(lists, language * (len(lists) // len(LANGUAGES)) + group, draws, stream, *keys)


def fill(texts: pl.Series, **words: pl.Series | str) -> pl.Series:
    """Replace `{name}` in each text by that word of the same row."""
    frame = pl.DataFrame({"text": texts})
    for name, values in words.items():
        word = pl.lit(values) if isinstance(values, str) else pl.lit(pl.Series(values))
        frame = frame.with_columns(pl.col("text").str.replace_all(f"{{{name}}}", word, literal=True))
    return frame["text"]


def filled(
    texts: pl.Series, language: np.ndarray, feature: np.ndarray, draws: Draws, stream: str, *keys: Keys
) -> pl.Series:
    """The texts with all slots filled in their language; `feature` is the number of the row's `{feature}`."""
    names = [words[number] for number in range(len(LANGUAGES)) for words in FEATURES]
    words = {"feature": pick(names, language * len(FEATURES) + feature)}
    for name, options in SLOTS.items():
        words[name] = drawn(options, language, draws, f"{stream}/{name}", *keys)
    return fill(texts, **words)


def capital(texts: pl.Series) -> pl.Series:
    """With a capital first letter."""
    return texts.str.slice(0, 1).str.to_uppercase() + texts.str.slice(1)


def maybe(mask: np.ndarray, texts: pl.Series, before: str = " ") -> pl.Series:
    """The texts, after `before`, where the mask is true; empty elsewhere."""
    return either(mask, before + texts, "")


def hurried(texts: pl.Series, language: np.ndarray, draws: Draws, stream: str, *keys: Keys) -> pl.Series:
    """As people write: some without capitals or full stops, a few in capitals only, with slang and typos."""
    haste = draws.uniform(f"{stream}/haste", *keys)
    for number in range(len(LANGUAGES)):
        slang = SLANG[number]
        uses = draws.chance(f"{stream}/slang", 0.14, *keys) & (language == number)
        texts = _changed(
            texts, uses, lambda some, words=slang: some.str.replace_many(list(words), list(words.values()))
        )
    texts = _changed(texts, haste < 0.14, lambda some: some.str.to_lowercase())
    texts = _changed(texts, haste < 0.06, lambda some: some.str.replace_all(r"[.,](\s|$)", "$1"))
    texts = _changed(texts, haste > 0.975, lambda some: some.str.to_uppercase())
    texts = _changed(texts, (haste > 0.8) & (haste < 0.88), lambda some: some.str.strip_chars_end(".") + "!!")
    for number, share in enumerate((0.4, 0.25, 0.12)):
        texts = _with_typo(
            texts, draws.chance(f"{stream}/typo {number}", share, *keys), draws, f"{stream}/{number}", keys
        )
    return texts


def _with_typo(texts: pl.Series, mask: np.ndarray, draws: Draws, stream: str, keys: tuple[Keys, ...]) -> pl.Series:
    """Two letters swapped, one missing, or one doubled."""
    length = texts.str.len_chars().to_numpy()
    rows = np.flatnonzero(mask & (length >= SHORTEST_WITH_TYPO))
    at = (1 + draws.integer(f"{stream}/at", np.maximum(length - 3, 1), *keys))[rows]
    kind = draws.integer(f"{stream}/kind", len(TYPOS), *keys)[rows]
    frame = pl.DataFrame({"text": texts[rows], "at": at, "kind": kind})
    first, second = (pl.col("text").str.slice(pl.col("at") + step, 1) for step in (0, 1))
    middle = (
        pl.when(pl.col("kind") == 0)
        .then(second + first)
        .when(pl.col("kind") == 1)
        .then(second)
        .otherwise(first + first + second)
    )
    spoilt = frame.select(
        pl.col("text").str.slice(0, pl.col("at")) + middle + pl.col("text").str.slice(pl.col("at") + 2)
    ).to_series()
    return _put(texts, rows, spoilt)


def marked_up(texts: pl.Series, mask: np.ndarray) -> pl.Series:
    """Where the mask is true as HTML, as some mail programs and chat windows send it."""
    return _changed(
        texts,
        mask,
        lambda some: (
            '<div dir="ltr"><p>'
            + some.str.replace_all("&", "&amp;", literal=True).str.replace_all(". ", ".</p><p>&nbsp;", literal=True)
            + "</p><br></div>"
        ),
    )


def _changed(texts: pl.Series, mask: np.ndarray, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    rows = np.flatnonzero(mask)
    return _put(texts, rows, change(texts[rows])) if len(rows) else texts


def _put(texts: pl.Series, rows: np.ndarray, values: pl.Series) -> pl.Series:
    """The texts with others in the given rows."""
    place = np.arange(len(texts))
    place[rows] = len(texts) + np.arange(len(rows))
    return pl.concat([texts, values.rename(texts.name)]).gather(pl.Series(place, dtype=pl.Int64))
