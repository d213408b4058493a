"""No feature and no known outcome changes when everything that became known later is deleted."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.settings import dbt_project_dir
from tests.dbt_project.features.project import dbt, write_rows
from tests.dbt_project.features.test_incremental import ROWS
from tests.dbt_project.features.truncation import dated_models, leaks

SUNDAY = date(2025, 2, 23)


def build_small(project: Path, folder: Path) -> Path:
    warehouse = folder / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        write_rows(connection, ROWS, date(2025, 4, 10))
    dbt(project, warehouse, "run", "--full-refresh", "--select", "core", "features", target_dir=folder / "target")
    return warehouse


@pytest.mark.slow
def test_the_truncation_test_sees_a_planted_leak(project: Path, tmp_path: Path):
    copy = tmp_path / "project"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("target", "logs"))
    tickets = copy / "models" / "core" / "tickets.sql"
    honest = build_small(copy, tmp_path)
    assert leaks(copy, honest, "raw_test", SUNDAY, tmp_path / "honest") == []

    # The priority as it was last seen anywhere: overwritten by what happens later.
    tickets.write_text(
        "select * replace (last_value(effort) over (partition by recorded_account_id order by known_at "
        "rows between unbounded preceding and unbounded following) as effort) "
        "from {{ source('raw_test', 'tickets') }}"
    )
    (tmp_path / "leaking").mkdir()
    leaking = build_small(copy, tmp_path / "leaking")
    found = leaks(copy, leaking, "raw_test", SUNDAY, tmp_path / "cut")
    assert any(line.startswith("account_snapshots.tickets_effort_sum_28d: ") for line in found), found
    assert not any(".tickets_count" in line for line in found)


@pytest.mark.slow
def test_features_of_the_sample_company_only_know_the_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from assets.sources import all_sources
    from pipelines.extraction.as_of import write_as_of
    from pipelines.extraction.configuration import read_configuration
    from pipelines.extraction.loading.load import load_all
    from pipelines.sample.company import write_sample

    last_day, cut_day = date(2026, 6, 30), date(2026, 2, 22)
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    write_sample(tmp_path / "landing", tmp_path / "truth", accounts=150, months=9, last_day=last_day)
    warehouse = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        now = datetime.now(UTC)
        load_all(connection, all_sources(), read_configuration(), now)
        write_as_of(connection, all_sources(), last_day, now)
    real = dbt_project_dir()
    dbt(real, warehouse, "run", "--full-refresh", "--select", "staging", "core", "features", target_dir=tmp_path / "t")
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        models = [model.name for model in dated_models(tmp_path / "t" / "manifest.json", connection)]
        empty = [name for name in models if not connection.execute(f"from features.{name} limit 1").fetchone()]
    assert len(models) >= 6 and not empty, empty
    assert leaks(real, warehouse, "staging", cut_day, tmp_path / "cut") == []
