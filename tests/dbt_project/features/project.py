"""A small company whose core tables are written by the test, under the real macros and the real features models."""

import shutil
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl

from pipelines.settings import dbt_project_dir
from tests.dbt_project.parsed_dbt import run_dbt

HERE = Path(__file__).resolve().parent

RAW = {
    "account_versions": "account_id varchar, valid_from timestamp, industry varchar, plan varchar, currency varchar, "
    "employee_count bigint, annual_revenue double, seats bigint, created_at timestamp, is_deleted boolean, "
    "custom_tier varchar",
    "account_revenue_versions": "account_id varchar, valid_from timestamp, is_customer boolean, "
    "active_subscriptions bigint, mrr double, arr double, mrr_change double, currency varchar, "
    "first_customer_at timestamp",
    "account_merges": "account_id varchar, surviving_account_id varchar, known_at timestamp",
    "person_merges": "person_id varchar, surviving_person_id varchar, known_at timestamp",
    "lead_versions": "lead_id varchar, valid_from timestamp, changed_at timestamp, "
    "recorded_person_id varchar, recorded_account_id varchar, "
    "source varchar, employee_count bigint, is_open boolean, is_converted boolean, converted_opportunity_id varchar, "
    "merged_into_lead_id varchar, created_at timestamp",
    "opportunity_versions": "opportunity_id varchar, valid_from timestamp, changed_at timestamp, "
    "recorded_account_id varchar, amount double, "
    "currency varchar, stated_probability_percent double, close_date date, created_at timestamp, is_open boolean, "
    "is_won boolean, is_deleted boolean, stage varchar",
    "opportunity_closings": "opportunity_closing_id varchar, recorded_account_id varchar, result varchar, "
    "won_amount double, currency varchar, known_at timestamp",
    "closed_opportunities": "opportunity_id varchar, account_id varchar, result varchar, won_amount double, "
    "currency varchar, occurred_at timestamp, known_at timestamp",
    "paid_periods": "subscription_id varchar, account_id varchar, currency varchar, mrr double, paid_from timestamp, "
    "paid_to timestamp, known_at timestamp",
    "leads": "lead_id varchar, source varchar, is_deleted boolean, merged_into_lead_id varchar, occurred_at timestamp, "
    "known_at timestamp",
    "tickets": "ticket_id varchar, recorded_account_id varchar, priority varchar, latest_priority varchar, "
    "subject varchar, description varchar, effort double, rating double, is_escalated boolean, "
    "occurred_at timestamp, deleted_at timestamp, known_at timestamp",
    "ticket_versions": "ticket_id varchar, valid_from timestamp, recorded_account_id varchar, "
    "recorded_person_id varchar, status varchar, priority varchar, is_deleted boolean, created_at timestamp, "
    "solved_at timestamp",
    "ticket_comments": "ticket_comment_id varchar, ticket_id varchar, author varchar, occurred_at timestamp, "
    "known_at timestamp",
    "satisfaction_ratings": "satisfaction_rating_id varchar, ticket_id varchar, is_good boolean, known_at timestamp",
    "visits": "visit_id varchar, recorded_person_id varchar, minutes double, known_at timestamp",
}
"""Columns of the raw tables behind the core models of the same names."""

Rows = Mapping[str, Sequence[Mapping[str, object]]]


def core_sql(table: str, columns: str) -> str:
    """The core model over a raw table: versions get their end and their number, the rest is passed on."""
    source = f"{{{{ source('raw_test', '{table}') }}}}"
    if "valid_from" not in columns:
        return f"select * from {source}"
    key = columns.split()[0]
    return (
        f"select *, lead(valid_from) over (partition by {key} order by valid_from) as valid_to, "
        f"row_number() over (partition by {key} order by valid_from) as version from {source}"
    )


def write_project(folder: Path) -> Path:
    """Put the project together in an empty folder; returns the folder."""
    real = dbt_project_dir()
    shutil.copytree(HERE / "project", folder, dirs_exist_ok=True)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(real / name, folder / name)
    shutil.copytree(real / "macros", folder / "macros")
    shutil.copytree(real / "tests" / "generic", folder / "tests" / "generic")
    shutil.copytree(real / "models" / "features", folder / "models" / "features")
    core = folder / "models" / "core"
    core.mkdir()
    for table, columns in RAW.items():
        (core / f"{table}.sql").write_text("{{ config(materialized='view') }}\n" + core_sql(table, columns))
    (core / "days.sql").write_text("select date '2020-01-01' as date_day")
    return folder


def write_rows(connection: duckdb.DuckDBPyConnection, rows: Rows, as_of: date) -> None:
    """Replace what the raw tables hold; a table that is not named is empty, a column that a row lacks is null."""
    connection.execute("create schema if not exists raw_test")
    connection.execute("create schema if not exists raw_scorecast")
    connection.execute("create table if not exists raw_scorecast.as_of (as_of_date date)")
    connection.execute("delete from raw_scorecast.as_of")
    connection.execute("insert into raw_scorecast.as_of values (?)", [as_of])
    for table, columns in RAW.items():
        connection.execute(f"create table if not exists raw_test.{table} ({columns})")
        connection.execute(f"delete from raw_test.{table}")
        if rows.get(table):
            names = [column.split()[0] for column in columns.split(", ")]
            assert {name for row in rows[table] for name in row} <= set(names), table
            # A version holds from when it changed, unless a row says otherwise.
            values = [{"changed_at": row.get("valid_from"), **row} for row in rows[table]]
            frame = pl.DataFrame([[row.get(name) for name in names] for row in values], names, orient="row")
            connection.register("new_rows", frame)
            connection.execute(f"insert into raw_test.{table} select * from new_rows")
            connection.unregister("new_rows")


def known_by(rows: Rows, day: date) -> Rows:
    """The rows that were known at the end of a day."""
    end = datetime.combine(day, datetime.max.time())
    return {
        table: [row for row in of_table if row.get("known_at", row.get("valid_from")) <= end]
        for table, of_table in rows.items()
    }


def dbt(project: Path, warehouse: Path, *arguments: str, target_dir: Path | None = None) -> None:
    """Call dbt on the project; fails with dbt's words."""
    result = run_dbt(
        *arguments,
        project_dir=project,
        warehouse=warehouse,
        target_dir=target_dir or project / "target",
    )
    assert result.returncode == 0, result.stdout[-6000:]


def features(warehouse: Path, model: str, order: str) -> pl.DataFrame:
    """A built features table."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(f"from features.{model} order by {order}").pl()
