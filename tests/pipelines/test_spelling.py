import pytest

from pipelines.spelling import closest, did_you_mean


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [("OpportunityHistroy", "opportunity_history"), ("acount", "account"), ("ACCOUNT", "account"), ("zzz", None)],
)
def test_the_closest_name_without_case_and_underscores(wrong: str, expected: str | None):
    assert closest(wrong, ["account", "opportunity_history", "lead"]) == expected


def test_more_likeness_can_be_asked_for():
    assert closest("acount", ["account"], likeness=0.95) is None


def test_a_suggestion_is_a_sentence_or_nothing():
    assert did_you_mean("leed", ["lead"]) == " Did you mean 'lead'?"
    assert did_you_mean("leed", []) == ""
