"""The Prediction component on a small warehouse: any table, with time or without, and a champion that is refused."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.commands.running import notices
from pipelines.components.prediction import Prediction
from pipelines.components.resolved import PublishedScores
from pipelines.database import connect, write_frame
from pipelines.instance.metadata import WARNING
from pipelines.learning.scoring.plain_values import to_bytes
from pipelines.learning.scoring.storage import load_model, save_model
from pipelines.publishing.assets import WITHHELD_METADATA
from pipelines.publishing.states import has_one_probability
from pipelines.registry.store import champion_version, model_path, promote, read_champion
from pipelines.settings import REFIT_TAG
from pipelines.track_record.assets import track_record_definitions
from pipelines.warehouse import Warehouse
from tests.pipelines.learning.synthetic import FIRST, panel

REFIT = {REFIT_TAG: "always"}
DAILY = {REFIT_TAG: "missing"}
POINTS = 10
NEWEST = FIRST + timedelta(days=28 * (POINTS - 1))


def prediction(**changes: object) -> Prediction:
    settings = {
        "name": "churn",
        "description": "Who leaves.",
        "entity": "account_id",
        "features": "account_snapshots",
        "outcomes": "account_outcomes",
        "target": "is_gone_90d",
        "horizon_days": 90,
        "value": "arr",
        "publish": PublishedScores(table="churn_scores", described_by="accounts", columns=["account_name"]),
        **changes,
    }
    return Prediction(**settings)


def snapshots(entities: int = 250) -> pl.DataFrame:
    """Snapshots with their answer, which is unknown for the newest."""
    frame = panel(entities=entities, points=POINTS).drop("true_log_odds")
    is_known = pl.col("as_of_date") < NEWEST
    return frame.with_columns(is_gone_90d=pl.when(is_known).then(pl.col("is_gone_90d")))


class Company:
    """A warehouse, and runs of a prediction's three assets."""

    def __init__(self, data: Path):
        self.data = data
        self.instance = dg.DagsterInstance.ephemeral()
        ids = [f"A{number:05d}" for number in range(1000)]
        names = pl.DataFrame({"account_id": ids, "account_name": [f"Company {each}" for each in ids]})
        self.write("core.accounts", names)
        self.write(
            "features.catalogue", pl.DataFrame(schema=dict.fromkeys(("feature", "snapshot", "description"), pl.String))
        )
        self.write("raw_scorecast.as_of", pl.DataFrame({"as_of_date": [NEWEST]}))

    def write(self, table: str, frame: pl.DataFrame) -> None:
        with connect(self.data / "warehouse.duckdb") as connection:
            write_frame(connection, frame, *table.split("."))

    def write_snapshots(self, frame: pl.DataFrame) -> None:
        self.write("features.account_snapshots", frame.drop("is_gone_90d"))
        self.write("features.account_outcomes", frame.select("account_id", "as_of_date", "is_gone_90d"))

    def run(
        self,
        component: Prediction,
        tags: dict[str, str] = REFIT,
        only: Sequence[str] = ("models", "scores", "published"),
    ) -> dg.ExecuteInProcessResult:
        assets = component.build_defs(None).assets
        return dg.materialize(
            assets,
            resources={"warehouse": Warehouse()},
            instance=self.instance,
            tags=tags,
            selection=[asset.key for asset in assets if asset.key.path[0] in only],
            raise_on_error=False,
        )

    def ask(self, query: str) -> pl.DataFrame:
        with connect(self.data / "warehouse.duckdb", read_only=True) as connection:
            return connection.execute(query).pl()

    def scores(self) -> pl.DataFrame:
        return self.ask("from published.churn_scores")

    def fits(self) -> list[dict]:
        return self.ask("from published.model_runs order by started_at").to_dicts()


def told(result: dg.ExecuteInProcessResult, layer: str) -> dict[str, object]:
    """What the UI shows of one of the assets after a run."""
    for event in result.get_asset_materialization_events():
        if event.asset_key.path[0] == layer:
            return {name: value.value for name, value in event.materialization.metadata.items()}
    raise AssertionError(f"{layer} was not materialised")


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.error.message


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    return Company(tmp_path)


