"""What keywords bring, by numbers worked out by hand: in time, each currency apart, and no place won by a few visits."""
# ruff: noqa: E501 (a raw row a line reads better)

from pathlib import Path

import duckdb
import pytest

from tests.dbt_project.core.company import account, lead, visit
from tests.dbt_project.engines import not_portable
from tests.dbt_project.warehouses import Rows, build, table, write_raw

TAGS = [
    ("art-1", "churn", 1.0, True),
    ("art-1", "billing", 1.0, True),
    ("art-2", "billing", 1.0, True),
    ("art-3", "seo", 1.0, True),
    ("art-4", "churn", 0.6, False),
    ("art-few", "few", 1.0, True),
    ("art-many", "many", 1.0, True),
]


def article(key: str, slug: str) -> dict:
    return {
        "id": key,
        "slug": slug,
        "title": key,
        "status": "published",
        "published_at": "2025-01-01",
        "updated_at": "2025-01-01",
    }


def read(key: str, browser: str, path: str, day: str, session: str | None = None) -> dict:
    return {
        "page_view_id": key,
        "session_id": session,
        "anonymous_id": browser,
        "path": path,
        "viewed_at": f"{day} 10:00",
        "received_at": f"{day} 10:00",
    }


def deal(key: str, company: str, day: str, stage: str, amount: float, currency: str) -> dict:
    won = {"IsClosed": stage == "Closed Won", "IsWon": stage == "Closed Won"}
    return {
        "Id": key,
        "AccountId": company,
        "StageName": stage,
        "Amount": amount,
        "CurrencyIsoCode": currency,
        "IsDeleted": False,
        "CreatedDate": f"{day} 12:00",
        "SystemModstamp": f"{day} 12:00",
        **won,
    }


CROWD = [*(("many", n) for n in range(400)), *(("few", n) for n in range(3))]
WITH_LEAD = [(side, n) for side, n in CROWD if side == "few" or n < 40]
RAW: dict[str, Rows] = {
    "cms.article": [article("art-1", "churn-guide"), article("art-2", "/blog/billing-tips"), article("art-3", "unread"), article("art-4", "maybe"), article("art-few", "few"), article("art-many", "many")],
    "salesforce.account": [account("A-one", "One", "2025-01-01", Website="one.io"), account("A-two", "Two", "2025-01-01", Website="two.io"), account("A-three", "Three", "2025-01-01")],
    "salesforce.lead": [
        lead("L-ann", "ann@one.io", "2025-02-05"),
        lead("L-ben", "ben@two.io", "2025-02-01"),
        lead("L-dan", "dan@gmail.com", "2025-04-02"),
        lead("L-dan", "dan@gmail.com", "2025-04-05", created="2025-04-02", IsConverted=True, Status="Converted", ConvertedDate="2025-04-05", ConvertedOpportunityId="O-dan"),
        *(lead(f"L-{side}-{n}", f"{side}{n}@gmail.com", "2025-03-01") for side, n in WITH_LEAD),
    ],
    "salesforce.opportunity": [
        deal("O-ann", "A-one", "2025-03-10", "Closed Won", 100.0, "EUR"),
        deal("O-ben", "A-two", "2025-02-15", "Closed Won", 50.0, "USD"),
        deal("O-dan", "A-three", "2025-04-05", "Proposal", 70.0, "EUR"),
        deal("O-before", "A-one", "2025-01-05", "Closed Won", 900.0, "EUR"),
    ],
    # Ann is known by her browser only from February on: what she read before is hers.
    "web.session": [visit("s-ann", "b-ann", "2025-02-03", "ann@one.io"), visit("s-ben", "b-ben", "2025-02-10 09:00", "ben@two.io"), visit("s-dan", "b-dan", "2025-04-01 09:00", "dan@gmail.com"), *(visit(f"s-{side}-{n}", f"b-{side}-{n}", "2025-02-01", f"{side}{n}@gmail.com") for side, n in WITH_LEAD)],
    "web.page_view": [
        read("p1", "b-ann", "/blog/churn-guide/?utm_source=x#top", "2025-01-10"),
        read("p2", "b-ann", "https://www.us.io/blog/Billing-Tips", "2025-01-20"),
        read("p3", "b-ann", "/blog/maybe", "2025-03-01"),
        read("p4", "b-ben", "/blog/billing-tips/", "2025-02-10", "s-ben"),
        read("p5", "b-cat", "/blog/churn-guide", "2025-02-01"),
        read("p6", "b-dan", "/de/blog/churn-guide", "2025-04-01"),
        read("p7", "b-cat", "/blog/churn-guide-2", "2025-02-01"),
        read("p8", "b-cat", "/blog/churn-guide/comments", "2025-02-01"),
        read("p9", "b-cat", "/pricing", "2025-02-01"),
        *(read(f"p-{side}-{n}", f"b-{side}-{n}", f"/blog/{side}", "2025-02-01") for side, n in CROWD),
    ],
}  # fmt: skip
COUNTS = ("articles", "page_views", "visitors", "visitors_with_lead", "leads", "converted_leads", "opportunities", "won_opportunities")  # fmt: skip
TOUCHES = ("leads", "converted_leads", "opportunities", "won_opportunities")


