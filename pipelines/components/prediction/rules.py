"""A prediction's rule: scores by points, told by the rule's own words, while no model is in use."""

import json
from typing import TYPE_CHECKING

import dagster as dg

from pipelines.components.declared.prediction import DeclaredPrediction

if TYPE_CHECKING:
    import duckdb
    import polars as pl

REASONS = 3
NO_REASON = "Nothing that the rule looks for"
MODEL, RULE = "model", "rule"
"""What `decided_by` says."""


def scored_by_rule(
    connection: "duckdb.DuckDBPyConnection", declared: DeclaredPrediction, frame: "pl.DataFrame"
) -> "pl.DataFrame":
    """
    The rows of `frame` as the rule scores them, with the columns that a model's scores have.

    The key, `as_of`, score (Int32, 1-99: percentile of the points among these rows), grade, reason_1 to reason_3 (the
    words of the lines with the most points that hold), reasons (JSON: every line that holds with its points).
    probability, expected_value and the points of groups are null: points are no log-odds. Raises `dg.Failure` for a
    condition that the database cannot answer.
    """
    import polars as pl

    from pipelines.learning.scoring.fitted import grade, percentile_scores

    lines = sorted(declared.rule, key=lambda line: -abs(line.points))
    holds = [_holds(connection, declared, line.when, frame) for line in lines]
    total = sum((pl.Series(each).cast(pl.Float64) * line.points for each, line in zip(holds, lines, strict=True)), 0.0)
    score = percentile_scores(total.round(9).to_numpy())
    told, listed = [], []
    for row in range(frame.height):
        own = [line for line, each in zip(lines, holds, strict=True) if each[row]]
        words = [line.because for line in own[:REASONS]] or [NO_REASON]
        told.append([*words, *[None] * (REASONS - len(words))])
        listed.append(
            json.dumps(
                [
                    {
                        "feature": line.when,
                        "value": None,
                        "points": line.points,
                        "words": line.because,
                        "text": line.because,
                    }
                    for line in own
                ],
                ensure_ascii=False,
            )
        )
    nothing = pl.lit(None, dtype=pl.Float64)
    groups = [f"points_{name}" for name in (*declared.groups, "other")] if declared.groups else []
    who = [declared.entity, *([declared.as_of] if declared.as_of in frame.columns else [])]
    scores = frame.select(who).with_columns(
        probability=nothing,
        score=pl.Series(score, dtype=pl.Int32),
        grade=pl.Series([grade(each) for each in score.tolist()], dtype=pl.String),
        expected_value=nothing,
        reasons=pl.Series(listed, dtype=pl.String),
        **{
            f"reason_{number + 1}": pl.Series([words[number] for words in told], dtype=pl.String)
            for number in range(REASONS)
        },
        **dict.fromkeys(groups, nothing),
    )
    return scores.with_columns(pl.col(who[1:]).cast(pl.Date))


def _holds(
    connection: "duckdb.DuckDBPyConnection", declared: DeclaredPrediction, condition: str, frame: "pl.DataFrame"
) -> list[bool]:
    """Whether a condition holds for each row, in their order; null is no."""
    import duckdb

    connection.register("rows_of_rule", frame.with_row_index("__place").to_arrow())
    try:
        rows = connection.execute(
            f"select coalesce(cast(({condition}) as boolean), false) from rows_of_rule as snapshots order by __place"
        ).fetchall()
    except duckdb.Error as problem:
        reason = str(problem).splitlines()[0]
        raise dg.Failure(
            f"{declared.name}: the rule's condition {condition!r} cannot be answered: {reason}", allow_retries=False
        ) from None
    finally:
        connection.unregister("rows_of_rule")
    return [each for (each,) in rows]
