"""What `sources.yaml` says about money: read whole, or refused with the line and the value."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipelines.extraction.configuration import ConfigurationError, read_configuration
from pipelines.extraction.money import MoneySettings, RatesProblem, read_rates, write_money_settings


def test_the_settings_stand_where_models_read_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    (tmp_path / "rates.csv").write_text("date,currency,rate\n2025-02-01,usd,0.9\n2025-01-01, USD ,0.95\n")
    (tmp_path / "sources.yaml").write_text(
        "reporting_currency: eur\nexchange_rates: rates.csv\ncustomers: {free_plans: true}\n"
        "sources: {salesforce: {folder: x, currency: CHF}, stripe: y}\n"
    )
    money = read_configuration(tmp_path / "sources.yaml").money
    assert money == MoneySettings("EUR", tmp_path / "rates.csv", True, {"salesforce": "CHF"})
    with duckdb.connect() as connection:
        write_money_settings(connection, money)
        assert connection.execute("from raw_scorecast.settings").fetchall() == [("EUR", True)]
        assert connection.execute("from raw_scorecast.source_currencies").fetchall() == [("salesforce", "CHF")]
        assert connection.execute("from raw_scorecast.exchange_rates").fetchall() == [
            (date(2025, 1, 1), "USD", 0.95),
            (date(2025, 2, 1), "USD", 0.9),
        ]
        write_money_settings(connection, MoneySettings())
        assert connection.execute("from raw_scorecast.settings").fetchall() == [(None, False)]
        assert connection.execute("from raw_scorecast.exchange_rates").fetchall() == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("reporting_currency: Euro", "'reporting_currency' must be a code of ISO 4217 such as EUR, not 'Euro'"),
        ("exchange_rates: rates.csv", "needs `reporting_currency: EUR`"),
        ("customers: {free_plans: maybe}", "'free_plans' must be true or false, not 'maybe'"),
        ("customers: {free_plan: true}", "Did you mean 'free_plans'?"),
        ("sources: {stripe: {folder: x, currency: $}}", "'currency' must be a code of ISO 4217"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, words: str):
    (tmp_path / "sources.yaml").write_text(text)
    with pytest.raises(ConfigurationError) as problem:
        read_configuration(tmp_path / "sources.yaml")
    assert words in str(problem.value)


def test_rates_come_as_spreadsheets_write_them(tmp_path: Path):
    path = tmp_path / "rates.csv"
    path.write_text("\ufeffDate;Currency;Rate\n2025-01-01;USD;0,95\n2025-01-01;JPY;0,0062\n", encoding="utf-8")
    assert read_rates(path, "EUR").rows() == [(date(2025, 1, 1), "JPY", 0.0062), (date(2025, 1, 1), "USD", 0.95)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("day,currency,rate\n2025-01-01,USD,1\n", "lacks the column(s) date"),
        ("date,currency,rate\n01/02/2025,USD,1\n", "line 2: date is '01/02/2025'"),
        ("date,currency,rate\n2025-01-01,USD,1\n2025-01-02,Dollar,1\n", "line 3: currency is 'Dollar'"),
        ("date,currency,rate\n2025-01-01,USD,0\n", "line 2: rate is '0'; write what one USD is worth in EUR"),
        ("date,currency,rate\n2025-01-01,USD,\n", "line 2: rate is None"),
        ("date,currency,rate\n2025-01-01,EUR,1.1\n", "the rate of EUR in itself is 1, not 1.1"),
        ("date,currency,rate\n2025-01-01,USD,1\n2025-01-01,USD,2\n", "more than one rate of USD on 2025-01-01"),
    ],
)
def test_a_rate_that_is_none_is_named_with_its_line(tmp_path: Path, text: str, words: str):
    (tmp_path / "rates.csv").write_text(text)
    with pytest.raises(RatesProblem) as problem:
        read_rates(tmp_path / "rates.csv", "EUR")
    assert words in str(problem.value)


def test_rates_that_are_not_there_are_named(tmp_path: Path):
    with pytest.raises(RatesProblem, match="cannot be read"):
        read_rates(tmp_path / "rates.csv", "EUR")
