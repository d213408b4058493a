"""What a check says of exports: files, columns, bad rows, keys of nothing, files that nobody claims."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from pipelines.database import connect_in_memory
from pipelines.extraction import checkup
from pipelines.extraction.checkup import SourceSeen, look
from pipelines.extraction.configuration import Configuration, ConfigurationError, SourceSettings
from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.money import MoneySettings, RatesProblem
from pipelines.extraction.systems import folder_configuration

NOW = datetime(2026, 12, 1)
COMPANY = Entity(
    name="company",
    description="A company.",
    columns={"id": "varchar", "name": "varchar", "createdate": "timestamp", "updated": "timestamp"},
    key=("id",),
    version="updated",
    time="updated",
    required=("updated",),
    labels={"id": ("Record ID",), "name": ("Company name",)},
)
DEAL = Entity(
    name="deal",
    description="A deal.",
    columns={
        "id": "varchar",
        "companyid": "varchar",
        "amount": "double",
        "currency": "varchar",
        "createdate": "timestamp",
        "updated": "timestamp",
    },
    key=("id",),
    version="updated",
    time="updated",
    required=("updated",),
    rules={"amount is negative": "amount >= 0"},
    references={"companyid": ("company",)},
)
EVENT = Entity(
    name="event",
    description="An event.",
    columns={"id": "varchar", "payer": "varchar", "received": "bigint"},
    key=("id",),
    time="received",
    time_unit="epoch_s",
    references={"payer": ("billing.payer",)},
)
CRM = Source("crm", "A CRM.", (COMPANY, DEAL, EVENT))
PAYER = Entity("payer", "Who pays.", {"id": "varchar", "iban": "varchar", "bic": "varchar"}, ("id",))
BILLING = Source("billing", "Bills.", (PAYER,))
COMPANIES = "Record ID,Company name,Create Date,updated,Tier\nc1,Acme,2026-01-05,2026-02-01,gold\n"
DEALS = "id,companyid,amount,currency,createdate,updated\n"


class Exports:
    def __init__(self, folder: Path):
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def look(self, needed: set[str] | None = None, *sources: Source) -> dict[str, SourceSeen]:
        sources = sources or (CRM,)
        configuration = Configuration({each.name: SourceSettings(self.folder / each.name) for each in sources})
        with connect_in_memory() as connection:
            return {seen.name: seen for seen in look(connection, sources, configuration, NOW, needed)}


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    return Exports(tmp_path)


def test_a_file_is_described(exports):
    exports.write("crm/Export (3).csv", COMPANIES)
    exports.write(
        "crm/deals.csv",
        f'{DEALS}d1,c1,"1,089.00",eur,2026-03-01,2026-03-02\nd2,c1,7,usd,2026-01-09,2026-04-02\n'
        "d3,c1,8,EUR,2026-02-01,2026-02-02\n",
    )
    company, deal = exports.look()["crm"].files
    assert (company.entity, company.how, deal.entity, deal.how) == ("company", "by its columns", "deal", "")
    assert company.used == {
        "id": "Record ID",
        "name": "Company name",
        "createdate": "Create Date",
        "updated": "updated",
    }
    assert (company.custom, company.missing, deal.missing) == (("Tier",), (), ())
    (file,) = deal.files
    assert (file.rows, file.put_aside, file.currencies) == (3, 0, {"EUR": 2, "USD": 1})
    assert (file.first, file.last) == (datetime(2026, 1, 9), datetime(2026, 3, 1))
    assert deal.readings == ("amount has commas between thousands",)


def test_missing_columns_are_named(exports):
    exports.write("crm/company.csv", "id,updated\nc1,2026-02-01\n")
    (company,) = exports.look()["crm"].files
    assert company.missing == ("name", "createdate")
    assert company.files[0].first == datetime(2026, 2, 1)  # there is no creation


def test_files_with_the_same_columns_are_described_together(exports):
    for day in ("2026-01-01", "2026-01-02"):
        exports.write(f"crm/deal/{day}.csv", f"{DEALS}{day},c1,1,EUR,{day},{day}\n")
    exports.write("crm/deal/2026-01-03.csv", "id,amount,updated\nd3,1,2026-01-03\n")
    first, second = exports.look()["crm"].files
    assert [file.name for file in first.files] == ["deal/2026-01-01.csv", "deal/2026-01-02.csv"]
    assert [file.name for file in second.files] == ["deal/2026-01-03.csv"]


def test_rows_put_aside_are_counted_by_reason_with_an_example(exports):
    exports.write(
        "crm/deals.csv",
        f"{DEALS}d1,c1,-1,EUR,2026-03-01,2026-03-02\nd2,c1,-2,EUR,2026-03-01,2026-03-02\n"
        "d3,c1,many,EUR,2026-03-01,2026-03-02\nd4,c1,1,EUR,2026-03-01,2026-03-02\nd4,c1,2,EUR,2026-03-01,2026-03-02\n",
    )
    seen = exports.look()["crm"]
    told = [(each.entity, each.reason, each.rows, each.file, each.line) for each in seen.put_aside]
    assert told == [
        ("deal", "amount is negative", 2, "deals.csv", 2),
        ("deal", "amount is not a number", 1, "deals.csv", 4),
        ("deal", checkup.TWICE, 1, "deals.csv", 6),
    ]
    assert seen.put_aside[1].example == "amount is not a number: 'many'"
    assert seen.files[0].files[0].put_aside == 4
    assert seen.stops == ()


def test_too_many_rows_put_aside_would_stop_a_run(exports):
    good = "".join(f"d{n},c1,1,EUR,2026-03-01,2026-03-02\n" for n in range(90))
    bad = "".join(f"x{n},c1,-1,EUR,2026-03-01,2026-03-02\n" for n in range(20))
    exports.write("crm/deals.csv", DEALS + good + bad)
    (stop,) = exports.look()["crm"].stops
    assert stop.startswith("crm.deal: 18.2% of the rows are put aside; a run stops above 5%")


def test_keys_that_match_nothing_are_counted_with_an_example(exports):
    exports.write("crm/company.csv", COMPANIES)
    exports.write(
        "crm/deals.csv",
        f"{DEALS}d1,c1,1,EUR,2026-03-01,2026-03-02\nd2,c1;c9,1,EUR,2026-03-01,2026-03-02\n"
        "d3,c9,1,EUR,2026-03-01,2026-03-02\nd4,,1,EUR,2026-03-01,2026-03-02\nd5,c8,1,EUR,2026-03-01,2026-03-02\n",
    )
    # The newest version of a record counts: d5 has moved to a company that there is.
    exports.write("crm/deal_2026.csv", f"{DEALS}d5,c1,1,EUR,2026-03-01,2026-04-02\n")
    (reference,) = exports.look()["crm"].references
    assert (reference.entity, reference.column, reference.to, reference.absent) == (
        "deal",
        "companyid",
        ("company",),
        (),
    )
    assert (reference.records, reference.unmatched) == (4, 1)
    assert (reference.value, reference.file, reference.line) == ("c9", "deals.csv", 4)


def test_keys_of_records_that_are_not_exported_are_told_and_not_counted_as_wrong(exports):
    exports.write("crm/deals.csv", f"{DEALS}d1,c1,1,EUR,2026-03-01,2026-03-02\n")
    (reference,) = exports.look()["crm"].references
    assert (reference.absent, reference.records) == (("company",), 1)


def test_keys_of_another_system_are_looked_up_where_the_company_has_it(exports):
    exports.write("crm/events.csv", "id,payer,received\ne1,p1,1767225600\ne2,p9,1767225600\n")
    exports.write("billing/payer.csv", "id,iban,bic\np1,a,b\n")
    assert exports.look()["crm"].references == ()
    (reference,) = exports.look(None, CRM, BILLING)["crm"].references
    assert (reference.records, reference.unmatched, reference.value) == (2, 1, "p9")


OUR_DEALS = Entity(
    name="opportunity",
    description="A deal.",
    columns={"Id": "varchar", "AccountId": "varchar", "Name": "varchar", "Amount": "double", "CloseDate": "date"},
    key=("Id",),
    references={"AccountId": ("account",)},
    deal={"name": "Name", "amount": "Amount", "date": "CloseDate", "company": "AccountId"},
)
OUR_COMPANIES = Entity("account", "A company.", {"Id": "varchar", "Name": "varchar"}, ("Id",))
SALES = Source("sales", "A CRM.", (OUR_COMPANIES, OUR_DEALS))
FIRMS = replace(OUR_COMPANIES, name="firm")
CHANCES = replace(OUR_DEALS, name="chance", references={"AccountId": ("firm",)})
THEIRS = Source("theirs", "Another CRM.", (FIRMS, CHANCES))


def test_deals_that_stand_in_two_systems_are_counted(exports):
    exports.write("sales/account.csv", "Id,Name\na1,Acme\na2,Bolt\n")
    exports.write("theirs/firm.csv", "Id,Name\n1,ACME \n2,Cork\n")
    header = "Id,AccountId,Name,Amount,CloseDate\n"
    exports.write(
        "sales/opportunity.csv",
        f"{header}o1,a1,Renewal,100,2026-01-01\no2,a1,Its name,200,2026-02-02\no3,a2,Pilot,300,2026-03-03\n"
        "o4,a2,Free,0,2026-03-03\no5,a1,Upsell,500,2026-05-05\no6,,,600,2026-05-05\n",
    )
    exports.write(
        "theirs/chance.csv",
        f"{header}7,9, renewal,100,2026-09-09\n8,1,Another name,200,2026-02-02\n9,2,Other,300,2026-03-03\n"
        "10,2,Free,0,2026-03-03\n11,1,Upsell,501,2026-05-05\n12,,,600,2026-05-05\n",
    )
    seen = exports.look(None, SALES, THEIRS)
    assert seen["sales"].twins == ()
    (twins,) = seen["theirs"].twins
    # By its name, and by its company and day; 9 is another company's, 10 has no amount, 11 another, 12 no name.
    assert (twins.entity, twins.other, twins.deals, twins.amount) == ("chance", "sales.opportunity", 2, 300)


def test_of_what_nothing_depends_on_the_newest_files_are_read(exports, monkeypatch):
    monkeypatch.setattr(checkup, "SMALL_FILES", 3)
    monkeypatch.setattr(checkup, "PART_FILES", 2)
    for day in ("2026-01-01", "2026-01-02", "2026-01-03"):
        exports.write(f"crm/company/{day}.csv", f"id,updated\nc{day},{day}\n")
        exports.write(f"crm/deal/{day}.csv", f"id,updated\nd{day},{day}\n")
        exports.write(f"crm/event/{day}.csv", f"id,received\ne{day},1767225600\n")

    def read(needed: set[str] | None) -> tuple[dict[str, int], dict[str, int]]:
        seen = exports.look(needed)["crm"]
        return {some.entity: len(some.files) for some in seen.files}, seen.unread

    assert read(None) == ({"company": 3, "deal": 3, "event": 3}, {})
    assert read({"crm.deal"}) == ({"company": 3, "deal": 3, "event": 3}, {})  # few and small
    monkeypatch.setattr(checkup, "SMALL_FILES", 2)
    assert read({"crm.deal"}) == ({"company": 3, "deal": 3, "event": 2}, {"event": 1})
    monkeypatch.setattr(checkup, "PART_BYTES", 1)
    assert read({"crm.event"}) == ({"company": 3, "deal": 1, "event": 3}, {"deal": 2})


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_read(exports):
    exports.write("crm/deals.csv", "name,amount\nx,1\n")
    exports.write("crm/company.csv", COMPANIES)
    seen = exports.look()["crm"]
    assert [some.entity for some in seen.files] == ["company"]
    (message,) = seen.rejected
    assert "deals.csv" in message and "no column 'id'" in message


def test_files_that_nobody_claims_are_told_with_the_nearest_name(exports):
    exports.write("crm/company.csv", COMPANIES)
    exports.write("crm/dael.csv", "a,b\n1,2\n")
    exports.write("crm/companies.xls", "x")
    exports.write("crm/notes.txt", "x")
    strays = exports.look()["crm"].unclaimed
    assert [stray.split("/crm/")[1].split(" is ")[0] for stray in strays] == ["dael.csv", "companies.xls", "notes.txt"]
    assert strays[0].endswith("Did you mean 'deal'?")
    assert strays[1].endswith("Did you mean 'company'?")
    assert strays[2].endswith("its ending is none of csv, json, jsonl, ndjson, parquet, tsv, xlsx.")


def test_a_folder_that_is_not_there_is_a_problem_of_its_source(exports):
    exports.write("billing/payer.csv", "id,iban,bic\np1,a,b\n")
    seen = exports.look(None, CRM, BILLING)
    assert (seen["crm"].problem, seen["crm"].files) == ("is not there", ())
    assert seen["billing"].files[0].files[0].rows == 1


def chosen(folder: Path, configuration: Configuration | None = None) -> tuple[dict[str, Path], list[str]]:
    found, notes = folder_configuration(folder, [CRM, BILLING], configuration or Configuration())
    return found.folders, notes


def test_folders_that_are_called_like_systems_are_theirs(exports):
    exports.write("CRM/a.csv", COMPANIES)
    exports.write("bilings/b.csv", "id,iban,bic\n")
    exports.write("loose.csv", COMPANIES)
    folders, notes = chosen(exports.folder)
    assert folders == {"crm": exports.folder / "CRM"}
    assert [note.endswith("Did you mean 'billing'?") for note in notes] == [True, False]
    assert "loose.csv" in notes[1]


@pytest.mark.parametrize(
    ("folder", "files", "owner"),
    [
        ("billing", {"x.csv": "a,b\n"}, "billing"),
        ("stuff", {"Export.csv": COMPANIES, "payer.csv": "a,b\n"}, "crm"),
        ("stuff", {"one.csv": "id,iban,bic\n", "two.csv": "id,iban,bic\n", "company.csv": "a,b\n"}, "billing"),
        ("stuff", {"payers.csv": "a,b\n"}, "billing"),
    ],
)
def test_one_folder_is_of_the_system_that_it_or_most_of_its_files_are_of(exports, folder, files, owner):
    for name, text in files.items():
        exports.write(f"{folder}/{name}", text)
    assert chosen(exports.folder / folder) == ({owner: exports.folder / folder}, [])


def test_each_file_of_one_folder_is_of_the_system_whose_columns_it_has(exports):
    for name, text in {"one.csv": "id,iban,bic\n", "company.csv": COMPANIES, "foo.csv": "a,b\n"}.items():
        exports.write(f"stuff/{name}", text)
    folder = exports.folder / "stuff"
    configuration, notes = folder_configuration(folder, [CRM, BILLING], Configuration())
    only = {name: {file.name for file in settings.only} for name, settings in configuration.sources.items()}
    assert only == {"billing": {"one.csv"}, "crm": {"company.csv"}}
    assert f"billing: {folder}/billing, crm: {folder}/crm" in notes[1] and "foo.csv is not looked into" in notes[2]


def test_a_folder_of_no_system_is_told_file_by_file(exports):
    exports.write("stuff/foo.csv", "a,b\n1,2\n")
    exports.write("stuff/compny.pdf", "x")
    folders, notes = chosen(exports.folder / "stuff")
    assert folders == {}
    assert "one of: billing, crm. None of them? `scorecast new source FILE...`." in notes[0]
    assert "foo.csv is not looked into." in notes[2]
    assert notes[1].endswith("Did you mean 'company'?") and "foo.csv" in notes[2]


def test_a_folder_that_is_not_there_is_a_mistake(exports):
    with pytest.raises(ConfigurationError, match="nowhere is not there"):
        chosen(exports.folder / "nowhere")
    exports.write("hubspot/x.csv", "a,b\n1,2\n")
    with pytest.raises(ConfigurationError, match=r"hubspto is not there \(did you mean hubspot\?\)\.$"):
        chosen(exports.folder / "hubspto")


def test_what_sources_yaml_says_of_a_system_holds_for_any_folder(exports):
    exports.write("crm/Umsatz.csv", "Nummer,amount,updated\nd1,5,2026-01-01\n")
    settings = SourceSettings(Path("elsewhere"), files={"deal": ("Umsatz*",)}, columns={"deal": {"id": ("Nummer",)}})
    configuration, _ = folder_configuration(exports.folder, [CRM], Configuration({"crm": settings}))
    assert configuration.sources["crm"] == replace(settings, folder=exports.folder / "crm")
    with connect_in_memory() as connection:
        (seen,) = look(connection, [CRM], configuration, NOW)
    assert (seen.files[0].entity, seen.files[0].used["id"]) == ("deal", "Nummer")


def test_a_label_of_sources_yaml_that_no_column_has_is_told_with_the_nearest(exports):
    exports.write("crm/deal.csv", "id,Betraege,updated\nd1,5,2026-01-01\n")
    settings = SourceSettings(Path("elsewhere"), columns={"deal": {"amount": ("Betraeg",), "id": ("Nummer",)}})
    configuration, _ = folder_configuration(exports.folder, [CRM], Configuration({"crm": settings}))
    with connect_in_memory() as connection:
        (seen,) = look(connection, [CRM], configuration, NOW)
    assert seen.files[0].readings == (
        "amount is missing: sources.yaml calls it 'Betraeg', and no column is called so. Did you mean 'Betraege'?",
    )


def test_files_and_rates_of_sources_yaml_that_are_not_there_are_told(exports):
    exports.write("crm/deals.csv", "id,amount,updated\nd1,5,2026-01-01\n")
    files = {"deal": ("*Verkaufschancen*.csv", "Deals*")}
    configuration = Configuration({"crm": SourceSettings(exports.folder / "crm", files=files)})
    with connect_in_memory() as connection:
        (seen,) = look(connection, [CRM], configuration, NOW)
    assert seen.unclaimed == ("'*Verkaufschancen*.csv', which sources.yaml calls the files of deal, fits no file.",)
    money = MoneySettings("EUR", exports.folder / "rates.csv")
    with connect_in_memory() as connection, pytest.raises(RatesProblem, match=r"rates\.csv cannot be read"):
        look(connection, [CRM], replace(configuration, money=money), NOW)
