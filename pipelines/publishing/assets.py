"""The release: everything in the warehouse's schema `published`, audited, as one file that users query."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from pipelines.extraction.configuration import read_configuration
from pipelines.instance.metadata import report_link, warn
from pipelines.publishing.release import build_release, removed_in_words
from pipelines.publishing.states import AuditFailedError, Release
from pipelines.quality.findings import Finding, record_findings
from pipelines.quality.publish import audit_release
from pipelines.settings import data_dir, published_path, warehouse_path
from pipelines.warehouse import KEY_METADATA, Warehouse

if TYPE_CHECKING:
    import duckdb

WITHHELD_METADATA = "scorecast/withheld"
"""Metadata of a published asset: columns, comma-separated, that no release may have any more, though the last did."""
GROWS_METADATA = "scorecast/grows"
"""Metadata of an append-only published asset: its row count may grow without limit, never shrink."""
RANGE_METADATA = "scorecast/row_count_range"
ANY_ROWS = "0,1000000000"
"""The range of a table whose number of rows says nothing."""
"""Metadata of a published asset: the row count's own range, lowest and highest multiple of the last release's."""


def release_asset(tables: Sequence[dg.AssetSpec]) -> dg.AssetsDefinition:
    """The asset `published/release`, downstream of every published table."""
    keys = {
        spec.key.path[-1]: str(spec.metadata[KEY_METADATA]).split(",")
        for spec in tables
        if KEY_METADATA in spec.metadata
    }

    withheld = {
        spec.key.path[-1]: str(spec.metadata[WITHHELD_METADATA]).split(",")
        for spec in tables
        if WITHHELD_METADATA in spec.metadata
    }
    declared = {spec.key.path[-1] for spec in tables}
    own_ranges = {
        spec.key.path[-1]: tuple(map(float, str(spec.metadata[RANGE_METADATA]).split(",")))
        for spec in tables
        if RANGE_METADATA in spec.metadata
    }
    growing = {spec.key.path[-1] for spec in tables if spec.metadata.get(GROWS_METADATA)}

    @dg.asset(
        key=["published", "release"],
        deps=[spec.key for spec in tables],
        check_specs=[
            dg.AssetCheckSpec(
                "audit",
                asset=["published", "release"],
                blocking=True,
                description="Great Expectations on what is about to be published; a failure keeps the last release.",
            )
        ],
        group_name="published",
        kinds={"duckdb", "greatexpectations"},
        owners=["team:data"],
        description="published.duckdb: built beside the last release, audited, swapped in whole.",
        pool="warehouse",
    )
    def release(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        row_count_range = read_configuration().row_count_range
        now = datetime.now(UTC)
        findings: list[Finding] = []

        def audit(connection: "duckdb.DuckDBPyConnection") -> list[Finding]:
            docs = data_dir() / "reports" / "publish"
            findings.extend(audit_release(connection, keys, docs, row_count_range, growing, withheld, own_ranges))
            return findings

        warehouse.close()  # the release reads the file by itself
        try:
            made = build_release(
                warehouse_path(),
                published_path(),
                data_dir() / "releases",
                audit,
                context.run_id,
                now,
                declared=declared,
                withheld=withheld,
            )
        except AuditFailedError:
            _keep_findings(warehouse, findings, context.run_id, now)
            raise
        gone = [removed_in_words(table, why) for table, why in made.removed.items()]
        if messages := [*([f"{made.fallback}."] if made.fallback else []), *gone]:
            warn(context, "\n".join(messages))
        return _materialized(made, findings)

    return release


def _keep_findings(warehouse: Warehouse, findings: list[Finding], run_id: str, now: datetime) -> None:
    """The draft with its findings is deleted. Written to the warehouse, they are in the next release's history."""
    with warehouse.connect() as connection:
        connection.execute("create schema if not exists published")
        record_findings(connection, "published.data_quality", findings, run_id, now)


def _materialized(made: Release, findings: list[Finding]) -> dg.MaterializeResult:
    """What the UI shows of a release, and what its audit found."""
    warnings = [finding.message for finding in findings if not finding.success]
    return dg.MaterializeResult(
        metadata={
            "release_id": made.release_id,
            "as_of_date": str(made.as_of_date),
            "note": made.note,
            "tables": dg.MetadataValue.json({table: described["rows"] for table, described in made.tables.items()}),
            "data_docs": report_link("publish", "index.html"),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="audit",
                passed=True,
                description="\n".join(warnings) or "Everything holds.",
                metadata={"expectations": len(findings), "warnings": len(warnings)},
            )
        ],
    )
