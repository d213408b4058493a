"""From the files to core and to what is published: every row and cent is found again or explained, else it is told."""

import json
import shutil
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from assets.sources import all_sources
from pipelines.commands.main import app
from pipelines.commands.running import notices
from pipelines.extraction.contracts import Entity, Figure, Source
from pipelines.extraction.loading.load import load_source
from pipelines.extraction.loading.schema_changes import prepare_schema
from pipelines.publishing.reconciliation import reconciliation_asset
from pipelines.quality.reconciliation import EXPLAINED, FIGURES, START, Line, not_closed, reconcile, staged_from
from pipelines.settings import dbt_project_dir
from pipelines.warehouse import Warehouse

NOW = datetime(2026, 6, 29, 5)
SOURCES = {source.name: source for source in all_sources()}
WITH_SQL = [
    (source, entity)
    for source in SOURCES.values()
    for entity in source.entities
    if entity.figures or entity.not_in_core
]
CORE = """
    create schema raw_scorecast; create schema core; create schema published;
    create table raw_scorecast.as_of as select date '2026-06-28' as as_of_date;
    create table core.accounts as select 'A' as account_id, null::timestamp as deleted_at;
    create table core.invoices as
    select
        'stripe' as source_system, id as invoice_id, 'A' as account_id, amount_due / 100 as latest_amount,
        case when status = 'paid' then amount_due / 100 else 0 end as latest_amount_paid,
        status as latest_status, upper(currency) as currency, upper(currency) as recorded_currency,
        1.0 as exchange_rate, make_timestamp(created * 1000000) as occurred_at
    from (from raw_stripe.invoice qualify row_number() over (partition by id order by updated desc) = 1)
    where status <> 'draft';
    create table published.account_amounts as
    select
        account_id, currency, sum(latest_amount) as amount_invoiced, sum(latest_amount_paid) as amount_paid, 0.0 as arr
    from core.invoices
    where latest_status <> 'void' group by all;
"""


def seconds(day: str) -> int:
    return int((datetime.fromisoformat(day) - datetime(1970, 1, 1)).total_seconds())


def invoice(key: str | None, status: str = "paid", amount: int = 1000, **more: object) -> str:
    """A line of an export."""
    when = seconds("2026-03-05")
    row = {"id": key, "customer": "c", "status": status, "currency": "eur", "amount_due": amount}
    return json.dumps({**row, "created": when, "updated": when, **more})


class Company:
    """Stripe's invoices, loaded by the real contract, and core's and published's tables of them."""

    def __init__(self, data: Path):
        self.data, self.warehouse = data, data / "warehouse.duckdb"

    def load(self, **files: list[str]) -> None:
        for name, lines in files.items():
            path = self.data / "landing" / "stripe" / "invoice" / f"{name}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")
            with duckdb.connect(str(self.warehouse)) as connection:
                load_source(connection, SOURCES["stripe"], self.data / "landing" / "stripe", NOW)

    def write(self, statement: str) -> None:
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute(statement)

    def reconciled(self, *sources: Source) -> list[Line]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            staging = dbt_project_dir() / "models" / "staging"
            return reconcile(connection, sources or tuple(SOURCES.values()), staging)

    def materialise(self) -> dg.ExecuteInProcessResult:
        asset = reconciliation_asset(all_sources())
        with dg.DagsterInstance.ephemeral() as instance:
            return dg.materialize([asset], instance=instance, resources={"warehouse": Warehouse()})

    def command(self, *options: str) -> Result:
        return CliRunner().invoke(app, ["reconcile", *options])


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Company(tmp_path_factory.mktemp("company"))
    made.load(
        monday=[invoice("a"), invoice("b", "open", 500), invoice("b", "open", 500), invoice("never", "draft")],
        tuesday=[
            invoice("a"),
            invoice("b", "void", 500, updated=seconds("2026-03-09")),
            invoice("c", currency="usd", created=seconds("2026-04-01")),
            invoice("wrong", amount=-5),
            invoice(None),
            invoice("test", livemode=False),
        ],
        wednesday=[invoice("a", amount=1200)],
    )
    made.write(CORE)
    return made.warehouse


