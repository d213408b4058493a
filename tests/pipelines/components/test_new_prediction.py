"""`scorecast new prediction`: what it proposes, writes and refuses; and that what it writes loads and runs."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
import yaml

from pipelines.components.new_prediction import Answers, Question, complete, next_question, write_prediction, written
from pipelines.components.prediction import Prediction
from pipelines.components.validation import read_components
from pipelines.registry.store import champion_version
from pipelines.settings import project_root
from pipelines.transformation.known_tables import Table
from tests.pipelines.components.test_prediction_assets import Company, snapshots
from tests.pipelines.components.test_validation import PROJECT, TABLES

FILE = "assets/predictions/expansion/defs.yaml"
FLAGS = {"name": "expansion", "features": "account_snapshots", "target": "is_churned_90d"}


def made(root: Path, **flags: object) -> dict:
    """What is in the YAML that these flags give."""
    answers = complete(Answers(**{**FLAGS, **flags}), TABLES, lambda question: None)
    path = write_prediction(root, answers, TABLES)
    assert path == root / FILE
    ((_, component),) = read_components(root)
    assert component.name == "expansion"
    return yaml.safe_load(path.read_text())["attributes"]


def test_three_flags_are_enough_where_the_rest_follows(tmp_path: Path):
    assert made(tmp_path) == {
        "name": "expansion",
        "description": "How likely each account is churned within 90 days, and why.",
        "owner": "team:data",
        "entity": "account_id",
        "features": "account_snapshots",
        "outcomes": "account_outcomes",
        "target": "is_churned_90d",
        "horizon_days": 90,
        "publish": {
            **{"table": "expansion_scores", "described_by": "accounts", "columns": ["account_name", "currency"]},
        },
    }


def test_flags_are_taken_as_they_are(tmp_path: Path):
    flags = {"value": "arr", "population": "is_customer and segment <> 'x: #1'", "horizon_days": 30, "table": "growth"}
    said = made(tmp_path, **flags, owner="ann@example.com", description='Who: "grows" #1?', described_by="")
    assert {key: said[key] for key in ("value", "population", "horizon_days")} == {
        key: flags[key] for key in ("value", "population", "horizon_days")
    }
    assert said["description"] == 'Who: "grows" #1?'
    assert said["publish"] == {"table": "growth"}


def test_a_table_without_time_and_with_its_own_target(tmp_path: Path):
    said = made(tmp_path, features="core.flat", target="is_gone", as_of="")
    assert "outcomes" not in said and "horizon_days" not in said
    assert said["as_of"] is None and "as_of: null" in (tmp_path / FILE).read_text()


def test_a_text_target_is_one_of_classes(tmp_path: Path):
    assert made(tmp_path, target="plan_after", horizon_days=30)["task"] == "classes"


def test_levels_are_asked_for_where_words_have_an_order(tmp_path: Path):
    said = made(tmp_path, target="plan_after", horizon_days=30, task="ordered", levels=("free", "basic", "pro"))
    assert (said["task"], said["levels"]) == ("ordered", ["free", "basic", "pro"]) and "value" not in said
    with pytest.raises(LookupError, match="--levels is missing: the levels from the lowest to the highest"):
        made(tmp_path / "none", target="plan_after", horizon_days=30, task="ordered")


def existing(name: str = "churn", **changes: object) -> Prediction:
    settings = {
        **{"name": name, "description": "x", "entity": "account_id", "features": "account_snapshots"},
        **{"outcomes": "account_outcomes", "target": "is_churned_90d", "horizon_days": 90},
        **{"publish": {"table": f"{name}_scores"}, "population": "is_customer", **changes},
    }
    return Prediction.model_validate(settings)


BY_TARGET = existing("other_kind", population="segment = 'x'")
OTHER_TARGET = existing("by_features", target="plan_after", population="arr > 0")
OTHER_TABLE = existing("elsewhere", features="core.flat", population="no_such_column")


@pytest.mark.parametrize(
    ("there", "flags", "population"),
    [
        ([], {}, None),
        ([existing()], {}, "is_customer"),
        ([existing()], {"population": "true"}, None),
        ([existing()], {"population": ""}, None),
        ([existing()], {"population": "arr > 5"}, "arr > 5"),
        ([OTHER_TARGET], {}, "arr > 0"),
        ([OTHER_TARGET, BY_TARGET, OTHER_TABLE], {}, "segment = 'x'"),
        ([OTHER_TABLE], {}, None),
        ([existing(population="true"), OTHER_TARGET], {}, None),
    ],
)
def test_who_it_is_asked_of_is_proposed_from_the_models_that_there_are(
    tmp_path: Path, there: list[Prediction], flags: dict, population: str | None
):
    answers = complete(Answers(**FLAGS, **flags), TABLES, lambda question: None, there)
    path = write_prediction(tmp_path, answers, TABLES)
    assert yaml.safe_load(path.read_text())["attributes"].get("population") == population


def test_the_question_says_whose_population_is_proposed():
    before = {"entity": "account_id", "as_of": "as_of_date", "outcomes": "account_outcomes", "task": "yes_no"}
    question = next_question(Answers(**FLAGS, **before, horizon_days=90), TABLES, [existing()])
    assert (question.key, question.default) == ("population", "is_customer")
    assert question.words.endswith("(true: everyone); churn asks it of 'is_customer'")


def test_the_yaml_has_short_comments_in_one_column(tmp_path: Path):
    made(tmp_path)
    lines = (tmp_path / FILE).read_text().splitlines()
    commented = [line for line in lines if "#" in line]
    assert len(commented) >= 4
    assert {line.index("#") for line in commented} == {34}
    assert max(len(line) for line in lines) <= 120


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"name": None}, "--name is missing: what the model is called"),
        (
            {"features": None},
            "--features is missing: the table with what is known of each entity. There are: account_snap",
        ),
        ({"target": None}, "--target is missing: the column to predict. There are: is_churned_90d."),
        ({"target": "plan_after"}, "--horizon-days is missing: days after as_of_date"),
    ],
)
def test_what_nobody_can_guess_must_be_given(flags: dict, words: str):
    with pytest.raises(LookupError) as refused:
        complete(Answers(**{**FLAGS, **flags}), TABLES, lambda question: None)
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (
            {"target": "is_churnd_90d"},
            "target 'is_churnd_90d' is no column of features.account_outcomes; did you mean 'is_",
        ),
        ({"value": "segment"}, "value 'segment' of features.account_snapshots is VARCHAR; it must be a number"),
        ({"population": "is_customer and"}, "population is no SQL condition"),
        ({"table": "accounts"}, "table 'accounts' is one that a dbt model makes; choose another"),
        ({"name": "Expansion!"}, "name is 'Expansion!'; use lower-case letters"),
        ({"task": "guess"}, "task is 'guess'; use yes_no or classes or ordered or amount"),
        ({"as_of": "", "horizon_days": 30}, "horizon_days counts from `as_of`, which is null"),
    ],
)
def test_what_would_not_load_is_not_written(tmp_path: Path, flags: dict, words: str):
    answers = complete(Answers(**{**FLAGS, **flags}), TABLES, lambda question: None)
    with pytest.raises(ValueError) as refused:
        write_prediction(tmp_path, answers, TABLES)
    assert str(refused.value).startswith(words)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path):
    made(tmp_path)
    before = (tmp_path / FILE).read_text()
    answers = complete(Answers(**FLAGS, value="arr"), TABLES, lambda question: None)
    with pytest.raises(FileExistsError, match=r"expansion/defs\.yaml is there already\. Edit it, or choose another"):
        write_prediction(tmp_path, answers, TABLES)
    assert (tmp_path / FILE).read_text() == before


def test_every_question_is_asked_once_and_its_likely_answer_is_what_no_flag_gives():
    asked: list[Question] = []

    def ask(question: Question) -> str | None:
        asked.append(question)
        return getattr(Answers(**FLAGS), question.key, None)

    answers = complete(Answers(), TABLES, ask)
    assert answers == complete(Answers(**FLAGS), TABLES, lambda question: None)
    assert len({question.key for question in asked}) == len(asked) == 15
    assert next_question(answers, TABLES) is None


def test_an_answer_that_is_no_column_is_told_at_once():
    question = next_question(Answers(name="expansion", features="account_snapshots"), TABLES)
    assert question.key == "entity"
    assert question.problem("account_id") is None
    assert question.problem("acount_id") == "there is no 'acount_id'; did you mean 'account_id'?"
    unknown = {**TABLES, "features.account_snapshots": Table({"account_id": None})}
    assert next_question(Answers(name="x", features="account_snapshots"), unknown).problem("anything") is None


def test_written_is_yaml_whatever_the_words_are():
    answers = complete(Answers(**FLAGS), TABLES, lambda question: None)
    for words in ("a: b", "# no", "'", '"', "yes", "{{", "line\nbreak", "Ünïcode", "- x", "%", "null", "1.5"):
        said = yaml.safe_load(written(replace(answers, description=words, population=words)))["attributes"]
        assert said["description"] == words and said["population"] == words


class Project:
    """A copy of the project with a small warehouse, worked on by the commands that users type."""

    def __init__(self, folder: Path):
        self.root, self.data = folder / "project", folder / "data"
        self.root.mkdir()
        for item in PROJECT:
            copy = shutil.copytree if (project_root() / item).is_dir() else shutil.copy
            copy(project_root() / item, self.root / item)
        self.environment = {**os.environ, "PYTHONPATH": str(self.root), "SCORECAST_DATA": str(self.data)}

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    def type(self, *lines: str, command: Sequence[str] = ("new", "prediction")) -> tuple[int, str]:
        """A command on a terminal, with these answers; its exit code and what it shows."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.commands.main", *command],
            cwd=self.root,
            env=self.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.write(ours, "".join(f"{line}\n" for line in lines).encode())
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # the terminal's other side is closed
            pass
        os.close(ours)
        return process.wait(), shown.decode()