@pytest.fixture(scope="module")
def fitted_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder after a first run; copied by those who change it."""
    folder = tmp_path_factory.mktemp("fitted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCORECAST_DATA", str(folder))
        made = Company(folder)
        made.write_snapshots(snapshots())
        assert made.run(prediction()).success
    return folder


@pytest.fixture
def fitted(fitted_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    folder = tmp_path / "data"
    shutil.copytree(fitted_folder, folder)
    monkeypatch.setenv("SCORECAST_DATA", str(folder))
    made = Company.__new__(Company)
    made.data, made.instance = folder, dg.DagsterInstance.ephemeral()
    return made


def test_snapshots_and_outcomes_give_the_published_columns(fitted: Company):
    scores = fitted.scores()
    assert scores.columns == [
        *["account_id", "account_name", "as_of_date", "horizon_days", "probability", "score", "grade", "arr"],
        *["expected_value", "reason_1", "reason_2", "reason_3", "reasons", "is_holdback", "model_version"],
    ]
    assert scores.height == 250
    assert set(scores["as_of_date"]) == {NEWEST}
    assert set(scores["horizon_days"]) == {90}
    assert scores["probability"].is_sorted(descending=True)
    assert (scores["account_name"] == "Company " + scores["account_id"]).all()


def test_an_expected_value_has_its_currency(fitted: Company):
    """From the features, where the model that describes the entity does not have it."""
    fitted.write_snapshots(snapshots().with_columns(currency=pl.lit("EUR")))
    assert fitted.run(prediction(), DAILY).success
    scores = fitted.scores()
    assert scores.columns[scores.columns.index("arr") :][:3] == ["arr", "currency", "expected_value"]
    assert set(scores["currency"]) == {"EUR"}
    accounts = fitted.ask("from core.accounts").with_columns(currency=pl.lit("USD"))
    fitted.write("core.accounts", accounts)
    described = PublishedScores(table="churn_scores", described_by="accounts", columns=["account_name", "currency"])
    assert fitted.run(prediction(publish=described), DAILY).success
    assert set(fitted.scores()["currency"]) == {"USD"}


def test_the_money_at_stake_may_come_from_a_prediction_of_amounts(fitted: Company):
    """Of the run's date; where it says nothing, or has no model in use any more, the column of the features counts."""
    component = prediction(value_from="deal_amount")
    before = fitted.scores()
    assert fitted.run(component, DAILY).success
    without = fitted.scores().sort("account_id")
    assert (without["deal_amount"] == without["arr"]).all()
    assert_frame_equal(without.drop("deal_amount"), before.sort("account_id"))

    ids = without["account_id"]
    estimated = pl.DataFrame(
        {
            "account_id": [ids[0], ids[1], ids[2]],
            "expected": [7.5, None, 9.0],
            "as_of_date": [NEWEST, NEWEST, NEWEST - timedelta(days=1)],
        }
    )
    fitted.write("scores.deal_amount", estimated)
    assert fitted.run(component, DAILY).success
    scores = fitted.scores().sort("account_id")
    assert scores["probability"].equals(without["probability"])
    assert scores["deal_amount"].to_list() == [7.5, *without["arr"].to_list()[1:]]
    at_stake = scores["expected_value"] / scores["probability"]
    assert at_stake.to_list() == pytest.approx(scores["deal_amount"].to_list())
    comments = dict(
        fitted.ask("select column_name, comment from duckdb_columns() where table_name = 'churn_scores'").rows()
    )
    assert comments["expected_value"] == "Probability times the money at stake."
    assert comments["deal_amount"].startswith("The money at stake: what the model deal_amount expects, and arr")


def test_which_systems_know_an_entity_comes_along(fitted: Company):
    """So that the gate before a release can tell a second system's rows from rows that are there twice."""
    names = fitted.ask("from core.accounts").with_columns(known_from=pl.lit("salesforce, stripe"))
    fitted.write("core.accounts", names)
    assert fitted.run(prediction(), only=["published"]).success
    scores = fitted.scores()
    assert scores.columns[-2:] == ["known_from", "model_version"]
    assert set(scores["known_from"]) == {"salesforce, stripe"}


def test_every_published_column_says_what_it_is_in_the_file_and_in_the_ui(fitted: Company):
    with connect(fitted.data / "warehouse.duckdb") as connection:
        connection.execute("comment on column core.accounts.account_name is 'Name of the company.'")
    result = fitted.run(prediction(), only=["published"])
    rows = fitted.ask("select column_name, comment from duckdb_columns() where table_name = 'churn_scores'").rows()
    in_file = {name: words for name, words in rows if name in fitted.scores().columns}
    assert all(in_file.values()), in_file
    assert in_file["account_name"] == "Name of the company."
    assert in_file["arr"] == "Arr."
    assert in_file["expected_value"] == "Probability times the money at stake."
    (about,) = fitted.ask("select comment from duckdb_tables() where table_name = 'churn_scores'")["comment"]
    assert about.startswith("Who leaves. Grade A is the fifth of those scored that day who are most likely")
    shown = told(result, "published")["dagster/column_schema"].columns
    assert {column.name: column.description for column in shown} == in_file


def test_where_only_the_order_is_good_the_table_says_so_beside_its_probabilities(fitted: Company):
    def says() -> set[str]:
        comments = fitted.ask(
            """
            select 'table' as name, comment from duckdb_tables() where table_name = 'churn_scores'
            union all select column_name, comment from duckdb_columns() where table_name = 'churn_scores'
            """
        )
        return {name for name, words in comments.rows() if "Go by the order" in words}

    assert says() == set()
    with connect(fitted.data / "warehouse.duckdb") as connection:
        connection.execute(
            "update published.model_runs set metrics = json_merge_patch(metrics, '{\"is_only_order\": true}')"
        )
    assert fitted.run(prediction(), only=["published"]).success
    assert says() == {"table", "probability", "expected_value"}


