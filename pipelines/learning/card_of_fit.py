"""A fit's model card as a web page: the facts of a `FitResult`, as `card_page` takes them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.learning.card_page import card_page
from pipelines.learning.cards import SPLITS, limits

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
    "classes",
    "confusion",
    "drivers",
    "segments",
    "n_rows",
    "n_positive",
)


def card_of_fit(result: "FitResult", extra: Mapping[str, object]) -> str:
    """The page; `extra` adds what the fit does not know: question, seconds, score_outcomes and so on."""
    figures, model = result.metrics, result.model
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
        "suspect": figures["suspects"],
        "notes": result.notes,
        "limits": limits(model, figures, result.kept, result.calibrated_on),
        "method": model.method,
        "fingerprint": model.fingerprint[:16],
        "code_version": model.code_version,
        **{name: figures[name] for name in FIGURES if name in figures},
        **_left_out(result),
    }
    return card_page(facts | dict(extra))


def _left_out(result: "FitResult") -> dict[str, list[dict]]:
    """Columns that the model does not use, by why."""
    found: dict[str, list[dict]] = {"leaky": [], "excluded": [], "id_like": [], "constant": []}
    for column, reason in result.dropped:
        first = reason.split(":")[0].split(" ")[0]
        name = {"leak": "leaky", "id-like": "id_like", "constant": "constant", "no": "constant"}.get(first, "excluded")
        found[name].append({"column": column, "reason": reason.removeprefix("leak: ")})
    return found
