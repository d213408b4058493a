"""What a release says of itself: its tables, how good the models are, what came true, and what to be careful with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.database import columns_of, connect, literal, quoted, table_exists
from pipelines.publishing.tables import model_of

if TYPE_CHECKING:
    import duckdb

SHOWN_WARNINGS = 8
TAKEN_BACK = " What is loaded stays: `scorecast forget <system>/<file>` takes it back."
MADE_BY_MODELS = {"probability", "predicted", "expected", "forecast"}
"""Columns of published tables that models make."""


@dataclass(frozen=True)
class Summary:
    """The newest release of a published file."""

    release_id: str
    as_of: date
    status: str
    note: str | None
    rows: Mapping[str, int]
    """Table → its rows."""
    quality: Mapping[str, str]
    """Table of a model → how good that is, in words."""
    made_by: Mapping[str, str | None]
    """Table → the model that made it."""
    not_kept: Sequence[tuple[str, str, str]]
    """Model, status and reason of every model whose last fit was not kept."""
    came_true: Sequence[str]
    warnings: Sequence[str]
    newest: Mapping[str, date]
    """Source → the day of its newest data."""
    behind: Sequence[tuple[str, str]]
    """Metric and note of forecasts whose source is behind."""


def read_summary(path: Path) -> Summary:
    """The newest release in a published file of this or an earlier version."""
    with connect(path, read_only=True) as connection:
        has_newest = "newest_data" in columns_of(connection, "main", "releases")
        *release, tables, newest = connection.execute(
            f"select release_id, as_of_date, status, note, tables, {'newest_data' if has_newest else 'null'}"
            " from releases order by release_id desc limit 1"
        ).fetchone()
        described = json.loads(tables)
        has_runs = table_exists(connection, "main", "model_runs")
        return Summary(
            *release,
            rows={table: description["rows"] for table, description in described.items()},
            quality={table: how_good(connection, table) for table in _of_models(described) if has_runs},
            made_by={table: model_of(connection, quoted(table)) for table in described},
            not_kept=_not_kept(connection) if has_runs else (),
            came_true=what_came_true(connection, list(described)),
            warnings=[*money_warnings(connection, list(described)), *identity_warnings(connection, list(described))],
            newest=newest or {},
            behind=_behind(connection) if "note" in described.get("forecasts", {}).get("columns", ()) else (),
        )


def has_scores(published: Path) -> bool:
    """Whether the newest release in a file has a row that a model made."""
    with connect(published, read_only=True) as connection:
        (tables,) = connection.execute("select tables from releases order by release_id desc limit 1").fetchone()
    described = json.loads(tables)
    return any(described[table]["rows"] > 0 for table in _of_models(described))


def _of_models(described: Mapping[str, dict]) -> list[str]:
    """The tables that models make, of a release's description."""
    return [
        table
        for table, description in described.items()
        if "model_version" in description["columns"] and MADE_BY_MODELS & set(description["columns"])
    ]


def _not_kept(connection: "duckdb.DuckDBPyConnection") -> list[tuple[str, str, str]]:
    return connection.execute(
        """
        select model, status, reason from (
            select * from model_runs qualify row_number() over (partition by model order by started_at desc) = 1
        )
        where status <> 'kept' order by model
        """
    ).fetchall()


def _behind(connection: "duckdb.DuckDBPyConnection") -> list[tuple[str, str]]:
    return connection.execute(
        "select distinct metric, note from forecasts where note is not null order by metric"
    ).fetchall()


def what_came_true(connection: "duckdb.DuckDBPyConnection", releases: Sequence[str]) -> list[str]:
    """
    One line per model on the outcomes of its grade A: of the newest release with outcomes, else the newest backfill.

    `releases`: tables of the current release.
    """
    if "score_outcomes" not in releases:
        return []
    rows = connection.execute(
        """
        select told || case when is_backfill then ', as it would have been scored then' else '' end
        from score_outcomes
        where grade = 'A'
        qualify row_number() over (
            partition by model order by is_backfill, as_of_date desc, scores_release_id desc
        ) = 1
        order by model
        """
    ).fetchall()
    return [f"{sentence}." for (sentence,) in rows]


