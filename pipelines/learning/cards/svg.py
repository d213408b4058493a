"""Small pictures as inline SVG: sharp at any size, coloured by the page's style sheet, readable by a screen reader.

Two kinds. A `Plot` has axes and scales with the page. A strip is one cell of a table: as wide as the cell,
everything in it placed by percent, so that text keeps its size on a phone. The table says what a strip shows, so strips
are hidden from screen readers.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipelines.learning.cards.markup import Markup, tag

WIDTH, HEIGHT = 400, 300
LEFT, RIGHT, TOP, BOTTOM = 44, 16, 16, 44
STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
MOST_TICKS = 6


def percent(share: float, digits: int | None = None) -> str:
    """A share as people write it: 52 %, 3.4 %, 0.26 %; `digits` after the point, by size when None."""
    value = 100 * share
    if digits is None:
        digits = 0 if value == 0 or abs(value) >= 9.95 else 1 if abs(value) >= 0.995 else 2
    return f"{value:.{digits}f}\N{NO-BREAK SPACE}%"


def shorten(words: str, most: int) -> str:
    """The first `most` characters, where text in a picture cannot wrap."""
    return words if len(words) <= most else words[: most - 1] + "…"


def ticks(top: float) -> list[float]:
    """Round shares from 0 to the first that reaches `top` (0 < top <= 1), at most six steps."""
    step = next((step for step in STEPS if top / step <= MOST_TICKS), STEPS[-1])
    return [round(step * number, 6) for number in range(math.ceil(round(top / step, 6)) + 1)]


def end(*shares: float) -> float:
    """Where an axis ends so that all shares lie on it: a tick, at most 1."""
    return min(1.0, ticks(max(*shares, STEPS[0]))[-1])


@dataclass
class Plot:
    """Axes in shares, and what is drawn on them. Positions are in the units of the axes, from 0."""

    across: str
    """What the horizontal axis shows."""
    up: str
    right: float = 1.0
    """Where the horizontal axis ends."""
    top: float = 1.0
    marks: list[Markup] = field(default_factory=list)

    def x(self, value: float) -> float:
        """Horizontal position in the drawing."""
        return LEFT + (WIDTH - LEFT - RIGHT) * value / self.right

    def y(self, value: float) -> float:
        """Vertical position in the drawing."""
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.top

    def line(self, points: Iterable[tuple[float, float]], style: str) -> None:
        """Straight pieces from point to point."""
        path = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in points)
        self.marks.append(tag("polyline", points=path, class_=style))

    def area(self, points: Sequence[tuple[float, float]], style: str) -> None:
        """What lies between the points and the horizontal axis."""
        closed = [(points[0][0], 0.0), *points, (points[-1][0], 0.0)]
        path = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in closed)
        self.marks.append(tag("polygon", points=path, class_=style))

    def dot(self, a: float, b: float, style: str, hint: str | None = None, radius: float = 4.0) -> None:
        """A point; `hint` appears under the mouse."""
        title = tag("title", hint) if hint else None
        self.marks.append(tag("circle", title, cx=self.x(a), cy=self.y(b), r=radius, class_=style))

    def whisker(self, a: float, low: float, high: float) -> None:
        """From where to where a rate may lie."""
        self.line([(a, low), (a, high)], "whisker")

    def label(self, a: float, b: float, words: str, style: str = "", shift: tuple[float, float] = (0, 0)) -> None:
        """Words beside a position; the classes `end` and `middle` say which part of them is there."""
        self.marks.append(tag("text", words, x=self.x(a) + shift[0], y=self.y(b) + shift[1], class_=style or None))

    def draw(self, key: str, title: str, description: str, names: Iterable[tuple[float, str]] | None = None) -> Markup:
        """The picture. `key` is unique on the page; `names` are the horizontal ticks, percent when None."""
        parts = []
        for value in ticks(self.top):
            parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=self.y(value), y2=self.y(value), class_="grid"))
            parts.append(_tick(percent(value, _digits(self.top)), LEFT - 7, self.y(value) + 4, "end"))
        if names is None:
            names = [(value, percent(value, _digits(self.right))) for value in ticks(self.right)]
        parts += [_tick(shorten(words, 12), self.x(value), HEIGHT - BOTTOM + 16, "middle") for value, words in names]
        parts += [
            tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=self.y(0), y2=self.y(0), class_="axis"),
            tag("text", shorten(self.across, 56), x=WIDTH - RIGHT, y=HEIGHT - 8, class_="name end"),
            tag("text", self.up, x=4, y=-4, class_="name"),
        ]
        return _image(key, title, description, f"0 -16 {WIDTH} {HEIGHT + 16}", "plot", parts, self.marks)


def dot_grid(key: str, filled: int, total: int, title: str, style: str) -> Markup:
    """`total` dots in rows of ten (of forty beyond a hundred), the first `filled` of them in the colour of `style`."""
    across = 10 if total <= 100 else 40
    step = 400 / across

    def path(first: int, last: int) -> str:
        # A line of no length with round ends is a dot: one element for them all.
        return "".join(
            f"M{step * (n % across + 0.5):.0f} {step * (n // across + 0.5):.0f}h0" for n in range(first, last)
        )

    dots = [
        tag("path", d=path(0, filled), class_=f"dots {style}", stroke_width=step * 0.68),
        tag("path", d=path(filled, total), class_="dots rest", stroke_width=step * 0.68),
    ]
    return _image(key, title, "", f"0 0 400 {step * math.ceil(total / across):.0f}", "grid-of-dots", dots)


def bar(share: float, style: str, reference: float | None = None) -> Markup:
    """A strip with a bar from the left; `reference` is a tick to compare it with."""
    parts = [tag("rect", width=_at(share), height="100%", class_=style)]
    if reference is not None:
        parts.append(_upright(reference, "reference"))
    return _strip(parts)


def two_ways(value: float, most: float) -> Markup:
    """A strip with a bar from the middle: to the right for more, to the left for less. `most` is half the width."""
    half = 0.5 * min(1.0, abs(value) / most) if most > 0 else 0.0
    rect = tag("rect", x=_at(0.5 if value > 0 else 0.5 - half), width=_at(half), height="100%", class_=_side(value))
    return _strip([rect, _upright(0.5, "axis")])


def interval(value: float, low: float, high: float, reference: float | None, style: str) -> Markup:
    """A strip with a dot, from where to where it may lie, and a line to compare it with. All in shares of the width."""
    parts = [tag("line", x1=_at(low), x2=_at(high), y1="50%", y2="50%", class_="whisker")]
    if reference is not None:
        parts.insert(0, _upright(reference, "reference"))
    return _strip([*parts, tag("circle", cx=_at(value), cy="50%", r=5, class_=style)])


def change(before: float, after: float) -> Markup:
    """A strip with two dots and the way between them: hollow before, full after."""
    return _strip(
        [
            tag("line", x1=_at(before), x2=_at(after), y1="50%", y2="50%", class_="way"),
            tag("circle", cx=_at(before), cy="50%", r=5, class_="hollow"),
            tag("circle", cx=_at(after), cy="50%", r=5, class_="model"),
        ]
    )


def _image(key: str, title: str, description: str, box: str, style: str, *children: object) -> Markup:
    names = [tag("title", title, id=f"{key}-title")]
    if description:
        names.append(tag("desc", description, id=f"{key}-text"))
    labels = f"{key}-title {key}-text" if description else f"{key}-title"
    return tag("svg", names, children, viewBox=box, role="img", aria_labelledby=labels, class_=style)


def _strip(children: list[Markup]) -> Markup:
    return tag("svg", children, class_="strip", width="100%", height=14, aria_hidden="true")


def _upright(share: float, style: str) -> Markup:
    return tag("line", x1=_at(share), x2=_at(share), y1=-2, y2=16, class_=style)


def _tick(words: str, x: float, y: float, anchor: str) -> Markup:
    return tag("text", words, x=x, y=y, class_=f"tick {anchor}")


def _at(share: float) -> str:
    return f"{100 * min(1.0, max(0.0, share)):.2f}%"


def _side(value: float) -> str:
    return "more" if value > 0 else "less"


def _digits(top: float) -> int:
    return 0 if top >= 0.05 else 1 if top >= 0.005 else 2
