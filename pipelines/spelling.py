"""Names that were probably meant."""

import difflib
import re
from collections.abc import Iterable


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
