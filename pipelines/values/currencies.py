"""The world's currencies, from the maintainers' own list (ISO 4217)."""

from functools import cache


@cache
def decimals() -> dict[str, int]:
    """Code of every currency that amounts can be in → the digits of its smallest unit: `{"EUR": 2, "JPY": 0, ...}`."""
    from iso4217 import Currency

    return {currency.code: currency.exponent for currency in Currency if currency.exponent is not None}
