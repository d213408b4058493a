"""Words that say yes, no, or that there is no value."""

from collections.abc import Sequence

import polars as pl

# fmt: off
NOTHING_WORDS = frozenset(
    (
        "", "null", "nan", "n/a", "na", "n.a.", "#n/a",
        "<na>", "nat", "\\n", "#null!", "#value!", "#div/0!", "#ref!",
        "#name?", "#num!", "(null)", "[null]", "(blank)", "(empty)", "(not set)",
        "[not provided]",
    )
)
"""Written by programs for "no value" (SQL, pandas, R, Excel, web analytics, Salesforce): missing in every column."""
NOTHING_SIGNS = frozenset(("-", "--", "---", "–", "—", "?", "??", "???", ".", "...", "…"))
"""Missing, unless all other values of the column are signs, too ("+" and "-" of a test)."""
PROMPT = (
    r"^[-–—<\[(.\s]*(?:please\s+)?(?:select|choose)"
    r"(?:\s+(?:one|an?\s+\w+|any|option|value|item|from\s+(?:the\s+)?list|your\s+\w+))?[->\])–—.…:\s]*$|^-+\s*none\s*-+$"
)
"""What a drop-down shows before anybody has chosen; "--None--" is Salesforce's."""
NO_VALUE_WORDS = frozenset(
    (
        "none", "unknown", "unk", "not available", "not applicable", "not known", "not specified",
        "not provided", "not given", "unspecified", "undefined", "missing", "no data", "no value",
        "no answer", "empty", "blank", "nil", "tbd", "tba", "tbc",
        "0000-00-00", "0000-00-00 00:00:00",
    )
)
"""Missing among numbers and dates. A category keeps them: "None" may be the answer, and as a level nothing is lost."""
# fmt: on
YES, NO = ("yes", "y", "true", "t", "1", "1.0"), ("no", "n", "false", "f", "0", "0.0")


def means_nothing(word: pl.Expr, real: Sequence[str], extra: frozenset[str] = frozenset()) -> pl.Expr:
    """Where a lower-case word says that there is no value, but for the words that are `real` in this column."""
    found = word.is_in(list((NOTHING_WORDS | NOTHING_SIGNS | extra) - set(real)))
    return found | (word.str.contains(PROMPT) & ~word.is_in(list(real)))


def says_nothing(values: pl.Series, real: Sequence[str], extra: frozenset[str] = frozenset()) -> pl.Series:
    """`means_nothing` of many strings as they stand; the longer ones are none of these words."""
    short = (values.str.len_bytes() <= 64).fill_null(False)
    found = pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(values))
    places = short.arg_true()
    word = pl.col("value").str.strip_chars().str.to_lowercase()
    some = pl.LazyFrame({"value": values.gather(places)}).select(means_nothing(word, real, extra)).collect().to_series()
    return found.scatter(places, some)


def booleans(values: pl.Series) -> pl.Series:
    """Words that say yes or no as Boolean; null for anything else."""
    words = values.str.strip_chars().str.to_lowercase()
    return words.replace_strict(
        [*YES, *NO], [True] * len(YES) + [False] * len(NO), default=None, return_dtype=pl.Boolean
    )


def commoner(votes: Sequence[str], first: str, second: str) -> str | None:
    """Which of two readings more columns of one table are sure of; None where neither has more."""
    lead = votes.count(first) - votes.count(second)
    return None if lead == 0 else first if lead > 0 else second
