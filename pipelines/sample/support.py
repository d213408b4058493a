"""Zendesk: organisations, users, tickets, comments, satisfaction. Poor health asks more, waits worse, rates worse."""

from typing import NamedTuple

import numpy as np
import polars as pl

from pipelines.sample import content
from pipelines.sample.billing import Subscriptions, weeks_as_customer
from pipelines.sample.crm import account_ids, contact_ids
from pipelines.sample.frames import either, event_numbers, expand, ids, keep, pick, repeated, versions
from pipelines.sample.phrases.slots import FEATURES
from pipelines.sample.phrases.tickets import TOPICS
from pipelines.sample.plan import DAY, World
from pipelines.sample.population import Population
from pipelines.sample.texts import LANGUAGES, SENTIMENTS, german, sentiment_of
from pipelines.sample.writing import comment_texts, rating_comments, ticket_texts

AGENTS = 8
PRIORITIES = ("low", "normal", "high", "urgent")
CHANNELS = ("email", "web", "chat", "phone")
USERS_PER_ORGANISATION = 3
TICKET_TYPES = ("problem", "question", "question", "incident", "problem", "task", "question")
"""Of the topics, in their order."""
SECOND_TAGS = ("vip", "follow_up", "waiting", "escalated", "enterprise")
WRONG_TAG, NO_TAG, SECOND_TAG = 0.06, 0.05, 0.12
"""Of answered tickets: agents choose another topic, none, or say more than the topic."""
GERMAN_ELSEWHERE = 0.08
RAISED_LEVEL, RAISED_BY_URGENCY, RAISED_BY_MOOD = -3.7, 1.4, 0.75
"""Log-odds that an agent raises a ticket's priority at urgency and mood 0, and how they tell."""


def organizations(world: World, population: Population, billing: Subscriptions) -> pl.DataFrame:
    """One per customer; about one in seven lacks the CRM's id."""
    draws, uid = world.draws, billing.uid
    frame = population.accounts[population.customers]
    created = billing.start + 7200
    return pl.DataFrame(
        {
            "id": ids("36", world.chunk, uid, 12),
            "name": frame["name"],
            "external_id": keep(draws.chance("organisation linked", 0.86, uid), account_ids(world, uid)),
            "domain_names": frame["domain"],
            "created_at": created,
            "updated_at": created,
        }
    )


def user_ids(world: World, person: np.ndarray) -> pl.Series:
    """Zendesk ids of people."""
    return ids("9", world.chunk, person, 13)


def users(world: World, population: Population, billing: Subscriptions) -> pl.DataFrame:
    """Up to three people of each customer, and (once) our agents. Three in ten lack the CRM's contact id."""
    draws, people = world.draws, population.people
    account = people["account"].to_numpy()
    place = population.customer_of(account.clip(0))
    row = np.flatnonzero(
        (people["lead"].to_numpy() < 0) & (place >= 0) & (people["person"].to_numpy() % 10 < USERS_PER_ORGANISATION)
    )
    person, item = people["person"].to_numpy()[row], place[row]
    created = np.maximum(billing.start[item], people["known_from"].to_numpy()[row]) + 9000
    created = created + (person % 10) * 5 * DAY
    found = pl.DataFrame(
        {
            "id": user_ids(world, person),
            "email": people["email"][row],
            "name": people["first"][row] + " " + people["last"][row],
            "role": "end-user",
            "organization_id": ids("36", world.chunk, billing.uid[item], 12),
            "external_id": keep(draws.chance("user linked", 0.7, person), contact_ids(world, person)),
            "created_at": created,
            "updated_at": created,
        }
    )
    if world.chunk:
        return found
    agent = np.arange(AGENTS)
    since = np.full(AGENTS, (world.first_day - 30) * DAY)
    return pl.concat(
        [
            found,
            pl.DataFrame(
                {
                    "id": ids("8", 0, agent, 13),
                    "email": pick([f"agent{number}@tidewise.example" for number in agent], agent),
                    "name": pick(content.FIRST_NAMES, agent) + " " + pick(content.LAST_NAMES, agent),
                    "role": "agent",
                    "organization_id": pl.Series([None] * AGENTS, dtype=pl.String),
                    "external_id": pl.Series([None] * AGENTS, dtype=pl.String),
                    "created_at": since,
                    "updated_at": since,
                }
            ),
        ]
    )


class _Raised(NamedTuple):
    """The tickets that there are, one element a ticket: who, when, what about and in which mood."""

    item: np.ndarray
    """Subscription."""
    keys: tuple[np.ndarray, np.ndarray, np.ndarray]
    """What each draw about a ticket is made from: account, week, number in the week."""
    created: np.ndarray
    mood: np.ndarray
    topic: np.ndarray
    sentiment: np.ndarray
    urgency: np.ndarray
    priority: np.ndarray
    feature: np.ndarray
    number: pl.Series
    """As ids end."""


