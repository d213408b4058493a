"""What the columns of any table are: numbers, yes/no, dates, categories and text, found from the values themselves.

Nothing is decided by position or by a sample of rows: a column's kind follows from all its distinct values and how
often each occurs, so the order of rows does not matter. What is dropped or guessed on the way is told in notes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import polars as pl

from pipelines.learning.columns.kinds import kind_of
from pipelines.spelling import did_you_mean
from pipelines.values.dates import DATE_LOOK, DAY_MONTH, FIRST_YEAR, LAST_YEAR, dates_in, order_fits
from pipelines.values.numbers import CURRENCY, NUMBER, THOUSANDS_OR_DECIMALS, finite, numbers_in
from pipelines.values.words import (
    NO,
    NO_VALUE_WORDS,
    NOTHING_SIGNS,
    YES,
    booleans,
    commoner,
    means_nothing,
    says_nothing,
)

KINDS = ("number", "boolean", "date", "category", "text")
WISHES = (*KINDS, "number:point", "number:comma", "date:dmy", "date:mdy")
"""What an override may say; after the colon: the decimal mark, or the order of day and month."""

ODD_SHARE = 0.05
"""Most of a column that may fail to be a number (date) in a column of numbers (dates)."""
ODD_SHARE_SCHEME, ODD_WORDS = 0.01, 10
"""Typing errors are rare or few different ones; many different words in more rows are a scheme of codes (ICD)."""
LARGEST_WHOLE = 2.0**53
"""Whole numbers beyond it collide as Float64."""
TEXT_WORDS, TEXT_DISTINCT, TEXT_SHARE = 4.0, 20, 0.1
COUNTED = {
    "value": pl.String,
    "rows": pl.UInt32,
    "bare": pl.String,
    "word": pl.String,
    "missing": pl.Boolean,
    "real": pl.Boolean,
}
MANY_ROWS, DISTINCT_READ = 100_000, 10_000
"""Above the first, a column with far more different values than the second is judged by about so many of them."""
WRITTEN = {
    ".": "with decimal points",
    ",": "with decimal commas",
    "ymd": "the year first",
    "dmy": "the day first",
    "mdy": "the month first",
}
SENTINEL_SHARE, SENTINEL_GAP = 0.01, 10.0
FIRST_COMPACT_DATE = 1.9e7
"""19000000: no number below it is a day written as 20170131."""

# fmt: off
GRADES = frozenset(
    (
        "basic", "standard", "premium", "plus", "prime", "choice", "preferred",
        "elite", "gold", "silver", "platinum", "bronze", "classic", "pro",
        "enterprise",
    )
)
"""Beside one of these "Select" is a grade (beef, a tariff), not a prompt."""
# fmt: on
CODE_NAME = re.compile(
    r"(?i)(?:^|[_\W])(?:zip|zip_?code|post_?code|postal|postal_?code|plz|area_?code|phone|mobile|fax)(?:$|[_\W])"
)
"""Columns whose numbers have no size."""


@dataclass(frozen=True)
class TypePlan:
    """How each column is read; plain data throughout.

    `columns`: one dictionary each, in the table's order, with `name`, `source` (the name in the table it was learnt
    from), `kind` (number, boolean, date, category, text; kept and other are left as they are), `dtype` (of the
    converted column, a polars name), and by kind `decimal` ("." or ","), `order` ("ymd", "dmy", "mdy"), `times`,
    `whole` (only whole numbers), `real` (placeholder words that are values here) and `none` ("None" is missing beside
    True and False). `notes`: what was guessed, repaired or counted as missing.
    """

    columns: list[dict]
    notes: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> dict[str, str]:
        """Kind of each column by its (repaired) name."""
        return {column["name"]: column["kind"] for column in self.columns}

    @property
    def text(self) -> list[str]:
        """Names of the columns of free text."""
        return [column["name"] for column in self.columns if column["kind"] == "text"]

    def to_state(self) -> dict:
        """As plain values, for storage."""
        return {"columns": [dict(column) for column in self.columns], "notes": list(self.notes)}

    @classmethod
    def from_state(cls, state: dict) -> "TypePlan":
        """Back from plain values."""
        return cls([dict(column) for column in state["columns"]], list(state["notes"]))


@dataclass
class _Reading:
    """One column on its way: how it is to be read, and what the whole table may still change."""

    state: dict
    converted: pl.Series
    notes: list[str] = field(default_factory=list)
    votes: dict[str, int] = field(default_factory=dict)
    """Rows that speak for a decimal mark ("." or ",") or an order ("dmy" or "mdy")."""
    open: str = ""
    """Why the order of day and month, or what a point means, is not clear from this column alone; empty if it is."""
    read_as: str = ""
    """The order of day and month that `converted` was read with."""


def infer_types(
    frame: pl.DataFrame,
    overrides: Mapping[str, str] | None = None,
    text: Sequence[str] = (),
    keep: Sequence[str] = (),
) -> tuple[pl.DataFrame, TypePlan]:
    """Find out what every column is, and convert it.

    `frame`: any table; String columns are looked into, typed ones keep their kind. `overrides`: column to one of
    `WISHES`; `text`: columns of free text; `keep`: columns that stay exactly as they are (keys, the target).
    Returns a frame of the same rows with Float64 (number), Boolean, Date or Datetime (microseconds, UTC without
    zone), String (category, text), and the plan that `apply_types` repeats on another table.
    Raises ValueError for a column or kind that there is not, and for an override that fits none of the column's values.
    """
    names, notes = repaired_names(frame.columns)
    wishes = {**dict.fromkeys(text, "text"), **(overrides or {})}
    _check_wishes(wishes, keep, frame.columns, names)
    kept = set(keep)

    def read(position: int) -> _Reading:
        source, name = frame.columns[position], names[position]
        values = frame.to_series(position).alias(name)
        state = {"name": name, "source": source}
        if name in kept or source in kept:
            return _Reading({**state, "kind": "kept", "dtype": str(values.dtype)}, values)
        reading = _read(values, wishes.get(name, wishes.get(source)))
        reading.state = {**state, **reading.state, "dtype": str(reading.converted.dtype)}
        return reading

    readings = _each(read, len(names))
    _settle_together(readings, frame)
    for reading in readings:
        notes += [f"column `{reading.state['name']}`: {note}" for note in reading.notes]
    converted = pl.DataFrame([reading.converted for reading in readings])
    return converted, TypePlan([reading.state for reading in readings], notes)


def apply_types(plan: TypePlan, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Read another table as the plan says.

    Returns the plan's columns in its order and dtypes, and notes: values that did not fit (null), columns that are
    missing (all null). Kept columns that are missing are left out without a note, as are columns that the plan does
    not know.
    """
    names, _ = repaired_names(frame.columns)
    positions = {name: position for position, name in enumerate(names)}
    positions |= {source: position for position, source in enumerate(frame.columns)}

    def read(number: int) -> tuple[pl.Series | None, list[str]]:
        state = plan.columns[number]
        position = positions.get(state["source"], positions.get(state["name"]))
        if position is None:
            if state["kind"] == "kept":
                return None, []
            empty = pl.Series(state["name"], [None] * frame.height, dtype=_dtype(state))
            return empty, [f"column `{state['name']}` is missing; all its values count as missing"]
        return _apply(state, frame.to_series(position).alias(state["name"]))

    results = _each(read, len(plan.columns))
    converted = pl.DataFrame([values for values, _ in results if values is not None])
    return converted, [note for _, notes in results for note in notes]


