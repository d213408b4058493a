"""Reasons in words: "Logins in the last 7 days: 3, usually 12 (raises the risk)"."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

WINDOW = re.compile(r"_(\d+)d(?=_|$)")
PARENTS = {"person_": "person", "account_": "company"}
"""Whose features come along under this prefix, and what people call the owner."""
AGGREGATES = re.compile(r"_(?:sum|count|avg|average|min|max|median|distinct|rate|ever)(?=_|$)")
AGGREGATED = re.compile(r"(.+?)_(sum|count|avg|average|min|max|median)_(?:(\d+)d_vs_(\d+)d|(\d+)d|ever)(?:_(.+))?$")
AGGREGATE_WORDS = {"avg": "average ", "average": "average ", "min": "lowest ", "max": "highest ", "median": "median "}
RECENCY = re.compile(r"days since (?:(?:the )?(last|latest|first) )?(.+)$", re.IGNORECASE)
NO_NOUN = re.compile(
    r"(?:days since|number of|average|what|where|when|whether|how|the|an?|at|is|has|was)\b|.*[,:(]", re.IGNORECASE
)
"""Descriptions that "no ... on record" and "the company's ..." cannot go with."""
LONG_AGO_DAYS = 730
MOST_QUOTED = 58
"""Characters of a text."""

Clause = Callable[[object, Sequence[str]], tuple[str, str]]
"""Value and mentions → the words, and the comparison that follows them."""


def stem(feature: str) -> str:
    """The source that a feature stems from, so that three windows of one measure do not fill three reasons.

    >>> stem("usage_logins_sum_7d_vs_28d"), stem("days_since_last_usage"), stem("account_tickets_count_ever"),
    stem("industry")
    ('usage', 'usage', 'account_tickets', 'industry')
    """
    parent = next((prefix for prefix in PARENTS if feature.startswith(prefix)), "")
    name = feature.removeprefix(parent)
    recency = re.match(r"days_since_(?:last_|first_)?(.+)", name)
    if recency:
        return parent + recency.group(1).split("_")[0]
    if WINDOW.search(name) or AGGREGATES.search(name):
        return parent + name.split("_")[0]
    return feature


@lru_cache(maxsize=10_000)
def humanise(feature: str) -> str:
    """A column name as words, where nobody has described it.

    >>> humanise("tickets_count_28d"), humanise("custom_industry_segment__c"), humanise("usage_logins_sum_7d_vs_28d")
    ('Tickets in the last 28 days', 'Industry segment', 'Usage logins per day, last 7 days against last 28')
    """
    prefix, name = _parent(feature)
    name = re.sub(r"__c$", "", name.strip()).removeprefix("custom_")
    aggregated = AGGREGATED.match(name)
    if aggregated:
        source, aggregate, short, long, days, rest = aggregated.groups()
        which = f" with {_spaced(rest)}" if rest else ""
        when = f" in the last {days} days" if days else " so far"
        when = f" per day, last {short} days against last {long}" if short else when
        words = AGGREGATE_WORDS.get(aggregate, "") + _spaced(source) + which + when
    else:
        words = _spaced(re.sub(r"_ever(?=_|$)", " so far", WINDOW.sub(r" in the last \1 days", name)))
    if not words:
        return feature
    return _capitalise(f"the {PARENTS[prefix]}'s {_uncapitalise(words)}" if prefix else words)


def describe_value(value: object, kind: str) -> str:
    """A value as people write it: 1,234 · 0.35 · yes · 12 days ago · in 30 days."""
    if kind == "boolean":
        return "yes" if value else "no"
    if kind == "date":
        days = round(float(value))
        if days == 0:
            return "today"
        far = f"{abs(days) / 365.25:.1f} years" if abs(days) >= LONG_AGO_DAYS else _days(str(abs(days)))
        return f"{far} ago" if days > 0 else f"in {far}"
    if kind == "number":
        return _number(float(value) + 0.0)  # -0 reads as 0
    text = " ".join(str(value).split())
    return f"“{shortened(text)}”" if kind == "text" else text


def shortened(text: str) -> str:
    """A text as far as it is quoted."""
    return text if len(text) <= MOST_QUOTED else f"{text[: MOST_QUOTED - 1]}…"


class Reason(NamedTuple):
    """A column's reason in words."""

    words: str
    """What is: "Logins in the last 7 days: 3"."""
    text: str
    """The same with the usual value and the effect: "..., usually 12 (raises the risk)"."""


def reason_writer(
    feature: str,
    kind: str,
    typical: object,
    descriptions: Mapping[str, str],
    likelihood: str | None,
    template: str | None = None,
) -> Callable[..., Reason]:
    """How a column's reasons are told: a function of value, whether it raises, and the words that mattered in a text.

    A value of None is missing (a date is given in days before as_of). `typical` None: there is nothing to compare with.
    `likelihood` None: the text does not say the effect.
    `template`: words to use instead where there is a value, such as "no login for {value} days".
    """
    clause = _clauses(feature, kind, typical, descriptions.get(feature) or "")
    effects = ("", "") if likelihood is None else (f" (lowers the {likelihood})", f" (raises the {likelihood})")
    plain = "number" if kind == "date" else kind
    usual = "unknown" if typical is None else describe_value(typical, plain)

    def write(value: object, raises: bool, mentions: Sequence[str] = ()) -> Reason:
        if template is None or value is None:
            words, comparison = clause(value, mentions)
        else:
            shown = _quoted(mentions) if mentions else describe_value(value, plain)
            words, comparison = _capitalise(template.format(value=shown, typical=usual)), ""
        return Reason(words, words + comparison + effects[bool(raises)])

    return write


