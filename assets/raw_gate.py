"""The gate on raw input: blocking checks on every raw table, by Great Expectations."""

from assets.sources import all_sources
from pipelines.quality.raw_gate import raw_gate_definitions

defs = raw_gate_definitions(all_sources())
