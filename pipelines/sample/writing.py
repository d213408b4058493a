"""What is written in tickets, comments, posts and reviews: who is in which mood about what says it in many ways."""

import numpy as np
import polars as pl

from pipelines.sample import content
from pipelines.sample.draws import Draws
from pipelines.sample.frames import either, pick
from pipelines.sample.phrases import posts, tickets
from pipelines.sample.plan import DAY
from pipelines.sample.texts import (
    capital,
    drawn,
    fill,
    filled,
    hurried,
    marked_up,
    maybe,
    spoken,
)

VAGUE, ASIDE, ASIDE_FIRST = 0.09, 0.3, 0.3
"""Tickets that do not say what they are about; those that mention another topic, and those that begin with it."""
URGENCY_LEVELS = (-0.9, 0.6, 1.9)
AMBIGUOUS, BETWEEN = 0.12, 0.08
"""Posts that may be meant in any mood; those that sound like a neighbouring one."""

Keys = tuple[np.ndarray, ...]


def person_names(draws: Draws, person: np.ndarray) -> tuple[pl.Series, pl.Series]:
    """First and last name of persons, as `population.make_people` draws them."""
    first, last = (
        pick(names, draws.integer(stream, len(names), person))
        for stream, names in (("first", content.FIRST_NAMES), ("last", content.LAST_NAMES))
    )
    return first, last


def ticket_texts(
    draws: Draws,
    keys: Keys,
    topic: np.ndarray,
    sentiment: np.ndarray,
    urgency: np.ndarray,
    feature: np.ndarray,
    language: np.ndarray,
    person: np.ndarray,
    created: np.ndarray,
) -> tuple[pl.Series, pl.Series]:
    """Subject and description of tickets, one row a ticket."""
    is_vague = draws.chance("vague", VAGUE, *keys)
    other = (topic + 1 + draws.integer("aside topic", len(tickets.TOPICS) - 1, *keys)) % len(tickets.TOPICS)
    problem = either(
        is_vague,
        spoken(tickets.VAGUE, language, None, draws, "vague problem", *keys),
        spoken(tickets.PROBLEMS, language, topic, draws, "problem", *keys),
    )
    second = spoken(tickets.PROBLEMS, language, other, draws, "aside", *keys)
    has_aside = draws.chance("has aside", ASIDE, *keys)
    is_first = has_aside & draws.chance("aside first", ASIDE_FIRST, *keys)
    main, aside = either(is_first, second, problem), either(is_first, problem, second)
    aside = fill(spoken(tickets.ASIDES, language, None, draws, "aside form", *keys), aside=aside)
    level = np.digitize(urgency + 0.4 * draws.normal("urgency said", *keys), URGENCY_LEVELS)
    shown = np.where(draws.chance("mood hidden", 0.12, *keys), 1, sentiment)
    of_mood = {
        name: spoken(texts, language, shown, draws, name, *keys)
        for name, texts in (("opening", tickets.OPENINGS), ("closing", tickets.CLOSINGS))
    }
    text = (
        maybe(draws.chance("has opening", 0.75, *keys), of_mood["opening"] + " ", "")
        + capital(main)
        + pick((".", "!", "?", "...", "!!"), draws.choice("stop", (0.72, 0.1, 0.1, 0.05, 0.03), *keys))
        + maybe(has_aside, aside)
        + maybe(draws.chance("detail", 0.5, *keys), spoken(tickets.DETAILS, language, None, draws, "detail", *keys))
        + maybe(draws.chance("urgent", 0.75, *keys), spoken(tickets.URGENCY, language, level, draws, "urgent", *keys))
        + maybe(draws.chance("has closing", 0.7, *keys), of_mood["closing"])
        + maybe(draws.chance("emoji", 0.08, *keys), drawn(tickets.EMOJI, shown, draws, "emoji", *keys))
    )
    text = hurried(filled(text, language, feature, draws, "ticket", *keys), language, draws, "ticket", *keys)
    first, last = person_names(draws, person)
    private = fill(
        spoken(tickets.PRIVATE, language, None, draws, "private", *keys),
        email=first.str.to_lowercase() + "." + last.str.to_lowercase() + "@mail.example.com",
        phone=pick(tickets.PHONES, draws.integer("private phone", len(tickets.PHONES), *keys)),
        iban=pick(tickets.IBANS, draws.integer("private iban", len(tickets.IBANS), *keys)),
        card=pick(tickets.CARDS, draws.integer("private card", len(tickets.CARDS), *keys)),
    )
    text = text + maybe(draws.chance("has private", 0.07, *keys), private)
    text = _as_mail(draws, keys, text, language, created, feature, first + " " + last)
    subject = either(
        draws.chance("vague subject", 0.5, *keys),
        spoken(tickets.VAGUE_SUBJECTS, language, None, draws, "vague subject", *keys),
        spoken(tickets.SUBJECTS, language, topic, draws, "subject", *keys),
    )
    subject = capital(filled(subject, language, feature, draws, "ticket", *keys))
    return hurried(subject, language, draws, "subject", *keys), text


