"""Groups and templates of the YAML reach the published table, without a refit."""

import json
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from pipelines.components.prediction import Prediction
from pipelines.components.resolved import PublishedScores
from pipelines.database import connect, write_frame
from pipelines.registry.store import champion_version
from pipelines.settings import REFIT_TAG
from pipelines.warehouse import Warehouse
from tests.pipelines.learning.synthetic import HORIZON, panel

PLAIN = Prediction(
    name="leaving",
    description="Who leaves.",
    entity="account_id",
    features="account_snapshots",
    outcomes="account_outcomes",
    target="is_gone_90d",
    horizon_days=HORIZON,
    history_days=3_000,
    publish=PublishedScores(table="leaving_scores", described_by="accounts"),
)
GROUPED = PLAIN.model_copy(
    update={
        "groups": {"engagement": ["usage_", "*_count_*"], "fit": ["segment", "arr"]},
        "templates": {"tickets_count_28d": "wrote {value} tickets, usually {typical}"},
    }
)


def run(prediction: Prediction, layers: tuple[str, ...]) -> None:
    assets = prediction.build_defs(None).assets
    chosen = [asset.key for asset in assets if asset.key.path[0] in layers]
    tags = {REFIT_TAG: "missing"}
    assert dg.materialize(assets, resources={"warehouse": Warehouse()}, selection=chosen, tags=tags).success


def published(data: Path) -> pl.DataFrame:
    with connect(data / "warehouse.duckdb", read_only=True) as connection:
        return connection.execute("from published.leaving_scores").pl()


@pytest.mark.slow
def test_groups_and_templates_apply_to_a_model_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    known = panel(entities=250, points=12)
    last = known["as_of_date"].max()
    with connect(tmp_path / "warehouse.duckdb") as connection:
        outcome = ["account_id", "as_of_date", "is_gone_90d"]
        catalogue = {"snapshot": ["account_snapshots"], "feature": ["arr"], "description": ["revenue"]}
        accounts = known.select("account_id").unique()
        write_frame(connection, known.drop("is_gone_90d", "true_log_odds"), "features", "account_snapshots")
        write_frame(connection, known.select(outcome), "features", "account_outcomes")
        write_frame(connection, pl.DataFrame(catalogue), "features", "catalogue")
        write_frame(connection, accounts, "core", "accounts")
        write_frame(connection, pl.DataFrame({"as_of_date": [last]}), "raw_scorecast", "as_of")
    run(PLAIN, ("models", "scores", "published"))
    version = champion_version("leaving")
    before = published(tmp_path)
    assert not [name for name in before.columns if name.startswith("points_")]

    # Published before the next scoring: the points are not there yet, and nothing fails.
    run(GROUPED, ("published",))
    assert published(tmp_path).columns == before.columns

    run(GROUPED, ("models", "scores", "published"))
    after = published(tmp_path).sort("account_id")
    assert champion_version("leaving") == version
    points = ["points_engagement", "points_fit", "points_other"]
    assert [name for name in after.columns if name.startswith("points_")] == points
    assert after.columns.index("points_other") + 1 == after.columns.index("reason_1")
    assert np.allclose(after["probability"], before.sort("account_id")["probability"])
    entries = [json.loads(text) for text in after["reasons"]]
    base = entries[0][0]["contribution"]
    odds = np.log(after["probability"].to_numpy()) - np.log1p(-after["probability"].to_numpy())
    assert np.allclose(base + after.select(pl.sum_horizontal(points)).to_series().to_numpy(), odds, atol=1e-6)
    told = [each["text"] for row in entries for each in row if each["feature"] == "tickets_count_28d"]
    assert told
    assert all(text.startswith("Wrote ") and ", usually " in text for text in told)
