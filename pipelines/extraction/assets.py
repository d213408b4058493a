"""The raw tables of a source as Dagster assets."""

import dagster as dg

from pipelines.extraction.contracts import Source


def source_definitions(source: Source) -> dg.Definitions:
    """The assets `raw_<source>/<entity>` of a source; none when `sources.yaml` does not list it."""
    return dg.Definitions()
