"""Any company's exports: sources that are absent, columns that are missing, a CRM nobody has seen before."""

import shutil
from pathlib import Path

import duckdb
import pytest

from pipelines.settings import dbt_project_dir
from pipelines.transformation.building import project_variables
from tests.dbt_project.parsed_dbt import run_dbt
from tests.dbt_project.warehouses import table, write_raw

OPPORTUNITIES = """
with deals as (
    {{ raw_columns(source('raw_tiny_crm', 'deals'), {
        'opportunity_id': ['deal_id', 'string'],
        'account_key': ['account', 'string'],
        'product': ['product', 'string'],
        'stage': ['deal_stage', 'string'],
        'amount': ['close_value', 'double'],
        'close_date': ['close_date', 'date'],
        'created_at': ['engage_date', 'timestamp'],
        'forecast_category': ['no_such_column', 'string'],
    }) }}
),
opened as (
    select opportunity_id, account_key, product, custom_region, created_at, created_at as known_at, loaded_at from deals
),
closed as (
    select
        opportunity_id, account_key, product, custom_region, created_at, loaded_at, stage, amount, close_date,
        true as is_closed, stage = 'Won' as is_won, cast(close_date as timestamp) as known_at, forecast_category
    from deals
    where stage in ('Won', 'Lost')
),
versions as (
    select
        opportunity_id, account_key, product, custom_region, created_at, loaded_at, null as stage, null as amount,
        cast(null as date) as close_date, false as is_closed, false as is_won, known_at, null as forecast_category
    from opened
    union all
    select
        opportunity_id, account_key, product, custom_region, created_at, loaded_at, stage, amount, close_date,
        is_closed, is_won, known_at, forecast_category
    from closed
)
select * from versions
"""
ACCOUNTS = """
with accounts as (
    {{ raw_columns(source('raw_tiny_crm', 'accounts'), {
        'account_key': ['account', 'string'],
        'account_name': ['account', 'string'],
        'industry': ['sector', 'string'],
    }) }}
),
final as (
    select accounts.*, cast('2017-12-30' as timestamp) as known_at, true as is_register from accounts
)
select * from final
"""
LEADS = """
select
    'L1' as lead_id, 'ann@acme.com' as emial, 'acme' as custom_brand, 7 as row_of_file, 'call' as zzz, now() as known_at
"""
LEADS_YAML = """
models: [{name: stg_tiny_crm__leads, config: {meta: {stays_in_staging: [row_of_file]}}}]
"""
SOURCES = """
sources:
  - name: raw_tiny_crm
    tables:
      - name: deals
      - name: accounts
"""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with one more CRM in it, for a company that has this CRM and a thin Salesforce export."""
    folder = tmp_path_factory.mktemp("any_export")
    project = folder / "dbt_project"
    shutil.copytree(dbt_project_dir(), project, ignore=shutil.ignore_patterns("target", "logs"))
    staging = project / "models" / "staging" / "tiny_crm"
    staging.mkdir()
    (staging / "stg_tiny_crm__opportunities.sql").write_text(OPPORTUNITIES)
    (staging / "stg_tiny_crm__accounts.sql").write_text(ACCOUNTS)
    (staging / "_tiny_crm.yml").write_text(SOURCES)
    warehouse = folder / "warehouse.duckdb"
    write_raw(
        warehouse,
        {"salesforce.account": [{"Id": "A1", "SystemModstamp": "2017-01-01", "dataTier__c": 3, "Zone": "north"}]},
        as_of="2017-12-31",
        without={
            "salesforce.account": ["Industry", "Website", "IsDeleted", "MasterRecordId", "CreatedDate", "Name"],
        },
    )
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema raw_tiny_crm")
        connection.execute("create table raw_tiny_crm.accounts as select 'Acme' as account, 'retail' as sector")
        connection.execute(
            """
            create table raw_tiny_crm.deals as
            select * from (values
                ('D1', 'Acme', 'GTX', 'Won', 550.0, date '2017-03-01', date '2017-01-15', 'west'),
                ('D2', 'Acme', 'GTX', 'Engaging', null, null, date '2017-02-15', null),
                ('D3', 'Only a name', 'GTX', 'Engaging', null, null, date '2017-02-15', null)
            ) as deals(deal_id, account, product, deal_stage, close_value, close_date, engage_date, "Region")
            """
        )
    result = run_dbt(
        "run",
        "--select",
        "staging",
        "core",
        project_dir=project,
        warehouse=warehouse,
        target_dir=folder / "target",
    )
    assert result.returncode == 0, result.stdout[-6000:]
    return warehouse


def test_the_tree_says_which_staging_models_feed_which_entity():
    staging = project_variables()["staging_models"]
    assert staging["accounts"] == [
        "stg_hubspot__accounts",
        "stg_product__accounts",
        "stg_salesforce__accounts",
        "stg_stripe__accounts",
        "stg_zendesk__accounts",
    ]


def test_a_source_that_is_absent_gives_no_rows(warehouse: Path):
    for model in (
        "staging.stg_stripe__invoices",
        "staging.stg_web__visits",
        "core.invoices",
        "core.visits",
        "core.usage",
    ):
        assert table(warehouse, f"select count(*) as n from {model}") == [{"n": 0}]


def test_absent_columns_are_typed_nulls(warehouse: Path):
    types = {
        row["column_name"]: row["column_type"]
        for row in table(warehouse, "select * from (describe staging.stg_salesforce__accounts)")
    }
    assert (types["industry"], types["is_deleted"], types["created_at"]) == ("VARCHAR", "BOOLEAN", "TIMESTAMP")
    (row,) = table(warehouse, "select * from staging.stg_salesforce__accounts")
    assert (row["account_key"], row["industry"], row["is_deleted"]) == ("A1", None, None)


def test_unknown_columns_pass_through_in_snake_case_and_the_loaders_own_do_not(warehouse: Path):
    (row,) = table(warehouse, "select * from staging.stg_salesforce__accounts")
    assert (row["custom_data_tier"], row["custom_zone"]) == (3.0, "north")
    assert not [name for name in row if name.startswith("custom_") and ("file" in name or "line" in name)]
    (account,) = table(warehouse, "select * from core.accounts where account_id = 'salesforce:A1'")
    assert (account["custom_data_tier"], account["custom_zone"]) == (3.0, "north")


def test_a_crm_without_history_feeds_the_core_through_its_staging_models_alone(warehouse: Path):
    deals = {row["opportunity_id"]: row for row in table(warehouse, "select * from core.opportunities")}
    won, running = deals["D1"], deals["D2"]
    assert (won["is_won"], won["amount"], str(won["closed_at"])) == (True, 550.0, "2017-03-01 00:00:00")
    assert (won["account_id"], won["product"], won["custom_region"]) == ("tiny_crm:Acme", "GTX", "west")
    assert (running["is_open"], running["source_system"]) == (True, "tiny_crm")
    versions = table(
        warehouse,
        "select is_open, amount from core.opportunity_versions where opportunity_id = 'D1' order by valid_from",
    )
    assert versions == [{"is_open": True, "amount": None}, {"is_open": False, "amount": 550.0}]
    (account,) = table(warehouse, "select * from core.accounts where account_id = 'tiny_crm:Acme'")
    assert account["industry"] == "retail"


def test_a_deal_is_known_in_its_time_although_its_companys_record_came_later(warehouse: Path):
    versions = table(
        warehouse,
        "select recorded_account_id, valid_from from core.opportunity_versions where opportunity_id = 'D1' order by 2",
    )
    assert [(v["recorded_account_id"], str(v["valid_from"])[:10]) for v in versions] == [
        ("tiny_crm:Acme", "2017-01-15"),
        ("tiny_crm:Acme", "2017-03-01"),
    ]
    attributes = table(
        warehouse,
        "select industry, valid_from from core.account_versions where account_id = 'tiny_crm:Acme' order by valid_from",
    )
    assert [(a["industry"], str(a["valid_from"])[:10]) for a in attributes] == [
        (None, "2017-01-15"),
        ("retail", "2017-12-30"),
    ]


def test_a_company_that_only_a_deal_mentions_is_a_company(warehouse: Path):
    (account,) = table(warehouse, "select * from core.accounts where account_id = 'tiny_crm:Only a name'")
    assert (account["account_name"], account["is_customer"]) == (None, False)


def test_a_column_that_core_does_not_know_is_told_with_the_name_that_is_meant(warehouse: Path):
    project = warehouse.parent / "dbt_project"
    staging = project / "models" / "staging" / "tiny_crm"
    (staging / "stg_tiny_crm__leads.sql").write_text(LEADS)
    (staging / "_leads.yml").write_text(LEADS_YAML)
    ended = run_dbt(
        "run",
        "--select",
        "stg_tiny_crm__leads",
        "lead_records",
        project_dir=project,
        warehouse=warehouse,
        target_dir=warehouse.parent / "target",
    )
    assert ended.returncode == 1
    assert (
        "models/staging/tiny_crm/stg_tiny_crm__leads.sql has columns that models/core/identity/lead_records.sql "
        "does not know: 'emial' (did you mean 'email'?), 'zzz'."
    ) in " ".join(ended.stdout.split())
