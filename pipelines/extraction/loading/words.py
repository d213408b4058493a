"""Words that a vendor's list did not have when the contract was written."""

from collections.abc import Iterator

from pipelines.database import literal, quoted
from pipelines.extraction.files import printable
from pipelines.extraction.loading.state import Load
from pipelines.values.currencies import decimals

SHOWN_WORDS, SHOWN_LETTERS = 5, 40


def unknown_words(load: Load) -> Iterator[str]:
    """What to tell of the words that this load brought first and core does not know; one message a column."""
    present = {name for name, *_ in load.rows(f"select column_name from (describe {load.table})")}
    codes = [code.lower() for code in decimals()]
    currencies = {name: codes for name in load.entity.columns if "currency" in name.lower()}
    for column, known in {**load.entity.words, **currencies}.items():
        if column not in present:
            continue
        counts_as = "Their amounts have no currency" if column in currencies else "They count as 'other'"
        word = f"replace(replace(lower(trim({quoted(column)}::varchar)), ' ', '_'), '-', '_')"
        found = load.rows(
            f"select {word} as word, count(*) from {load.table}"
            f" where {quoted(column)} is not null and {word} not in (select unnest({literal(list(known))}))"
            f" group by all having min(_loaded_at) = {literal(load.now)} order by 2 desc, 1"
        )
        if found:
            shown = [f"'{printable(text)[:SHOWN_LETTERS]}' ({rows:,})" for text, rows in found[:SHOWN_WORDS]]
            more = f" and {len(found) - SHOWN_WORDS:,} more" if len(found) > SHOWN_WORDS else ""
            yield f"{column} has words that are not known: {', '.join(shown)}{more}. {counts_as}."