def _clauses(feature: str, kind: str, typical: object, description: str) -> Clause:
    """The reason without its effect: what is, and how that compares with the usual value."""
    prefix, name = _parent(feature)
    label, words = _words(feature, kind, description)
    lead = f"{label}: " if label else ""
    start = _uncapitalise if label else _capitalise
    recency = RECENCY.match(words) or (None if description else RECENCY.match(_spaced(name)))
    if kind == "number" and recency:
        which, event = recency.groups()
        owner = PARENTS.get(prefix, "")
        return _recency(f"{_capitalise(owner)}: " if owner and owner not in event else "", which, event, typical)
    words = lead + start(words)
    is_noun = kind != "boolean" and kind != "date" and not label and not NO_NOUN.match(words)
    missing = f"No {_uncapitalise(words)} on record" if is_noun else f"{words}: unknown"
    usual = describe_value(typical, kind) if typical is not None and kind in ("number", "date") else None
    verb = "mention" if re.search(r"[^s]s$", words) else "mentions"

    def say(value: object, mentions: Sequence[str]) -> tuple[str, str]:
        if value is None:
            return missing, ""
        if mentions:
            return f"{words} {verb} {_quoted(mentions)}", ""
        shown = describe_value(value, kind)
        return f"{words}: {shown}", _comparison(shown, usual)

    return say


def _recency(lead: str, which: str | None, event: str, typical: object) -> Clause:
    """Reasons of a "days since": "No visit for 23 days, usually 2", "Last visit 3 days ago, usually 38"."""
    usual = None if typical is None else describe_value(typical, "number")
    start = str if lead else _capitalise
    happened = f"{which.lower()} {event}" if which else event

    def say(value: object, mentions: Sequence[str]) -> tuple[str, str]:
        if value is None:
            return lead + start(f"no {event} on record" if which else f"days since {event}: unknown"), ""
        shown = describe_value(value, "number")
        is_quiet = which and which.lower() != "first" and shown != "0" and shown != usual
        if is_quiet and (typical is None or value > typical):
            clause = f"no {event} for {_days(shown)}"
        else:
            clause = f"{happened} today" if shown == "0" else f"{happened} {_days(shown)} ago"
        return lead + start(clause), _comparison(shown, usual)

    return say


def _comparison(shown: str, usual: str | None) -> str:
    if usual is None:
        return ""
    return ", as usual" if usual == shown else f", usually {usual}"


def _words(feature: str, kind: str, description: str) -> tuple[str, str]:
    """Whose it is, where that must be said in front, and what it is called."""
    prefix, name = _parent(feature)
    words = description.strip().rstrip(".").strip()
    if not words:
        if kind == "date":
            name = re.sub(r"_(?:date|at|on)$", "", name)
        if kind == "boolean":
            name = re.sub(r"^(?:is|has|was)_", "", name)
        return "", humanise(prefix + name)
    owner = re.match(rf"(?:{prefix.rstrip('_')}|{PARENTS.get(prefix, '')}): ", words, re.IGNORECASE) if prefix else None
    if owner:
        words = words[owner.end() :]
    words = re.sub(r"^custom field ", "", words, flags=re.IGNORECASE)
    if kind == "boolean":
        words = re.sub(r"^whether ", "", words, flags=re.IGNORECASE)
    if not owner:
        return "", words
    if kind == "boolean" or NO_NOUN.match(words):
        return "" if PARENTS[prefix] in words.lower() else _capitalise(PARENTS[prefix]), words
    return "", f"the {PARENTS[prefix]}'s {_uncapitalise(words)}"


def _parent(feature: str) -> tuple[str, str]:
    """The prefix of a feature that comes from a parent, and the rest of its name."""
    prefix = next((each for each in PARENTS if feature.startswith(each) and len(feature) > len(each)), "")
    return prefix, feature.removeprefix(prefix)


def _spaced(name: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", name.replace("_", " "))).strip()


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"“{word}”" for word in words)


def _number(value: float) -> str:
    """Rounded as `reasons` rounds whole columns, or the same value would read 1.64 here and 1.65 there."""
    size = abs(value)
    if value == round(value) or size >= 1_000:
        return f"{round(value):,}"
    if size < 1e-3:
        return f"{value:.1g}"
    scale = 10.0 if size >= 100 else 10.0 ** (2 - math.floor(math.log10(size)))
    rounded = round(value * scale) / scale
    return f"{rounded:,.1f}".removesuffix(".0") if size >= 100 else f"{rounded:.3g}"


def signed_amount(value: float) -> str:
    """An amount with its sign, rounded for people: +1,250 · -0.35."""
    return f"{'-' if value < 0 else '+'}{_number(abs(value))}"


def _days(shown: str) -> str:
    return f"{shown} day" if shown == "1" else f"{shown} days"


def _capitalise(words: str) -> str:
    return words[:1].upper() + words[1:]


def _uncapitalise(words: str) -> str:
    """Lower the first letter, unless the first word is an abbreviation."""
    first = words.split(" ", 1)[0]
    return words if len(first) > 1 and first.isupper() else words[:1].lower() + words[1:]
