"""What the core says of a small company: versions in time, money, events and their grain."""

import re
import shutil
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest
import yaml

from pipelines.settings import dbt_project_dir
from tests.dbt_project.core.company import RAW, usage, visit
from tests.dbt_project.engines import not_portable
from tests.dbt_project.parsed_dbt import run_dbt
from tests.dbt_project.warehouses import build, epoch_ms, source, table, write_raw


@pytest.fixture(scope="module")
def company(small_warehouse: Callable[..., Path]) -> Path:
    return small_warehouse(RAW)


def rows(company: Path, model: str, where: str = "true", order: str = "known_at") -> list[dict]:
    return table(company, f"select * from core.{model} where {where} order by {order}")


def test_attributes_are_known_only_from_their_version_on(company: Path):
    versions = rows(company, "account_versions", "account_id = 'salesforce:A-changing'", "valid_from")
    assert [(v["account_name"], v["industry"], v["valid_from"], v["valid_to"]) for v in versions] == [
        ("Before", "Retail", datetime(2025, 1, 1), datetime(2025, 3, 1)),
        ("After", "Banking", datetime(2025, 3, 1), None),
    ]


def test_custom_fields_pass_through(company: Path):
    assert rows(company, "accounts", "account_id = 'salesforce:A-exact'", "1")[0]["custom_industry_segment"] == "smb"
    versions = rows(company, "account_versions", "account_id = 'salesforce:A-changing'", "valid_from")
    assert versions[0]["custom_industry_segment"] == "smb"


def test_the_crm_is_believed_first(company: Path):
    (exact,) = rows(company, "accounts", "account_id = 'salesforce:A-exact'", "1")
    assert (exact["account_name"], exact["domain"]) == ("Exact", "exact.com")


def test_money_is_in_currency_units(company: Path):
    (yen,) = rows(company, "subscriptions", "subscription_id = 's-yen'")
    assert (yen["mrr"], yen["currency"]) == (100.0, "JPY")  # 1,200 yen a year; the yen has no cents
    (invoice,) = rows(company, "invoices", "invoice_id = 'i-1'")
    assert (invoice["amount"], invoice["currency"]) == (100.0, "EUR")


def test_revenue_of_a_company_in_time(company: Path):
    versions = rows(company, "account_revenue_versions", "account_id = 'salesforce:A-exact'", "valid_from")
    assert [(v["valid_from"], v["is_customer"], v["mrr"], v["mrr_change"]) for v in versions] == [
        (datetime(2025, 1, 10), True, 100.0, 100.0),
        (datetime(2025, 2, 10), True, 150.0, 50.0),
        (datetime(2025, 5, 10), False, 0.0, -150.0),
    ]
    (exact,) = rows(company, "accounts", "account_id = 'salesforce:A-exact'", "1")
    assert (exact["is_customer"], exact["arr"]) == (False, 0)
    assert (exact["customer_since_date"], exact["churned_at"]) == (date(2025, 1, 10), datetime(2025, 5, 10))


def test_subscription_changes_are_named(company: Path):
    changes = rows(company, "subscription_changes", "subscription_id = 's-exact'")
    assert [(c["type"], c["mrr_change"]) for c in changes] == [
        ("started", 100.0),
        ("expanded", 50.0),
        ("ended", -150.0),
    ]


def test_a_subscription_of_nobody_we_know_is_kept(company: Path):
    (orphan,) = rows(company, "subscriptions", "subscription_id = 's-orphan'")
    assert orphan["account_id"] is None


def test_a_payment_is_known_when_paid_and_says_how_late(company: Path):
    (payment,) = rows(company, "payments")
    assert (payment["known_at"], payment["days_late"], payment["amount"]) == (datetime(2025, 1, 25), 5.0, 100.0)


def test_a_leads_status_does_not_leak_into_its_past(company: Path):
    versions = rows(company, "lead_versions", "lead_id = 'L-key'", "valid_from")
    assert [(v["status"], v["is_converted"], v["is_open"]) for v in versions] == [
        ("Open", False, True),
        ("Converted", True, False),
    ]
    (lead,) = rows(company, "leads", "lead_id = 'L-key'")
    assert lead["converted_at"] == datetime(2025, 2, 11)
    assert lead["known_at"] == datetime(2025, 1, 10)


def test_a_lead_that_sales_gave_up_is_not_open_until_somebody_works_on_it_again(company: Path):
    versions = rows(company, "lead_versions", "lead_id = 'L-given-up'", "valid_from")
    assert [version["is_open"] for version in versions] == [True, False, True]


