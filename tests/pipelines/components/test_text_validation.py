"""Mistakes in the YAML of text models: each with file and line, in words, before anything is loaded."""

from pathlib import Path

import pytest

from pipelines.components.declared.documents import YamlMistakes
from pipelines.components.validation import require_valid_yaml
from pipelines.transformation.known_tables import Table

MOOD = """\
type: pipelines.components.text.Text
attributes:
  name: mood
  description: How they feel.
  owner: team:marketing
  table: posts
  key: post_id
  text: [title, body]
  label: case when rating > 3 then 'good' end
  at: occurred_at
  population: is_public
  starts_with: word_list
  brands:
    column: brand
    competitors: {Harborly: [HBL]}
  trends: {called: posts, by: author}
  publish:
    table: moods
    predicted_as: sentiment
    described_by: post_contexts
    columns: [url]
    private: [author]
    beside: {cause: cause}
"""
CAUSE = """\
type: pipelines.components.text.Text
attributes:
  name: cause
  description: What they complain of.
  table: posts
  key: post_id
  text: [body]
  only_where: {mood: negative}
"""
TICKETS = """\
type: pipelines.components.text.Text
attributes:
  name: ticket_class
  description: What it is about.
  table: tickets
  key: ticket_id
  text: [body]
"""
FILE = "assets/texts/mood/defs.yaml"
COLUMNS = ("post_id", "title", "body", "rating", "occurred_at", "is_public", "brand", "author")
TABLES = {
    "core.posts": Table(dict.fromkeys(COLUMNS), is_complete=True, is_model=True),
    "core.post_contexts": Table(dict.fromkeys(("post_id", "url", "author")), is_complete=True, is_model=True),
    "core.tickets": Table(dict.fromkeys(("ticket_id", "body", "occurred_at")), is_complete=True, is_model=True),
    "published.accounts": Table({"account_id": "VARCHAR"}, is_complete=True, is_model=True),
}


def mistakes(root: Path, **texts: str) -> list[str]:
    for name, text in {"mood": MOOD, "cause": CAUSE, "ticket_class": TICKETS, **texts}.items():
        path = root / "assets" / "texts" / name / "defs.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    try:
        require_valid_yaml(root, lambda: TABLES)
    except YamlMistakes as problem:
        return str(problem).splitlines()
    return []


def test_what_is_right_is_not_refused(tmp_path: Path):
    assert mistakes(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("table: posts", "table: post", 6, "table 'post' is no table of the schema core; did you mean 'posts'?"),
        ("[title, body]", "[title, boddy]", 8, "text 'boddy' is no column of core.posts; did you mean 'body'?"),
        ("[title, body]", "[]", 8, "text is empty: give at least one"),
        ("[title, body]", "[post_id]", 8, "text and key are both 'post_id'"),
        ("[title, body]", "body", 8, "text must be a list, such as [body], not 'body'"),
        ("rating > 3", "ratings > 3", 9, "label: 'ratings' is no column of core.posts; did you mean 'rating'?"),
        ("case when rating > 3", "case rating > when", 9, "label is no SQL condition: "),
        ("at: occurred_at", "at: ocurred_at", 10, "at 'ocurred_at' is no column of core.posts; did you mean"),
        ("is_public", "is_publik", 11, "population: 'is_publik' is no column of core.posts; did you mean 'is_public'?"),
        ("starts_with: word_list", "starts_with: wordlist", 12, "starts_with is 'wordlist'; use word_list or key_phr"),
        ("starts_with: word_list", "separator: ';'\n  starts_with: word_list", 12, "a list of words says one mood"),
        ("column: brand", "column: brands", 14, "column 'brands' is no column of core.posts; did you mean 'brand'?"),
        ("column: brand", "colum: brand", 14, "there is no attribute 'colum'; did you mean 'column'?"),
        ("called: posts", "called: My Posts", 16, "called is 'My Posts'; use lower-case letters"),
        ("by: author}", "by: autor}", 16, "by 'autor' is no column of core.posts; did you mean 'author'?"),
        ("table: moods", "table: accounts", 18, "table 'accounts' is one that a dbt model makes; choose another"),
        ("table: moods", "table: releases", 18, "table 'releases' is one that the pipeline itself makes"),
        ("post_contexts", "post_context", 20, "described_by 'post_context' is no table of the schema core; did you me"),
        ("    described_by: post_contexts\n", "", 20, "columns are those of `described_by`, which is missing"),
        ("[url]", "[uri]", 21, "column 'uri' is no column of core.post_contexts; did you mean 'url'?"),
        ("[url]", "[url, author]", 22, "private 'author' is in `columns`, too: leave one of them out"),
        ("{cause: cause}", "{causes: cause}", 23, "'causes' is no model of texts with the key post_id; did you mean"),
        ("{cause: cause}", "{ticket_class: c}", 23, "'ticket_class' is no model of texts with the key post_id"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, words: str):
    assert MOOD.count(old) == 1, old
    found = mistakes(tmp_path, mood=MOOD.replace(old, new))
    assert [each for each in found if each.startswith(f"{FILE}:{line}: {words}")], found


def test_a_key_that_is_no_column(tmp_path: Path):
    (found,) = mistakes(tmp_path, ticket_class=TICKETS.replace("key: ticket_id", "key: ticketid"))
    said = "key 'ticketid' is no column of core.tickets; did you mean 'ticket_id'?"
    assert found == f"assets/texts/ticket_class/defs.yaml:6: {said}"


def test_a_model_before_that_is_none(tmp_path: Path):
    assert mistakes(tmp_path, cause=CAUSE.replace("{mood:", "{moods:")) == [
        "assets/texts/cause/defs.yaml:8: 'moods' is no model of texts with the key post_id; did you mean 'mood'?"
    ]


def test_two_models_of_one_name(tmp_path: Path):
    (found,) = mistakes(tmp_path, again=CAUSE)
    assert found == "assets/texts/cause/defs.yaml:3: name 'cause' is taken by assets/texts/again/defs.yaml:3; " + (
        "every model has its own"
    )