def repaired_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Column names without blanks around them, none empty, none twice; and a note for each that was changed."""
    repaired: list[str] = []
    notes = []
    taken = {name for name in names if name == name.strip()}
    for position, name in enumerate(names, start=1):
        bare = new = name.strip() or f"column_{position}"
        number = 2
        while new in repaired or (new != name and new in taken):
            new, number = f"{bare}_{number}", number + 1
        repaired.append(new)
        if not name.strip():
            notes.append(f"column {position} has no name; it is called `{new}`")
        elif new != name:
            notes.append(f"column {position} is called `{new}` (its name in the table: '{name}')")
    return repaired, notes


def _check_wishes(wishes: Mapping[str, str], keep: Sequence[str], sources: Sequence[str], names: Sequence[str]) -> None:
    known = dict.fromkeys([*names, *sources])
    for name in [*wishes, *keep]:
        if name not in known:
            raise ValueError(f"The table has no column '{name}'.{did_you_mean(name, known)}")
    for name, wish in wishes.items():
        if wish not in WISHES:
            raise ValueError(f"Column '{name}' cannot be read as '{wish}'. Kinds are {', '.join(WISHES)}.")


def _each(task: Callable, count: int) -> list:
    """`task(0) ... task(count - 1)`, a few at a time: polars leaves Python's lock, but works on one column at once."""
    with ThreadPoolExecutor(max_workers=min(4, pl.thread_pool_size())) as pool:
        return list(pool.map(task, range(count)))


def _dtype(state: dict) -> pl.DataType:
    dates = pl.Datetime("us") if state.get("times") else pl.Date()
    return {"number": pl.Float64(), "boolean": pl.Boolean(), "date": dates}.get(state["kind"], pl.String())


