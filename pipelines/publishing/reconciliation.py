"""`published/reconciliation`: whether the figures of the exports are those of core and of what is published."""

from collections.abc import Sequence

import dagster as dg

from pipelines.extraction.contracts import Source
from pipelines.instance.metadata import column_schema, warn
from pipelines.publishing.descriptions import TABLES, description_of
from pipelines.settings import dbt_project_dir
from pipelines.warehouse import KEY_METADATA, Warehouse

TABLE = "reconciliation"
CHECK = "closes"
MOST_TOLD = 5
"""Figures that do not close, in the output of a run."""


def reconciliation_asset(sources: Sequence[Source]) -> dg.AssetsDefinition:
    """The asset `published/reconciliation` and its check `closes`, which warns and never blocks."""
    from pipelines.quality.reconciliation import FIGURES, RECONCILIATION

    core = ["accounts", "people", *dict.fromkeys(figure.table for figure in FIGURES.values())]

    @dg.asset(
        key=["published", TABLE],
        deps=[
            *(["core", table] for table in core),
            *(["published", table] for table in ("account_amounts", "accounts")),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=["published", TABLE],
                description="Every row and every cent of the exports is in core and published, or it is said why not.",
            )
        ],
        group_name="published",
        kinds={"duckdb"},
        owners=["team:data"],
        description=TABLES[TABLE],
        metadata={
            KEY_METADATA: "line_id",
            **column_schema(RECONCILIATION, {column: description_of(TABLE, column) for column in RECONCILIATION}),
        },
        pool="warehouse",
    )
    def reconciliation(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        from pipelines.quality.reconciliation import not_closed, reconcile, write_reconciliation

        with warehouse.connect() as connection:
            lines = reconcile(connection, sources, dbt_project_dir() / "models" / "staging")
            write_reconciliation(connection, lines)
        problems = not_closed(lines)
        if problems:
            messages = [f"Reconciliation: {problem}." for problem in problems[:MOST_TOLD]]
            if len(problems) > MOST_TOLD:
                messages.append(f"Reconciliation: {len(problems) - MOST_TOLD} more do not close: scorecast reconcile.")
            warn(context, "\n".join(messages))
        return dg.MaterializeResult(
            metadata={"dagster/row_count": len(lines)},
            check_results=[
                dg.AssetCheckResult(
                    check_name=CHECK,
                    passed=not problems,
                    severity=dg.AssetCheckSeverity.WARN,
                    description="\n".join(problems) or "Everything closes.",
                    metadata={"not_closed": len(problems)},
                )
            ],
        )

    return reconciliation
