"""published.model_health, score_outcomes and uplift: past scores compared with their outcomes, for all predictions."""

from pathlib import Path

import dagster as dg

from pipelines.components.prediction import Prediction
from pipelines.track_record.assets import track_record_definitions


@dg.definitions
def defs(context: dg.ComponentLoadContext) -> dg.Definitions:
    """The track record of every prediction in `predictions/`."""
    folders = sorted(path.parent.name for path in (Path(__file__).parent / "predictions").glob("*/defs.yaml"))
    found = [context.load_component(f"predictions/{folder}") for folder in folders]
    return track_record_definitions([each for each in found if isinstance(each, Prediction)])
