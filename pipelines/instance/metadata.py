"""Asset metadata for the Dagster UI: pictures, small tables, columns, warnings, links to reports."""

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

import dagster as dg

from pipelines.database import columns_of, comments, quoted

WARNING = "warning"
"""Metadata of a materialisation: a warning though it succeeded; also printed at the end of a run."""

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import duckdb
    import polars as pl


def report_link(*path: str) -> dg.UrlMetadataValue:
    """A link to a page in `data/reports`, by the path under which `scorecast ui` serves it."""
    return dg.MetadataValue.url(quote("/".join(["/reports", *path])))


def image_metadata(svg: str) -> dg.MarkdownMetadataValue:
    """An SVG as markdown that the UI shows as a picture."""
    return dg.MetadataValue.md(f"![picture](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")


def markdown_metadata(text: str) -> dg.MarkdownMetadataValue:
    """Markdown that contains text from the data, escaped so that it makes no link, picture or HTML."""
    return dg.MetadataValue.md(text.replace("[", "&#91;").replace("<", "&lt;"))


def table_metadata(frame: "pl.DataFrame", longest: int = 60) -> dg.MarkdownMetadataValue:
    """A few rows as a markdown table; long values are cut."""

    def cell(value: object) -> str:
        text = f"{value:,.3f}" if isinstance(value, float) else str("" if value is None else value)
        text = text.replace("|", "\\|").replace("\n", " ")
        return text if len(text) <= longest else text[: longest - 1] + "…"

    lines = ["| " + " | ".join(map(cell, frame.columns)) + " |", "|" + "---|" * frame.width]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in frame.iter_rows()]
    return markdown_metadata("\n".join(lines))


def table_shape(connection: "duckdb.DuckDBPyConnection", schema: str, table: str) -> dict[str, object]:
    """Row count and columns of a warehouse table, as Dagster's own metadata."""
    (rows,) = connection.execute(f"select count(*) from {quoted(schema, table)}").fetchone()
    types = {name: type_.lower() for name, type_ in columns_of(connection, schema, table).items()}
    return {"dagster/row_count": rows, **column_schema(types, comments(connection, schema, table))}


def column_schema(types: "Mapping[str, str]", described: "Mapping[str, str]") -> dict[str, object]:
    """Columns with type and description, as Dagster's own metadata."""
    columns = [dg.TableColumn(name, type_, description=described.get(name)) for name, type_ in types.items()]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def constant(value: "str | int | date | None") -> "pl.Expr":
    """A constant column; polars is imported only when a run needs it."""
    import polars as pl

    return pl.lit(value)


def warn(context: dg.AssetExecutionContext, text: str) -> None:
    """Warn in the run's log, beside the asset in the UI, and at the end of a command-line run."""
    context.log.warning(text)
    context.add_asset_metadata({WARNING: text})
