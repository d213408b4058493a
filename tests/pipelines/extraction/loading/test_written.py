"""What is not written plainly is read as its column means it in that file, or put aside with the reason."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading.load import load_source

NOW = datetime(2026, 6, 1, 12)
THING = Entity(
    name="thing",
    description="A thing.",
    columns={
        "id": "varchar",
        "owner_id": "varchar",
        "number": "bigint",
        "amount": "double",
        "day": "date",
        "other_day": "date",
        "created": "timestamp",
        "received": "bigint",
        "is_open": "boolean",
    },
    key=("id",),
    time="received",
    time_unit="epoch_ms",
)
SOURCE = Source(name="shop", description="A shop.", entities=(THING,))
OPEN = (
    "(day and month cannot be told apart: write `shop: {folder: ..., date_format: day_first}`, or month_first, in"
    " sources.yaml, or export dates as 2024-01-31)"
)


@dataclass
class Loaded:
    """What came of one file."""

    values: list[object]
    """Of the asked column, by line."""
    aside: list[str]
    """Reasons, by line."""
    message: str


def load(files: dict[str, Sequence[str] | pa.Table], column: str, time_zone: str | None = None) -> Loaded:
    """Load files of lines (or a table) and ask for one column."""
    with tempfile.TemporaryDirectory() as name, duckdb.connect() as connection:
        folder = Path(name) / "thing"
        folder.mkdir()
        for file, content in files.items():
            if isinstance(content, pa.Table):
                pq.write_table(content, folder / file)
            else:
                (folder / file).write_text("\n".join(content) + "\n")
        (report,) = load_source(connection, SOURCE, Path(name), NOW, time_zone=time_zone)
        assert report.rejected == ()
        values = connection.execute(f"select {column} from raw_shop.thing order by _file, _line, id").fetchall()
        aside = connection.execute("select reason from raw_shop._quarantine order by file, line").fetchall()
        ((rows,),) = connection.execute("select sum(rows) from raw_shop._manifest").fetchall()
        assert len(values) + len(aside) == rows
        return Loaded([value for (value,) in values], [reason for (reason,) in aside], report.message)


def column(name: str, *values: str, delimiter: str = ",", time_zone: str | None = None) -> Loaded:
    """Load one column from a CSV file."""
    lines = [f'{number}{delimiter}"{value}"' for number, value in enumerate(values)]
    return load({"1.csv": [f"id{delimiter}{name}", *lines]}, name, time_zone)


@pytest.mark.parametrize(
    ("values", "delimiter", "meant", "told"),
    [
        (("12.500", "950", "8.000"), ";", [12500, 950, 8000], "points between thousands"),
        (("12,500", "950"), ";", [12.5, 950], "a decimal comma"),
        (("12.500", "950", "8.000"), ",", [12.5, 950, 8], ""),
        (("12,500", "950"), ",", [12500, 950], "commas between thousands"),
        (("12.500", "0.5"), ";", [12.5, 0.5], ""),
        (("12.500", "0,5"), ",", [12500, 0.5], "a decimal comma and has points between thousands"),
        (("1,089.00", "396.00"), ",", [1089, 396], "commas between thousands"),
        (("1.250.000", "12.500"), "\t", [1250000, 12500], "points between thousands"),
        (("$1,200", "(300)", "5-", "-7.5"), ",", [1200, -300, -5, -7.5], "currency signs"),
        (("12%", "7.5 %"), ",", [12, 7.5], "percentages (12% is 12)"),
        ((" 5 ", "+6", ".5", "7."), ",", [5, 6, 0.5, 7], ""),
        (("1.5", "N/A", "-", ""), ",", [1.5, None, None, None], "says nothing with '-', 'N/A'"),
    ],
)
def test_numbers(values, delimiter, meant, told):
    loaded = column("amount", *values, delimiter=delimiter)
    assert (loaded.values, loaded.aside) == (meant, [])
    assert told in loaded.message
    assert ("thing/1.csv: amount" in loaded.message) == bool(told)


@pytest.mark.parametrize("value", ["infinity", "-inf", "0x1F", "0b1", "1e-1", "1E+14", "1_000", "12 k", "1.2.3", "5--"])
@pytest.mark.parametrize(("name", "words"), [("amount", "a number"), ("number", "a whole number")])
def test_what_is_no_number(name, words, value):
    loaded = column(name, "1", value)
    assert (loaded.values, loaded.aside) == ([1], [f"{name} is not {words}: '{value}'"])


def test_json_writes_large_and_small_numbers_with_an_exponent():
    lines = ['{"id": "1", "amount": 1.5e-3, "number": 1E3}', '{"id": "2", "amount": "1,234.5", "number": "1,234"}']
    assert load({"1.jsonl": lines}, "amount").values == [0.0015, 1234.5]
    assert load({"1.jsonl": lines}, "number").values == [1000, 1234]


def test_a_whole_number_says_what_a_point_is():
    assert column("number", "1.188", "20").values == [1188, 20]
    assert column("number", "1,188", "5.0").values == [1188, 5]
    loaded = column("number", "2.5", "12,5", "7")
    assert (loaded.values, len(loaded.aside)) == ([7], 2)


def test_two_decimal_marks_in_one_column_are_put_aside():
    loaded = column("amount", "1.5", "2,5", "3")
    assert loaded.values == [3]
    assert (
        "(decimal points and decimal commas are mixed in this column: export it again with one of them)"
        in (loaded.aside[0])
    )
    many = column("amount", *["1.5"] * 30, "2,5")
    assert (many.values, many.aside) == ([1.5] * 30, ["amount is not a number: '2,5'"])


def test_another_column_of_the_file_says_what_a_point_is():
    assert load({"1.csv": ["id,amount,number", "1,8.000,1.250.000"]}, "amount").values == [8000]
    assert load({"1.csv": ["id;amount;number", "1;8.000;5,000,000"]}, "amount").values == [8]


@pytest.mark.parametrize(
    ("values", "meant", "told"),
    [
        (("31/01/2026", "05/03/2026"), [date(2026, 1, 31), date(2026, 3, 5)], "day is day/month/year"),
        (("01-31-2026", "05-03-2026"), [date(2026, 1, 31), date(2026, 5, 3)], "day is month-day-year"),
        (("05.03.2026", "01.02.2026"), [date(2026, 3, 5), date(2026, 2, 1)], "day is day.month.year"),
        (("31/01/26", "05/03/26", "1/2/26"), [date(2026, 1, 31), date(2026, 3, 5), date(2026, 2, 1)], "(two digits)"),
        (("2026-03-05", "31/01/26"), [date(2026, 3, 5), date(2026, 1, 31)], "day is day/month/year (two digits)"),
        (("5 March 2026", "Mar 6, 2026", "20260307"), [date(2026, 3, day) for day in (5, 6, 7)], ""),
        (("46053", "46054"), [date(2026, 1, 31), date(2026, 2, 1)], "day is counted in a spreadsheet's days"),
        (("2026-01-31", "None", "0000-00-00"), [date(2026, 1, 31), None, None], "says nothing with '0000-00-00', 'N"),
    ],
)
def test_dates(values, meant, told):
    loaded = column("day", *values)
    assert (loaded.values, loaded.aside) == (meant, [])
    assert told in loaded.message


@pytest.mark.parametrize(
    ("values", "meant", "aside"),
    [
        (("05/03/2026", "2026-03-05"), [date(2026, 3, 5)], [f"'05/03/2026' {OPEN}"]),
        (("01/31/2026", "31/01/2026"), [], ["'01/31/2026' (day first and month first are mixed in"] * 1),
        (("25/01/26", "2026-03-05"), [date(2026, 3, 5)], ["'25/01/26' (which part is the year cannot be told"]),
        (("31/12/85", "2026-03-05"), [date(2026, 3, 5)], ["'31/12/85' (with two digits the year cannot be told"]),
        (("5-Mar-85", "2026-03-05"), [date(2026, 3, 5)], ["'5-Mar-85' (with two digits the year cannot be told"]),
        (("2026-02-30", "epoch", "2026-03-05 x"), [], ["'2026-02-30'", "'epoch'", "'2026-03-05 x'"]),
        (("46053", "2026-03-05"), [date(2026, 3, 5)], ["'46053'"]),
        (("0031-01-26", "2026-03-05"), [date(2026, 3, 5)], ["of no plausible year (1900 to 9999): '0031-01-26'"]),
    ],
)
def test_what_is_no_date(values, meant, aside):
    loaded = column("day", *values)
    assert loaded.values == meant
    assert len(loaded.aside) == len(values) - len(meant)
    for reason, part in zip(loaded.aside, aside, strict=False):
        assert part in reason


def test_another_column_of_the_file_says_which_is_the_day():
    rows = ["1,05/03/2026,31/01/2026", "2,01/02/2026,"]
    loaded = load({"1.csv": ["id,day,other_day", *rows]}, "day")
    assert (loaded.values, loaded.aside) == ([date(2026, 3, 5), date(2026, 2, 1)], [])
    other = load({"1.csv": ["id,day,other_day", "1,05/03/2026,31.01.2026"]}, "day")
    assert OPEN in other.aside[0]


def test_a_spreadsheet_wrote_some_years_with_two_digits():
    lines = ["id,day,created", "1,31/01/26,2025-03-01T08:00:00Z", "2,05/03/26,2025-03-01T08:00:00Z"]
    lines += ["3,1/2/26,2025-03-01T08:00:00Z", "4,2026-03-05,12/5/25 10:30"]
    days = load({"1.csv": lines}, "day")
    assert days.values == [date(2026, 1, 31), date(2026, 3, 5), date(2026, 2, 1), date(2026, 3, 5)]
    assert "thing/1.csv: day is day/month/year (two digits), created is day/month/year (two digits)" in days.message
    assert load({"1.csv": lines}, "created").values == [datetime(2025, 3, 1, 8)] * 3 + [datetime(2025, 5, 12, 10, 30)]


def test_every_file_is_decided_by_itself():
    files = {
        "1.csv": ["id,day", "1,31/01/2026"],
        "2.csv": ["id,day", "2,01/31/2026"],
        "3.csv": ["id,day", "3,5/3/2026"],
    }
    loaded = load(files, "day")
    assert loaded.values == [date(2026, 1, 31)] * 2
    assert OPEN in loaded.aside[0]
    assert "thing/1.csv: day is day/month/year; thing/2.csv: day is month/day/year" in loaded.message


@pytest.mark.parametrize(
    ("values", "meant"),
    [
        (("31/01/2026 10:30", "05/03/2026 1:05 PM"), [datetime(2026, 1, 31, 10, 30), datetime(2026, 3, 5, 13, 5)]),
        (("1769855400", "1769855401"), [datetime(2026, 1, 31, 10, 30), datetime(2026, 1, 31, 10, 30, 1)]),
        (("1769855400000", "1769855400500"), [datetime(2026, 1, 31, 10, 30, 0, us) for us in (0, 500_000)]),
        (("46053.4375", "46054"), [datetime(2026, 1, 31, 10, 30), datetime(2026, 2, 1)]),
        (("2026-01-31T10:30:00+02:00", "31/01/2026 10:30 +0200"), [datetime(2026, 1, 31, 8, 30)] * 2),
        (("2026-01-31 10:30:00 +0200", "2026-01-31 08:30:00 UTC"), [datetime(2026, 1, 31, 8, 30)] * 2),
    ],
)
def test_times(values, meant):
    loaded = column("created", *values)
    assert (loaded.values, loaded.aside) == (meant, [])


def test_times_of_a_zone():
    values = ["2026-01-31 10:30", "2025-07-31T10:30:00Z", "31/07/2025 10:30", "2026-01-31", "31/07/2025"]
    assert column("created", *values, time_zone="Europe/Berlin").values == [
        datetime(2026, 1, 31, 9, 30),
        datetime(2025, 7, 31, 10, 30),
        datetime(2025, 7, 31, 8, 30),
        datetime(2026, 1, 31),
        datetime(2025, 7, 31),
    ]
    received = column("received", "2026-01-31 10:30", time_zone="Europe/Berlin").values
    assert received == [epoch(datetime(2026, 1, 31, 9, 30))]


def epoch(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)


HALF_PAST = epoch(datetime(2026, 1, 31, 10, 30))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("2026-01-31T10:30:00Z",), "received is written as dates"),
        (("31/01/2026 10:30",), "received is day/month/year and is written as dates"),
        (("1769855400", "1769855400"), "received is counted in seconds"),
        (("46053.4375",), "received is counted in a spreadsheet's days"),
        (("1769855400000.0", "1769855400000"), ""),
    ],
)
def test_epochs(values, told):
    loaded = column("received", *values)
    assert (loaded.values, loaded.aside) == ([HALF_PAST] * len(values), [])
    assert ("received" in loaded.message, told in loaded.message) == (bool(told), True)


def test_an_epoch_of_another_unit_than_the_others_is_put_aside():
    loaded = column("received", "1769855400000", "17698554000000000", "0x1F", "soon")
    assert loaded.values == [HALF_PAST]
    assert "received is of no plausible year" in loaded.aside[0]
    assert loaded.aside[1:] == ["received is not a whole number: '0x1F'", "received is not a whole number: 'soon'"]


def test_yes_and_no():
    words = ("1", "0", "TRUE", "false", "yes", "No", "Y", "n", " true ", "1.0", "", "N/A")
    assert column("is_open", *words).values == [
        True,
        False,
        True,
        False,
        True,
        False,
        True,
        False,
        True,
        True,
        None,
        None,
    ]
    assert column("is_open", "2").aside == ["is_open is not true or false: '2'"]


def test_identifiers_that_went_through_floats():
    lines = ["id,owner_id", "1.0,360001234567.0", "2.0,", "3.0,360001234568.0"]
    assert load({"1.csv": lines}, "owner_id").values == ["360001234567", None, "360001234568"]
    loaded = load({"1.csv": lines}, "id")
    assert loaded.values == ["1", "2", "3"]
    assert "id is read without its `.0`, owner_id is read without its `.0`" in loaded.message
    assert column("owner_id", "1.0", "v2").values == ["1.0", "v2"]
    table = pa.table({"id": ["1", "2"], "owner_id": [360001234567.0, None]})
    assert load({"1.parquet": table}, "owner_id").values == ["360001234567", None]


def test_identifiers_that_lost_their_digits():
    loaded = column("owner_id", "3.60001E+11", "360001234567")
    assert (loaded.values, loaded.aside) == ([None, "360001234567"], [])
    assert "owner_id has lost its digits ('3.60001E+11'), which counts as nothing: export it as text" in loaded.message
    key = load({"1.csv": ["id", "3.60001E+11", "360001234567"]}, "id")
    assert key.values == ["360001234567"]
    assert key.aside == ["id is not a text: '3.60001E+11' (its digits are lost: export the column as text)"]


def test_the_contracts_own_format_wins(landing):
    entity = replace(THING, date_format="%m/%d/%Y")
    landing.source = Source(name="shop", description="", entities=(entity,))
    landing.write("thing/1.csv", "id,day\n1,05/03/2026\n2,31/01/2026\n3,2026-01-31\n")
    load_source(landing.connection, landing.source, landing.folder, NOW)
    rows = landing.rows("select day from raw_shop.thing order by id")
    assert rows == [(date(2026, 5, 3),), (date(2026, 1, 31),)]
    assert landing.rows("select reason from raw_shop._quarantine") == [("day is not a date (%m/%d/%Y): '31/01/2026'",)]


@pytest.mark.parametrize(
    ("date_format", "days", "refused"),
    [
        ("day_first", [date(2026, 3, 5), date(2026, 1, 31), date(2026, 1, 31)], []),
        ("month_first", [date(2026, 5, 3), date(2026, 1, 31)], ["day is not a date (2024-01-31): '31/01/2026'"]),
        ("%d/%m/%Y", [date(2026, 3, 5), date(2026, 1, 31), date(2026, 1, 31)], []),
        ("%m/%d/%Y", [date(2026, 5, 3), date(2026, 1, 31)], ["day is not a date (%m/%d/%Y): '31/01/2026'"]),
    ],
)
def test_what_is_said_of_day_and_month_holds_for_every_column(landing, date_format, days, refused):
    entity = replace(THING, date_format=date_format)
    landing.source = Source(name="shop", description="", entities=(entity,))
    landing.write("thing/1.csv", "id,day,received\n1,05/03/2026,05/03/2025 10:30\n2,2026-01-31,n/a\n3,31/01/2026,\n")
    load_source(landing.connection, landing.source, landing.folder, datetime(2027, 1, 1))
    assert landing.rows("select day from raw_shop.thing order by id") == [(day,) for day in days]
    assert [reason for (reason,) in landing.rows("select reason from raw_shop._quarantine")] == refused
    received = "select epoch_ms(received) from raw_shop.thing order by id limit 1"
    month = 3 if date_format in ("day_first", "%d/%m/%Y") else 5
    assert landing.rows(received) == [(datetime(2025, month, 8 - month, 10, 30),)]


def test_a_format_and_a_time_zone_go_together(landing):
    entity = replace(THING, date_format="%d/%m/%Y %H:%M")
    landing.source = Source(name="shop", description="", entities=(entity,))
    landing.write("thing/1.csv", "id,created\n1,05/07/2025 10:30\n2,2025-07-05 10:30:00\n3,05/07/2025\n")
    load_source(landing.connection, landing.source, landing.folder, NOW, time_zone="Europe/Berlin")
    rows = landing.rows("select created from raw_shop.thing order by id")
    assert rows == [(datetime(2025, 7, 5, 8, 30),)] * 2 + [(datetime(2025, 7, 5),)]


def test_rules_and_repeats_go_by_what_is_meant(landing):
    entity = replace(THING, key=("id", "day"), rules={"amount is negative": "amount >= 0"})
    landing.source = Source(name="shop", description="", entities=(entity,))
    landing.write("thing/1.csv", 'id,day,amount\n1,31/01/2026,"1,000"\n1,2026-01-31,5\n2,31/01/2026,(5)\n')
    (report,) = load_source(landing.connection, landing.source, landing.folder, NOW)
    reasons = [reason for (reason,) in landing.rows("select reason from raw_shop._quarantine order by line")]
    assert reasons[0].startswith("duplicate key id = 1, day = 2026-01-31: already loaded from thing/1.csv, line 2")
    assert reasons[1:] == ["amount is negative (amount = -5.0)"]
    landing.write("thing/2.csv", "id,day,amount\n1,2026-01-31,1000\n")
    (report,) = load_source(landing.connection, landing.source, landing.folder, NOW)
    assert report.repeated == 1


FORMATS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m-%d-%Y", "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d %B %Y", "%b %d, %Y")
DAYS = st.lists(st.dates(date(1971, 1, 1), date(2099, 12, 31)), min_size=1, max_size=12)


@settings(max_examples=14, deadline=None)
@given(DAYS, st.sampled_from(FORMATS), st.integers(13, 28))
def test_dates_of_any_format_are_those_that_were_written(days, format_, clear):
    days = [*days, date(2026, 5, clear)]
    loaded = column("day", *(day.strftime(format_) for day in days))
    assert (loaded.values, loaded.aside) == (days, [])


TIMES = st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2025, 12, 31)), min_size=1, max_size=12)


@settings(max_examples=10, deadline=None)
@given(TIMES, st.sampled_from(["%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y, %H:%M:%S", "s", "ms", "days"]))
def test_times_of_any_format_are_those_that_were_written(times, format_):
    times = [*(time.replace(microsecond=0) for time in times), datetime(2026, 5, 31, 23, 59, 59)]
    start = {"days": datetime(1899, 12, 30)}.get(format_, datetime(1970, 1, 1))
    one = {"s": timedelta(seconds=1), "ms": timedelta(milliseconds=1), "days": timedelta(days=1)}.get(format_)
    texts = [str((time - start) / one) if one else time.strftime(format_) for time in times]
    lines = [f'{number},"{text}","{text}"' for number, text in enumerate(texts)]
    loaded = load({"1.csv": ["id,created,received", *lines]}, "{'created': created, 'received': received}")
    meant = [{"created": time, "received": epoch(time)} for time in times]
    assert (loaded.values, loaded.aside) == (meant, [])


@settings(max_examples=14, deadline=None)
@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=12),
    st.booleans(),
    st.booleans(),
    st.sampled_from(",;\t"),
)
def test_numbers_of_either_locale_are_those_that_were_written(cents, is_german, is_grouped, delimiter):
    numbers = [*(cent / 100 for cent in cents), 1234.56]
    texts = [f"{number:{',' if is_grouped else ''}.2f}" for number in numbers]
    if is_german:
        texts = [text.translate(str.maketrans(",.", ".,")) for text in texts]
    loaded = column("amount", *texts, delimiter=delimiter)
    assert (loaded.values, loaded.aside) == (numbers, [])


NUMBERS = ("1", "1.5", "1,5", "12.500", "1e5", "0x1F", "infinity", "nan", "N/A", "-")
ANYTHING = st.sampled_from(
    (*NUMBERS, "31/01/26", "05/03/2026", "2026-01-31", "46053", "1769855400", "soon", "yes", "1.0")
)


@settings(max_examples=14, deadline=None)
@given(st.lists(st.tuples(ANYTHING, ANYTHING, ANYTHING, ANYTHING, ANYTHING), min_size=1, max_size=8))
def test_no_row_is_lost_whatever_is_written(rows):
    names = ("number", "amount", "day", "created", "received")
    lines = [";".join((str(number), *row)) for number, row in enumerate(rows)]
    loaded = load({"1.csv": [";".join(("id", *names)), *lines]}, "id")
    assert len(loaded.values) + len(loaded.aside) == len(rows)
