"""What evaluation.json says of a fit on any table."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipelines.any_table.question import CONTENT, Question

if TYPE_CHECKING:
    from pipelines.learning.columns.leaks import Finding
    from pipelines.learning.fitting.fit import FitResult


def evaluation_of(result: "FitResult", question: Question, notes: Sequence[str], seconds: float) -> dict:
    """What evaluation.json says."""
    from pipelines.learning.judging.amounts import FIGURES
    from pipelines.learning.judging.ordered import FIGURES as LEVEL_FIGURES
    from pipelines.learning.specs import TASKS

    figures, spec = result.metrics, question.spec
    names = ("auc", "auc_error", "average_precision", "brier", "log_loss", "log_loss_error", "calibration_error")
    names += ("lift_top_decile", "base_rate", "baseline_log_loss", "accuracy", "macro_f1", "classes", "confusion")
    names += (*FIGURES, *LEVEL_FIGURES)
    loss = TASKS[spec.task].loss
    left_out: dict[str, list[dict]] = {
        kind: [asdict(each) for each in result.dropped if each.kind == kind]
        for kind in ("constant", "id_like", "excluded", "target", "unusable")
    }
    suspects = {row["column"]: row for row in figures["suspects"]}
    found = [
        {"column": each.column, "reason": each.reason, "grade": each.grade, **each.figures}
        for each in [*result.findings, *_order_leaks(question)]
    ]
    return {
        "task": spec.task,
        "target": spec.target,
        "positive": question.positive,
        **({"levels": list(spec.levels)} if spec.levels else {}),
        "verdict": result.verdict,
        "n_rows": figures["n_rows"],
        "n_train": figures["n_fit"],
        "n_holdout": figures["n_test"],
        "split": "time" if figures["split"] == "time" else "stratified",
        **{name: as_json(figures[name]) for name in names if name in figures},
        "gain_over_base_rate": figures["gain_over_base_rate"],
        "gain_error": figures["gain_error"],
        "method": result.model.method,
        "candidates": [
            {"name": row["name"], loss: row[f"{loss}_validation"], "chosen": row["chosen"]} for row in result.candidates
        ],
        "leaky": [each for each in found if each["grade"] == "leaky"],
        "suspect": [{**each, **suspects.get(each["column"], {})} for each in found if each["grade"] == "suspect"],
        **left_out,
        "drivers": [{key: row[key] for key in ("column", "strength", "share")} for row in figures["drivers"]],
        "segments": as_json(figures["segments"]),
        "notes": [*notes, *(note.replace("**", "") for note in result.notes)],
        "seconds": seconds,
        "fit_seconds": result.fit_seconds,
    }


def _order_leaks(question: Question) -> list["Finding"]:
    """Whether the key, or the order of the rows in the file, gives the answer away. Neither is learnt from anyway."""
    import numpy as np
    import polars as pl

    from pipelines.learning.columns.leaks import key_leak

    key = question.spec.entity_key
    known = question.frame.filter(pl.col(question.spec.target).is_not_null())
    answers = known[question.spec.target]
    if question.spec.task == "amount":
        answers = answers > answers.median()
    answers = answers.cast(pl.Enum(question.spec.levels) if question.spec.levels else pl.String)
    answers = answers.to_physical() if question.spec.levels else answers
    answers = answers.rank("dense").to_numpy().astype(np.float64)
    orders = [pl.Series("(order of the rows)", range(known.height))]
    if key != CONTENT and (known[key].dtype == pl.String or known[key].dtype.is_numeric()):
        orders.append(known[key])
    found = [key_leak(order, answers, np.arange(known.height)) for order in orders]
    return [each for each in found if each is not None]


def as_json(value: object) -> object:
    """The same with null in place of nan, which JSON does not have."""
    from pipelines.learning.judging.evaluation import finite

    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    return [as_json(each) for each in value] if isinstance(value, list | tuple) else finite(value)