def test_a_lead_has_what_other_systems_know_of_the_person(company: Path):
    (lead,) = rows(company, "leads", "lead_id = 'L-1'")
    assert (lead["full_name"], lead["email"], lead["phone"]) == ("Dana", "dana@domain.io", "+49 2")
    assert (lead["owner_id"], lead["owner_name"]) == ("005-2", "Ola Nord"), "by the CRM's users"
    (version,) = rows(company, "lead_versions", "lead_id = 'L-1'")
    assert (version["full_name"], version["has_phone"]) == (None, False), "what a model learns from is the lead's own"


def test_the_main_contact_is_whom_we_heard_of_last(company: Path):
    (exact,) = rows(company, "accounts", "account_id = 'salesforce:A-exact'", "1")
    assert (exact["main_contact_name"], exact["main_contact_email"]) == ("Kim", "kim@exact.com")
    (mail,) = rows(company, "accounts", "account_id = 'salesforce:A-mail'", "1")
    assert (mail["owner_id"], mail["owner_name"]) == ("005-2", "Ola Nord")
    assert mail["main_contact_email"] == "paula@partner.net", "without activity, the one known longest"
    (nobody,) = rows(company, "accounts", "account_id = 'salesforce:A-twin'", "1")
    assert (nobody["main_contact_name"], nobody["main_contact_email"]) == (None, None)


def test_a_deal_says_whom_to_talk_to_today(company: Path):
    (deal,) = rows(company, "opportunities")
    assert [deal[name] for name in ("owner_id", "owner_name", "account_name", "main_contact_email")] == [
        *("005-1", "Mara Stein", "Exact", "kim@exact.com")
    ]


def test_records_that_can_be_opened_are_those_that_stand_today(company: Path):
    keys = table(company, "from core.record_keys where entity = 'account_id' order by entity_id, source_system")
    assert [
        (key["source_system"], key["record_key"], key["is_register"]) for key in keys if "A-exact" in key["entity_id"]
    ] == [
        *(
            ("product", "w-exact", False),
            ("salesforce", "A-exact", True),
            ("stripe", "cus-exact", False),
            ("zendesk", "z-1", False),
        )
    ]
    records = {key["record_key"] for key in keys}
    assert records.isdisjoint({"A-loser", "A-gone", "A-ring-1", "A-ring-2"})
    assert "A-winner" in records
    (deal,) = table(company, "from core.record_keys where entity = 'opportunity_id'")
    assert (deal["entity_id"], deal["source_system"], deal["record_key"]) == ("O-1", "salesforce", "O-1")


def test_a_deal_in_time(company: Path):
    (deal,) = rows(company, "opportunities")
    assert (deal["is_won"], deal["amount"], deal["first_amount"], deal["closed_at"]) == (
        True,
        90.0,
        100.0,
        datetime(2025, 2, 5),
    )
    (closed,) = rows(company, "closed_opportunities")
    assert (closed["result"], closed["won_amount"], closed["days_open"], closed["known_at"]) == (
        "won",
        90.0,
        31,
        datetime(2025, 2, 5),
    )


def test_what_people_wrote_leaves_raw_without_private_data(company: Path):
    (ticket,), (rating,) = rows(company, "tickets"), rows(company, "satisfaction_ratings")
    assert (ticket["subject"], ticket["description"]) == ("Call [phone]", "My IBAN is [iban] since 2025-01-31")
    assert [comment["body"] for comment in rows(company, "ticket_comments")] == ["Or write to [email].", None]
    assert rating["comment"] == "Order [number] has come"


def test_what_was_read_in_a_ticket_is_known_with_the_ticket(company: Path):
    (read,), (ticket,) = rows(company, "ticket_readings"), rows(company, "tickets")
    assert (read["topic"], read["mood"], read["negative_tickets"]) == ("billing", "negative", 1)
    assert (read["known_at"], read["recorded_account_id"]) == (ticket["known_at"], "salesforce:A-exact")
    (topic,) = rows(company, "ticket_topic_versions", order="valid_from")
    assert (topic["latest_ticket_topic"], topic["valid_from"], topic["valid_to"]) == (
        "billing",
        ticket["known_at"],
        None,
    )


def test_a_ticket_is_an_event_of_its_creation_and_its_solution_another(company: Path):
    (ticket,) = rows(company, "tickets")
    assert (ticket["priority"], ticket["latest_priority"]) == ("normal", "urgent")
    assert ticket["recorded_account_id"] == "salesforce:A-exact"
    assert ticket["recorded_person_id"] is not None
    (solution,) = rows(company, "ticket_solutions")
    assert (solution["hours_to_solution"], solution["known_at"]) == (48.0, datetime(2025, 2, 3))
    assert [c["author"] for c in rows(company, "ticket_comments")] == ["customer", "us"]
    (rating,) = rows(company, "satisfaction_ratings")
    assert (rating["is_good"], rating["account_id"]) == (True, "salesforce:A-exact")


