"""How the columns of each file are read, from all their values that are not written plainly: polars in, polars out.

A page is a frame of distinct values: `path` (of the file), `value`, `rows` (how often it occurs), `bare` (the value
without blanks around it), `nothing` (it says that there is no value). What a page says is summed over all pages of a
column, every file of it is decided, and each page becomes `path, value, meant, nothing, why`: null in `meant` where a
value says nothing or is refused; `why` then says more or is empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from pipelines.extraction.checking import FIRST_SECOND, LAST_SECOND
from pipelines.values.dates import DAY_MONTH, MONTH, dates_in, order_fits
from pipelines.values.keys import canonical, identifies_nobody
from pipelines.values.numbers import CURRENCY, numbers_in
from pipelines.values.words import NO_VALUE_WORDS, booleans, commoner, says_nothing

TOLERATED = 0.05
"""Share of a column's rows that may speak against the others: errors, not another way of writing."""
UNITS = {"s": (1.0, 0.0), "ms": (1e-3, 0.0), "us": (1e-6, 0.0), "day": (86_400.0, 25_569.0)}
"""Seconds of one, and what 1970-01-01 is: seconds, milli- and microseconds since 1970, a spreadsheet's days."""
UNITS_IN_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "day": "a spreadsheet's days"}
YEARS_BACK = 15
"""From so many years ago to the next year: the first of three parts with two digits may be the year."""
LARGEST_WHOLE = 2.0**53
"""Whole numbers beyond it collide as Float64."""

SHORT = r"^\d{1,2}[-/.]\d{1,2}[-/.]\d{2}(?:$|[T,\s])"
SHORT_NAMED = rf"(?i)^\D*\d{{1,2}}(?:st|nd|rd|th)?[-\s.]+{MONTH}\.?,?[-\s]+\d{{2}}(?:$|[T,\s])"
DIGITS = r"^-?\d+(?:\.\d+)?$"
ZONED = r"(?i):\d{2}.*(?:Z|UTC|GMT|[-+]\d{2}(?::?\d{2})?)$"
POINT_ZERO, LOST_DIGITS = r"^-?\d+\.0$", r"^-?\d(?:[.,]\d+)?[eE]\+\d+$"

MIXED_MARKS = "decimal points and decimal commas are mixed in this column: export it again with one of them"
MIXED_ORDERS = "day first and month first are mixed in this column: export dates as 2024-01-31"
OPEN_ORDER = (
    "day and month cannot be told apart: write `{source}: {{folder: ..., date_format: day_first}}`, or month_first, in"
    " sources.yaml, or export dates as 2024-01-31"
)
WHICH_YEAR = "which part is the year cannot be told: export years with four digits"
NO_YEAR = "with two digits the year cannot be told: export years with four digits"
NO_DIGITS = "its digits are lost: export the column as text"
NOBODYS = "it stands for nobody"


@dataclass(frozen=True)
class Question:
    """What is to be known of a column, beside its values."""

    name: str
    kind: str
    """`number`, `whole`, `time`, `boolean` or `identifier`."""
    unit: str = ""
    """Of an epoch column: `s` or `ms`."""
    is_date: bool = False
    is_key: bool = False
    this_year: int = 0
    last_year: int = 0
    """The latest that a year of two digits may be."""
    order: str = ""
    """`dmy` or `mdy` where the user or the contract says it."""
    source: str = ""
    """For messages."""
    form: str = ""
    """Of an identifier: one of `values.keys.FORMS`."""


@dataclass
class Evidence:
    """What all pages of a column say, by file."""

    question: Question
    filled: Mapping[str, int]
    """Rows with a value, by file."""
    frames: dict[str, list[pl.DataFrame]] = field(default_factory=dict)

    def add(self, page: pl.DataFrame) -> None:
        """Count what a page says."""
        count = {"number": _marks, "whole": _marks, "time": _shapes, "identifier": _point_zeros}
        if self.question.kind in count:
            for name, frame in count[self.question.kind](page, self.question).items():
                self.frames.setdefault(name, []).append(frame)

    def total(self, name: str, by: Sequence[str] = ("path",)) -> list[dict]:
        """The sums of one kind of count, a dictionary a group."""
        return pl.concat(self.frames[name]).group_by(by).sum().sort(by).to_dicts()


