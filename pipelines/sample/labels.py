"""What persons say of some texts: labels by hand, mostly right, given weeks after a text was written."""

import numpy as np
import polars as pl

from pipelines.sample.frames import pick
from pipelines.sample.phrases.posts import CAUSES
from pipelines.sample.plan import DAY, World
from pipelines.sample.texts import SENTIMENTS

LABELLERS = ("aisha.keller", "tom.moreau", "priya.novak")
WRONG, CORRECTED = 0.065, 0.03
LAG_DAYS, LAG_SPREAD_DAYS = 28, 14
"""A text is labelled so long after it was written, and up to so much later: of the newest ones none is."""
READ = ("key", "number", "created_at", "sentiment", "cause")
"""What is read of the truth of posts and reviews."""
SENTIMENTS_WANTED, CAUSES_WANTED, MOODS_WANTED = (600, 175, 3000), (250, 80, 1200), (500, 120, 2500)
"""Labels for a company of 2,000 accounts and two years, for a small one, and at most."""


def text_labels(world: World, posts: pl.DataFrame, tickets: pl.DataFrame) -> pl.DataFrame:
    """
    Labels for three models: `post_sentiment`, `complaint_cause` of unhappy posts and reviews, and `ticket_mood`.

    `posts`: the truth of posts and reviews, with the columns in `READ`: the key is that of core; `tickets` likewise.
    """
    months = world.planned_days / 30.4
    old_enough = max(1 - (LAG_DAYS + LAG_SPREAD_DAYS / 2) / world.planned_days, 0.2)
    written, asked = (max(expected(world), 1.0) * old_enough for expected in (_posts_expected, _tickets_expected))
    parts = []
    for model, texts, column, classes, (usual, least, most), count in (
        ("post_sentiment", posts, "sentiment", SENTIMENTS, SENTIMENTS_WANTED, written),
        ("complaint_cause", posts, "cause", CAUSES, CAUSES_WANTED, written * NEGATIVE_SHARE),
        ("ticket_mood", tickets, "sentiment", SENTIMENTS, MOODS_WANTED, asked),
    ):
        wanted = np.clip(usual * world.plan.accounts / 2000 * months / 24, least, most)
        is_drawn = world.draws.chance(f"{model} labelled", wanted / count, texts["number"].to_numpy())
        chosen = texts[column].is_not_null().to_numpy() & is_drawn
        parts.append(_given(world, model, texts.filter(pl.Series(chosen)), column, classes))
    return pl.concat(parts)


NEGATIVE_SHARE = 0.34
"""Of all posts and reviews, about."""


def _posts_expected(world: World) -> float:
    """Posts and reviews of the whole company in the back-fill, about."""
    weeks = world.planned_days / 7
    return world.plan.accounts * weeks * 0.0085 + weeks * world.public_posts_per_week


def _tickets_expected(world: World) -> float:
    """Tickets of the whole company in the back-fill, about."""
    return world.plan.accounts * world.planned_days / 7 * 0.064


def _given(world: World, model: str, texts: pl.DataFrame, column: str, classes: tuple[str, ...]) -> pl.DataFrame:
    """The labels of some texts: now and then a wrong one, of which half are seen and corrected later."""
    draws, number = world.draws, texts["number"].to_numpy()
    truth = texts.select(pl.col(column).replace_strict(list(classes), list(range(len(classes))), return_dtype=pl.Int64))
    truth = truth.to_series().to_numpy()
    other = (truth + 1 + draws.integer(f"{model} other", len(classes) - 1, number)) % len(classes)
    is_wrong = draws.chance(f"{model} wrong", WRONG + CORRECTED, number)
    is_corrected = is_wrong & draws.chance(f"{model} corrected", CORRECTED / (WRONG + CORRECTED), number)
    delay = LAG_DAYS + LAG_SPREAD_DAYS * draws.uniform(f"{model} labelled after", number)
    day = texts["created_at"].to_numpy() // DAY + 1 + delay.astype(np.int64)
    first = world.at_work(day, f"{model} labelled at", number)
    second = world.at_work(day + 1 + draws.integer(f"{model} corrected after", 9, number), f"{model} again", number)
    by = draws.integer(f"{model} labelled by", len(LABELLERS), number)

    def frame(label: np.ndarray, moment: np.ndarray, person: np.ndarray) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "model": pl.repeat(model, len(texts), eager=True),
                "key": texts["key"],
                "label": pick(classes, label),
                "labelled_at": moment,
                "labelled_by": pick(LABELLERS, person),
            }
        )

    at_first = frame(np.where(is_wrong, other, truth), first, by)
    return pl.concat([at_first, frame(truth, second, (by + 1) % len(LABELLERS)).filter(pl.Series(is_corrected))])
