"""What `scorecast new source` proposes for exports of unknown systems, what it asks, and what it writes of it."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml

from assets.sources import all_sources
from pipelines.extraction.configuration import known_sources
from pipelines.extraction.recognition import find_files
from pipelines.new_source.contract import source_of
from pipelines.new_source.exports import UnusableExport, read_exports
from pipelines.new_source.given import Given, read_flags
from pipelines.new_source.proposal import Draft, DraftTable, Question, drafted
from pipelines.new_source.vocabulary import vocabularies
from pipelines.new_source.write import files_of, tried, write_source
from pipelines.settings import dbt_project_dir
from pipelines.transformation.canonical import canonical_entities
from tests.pipelines.new_source.invented import german, hours, pipedrive, read, write, zoho

KNOWN = vocabularies(canonical_entities(dbt_project_dir()), all_sources())


@contextmanager
def draft_of(
    files: Sequence[Path], given: Given | None = None, answers: dict[str, str] | None = None
) -> Iterator[Draft]:
    """The draft of files, with answers by flag; the default of every other question."""
    with read_exports(files) as exports:
        yield drafted(
            exports, KNOWN, given or Given(), lambda asked: (answers or {}).pop(asked.flag, None), known_sources()
        )


def drawn(files: Sequence[Path], **flags: Sequence[str]) -> Draft:
    owner = flags.pop("owner", "team:data")
    with draft_of(files, read_flags(flags.pop("name", None), None, owner, **flags)) as draft:
        return draft


def table(draft: Draft, name: str) -> DraftTable:
    return next(each for each in draft.tables if each.name == name)


def deals(folder: Path, **changes: object) -> Path:
    """Deals of a system called `bond`, with these columns more, or others."""
    rows = [
        {
            **{"Id": f"d{number}", "Deal": f"Deal {number}", "Amount": 10 * number, "Created": hours(number)},
            **{"Stage": ("Won", "Lost", "New")[number % 3]},
            **{name: value(number) if callable(value) else value for name, value in changes.items()},
        }
        for number in range(1, 41)
    ]
    return write(folder / "bond" / "deals.csv", [{k: v for k, v in row.items() if v is not None} for row in rows])


def test_pipedrive(tmp_path: Path):
    draft = drawn(pipedrive(tmp_path))
    assert draft.name == "pipedrive"
    assert {each.name: each.entity for each in draft.tables} == {
        **{"organization": "accounts", "people": "contacts", "deal": "opportunities"},
    }
    deal = table(draft, "deal")
    assert deal.columns == {
        "opportunity_id": "Deal - ID",
        "account_key": "Deal - Organization",
        "opportunity_name": "Deal - Title",
        "stage": "Deal - Stage",
        "status": "Deal - Status",
        "amount": "Deal - Value",
        "currency": "Deal - Currency",
        "close_date": "Deal - Expected close date",
        "owner_id": "Deal - Owner",
        "won_at": "Deal - Won time",
        "lost_at": "Deal - Lost time",
        "created_at": "Deal - Deal created",
        "known_at": "Deal - Update time",
    }
    assert deal.words == {"won": ("won",), "lost": ("lost",)}
    assert deal.has_account_names and table(draft, "people").has_account_names
    assert table(draft, "people").columns["email"] == "Person - Email - Work"


def test_zoho(tmp_path: Path):
    draft = drawn(zoho(tmp_path))
    deal, lead = table(draft, "deal"), table(draft, "lead")
    assert {
        ours: deal.columns[ours] for ours in ("opportunity_id", "account_key", "amount", "close_date", "known_at")
    } == {
        **{"opportunity_id": "Record Id", "account_key": "Account Name", "amount": "Amount"},
        **{"close_date": "Closing Date", "known_at": "Modified Time"},
    }
    assert (deal.status, set(deal.words["won"])) == ("stage", {"Closed Won"})
    assert set(deal.words["lost"]) == {"Closed Lost", "Closed-Lost to Competition"}
    assert (lead.columns["is_converted"], lead.columns["converted_date"]) == ("Is Converted", "Converted Date")
    assert lead.words == {"given_up": ("Junk Lead",)}
    assert any("'Closing Date' counts as that day" in note for note in draft.notes)


def test_labels_with_umlauts_in_another_encoding(tmp_path: Path):
    draft = drawn(german(tmp_path))
    (company, deal) = draft.tables
    assert (company.entity, deal.entity, deal.name) == ("accounts", "opportunities", "verkaufschancen")
    assert company.columns["account_key"] == "Firmen-Nr." and company.columns["employee_count"] == "Mitarbeiter"
    assert deal.columns["amount"] == "Auftragswert (€)" and deal.columns["known_at"] == "Zuletzt geändert am"
    assert deal.words == {"won": ("Gewonnen",), "lost": ("Verloren",)}
    assert [(each.rows, each.put_aside) for each in tried(draft, source_of(draft))] == [(10, ()), (30, ())]


@pytest.mark.parametrize("system", [pipedrive, zoho, german])
def test_what_is_written_loads_every_row_and_is_laid_out_as_ruff_does_it(tmp_path: Path, system):
    draft = drawn(system(tmp_path))
    source = source_of(draft)
    assert all(
        not each.put_aside and each.rows == table(draft, each.entity).exports[0].rows for each in tried(draft, source)
    )
    root = tmp_path / "project"
    written = {str(path.relative_to(root)): path for path in write_source(root, draft, source)}
    assert set(written) == set(files_of(draft, source))
    python = written[f"assets/sources/{draft.name}.py"]
    for check in (("format", "--check"), ("check",)):
        result = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "--config", "pyproject.toml", "--no-cache", str(python)],
            cwd=dbt_project_dir().parent,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stdout
    described = yaml.safe_load(written[f"dbt_project/models/staging/{draft.name}/_{draft.name}.yml"].read_text())
    assert {model["name"] for model in described["models"]} == {
        path.stem for path in written.values() if path.suffix == ".sql"
    }
    assert all(column["description"] for model in described["models"] for column in model["columns"])
    with pytest.raises(FileExistsError, match=r"is there already\. Edit it"):
        write_source(root, draft, source)


def test_the_files_are_recognised_by_the_contract_alone(tmp_path: Path):
    file = deals(tmp_path)
    odd = file.rename(file.with_name("Export 2026-01-05 (3).csv"))
    draft = drawn([odd], kinds=[f"{odd.name}=opportunities"], name="bond")
    source = source_of(draft)
    other = odd.rename(odd.with_name("Export 2026-02-07 (1).csv"))
    claimed = find_files(other.parent, source.entities).files
    assert [file.name for file in claimed["opportunity"]] == [other.name]


def test_an_outcome_under_a_harmless_name_stays_a_custom_field(tmp_path: Path):
    """`type` counts as what does not change: it would tell how a deal ends from its creation on."""
    deal = drawn([deals(tmp_path, Type=lambda number: ("won", "lost", "active")[number % 3])]).tables[0]
    assert "type" not in deal.columns and "Type" in deal.custom


def test_two_columns_of_nearly_one_name_stay_apart(tmp_path: Path):
    file = deals(
        tmp_path, Stage=lambda n: f"s{n % 4}", Status=lambda n: ("open", "won", "lost")[n % 3], **{"Deal stage": "x"}
    )
    draft = drawn([file], columns=["deal.stage=Deal stage"])
    (entity,) = source_of(draft).entities
    assert entity.labels["deal_stage"] == ("Deal stage",) and "stage" not in entity.columns
    assert (
        "'stage': ['deal_stage', 'string']"
        in files_of(draft, source_of(draft))["dbt_project/models/staging/bond/stg_bond__opportunities.sql"]
    )


def test_companies_are_taken_from_deals_where_no_file_has_them(tmp_path: Path):
    draft = drawn([deals(tmp_path, Company=lambda number: f"Co {number % 5}")])
    assert draft.tables[0].makes_accounts
    assert "No file has companies: they are taken from Company of deal." in draft.notes
    assert "dbt_project/models/staging/bond/stg_bond__accounts.sql" in files_of(draft, source_of(draft))


def test_a_column_of_a_companys_keys_refers_to_it_whatever_it_is_called(tmp_path: Path):
    parents = [
        {"id": f"x{number}", "display_name": f"Co {number}", "date_created": hours(number)} for number in range(1, 9)
    ]
    (tmp_path / "bond").mkdir()
    companies = tmp_path / "bond" / "customers.json"
    companies.write_text(json.dumps({"data": parents}, default=str))
    draft = drawn([companies, deals(tmp_path, belongs=lambda number: f"x{number % 8 + 1}")])
    assert table(draft, "deal").columns["account_key"] == "belongs"
    assert not table(draft, "deal").has_account_names


def test_keys_that_leads_and_contacts_share_are_told_apart(tmp_path: Path):
    people = [{"ID": number, "Email": f"a{number}@x.example", "Created": hours(number)} for number in range(1, 9)]
    files = [write(tmp_path / "bond" / f"{name}.csv", people) for name in ("contacts", "leads")]
    draft = drawn(files)
    sql = files_of(draft, source_of(draft))["dbt_project/models/staging/bond/stg_bond__leads.sql"]
    assert "'lead-' || own_lead_id as lead_id" in sql and "'key': 'own_lead_id'" in sql


def test_records_without_a_time_of_change_are_of_the_export(tmp_path: Path):
    draft = drawn([deals(tmp_path)])
    (entity,) = source_of(draft).entities
    assert (entity.version, entity.columns["known_at"], "known_at" in entity.labels) == ("known_at", "timestamp", False)
    assert tried(draft, source_of(draft))[0].rows == 40


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            {"columns": ["deal.amonut=Amount"]},
            "--map deal.amonut: opportunities has no 'amonut'. Did you mean 'amount'?",
        ),
        ({"columns": ["deal.amount=Amonut"]}, "deal.amount: deals.csv has no column 'Amonut'. Did you mean 'Amount'?"),
        ({"columns": ["deal.amount=Deal"]}, "deal.amount is a double, but too many values of 'Deal'"),
        ({"columns": ["lead.amount=Amount"]}, "--map lead.amount: there is no 'lead'. There are: deal."),
        ({"columns": ["amount"]}, "--map is 'amount'; write TABLE.OURS=COLUMN"),
        ({"kinds": ["deals.csv=opportunites"]}, "--as deals.csv=ENTITY: There is no 'opportunites'. Did you mean"),
        ({"kinds": ["deal.csv=leads"]}, "--as deal.csv: there is no such file. Did you mean 'deals.csv'?"),
        ({"words": ["deal.won=Wonn"]}, "'Stage' has no 'Wonn'. Did you mean 'Won'?"),
        ({"words": ["deal.won={{x}}"]}, "'{{x}}' has a brace or a backslash"),
        ({"words": ["deal.signed=Won"]}, "--words deal.signed: opportunities has no 'signed'. There are: lost, won."),
        ({"columns": ["deal.opportunity_id=Stage"]}, "Stage of deals.csv does not identify a record"),
        ({"owner": "Ann"}, "--owner is 'Ann'; write team:<name> or an e-mail address."),
        ({"name": "Bond!"}, "--name: 'Bond!' is no name"),
        ({"name": "hubspot"}, "--name: There is a source hubspot already"),
        ({"name": "class"}, "--name: 'class' is no name"),
        ({"name": "a__b"}, "--name: 'a__b' is no name"),
        ({"name": "scorecast"}, "--name: There is a source scorecast already"),
    ],
)
def test_a_wrong_flag_is_named_with_what_was_meant(tmp_path: Path, flags: dict, words: str):
    with pytest.raises(ValueError) as refused:
        drawn([deals(tmp_path, Stage=lambda number: ("Won", "Lost", "{{x}}")[number % 3])], **flags)
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Stage": "New"}, "--words deal.lost=WORD,WORD is missing: the words of 'Stage' that mean lost"),
        ({"Id": None, "Deal": "x", "Amount": 1, "Created": None}, "--map deal.opportunity_id=COLUMN is missing"),
        ({"Created": None}, "--map deal.created_at=COLUMN is missing: when a record of deals.csv was created"),
        (
            {"Stage": None, "Kind": lambda n: ("New", "Renewal")[n % 2]},
            "--map deal.status=COLUMN is missing: the column of deals.csv that says whether a deal is won, lost or"
            " open; without one all 40 count as open (`--map deal.status=` says that there is none). There are: ",
        ),
    ],
)
def test_what_cannot_be_known_is_asked(tmp_path: Path, changes: dict, words: str):
    with pytest.raises(LookupError) as missing:
        drawn([deals(tmp_path, **changes)])
    assert str(missing.value).startswith(words)


def test_the_column_that_says_how_a_deal_stands_is_known_by_its_words(tmp_path: Path):
    file = deals(
        tmp_path, Stage=None, Stand=lambda n: ("Gewonnen", "Verloren", "Angebot")[n % 3], Kind=lambda n: "ABC"[n % 3]
    )
    drawn_table = table(drawn([file]), "deal")
    assert drawn_table.columns["status"] == "Stand" and "Kind" in drawn_table.custom
    assert drawn_table.words == {"won": ("Gewonnen",), "lost": ("Verloren",)}


def test_deals_without_a_word_of_how_they_stand_are_taken_only_when_that_is_said(tmp_path: Path):
    draft = drawn([deals(tmp_path, Stage=None)], columns=["deal.status="])
    assert not {"status", "stage"} & set(table(draft, "deal").columns)


def test_what_a_file_holds_is_asked_where_neither_name_nor_columns_tell(tmp_path: Path):
    file = write(tmp_path / "bond" / "table.csv", [{"a": 1, "b": 2}])
    with pytest.raises(LookupError, match=r"--as table\.csv=ENTITY is missing: what table\.csv holds\. There are: "):
        drawn([file])


def test_answers_change_columns_and_name_words(tmp_path: Path):
    file = deals(tmp_path, Stage=lambda n: ("Signed", "Gone", "New")[n % 3], Total=lambda n: 3 * n)
    seen: list[Question] = []
    changes = iter(["amount=Total", "currency=Totl", ""])

    def ask(question: Question) -> str | None:
        seen.append(question)
        if question.flag == "--map deal.OURS=COLUMN":
            answer = next(changes)
            if question.problem(answer) is None:
                return answer
            assert question.problem(answer) == "deal.currency: deals.csv has no column 'Totl'. Did you mean 'Total'?"
            return next(changes)
        return {"--words deal.won=WORD,WORD": "Signed", "--words deal.lost=WORD,WORD": "Gone"}.get(question.flag)

    with read_exports([file]) as exports:
        draft = drafted(exports, KNOWN, Given(), ask, known_sources())
    assert draft.tables[0].columns["amount"] == "Total" and "Amount" in draft.tables[0].custom
    assert draft.tables[0].words == {"won": ("Signed",), "lost": ("Gone",)}
    assert {"--name", "--as deals.csv=ENTITY"} <= {question.flag for question in seen}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("a.csv", "", "is empty"), ("a.csv", "id,name\n", "has no rows"), ("a.pdf", "x", "files with .pdf are not read")],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, text: str, words: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(UnusableExport, match=words), read_exports([tmp_path / name]):
        pass
    with pytest.raises(UnusableExport, match="is not there"), read_exports([tmp_path / "none.csv"]):
        pass


def test_rows_that_do_not_fit_are_told_before_anything_is_written(tmp_path: Path):
    file = deals(tmp_path, Touched=lambda number: hours(number) if number > 5 else "")
    draft = drawn([file], columns=["deal.known_at=Touched"])
    source = source_of(draft)
    with pytest.raises(ValueError, match=r"5 of 40 rows do not fit .* known_at is empty, .*--map deal\.OURS=COLUMN"):
        tried(draft, source)


def test_odd_labels_stay_what_they_are(tmp_path: Path):
    odd = "Amount \"net\" {{ in }}\nper 'k' \\ " + "x" * 90
    file = deals(tmp_path, Amount=None, **{odd: lambda number: number})
    draft = drawn([file], columns=[f"deal.amount={odd}"])
    source = source_of(draft)
    files = files_of(draft, source)
    python = ast.parse(files["assets/sources/bond.py"])
    assert odd in {node.value for node in ast.walk(python) if isinstance(node, ast.Constant)}
    assert "{{ in" not in files["dbt_project/models/staging/bond/_bond.yml"]
    assert tried(draft, source)[0].rows == 40


def orbit(folder: Path, company: str = "Company", number: str = "Org No") -> list[Path]:
    """Files whose keys are called numbers, and refer to each other by them; every company has a name of its own."""
    companies = [
        {company: f"Orb {each} Ltd", number: 100 + each, "City": "Bonn", "Added": hours(each)} for each in range(1, 21)
    ]
    people = [
        {"Person No": 900 + each, "Full name": f"A{each} B{each}", "Org No": 101 + each % 20, "Added": hours(each)}
        for each in range(1, 41)
    ]
    rows = [
        {
            **{"Title": f"Deal {each}", "Deal No": 5000 + each, "Org No": 101 + each % 20, "Value": 100 + each},
            **{"Status": ("won", "lost", "open")[each % 3], "Added": hours(30 * each)},
        }
        for each in range(1, 91)
    ]
    files = {"organizations": companies, "deals": rows, "people": people}
    return [write(folder / "orbit" / f"{name}.csv", some) for name, some in files.items()]


@pytest.mark.parametrize("number", ["Org No", "Nr", "Reference", "Customer Code", "Kürzel"])
def test_the_key_is_what_identifies_and_is_referred_to_not_the_name(tmp_path: Path, number: str):
    draft = drawn(orbit(tmp_path, number=number))
    keys = {each.name: each.columns[each.vocabulary.key[0]] for each in draft.tables}
    assert keys == {"organization": number, "deal": "Deal No", "people": "Person No"}
    company, deal, people = (table(draft, name) for name in keys)
    assert company.columns["account_name"] == "Company"
    assert deal.columns["account_key"] == people.columns["account_key"] == "Org No"
    assert not deal.has_account_names and not people.has_account_names
    assert any(
        note.startswith(f"organization: '{number}' identifies a record: every row has another value, and it is what")
        and "Org No of deals.csv, Org No of people.csv have" in note
        for note in draft.notes
    )


def test_a_name_is_a_key_only_where_nothing_else_is_and_that_is_told(tmp_path: Path):
    files = orbit(tmp_path)
    rows = [{"Company": f"Orb {each} Ltd", "City": "Bonn", "Added": hours(each)} for each in range(1, 21)]
    draft = drawn(
        [
            write(files[0], rows),
            write(files[1], [{**row, "Org No": "", "Company": "Orb 1 Ltd"} for row in read(files[1])]),
        ]
    )
    (company, deal) = draft.tables
    assert (company.columns["account_key"], deal.columns["account_key"]) == ("Company", "Company")
    assert any("organization: 'Company' identifies a record" in note and "It is a name" in note for note in draft.notes)


def test_companies_that_match_nothing_are_told_with_the_side_that_is_wrong(tmp_path: Path):
    files = orbit(tmp_path)
    wrong = drawn(files, columns=["organization.account_key=Company", "deal.account_key=Org No"])
    assert (
        "Only 0% of what deal has in 'Org No' are companies of organizations.csv by its 'Company', but 100% are in its"
        " 'Org No'. If that identifies a company, map it: --map organization.account_key='Org No'" in wrong.notes
    )
    lost = drawn(files, columns=["deal.account_key=Title"])
    assert any("If another column refers to them, map it: --map deal.account_key=COLUMN" in each for each in lost.notes)


@pytest.mark.parametrize("flags", [{}, {"columns": ["deal.closed_at=Closed On"]}], ids=["proposed", "mapped"])
def test_a_day_of_closing_that_may_be_to_come_is_a_plan(tmp_path: Path, flags: dict):
    far = datetime.now() + timedelta(days=90)
    closes = {"Closed On": lambda number: f"{far if number % 3 == 2 else hours(number + 9):%Y-%m-%d}"}
    draft = drawn([deals(tmp_path, **closes)], **flags)
    (deal,) = draft.tables
    assert deal.columns["close_date"] == "Closed On" and "closed_at" not in deal.columns
    assert any("'Closed On' counts as that day" in note for note in draft.notes)
    assert tried(draft, source_of(draft))[0].rows == 40


def test_a_day_of_closing_that_has_passed_is_no_plan(tmp_path: Path):
    closes = {"Closed On": lambda number: "" if number % 3 == 2 else f"{hours(number + 9):%Y-%m-%d}"}
    (deal,) = drawn([deals(tmp_path, **closes)]).tables
    assert deal.columns["closed_at"] == "Closed On"


def companies(folder: Path, name: str | None) -> Path:
    (folder / "bond").mkdir(exist_ok=True)
    header = ["Organisation ID", *([name] if name else []), "City", "Employees", "Created"]
    rows = [
        [f"o{number}", *([f"Firm {number}"] if name else []), "Ulm", 10 + number, f"{hours(number):%Y-%m-%d %H:%M}"]
        for number in range(30)
    ]
    path = folder / "bond" / "organisations.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]) + "\n")
    return path


@pytest.mark.parametrize(("name", "is_told"), [("Organisation", False), ("Name", False), ("Label", True), (None, True)])
def test_companies_have_the_name_that_is_called_like_them_or_it_is_told(
    tmp_path: Path, name: str | None, is_told: bool
):
    draft = drawn([companies(tmp_path, name)], kinds=["organisations.csv=accounts"])
    (table,) = draft.tables
    assert table.columns["account_key"] == "Organisation ID"
    assert table.columns.get("account_name") == (None if is_told else name)
    assert any("no column is taken for the companies' names" in note for note in draft.notes) is is_told