@dataclass
class Decision:
    """How a column is read in each file; empty where its kind leaves nothing to decide."""

    marks: dict[str, str] = field(default_factory=dict)
    """File → decimal mark, empty where they are mixed."""
    orders: dict[tuple[str, str], tuple[str, str, str]] = field(default_factory=dict)
    """(file, separator) → order of day and month, why it is refused, why years of two digits are."""
    units: dict[str, str] = field(default_factory=dict)
    """File → unit of its numbers, empty where they are no times."""
    stripped: set[str] = field(default_factory=set)
    """Files in which every identifier that stands for somebody ends in `.0`."""


def prepared(values: pl.DataFrame, kind: str) -> pl.DataFrame:
    """A page of `path, value, rows` with its `bare` and `nothing`."""
    extra = NO_VALUE_WORDS if kind in ("number", "whole", "time") else frozenset()
    nothing = pl.lit(False) if kind == "identifier" else says_nothing(values["value"], (), extra)
    return values.with_columns(pl.col("value").str.strip_chars().alias("bare"), nothing.alias("nothing"))


def decide(evidence: Sequence[Evidence], hint: str) -> list[Decision]:
    """
    Decide each column of each file; what a column leaves open, the others of its file decide.

    `hint`: the decimal mark where no column of a file knows.
    """
    decisions = [Decision() for _ in evidence]
    numbers = [(item, decisions[n]) for n, item in enumerate(evidence) if item.question.kind in ("number", "whole")]
    times = [(item, decisions[n]) for n, item in enumerate(evidence) if item.question.kind == "time"]
    _decide_marks(numbers, hint)
    _decide_orders(times)
    for item, decision in times:
        decision.units = {row["path"]: _unit(row, item) for row in item.total("digits")}
    for item, decision in zip(evidence, decisions, strict=True):
        if item.question.kind == "identifier":
            rows = item.total("zeros")
            decision.stripped = {
                row["path"]
                for row in rows
                if item.question.form == "number" or row["zeros"] == item.filled.get(row["path"], 0) - row["nobody"]
            }
    return decisions


def meanings(page: pl.DataFrame, question: Question, decision: Decision) -> pl.DataFrame:
    """What each value of a page means: `path, value, bare, meant, nothing, why`; plain values may be left out."""
    read = {
        "number": _as_numbers,
        "whole": _as_numbers,
        "time": _as_times,
        "boolean": _as_booleans,
        "identifier": _as_identifiers,
    }[question.kind](page, question, decision)
    return read.with_columns(
        pl.when(~pl.col("nothing")).then(pl.col("meant")).alias("meant"), pl.col("why").fill_null("")
    )


