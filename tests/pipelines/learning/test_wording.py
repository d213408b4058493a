import pytest

from pipelines.learning.wording import describe_value, humanise, reason_text, stem

WORDS = {"usage_logins_sum_7d": "logins in the last 7 days", "arr": "ARR."}


@pytest.mark.parametrize(
    ("feature", "kind", "value", "typical", "contribution", "expected"),
    [
        ("usage_logins_sum_7d", "number", 3, 12.0, 0.4, "Logins in the last 7 days: 3, usually 12 (raises the risk)"),
        ("usage_logins_sum_7d", "number", None, 12.0, -0.4, "No logins in the last 7 days on record (lowers the risk)"),
        ("arr", "number", 12345.678, 12345.9, 0.1, "ARR: 12,346, as usual (raises the risk)"),
        ("arr", "number", None, 1.0, 0.1, "No ARR on record (raises the risk)"),
        ("has_late_invoice", "boolean", True, None, 0.1, "Has late invoice: yes (raises the risk)"),
        ("industry", "category", "Retail", None, -0.1, "Industry: Retail (lowers the risk)"),
        ("started_date", "date", 1.0, 40.0, 0.1, "Started date: 1 day ago, usually 40 days ago (raises the risk)"),
        ("renewal_date", "date", -30.0, 0.0, 0.1, "Renewal date: 30 days ahead, usually today (raises the risk)"),
        ("subject", "text", "please  cancel", None, 0.1, "Subject: “please cancel” (raises the risk)"),
    ],
)
def test_reasons_in_words(feature, kind, value, typical, contribution, expected):
    assert reason_text(feature, kind, value, typical, contribution, WORDS, "risk") == expected


@pytest.mark.parametrize(
    ("feature", "source"),
    [
        ("usage_logins_sum_7d", "usage"),
        ("usage_logins_sum_7d_vs_28d", "usage"),
        ("tickets_count_28d_priority_urgent", "tickets"),
        ("tickets_count_ever", "tickets"),
        ("days_since_last_invoices", "invoices"),
        ("days_since_first_usage", "usage"),
        ("account_tickets_count_28d", "account_tickets"),
        ("person_days_since_last_visits", "person_visits"),
        ("industry", "industry"),
        ("custom_industry_segment__c", "custom_industry_segment__c"),
    ],
)
def test_windows_of_one_source_share_a_stem(feature, source):
    assert stem(feature) == source


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("tickets_count_28d", "Tickets count in the last 28 days"),
        ("tickets_count_28d_priority_urgent", "Tickets count in the last 28 days priority urgent"),
        ("usage_logins_sum_7d_vs_28d", "Usage logins sum in the last 7 days against the last 28 days"),
        ("custom_industry_segment__c", "Industry segment"),
        ("account_industry", "The company's industry"),
        ("TotalCharges", "Total Charges"),
        ("_", "_"),
    ],
)
def test_undescribed_columns_become_words(feature, words):
    assert humanise(feature) == words


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (0.3456, "0.346"), (1234.5, "1,234"), (123.0, "123"), (0.00004, "4e-05"), (-3, "-3")],
)
def test_numbers(value, shown):
    assert describe_value(value, "number") == shown
