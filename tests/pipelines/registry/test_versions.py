"""`scorecast models` and `scorecast rollback --model`, on models that real runs have fitted."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from pipelines.commands.main import app
from pipelines.locking import run_lock
from pipelines.registry.store import champion_version, model_path, settled_champion
from pipelines.registry.versions import history, roll_back_model, withdraw_model, withdrawn_models
from tests.pipelines.components.test_forecast import FORECAST, daily_values
from tests.pipelines.components.test_forecast import Company as ForecastCompany
from tests.pipelines.components.test_prediction_assets import DAILY, REFIT, Company, flip, prediction, snapshots, told


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A churn model that was kept, one that was refused, one that was skipped and one that replaced the first."""
    folder = tmp_path_factory.mktemp("versions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCORECAST_DATA", str(folder))
        company = Company(folder)
        company.write_snapshots(snapshots())
        assert company.run(prediction()).success
        shuffled = snapshots().with_columns(pl.col("is_gone_90d").shuffle(seed=1))
        company.write_snapshots(shuffled)
        assert company.run(prediction()).success
        company.write_snapshots(snapshots())
        assert company.run(prediction(min_rows=100_000)).success
        assert company.run(prediction(exclude=["segment"])).success
    return folder


@pytest.fixture
def company(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    import dagster as dg

    data = tmp_path / "data"
    shutil.copytree(folder, data)
    monkeypatch.setenv("SCORECAST_DATA", str(data))
    made = Company.__new__(Company)
    made.data, made.instance = data, dg.DagsterInstance.ephemeral()
    return made


def test_versions_are_listed_with_figures_status_and_champion(company: Company):
    newest, skipped, refused, first = history("churn")
    assert (newest.status, newest.is_champion, newest.version) == ("kept", True, champion_version("churn"))
    assert (first.status, first.is_champion, first.is_stored) == ("kept", False, True)
    assert (skipped.status, skipped.version, skipped.is_champion) == ("skipped", None, False)
    assert "100,000 are needed" in skipped.reason
    assert (refused.status, refused.version, refused.is_stored) == ("refused", None, False)
    assert refused.reason.startswith("Refused: no better than the base rate")
    fits = company.fits()
    assert first.figures["auc"] == fits[0]["auc"] > 0.6
    assert first.rows == fits[0]["rows"]
    result = call("models")
    assert result.exit_code == 0
    (line,) = [line for line in result.stdout.splitlines() if "*" in line and "churn" in line]
    assert newest.version.removeprefix("churn-") in line
    assert f"{newest.figures['auc']:.3f}" in line and f"{newest.figures['log_loss']:.4f}" in line
    words = " ".join(call("models", "churn").stdout.split())
    assert "100,000 are needed" in words
    assert "scorecast rollback --model churn" in words


def test_an_unknown_model_names_those_there_are(company: Company):
    result = call("models", "chrn")
    assert (result.exit_code, result.stderr) == (1, "There is no model 'chrn'. There are: churn.\n")


def test_before_the_first_fit_it_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    result = call("models")
    assert (result.exit_code, "make run" in result.stderr) == (1, True)
    assert call("rollback", "--model", "churn").exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_rollback_makes_the_version_before_score_again_and_is_on_record(company: Company):
    versions = sorted(path.stem for path in (company.data / "models" / "churn").glob("*.zip"))
    before = company.fits()
    result = call("rollback", "--model", "churn")
    assert result.exit_code == 0, result.stderr
    assert f"{versions[-2]} scores instead of {versions[-1]}." in result.stdout
    assert champion_version("churn") == versions[-2]
    *kept, last = company.fits()
    assert kept == before
    assert (last["status"], last["model_version"]) == ("rolled_back", versions[-2])
    assert f"{versions[-2]} scores instead of {versions[-1]}" in last["reason"]
    original = next(fit for fit in before if fit["model_version"] == versions[-2] and fit["status"] == "kept")
    assert (last["auc"], last["model_sha256"]) == (original["auc"], original["model_sha256"])

    assert told(company.run(prediction(), DAILY), "scores")["model_version"] == versions[-2]
    assert set(company.scores()["model_version"]) == {versions[-2]}
    entries = history("churn")
    assert entries[0].status == "rolled_back"
    assert [entry.version for entry in entries if entry.is_champion] == [versions[-2]]
    back = call("rollback", "--model", "churn", "--to", versions[-1].removeprefix("churn-"))
    assert back.exit_code == 0
    assert champion_version("churn") == versions[-1]


def test_a_rollback_that_cannot_be_changes_nothing(company: Company):
    champion, fits = champion_version("churn"), company.fits()
    stored = sorted(path.stem for path in (company.data / "models" / "churn").glob("*.zip"))
    for arguments, words in (
        (("--to", "churn-20200101T000000"), f"has no version churn-20200101T000000 to go back to; {champion} scores"),
        (("--to", champion), "to go back to"),
    ):
        result = call("rollback", "--model", "churn", *arguments)
        assert result.exit_code == 1
        assert words in result.stderr
        assert all(version in result.stderr for version in stored if version != champion)
    assert "no stored version of a model 'chrn'" in call("rollback", "--model", "chrn").stderr
    flip(model_path("churn", stored[0]))
    refused = call("rollback", "--model", "churn", "--to", stored[0])
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "is not the file that was saved" in refused.stderr
    assert champion_version("churn") == champion
    assert company.fits() == fits


def test_a_rollback_that_was_killed_on_record_is_carried_out_by_the_next_run(
    company: Company, monkeypatch: pytest.MonkeyPatch
):
    first, second = sorted(path.stem for path in (company.data / "models" / "churn").glob("*.zip"))

    def stop(*_: object) -> None:
        raise RuntimeError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.registry.versions.promote", stop)
        with pytest.raises(RuntimeError, match="stopped"):
            roll_back_model("churn", None, datetime.now(UTC))
    assert champion_version("churn") == second
    result = company.run(prediction(), DAILY)
    assert set(company.scores()["model_version"]) == {first}
    assert f"stopped before {first} became the champion" in told(result, "models")["warning"]


def test_a_file_that_a_killed_fit_left_is_not_gone_back_to_by_itself(company: Company):
    first, second = (company.data / "models" / "churn" / f"{entry.version}.zip" for entry in history("churn")[::-3])
    for suffix in ("", ".sha256"):
        left = first.with_name(f"{first.stem}-2.zip{suffix}")
        left.write_bytes(first.with_name(f"{first.name}{suffix}").read_bytes())
    assert first.stem < f"{first.stem}-2" < second.stem
    assert call("rollback", "--model", "churn").exit_code == 0
    assert champion_version("churn") == first.stem


def test_flags_that_contradict_each_other_are_refused(company: Company):
    assert call("rollback", "--to", "v1").exit_code == 2
    assert call("rollback", "2026-01-01", "--model", "churn").exit_code == 2


def test_a_run_that_holds_the_warehouse_keeps_nobody_from_looking(company: Company):
    """The last release has the record, too."""
    with duckdb.connect(str(company.data / "published.duckdb")) as connection:
        connection.execute(f"attach '{company.data / 'warehouse.duckdb'}' as warehouse (read_only)")
        connection.execute("create table model_runs as from warehouse.published.model_runs")
        connection.execute("create table releases as select 'the last' as release_id")
    alone = history()
    with run_lock(company.data / "warehouse.lock", "a run"):
        assert history() == alone
    assert len(alone) == 4


def test_a_file_that_no_record_tells_of_is_listed_as_such(company: Company):
    (company.data / "warehouse.duckdb").unlink()
    entries = history("churn")
    assert {entry.status for entry in entries} == {"unrecorded"}
    assert [entry.version for entry in entries if entry.is_champion] == [champion_version("churn")]
    assert call("models").exit_code == 0


def test_a_forecast_is_listed_and_rolled_back_like_a_prediction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    company = ForecastCompany(tmp_path)
    company.write(daily_values(60))
    for _ in range(2):
        assert company.run(REFIT).success
    name = f"{FORECAST.name}_forecast"
    second, first = history(name)
    assert second.is_champion and first.is_stored and first.figures["error"] > 0
    assert call("rollback", "--model", name).exit_code == 0
    assert champion_version(name, suffix=".json") == first.version
    assert history(name)[0].status == "rolled_back"
    model_path(name, second.version, suffix=".json").write_text("[]")
    refused = call("rollback", "--model", name, "--to", second.version)
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "is not the file that was saved" in refused.stderr
    assert champion_version(name, suffix=".json") == first.version


def test_looking_imports_no_learner(company: Company):
    program = (
        "import sys, pipelines.registry.versions as m; m.history(); print(*{n.split('.')[0] for n in sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(result.stdout.split()).isdisjoint({"sklearn", "lightgbm"})


def test_a_withdrawn_model_scores_no_more_until_a_fit_is_kept(company: Company):
    champion = champion_version("churn")
    scored = company.scores()
    result = call("models", "--withdraw", "churn")
    assert result.exit_code == 0, result.stderr
    assert f"Withdrawn by hand: {champion} scores no more." in result.stdout
    assert champion_version("churn") is None
    assert withdrawn_models() == ["churn"]
    newest = history("churn")[0]
    assert (newest.status, newest.version, newest.is_champion) == ("withdrawn", None, False)
    assert {entry.version for entry in history("churn") if entry.is_stored} >= {champion}
    assert call("models", "--withdraw", "churn").exit_code == 1
    assert call("models", "other", "--withdraw", "churn").exit_code == 2

    shuffled = snapshots().with_columns(pl.col("is_gone_90d").shuffle(seed=1))
    company.write_snapshots(shuffled)
    assert company.run(prediction(), DAILY).success
    assert company.fits()[-1]["status"] == "refused"
    assert champion_version("churn") is None, "a refused fit, or the record of before, brings none back"
    assert company.scores().equals(scored)
    back = call("rollback", "--model", "churn")
    assert back.exit_code == 0, back.stderr
    assert champion_version("churn") not in (None, champion), "what was withdrawn is not gone back to by itself"

    assert call("models", "--withdraw", "churn").exit_code == 0
    company.write_snapshots(snapshots())
    assert company.run(prediction(), DAILY).success
    assert champion_version("churn") == company.fits()[-1]["model_version"]
    assert withdrawn_models() == []


def test_a_withdrawal_that_was_killed_on_record_is_carried_out_by_the_next_run(
    company: Company, monkeypatch: pytest.MonkeyPatch
):
    def stop(*_: object) -> None:
        raise RuntimeError("stopped")

    champion = champion_version("churn")
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.registry.versions.demote", stop)
        with pytest.raises(RuntimeError, match="stopped"):
            withdraw_model("churn", datetime.now(UTC))
    assert champion_version("churn") == champion
    with duckdb.connect(str(company.data / "warehouse.duckdb")) as connection:
        version, message = settled_champion(connection, "churn")
    assert (version, champion_version("churn")) == (None, None)
    assert f"withdrawing {champion} was stopped half-way" in message