def tickets(world: World, population: Population, billing: Subscriptions) -> dict[str, pl.DataFrame]:
    """Ticket versions, comments, satisfaction ratings, and (for tests) what each ticket is about and its mood."""
    draws, uid = world.draws, billing.uid
    raised = _raised(world, population, billing)
    keys, mood = raised.keys, raised.mood
    count = population.people.filter(pl.col("lead") < 0).group_by("account").len().sort("account")["len"].to_numpy()
    people = np.minimum(count[population.customers], USERS_PER_ORGANISATION)
    person = uid[raised.item] * 10 + draws.integer("requester", people[raised.item], *keys)
    answered = raised.created + (3600 * (0.5 + 9 * draws.exponential("answer", *keys))).astype(np.int64)
    trouble = np.exp(0.35 * raised.urgency - 0.3 * mood - 0.35 * (raised.priority - 1))
    hours = 10 + 27 * draws.exponential("solve", *keys) ** 0.6 * trouble
    solved = answered + (3600 * np.minimum(hours, 500)).astype(np.int64)
    country = population.accounts["country"].to_numpy()[population.customers][raised.item]
    language = german(draws, person, country, GERMAN_ELSEWHERE)
    base = _as_written(world, raised, uid, person, language)
    return {
        "ticket": versions(pl.concat(_states(world, raised, base, answered, solved)), "id", "updated_at"),
        "ticket_comment": _comments(
            world, keys, person, raised.number, raised.feature, mood, language, answered, solved
        ),
        "satisfaction_rating": _ratings(world, raised, base, language, solved),
        "truth": pl.DataFrame(
            {
                "ticket_id": base["id"],
                "account_id": account_ids(world, uid[raised.item]),
                "topic": pick(TOPICS, raised.topic),
                "sentiment": pick(SENTIMENTS, raised.sentiment),
                "urgency": raised.urgency,
                "language": pick(LANGUAGES, language),
                "key": base["id"],
                "number": raised.number.cast(pl.Int64),
                "created_at": raised.created,
            }
        ),
    }


def _raised(world: World, population: Population, billing: Subscriptions) -> _Raised:
    """Customers raise tickets by their size, how they fare and what the week is like."""
    draws, uid = world.draws, billing.uid
    week = np.array(world.event_weeks)
    health = population.health.total
    item, at = np.nonzero(weeks_as_customer(world, billing))
    at = week[at]
    rate = 0.15 * np.sqrt(billing.seats[item, at] / 12) * np.exp(-0.48 * health[item, at]) * world.week_activity[at]
    item, at, number = expand(draws.poisson("tickets", np.minimum(rate, 4), uid[item], at), item, at)
    created = world.in_week(at, "ticket", uid[item], at, number)
    good = (created > billing.start[item] + DAY) & (created < billing.end[item]) & (created >= world.first_day * DAY)
    item, at, number, created = item[good], at[good], number[good], created[good]
    keys = (uid[item], at, number)
    mood = health[item, at] + 0.8 * draws.normal("ticket mood", *keys)
    weights = np.stack([np.ones(len(item)) * w for w in (0.22, 0.25, 0.14, 0.13, 0.12, 0.11, 0.0)], axis=1)
    weights[:, 6] = 0.03 * np.exp(-0.9 * mood.clip(-3, 3))
    edges = np.cumsum(weights, axis=1)
    topic = (draws.uniform("topic", *keys)[:, None] > edges / edges[:, -1:]).sum(axis=1)
    urgency = 0.7 * np.isin(topic, (0, 3, 6)) - 0.45 * mood + draws.normal("urgency", *keys)
    return _Raised(
        item=item,
        keys=keys,
        created=created,
        mood=mood,
        topic=topic,
        sentiment=sentiment_of(mood + 0.25),
        urgency=urgency,
        priority=0 + (urgency > -0.9).astype(np.int64) + (urgency > 0.9) + (urgency > 2.0),
        feature=draws.integer("feature", len(FEATURES), *keys),
        number=event_numbers(world, *keys),
    )


def _as_written(
    world: World, raised: _Raised, uid: np.ndarray, person: np.ndarray, language: np.ndarray
) -> pl.DataFrame:
    """What never changes of a ticket: who wrote what, and where."""
    draws, keys = world.draws, raised.keys
    subject, description = ticket_texts(
        draws,
        keys,
        raised.topic,
        raised.sentiment,
        raised.urgency,
        raised.feature,
        language,
        person,
        raised.created,
    )
    organisation = ids("36", world.chunk, uid[raised.item], 12)
    return pl.DataFrame(
        {
            "id": "1" + raised.number,
            "requester_id": user_ids(world, person),
            "organization_id": keep(draws.chance("ticket organisation", 0.95, *keys), organisation),
            "subject": subject,
            "description": description,
            "type": pick(TICKET_TYPES, raised.topic),
            "via_channel": pick(CHANNELS, draws.choice("channel", (0.45, 0.3, 0.15, 0.1), *keys)),
            "created_at": raised.created,
        }
    )


