"""A company whose exports carry hostile texts, in values, headers and file names, gets the scores of a tame one."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SCORECAST = str(Path(sys.executable).parent / "scorecast")
SCRIPT = "<script>alert(1)</script>"
TEXTS = {
    "tame": " tame",
    "hostile": f" '\"); drop table main.canary; --{SCRIPT}{{{{ 7 * 7 }}}}{{% do nothing() %}}\\ %s $1 ü",
}
"""What is put behind names, titles and categories; both begin alike, so that they sort alike."""
E_MAILS = {"tame": "+tame", "hostile": f"+'\";drop<{SCRIPT}>{{{{7*7}}}}"}
FILES = {"tame": "", "hostile": " '\"); drop table main.canary; --<b>%s ü"}
HEADERS = {
    "Extra_01__c": 'Extra_01"); drop table main.canary; --',
    "Extra_02__c": "Extra_02'); copy (select 1) to 'pwned.csv'; --",
    "Extra_03__c": f"Extra_03 {SCRIPT} {{{{ 7 * 7 }}}} {{% do nothing() %}}",
    "Plain_01__c": '"',
    "Plain_02__c": "'; --",
    "Plain_03__c": "名前",
    "Plain_04__c": "?!",
    "Plain_05__c": "select",
    "Plain_06__c": "x" * 300,
    "Plain_07__c": "back\\slash",
    "Plain_08__c": "Tier__c",
    "Plain_09__c": "tier",
    "Plain_10__c": "TIER !",
    "Plain_11__c": "/* comment",
}
"""Columns of accounts that no contract knows. Models see columns by name: the three that have values sort alike."""
NAMES = {
    *{"Name", "Industry", "LastName", "Company", "Title", "LeadSource", "Implementation_Partner__c", "BillingCity"},
    *{"name", "company", "lastname", "plan_nickname", "subject", "description", "utm_campaign", "text", "author"},
}
E_MAIL = re.compile(r"([^@\s]+)(@[^@\s]+\.[^@\s]+)")

pytestmark = pytest.mark.slow


def renamed(row: dict, kind: str) -> dict:
    """A record with its names, categories and e-mail addresses in this kind's way."""
    for name, value in row.items():
        if isinstance(value, str) and (parts := E_MAIL.fullmatch(value)):
            row[name] = parts[1] + E_MAILS[kind] + parts[2]
        elif value and name in NAMES:
            row[name] = f"{value}{TEXTS[kind]}"
    return row


def write_company(landing: Path, target: Path, kind: str) -> None:
    """Write the exports in `landing` to `target` in this kind's way."""
    for path in sorted(path for path in landing.rglob("*") if path.is_file()):
        copy = target / path.relative_to(landing)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.parent != landing:
            copy = copy.with_stem(copy.stem + FILES[kind])
        if path.suffix == ".jsonl":
            rows = [renamed(json.loads(line), kind) for line in path.read_text().splitlines() if is_json(line)]
            copy.write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif path.suffix == ".csv":
            with path.open(newline="") as file:
                rows = [renamed(row, kind) for row in csv.DictReader(file) if None not in row]
            if path.parent.name == "account":
                headers = HEADERS.values() if kind == "hostile" else HEADERS
                rows = [{**row, **dict(zip(headers, extra_values(row["Id"], kind), strict=True))} for row in rows]
            with copy.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        else:
            shutil.copy(path, copy)


def is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def extra_values(key: str, kind: str) -> list[str]:
    """Values of the extra columns of an account; all but three are empty."""
    number = int(re.sub(r"\D", "", key) or 0)
    varying = [f"{'abcde'[number % 5]}{TEXTS[kind]}", str(number * 37 % 101), f"{'xyz'[number % 3]}{TEXTS[kind]}"]
    return varying + [""] * (len(HEADERS) - len(varying))


@dataclass(frozen=True)
class Company:
    """A company in a folder of its own, after a run."""

    data: Path
    output: str

    def ask(self, query: str, file: str = "published.duckdb") -> list[tuple]:
        with duckdb.connect(str(self.data / file), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def companies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Company]:
    """The same company twice, tame and hostile, each after its first run; in the hostile one there is a canary."""
    folder = tmp_path_factory.mktemp("companies")

    def call(data: Path, *arguments: str) -> str:
        ended = subprocess.run(
            [SCORECAST, *arguments],
            env={**os.environ, "SCORECAST_DATA": str(data)},
            cwd=data,
            capture_output=True,
            text=True,
            timeout=1800,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def made(kind: str) -> Company:
        data = folder / kind
        write_company(folder / "sample" / "landing", data / "landing", kind)
        with duckdb.connect(str(data / "warehouse.duckdb")) as connection:
            connection.execute("create table main.canary as select 'sings' as canary")
        return Company(data, call(data, "run"))

    (folder / "sample").mkdir()
    call(folder / "sample", "sample", "--accounts", "200", "--months", "12", "--seed", "3")
    with ThreadPoolExecutor() as pool:
        return dict(zip(TEXTS, pool.map(made, TEXTS), strict=True))


SAME = {
    "churn_scores": "account_id, as_of_date, probability, score, grade, arr, expected_loss, currency",
    "lead_scores": "lead_id, as_of_date, probability, score, grade, expected_value",
    "opportunity_scores": "opportunity_id, as_of_date, probability, score, grade, expected_value",
    "accounts": "account_id, is_customer, arr",
    "people": "account_id, count(*)",
    "forecasts": "metric, period_start_date, forecast, p10, p90, actual",
    "model_runs": "model, status, auc, calibration_error",
}


def is_close(one: object, other: object) -> bool:
    """Whether two values are the same, figures but for rounding."""
    return one == other or (isinstance(one, float) and one == pytest.approx(other, rel=1e-9, abs=1e-9))


@pytest.mark.parametrize("table", SAME)
def test_what_is_published_is_that_of_a_tame_company(companies: dict[str, Company], table: str):
    query = f"select {SAME[table]} from published.{table} group by all order by all"
    tame, hostile = (companies[kind].ask(query) for kind in TEXTS)
    assert len(tame) == len(hostile) > 0
    for one, other in zip(tame, hostile, strict=True):
        assert [is_close(*values) for values in zip(one, other, strict=True)] == [True] * len(one), (one, other)


def test_hostile_texts_arrive_as_they_are(companies: dict[str, Company]):
    query = "select distinct replace(account_name, '{}', '') from published.accounts order by 1"
    tame, hostile = (companies[kind].ask(query.format(text.replace("'", "''"))) for kind, text in TEXTS.items())
    assert tame == hostile
    custom = [name for (name,) in companies["hostile"].ask("select column_name from (describe published.accounts)")]
    custom = [name for name in custom if name.startswith("custom_")]
    assert len(custom) >= len(HEADERS)
    assert all(re.fullmatch("[a-z0-9_]+", name) for name in custom)


def test_nothing_in_the_exports_was_run(companies: dict[str, Company]):
    hostile = companies["hostile"]
    assert hostile.ask("select canary from main.canary", "warehouse.duckdb") == [("sings",)]
    assert not list(hostile.data.rglob("pwned*"))
    pages = [path.read_text() for path in (hostile.data / "reports").rglob("*.html")]
    assert pages
    assert not [page for page in pages if SCRIPT in page]
    assert [page for page in pages if "&lt;script&gt;" in page]
