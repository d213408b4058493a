"""The card of a classifier of texts."""

from collections.abc import Mapping
from datetime import UTC, datetime

from pipelines.learning.cards.page import card_page

FIGURES = (
    *("log_loss", "log_loss_error", "baseline_log_loss", "calibration_error", "base_rate", "brier", "auc"),
    *("accuracy", "macro_f1", "classes", "confusion", "verdict", "reason", "method", "notes", "n_rows", "seconds"),
)


def text_card(evaluation: Mapping, about: Mapping, has_several: bool) -> str:
    """
    The model card's page.

    `evaluation`: the figures of the fit, its candidates, verdict, reason, method and notes; `about`: name, about or
    question, and kept, as `page.card_page` takes them; `has_several`: whether a text may have several labels.
    """
    few = "each judged by a model that had not seen it" if evaluation["rounds"] > 1 else "a part set aside at random"
    several = "A text has several labels: right is a text whose likeliest label is one of its own."
    return card_page(
        {
            **{name: evaluation[name] for name in FIGURES if name in evaluation},
            **about,
            "task": "classes",
            "likelihood": "chance",
            "rows_word": "texts",
            "split_words": f"tested on {few}, copies on one side",
            "n_train": evaluation["n_fit"],
            "n_holdout": evaluation["n_test"],
            "candidates": [
                {"name": row["name"], "log_loss": row["log_loss_validation"], "chosen": row["chosen"]}
                for row in evaluation["candidates"]
            ],
            "limits": [
                "The model in use has learnt from the texts of the test, too, after the test.",
                "Words say what moved the answer; they are no cause.",
                *([several] if has_several else []),
            ],
            "created_at": f"{datetime.now(UTC):%Y-%m-%d}",
        }
    )