def test_the_checksum_of_a_kept_model_is_on_record(fitted: Company):
    (fit,) = fitted.fits()
    path = model_path("churn", fit["model_version"])
    assert fit["model_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_answer_may_be_a_column_of_the_snapshots_themselves(company: Company):
    frame = snapshots()
    company.write("features.account_snapshots", frame)
    result = company.run(prediction(outcomes=None))
    assert result.success
    assert company.scores().height == 250
    assert set(company.scores()["as_of_date"]) == {NEWEST}
    assert told(result, "scores")["who"] == f"the rows as of {NEWEST}"
    (fit,) = company.fits()
    assert fit["status"] == "kept"
    assert fit["rows"] == frame["is_gone_90d"].is_not_null().sum()
    assert "is_gone_90d" not in json.loads(fit["metrics"])["drivers"][0]["column"]


def test_who_is_scored_though_nobody_like_them_was_learnt_from_is_told_at_the_end_of_the_run(company: Company):
    """A model without a population: it learns from customers, who alone can leave, and scores everyone."""
    customers, others = snapshots(), snapshots().with_columns(pl.col("account_id").str.replace("A", "N"))
    frame = pl.concat(
        [customers.with_columns(is_customer=True), others.with_columns(is_customer=False, is_gone_90d=None)],
        how="vertical_relaxed",
    )
    company.write_snapshots(frame)
    result = company.run(prediction())
    assert company.scores().height == 500
    warning = told(result, "scores")[WARNING]
    assert warning.startswith("churn: 250 of 500 rows to score (50%) are unlike any that the model learnt from")
    assert "is_customer is not true in 250" in warning
    assert f"  ! {warning}" in notices(result.all_events)

    narrowed = company.run(prediction(population="is_customer"), tags=DAILY)
    assert company.scores().height == 250
    assert WARNING not in told(narrowed, "scores")
    assert not any("unlike any" in line for line in notices(narrowed.all_events))


def test_a_table_without_time_scores_those_whose_answer_is_not_known(company: Company):
    """One row per lead, a column name with a space, another schema, nobody to describe it."""
    frame = panel(entities=900, points=1).drop("true_log_odds", "as_of_date").rename({"account_id": "Lead Number"})
    is_open = pl.int_range(pl.len()) % 9 == 0
    frame = frame.with_columns(is_gone_90d=pl.when(~is_open).then(pl.col("is_gone_90d")))
    company.write("raw_crm.lead", frame)
    component = prediction(
        features="raw_crm.lead",
        entity="Lead Number",
        outcomes=None,
        as_of=None,
        horizon_days=None,
        population="segment <> 'Health'",
        publish=PublishedScores(table="churn_scores"),
    )
    result = company.run(component)
    assert result.success
    wanted = frame.filter(pl.col("is_gone_90d").is_null(), pl.col("segment") != "Health")
    scores = company.scores()
    assert set(scores["Lead Number"]) == set(wanted["Lead Number"])
    assert scores["horizon_days"].null_count() == scores.height
    assert set(scores["as_of_date"]) == {NEWEST}, "scores are as of the run's date"
    assert told(result, "scores")["who"] == "the rows of segment <> 'Health' whose is_gone_90d is not known yet"
    (fit,) = company.fits()
    assert json.loads(fit["metrics"])["split"] == "stratified"
    assert fit["rows"] == frame.filter(pl.col("is_gone_90d").is_not_null(), pl.col("segment") != "Health").height


def test_a_table_whose_answers_are_all_known_scores_everyone_and_says_so(company: Company):
    frame = panel(entities=600, points=1).drop("true_log_odds", "as_of_date")
    company.write("core.flat", frame)
    flat = {"outcomes": None, "as_of": None, "horizon_days": None}
    result = company.run(prediction(features="core.flat", **flat))
    assert result.success
    assert company.scores().height == 600
    assert "the model has learnt from these rows" in told(result, "scores")["who"]


def test_rows_with_a_day_of_their_own_are_scored_while_their_answer_is_open(company: Company):
    """A table of events: every entity has one row, as of its own day; nobody has a row as of the run's date."""
    frame = panel(entities=900, points=1).drop("true_log_odds")
    days = [NEWEST - timedelta(days=1 + number % 700) for number in range(900)]
    is_open = pl.col("as_of_date") > NEWEST - timedelta(days=90)
    frame = frame.with_columns(as_of_date=pl.Series(days))
    frame = frame.with_columns(is_gone_90d=pl.when(~is_open).then(pl.col("is_gone_90d")))
    frame = frame.rename({"as_of_date": "created_date"})
    company.write("core.events", frame)
    result = company.run(prediction(features="core.events", outcomes=None, as_of="created_date", min_positives=5))
    assert result.success, failure(result)
    wanted = frame.filter(pl.col("is_gone_90d").is_null())
    scores = company.scores()
    assert set(scores["account_id"]) == set(wanted["account_id"])
    assert set(scores["as_of_date"]) == {NEWEST}


def test_two_rows_of_one_entity_without_time_are_refused_in_words(company: Company):
    frame = panel(entities=600, points=1).drop("true_log_odds", "as_of_date")
    company.write("core.flat", pl.concat([frame, frame.head(1)]))
    result = company.run(prediction(features="core.flat", outcomes=None, as_of=None, horizon_days=None))
    assert not result.success
    words = failure(result)
    assert "core.flat has 2 rows to score for account_id = 'A00000'" in words


def test_columns_that_the_built_tables_lack_fail_the_fit_in_words(company: Company):
    company.write_snapshots(snapshots(entities=20))
    result = company.run(prediction(target="is_gone_90", value="arrr", population="segmnt = 'Energy'"), only=["models"])
    assert not result.success
    words = failure(result)
    assert "churn: target 'is_gone_90' is no column of features.account_outcomes; did you mean 'is_gone_90d'?" in words
    assert "churn: value 'arrr' is no column of features.account_snapshots; did you mean 'arr'?" in words
    assert "churn: population: 'segmnt' is no column of features.account_snapshots; did you mean 'segment'?" in words
    assert not champion_version("churn")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def vouched(path: Path) -> None:
    """A forger's work: another model with a right checksum beside it."""
    path.write_bytes(to_bytes({"format": 1}))
    path.with_name(f"{path.name}.sha256").write_text(hashlib.sha256(path.read_bytes()).hexdigest())


def lose(path: Path) -> None:
    path.with_name(f"{path.name}.sha256").unlink()


def by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def by_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def by_a_huge_one(path: Path) -> None:
    path.unlink()
    with path.open("wb") as file:
        file.truncate(50 * 2**30)


def of_another_model(path: Path) -> None:
    """Another model's file with its own checksum; the warehouse is new and has no record."""
    save_model(replace(load_model(path), spec=replace(load_model(path).spec, name="lead_score")), path)
    with connect(path.parents[2] / "warehouse.duckdb") as connection:
        connection.execute("drop table published.model_runs")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flip, "is not the file that was saved"),
        (lose, "has no checksum beside it"),
        (vouched, "the record of its fit says"),
        (by_a_folder, "is a folder, a pipe or a device"),
        (by_a_pipe, "is a folder, a pipe or a device"),
        (by_a_huge_one, "has 53,687,091,200 bytes, more than"),
        (of_another_model, "is a model of lead_score"),
    ],
)
def test_a_champion_that_is_refused_leaves_the_last_scores_and_says_why(fitted: Company, change, words: str):
    version, before = champion_version("churn"), fitted.scores()
    change(model_path("churn", version))
    result = fitted.run(prediction(), DAILY)
    assert result.success
    assert before.height and fitted.scores().equals(before)
    status = told(result, "scores")["status"]
    assert status.startswith("not scored: ") and words in status
    assert "scorecast run weekly_refit" in status and "scorecast rollback --model churn" in status
    last = fitted.fits()[-1]
    assert (last["status"], last["model_version"]) == ("refused", version)
    assert words in last["reason"]
    assert str(fitted.data) not in last["reason"]


