"""raw_scorecast.as_of: the run's date."""

from assets.sources import all_sources
from pipelines.extraction.assets import as_of_definitions

defs = as_of_definitions(all_sources())
