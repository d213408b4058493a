"""The raw tables of a source as Dagster assets: one step loads a system, one asset a table."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from pipelines.database import columns_of
from pipelines.extraction.configuration import Configuration, read_configuration
from pipelines.extraction.contracts import Entity, Source

if TYPE_CHECKING:
    import duckdb

    from pipelines.extraction.loading.state import LoadReport

POOL = "warehouse"
FILES_CHECK = "files_readable"


def raw_key(source: Source, entity: Entity) -> dg.AssetKey:
    """`raw_<source>/<entity>`: the schema and the table."""
    return dg.AssetKey([f"raw_{source.name}", entity.name])


def raw_specs(source: Source) -> list[dg.AssetSpec]:
    """One asset a table of the source, described by its contract."""
    return [
        dg.AssetSpec(
            key=raw_key(source, entity),
            description=entity.description,
            group_name=source.name,
            kinds={"duckdb", *source.kinds},
            owners=[source.owner],
            skippable=False,
            metadata={
                "key": ", ".join((*entity.key, *((entity.version,) if entity.version else ()))),
                "dagster/table_name": f"raw_{source.name}.{entity.name}",
            },
        )
        for entity in source.entities
    ]


def raw_definitions(sources: Iterable[Source]) -> dg.Definitions:
    """
    The assets of every source that `sources.yaml` lists, and a check a table: its folder is there, its files readable.

    A source that is not listed has none: this company does not have it.
    """
    return dg.Definitions.merge(*map(_of_source, sources))


def source_definitions(source: Source) -> dg.Definitions:
    """Nothing, for files in `assets/sources` that still call it: `raw_definitions` makes the assets of all sources."""
    return dg.Definitions()


def _of_source(source: Source) -> dg.Definitions:
    configuration = read_configuration()
    if source.name not in configuration.sources:
        return dg.Definitions()
    configuration.mapped(source)  # a name in sources.yaml that there is not is told before anything runs
    entities = {raw_key(source, entity): entity for entity in source.entities}
    checks = [
        dg.AssetCheckSpec(
            name=FILES_CHECK,
            asset=key,
            description="The source's folder is there and every file of it could be read.",
        )
        for key in entities
    ]

    @dg.multi_asset(
        name=f"load_{source.name}",
        description=source.description,
        specs=raw_specs(source),
        check_specs=checks,
        can_subset=True,
        required_resource_keys={"warehouse"},
        pool=POOL,
    )
    def load(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        from pipelines.extraction.loading.load import load_configured

        configuration = read_configuration()
        chosen = {entities[key].name: key for key in context.selected_asset_keys}
        with context.resources.warehouse.connect() as connection:
            for report in load_configured(connection, source, configuration, datetime.now(UTC), chosen):
                context.log.info(f"{source.name}.{report.entity}: {report.message}")
                for change in report.schema_changes:
                    context.log.warning(f"{source.name}.{report.entity}: schema changed: {change}")
                key = chosen[report.entity]
                yield dg.MaterializeResult(asset_key=key, metadata=report_metadata(connection, report))
                if dg.AssetCheckKey(key, FILES_CHECK) in context.selected_asset_check_keys:
                    yield files_check(connection, key, report)

    return dg.Definitions(assets=[load])


def report_metadata(connection: "duckdb.DuckDBPyConnection", report: "LoadReport") -> dict[str, object]:
    """Metadata of a load: rows, files, rows in quarantine, the table's columns and their changes."""
    columns = columns_of(connection, f"raw_{report.source}", report.entity).items()
    metadata = {
        "dagster/row_count": report.total_rows,
        "dagster/column_schema": dg.TableSchema([dg.TableColumn(name, type_.lower()) for name, type_ in columns]),
        "new_rows": report.new_rows,
        "quarantined": report.quarantined,
        "repeated": report.repeated,
        "changed": report.changed,
        "new_files": report.new_files,
        "unchanged_files": report.unchanged_files,
        "seconds": round(report.seconds, 3),
        "message": report.message,
    }
    if report.schema_changes:
        metadata["schema_changes"] = dg.MetadataValue.text("\n".join(report.schema_changes))
    return metadata


def files_check(connection: "duckdb.DuckDBPyConnection", key: dg.AssetKey, report: "LoadReport") -> dg.AssetCheckResult:
    """
    Warn of a missing folder, files of no entity, what is told once, and of every file that could not be read, or of
    which no row could be loaded, now or before.
    """
    from pipelines.extraction.loading.load import put_aside_files, rejected_files

    problems = [
        *rejected_files(connection, report.source, report.entity),
        *report.strays,
        *report.notices,
        *put_aside_files(connection, report.source, report.entity),
    ]
    if report.status == "missing":
        problems = [report.message, *problems]
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=FILES_CHECK,
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        description="\n".join(problems) or None,
        metadata={"unreadable": len(problems)},
    )


def as_of_definitions(sources: Iterable[Source]) -> dg.Definitions:
    """The asset `raw_scorecast/as_of`: the run's date, from what all present sources have loaded; fails on nothing."""
    folders = read_configuration().folders
    present = [source for source in sources if source.name in folders]

    @dg.asset(
        key=["raw_scorecast", "as_of"],
        deps=[raw_key(source, entity) for source in present for entity in source.entities],
        description="The run's date: everything downstream knows what was known at the end of that day. One row.",
        group_name="scorecast",
        kinds={"duckdb"},
        owners=["team:data"],
        metadata={"dagster/table_name": "raw_scorecast.as_of"},
        required_resource_keys={"warehouse"},
        pool=POOL,
    )
    def as_of(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from pipelines.extraction.as_of import write_as_of
        from pipelines.extraction.loading.load import require_rows

        configuration: Configuration = read_configuration()
        with context.resources.warehouse.connect() as connection:
            require_rows(connection, present, configuration.folders)
            day = write_as_of(connection, present, configuration.as_of, datetime.now(UTC), configuration.money)
        return dg.MaterializeResult(
            metadata={
                "as_of_date": day.isoformat(),
                "from": "sources.yaml" if configuration.as_of else "the latest day in the data",
                "dagster/row_count": 1,
            }
        )

    return dg.Definitions(assets=[as_of])
