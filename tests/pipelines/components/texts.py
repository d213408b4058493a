"""A small company with texts: a warehouse that a text model reads, and runs of its assets."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl

from pipelines.components.resolved import Brands, PublishedTexts
from pipelines.components.text import Text
from pipelines.database import connect, write_frame
from pipelines.settings import REFIT_TAG
from pipelines.warehouse import Warehouse

REFIT = {REFIT_TAG: "always"}
DAILY = {REFIT_TAG: "missing"}
TODAY = datetime(2026, 6, 30)
WORDS = {
    "negative": ["laggy", "clunky", "downtime", "overcharged", "queue"],
    "neutral": ["webinar", "roadmap", "release", "office", "booth"],
    "positive": ["snappy", "seamless", "effortless", "tidy", "speedy"],
}
"""Of each mood; a list of English words knows few of them."""
FILLERS = ["the", "dashboard", "report", "team", "export", "today", "with", "our", "page", "again", "and", "is"]
STARS = {"negative": 1, "neutral": 3, "positive": 5}


def posts(rows: int = 90, seed: int = 0, first: int = 0) -> pl.DataFrame:
    """Reviews with two words of their mood among others, one in twelve with the wrong stars; `first`: of the keys."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(first, first + rows):
        mood = str(rng.choice(list(WORDS)))
        words = [*rng.choice(WORDS[mood], 2, replace=False), *rng.choice(FILLERS, 6, replace=False)]
        stars = STARS[str(rng.choice(list(WORDS))) if rng.random() < 1 / 12 else mood]
        made.append(
            {
                "post_id": f"p{number:04d}",
                "title": str(words[0]),
                "body": " ".join(map(str, rng.permutation(words))),
                "rating": stars,
                "brand": None,
                "author_name": f"Jo Doe{number}",
                "occurred_at": TODAY - timedelta(hours=number),
            }
        )
    return pl.DataFrame(made, schema_overrides={"brand": pl.String})


def articles(rows: int = 80, seed: int = 1) -> pl.DataFrame:
    """Articles about one or two of three subjects, most with their tags."""
    subjects = {
        "billing": ["invoice", "refund", "vat", "receipt"],
        "security": ["password", "token", "audit", "breach"],
        "mobile": ["android", "tablet", "swipe", "offline"],
    }
    rng = np.random.default_rng(seed)
    made = []
    for number in range(rows):
        about = sorted(rng.choice(list(subjects), 1 + number % 2, replace=False))
        words = [word for subject in about for word in rng.choice(subjects[subject], 3, replace=False)]
        text = " ".join(map(str, rng.permutation([*words, *rng.choice(FILLERS, 4)])))
        tags = None if number % 8 == 0 else ", ".join(about)
        made.append(
            {"article_id": f"a{number:03d}", "body": text, "tags": tags, "occurred_at": TODAY - timedelta(days=number)}
        )
    return pl.DataFrame(made)


def sentiment(**changes: object) -> Text:
    """The text model of the posts."""
    settings = {
        "name": "mood",
        "description": "How who wrote it feels.",
        "table": "posts",
        "key": "post_id",
        "text": ["title", "body"],
        "label": "case when rating <= 2 then 'negative' when rating >= 4 then 'positive' else 'neutral' end",
        "starts_with": "word_list",
        "brands": Brands(column="brand", competitors={"Harborly": ["HBL"], "North Dock": []}),
        "publish": PublishedTexts(
            table="moods",
            predicted_as="sentiment",
            described_by="posts",
            columns=["occurred_at", "brand"],
            private=["author_name"],
        ),
        **changes,
    }
    return Text(**settings)


def tagging(**changes: object) -> Text:
    """The text model of the articles, which have several labels."""
    settings = {
        "name": "article_tag",
        "description": "What each article is about.",
        "table": "articles",
        "key": "article_id",
        "text": ["body"],
        "label": "tags",
        "separator": ",",
        "starts_with": "key_phrases",
        "publish": PublishedTexts(table="article_tags", predicted_as="tag"),
        **changes,
    }
    return Text(**settings)


class Company:
    """A warehouse with posts, and runs of text models."""

    def __init__(self, data: Path):
        self.data = data
        self.instance = dg.DagsterInstance.ephemeral()
        self.write("core.posts", posts())
        self.label()
        self.write("raw_scorecast.as_of", pl.DataFrame({"as_of_date": [TODAY.date()]}))

    def write(self, table: str, frame: pl.DataFrame) -> None:
        with connect(self.data / "warehouse.duckdb") as connection:
            write_frame(connection, frame, *table.split("."))

    def label(self, model: str = "mood", **labels: str) -> None:
        """Labels by hand, by key: what `core.text_labels` has."""
        frame = pl.DataFrame(
            {"model": [model] * len(labels), "record_key": list(labels), "label": list(labels.values())},
            schema=dict.fromkeys(("model", "record_key", "label"), pl.String),
        )
        self.write("core.text_labels", frame)

    def change(self, statement: str) -> None:
        with connect(self.data / "warehouse.duckdb") as connection:
            connection.execute(statement)

    def run(
        self,
        *components: Text,
        tags: Mapping[str, str] = DAILY,
        only: Sequence[str] = ("models", "scores", "published"),
    ) -> dg.ExecuteInProcessResult:
        assets = [asset for each in components for asset in each.build_defs(None).assets]
        return self.run_assets([asset for asset in assets if asset.key.path[0] in only], tags)

    def run_assets(
        self, assets: Sequence[dg.AssetsDefinition], tags: Mapping[str, str] = DAILY
    ) -> dg.ExecuteInProcessResult:
        result = dg.materialize(assets, resources={"warehouse": Warehouse()}, instance=self.instance, tags=dict(tags))
        assert result.success
        return result

    def ask(self, query: str) -> pl.DataFrame:
        with connect(self.data / "warehouse.duckdb", read_only=True) as connection:
            return connection.execute(query).pl()

    def fits(self, model: str = "mood") -> list[dict]:
        return self.ask(f"from published.model_runs where model = '{model}' order by started_at").to_dicts()


def told(result: dg.ExecuteInProcessResult, layer: str, name: str | None = None) -> dict[str, object]:
    """What the UI shows of an asset after a run."""
    for event in result.get_asset_materialization_events():
        if event.asset_key.path[0] == layer and name in (None, event.asset_key.path[1]):
            return {key: value.value for key, value in event.materialization.metadata.items()}
    raise AssertionError(f"{layer} was not materialised")
