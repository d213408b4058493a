"""The articles of our site: what they are about, who reads them, and their versions."""

from typing import NamedTuple

import numpy as np
import polars as pl

from pipelines.sample import content
from pipelines.sample.draws import Draws
from pipelines.sample.frames import either, ids, keep, pick, versions
from pipelines.sample.phrases.articles import COMMON, OTHER_TITLES, SENTENCES, TAGS, TITLES
from pipelines.sample.plan import DAY, World
from pipelines.sample.texts import capital, drawn, fill

PER_WEEK = 3
CATEGORIES = ("Product", "Guides", "Engineering", "Customers", "Company")
TAGGED, FORGOTTEN, ASTRAY = 0.6, 0.06, 0.05
"""Articles that have tags; their tags that are missing all the same; articles with one that does not fit."""
MORE_TAGS = (0.35, 0.4, 0.18, 0.07)
"""Shares of articles that are about one to four things."""
SHORTEST, LONGEST = 8, 20
ABOUT_MAIN, ABOUT_OTHERS, ABOUT_ANYTHING = 0.18, 0.52, 0.61
"""Sentences about the main tag, up to those about the others, up to those about any tag; the rest are common ones."""
OF_ANY_TITLE = 0.4
WANTED = ("integrations", "pricing")
"""What leads read who are about to buy."""
TAG_SHARES = (0.14, 0.11, 0.06, 0.09, 0.07, 0.1, 0.06, 0.11, 0.12, 0.04, 0.05, 0.05)
"""How much is read of each tag by those who look for nothing in particular."""
FAITHFUL, READS = 0.45, 0.85
"""Readers of the blog who stay with their favourite tag, and page views of the blog that are of an article."""
FADING_DAYS = 150
"""An article is read a third as often when it is so old."""


class Catalogue(NamedTuple):
    """All articles ever written, one element an article, in the order of their numbers; times in seconds."""

    number: np.ndarray
    about: np.ndarray
    """Boolean (articles × tags)."""
    main: np.ndarray
    title: pl.Series
    slug: pl.Series
    drafted: np.ndarray
    published: np.ndarray


