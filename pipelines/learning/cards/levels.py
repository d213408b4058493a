"""What the card of a model of levels in an order shows, in place of that of answers; None where the facts lack it."""

from pipelines.learning.cards import amounts
from pipelines.learning.cards.facts import dicts, finite, fixed, maybe_percent
from pipelines.learning.cards.svg import Plot
from pipelines.learning.columns.ordered_levels import level_values

MEASURES = (
    ("rps", "Ranked probability score", "mean squared error of the shares above each level; lower is better"),
    ("baseline_rps", "The same of the base rates", "what the model has to beat"),
    ("error_in_levels", "Error in levels", "of the level that it says, the median; on average"),
    ("error_in_levels_of_median", "The same of one level", "always saying the median level"),
    ("auc", "Concordance", "of two rows of different levels, how often the higher one has the higher estimate"),
    ("log_loss", "Log loss", "lower is better"),
    ("calibration_error", "Calibration error", "mean distance of said and observed shares above each level"),
)
COMPARED = (
    "error_in_levels_of_median",
    "exactly_right",
    "exactly_right_of_median",
    "within_one",
    "within_one_of_median",
)
"""What the verdict compares with always saying one level."""


def is_ordered(facts: dict) -> bool:
    """Whether the card is of a model of levels in an order."""
    return facts.get("task") == "ordered"


def levels(facts: dict) -> dict | None:
    """The level that is usual, the picture of what was said and came, and the shares above each level."""
    if not is_ordered(facts) or finite(facts.get("error_in_levels")) is None:
        return None
    names = [str(each) for each in facts.get("levels") or []]
    needed = ("said", "came", "calibration_error")
    cuts = [row for row in dicts(facts, "cuts") if all(finite(row.get(key)) is not None for key in needed)]
    tenths = amounts.tenths_known(facts)
    compared = all(finite(facts.get(key)) is not None for key in COMPARED)
    return {
        "usual": facts.get("median_level") if compared else None,
        "plot": _plot(tenths, names) if tenths and len(names) > 1 else None,
        "tenths": tenths,
        "cuts": [
            row | {"words": f"{row.get('level')}{'' if place == len(cuts) else ' or higher'}"}
            for place, row in enumerate(cuts, start=1)
        ],
    }


def figures(facts: dict) -> list[tuple[str, str]]:
    """Value and meaning of each, for the head of the card."""
    noise = fixed(facts.get("error_in_levels_noise"), 2)
    shown = [
        (fixed(facts.get("error_in_levels"), 2), f"levels off on average{f' (± {noise})' if noise else ''}"),
        (maybe_percent(facts.get("exactly_right"), 0), "exactly right"),
        (maybe_percent(facts.get("within_one"), 0), "at most one level off"),
        (fixed(facts.get("auc"), 2), "how well it ranks (concordance): 0.5 is a coin toss, 1 is perfect"),
    ]
    return [pair for pair in shown if pair[0]]


def measures(facts: dict) -> list[tuple[str, str, str]]:
    """Name, value and meaning of each, for the analyst."""
    return [(name, value, how) for key, name, how in MEASURES if (value := fixed(facts.get(key), 4))]


def _plot(tenths: list[dict], names: list[str]) -> Plot:
    """Said against came, by tenth of the level to expect, on an axis from the lowest to the highest level."""
    marks = list(zip(level_values(names).tolist(), names, strict=True))
    title = "What it said and what came"
    text = "The level that was expected against what came, means of each tenth, with 95 % of what chance allows."
    return amounts.plot_of_tenths("levels", title, text, tenths, marks, lambda value: f"{value:.2f}")