@pytest.fixture
def company(loaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    shutil.copy(loaded, tmp_path)
    return Company(tmp_path)


def steps(lines: list[Line], figure: str, role: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in lines:
        if (line.cell.figure, line.cell.entity, line.role) == (figure, "invoice", role):
            found[line.step] = found.get(line.step, 0) + (line.rows if figure == "rows" else line.amount)
    return found


def test_each_row_of_the_files_is_a_record_or_explained(company):
    lines = company.reconciled()
    assert not_closed(lines) == []
    assert steps(lines, "rows", START) == {"rows of the files": 11}
    assert steps(lines, "rows", EXPLAINED) == {
        "put aside: amount_due is negative": -1,
        "put aside: id is empty, but it is part of the key": -1,
        "put aside: the same record is there twice in a file": -1,
        "left out: of Stripe's test mode": -1,
        "repeated by another file": -1,
        "replaced by newer rows": -1,
        "older versions of a record": -1,
        "never issued": -1,
    }
    assert steps(lines, "rows", "end") == {"records in core.invoices": 3}


def test_each_amount_counts_once_or_it_is_said_why_not(company):
    lines = company.reconciled()
    assert steps(lines, "invoices", START) == {"in the files": 12 + 5 + 10 + 10}
    assert steps(lines, "invoices", EXPLAINED) == {"void": -5, "a draft": -10}
    months = {
        (line.cell.currency, line.cell.month) for line in lines if line.cell.entity == "invoice" and line.cell.month
    }
    assert months == {("EUR", date(2026, 3, 1)), ("USD", date(2026, 4, 1))}


def test_records_that_are_gone_from_full_exports_do_not_count(company):
    company.write(
        """
        insert into raw_stripe.subscription by name
        select unnest(['s1', 's2']) as id, 'c' as customer, 'active' as status, 1000 as plan_amount,
            'month' as plan_interval, 'eur' as currency, 1767225600 as created, 1767225600 as updated;
        insert into raw_stripe._vanished values ('subscription', 's2', timestamp '2026-06-01');
        create table core.subscriptions as
        select 'stripe' as source_system, 's1' as subscription_id, 'A' as account_id, 10.0 as mrr, true as is_active,
            'EUR' as currency, 'EUR' as recorded_currency, 1.0 as exchange_rate, timestamp '2026-01-01' as started_at;
        """
    )
    lines = [line for line in company.reconciled() if line.cell.figure == "recurring_revenue"]
    by_step = {line.step: line.amount for line in lines if line.cell.comparison == "files to core"}
    assert by_step == {
        "in the files": 240.0,
        "gone from the newest export": -120.0,
        "in core.subscriptions": 120.0,
        "unexplained": 0.0,
    }


def test_the_asset_publishes_every_step_and_its_check_passes(company):
    result = company.materialise()
    (check,) = result.get_asset_check_evaluations()
    assert (check.passed, check.blocking, notices(result.all_events)) == (True, False, [])
    with duckdb.connect(str(company.warehouse), read_only=True) as connection:
        rows, keys = connection.execute(
            "select count(*), count(distinct line_id) from published.reconciliation"
        ).fetchone()
        balances = connection.execute(
            """
            select sum(case when role in ('start', 'explained') then 1 else -1 end * coalesce(amount, rows))
            from published.reconciliation
            group by figure, comparison, source_system, entity, currency, month_start_date
            """
        ).fetchall()
    assert rows == keys == len(company.reconciled())
    assert {round(rest, 6) for (rest,) in balances} == {0.0}


def test_what_is_lost_in_core_is_warned_of_and_stops_nothing(company):
    company.write("update core.invoices set latest_amount = 0 where invoice_id = 'c'")
    result = company.materialise()
    (check,) = result.get_asset_check_evaluations()
    assert result.success
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    told = [
        "  ! Reconciliation: invoices of stripe.invoice, files to core: +10.00 USD in 2026-04 unexplained.",
        "  ! Reconciliation: invoices of all systems, core to published: -10.00 USD unexplained.",
    ]
    assert notices(result.all_events) == told


def test_a_rest_of_less_than_half_a_cent_is_none(company):
    company.write("update core.invoices set latest_amount = latest_amount + 0.004 where invoice_id = 'c'")
    assert not_closed(company.reconciled()) == []
    company.write("update core.invoices set latest_amount = latest_amount + 0.004 where invoice_id = 'c'")
    assert not_closed(company.reconciled())[0] == (
        "invoices of stripe.invoice, files to core: -0.01 USD in 2026-04 unexplained"
    )


def test_two_faults_that_make_up_for_each_other_are_two(company):
    company.write("update core.invoices set occurred_at = timestamp '2026-05-01' where invoice_id = 'c'")
    rest = "of stripe.invoice, files to core: +10.00 USD and +1 rows in 2026-04, -10.00 USD and -1 rows in 2026-05"
    assert not_closed(company.reconciled()) == [f"{what} {rest} unexplained" for what in ("invoices", "paid invoices")]


def test_the_command_shows_every_figure_and_ends_with_1_where_one_is_open(company):
    closed = company.command()
    assert (closed.exit_code, closed.output.splitlines()[-1]) == (0, "Everything closes.")
    row = next(line for line in closed.output.splitlines() if "EUR" in line and "stripe.invoice" in line)
    assert row.split() == [
        *("invoices", "stripe.invoice", "EUR", "27.00"),
        *("10.00", "a", "draft;", "5.00", "void"),
        *("12.00", "0"),
    ]
    assert "2026-04" in company.command("--by-month").output
    company.write("delete from core.invoices where invoice_id = 'c'")
    still_open = company.command()
    assert still_open.exit_code == 1
    assert "! invoices of stripe.invoice, files to core: +10.00 USD and +1 rows in 2026-04 unexplained." in (
        still_open.output
    )


def test_without_a_warehouse_the_command_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    result = CliRunner().invoke(app, ["reconcile"])
    assert (result.exit_code, "Run `make run` first" in result.output) == (1, True)


@pytest.mark.parametrize(("source", "entity"), WITH_SQL, ids=lambda each: each.name)
def test_what_the_contracts_say_of_figures_is_sql_over_their_columns(source: Source, entity: Entity):
    assert {figure.name for figure in entity.figures} <= set(FIGURES)
    with duckdb.connect() as connection:
        prepare_schema(connection, source)
        connection.execute("create schema core")
        columns = ", ".join(f"null::{kind} as {name}" for name, kind in CORE_COLUMNS.items())
        for figure in FIGURES.values():
            connection.execute(f"create table if not exists core.{figure.table} as select {columns} where false")
        table = f"raw_{source.name}.{entity.name}"
        connection.execute(f"insert into {table} by name select 'x' as {entity.key[0]}")
        lines = reconcile(connection, [source], dbt_project_dir() / "models" / "staging")
    assert [line.step for line in lines if line.step.startswith("cannot")] == []
    assert {line.cell.figure for line in lines} >= {figure.name for figure in entity.figures}


def test_records_are_compared_where_a_staging_model_has_them_and_not_where_it_sums_them_up(tmp_path):
    products = "{{ raw_columns(source('raw_shop', 'product'), {'product_id': ['id', 'string']}) }}"
    deals = "{{{{ raw_columns(source('raw_shop', 'deal'), {{\n    {}, }}) }}}}"
    models = {
        "stg_shop__opportunities": deals.format("'opportunity_id': ['id', 'string']") + products,
        "stg_shop__accounts": deals.format("'account_key': ['company', 'string'], 'deal': ['id', 'string']"),
        "stg_shop__leads": "select * from {{ source('raw_shop', 'deal') }}",
    }
    (tmp_path / "shop").mkdir()
    for name, sql in models.items():
        (tmp_path / "shop" / f"{name}.sql").write_text(sql)
    deal, product = (Entity(name, "Of a shop.", {"id": "varchar"}, ("id",)) for name in ("deal", "product"))
    assert staged_from(tmp_path, [Source("shop", "A shop.", (deal, product))]) == {"shop": {"deal": ["opportunities"]}}


def test_every_staging_model_of_ours_has_the_records_of_its_raw_table():
    staging = dbt_project_dir() / "models" / "staging"
    found = staged_from(staging, all_sources())
    compared = {name for entities in found.values() for staged in entities.values() for name in staged}
    assert compared == {path.stem.split("__")[1] for path in staging.glob("*/stg_*.sql")}


CORE_COLUMNS = {
    "source_system": "varchar",
    "recorded_currency": "varchar",
    "exchange_rate": "double",
    "latest_status": "varchar",
    "deleted_at": "timestamp",
    "started_at": "timestamp",
    "occurred_at": "timestamp",
    "close_date": "date",
    **dict.fromkeys(("is_won", "is_open", "is_active"), "boolean"),
    **dict.fromkeys(("amount", "latest_amount", "latest_amount_paid", "mrr"), "double"),
}


def test_a_figure_that_cannot_be_computed_is_told_and_the_others_are_there(company):
    wrong = Figure("invoices", amount="no_such_column", currency="currency", day="created")
    entity = next(each for each in SOURCES["stripe"].entities if each.name == "invoice")
    changed = replace(entity, figures=(wrong, replace(wrong, name="refunds")))
    lines = company.reconciled(Source("stripe", "Billing.", (changed,)))
    assert [problem.split(": ")[:2] for problem in not_closed(lines)] == [
        ["invoices of stripe.invoice", "cannot be computed"],
        ["refunds of stripe.invoice", "cannot be computed"],
    ]
    assert steps(lines, "rows", "end") == {"records in core.invoices": 3}


INVOICES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(["draft", "open", "paid", "uncollectible", "void"]),
        st.integers(0, 10**6),
        st.sampled_from(["eur", " USD", "jpy", "kwd", "", "euro"]),
        st.dates(date(2025, 1, 1), date(2026, 5, 1)),
    ),
    max_size=12,
)
INVOICES_ALONE = replace(
    SOURCES["stripe"], entities=tuple(each for each in SOURCES["stripe"].entities if each.name == "invoice")
)
UNITS = {"EUR": 100, "USD": 100, "JPY": 1, "KWD": 1000, None: 100}


