"""A fit's model card as a web page: the facts of a `FitResult`, as `card_page` takes them."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pipelines.learning.cards.page import card_page
from pipelines.learning.judging.amounts import FIGURES as AMOUNT_FIGURES
from pipelines.learning.judging.ordered import FIGURES as LEVEL_FIGURES
from pipelines.learning.scoring.wording import humanise

if TYPE_CHECKING:
    from pipelines.learning.fitting.fit import FitResult
    from pipelines.learning.scoring.fitted import FittedPrediction

SPLITS = {
    "time": "learnt from older dates, tested on newer ones",
    "entities": "tested on others than those learnt from, of the same time",
    "stratified": "tested on a part set aside at random: the table has no time",
}
FIGURES = (
    "base_rate",
    "auc",
    "auc_error",
    "average_precision",
    "brier",
    "log_loss",
    "log_loss_error",
    "baseline_log_loss",
    "calibration_error",
    "lift_top_decile",
    "accuracy",
    "macro_f1",
    "deciles",
    "money",
    "classes",
    "confusion",
    "drivers",
    "segments",
    "n_rows",
    "n_positive",
    "n_fitted",
    "is_only_order",
    *AMOUNT_FIGURES,
    *LEVEL_FIGURES,
)


def card_of_fit(result: "FitResult", extra: Mapping[str, object]) -> str:
    """The page; `extra` adds what the fit does not know: question, seconds, score_outcomes and so on."""
    figures, model = result.metrics, result.model

    def named(column: str) -> str:
        return model.descriptions.get(column) or humanise(column)

    facts: dict = {
        "name": model.spec.name,
        "likelihood": model.spec.likelihood,
        "task": model.spec.task,
        "link": model.amount.get("link"),
        "levels": list(model.classes) if model.is_ordered else None,
        "verdict": result.verdict,
        "kept": result.kept,
        "reason": result.reason,
        "split_words": SPLITS[figures["split"]],
        "n_train": figures["n_fit"],
        "n_holdout": figures["n_test"],
        "n_holdout_entities": figures["n_test_entities"],
        "n_columns": len(model.encoding.names),
        "candidates": [
            {
                "name": row["name"],
                "log_loss": row.get("log_loss_validation"),
                "error": row.get("error_validation"),
                "rps": row.get("rps_validation"),
                "chosen": row["chosen"],
            }
            for row in result.candidates
        ],
        "notes": [_in_words(note, named) for note in result.notes],
        "limits": limits(model, figures, result.kept),
        "learnt_from": learnt_from(figures),
        "calibrated": how_calibrated(result.calibrated_on),
        "method": model.method,
        "fingerprint": model.fingerprint[:16],
        "code_version": model.code_version,
        **{name: figures[name] for name in FIGURES if name in figures},
        **_left_out(result),
    }
    if figures["n_fitted"] == figures["n_rows"]:
        del facts["n_fitted"]
    facts["suspect"] = [_worded(row, named) for row in figures["suspects"]]
    facts["leaky"] = [_worded(row, named) for row in facts.get("leaky", [])]
    facts["segments"] = [{**row, "words": named(row["segment"])} for row in figures["segments"]]
    return card_page(facts | dict(extra))


def limits(model: "FittedPrediction", figures: dict, kept: bool) -> list[str]:
    """What the figures do not show, in sentences for those who act on the scores."""
    found = [
        "The model in use has learnt from the rows of the test, too, after the test: it knows more recent cases than "
        "the figures show.",
        "A reason says what moved the estimate. Changing it need not change what happens.",
        "What has been recorded only lately is not used yet: the model must have seen how it turned out.",
    ]
    if "n_test_entities_positive" in figures:
        found.append(f"The highest percentages rest on few cases: {figures['n_test_entities_positive']:,} in the test.")
    if figures["split"] != "time":
        found.insert(
            0, "It was not tested on a later time than it learnt from: how well it holds as things change is open."
        )
    if not kept:
        found.insert(0, "This model is not used: it scores nobody.")
    return found


def learnt_from(figures: Mapping) -> str:
    """Which rows the model has learnt from and which it was judged on, for the analyst."""
    learnt, judged = f"Learnt from {figures['n_fit']:,} rows", f"judged on {figures['n_test']:,}"
    if "fit_from" not in figures:
        return f"{learnt}, {judged}."
    step = f", one snapshot about every {figures['step_days']} days" if figures["step_days"] else ""
    gap = (
        f" A gap of {figures['gap_days']} days lies between: every answer learnt from was known when the test began."
        if figures["split"] == "time"
        else ""
    )
    return (
        f"{learnt}, {figures['fit_from']} to {figures['fit_until']}{step}; {judged}, {figures['test_from']} to "
        f"{figures['test_until']}.{gap}"
    )


def how_calibrated(calibrated_on: str) -> str:
    """On which rows the probabilities were set right, for the analyst."""
    where = "newer rows than it learnt from" if calibrated_on == "time" else "entities that it had not learnt from"
    return (
        f"For the figures of the test, calibration was fitted on {where}, before the test. The model that scores was "
        "fitted again on all rows, and calibrated on rows that its parts had not seen; it has no figures of its own."
    )


def _worded(row: Mapping, named: Callable[[str], str]) -> dict:
    """A column that was found suspect or leaky, in words."""
    return {**row, "words": named(row["column"]), "reason": _in_words(row["reason"], named)}


def _in_words(text: str, named: Callable[[str], str]) -> str:
    """A sentence with columns by their words, where it names them as `code`."""
    return re.sub(r"`([^`]+)`", lambda found: f"“{named(found[1])}”", text)


def _left_out(result: "FitResult") -> dict[str, list[dict]]:
    """Columns that the model does not use, by kind."""
    found: dict[str, list[dict]] = {}
    for each in result.dropped:
        found.setdefault(each.kind, []).append({"column": each.column, "reason": each.reason})
    return found
