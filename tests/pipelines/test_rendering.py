"""A page holds what its template shows: data as text, nothing that HTML forbids, and no gap unseen."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError

from pipelines.rendering import FORBIDDEN, render
from tests.pipelines.learning.cards.test_page import Page

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("templates") / "page.html.j2"
    path.write_text('<p title="{{ words }}">{{ words }}</p>')
    return path


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_text_stays_text(template: Path, words: str):
    page = Page(render(template, words=words))
    shown = FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", words)
    assert page.tags == [("p", {"title": shown})]
    assert "".join(page.words) == shown


def test_what_is_missing_raises_and_what_is_not_known_is_nothing(template: Path):
    assert render(template, words=None) == '<p title=""></p>'
    with pytest.raises(UndefinedError, match="'words' is undefined"):
        render(template)


@pytest.mark.parametrize("path", sorted(ROOT.glob("pipelines/**/*.j2")), ids=lambda path: path.name)
def test_no_template_calls_anything_safe(path: Path):
    assert not re.search(r"\b(safe|autoescape)\b", path.read_text())
