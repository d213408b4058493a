"""Types of public tables beside the repository: the traps that their owners left in them."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.learning.columns.types import TypePlan, apply_types, infer_types

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"

pytestmark = pytest.mark.real_data


def read(name: str) -> tuple[pl.DataFrame, pl.DataFrame, TypePlan]:
    """The strings, the converted table and its plan."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the public data {name} is not beside the repository")
    frame = pl.read_csv(path, infer_schema=False)
    converted, plan = infer_types(frame)
    assert apply_types(plan, frame)[0].equals(converted)
    return frame, converted, plan


def test_telco_has_blanks_among_its_total_charges_and_a_yes_no_of_digits():
    frame, converted, plan = read("telco_churn/customers.csv")
    assert converted["TotalCharges"].dtype == pl.Float64
    empty = frame["TotalCharges"].str.strip_chars().fill_null("") == ""
    assert (frame["TotalCharges"] == " ").sum() == 11
    assert converted["TotalCharges"].is_null().equals(empty)
    assert converted["SeniorCitizen"].dtype == pl.Boolean
    assert converted["SeniorCitizen"].sum() == 1142
    assert plan.kinds["tenure"] == "number"
    assert plan.kinds["OnlineSecurity"] == "category"
    assert "No internet service" in converted["OnlineSecurity"]
    assert plan.notes == []


def test_x_education_selects_are_missing_and_the_unnamed_column_gets_a_name():
    frame, converted, plan = read("xeducation_leads/leads.csv")
    for name in ("City", "Specialization", "Lead Profile", "How did you hear about X Education"):
        expected = frame[name].null_count() + (frame[name] == "Select").sum()
        assert converted[name].null_count() == expected
        assert any(name in note and "Select" in note for note in plan.notes)
    assert converted.columns[-1] == "column_38"
    assert converted["column_38"].null_count() == converted.height
    assert "Not Sure" in converted["Lead Quality"]
    assert plan.kinds["Tags"] == "category"
    assert plan.kinds["TotalVisits"] == "number"


def test_american_dates_of_the_crm():
    _, converted, plan = read("crm_opportunities/sales_pipeline.csv")
    assert plan.kinds["engage_date"] == plan.kinds["close_date"] == "date"
    assert converted["engage_date"][0] == date(2016, 10, 20)
    assert converted["engage_date"].null_count() == 500
    assert plan.kinds["opportunity_id"] == "category"


def test_moments_and_ranges_of_olist():
    _, converted, plan = read("olist_funnel/closed_deals.csv")
    assert converted["won_date"].dtype == pl.Datetime("us")
    assert plan.kinds["average_stock"] == "category"
    assert plan.kinds["has_company"] == "boolean"
    leads = read("olist_funnel/marketing_qualified_leads.csv")[1]
    assert leads["first_contact_date"].dtype == pl.Date
    assert "unknown" in leads["origin"]


def test_posts_and_questions_are_text():
    _, converted, plan = read("airline_posts/posts.csv")
    assert plan.text == ["text"]
    assert plan.kinds["post_id"] == "category"
    assert converted["created_at"].dtype == pl.Datetime("us")
    assert read("banking77/train.csv")[2].kinds == {"text": "text", "category": "category"}