def _states(
    world: World, raised: _Raised, base: pl.DataFrame, answered: np.ndarray, solved: np.ndarray
) -> list[pl.DataFrame]:
    """The versions of each ticket: as it comes in, as it is answered, as it is solved."""
    draws, keys = world.draws, raised.keys
    assignee = ids("8", 0, draws.integer("agent", AGENTS, *keys), 13)
    odds = RAISED_LEVEL + RAISED_BY_URGENCY * raised.urgency - RAISED_BY_MOOD * raised.mood
    urgent = raised.priority + (draws.chance("raised", 1 / (1 + np.exp(-odds)), *keys) & (raised.priority < 3))
    tags = _tags(world, raised)
    none = pl.Series([None] * len(raised.item), dtype=pl.Int64)
    handled = {"priority": pick(PRIORITIES, urgent), "tags": tags, "assignee_id": assignee}
    return [
        base.with_columns(
            status=pl.lit("new"),
            priority=pick(PRIORITIES, raised.priority),
            tags=pl.lit(""),
            assignee_id=pl.lit(None, dtype=pl.String),
            updated_at=pl.Series(raised.created),
            solved_at=none,
        ),
        base.with_columns(status=pl.lit("open"), **handled, updated_at=pl.Series(answered), solved_at=none),
        base.with_columns(
            status=pl.lit("solved"), **handled, updated_at=pl.Series(solved), solved_at=pl.Series(solved)
        ),
    ]


def _tags(world: World, raised: _Raised) -> pl.Series:
    """What the agents say that tickets are about: mostly the topic, some another or nothing, some more besides."""
    draws, keys = world.draws, raised.keys
    other = (raised.topic + 1 + draws.integer("other topic", len(TOPICS) - 1, *keys)) % len(TOPICS)
    said = pick(TOPICS, np.where(draws.chance("wrong tag", WRONG_TAG, *keys), other, raised.topic))
    more = pick(SECOND_TAGS, draws.integer("second tag", len(SECOND_TAGS), *keys))
    said = either(draws.chance("tagged twice", SECOND_TAG, *keys), said + "," + more, said)
    return either(draws.chance("untagged", NO_TAG, *keys), "", said)


def _ratings(
    world: World, raised: _Raised, base: pl.DataFrame, language: np.ndarray, solved: np.ndarray
) -> pl.DataFrame:
    """Of some, how content the customer is with the answer."""
    draws, keys = world.draws, raised.keys
    odds = 2.2 + 1.4 * raised.mood - 0.9 * raised.urgency
    is_good = draws.chance("good rating", 1 / (1 + np.exp(-odds)), *keys)
    words = rating_comments(draws, keys, is_good, language)
    return pl.DataFrame(
        {
            "id": "5" + raised.number,
            "ticket_id": base["id"],
            "requester_id": base["requester_id"],
            "score": either(is_good, "good", "bad"),
            "comment": keep(draws.chance("rating comment", 0.5, *keys), words),
            "created_at": solved + (3600 * (1 + 30 * draws.exponential("rated at", *keys))).astype(np.int64),
        }
    ).filter(pl.Series(draws.chance("rated", 0.4, *keys)))


def _comments(
    world: World,
    keys: tuple[np.ndarray, np.ndarray, np.ndarray],
    person: np.ndarray,
    number_text: pl.Series,
    feature: np.ndarray,
    mood: np.ndarray,
    language: np.ndarray,
    answered: np.ndarray,
    solved: np.ndarray,
) -> pl.DataFrame:
    draws = world.draws
    row, turn = repeated(1 + draws.poisson("turns", 1.1 * np.exp(-0.15 * mood), *keys).clip(0, 6))
    of_row = tuple(key[row] for key in keys)
    by_agent = turn % 2 == 0
    spread = (turn + 0.5 * draws.uniform("turn at", *of_row, turn)) / 8
    moment = answered[row] + np.where(turn == 0, 0, (spread * (solved - answered)[row]).astype(np.int64))
    sentiment = sentiment_of(mood[row] + 0.6 * draws.normal("turn mood", *of_row, turn))
    body = comment_texts(draws, (*of_row, turn), by_agent, sentiment, feature[row], language[row], moment, person[row])
    return pl.DataFrame(
        {
            "id": "2" + number_text[row] + pl.Series(turn).cast(pl.String),
            "ticket_id": "1" + number_text[row],
            "author_id": either(
                by_agent, ids("8", 0, draws.integer("agent", AGENTS, *of_row), 13), user_ids(world, person[row])
            ),
            "body": body,
            "public": draws.chance("public", 0.93, *of_row, turn),
            "created_at": moment,
        }
    )
