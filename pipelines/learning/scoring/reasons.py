"""Why a row scores as it does: its strongest contributions as JSON, and the first three in words.

Everything is done per column or per block of rows: a text is written once for every value that looks the same.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pipelines.learning.columns.kinds import as_numbers
from pipelines.learning.learners.candidates import Rows
from pipelines.learning.learners.encoding import Encoding
from pipelines.learning.scoring.wording import Reason, reason_writer, shortened, signed_amount, stem

TOP_REASONS = 8
IN_WORDS = 3
BLOCK_ROWS = 20_000
"""Rows whose reasons are written at a time, to stay within memory."""
MOST_MENTIONS = 3
LEAST_OF_STRONGEST = 0.25

Mentions = Callable[[int, np.ndarray, bool], list[list[str]]]
"""Column, rows and whether it raises → the words of each row that pull that way."""


@dataclass(frozen=True)
class Telling:
    """How columns are shown and told."""

    kinds: Mapping[str, dict]
    """Column → its state in the encoding (`kind`, `typical`, `reference_day`); one that it lacks is text."""
    likelihood: str
    as_of: str | None = None
    """Column that dates are counted back from."""
    descriptions: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    mentions: Mentions | None = None
    link: str | None = None
    """Of an amount: `identity` where contributions are amounts, `log` where they are logarithms of factors."""


def build_reasons(
    names: Sequence[str], parts: np.ndarray, odds: np.ndarray, base: float, frame: pl.DataFrame, telling: Telling
) -> pl.DataFrame:
    """Reasons of every row: `reasons` (JSON) and `reason_1` to `reason_3` (words), never null.

    `parts`: contributions (rows × columns, log-odds) of the columns `names`; `odds`: what base + contributions +
    remainder add up to; `frame`: the rows' values, tidied (a column that it lacks is missing). The JSON is a list of
    {feature, value, contribution, words, text} (where an amount's contributions are logarithms: `factor`, which
    multiply): `base` (with the `likelihood` that all are about), at most `TOP_REASONS` columns, `other`; `words` say
    what is, `text` also what is usual and which way it pulls. The three reasons in words are from different sources,
    and so are the first ones in the JSON.
    """
    blocks = []
    for first in range(0, max(len(parts), 1), BLOCK_ROWS):
        rows = slice(first, first + BLOCK_ROWS)
        blocks.append(_block(names, parts[rows], odds[rows], base, frame[rows], telling, first))
    return pl.concat(blocks)


def strongest_columns(names: Sequence[str], parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of each row's strongest columns (rows × at most `TOP_REASONS`, -1 for none), and how many come first.

    First the strongest column of each of the `IN_WORDS` strongest sources, then the others by size. A source counts
    with the sum of its columns: two windows of one measure that pull apart cancel out.
    """
    rows, columns = parts.shape
    if not columns or not rows:
        return np.full((rows, 0), -1), np.zeros(rows, dtype=np.int64)
    stems = [stem(name) for name in names]
    numbers = {each: number for number, each in enumerate(dict.fromkeys(stems))}
    source_of = np.array([numbers[each] for each in stems])
    by_source = np.zeros((rows, len(numbers)))
    _add_by_owner(by_source, parts, source_of)
    leading = _largest(np.abs(by_source), IN_WORDS)
    every = np.arange(rows)
    chosen = []
    strength = np.abs(parts)
    for source in leading.T:
        direction = np.sign(by_source[every, source])
        pulls = np.where(source_of == source[:, None], parts * direction[:, None], -np.inf)
        best = np.where(direction != 0, pulls.argmax(axis=1), -1)
        strength[every[best >= 0], best[best >= 0]] = 0.0
        chosen.append(best)
    rest = _largest(strength, TOP_REASONS)
    rest = np.where(np.take_along_axis(strength, rest, axis=1) > 0, rest, -1)
    picked = np.column_stack([*chosen, rest])
    # The sources that have nothing to say go last, without changing the order of the others.
    order = np.argsort(picked < 0, axis=1, kind="stable")[:, :TOP_REASONS]
    return np.take_along_axis(picked, order, axis=1), (np.stack(chosen) >= 0).sum(axis=0)