def descriptions(read: pl.DataFrame, question: Question, decision: Decision) -> dict[str, list[str]]:
    """What to say of a page that was read: file → parts of a sentence about the column."""
    good = read.filter(pl.col("meant").is_not_null())
    bare = good["bare"]
    by_file: dict[str, list[str]] = {}

    def say(paths: pl.Series, words: str) -> None:
        for path in paths.unique().sort():
            by_file.setdefault(path, []).append(words)

    if question.kind in ("number", "whole"):
        mark = good["path"].replace_strict(decision.marks, return_dtype=pl.String)
        for sign, as_decimal, as_group in ((",", "a decimal comma", "commas"), (".", "", "points")):
            has = bare.str.contains(sign, literal=True)
            if as_decimal:
                say(good.filter(has & (mark == sign))["path"], f"has {as_decimal}")
            say(good.filter(has & (mark != sign))["path"], f"has {as_group} between thousands")
        say(good.filter(bare.str.contains(CURRENCY))["path"], "has currency signs")
        say(good.filter(bare.str.ends_with("%"))["path"], "has percentages (12% is 12)")
    if question.kind == "time":
        is_day_month = bare.str.contains(DAY_MONTH)
        days = good.select("path", _separator(bare).alias("separator"), bare.str.contains(SHORT).alias("is_short"))
        days = days.filter(is_day_month).group_by("path", "separator").agg(pl.col("is_short").any())
        for path, separator, is_short in days.sort("path", "separator").rows():
            parts = {"dmy": ("day", "month", "year"), "mdy": ("month", "day", "year")}
            parts_in_order = separator.join(parts[decision.orders[path, separator][0]])
            by_file.setdefault(path, []).append(f"is {parts_in_order}{' (two digits)' if is_short else ''}")
        digits = bare.str.contains(DIGITS)
        unit = good["path"].replace_strict(decision.units, default="", return_dtype=pl.String)
        for name, words in UNITS_IN_WORDS.items():
            say(good.filter(digits & (unit == name) & (unit != question.unit))["path"], f"is counted in {words}")
        if question.unit:
            say(good.filter(~digits)["path"], "is written as dates")
    if question.kind == "identifier":
        say(good.filter(bare.str.contains(POINT_ZERO))["path"], "is read without its `.0`")
        is_longer = good["meant"].str.len_chars() > bare.str.len_chars()
        say(good.filter(is_longer)["path"], "has Salesforce's ids of 15 characters, which are read as those of 18")
        for path, values in read.filter(pl.col("why") == NO_DIGITS, pl.col("nothing")).group_by(
            "path", maintain_order=True
        ):
            by_file.setdefault(path[0], []).append(
                f"has lost its digits ('{values['bare'].min()}'), which counts as nothing: export it as text"
            )
        read = read.filter(pl.col("why") != NO_DIGITS)
    words = read.filter(pl.col("nothing") & (pl.col("bare") != ""))
    for path, values in words.group_by("path", maintain_order=True):
        shown = ", ".join(f"'{word}'" for word in sorted(set(values["bare"]))[:3])
        by_file.setdefault(path[0], []).append(f"says nothing with {shown}")
    return by_file


# Numbers


def _marks(page: pl.DataFrame, question: Question) -> dict[str, pl.DataFrame]:
    point, comma = (_read_number(page["bare"], mark, question).is_not_null() for mark in ".,")
    rows = pl.col("rows")
    counted = page.select("path", (rows * (point & ~comma)).alias("point"), (rows * (comma & ~point)).alias("comma"))
    return {"marks": counted.group_by("path").sum()}


def _read_number(bare: pl.Series, mark: str, question: Question) -> pl.Series:
    numbers = numbers_in(bare, mark)
    if question.kind == "whole":
        is_whole = (numbers == numbers.floor()) & (numbers.abs() < LARGEST_WHOLE)
        numbers = numbers.set(~is_whole.fill_null(True), None)
    return numbers


def _decide_marks(columns: Sequence[tuple[Evidence, Decision]], hint: str) -> None:
    votes: dict[str, list[str]] = {}
    for item, decision in columns:
        for row in item.total("marks"):
            mark = _leading(".", row["point"], ",", row["comma"])
            if mark:
                votes.setdefault(row["path"], []).append(mark)
            decision.marks[row["path"]] = "?" if mark is None else mark
    for _, decision in columns:
        for path, mark in decision.marks.items():
            if mark == "?":
                decision.marks[path] = commoner(votes.get(path, []), ".", ",") or hint


def _leading(first: str, for_first: int, second: str, for_second: int) -> str | None:
    """Which of two readings a column's rows speak for: None for neither, empty where too many speak for the other."""
    if not for_first and not for_second:
        return None
    if min(for_first, for_second) > TOLERATED * (for_first + for_second):
        return ""
    return first if for_first > for_second else second


def _as_numbers(page: pl.DataFrame, question: Question, decision: Decision) -> pl.DataFrame:
    mark = page["path"].replace_strict(decision.marks, return_dtype=pl.String)
    numbers = _read_number(page["bare"], ".", question).set(mark != ".", None)
    numbers = numbers.zip_with(mark != ",", _read_number(page["bare"], ",", question))
    why = pl.when((mark == "") & page["bare"].str.contains(r"\d[.,]")).then(pl.lit(MIXED_MARKS))
    return page.with_columns(numbers.alias("meant"), why.alias("why"))


# Times