def money_warnings(connection: "duckdb.DuckDBPyConnection", releases: Sequence[str]) -> list[str]:
    """
    What is not added up because it is in several currencies, and customers whose price is not known.

    `releases`: tables of the current release.
    """
    if "account_amounts" not in releases:
        return []
    lines = []
    rows = connection.execute(
        "select currency, count(*) filter (not is_main_currency)"
        " from account_amounts group by all order by count(*) desc, 1"
    ).fetchall()
    named = [currency for currency, _ in rows if currency is not None]
    if len(rows) > 1:
        in_words = ", ".join([*named, *(["no currency"] if len(named) < len(rows) else [])])
        one = " `reporting_currency` and `exchange_rates` in sources.yaml turn them into one." if len(named) > 1 else ""
        lines.append(
            f"Amounts in {in_words} are not added up; account_amounts has each"
            f" (companies with more than one currency: {sum(others for _, others in rows):,}).{one}"
        )
    if len(named) < len(rows):
        lines.append(
            "Some exports do not say in which currency their amounts are. If it is one, say it in sources.yaml:"
            f" `<source>: {{folder: ..., currency: {named[0] if named else 'EUR'}}}`."
        )
    (unpriced,) = connection.execute("select count(*) from accounts where is_customer and arr = 0").fetchone()
    if unpriced:
        lines.append(
            f"{unpriced:,} customers have no recurring revenue: they pay nothing, or the price, its interval or its"
            " currency's amount is not known (core.subscriptions, is_active and mrr is null or 0)."
        )
    return lines


def identity_warnings(connection: "duckdb.DuckDBPyConnection", releases: Sequence[str]) -> list[str]:
    """
    What the identity report of the current release warns of, the largest of each topic first; the rest is counted.

    `releases`: tables of the current release.
    """
    if "identity_report" not in releases:
        return []
    warned = connection.execute(
        f"""
        select
            warning || case when topic = 'deals in two systems' then {literal(TAKEN_BACK)} else '' end as warning,
            row_number() over (partition by topic order by coalesce(names, unmatched, records) desc, warning) as place
        from identity_report where warning is not null order by place, warning
        """
    ).fetchall()
    lines = [warning for warning, _ in warned[:SHOWN_WARNINGS]]
    more = len(warned) - len(lines)
    return [*lines, f"and {more:,} more warnings of identity_report"] if more else lines


def how_good(connection: "duckdb.DuckDBPyConnection", table: str) -> str:
    """How good the model of a published table is, by the fit that made it, in a few words; empty if none is known."""
    if "decided_by" in columns_of(connection, "main", table):
        (is_ruled,) = connection.execute(f"select bool_and(decided_by = 'rule') from {quoted(table)}").fetchone()
        if is_ruled:
            return "by its rule: points, no probabilities, until a model is good enough"
    row = connection.execute(
        f"""
        select
            runs.auc, runs.calibration_error, runs.error, runs.model_version,
            try_cast(runs.metrics ->> 'auc_error' as double),
            coalesce(try_cast(runs.metrics ->> 'is_only_order' as boolean), false),
            try_cast(runs.metrics ->> 'error_in_levels' as double),
            try_cast(runs.metrics ->> 'error_in_levels_of_median' as double), runs.metrics ->> 'median_level',
            try_cast(runs.metrics ->> 'accuracy' as double), try_cast(runs.metrics ->> 'macro_f1' as double),
            runs.metrics ->> 'copies'
        from model_runs as runs
        inner join (select max(model_version) as model_version from {table}) as used using (model_version)
        where runs.status = 'kept'
        order by runs.started_at desc limit 1
        """
    ).fetchone()
    if row is None:
        return ""
    auc, calibration_error, error, version, noise, is_only_order, levels_off, usual_off, usual, right, f1, copies = row
    if copies is not None:
        return f"right in {right:.0%} of texts that it had not seen, macro F1 {f1:.2f}"
    if levels_off is not None:
        return f"off by {levels_off:.2f} levels on average, always saying {usual} by {usual_off:.2f}"
    ranks = "" if auc is None else f"AUC {auc:.3f}{f' ± {noise:.3f}' if noise is not None else ''} out of time"
    if is_only_order and ranks:
        return f"weak: {ranks}; trust the order, not the percentages: saying the average of all is as good"
    if ranks:
        return f"{ranks}, calibration error {calibration_error:.3f}"
    if error is not None and "expected" in columns_of(connection, "main", table):
        return f"off by {error:.0f} % of the amount on average, on rows that it had not seen"
    # A forecast of an older version knows no currencies.
    has_currency = "currency" in columns_of(connection, "main", "forecast_accuracy")
    name = "concat_ws(' ', metric, currency)" if has_currency else "metric"
    errors = connection.execute(
        f"select {name}, smape from forecast_accuracy"
        " where model_version = ? and segment = 'total' and chosen order by all",
        [version],
    ).fetchall()
    errors_by_metric = ", ".join(f"{metric} {smape:.0f} %" for metric, smape in errors if smape is not None)
    return f"backtested error (sMAPE): {errors_by_metric}" if errors_by_metric else ""