def write_tags(warehouse: Path, tags: list[tuple]) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema if not exists scores")
        connection.execute(
            "create or replace table scores.article_tag (article_id varchar, tag varchar, probability double, is_given boolean)"
        )
        connection.executemany("insert into scores.article_tag values (?, ?, ?, ?)", tags)


def built(folder: Path, raw: dict[str, Rows], tags: list[tuple] | None) -> Path:
    warehouse = folder / "warehouse.duckdb"
    write_raw(warehouse, raw, "2025-06-30")
    if tags is not None:
        write_tags(warehouse, tags)
    build(warehouse, select="+published_keyword_performance", command="run")
    return warehouse


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("keywords"), RAW, TAGS)


@pytest.fixture(scope="module")
def rows(warehouse: Path) -> dict[tuple[str, str | None], dict]:
    found = table(warehouse, "from published.keyword_performance")
    return {(row["keyword"], row["currency"]): row for row in found}


def test_what_was_read_before_counts_and_what_was_read_later_does_not(rows: dict):
    counts = {keyword: tuple(row[name] for name in COUNTS) for (keyword, _), row in rows.items()}
    assert set(counts) == {"churn", "billing", "seo", "many", "few"}
    assert {keyword: counts[keyword] for keyword in ("churn", "billing", "seo")} == {
        "churn": (2, 4, 3, 2, 2, 1, 2, 1),
        "billing": (2, 5, 4, 2, 2, 1, 3, 2),
        "seo": (1, 0, 0, 0, 0, 0, 0, 0),
    }


def test_the_first_and_the_last_read_have_their_own_counts(rows: dict):
    def touched(touch: str) -> dict:
        of_three = {keyword: row for (keyword, _), row in rows.items() if keyword in ("churn", "billing", "seo")}
        return {keyword: tuple(row[f"{touch}_{name}"] for name in TOUCHES) for keyword, row in of_three.items()}

    assert touched("first_touch") == {"churn": (2, 1, 2, 1), "billing": (2, 1, 3, 2), "seo": (0, 0, 0, 0)}
    assert touched("last_touch") == {"churn": (1, 1, 2, 1), "billing": (2, 1, 2, 1), "seo": (0, 0, 0, 0)}


def test_money_of_two_currencies_is_never_added(rows: dict):
    money = {
        key: (row["won_amount"], row["first_touch_won_amount"], row["last_touch_won_amount"])
        for key, row in rows.items()
        if key[0] not in ("many", "few")
    }
    assert money == {
        ("churn", "EUR"): (100, 100, 100),
        ("billing", "EUR"): (100, 100, 0),
        ("billing", "USD"): (50, 50, 50),
        ("seo", None): (0, 0, 0),
    }
    assert [key for key, row in rows.items() if not row["is_main_currency"]] == [("billing", "USD")]


def test_rates_of_few_are_drawn_to_that_of_all(rows: dict):
    visitors, converted = 45 / 407, 1 / 45  # of all visitors those with a lead, of all leads the converted ones
    churn, seo = rows["churn", "EUR"], rows["seo", None]
    assert churn["lead_rate"] == pytest.approx((2 + 100 * visitors) / 103)
    assert churn["conversion_rate"] == pytest.approx((1 + 100 * converted) / 102)
    assert (seo["lead_rate"], seo["conversion_rate"]) == (pytest.approx(visitors), pytest.approx(converted))
    assert seo["lead_rate_low"] == pytest.approx(0.0630, abs=1e-4)  # Wilson's interval for 11.06 of 100
    assert seo["lead_rate_high"] == pytest.approx(0.1870, abs=1e-4)


def test_three_visits_do_not_win(rows: dict):
    """Three visitors who all became leads stand below four hundred of whom forty did, though their rate is higher."""
    many, few = rows["many", None], rows["few", None]
    assert (many["visitors"], many["leads"], many["has_enough_visitors"]) == (400, 40, True)
    assert (few["visitors"], few["leads"], few["has_enough_visitors"]) == (3, 3, False)
    assert few["lead_rate"] > many["lead_rate"]
    assert many["rank"] == 1
    assert sorted({row["rank"] for row in rows.values()}) == [1, 2, 3, 4, 5]


def test_without_tags_articles_and_page_views_there_are_no_rows(tmp_path: Path):
    assert table(built(tmp_path, {}, None), "from published.keyword_performance") == []


def test_its_sql_is_said_so_that_another_engine_can_read_it(warehouse: Path):
    compiled = warehouse.parent / "target" / "compiled"
    assert not_portable(next(compiled.glob("*/models/published"))) == {}
