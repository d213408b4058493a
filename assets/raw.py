"""raw_<source>.*: every system of `sources.yaml`."""

from assets.sources import all_sources
from pipelines.extraction.assets import raw_definitions

defs = raw_definitions(all_sources())
