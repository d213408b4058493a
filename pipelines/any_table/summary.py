"""What `scorecast predict` says on the terminal: what it is doing, and what came out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pipelines.any_table.predict import CannotPredict, Outcome, Request

MOST_NOTES = 12


def types_of(options: Sequence[str]) -> dict[str, str]:
    """`COLUMN=KIND` options as a dictionary. Raises CannotPredict for one without a kind."""
    for option in options:
        if "=" not in option:
            raise CannotPredict(f"--type {option}: write it as COLUMN=KIND, e.g. zip_code=category.")
    return dict(option.rsplit("=", 1) for option in options)


@contextmanager
def doing() -> Iterator[Callable[[str], None]]:
    """A line on a terminal that says what is being done; nothing when piped."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda message: None
        return
    with console.status("starting") as status:
        yield status.update


def print_outcome(outcome: Outcome, request: Request) -> None:
    """The verdict, figures, what was left out or is to be asked, and where the files are."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    told, asked = outcome.evaluation, f"{request.target}"
    if told["positive"] is not None:
        asked += f" = {told['positive']}"
    console.print(
        f"[bold]{asked}[/bold]: {told['n_train']:,} rows to learn from, {told['n_holdout']:,} held out "
        f"({'newest in time' if told['split'] == 'time' else 'a random part, stratified'})"
    )
    if told["verdict"] == "no_signal":
        console.print(
            f"[red]No signal[/red]: no better than the base rate by more than noise (AUC {told['auc'] or 0.5:.3f}, "
            f"log loss {told['log_loss']:.4f} against {told['baseline_log_loss']:.4f})."
            + ("" if outcome.scored else " No scores were written; --force writes them.")
        )
    else:
        accuracy = f", accuracy {told['accuracy']:.3f}" if "accuracy" in told else ""
        console.print(
            f"AUC {told['auc']:.3f}{accuracy}, log loss {told['log_loss']:.4f} (base rate alone "
            f"{told['baseline_log_loss']:.4f}), calibration error {told['calibration_error']:.3f}, by {told['method']}"
        )
    for finding in told["leaky"]:
        what = "[red]kept though leaky[/red]" if request.keep_leaky else "[yellow]left out as leaky[/yellow]"
        console.print(f"{what} {finding['column']}: {finding['reason']}")
    for finding in told["suspect"]:
        worth = f" (AUC without it {finding['auc_without']:.3f})" if "auc_without" in finding else ""
        console.print(f"[yellow]to be asked[/yellow] {finding['column']}: {finding['reason']}{worth}")
    notes = told["notes"]
    for note in notes[:MOST_NOTES]:
        console.print(f"[dim]note[/dim] {note}")
    if len(notes) > MOST_NOTES:
        console.print(f"[dim]note[/dim] {len(notes) - MOST_NOTES} more in evaluation.json")
    hints = {
        "--positive chooses another answer as yes": request.positive is None and told["positive"] is not None,
        "--score takes new rows": request.score is None and outcome.scored,
    }
    for hint in (words for words, is_of_use in hints.items() if is_of_use):
        console.print(f"[dim]{hint}[/dim]")
    console.print(
        f"{outcome.scored:,} rows scored in {told['seconds']:.1f} s. Look at: {', '.join(map(str, outcome.files))}"
    )