def _add_by_owner(result: np.ndarray, values: np.ndarray, owners: np.ndarray) -> None:
    """Sum columns into their owners' columns; columns of an owner need not be neighbours."""
    order = np.argsort(owners, kind="stable")
    ordered = owners[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    together = values if np.array_equal(order, np.arange(len(order))) else values[:, order]
    result[:, ordered[starts]] += np.add.reduceat(together, starts, axis=1)


def _largest(values: np.ndarray, most: int) -> np.ndarray:
    """Positions of the largest values of each row, in descending order."""
    most = min(most, values.shape[1])
    if most < values.shape[1]:
        some = np.sort(np.argpartition(-values, most - 1, axis=1)[:, :most], axis=1)
    else:
        some = np.broadcast_to(np.arange(most), (len(values), most))
    order = np.argsort(-np.take_along_axis(values, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)


def mentions_of(encoding: Encoding, rows: Rows, weights: np.ndarray, frame: pl.DataFrame) -> Mentions:
    """Which words of a text column moved a row most: its terms' weight × value, as the rows' text spells them.

    `weights`: log-odds per unit of every text term. At most `MOST_MENTIONS` words or pairs of words that do not
    overlap, none with less than `LEAST_OF_STRONGEST` of the strongest one's pull.
    """
    names = encoding.names
    terms = np.array([term for text in encoding.texts for term in text["vocabulary"]], dtype=object)
    is_word = np.concatenate([np.full(len(text["vocabulary"]), text["analyzer"] == "word") for text in encoding.texts])

    def mentions(position: int, some: np.ndarray, raises: bool) -> list[list[str]]:
        selected = np.flatnonzero(is_word & (rows.text_owners == position))
        pulls = rows.text[some][:, selected].multiply(weights[selected] * (1 if raises else -1)).tocsr()
        written = frame[names[position]].gather(some).to_list() if names[position] in frame.columns else []
        result = []
        for row, text in enumerate(written or [None] * len(some)):
            own = slice(pulls.indptr[row], pulls.indptr[row + 1])
            result.append(_as_written(_strongest_terms(terms[selected[pulls.indices[own]]], pulls.data[own]), text))
        return result

    return mentions


def _strongest_terms(terms: np.ndarray, pulls: np.ndarray) -> list[str]:
    chosen: list[str] = []
    used: set[str] = set()
    for place in np.argsort(-pulls, kind="stable"):
        if len(chosen) == MOST_MENTIONS or pulls[place] <= max(0.0, LEAST_OF_STRONGEST * pulls.max()):
            break
        words = set(terms[place].split())
        if not words & used:
            chosen.append(terms[place])
            used |= words
    return chosen


def _as_written(terms: list[str], text: str | None) -> list[str]:
    """Terms have lost their accents; find the words in the text that they stem from."""
    if not terms or text is None or text.isascii():
        return terms
    from sklearn.feature_extraction.text import strip_accents_unicode

    spelling = {strip_accents_unicode(word): word for word in re.findall(r"\w+", text.lower())}
    return [" ".join(spelling.get(word, word) for word in term.split()) for term in terms]


def _block(
    names: Sequence[str],
    parts: np.ndarray,
    odds: np.ndarray,
    base: float,
    frame: pl.DataFrame,
    telling: Telling,
    first_row: int,
) -> pl.DataFrame:
    picked, leading = strongest_columns(names, parts)
    rows, places = picked.shape
    every = np.arange(rows)
    shares = np.where(picked >= 0, parts[every[:, None], picked], 0.0) if places else np.zeros((rows, 0))
    texts: list[Reason] = []
    values: list[pl.Series] = []
    explained = np.zeros(rows * places, dtype=np.int64)
    flat, share, at = picked.ravel(), shares.ravel(), np.repeat(every, places)
    order = np.argsort(flat, kind="stable")
    order = order[flat[order] >= 0]
    for selected in np.split(order, np.flatnonzero(np.diff(flat[order])) + 1) if len(order) else []:
        position = int(flat[selected[0]])
        name = names[position]
        kind, value, looks = _shown(name, frame, at[selected], telling)
        values.append(value)
        write = _writer(name, kind, telling)
        for raises in (False, True):
            same = np.flatnonzero((share[selected] > 0) == raises)
            own = [looks[i] for i in same]
            mentions = [()] * len(own)
            if kind == "text" and telling.mentions is not None:
                mentions = telling.mentions(position, at[selected[same]] + first_row, raises)
            explained[selected[same]] = _tell(write, own, mentions, raises, texts)
    is_factor = telling.link == "log"
    pull = "factor" if is_factor else "contribution"
    size = np.exp if is_factor else np.asarray
    effect = pl.Series([""]).new_from_index(0, len(share)) if telling.link is None else _effects(share, is_factor)
    entry = _entries(names, flat, order, (pull, size(share)), values, texts, explained, effect)
    typical = f"The typical {telling.likelihood} before any reason"
    begin = _json(
        {"feature": "base", "value": None, pull: float(size(base)), "likelihood": telling.likelihood, "text": typical}
    )
    result = {
        "reasons": pl.select(
            pl.concat_str(
                pl.lit(f"[{begin}"),
                *(entry.gather_every(places, place) for place in range(places)),
                pl.lit(f', {{"feature": "other", "value": null, "{pull}": '),
                pl.Series(size(odds - base - shares.sum(axis=1))).cast(pl.String),
                pl.lit(', "text": "Everything else together"}]'),
            )
        ).to_series()
    }
    nothing = pl.Series([f"Nothing {word}stands out: a typical {telling.likelihood}" for word in ("", "else ")])
    words = pl.Series([each.text for each in texts], dtype=pl.String)
    for place in range(IN_WORDS):
        reason = nothing.gather((leading > 0).astype(np.int64))
        if place < places and len(words):
            own = words.gather(explained[place::places]) + effect.gather_every(places, place)
            reason = own.zip_with(pl.Series(leading > place), reason)
        result[f"reason_{place + 1}"] = reason
    return pl.DataFrame(result)


def _entries(
    names: Sequence[str],
    flat: np.ndarray,
    order: np.ndarray,
    pull: tuple[str, np.ndarray],
    values: list[pl.Series],
    texts: list[Reason],
    explained: np.ndarray,
    effect: pl.Series,
) -> pl.Series:
    """The JSON object of every place, with the comma before it; nothing where no column was picked.

    `pull`: what contributions are called, and those of every place; `effect`: what follows its text.
    """
    if not len(order):
        return pl.Series([""] * len(flat), dtype=pl.String)
    heads = pl.Series([f', {{"feature": {_json(name)}, "value": ' for name in names])
    wordings = pl.Series([f'"words": {_json(words)}, "text": {_json(text)[:-1]}' for words, text in texts])
    written = pl.select(
        pl.concat_str(
            heads.gather(flat[order]),
            pl.concat(values).fill_null("null"),
            pl.lit(f', "{pull[0]}": '),
            pl.Series(pull[1][order]).cast(pl.String),
            pl.lit(", "),
            wordings.gather(explained[order]),
            effect.gather(order),
            pl.lit('"}'),
        )
    ).to_series()
    place_of = np.full(len(flat), len(order))
    place_of[order] = np.arange(len(order))
    return written.append(pl.Series([""])).gather(place_of)


def _effects(share: np.ndarray, is_factor: bool) -> pl.Series:
    """What every contribution to an amount does, in words: " (+1,250)", or " (x1.3)" for the logarithm of a factor."""
    rounded = np.round(np.exp(share), 2) if is_factor else _rounded(pl.Series(share)).to_numpy()
    distinct, place = np.unique(rounded, return_inverse=True)
    words = [f" (x{each:g})" if is_factor else f" ({signed_amount(each)})" for each in distinct.tolist()]
    return pl.Series(words, dtype=pl.String).gather(place)


def _tell(
    write: Callable[..., Reason], looks: list, mentions: list[Sequence[str]], raises: bool, texts: list[Reason]
) -> list[int]:
    """Number of every row's text; new ones are added to `texts`."""
    seen: dict[tuple, int] = {}
    numbers = []
    for key in zip(looks, map(tuple, mentions), strict=True):
        number = seen.get(key)
        if number is None:
            number = seen[key] = len(texts)
            texts.append(write(key[0], raises, key[1]))
        numbers.append(number)
    return numbers


def _writer(name: str, kind: str, telling: Telling) -> Callable[..., Reason]:
    typical = telling.kinds[name].get("typical") if kind in ("number", "date") else None
    # What an amount's reason does is a figure of the row's own, which follows the text.
    likelihood = telling.likelihood if telling.link is None else None
    return reason_writer(name, kind, typical, telling.descriptions, likelihood, telling.templates.get(name))


def _shown(name: str, frame: pl.DataFrame, rows: np.ndarray, telling: Telling) -> tuple[str, pl.Series, list]:
    """Kind, some rows' values as JSON (null where missing), and how they look in words (None where missing)."""
    column = telling.kinds.get(name, {})
    kind = column.get("kind", "text")
    if name not in frame.columns:
        return kind, pl.Series([None] * len(rows), dtype=pl.String), [None] * len(rows)
    values = frame[name].gather(rows)
    if kind in ("category", "text"):
        looks = values.cast(pl.String, strict=False).str.strip_chars().replace("", None).to_list()
        # A text may be a whole mail: of it no more than a reason quotes.
        return kind, _each_as_json([each and shortened(each) for each in looks] if kind == "text" else looks), looks
    if kind == "boolean":
        looks = _as_booleans(values).to_list()
        return kind, _each_as_json(looks), looks
    numbers = as_numbers(values)
    if kind == "date":
        now = column.get("reference_day", 0.0)
        if telling.as_of in frame.columns:
            now = as_numbers(frame[telling.as_of].gather(rows))
        return kind, _each_as_json(values.cast(pl.String, strict=False).to_list()), (now - numbers).round().to_list()
    # A number of single precision has fewer digits than its double.
    exact = numbers.cast(pl.Float32) if values.dtype == pl.Float32 else numbers
    return kind, exact.cast(pl.String).str.strip_suffix(".0"), _rounded(numbers).to_list()


def _as_booleans(values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        words = {"true": True, "false": False, "yes": True, "no": False}
        return values.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
    return as_numbers(values) != 0


def _rounded(numbers: pl.Series) -> pl.Series:
    """To the digits that are shown, so that values which look the same are told once."""
    values = numbers.to_numpy()
    size = np.abs(np.nan_to_num(values))
    digits = 2 - np.floor(np.log10(np.maximum(size, 1e-3)))
    scale = 10.0 ** np.where(size >= 1_000, 0.0, np.where(size >= 100, 1.0, digits))
    rounded = np.where(size < 1e-3, values, np.round(values * scale) / scale)
    return pl.Series(np.where(values == np.round(values), values, rounded), nan_to_null=True)


def _each_as_json(values: list) -> pl.Series:
    written = {each: _json(each) for each in dict.fromkeys(values) if each is not None}
    return pl.Series([written.get(each) for each in values], dtype=pl.String)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