def test_what_was_refused_is_not_fitted_again_the_next_day_unless_something_is_new(company: Company, monkeypatch):
    frame = snapshots(entities=60)
    answers = frame["is_gone_90d"].sample(fraction=1, shuffle=True, seed=5)
    noise = frame.with_columns(is_gone_90d=pl.when(pl.col("is_gone_90d").is_not_null()).then(answers))
    company.write_snapshots(noise)

    def fitted_by(component: Prediction, tags: dict[str, str]) -> tuple[int, str]:
        before = len(company.fits()) if table_there else 0
        result = company.run(component, tags, only=["models"])
        assert result.success, failure(result)
        assert told(result, "models")["status"] == "refused"
        return len(company.fits()) - before, told(result, "models")["reason"]

    table_there = False
    assert fitted_by(prediction(), DAILY)[0] == 1
    table_there = True
    fits, reason = fitted_by(prediction(), DAILY)
    assert fits == 0
    assert reason.startswith(company.fits()[-1]["reason"]) and "or with more rows, or by a refit)" in reason
    assert fitted_by(prediction(), REFIT)[0] == 1
    assert fitted_by(prediction(exclude=["segment"]), DAILY)[0] == 1  # another question
    assert fitted_by(prediction(), DAILY)[0] == 1
    company.write_snapshots(noise.with_columns(seats=pl.lit(None, pl.Int64)))
    assert fitted_by(prediction(), DAILY)[0] == 0  # a column without a value
    company.write_snapshots(noise.with_columns(seats=pl.int_range(pl.len()) % 7))
    assert fitted_by(prediction(), DAILY)[0] == 1
    company.write_snapshots(
        noise.with_columns(seats=pl.int_range(pl.len()) % 7).filter(pl.col("account_id") < "A00040")
    )
    assert fitted_by(prediction(), DAILY)[0] == 1  # a third of the rows has gone
    with connect(company.data / "warehouse.duckdb") as connection:
        connection.execute("update published.model_runs set started_at = started_at - interval 8 day")
    assert fitted_by(prediction(), DAILY)[0] == 1


def test_a_refit_replaces_a_champion_that_is_refused(fitted: Company):
    flip(model_path("churn", champion_version("churn")))
    refused = champion_version("churn")
    result = fitted.run(prediction(), REFIT)
    assert result.success
    assert champion_version("churn") != refused
    fit = fitted.fits()[-1]
    assert fit["status"] == "kept"
    assert "Not compared with the champion: " in fit["reason"] and "is not the file that was saved" in fit["reason"]
    assert set(fitted.scores()["model_version"]) == {champion_version("churn")}


