"""staging.*, core.*, features.* and the dbt-made part of published.*: the dbt project, one asset per model."""

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from pipelines.learning.imports import LEARNERS, import_ahead, without
from pipelines.quality.checker import start_checker, stop_checker
from pipelines.settings import has_champions, is_refit, warehouse_path
from pipelines.transformation.building import (
    WHOLE,
    NodeResult,
    Part,
    build,
    ensure_manifest,
    needs_much_memory,
    refresh_what_was_made_otherwise,
)
from pipelines.warehouse import KEY_METADATA, Warehouse

with without("dbt"):  # dagster-dbt would import all of dbt for its types, more than a second; dbt has its own process
    from dagster_dbt import DagsterDbtTranslator, dbt_assets

SECONDS_BETWEEN_MESSAGES = 2.0


class Rooms(DagsterDbtTranslator):
    """Asset keys are schema and table; groups are the schemas (staging, core, features, published)."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Schema and table as users query them: `published/accounts`, though dbt's model is `published_accounts`."""
        key = super().get_asset_key(dbt_resource_props)
        table = dbt_resource_props.get("alias")
        return dg.AssetKey([*key.path[:-1], table]) if table and dbt_resource_props["resource_type"] == "model" else key

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The schema that a model lives in."""
        return dbt_resource_props["config"].get("schema") or super().get_group_name(dbt_resource_props)

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        """The key of a published table too, where the model's YAML names it: `config: {meta: {key: [...]}}`."""
        key = dbt_resource_props["config"].get("meta", {}).get("key")
        found = super().get_metadata(dbt_resource_props)
        return {**found, KEY_METADATA: ",".join(key)} if key else found

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The data team, unless the model's YAML says otherwise."""
        return list(super().get_owners(dbt_resource_props) or ["team:data"])


ROOMS = Rooms()