def _as_mail(
    draws: Draws,
    keys: Keys,
    text: pl.Series,
    language: np.ndarray,
    moment: np.ndarray,
    feature: np.ndarray,
    name: pl.Series,
) -> pl.Series:
    """Some as HTML, some with a signature, some above the mail that they answer."""
    form = draws.uniform("mail form", *keys)
    days = pl.from_epoch(pl.Series(moment // DAY * DAY - 2 * DAY), time_unit="s").dt.strftime("%d.%m.%Y")
    quoted = filled(
        spoken(tickets.AGENT_REPLIES, language, None, draws, "quoted", *keys),
        language,
        feature,
        draws,
        "quoted",
        *keys,
    )
    head = fill(pick([tickets.SENT_AT[name] for name in ("en", "de")], language), day=days)
    title = pick(content.TITLES, draws.integer("signature title", len(content.TITLES), *keys))
    phone = pick(tickets.PHONES, draws.integer("signature phone", len(tickets.PHONES), *keys))
    regards = pick(("Best regards", "Mit freundlichen Grüßen"), language)
    text = marked_up(text, form < 0.1)
    text = text + maybe((form > 0.1) & (form < 0.2), regards + ",\n" + name, "\n\n")
    text = text + maybe((form > 0.2) & (form < 0.28), name + "\n" + title + "\n" + phone, "\n\n-- \n")
    return text + maybe((form > 0.24) & (form < 0.38), head + "\n> " + quoted, "\n\n")


def comment_texts(
    draws: Draws,
    keys: Keys,
    by_agent: np.ndarray,
    sentiment: np.ndarray,
    feature: np.ndarray,
    language: np.ndarray,
    moment: np.ndarray,
    person: np.ndarray,
) -> pl.Series:
    """Bodies of comments: of agents, neat, and of customers."""
    reply = spoken(tickets.CUSTOMER_REPLIES, language, sentiment, draws, "reply", *keys)
    reply = reply + maybe(
        draws.chance("reply problem", 0.25, *keys),
        capital(
            spoken(
                tickets.PROBLEMS,
                language,
                draws.integer("reply topic", len(tickets.TOPICS), *keys),
                draws,
                "reply problem",
                *keys,
            )
        )
        + ".",
    )
    reply = filled(reply, language, feature, draws, "reply", *keys)
    reply = hurried(reply, language, draws, "reply", *keys)
    reply = _as_mail(draws, keys, reply, language, moment, feature, person_names(draws, person)[0])
    agent = spoken(tickets.AGENT_REPLIES, language, None, draws, "agent reply", *keys)
    return either(by_agent, filled(agent, language, feature, draws, "agent", *keys), reply)


def rating_comments(draws: Draws, keys: Keys, is_good: np.ndarray, language: np.ndarray) -> pl.Series:
    """What is said with a rating; now and then it does not fit."""
    said = is_good ^ draws.chance("rating misfit", 0.04, *keys)
    text = spoken(tickets.RATING_COMMENTS, language, said.astype(np.int64), draws, "rating text", *keys)
    return hurried(text, language, draws, "rating", *keys)


def _cores() -> dict[str, list[tuple[str, ...]]]:
    """By language: the complaints by cause, then reports, praise, and what may be meant in any mood."""
    return {
        name: [*posts.COMPLAINTS[name].values(), posts.REPORTS[name], posts.PRAISE[name], posts.AMBIGUOUS[name]]
        for name in posts.COMPLAINTS
    }


def _core(
    draws: Draws, keys: Keys, sentiment: np.ndarray, cause: np.ndarray, language: np.ndarray, stream: str
) -> pl.Series:
    causes = len(posts.CAUSES)
    step = np.where(draws.chance(f"{stream} step", 0.5, *keys), 1, -1)
    near = np.where(sentiment == 1, 1 + step, 1)
    heard = np.where(draws.chance(f"{stream} between", BETWEEN, *keys), near, sentiment)
    group = np.where(heard == 0, cause, causes - 1 + heard)
    group = np.where(draws.chance(f"{stream} ambiguous", AMBIGUOUS, *keys), causes + 2, group)
    return spoken(_cores(), language, group, draws, stream, *keys)


def post_texts(
    draws: Draws,
    keys: Keys,
    sentiment: np.ndarray,
    cause: np.ndarray,
    language: np.ndarray,
    feature: np.ndarray,
    brand: pl.Series,
) -> pl.Series:
    """Texts of posts."""
    tag = pick(posts.HASHTAGS, draws.integer("hashtag", len(posts.HASHTAGS), *keys))
    felt = np.where(draws.chance("emoji astray", 0.15, *keys), draws.integer("any mood", 3, *keys), sentiment)
    text = (
        maybe(
            draws.chance("has opener", 0.35, *keys),
            spoken(posts.OPENERS, language, sentiment, draws, "opener", *keys) + " ",
            "",
        )
        + _core(draws, keys, sentiment, cause, language, "post")
        + maybe(draws.chance("tail", 0.35, *keys), spoken(posts.TAILS, language, sentiment, draws, "tail", *keys))
    )
    text = hurried(
        filled(fill(text, brand=brand), language, feature, draws, "post", *keys), language, draws, "post", *keys
    )
    text = text + maybe(draws.chance("post emoji", 0.22, *keys), drawn(posts.EMOJI, felt, draws, "post emoji", *keys))
    text = text + maybe(draws.chance("has hashtag", 0.2, *keys), tag)
    return either(draws.chance("capital", 0.85, *keys), capital(text), text)


def copied_texts(draws: Draws, keys: Keys, texts: pl.Series, author: pl.Series) -> pl.Series:
    """What those write who pass on what another wrote: nearly the same."""
    form = pick(posts.COPIES, draws.integer("copy form", len(posts.COPIES), *keys))
    return fill(form, author="@" + author, text=texts)


def review_texts(
    draws: Draws,
    keys: Keys,
    sentiment: np.ndarray,
    cause: np.ndarray,
    language: np.ndarray,
    feature: np.ndarray,
    brand: pl.Series,
) -> tuple[pl.Series, pl.Series]:
    """Title and text of reviews."""
    text = (
        _core(draws, keys, sentiment, cause, language, "review text")
        + maybe(
            draws.chance("review aside", 0.6, *keys),
            spoken(posts.REVIEW_ASIDES, language, None, draws, "review aside", *keys),
        )
        + maybe(
            draws.chance("review more", 0.4, *keys), _core(draws, keys, sentiment, cause, language, "review second")
        )
    )
    text = filled(fill(text, brand=brand), language, feature, draws, "review", *keys)
    return drawn(list(posts.REVIEW_TITLES.values()), sentiment, draws, "title", *keys), capital(
        hurried(text, language, draws, "review", *keys)
    )
