"""What is left of a text, and what nobody may read of it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.learning.texts.cleaning import MOST_CHARACTERS, cleaned, cleaned_all
from pipelines.values.private_data import masked


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (None, ""),
        (" \n\t ", ""),
        ("\x00\x07Where is\u200b my card?\ufeff", "Where is my card?"),
        ("<p>Where is <b>my</b> card?</p><style>p {color: red}</style><p>Ann</p>", "Where is my card? Ann"),
        ("5 < 6 and 7 > 3, so a<b", "5 < 6 and 7 > 3, so a<b"),
        ("Fish &amp; chips", "Fish & chips"),
        ("cafÃ© schlieÃŸt", "café schließt"),
        ("Great 👍🏽 🎉", "Great 👍🏽 🎉"),
        ("שלום, where is it?", "שלום, where is it?"),
        (
            "It never came.\n\nOn Mon, Jan 5, 2026 at 9:12 AM Ann <ann@shop.example> wrote:\n> It is on its way.\n",
            "It never came.",
        ),
        ("It never came.\n-- \nBob Stone\nHead of Things\n", "It never came."),
        ("It never came.\n\nBest regards,\nBob Stone\nHead of Things\n", "It never came."),
        ("> only what somebody else wrote", "> only what somebody else wrote"),
    ],
)
def test_what_a_person_reads_is_left(text: str | None, left: str):
    assert cleaned(text) == left


def test_a_text_of_a_million_characters_is_cut():
    assert len(cleaned("word " * 200_000)) <= MOST_CHARACTERS
    assert list(cleaned_all(["a", "b", "a", None])) == ["a", "b", "a", ""]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Write to ann.o'neil+x@mail.shop.example.", "Write to [email]."),
        ("Call +49 30 901820 now", "Call [phone] now"),
        ("Call (212) 736-5000 now", "Call [phone] now"),
        ("card 4111 1111 1111 1111, please", "card [card], please"),
        ("DE89 3704 0044 0532 0130 00 is mine", "[iban] is mine"),
        ("GB82WEST12345698765432", "[iban]"),
        ("account 123456789012", "account [number]"),
        ("customer_no:KD00123456789x", "customer_no:KD[number]x"),
        ("on 2026-01-05 12:30 and 05/01/2026", "on 2026-01-05 12:30 and 05/01/2026"),
        ("it cost 1,234,567.89 for 12 seats", "it cost 1,234,567.89 for 12 seats"),
        ("error 404 in v2.10", "error 404 in v2.10"),
    ],
)
def test_private_data_is_masked_and_dates_and_amounts_stay(text: str, left: str):
    assert masked(text) == left


PRIVATE = st.sampled_from(
    [
        *(
            "ann@shop.example",
            "ANN.O-NEIL+tag@mail.shop.example",
            "+49 30 901820",
            "(212) 736-5000",
            "+44 20 7946 0958",
        ),
        *(
            "4111111111111111",
            "5500-0000-0000-0004",
            "DE89370400440532013000",
            "GB82 WEST 1234 5698 7654 32",
            "0049 30 901820",
        ),
    ]
)
AROUND = st.text(
    st.characters(codec="utf-8", exclude_categories=["Nd", "L"]) | st.sampled_from(" \n.,;:!?()<>"), max_size=12
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(AROUND, PRIVATE), min_size=1, max_size=4), AROUND)
def test_no_private_value_is_left_whatever_stands_around_it(pieces: list[tuple[str, str]], end: str):
    text = "".join(f"{before} {value} " for before, value in pieces) + end
    left = cleaned(text)
    for _, value in pieces:
        assert value not in left
        assert re.sub(r"\W", "", value) not in re.sub(r"\W", "", left)