def _settle_together(readings: Sequence[_Reading], frame: pl.DataFrame) -> None:
    """Read again what one column alone left open, as the other columns of the table do it.

    One export has one decimal mark and one order of day and month; each column that is sure of it has one vote.
    """
    orders = [reading.state["order"] for reading in readings if reading.votes and reading.state["kind"] == "date"]
    marks = [reading.state["decimal"] for reading in readings if reading.votes and reading.state["kind"] == "number"]
    comma_table = commoner(marks, ",", ".") == ","
    for position, reading in enumerate(readings):
        state, values = reading.state, frame.to_series(position)
        if values.dtype != pl.String or not reading.open:
            continue
        if state["kind"] == "number" and _only_threes(values, "." if state["decimal"] == "." else ","):
            if comma_table and state["decimal"] == ".":
                state["decimal"] = ","
                reading.converted, _ = _convert(values.alias(state["name"]), state)
                state["whole"] = _whole(reading.converted)
                reading.notes.append(
                    "`,` is taken for the decimal mark, as in other columns; else override `number:point`"
                )
            elif not marks and not _only_threes(values, ","):
                reading.notes.append(
                    "every point stands before three digits; taken for the decimal mark, else override `number:comma`"
                )
        if state["kind"] == "date" and state["order"] != "ymd":
            known = commoner(orders, "dmy", "mdy")
            why = "the first of a month is likelier than twelve days of one" if reading.open == "regular" else "a guess"
            if known:
                state["order"], why = known, "as in other columns"
            elif reading.open == "points":
                why = "dates with points are written so"
            if state["order"] != reading.read_as:
                reading.converted, _ = _convert(values.alias(state["name"]), state)
            first, other = ("day", "mdy") if state["order"] == "dmy" else ("month", "dmy")
            reading.notes.append(
                f"day and month cannot be told apart; the {first} is read first ({why}), else override `date:{other}`"
            )


def _only_threes(values: pl.Series, mark: str) -> bool:
    """Whether `mark` occurs, and always as in 1.234: one to three digits, the mark, three digits."""
    some = values.head(1_000)
    for part in (some, values):
        marked = part.filter(part.str.contains(mark, literal=True))
        if not marked.str.contains(THOUSANDS_OR_DECIMALS[mark]).all():
            return False
    return len(marked) > 0


# One column with a type


def _read(values: pl.Series, wish: str | None) -> _Reading:
    kind, _, detail = (wish or "").partition(":")
    if values.dtype in (pl.Categorical, pl.Enum):
        values, kind = values.cast(pl.String), kind or "category"
    if values.dtype == pl.String:
        return _read_strings(values.rechunk(), kind, detail)
    return _read_typed(values, kind)


def _read_typed(values: pl.Series, kind: str) -> _Reading:
    """A column that comes with a type keeps its kind, unless a wish says otherwise."""
    natural, notes = _natural_kind(values.dtype), []
    if values.dtype == pl.Null:
        return _Reading({"kind": kind or "category"}, values.cast(pl.String), ["has no values"])
    if natural == "other" and kind not in ("category", "text"):
        return _Reading({"kind": "other"}, values, [f"values of type {values.dtype} are left as they are"])
    state: dict = {"kind": kind or natural}
    if not kind and natural == "number":
        state, notes = _as_in_a_text(values)
    if state["kind"] == "date" and "order" not in state:
        state |= {"order": "ymd", "times": values.dtype != pl.Date}
    if state["kind"] == "number":
        state["decimal"] = "."
    reading = _Reading(state, *_converted_or_refused(values, state))
    reading.notes[:0] = notes
    return reading


def _as_in_a_text(values: pl.Series) -> tuple[dict, list[str]]:
    """How numbers with a type are read, and notes: flags, codes and days as where they stand in a file of texts."""
    numbers = finite(values.cast(pl.Float64, strict=False))
    low, high = numbers.min(), numbers.max()
    if (low, high) == (0.0, 1.0) and numbers.drop_nulls().is_in([0.0, 1.0]).all():
        return {"kind": "boolean"}, []
    may_be_days = low is not None and low >= FIRST_COMPACT_DATE
    if values.dtype.is_integer() and (may_be_days or CODE_NAME.search(values.name) or _beyond_floats(numbers)):
        words = as_words(values)
        if (times := _compact_dates(words, numbers)) is not None:
            return {"kind": "date", "order": "ymd", "times": times}, []
        if code := _why_no_size(words, numbers):
            return {"kind": "category"}, [code]
    return {"kind": "number"}, []


def _natural_kind(dtype: pl.DataType) -> str:
    return kind_of(dtype) or "other"


def _converted_or_refused(values: pl.Series, state: dict) -> tuple[pl.Series, list[str]]:
    """A column as the state says and what to tell of it. Raises ValueError where no value fits."""
    converted, bad = _convert(values, state)
    if len(bad) and converted.null_count() == len(converted):
        raise ValueError(
            f"Column '{values.name}' cannot be read as {state['kind']}: none of its values is one "
            f"('{values.gather(bad).cast(pl.String, strict=False).min()}', for example)."
        )
    if state["kind"] == "number":
        state["whole"] = _whole(converted)
    return converted, [*_odd_note(values, bad, state["kind"]), *_fillers(converted)]


def _convert_typed(values: pl.Series, state: dict) -> pl.Series:
    """A column that is no String as the state says; null where a value does not fit."""
    kind, dtype = state["kind"], values.dtype
    nothing = pl.Series(values.name, [None] * len(values), dtype=_dtype(state))
    if kind in ("category", "text"):
        return as_words(values)
    if kind == "number":
        if dtype == pl.Duration:
            return (values.dt.total_microseconds() / 86_400e6).alias(values.name)
        return finite(values.cast(pl.Float64, strict=False)) if dtype.is_numeric() or dtype == pl.Boolean else nothing
    if kind == "boolean":
        if dtype.is_numeric():
            numbers = values.cast(pl.Float64)
            return (numbers == 1).set(~numbers.is_in([0.0, 1.0]).fill_null(True), None)
        return values if dtype == pl.Boolean else nothing
    if dtype in (pl.Date, pl.Datetime):
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return values.cast(_dtype(state))
    return dates_in(values.cast(pl.String), "ymd").cast(_dtype(state)) if dtype.is_integer() else nothing


