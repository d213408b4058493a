"""What can be made of loaded exports: yes or no for every prediction and forecast, with the true reason."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from assets.sources import all_sources
from pipelines.components.declared.documents import YamlMistakes
from pipelines.components.declared.needs import Records
from pipelines.components.declared.prediction import DeclaredPrediction
from pipelines.components.declared.text import DeclaredText
from pipelines.components.prospects import (
    NO,
    NOT_JUDGED,
    PERHAPS,
    YES,
    Loaded,
    Prospect,
    needed_entities,
    prospects,
)
from pipelines.components.validation import read_components
from pipelines.database import connect_in_memory
from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading.schema_changes import prepare_schema
from pipelines.settings import project_root

SOURCES = all_sources()
NOW = datetime(2026, 6, 29, 12)
LAST = date(2026, 6, 28)
NO_HISTORY = "no history of changes: fields that can have changed since are left out"
REASON = "needed are at least 12 left within 90 days after a day on which they were seen, 12 not, and 100 such days"


class Warehouse:
    """Raw tables of all systems, with rows that a test writes."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self.connection = connection
        self.present = ["stripe", "salesforce", "hubspot", "zendesk"]
        for source in SOURCES:
            prepare_schema(connection, source)

    def write(self, table: str, rows: int, columns: str) -> None:
        """Rows of `select`s over `n`, from 0, by column name."""
        self.connection.execute(f"insert into raw_{table} by name select {columns} from range({rows}) as r (n)")

    def subscriptions(self, rows: int, ended: str, started: str = "date '2025-01-01'") -> None:
        """Monthly ones; `ended`: SQL over `n`, a date or null."""
        self.write(
            "stripe.subscription",
            rows,
            f"'s' || n as id, 'c' || n as customer, epoch({started})::bigint as created,"
            f" case when {ended} is null then 'active' else 'canceled' end as status,"
            f" epoch({ended})::bigint as ended_at, epoch(date '{LAST}')::bigint as updated",
        )

    def judged(self, root: Path | None = None, configured: date | None = None) -> dict[str, Prospect]:
        root = root or project_root()
        found = prospects(self.connection, SOURCES, self.present, configured, NOW, root, components_of(root))
        return {each.name: each for each in found}


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with connect_in_memory() as connection:
        yield Warehouse(connection)


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Path]:
    """A project with the YAML of one prediction, less the needs, to which text is added."""

    def write(needs: str) -> Path:
        path = tmp_path / "assets" / "predictions" / "leaving" / "defs.yaml"
        path.parent.mkdir(parents=True)
        churn = (project_root() / "assets/predictions/churn/defs.yaml").read_text()
        path.write_text(churn.split("  needs:")[0].replace("name: churn", "name: leaving") + needs)
        return tmp_path

    return write


def test_customers_are_counted_and_those_that_left(warehouse):
    warehouse.subscriptions(167, "case when n < 40 then date '2025-09-01' + n::int end")
    judged = warehouse.judged()["churn"]
    assert (judged.verdict, judged.reason) == (YES, f"167 customers, 40 left; {NO_HISTORY}")


def test_a_customer_has_left_when_no_subscription_is_left(warehouse):
    warehouse.subscriptions(100, "case when n < 40 then date '2025-09-01' end")
    warehouse.write(
        "stripe.subscription",
        10,
        f"'t' || n as id, 'c' || n as customer, 'active' as status, epoch(date '2025-01-01')::bigint as created,"
        f" epoch(date '{LAST}')::bigint as updated",
    )
    assert warehouse.judged()["churn"].reason.startswith("100 customers, 30 left;")


def test_too_few_who_left_are_told_with_the_figures(warehouse):
    warehouse.subscriptions(167, "case when n < 11 then date '2025-09-01' end")
    judged = warehouse.judged()["churn"]
    assert judged.verdict == NO
    assert judged.reason.startswith(f"167 customers, 11 left; {REASON} of anyone; there are 11, 167 and ")


