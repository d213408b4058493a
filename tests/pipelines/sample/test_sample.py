import ast
import hashlib
import itertools
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sample import crm
from pipelines.sample.company import CHUNK_ACCOUNTS, company_frames, write_next_day, write_sample
from pipelines.sample.draws import Draws
from pipelines.sample.files import known_rows, periods
from pipelines.sample.mess import BREACHES
from pipelines.sample.plan import DAY, Plan, World, activity, day_number, holidays, months_before
from pipelines.sample.shapes import SHAPES
from pipelines.settings import project_root

LAST_DAY = date(2026, 6, 30)
SMALL = {"accounts": 150, "months": 4, "seed": 3, "last_day": LAST_DAY}
TYPES = {
    "text": {"varchar"},
    "json": {"varchar"},
    "whole": {"bigint"},
    "number": {"double"},
    "flag": {"boolean"},
    "date": {"date"},
    "time": {"timestamp"},
    "epoch_s": {"bigint"},
    "epoch_ms": {"bigint"},
}
OWN_FIELDS = {"salesforce.account": {"Implementation_Partner__c", "Billing_Batch__c"}}


def fingerprints(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


READ = ("name", "columns", "key", "version", "time", "time_unit", "epochs", "required", "rules")


def declared_entities() -> dict[str, dict]:
    """The arguments of every `Entity(...)` in `assets/sources`, read from the source text without importing it."""
    found = {}
    for path in sorted((project_root() / "assets" / "sources").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id == "Entity":
                arguments = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg in READ}
                found[f"{path.stem}.{arguments['name']}"] = arguments
    return found


def auc(outcome: pl.Series, score: pl.Series) -> float:
    """Area under the ROC curve by ranks (Mann and Whitney 1947)."""
    rank = score.rank("average").to_numpy()
    positive = outcome.to_numpy()
    n = positive.sum()
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("default_sample")
    write_sample(folder / "landing", folder / "truth")
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small_sample")
    write_sample(folder / "landing", folder / "truth", **SMALL)
    return folder


def small_world(last_day: int | None = None, since: int | None = None) -> World:
    plan = Plan(SMALL["accounts"], SMALL["months"], SMALL["seed"], LAST_DAY, CHUNK_ACCOUNTS)
    last_day = day_number(LAST_DAY) if last_day is None else last_day
    return World(plan, 0, last_day, day_number(plan.first_day) if since is None else since)


ELSEWHERE = {"hubspot.company", "hubspot.deal", "salesforce.user"}
"""The sample company's CRM is Salesforce, of which it exports no users."""
OF_OTHER_EXPORTS = {
    "hubspot.contact": {"associatedcompanyid", "archived", "phone"},
    "salesforce.account": {"OwnerName"},
    "salesforce.lead": {"OwnerName"},
    "salesforce.opportunity": {"OwnerName"},
    "hubspot.email_event": {"portalSubscriptionStatus"},
    "stripe.customer": {"livemode"},
    "stripe.subscription": {"plan_amount_in_units", "plan_interval_count", "livemode"},
    "stripe.invoice": {"amount_due_in_units", "amount_paid_in_units", "livemode"},
}
"""Columns that other exports of the same records have."""


def test_the_shapes_are_those_of_the_contracts() -> None:
    declared = declared_entities()
    assert {shape.name for shape in SHAPES} == set(declared) - ELSEWHERE
    for shape in SHAPES:
        entity = declared[shape.name]
        own = OWN_FIELDS.get(shape.name, set())
        columns = set(entity["columns"]) - OF_OTHER_EXPORTS.get(shape.name, set())
        assert set(shape.columns) - own == columns, shape.name
        wrong = {n for n, kind in shape.columns.items() if n not in own and entity["columns"][n] not in TYPES[kind]}
        assert not wrong, shape.name
        assert shape.key == entity["key"]
        assert shape.known == entity["time"]
        unit = entity.get("time_unit", "timestamp")
        assert shape.columns[shape.known] == {"timestamp": "time"}.get(unit, unit)


def test_true_rows_have_unique_keys_and_keep_the_rules() -> None:
    declared = declared_entities()
    shapes = {shape.name: shape for shape in SHAPES}
    seen = set()
    for name, frame in company_frames(small_world()):
        if name.startswith("truth."):
            continue
        seen.add(name)
        entity, shape = declared[name], shapes[name]
        frame = known_rows(frame, shape, None, day_number(LAST_DAY))
        key = [*entity["key"], *([entity["version"]] if entity.get("version") else [])]
        assert frame.select(key).is_duplicated().sum() == 0, name
        for column in (*key, *entity.get("required", ())):
            assert frame[column].null_count() == 0, (name, column)
        for reason, condition in entity.get("rules", {}).items():
            if any(column in condition for column in OF_OTHER_EXPORTS.get(name, ())):
                continue
            broken = duckdb.sql(f"select * from frame where not ({condition})").fetchall()
            assert not broken, (name, reason)
    assert seen == set(shapes)


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(small: Path, tmp_path: Path) -> None:
    write_sample(tmp_path / "landing", tmp_path / "truth", **SMALL)
    assert fingerprints(tmp_path) == fingerprints(small)
    write_sample(tmp_path / "landing", tmp_path / "truth", **SMALL | {"seed": 4})
    again = fingerprints(tmp_path)
    assert again.keys() == fingerprints(small).keys()
    different = {name for name, print_ in fingerprints(small).items() if again[name] != print_}
    assert different >= {f"landing/{shape.source}/{shape.entity}/2026-06-30.{shape.format}" for shape in SHAPES}


@pytest.mark.parametrize("days", [1, 9])
def test_a_longer_simulation_changes_nothing_before(days: int) -> None:
    today = day_number(LAST_DAY)
    shapes = {shape.name: shape for shape in SHAPES}
    longer = dict(company_frames(small_world(today + days)))
    for name, frame in company_frames(small_world()):
        if name in shapes:
            exported = list(shapes[name].columns)
            now, then = (known_rows(f, shapes[name], None, today)[exported] for f in (frame, longer[name]))
            assert now.equals(then), name


def test_the_next_days_hold_what_a_longer_simulation_writes_for_them(tmp_path: Path) -> None:
    landing, truth = tmp_path / "landing", tmp_path / "truth"
    write_sample(landing, truth, **SMALL)
    before = fingerprints(landing)
    days = [write_next_day(landing, truth), write_next_day(landing, truth)]
    assert days == [date(2026, 7, 1), date(2026, 7, 2)]
    after = fingerprints(landing)
    assert {name: after[name] for name in before if name != "sample.json"} == {
        name: print_ for name, print_ in before.items() if name != "sample.json"
    }
    assert all("2026-07-0" in name for name in after.keys() - before.keys())
    assert json.loads((landing / "sample.json").read_text())["last_day"] == "2026-07-02"
    shapes = {shape.name: shape for shape in SHAPES}
    longer = dict(company_frames(small_world(day_number(days[1]))))
    usage = known_rows(longer["product.usage_daily"], shapes["product.usage_daily"], *[day_number(days[1])] * 2)
    written = pl.read_parquet(landing / "product/usage_daily/2026-07-02.parquet").filter(
        pl.col("workspace_id").is_in(usage["workspace_id"].implode()) & (pl.col("received_at").dt.year() < 2099)
    )
    assert set(written.filter(pl.col("active_users") > 0)["workspace_id"]) == set(usage["workspace_id"])
    assert written["received_at"].dt.date().unique().to_list() == [days[1]]
    for name in ("stripe.invoice", "zendesk.ticket"):
        rows = known_rows(longer[name], shapes[name], *[day_number(days[0])] * 2)
        path = landing / shapes[name].source / shapes[name].entity / "2026-07-01.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        assert set(rows["id"]) <= {text for line in lines for text in [line.split('"id":"')[1].split('"')[0]]}
        assert abs(len(lines) - len(rows)) <= 1 + 0.02 * len(rows)
    weeks = pl.read_parquet(truth / "account_weeks.parquet")
    assert weeks["as_of_date"].max() == date(2026, 6, 28)


def test_next_day_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"sample\.json is not there"):
        write_next_day(tmp_path, tmp_path)
    write_sample(tmp_path / "landing", tmp_path / "truth", accounts=5, months=1)
    state = tmp_path / "landing" / "sample.json"
    state.write_text(state.read_text().replace('"complete": true', '"complete": false'))
    with pytest.raises(ValueError, match="not written to the end"):
        write_next_day(tmp_path / "landing", tmp_path / "truth")


