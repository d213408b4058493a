"""One form for each identifier, and what stands for nobody."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.values.keys import SALESFORCE_ID, canonical, identifies_nobody, salesforce_id

IDS = st.from_regex(r"\A[0-9A-Za-z]{15}\Z")


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("001A0000006Vm9r", "001A0000006Vm9rIAC"),  # Salesforce's own example
        ("0015g00000AbCdE", "0015g00000AbCdEAAV"),
        ("001d000000IDJZz", "001d000000IDJZzAAP"),
        ("AAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAA555"),
        ("000000000000001", "000000000000001AAA"),
    ],
)
def test_salesforces_ids_tell_their_case_by_three_letters(short: str, long: str):
    assert (
        salesforce_id(short)
        == salesforce_id(long)
        == salesforce_id(long.lower())
        == salesforce_id(long.upper())
        == long
    )


@given(IDS)
def test_the_long_id_is_the_same_from_every_form_of_it(short: str):
    long = salesforce_id(short)
    assert long[:15] == short
    assert {salesforce_id(form) for form in (long, long.lower(), long.upper())} == {long}


@given(IDS, IDS)
def test_two_ids_stay_two(first: str, second: str):
    keys = canonical(pl.Series([first, second]), "salesforce")
    assert (keys[0] == keys[1]) == (first == second)
    assert keys.str.contains(SALESFORCE_ID).all()


def test_an_id_whose_three_letters_do_not_fit_stays_as_it_is():
    assert salesforce_id("000000000000001ZZZ") == "000000000000001ZZZ"


def test_case_is_ignored_where_the_system_ignores_it():
    written = ["0F8FAD5B-D9CB-469F-A165-70867728950E", "Ann@Example.ORG", "AbC-1", "0015g00000AbCdE"]
    meant = ["0f8fad5b-d9cb-469f-a165-70867728950e", "ann@example.org", "AbC-1", "0015g00000AbCdE"]
    assert canonical(pl.Series(written), "").to_list() == meant


NOBODY = [
    "null", "undefined", "None", "N/A", "-", "unknown", "(not set)", "--None--", "[object Object]", "anonymous", "NaN",
    "0000", "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}", "000000000000000",
    "000000000000000AAA",
]  # fmt: skip


def test_what_stands_for_nobody():
    words = pl.Series(NOBODY)
    assert words.filter(~identifies_nobody(words, is_key=True)).to_list() == []
    assert identifies_nobody(pl.Series(["0", "-1"]), is_key=False).to_list() == [True, True]
    assert identifies_nobody(pl.Series(["0", "-1"]), is_key=True).to_list() == [False, False]  # a record may have it
    real = pl.Series(["1", "100", "0-0", "00", "nullify", "none@acme.io", "007", "NA12", "c-0"])
    assert not identifies_nobody(real, is_key=False).any()
