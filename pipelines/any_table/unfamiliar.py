"""The table to score beside the one learnt from: values never seen, values of another type, ranges left, blanks."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import polars as pl

from pipelines.learning.scoring.wording import describe_value
from pipelines.values.words import NO_VALUE_WORDS, says_nothing

if TYPE_CHECKING:
    from pipelines.learning.columns.types import TypePlan

MOST_NAMED = 3
NAMED_FROM, EMPTIER_BY = 0.05, 0.1
"""Shares of the rows from which a column is named in the output."""
SHOWN = 40
TYPES = {"number": "number", "date": "date", "boolean": "yes or no"}


def compared(
    learnt: pl.DataFrame, given: pl.DataFrame, scored: pl.DataFrame, plan: "TypePlan", columns: Sequence[str]
) -> list[dict]:
    """
    One entry for each of the columns that a model uses, as plain values; shares are of the rows to score.

    `learnt`: typed rows with a known answer; `given`: the rows to score as they came, `scored`: typed. Keys: column,
    is_missing (the table has no such column), never_seen (a category or a yes or no that no row learnt from has),
    example (of these), not_read (values that are not of the column's type), not_read_example, below and above (what was
    learnt from: low, high), empty and empty_before (of the rows learnt from), stands_out (by more than chance explains)
    and words.
    """
    sources = {column["name"]: column["source"] for column in plan.columns}
    entries = []
    for name in columns:
        raw = next((given[each] for each in (sources[name], name) if each in given.columns), None)
        entry = _entry(name, plan.kinds[name], learnt[name], raw, scored[name])
        entries.append({**entry, "words": ", ".join(_words(entry, plan.kinds[name]))})
    return entries


def in_a_line(entries: Sequence[dict], table: str) -> str | None:
    """What stands out, in one sentence; None where nothing does."""
    found = sorted((each for each in entries if each["stands_out"]), key=lambda each: -_most(each))
    if not found:
        return None
    named = [f"{each['column']}: {each['words']}" for each in found[:MOST_NAMED]]
    more = f"; and {len(found) - MOST_NAMED} more columns" if len(found) > MOST_NAMED else ""
    return f"{table} is unlike the rows learnt from. {'; '.join(named)}{more}."


def _entry(name: str, kind: str, learnt: pl.Series, raw: pl.Series | None, scored: pl.Series) -> dict:
    rows, known, before = scored.len(), scored.drop_nulls(), learnt.drop_nulls()
    entry: dict = {"column": name, "is_missing": raw is None, "empty": scored.null_count() / rows}
    entry["empty_before"] = learnt.null_count() / learnt.len()
    strange = entry["empty"] - entry["empty_before"] >= EMPTIER_BY
    if raw is not None:
        odd = _not_read(raw, scored)
        entry["not_read"], entry["not_read_example"] = len(odd) / rows, _shown(odd)
        strange |= entry["not_read"] >= NAMED_FROM
    if kind in ("category", "boolean"):
        new = known.filter(~known.is_in(before.unique().implode()))
        entry["never_seen"], entry["example"] = len(new) / rows, _shown(new)
        # Good (1953): a new row has a new value as often as a value was there once.
        alone = int((before.value_counts(name="rows")["rows"] == 1).sum()) / max(1, before.len())
        strange |= _is_beyond_chance(len(new), alone * rows) and entry["never_seen"] >= NAMED_FROM
    elif kind in ("number", "date") and before.len():
        low, high = before.min(), before.max()
        below, above = int((known < low).sum()), int((known > high).sum())
        entry |= {"below": below / rows, "above": above / rows}
        entry |= {end: value if kind == "number" else str(value) for end, value in (("low", low), ("high", high))}
        by_chance = rows / (before.len() + 1)
        strange |= any(_is_beyond_chance(n, by_chance) and n >= NAMED_FROM * rows for n in (below, above))
    entry["stands_out"] = bool(strange or entry["is_missing"])
    return entry


def _not_read(raw: pl.Series, scored: pl.Series) -> pl.Series:
    """Values that say something and were not read."""
    lost = raw.filter(scored.is_null() & raw.is_not_null())
    if lost.dtype == pl.String:
        return lost.filter(~says_nothing(lost, (), NO_VALUE_WORDS))
    return lost.filter(lost.is_finite()) if lost.dtype.is_float() else lost


def _is_beyond_chance(count: int, expected: float) -> bool:
    return count > expected + 3 * math.sqrt(expected) + 1


def _shown(values: pl.Series) -> str | None:
    """The commonest value, as a text; None where there is none."""
    texts = values.cast(pl.String, strict=False).drop_nulls()
    return None if texts.is_empty() else str(texts.mode().min())[:SHOWN]


def _words(entry: dict, kind: str) -> Iterator[str]:
    if entry["is_missing"]:
        yield "it is not there"
        return
    if share := entry.get("not_read"):
        yield f"{_share(share)} are no {TYPES.get(kind, kind)}, such as '{entry['not_read_example']}'"
    if share := entry.get("never_seen"):
        yield f"{_share(share)} have a value that was never there, such as '{entry['example']}'"
    for side, end, most in (("below", "low", "least"), ("above", "high", "most")):
        if share := entry.get(side):
            value = describe_value(entry[end], "number") if kind == "number" else entry[end]
            named = {"least": "first", "most": "last"}[most] if kind == "date" else most
            sides = {"below": "before", "above": "after"}[side] if kind == "date" else side
            yield f"{_share(share)} are {sides} {value}, the {named} that was there"
    # What was not read is empty, too.
    empty = entry["empty"] - (entry.get("not_read") or 0.0)
    if empty - entry["empty_before"] >= EMPTIER_BY:
        yield f"{_share(empty)} are empty, of those learnt from {_share(entry['empty_before'])}"


def _share(share: float) -> str:
    return "none" if not share else "under 1%" if share < 0.01 else f"{share:.0%}"


def _most(entry: dict) -> float:
    shares = ("never_seen", "not_read", "below", "above", "empty")
    return 2.0 if entry["is_missing"] else max(entry.get(name) or 0.0 for name in shares)
