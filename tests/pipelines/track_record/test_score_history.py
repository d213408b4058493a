"""What past scores said and what came of them."""

import json
import re
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from pipelines.database import connect
from pipelines.learning.cards.page import card_page
from pipelines.publishing.states import BACKFILL
from pipelines.track_record.score_history import (
    score_outcomes_of,
    words_of,
    write_score_outcomes,
    write_uplift,
)
from tests.pipelines.components.past import HORIZON, Company, prediction

TODAY = date(2026, 6, 28)
THEN = TODAY - timedelta(days=HORIZON)
"""The newest day whose horizon has passed."""


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


def score(account: str, day: date, probability: float, grade: str = "A", **more: object) -> dict:
    return {"entity_id": account, "as_of_date": day, "probability": probability, "grade": grade, **more}


def outcomes(company: Company) -> list[dict]:
    company.compare(write_score_outcomes, [prediction()])
    return company.ask("from published.score_outcomes order by as_of_date, scores_release_id, grade")


def test_rates_and_money_by_grade(company: Company):
    company.answers([("a", THEN, True), ("b", THEN, False), ("c", THEN, False), ("d", THEN, True)], TODAY)
    company.released(
        [
            score("a", THEN, 0.5, expected_value=50.0, currency="USD"),
            score("b", THEN, 0.25, expected_value=100.0, currency="USD"),
            score("c", THEN, 0.1, expected_value=30.0, currency="EUR"),
            score("d", THEN, 0.2, "E", expected_value=2.0, currency="EUR"),
        ]
    )
    best, worst = outcomes(company)
    assert (best["model"], best["grade"], best["as_of_date"]) == ("churn", "A", THEN)
    assert (best["rows"], best["matured_rows"], best["horizon_days"]) == (3, 3, HORIZON)
    assert best["actual_rate"] == pytest.approx(1 / 3)
    assert best["predicted_rate"] == pytest.approx((0.5 + 0.25 + 0.1) / 3)
    assert (best["currency"], best["money_expected"], best["money_come"]) == ("EUR", 30.0, 0.0) or (
        best["currency"],
        best["money_expected"],
        best["money_come"],
    ) == ("USD", 150.0, 100.0)
    assert json.loads(best["money_by_currency"]) == {
        "EUR": {"expected": 30.0, "come": 0.0},
        "USD": {"expected": 150.0, "come": 100.0},
    }
    assert json.loads(worst["money_by_currency"]) == {"EUR": {"expected": 2.0, "come": 10.0}}
    assert best["told"] == f"Of 3 accounts graded A on {THEN}, 33 % gone (predicted 28 %)"
    assert best["scores_release_id"] == f"release of {THEN}"


def test_nothing_counts_before_its_horizon_has_passed(company: Company):
    soon = THEN + timedelta(days=1)
    company.answers([("a", soon, True), ("a", THEN, True)], TODAY)
    company.released([score("a", soon, 0.5), score("a", THEN, 0.5)])
    assert [row["as_of_date"] for row in outcomes(company)] == [THEN]


def test_an_outcome_that_cannot_be_told_is_in_no_rate(company: Company):
    company.answers([("a", THEN, True), ("merged", THEN, None)], TODAY)
    company.released([score("a", THEN, 0.4), score("merged", THEN, 0.9), score("no row", THEN, 0.9)])
    (row,) = outcomes(company)
    assert (row["rows"], row["matured_rows"], row["actual_rate"], row["predicted_rate"]) == (3, 1, 1.0, 0.4)
    assert row["money_expected"] is None


def test_every_release_has_its_own_rows_and_other_models_none(company: Company):
    earlier = THEN - timedelta(days=1)
    company.answers([("a", THEN, True), ("a", earlier, False)], TODAY)
    company.released(
        [
            score("a", THEN, 0.5),
            score("a", THEN, 0.6, release_id="again"),
            score("a", earlier, 0.7, "B"),
            score("a", THEN, 0.9, table_name="lead_scores"),
            score("a", earlier, 0.9, horizon_days=30, release_id="another question"),
        ]
    )
    assert [(row["scores_release_id"], row["grade"], row["predicted_rate"]) for row in outcomes(company)] == [
        (f"release of {earlier}", "B", 0.7),
        ("again", "A", 0.6),
        (f"release of {THEN}", "A", 0.5),
    ]