def catalogue(world: World) -> Catalogue:
    """The company's articles, the same in every chunk."""
    company = World(world.plan, 0, world.last_day, world.since_day)
    draws = company.draws
    number = np.arange(PER_WEEK * ((world.last_day - world.first_day) // 7 + 1))
    main = draws.integer("tag", len(TAGS), number)
    other = (main + 1 + draws.integer("other tag", len(TAGS) - 1, number)) % len(TAGS)
    about = np.zeros((len(number), len(TAGS)), dtype=bool)
    about[number, main] = True
    count = draws.choice("tags", MORE_TAGS, number)
    for more in range(1, len(MORE_TAGS)):
        also = other if more == 1 else draws.integer(f"tag {more}", len(TAGS), number)
        about[number, also] |= count >= more
    title = either(
        draws.chance("title of any", OF_ANY_TITLE, number),
        drawn([OTHER_TITLES], np.zeros_like(number), draws, "other headline", number),
        fill(
            drawn([TITLES], np.zeros_like(number), draws, "headline", number),
            tag=pick(TAGS, main),
            other=pick(TAGS, other),
        ),
    )
    title = capital(title)
    drafted = company.at_work(company.first_day + number * 7 // PER_WEEK, "article", number)
    return Catalogue(
        number=number,
        about=about,
        main=main,
        title=title,
        slug=title.str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "-").str.strip_chars("-")
        + "-"
        + pl.Series(number).cast(pl.String),
        drafted=drafted,
        published=drafted + (DAY * (1 + 5 * draws.uniform("published", number))).astype(np.int64),
    )


def read_articles(
    world: World, person: np.ndarray, keys: tuple[np.ndarray, ...], moment: np.ndarray, intent: np.ndarray
) -> tuple[pl.Series, pl.Series]:
    """
    Path and title of the article that is read in each page view of the blog; null where it is the blog itself.

    A few articles are read much, new ones more. `intent` of leads (minus infinity for others) draws them to some tags.
    """
    draws, found = world.draws, catalogue(world)
    favourite = draws.choice("favourite tag", TAG_SHARES, person)
    stays = draws.chance("faithful", FAITHFUL, *keys)
    tag = np.where(stays, favourite, draws.choice("tag read", TAG_SHARES, *keys))
    drawn_to = draws.chance("wants to know", 1 / (1 + np.exp(2.4 - 1.1 * intent)), *keys)
    wanted = np.array([TAGS.index(name) for name in WANTED])
    tag = np.where(drawn_to, wanted[draws.integer("wanted tag", len(wanted), *keys)], tag)
    reads = draws.chance("reads", READS, *keys)
    place = draws.uniform("which article", *keys)
    appeal = Draws(world.plan.seed, 0).exponential("appeal", found.number) ** 2.2
    growing = appeal * np.exp((found.published / DAY - world.first_day) / FADING_DAYS)
    article = np.full(len(person), -1)
    for number in range(len(TAGS)):
        listed = np.flatnonzero(found.about[:, number])
        listed = listed[np.argsort(found.published[listed], kind="stable")]
        rows = np.flatnonzero(reads & (tag == number))
        there = np.searchsorted(found.published[listed], moment[rows], side="right")
        total = np.concatenate([[0.0], np.cumsum(growing[listed])])
        chosen = np.searchsorted(total, place[rows] * total[there], side="right") - 1
        article[rows] = np.where(there > 0, listed[chosen.clip(0, max(len(listed) - 1, 0))] if len(listed) else -1, -1)
    is_read = article >= 0
    path = "/blog/" + found.slug.gather(pl.Series(article.clip(0)))
    return keep(is_read, path), keep(is_read, found.title.gather(pl.Series(article.clip(0))))


def articles(world: World) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Article versions: draft, published, sometimes revised, with a truth of what each is about. Company-wide."""
    draws, found = world.draws, catalogue(world)
    number = found.number
    body = _bodies(draws, found)
    revised = found.published + (DAY * (20 + 60 * draws.uniform("revised", number))).astype(np.int64)
    stamps = np.stack(
        [found.drafted, found.published, np.where(draws.chance("is revised", 0.3, number), revised, world.horizon)],
        axis=1,
    )
    row, state = np.nonzero(stamps < world.horizon)
    base = pl.DataFrame(
        {
            "id": ids("art-", 0, number, 6),
            "slug": found.slug,
            "title": found.title,
            "body": body,
            "author": pick(content.FIRST_NAMES, draws.integer("article author", 6, number)),
            "category": pick(CATEGORIES, draws.integer("category", 5, number)),
            "tags": keep(draws.chance("tagged", TAGGED, number), _said_tags(draws, found)),
        }
    )
    versions_of_all = base[row].with_columns(
        status=either(state == 0, "draft", "published"),
        published_at=keep(state > 0, found.published[row]),
        updated_at=pl.Series(stamps[row, state]),
        body=either(state == 2, base["body"][row] + " Updated with a new example.", base["body"][row]),
    )
    truth = pl.DataFrame(
        {
            "article_id": base["id"],
            "tag": pick(TAGS, found.main),
            "tags": _joined(found.about),
            "created_at": found.drafted,
        }
    )
    return versions(versions_of_all, "id", "updated_at"), truth


def _said_tags(draws: Draws, found: Catalogue) -> pl.Series:
    """The tags that the author gives: one may be forgotten, one may be out of place; at least one."""
    grid = (found.number[:, None], np.arange(len(TAGS))[None, :])
    said = found.about & ~draws.chance("tag forgotten", FORGOTTEN, *grid)
    astray = draws.chance("tag astray", ASTRAY, found.number)
    said[found.number, draws.integer("tag out of place", len(TAGS), found.number)] |= astray
    said[found.number, found.main] |= ~said.any(axis=1)
    return _joined(said)


def _joined(about: np.ndarray) -> pl.Series:
    """The names of the tags that are true, with commas between."""
    columns = [keep(about[:, number], pl.Series([name] * len(about))) for number, name in enumerate(TAGS)]
    return pl.select(pl.concat_str(columns, separator=",", ignore_nulls=True)).to_series()


def _bodies(draws: Draws, found: Catalogue) -> pl.Series:
    """Eight to twenty sentences: of the tags, of others, and of none."""
    number = found.number
    length = SHORTEST + draws.integer("sentences", LONGEST - SHORTEST + 1, number)
    lists = [*SENTENCES.values(), COMMON]
    body = pl.Series([""] * len(number))
    names = pick(TAGS, found.main)
    for place in range(LONGEST):
        kind = draws.uniform("sentence about", number, place)
        weight = found.about * draws.uniform("which tag", number[:, None], place, np.arange(len(TAGS))[None, :])
        group = np.where(kind < ABOUT_MAIN, found.main, weight.argmax(axis=1))
        group = np.where(kind < ABOUT_OTHERS, group, draws.integer("any tag", len(TAGS), number, place))
        group = np.where(kind < ABOUT_ANYTHING, group, len(TAGS))
        sentence = drawn(lists, group, draws, "sentence", number, place)
        any_tag = pick(TAGS, draws.integer("tag named", len(TAGS), number, place))
        sentence = fill(sentence, tag=either(draws.chance("own", 0.4, number, place), names, any_tag), other=any_tag)
        body = body + either(place < length, sentence + " ", "")
    return body.str.strip_chars()
