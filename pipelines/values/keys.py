"""Identifiers in the one form in which they are compared: what stands for nobody, and what each system ignores."""

import re

import polars as pl

from pipelines.values.words import NO_VALUE_WORDS, NOTHING_SIGNS, NOTHING_WORDS

NOBODY_WORDS = frozenset(
    {*NOTHING_WORDS, *NOTHING_SIGNS, *NO_VALUE_WORDS, "anonymous", "guest", "nobody", "[object object]"}
) - {""}
"""Written where an identifier should stand."""
ALL_ZEROS = r"0{4,}(?:aaa)?|[{(]?0+(?:-0+){4}[)}]?"
"""The UUID of nobody, and ids of zeros; `000000000000000AAA` is Salesforce's."""
NO_REFERENCE = r"0|-1"
"""No other record. A record itself may have the number 0."""
NOBODY = rf"^(?:{'|'.join(map(re.escape, sorted(NOBODY_WORDS)))}|-+none-+|{ALL_ZEROS})$"
UUID = r"^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
SALESFORCE_ID = r"^(?:[0-9a-zA-Z]{15}|[0-9a-zA-Z]{18})$"
SUFFIX_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"

FORMS = {
    "": "As it is written, but for blanks around it; UUIDs and e-mail addresses in lower case.",
    "number": "Whole numbers: `.0` behind them is from a program that kept them as floats.",
    "salesforce": "15 letters and digits whose case counts, and 3 more that tell their case.",
}
"""What a contract may say of a key's form."""


def identifies_nobody(bare: pl.Series, is_key: bool) -> pl.Series:
    """Where an identifier without blanks around it stands for nobody; `is_key`: it is the record's own."""
    word = bare.str.to_lowercase()
    nobody = word.str.contains(NOBODY)
    return nobody if is_key else nobody | word.str.contains(rf"^(?:{NO_REFERENCE})$")


def canonical(bare: pl.Series, form: str) -> pl.Series:
    """Identifiers without blanks around them in the form that is compared; `form`: one of `FORMS`."""
    ignores_case = bare.str.contains(UUID) | bare.str.contains(r"^[^@\s]+@[^@\s]+$")
    keys = bare.to_frame("key").select(pl.when(ignores_case).then(pl.col("key").str.to_lowercase()).otherwise("key"))
    found = keys.to_series()
    if form != "salesforce":
        return found
    hits = found.str.contains(SALESFORCE_ID).fill_null(False).arg_true()
    return found.scatter(hits, [salesforce_id(key) for key in found.gather(hits)])


def salesforce_id(key: str) -> str:
    """
    Salesforce's id with its 18 characters, of one that has 15, or 18 in whatever case.

    Each of the last three says which of five characters are capital letters, the first of them as the lowest bit.
    """
    body, suffix = key[:15], key[15:].upper()
    if suffix and set(suffix) <= set(SUFFIX_SIGNS):
        capitals = [SUFFIX_SIGNS.index(sign) >> place & 1 for sign in suffix for place in range(5)]
        restored = "".join(c.upper() if is_capital else c.lower() for c, is_capital in zip(body, capitals, strict=True))
        if all(c.isupper() for c, is_capital in zip(restored, capitals, strict=True) if is_capital):
            return restored + suffix
    if suffix:
        return key
    bits = ["".join("1" if "A" <= c <= "Z" else "0" for c in reversed(body[n : n + 5])) for n in (0, 5, 10)]
    return body + "".join(SUFFIX_SIGNS[int(five, 2)] for five in bits)
