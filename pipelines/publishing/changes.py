"""What changed of a score within a week, and the reason that moved most."""

from typing import TYPE_CHECKING

from pipelines.database import literal, quoted
from pipelines.publishing.states import BACKFILL, key_column

if TYPE_CHECKING:
    import duckdb

WEEK = (5, 10)
"""Days between a score and the earlier one that `probability_change_7d` compares it with."""

ENTRIES = '[{"feature":"VARCHAR","value":"JSON","contribution":"DOUBLE","words":"VARCHAR","text":"VARCHAR"}]'
"""The JSON of a score's reasons."""


def with_changes(connection: "duckdb.DuckDBPyConnection", table: str, previous: bool) -> str:
    """
    Scores with their change within a week: against the score closest to seven days before (five to ten days).

    The change's reason is the feature whose contribution to the log-odds moved most in the direction of the change,
    with its value now and then. Scores of rolled-back releases and backfilled scores are left out: users did not see
    them, or no longer do.
    """
    source = f"warehouse.published.{quoted(table)}"
    if not previous:
        return (
            "select * exclude (model_version), cast(null as double) as probability_change_7d,"
            f" cast(null as varchar) as change_reason, model_version from {source}"
        )
    key = key_column(connection, source)
    return f"""
        with {_earlier(source, table, key)},
        {_moved(source, key)},
        strongest as (
            select
                earlier.entity_id,
                arg_max(moved.words, moved.moved_by * sign(now.probability - earlier.probability)) filter (
                    where moved.moved_by * sign(now.probability - earlier.probability) > 0
                ) as words
            from earlier
            inner join {source} as now on cast(now.{key} as varchar) = earlier.entity_id
            inner join moved on earlier.entity_id = moved.entity_id
            group by earlier.entity_id
        )
        select
            now.* exclude (model_version),
            now.probability - earlier.probability as probability_change_7d,
            case
                when now.probability is null or earlier.probability is null then null  -- by a rule
                when now.probability = earlier.probability then null
                when earlier.is_other_model
                then concat_ws('; ', 'The model is another one than on ' || earlier.as_of_date, strongest.words)
                else strongest.words
            end as change_reason,
            now.model_version
        from {source} as now
        left join earlier on cast(now.{key} as varchar) = earlier.entity_id
        left join strongest on cast(now.{key} as varchar) = strongest.entity_id
    """


def _earlier(source: str, table: str, key: str) -> str:
    """CTE `earlier`: of each entity the published score closest to a week ago, with its reasons."""
    return f"""
        taken_back as (
            select releases.release_id
            from previous.releases as releases
            inner join previous.releases as rollbacks
                on rollbacks.tables_of < releases.release_id and releases.release_id < rollbacks.release_id
            where rollbacks.status = 'rollback'
        ),
        earlier as (
            select
                history.entity_id, history.as_of_date, history.probability, history.reasons,
                history.model_version is distinct from now.model_version as is_other_model
            from previous.score_history as history
            inner join {source} as now on history.entity_id = cast(now.{key} as varchar)
            where
                history.table_name = {literal(table)}
                and history.release_id not in (select release_id from taken_back)
                and not starts_with(history.release_id, '{BACKFILL}')
                and date_diff('day', history.as_of_date, now.as_of_date) between {WEEK[0]} and {WEEK[1]}
            qualify row_number() over (
                partition by history.entity_id
                order by abs(date_diff('day', history.as_of_date, now.as_of_date) - 7), history.release_id desc
            ) = 1
        )
    """


def _moved(source: str, key: str) -> str:
    """CTE `moved`: by how much each reason has moved since, in log-odds, and how that is told."""
    entries = f"from_json(reasons, '{ENTRIES}')"
    return f"""
        reasons_now as (
            select
                cast({key} as varchar) as entity_id,
                coalesce(reasons ->> '$[0].likelihood', 'probability') as likelihood,
                unnest({entries}) as reason
            from {source}
        ),
        reasons_before as (
            select entity_id, as_of_date, is_other_model, unnest({entries}) as reason from earlier
        ),
        worded as (
            select
                coalesce(reasons_now.entity_id, reasons_before.entity_id) as entity_id,
                coalesce(reasons_now.reason.contribution, 0)
                - coalesce(reasons_before.reason.contribution, 0) as moved_by,
                reasons_now.likelihood,
                coalesce(reasons_now.reason.words, reasons_now.reason.text) as words_now,
                reasons_now.reason.text as text_now,
                reasons_before.reason.text as text_before,
                reasons_now.reason.value ->> '$' as value_now,
                reasons_before.reason.value ->> '$' as value_before,
                try_cast(value_before as double) as number_before,
                case
                    when value_before = 'true' then 'yes'
                    when value_before = 'false' then 'no'
                    when number_before is null then coalesce(value_before, 'unknown')
                    when abs(number_before) < 1000 then format('{{:.3g}}', number_before)
                    else format('{{:,.0f}}', number_before)
                end as shown_before
            from reasons_now
            full join reasons_before
                on reasons_now.entity_id = reasons_before.entity_id
                and reasons_now.reason.feature = reasons_before.reason.feature
            where coalesce(reasons_now.reason.feature, reasons_before.reason.feature) not in ('base', 'other')
        ),
        moved as (
            select
                entity_id,
                moved_by,
                case
                    when text_now is null then 'No longer among the reasons: ' || text_before
                    when text_before is null then 'New among the reasons: ' || text_now
                    when value_now is distinct from value_before then concat(
                        words_now,
                        ', was ',
                        shown_before,
                        case when moved_by > 0 then ' (raises the ' else ' (lowers the ' end,
                        likelihood,
                        ')'
                    )
                    else text_now
                end as words
            from worded
        )
    """
