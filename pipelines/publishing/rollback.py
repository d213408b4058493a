"""An earlier release published again, as a new one."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.publishing.histories import append_history, append_release
from pipelines.publishing.kept_releases import (
    ReleaseUnusable,
    check_release,
    kept_releases,
    last_release,
)
from pipelines.publishing.states import HISTORY_KEYS, OWN_TABLES, Release, names_of, tables_in
from pipelines.publishing.swap import fallback_in_words, new_draft, opened, swap_in
from pipelines.publishing.tables import carry_over, describe_tables

if TYPE_CHECKING:
    pass
from pipelines.publishing.release import KEPT_RELEASES, attach_previous, escaped, new_release_id


def rollback(published: Path, releases_dir: Path, to: str | None, now: datetime) -> Release:
    """
    Publish the tables of an older release again, as a new release; the history keeps all rows.

    Default of `to`: the release before the one whose tables are published now or, if the published file cannot be read,
    the newest readable copy. A damaged copy is skipped, and the note says so. Raises `LookupError` with the kept
    releases when there is none to go back to, or `to` is not kept or damaged.
    """
    if not published.exists() and not kept_releases(releases_dir):
        raise LookupError(f"Nothing is published yet: {published} is not there.")
    with new_draft(published, releases_dir, owner="a rollback") as place:
        last = last_release(published, releases_dir)
        if last.path is None:
            raise LookupError(f"There is no release to go back to: {last.problem}.")
        with opened(last.path, read_only=True) as connection:
            rows = connection.execute(
                "select release_id, tables_of, as_of_date from releases order by release_id"
            ).fetchall()
        if to is None and last.problem:
            chosen, target, passed_over = rows[-1][0], last.path, []
        else:
            chosen, target, passed_over = _target(rows, releases_dir, to, is_damaged=bool(last.problem))
        as_of, origin = next((as_of, tables_of) for each, tables_of, as_of in rows if each == chosen)
        with opened(place.draft) as connection:
            previous = attach_previous(connection, last)
            database = "previous"
            if target != last.path:
                database = "target"
                connection.execute(f"attach '{escaped(target)}' as target (read_only)")
            release_id = new_release_id(connection, previous, now)
            tables = {}
            for table in tables_in(connection, database, "main"):
                if table not in OWN_TABLES and table not in HISTORY_KEYS:
                    tables[table] = carry_over(connection, database, table, release_id, origin)
            append_history(connection, previous)
            connection.execute("create table score_history as select * from previous.score_history")
            fallback = fallback_in_words(place, last, release_id)
            note = "; ".join(filter(None, [f"tables of release {origin}", *passed_over, fallback]))
            newest = {}
            if "newest_data" in names_of(connection, "previous.releases"):
                ((newest,),) = connection.execute(
                    "select newest_data from previous.releases where release_id = ?", [origin]
                ).fetchall()
            release = Release(release_id, as_of, "rollback", note, tables, fallback, newest_data=newest or {})
            append_release(connection, previous, release, "rollback", now, tables_of=origin)
            describe_tables(connection)
        swap_in(place, release, last, KEPT_RELEASES)
    return release


def _target(
    rows: Sequence[tuple[str, str, date]], releases_dir: Path, to: str | None, is_damaged: bool
) -> tuple[str, Path, list[str]]:
    """
    The release to go back to, its file, and what is wrong with newer ones that were skipped.

    `is_damaged`: the published file is damaged, so the current release's copy may be published again.
    """
    current, tables_now, _ = rows[-1]
    origins = {release_id: tables_of for release_id, tables_of, _ in rows}
    kept = {path.stem: path for path in kept_releases(releases_dir) if path.stem in origins}
    if not is_damaged:
        kept.pop(current, None)
    older = [name for name, tables_of in origins.items() if name == tables_of < tables_now]
    problems = []
    for name in reversed(older) if to is None else [to]:
        if name not in kept:
            continue
        try:
            if (found := check_release(kept[name], releases_dir)) != name:
                raise ReleaseUnusable(f"has the file of {found}")
        except ReleaseUnusable as problem:
            problems.append(f"the kept release {name} {problem}")
            del kept[name]
        else:
            return name, kept[name], problems
    why = f": {'; '.join(problems)}" if problems else ""
    others = f"Kept: {', '.join(kept)}." if kept else "No other one is kept: what is published stays as it is."
    raise LookupError(f"There is no release {to or 'before the current one'} to go back to{why}. {others}")