def warehouse_definitions() -> dg.Definitions:
    """The assets of dbt's models and the checks of its tests, as the project declares them."""
    manifest = json.loads(ensure_manifest().read_text())
    models = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    names = {name: node["name"] for name, node in models.items()}
    keys = {name: ROOMS.get_asset_key(node) for name, node in models.items()}
    tests = {name: node["name"] for name, node in manifest["nodes"].items() if node["resource_type"] == "test"}

    @dbt_assets(manifest=manifest, dagster_dbt_translator=ROOMS, name="warehouse")
    def declared():  # an annotation of what it returns would have to name all outputs
        """Never called: it is declared for its specs."""

    def step(name: str, part: set[dg.AssetKey]) -> dg.AssetsDefinition:
        of_others = {spec.name: spec.key for spec in declared.check_specs if spec.asset_key not in part}

        @dg.multi_asset(
            name=name,
            specs=[spec for spec in declared.specs if spec.key in part],
            check_specs=[spec for spec in declared.check_specs if spec.asset_key in part],
            can_subset=True,
            pool="warehouse",
        )
        def models_of_dbt(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator:
            chosen = {name for name, key in keys.items() if key in context.selected_asset_keys}
            warehouse.close()
            yield from _built(context, chosen, names, keys, tests, of_others)

        return models_of_dbt

    # Two steps: texts are read between them. Dagster would cut by itself, but into three.
    after = {keys[name] for name in below(manifest, "scores") if name in keys}
    parts = {"warehouse": set(keys.values()) - after, "features": after}
    return dg.Definitions(assets=[step(name, part) for name, part in parts.items() if part])


def below(manifest: Mapping[str, Any], source: str) -> set[str]:
    """The unique ids of what dbt builds from the tables of a source, directly or not."""
    waiting = [name for name, node in manifest["sources"].items() if node["source_name"] == source]
    found: set[str] = set()
    while waiting:
        children = manifest["child_map"].get(waiting.pop(), [])
        waiting += [name for name in children if name not in found]
        found.update(children)
    return found


def _built(
    context: dg.AssetExecutionContext,
    chosen: set[str],
    names: Mapping[str, str],
    keys: Mapping[str, dg.AssetKey],
    tests: Mapping[str, str],
    of_others: Mapping[str, dg.AssetCheckKey],
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """
    Build the chosen models and their tests in one dbt process; dbt holds the warehouse, so nothing else opens it.

    `of_others`: checks of models of another step, by test; those that look at models of this one, too, run here.

    Dagster makes a step of the models before texts are read and one of those after. dbt is called directly, not through
    dagster-dbt's resource, because it can then parse before it is needed. A result is reported while dbt builds the
    next model: an event costs Dagster 20 to 40 ms.
    """
    part = _part_of(context, keys.values())
    last_message = time.monotonic()

    def say(node: str, done: int, total: int) -> None:
        nonlocal last_message
        if time.monotonic() - last_message > SECONDS_BETWEEN_MESSAGES:
            last_message = time.monotonic()
            context.log.info(f"{done} of {total}: {node}")

    if part is None or part.is_first:
        if needs_much_memory(warehouse_path()):
            stop_checker()  # of the raw gate; to start it again for the release gate takes seconds of a core
        if is_refit(context.run.tags) or not has_champions():
            import_ahead(*LEARNERS)
        refresh_what_was_made_otherwise()
    checks = {key.name: key for key in context.selected_asset_check_keys}
    failed = []
    not_built = set(chosen)
    for result in build(None if part == WHOLE else sorted(names[each] for each in chosen), say, part):
        check = checks.get(tests.get(result.unique_id, ""))
        if result.unique_id in keys and result.status == "success":
            not_built.discard(result.unique_id)
            rows = {} if result.rows is None else {"dagster/row_count": result.rows}
            yield dg.MaterializeResult(
                asset_key=keys[result.unique_id], metadata={"seconds": round(result.seconds, 2), **rows}
            )
        elif check is not None and result.status != "skipped":
            yield test_check(check, result)
        elif (other := of_others.get(tests.get(result.unique_id, ""))) and result.status != "skipped":
            context.log_event(_evaluated(test_check(other, result)))
        if result.status in ("error", "fail"):
            failed.append(result)
    _require_built(failed, sorted(".".join(keys[unique_id].path) for unique_id in not_built))
    if part and part.is_last:
        start_checker()  # the release gate comes soon, and dbt no longer holds its memory


def _part_of(context: dg.AssetExecutionContext, every_key: Collection[dg.AssetKey]) -> Part | None:
    """Which part of everything this step builds; None where the run builds some models only."""
    layer, every = context.job_def.asset_layer, set(every_key)
    if not every <= layer.selected_asset_keys:
        return None
    chosen = every & set(context.selected_asset_keys)
    others = every - chosen

    def above(keys: set[dg.AssetKey]) -> set[dg.AssetKey]:
        return set().union(*(layer.asset_graph.get_ancestor_asset_keys(key) for key in keys))

    return Part(is_first=others.isdisjoint(above(chosen)), is_last=chosen.isdisjoint(above(others)))


def _require_built(failed: Sequence[NodeResult], not_built: Sequence[str]) -> None:
    """Raises `dg.Failure` when models or tests failed, or dbt left tables out without a word."""
    if failed:
        messages = "\n".join(
            f"- {result.unique_id.split('.')[2]}: {without_macros(result.message)}" for result in failed
        )
        if "Out of Memory Error" in messages:
            messages += (
                "\nGive DuckDB more memory for this with the environment variable SCORECAST_MEMORY, such as 8GB."
            )
        raise dg.Failure(
            f"dbt could not build everything; what depends on it was not built:\n{messages}", allow_retries=False
        )
    if not_built:
        raise dg.Failure(
            f"dbt says that nothing failed, but did not build {', '.join(not_built)}.", allow_retries=False
        )


def without_macros(message: str) -> str:
    """The message of a dbt failure, without the stack of macros."""
    return "\n".join(line for line in message.splitlines() if not line.lstrip().startswith("> ")).rstrip()


def _evaluated(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    """The event of a check of another step's asset, which a step cannot yield."""
    return dg.AssetCheckEvaluation(
        asset_key=result.asset_key,
        check_name=result.check_name,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )


def test_check(key: dg.AssetCheckKey, result: NodeResult) -> dg.AssetCheckResult:
    """A dbt test's result as an asset check: a dbt warning is a warning, a failure is an error."""
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.status == "pass",
        severity=dg.AssetCheckSeverity.WARN if result.status == "warn" else dg.AssetCheckSeverity.ERROR,
        description=result.message or None,
        metadata={"rows_that_break_it": result.failures},
    )
