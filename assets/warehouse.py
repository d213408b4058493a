"""staging.*, core.*, features.* and the dbt-made part of published.*: the dbt project, one asset per model."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

from pipelines.transformation import ensure_manifest, variables_argument
from pipelines.warehouse import Warehouse


class Rooms(DagsterDbtTranslator):
    """Groups are the rooms of the house (staging, core, features, published), not dbt's folders."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The schema that a model lives in."""
        return dbt_resource_props["config"].get("schema") or super().get_group_name(dbt_resource_props)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The data team, unless the model's YAML says otherwise."""
        return list(super().get_owners(dbt_resource_props) or ["team:data"])


@dbt_assets(
    manifest=ensure_manifest(),
    dagster_dbt_translator=Rooms(),
    name="warehouse",
    pool="warehouse",
)
def warehouse_models(context: dg.AssetExecutionContext, warehouse: Warehouse, dbt: DbtCliResource) -> Iterator:
    """Build the selected models and their tests in one dbt process; dbt opens the warehouse, so nobody else may."""
    invocation = dbt.cli(["build", "--vars", variables_argument()], context=context)
    events = []
    try:
        for event in invocation.stream():
            events.append(event)
            if isinstance(event, dg.Output):
                context.log.info(f"built {context.asset_key_for_output(event.output_name).to_user_string()}")
    finally:
        with warehouse.connect(read_only=True) as connection:
            rows = dict(
                connection.execute(
                    "select schema_name || '/' || table_name, estimated_size from duckdb_tables()"
                ).fetchall()
            )
        for event in events:
            yield _with_row_count(context, event, rows)


def _with_row_count(context: dg.AssetExecutionContext, event: Any, rows: Mapping[str, int]) -> Any:
    if not isinstance(event, dg.Output):
        return event
    count = rows.get(context.asset_key_for_output(event.output_name).to_user_string())
    metadata = {**event.metadata, **({} if count is None else {"dagster/row_count": count})}
    return dg.Output(value=None, output_name=event.output_name, metadata=metadata)