def test_touches_responses_and_tasks_find_their_people(company: Path):
    touches = rows(company, "campaign_touches")
    assert [(t["type"], t["known_at"]) for t in touches] == [
        ("reached", datetime(2025, 1, 12)),
        ("responded", datetime(2025, 1, 20)),
    ]
    assert len({t["person_id"] for t in touches} - {None}) == 1
    tasks = {t["task_id"]: t for t in rows(company, "tasks")}
    assert tasks["T-1"]["recorded_account_id"] == "salesforce:A-domain"  # the lead's company, by domain
    assert (tasks["T-2"]["recorded_account_id"], tasks["T-2"]["type"]) == ("salesforce:A-exact", "other")


def test_usage_of_a_workspace_we_do_not_know_waits(company: Path):
    (trial,) = rows(company, "usage", "account_key = 'w-trial'")
    assert trial["account_id"] is None


def test_the_time_spine_reaches_a_year_ahead(company: Path):
    (days,) = table(company, "select min(date_day) a, max(date_day) b, count(*) n from core.days")
    assert (days["a"], days["b"]) == (date(2025, 1, 1), date(2026, 7, 1))
    assert days["n"] == (days["b"] - days["a"]).days + 1


def test_a_key_that_names_no_row_is_told(company: Path, tmp_path: Path):
    warehouse = tmp_path / "warehouse.duckdb"
    shutil.copy(company, warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("delete from core.account_versions where account_id = 'salesforce:A-exact'")
        connection.execute("delete from core.tickets")
    ended = run_dbt(
        "test",
        "--select",
        "test_name:has_every_key",
        warehouse=warehouse,
        target_dir=company.parent / "target",
    )
    assert ended.returncode == 0, "what is built is right without them"
    assert set(re.findall(r"WARN \d+ (\w*every_key\w*)", ended.stdout)) == {
        "account_versions_has_every_key",
        "tickets_has_every_key",
        "campaigns_has_every_key",  # this company exports who was reached, and no campaigns
    }


def known_in(raw: dict[str, list[dict]], cutoff: datetime) -> dict[str, list[dict]]:
    """The raw rows that were known before `cutoff`, by the contracts' own time columns."""
    kept: dict[str, list[dict]] = {}
    for name, entries in raw.items():
        entity = next(e for e in source(name.split(".")[0]).entities if e.name == name.split(".")[1])
        scale = {"epoch_s": 1, "epoch_ms": 1000}.get(entity.time_unit)
        kept[name] = [
            row
            for row in entries
            if entity.time is None
            or (
                row[entity.time] / scale < (cutoff - datetime(1970, 1, 1)).total_seconds()
                if scale
                else datetime.fromisoformat(str(row[entity.time])) < cutoff
            )
        ]
    return kept


TODAY = re.compile(r"^(latest_.*|is_paid|paid_at|solved_at|loaded_at|valid_to)$")
"""What the future may change, as it may a column beside whose name there is one with `recorded_` before it."""


def models_in_time() -> dict[str, tuple[str, str]]:
    """
    Core models that features or links read at a time in the past: the column that says when a row became known, and
    what is read: all of it, or of today's state beside versions only what the semantic model offers.
    """
    files = [yaml.safe_load(path.read_text()) for path in (dbt_project_dir() / "models" / "core").glob("**/*.yml")]
    columns = {
        model["name"]: {column["name"] for column in model["columns"]}
        for file in files
        for model in file.get("models", [])
    }
    semantic = {model["name"]: model for file in files for model in file.get("semantic_models", [])}
    singular = [name.removesuffix("_versions") for name in columns if name.endswith("_versions")]
    beside_versions = {name[:-1] + "ies" if name.endswith("y") else f"{name}s" for name in singular}
    found = {}
    for name in sorted(columns):
        parts = semantic.get(name, {})
        if "valid_from" in columns[name]:
            found[name] = ("valid_from", "*")
        elif "known_at" in columns[name] and (not parts or "agg_time_dimension" in parts.get("defaults", {})):
            offered = [part.get("expr", part["name"]) for kind in OFFERED for part in parts.get(kind, [])]
            found[name] = ("known_at", ", ".join(offered) if name in beside_versions else "*")
    return found


OFFERED = ("entities", "dimensions", "measures")
IN_TIME = models_in_time()


@pytest.fixture(scope="module")
def truncated(small_warehouse: Callable[..., Path]) -> Path:
    return small_warehouse(known_in(RAW, datetime(2025, 2, 12)), as_of="2025-02-11", command="run")


@pytest.mark.parametrize("model", IN_TIME)
def test_the_future_changes_nothing_that_was_known(company: Path, truncated: Path, model: str):
    known_at, read = IN_TIME[model]

    def known(warehouse: Path) -> list[str]:
        found = table(warehouse, f"select {read} from core.{model} where {known_at} < timestamp '2025-02-12'")
        return sorted(
            str({k: v for k, v in row.items() if not TODAY.match(k) and f"recorded_{k}" not in row}) for row in found
        )

    then = known(truncated)
    assert then == known(company)
    assert then


@pytest.fixture(scope="module")
def next_day(company: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same company two loads later: late usage, a workspace made known, an old visitor identified."""
    warehouse = tmp_path_factory.mktemp("next_day") / "warehouse.duckdb"
    shutil.copy(company, warehouse)
    loaded = datetime(2026, 1, 2, 5)
    more = {
        "product.usage_daily": [
            usage("w-exact", "2025-01-02", 9),  # older than everything loaded before
            {**usage("w-exact", "2025-01-03", 9), "_loaded_at": datetime(2025, 12, 31, 5)},  # a clock that was wrong
        ],
        "product.workspace": [
            {"workspace_id": "w-trial", "stripe_customer_id": "cus-free", "updated_at": "2025-06-01"}
        ],
        "hubspot.form_submission": [
            {
                "conversionId": "f-9",
                "email": "late@free.io",
                "visitorId": "anon-nobody",
                "submittedAt": epoch_ms("2025-06-01T12:00"),
            }
        ],
        "web.session": [visit("v-9", "anon-dana", "2025-06-02 10:00")],
        "labels.text_label": [
            {"model": "post_sentiment", "key": "post:s-2025-01-20", "label": "neutral", "labelled_at": "2025-06-03"}
        ],
    }
    with_load = {name: [{"_loaded_at": loaded, **row} for row in entries] for name, entries in more.items()}
    write_raw(warehouse, with_load, "2025-07-01")
    build(warehouse, select="staging core published", command="run")
    return warehouse


@pytest.fixture(scope="module")
def all_at_once(next_day: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    warehouse = tmp_path_factory.mktemp("all_at_once") / "warehouse.duckdb"
    shutil.copy(next_day, warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        for model in ("usage", "visits", "page_views", "mail_events"):
            connection.execute(f"drop table core.{model}")
    build(warehouse, select="usage visits page_views mail_events", command="run")
    return warehouse


@pytest.mark.parametrize("model", ["usage", "visits", "mail_events"])
def test_growing_tables_end_as_if_built_at_once(next_day: Path, all_at_once: Path, model: str):
    grown, fresh = (sorted(map(str, table(one, f"select * from core.{model}"))) for one in (next_day, all_at_once))
    assert grown == fresh


def test_late_rows_and_late_links_reach_growing_tables(next_day: Path):
    for day in ("2025-01-02", "2025-01-03"):
        assert len(rows(next_day, "usage", f"usage_date = date '{day}'")) == 1
    (trial,) = rows(next_day, "usage", "account_key = 'w-trial'")
    assert trial["recorded_account_id"] == "stripe:cus-free"
    assert trial["known_at"] == datetime(2025, 6, 1)
    (visited,) = rows(next_day, "visits", "visit_id = 'v-3'")
    assert visited["person_id"] is not None


def test_the_newest_label_of_a_text_counts(company: Path, next_day: Path):
    def labels(warehouse: Path) -> list[tuple]:
        found = table(warehouse, "select * from core.text_labels order by record_key")
        return [(row["record_key"], row["label"], row["known_at"]) for row in found]

    january, february = "post:s-2025-01-20", "post:s-2025-02-20"
    later = (february, "positive", datetime(2025, 2, 25))
    assert labels(company) == [(january, "positive", datetime(2025, 1, 25)), later]
    assert labels(next_day) == [(january, "neutral", datetime(2025, 6, 3)), later]


def test_a_person_has_the_lead_to_work_on(next_day: Path):
    """L-1 and L-2 are one person's; the newer is worked on. L-key is converted and the only one."""
    people = table(next_day, "select email, lead_id from published.people where lead_id is not null")
    found = {person["email"]: person["lead_id"] for person in people}
    assert (found["dana@domain.io"], found["kim@exact.com"]) == ("L-2", "L-key")


def test_all_that_is_built_can_be_said_to_a_second_engine(company: Path, next_day: Path):
    """First builds with their tests, and builds that grow."""
    written = {
        path.name
        for room in ("staging", "core", "published")
        for path in (dbt_project_dir() / "models" / room).rglob("*.sql")
    }
    for warehouse in (company, next_day):
        assert not_portable(warehouse.parent / "target" / "compiled") == {}
    assert written <= {path.name for path in (next_day.parent / "target" / "compiled").rglob("*.sql")}
