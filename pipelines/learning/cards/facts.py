"""What the model card's page reads from the facts, and how it writes figures.

Facts come from JSON of any version: what is missing, of another type or not finite counts as not there.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise

from pipelines.learning.cards.svg import percent
from pipelines.learning.judging import evaluation
from pipelines.learning.judging.holdback import rate_interval

NBSP = "\N{NO-BREAK SPACE}"
OFF_BY = 0.1
"""A predicted rate that chance does not explain and that is off by more than this share of itself is called off."""
SURE = 0.995
"""Of each tenth's interval, so that of ten none is called off by chance, 95 times in 100 (Bonferroni)."""


@dataclass(frozen=True)
class ScoreOutcome:
    """What came of one grade of a past release, or of a day that was backfilled: a row of `score_outcomes`."""

    as_of_date: date
    release_id: str
    is_backfill: bool
    """Scored later, by a model and features as they would have been then."""
    grade: str
    rows: int
    """Those whose outcome is known: at least one."""
    predicted_rate: float
    actual_rate: float
    money_expected: float | None = None
    money_come: float | None = None
    currency: str | None = None


@dataclass(frozen=True)
class PastScoring:
    """What came of one past release or backfilled day, by grade; the most likely grade first."""

    as_of_date: date
    release_id: str
    is_backfill: bool
    grades: list[ScoreOutcome]


def past_scorings(outcomes: Iterable[ScoreOutcome]) -> list[PastScoring]:
    """Releases and backfilled days apart, also those of one date; the oldest first."""

    def of(row: ScoreOutcome) -> tuple[date, bool, str]:
        return row.as_of_date, not row.is_backfill, row.release_id

    ordered = sorted(outcomes, key=lambda row: (*of(row), row.grade))
    groups = [list(rows) for _, rows in groupby(ordered, key=of)]
    return [PastScoring(rows[0].as_of_date, rows[0].release_id, rows[0].is_backfill, rows) for rows in groups]


def off_tenths(deciles: list[dict]) -> list[dict]:
    """Tenths whose predicted rate chance does not explain, and that are off by enough to matter."""
    off = []
    for row in deciles:
        estimated, happened = row["predicted_rate"], row["observed_rate"]
        low, high = rate_interval(happened * row["rows"], row["rows"], SURE)
        if not low <= estimated <= high and abs(estimated - happened) > OFF_BY * max(estimated, happened):
            off.append(row)
    return off


def tenths(facts: dict) -> list[dict]:
    """Tenths with rows and both rates, the highest first; none for classes and amounts."""
    if facts.get("task") in ("classes", "amount"):
        return []
    needed = ("decile", "rows", "positives", "predicted_rate", "observed_rate")
    rows = [row for row in dicts(facts, "deciles") if all(finite(row.get(key)) is not None for key in needed)]
    return sorted((row for row in rows if row["rows"] > 0), key=lambda row: row["decile"])


def gain_curve(deciles: list[dict]) -> list[tuple[float, float]]:
    """Share of rows and share of all yes, from (0, 0) to the end of the list."""
    rows, yes = sum(row["rows"] for row in deciles), sum(row["positives"] for row in deciles)
    points, seen, found = [(0.0, 0.0)], 0.0, 0.0
    for row in deciles:
        seen, found = seen + row["rows"], found + row["positives"]
        points.append((seen / rows, found / yes if yes else 0.0))
    return points


def gain_at(deciles: list[dict], share: float) -> float | None:
    """The share of all yes within the first `share` of the rows, straight between the tenths."""
    curve = gain_curve(deciles)
    for (a, low), (b, high) in pairwise(curve):
        if b >= share - 1e-9:
            return low + (high - low) * min(1.0, (share - a) / (b - a))
    return None


def base_rate(facts: dict) -> float | None:
    """The rate of yes among all, where it is neither none nor all."""
    rate = finite(facts.get("base_rate"))
    return rate if rate is not None and 0 < rate < 1 else None


