"""Attributes that are written at the outcome: leaks found in the versions of a record."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.database import columns_of, placed, quoted, table_exists

if TYPE_CHECKING:
    import duckdb

WITHIN_DAYS = 14
"""Two weeks of the snapshot grid: the outcome falls into the first, edits that follow it into the second."""
FEWEST_CHANGED = 0.2
FAR_MORE_OFTEN = 3.0
SURE = math.log(1e9)
TIME_COLUMNS = {"valid_from", "valid_to", "version", "known_at", "recorded_at", "created_at"}


@dataclass(frozen=True)
class LateChange:
    """An attribute that changes when the outcome comes.

    `changed_with`, `changed_without`: share of the entities with and without the outcome whose value changed within
    `WITHIN_DAYS` (or changed to `became`, if only that value shows a difference). `example`: the most frequent change
    ("status: Working -> Converted"). `is_feature`: the snapshots have a column of this name. `unversioned`: that column
    holds the later value, not the one known at as_of.
    """

    attribute: str
    entities_with: int
    entities_without: int
    changed_with: float
    changed_without: float
    became: str | None
    example: str
    is_feature: bool
    unversioned: bool

    @property
    def reason(self) -> str:
        """One line for people."""
        verb = "changed" if self.became is None else f"became {self.became}"
        line = (
            f"written at the outcome: {verb} in {self.changed_with:.0%} of {self.entities_with:,} with it within "
            f"{WITHIN_DAYS} days, in {self.changed_without:.0%} of {self.entities_without:,} without ({self.example})"
        )
        if self.unversioned:
            return f"{line}; the snapshots hold the later value"
        return f"{line}; the snapshots hold what was known at the time" if self.is_feature else line


def late_changes(
    connection: "duckdb.DuckDBPyConnection",
    entity: str,
    features: str,
    outcomes: str,
    target: str,
    as_of: str = "as_of_date",
) -> list[LateChange]:
    """Attributes of `core.<entity>_versions` whose value changes at the outcome far more often than without it.

    `entity`: key column, such as `lead_id`; `features`, `outcomes`: models in the schema `features`, or `schema.table`;
    `target`: boolean column of `outcomes`; `as_of`: column of both. An entity with the outcome is compared from its
    last snapshot before it, one without from a snapshot chosen by hash. Sorted by how often they change; empty if the
    entity has no table of versions (`valid_from`, `valid_to`).
    """
    table = f"{entity.removesuffix('_id')}_versions"
    if not table_exists(connection, "core", table):
        return []
    columns = sorted(columns_of(connection, "core", table))
    attributes = sorted(set(columns) - TIME_COLUMNS - {entity})
    if not {entity, "valid_from", "valid_to"} <= set(columns) or not attributes:
        return []
    connection.execute(_moments(entity, table, quoted(*placed(outcomes, "features")), target, as_of))
    try:
        return _compare(connection, entity, placed(features, "features"), attributes, as_of)
    finally:
        connection.execute("drop table late_moments")


def _compare(
    connection: "duckdb.DuckDBPyConnection", entity: str, features: tuple[str, str], attributes: list[str], as_of: str
) -> list[LateChange]:
    from pipelines.learning.columns.leaks import divergence

    entities = dict(connection.execute("select has_outcome, count(*) from late_moments group by 1").fetchall())
    if set(entities) != {True, False}:
        return []
    with_it, without = entities[True], entities[False]
    snapshot = set(columns_of(connection, *features))
    found = []
    for name in attributes:
        changes = _changes(connection, name)
        if not changes:
            continue
        before, after = max(changes, key=lambda change: changes[change][0])
        to_value = [counts for (_, value), counts in changes.items() if value == after]
        for became, counts in ((None, changes.values()), (after, to_value)):
            often, seldom = (sum(count[answer] for count in counts) for answer in (0, 1))
            share, usual = often / with_it, (seldom + 1) / (without + 2)
            if share >= max(FEWEST_CHANGED, FAR_MORE_OFTEN * usual) and with_it * divergence(share, usual) >= SURE:
                is_feature = name in snapshot
                late = is_feature and _holds_later_value(connection, entity, quoted(*features), name, as_of)
                example = f"{name}: {before} -> {after}"
                shares = (share, seldom / without)
                found.append(LateChange(name, with_it, without, *shares, became, example, is_feature, late))
                break
    return sorted(found, key=lambda change: (-change.changed_with, change.attribute))


def _moments(entity: str, table: str, outcomes: str, target: str, as_of: str) -> str:
    """One row per entity: the versions known at as_of (`before`) and `WITHIN_DAYS` later (`after`), as structs."""
    return f"""
        create or replace temp table late_moments as
        with history as (
            select * from core.{table}
        ),
        known as (
            select {entity}, {quoted(as_of)} as as_of_date, {target} as has_outcome
            from {outcomes}
            where {target} is not null
        ),
        with_outcome as (
            select {entity}, true as has_outcome, max(as_of_date) as as_of_date
            from known
            where has_outcome
            group by {entity}
        ),
        without_outcome as (
            select {entity}, false as has_outcome, min_by(as_of_date, hash({entity}, as_of_date)) as as_of_date
            from known
            where not has_outcome and {entity} not in (select {entity} from with_outcome)
            group by {entity}
        ),
        moments as (
            from with_outcome
            union all by name
            from without_outcome
        ),
        days as (
            select
                cast(valid_from as date) as from_date,
                coalesce(cast(valid_to as date), date '9999-12-31') as to_date,
                history
            from history
        )
        select
            moments.{entity},
            moments.as_of_date,
            moments.has_outcome,
            earlier.history as before,
            later.history as after
        from moments
        inner join days as earlier
            on moments.{entity} = earlier.history.{entity}
            and earlier.from_date <= moments.as_of_date
            and earlier.to_date > moments.as_of_date
        inner join days as later
            on moments.{entity} = later.history.{entity}
            and later.from_date <= moments.as_of_date + {WITHIN_DAYS}
            and later.to_date > moments.as_of_date + {WITHIN_DAYS}
    """


def _changes(connection: "duckdb.DuckDBPyConnection", name: str) -> dict[tuple[str, str], tuple[int, int]]:
    """(before, after) as text → entities with and without the outcome; the most frequent first, ties by text."""
    rows = connection.execute(
        f"""
        select
            coalesce(cast(before.{quoted(name)} as varchar), 'empty') as old_value,
            coalesce(cast(after.{quoted(name)} as varchar), 'empty') as new_value,
            count(*) filter (has_outcome) as with_it,
            count(*) filter (not has_outcome) as without_it
        from late_moments
        where before.{quoted(name)} is distinct from after.{quoted(name)}
        group by all
        order by with_it desc, old_value, new_value
        """
    ).fetchall()
    return {(old, new): (with_it, without_it) for old, new, with_it, without_it in rows}


def _holds_later_value(
    connection: "duckdb.DuckDBPyConnection", entity: str, features: str, name: str, as_of: str
) -> bool:
    """Whether the snapshots show the changed value in most of the rows before the change."""
    later, rows = connection.execute(
        f"""
        select
            count(*) filter (
                snapshots.{quoted(name)} is not distinct from moments.after.{quoted(name)}
                and snapshots.{quoted(name)} is distinct from moments.before.{quoted(name)}
            ),
            count(*)
        from late_moments as moments
        inner join {features} as snapshots
            on moments.{entity} = snapshots.{entity} and moments.as_of_date = snapshots.{quoted(as_of)}
        where moments.has_outcome and moments.before.{quoted(name)} is distinct from moments.after.{quoted(name)}
        """
    ).fetchone()
    return later > 0.5 * rows
