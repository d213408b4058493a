"""Names of raw columns: the contract's, the export's own where it is harmless, else one that is made from it."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from pipelines.extraction.contracts import Entity
from pipelines.extraction.files import UnreadableFileError, printable
from pipelines.spelling import plain

MAX_NAME_LENGTH = 128
HARMLESS = re.compile(rf"[\w#%&+@$€£(*][\w .,:/()#%&+?!@$€£=*-]{{0,{MAX_NAME_LENGTH - 1}}}")
"""Letters of any script, digits and what vendors put into labels; no quotes and nothing that does not print."""
OWN_NAMES = {"_file", "_line", "_loaded_at", "_path", "_row", "rowid"}
"""Columns that the loader or DuckDB has in a table itself."""
SHOWN_NAMES, SHOWN_LENGTH = 20, 60


def raw_name(original: str, contract: Mapping[str, str]) -> str:
    """The raw column of one column of an export; `contract` maps lower-case names to the contract's spelling."""
    if original.lower() in contract:
        return contract[original.lower()]
    if original.lower() in OWN_NAMES:
        return f"{original}_"
    return original if is_harmless(original) else made_name(original)


def raw_names(originals: Sequence[str], entity: Entity) -> tuple[str, ...]:
    """
    The raw columns of a file's columns, in their order; no two are the same but for case.

    A column of the contract is the one with its name, else the one with the first of its labels. They depend on this
    file's columns alone, so that they are the same in every run. Raises `UnreadableFileError` when the file has a
    column of the contract more than once.
    """
    contract = _contract_columns(originals, entity)
    names: list[str] = []
    taken: set[str] = set()
    occurrences: Counter[str] = Counter()
    for original in originals:
        name = raw_name(original, contract)
        if original.lower() == name.lower() in contract and name.lower() in taken:
            same = [other for other in originals if raw_name(other, contract) == name]
            raise UnreadableFileError(f"the column {listed(same)} is there more than once. Rename one in the export.")
        while name.lower() in taken:
            occurrences[original] += 1
            name = made_name(original, occurrences[original])
        taken.add(name.lower())
        names.append(name)
    return tuple(names)


def _contract_columns(originals: Sequence[str], entity: Entity) -> dict[str, str]:
    """Lower-case names of a file's columns → the contract's columns that they are."""
    names = [name.lower() for name in originals]
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(plain(name), name)
    own = {column: [column.lower()] for column in entity.columns}
    labels = {column: [label.lower() for label in entity.labels.get(column, ())] for column in entity.columns}
    alike = {column: [by_plain.get(plain(name)) for name in own[column] + labels[column]] for column in entity.columns}
    chosen: dict[str, str] = {}
    for candidates in (own, labels, alike):  # a name as it stands before one that is like it
        for column, some in candidates.items():
            name = next((name for name in some if name in names and name not in chosen), None)
            if name is not None and column not in chosen.values():
                chosen[name] = column
    return chosen


def is_harmless(name: str) -> bool:
    """Whether a raw column can have the name just as the export has it."""
    return name.lower() not in OWN_NAMES and HARMLESS.fullmatch(name) is not None


def made_name(original: str, occurrence: int = 0) -> str:
    """A plain name with the words of the original and a hash of it: `Say "x"` becomes `say_x_x1f2e3d4c`."""
    words = re.sub(r"[^a-z0-9]+", "_", original[:MAX_NAME_LENGTH].lower()).strip("_")[:40] or "column"
    digest = hashlib.blake2b(f"{original}\0{occurrence}".encode(errors="surrogatepass"), digest_size=4).hexdigest()
    return f"{'_' * original.startswith('_')}{words}_x{digest}"


def listed(names: Sequence[str]) -> str:
    """Names for a message: on one line, none too long, not too many."""
    shown = [printable(name) for name in names[:SHOWN_NAMES]]
    shown = [name if len(name) <= SHOWN_LENGTH else f"{name[:SHOWN_LENGTH]}..." for name in shown]
    more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(shown) + more