def test_what_has_a_rule_is_made_of_few_rows_too(warehouse):
    opened = "epoch(date '2025-06-01' + n::integer)"
    columns = f"'t' || n as id, to_timestamp({opened})::timestamp as created_at, null::timestamp as solved_at"
    warehouse.write("zendesk.ticket", 20, f"{columns}, to_timestamp({opened})::timestamp as updated_at")
    found = warehouse.judged()["ticket_priority"]
    assert found.verdict == YES
    assert found.reason.startswith("by its rule, as long as there is no model: 20 tickets, 0 solved late; needed are")


def test_who_left_on_the_day_of_the_beginning_was_never_seen(warehouse):
    warehouse.subscriptions(167, "case when n < 40 then date '2025-01-01' end")
    judged = warehouse.judged()["churn"]
    assert judged.verdict == NO
    assert "there are 0, 127 and " in judged.reason


def test_an_answer_needs_its_horizon(warehouse):
    # All began less than 90 days before the end of the data: nobody's answer is known.
    warehouse.subscriptions(400, "case when n < 200 then date '2026-06-20' end", started="date '2026-04-05'")
    judged = warehouse.judged()["churn"]
    assert judged.verdict == NO
    assert judged.reason.endswith("there are 0, 0 and 0")


def test_the_rows_are_those_of_the_grid_on_which_a_model_learns(warehouse):
    # One customer of 400 days: of the Sundays up to 29 March every second one from the day after the beginning.
    warehouse.subscriptions(1, "null::date", started=f"date '{LAST - timedelta(days=400)}'")
    newest = date(2026, 3, 29)
    days = [newest - timedelta(days=14 * n) for n in range(60)]
    seen = [day for day in days if day >= LAST - timedelta(days=400)]
    assert warehouse.judged()["churn"].reason.endswith(f"there are 0, 1 and {len(seen)}")


def test_who_left_nobody_knows_when_is_no_example(warehouse):
    warehouse.subscriptions(167, "case when n < 40 then date '2025-09-01' end")
    warehouse.connection.execute("update raw_stripe.subscription set ended_at = null")
    judged = warehouse.judged()["churn"]
    assert judged.verdict == NO
    assert judged.reason.startswith("167 customers, 40 left (40 of them without a date);")
    assert "there are 0, 127 and " in judged.reason


def test_what_never_was_paid_does_not_count(warehouse):
    warehouse.subscriptions(10, "null::date")
    warehouse.connection.execute("update raw_stripe.subscription set status = 'trialing' where id < 's5'")
    assert warehouse.judged()["churn"].reason.startswith("5 customers, 0 left;")


def test_leads_and_deals_of_two_systems(warehouse):
    warehouse.write(
        "salesforce.lead",
        500,
        '\'l\' || n as "Id", timestamp \'2025-06-01\' as "CreatedDate", n < 60 as "IsConverted",'
        f" case when n < 60 then date '2025-09-01' end as \"ConvertedDate\", timestamp '{LAST}' as \"SystemModstamp\"",
    )
    warehouse.write(
        "salesforce.opportunity",
        100,
        '\'o\' || n as "Id", timestamp \'2025-06-01\' as "CreatedDate", true as "IsClosed", n < 40 as "IsWon",'
        f" date '2025-09-01' as \"CloseDate\", timestamp '{LAST}' as \"SystemModstamp\"",
    )
    warehouse.write(
        "hubspot.deal",
        50,
        "'o' || n as id, timestamp '2025-06-01' as createdate, timestamp '2025-09-01' as closedate,"
        " case when n < 20 then 'Closed Won' else 'closedlost' end as dealstage,"
        f" timestamp '{LAST}' as hs_lastmodifieddate",
    )
    judged = warehouse.judged()
    assert (judged["lead_score"].verdict, judged["lead_score"].reason) == (
        YES,
        f"500 leads, 60 converted; {NO_HISTORY}",
    )
    assert judged["opportunity_win"].reason.startswith("150 opportunities, 60 won;")
    assert judged["forecast of bookings"].reason == "60 won deals in 42 weeks"
    assert judged["forecast of new_leads"].reason == "500 leads in 56 weeks"


