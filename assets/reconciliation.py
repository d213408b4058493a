"""published.reconciliation: the figures of the exports against those of core and published."""

import dagster as dg

from assets.sources import all_sources
from pipelines.publishing.reconciliation import reconciliation_asset

defs = dg.Definitions(assets=[reconciliation_asset(all_sources())])
