"""Reasons in words: "Logins in the last 7 days: 3, usually 12 (raises the risk)"."""

import re
from collections.abc import Mapping
from functools import lru_cache

WINDOW = re.compile(r"_(\d+)d(?=_|$)")
PARENTS = {"person_": "the person's ", "account_": "the company's "}
AGGREGATES = re.compile(r"_(?:sum|count|avg|average|min|max|median|distinct|rate|ever)(?=_|$)")


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
    ('Tickets count in the last 28 days', 'Industry segment', 'Usage logins sum in the last 7 days against the last 28
    days')
    """
    name = re.sub(r"__c$", "", feature.strip())
    name = name.removeprefix("custom_")
    owner = ""
    for prefix, words in PARENTS.items():
        if name.startswith(prefix) and len(name) > len(prefix):
            owner, name = words, name.removeprefix(prefix).removeprefix("custom_")
            break
    against = re.search(r"_(\d+)d_vs_(\d+)d(?=_|$)", name)
    if against:
        first, second = against.groups()
        name = name.replace(against.group(0), "") + f" in the last {first} days against the last {second} days"
    else:
        name = WINDOW.sub(lambda match: f" in the last {match.group(1)} days", name)
    name = re.sub(r"_ever(?=_|$)", " so far", name)
    words = re.sub(r"\s+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", name.replace("_", " "))).strip()
    return _capitalise(owner + words) if words else feature


def describe_value(value: object, kind: str) -> str:
    """A value as people write it: 1,234 · 0.35 · yes · 12 days ago."""
    if kind == "boolean":
        return "yes" if value else "no"
    if kind == "date":
        days = round(float(value))
        return "today" if days == 0 else f"{abs(days):,} {_plural('day', abs(days))} {'ago' if days > 0 else 'ahead'}"
    if kind == "number":
        return _number(float(value) + 0.0)  # -0 reads as 0
    text = " ".join(str(value).split())
    if kind != "text":
        return text
    return f"“{text}”" if len(text) <= 58 else f"“{text[:57]}…”"


def reason_text(
    feature: str,
    kind: str,
    value: object,
    typical: object,
    contribution: float,
    descriptions: Mapping[str, str],
    likelihood: str,
) -> str:
    """One reason. `value` None means missing; `typical` None means that there is nothing to compare with."""
    words = _capitalise((descriptions.get(feature) or "").strip().rstrip(".")) or humanise(feature)
    effect = f"({'raises' if contribution > 0 else 'lowers'} the {likelihood})"
    if value is None:
        return f"No {_uncapitalise(words)} on record {effect}"
    shown = describe_value(value, kind)
    if kind in ("number", "date") and typical is not None:
        usual = describe_value(typical, kind)
        comparison = ", as usual" if usual == shown else f", usually {usual}"
    else:
        comparison = ""
    return f"{words}: {shown}{comparison} {effect}"


def _number(value: float) -> str:
    if value == round(value) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.3g}" if abs(value) >= 1e-3 else f"{value:.1g}"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else word + "s"


def _capitalise(words: str) -> str:
    return words[:1].upper() + words[1:]


def _uncapitalise(words: str) -> str:
    """Lower the first letter, unless the first word is an abbreviation."""
    first = words.split(" ", 1)[0]
    return words if len(first) > 1 and first.isupper() else words[:1].lower() + words[1:]