def test_the_history_of_changes_is_told(warehouse):
    warehouse.subscriptions(167, "case when n < 40 then date '2025-09-01' end")
    warehouse.write(
        "stripe.subscription",
        20,
        "'s' || n as id, 'c' || n as customer, 'active' as status, epoch(date '2025-01-01')::bigint as created,"
        " epoch(date '2025-03-01')::bigint as updated",
    )
    assert warehouse.judged()["churn"].reason == "167 customers, 40 left; 20 records with their history of changes"


def test_without_a_file_the_reason_names_those_that_would_do(warehouse):
    judged = warehouse.judged()
    assert judged["opportunity_win"] == Prospect(
        "opportunity_win", NO, "there is no file of opportunities (salesforce/opportunity or hubspot/deal)"
    )
    assert {each.verdict for each in judged.values()} == {NO}


def test_a_file_of_which_no_row_could_be_loaded_is_not_a_missing_file(warehouse):
    warehouse.connection.execute(
        "insert into raw_stripe._manifest (entity, file, status) values ('subscription', 's.csv', 'rejected')"
    )
    reason = "no row of the files of stripe/subscription could be loaded"
    assert warehouse.judged()["churn"] == Prospect("churn", NO, reason)


def test_a_system_that_the_company_does_not_have_does_not_count(warehouse):
    warehouse.subscriptions(167, "case when n < 40 then date '2025-09-01' end")
    warehouse.present = ["zendesk"]
    assert warehouse.judged()["churn"].verdict == NO


def test_the_day_of_the_run_is_that_of_sources_yaml(warehouse):
    warehouse.subscriptions(167, "case when n < 40 then date '2025-09-01' end")
    # Of nine Sundays, the last one 90 days before.
    reason = warehouse.judged(configured=date(2025, 8, 1))["churn"].reason
    assert reason.endswith(f"there are 0, 167 and {9 * 167:,}")


@pytest.mark.parametrize(
    ("days", "verdict", "reason"),
    [
        (0, NO, "3 tickets in 0 weeks; one whole week is needed"),
        (70, YES, "3 tickets in 10 weeks; no method is tested with fewer than 26 weeks"),
        (182, YES, "3 tickets in 26 weeks"),
    ],
)
def test_a_forecast_needs_weeks(warehouse, days, verdict, reason):
    warehouse.write(
        "zendesk.ticket",
        3,
        f"n::varchar as id, timestamp '{LAST}' - {days} * interval 1 day as created_at,"
        f" timestamp '{LAST}' as updated_at",
    )
    judged = warehouse.judged()["forecast of tickets"]
    assert (judged.verdict, judged.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("customers", "verdict", "reason"),
    [
        (300, YES, "300 customers, 300 amounts of 365 days from one on which they were seen"),
        (
            199,
            NO,
            "199 customers; needed are 200 amounts of 365 days from one on which they were seen; there are 199",
        ),
    ],
)
def test_an_amount_needs_rows_and_no_two_answers(warehouse, customers, verdict, reason):
    warehouse.subscriptions(customers, "null::date")
    judged = warehouse.judged()["lifetime_value"]
    assert (judged.verdict, judged.reason) == (verdict, reason)


def test_a_prediction_that_declares_nothing_is_not_judged(warehouse, project):
    judged = warehouse.judged(project(""))["leaving"]
    assert judged == Prospect("leaving", NOT_JUDGED, "its YAML does not say what it needs of the exports (`needs`)")


NEEDS = """\
  needs:
    called: customers
    happened: left
    staging: subscriptions
    records:
      - of: stripe.subscription
        since: created
"""


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        ("stripe.subscription", "stripe.subscriptions", "there is no stripe.subscriptions. Did you mean 'stripe.sub"),
        ("since: created", "since: creatd", 'Referenced column "creatd" not found'),
    ],
)
def test_needs_that_cannot_be_used_are_told(warehouse, project, wrong, right, words):
    warehouse.subscriptions(3, "null::date")
    judged = warehouse.judged(project(NEEDS.replace(wrong, right)))["leaving"]
    assert judged.verdict == NOT_JUDGED
    assert words in judged.reason


