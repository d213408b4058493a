"""
The same pipeline on real exports. An overlay is all that adding the system took: a source file and its staging models.

The project is copied, the overlay laid over it, and `scorecast run` started there with a `sources.yaml` of its own.
"""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT.parent / "shared" / "data"
OVERLAYS = Path(__file__).parent / "overlays"
PROJECT = ["assets", "pipelines", "dbt_project", "pyproject.toml", "workspace.yaml", "dagster.yaml"]

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not DATA.exists(), reason=f"the public data is not at {DATA}"),
]


def run_on(tmp_path: Path, name: str, source: str, exports: Path) -> duckdb.DuckDBPyConnection:
    """Run the daily job on a copy of the project with an overlay; returns the published file, open for reading."""
    project = tmp_path / "project"
    ignore = shutil.ignore_patterns("target", "logs", "__pycache__")
    for item in PROJECT:
        if (ROOT / item).is_dir():
            shutil.copytree(ROOT / item, project / item, ignore=ignore)
        else:
            shutil.copy(ROOT / item, project / item)
    shutil.copytree(OVERLAYS / name, project, dirs_exist_ok=True, ignore=ignore)
    (project / "sources.yaml").write_text(f"sources:\n  {source}: {exports}\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SCORECAST_")}
    result = subprocess.run(
        [sys.executable, "-m", "pipelines.commands.main", "run"],
        cwd=project,
        env={**environment, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    print(result.stdout)
    return duckdb.connect(str(project / "data" / "published.duckdb"), read_only=True)


@pytest.mark.parametrize("name", ["crm_opportunities", "olist_funnel"])
def test_an_overlay_is_one_source_file_and_staging_models(name: str):
    files = [path.relative_to(OVERLAYS / name) for path in (OVERLAYS / name).rglob("*") if path.is_file()]
    files = [path for path in files if path.suffix != ".pyc"]
    sources = [path for path in files if path.parent == Path("assets/sources")]
    staging = [path for path in files if path.is_relative_to("dbt_project/models/staging")]
    assert len(sources) == 1
    assert len(staging) >= 2
    assert set(files) == {*sources, *staging}


def test_a_real_crm_export(tmp_path: Path):
    """Every third deal: the fit of all of them takes a minute, and says the same."""
    exports = tmp_path / "exports"
    exports.mkdir()
    for file in (DATA / "crm_opportunities").glob("*.csv"):
        shutil.copyfile(file, exports / file.name)
    header, *deals = (exports / "sales_pipeline.csv").read_text().splitlines(keepends=True)
    deals = deals[::3]
    (exports / "sales_pipeline.csv").write_text("".join([header, *deals]))
    open_deals = sum(deal["deal_stage"] in ("Prospecting", "Engaging") for deal in csv.DictReader([header, *deals]))
    published = run_on(tmp_path, "crm_opportunities", "crm_export", exports)
    scored, worst, best = published.execute(
        "select count(*), min(probability), max(probability) from published.opportunity_scores"
    ).fetchone()
    assert scored == open_deals
    assert 0 < worst < best < 1
    auc = published.execute(
        "select auc from published.model_runs where model = 'opportunity_win' and status = 'kept'"
    ).fetchone()[0]
    print(f"opportunity win: AUC {auc:.3f}")
    assert auc > 0.5
    weeks, missing = published.execute(
        """
        select count(*), count(*) filter (where forecast is null or p10 > p50 or p50 > p90)
        from published.forecasts where metric = 'bookings' and segment = 'total' and actual is null
        """
    ).fetchone()
    assert (weeks, missing) == (13, 0)
    smape, naive = published.execute(
        """
        select
            min(smape) filter (where chosen), min(smape) filter (where method = 'seasonal_naive' or method = 'naive')
        from published.forecast_accuracy where metric = 'bookings' and segment = 'total'
        """
    ).fetchone()
    print(f"bookings by week: sMAPE {smape:.1f}, naive {naive:.1f}")
    assert smape <= naive


def test_a_real_lead_funnel(tmp_path: Path):
    published = run_on(tmp_path, "olist_funnel", "olist", DATA / "olist_funnel")
    auc, log_loss = published.execute(
        "select auc, log_loss from published.model_runs where model = 'lead_score' and status = 'kept'"
    ).fetchone()
    print(f"lead score: AUC {auc:.3f}, log loss {log_loss:.4f}")
    assert auc > 0.5
    rows, unexplained = published.execute(
        "select count(*), count(*) filter (where reason_1 is null) from published.lead_scores"
    ).fetchone()
    assert rows > 1000
    assert unexplained == 0
    skipped = published.execute("select reason from published.model_runs where model = 'churn'").fetchall()
    assert skipped
    assert all("there are no subscriptions: stripe/subscription" in reason for (reason,) in skipped)
