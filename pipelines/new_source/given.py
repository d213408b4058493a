"""What the flags of `scorecast new source` say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

OWNER = re.compile(r"team:[\w.-]+|[\w.+-]+@[\w-]+(\.[\w-]+)+")


@dataclass(frozen=True)
class Given:
    """What flags say."""

    name: str | None = None
    description: str | None = None
    owner: str = "team:data"
    kinds: Mapping[str, str] = field(default_factory=dict)
    """File name → canonical entity."""
    columns: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(raw table, our name) → the file's column; empty: none."""
    words: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """(raw table, a meaning such as `won`) → the words that mean it."""


def read_flags(
    name: str | None,
    description: str | None,
    owner: str,
    kinds: Sequence[str] = (),
    columns: Sequence[str] = (),
    words: Sequence[str] = (),
) -> Given:
    """What flags say: `FILE=ENTITY`, `TABLE.OURS=COLUMN`, `TABLE.MEANING=WORD,WORD`. Raises ValueError for others."""

    def parts(flag: str, text: str, shape: str) -> tuple[str, str]:
        left, sign, right = text.partition("=")
        if not sign or (shape.startswith("TABLE") and "." not in left):
            raise ValueError(f"{flag} is '{text}'; write {shape}.")
        return left.strip(), right.strip()

    def placed(flag: str, texts: Sequence[str], shape: str) -> dict[tuple[str, str], str]:
        some = [parts(flag, text, shape) for text in texts]
        return {tuple(left.split(".", 1)): right for left, right in some}

    if not OWNER.fullmatch(owner):
        raise ValueError(f"--owner is '{owner}'; write team:<name> or an e-mail address.")
    return Given(
        name,
        " ".join(description.split()) if description else None,
        owner,
        dict(parts("--as", text, "FILE=ENTITY, such as deals.csv=opportunities") for text in kinds),
        placed("--map", columns, "TABLE.OURS=COLUMN, such as deal.amount=Value"),
        {
            place: listed(text)
            for place, text in placed("--words", words, "TABLE.MEANING=WORD,WORD, such as deal.won=Signed").items()
        },
    )


def listed(text: str) -> tuple[str, ...]:
    """The words of a list with commas between."""
    return tuple(word.strip() for word in text.split(",") if word.strip())
