"""Which entity a file belongs to, as people and vendors name their exports."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.extraction.contracts import Entity, Inside
from pipelines.extraction.recognition import find_files


def entity(name: str, *columns: str, **more) -> Entity:
    version = more.pop("version", "updated_at")
    all_columns = {"id": "varchar", **dict.fromkeys(columns, "varchar"), version: "timestamp"}
    return Entity(name, name, all_columns, ("id",), version, version, required=(version,), **more)


COMPANY = entity("company", "name", "domain", "city", labels={"id": ("Record ID",), "name": ("Company name",)})
CONTACT = entity("contact", "email", "firstname", "lastname", labels={"id": ("Record ID",)})
DEAL = entity("deal", "dealname", "amount", "closedate", files=("*pipeline report*",))
DEAL_HISTORY = entity("deal_history", "deal_id", "stage")
TICKET = entity("ticket", "subject", "status", "channel", labels={"channel": ("via.channel",)})
COMMENT = Entity(
    "comment", "A comment.", {"id": "varchar", "ticket_id": "varchar"}, ("id",), inside=Inside("ticket", "comments", {})
)
ENTITIES = (COMPANY, CONTACT, DEAL, DEAL_HISTORY, TICKET, COMMENT)
HEADERS = {
    "company": "Record ID,Company name,Domain,City",
    "contact": "Record ID,Email,First Name,Last Name,Favourite colour",
    "deal": "id,Deal Name,Amount,Close Date",
    "deal_history": "id,deal_id,stage",
    "ticket": "id,subject,status",
}


def owners(folder: Path) -> dict[str, str]:
    found = find_files(folder, ENTITIES)
    return {file.name: name for name, files in found.files.items() for file in files}


@pytest.mark.parametrize(
    ("name", "header", "owner"),
    [
        ("company.csv", "anything", "company"),
        ("Companies.CSV", "anything", "company"),
        ("deal-history.csv", "anything", "deal_history"),
        ("DealHistories.csv.gz", "anything", "deal_history"),
        ("Q3 pipeline report (2).csv", "anything", "deal"),
        ("hubspot-crm-exports-all-contacts-2026-11-27.csv", HEADERS["contact"], "contact"),
        ("all_deal_histories_2026.csv", HEADERS["deal_history"], "deal_history"),
        ("Export (3).csv", HEADERS["company"], "company"),
        ("Export (3).csv", HEADERS["company"].replace(",", ";"), "company"),
        ("Kontakte.csv", HEADERS["contact"], "contact"),
        ("contact list of companies.csv", HEADERS["contact"], "contact"),
        # A name that says it is of contacts, with columns that are not.
        ("contact_preferences.csv", "preference,channel", None),
        ("Export.csv", "id,stage", None),
        ("Export.csv", "a,b,c", None),
        ("notes.txt", HEADERS["contact"], None),
    ],
)
def test_a_file_is_recognised_by_its_name_or_its_columns(tmp_path, name, header, owner):
    content = f"{header}\n".encode()
    if name.endswith(".gz"):
        import gzip

        content = gzip.compress(content)
    (tmp_path / name).write_bytes(content)
    assert owners(tmp_path) == ({name: owner} if owner else {})


def test_files_in_a_folder_of_any_name_are_recognised_each_by_itself(tmp_path):
    (tmp_path / "export-2026").mkdir()
    (tmp_path / "export-2026" / "contacts.csv").write_text(HEADERS["contact"])
    (tmp_path / "export-2026" / "b.csv").write_text(HEADERS["company"])
    assert owners(tmp_path) == {"export-2026/contacts.csv": "contact", "export-2026/b.csv": "company"}
    found = find_files(tmp_path, ENTITIES)
    assert found.notes == {"export-2026/b.csv": "export-2026/b.csv is taken for company, by its columns"}


def test_what_nobody_claims_is_told_with_the_nearest_name(tmp_path):
    (tmp_path / "tikcet.csv").write_text("a,b\n")
    (tmp_path / "readme.txt").write_text("hello")
    (message,) = find_files(tmp_path, ENTITIES).strays
    assert message == (
        f"{tmp_path}/tikcet.csv is not read: neither its name nor its columns are those of an entity of this source."
        " Did you mean 'ticket'?"
    )


def test_the_only_entity_of_a_system_is_recognised_by_its_columns_too(tmp_path):
    (tmp_path / "Export.csv").write_text(f"{HEADERS['company']}\n")
    assert [file.name for file in find_files(tmp_path, [COMPANY]).files["company"]] == ["Export.csv"]


@pytest.mark.parametrize("wrap", [lambda records: "\n".join(map(json.dumps, records)), json.dumps])
def test_records_within_records_are_files_of_their_entity_too(tmp_path, wrap):
    records = [{"id": 1, "via": {"channel": "web"}, "status": "open", "comments": [{"id": 2}]}]
    (tmp_path / "export.json").write_text(wrap(records))
    found = find_files(tmp_path, ENTITIES)
    assert [file.name for file in found.files["ticket"]] == ["export.json"]
    assert [file.inside for file in found.files["comment"]] == [COMMENT.inside]
    assert found.files["ticket"][0].inside is None


def test_a_pattern_comes_before_the_name(tmp_path):
    (tmp_path / "contacts.csv").write_text("anything\n")
    company = replace(COMPANY, files=("contacts*",))
    found = find_files(tmp_path, (company, CONTACT)).files
    assert [[file.name for file in files] for files in found.values()] == [["contacts.csv"], []]
