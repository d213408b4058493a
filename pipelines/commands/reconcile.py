"""`scorecast reconcile`: are the figures of the exports those of core and of what is published?"""

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from pipelines.quality.reconciliation import Cell, Line

PIPED_WIDTH = 240
"""Characters of a line, where no terminal says how many it has."""


def reconcile(
    by_month: Annotated[bool, typer.Option("--by-month", help="one line a month of every figure")] = False,
) -> None:
    """Are the figures of the exports those of core and of what is published? Ends with 1 if anything is unexplained."""
    from rich.console import Console

    from assets.sources import all_sources
    from pipelines.database import connect
    from pipelines.quality.reconciliation import not_closed
    from pipelines.quality.reconciliation import reconcile as compare
    from pipelines.settings import dbt_project_dir, warehouse_path

    path = warehouse_path()
    if not path.exists():
        typer.echo(f"Nothing is loaded yet: {path} is not there. Run `make run` first.", err=True)
        raise typer.Exit(1)
    with connect(path, read_only=True) as connection:
        lines = compare(connection, all_sources(), dbt_project_dir() / "models" / "staging")
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED_WIDTH)
    print_lines(console, lines, by_month)
    problems = not_closed(lines)
    for problem in problems:
        console.print(f"! {problem}.", markup=False, highlight=False, soft_wrap=True)
    if not problems:
        console.print("Everything closes.")
    raise typer.Exit(1 if problems else 0)


def print_lines(console: "Console", lines: "Sequence[Line]", by_month: bool) -> None:
    """One line for everything that is compared: where it starts, what explains the difference, and the rest."""
    from rich import box
    from rich.table import Table

    tables: dict[str, Table] = {}
    cells: dict[Cell, list[Line]] = defaultdict(list)
    for line in lines:
        cells[line.cell if by_month else line.cell._replace(month=None)].append(line)
    for cell, steps in cells.items():
        if cell.comparison not in tables:
            shape = box.SIMPLE_HEAD if console.is_terminal else None
            table = tables[cell.comparison] = Table(box=shape, title=cell.comparison, title_justify="left")
            for title in ("", "of", "currency", *(["month"] if by_month else [])):
                table.add_column(title)
            table.add_column("starts with", justify="right")
            table.add_column("less")
            table.add_column("ends with", justify="right")
            table.add_column("unexplained", justify="right")
        closed = all(line.is_closed for line in steps)
        tables[cell.comparison].add_row(*_row(cell, steps, by_month, closed), style=None if closed else "yellow")
    for table in tables.values():
        console.print(table)


def _row(cell: "Cell", lines: "Sequence[Line]", by_month: bool, closed: bool) -> list[str]:
    from pipelines.quality.reconciliation import END, EXPLAINED, ROWS, START, UNEXPLAINED

    summed: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for line in lines:
        summed[line.role][line.step] += (line.rows if cell.figure == ROWS else line.amount) or 0
    digits = ",.0f" if cell.figure == ROWS else ",.2f"
    start, end, rest = (sum(summed[role].values()) for role in (START, END, UNEXPLAINED))
    return [
        cell.figure.replace("_", " "),
        ".".join(filter(None, (cell.source_system, cell.entity))) or "all systems",
        cell.currency or "",
        *([f"{cell.month:%Y-%m}" if cell.month else ""] if by_month else []),
        f"{start:{digits}}",
        "; ".join(f"{-amount:{digits}} {step}" for step, amount in summed[EXPLAINED].items() if round(amount, 2)),
        f"{end:{digits}}",
        "0" if closed else f"{rest:+{digits}}",
    ]