def as_words(values: pl.Series) -> pl.Series:
    """Values of any type as String, whole numbers without a decimal part: the same word in every file format."""
    if values.dtype.is_float() or values.dtype.is_decimal():
        numbers = finite(values.cast(pl.Float64))
        whole = (numbers == numbers.floor()) & (numbers.abs() < LARGEST_WHOLE)
        words = numbers.cast(pl.Int64, strict=False).cast(pl.String)
        return words.zip_with(whole.fill_null(True), numbers.cast(pl.String))
    if _natural_kind(values.dtype) == "other" and values.dtype.is_nested():
        return pl.Series(values.name, [None if value is None else str(value) for value in values.to_list()], pl.String)
    return values.cast(pl.String, strict=False)


# One column of strings


def _read_strings(values: pl.Series, kind: str, detail: str) -> _Reading:
    """Plain numbers go the short way; everything else is judged by its distinct values."""
    plain = _plain(values)
    numbers = len(plain) - plain.null_count()
    table = counted(values.filter(plain.is_null() & values.is_not_null()), alone=numbers == 0)
    found = table.filter(~pl.col("missing"))
    if kind in ("category", "text"):
        return _as_category(values, kind, table, [])
    if kind == "boolean":
        state = {"kind": "boolean", "none": True}
        return _Reading(state, *_converted_or_refused(values, state))
    if kind == "number":
        decimal, votes = _decimal_mark(values, plain, found)
        state = {"kind": "number", "decimal": {"point": ".", "comma": ","}.get(detail, decimal)}
        converted, notes = _converted_or_refused(values, state)
        return _Reading(state, converted, [*_unit_notes(found), *notes], votes)
    if kind == "date":
        every = counted(values)
        order, votes, is_open = _date_order(every)
        state = {"kind": "date", "order": detail or order, "times": _has_times(every)}
        converted, notes = _converted_or_refused(values, state)
        return _Reading(state, converted, notes, votes, "" if detail else is_open, state["order"])
    if numbers == 0 and found.is_empty():
        return _Reading({"kind": "category", "real": []}, _clean(values, []), ["has no values"])
    boolean = _maybe_boolean(values, plain, table, found)
    if boolean is not None:
        return boolean
    if numbers == 0 and not found["bare"].str.contains(r"\d").any():
        return _as_category(values, "", table, [])
    return (
        _maybe_number(values, plain, table, found)
        or _maybe_date(values, numbers, table, found)
        or _as_category(values, "", counted(values) if numbers else table, _nearly_notes(plain, found))
    )


def _plain(values: pl.Series) -> pl.Series:
    """Strings that are numbers as a program writes them, as Float64; null for others, and for `nan` and `inf`."""
    return finite(values.cast(pl.Float64, strict=False))


