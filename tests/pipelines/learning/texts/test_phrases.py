"""Key phrases: of the text, in its language, no two alike, and never a masked value."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.learning.texts.phrases import key_phrases, stop_words

ENGLISH = (
    "Churn prediction for subscription businesses. Churn prediction tells which customers will leave, and why. "
    "A good onboarding lowers churn, and a customer success team reads the churn prediction every week."
)
GERMAN = (
    "Die Kundenbindung ist entscheidend. Wer die Kundenbindung misst, versteht die Kündigungen seiner Kunden. "
    "Rechnungen und Anfragen beim Kundendienst zeigen früh, wer kündigen wird."
)
MASKS = ["[email]", "[phone]", "[card]", "[iban]", "[number]"]
WORDS = ["churn", "model", "invoice", "the", "of", "onboarding", "team", "data", "Rechnung", "und", ".", ",", *MASKS]


def test_the_phrases_say_what_a_text_is_about():
    english, german = key_phrases([ENGLISH, GERMAN])
    assert "churn prediction" in [phrase for phrase, _ in english]
    assert any("kundenbindung" in phrase for phrase, _ in german)
    assert [score for _, score in english] == sorted(score for _, score in english)


def test_a_text_without_words_has_none_and_one_that_stands_twice_has_the_same_twice():
    assert key_phrases(["", "!!! 123", "[email] [number]", "x" * 100_000]) == [[], [], [], []]
    first, second = key_phrases([ENGLISH, ENGLISH], most=3)
    assert first == second
    assert len(first) == 3


def test_words_that_say_nothing_are_those_of_the_language():
    assert {"the", "and"} <= stop_words(("en",))
    assert {"und", "für"} <= stop_words(("de",))
    assert "und" not in stop_words(("en",))
    assert stop_words(("xx",)) == set()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=60))
def test_no_phrase_has_a_mask_and_no_two_say_the_same(words: list[str]):
    (found,) = key_phrases([" ".join(words)])
    phrases = [phrase.split() for phrase, _ in found]
    assert len(phrases) <= 5
    written = " ".join(words).lower()
    for mask in MASKS:
        written = written.replace(mask, "|")
    for number, phrase in enumerate(phrases):
        assert not {"email", "phone", "card", "iban", "number"} & set(phrase)
        assert all(word in written for word in phrase)
        assert not any(set(phrase) <= set(other) for other in phrases[:number])