def test_the_model_card_tells_releases_and_backfills_of_one_date_apart(company: Company):
    """From the real table to the page: two releases and a backfill of one day, a backfill of a later day."""
    later = THEN + timedelta(days=-1)
    earlier = THEN - timedelta(days=8)
    company.answers([(name, day, name == "a") for name in "abcd" for day in (earlier, later, THEN)], TODAY)
    money = {"expected_value": 100.0, "currency": "EUR"}
    company.released(
        [
            *[score(name, later, 0.25, release_id="2026-03-29T0600", **money) for name in "ab"],
            *[score(name, later, 0.75, release_id="2026-03-29T1800", **money) for name in "abc"],
            *[score(name, later, 0.5, "B", release_id="2026-03-29T1800", **money) for name in "d"],
            *[score(name, later, 0.9, release_id=f"{BACKFILL}x", is_backfill=True, **money) for name in "abcd"],
            *[score(name, THEN, 0.9, release_id=f"{BACKFILL}y", is_backfill=True, **money) for name in "abcd"],
            *[score(name, earlier, 0.1, release_id="2026-03-21T0600", **money) for name in "ab"],
        ]
    )
    outcomes(company)
    with connect(company.warehouse, read_only=True) as connection:
        facts = score_outcomes_of(connection, "churn")
        assert score_outcomes_of(connection, "lead_score") == []
    text = words_of_page(
        card_page({"name": "churn", "rows_word": "accounts", "yes_words": "leave", "score_outcomes": facts})
    )
    assert f"Of 3 accounts with grade A on {later} it said that 75 % leave; 33 % did." in text
    assert "In all it expected 400 EUR; it came to 133 EUR." in text
    assert "All 5 past scorings as numbers" in text
    assert f"{later} release A 2 25 % 50 % 200 EUR 400 EUR" in text
    assert f"{later} release A 3 75 % 33 % 300 EUR 133 EUR" in text
    assert f"{later} backfill A 4 90 % 25 % 400 EUR 111 EUR" in text
    assert f"{earlier} release A 2 10 % 50 % 200 EUR 1,000 EUR" in text


def test_where_only_backfills_are_known_the_card_says_that_nobody_saw_them(company: Company):
    company.answers([("a", THEN, True), ("b", THEN, False)], TODAY)
    company.released([score(name, THEN, 0.5, release_id=f"{BACKFILL}x", is_backfill=True) for name in "ab"])
    outcomes(company)
    with connect(company.warehouse, read_only=True) as connection:
        facts = score_outcomes_of(connection, "churn")
    text = words_of_page(card_page({"name": "churn", "score_outcomes": facts}))
    assert f"Of 2 rows with grade A on {THEN} (scored later, from what was known then) it said that 50 %" in text


def words_of_page(page: str) -> str:
    """The text of a page, one space between the cells."""
    body = re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(body).replace("\N{NO-BREAK SPACE}", " ").split())


def test_a_history_from_before_grades_were_kept_is_graded_by_its_scores(company: Company):
    company.answers([(account, THEN, False) for account in "abcde"], TODAY)
    company.released(
        [
            {"entity_id": account, "as_of_date": THEN, "probability": 0.1, "score": at, "horizon_days": None}
            for account, at in zip("abcde", (99, 79, 40, 20, 1), strict=True)
        ]
    )
    assert [row["grade"] for row in outcomes(company)] == ["A", "B", "C", "D", "E"]


def test_what_was_known_once_stays_when_the_warehouse_is_rebuilt(company: Company):
    company.answers([("a", THEN, True)], TODAY)
    company.released([score("a", THEN, 0.5)])
    before = outcomes(company)
    company.answers([], TODAY)
    assert outcomes(company) == before
    company.answers([("a", THEN, False)], TODAY)
    assert [row["actual_rate"] for row in outcomes(company)] == [0.0]


