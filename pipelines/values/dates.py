"""Dates and times as people write them: their shapes, and the order of day and month."""

import polars as pl

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)"
)
WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
TIME = (
    r"(?:(?:T|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:[.,]\d{1,9})?))?(?:\s*(?P<half>[ap])\.?m\.?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[-+]\d{2}(?::?\d{2})?)?)?$"
)
DAY_MONTH = r"^\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})(?:$|[T,\s])"
DATE_SHAPES = {
    "ymd": [
        rf"(?i)^(?P<year>\d{{4}})[-/.](?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}}){TIME}",
        r"^(?P<year>\d{4})[-/](?P<month>\d{2})$",
        r"^(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:T?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?(?P<zone>Z)?)?$",
        rf"(?i)^{WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[-\s.]+(?P<name>{MONTH})\.?,?[-\s]+(?P<year>\d{{4}}|\d{{2}}){TIME}",
        rf"(?i)^{WEEKDAY}(?P<name>{MONTH})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}){TIME}",
    ],
    "dmy": [rf"(?i)^(?P<day>\d{{1,2}})[-/.](?P<month>\d{{1,2}})[-/.](?P<year>\d{{4}}|\d{{2}}){TIME}"],
    "mdy": [rf"(?i)^(?P<month>\d{{1,2}})[-/.](?P<day>\d{{1,2}})[-/.](?P<year>\d{{4}}|\d{{2}}){TIME}"],
}
DATE_LOOK = (
    r"(?i)^(?:\d{4}[-/]\d{2}$|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{8}(?:T\d|\d{4}(?:\d{2})?Z?$)|"
    rf"{WEEKDAY}(?:\d{{1,2}}\D{{1,4}})?{MONTH}\b)"
)
FIRST_YEAR, LAST_YEAR = 1000, 2200
"""A date outside is a filler ("0001-01-01", "9999-12-31"); it is reported."""


def dates_in(values: pl.Series, order: str) -> pl.Series:
    """Dates with or without times as Datetime (microseconds, in UTC where a zone is given); null for anything else.

    A year of two digits is 1969 to 2068, as in POSIX.
    """
    text = values.str.strip_chars()
    result = text.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    result = result.set((result.dt.year() < FIRST_YEAR).fill_null(False), None)
    for shape in [*DATE_SHAPES["ymd"], *(DATE_SHAPES[order] if order != "ymd" else [])]:
        hits = (text.str.contains(shape) & result.is_null()).arg_true()
        if len(hits):
            result = result.scatter(hits, _assembled(text.gather(hits), shape))
    return result


def order_fits(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Two Boolean columns: where a value can be read day first, and where month first."""
    return dates_in(values, "dmy").is_not_null(), dates_in(values, "mdy").is_not_null()


def _assembled(text: pl.Series, shape: str) -> pl.Series:
    parts = text.str.extract_groups(shape).struct.unnest()

    def part(name: str, default: str) -> pl.Expr:
        return pl.col(name).fill_null(default) if name in parts.columns else pl.lit(default)

    year = part("year", "").str.len_chars()
    short = pl.col("year").cast(pl.Int32) + pl.when(pl.col("year").cast(pl.Int32) <= 68).then(2000).otherwise(1900)
    month = part("month", "1")
    if "name" in parts.columns:
        month = pl.col("name").str.to_lowercase().str.head(3).replace_strict(MONTHS, [str(n) for n in range(1, 13)])
    hour = part("hour", "0").cast(pl.Int32)
    half = part("half", "").str.to_lowercase()
    hour = (
        pl.when(half == "")
        .then(hour)
        .when((hour >= 1) & (hour <= 12))
        .then(hour % 12 + pl.when(half == "p").then(12).otherwise(0))
    )
    zone = (
        part("zone", "").str.to_uppercase().str.extract_groups(r"^(?P<sign>[-+])(?P<hours>\d{2}):?(?P<minutes>\d{2})?$")
    )
    ahead = (
        zone.struct.field("hours").cast(pl.Int64).fill_null(0) * 60
        + zone.struct.field("minutes").cast(pl.Int64).fill_null(0)
    ) * pl.when(zone.struct.field("sign") == "-").then(-1).otherwise(1)
    return parts.select(
        pl.concat_str(
            pl.when(year == 2).then(short).otherwise(pl.col("year").cast(pl.Int32)).cast(pl.String).str.zfill(4),
            pl.lit("-"),
            month.str.zfill(2),
            pl.lit("-"),
            part("day", "01").str.zfill(2),
            pl.lit(" "),
            hour.cast(pl.String).str.zfill(2),
            pl.lit(":"),
            part("minute", "00"),
            pl.lit(":"),
            part("second", "00").str.replace(",", ".", literal=True),
        ).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
        - pl.duration(minutes=ahead)
    ).to_series()
