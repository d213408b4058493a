"""Names that were probably meant."""

import difflib
import re
from collections.abc import Collection, Iterable

MOST_NAMED = 12
"""How many names are listed when none is close to the wrong one."""


def plain(name: object) -> str:
    """A name without case, blanks and signs: `OpportunityHistory` and `opportunity_history` are the same."""
    return re.sub(r"[\W_]+", "", str(name).lower())


def closest(wrong: object, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known name that is spelt most like the wrong one; None if none is alike enough (0 to 1)."""
    by_plain = {plain(name): name for name in known}
    close = difflib.get_close_matches(plain(wrong), by_plain, n=1, cutoff=likeness)
    return by_plain[close[0]] if close else None


def did_you_mean(wrong: object, known: Iterable[str]) -> str:
    """` Did you mean 'x'?`, or nothing when no known name is close."""
    meant = closest(wrong, known)
    return f" Did you mean '{meant}'?" if meant else ""


def suggestion_or_list(wrong: str, names: Collection[str]) -> str:
    """A suggestion of the closest name, or else the list of names."""
    if meant := suggestion(wrong, names):
        return meant
    listed = list(names)[:MOST_NAMED]
    more = f" and {len(names) - len(listed)} more" if len(names) > len(listed) else ""
    return f"; there are: {', '.join(listed)}{more}" if listed else ""


def suggestion(wrong: object, names: Collection[str]) -> str:
    """The closest name as the end of a sentence; empty if none is close."""
    meant = closest(wrong, names)
    return f"; did you mean '{meant}'?" if meant else ""
