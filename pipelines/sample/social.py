"""Posts and reviews that mention us or a competitor, and the articles we publish."""

import numpy as np
import polars as pl

from pipelines.sample import content
from pipelines.sample.crm import account_ids
from pipelines.sample.frames import either, ids, keep, pick, repeated, versions
from pipelines.sample.marketing import twitter_handles
from pipelines.sample.plan import DAY, World
from pipelines.sample.population import Population, weeks_of_life

PLATFORMS = ("twitter", "linkedin", "reddit")
SITES = ("G2", "Capterra", "TrustRadius")
ARTICLES_PER_WEEK = 3


def _posts(
    world: World,
    key: tuple[np.ndarray, ...],
    moment: np.ndarray,
    handle: pl.Series,
    name: pl.Series,
    mood: np.ndarray,
    account: pl.Series,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    draws = world.draws
    is_us = draws.chance("about us", 0.75, *key)
    brand = either(is_us, content.OUR_BRAND, content.COMPETITOR)
    sentiment = content.sentiment_of(mood)
    feature = pick(content.FEATURES, draws.integer("post feature", len(content.FEATURES), *key))
    text = content.fill(
        content.by_class({k: content.POSTS[k] for k in content.SENTIMENTS}, sentiment, draws, "post", *key),
        brand=brand,
        feature=feature,
    )
    number = pl.Series(key[0] * 1000 + key[1])
    post_id = ids("p", world.chunk, number, 18)
    heat = draws.exponential("heat", *key)
    posts = pl.DataFrame(
        {
            "post_id": post_id,
            "platform": pick(PLATFORMS, draws.choice("platform", (0.5, 0.3, 0.2), *key)),
            "author_handle": handle,
            "author_name": name,
            "text": text.str.slice(0, 1).str.to_uppercase() + text.str.slice(1),
            "url": "https://social.example/" + post_id,
            "brand_mentioned": brand,
            "likes": (12 * heat**2).astype(np.int64),
            "shares": (3 * heat**2).astype(np.int64),
            "replies": (4 * heat * (1 + (sentiment == 0))).astype(np.int64),
            "created_at": moment,
            "collected_at": moment
            + 900
            + np.where(draws.chance("post late", 0.06, *key), 1 + draws.integer("late by", 6, *key), 0) * DAY,
        }
    )
    truth = pl.DataFrame(
        {
            "post_id": post_id,
            "account_id": account,
            "key": "post:" + post_id,
            "number": number,
            "sentiment": pick(content.SENTIMENTS, sentiment),
            "cause": keep(sentiment == 0, pick(content.CAUSES, draws.choice("cause", content.CAUSE_WEIGHTS, *key))),
            "brand": brand,
            "created_at": moment,
        }
    )
    return posts, truth


def posts(world: World, population: Population) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Posts of customers' people who have a handle (their health shows), and, once, of the public; with the truth."""
    draws, people = world.draws, population.people
    people = people.filter(pl.col("lead") < 0)
    handle = twitter_handles(world, people["person"].to_numpy(), people)
    people = people.with_columns(handle=handle).filter(pl.col("handle").is_not_null())
    person, account = people["person"].to_numpy(), people["account"].to_numpy()
    place = population.customer_of(account)
    frame = population.accounts
    start = np.where(place >= 0, frame["customer_from"].to_numpy()[account], world.horizon)
    end = frame["churned_at"].to_numpy()[account] + 60 * DAY
    item, at = np.nonzero(weeks_of_life(world, start, end))
    at = np.array(world.event_weeks)[at]
    hit = draws.chance("posts", 0.03 * world.week_activity[at], person[item], at)
    item, at = item[hit], at[hit]
    moment = world.in_week(at, "post", person[item], at)
    mood = population.health.total[place[item], at] + 0.7 * draws.normal("post mood", person[item], at)
    found = _posts(
        world,
        (person[item], at),
        moment,
        people["handle"][item],
        people["first"][item] + " " + people["last"][item],
        mood,
        account_ids(world, frame["uid"].to_numpy()[account[item]]),
    )
    if world.chunk:
        return found
    week = np.array(world.event_weeks)
    counts = draws.poisson("public posts", world.public_posts_per_week * world.week_activity[week], week)
    row, number = repeated(counts)
    at, author = week[row], 3 * 10**9 + number
    name_number = draws.integer("public author", 5000, author, at)
    first = pick(content.FIRST_NAMES, name_number % len(content.FIRST_NAMES))
    last = pick(content.LAST_NAMES, name_number // 97 % len(content.LAST_NAMES))
    public = _posts(
        world,
        (author, at),
        world.in_week(at, "public post", author, at),
        "user" + pl.Series(name_number).cast(pl.String),
        first + " " + last,
        0.2 + 1.2 * draws.normal("public mood", author, at),
        pl.Series([None] * len(author), dtype=pl.String),
    )
    return pl.concat([found[0], public[0]]), pl.concat([found[1], public[1]])


def reviews(world: World, population: Population) -> pl.DataFrame:
    """Reviews by customers: stars follow health. Known when collected, days later."""
    draws, frame = world.draws, population.accounts[population.customers]
    uid, start, end = (frame[name].to_numpy() for name in ("uid", "customer_from", "churned_at"))
    item, at = np.nonzero(weeks_of_life(world, start, end))
    at = np.array(world.event_weeks)[at]
    hit = draws.chance("reviews", 0.004 * world.week_activity[at], uid[item], at)
    item, at = item[hit], at[hit]
    moment = world.in_week(at, "review", uid[item], at)
    mood = population.health.total[item, at] + 0.6 * draws.normal("review mood", uid[item], at)
    rating = np.clip(np.rint((3.6 + 1.1 * mood) * 2) / 2, 1, 5)
    sentiment = (rating > 2.75).astype(np.int64) + (rating > 3.75)
    is_us = draws.chance("review of us", 0.85, uid[item], at)
    brand = either(is_us, content.OUR_BRAND, content.COMPETITOR)
    feature = pick(content.FEATURES, draws.integer("review feature", len(content.FEATURES), uid[item], at))
    text = content.fill(
        content.by_class(
            {k: content.POSTS[k] for k in content.SENTIMENTS}, sentiment, draws, "review text", uid[item], at
        ),
        brand=brand,
        feature=feature,
    )
    author = draws.integer("review author", len(content.FIRST_NAMES), uid[item], at)
    return pl.DataFrame(
        {
            "review_id": ids("r", world.chunk, uid[item] * 1000 + at, 16),
            "site": pick(SITES, draws.integer("site", 3, uid[item], at)),
            "brand_mentioned": brand,
            "author_name": pick(content.FIRST_NAMES, author),
            "author_company": keep(draws.chance("review company", 0.5, uid[item], at), frame["name"][item]),
            "rating": rating,
            "title": content.by_class(
                {k: content.REVIEW_TITLES[k] for k in content.SENTIMENTS}, sentiment, draws, "title", uid[item], at
            ),
            "text": text.str.slice(0, 1).str.to_uppercase() + text.str.slice(1),
            "created_at": moment,
            "collected_at": moment + (DAY * (0.3 + 4 * draws.uniform("collected", uid[item], at))).astype(np.int64),
        }
    )


def articles(world: World) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Article versions: draft, published, sometimes revised, with a truth of what each is about. Company-wide."""
    draws = world.draws
    number = np.arange(ARTICLES_PER_WEEK * ((world.last_day - world.first_day) // 7 + 1))
    tag = draws.integer("tag", len(content.ARTICLE_TAGS), number)
    other = (tag + 1 + draws.integer("other tag", len(content.ARTICLE_TAGS) - 1, number)) % len(content.ARTICLE_TAGS)
    tags, others = pick(content.ARTICLE_TAGS, tag), pick(content.ARTICLE_TAGS, other)
    title = content.fill(
        pick(content.ARTICLE_TITLES, draws.integer("headline", len(content.ARTICLE_TITLES), number)), tag=tags
    )
    body = pl.Series([""] * len(number))
    for sentence in range(6):
        choice = draws.integer("sentence", len(content.ARTICLE_SENTENCES), number, sentence)
        body = body + content.fill(pick(content.ARTICLE_SENTENCES, choice), tag=tags, other=others) + " "
    drafted = world.at_work(world.first_day + number * 7 // ARTICLES_PER_WEEK, "article", number)
    published = drafted + (DAY * (1 + 5 * draws.uniform("published", number))).astype(np.int64)
    revised = published + (DAY * (20 + 60 * draws.uniform("revised", number))).astype(np.int64)
    stamps = np.stack(
        [drafted, published, np.where(draws.chance("is revised", 0.3, number), revised, world.horizon)], axis=1
    )
    row, state = np.nonzero(stamps < world.horizon)
    title = title.str.slice(0, 1).str.to_uppercase() + title.str.slice(1)
    tagged = keep(draws.chance("tagged", 0.6, number), tags + "," + others)
    base = pl.DataFrame(
        {
            "id": ids("art-", 0, number, 6),
            "slug": title.str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "-")
            + "-"
            + pl.Series(number).cast(pl.String),
            "title": title,
            "body": body.str.strip_chars(),
            "author": pick(content.FIRST_NAMES, draws.integer("article author", 6, number)),
            "category": pick(content.ARTICLE_CATEGORIES, draws.integer("category", 5, number)),
            "tags": tagged,
        }
    )
    versions_of_all = base[row].with_columns(
        status=either(state == 0, "draft", "published"),
        published_at=keep(state > 0, published[row]),
        updated_at=pl.Series(stamps[row, state]),
        body=either(state == 2, base["body"][row] + " Updated with a new example.", base["body"][row]),
    )
    truth = pl.DataFrame({"article_id": base["id"], "tag": tags, "other_tag": others, "created_at": drafted})
    return versions(versions_of_all, "id", "updated_at"), truth