@pytest.fixture(scope="module")
def empty():
    """Stripe's raw tables and core's invoices without a row."""
    with duckdb.connect() as connection:
        prepare_schema(connection, INVOICES_ALONE)
        connection.execute("create schema core")
        columns = ", ".join(f"null::{kind} as {name}" for name, kind in CORE_COLUMNS.items())
        connection.execute(f"create table core.invoices as select {columns} where false")
        yield connection


@given(written=INVOICES)
@settings(max_examples=10, deadline=None)
def test_amounts_of_the_files_are_those_that_one_adds_up_by_hand(empty, written):
    newest: dict[str, tuple] = {}
    with empty.cursor() as connection:
        connection.execute("delete from raw_stripe.invoice")
        for version, (key, status, amount, currency, day) in enumerate(written, 1):
            code = currency.strip().upper()
            newest[key] = (code if code in UNITS else None, day.replace(day=1), status, amount)
            values = [str(key), status, amount, currency, seconds(day.isoformat()), version]
            connection.execute(
                "insert into raw_stripe.invoice (id, status, amount_due, currency, created, updated)"
                " values (?, ?, ?, ?, ?, ?)",
                values,
            )
        lines = reconcile(connection, [INVOICES_ALONE], dbt_project_dir() / "models" / "staging")
    by_hand: dict[tuple, float] = {}
    for currency, month, status, amount in newest.values():
        if status in ("open", "paid", "uncollectible"):
            by_hand[currency, month] = by_hand.get((currency, month), 0) + amount / UNITS[currency]
    # core has none of them: all that counts is unexplained
    found = {
        (line.cell.currency, line.cell.month): line.amount
        for line in lines
        if line.cell.figure == "invoices" and line.role == "unexplained" and line.rows
    }
    assert found == pytest.approx(by_hand)