@pytest.mark.parametrize(
    ("wrong", "right", "place", "words"),
    [
        ("    called: customers\n", "", "  needs:", "'called' is missing: those who are learnt from"),
        ("since:", "sinc:", "sinc:", "there is no attribute 'sinc'; did you mean 'since'?"),
    ],
)
def test_mistakes_in_needs_have_file_and_line(project, wrong, right, place, words):
    root = project(NEEDS.replace(wrong, right))
    path = "assets/predictions/leaving/defs.yaml"
    line = next(n for n, text in enumerate((root / path).read_text().splitlines(), 1) if place in text)
    with pytest.raises(YamlMistakes) as raised:
        read_components(root)
    assert f"{path}:{line}: {words}" in str(raised.value)


def test_a_system_of_ones_own_that_brings_the_records_is_not_judged(warehouse, project):
    root = project(NEEDS)
    own = Source("olist", "A marketplace.", (Entity("plan", "A plan.", {"id": "varchar"}, ("id",)),))
    staging = root / "dbt_project/models/staging/olist/stg_olist__subscriptions.sql"
    staging.parent.mkdir(parents=True)
    staging.write_text("select 1")
    prepare_schema(warehouse.connection, own)
    (judged,) = prospects(
        warehouse.connection, [*SOURCES, own], ["olist", "stripe"], None, NOW, root, components_of(root)
    )
    assert judged.verdict == NOT_JUDGED
    assert judged.reason.startswith("olist brings customers")


@pytest.mark.parametrize(
    ("rows", "verdict", "words"),
    [
        (0, NO, "there is no file of olist/plan"),
        (23, NO, "23 records of olist/plan from 2025-01-01 to 2025-01-23; at least 24 are needed"),
        (80, PERHAPS, "80 records of olist/plan from 2025-01-01 to 2025-03-21; a run counts the customers among them"),
    ],
)
def test_of_a_system_of_ones_own_the_records_are_counted(warehouse, project, rows, verdict, words):
    root = project(NEEDS)
    own = Source("olist", "", (Entity("plan", "", {"plan_id": "varchar", "made": "timestamp"}, ("plan_id",)),))
    staging = root / "dbt_project/models/staging/olist/stg_olist__subscriptions.sql"
    staging.parent.mkdir(parents=True)
    staging.write_text(
        "{{ raw_columns(source('raw_olist', 'plan'), {'subscription_id': ['plan_id', 'string'],"
        " 'created_at': ['made', 'timestamp']}) }}"
    )
    prepare_schema(warehouse.connection, own)
    made = "timestamp '2025-01-01' + n * interval 1 day"
    warehouse.write("olist.plan", rows, f"n::varchar as plan_id, {made} as made")
    (judged,) = prospects(warehouse.connection, [*SOURCES, own], ["olist"], None, NOW, root, components_of(root))
    assert (judged.verdict, judged.reason[: len(words)]) == (verdict, words)


def components_of(root: Path) -> list:
    """The predictions, forecasts and text models of a project."""
    return [component for _, component in read_components(root)]


def declared() -> list[Records]:
    """All records that the project's YAML names."""
    components = [one for one in components_of(project_root()) if not isinstance(one, DeclaredText)]
    needs = [each for one in components for each in ([one.needs] if isinstance(one, DeclaredPrediction) else one.needs)]
    return [records for each in needs if each for records in each.records]


def test_what_the_project_needs_is_there(warehouse):
    loaded = Loaded(warehouse.connection, SOURCES, warehouse.present, LAST, Path())
    assert {records.of for records in declared()} == needed_entities(components_of(project_root()))
    for records in declared():
        assert loaded.rows(records.of) == 0
        query = loaded.counted([records])
        assert warehouse.connection.execute(f"describe {query}").fetchall()[2][:2] == ("since", "DATE"), records
