"""What rises is told, noise is not: on counts whose truth is known, and on texts."""

import random
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.learning.texts.trends import judge_counts, rises, text_trends

MONDAY = date(2025, 1, 6)
SUNDAY = MONDAY + timedelta(weeks=20, days=-1)
WORDS = [f"{first}{second}x{third}" for first in "bcdfg" for second in "aeiou" for third in "klmnp"]
Row = tuple[str, str, datetime, str | None, str | None]


def frame(rows: list[Row]) -> pl.DataFrame:
    names = {
        "text_id": pl.String,
        "text": pl.String,
        "occurred_at": pl.Datetime,
        "topic": pl.String,
        "group": pl.String,
    }
    return pl.DataFrame(rows, schema=names, orient="row")


def steady(weeks: int = 20, seed: int = 1, each: int = 12) -> list[Row]:
    """So many texts a week of each of three topics, by forty authors, of words that mean nothing."""
    draw = random.Random(seed)
    return [
        (
            f"{topic}-{week}-{number}",
            " ".join(draw.choices(WORDS, k=12)),
            datetime.combine(MONDAY + timedelta(weeks=week, days=number % 7), datetime.min.time()),
            topic,
            f"author {draw.randrange(40)}",
        )
        for topic in ("billing", "export", "login")
        for week in range(weeks)
        for number in range(each)
    ]


def late(text: str, count: int, authors: int, topic: str | None = "login", week: int = 19) -> list[Row]:
    draw = random.Random(2)
    day = datetime.combine(MONDAY + timedelta(weeks=week, days=2), datetime.min.time())
    return [
        (f"late-{text[:9]}-{n}", f"{' '.join(draw.choices(WORDS, k=4))} {text}", day, topic, f"author {n % authors}")
        for n in range(count)
    ]


