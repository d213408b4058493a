"""A core table or a snapshot model that is added tomorrow gives features, and words for them, with no other edit."""

import re
import shutil
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

import duckdb

from pipelines.settings import dbt_project_dir
from tests.dbt_project.features.project import dbt, features, write_rows
from tests.dbt_project.parsed_dbt import run_dbt

CALLS = """
semantic_models:
  - name: calls
    description: phone calls
    model: ref('calls')
    defaults:
      agg_time_dimension: known_at
    entities:
      - {name: call, type: primary, expr: call_id}
      - {name: account, type: foreign, expr: caller_account_id}
    dimensions:
      - {name: known_at, type: time, type_params: {time_granularity: day}}
    measures:
      - {name: calls_minutes, agg: sum, expr: minutes, description: minutes on the phone}
"""
CALLS_SQL = """
select 'c1' as call_id, 'a1' as caller_account_id, 12.5 as minutes, timestamp '2025-03-05 10:00' as known_at
"""
PERSON_SNAPSHOTS = """
{{ read_core_models() }}
with spine as (
    select 'p1' as person_id, as_of_date from ({{ as_of_dates() }}) as as_of_dates
),
final as (
    {{ point_in_time('person', 'spine') }}
)
select * from final
"""


def squeezed(paths: Iterable[Path]) -> str:
    """SQL without white space, and without the quotes and the name of the test's database."""
    (path,) = paths
    return re.sub(r"\s+", "", path.read_text()).replace('"', "").replace("warehouse.core.", "core.")


def shown_in_the_readme() -> list[str]:
    """The pieces of compiled SQL beside the macros, without white space."""
    text = (dbt_project_dir() / "macros" / "README.md").read_text()
    shown = [part for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL) for part in block.split("-- ...")]
    assert len(shown) > 5
    return [re.sub(r"\s+", "", part) for part in shown]


def test_an_added_core_model_becomes_features_of_its_entity(project: Path, tmp_path: Path):
    copy = tmp_path / "project"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("target", "logs"))
    (copy / "models" / "core" / "calls.sql").write_text(CALLS_SQL)
    (copy / "models" / "core" / "calls.yml").write_text(CALLS)
    (copy / "models" / "features" / "person_snapshots.sql").write_text(PERSON_SNAPSHOTS)
    warehouse = tmp_path / "warehouse.duckdb"
    version = {"account_id": "a1", "valid_from": datetime(2025, 3, 1), "plan": "pro", "is_deleted": False}
    with duckdb.connect(str(warehouse)) as connection:
        write_rows(connection, {"account_versions": [version]}, date(2025, 3, 12))
    dbt(copy, warehouse, "build", "--select", "core", "features")

    snapshots = features(warehouse, "account_snapshots", "as_of_date")
    assert snapshots["as_of_date"].to_list() == [date(2025, 3, 2), date(2025, 3, 9), date(2025, 3, 12)]
    assert snapshots["calls_minutes_sum_7d"].to_list() == [0.0, 12.5, 0.0]
    assert snapshots["calls_count_28d"].to_list() == [0.0, 1.0, 1.0]
    assert snapshots["days_since_last_calls"].to_list() == [None, 4.0, 7.0]

    catalogue = features(warehouse, "catalogue", "snapshot, feature").filter(snapshot="account_snapshots")
    assert set(catalogue["feature"]) == set(snapshots.columns) - {"account_id", "as_of_date"}
    words = dict(zip(catalogue["feature"], catalogue["description"], strict=True))
    assert words["calls_minutes_sum_7d"] == "minutes on the phone in the last 7 days"
    assert words["calls_minutes_sum_7d_vs_28d"] == "minutes on the phone per day, last 7 days against last 28"
    assert words["days_since_last_calls"] == "days since the last call"
    assert words["tickets_count_91d_priority_urgent"] == "support tickets with priority urgent in the last 91 days"
    assert words["tickets_rating_average_91d"] == "average rating in the last 91 days"
    assert words["arr"] == "Annualised recurring revenue, currency units"
    assert words["custom_tier"] == "custom field tier"
    in_time = dict(zip(catalogue["feature"], catalogue["is_known_in_time"], strict=True))
    assert in_time["calls_minutes_sum_7d"] and in_time["days_since_last_calls"] and in_time["account_age_days"]
    assert not in_time["custom_tier"] and not in_time["employee_count"]

    people = features(warehouse, "catalogue", "feature").filter(snapshot="person_snapshots")
    assert set(people["feature"]) == set(features(warehouse, "person_snapshots", "1").columns) - {
        "person_id",
        "as_of_date",
    }
    words = dict(zip(people["feature"], people["description"], strict=True))
    assert words["visits_minutes_sum_7d"] == "minutes on our site in the last 7 days"

    compiled = squeezed((copy / "target" / "compiled").glob("**/person_snapshots.sql"))
    assert [part for part in shown_in_the_readme() if part not in compiled] == []

    # A day later there is one more core table: its columns are added to the snapshots that are there.
    (copy / "models" / "core" / "chats.sql").write_text(CALLS_SQL.replace("call_id", "chat_id"))
    (copy / "models" / "core" / "chats.yml").write_text(
        CALLS.replace("calls", "chats").replace("call_id", "chat_id").replace("name: call,", "name: chat,")
    )
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("update raw_scorecast.as_of set as_of_date = date '2025-03-13'")
    dbt(copy, warehouse, "build", "--select", "core", "features")
    snapshots = features(warehouse, "account_snapshots", "as_of_date")
    assert snapshots["as_of_date"].to_list() == [date(2025, 3, 2), date(2025, 3, 9), date(2025, 3, 13)]
    assert snapshots["chats_minutes_sum_28d"].to_list() == [None, None, 12.5]
    assert snapshots["calls_minutes_sum_28d"].to_list() == [0.0, 12.5, 12.5]


def test_a_model_that_the_catalogue_would_not_find_is_told(project: Path, tmp_path: Path):
    copy = tmp_path / "project"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("target", "logs"))
    (copy / "models" / "features" / "weekly_people.sql").write_text(PERSON_SNAPSHOTS)
    warehouse = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        write_rows(connection, {}, date(2025, 3, 12))
    ended = run_dbt("compile", "--select", "weekly_people", project_dir=copy, warehouse=warehouse, target_dir=tmp_path)
    assert ended.returncode != 0
    assert "models/features/weekly_people.sql computes features of the entity 'person'" in ended.stdout
    assert "call it models/features/person_snapshots.sql" in ended.stdout