def scale_for(rate: float) -> int:
    """Of how many people to speak so that the rate is a whole number of them: 100, 1,000, ..."""
    return next((scale for scale in (100, 1_000, 10_000, 100_000) if rate * scale >= 0.95), 1_000_000)


def effects_of(row: dict) -> list[dict]:
    """How the values of a driver's column move the estimate."""
    return [each for each in dicts(row, "effects") if "label" in each and finite(each.get("contribution")) is not None]


def class_rows(facts: dict) -> list[dict]:
    """The classes that have a name and a number of rows."""
    return [row for row in dicts(facts, "classes") if "class" in row and finite(row.get("rows")) is not None]


def dicts(facts: dict, key: str) -> list[dict]:
    """The entries of a list in the facts."""
    return [row for row in facts.get(key) or [] if isinstance(row, dict)]


def texts(facts: dict, key: str) -> list[str]:
    """The statements of a list in the facts."""
    return [str(each) for each in facts.get(key) or [] if each]


def model_name(facts: dict) -> str:
    """What the card is called."""
    return str(facts.get("name") or "Model")


def rows_called(facts: dict) -> str:
    """What a row is, in the plural."""
    return str(facts.get("rows_word") or "rows")


def what_they_do(facts: dict) -> str:
    """What those with a yes do: "leave within 90 days", or that the question's answer is yes."""
    return str(facts.get("yes_words") or (f"are a yes ({facts['question']})" if facts.get("question") else "are a yes"))


def short_for(verb: str) -> tuple[str, str]:
    """How to say again what they do, now and in the past: ("do", "did") for "leave", ("are", "were") for "are won"."""
    return ("are", "were") if verb.startswith("are ") else ("do", "did")


def driver_words(row: dict) -> str:
    """What a driver's column is called."""
    words = str(row.get("words") or row.get("column") or "?")
    return capital(re.sub(r"^custom field ", "", words, flags=re.IGNORECASE))


def listed(parts: list[str]) -> str:
    """Words with commas between, and "and" before the last."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def finite(value: object) -> float | None:
    """A finite number, or None."""
    return evaluation.finite(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def maybe_percent(value: object, digits: int | None = None) -> str:
    """A share in words; nothing where it is not known."""
    number = finite(value)
    return "" if number is None else percent(number, digits)


def fixed(value: object, digits: int) -> str:
    """A figure with so many digits; nothing where it is not known."""
    number = finite(value)
    return "" if number is None else f"{number:.{digits}f}"


def count_words(value: object) -> str:
    """A whole number with separators; nothing where it is not known."""
    number = finite(value)
    return "" if number is None else f"{number:,.0f}"


def signed(value: float) -> str:
    """A figure with its sign."""
    return f"{value:+.2f}".replace("-", "−")


def signed_points(value: float) -> str:
    """A difference of shares, in percentage points with its sign."""
    return f"{100 * value:+.{0 if abs(value) >= 0.0095 else 1}f}".replace("-", "−")


def in_points(share: float) -> str:
    """A distance of shares, in percentage points."""
    return f"{100 * share:.1f}{NBSP}points"


def money_words(value: object, currency: object) -> str | None:
    """An amount with its currency, if it has one; None where it is not known."""
    number = finite(value)
    if number is None:
        return None
    size = next(((unit, word) for unit, word in ((1e9, "bn"), (1e6, "M")) if abs(number) >= unit), None)
    words = f"{number / size[0]:,.2f}{NBSP}{size[1]}" if size else f"{number:,.0f}"
    return f"{words}{NBSP}{currency}" if currency else words


def some(count: int, word: str) -> str:
    """A count and what is counted: One column, Three columns, 12 columns."""
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
    return f"{words[count] if count < len(words) else f'{count:,}'} {word}{'' if count == 1 else 's'}"


def capital(words: str) -> str:
    """The first letter large."""
    return words[:1].upper() + words[1:]
