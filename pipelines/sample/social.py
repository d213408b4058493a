"""Posts and reviews that mention us or a competitor: of customers' people, of those we might win, and of the public."""

from typing import NamedTuple

import numpy as np
import polars as pl

from pipelines.sample import content
from pipelines.sample.crm import account_ids, lead_end, lead_ids
from pipelines.sample.frames import either, ids, keep, pick, repeated
from pipelines.sample.health import LEAD_WEEKS
from pipelines.sample.marketing import twitter_handles
from pipelines.sample.phrases.posts import CAUSES
from pipelines.sample.phrases.slots import FEATURES
from pipelines.sample.plan import DAY, WEEK, World
from pipelines.sample.population import Population, weeks_of_life
from pipelines.sample.texts import LANGUAGES, SENTIMENTS, german, sentiment_of
from pipelines.sample.writing import copied_texts, post_texts, review_texts

PLATFORMS = ("twitter", "linkedin", "reddit")
SITES = ("G2", "Capterra", "TrustRadius")
CAUSE_WEIGHTS = (0.2, 0.17, 0.2, 0.13, 0.14, 0.16)
GERMAN_ELSEWHERE = 0.03
GERMAN_PUBLIC = 0.15
PUBLIC, OTHERS = 3 * 10**9, 4 * 10**9
"""Added to what counts people of the public in a week, and to a person's number in the keys of posts from before they
were a customer: so no two posts have one name."""
COPIED = 0.12
"""Posts of the public that pass on another one of the same week, if there was one."""


class _Written(NamedTuple):
    """Posts, one element each: who wrote when about whom, in which mood."""

    key: tuple[np.ndarray, np.ndarray]
    moment: np.ndarray
    handle: pl.Series
    name: pl.Series
    mood: np.ndarray
    brand: pl.Series
    language: np.ndarray
    account: pl.Series
    lead: pl.Series


def _brands(world: World, is_us: np.ndarray, stream: str, *keys: np.ndarray) -> pl.Series:
    """Our name, or that of a competitor."""
    competitor = pick(content.COMPETITORS, world.draws.choice(stream, content.COMPETITOR_WEIGHTS, *keys))
    return either(is_us, content.OUR_BRAND, competitor)