def counted(values: pl.Series, alone: bool = True) -> pl.DataFrame:
    """Distinct strings: `value` as in the table, `bare` (stripped), `word` (lower case), `rows`, `missing`, `real`.

    `real`: the word could be a placeholder, but is a value here. `alone`: the column has no plain numbers beside them.
    Of very many different values only some are counted, all rows of each: those whose hash says so, and placeholders.
    """
    if len(values) > MANY_ROWS and (distinct := values.approx_n_unique()) > 5 * DISTINCT_READ:
        some = values.hash(seed=0) % (distinct // DISTINCT_READ) == 0
        values = values.filter(some | says_nothing(values, ()))
    if values.is_empty():
        return pl.DataFrame(schema=COUNTED)
    table = (
        pl.LazyFrame({"value": values})
        .drop_nulls()
        .group_by("value")
        .agg(pl.len().alias("rows"))
        .with_columns(pl.col("value").str.strip_chars().alias("bare"))
        .with_columns(pl.col("bare").str.to_lowercase().alias("word"))
        .with_columns(means_nothing(pl.col("word"), ()).alias("missing"), pl.lit(False).alias("real"))
        .collect()
    )
    if not (alone and table["missing"].any()):
        return table
    real = pl.col("missing") & pl.col("word").is_in(_real_words(table))
    return table.with_columns(real.alias("real"), (pl.col("missing") & ~real).alias("missing"))


def _real_words(table: pl.DataFrame) -> list[str]:
    """Placeholder words that are values in this column, judged by the company that they keep.

    "NA" among two-letter codes (Namibia, North America), signs among signs, "Select" among grades.
    """
    others = table.filter(~pl.col("missing"))
    if others.is_empty():
        return []
    real = []
    if others.height >= 3 and others["bare"].str.contains(r"^[A-Z]{2}$").mean() >= 0.9:
        real.append("na")
    if not others["bare"].str.contains(r"[\p{L}\p{N}]").any():
        real += sorted(NOTHING_SIGNS)
    if others["word"].is_in(list(GRADES)).any():
        real.append("select")
    return real


def _convert(values: pl.Series, state: dict) -> tuple[pl.Series, pl.Series]:
    """A column as the state says, and the positions of values that do not fit (null there, as are placeholders)."""
    kind, name = state["kind"], values.name
    if values.dtype in (pl.Categorical, pl.Enum):
        values = values.cast(pl.String)
    if values.dtype != pl.String:
        converted = _convert_typed(values, state).alias(name)
        bad = converted.is_null() & values.is_not_null()
        if values.dtype.is_float():
            bad &= values.is_finite()
        return converted, bad.arg_true()
    if kind in ("category", "text"):
        return _clean(values, state.get("real", ())).alias(name), pl.Series([], dtype=pl.UInt32)
    if kind == "boolean":
        converted = _by_distinct(values, booleans, pl.Boolean())
    elif kind == "number" and state["decimal"] == ".":
        converted = _rest_by(values, _plain(values), lambda rest: numbers_in(rest, "."), pl.Float64())
    elif kind == "number":
        converted = _by_distinct(values, lambda part: numbers_in(part, ","), pl.Float64())
    else:
        dates = _by_distinct(values, lambda part: dates_in(part, state["order"]), pl.Datetime("us"))
        converted = dates.cast(_dtype(state))
    if converted.null_count() == values.null_count():
        return converted.alias(name), pl.Series([], dtype=pl.UInt32)
    empty = (converted.is_null() & values.is_not_null()).arg_true()
    python = frozenset(("none",)) if state.get("none") else frozenset()
    extra = python if kind == "boolean" else NO_VALUE_WORDS
    left = values.gather(empty)
    placeholder = _by_distinct(left, lambda part: says_nothing(part, (), extra), pl.Boolean())
    return converted.alias(name), empty.filter(~placeholder)


def _by_distinct(values: pl.Series, function: Callable[[pl.Series], pl.Series], dtype: pl.DataType) -> pl.Series:
    """`function` of a column of strings, worked out once per distinct value where they repeat."""
    if len(values) > MANY_ROWS and values.approx_n_unique() * 3 > len(values):
        return function(values).cast(dtype)
    distinct = values.drop_nulls().unique()
    if len(distinct) * 3 > len(values) or distinct.is_empty():
        return function(values).cast(dtype)
    return values.replace_strict(distinct, function(distinct), default=None, return_dtype=dtype)


def _rest_by(
    values: pl.Series, done: pl.Series, function: Callable[[pl.Series], pl.Series], dtype: pl.DataType
) -> pl.Series:
    """`done`, with `function` of the values for which it is null."""
    rest = (done.is_null() & values.is_not_null()).arg_true()
    if rest.is_empty():
        return done
    return done.scatter(rest, _by_distinct(values.gather(rest), function, dtype))


def _clean(values: pl.Series, real: Sequence[str]) -> pl.Series:
    """Strings without blanks around them, placeholders as null."""

    def clean(part: pl.Series) -> pl.Series:
        return part.str.strip_chars().set(says_nothing(part, real), None)

    return _by_distinct(values, clean, pl.String())


# Yes and no


def _maybe_boolean(values: pl.Series, plain: pl.Series, table: pl.DataFrame, found: pl.DataFrame) -> _Reading | None:
    """Both words of one pair (or "yes", "no", "true", "false" alone), and no others."""
    if found.height > 2 * (len(YES) + len(NO)):
        return None
    low, high = plain.min(), plain.max()
    if low is not None and (low < 0 or high > 1 or not plain.is_in([0.0, 1.0]).all()):
        return None
    words = set(found["word"]) | {"1" if number else "0" for number in plain.drop_nulls().unique()}
    words = {word.removesuffix(".0") for word in words}
    python = "none" in words and words & {"true", "false"}
    words -= {"none"} if python else set()
    pair = any({yes, no} <= words for yes, no in zip(YES, NO, strict=True))
    alone = words <= {"yes", "true"} or words <= {"no", "false"}
    if not words or not words <= {*YES, *NO} or not (pair or alone):
        return None
    state = {"kind": "boolean", "none": bool(python)}
    converted, _ = _convert(values, state)
    return _Reading(state, converted, _missing_note(table))


# Numbers


def _decimal_mark(values: pl.Series, plain: pl.Series, found: pl.DataFrame) -> tuple[str, dict[str, int]]:
    """The decimal mark that the whole column speaks for, and the rows for each (none where all have two readings)."""
    only = {".": 0, ",": 0}
    if len(found):
        point, comma = (found["bare"].str.contains(NUMBER[mark]) for mark in ".,")
        only["."] = int(found.filter(point & ~comma)["rows"].sum())
        only[","] = int(found.filter(comma & ~point)["rows"].sum())
    if only[","]:
        rows = values.filter(plain.is_not_null())
        only["."] += int((~rows.str.strip_chars().str.contains(NUMBER[","])).sum())
    elif not only["."]:
        dotted = values.head(1_000).filter(plain.head(1_000).is_not_null())
        dotted = dotted.filter(dotted.str.contains(".", literal=True))
        only["."] = int((~dotted.str.contains(THOUSANDS_OR_DECIMALS["."])).sum())
    return "," if only[","] > only["."] else ".", {mark: rows for mark, rows in only.items() if rows}


def _maybe_number(values: pl.Series, plain: pl.Series, table: pl.DataFrame, found: pl.DataFrame) -> _Reading | None:
    decimal, votes = _decimal_mark(values, plain, found)
    if found.is_empty():
        good, odd = len(plain) - plain.null_count(), found
    else:
        fits = found["bare"].str.contains(NUMBER[decimal])
        odd = found.filter(~fits & ~found["word"].is_in(list(NO_VALUE_WORDS)))
        good = int(found.filter(fits)["rows"].sum()) + len(plain) - plain.null_count()
        if decimal == ",":
            good -= votes.get(".", 0) - int(found.filter(~fits & found["bare"].str.contains(NUMBER["."]))["rows"].sum())
    if not _nearly_all(good, odd, votes.get(".", 0) if decimal == "," else 0):
        return None
    state = {"kind": "number", "decimal": decimal}
    converted, bad = _convert(values, state)
    if not _confirmed(values, converted, bad):
        return None
    code, is_date = _why_no_size(values, converted), _compact_dates(values, converted)
    if is_date is not None:
        state = {"kind": "date", "order": "ymd", "times": is_date}
        converted, bad = _convert(values, state)
        return _Reading(
            state, converted, [*_missing_note(table), *_odd_note(values, bad, "date"), *_fillers(converted)]
        )
    if code:
        return _as_category(values, "category", counted(values), [code])
    state["whole"] = _whole(converted)
    notes = [*_missing_note(table, NO_VALUE_WORDS), *_odd_note(values, bad, "number"), *_unit_notes(found)]
    return _Reading(state, converted, [*notes, *_fillers(converted)], votes, "" if votes else "mark")


def _nearly_all(good: int, odd: pl.DataFrame, more_odd: int = 0) -> bool:
    """Whether so few rows and so few different words are odd that they are errors, not values of their own."""
    rows = int(odd["rows"].sum()) + more_odd
    share = rows / max(1, good + rows)
    return good > 0 and share <= ODD_SHARE and (odd.height <= ODD_WORDS or share <= ODD_SHARE_SCHEME)


def _confirmed(values: pl.Series, converted: pl.Series, bad: pl.Series) -> bool:
    """The same, asked of all rows after they were converted."""
    if bad.is_empty():
        return True
    odd = pl.DataFrame({"value": values.gather(bad)}).group_by("value").agg(pl.len().alias("rows"))
    return _nearly_all(len(converted) - converted.null_count(), odd)


def _why_no_size(values: pl.Series, numbers: pl.Series) -> str | None:
    """Why a column of numbers is a code: zeros in front, more digits than a number can hold, or its name."""
    if _beyond_floats(numbers):
        return "its numbers are too long to be told apart as numbers; read as a category"
    if values.str.starts_with("0").any():
        rows = values.filter(numbers.is_not_null()).str.strip_chars()
        padded = rows.str.contains(r"^0\d{2,}$")
        lengths = rows.str.len_bytes()
        if padded.any() and rows.str.contains(r"^\d+$").all():
            share = float(padded.mean())
            if share >= ODD_SHARE_SCHEME or lengths.min() == lengths.max():
                return f"codes: zeros stand in front of {int(padded.sum()):,} of its numbers; read as a category"
    if CODE_NAME.search(values.name) and _whole(numbers):
        return "by its name its numbers have no size; read as a category"
    return None


def _beyond_floats(numbers: pl.Series) -> bool:
    sizes = numbers.drop_nulls().abs()
    return len(sizes) > 0 and (sizes.max() or 0) >= LARGEST_WHOLE and float((sizes >= LARGEST_WHOLE).mean()) >= 0.5


def _whole(numbers: pl.Series) -> bool:
    return bool((numbers == numbers.floor()).all())


def _compact_dates(values: pl.Series, numbers: pl.Series) -> bool | None:
    """Whether numbers are dates written 20170131 (False) or 20170131093000 (True: with times); None if not.

    Of ordinary numbers between 19,000,101 and 21,001,231 one in 27 is a day; five different ones are no accident.
    """
    low, high = numbers.min(), numbers.max()
    if low is None or not ((low >= FIRST_COMPACT_DATE and high < 2.101e7) or (low >= 1.9e13 and high < 2.101e13)):
        return None
    written = values.filter(numbers.is_not_null()).unique()
    if len(written) < 5 or dates_in(written, "ymd").null_count():
        return None
    return low >= 1.9e13


def _unit_notes(found: pl.DataFrame) -> list[str]:
    """What units the numbers carry, where they are not all the same."""
    notes = []
    if found.is_empty():
        return notes
    signs = found.with_columns(pl.col("bare").str.extract(rf"({CURRENCY})").alias("sign")).drop_nulls("sign")
    signs = sorted(
        set(signs.filter(signs["bare"].str.contains(NUMBER["."]) | signs["bare"].str.contains(NUMBER[","]))["sign"])
    )
    if len(signs) > 1:
        notes.append(f"has amounts in {', '.join(signs)}; they are taken as they stand, not converted")
    if found["bare"].str.ends_with("%").any():
        notes.append("has percentages; 12% is read as 12")
    return notes


def _fillers(values: pl.Series) -> list[str]:
    """Blatant stand-ins for "not known", which are left alone: 999 far above all others, -1 as the only negative."""
    notes = []
    if values.dtype == pl.Float64 and len(values) > values.null_count():
        for end in (values.min(), values.max()):
            nines = end == round(end) and abs(end) >= 99 and set(f"{abs(end):.0f}") == {"9"}
            if not (nines or end == -1):
                continue
            rest = values.filter(values != end)
            rows = len(values) - values.null_count() - len(rest)
            if rows < max(5, SENTINEL_SHARE * len(values)) or rest.is_empty():
                continue
            low, high = rest.min(), rest.max()
            if (end < 0 <= low) or (nines and abs(end) >= SENTINEL_GAP * max(abs(low), abs(high), 1.0)):
                notes.append(f"{end:.0f} in {rows:,} rows looks like a stand-in for a missing value; left as it is")
    if values.dtype in (pl.Date, pl.Datetime):
        years = values.dt.year()
        rows = int(((years < FIRST_YEAR) | (years > LAST_YEAR)).sum())
        if rows:
            notes.append(
                f"{rows:,} dates are before the year {FIRST_YEAR} or after {LAST_YEAR}; they are left as they are"
            )
    return notes


# Dates


def _has_times(table: pl.DataFrame) -> bool:
    return bool(table["bare"].str.contains(r":\d{2}|^\d{8}T|^\d{14}").any())


def _date_order(table: pl.DataFrame) -> tuple[str, dict[str, int], str]:
    """The order of day and month that the whole column speaks for, the rows for each, and why it is open if it is.

    Where both fit, a part that never changes is likelier the day (firsts of months) than the month.
    """
    table = table.filter(pl.col("bare").str.contains(DAY_MONTH))
    if table.is_empty():
        return "ymd", {}, ""
    dmy, mdy = order_fits(table["bare"])
    votes = {"dmy": int(table.filter(dmy & ~mdy)["rows"].sum()), "mdy": int(table.filter(mdy & ~dmy)["rows"].sum())}
    if votes["dmy"] != votes["mdy"]:
        return max(votes, key=votes.__getitem__), {order: rows for order, rows in votes.items() if rows}, ""
    first, second = (table["bare"].str.extract(rf"^(?:\d+\D){{{skip}}}(\d+)").n_unique() for skip in (0, 1))
    if first != second and min(first, second) == 1:
        return ("dmy" if first == 1 else "mdy"), {}, "regular"
    if table["bare"].str.contains(r"^\d+\.").all():
        return "dmy", {}, "points"
    return "mdy", {}, "guess"


def _maybe_date(values: pl.Series, numbers: int, table: pl.DataFrame, found: pl.DataFrame) -> _Reading | None:
    look = found["bare"].str.contains(DATE_LOOK)
    rows = int(found["rows"].sum()) + numbers
    if rows == 0 or int(found.filter(look)["rows"].sum()) < rows / 2 - int(
        found.filter(found["word"].is_in(list(NO_VALUE_WORDS)))["rows"].sum()
    ):
        return None
    order, votes, is_open = _date_order(found)
    fits = dates_in(found["bare"], order).is_not_null()
    odd = found.filter(~fits & ~found["word"].is_in(list(NO_VALUE_WORDS)))
    if not _nearly_all(int(found.filter(fits)["rows"].sum()), odd, numbers):
        return None
    short = found["bare"].str.contains(r"^\d{1,2}[-/.]\d{1,2}[-/.]\d{2}(?:$|\D)")
    notes = []
    if short.any():
        yearless = found.filter(short)["bare"]
        year_first = dates_in("20" + yearless, "ymd").null_count() == 0
        if is_open or year_first:
            note = "looks like dates with two-digit years, but which part is what is not clear; read as words, "
            return _as_category(values, "category", table, [note + "else override `date:dmy` or `date:mdy`"])
        notes.append("years of two digits are read as 1969 to 2068")
    state = {"kind": "date", "order": order, "times": _has_times(found.filter(fits))}
    converted, bad = _convert(values, state)
    if not _confirmed(values, converted, bad):
        return None
    notes += [*_missing_note(table, NO_VALUE_WORDS), *_odd_note(values, bad, "date"), *_fillers(converted)]
    return _Reading(state, converted, notes, votes, is_open, order)


# Words


def _as_category(values: pl.Series, kind: str, table: pl.DataFrame, notes: list[str]) -> _Reading:
    """Strings that stay strings; without a wish, text or category by how many long values there are."""
    kind = kind or ("text" if _is_text(table) else "category")
    real = sorted(set(table.filter(pl.col("real"))["word"]))
    whole = len(values) - values.null_count() == table["rows"].sum()
    clean = whole and not (table["missing"] | (table["bare"] != table["value"])).any()
    converted = values if clean else _clean(values, real).alias(values.name)
    if real:
        notes = [*notes, f"{_quoted(table.filter(pl.col('real')))} is taken for a value, by the others of the column"]
    return _Reading({"kind": kind, "real": real}, converted, [*notes, *_missing_note(table)])


def _is_text(table: pl.DataFrame) -> bool:
    """Many different values of several words each (a word has two letters, or two Chinese or Japanese signs)."""
    found = table.filter(~pl.col("missing"))
    distinct = found.height
    if distinct < TEXT_DISTINCT or distinct < TEXT_SHARE * found["rows"].sum():
        return False
    words = found["bare"].str.count_matches(r"(?:^|\s)\S*?\p{L}{2}")
    signs = found["bare"].str.count_matches(r"[\p{Han}\p{Hiragana}\p{Katakana}]")
    return float((words + signs / 2).mean() or 0.0) >= TEXT_WORDS


# Notes


def _quoted(table: pl.DataFrame) -> str:
    """The most frequent values with how often they occur: 'Select' (1,942 rows), 'N/A' (3 rows)."""
    spelled = table.group_by("bare").agg(pl.col("rows").sum()).sort(["rows", "bare"], descending=[True, False])
    words = [f"'{word[:40]}' ({rows:,} row{'s' if rows > 1 else ''})" for word, rows in spelled.head(3).rows()]
    return ", ".join(words) + (f" and {spelled.height - 3} more" if spelled.height > 3 else "")


def _missing_note(table: pl.DataFrame, extra: frozenset[str] = frozenset()) -> list[str]:
    """Which words are counted as missing; blanks go without saying."""
    if table.is_empty():
        return []
    counted_as_missing = table.filter((pl.col("missing") | pl.col("word").is_in(list(extra))) & (pl.col("word") != ""))
    return [f"{_quoted(counted_as_missing)}: counted as missing"] if counted_as_missing.height else []


def _odd_note(values: pl.Series, bad: pl.Series, kind: str) -> list[str]:
    if bad.is_empty():
        return []
    odd = pl.DataFrame({"bare": values.gather(bad).cast(pl.String, strict=False).str.strip_chars()})
    odd = odd.group_by("bare").agg(pl.len().alias("rows"))
    return [f"{len(bad):,} of {len(values):,} values are no {kind}: {_quoted(odd)}; counted as missing"]


def _nearly_notes(plain: pl.Series, found: pl.DataFrame) -> list[str]:
    """That half the column or more would be numbers or dates, but too much would not."""
    rows = int(found["rows"].sum()) + len(plain) - plain.null_count()
    fits = found["bare"].str.contains(NUMBER["."]) | found["bare"].str.contains(NUMBER[","])
    good = int(found.filter(fits)["rows"].sum()) + len(plain) - plain.null_count()
    look = int(found.filter(found["bare"].str.contains(DATE_LOOK))["rows"].sum())
    odd = found.filter(~fits)
    if rows and good / rows >= 0.5:
        return [
            f"{good / rows:.0%} of its values are numbers, others are not ('{odd['bare'].min()}'); "
            "read as words, else override `number`"
        ]
    if rows and look / rows >= 0.5:
        return ["most of its values look like dates, but too many cannot be read; read as words, else override `date`"]
    return []


# Another table


def _apply(state: dict, values: pl.Series) -> tuple[pl.Series, list[str]]:
    name = state["name"]
    if state["kind"] in ("kept", "other"):
        return values, []
    values = values.rechunk()
    converted, bad = _convert(values, state)
    if bad.is_empty():
        return converted, []
    how = ""
    if values.dtype == pl.String and (otherwise := _written_otherwise(values, state)):
        other, still_bad = _convert(values, {**state, **otherwise})
        if len(still_bad) < len(bad):
            converted, bad = other, still_bad
            how = WRITTEN[otherwise.get("decimal") or otherwise["order"]]
    notes = [f"column `{name}` is written otherwise than in the rows learnt from: {how}"] if how else []
    if len(bad):
        first = int(bad[0])
        notes.append(
            f"column `{name}`: {len(bad):,} of {len(values):,} values are no {state['kind']} "
            f"(first: '{values[first]}' in row {first + 1:,}); counted as missing"
        )
    return converted, notes


def _written_otherwise(values: pl.Series, state: dict) -> dict:
    """The other decimal mark, or the order of day and month that the values themselves speak for; empty if neither."""
    if state["kind"] == "number":
        return {"decimal": "," if state["decimal"] == "." else "."}
    if state["kind"] != "date":
        return {}
    order, _, why_open = _date_order(counted(values))
    return {} if order == state["order"] or why_open == "guess" else {"order": order}
