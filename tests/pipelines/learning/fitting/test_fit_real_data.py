"""Public tables without time, beside the repository; figures to compare with stand in that folder's README."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.learning.fitting.fit import fit_prediction
from pipelines.learning.specs import PredictionSpec

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"
FILLED_IN_LATER = (
    "Tags",
    "Lead Quality",
    "Lead Profile",
    "Asymmetrique Activity Index",
    "Asymmetrique Profile Index",
    "Asymmetrique Activity Score",
    "Asymmetrique Profile Score",
    "Last Notable Activity",
)

pytestmark = pytest.mark.real_data


def table(name: str) -> pl.DataFrame:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the public data {name} is not beside the repository")
    return pl.read_csv(path, infer_schema_length=None)


def test_telco_churn():
    frame = table("telco_churn/customers.csv").with_columns(pl.col("Churn") == "Yes")
    spec = PredictionSpec("telco_churn", "customerID", "Churn", as_of=None, value="MonthlyCharges")
    result = fit_prediction(frame, spec)
    assert result.kept
    assert result.metrics["auc"] > 0.82
    assert result.metrics["calibration_error"] < 0.05
    kinds = {column["name"]: column["kind"] for column in result.model.encoding.columns}
    assert kinds["TotalCharges"] == "number"


def test_x_education_leads():
    frame = table("xeducation_leads/leads.csv").with_columns(pl.col("Converted") == 1)
    spec = PredictionSpec("lead_score", "Prospect ID", "Converted", as_of=None, exclude=FILLED_IN_LATER)
    result = fit_prediction(frame, spec)
    dropped = {each.column: each.kind for each in result.dropped}
    assert result.kept
    assert 0.87 < result.metrics["auc"] < 0.95
    assert set(FILLED_IN_LATER) <= set(dropped)
    assert dropped["Lead Number"] == "id_like"
    assert dropped["Magazine"] == "constant"


def test_x_education_with_what_is_filled_in_later_drops_what_gives_the_answer_away():
    frame = table("xeducation_leads/leads.csv").with_columns(pl.col("Converted") == 1)
    result = fit_prediction(frame, PredictionSpec("lead_score", "Prospect ID", "Converted", as_of=None))
    assert [each.column for each in result.dropped if each.kind == "leaky"] == ["Tags"]
    assert result.metrics["auc"] < 0.96
