"""`sources.yaml`: what it may say, and that every mistake is named with its line."""

from datetime import date
from pathlib import Path

import pytest

from assets.sources.stripe import stripe
from pipelines.extraction.configuration import (
    Configuration,
    ConfigurationError,
    Limits,
    SourceSettings,
    known_sources,
    read_configuration,
)
from pipelines.settings import project_root


def link(template: str) -> str:
    """A `sources.yaml` with a link of Stripe's customers."""
    return f'sources:\n  stripe:\n    folder: x\n    links:\n      customer: "{template}"\n'


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Configuration:
        path = tmp_path / "sources.yaml"
        path.write_text(text)
        return read_configuration(path)

    return write


def test_the_shipped_file_lists_every_system_below_the_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    configuration = read_configuration(project_root() / "sources.yaml")
    assert sorted(configuration.folders) == known_sources()
    assert configuration.folders["stripe"] == tmp_path / "landing" / "stripe"
    assert configuration.sample == {"accounts": 2000, "months": 24, "seed": 7}
    assert (configuration.timezone, configuration.as_of, configuration.failure_webhook) == ("UTC", None, None)


def test_everything_that_can_be_said(written, monkeypatch):
    monkeypatch.setenv("EXPORTS", "/exports")
    monkeypatch.setenv("HUB", "42")
    monkeypatch.setenv("HOOK", "https://example.test/hook")
    configuration = written(
        "sources:\n  salesforce: ${EXPORTS}/sf\n"
        '  hubspot: {folder: /exports/hs, files: {deal: "*deals*.csv"}, columns: {deal: {amount: [Betrag, Summe]}},'
        ' links: {deal: "https://crm.example/${HUB}/{id}?tab=1"},'
        " time_zone: Europe/Berlin, encoding: windows-1252, date_format: day_first}\n"
        "as_of: 2025-06-30\ntimezone: Europe/Berlin\n"
        "failure_webhook: ${HOOK}\nquarantine_limit: 0.2\nrow_count_range: [0.5, 3]\n"
        "limits:\n  file_size: 500MB\n  row_size: 10 kB\n  columns: 300\n"
    )
    assert configuration == Configuration(
        sources={
            "salesforce": SourceSettings(Path("/exports/sf")),
            "hubspot": SourceSettings(
                Path("/exports/hs"),
                files={"deal": ("*deals*.csv",)},
                columns={"deal": {"amount": ("Betrag", "Summe")}},
                links={"deal": "https://crm.example/42/{id}?tab=1"},
                time_zone="Europe/Berlin",
                encoding="cp1252",
                date_format="day_first",
            ),
        },
        as_of=date(2025, 6, 30),
        timezone="Europe/Berlin",
        failure_webhook="https://example.test/hook",
        quarantine_limit=0.2,
        row_count_range=(0.5, 3.0),
        limits=Limits(file_size=500 * 10**6, row_size=10_000, columns=300, expansion=1000),
    )


def test_a_link_of_no_entity_is_named(written):
    configuration = written('sources: {stripe: {folder: x, links: {costumer: "https://crm.example/{id}"}}}')
    with pytest.raises(
        ConfigurationError, match=r"stripe: links: stripe has no entity 'costumer'\. Did you mean 'cust"
    ):
        configuration.mapped(stripe)


