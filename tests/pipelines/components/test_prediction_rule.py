"""A prediction with a rule: points while no model is in use, then the model, and never a mix of the two."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.components.prediction.rules import NO_REASON, scored_by_rule
from pipelines.components.resolved import PublishedScores, RuledPoints
from pipelines.database import connect
from pipelines.instance.metadata import WARNING
from pipelines.learning.scoring.storage import load_model
from pipelines.publishing.release import build_release
from pipelines.publishing.summary import read_summary
from pipelines.quality.publish import audit_release
from pipelines.registry.store import champion_version, model_path
from pipelines.registry.versions import withdraw_model
from pipelines.track_record.health import write_model_health
from pipelines.track_record.score_history import past_scores, score_outcomes_of, write_score_outcomes
from tests.pipelines.components.past import HORIZON
from tests.pipelines.components.past import Company as Past
from tests.pipelines.components.past import prediction as of_past
from tests.pipelines.components.test_prediction_assets import NEWEST, Company, failure, prediction, snapshots, told

RULE = [
    {"when": "arr > 3000", "points": 20, "because": "A large customer"},
    {"when": "usage_logins_sum_7d < 3", "points": 30.5, "because": "Hardly any login"},
    {"when": "segment = 'Retail'", "points": -5, "because": "A shop"},
    {"when": "snapshots.has_late_invoice", "points": 1, "because": "Pays late"},
]
PUBLISH = {"table": "churn_scores", "described_by": "accounts", "columns": ["account_name"]}
LATER = timedelta(days=7)
MOMENT = datetime(2026, 6, 29, 5, tzinfo=UTC)


def ruled(rule: list[dict] = RULE, publish: dict | None = None, **changes: object):
    settings = {
        "rule": [RuledPoints(**line) for line in rule],
        "publish": PublishedScores(**PUBLISH, **(publish or {})),
    }
    return prediction(groups={"usage": ["usage_"]}, **(settings | changes))


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    made = Company(tmp_path)
    made.write_snapshots(snapshots())
    return made


def publish(company: Company, number: int) -> None:
    """An audited release, the `number`th."""
    place = company.data
    audited = lambda connection: audit_release(connection, {}, place / "docs", own_ranges={"churn_scores": (0.1, 10)})  # noqa: E731
    moment = MOMENT + number * LATER
    build_release(
        place / "warehouse.duckdb", place / "published.duckdb", place / "releases", audited, f"{number}", moment
    )


def released(company: Company, query: str) -> pl.DataFrame:
    with connect(company.data / "published.duckdb", read_only=True) as connection:
        return connection.execute(query).pl()


def test_from_the_rule_to_the_model_and_back(company: Company):
    by_rule = company.run(ruled(min_rows=10**6))
    assert by_rule.success
    assert told(by_rule, "models")["status"] == "skipped"
    assert told(by_rule, "scores")["status"].startswith("scored by the rule")
    ruled_scores = company.scores()
    assert ruled_scores["decided_by"].unique().to_list() == ["rule"]
    for column in ("probability", "expected_value", "model_version", "points_usage", "points_other"):
        assert ruled_scores[column].null_count() == 250
    assert ruled_scores["score"].is_sorted(descending=True), "the most important first"
    assert set(ruled_scores["grade"]) <= set("ABCDE") and ruled_scores["arr"].null_count() == 0
    publish(company, 0)
    assert read_summary(company.data / "published.duckdb").quality["churn_scores"].startswith("by its rule")

    # A model that is kept takes over; what the rule said is no probability that it could be compared with.
    company.write("raw_scorecast.as_of", pl.DataFrame({"as_of_date": [NEWEST + LATER]}))
    later = snapshots().filter(pl.col("as_of_date") == NEWEST).with_columns(as_of_date=pl.lit(NEWEST + LATER))
    company.write_snapshots(pl.concat([snapshots(), later]))
    assert company.run(ruled()).success
    scores = company.scores()
    assert scores["decided_by"].unique().to_list() == ["model"]
    assert scores["probability"].null_count() == 0 and scores.schema == ruled_scores.schema
    publish(company, 1)
    changes = released(company, "select probability_change_7d, change_reason, model_version from churn_scores")
    assert changes["probability_change_7d"].null_count() == changes["change_reason"].null_count() == 250
    history = released(company, "from score_history")
    assert history.filter(pl.col("model_version").is_null())["probability"].null_count() == 250

    # A model that is withdrawn leaves the rule.
    withdraw_model("churn", MOMENT)
    assert company.run(ruled(min_rows=10**6)).success
    assert company.scores()["decided_by"].unique().to_list() == ["rule"]
    publish(company, 2)
    assert released(company, "select count(*) from churn_scores where probability is null").item() == 250, (
        "the rule's table stays though the model was withdrawn"
    )


def test_every_score_tells_the_conditions_that_hold(company: Company):
    assert company.run(ruled(min_rows=10**6)).success
    features = company.ask(f"from features.account_snapshots where as_of_date = date '{NEWEST}'")
    points = {}
    for row in company.scores().join(features, on="account_id").to_dicts():
        expected = [
            *([(30.5, "Hardly any login")] if row["usage_logins_sum_7d"] < 3 else []),
            *([(20, "A large customer")] if row["arr"] > 3000 else []),
            *([(-5, "A shop")] if row["segment"] == "Retail" else []),
            *([(1, "Pays late")] if row["has_late_invoice"] else []),
        ]
        listed = json.loads(row["reasons"])
        assert [(each["points"], each["words"]) for each in listed] == expected
        words = [because for _, because in expected][:3] or [NO_REASON]
        assert [row["reason_1"], row["reason_2"], row["reason_3"]] == words + [None] * (3 - len(words))
        points.setdefault(sum(each for each, _ in expected), set()).add(row["score"])
    assert len(points) > 3 and all(len(scores) == 1 for scores in points.values()), "as many points, the same score"
    assert [scores.pop() for _, scores in sorted(points.items())] == sorted(company.scores()["score"].unique())


VALUE = st.one_of(st.none(), st.floats(-5, 5))


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(VALUE, min_size=1, max_size=12), points=st.lists(st.floats(-9, 9), min_size=1, max_size=4))
def test_more_points_are_never_a_lower_score(rows: list, points: list):
    rule = [{"when": f"x > {number}", "points": each, "because": f"{number}"} for number, each in enumerate(points)]
    component = ruled(rule, as_of=None, horizon_days=None, outcomes=None)
    frame = pl.DataFrame({"account_id": [str(n) for n in range(len(rows))], "x": pl.Series(rows, dtype=pl.Float64)})
    with duckdb.connect() as connection:
        scores = scored_by_rule(connection, component, frame)
    total = [
        round(sum(each for n, each in enumerate(points) if value is not None and value > n), 9) + 0.0 for value in rows
    ]
    ranks = scores["score"].to_list()
    assert [sorted(ranks)[place] for place in np.argsort(np.argsort(total, kind="stable"))] == ranks
    assert scores["reason_1"].null_count() == 0 and scores["probability"].null_count() == len(rows)


def test_a_condition_that_cannot_be_answered_is_named(company: Company):
    wrong = ruled([{"when": "segment > 3", "points": 1, "because": "x"}], min_rows=10**6)
    message = failure(company.run(wrong))
    assert message.startswith(
        "dagster._core.definitions.events.Failure: churn: the rule's condition 'segment > 3' cannot"
    )
    assert "Cannot compare values of type VARCHAR" in message


def test_a_champion_file_that_is_gone_is_told_and_the_rule_scores(company: Company):
    assert company.run(ruled()).success
    model_path("churn", champion_version("churn")).unlink()
    result = company.run(ruled(), only=["scores", "published"])
    assert company.scores()["decided_by"].unique().to_list() == ["rule"]
    assert "is gone" in told(result, "scores")[WARNING]


def test_a_prediction_without_a_rule_has_no_such_column(company: Company):
    assert company.run(prediction()).success
    assert "decided_by" not in company.scores().columns


def test_a_rule_has_a_rate_that_came_true_and_none_that_it_predicted(tmp_path: Path):
    past, today = Past(tmp_path), NEWEST
    then = today - timedelta(days=HORIZON)
    past.answers([("a", then, True), ("b", then, False)], today)
    score = {"as_of_date": then, "probability": None, "grade": "A", "model_version": None, "reasons": "[]"}
    past.released([{**score, "entity_id": name} for name in "ab"])
    past.compare(write_score_outcomes, [of_past()])
    (row,) = past.ask("from published.score_outcomes")
    assert (row["actual_rate"], row["predicted_rate"], row["money_expected"]) == (0.5, None, None)
    assert row["told"] == f"Of 2 accounts graded A on {then}, 50 % gone (by the rule)"
    with connect(past.warehouse) as connection:
        assert score_outcomes_of(connection, "churn") == [], "the card of a model has the model's scores"


def test_no_health_is_told_of_a_rule(company: Company):
    component = ruled(min_rows=10**6)
    assert company.run(component).success
    with connect(company.data / "warehouse.duckdb") as connection, past_scores(connection, company.data / "none"):
        assert write_model_health(connection, [component], NEWEST) == []


def test_another_prediction_s_score_stands_beside_it(company: Company):
    names = company.ask("from core.accounts").with_columns(
        contact_id=pl.concat_str(pl.lit("C"), pl.col("account_id")),
        note=pl.concat_str(pl.lit("Write to us, "), pl.col("account_id")),
    )
    company.write("core.accounts", names)
    others = pl.DataFrame({"contact_id": ["CA00001", "CA00002"], "probability": [0.5, 0.25]})
    company.write("scores.renewal", others.with_columns(as_of_date=pl.Series([NEWEST, NEWEST - LATER])))
    shown = {
        **{"private": ["note"], "features": ["segment"]},
        "from_scores": {"renewal": {"probability": "renewal_probability"}, "none_yet": {"grade": "other_grade"}},
    }
    result = company.run(ruled(publish=shown, min_rows=10**6))
    assert result.success
    scores = company.scores()
    assert scores.columns[:7] == [
        *["account_id", "account_name", "note", "segment", "renewal_probability", "other_grade", "as_of_date"]
    ]
    found = scores.filter(pl.col("renewal_probability").is_not_null())
    assert found.select("account_id", "renewal_probability").rows() == [("A00001", 0.5)], "of the day alone"
    assert scores.schema["other_grade"] == pl.String and scores["other_grade"].null_count() == 250
    assert "Write to" not in str(told(result, "published")), "Dagster's records keep no personal data"
    described = dict(
        company.ask("select column_name, comment from duckdb_columns() where table_name = 'churn_scores'").rows()
    )
    assert described["renewal_probability"].startswith("What the prediction renewal says")
    assert all(described.values())


def test_a_model_knows_texts_as_they_are_masked(company: Company):
    """Addresses and numbers that stand in many texts are in no vocabulary, no reason and no published table."""
    secret = "ann@leak.example"
    frame = snapshots().with_columns(
        note=pl.when(pl.col("usage_logins_sum_7d") < 3)
        .then(pl.lit(f"<p>Unhappy, call 4111 1111 1111 1111 or {secret}</p>"))
        .otherwise(pl.lit("All well, +49 30 901820"))
    )
    company.write_snapshots(frame)
    assert company.run(ruled(text=["note"], exclude=["usage_*"])).success
    model = load_model(model_path("churn", champion_version("churn")))
    terms = [term for each in model.encoding.texts for term in each["vocabulary"]]
    assert "unhappy" in terms and "email" in terms and "card" in terms and "phone" in terms
    assert not [term for term in terms if "@" in term or "leak" in term or any(c.isdigit() for c in term)]
    stored = company.scores().write_json()
    assert "leak" not in stored and "4111 1111" not in stored and "30 901820" not in stored
    assert "Note mentions “call”, “card”, “email”" in stored
