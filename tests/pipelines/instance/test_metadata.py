"""What the Dagster UI shows beside an asset: values from the data are words, whatever markdown would make of them."""

import polars as pl
import pytest
from markdown_it import MarkdownIt

from pipelines.instance.metadata import markdown_metadata, table_metadata

HOSTILE = [
    "![](https://evil.example/seen.png)",
    "\\![a](https://evil.example/seen.png)",
    "[click](javascript:alert(1))",
    "<img src=x onerror=alert(1)>",
    "<https://evil.example>",
    "<script>alert(1)</script>",
    "[a]: https://evil.example\n![a]",
]


def kinds(markdown: str) -> set[str]:
    """What a page of this markdown is made of."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    return {part.type for token in tokens for part in (token, *(token.children or ()))}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_value_in_a_table_is_words(hostile: str):
    shown = kinds(table_metadata(pl.DataFrame({"segment": [hostile], hostile: [1.5]}), longest=1000).value)
    assert "table_open" in shown
    assert shown.isdisjoint({"image", "link_open", "html_inline", "html_block"})


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_value_in_a_sentence_is_words(hostile: str):
    shown = kinds(markdown_metadata(f"- churn: {hostile}").value)
    assert "list_item_open" in shown
    assert shown.isdisjoint({"image", "link_open", "html_inline", "html_block"})


def test_a_long_value_is_cut_as_it_reads():
    assert "| [[[… |" not in table_metadata(pl.DataFrame({"a": ["[" * 9]}), longest=4).value
    assert "| &#91;&#91;&#91;… |" in table_metadata(pl.DataFrame({"a": ["[" * 9]}), longest=4).value
