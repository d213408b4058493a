"""A fit's model card as a web page: the facts of a `FitResult`, as `card_page` takes them."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pipelines.learning.card_page import card_page
from pipelines.learning.cards import SPLITS, how_calibrated, limits
from pipelines.learning.wording import humanise

if TYPE_CHECKING:
    from pipelines.learning.prediction import FitResult

FIGURES = (
    "base_rate",
    "auc",
    "average_precision",
    "brier",
    "log_loss",
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
        "verdict": result.verdict,
        "kept": result.kept,
        "reason": result.reason,
        "split_words": SPLITS[figures["split"]],
        "n_train": figures["n_fit"],
        "n_holdout": figures["n_test"],
        "n_holdout_entities": figures["n_test_entities"],
        "n_columns": len(model.encoding.names),
        "candidates": [
            {"name": row["name"], "log_loss": row["log_loss_validation"], "chosen": row["chosen"]}
            for row in result.candidates
        ],
        "notes": [_in_words(note, named) for note in result.notes],
        "limits": limits(model, figures, result.kept),
        "calibrated": how_calibrated(result.calibrated_on),
        "method": model.method,
        "fingerprint": model.fingerprint[:16],
        "code_version": model.code_version,
        **{name: figures[name] for name in FIGURES if name in figures},
        **_left_out(result),
    }
    if figures["n_fitted"] == figures["n_rows"]:
        del facts["n_fitted"]
    facts["suspect"] = [_told(row, named) for row in figures["suspects"]]
    facts["leaky"] = [_told(row, named) for row in facts["leaky"]]
    facts["segments"] = [{**row, "words": named(row["segment"])} for row in figures["segments"]]
    return card_page(facts | dict(extra))


def _told(row: Mapping, named: Callable[[str], str]) -> dict:
    """A column that was found suspect or leaky, in words."""
    return {**row, "words": named(row["column"]), "reason": _in_words(row["reason"], named)}


def _in_words(text: str, named: Callable[[str], str]) -> str:
    """A sentence with columns by their words, where it names them as `code`."""
    return re.sub(r"`([^`]+)`", lambda found: f"“{named(found[1])}”", text)


def _left_out(result: "FitResult") -> dict[str, list[dict]]:
    """Columns that the model does not use, by why."""
    found: dict[str, list[dict]] = {"leaky": [], "excluded": [], "id_like": [], "constant": []}
    for column, reason in result.dropped:
        first = reason.split(":")[0].split(" ")[0]
        name = {"leak": "leaky", "id-like": "id_like", "constant": "constant", "no": "constant"}.get(first, "excluded")
        found[name].append({"column": column, "reason": reason.removeprefix("leak: ").removeprefix("constant: ")})
    return found