def _posts(world: World, written: _Written, is_public: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
    draws, key, moment = world.draws, written.key, written.moment
    brand, language = written.brand, written.language
    sentiment = sentiment_of(written.mood)
    cause = draws.choice("cause", CAUSE_WEIGHTS, *key)
    feature = draws.integer("post feature", len(FEATURES), *key)
    text = post_texts(draws, key, sentiment, cause, language, feature, brand)
    if is_public:
        source = _passed_on(world, key, moment)
        is_copy = source != np.arange(len(source))
        copy = copied_texts(draws, key, text[source], written.handle[source])
        text = either(is_copy, copy, text)
        brand, sentiment, cause, language = brand[source], sentiment[source], cause[source], language[source]
    number = pl.Series(key[0] * 1000 + key[1])
    post_id = ids("p", world.chunk, number, 18)
    heat = draws.exponential("heat", *key)
    posts = pl.DataFrame(
        {
            "post_id": post_id,
            "platform": pick(PLATFORMS, draws.choice("platform", (0.5, 0.3, 0.2), *key)),
            "author_handle": written.handle,
            "author_name": written.name,
            "text": text,
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
            "account_id": written.account,
            "lead_id": written.lead,
            "key": "post:" + post_id,
            "number": number,
            "sentiment": pick(SENTIMENTS, sentiment),
            "cause": keep(sentiment == 0, pick(CAUSES, cause)),
            "brand": brand,
            "language": pick(LANGUAGES, language),
            "created_at": moment,
        }
    )
    return posts, truth


def _passed_on(world: World, key: tuple[np.ndarray, np.ndarray], moment: np.ndarray) -> np.ndarray:
    """The row that each post of the public repeats: mostly its own, else one of the same week before it."""
    number = key[0] - PUBLIC
    row = np.arange(len(number))
    other = row - number + world.draws.integer("passed on", np.maximum(number, 1), *key)
    is_copy = world.draws.chance("passes on", COPIED, *key) & (number > 0) & (moment[other] < moment)
    source = np.where(is_copy, other, row)
    return source[source]


def posts(world: World, population: Population) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Posts of customers' people (their health shows), of those whom we might win, and, once, of the public."""
    found = [_posts(world, _of_customers(world, population)), _posts(world, _of_prospects(world, population))]
    if not world.chunk:
        found.append(_posts(world, _of_the_public(world), is_public=True))
    frames, truths = zip(*found, strict=True)
    return pl.concat(frames), pl.concat(truths)


def _with_handle(world: World, people: pl.DataFrame) -> pl.DataFrame:
    handle = twitter_handles(world, people["person"].to_numpy(), people)
    return people.with_columns(handle=handle).filter(pl.col("handle").is_not_null())


def _of_customers(world: World, population: Population) -> _Written:
    draws, frame = world.draws, population.accounts
    people = _with_handle(world, population.people.filter(pl.col("lead") < 0))
    person, account = people["person"].to_numpy(), people["account"].to_numpy()
    place = population.customer_of(account)
    start = np.where(place >= 0, frame["customer_from"].to_numpy()[account], world.horizon)
    end = frame["churned_at"].to_numpy()[account] + 60 * DAY
    item, at = np.nonzero(weeks_of_life(world, start, end))
    at = np.array(world.event_weeks)[at]
    hit = draws.chance("posts", 0.03 * world.week_activity[at], person[item], at)
    item, at = item[hit], at[hit]
    key = (person[item], at)
    country = frame["country"].to_numpy()[account[item]]
    return _Written(
        key=key,
        moment=world.in_week(at, "post", *key),
        handle=people["handle"][item],
        name=people["first"][item] + " " + people["last"][item],
        mood=population.health.total[place[item], at] + 0.7 * draws.normal("post mood", *key),
        brand=_brands(world, draws.chance("about us", 0.75, *key), "competitor", *key),
        language=german(draws, person[item], country, GERMAN_ELSEWHERE),
        account=account_ids(world, frame["uid"].to_numpy()[account[item]]),
        lead=pl.Series([None] * len(item), dtype=pl.String),
    )


def _of_prospects(world: World, population: Population) -> _Written:
    """
    Posts of leads and of people at companies with an open deal, mostly about the tool that their company has.

    Who wants to buy is less happy with it.
    """
    draws, frame, leads = world.draws, population.accounts, population.leads
    people = _with_handle(world, population.people)
    person, account, lead = (people[name].to_numpy() for name in ("person", "account", "lead"))
    is_lead = lead >= 0
    deals = population.deals.filter(~pl.col("is_old")).unique("account", keep="first", maintain_order=True)
    of_account = np.full(len(frame), -1)
    of_account[deals["account"].to_numpy()] = np.arange(len(deals))
    deal = np.where(is_lead, -1, of_account[account.clip(0)])
    opened, closed = (deals[name].to_numpy()[deal.clip(0)] for name in ("created_at", "closed_at"))
    known = people["known_from"].to_numpy()
    listed = is_lead | ((deal >= 0) & draws.chance("in hubspot", 0.6, person))
    start = np.where(listed, np.where(is_lead, known, np.maximum(opened, known)), world.horizon)
    end = np.where(is_lead, lead_end(world, population)[lead.clip(0)], closed)
    item, at = np.nonzero(weeks_of_life(world, start, end))
    at = np.array(world.event_weeks)[at]
    key = (OTHERS + person[item], at)
    hit = draws.chance("posts", np.where(is_lead[item], 0.025, 0.05) * world.week_activity[at], *key)
    item, at = item[hit], at[hit]
    key = (OTHERS + person[item], at)
    age = ((world.week_start(at) - start[item]) // (WEEK * DAY)).clip(0, LEAD_WEEKS - 1)
    wish = np.where(
        is_lead[item], population.intent.total[lead[item], age], deals["quality"].to_numpy()[deal[item].clip(0)]
    )
    is_us = draws.chance("prospect about us", 0.15, *key)
    noise = 0.9 * draws.normal("post mood", *key)
    uid = np.where(is_lead, leads["uid"].to_numpy()[lead.clip(0)], frame["uid"].to_numpy()[account.clip(0)])[item]
    country = np.where(
        is_lead, leads["country"].to_numpy()[lead.clip(0)], frame["country"].to_numpy()[account.clip(0)]
    )[item]
    return _Written(
        key=key,
        moment=np.clip(world.in_week(at, "post", *key), start[item] + 3600, None),
        handle=people["handle"][item],
        name=people["first"][item] + " " + people["last"][item],
        mood=np.where(is_us, 0.2 + 0.3 * wish, -0.35 - 0.35 * wish) + noise,
        brand=_brands(world, is_us, "their tool", uid),
        language=german(draws, person[item], country, GERMAN_ELSEWHERE),
        account=keep(~is_lead[item], account_ids(world, frame["uid"].to_numpy()[account[item].clip(0)])),
        lead=keep(is_lead[item], lead_ids(world, lead[item])),
    )


def _of_the_public(world: World) -> _Written:
    draws = world.draws
    week = np.array(world.event_weeks)
    counts = draws.poisson("public posts", world.public_posts_per_week * world.week_activity[week], week)
    row, number = repeated(counts)
    at, author = week[row], PUBLIC + number
    key = (author, at)
    name_number = draws.integer("public author", 5000, *key)
    first = pick(content.FIRST_NAMES, name_number % len(content.FIRST_NAMES))
    last = pick(content.LAST_NAMES, name_number // 97 % len(content.LAST_NAMES))
    none = pl.Series([None] * len(author), dtype=pl.String)
    return _Written(
        key=key,
        moment=world.in_week(at, "public post", *key),
        handle="user" + pl.Series(name_number).cast(pl.String),
        name=first + " " + last,
        mood=0.2 + 1.2 * draws.normal("public mood", *key),
        brand=_brands(world, draws.chance("about us", 0.75, *key), "competitor", *key),
        language=draws.chance("public language", GERMAN_PUBLIC, *key).astype(np.int64),
        account=none,
        lead=none,
    )


def reviews(world: World, population: Population) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Reviews by customers: stars follow health. Known when collected, days later. With the truth."""
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
    key = (uid[item], at)
    brand = _brands(world, draws.chance("review of us", 0.85, *key), "reviewed competitor", *key)
    cause = draws.choice("review cause", CAUSE_WEIGHTS, *key)
    feature = draws.integer("review feature", len(FEATURES), *key)
    language = german(draws, uid[item] * 10, frame["country"].to_numpy()[item], GERMAN_ELSEWHERE)
    title, text = review_texts(draws, key, sentiment, cause, language, feature, brand)
    number = pl.Series(uid[item] * 1000 + at)
    review_id = ids("r", world.chunk, number, 16)
    author = draws.integer("review author", len(content.FIRST_NAMES), uid[item], at)
    found = pl.DataFrame(
        {
            "review_id": review_id,
            "site": pick(SITES, draws.integer("site", 3, uid[item], at)),
            "brand_mentioned": brand,
            "author_name": pick(content.FIRST_NAMES, author),
            "author_company": keep(draws.chance("review company", 0.5, uid[item], at), frame["name"][item]),
            "rating": rating,
            "title": title,
            "text": text,
            "created_at": moment,
            "collected_at": moment + (DAY * (0.3 + 4 * draws.uniform("collected", uid[item], at))).astype(np.int64),
        }
    )
    truth = pl.DataFrame(
        {
            "review_id": review_id,
            "account_id": account_ids(world, uid[item]),
            "key": "review:" + review_id,
            "number": number,
            "sentiment": pick(SENTIMENTS, sentiment),
            "cause": keep(sentiment == 0, pick(CAUSES, cause)),
            "brand": brand,
            "language": pick(LANGUAGES, language),
            "created_at": moment,
        }
    )
    return found, truth
