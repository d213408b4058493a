"""Asset checks on raw input: one for each raw table, all evaluated in one step."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from pipelines.extraction.assets import raw_key
from pipelines.extraction.configuration import read_configuration
from pipelines.extraction.contracts import Source
from pipelines.instance.metadata import report_link
from pipelines.settings import data_dir
from pipelines.warehouse import Warehouse

CHECK = "contract"


def raw_gate_definitions(sources: Sequence[Source]) -> dg.Definitions:
    """
    A blocking check `raw_gate` on `raw_scorecast/as_of`, and a check `contract` on every raw table.

    `raw_scorecast/as_of` is downstream of every raw table and upstream of every dbt model, so a failure there stops the
    run before anything is built from bad input.
    """
    folders = read_configuration().folders
    present = [source for source in sources if source.name in folders]
    if not present:
        return dg.Definitions()
    gate = dg.AssetCheckSpec(
        "raw_gate",
        asset=["raw_scorecast", "as_of"],
        blocking=True,
        description="Great Expectations on what was loaded; a failure stops the run before anything is built from it.",
    )
    tables = {raw_key(source, entity): (source, entity) for source in present for entity in source.entities}
    specs = [
        dg.AssetCheckSpec(
            CHECK, asset=key, description="Keys, quarantine, lost rows, freshness.", additional_deps=[gate.asset_key]
        )
        for key in tables
    ]

    @dg.multi_asset_check(specs=[gate, *specs], name="raw_gate", can_subset=True, pool="warehouse")
    def check(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
        from pipelines.quality.findings import record_findings
        from pipelines.quality.raw import check_raw

        configuration = read_configuration()
        docs = data_dir() / "reports" / "raw"
        with warehouse.connect() as connection:
            (as_of,) = connection.execute("select as_of_date from raw_scorecast.as_of").fetchone()
            findings = check_raw(
                connection, present, as_of, configuration.quarantine_limit, docs, configuration.stale_after_days
            )
            connection.execute("create schema if not exists published")
            record_findings(connection, "published.data_quality", findings, context.run.run_id, datetime.now(UTC))
        failed = [finding for finding in findings if not finding.success]
        for key in context.selected_asset_check_keys:
            source = None if key == gate.key else tables[key.asset_key][0].name
            shown = [finding for finding in failed if source in (None, finding.suite.split()[0])]
            blocking = [finding for finding in shown if finding.is_blocking]
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=not (blocking if key == gate.key else shown),
                severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
                description="\n".join(finding.message for finding in shown) or "Everything holds.",
                metadata={
                    "data_docs": report_link("raw", "index.html"),
                    "expectations": len(findings),
                },
            )

    return dg.Definitions(asset_checks=[check])