def _separator(bare: pl.Series) -> pl.Series:
    return bare.str.extract(r"^\d{1,2}([-/.])")


def _shapes(page: pl.DataFrame, question: Question) -> dict[str, pl.DataFrame]:
    rows = pl.col("rows")
    days = page.filter(~pl.col("nothing") & pl.col("bare").str.contains(DAY_MONTH))
    bare = days["bare"]
    dmy, mdy = order_fits(bare)
    short = bare.str.contains(SHORT)
    year = bare.str.extract(r"^\d+\D\d+\D(\d+)").cast(pl.Int32, strict=False)
    first_year = dates_in("20" + bare, "ymd").dt.year()
    is_near = first_year.is_between(question.this_year - YEARS_BACK, question.this_year + 1)
    could_be_first = bare.str.contains(r"^\d\d\D") & is_near.fill_null(False)
    counted = days.select(
        "path",
        _separator(bare).alias("separator"),
        (rows * (dmy & ~mdy)).alias("dmy"),
        (rows * (mdy & ~dmy)).alias("mdy"),
        (rows * short).alias("short"),
        (rows * (short & could_be_first)).alias("year_first"),
        (rows * (short & (2000 + year > question.last_year))).alias("late"),
    )
    number = page["bare"].str.contains(DIGITS)
    seconds = {unit: _seconds(page["bare"], unit) for unit in UNITS}
    digits = page.select(
        "path",
        (rows * pl.col("nothing")).alias("nothing"),
        *((rows * (number & _in_range(second))).alias(unit) for unit, second in seconds.items()),
    )
    return {"orders": counted.group_by("path", "separator").sum(), "digits": digits.group_by("path").sum()}


def _seconds(bare: pl.Series, unit: str) -> pl.Series:
    """Numbers in a unit as seconds since 1970, null for other values."""
    size, start = UNITS[unit]
    return (bare.cast(pl.Float64, strict=False) - start) * size


def _in_range(seconds: pl.Series) -> pl.Series:
    return seconds.is_between(FIRST_SECOND, LAST_SECOND, closed="left").fill_null(False)


def _unit(row: Mapping[str, int], evidence: Evidence) -> str:
    """The unit of a file's numbers: that of nearly all its values, else the contract's own."""
    filled = evidence.filled[row["path"]] - row["nothing"]
    fits = [unit for unit in UNITS if row[unit] and row[unit] >= (1 - TOLERATED) * filled]
    return fits[0] if fits else evidence.question.unit


def _decide_orders(columns: Sequence[tuple[Evidence, Decision]]) -> None:
    found: list[tuple[dict, str | None, Evidence, Decision]] = []
    votes: dict[tuple[str, str], list[str]] = {}
    year_last: set[tuple[str, str]] = set()
    for item, decision in columns:
        for row in item.total("orders", ("path", "separator")):
            order = _leading("dmy", row["dmy"], "mdy", row["mdy"])
            if order:
                votes.setdefault((row["path"], row["separator"]), []).append(order)
            if row["short"] > row["year_first"] or row["separator"] == ".":
                year_last.add((row["path"], row["separator"]))
            found.append((row, order, item, decision))
    for row, order, item, decision in found:
        place, why, short_why = (row["path"], row["separator"]), "", ""
        if item.question.order:
            order = item.question.order
        elif order is None:
            # Dates with points are written day first.
            order = commoner(votes.get(place, []), "dmy", "mdy") or ("dmy" if place[1] == "." else "")
            why = "" if order else OPEN_ORDER.format(source=item.question.source)
        elif not order:
            why = MIXED_ORDERS
        if row["short"] and place not in year_last:
            short_why = WHICH_YEAR
        elif row["late"] > TOLERATED * row["short"]:
            short_why = NO_YEAR
        decision.orders[place] = (order, why, short_why)