@pytest.mark.parametrize(("topics", "rate"), [(1, 10), (2, 4), (8, 8), (20, 1), (5, 60)])
def test_of_steady_topics_one_in_fifty_weeks_at_most_is_called_rising(topics: int, rate: int):
    draw = np.random.default_rng(topics * 100 + rate)
    found = judged = 0
    for _ in range(3000 // (35 * topics) + 5):
        counts = draw.poisson(rate, (topics, 40)).astype(float)
        chance = judge_counts(counts, counts.sum(axis=0)).chance
        found += sum(rises(chance[:, week]).sum() for week in range(5, 40))
        judged += topics * 35
    assert judged >= 3000
    assert found <= 0.02 * judged


@pytest.mark.parametrize(("topics", "rate"), [(1, 10), (8, 10), (5, 60)])
def test_a_topic_that_triples_is_found_within_two_weeks(topics: int, rate: int):
    draw = np.random.default_rng(7)
    found = 0
    for _ in range(40):
        counts = draw.poisson(rate, (topics, 32)).astype(float)
        counts[0, 30:] = draw.poisson(3 * rate, 2)
        chance = judge_counts(counts, counts.sum(axis=0)).chance
        found += any(rises(chance[:, week])[0] for week in (30, 31))
    assert found >= 38


def test_growth_of_the_whole_is_no_rise_of_each():
    draw = np.random.default_rng(3)
    counts = draw.poisson(30, (10, 32)).astype(float)
    counts[:, 30:] = draw.poisson(90, (10, 2))
    judged = judge_counts(counts, counts.sum(axis=0))
    assert not any(rises(judged.chance[:, week]).any() for week in (30, 31))
    assert judged.expected[:, 30] == pytest.approx(np.full(10, 90), rel=0.2)


def test_weeks_with_too_few_before_them_are_not_judged():
    judged = judge_counts(np.ones((2, 8)), np.full(8, 2.0))
    assert np.isnan(judged.expected[:, :5]).all()
    assert not np.isnan(judged.chance[:, 5:]).any()


def test_a_topic_that_rises_is_told_with_texts_of_different_authors():
    trends = text_trends(frame([*steady(), *late("help", 30, 9)]), "tickets", SUNDAY)
    topics = trends.filter(pl.col("kind") == "topic")
    (row,) = topics.filter("is_rising").to_dicts()
    assert (row["name"], row["week_start_date"], row["texts"]) == ("login", MONDAY + timedelta(weeks=19), 42)
    assert row["share"] == pytest.approx(42 / 66)
    assert row["expected"] == pytest.approx(12, rel=0.05)
    assert row["ratio"] == pytest.approx(42 / row["expected"])
    assert not topics["is_new"].any()
    assert not topics["is_partial"].any()
    assert topics["source"].unique().to_list() == ["tickets"]
    assert len({row["example_1"], row["example_2"], row["example_3"]} - {None}) == 3


def test_a_new_topic_is_new_in_its_first_week_alone():
    rows = [*steady(), *late("help", 9, 5, topic="outage", week=18), *late("aid", 9, 5, topic="outage", week=19)]
    topics = text_trends(frame(rows), "tickets", SUNDAY).filter(pl.col("name") == "outage")
    assert topics["is_new"].to_list() == [True, False]
    assert topics["is_rising"].to_list() == [True, True]


def test_the_week_of_the_run_is_partial_and_not_judged():
    rows = [*steady(), *late("help", 60, 9)]
    trends = text_trends(frame(rows), "tickets", SUNDAY - timedelta(days=3))
    last = trends.filter(pl.col("week_start_date") == MONDAY + timedelta(weeks=19))
    assert last["kind"].unique().to_list() == ["topic"]
    assert last["is_partial"].all()
    assert last["expected"].is_null().all()
    assert not last["is_rising"].any()
    assert trends.filter(pl.col("is_partial"))["week_start_date"].n_unique() == 1


def test_new_and_rising_words_are_told_masked_values_and_words_that_say_nothing_are_not():
    said = "the login page of [email] and the [phone] is down."
    trends = text_trends(frame([*steady(), *late(said, 15, 6)]), "tickets", SUNDAY).filter(pl.col("kind") == "word")
    assert trends["name"].to_list() == ["login page"]
    (row,) = trends.to_dicts()
    assert (row["texts"], row["is_new"], row["is_rising"], row["is_partial"]) == (15, True, True, False)
    assert "login page of [email]" in row["example_1"]


def test_what_one_author_repeats_or_many_copy_is_no_new_word():
    by_one = [*steady(), *late("the login page is down", 15, 1)]
    copied = [*steady(), *((f"c{n}", "login page down", datetime(2025, 5, 22), "login", f"a{n}") for n in range(15))]
    for rows in (by_one, copied):
        assert text_trends(frame(rows), "tickets", SUNDAY).filter(pl.col("kind") == "word").is_empty()


def test_words_of_steady_texts_do_not_rise():
    found = [
        text_trends(frame(steady(20, seed)), "x", SUNDAY).filter(pl.col("kind") == "word").height for seed in range(3)
    ]
    assert sum(found) <= 2  # of three times thirteen weeks with 125 words and their pairs


def test_a_long_text_is_cut_about_the_word_and_masked():
    long = f"{'before ' * 60}the login page of somebody@else.io is down {'after ' * 60}"
    trends = text_trends(frame([*steady(), *late(long, 15, 6)]), "tickets", SUNDAY)
    rows = (
        trends.filter(pl.col("name") == "login page").to_dicts() or trends.filter(pl.col("kind") == "word").to_dicts()
    )
    for example in (rows[0][f"example_{number}"] for number in (1, 2, 3)):
        assert len(example) <= 170
        assert "somebody@else.io" not in example


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a b", "login down", "", None, "[email]"]),
            st.one_of(st.none(), st.datetimes(datetime(2025, 1, 1), datetime(2025, 3, 1))),
            st.sampled_from(["login", "billing", None]),
            st.sampled_from(["one", "two", None]),
        ),
        max_size=30,
    )
)
def test_every_text_with_a_topic_is_counted_once(drawn: list[tuple]):
    as_of = date(2025, 2, 12)
    rows = [(str(number), text, time, topic, group) for number, (text, time, topic, group) in enumerate(drawn)]
    trends = text_trends(frame(rows), "posts", as_of)
    expected = sum(time is not None and time.date() <= as_of and topic is not None for _, _, time, topic, _ in rows)
    topics = trends.filter(pl.col("kind") == "topic")
    assert topics["texts"].sum() == expected
    assert topics.group_by("week_start_date").agg(pl.col("share").sum())["share"].round(9).eq(1).all()
    assert trends.select("kind", "name", "week_start_date").is_duplicated().sum() == 0
    for row in trends.to_dicts():
        examples = [row[f"example_{number}"] for number in (1, 2, 3)]
        groups = {group or text_id for text_id, text, _, _, group in rows if text in examples and text}
        assert not any(examples) or len(groups) > 1