RUN = """
import dagster as dg
from pipelines.definitions import defs
job = defs.get_implicit_global_asset_job_def()
keys = [dg.AssetKey(name) for name in (("models", "growth"), ("scores", "growth"), ("published", "growth_scores"))]
with dg.DagsterInstance.local_temp() as instance:
    assert job.execute_in_process(instance=instance, asset_selection=keys).success
"""


@pytest.mark.slow
def test_a_prediction_made_by_the_command_loads_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path / "data"))
    project, company = Project(tmp_path), Company(tmp_path / "data")
    frame = snapshots().rename({"is_gone_90d": "is_churned_90d"})
    company.write("features.account_snapshots", frame.drop("is_churned_90d").with_columns(is_customer=True))
    company.write("features.account_outcomes", frame.select("account_id", "as_of_date", "is_churned_90d"))

    command = [
        "-m",
        "pipelines.commands.main",
        "new",
        "prediction",
        "--name",
        "growth",
        "--features",
        "account_snapshots",
    ]
    missing = project.call(*command)
    assert missing.returncode == 2
    assert missing.stderr.startswith("--target is missing: the column to predict. There are: is_churned_90d")
    wrong = project.call(*command, "--target", "is_churnd_90d")
    assert (wrong.returncode, "did you mean 'is_churned_90d'?" in wrong.stderr) == (2, True)
    assert not (project.root / "assets/predictions/growth").exists()
    result = project.call(*command, "--target", "is_churned_90d", "--value", "arr", "--columns", "account_name")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        "It learns from and scores those of 'is_customer' (population).\n"
        "Wrote assets/predictions/growth/defs.yaml. Next: make run\n"
    )
    again = project.call(*command, "--target", "is_churned_90d")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)

    ran = project.call("-c", RUN)
    assert ran.returncode == 0, ran.stderr[-3000:]
    version = champion_version("growth")
    assert version is not None
    with duckdb.connect(str(project.data / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "select count(*), count(distinct account_id), count(account_name), min(expected_value) > 0,"
            " max(model_version) from published.growth_scores"
        ).fetchone()
    assert rows == (250, 250, 250, True, version)


@pytest.mark.slow
def test_on_a_terminal_it_asks_and_takes_empty_answers_as_its_proposals(tmp_path: Path):
    project = Project(tmp_path)
    lines = ["growth", "acount_snapshots", "account_snapshots", *[""] * 3, "is_churned_90d", *[""] * 9]
    code, shown = project.type(*lines)
    assert code == 0, shown
    assert "there is no 'acount_snapshots'; did you mean 'account_snapshots'?" in shown
    assert "features: the table with what is known of each entity" in shown
    assert "Wrote assets/predictions/growth/defs.yaml. Next: make run" in shown
    said = yaml.safe_load((project.root / "assets/predictions/growth/defs.yaml").read_text())["attributes"]
    assert (said["outcomes"], said["target"], said["horizon_days"]) == ("account_outcomes", "is_churned_90d", 90)
    code, shown = project.type("churn")
    assert code == 2
    assert "assets/predictions/churn/defs.yaml is there already" in shown