def test_real_exports_are_never_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "landing" / "stripe" / "invoice" / "mine.jsonl"
    mine.parent.mkdir(parents=True)
    mine.write_text("{}\n")
    with pytest.raises(FileExistsError, match="Move them away"):
        write_sample(tmp_path / "landing", tmp_path / "truth", accounts=5, months=1)
    assert mine.read_text() == "{}\n"
    with pytest.raises(ValueError, match="accounts=0"):
        write_sample(tmp_path / "landing", tmp_path / "truth", accounts=0)


def test_chunks_have_ids_of_their_own(tmp_path: Path) -> None:
    write_sample(tmp_path / "landing", tmp_path / "truth", **SMALL, chunk_accounts=60)
    files = sorted(path.name for path in (tmp_path / "landing/product/workspace").glob("2026-06-30*"))
    assert files == [f"2026-06-30.part-{chunk:04d}.parquet" for chunk in range(3)]
    for name, key in (("web/session", "session_id"), ("product/workspace", "workspace_id")):
        parts = [
            set(pl.read_parquet(path)[key].drop_nulls())
            for path in sorted((tmp_path / "landing" / name).glob("2026-05-31*"))
        ]
        assert len(parts) == 3
        assert len(set.union(*parts)) == sum(map(len, parts))
    domains = [
        set(pl.read_parquet(tmp_path / f"truth/people.part-{chunk:04d}.parquet")["email"].str.split("@").list.last())
        for chunk in range(3)
    ]
    assert domains[0] & domains[1] <= {"gmail.com", "outlook.com", "yahoo.com", "gmx.de"}
    assert len(list((tmp_path / "landing/salesforce/campaign").iterdir())) <= SMALL["months"]


