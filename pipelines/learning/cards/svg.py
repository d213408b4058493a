"""Where the marks of a picture lie; `templates/macros.html.j2` draws them.

A `Plot` has axes and scales with the page. A strip is one cell of a table: as wide as the cell, everything in it placed
by percent, so that text keeps its size on a phone. The table says what a strip shows, so strips are hidden from screen
readers.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

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

    WIDTH, HEIGHT = 400, 300
    LEFT, RIGHT, TOP, BOTTOM = 44, 384, 16, 256
    """Where the axes begin and end in the drawing."""

    key: str
    """Unique on the page."""
    title: str
    text: str
    """What it shows, for those who cannot see it."""
    across: str
    """What the horizontal axis shows."""
    up: str
    end_across: float = 1.0
    """Where the horizontal axis ends."""
    end_up: float = 1.0
    names: Sequence[tuple[float, str]] | None = None
    """The horizontal ticks; shares when None."""
    levels: Sequence[tuple[float, str]] | None = None
    """The vertical ticks; shares when None."""
    marks: list[dict] = field(default_factory=list)
    """What is drawn: a `shape` of SVG each, with its place, style and words."""

    def x(self, value: float) -> float:
        """Horizontal position in the drawing."""
        return self.LEFT + (self.RIGHT - self.LEFT) * value / self.end_across

    def y(self, value: float) -> float:
        """Vertical position in the drawing."""
        return self.BOTTOM - (self.BOTTOM - self.TOP) * value / self.end_up

    def line(self, points: Iterable[tuple[float, float]], style: str, shape: str = "polyline") -> None:
        """Straight pieces from point to point."""
        path = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in points)
        self.marks.append({"shape": shape, "points": path, "style": style})

    def area(self, points: Sequence[tuple[float, float]], style: str) -> None:
        """What lies between the points and the horizontal axis."""
        self.line([(points[0][0], 0.0), *points, (points[-1][0], 0.0)], style, "polygon")

    def dot(self, a: float, b: float, style: str, words: str, radius: float) -> None:
        """A point; `words` appear under the mouse."""
        place = {"x": self.x(a), "y": self.y(b), "radius": radius}
        self.marks.append({"shape": "circle", **place, "style": style, "words": words})

    def label(self, a: float, b: float, words: str, style: str, shift: tuple[float, float]) -> None:
        """Words beside a position; the classes `end` and `middle` say which part of them is there."""
        place = {"x": self.x(a) + shift[0], "y": self.y(b) + shift[1]}
        self.marks.append({"shape": "text", **place, "style": style, "words": words})

    def rows(self) -> list[tuple[float, str]]:
        """Vertical ticks: where, and what is written there."""
        shares = [(value, percent(value, _digits(self.end_up))) for value in ticks(self.end_up)]
        return [(self.y(value), shorten(words, 6)) for value, words in (shares if self.levels is None else self.levels)]

    def columns(self) -> list[tuple[float, str]]:
        """Horizontal ticks: where, and what is written there."""
        shares = [(value, percent(value, _digits(self.end_across))) for value in ticks(self.end_across)]
        return [(self.x(value), shorten(words, 12)) for value, words in (shares if self.names is None else self.names)]


def dots(first: int, last: int, across: int) -> str:
    """The path of the dots from `first` to before `last`, `across` in a row of 400."""
    step = 400 / across
    # A line of no length with round ends is a dot: one element for them all.
    return "".join(f"M{step * (n % across + 0.5):.0f} {step * (n // across + 0.5):.0f}h0" for n in range(first, last))


def along(share: float) -> str:
    """A position in a strip."""
    return f"{100 * min(1.0, max(0.0, share)):.2f}%"


def _digits(top: float) -> int:
    return 0 if top >= 0.05 else 1 if top >= 0.005 else 2