def test_a_model_runs_table_without_checksums_gets_the_column(fitted: Company):
    """What a warehouse of an earlier version has."""
    with connect(fitted.data / "warehouse.duckdb") as connection:
        connection.execute("alter table published.model_runs drop column model_sha256")
    assert fitted.run(prediction(), DAILY).success
    assert told(fitted.run(prediction(), DAILY), "scores")["status"] == "scored"
    shutil.rmtree(fitted.data / "models" / "churn")  # else the same rows again would not be kept
    assert fitted.run(prediction(), REFIT, only=["models"]).success
    assert [fit["model_sha256"] is None for fit in fitted.fits()] == [True, False]


class Stopped(RuntimeError):
    """Where a run ends whose process is killed."""


def stop(*_: object, **__: object) -> None:
    raise Stopped


def answers(company: Company) -> pl.DataFrame:
    """What users get, but for the name of the version."""
    return company.scores().drop("model_version").sort("account_id")


@pytest.mark.parametrize("step", ["checksum_path", "record_fit", "promote"])
def test_a_first_fit_that_was_killed_leaves_a_daily_run_like_any_other(
    fitted: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
):
    undisturbed = answers(fitted)
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path / "killed"))
    company = Company(tmp_path / "killed")
    company.write_snapshots(snapshots())
    owner = {"checksum_path": "learning.scoring.files"}.get(step, "components.prediction.component")
    with monkeypatch.context() as patch:
        patch.setattr(f"pipelines.{owner}.{step}", stop)
        assert not company.run(prediction(), DAILY, only=["models"]).success
    stopped = company.fits() if step == "promote" else []
    assert champion_version("churn") is None
    result = company.run(prediction(), DAILY)
    assert result.success
    assert_frame_equal(answers(company), undisturbed, abs_tol=1e-9)
    last = company.fits()[-1]
    assert (last["status"], last["model_version"]) == ("kept", champion_version("churn"))
    assert last["auc"] is not None and last["model_sha256"] is not None
    assert (company.data / "reports" / "models" / f"{last['model_version']}.html").exists()
    if stopped:
        assert company.fits() == stopped, "what was on record is carried out, not fitted again"
        assert f"stopped before {last['model_version']} became the champion" in told(result, "models")["warning"]
        again = told(company.run(prediction(), DAILY), "models")
        assert again["status"] == "kept" and "warning" not in again


@pytest.mark.parametrize("step", ["record_fit", "promote"])
def test_a_refit_that_was_killed_scores_with_the_champion_or_with_what_it_had_recorded(
    fitted: Company, monkeypatch: pytest.MonkeyPatch, step: str
):
    before = champion_version("churn")
    with monkeypatch.context() as patch:
        patch.setattr(f"pipelines.components.prediction.component.{step}", stop)
        assert not fitted.run(prediction(exclude=["segment"]), REFIT, only=["models"]).success
    assert champion_version("churn") == before
    assert fitted.run(prediction(exclude=["segment"]), DAILY).success
    scores_now = champion_version("churn")
    assert (scores_now == before) == (step == "record_fit")
    assert [fit["model_version"] for fit in fitted.fits()][-1] == scores_now
    assert set(fitted.scores()["model_version"]) == {scores_now}


def test_a_version_that_was_recorded_and_then_changed_does_not_become_the_champion(
    fitted: Company, monkeypatch: pytest.MonkeyPatch
):
    before = champion_version("churn")
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.components.prediction.component.promote", stop)
        fitted.run(prediction(exclude=["segment"]), REFIT, only=["models"])
    flip(model_path("churn", fitted.fits()[-1]["model_version"]))
    assert fitted.run(prediction(), DAILY).success
    assert champion_version("churn") == before


BAD_POINTERS = {
    "torn": b'{"versi',
    "no JSON": b"\xff\xfe\x00",
    "deep": b"[" * 4000,
    "a list": b'["churn-1"]',
    "no version": b"{}",
    "a number": b'{"version": 1}',
    "a path": b'{"version": "../../x"}',
    "a path within": b'{"version": "churn-1/../../x"}',
    "another model's": b'{"version": "lead_score-1"}',
    "large": b" " * 10_000_000,
}


@pytest.mark.parametrize("content", BAD_POINTERS.values(), ids=BAD_POINTERS)
def test_a_pointer_that_says_nothing_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "models" / "churn"
    folder.mkdir(parents=True)
    for path in (folder / "churn-1.zip", folder / "lead_score-1.zip", tmp_path / "data" / "x.zip"):
        path.write_bytes(b"a model")
    (folder / "champion.json").write_bytes(content)
    assert champion_version("churn") is None
    (line,) = read_champion("churn")[1].splitlines()
    assert line.startswith("churn: champion.json counts as none: ")
    assert str(tmp_path) not in line


def test_a_pipe_or_a_folder_in_place_of_the_pointer_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    pointer = tmp_path / "models" / "churn" / "champion.json"
    pointer.mkdir(parents=True)
    assert "not a file" in read_champion("churn")[1]
    pointer.rmdir()
    os.mkfifo(pointer)
    assert "not a file" in read_champion("churn")[1]


def test_a_damaged_pointer_is_told_and_the_version_on_record_scores(fitted: Company):
    version, before = champion_version("churn"), answers(fitted)
    (fitted.data / "models" / "churn" / "champion.json").write_text("{")
    result = fitted.run(prediction(), DAILY)
    assert result.success
    assert champion_version("churn") == version
    assert len(fitted.fits()) == 1
    assert_frame_equal(answers(fitted), before, abs_tol=1e-9)
    (line,) = [line for line in notices(result.all_events) if "champion.json" in line]
    assert "champion.json counts as none: it is no JSON" in line and f"{version}, which is on record, scores" in line