PEAK_SCRIPT = """
import resource, sys
from pathlib import Path
from pipelines.sample.company import write_sample
folder = Path(sys.argv[1])
write_sample(folder / "landing", folder / "truth", accounts=int(sys.argv[2]), months=6, chunk_accounts=700)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_accounts(tmp_path: Path) -> None:
    def peak(accounts: int) -> int:
        command = [sys.executable, "-c", PEAK_SCRIPT, str(tmp_path / str(accounts)), str(accounts)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True, cwd=project_root()).stdout)

    one, four = peak(700), peak(2800)
    assert four < 1.25 * one


def test_the_company_has_the_size_that_was_asked_for(sample: Path) -> None:
    plan = Plan(2000, 24, 7, LAST_DAY, CHUNK_ACCOUNTS)
    world = World(plan, 0, day_number(LAST_DAY), day_number(plan.first_day))
    shapes = {shape.name: shape for shape in SHAPES}
    wanted = ("salesforce.account", "salesforce.lead")
    frames = {n: known_rows(f, shapes[n], None, world.last_day) for n, f in company_frames(world) if n in wanted}
    accounts, leads = (frames[name] for name in wanted)
    assert 1800 <= accounts["Id"].n_unique() <= 2300
    customers = accounts.filter(pl.col("Type") == "Customer - Direct")["Id"].n_unique()
    assert 0.58 <= customers / accounts["Id"].n_unique() <= 0.72
    assert accounts.filter(pl.col("Type") == "Former Customer")["Id"].n_unique() >= 300
    assert 7800 <= leads["Id"].n_unique() <= 8700
    assert 0.12 <= leads.filter("IsConverted")["Id"].n_unique() / leads["Id"].n_unique() <= 0.18
    merged = accounts.filter(pl.col("MasterRecordId").is_not_null())
    assert merged["IsDeleted"].all() and len(merged) >= 20


@pytest.mark.parametrize(
    ("table", "probability", "outcome", "base"),
    [
        ("account_weeks", "churn_probability_90d", "churns_in_90d", (0.05, 0.085)),
        ("lead_weeks", "conversion_probability_60d", "converts_in_60d", (0.03, 0.09)),
    ],
)
def test_the_true_probabilities_are_calibrated_and_not_too_good(
    sample: Path, table: str, probability: str, outcome: str, base: tuple[float, float]
) -> None:
    weeks = pl.read_parquet(sample / "truth" / f"{table}.parquet")
    rate = weeks[outcome].mean()
    assert base[0] <= rate <= base[1]
    assert abs(weeks[probability].mean() / rate - 1) < 0.2
    assert 0.83 <= auc(weeks[outcome], weeks[probability]) <= 0.925
    top = weeks.filter(pl.col(probability) > 0.4)
    assert abs(top[probability].mean() - top[outcome].mean()) < 0.12


def test_health_shows_in_what_is_exported_but_not_too_clearly(sample: Path) -> None:
    tickets = pl.read_parquet(sample / "truth" / "tickets.parquet")
    weeks = pl.read_parquet(sample / "truth" / "account_weeks.parquet")
    mean_health = weeks.group_by("account_id").agg(pl.col("health").mean())
    mood = tickets.group_by("account_id").agg((pl.col("sentiment") == "negative").mean().alias("negative"), pl.len())
    both = mean_health.join(mood.filter(pl.col("len") >= 5), on="account_id")
    assert -0.95 < np.corrcoef(both["health"], both["negative"])[0, 1] < -0.4


def test_the_leak_after_conversion_and_the_column_that_appears_half_way(sample: Path) -> None:
    folder = sample / "landing" / "salesforce" / "lead"
    headers = {
        path.stem: path.open(encoding="utf-8").readline().strip().split(",") for path in sorted(folder.iterdir())
    }
    have = [name for name, header in headers.items() if "NumberOfEmployees" in header]
    assert len(headers) == 24
    assert have == sorted(headers)[12:] or have == sorted(headers)[11:]
    leads = pl.read_csv(folder / "2026-06-30.csv", infer_schema=False, ignore_errors=True, truncate_ragged_lines=True)
    true_rows = leads.filter(pl.col("Id").str.contains(r"^00Q\d{15}$"))
    converted = true_rows.filter((pl.col("IsConverted") == "true") & (pl.col("SystemModstamp") < "2027"))
    assert len(converted) > 20
    assert set(converted["Rating"]) == {"Hot"} and set(converted["Status"]) == {"Closed - Converted"}
    assert converted["NumberOfEmployees"].null_count() < true_rows["NumberOfEmployees"].null_count()


def test_about_one_row_in_two_hundred_is_invalid_in_several_ways(sample: Path) -> None:
    landing = sample / "landing"
    invoices = [
        line for path in sorted((landing / "stripe/invoice").iterdir()) for line in path.read_text().splitlines()
    ]
    broken, texts, keyless, negative, future = 0, 0, 0, 0, 0
    for line in invoices:
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            broken += 1
            continue
        texts += row["amount_due"] == "many"
        keyless += row["id"] is None
        negative += isinstance(row["amount_due"], int) and row["amount_due"] < 0
        future += row["updated"] > 3_000_000_000
    assert min(broken, texts, keyless, negative, future) > 0
    repeated = len(invoices) - len(set(invoices))
    assert repeated > 0
    share = (broken + texts + keyless + negative + future + repeated) / len(invoices)
    assert 0.003 <= share <= 0.007
    sessions = pl.read_parquet(landing / "web/session/*.parquet")
    bad = sessions.filter(
        pl.col("session_id").is_null()
        | (pl.col("received_at").dt.year() == 2099)
        | (pl.col("session_end") < pl.col("session_start"))
        | sessions.is_duplicated()
    )
    assert 0.003 <= len(bad) / len(sessions) <= 0.009
    lines = (landing / "salesforce/task/2026-03-31.csv").read_text(encoding="utf-8").splitlines()
    width = lines[0].count(",")
    assert {line.count(",") < width for line in lines[1:] if line.count(",") != width} <= {True, False}
    assert set(BREACHES) <= {shape.name for shape in SHAPES}


def test_one_person_has_keys_in_several_systems_and_some_links_are_missing(sample: Path) -> None:
    people = pl.read_parquet(sample / "truth" / "people.parquet")
    keys = people.select(pl.col("^(salesforce|hubspot|zendesk|web)_.*_id$").is_not_null())
    assert (keys.sum_horizontal() >= 4).sum() > 500
    contacts = [
        json.loads(line)
        for path in sorted((sample / "landing/hubspot/contact").iterdir())
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.endswith("}")
    ]
    linked = {c["id"] for c in contacts if c["salesforcecontactid"] or c["salesforceleadid"]}
    assert 0.7 < len(linked) / len({c["id"] for c in contacts}) < 0.95
    customers = [
        json.loads(line)
        for path in sorted((sample / "landing/stripe/customer").iterdir())
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.endswith("}")
    ]
    missing = sum(customer["metadata"]["salesforce_account_id"] is None for customer in customers) / len(customers)
    assert 0.07 < missing < 0.13
    duplicates = pl.read_parquet(sample / "truth" / "duplicate_leads.parquet")
    assert 0.03 < len(duplicates) / people["salesforce_lead_id"].count() < 0.05
    handles = set(people["twitterhandle"].drop_nulls())
    posts = "".join(path.read_text(encoding="utf-8") for path in (sample / "landing/social/post").iterdir())
    assert sum(f'"{handle}"' in posts for handle in handles) > 50


def test_late_rows_are_in_the_file_of_the_day_they_arrived(sample: Path) -> None:
    usage = pl.read_parquet(sample / "landing/product/usage_daily/2025-10-31.parquet")
    true_rows = usage.filter(pl.col("received_at").dt.year() < 2099)
    assert set(true_rows["received_at"].dt.strftime("%Y-%m")) == {"2025-10"}
    assert 3 < true_rows.filter(pl.col("date") < date(2025, 10, 1)).height < 200


def test_weekdays_holidays_and_the_price_change_show(sample: Path) -> None:
    usage = pl.read_parquet(sample / "landing/product/usage_daily/*.parquet").filter(pl.col("active_users") > 0)
    by_day = usage.group_by("date").agg(pl.col("logins").sum()).sort("date")
    weekend = by_day.filter(pl.col("date").dt.weekday() > 5)["logins"].mean()
    assert weekend < 0.4 * by_day.filter(pl.col("date").dt.weekday() <= 5)["logins"].mean()
    christmas = by_day.filter(pl.col("date") == date(2025, 12, 25))["logins"].item()
    assert christmas < 0.5 * by_day.filter(pl.col("date") == date(2025, 12, 11))["logins"].item()
    plan = Plan(2000, 24, 7, LAST_DAY, CHUNK_ACCOUNTS)
    world = World(plan, 0, day_number(LAST_DAY), day_number(plan.first_day))
    day = np.array([world.price_day - 1, world.price_day]) * DAY
    before, after = crm.list_price(world, np.array([1, 1]), day)
    assert after == pytest.approx(before * 1.12, rel=0.02)
    prices = set()
    for path in (sample / "landing/stripe/subscription").iterdir():
        prices |= {
            json.loads(line)["plan_amount"]
            for line in path.read_text().splitlines()
            if line.endswith("}") and '"plan_team_month"' in line
        }
    assert {before, after} <= prices


@given(st.integers(0, 2**31), st.integers(1, 50), st.floats(0, 60))
@settings(max_examples=40, deadline=None)
def test_draws_depend_on_nothing_but_their_keys(seed: int, size: int, rate: float) -> None:
    draws, key = Draws(seed, 0), np.arange(size)
    alone = np.concatenate([draws.uniform("x", np.array([k])) for k in key])
    assert (draws.uniform("x", key) == alone).all()
    counts = draws.poisson("n", np.full(size, rate), key)
    assert (counts == np.concatenate([draws.poisson("n", np.array([rate]), np.array([k])) for k in key])).all()
    assert (counts >= 0).all()


def test_draws_have_the_right_moments() -> None:
    draws, key = Draws(1, 0), np.arange(200_000)
    assert draws.normal("a", key).mean() == pytest.approx(0, abs=0.01)
    assert draws.normal("a", key).std() == pytest.approx(1, abs=0.01)
    for rate in (0.2, 3.0, 40.0):
        counts = draws.poisson("b", np.full(len(key), rate), key)
        assert counts.mean() == pytest.approx(rate, rel=0.02)
        assert counts.var() == pytest.approx(rate, rel=0.03)
    assert np.corrcoef(draws.uniform("c", key), draws.uniform("c", key + 1))[0, 1] == pytest.approx(0, abs=0.01)
    assert np.corrcoef(draws.uniform("c", key), draws.uniform("d", key))[0, 1] == pytest.approx(0, abs=0.01)


def test_the_calendar() -> None:
    assert date(2025, 4, 18) in holidays(2025) and date(2025, 4, 21) in holidays(2025)
    assert {date(2024, 11, 28), date(2024, 11, 29)} <= holidays(2024)
    assert months_before(date(2026, 6, 30), 24) == date(2024, 7, 1)
    assert months_before(date(2026, 2, 28), 1) == date(2026, 2, 1)
    assert months_before(date(2026, 12, 31), 12) == date(2026, 1, 1)
    assert activity(np.arange(20_000, 20_000 + 364)).mean() == pytest.approx(1, abs=0.05)


@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)), st.integers(0, 900))
def test_periods_cover_the_span_without_gap(start: date, length: int) -> None:
    end = date.fromordinal(start.toordinal() + length)
    spans = list(periods(start, end))
    assert spans[0][0] == start and spans[-1][1] == end
    assert all(b[0].toordinal() - a[1].toordinal() == 1 for a, b in itertools.pairwise(spans))
    assert all(first.month == last.month for first, last in spans)


def test_support_users_belong_to_the_company_of_their_contact(small: Path) -> None:
    people = pl.read_parquet(small / "truth" / "people.parquet").filter(pl.col("zendesk_user_id").is_not_null())
    account_of = dict(people.select("zendesk_user_id", "account_id").iter_rows())
    frames = {name: frame for name, frame in company_frames(small_world()) if name.startswith("zendesk.")}
    company = dict(frames["zendesk.organization"].select("id", "external_id").iter_rows())
    users = frames["zendesk.user"].filter(pl.col("role") == "end-user")
    both = [
        (account_of[user], company[organisation])
        for user, organisation in users.select("id", "organization_id").iter_rows()
        if user in account_of and company[organisation] is not None
    ]
    assert len(both) > 50
    assert all(mine == theirs for mine, theirs in both)
