"""What is published, printed: by `scorecast status`, and at the end of a run."""

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from pipelines.extraction.configuration import read_configuration
from pipelines.extraction.files import printable
from pipelines.publishing.kept_releases import last_release
from pipelines.publishing.summary import Summary, read_summary
from pipelines.registry.versions import withdrawn_models
from pipelines.settings import published_path


def print_summary() -> bool:
    """
    Print what is published: rows, model quality, the release's day, and how to query it.

    Returns False when nothing is published yet, or the published file cannot be read; then it prints that, and what the
    newest kept release has.
    """
    console = Console()
    last = last_release(published_path())
    if last.path is None:
        _print(
            console, f"! {last.note}." if last.note else f"Nothing is published yet ({published_path()} is not there)."
        )
        return False
    if last.note:
        _print(
            console,
            f"! {last.note}. `scorecast run` publishes a good file again, `scorecast rollback` the kept one at once.",
        )
    summary = read_summary(last.path)
    _print_tables(console, summary, "Kept" if last.note else "Published")
    _print_age(console, summary)
    for metric, note in summary.behind:
        _print(console, f"! forecasts, {metric}: {note}", "yellow")
    for line in summary.came_true:
        _print(console, line)
    for line in summary.warnings:
        _print(console, f"! {printable(line)}")
    _print_models(console, summary)
    if last.note:
        return False
    shown = next((name for name in summary.rows if name.endswith("_scores")), next(iter(summary.rows)))
    _print(console, f'Query it:  make sql Q="select * from {shown} limit 5"   ({published_path()})')
    _print(console, f"Look at it:  make ui{next_step()}")
    return True


def next_step() -> str:
    """What to try next with the sample company."""
    is_sample = read_configuration().sample is not None
    return "      One more day:  .venv/bin/scorecast sample --next-day && make run" if is_sample else ""


def _print(console: Console, line: str, style: str | None = None) -> None:
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def _print_tables(console: Console, summary: Summary, what: str) -> None:
    title = f"{what}: release {summary.release_id}, as of {summary.as_of}"
    if summary.status == "rollback":
        title += f", rolled back to the {summary.note.split(';')[0]}"
    table = Table(title=title, title_justify="left")
    for column, justify in (("table", "left"), ("rows", "right"), ("how good", "left")):
        table.add_column(column, justify=justify)
    for name, rows in summary.rows.items():
        table.add_row(name, f"{rows:,}", summary.quality.get(name, ""))
    console.print(table)


def _print_age(console: Console, summary: Summary) -> None:
    """How old the newest data of each source is, the newest first; what is older than allowed in yellow."""
    stale_after_days = read_configuration().stale_after_days
    for day in sorted(set(summary.newest.values()), reverse=True):
        sources = ", ".join(source for source, newest in summary.newest.items() if newest == day)
        age = max((datetime.now(UTC).date() - day).days, 0)
        line = f"{sources}: newest data {age} {'day' if age == 1 else 'days'} old ({day})"
        _print(console, *((f"! {line}", "yellow") if age > stale_after_days else (line,)))


def _print_models(console: Console, summary: Summary) -> None:
    """Models that were withdrawn and still score in this release, and those whose last fit was not kept."""
    for model in withdrawn_models():
        if still := ", ".join(table for table, maker in summary.made_by.items() if maker == model):
            words = f"{still} of this release still has its scores, the next has not: make run"
            _print(console, f"! {model} was withdrawn; {words}", "yellow")
    for model, status, reason in summary.not_kept:
        _print(console, f"{model} was {status.replace('_', ' ')}: {reason.removeprefix('Refused: ')}")