def test_a_champion_of_an_earlier_format_is_told_and_the_model_fitted_anew(fitted: Company):
    before, scores = champion_version("churn"), answers(fitted)
    path = model_path("churn", before)
    for each in (path, path.with_name(f"{path.name}.sha256")):
        each.rename(each.with_name(each.name.replace(".zip", ".skops")))
    result = fitted.run(prediction(), DAILY)
    assert result.success
    assert champion_version("churn") not in (None, before)
    (line,) = [line for line in notices(result.all_events) if "no longer read" in line]
    assert f"{before} was saved by an earlier version of Scorecast" in line
    assert_frame_equal(answers(fitted), scores, abs_tol=1e-9)


def test_without_a_record_a_damaged_pointer_is_told_and_the_model_fitted_anew(fitted: Company):
    with connect(fitted.data / "warehouse.duckdb") as connection:
        connection.execute("drop table published.model_runs")
    (fitted.data / "models" / "churn" / "champion.json").write_text("[]")
    before = answers(fitted)
    result = fitted.run(prediction(), DAILY)
    assert [fit["status"] for fit in fitted.fits()] == ["kept"]
    assert "champion.json counts as none" in "\n".join(notices(result.all_events))
    assert_frame_equal(answers(fitted), before, abs_tol=1e-9)


def test_the_pointer_is_on_the_disk_before_a_run_goes_on(fitted: Company, monkeypatch: pytest.MonkeyPatch):
    synced, real = [], os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    promote("churn", champion_version("churn"))
    file, folder = synced
    assert Path(folder) == fitted.data / "models" / "churn"
    assert Path(file).parent == Path(folder) and "champion.json" in file
    assert sorted(path.name for path in Path(folder).iterdir() if "champion" in path.name) == ["champion.json"]


def test_classes_are_passed_on_to_the_learner():
    assert prediction(task="classes").learning_spec().task == "classes"
    assert prediction().learning_spec().task == "yes_no"


def test_scores_of_classes_are_published_with_a_column_a_class(company: Company):
    scores = pl.DataFrame(
        {
            **{"account_id": ["a"], "as_of_date": [date(2026, 1, 4)], "predicted": ["low"]},
            **{"probability_high": [0.1], "probability_low": [0.9], "score": [50], "grade": ["C"]},
            **{"reason_1": ["x"], "reason_2": ["x"], "reason_3": ["x"], "reasons": ["[]"]},
            **{"model_version": ["v1"], "horizon_days": [None]},
        }
    )
    company.write("scores.churn", scores)
    component = prediction(task="classes", value=None)
    assert company.run(component, only=["published"]).success
    assert company.scores().columns[2:7] == [
        *["as_of_date", "horizon_days", "predicted", "probability_high", "probability_low"]
    ]


def test_an_amount_is_fitted_scored_published_and_there_beside_the_others(company: Company):
    """Customers whose amount is known teach; the others get theirs, with an interval and reasons in its unit."""
    generator = np.random.default_rng(0)
    size = generator.normal(size=340)
    amounts = pl.Series("spend", np.exp(6 + size + 0.3 * generator.normal(size=340)).round(2))
    is_open = pl.Series([number >= 300 for number in range(340)])
    ids = [f"A{number:05d}" for number in range(340)]
    company.write("core.flat", pl.DataFrame({"account_id": ids, "size": size, "spend": amounts.set(is_open, None)}))
    flat = {"features": "core.flat", "outcomes": None, "as_of": None, "horizon_days": None, "value": None}
    component = prediction(name="spend", target="spend", task="amount", **flat)
    assert company.run(component).success
    (fit,) = company.fits()
    assert fit["status"] == "kept" and "the median of everyone" in fit["reason"] and 0 < fit["error"] < 100
    scores = company.scores()
    assert scores.columns == [
        *["account_id", "account_name", "as_of_date", "horizon_days", "expected", "p10", "p50", "p90", "score"],
        *["reason_1", "reason_2", "reason_3", "reasons", "is_holdback", "model_version"],
    ]
    assert scores.height == 40 and scores["expected"].is_sorted(descending=True)
    assert (scores["p10"] <= scores["p50"]).all() and (scores["p50"] <= scores["p90"]).all()
    said = dict(
        company.ask("select column_name, comment from duckdb_columns() where table_name = 'churn_scores'").rows()
    )
    assert said["expected"].startswith("The amount to expect") and said["p50"].startswith("Half come to less")
    assert component.why_not_compared.startswith("It estimates an amount")
    track_record = track_record_definitions([component]).assets
    assert dg.materialize(track_record, resources={"warehouse": Warehouse()}).success
    (health,) = company.ask("from published.model_health").to_dicts()
    assert health["score_psi"] is not None and not health["is_refit_requested"]
    assert company.run(component).success
    assert "the champion stays" in company.fits()[-1]["reason"]


