"""published.topic_trends: topics and words of tickets, posts and complaints by week."""

from pathlib import Path

import dagster as dg

from pipelines.components.text import Text
from pipelines.components.text.trends import topic_trends_definitions


@dg.definitions
def defs(context: dg.ComponentLoadContext) -> dg.Definitions:
    """The trends of every text model in `texts/` that asks for them."""
    folders = sorted(path.parent.name for path in (Path(__file__).parent / "texts").glob("*/defs.yaml"))
    found = [context.load_component(f"texts/{folder}") for folder in folders]
    return topic_trends_definitions([each for each in found if isinstance(each, Text)])
