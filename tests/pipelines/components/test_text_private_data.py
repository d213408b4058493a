"""Private data in texts and labels, whatever it is and wherever it stands: none of it comes out of a text model."""

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from stdnum import iban, luhn

from pipelines.components.resolved import Trends
from pipelines.components.text.trends import topic_trends_definitions
from tests.pipelines.components.texts import REFIT, Company, articles, posts, sentiment, tagging

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
NAMES = st.text(LETTERS, min_size=4, max_size=9)
EMAILS = st.builds("{}.{}@{}.{}".format, NAMES, NAMES, NAMES, st.sampled_from(["com", "de", "co.uk"]))
CARDS = st.builds(
    lambda start, middle: (number := start + middle) + luhn.calc_check_digit(number),
    st.sampled_from(["4", "51", "55"]),
    st.text(DIGITS, min_size=13, max_size=13),
)
ACCOUNTS = st.text(DIGITS, min_size=18, max_size=18).map(
    lambda bank: f"DE{iban.calc_check_digits('DE00' + bank)}{bank}"
)
PHONES = st.builds(
    str.format,
    st.sampled_from(["+44 121 234 {}", "+49 (0)30 1234-{}", "+1 (212) 555-{}", "+33 1 23 45 {}"]),
    st.text(DIGITS, min_size=4, max_size=4),
)
SECRETS = st.tuples(EMAILS, PHONES, CARDS, ACCOUNTS)


def traces(secrets: Sequence[str], said: str) -> list[str]:
    """What of the secrets stands in a text: as it is, in small letters, and numbers without what parts them."""
    low, digits = said.lower(), re.sub(r"[ ()./-]", "", said)
    return [
        secret
        for secret in secrets
        if secret.lower() in low or ("@" not in secret and re.sub(r"\D", "", secret)[-10:] in digits)
    ]


@settings(max_examples=2, deadline=None, phases=[Phase.generate])  # to shrink would take runs without end
@given(st.lists(SECRETS, min_size=15, max_size=15), st.integers(0, 3))
def test_nothing_private_is_published_shown_or_logged(
    tmp_path_factory: pytest.TempPathFactory, secrets: list[tuple[str, ...]], in_labels: int
):
    folder: Path = tmp_path_factory.mktemp("company")
    private = pl.Series("private", [", ".join(secrets[number % len(secrets)]) for number in range(60)])
    label = f"ask {secrets[0][in_labels]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCORECAST_DATA", str(folder))
        company = Company(folder)
        texts = posts(60).with_columns(pl.col("body") + " write to " + private + " laggy", title=private)
        company.write("core.posts", texts)
        company.label(**dict.fromkeys(texts.filter(rating=1)["post_id"], label))
        tags = pl.col("tags").str.replace("billing", f"billing, {label}", literal=True)
        company.write("core.articles", articles(60).with_columns(pl.col("body") + " " + private, tags=tags))
        mood = sentiment(trends=Trends(called="posts"))
        result = company.run(mood, tagging(), tags=REFIT)
        shown = company.run_assets(topic_trends_definitions([mood]).assets)
        assert {fit["status"] for name in ("mood", "article_tag") for fit in company.fits(name)} == {"kept"}
        tables = company.ask("select table_schema || '.' || table_name as name from information_schema.tables")["name"]
        written = {
            name: company.ask(f"describe {name}").write_csv() + company.ask(f"from {name}").write_csv()
            for name in tables
            if name.startswith(("published.", "scores."))
        }
    assert {"published.moods", "published.article_tags", "published.topic_trends", "scores.mood"} <= written.keys()
    written |= {path.name: path.read_text() for path in folder.glob("reports/**/*.html")}
    assert len([name for name in written if name.endswith(".html")]) == 2
    written["events"] = "\n".join(str(event) for each in (result, shown) for event in each.all_events)
    every = [each for several in secrets for each in several]
    assert {name: found for name, said in written.items() if (found := traces(every, said))} == {}


def test_traces_are_found():
    secrets = ("jo.doe@some.com", "+44 121 234 5678", "4111111111111111")
    assert traces(secrets, "nothing 1212 34567") == []
    assert traces(secrets, "JO.DOE@SOME.COM, (0121) 234-5678 and 4111 1111 1111 1111") == list(secrets)