def test_an_empty_file_means_no_sources(written):
    assert written("") == Configuration()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("sources:\n  salesfroce: x\n", 2, "no source 'salesfroce'. Did you mean 'salesforce'?"),
        ("sources:\n  erp: x\n", 2, "There are: cms, google_ads"),
        ("sources:\n  stripe: [x]\n", 2, "must be a folder, such as `stripe: landing/stripe`, not ['x']"),
        ("sources:\n  stripe: {folder: 5}\n", 2, "must be a folder"),
        (
            "sources:\n  stripe:\n    folder: x\n    colums: {}\n",
            4,
            "no setting of a source 'colums'. Did you mean",
        ),
        (
            "sources:\n  stripe:\n    folder: x\n    files:\n      invoice: 5\n",
            5,
            "must be a text, or a list of texts, not 5",
        ),
        (link("https://crm.example/1"), 5, "the link of 'customer' must have {id} once, where the record's key goes"),
        (link("https://crm.example/{key}"), 5, "must have {id} once"),
        (link("https://crm.example/{id}/{name}"), 5, "must have {id} once"),
        (link("javascript:alert({id})"), 5, "must be an address of http or https without blanks, such as customer:"),
        (link("crm.example/{id}"), 5, "must be an address of http or https"),
        (link("https:///{id}"), 5, "must be an address of http or https"),
        (link("https://[x/{id}"), 5, "must be an address of http or https"),
        (link("https://crm.example/a b/{id}"), 5, "must be an address of http or https without blanks"),
        ("sources:\n  stripe:\n    folder: x\n    links:\n      customer: 5\n", 5, "'customer' must be a text, not 5"),
        ("sources:\n  stripe:\n    folder: x\n    time_zone: Berlin\n", 4, "no time zone 'Berlin'"),
        ("sources:\n  stripe:\n    folder: x\n    encoding: klingon\n", 4, "no encoding 'klingon'"),
        ("sources:\n  stripe:\n    folder: x\n    date_format: dmy\n", 4, "must be day_first, month_first or a format"),
        ("sources:\n  stripe:\n    folder: x\n    date_format: '%d/%m'\n", 4, "such as %d/%m/%Y, not '%d/%m'"),
        ("sources: landing\n", 1, "must be a block of `name: value` lines"),
        ("source:\n  stripe: x\n", 1, "Did you mean 'sources'?"),
        ("sources:\n  stripe: x\n cms: y\n", 3, "Check the indentation"),
        ("sources:\n  stripe: ${NOT_SET_ANYWHERE}/x\n", 2, "NOT_SET_ANYWHERE is not set"),
        ("as_of: 2026-02-30\n", 1, "2026-02-30 is not what it looks like (day is out of range for month)"),
        ("as_of: soon\n", 1, "must be a date such as 2025-06-30, not 'soon'"),
        ("timezone: Berlin\n", 1, "no time zone 'Berlin'"),
        ("quarantine_limit: 5\n", 1, "a share from 0 to 1, not 5"),
        ("row_count_range: 2\n", 1, "'row_count_range' must be two multiples of the last release's rows"),
        ("row_count_range: [0.7]\n", 1, "such as [0.7, 1.5], not [0.7]"),
        ("row_count_range: [0.7, 1.5, 2]\n", 1, "not [0.7, 1.5, 2]"),
        ("row_count_range: [0.7, yes]\n", 1, "not [0.7, True]"),
        ("row_count_range: [1.5, 0.7]\n", 1, "the lowest from 0 to 1 and the highest from 1 on"),
        ("row_count_range: [.nan, 2]\n", 1, "not [nan, 2]"),
        ("row_count_range: [0.7, .inf]\n", 1, "not [0.7, inf]"),
        ("limits:\n  file_size: 20\n", 2, "'file_size' must be a size such as 500 MB or 20 GB, not 20"),
        ("limits:\n  row_size: -1 MB\n", 2, "not '-1 MB'"),
        ("limits:\n  columns: 0\n", 2, "'columns' must be a whole number from 1 on, not 0"),
        ("limits:\n  colums: 5\n", 2, "no limit 'colums'. Did you mean 'columns'?"),
        ("limits: 5\n", 1, "'limits' must be a block"),
        ("sample:\n  accounts: many\n", 2, "must be a whole number, not 'many'"),
        ("sample:\n  account: 5\n", 2, "Did you mean 'accounts'"),
    ],
)
def test_a_mistake_is_named_with_its_line(written, text, line, words):
    with pytest.raises(ConfigurationError) as caught:
        written(text)
    assert f"sources.yaml, line {line}" in str(caught.value)
    assert words in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml is not there.*SCORECAST_SOURCES"):
        read_configuration(tmp_path / "nowhere.yaml")
