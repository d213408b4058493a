import re

import pytest

from pipelines.learning.scoring.wording import Reason, describe_value, humanise, reason_writer, stem
from pipelines.learning.specs import check_template

WORDS = {
    "usage_logins_sum_7d": "logins in the last 7 days",
    "arr": "ARR.",
    "days_since_last_usage": "days since the last login",
    "person_days_since_last_visits": "person: days since the last visit",
    "account_days_since_first_customer": "account: Days since the company first paid for a subscription",
    "account_employee_count": "account: Number of employees",
    "account_tickets_count_91d": "account: support tickets in the last 91 days",
    "account_is_customer": "account: Whether at least one subscription is paid for",
    "account_type": "account: What the CRM calls the company (customer, prospect)",
    "custom_partner": "custom field partner",
    "rating": "Rating, as the system has it",
    "notes": "Notes of the agent",
    "comments": "Comments",
}


@pytest.mark.parametrize(
    ("feature", "kind", "value", "typical", "expected"),
    [
        ("usage_logins_sum_7d", "number", 3, 12.0, "Logins in the last 7 days: 3, usually 12"),
        ("usage_logins_sum_7d", "number", None, 12.0, "No logins in the last 7 days on record"),
        ("arr", "number", 12345.678, 12345.9, "ARR: 12,346, as usual"),
        ("arr", "number", None, 1.0, "No ARR on record"),
        ("has_late_invoice", "boolean", True, None, "Late invoice: yes"),
        ("is_deleted", "boolean", None, None, "Deleted: unknown"),
        ("account_is_customer", "boolean", False, None, "Company: at least one subscription is paid for: no"),
        ("industry", "category", "Retail", None, "Industry: Retail"),
        ("industry", "category", None, None, "No industry on record"),
        ("rating", "category", None, None, "Rating, as the system has it: unknown"),
        ("custom_partner", "category", "Acme", None, "Partner: Acme"),
        ("account_type", "category", "customer", None, "What the CRM calls the company (customer, prospect): customer"),
        ("account_employee_count", "number", 30, 10.0, "Company: number of employees: 30, usually 10"),
        (
            "account_tickets_count_91d",
            "number",
            0,
            4.0,
            "The company's support tickets in the last 91 days: 0, usually 4",
        ),
        ("started_date", "date", 1.0, 40.0, "Started: 1 day ago, usually 40 days ago"),
        ("renewal_date", "date", -30.0, 0.0, "Renewal: in 30 days, usually today"),
        ("started_date", "date", 1461.0, 40.0, "Started: 4.0 years ago, usually 40 days ago"),
        ("created_at", "date", None, 40.0, "Created: unknown"),
        ("days_since_last_usage", "number", 23, 2.0, "No login for 23 days, usually 2"),
        ("days_since_last_usage", "number", 1, 0.0, "No login for 1 day, usually 0"),
        ("days_since_last_usage", "number", 1, 9.0, "Last login 1 day ago, usually 9"),
        ("days_since_last_usage", "number", 0, 9.0, "Last login today, usually 9"),
        ("days_since_last_usage", "number", 2, 2.0, "Last login 2 days ago, as usual"),
        ("days_since_last_usage", "number", None, 2.0, "No login on record"),
        ("days_since_last_tickets", "number", 23, None, "No tickets for 23 days"),
        ("days_since_first_invoices", "number", 842, 293.0, "First invoices 842 days ago, usually 293"),
        ("person_days_since_last_visits", "number", 23, 2.0, "Person: no visit for 23 days, usually 2"),
        (
            "account_days_since_first_customer",
            "number",
            5,
            9.0,
            "The company first paid for a subscription 5 days ago, usually 9",
        ),
        (
            "account_days_since_first_customer",
            "number",
            None,
            9.0,
            "Days since the company first paid for a subscription: unknown",
        ),
        ("days_since_signup", "number", 0, 9.0, "Signup today, usually 9"),
        ("subject", "text", "please  cancel", None, "Subject: “please cancel”"),
        ("subject", "text", None, None, "No subject on record"),
    ],
)
@pytest.mark.parametrize(("contribution", "effect"), [(0.4, "raises the risk"), (-0.4, "lowers the risk")])
def test_reasons_in_words(feature, kind, value, typical, contribution, effect, expected):
    write = reason_writer(feature, kind, typical, WORDS, "risk")
    words = re.sub(", (?:usually .*|as usual)$", "", expected)
    assert write(value, contribution > 0) == Reason(words, f"{expected} ({effect})")


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("subject", "Subject mentions “cancel”, “refund” (raises the risk)"),
        ("notes", "Notes of the agent mentions “cancel”, “refund” (raises the risk)"),
        ("comments", "Comments mention “cancel”, “refund” (raises the risk)"),
    ],
)
def test_a_text_names_the_words_that_mattered(feature, expected):
    words = ["cancel", "refund"]
    write = reason_writer(feature, "text", None, WORDS, "risk")
    assert write("refund me, I cancel", True, words).text == expected


@pytest.mark.parametrize(
    ("template", "kind", "value", "typical", "expected"),
    [
        ("no login for {value} days", "number", 23, 2.0, "No login for 23 days (raises the risk)"),
        ("{value} logins instead of {typical}", "number", 1234.0, 2.0, "1,234 logins instead of 2 (raises the risk)"),
        ("renewed {value} days ago", "date", 12.0, 2.0, "Renewed 12 days ago (raises the risk)"),
        (
            "works in {value}, not {typical}",
            "category",
            "R{e}tail",
            None,
            "Works in R{e}tail, not unknown (raises the risk)",
        ),
        ("late: {value}", "boolean", True, None, "Late: yes (raises the risk)"),
        ("no login for {value} days", "number", None, 2.0, "No login on record (raises the risk)"),
    ],
)
def test_a_template_replaces_the_words(template, kind, value, typical, expected):
    write = reason_writer("days_since_last_usage", kind, typical, WORDS, "risk", template)
    assert write(value, True).text == expected


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("no login", None),
        ("{value} and {typical}", None),
        ("{{value}}", None),
        ("{worth}", "may be"),
        ("{}", "may be"),
        ("{value.real}", "may be"),
        ("{value!r}", "may be"),
        ("{value:>9}", "may be"),
        ("{value", "braces"),
        ("value}", "braces"),
        ("  ", "empty"),
    ],
)
def test_a_template_has_two_placeholders_at_most(template, problem):
    found = check_template(template)
    assert (found is None) if problem is None else (problem in found)


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
        ("tickets_count_28d", "Tickets in the last 28 days"),
        ("tickets_count_28d_priority_urgent", "Tickets with priority urgent in the last 28 days"),
        ("usage_logins_sum_7d_vs_28d", "Usage logins per day, last 7 days against last 28"),
        ("account_satisfaction_rating_average_ever", "The company's average satisfaction rating so far"),
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