def _as_times(page: pl.DataFrame, question: Question, decision: Decision) -> pl.DataFrame:
    """`meant`: Datetime; also `local`: it is written in the source's own time zone."""
    bare = page["bare"]
    unit = page["path"].replace_strict(decision.units, default="", return_dtype=pl.String)
    number, day_month = bare.str.contains(DIGITS), bare.str.contains(DAY_MONTH)
    if question.unit:
        plain = number & (unit == question.unit)
        page, bare, unit, number, day_month = (part.filter(~plain) for part in (page, bare, unit, number, day_month))
    meant = pl.Series("meant", [None] * page.height, dtype=pl.Datetime("us"))
    shaped = ~day_month if not question.unit else ~day_month & ~number
    meant = _filled(meant, shaped, dates_in(bare.filter(shaped), "ymd"))
    for name in UNITS:
        here = number & (unit == name)
        seconds = _seconds(bare.filter(here), name)
        at = (seconds.set(~_in_range(seconds), None) * 1e3).round().cast(pl.Int64) * 1000
        meant = _filled(meant, here, at.cast(pl.Datetime("us")))
    place = page.select("path", _separator(bare).alias("separator"))
    decided = pl.DataFrame(
        [(*where, *how) for where, how in decision.orders.items()],
        schema=dict.fromkeys(("path", "separator", "order", "why", "short_why"), pl.String),
        orient="row",
    )
    place = place.join(decided, on=["path", "separator"], how="left", maintain_order="left")
    short = bare.str.contains(SHORT)
    for order in ("dmy", "mdy"):
        here = (day_month & (place["order"] == order)).fill_null(False)
        meant = _filled(meant, here, dates_in(bare.filter(here), order))
    why = pl.when(pl.Series(day_month)).then(place["why"])
    refused = short & (place["short_why"].fill_null("") != "")
    year = meant.dt.year()
    no_year = (short | bare.str.contains(SHORT_NAMED)) & ~year.is_between(2000, question.last_year).fill_null(True)
    meant = meant.set(refused | no_year, None)
    local = (bare.str.contains(":", literal=True) & ~bare.str.contains(ZONED)) | bare.str.contains(r"^\d{8}T?\d{6}$")
    local = local | ((unit == "day") & bare.str.contains(r"\.\d*[1-9]")).fill_null(False)
    read = page.with_columns(
        meant.alias("meant"),
        pl.when(refused).then(place["short_why"]).when(no_year).then(pl.lit(NO_YEAR)).otherwise(why).alias("why"),
        local.alias("local"),
    )
    return read.with_columns(pl.when(pl.col("meant").is_null()).then(pl.col("why")).alias("why"))


def _filled(values: pl.Series, mask: pl.Series, part: pl.Series) -> pl.Series:
    return values.scatter(mask.arg_true(), part) if len(part) else values


# Words


def _as_booleans(page: pl.DataFrame, question: Question, decision: Decision) -> pl.DataFrame:
    return page.with_columns(booleans(page["bare"]).alias("meant"), pl.lit("").alias("why"))


def _point_zeros(page: pl.DataFrame, question: Question) -> dict[str, pl.DataFrame]:
    rows, nobody = pl.col("rows"), identifies_nobody(page["bare"], question.is_key)
    counted = page.select(
        "path", (rows * pl.col("bare").str.contains(POINT_ZERO)).alias("zeros"), (rows * nobody).alias("nobody")
    )
    return {"zeros": counted.group_by("path").sum()}


def _as_identifiers(page: pl.DataFrame, question: Question, decision: Decision) -> pl.DataFrame:
    """`meant`: String. What stands for nobody or has lost its digits is no reference; as a key it is refused."""
    bare = page["bare"]
    zero = bare.str.contains(POINT_ZERO) & page["path"].is_in(list(decision.stripped))
    plain = bare.zip_with(~zero, bare.str.strip_suffix(".0"))
    lost, nobody = bare.str.contains(LOST_DIGITS), identifies_nobody(plain, question.is_key)
    is_none = lost | nobody
    read = page.with_columns(
        canonical(plain, question.form).set(is_none, None).alias("meant"),
        (is_none & (not question.is_key)).alias("nothing"),
        pl.when(lost).then(pl.lit(NO_DIGITS)).when(nobody & question.is_key).then(pl.lit(NOBODYS)).alias("why"),
    )
    return read.filter(is_none | (pl.col("meant") != pl.col("value")))
