"""Private data in texts: e-mail addresses, phone, card, account and other long numbers are masked."""

import re

MASKS = r"\[(?:email|iban|card|phone|number)\]"
"""A masked value, as a pattern."""
EMAIL = re.compile(r"(?<![\w.+'-])[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[^\S\n]?[A-Z0-9]{2,4}){3,8}\b", re.I)
NUMBER = re.compile(r"(?<!\d)[+(]{0,2}\d(?:(?:[^\S\n]|[()./_\u00b7\u2010-\u2015-]){0,3}\d){6,}")
"""Seven digits and more, with the signs that people put between them."""
DATE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[ T]\d{1,2}(?:[:.]\d{2}){0,2})?"
)
AMOUNT = re.compile(
    r"\d{1,3}(?:[.,']\d{3})+(?:[.,]\d{1,2})?|(?:\d{1,3} \d{3}|\d{1,2} \d{3} \d{3})(?:[.,]\d{1,2})?|\d+[.,]\d{1,2}"
)
"""Three groups of three digits with blanks between are a phone number rather than hundreds of millions."""
CARD_DIGITS = range(13, 20)
LEAST_PHONE = 7
REGIONS = ("US", "GB", "DE")
"""Whose ways of writing a phone number without a country are known; one with `+` is known of every country."""


def masked(text: str) -> str:
    """
    The text with `[email]`, `[iban]`, `[card]`, `[phone]` and `[number]` in place of such data.

    An account number is an IBAN by its check digits, a card number by Luhn's, a phone number by the numbering plans of
    `phonenumbers`; any other run of seven digits or more is a number. Dates and amounts of money stay.
    """
    if "@" in text:
        text = EMAIL.sub("[email]", text)
    if not re.search(r"\d{2}", text):
        return text
    text = IBAN.sub(_iban, text)
    return NUMBER.sub(_number, text)


def _iban(found: re.Match) -> str:
    """An IBAN has check digits; words that merely look like one have none."""
    from stdnum import iban

    given = found.group()
    if iban.is_valid(given):
        return "[iban]"
    words = given.split()
    for end in range(len(words) - 1, 0, -1):  # the pattern may have taken the next word along
        if iban.is_valid(" ".join(words[:end])):
            return " ".join(["[iban]", *words[end:]])
    return given


def _number(found: re.Match) -> str:
    given = found.group()
    if DATE.fullmatch(given) or AMOUNT.fullmatch(given):
        return given
    digits = re.sub(r"\D", "", given)
    if len(digits) in CARD_DIGITS:
        from stdnum import luhn

        if luhn.is_valid(digits):
            return "[card]"
    return "[phone]" if _is_phone(given, digits) else "[number]"


def _is_phone(given: str, digits: str) -> bool:
    import phonenumbers

    for region in (None,) if given.startswith("+") else REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(given, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return len(digits) >= LEAST_PHONE and given.startswith("+")
