"""The terminal output of `scorecast predict` and `classify`: progress, and the result."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.any_table.predict import Outcome
from pipelines.any_table.question import CannotPredict, Request

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.any_table.classify import Classified, TextRequest

MOST_NOTES = 12


def types_of(options: Sequence[str]) -> dict[str, str]:
    """`COLUMN=KIND` options as a dictionary. Raises CannotPredict for one without a kind."""
    for option in options:
        if "=" not in option:
            raise CannotPredict(f"--type {option}: write it as COLUMN=KIND, e.g. zip_code=category.")
    return dict(option.rsplit("=", 1) for option in options)


@contextmanager
def doing() -> Iterator[Callable[[str], None]]:
    """A status line on a terminal; nothing when piped."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda message: None
        return
    with console.status("starting") as status:
        yield status.update


def print_outcome(outcome: Outcome, request: Request) -> None:
    """Print the verdict, the metrics, leaky and suspect columns, notes, and the files' paths."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    figures, asked = outcome.evaluation, f"{request.target}"
    if figures["positive"] is not None:
        asked += f" = {figures['positive']}"
    console.print(
        f"[bold]{asked}[/bold]: {figures['n_train']:,} rows to learn from, {figures['n_holdout']:,} held out "
        f"({'newest in time' if figures['split'] == 'time' else 'a random part, stratified'})"
    )
    if figures["task"] in ("ordered", "amount"):
        _print_in_words(console, outcome)
    elif figures["verdict"] == "no_signal":
        console.print(
            f"[red]No signal[/red]: no better than the base rate by more than noise (AUC {figures['auc'] or 0.5:.3f}, "
            f"log loss {figures['log_loss']:.4f} against {figures['baseline_log_loss']:.4f})."
            + ("" if outcome.scored else " No scores were written; --force writes them.")
        )
    else:
        weak = "[yellow]Weak[/yellow]: trust the order, not the percentages. " if figures["verdict"] == "weak" else ""
        accuracy = f", accuracy {figures['accuracy']:.3f}" if "accuracy" in figures else ""
        noise = f" ± {figures['auc_error']:.3f}" if "auc_error" in figures else ""
        console.print(
            f"{weak}AUC {figures['auc']:.3f}{noise}{accuracy}, log loss {figures['log_loss']:.4f} ± "
            f"{figures['log_loss_error']:.4f} (base rate alone {figures['baseline_log_loss']:.4f}), "
            f"calibration error {figures['calibration_error']:.3f}, by {figures['method']}"
        )
    for finding in figures["leaky"]:
        what = "[red]kept though leaky[/red]" if request.keep_leaky else "[yellow]left out as leaky[/yellow]"
        console.print(f"{what} {finding['column']}: {finding['reason']}")
    for finding in figures["suspect"]:
        worth = f" (AUC without it {finding['auc_without']:.3f})" if "auc_without" in finding else ""
        if "mean_absolute_error_without" in finding:
            worth = f" (off by {finding['mean_absolute_error_without']:,.4g} without it)"
        console.print(f"[yellow]to be asked[/yellow] {finding['column']}: {finding['reason']}{worth}")
    _print_notes(console, figures["notes"])
    hints = {
        "--positive chooses another answer as yes": request.positive is None and figures["positive"] is not None,
        "--score takes new rows": request.score is None and outcome.scored,
    }
    for hint in (words for words, is_of_use in hints.items() if is_of_use):
        console.print(f"[dim]{hint}[/dim]")
    console.print(
        f"{outcome.scored:,} rows scored in {figures['seconds']:.1f} s. Look at: {', '.join(map(str, outcome.files))}"
    )


def print_classified(done: "Classified", request: "TextRequest") -> None:
    """Print the verdict on a classifier of texts, its figures, notes, and the files' paths."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    figures = done.evaluation
    if figures["verdict"] == "too_few":
        _print_notes(console, figures["notes"])
        console.print(f"Fill in {request.label!r} in {done.files[0]}, and put it with what you have.")
        return
    console.print(
        f"[bold]{request.label}[/bold] by {request.texts_called}: {len(figures['classes'])} labels, "
        f"{figures['n_fit']:,} texts to learn from, {figures['n_test']:,} held out"
    )
    if figures["verdict"] == "no_signal":
        written = "" if done.scored else " No scores were written; --force writes them."
        console.print(f"[red]No signal[/red]: {figures['reason']}{written}")
    else:
        weak = f"[yellow]Weak[/yellow]: {figures['reason']} " if figures["verdict"] == "weak" else ""
        right, micro = "Accuracy", ""
        if request.multi is not None:
            right, micro = (
                "Likeliest label right",
                f", all labels right {figures['exact']:.3f}, micro F1 {figures['micro_f1']:.3f}",
            )
        console.print(
            f"{weak}{right} {figures['accuracy']:.3f} (the commonest label alone {figures['base_rate']:.3f}){micro}, "
            f"macro F1 {figures['macro_f1']:.3f}, "
            f"log loss {figures['log_loss']:.4f} ± {figures['log_loss_error']:.4f}, "
            f"calibration error {figures['calibration_error']:.3f}"
        )
    _print_notes(console, figures["notes"])
    if request.suggest is not None:
        console.print(f"Fill in {request.label!r} in {done.files[0]}, and put it with what you have.")
    console.print(
        f"{done.scored:,} texts labelled in {figures['seconds']:.1f} s. Look at: {', '.join(map(str, done.files))}"
    )


def _print_notes(console: "Console", notes: Sequence[str]) -> None:
    for note in notes[:MOST_NOTES]:
        console.print(f"[dim]note[/dim] {note}")
    if len(notes) > MOST_NOTES:
        console.print(f"[dim]note[/dim] {len(notes) - MOST_NOTES} more in evaluation.json")


def _print_in_words(console: "Console", outcome: Outcome) -> None:
    from pipelines.any_table.amounts import result_in_words

    figures = outcome.evaluation
    words = result_in_words(figures) if figures["task"] == "amount" else _levels_in_words(figures)
    if figures["verdict"] == "no_signal":
        written = "" if outcome.scored else " No scores were written; --force writes them."
        console.print(f"[red]No signal[/red]: {words}.{written}")
    else:
        console.print(words)


def _levels_in_words(figures: Mapping) -> str:
    """How far off the levels are, against always saying the median level, and how sharp the probabilities are."""
    return (
        f"off by {figures['error_in_levels']:.2f} ± {figures['error_in_levels_noise']:.2f} levels on average (always "
        f"saying {figures['median_level']} is off by {figures['error_in_levels_of_median']:.2f}), "
        f"{figures['exactly_right']:.0%} exactly right, {figures['within_one']:.0%} within one level, ranked "
        f"probability score {figures['rps']:.4f} (base rates alone {figures['baseline_rps']:.4f}), by "
        f"{figures['method']}"
    )