def test_without_a_release_or_a_warehouse_there_is_an_empty_table(company: Company):
    company.answers([("a", THEN, True)], TODAY)
    assert outcomes(company) == []
    assert company.compare(write_uplift, [prediction()]) == 0
    columns = {row["column_name"] for row in company.ask("describe published.score_outcomes")}
    assert {"model", "grade", "matured_rows", "predicted_rate", "actual_rate", "money_come"} <= columns


@pytest.mark.parametrize(
    ("key", "target", "words"),
    [
        ("account_id", "is_churned_90d", ("accounts", "churned")),
        ("opportunity_id", "is_won_90d", ("opportunities", "won")),
        ("lead_id", "is_converted_60d", ("leads", "converted")),
        ("address", "has_bounced", ("addresses", "bounced")),
    ],
)
def test_words_come_from_the_names(key: str, target: str, words: tuple[str, str]):
    assert words_of(key, target) == words


# Hold-back


def trial(company: Company, days: list[date], acted: float, held: float, accounts: int = 2_000, seed: int = 0) -> None:
    """Releases of these days with a tenth held back, whose rates are `held`, those of the others `acted`."""
    generator = np.random.default_rng(seed)
    scores, answers = [], []
    for day in days:
        for number in range(accounts):
            is_held = number % 10 == 0
            gone = bool(generator.random() < (held if is_held else acted))
            grade = "A" if number % 2 else "B"
            grade = grade if not is_held else "AB"[number // 10 % 2]
            scores.append(score(f"a{number}", day, 0.2, grade, is_holdback=is_held))
            answers.append((f"a{number}", day, gone))
    company.answers(answers, TODAY)
    company.released(scores)


def uplift(company: Company) -> dict[str, dict]:
    company.compare(write_uplift, [prediction()])
    return {row["grade"]: row for row in company.ask("from published.uplift")}


def test_acting_that_helps_is_seen_with_its_interval(company: Company):
    trial(company, [THEN], acted=0.1, held=0.3, accounts=1_000)
    rows = uplift(company)
    assert set(rows) == {"A", "B", "all"}
    row = rows["all"]
    assert (row["acted_on_rows"], row["held_back_rows"]) == (900, 100)
    assert row["difference"] == pytest.approx(row["acted_on_rate"] - row["held_back_rate"])
    assert row["difference_low"] <= -0.2 <= row["difference_high"] < 0
    assert row["is_beyond_noise"]
    assert row["told"].startswith("Of 900 accounts that could be acted on ")
    assert rows["A"]["held_back_rows"] + rows["B"]["held_back_rows"] == 100


def test_acting_that_does_nothing_is_not_seen(company: Company):
    trial(company, [THEN], acted=0.2, held=0.2, accounts=1_000, seed=5)
    row = uplift(company)["all"]
    assert not row["is_beyond_noise"]
    assert row["difference_low"] < 0 < row["difference_high"]


def test_a_score_a_day_is_no_new_evidence(company: Company):
    """Only releases a horizon apart count: an entity's outcome is one outcome however often it was scored."""
    days = [THEN - timedelta(days=back) for back in (2 * HORIZON, HORIZON + 3, HORIZON, 7, 0)]
    trial(company, days, acted=0.2, held=0.2, accounts=100)
    row = uplift(company)["all"]
    assert (row["first_as_of_date"], row["last_as_of_date"]) == (days[0], days[-1])
    assert row["acted_on_rows"] + row["held_back_rows"] == 3 * 100


def test_before_anybody_was_held_back_there_is_nothing_to_compare(company: Company):
    company.answers([("a", THEN, True), ("b", THEN, False)], TODAY)
    company.released([score("a", THEN, 0.5), score("b", THEN, 0.5, is_holdback=None)])
    assert uplift(company) == {}
