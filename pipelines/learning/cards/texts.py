"""The card of a classifier of texts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelines.learning.cards.page import card_page

if TYPE_CHECKING:
    from pipelines.learning.texts.classifier import TextFit

FIGURES = (
    *("log_loss", "log_loss_error", "baseline_log_loss", "calibration_error", "base_rate", "brier", "auc"),
    *("accuracy", "macro_f1", "classes", "confusion", "notes", "n_rows"),
)


def text_card(name: str, about: str, fit: "TextFit", figures: Mapping, kept: bool, reason: str) -> str:
    """The model card's page; `figures`: those of the fit, and notes."""
    return card_page(
        {
            **{each: figures[each] for each in FIGURES if each in figures},
            "name": name,
            "about": about,
            "task": "classes",
            "likelihood": "chance",
            "rows_word": "texts",
            "verdict": fit.verdict,
            "kept": kept,
            "reason": reason,
            "method": f"linear on words and runs of characters (C = {fit.model.strength:g})",
            "split_words": "tested on a part set aside at random, copies on one side",
            "n_train": figures["n_fit"],
            "n_holdout": figures["n_test"],
            "candidates": [
                {"name": row["name"], "log_loss": row["log_loss_validation"], "chosen": row["chosen"]}
                for row in fit.candidates
            ],
            "limits": [
                "The model in use has learnt from the texts of the test, too, after the test.",
                "Words say what moved the answer; they are no cause.",
            ],
            "created_at": f"{datetime.now(UTC):%Y-%m-%d}",
        }
    )
