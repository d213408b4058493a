"""Which column of a file identifies a record: by what its values are, and who refers to them, then by its name."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pipelines.new_source.exports import Export, Exports, FileColumn
from pipelines.new_source.vocabulary import ID_WORDS, NAME_WORDS, Vocabulary, speaks_of, tokens
from pipelines.spelling import plain

MOSTLY = 0.9
"""Share of a column's values that counts as nearly all of them."""
REFERRED, OWN_NUMBER, CODE, NUMBER, NAMED = 5, 4, 3, 2, 1
"""What speaks for a column of which every row has another value, the strongest first."""


@dataclass(frozen=True)
class Candidates:
    """A file among others, one of whose columns is to be the key."""

    exports: Exports
    export: Export
    others: Sequence[Export]
    """The files of other records."""
    vocabulary: Vocabulary
    columns: Mapping[str, str]
    """Our name → the file's column, as far as it is known."""

    def is_key(self, *names: str) -> bool:
        """Whether columns are filled in every row, and no two rows have the same."""
        return self.exports.is_key(self.export, names)


def likely_key(of: Candidates, likeliest: str | None) -> str | None:
    """
    The column for which most speaks; None where as much speaks for several, or nothing.

    `likeliest`: the column whose name is likest to a key's.
    """
    strengths = {name: _strength(of, name, likeliest) for name in of.export.names}
    most = max(strengths.values(), default=0)
    best = [name for name, strength in strengths.items() if strength == most]
    if most and (len(best) == 1 or likeliest in best):
        return likeliest if likeliest in best else best[0]
    email = of.columns.get("email")
    return email if email and not most and of.is_key(email) else None


def why_key(of: Candidates, name: str) -> str:
    """Why a column is taken for the key, in a sentence."""
    told = f"'{name}' identifies a record: " + (
        "every row has another value" if of.is_key(name) else "with the time of change it tells the versions apart"
    )
    if by := [f"{column} of {other.path.name}" for other, column in referring(of, name)]:
        told += f", and it is what {', '.join(by)} {'has' if len(by) == 1 else 'have'}"
    told += "."
    if _is_name(of.export.column(name)):
        told += (
            " It is a name: two records of one name would be one. Export the system's own number with it if you can."
        )
    return told


def referring(of: Candidates, name: str) -> list[tuple[Export, str]]:
    """Other files and their columns whose values are (nearly) all of this one; numbers only if the name is like it."""
    is_number = of.export.column(name).shares.get("number", 0) >= MOSTLY
    found = []
    for other in of.others:
        for column in other.columns:
            is_related = plain(column.name) == plain(name) or speaks_of(column.name, of.vocabulary.words)
            if column.distinct < 2 or (is_number and not is_related) or _is_own_number(other, column, of.exports):
                continue
            if of.exports.share_within(other, column.name, of.export, name) >= MOSTLY:
                found.append((other, column.name))
    return found


def _strength(of: Candidates, name: str, likeliest: str | None) -> int:
    """What speaks for a column; 0 where it does not tell records, or their versions, apart."""
    column = of.export.column(name)
    has_number = bool(set(tokens(name)) & ID_WORDS)
    version = of.columns.get("known_at") if of.vocabulary.is_versioned else None
    tells_versions = version and (has_number or name == likeliest) and of.is_key(name, version)
    if not of.is_key(name) and not tells_versions:
        return 0
    if _is_name(column):
        return NAMED if name == likeliest else 0
    is_taken = name in of.columns.values()
    is_value = max(column.shares[kind] for kind in ("date", "email", "boolean")) >= MOSTLY and not has_number
    if not is_value and not is_taken and referring(of, name):
        return REFERRED
    if has_number and _is_own(name, of.vocabulary.words):
        return OWN_NUMBER
    if is_taken or is_value:
        return NAMED if name == likeliest else 0
    if column.shares["code"] >= MOSTLY:
        return CODE
    return NUMBER if has_number else NAMED if name == likeliest else 0


def _is_own(name: str, words: Collection[str]) -> bool:
    """Whether a name says no more than that it is the number of such a record: `ID`, `Deal No`, `Org Nr`."""
    return all(token in ID_WORDS or speaks_of(token, words) for token in tokens(name))


def _is_name(column: FileColumn) -> bool:
    """Whether a column has words that people call things by."""
    return bool(set(tokens(column.name)) & NAME_WORDS - ID_WORDS) or column.shares.get("spaced", 0) > 0.5


def _is_own_number(export: Export, column: FileColumn, exports: Exports) -> bool:
    """Whether a column is the number of its own file's records and says nothing of another's: `ID` of each file."""
    return set(tokens(column.name)) <= ID_WORDS and exports.is_key(export, [column.name])
