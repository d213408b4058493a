"""Numbers as people write them: decimal point or comma, groups of digits, currency signs, percent."""

import polars as pl

CURRENCY = (
    r"(?:[$€£¥₹₽₩₺₪₴฿]|US\$|C\$|A\$|R\$|Rs\.?|kr|zł|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|BRL|MXN|ZAR)"
)


def _number_pattern(decimal: str) -> str:
    """A number as people write it: grouped digits, currency or percent, and a minus in any of its places."""
    mark, other = (r"\.", ",") if decimal == "." else (",", r"\.")
    grouped = rf"[1-9]\d{{0,2}}(?:(?:{other}\d{{3}})+|(?:[ \u00a0\u2009\u202f]\d{{3}})+|(?:['’]\d{{3}})+)"
    indian = rf"|[1-9]\d?(?:{other}\d{{2}})+{other}\d{{3}}" if decimal == "." else ""
    digits = rf"(?:(?:{grouped}{indian}|\d+)(?:{mark}\d*)?|{mark}\d+)"
    bare = rf"(?:{CURRENCY}\s*)?{digits}\s*(?:{CURRENCY}|%)?"
    signed = rf"(?:[-+−]\s*)?(?:{CURRENCY}\s*)?(?:[-+−]\s*)?{digits}\s*(?:{CURRENCY}|%)?"
    return rf"^(?:{signed}|{bare}\s*-|\(\s*{bare}\s*\)\s*%?)$"


NUMBER = {decimal: _number_pattern(decimal) for decimal in ".,"}
THOUSANDS_OR_DECIMALS = {".": r"^[^\d]*[1-9]\d{0,2}\.\d{3}[^\d.,]*$", ",": r"^[^\d]*[1-9]\d{0,2},\d{3}[^\d.,]*$"}
"""One group of three digits after a point (comma): a thousand, or three decimals."""


def finite(numbers: pl.Series) -> pl.Series:
    """Numbers, null for those that are infinite or not a number."""
    is_finite = numbers.is_finite()
    return numbers if is_finite.all() else numbers.set(~is_finite.fill_null(True), None)


def numbers_in(values: pl.Series, decimal: str) -> pl.Series:
    """Numbers as people write them: "1,234.50", "$1,200", "12%" (12), "(300)" (-300); null for anything else."""
    text = values.str.strip_chars()
    fits = text.str.contains(NUMBER[decimal]).fill_null(False)
    if not fits.any():
        return pl.Series(values.name, [None] * len(values), dtype=pl.Float64)
    text = text.zip_with(fits, pl.Series([None], dtype=pl.String))
    digits = text.str.replace_all(r"Rs\.", "").str.replace_all(r"[^0-9.]" if decimal == "." else r"[^0-9,]", "")
    if decimal == ",":
        digits = digits.str.replace(",", ".", literal=True)
    size = finite(digits.cast(pl.Float64, strict=False))
    negative = text.str.contains(r"[-−(]").fill_null(False)
    return (-size).zip_with(negative, size).alias(values.name)
