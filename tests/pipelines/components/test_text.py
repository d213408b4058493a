"""Text models on a small warehouse: what is learnt, labelled again, refused, and published."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.components.resolved import PublishedTexts, Trends
from pipelines.components.text.component import GIVEN
from pipelines.components.text.trends import topic_trends_definitions
from pipelines.learning.texts.labelling import KEY_PHRASE
from pipelines.registry.store import champion_version, model_path
from tests.pipelines.components.texts import (
    DAILY,
    FILLERS,
    REFIT,
    TODAY,
    Company,
    articles,
    posts,
    sentiment,
    tagging,
    told,
)


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    return Company(tmp_path)


@pytest.fixture(scope="module")
def fitted_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder after a first run; copied by those who change it."""
    folder = tmp_path_factory.mktemp("fitted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCORECAST_DATA", str(folder))
        Company(folder).run(sentiment())
    return folder


@pytest.fixture
def fitted(fitted_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    folder = tmp_path / "data"
    shutil.copytree(fitted_folder, folder)
    monkeypatch.setenv("SCORECAST_DATA", str(folder))
    made = Company.__new__(Company)
    made.data, made.instance = folder, dg.DagsterInstance.ephemeral()
    return made


def moods(company: Company) -> pl.DataFrame:
    return company.ask("from published.moods order by post_id")


def test_a_fit_is_on_record_and_says_what_each_text_is(fitted: Company):
    (fit,) = fitted.fits()
    assert (fit["status"], fit["rows"], fit["model_version"]) == ("kept", 90, champion_version("mood"))
    figures = json.loads(fit["metrics"])
    assert figures["macro_f1"] > figures["word_list_macro_f1"] and fit["log_loss"] == figures["log_loss"]
    assert (fitted.data / "reports" / "models" / f"{fit['model_version']}.html").exists()
    found = moods(fitted)
    assert set(found["method"]) == {"model"} and set(found["model_version"]) == {fit["model_version"]}
    truth = posts()["rating"].replace_strict({1: "negative", 3: "neutral", 5: "positive"}, return_dtype=pl.String)
    assert (found["sentiment"] == truth).mean() > 0.85
    assert found["probability"].is_between(0, 1).all()
    (mail,) = found.filter(pl.col("sentiment") == "negative").head(1).to_dicts()
    assert mail["reason_1"].strip("“”").split()[0] in posts().filter(post_id=mail["post_id"])["body"].item()


def test_the_published_columns_their_order_and_what_they_say(fitted: Company):
    found = fitted.ask("from published.moods")
    assert found.columns == [
        *["post_id", "occurred_at", "brand", "author_name", "sentiment", "probability"],
        *["probability_negative", "probability_neutral", "probability_positive", "is_about_competitor", "competitor"],
        *["reason_1", "reason_2", "reason_3", "reasons", "language", "method", "model_version"],
    ]
    assert found["occurred_at"].is_sorted(descending=True)
    says = dict(fitted.ask("select column_name, comment from duckdb_columns() where table_name = 'moods'").rows())
    (about,) = fitted.ask("select comment from duckdb_tables() where table_name = 'moods'")["comment"]
    assert about == "How who wrote it feels."
    assert says["sentiment"].startswith("The label that is most likely")
    assert says["probability_negative"] == "How likely the label negative is, from 0 to 1."
    of_core = {"post_id", "brand", "author_name"}
    assert all(says[column] for column in set(found.columns) - of_core - {"model_version"}), says


def test_private_columns_stay_out_of_the_table_and_of_the_ui(fitted: Company):
    shown = told(fitted.run(sentiment(), only=["published"]), "published")
    assert "Jo Doe" in str(moods(fitted)["author_name"].to_list()) and "Jo Doe" not in str(shown)
    hidden = sentiment().publish.model_copy(update={"show_private": False})
    fitted.run(sentiment(publish=hidden), only=["published"])
    assert "author_name" not in moods(fitted).columns


def test_only_new_and_changed_texts_are_read_and_those_that_are_gone_go(fitted: Company):
    before = fitted.ask("from scores.mood order by post_id")
    assert told(fitted.run(sentiment()), "scores")["new_texts"] == 0
    assert_frame_equal(fitted.ask("from scores.mood order by post_id"), before)
    assert len(fitted.fits()) == 1, "a daily run keeps the champion"

    fitted.change("update core.posts set body = 'laggy clunky downtime' where post_id = 'p0003'")
    fitted.change("update core.posts set author_name = 'Another' where post_id = 'p0004'")
    fitted.change("delete from core.posts where post_id in ('p0001', 'p0002')")
    fitted.write("extra.posts", posts(5, seed=9, first=500))
    fitted.change("insert into core.posts from extra.posts")
    result = told(fitted.run(sentiment()), "scores")
    assert result["new_texts"] == 6 and result["dagster/row_count"] == 93
    after = fitted.ask("from scores.mood order by post_id")
    assert set(after["post_id"]) == set(fitted.ask("from core.posts")["post_id"])
    assert after.filter(post_id="p0003")["predicted"].item() == "negative"
    same = [key for key in before["post_id"] if key not in ("p0001", "p0002", "p0003")]
    kept = pl.col("post_id").is_in(same)
    assert_frame_equal(after.filter(kept), before.filter(kept))


def test_a_brand_that_the_export_corrects_is_read_again(fitted: Company):
    fitted.change("update core.posts set brand = 'harborly' where post_id = 'p0005'")
    assert told(fitted.run(sentiment()), "scores")["new_texts"] == 1
    assert moods(fitted).filter(post_id="p0005")["competitor"].item() == "Harborly"


def test_another_version_labels_everything_anew(fitted: Company):
    before = champion_version("mood")
    result = fitted.run(sentiment(), tags=REFIT)
    assert champion_version("mood") != before and told(result, "scores")["new_texts"] == 90
    assert set(moods(fitted)["model_version"]) == {champion_version("mood")} and len(moods(fitted)) == 90


def test_labels_by_hand_come_before_those_of_the_yaml(company: Company):
    """Of all texts with stars, those that somebody labelled have this label, and a text may have no stars at all."""
    company.change("update core.posts set rating = null where post_id <= 'p0009'")
    label = "case when rating <= 2 then 'negative' when rating >= 4 then 'positive' when rating = 3 then 'neutral' end"
    by_hand = {row["post_id"]: "furious" for row in posts().filter(rating=1).to_dicts()}
    company.label(**by_hand)
    company.change("insert into core.text_labels values ('other_model', 'p0050', 'nonsense')")
    company.run(sentiment(label=label, starts_with=None))
    (fit,) = company.fits()
    assert fit["status"] == "kept"
    labelled = {*by_hand, *posts().filter(pl.col("post_id") > "p0009")["post_id"]}
    assert fit["rows"] == len(labelled)
    columns = company.ask("from published.moods").columns
    assert [name for name in columns if name.startswith("probability_")] == [
        "probability_furious",
        "probability_neutral",
        "probability_positive",
    ]


def test_without_labels_a_list_of_words_begins_and_says_so(company: Company):
    company.change("update core.posts set body = 'This is terrible and useless, I hate it' where post_id = 'p0001'")
    german = "Das ist eine schreckliche Katastrophe, die Rechnung war schon wieder falsch und niemand antwortet uns."
    company.change(f"update core.posts set title = '', body = '{german}' where post_id = 'p0002'")
    company.change("update core.posts set title = '', body = '' where post_id = 'p0003'")
    result = company.run(sentiment(label=None))
    (fit,) = company.fits()
    assert (fit["status"], fit["model_version"]) == ("skipped", None)
    assert fit["reason"].startswith("There are 0 texts with a label; it takes 30 or more. A list of English words says")
    assert told(result, "models")["status"] == "skipped"
    found = {row["post_id"]: row for row in moods(company).to_dicts()}
    assert {row["method"] for row in found.values()} == {"word_list"}
    assert {row["probability"] for row in found.values()} == {None}
    assert (found["p0001"]["sentiment"], found["p0001"]["reason_1"]) == ("negative", "“hate”")
    assert (found["p0002"]["sentiment"], found["p0002"]["language"]) == (None, "de")
    assert found["p0002"]["reason_1"] == "It is in German; the list of words is English."
    assert "p0003" not in found, "there is no text"
    assert all(row["reason_1"] for row in found.values())
    assert told(company.run(sentiment(label=None)), "scores")["new_texts"] == 0


def test_the_list_of_words_goes_on_while_it_is_better(company: Company):
    """A third of the texts has a word of its own, which a model cannot have learnt; the list knows them all."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    lexicon = SentimentIntensityAnalyzer().lexicon
    known = sorted((word for word in lexicon if word.isalpha() and len(word) > 4), key=lexicon.get)
    rare = {"negative": iter(known[:45]), "positive": iter(known[-45:])}
    rows, bodies, labels, rng = 120, [], {}, np.random.default_rng(4)
    for number in range(rows):
        mood = ("negative", "positive")[number % 2]
        often = {"negative": "terrible", "positive": "wonderful"}[mood]
        word = next(rare[mood]) if number % 6 < 2 else often
        bodies.append(" ".join([word, *map(str, rng.choice(FILLERS, 7))]))
        labels[f"p{number:04d}"] = mood
    company.write("core.posts", posts(rows).with_columns(title=pl.lit(""), body=pl.Series(bodies)))
    company.label(**labels)
    company.run(sentiment(label=None))
    (fit,) = company.fits()
    figures = json.loads(fit["metrics"])
    assert (fit["status"], fit["model_version"]) == ("refused", None), fit["reason"]
    assert fit["reason"].startswith("The list of words is as good on the texts held out (macro F1 1.00 against")
    assert figures["macro_f1"] < figures["word_list_macro_f1"] == pytest.approx(1)
    assert set(moods(company)["method"]) == {"word_list"} and champion_version("mood") is None
    assert told(company.run(sentiment(label=None)), "models")["status"] == "refused"
    assert len(company.fits()) == 1, "the daily run does not try the same again"


def test_labels_by_chance_give_no_model_and_without_a_list_no_table(company: Company):
    rng = np.random.default_rng(3)
    company.label(**{key: str(rng.choice(["a", "b"])) for key in posts()["post_id"]})
    result = company.run(sentiment(label=None, starts_with=None))
    (fit,) = company.fits()
    assert fit["status"] == "refused" and fit["reason"].startswith("No better than the shares of the classes")
    assert told(result, "scores")["status"].startswith("no model yet")
    assert told(result, "published")["status"] == "no scores yet"
    assert company.ask("select table_name from duckdb_tables() where table_name = 'moods'").is_empty()


def test_one_label_alone_and_rare_labels_are_told(company: Company):
    company.label(**dict.fromkeys(posts()["post_id"], "angry"))
    company.run(sentiment(label=None, starts_with=None))
    assert company.fits()[-1]["status"] == "skipped" and "angry" in company.fits()[-1]["reason"]
    company.label(p0000="unheard_of", p0001="unheard_of")
    company.run(sentiment(starts_with=None))
    (note,) = json.loads(company.fits()[-1]["metrics"])["notes"]
    assert note == "Not learnt, nor ever said: 'unheard_of' (2). A label takes 5 texts."
    assert "probability_unheard_of" not in moods(company).columns


@pytest.mark.parametrize(
    ("brand", "text", "competitor"),
    [
        ("Harborly", "it is laggy", "Harborly"),
        ("HARBORLY Inc.", "it is laggy", "Harborly"),
        (None, "we left hbl for that, so clunky", "Harborly"),
        (None, "north dock: downtime again", "North Dock"),
        ("Us", "better than North Dock", None),
        ("North Dock", "we had Harborly before", "North Dock"),
        (None, "the northdocking harborlys queue", None),
        (None, "nothing named", None),
    ],
)
def test_a_competitor_is_known_by_the_column_or_by_a_word(brand: str | None, text: str, competitor: str | None):
    found = dict(zip(("is_about", "competitor"), sentiment()._competitors([brand], [text]), strict=True))
    assert found["competitor"].to_list() == [competitor]
    assert found["is_about"].to_list() == [competitor is not None]


def test_a_competitor_stands_in_the_table(fitted: Company):
    fitted.change("update core.posts set body = body || ' than at Harborly' where post_id = 'p0007'")
    fitted.run(sentiment())
    found = moods(fitted)
    assert found.filter(is_about_competitor=True)["post_id"].to_list() == ["p0007"]
    assert found.filter(post_id="p0007")["competitor"].item() == "Harborly"
    assert found["is_about_competitor"].null_count() == 0


def test_tags_of_an_editor_stay_and_others_are_predicted(company: Company):
    company.write("core.articles", articles())
    company.run(tagging())
    (fit,) = company.fits("article_tag")
    assert fit["status"] == "kept" and fit["rows"] == 70
    found = company.ask("from published.article_tags")
    assert found.columns == [
        *["article_id", "occurred_at", "tag", "probability", "is_given", "reason_1", "reason_2", "reason_3", "reasons"],
        *["language", "method", "model_version"],
    ]
    given = found.filter("is_given")
    expected = (
        articles().filter(pl.col("tags").is_not_null()).select("article_id", tag=pl.col("tags").str.split(", "))
    ).explode("tag")
    assert_frame_equal(given.select("article_id", "tag"), expected, check_row_order=False)
    assert set(given["probability"]) == {1.0} and set(given["reason_1"]) == {GIVEN}
    others = found.filter(~pl.col("is_given"))
    assert set(others["article_id"]) <= set(articles().filter(pl.col("tags").is_null())["article_id"])
    assert len(set(others["article_id"])) >= 8 and others["probability"].is_between(0, 1, closed="none").all()
    assert found.select("article_id", "tag").is_unique().all()
    assert told(company.run(tagging()), "scores")["new_texts"] == len(
        articles().filter(pl.col("article_id").is_in(found["article_id"].unique()).not_())
    ), "texts without a tag have no row by which they would be known"

    company.change("update core.articles set tags = 'mobile' where article_id = 'a000'")
    company.run(tagging())
    (row,) = company.ask("from published.article_tags where article_id = 'a000'").to_dicts()
    assert (row["tag"], row["is_given"]) == ("mobile", True)


def test_without_labels_an_article_has_key_phrases(company: Company):
    company.write("core.articles", articles(6).with_columns(tags=pl.lit(None, pl.String)))
    company.run(tagging())
    (fit,) = company.fits("article_tag")
    assert fit["status"] == "skipped" and fit["reason"].endswith("Key phrases stand for labels until then.")
    found = company.ask("from published.article_tags")
    assert set(found["article_id"]) == set(articles(6)["article_id"])
    assert set(found["reason_1"]) == {KEY_PHRASE} and set(found["method"]) == {"key_phrases"}
    assert found["probability"].null_count() == found.height and not found["is_given"].any()
    bodies = dict(articles(6).select("article_id", "body").rows())
    assert all(row["tag"] in bodies[row["article_id"]] for row in found.to_dicts())


CAUSE = {
    "name": "cause",
    "description": "What they complain of.",
    "label": "case when body like '%laggy%' or body like '%downtime%' then 'speed' else 'other' end",
    "only_where": {"mood": "negative"},
    "starts_with": None,
    "brands": None,
    "publish": None,
}


def test_only_texts_of_which_another_model_says_it_are_labelled_and_stand_beside(fitted: Company):
    cause = sentiment(**CAUSE)
    beside = sentiment().publish.model_copy(update={"beside": {"cause": "cause"}})
    both = sentiment(publish=beside)
    fitted.run(both, cause)
    negative = set(moods(fitted).filter(sentiment="negative")["post_id"])
    assert set(fitted.ask("from scores.cause")["post_id"]) == negative
    found = moods(fitted)
    assert found.columns[found.columns.index("probability_positive") + 1 :][:2] == ["cause", "cause_probability"]
    assert set(found.filter(pl.col("cause").is_not_null())["post_id"]) == negative
    said = dict(fitted.ask("select post_id, predicted from scores.cause").rows())
    assert {row["post_id"]: row["cause"] for row in found.to_dicts() if row["cause"]} == said
    says = dict(fitted.ask("select column_name, comment from duckdb_columns() where table_name = 'moods'").rows())
    assert says["cause"] == "The label of the model cause; null where it says none."

    gone = sorted(negative)[0]
    fitted.change(f"update core.posts set title = 'webinar', body = 'webinar roadmap' where post_id = '{gone}'")
    fitted.run(both, cause)
    assert set(fitted.ask("from scores.cause")["post_id"]) == negative - {gone}


def test_beside_a_model_that_says_nothing_stand_nulls(fitted: Company):
    beside = sentiment().publish.model_copy(update={"beside": {"cause": "cause"}})
    fitted.run(sentiment(publish=beside), only=["published"])
    assert moods(fitted)["cause"].null_count() == 90 and moods(fitted)["cause_probability"].dtype == pl.Float64


def test_where_the_model_before_says_nothing_none_are_labelled(company: Company):
    """Not even an error: the model before has no labels, no list and no table of scores."""
    company.run(sentiment(label=None, starts_with=None), sentiment(**CAUSE))
    assert company.fits("cause")[0]["status"] == "kept"
    assert company.ask("from scores.cause").is_empty()


def test_a_damaged_model_is_refused_and_the_last_scores_stay(fitted: Company):
    before = moods(fitted)
    version = champion_version("mood")
    path = model_path("mood", version)
    path.write_bytes(path.read_bytes()[:-200] + bytes(200))
    fitted.change("update core.posts set body = 'laggy' where post_id = 'p0003'")
    result = fitted.run(sentiment())
    assert told(result, "scores")["status"].startswith("not scored: ")
    fit = fitted.fits()[-1]
    assert (fit["status"], fit["model_version"]) == ("refused", version)
    assert "The last scores stay" in fit["reason"] and str(fitted.data) not in fit["reason"]
    assert_frame_equal(moods(fitted), before)


def test_a_refit_that_is_clearly_worse_is_refused(fitted: Company):
    """The labels of most texts have become chance: there is still something to learn, but far less than before."""
    before = champion_version("mood")
    rng = np.random.default_rng(8)
    hand = {key: str(rng.choice(["negative", "neutral", "positive"])) for key in posts()["post_id"][:45]}
    fitted.label(**hand)
    fitted.run(sentiment(), tags=REFIT)
    fit = fitted.fits()[-1]
    assert fit["status"] == "refused" and champion_version("mood") == fit["model_version"] == before
    assert fit["reason"].startswith("Worse than the champion was on the texts that it had not seen (log loss ")
    assert set(moods(fitted)["model_version"]) == {before}


def test_old_texts_are_not_learnt_from_and_others_are_not_read(company: Company):
    company.change(f"update core.posts set occurred_at = '{TODAY - timedelta(days=40)}' where post_id < 'p0020'")
    company.run(sentiment(history_days=30, population="post_id <> 'p0089'"))
    assert company.fits()[-1]["rows"] == 69
    assert set(moods(company)["post_id"]) == set(posts()["post_id"]) - {"p0089"}


def test_columns_of_the_texts_may_be_called_as_ours_are(company: Company):
    """Also those that the conditions of the YAML name, and for the trends, which join texts and scores."""
    names = "label, language, probability, method, text, brand_mentioned"
    table = f"select *, null::varchar as {names.replace(', ', ', null::varchar as ')} from core.posts"
    company.change(f"create or replace table core.posts as {table}")
    company.change("update core.posts set label = case when rating = 1 then 'bad' else 'good' end, language = 'en'")
    component = sentiment(
        label="label",
        population="language = 'en' and method is null and occurred_at < timestamp '2026-07-01'",
        starts_with=None,
        trends=Trends(called="posts"),
    )
    company.run(component)
    assert company.fits()[-1]["status"] == "kept" and set(moods(company)["sentiment"]) == {"bad", "good"}
    company.run_assets(topic_trends_definitions([component]).assets)
    trends = company.ask("from published.topic_trends")
    assert {"bad", "good"} <= set(trends.filter(kind="topic")["name"]) and set(trends["source"]) == {"posts"}


def test_a_table_without_texts_is_published_empty(company: Company):
    company.change("delete from core.posts")
    company.run(sentiment())
    assert moods(company).is_empty() and moods(company).columns[:2] == ["post_id", "occurred_at"]
    company.run(sentiment())


def test_a_table_that_is_described_by_nothing_has_its_key_and_time(fitted: Company):
    fitted.run(sentiment(publish=PublishedTexts(table="moods")), only=["published"], tags=DAILY)
    assert moods(fitted).columns[:3] == ["post_id", "occurred_at", "predicted"]
