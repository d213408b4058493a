"""
Did the scores come true? Past scores with their outcomes: `published.score_outcomes` and `published.uplift`.

Scores come from releases (`score_history` of the last one) and from backfills, outcomes from the warehouse. A score
counts once its horizon has passed.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import quoted, read_frame, table_exists
from pipelines.publishing.kept_releases import last_release
from pipelines.publishing.states import BACKFILL, SCORE_HISTORY

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from pipelines.learning.cards.facts import ScoreOutcome
    from pipelines.track_record.compared import ScoredPrediction

SCORE_OUTCOMES = {
    "model": "varchar",
    "as_of_date": "date",
    "scores_release_id": "varchar",
    "is_backfill": "boolean",
    "grade": "varchar",
    "horizon_days": "integer",
    "rows": "bigint",
    "matured_rows": "bigint",
    "predicted_rate": "double",
    "actual_rate": "double",
    "money_expected": "double",
    "money_come": "double",
    "currency": "varchar",
    "money_by_currency": "varchar",
    "told": "varchar",
    "model_version": "varchar",
}
SCORE_OUTCOMES_KEY = ("model", "scores_release_id", "grade")
UPLIFT = {
    "model": "varchar",
    "grade": "varchar",
    "first_as_of_date": "date",
    "last_as_of_date": "date",
    "acted_on_rows": "bigint",
    "acted_on_rate": "double",
    "held_back_rows": "bigint",
    "held_back_rate": "double",
    "difference": "double",
    "difference_low": "double",
    "difference_high": "double",
    "is_beyond_noise": "boolean",
    "told": "varchar",
}
UPLIFT_KEY = ("model", "grade")
ALL_GRADES = "all"


@contextmanager
def past_scores(connection: "duckdb.DuckDBPyConnection", published: Path) -> Iterator[None]:
    """
    Within this context the view `past_scores` has every past score, with the columns of `score_history`.

    The last release, if there is one, is attached as `last_release`; if the published file cannot be read, a kept copy
    is. Newly backfilled days replace the release's backfilled rows of the same days.
    """
    columns = ", ".join(SCORE_HISTORY)
    nothing = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in SCORE_HISTORY.items())
    has_backfilled = table_exists(connection, "scores", "backfilled")
    parts = [f"select {nothing} where false"]
    if has_backfilled:
        parts.append(f"select {columns} from scores.backfilled")
    release = last_release(published).path
    if release is not None:
        escaped = str(release).replace("'", "''")
        connection.execute(f"attach '{escaped}' as last_release (read_only)")
        newer = "and (table_name, as_of_date) in (select (table_name, as_of_date) from scores.backfilled)"
        replaced = f"where not (starts_with(release_id, '{BACKFILL}') {newer})" if has_backfilled else ""
        parts.append(f"select * from last_release.score_history {replaced}")
    try:
        connection.execute(f"create or replace temp view past_scores as {' union all by name '.join(parts)}")
        yield
    finally:
        connection.execute("drop view if exists past_scores")
        if release is not None:
            connection.execute("detach last_release")


def matured(prediction: "ScoredPrediction") -> str:
    """
    A query over `past_scores` for the scores of a model whose horizon has passed.

    Columns of the history, and `outcome`: null if it is unknown (a merged lead, a day that the outcomes do not have).
    Rows of old releases, which had no grade, get it from the score.
    """
    from pipelines.learning.scoring.fitted import GRADES

    return f"""
        select
            history.* replace (
                coalesce(history.is_backfill, false) as is_backfill,
                coalesce(
                    history.grade,
                    case {" ".join(f"when score >= {lowest} then '{letter}'" for letter, lowest in GRADES)} end
                ) as grade
            ),
            cast(outcomes.{quoted(prediction.target)} as boolean) as outcome
        from past_scores as history
        left join {quoted(*prediction.outcomes_table)} as outcomes
            on history.entity_id = cast(outcomes.{quoted(prediction.entity)} as varchar)
            and history.as_of_date = cast(outcomes.{quoted(prediction.as_of)} as date)
        where
            history.table_name = '{prediction.publish.table}'
            and coalesce(history.horizon_days, {prediction.horizon_days}) = {prediction.horizon_days}
            and history.as_of_date + {prediction.horizon_days} <= (select max(as_of_date) from raw_scorecast.as_of)
    """


def write_score_outcomes(connection: "duckdb.DuckDBPyConnection", predictions: Sequence["ScoredPrediction"]) -> int:
    """
    Make `published.score_outcomes` from `past_scores`; returns its number of rows.

    Earlier rows that cannot be computed any more (the warehouse was rebuilt, the snapshots are too old) are kept.
    """
    parts = [_score_outcomes_query(prediction) for prediction in predictions if _can_be_judged(connection, prediction)]
    replace_keeping(connection, "score_outcomes", SCORE_OUTCOMES, ("model", "scores_release_id"), parts)
    return connection.execute("select count(*) from published.score_outcomes").fetchone()[0]


def _score_outcomes_query(prediction: "ScoredPrediction") -> str:
    entities, happened = words_of(prediction.entity, prediction.target)
    return f"""
        with judged as (
            {matured(prediction)}
        ),
        main_currency as (
            select as_of_date, release_id, coalesce(mode(currency), '') as currency from judged group by all
        ),
        by_currency as (
            select
                release_id, as_of_date, grade, coalesce(currency, '') as currency,
                sum(expected_value) filter (where outcome is not null) as expected,
                coalesce(sum(expected_value / probability) filter (where outcome), 0) as come
            from judged
            where expected_value is not null
            group by all
        ),
        money as (
            select
                by_currency.release_id, by_currency.as_of_date, by_currency.grade,
                nullif(any_value(main_currency.currency), '') as currency,
                sum(expected) filter (where by_currency.currency = main_currency.currency) as expected,
                sum(come) filter (where by_currency.currency = main_currency.currency) as come,
                cast(to_json(map_from_entries(list(
                    (by_currency.currency, {{'expected': round(expected, 2), 'come': round(come, 2)}})
                    order by by_currency.currency
                ))) as varchar) as money_by_currency
            from by_currency
            inner join main_currency
                on by_currency.release_id = main_currency.release_id
                and by_currency.as_of_date = main_currency.as_of_date
            group by by_currency.release_id, by_currency.as_of_date, by_currency.grade
        ),
        grades as (
            select
                release_id, as_of_date, grade,
                bool_or(is_backfill) as is_backfill,
                max(model_version) as model_version,
                count(*) as rows,
                count(outcome) as matured_rows,
                avg(probability) filter (where outcome is not null) as predicted_rate,
                avg(cast(outcome as integer)) as actual_rate
            from judged
            group by release_id, as_of_date, grade
            having count(outcome) > 0
        )
        select
            '{prediction.name}' as model, grades.as_of_date, grades.release_id as scores_release_id,
            grades.is_backfill, grades.grade, {prediction.horizon_days} as horizon_days,
            grades.rows, grades.matured_rows, grades.predicted_rate, grades.actual_rate,
            money.expected as money_expected, money.come as money_come, money.currency, money.money_by_currency,
            format(
                'Of {{:,}} {entities} graded {{}} on {{}}, {{:.0f}} % {happened} ({{}})',
                grades.matured_rows, grades.grade, cast(grades.as_of_date as varchar), 100 * grades.actual_rate,
                coalesce(format('predicted {{:.0f}} %', 100 * grades.predicted_rate), 'by the rule')
            ) as told,
            grades.model_version
        from grades
        left join money using (release_id, as_of_date, grade)
    """


def write_uplift(connection: "duckdb.DuckDBPyConnection", predictions: Sequence["ScoredPrediction"]) -> int:
    """
    Make `published.uplift` from `past_scores`: outcome rates of held-back and other entities, by grade and overall.

    Uses releases that held entities back and are at least one horizon apart, so that an outcome counts once.
    `difference` is the rate of those who could be acted on minus that of the held back. Returns the number of rows.
    """
    rows = [
        row
        for prediction in predictions
        if _can_be_judged(connection, prediction)
        for row in _uplift_rows(connection, prediction)
    ]
    columns = ", ".join(f"{name} {kind}" for name, kind in UPLIFT.items())
    connection.execute("create schema if not exists published")
    connection.execute(f"create or replace table published.uplift ({columns})")
    for row in rows:
        connection.execute(
            f"insert into published.uplift ({', '.join(row)}) values ({', '.join('?' for _ in row)})",
            list(row.values()),
        )
    return len(rows)


def _uplift_rows(connection: "duckdb.DuckDBPyConnection", prediction: "ScoredPrediction") -> list[dict]:
    from pipelines.learning.judging.holdback import rate_difference

    with_holdback = f"""
        select as_of_date, release_id from ({matured(prediction)})
        where not is_backfill group by all having bool_or(coalesce(is_holdback, false)) and count(outcome) > 0
    """
    releases = connection.execute(
        f"select as_of_date, max(release_id) from ({with_holdback}) group by as_of_date order by as_of_date"
    ).fetchall()
    chosen: list[tuple[date, str]] = []
    for day, release_id in releases:
        if not chosen or day >= chosen[-1][0] + timedelta(days=prediction.horizon_days):
            chosen.append((day, release_id))
    if not chosen:
        return []
    counted = connection.execute(
        f"""
        select
            coalesce(grade, '{ALL_GRADES}') as grade,
            count(*) filter (where not is_holdback) as acted_on,
            count(*) filter (where not is_holdback and outcome) as acted_on_hits,
            count(*) filter (where is_holdback) as held_back,
            count(*) filter (where is_holdback and outcome) as held_back_hits
        from ({matured(prediction)})
        where outcome is not null and release_id in (select unnest($1::varchar[]))
        group by rollup (grade)
        order by grade
        """,
        [[release_id for _, release_id in chosen]],
    ).fetchall()
    entities, happened = words_of(prediction.entity, prediction.target)
    rows = []
    for grade, acted_on, hits, held_back, held_back_hits in counted:
        if not (acted_on and held_back):
            continue
        difference, low, high = rate_difference(hits, acted_on, held_back_hits, held_back)
        whose = entities if grade == ALL_GRADES else f"{entities} graded {grade}"
        rows.append(
            {
                "model": prediction.name,
                "grade": grade,
                "first_as_of_date": chosen[0][0],
                "last_as_of_date": chosen[-1][0],
                "acted_on_rows": acted_on,
                "acted_on_rate": hits / acted_on,
                "held_back_rows": held_back,
                "held_back_rate": held_back_hits / held_back,
                "difference": difference,
                "difference_low": low,
                "difference_high": high,
                "is_beyond_noise": low > 0 or high < 0,
                "told": (
                    f"Of {acted_on:,} {whose} that could be acted on {100 * hits / acted_on:.1f} % {happened}, of"
                    f" {held_back:,} held back {100 * held_back_hits / held_back:.1f} %: {100 * difference:+.1f} points"
                    f" (95 % sure: {100 * low:+.1f} to {100 * high:+.1f})"
                ),
            }
        )
    return rows


def matured_scores(
    connection: "duckdb.DuckDBPyConnection", prediction: "ScoredPrediction", model_version: str
) -> "pl.DataFrame":
    """Published scores of a model version whose outcome is known: entity_id, probability, outcome."""
    if not _can_be_judged(connection, prediction):
        return read_frame(connection, "select '' as entity_id, 0.5 as probability, true as outcome where false")
    return read_frame(
        connection,
        f"""
        select entity_id, probability, outcome from ({matured(prediction)})
        where outcome is not null and not is_backfill and model_version = ?
        order by as_of_date, release_id, entity_id
        """,
        [model_version],
    )


def score_outcomes_of(connection: "duckdb.DuckDBPyConnection", model: str) -> "list[ScoreOutcome]":
    """The outcomes of a model's past scores by release and grade, the oldest first; empty if there are none yet.

    Scores of a rule are not the model's.
    """
    from pipelines.learning.cards.facts import ScoreOutcome

    if not table_exists(connection, "published", "score_outcomes"):
        return []
    rows = connection.execute(
        """
        select
            as_of_date, scores_release_id, coalesce(is_backfill, false), grade, matured_rows,
            predicted_rate, actual_rate, money_expected, money_come, currency
        from published.score_outcomes
        where model = ? and matured_rows > 0 and predicted_rate is not null  -- a rule predicts no rate
        order by as_of_date, scores_release_id, grade
        """,
        [model],
    ).fetchall()
    return [ScoreOutcome(*row) for row in rows]


def words_of(entity_key: str, target: str) -> tuple[str, str]:
    """
    The entity in the plural and the target as a past participle, from the names of their columns.

    >>> words_of("account_id", "is_churned_90d"), words_of("opportunity_id", "is_won_90d")
    (('accounts', 'churned'), ('opportunities', 'won'))
    """
    entity = re.sub(r"_?(id|key|number)$", "", entity_key, flags=re.IGNORECASE).replace("_", " ").lower() or "row"
    plural = entity[:-1] + "ies" if re.search(r"[^aeiou]y$", entity) else entity + ("es" if entity[-1] in "sx" else "s")
    happened = re.sub(r"^(is|has|was|did)_|_\d+d$", "", target.lower()).replace("_", " ")
    return plural, happened


def happens_of(target: str) -> str:
    """
    The target as a verb phrase, from its column's name.

    >>> happens_of("is_won_90d"), happens_of("has_renewed"), happens_of("upgrades_30d")
    ('are won', 'have renewed', 'are a yes (upgrades)')
    """
    _, words = words_of("", target)
    verbs = {"is": "are", "was": "were", "has": "have", "did": "did", "will": "will"}
    verb = verbs.get(target.lower().split("_")[0])
    return f"{verb} {words.removeprefix('will ')}" if verb else f"are a yes ({words})"


def _can_be_judged(connection: "duckdb.DuckDBPyConnection", prediction: "ScoredPrediction") -> bool:
    return prediction.why_not_compared is None and table_exists(connection, *prediction.outcomes_table)


def replace_keeping(
    connection: "duckdb.DuckDBPyConnection",
    table: str,
    columns: dict[str, str],
    same: Sequence[str],
    parts: Sequence[str],
) -> None:
    """
    Make `published.<table>` from queries over `past_scores`.

    Rows that the table or the last release had are kept, unless a query returns a row with the same values in `same`.
    """
    listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    connection.execute("create schema if not exists published")
    connection.execute(f"create or replace temp table made_anew ({listed})")
    for part in parts:
        connection.execute(f"insert into made_anew by name {part}")
    earlier = [f"published.{table}"] if table_exists(connection, "published", table) else []
    in_last_release = connection.execute(
        "select 1 from duckdb_tables() where database_name = 'last_release' and table_name = ?", [table]
    ).fetchall()
    if in_last_release:
        earlier.append(f"last_release.{table}")
    keys = ", ".join(same)
    for source in earlier:
        described = {name for name, *_ in connection.execute(f"describe {source}").fetchall()}
        kept = ", ".join(name for name in columns if name in described)
        connection.execute(
            f"insert into made_anew by name"
            f" select {kept} from {source} where ({keys}) not in (select ({keys}) from made_anew)"
        )
    connection.execute(f"create or replace table published.{table} as from made_anew order by {keys}")
    connection.execute("drop table made_anew")
