"""Which company a text is about: names and words for them, looked up as whole words."""

import re
from collections.abc import Mapping, Sequence


def brand_finder(words: Mapping[str, Sequence[str]]) -> re.Pattern | None:
    """A pattern that finds any of the brands (name → other words for it); None where there are none."""
    options = [
        f"(?P<b{number}>{'|'.join(re.escape(word) for word in sorted({name, *others}, key=len, reverse=True))})"
        for number, (name, others) in enumerate(words.items())
    ]
    return re.compile(rf"(?<!\w)(?:{'|'.join(options)})(?!\w)", re.IGNORECASE) if options else None


def brand_in(text: str | None, finder: re.Pattern | None, names: Sequence[str]) -> str | None:
    """The first of the brands that a text names; `names`: those of `brand_finder`'s mapping, in its order."""
    found = finder.search(text) if finder and text else None
    return names[int(found.lastgroup[1:])] if found else None