def test_levels_in_an_order_are_fitted_scored_published_and_kept_out_of_the_history(company: Company):
    """Customers whose rating is known teach; the others get theirs, with a probability for each level."""
    generator = np.random.default_rng(0)
    wait = generator.normal(size=340)
    place = ((-2 * wait + generator.logistic(size=340))[:, None] > [-2.0, 0.0, 2.0]).sum(axis=1)
    mood = pl.Series("mood", ["angry", "cool", "warm", "happy"]).gather(place)
    is_open = pl.Series([number >= 300 for number in range(340)])
    ids = [f"A{number:05d}" for number in range(340)]
    company.write("core.flat", pl.DataFrame({"account_id": ids, "wait": wait, "mood": mood.set(is_open, None)}))
    flat = {"features": "core.flat", "outcomes": None, "as_of": None, "horizon_days": None, "value": None}
    levels = ["angry", "cool", "warm", "happy"]
    component = prediction(name="mood", target="mood", task="ordered", levels=levels, **flat)
    assert company.run(component).success
    (fit,) = company.fits()
    assert fit["status"] == "kept" and "levels on the test, where always saying" in fit["reason"]
    assert json.loads(fit["metrics"])["rps"] < json.loads(fit["metrics"])["baseline_rps"]
    scores = company.scores()
    assert scores.columns == [
        *["account_id", "account_name", "as_of_date", "horizon_days", "predicted", "probability"],
        *[f"probability_{level}" for level in levels],
        *["expected", "score", "grade", "reason_1", "reason_2", "reason_3", "reasons", "is_holdback", "model_version"],
    ]
    assert scores.height == 40 and scores["expected"].is_sorted(descending=True)
    assert scores.select(f"probability_{level}" for level in levels).sum_horizontal().to_numpy() == pytest.approx(1.0)
    assert not has_one_probability(scores.columns), "score_history and the changes are of one answer each"
    said = dict(
        company.ask("select column_name, comment from duckdb_columns() where table_name = 'churn_scores'").rows()
    )
    assert said["predicted"].startswith("The level to expect")
    assert said["probability_cool"] == "How likely the level cool is, from 0 to 1."
    assert component.why_not_compared.startswith("It tells levels in an order apart: its scores are neither kept")
    track_record = track_record_definitions([component]).assets
    assert dg.materialize(track_record, resources={"warehouse": Warehouse()}).success
    (health,) = company.ask("from published.model_health").to_dicts()
    assert health["score_psi"] is not None and not health["is_refit_requested"]
    assert health["reason"] == component.why_not_compared
    assert company.run(component).success
    assert "the champion stays" in company.fits()[-1]["reason"]


def test_an_amount_relative_to_another_is_published_in_its_unit(company: Company):
    """Those without the other amount are neither learnt from nor scored."""
    generator = np.random.default_rng(0)
    factor, listed = np.exp(0.4 * generator.normal(size=300)), np.exp(8 * generator.random(300)).round(2)
    ids = [f"A{number:05d}" for number in range(300)]
    came = listed * factor * np.exp(0.1 * generator.normal(size=300))
    frame = pl.DataFrame({"account_id": ids, "factor": factor, "listed": listed, "spend": came})
    no_list = pl.col("account_id").is_in(ids[:20])
    frame = frame.with_columns(
        pl.when(pl.col("account_id") < ids[40]).then(None).otherwise("spend").alias("spend"),
        pl.when(no_list).then(0.0).otherwise("listed").alias("listed"),
    )
    company.write("core.flat", frame)
    flat = {"features": "core.flat", "outcomes": None, "as_of": None, "horizon_days": None, "value": None}
    component = prediction(name="spend", target="spend", task="amount", relative_to="listed", **flat)
    result = company.run(component)
    assert "% of listed on the test, where saying the median multiple of listed" in company.fits()[0]["reason"]
    assert told(result, "scores")["who"] == "the rows with listed above 0 whose spend is not known yet"
    scores = company.scores().join(frame.with_columns(came=came), on="account_id")
    assert set(scores["account_id"]) == set(ids[20:40])
    assert (scores["p50"] / scores["came"] - 1).abs().mean() < 0.15
    by_multiple = scores.sort(scores["expected"] / scores["listed"], descending=True)
    assert by_multiple["score"].to_list() == scores["score"].sort(descending=True).to_list()
    said = company.ask("select comment from duckdb_columns() where column_name = 'score'")["comment"]
    assert any(each.endswith("Of the amount as a multiple of listed.") for each in said if each)
    track_record = track_record_definitions([component]).assets
    assert dg.materialize(track_record, resources={"warehouse": Warehouse()}).success
    (psi,) = company.ask("select score_psi from published.model_health")["score_psi"]
    assert psi is not None


def test_what_the_assets_wait_for():
    graph = dg.Definitions(
        assets=prediction().build_defs(None).assets, resources={"warehouse": Warehouse()}
    ).resolve_asset_graph()
    inputs = {dg.AssetKey(["features", "account_snapshots"]), dg.AssetKey(["features", "catalogue"])}
    inputs |= {dg.AssetKey(["raw_scorecast", "as_of"])}
    models = dg.AssetKey(["models", "churn"])
    assert graph.get(models).parent_keys == inputs | {dg.AssetKey(["features", "account_outcomes"])}
    assert graph.get(dg.AssetKey(["scores", "churn"])).parent_keys == inputs | {models}
    valued = prediction(value_from="deal_amount").build_defs(None).assets
    graph = dg.Definitions(assets=valued, resources={"warehouse": Warehouse()}).resolve_asset_graph()
    assert dg.AssetKey(["scores", "deal_amount"]) in graph.get(dg.AssetKey(["scores", "churn"])).parent_keys
    flat = prediction(features="core.flat", outcomes=None, as_of=None, horizon_days=None)
    graph = dg.Definitions(
        assets=flat.build_defs(None).assets, resources={"warehouse": Warehouse()}
    ).resolve_asset_graph()
    assert dg.AssetKey(["core", "flat"]) in graph.get(models).parent_keys


