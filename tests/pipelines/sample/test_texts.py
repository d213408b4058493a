"""The sample company's texts: as hard as real ones, in two languages, and labelled by hand."""

from collections import Counter
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.learning.context import Context
from pipelines.learning.judging.evaluation import auc
from pipelines.learning.texts.classifier import fit_texts
from pipelines.learning.texts.cleaning import cleaned, cleaned_all
from pipelines.sample.articles import WANTED
from pipelines.sample.company import CHUNK_ACCOUNTS, company_frames
from pipelines.sample.content import COMPETITORS, OUR_BRAND
from pipelines.sample.draws import Draws
from pipelines.sample.labels import LAG_DAYS
from pipelines.sample.phrases.posts import CAUSES
from pipelines.sample.phrases.slots import FEATURES, SLOTS
from pipelines.sample.phrases.tickets import CARDS, IBANS, PHONES, TOPICS
from pipelines.sample.plan import DAY, Plan, World, day_number
from pipelines.sample.texts import LANGUAGES, SENTIMENTS
from pipelines.sample.writing import post_texts, ticket_texts

LAST_DAY = date(2026, 6, 30)
PRIORITIES = ["low", "normal", "high", "urgent"]


@pytest.fixture(scope="module")
def frames() -> dict[str, pl.DataFrame]:
    plan = Plan(900, 18, 5, LAST_DAY, CHUNK_ACCOUNTS)
    return dict(company_frames(World(plan, 0, day_number(LAST_DAY), day_number(plan.first_day))))


