"""dbt's models as two steps of a run: those before texts are read, and those after; dbt itself is played here."""

import json
from collections.abc import Callable, Iterator, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from pipelines.settings import dbt_project_dir
from pipelines.transformation import assets as transformation
from pipelines.transformation.assets import below, warehouse_definitions
from pipelines.transformation.building import NodeResult, Part, ensure_manifest
from pipelines.warehouse import Warehouse


@pytest.fixture(scope="module")
def project() -> SimpleNamespace:
    """The project's manifest, and its steps by name."""
    steps = {step.node_def.name: step for step in warehouse_definitions().assets}
    return SimpleNamespace(manifest=json.loads(ensure_manifest().read_text()), steps=steps)


class Dbt:
    """Stands for dbt: builds what it is asked to, and remembers what that was."""

    def __init__(self, manifest: dict):
        self.manifest, self.asked = manifest, []
        self.models = {node["name"]: name for name, node in manifest["nodes"].items() if name.startswith("model.")}
        self.failing = ""

    def build(self, select: Sequence[str] | None, on_progress: Callable, part: Part | None) -> Iterator[NodeResult]:
        names = set(self.models) if select is None else set(select)
        self.asked.append((names, part))
        chosen = {self.models[name] for name in names}
        for model in TopologicalSorter(self.manifest["parent_map"]).static_order():
            if model in chosen:
                yield NodeResult(model, "success", 0.1, rows=1)
        there = {self.models[each] for names, _ in self.asked for each in names}
        for test in (name for name in self.manifest["nodes"] if name.startswith("test.")):
            of = {name for name in self.manifest["parent_map"][test] if name.startswith("model.")}
            if of <= there and of & chosen:
                status = "fail" if self.failing and self.failing in test else "pass"
                yield NodeResult(test, status, 0.1, failures=int(status == "fail"), message="rows break it")


@pytest.fixture
def dbt(project: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dbt:
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    played = Dbt(project.manifest)
    monkeypatch.setattr(transformation, "build", played.build)
    for name in ("start_checker", "stop_checker", "import_ahead", "refresh_what_was_made_otherwise"):
        monkeypatch.setattr(transformation, name, lambda *arguments: None)
    return played


def run(project: SimpleNamespace, selection: Sequence[dg.AssetKey] | None = None) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        list(project.steps.values()),
        selection=selection,
        resources={"warehouse": Warehouse()},
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )


def test_a_run_has_two_steps_of_dbt_and_texts_are_read_between_them(project: SimpleNamespace):
    assert set(project.steps) == {"warehouse", "features"}
    first, second = (project.steps[name].keys for name in ("warehouse", "features"))
    assert first.isdisjoint(second)
    assert {("core", "tickets"), ("core", "posts"), ("core", "text_labels")} <= {tuple(key.path) for key in first}
    after = {tuple(key.path) for key in second}
    assert {
        ("core", "ticket_readings"),
        ("features", "account_snapshots"),
        ("published", "keyword_performance"),
    } <= after
    assert {path for path in after if path[0] in ("staging", "core")} == {
        ("core", path.stem) for path in (dbt_project_dir() / "models" / "core" / "readings").glob("*.sql")
    }


def test_the_daily_job_cuts_them_into_no_third():
    from pipelines.definitions import defs

    steps = set(defs.resolve_job_def("daily").graph.node_dict)
    of_dbt = {name for name in steps if name.startswith(("warehouse", "features"))}
    assert of_dbt == {"warehouse", "features"}
    assert {"scores__ticket_class", "published__ticket_classes", "published__topic_trends"} <= steps


def test_only_readings_among_staging_and_core_read_what_the_text_models_said(project: SimpleNamespace):
    """Otherwise the first step would wait for texts that are read from what it builds."""
    readers = {
        project.manifest["nodes"][name]["path"]
        for name in below(project.manifest, "scores")
        if name.startswith("model.") and project.manifest["nodes"][name]["schema"] in ("staging", "core")
    }
    assert readers and all(path.startswith("core/readings/") for path in readers)


def between(project: SimpleNamespace) -> dict[str, dg.AssetCheckKey]:
    """Tests that look at models of both steps and are checks of the first one's, by name."""
    manifest = project.manifest
    after = below(manifest, "scores")
    found = {}
    for key in project.steps["warehouse"].check_keys:
        (test,) = [name for name, node in manifest["nodes"].items() if node["name"] == key.name]
        if any(parent in after for parent in manifest["parent_map"][test]):
            found[test] = key
    return found


def test_the_two_steps_build_everything_once_and_every_check_is_on_record(project: SimpleNamespace, dbt: Dbt):
    """Also a check of a model of the first step that looks at one of the second, which has to make it."""
    waiting = between(project)
    assert waiting, "no test looks at models of both steps any more: this test and the code for it may go"
    result = run(project)
    assert result.success
    (first, second) = dbt.asked
    assert (first[1], second[1]) == (Part(is_first=True, is_last=False), Part(is_first=False, is_last=True))
    assert first[0] | second[0] == set(dbt.models) and first[0].isdisjoint(second[0])
    found = [
        event.event_specific_data for event in result.all_events if event.event_type_value == "ASSET_CHECK_EVALUATION"
    ]
    evaluated = {each.asset_check_key: each.passed for each in found}
    assert len(found) == len(evaluated) == sum(len(step.check_keys) for step in project.steps.values())
    assert all(evaluated.values()) and set(waiting.values()) <= set(evaluated)


def test_such_a_check_that_fails_fails_the_run(project: SimpleNamespace, dbt: Dbt):
    test, key = next(iter(between(project).items()))
    dbt.failing = test
    result = run(project)
    assert not result.success
    (failed,) = [
        event.event_specific_data
        for event in result.all_events
        if event.event_type_value == "ASSET_CHECK_EVALUATION" and not event.event_specific_data.passed
    ]
    assert failed.asset_check_key == key
    assert {event.step_key for event in result.all_events if event.is_step_failure} == {"features"}


@pytest.mark.parametrize("path", [["features", "account_outcomes"], ["core", "ticket_readings"], ["core", "accounts"]])
def test_one_model_alone_from_the_ui(project: SimpleNamespace, dbt: Dbt, path: list[str]):
    assert run(project, [dg.AssetKey(path)]).success
    assert dbt.asked == [({path[1]}, None)]
