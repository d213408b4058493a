"""raw_scorecast.scored: whom past releases scored."""

import dagster as dg

from pipelines.track_record.scored_before import scored_before

defs = dg.Definitions(assets=[scored_before])
