"""A text as a person reads it: without markup, quoted replies, signature, broken characters and private data."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from html.parser import HTMLParser

from pipelines.values.private_data import masked

MOST_CHARACTERS = 20_000
"""Of a text; what stands further down says little more, and a text of a million characters must cost nothing."""
SHORT, REMEMBERED = 2_000, 20_000
"""Characters of a text that is remembered, and how many are: in one run several models read the same tickets."""
TAG = re.compile(
    r"</?(?:html|body|div|p|br|span|table|tr|td|a|b|i|em|strong|ul|ol|li|h[1-6]|img|font|style|script)\b", re.I
)
"""What begins in HTML: a text that has none is plain, whatever signs it is full of."""
ENTITY = re.compile(r"&(?:[a-z]{2,8}|#\d{2,6}|#x[0-9a-f]{2,5});", re.I)
REPLY = re.compile(
    r"^>|^-- ?$|^_{5,}|^-{3,}.*-{3,}\s*$|^(?:On|Am|Le|El) .{6,160}:\s*$|^(?:From|Von|De|Sent|Gesendet): "
    r"|^(?:(?:best |kind |warm )?regards|sincerely|cheers|mit freundlichen|viele grüße|cordialement|saludos)\b",
    re.M | re.I,
)
"""What begins where a mail quotes another or ends with a signature."""
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u2028\u2029\ufeff]")
BLOCKS = frozenset({"p", "div", "br", "li", "tr", "td", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol"})
UNREAD = frozenset({"script", "style", "head", "title"})


def cleaned(text: str | None) -> str:
    """
    The words of a text on one line; empty where there are none.

    HTML loses its tags, a mail its quoted replies and signature (where something is left), characters that went through
    the wrong encoding are mended, and e-mail addresses, phone, card and account numbers are masked. Emoji stay.
    """
    if not text:
        return ""
    text = text[:MOST_CHARACTERS]
    if not text.isascii():
        import ftfy

        text = ftfy.fix_text(text, unescape_html=False, normalization="NFC")
    if TAG.search(text):
        text = _without_markup(text)
    elif ENTITY.search(text):
        from html import unescape

        text = unescape(text)
    if REPLY.search(text):
        text = _own_words(text)
    return masked(" ".join(CONTROL.sub(" ", text).split()))


def cleaned_all(texts: Sequence[str | None]) -> Iterator[str]:
    """Every text cleaned; one that stands several times, or was cleaned before, is cleaned once."""
    for text in texts:
        yield _remembered(text) if text and len(text) <= SHORT else cleaned(text)


_remembered = lru_cache(maxsize=REMEMBERED)(cleaned)


class _Words(HTMLParser):
    """Collects what is shown of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.unread = 0

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag in UNREAD:
            self.unread += 1
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in UNREAD:
            self.unread = max(0, self.unread - 1)
        elif tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.unread:
            self.parts.append(data)


def _without_markup(text: str) -> str:
    reader = _Words()
    reader.feed(text)
    reader.close()
    return "".join(reader.parts)


def _own_words(text: str) -> str:
    """A mail without what it quotes and without its signature; the whole where nothing else is in it."""
    from mailparser_reply import EmailReplyParser

    languages = ["en", "de", "fr", "es", "it", "nl", "pl", "pt"]
    replies = EmailReplyParser(languages=languages).read(text=text).replies
    return next((reply.body for reply in replies[:1] if reply.body.strip()), text)
