"""`published.model_health`: drift of each model's columns and scores, and its metrics on outcomes that have come."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipelines.database import columns_of, quoted, read_frame, table_exists
from pipelines.registry.store import champion_version, load_version, refused_in_words
from pipelines.track_record.score_history import matured_scores, replace_keeping

if TYPE_CHECKING:
    from datetime import date

    import duckdb

    from pipelines.track_record.compared import ScoredPrediction

MODEL_HEALTH = {
    "model": "varchar",
    "model_version": "varchar",
    "as_of_date": "date",
    "scores_table": "varchar",
    "rows_scored": "bigint",
    "score_psi": "double",
    "score_psi_noise": "double",
    "max_psi": "double",
    "max_psi_column": "varchar",
    "worst_columns": "varchar",
    "matured_rows": "bigint",
    "matured_entities": "bigint",
    "auc": "double",
    "auc_noise": "double",
    "log_loss": "double",
    "log_loss_noise": "double",
    "calibration_error": "double",
    "calibration_noise": "double",
    "promised_auc": "double",
    "promised_log_loss": "double",
    "promised_calibration_error": "double",
    "is_refit_requested": "boolean",
    "reason": "varchar",
}
MODEL_HEALTH_KEY = ("model", "model_version", "as_of_date")
WORST = 10
"""How many columns `worst_columns` lists."""


def write_model_health(
    connection: "duckdb.DuckDBPyConnection", predictions: Sequence["ScoredPrediction"], as_of: "date"
) -> list[dict]:
    """
    Add today's row of every model that scores to `published.model_health` and return those rows.

    Needs the view of `past_scores`. A row of the same model, version and day is replaced.
    """
    rows = [row for prediction in predictions if (row := model_health(connection, prediction, as_of)) is not None]
    columns = ", ".join(f"{name} {kind}" for name, kind in MODEL_HEALTH.items())
    connection.execute(f"create or replace temp table health_now ({columns})")
    for row in rows:
        connection.execute(
            f"insert into health_now ({', '.join(row)}) values ({', '.join('?' for _ in row)})", list(row.values())
        )
    replace_keeping(connection, "model_health", MODEL_HEALTH, MODEL_HEALTH_KEY, ["from health_now"])
    connection.execute("drop table health_now")
    return rows


def model_health(connection: "duckdb.DuckDBPyConnection", prediction: "ScoredPrediction", as_of: "date") -> dict | None:
    """
    The health of the version that scores, as of a day; None without a version or without rows to score.

    If the version's file is refused, the row has the reason and no figures.
    """
    from pipelines.learning.judging.drift import column_shifts, has_worsened, judge_outcomes, score_shift
    from pipelines.learning.judging.evaluation import finite

    version = champion_version(prediction.name)
    if version is None or not table_exists(connection, *prediction.features_table):
        return None
    row: dict = {
        "model": prediction.name,
        "model_version": version,
        "as_of_date": as_of,
        "scores_table": prediction.publish.table,
    }
    model, refusal = load_version(connection, prediction.name, version)
    if model is None:
        return {**row, "is_refit_requested": False, "reason": refused_in_words(prediction.name, refusal)}
    frame, _, was_learnt_from = prediction.scoring_frame(connection)
    if frame.is_empty():
        return None
    row["rows_scored"] = frame.height
    if model.baseline:
        strong = {each["column"] for each in model.metrics.get("drivers", ())}
        shifts = column_shifts(model.baseline, frame, model.spec.as_of)
        for shift in shifts:
            shift["is_strong"] = shift["column"] in strong
        row |= {"worst_columns": json.dumps(_worst(shifts))}
        if shifts:
            row |= {"max_psi": shifts[0]["psi"], "max_psi_column": shifts[0]["column"]}
        # On rows that it learnt from, a model is more certain than it was on the test rows of its baseline.
        scores = [] if was_learnt_from else _probabilities(connection, prediction, version, as_of)
        if len(scores):
            row["score_psi"], row["score_psi_noise"] = score_shift(model.baseline, scores)
    known = matured_scores(connection, prediction, version)
    matured = None
    if known.height:
        entities = known["entity_id"].rank("dense").to_numpy()
        matured = judge_outcomes(known["outcome"].to_numpy(), known["probability"].to_numpy(), entities)
        row |= {name: finite(matured[name]) for name in MODEL_HEALTH if name in matured}
    promised = model.metrics
    row |= {f"promised_{name}": finite(promised.get(name)) for name in ("auc", "log_loss", "calibration_error")}
    if prediction.why_not_compared is None:
        row["is_refit_requested"], row["reason"] = has_worsened(promised, matured)
    else:
        row["is_refit_requested"], row["reason"] = False, prediction.why_not_compared
    return row


def _worst(shifts: Sequence[Mapping]) -> list[dict]:
    """The columns that moved most, and important ones further down that moved beyond noise."""
    strong = [shift for shift in shifts[WORST:] if shift["is_strong"] and shift["is_major"]]
    return [dict(shift) for shift in [*shifts[:WORST], *strong]]


def _probabilities(
    connection: "duckdb.DuckDBPyConnection", prediction: "ScoredPrediction", version: str, as_of: "date"
):
    """Today's probabilities, levels or amounts to expect (float64) of this version, of classes the highest probability;
    empty if not scored today.
    """
    columns = columns_of(connection, "scores", prediction.name)
    whole = [name for name in ("expected", "probability") if name in columns][:1]
    probabilities = [quoted(name) for name in whole or columns if whole or name.startswith("probability_")]
    if not probabilities:
        return []
    return read_frame(
        connection,
        f"select greatest({', '.join(probabilities)}) as highest"
        f" from scores.{prediction.name} where model_version = ? and as_of_date = ?",
        [version, as_of],
    )["highest"].to_numpy()


def health_checks(row: Mapping) -> dict[str, tuple[bool, str]]:
    """The asset checks of a row of `model_health`: name → whether it passed, and a sentence."""
    from pipelines.learning.judging.drift import MAJOR_SHIFT
    from pipelines.learning.scoring.wording import humanise

    if row["rows_scored"] is None:
        return {name: (False, row["reason"]) for name in ("scores_are_stable", "inputs_are_stable", "promise_is_kept")}
    moved = [each for each in json.loads(row["worst_columns"] or "[]") if each["is_strong"] and each["is_major"]]
    listed = "; ".join(f"{humanise(each['column'])} ({each['column']}, {each['psi']:.2f})" for each in moved)
    psi = row["score_psi"]
    return {
        "scores_are_stable": (
            psi is None or psi <= max(MAJOR_SHIFT, row["score_psi_noise"]),
            "Not compared: the model has not scored today, has learnt from these very rows, or is of before baselines "
            "were kept."
            if psi is None
            else f"The scores of today against those of the fit: population stability index {psi:.2f}; above"
            f" {MAJOR_SHIFT} they are spread otherwise than they were.",
        ),
        "inputs_are_stable": (
            not moved,
            f"Of what moves the estimate most, this is not as it was when the model learnt: {listed}. The figure is the"
            f" population stability index, above {MAJOR_SHIFT} much has changed. Ask what has: the customers, the"
            " business or an export. A refit learns what is new."
            if moved
            else "What moves the estimate most is as it was when the model learnt.",
        ),
        "promise_is_kept": (not row["is_refit_requested"], row["reason"]),
    }