@pytest.fixture(scope="module")
def tickets(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """One row a ticket: its words, what the agents say of it, and the truth."""
    versions, states = frames["zendesk.ticket"], pl.Enum(PRIORITIES)
    first = versions.unique("id", keep="first", maintain_order=True)
    last = versions.unique("id", keep="last", maintain_order=True)
    return (
        first.select("id", "requester_id", "subject", "description", asked=pl.col("priority").cast(states))
        .join(last.select("id", "tags", given=pl.col("priority").cast(states)), on="id")
        .join(frames["truth.tickets"], left_on="id", right_on="ticket_id")
        .sort("created_at")
    )


@pytest.fixture(scope="module")
def posts(frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """One row a post or review: its words and the truth."""
    columns = ("key", "sentiment", "cause", "brand", "language", "created_at")
    return pl.concat(
        [
            frames[f"truth.{name}s"].join(frames[f"social.{name}"], on=f"{name}_id").select(*columns, "text")
            for name in ("post", "review")
        ]
    )


def right(texts: pl.Series, labels: pl.Series, truth: pl.Series) -> tuple[float, float]:
    """How often a model is right on texts held out, by the labels that it learnt from and by the truth."""
    fit = fit_texts(list(cleaned_all(texts.to_list())), labels.to_list(), Context())
    said = pl.Series([fit.model.classes[number] for number in fit.said.argmax(axis=1)])
    rows = fit.test.tolist()
    return (said == labels[rows]).mean(), (said == truth[rows]).mean()


def test_topics_of_tickets_can_be_learnt_but_not_perfectly(tickets: pl.DataFrame):
    tagged = tickets.filter(pl.col("tags") != "").tail(2000)
    by_tags, by_truth = right(
        tagged["subject"] + ". " + tagged["description"], tagged["tags"].str.split(",").list.first(), tagged["topic"]
    )
    assert 0.74 <= by_tags <= 0.9
    assert 0.78 <= by_truth <= 0.93
    assert by_tags < by_truth


def test_moods_of_posts_can_be_learnt_but_not_perfectly(posts: pl.DataFrame):
    by_labels, _ = right(posts["text"], posts["sentiment"], posts["sentiment"])
    assert 0.75 <= by_labels <= 0.93


def test_agents_tag_most_tickets_and_most_of_these_rightly(tickets: pl.DataFrame):
    tags = tickets["tags"].str.split(",")
    assert 0.03 < (tickets["tags"] == "").mean() < 0.07
    assert 0.08 < (tags.list.len() == 2).mean() < 0.15
    tagged = tickets.filter(pl.col("tags") != "")
    wrong = (tagged["tags"].str.split(",").list.first() != tagged["topic"]).mean()
    assert 0.04 < wrong < 0.08


def test_what_makes_a_ticket_important_shows(tickets: pl.DataFrame, frames: dict[str, pl.DataFrame]):
    raised = tickets["given"].to_physical() > tickets["asked"].to_physical()
    assert 0.08 < raised.mean() < 0.15
    could = tickets.with_columns(raised=raised).filter(pl.col("asked") != "urgent")
    assert 0.75 < auc(could["raised"].to_numpy().astype(float), could["urgency"].to_numpy()) < 0.92
    rated = frames["zendesk.satisfaction_rating"].join(tickets, left_on="ticket_id", right_on="id")
    bad = (rated["score"] == "bad").to_numpy().astype(float)
    assert 0.28 < bad.mean() < 0.42
    assert 0.65 < auc(bad, (rated["sentiment"] == "negative").to_numpy().astype(float)) < 0.85


def test_two_languages_are_written_each_by_its_own_people(tickets: pl.DataFrame, posts: pl.DataFrame):
    assert set(tickets["language"]) == set(posts["language"]) == set(LANGUAGES)
    assert 0.12 < (tickets["language"] == "de").mean() < 0.3
    assert 0.09 < (posts["language"] == "de").mean() < 0.22
    german = tickets.filter(pl.col("language") == "de")["description"].str.to_lowercase()
    other = tickets.filter(pl.col("language") == "en")["description"].str.to_lowercase()
    words = r"\b(wir|die|das|ist|nicht|bitte|und|ich|in|zu|mit)\b"
    assert german.str.contains(words).mean() > 0.85
    assert other.str.contains(r"\b(wir|nicht|bitte|und|ich)\b").mean() < 0.02
    assert tickets.group_by("requester_id").agg(pl.col("language").n_unique())["language"].max() == 1


def test_private_data_stand_in_tickets_and_are_masked(tickets: pl.DataFrame):
    texts = tickets["description"].to_list()
    clean = list(cleaned_all(texts))
    for kind, values in (("iban", IBANS), ("card", CARDS), ("phone", PHONES), ("email", ["@mail.example.com"])):
        assert any(value in text for text in texts for value in values), kind
        assert any(f"[{kind}]" in text for text in clean), kind
        assert not any(value.casefold() in text.casefold() for text in clean for value in values), kind


def test_markup_quotes_and_signatures_go_when_a_text_is_cleaned(tickets: pl.DataFrame):
    raw = tickets["description"]
    for sign, least in (("<div dir=", 0.05), ("\n> ", 0.08), ("\n-- \n", 0.04)):
        assert raw.str.contains(sign, literal=True).mean() > least, sign
    clean = pl.Series(list(cleaned_all(raw.to_list())))
    for sign in ("<p>", "&nbsp;", "wrote:", "schrieb Tidewise", "tidewise.example"):
        assert clean.str.contains(sign, literal=True).mean() < 0.005, sign


def test_no_template_is_left_unfilled(frames: dict[str, pl.DataFrame]):
    texts = {
        "zendesk.ticket": ("subject", "description"),
        "zendesk.ticket_comment": ("body",),
        "zendesk.satisfaction_rating": ("comment",),
        "social.post": ("text",),
        "social.review": ("title", "text"),
        "cms.article": ("title", "body"),
    }
    for name, columns in texts.items():
        for column in columns:
            found = frames[name][column].drop_nulls()
            assert not found.str.contains(r"[{}]").any(), (name, column)
            assert not found.str.strip_chars().eq("").any(), (name, column)


def test_some_of_the_public_pass_on_what_others_wrote_before_them(frames: dict[str, pl.DataFrame]):
    found = frames["social.post"].join(frames["truth.posts"].drop("created_at"), on="post_id").sort("created_at")
    copies = found.filter(pl.col("text").str.starts_with("RT @"))
    assert 0.005 < len(copies) / len(found) < 0.05
    seen = {(row["author_handle"], row["text"]): row for row in found.iter_rows(named=True)}
    for copy in copies.iter_rows(named=True):
        author, text = copy["text"].removeprefix("RT @").split(": ", 1)
        source = seen[author, text]
        assert source["created_at"] < copy["created_at"]
        assert (source["sentiment"], source["cause"], source["brand"]) == (
            copy["sentiment"],
            copy["cause"],
            copy["brand"],
        )


def test_people_whom_we_might_win_complain_of_competitors(frames: dict[str, pl.DataFrame]):
    found = frames["social.post"].join(frames["truth.posts"].drop("created_at"), on="post_id")
    assert set(found["brand"]) == {OUR_BRAND, *COMPETITORS}
    assert found["brand_mentioned"].equals(found["brand"])
    leads = found.filter(pl.col("lead_id").is_not_null())
    assert len(leads) > 100
    known = frames["truth.people"].select("salesforce_lead_id", "twitterhandle").drop_nulls()
    both = leads.join(known, left_on="lead_id", right_on="salesforce_lead_id")
    assert len(both) == len(leads) and both["twitterhandle"].equals(both["author_handle"])
    theirs = leads.filter(pl.col("brand") != OUR_BRAND)
    assert 0.75 < len(theirs) / len(leads) < 0.95
    assert (theirs["sentiment"] == "negative").mean() > 0.35
    assert set(found.filter(pl.col("sentiment") == "negative")["cause"]) == set(CAUSES)
    assert (
        found.filter(pl.col("sentiment") != "negative")["cause"].null_count()
        == (found["sentiment"] != "negative").sum()
    )


def test_labels_by_hand_are_of_older_texts_and_mostly_right(frames: dict[str, pl.DataFrame], posts: pl.DataFrame):
    labels = frames["labels.text_label"].sort("labelled_at")
    assert labels.select("model", "key", "labelled_at").is_duplicated().sum() == 0
    first = labels.unique(["model", "key"], keep="first", maintain_order=True)
    newest = labels.unique(["model", "key"], keep="last", maintain_order=True)
    assert len(newest) < len(labels)
    known = labels.filter(pl.col("labelled_at") < (day_number(LAST_DAY) + 1) * DAY)
    counts = Counter(known["model"])
    assert 150 <= counts["post_sentiment"] <= 350 and 60 <= counts["complaint_cause"] <= 160
    assert 60 <= counts["ticket_mood"] <= 300
    for model, column, classes in (("post_sentiment", "sentiment", SENTIMENTS), ("complaint_cause", "cause", CAUSES)):
        wrong = []
        for labelled in (first, newest):
            of_model = labelled.filter(pl.col("model") == model)
            both = of_model.join(posts, on="key")
            assert len(both) == len(of_model)
            assert set(both["label"]) == set(classes)
            assert (both["labelled_at"] - both["created_at"]).min() >= LAG_DAYS * DAY
            wrong.append((both["label"] != both[column]).mean())
        assert 0.01 < wrong[1] < wrong[0] < 0.16


def test_a_small_company_has_labels_to_learn_from():
    plan = Plan(100, 9, 7, LAST_DAY, CHUNK_ACCOUNTS)
    world = World(plan, 0, day_number(LAST_DAY), day_number(plan.first_day))
    labels = dict(company_frames(world))["labels.text_label"]
    counts = Counter(labels.filter(pl.col("labelled_at") < (world.last_day + 1) * DAY)["model"])
    assert counts["post_sentiment"] >= 130 and counts["complaint_cause"] >= 40 and counts["ticket_mood"] >= 50


def test_articles_are_read_after_they_are_published_a_few_much_and_some_by_buyers(frames: dict[str, pl.DataFrame]):
    published = frames["cms.article"].filter(pl.col("published_at").is_not_null())
    published = published.unique("id", keep="last", maintain_order=True)
    views = frames["web.page_view"].with_columns(slug=pl.col("path").str.strip_prefix("/blog/"))
    reads = views.filter(pl.col("path").str.starts_with("/blog/")).join(
        published.rename({"title": "headline"}), on="slug", how="left"
    )
    assert reads["id"].null_count() == 0 and reads["title"].equals(reads["headline"])
    assert (reads["viewed_at"] >= reads["published_at"]).all()
    assert len(reads) > 5 * (views["path"] == "/blog").sum()
    sessions = frames["web.session"].filter(pl.col("landing_page").str.starts_with("/blog/"))
    assert set(sessions["landing_page"]) <= set(views["path"])
    counts = reads["id"].value_counts()["count"].sort(descending=True)
    assert counts.head(len(counts) // 10).sum() / counts.sum() > 0.3

    leads = frames["salesforce.lead"].group_by("Id").agg(pl.col("IsConverted").any())
    people = frames["truth.people"].select("web_anonymous_id", "salesforce_lead_id").drop_nulls()
    about = frames["truth.articles"].select("article_id", "tags")
    readers = (
        reads.join(people, left_on="anonymous_id", right_on="web_anonymous_id")
        .join(about, left_on="id", right_on="article_id")
        .with_columns(wanted=pl.col("tags_right").str.contains("|".join(WANTED)))
        .group_by("salesforce_lead_id")
        .agg(pl.col("wanted").any())
        .join(leads, left_on="salesforce_lead_id", right_on="Id")
    )
    share = dict(readers.group_by("wanted").agg(pl.col("IsConverted").mean()).iter_rows())
    assert share[True] > 1.15 * share[False]


def test_articles_have_up_to_four_tags_most_of_them_right(frames: dict[str, pl.DataFrame]):
    found = frames["cms.article"].unique("id", keep="last", maintain_order=True)
    found = found.join(frames["truth.articles"], left_on="id", right_on="article_id")
    said, true = (found[name].str.split(",") for name in ("tags", "tags_right"))
    assert 0.5 < found["tags"].is_not_null().mean() < 0.7
    assert true.list.len().min() == 1 and true.list.len().max() == 4
    tagged = found["tags"].is_not_null()
    extra = said.list.set_difference(true).list.len().filter(tagged).mean()
    missing = true.list.set_difference(said).list.len().filter(tagged).mean()
    assert 0.005 < extra < 0.12 and 0.03 < missing < 0.25
    length = found["body"].str.count_matches(r"[.?](\s|$)")
    assert length.min() >= 8 and length.max() <= 26 and length.n_unique() > 8


def test_every_word_for_a_slot_has_both_languages():
    assert all(len(words) == len(LANGUAGES) and all(words) for words in (*FEATURES, *SLOTS.values()))


@given(st.integers(0, 2**31), st.integers(2, 7))
@settings(max_examples=4, deadline=None)
def test_a_text_depends_on_its_own_row_alone(seed: int, size: int):
    draws, row = Draws(seed, 0), np.arange(size)
    topic, mood, language = row % len(TOPICS), row % 3, row % 2

    def of(rows: np.ndarray) -> list[list[str]]:
        keys = (row[rows], 7 + row[rows])
        subject, description = ticket_texts(
            draws,
            keys,
            topic[rows],
            mood[rows],
            mood[rows] - 0.5,
            topic[rows],
            language[rows],
            100 + row[rows],
            row[rows] * DAY,
        )
        brand = pl.Series([OUR_BRAND] * len(rows))
        said = post_texts(draws, keys, mood[rows], topic[rows] % len(CAUSES), language[rows], topic[rows], brand)
        return [subject.to_list(), description.to_list(), said.to_list()]

    alone = [of(np.array([number])) for number in row]
    assert of(row) == [[text for one in alone for text in one[part]] for part in range(3)]
    assert all(cleaned(text) for part in of(row) for text in part)
