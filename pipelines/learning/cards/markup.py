"""HTML and SVG built from nested calls, in which every plain string is escaped: text from data cannot become markup."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

VOID = frozenset({"br", "col", "hr", "link", "meta"})
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
SPECIAL = re.compile(r"[&<>\"'\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""What means something in HTML, what it forbids, what turns the words around it, and what UTF-8 cannot hold."""


class Markup(str):
    """A string that is markup already; only `tag`, `join` and constants of the program make one."""

    __slots__ = ()


def join(*children: object) -> Markup:
    """Children in a row: markup as it is, None as nothing, lists and generators flattened, the rest as escaped text.

    >>> join("a < b", None, [Markup("<br>"), 3])
    'a &lt; b<br>3'
    """
    return Markup("".join(_text(child) for child in children))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element. `class_` is class, `stroke_width` is stroke-width; an attribute that is None is left out.

    >>> tag("p", "Tom & Jerry", class_="lead"), tag("rect", width=12.3456)
    ('<p class="lead">Tom &amp; Jerry</p>', '<rect width="12.35"></rect>')
    """
    parts = ["<", name]
    for key, value in attributes.items():
        if value is not None:
            written = _figure(value) if isinstance(value, float) else _escaped(str(value))
            parts.append(f' {_attribute(key)}="{written}"')
    parts.append(">")
    if name not in VOID:
        parts += [*(_text(child) for child in children), "</", name, ">"]
    return Markup("".join(parts))


def table(header: Iterable[object], rows: Iterable[Iterable[object]], words: int = 1, **attributes: object) -> Markup:
    """A table whose first column heads its rows; the columns after the first `words` are figures, to the right."""

    def side(number: int) -> str | None:
        return None if number < words else "n"

    head = [tag("th", cell, class_=side(number), scope="col") for number, cell in enumerate(header)]
    body = [
        tag(
            "tr",
            [
                tag("td", cell, class_=side(number)) if number else tag("th", cell, class_=side(0), scope="row")
                for number, cell in enumerate(row)
            ],
        )
        for row in rows
    ]
    return tag("table", tag("thead", tag("tr", head)), tag("tbody", body), **attributes)


def inline(text: object) -> Markup:
    """A sentence with `code` and **strong** as markdown writes them; everything else is text.

    >>> inline("Is `Lead <b>` set **before** the sale?")
    'Is <code>Lead &lt;b&gt;</code> set <strong>before</strong> the sale?'
    """
    return join(_marked(part) for part in re.split(r"(`[^`]+`|\*\*[^*]+\*\*)", str(text)))


def section(title: str, words: object, *children: object, style: str | None = None) -> Markup:
    """A part of the page under a heading."""
    head = tag("h2", title), tag("p", words, class_="soft") if words else None
    return tag("section", head, children, class_=style)


def details(summary: str, *children: object) -> Markup:
    """Something to unfold."""
    return tag("details", tag("summary", summary), children)


def behind(
    header: Sequence[str], rows: Sequence[Sequence[object]], summary: str | None = None, words: int = 1
) -> Markup:
    """The figures of a picture, for those who cannot see it or want them exactly."""
    return details(summary or "As numbers", scroll(table(header, rows, words)))


def strips(header: Sequence[object], rows: Sequence[Sequence[object]], style: str | None = None) -> Markup:
    """A table whose second column is drawn."""
    return scroll(table(header, rows, words=2, class_=f"strips {style}" if style else "strips"))


def scroll(child: Markup) -> Markup:
    """Something wide that scrolls by itself on a phone."""
    return tag("div", child, class_="scroll")


def _marked(part: str) -> str:
    if re.fullmatch(r"`[^`]+`", part):
        return tag("code", part[1:-1])
    return tag("strong", part[2:-2]) if re.fullmatch(r"\*\*[^*]+\*\*", part) else part


@lru_cache(maxsize=1_000)
def _attribute(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _text(child: object) -> str:
    if isinstance(child, Markup):
        return child
    if child is None:
        return ""
    if isinstance(child, str):
        return _escaped(child)
    if isinstance(child, Iterable):
        return "".join(_text(each) for each in child)
    return _escaped(str(child))


def _escaped(text: str) -> str:
    return SPECIAL.sub(lambda found: ENTITIES.get(found.group(), "\N{REPLACEMENT CHARACTER}"), text)


def _figure(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