def list_of_customers(**changes: object) -> Prediction:
    """Scores to work from: an owner, whom to talk to, and a link."""
    publish = {
        "table": "churn_scores",
        "described_by": "accounts",
        "columns": ["account_name", "owner_name"],
        "private": ["main_contact_name", "main_contact_email"],
        "link": "account_url",
        **changes,
    }
    return prediction(publish=PublishedScores(**publish))


def write_people(company: Company) -> None:
    names = company.ask("from core.accounts").select("account_id", "account_name")
    names = names.with_columns(
        owner_name=pl.lit("Mara Stein"),
        main_contact_name=pl.lit("Ann"),
        main_contact_email=pl.lit("ann@withheld.example"),
    )
    company.write("core.accounts", names)


def test_a_list_says_whom_to_talk_to_and_the_model_does_not_learn_from_it(fitted: Company):
    write_people(fitted)
    with connect(fitted.data / "warehouse.duckdb") as connection:
        connection.execute("comment on column core.accounts.main_contact_email is 'Her address.'")
    before = fitted.scores()
    result = fitted.run(list_of_customers(), only=["scores", "published"])
    scores = fitted.scores()
    assert scores.columns[:7] == [
        *["account_id", "account_name", "owner_name", "main_contact_name", "main_contact_email", "account_url"],
        "as_of_date",
    ]
    assert scores.select("owner_name", "main_contact_email").unique().rows() == [("Mara Stein", "ann@withheld.example")]
    assert_frame_equal(
        scores.select("account_id", "probability", "reasons"), before.select("account_id", "probability", "reasons")
    )
    described = dict(
        fitted.ask("select column_name, comment from duckdb_columns() where table_name = 'churn_scores'").rows()
    )
    assert described["main_contact_email"] == "Her address."
    assert described["account_url"].startswith("Where the record is in its system")
    assert "account_name" in str(told(result, "published")["sample"])
    assert "ann@withheld.example" not in str(told(result, "published")), "Dagster's records keep no personal data"


def test_private_columns_can_be_switched_off(fitted: Company):
    write_people(fitted)
    component = list_of_customers(show_private=False)
    assert fitted.run(component, only=["published"]).success
    columns = fitted.scores().columns
    assert "owner_name" in columns
    assert not {"main_contact_name", "main_contact_email"} & set(columns)
    (spec,) = [
        spec for asset in component.build_defs(None).assets for spec in asset.specs if "published" in spec.key.path
    ]
    assert spec.metadata[WITHHELD_METADATA] == "main_contact_name,main_contact_email"
    (shown,) = [
        spec
        for asset in list_of_customers().build_defs(None).assets
        for spec in asset.specs
        if "published" in spec.key.path
    ]
    assert WITHHELD_METADATA not in shown.metadata


def test_links_lead_to_the_record_in_the_system_that_has_one(fitted: Company, monkeypatch: pytest.MonkeyPatch):
    """The CRM's record comes first; a system without a link, or whose link is of another entity, gives none."""
    write_people(fitted)
    records = [
        ("account_id", "A00000", "stripe", "cus 0/ä", False),
        ("account_id", "A00001", "stripe", "cus_1", False),
        ("account_id", "A00001", "hubspot", "77", True),
        ("account_id", "A00002", "zendesk", "z-2", False),
        ("lead_id", "A00003", "hubspot", "78", True),
    ]
    schema = ["entity", "entity_id", "source_system", "record_key", "is_register"]
    fitted.write("core.record_keys", pl.DataFrame(records, schema=schema, orient="row"))
    sources = fitted.data / "sources.yaml"
    monkeypatch.setenv("SCORECAST_SOURCES", str(sources))
    sources.write_text(
        "sources:\n"
        '  hubspot: {folder: x, links: {company: "https://crm.example/o\'brien/{id}?a=1", deal: "https://crm.example/d/{id}"}}\n'
        '  stripe: {folder: x, links: {customer: "https://pay.example/{id}/edit"}}\n'
        "  zendesk: x\n"
    )
    assert fitted.run(list_of_customers(), only=["published"]).success
    links = dict(fitted.scores().select("account_id", "account_url").rows())
    assert {key: url for key, url in links.items() if url is not None} == {
        "A00000": "https://pay.example/cus%200%2F%C3%A4/edit",
        "A00001": "https://crm.example/o'brien/77?a=1",
    }
    sources.write_text("sources: {hubspot: x}\n")
    assert fitted.run(list_of_customers(), only=["published"]).success
    assert fitted.scores()["account_url"].null_count() == 250
    assert fitted.scores().schema["account_url"] == pl.String
