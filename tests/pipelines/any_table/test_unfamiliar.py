"""What is said of a table to score that is unlike the one learnt from."""

from datetime import date, timedelta

import polars as pl
import pytest

from pipelines.any_table.unfamiliar import compared, in_a_line
from pipelines.learning.columns.types import apply_types, infer_types

ROWS = 200
TRAIN = pl.DataFrame(
    {
        "zip_code": [f"0{n % 9}123" for n in range(ROWS)],
        "amount": [f"{n}.50" for n in range(ROWS)],
        "day": [str(date(2024, 1, 1) + timedelta(days=n)) for n in range(ROWS)],
        "is_new": ["yes" if n % 2 else "no" for n in range(ROWS)],
        "owner": [f"o{n}" for n in range(ROWS)],
    }
)


def entries(given: pl.DataFrame) -> dict[str, dict]:
    learnt, plan = infer_types(TRAIN, {"owner": "category"})
    scored, _ = apply_types(plan, given)
    return {each["column"]: each for each in compared(learnt, given, scored, plan, list(plan.kinds))}


def changed(**columns: pl.Expr) -> pl.DataFrame:
    return TRAIN.head(100).with_columns(**columns)


def test_rows_like_those_learnt_from_are_familiar():
    found = entries(TRAIN.head(100).with_columns(pl.format("new{}", pl.int_range(100)).alias("owner")))
    assert not any(each["stands_out"] for each in found.values())
    assert found["owner"]["never_seen"] == 1.0  # as ever: each owner has one row
    assert in_a_line(list(found.values()), "new.csv") is None


@pytest.mark.parametrize(
    ("column", "values", "figures", "words"),
    [
        (  # a spreadsheet has taken the zeros in front
            "zip_code",
            pl.col("zip_code").str.strip_chars_start("0"),
            {"never_seen": 1.0, "example": "123"},
            "100% have a value that was never there, such as '123'",
        ),
        (  # and written decimal commas
            "amount",
            pl.when(pl.int_range(100) < 40).then(pl.lit("1.234,50")).otherwise("amount"),
            {"not_read": 0.4, "not_read_example": "1.234,50"},
            "40% are no number, such as '1.234,50'",
        ),
        ("amount", pl.lit("250"), {"above": 1.0, "high": 199.5}, "100% are above 199.5, the most that was there"),
        ("day", pl.lit("1999-12-31"), {"below": 1.0}, "100% are before 2024-01-01, the first that was there"),
        ("day", pl.lit(None, pl.String), {"empty": 1.0}, "100% are empty, of those learnt from none"),
        ("is_new", pl.lit("perhaps"), {"not_read": 1.0}, "100% are no yes or no, such as 'perhaps'"),
    ],
)
def test_what_is_unlike_is_counted_and_said(column: str, values: pl.Expr, figures: dict, words: str):
    found = entries(changed(**{column: values}))
    assert {name: found[column][name] for name in figures} == figures
    assert found[column]["words"] == words
    assert [name for name, each in found.items() if each["stands_out"]] == [column]
    assert in_a_line(list(found.values()), "new.csv") == (f"new.csv is unlike the rows learnt from. {column}: {words}.")


def test_a_column_that_is_not_there_comes_first():
    found = entries(changed(amount=pl.lit("250")).drop("is_new"))
    assert found["is_new"]["is_missing"]
    assert in_a_line(list(found.values()), "new.csv").startswith(
        "new.csv is unlike the rows learnt from. is_new: it is not there; amount: 100% are above"
    )
