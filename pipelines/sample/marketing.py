"""HubSpot, web analytics and Google Ads: mails, forms, visits and what paid search cost. Intent shows here first."""

import numpy as np
import polars as pl

from pipelines.sample import content
from pipelines.sample.articles import read_articles
from pipelines.sample.crm import contact_ids, lead_end, lead_ids
from pipelines.sample.frames import either, event_numbers, expand, ids, keep, pick, repeated, versions
from pipelines.sample.health import LEAD_WEEKS
from pipelines.sample.plan import DAY, WEEK, World, activity
from pipelines.sample.population import Population, weeks_of_life

FORMS = ("Contact us", "Request a demo", "Download: buyer's guide", "Webinar registration", "Newsletter")
PATHS = (
    "/",
    "/pricing",
    "/product",
    "/demo",
    "/blog",
    "/customers",
    "/docs",
    "/help",
    "/help/export-your-data",
    "/help/cancel-your-plan",
    "/about",
    "/careers",
)
PAGE_TITLES = (
    "Home",
    "Pricing",
    "Product",
    "Book a demo",
    "Blog",
    "Customers",
    "Documentation",
    "Help centre",
    "Export your data",
    "Cancel your plan",
    "About us",
    "Careers",
)
BLOG = PATHS.index("/blog")
CHANNELS = (
    ("https://www.google.com/", None, None),
    (None, None, None),
    ("https://www.google.com/", "google", "cpc"),
    ("https://www.linkedin.com/", "linkedin", "social"),
    (None, "newsletter", "email"),
    ("https://partner.example/", None, None),
)
DEVICES = ("desktop", "mobile", "tablet")
AD_CAMPAIGNS = (
    "Brand",
    "Competitor",
    "Generic: scheduling",
    "Generic: reporting",
    "Remarketing",
    "Integrations",
    "Video",
    "Local",
)
STRANGERS = 10**8
"""Added to a number for visitors whom nobody ever identifies."""


def visitor_ids(world: World, person: np.ndarray) -> pl.Series:
    """The cookie of a person's browser."""
    return ids("anon-", world.chunk, person, 14)


def twitter_handles(world: World, person: np.ndarray, people: pl.DataFrame) -> pl.Series:
    """A social handle for about one person in seven, null for others."""
    handle = (
        people["first"].str.to_lowercase() + "_" + people["last"].str.to_lowercase() + pl.Series(person).cast(pl.String)
    )
    return keep(world.draws.chance("handle", 0.15, person), handle + (f"x{world.chunk}" if world.chunk else ""))


def hubspot_contacts(world: World, population: Population) -> pl.DataFrame:
    """Contact versions: all leads and six in ten contacts of sales; the link to the CRM is missing for some."""
    draws, people = world.draws, population.people
    person, lead = people["person"].to_numpy(), people["lead"].to_numpy()
    row = np.flatnonzero((lead >= 0) | draws.chance("in hubspot", 0.6, person))
    people, person, lead = people[row], person[row], lead[row]
    created = people["known_from"].to_numpy() - np.where(lead >= 0, 300, -3 * DAY)
    converted = np.where(lead >= 0, population.leads["converted_at"].to_numpy()[lead], 0)
    synced = np.where(converted > 0, converted + 1800, np.where(lead < 0, created + DAY, world.horizon))
    stamps = np.stack([created, synced], axis=1)
    at, event = np.nonzero(stamps < world.horizon)
    stamp = stamps[at, event]
    company = population.leads.select("name", "domain", "country", "city")[lead.clip(0)]
    theirs = population.accounts.select("name", "domain", "country", "city")[people["account"].to_numpy().clip(0)]
    of = {name: either(lead >= 0, company[name], theirs[name]) for name in company.columns}
    country = of["country"].to_numpy()
    base = pl.DataFrame(
        {
            "id": ids("", world.chunk, person, 12),
            "email": people["email"],
            "firstname": people["first"],
            "lastname": people["last"],
            "company": keep(draws.chance("hubspot company", 0.8, person), of["name"]),
            "website": keep(draws.chance("hubspot website", 0.4, person), of["domain"]),
            "city": keep(
                draws.chance("hubspot city", 0.5, person),
                pick([c for cities in content.CITIES for c in cities], country * 6 + of["city"].to_numpy()),
            ),
            "country": keep(draws.chance("hubspot country", 0.75, person), pick(content.COUNTRIES, country)),
            "twitterhandle": twitter_handles(world, person, people),
            "linkedinbio": keep(
                draws.chance("linkedin", 0.25, person), people["first"] + " " + people["last"] + " on LinkedIn"
            ),
            "createdate": created,
        }
    )
    lead_linked = (lead >= 0) & draws.chance("hubspot lead", 0.8, person)
    contact_linked = draws.chance("hubspot contact", 0.7, person)
    return versions(
        base[at].with_columns(
            salesforceleadid=keep(lead_linked[at], lead_ids(world, lead[at])),
            salesforcecontactid=keep(contact_linked[at] & (event == 1), contact_ids(world, person[at])),
            lastmodifieddate=pl.Series(stamp),
        ),
        "id",
        "lastmodifieddate",
    )


def _audience(
    world: World, population: Population
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Row among people, event week, intent, health and age in weeks of all leads and customers' people."""
    people = population.people
    lead, account = (people[name].to_numpy() for name in ("lead", "account"))
    churned = population.accounts["churned_at"].to_numpy()[account.clip(0)]
    end = np.where(
        lead >= 0, np.minimum(lead_end(world, population)[lead] + 60 * DAY, world.horizon), churned + 90 * DAY
    )
    start = people["known_from"].to_numpy()
    customer = population.customer_of(account.clip(0))
    listed = (lead >= 0) | (customer >= 0)
    alive = weeks_of_life(world, start, end) & listed[:, None]
    row, at = np.nonzero(alive)
    at = np.array(world.event_weeks)[at]
    age = ((world.week_start(at) - start[row]) // (WEEK * DAY)).clip(0)
    fresh = (lead[row] < 0) | (age < 40)
    row, at, age = row[fresh], at[fresh], age[fresh]
    is_lead = lead[row] >= 0
    intent = np.where(is_lead, population.intent.total[lead[row], age.clip(0, LEAD_WEEKS - 1)], 0.0)
    health = np.where(is_lead, 0.0, population.health.total[customer[row], at] if len(population.customers) else 0.0)
    return row, at, intent, health, age


def mail_events(world: World, population: Population) -> pl.DataFrame:
    """Newsletters and what became of each; three in a hundred events arrive days late."""
    draws, people = world.draws, population.people
    row, at, intent, health, _ = _audience(world, population)
    person = people["person"].to_numpy()
    is_lead = people["lead"].to_numpy()[row] >= 0
    sent = draws.chance(
        "mail", np.where(is_lead, 0.2, 0.08) * np.minimum(world.week_activity[at], 1.2), person[row], at
    )
    row, at, mood = row[sent], at[sent], (intent + 0.5 * health)[sent]
    key = person[row]
    moment = world.in_week(at, "mail", key, at)
    good = moment > people["known_from"].to_numpy()[row]
    row, at, mood, key, moment = row[good], at[good], mood[good], key[good], moment[good]
    bounced = draws.chance("bounce", 0.02, key)
    opened = ~bounced & draws.chance("open", 1 / (1 + np.exp(0.9 - 1.5 * mood)), key, at)
    clicked = opened & draws.chance("click", 1 / (1 + np.exp(1.5 - 0.8 * mood)), key, at)
    left = opened & draws.chance("unsubscribe", 0.006, key, at)
    reaction = moment + (9 * 3600 * draws.exponential("open at", key, at)).astype(np.int64) + 60
    steps = [
        ("SENT", np.ones(len(row), dtype=bool), moment),
        ("DELIVERED", ~bounced, moment + 20),
        ("BOUNCE", bounced, moment + 25),
        ("OPEN", opened, reaction),
        ("CLICK", clicked, reaction + 40),
        ("UNSUBSCRIBED", left, reaction + 90),
    ]
    numbers = event_numbers(world, key, at, np.zeros(len(row), dtype=np.int64))
    campaign = pl.Series(80_000 + at).cast(pl.String)
    parts = []
    for position, (name, mask, when) in enumerate(steps):
        late = np.where(
            draws.chance("mail late", 0.03, key, at, position), 1 + draws.integer("mail late by", 8, key, at), 0
        )
        parts.append(
            pl.DataFrame(
                {
                    "id": numbers + f"-{position}",
                    "recipient": people["email"][row],
                    "type": name,
                    "emailCampaignId": campaign,
                    "created": when,
                    "receivedAt": when + 15 + late * DAY,
                }
            ).filter(pl.Series(mask))
        )
    return pl.concat(parts)


def forms(world: World, population: Population) -> pl.DataFrame:
    """Form submissions: the one that made a web lead, and more from leads who want something."""
    draws, people = world.draws, population.people
    leads = population.leads
    lead, source = leads["lead"].to_numpy(), leads["source"].to_numpy()
    of_leads = people.filter(pl.col("lead") >= 0)
    person = of_leads["person"].to_numpy()
    first = np.flatnonzero(source < 3)
    kind = np.where(source[first] == 2, 3, draws.choice("first form", (0.4, 0.35, 0.25), lead[first]))
    moment = leads["created_at"].to_numpy()[first] - 420
    row, at, intent, _, age = _audience(world, population)
    is_lead = people["lead"].to_numpy()[row] >= 0
    row, at, intent, age = row[is_lead], at[is_lead], intent[is_lead], age[is_lead]
    rate = 0.025 * np.exp(1.2 * intent - 0.05 * age) * world.week_activity[at]
    again = draws.chance("form", np.minimum(rate, 0.6), people["person"].to_numpy()[row], at)
    row, at, intent = row[again], at[again], intent[again]
    later = world.in_week(at, "form", people["person"].to_numpy()[row], at)
    more = people["lead"].to_numpy()[row]
    wanted = (intent + draws.normal("form kind", more, at) > 1.2).astype(np.int64)
    later_kind = np.where(wanted == 1, 1, 2 + draws.integer("other form", 3, more, at))
    all_leads = np.concatenate([lead[first], more])
    all_kinds = np.concatenate([kind, later_kind])
    when = np.concatenate([moment, later])
    week = np.concatenate([np.zeros(len(first), dtype=np.int64), at])
    frame = pl.DataFrame(
        {
            "conversionId": "f" + event_numbers(world, all_leads, week, np.zeros(len(all_leads), dtype=np.int64)),
            "formId": "form-" + pl.Series(all_kinds + 1).cast(pl.String),
            "formTitle": pick(FORMS, all_kinds),
            "pageUrl": "https://tidewise.example" + pick(("/contact", "/demo", "/blog", "/events", "/"), all_kinds),
            "email": keep(draws.chance("form mail", 0.98, all_leads, week), of_leads["email"][all_leads]),
            "visitorId": keep(
                draws.chance("form cookie", 0.85, all_leads, week), visitor_ids(world, person[all_leads])
            ),
            "submittedAt": when,
        }
    )
    return frame.filter(pl.col("submittedAt") >= np.concatenate([moment, leads["created_at"].to_numpy()[more]]))


def visits(world: World, population: Population) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sessions and their page views, of leads, of customers' people and of strangers; some arrive days late."""
    draws, people = world.draws, population.people
    row, at, intent, health, age = _audience(world, population)
    key = people["person"].to_numpy()[row]
    is_lead = people["lead"].to_numpy()[row] >= 0
    rate = np.where(is_lead, 0.3 * np.exp(1.4 * intent - 0.045 * age), 0.07 * np.exp(0.15 * health))
    place, at_event, number = expand(
        draws.poisson("visits", np.minimum(rate * world.week_activity[at], 3), key, at), np.arange(len(row)), at
    )
    start = world.in_week(at_event, "visit", key[place], at_event, number)
    good = start > people["known_from"].to_numpy()[row[place]] - 2 * DAY
    place, at_event, number, start = place[good], at_event[good], number[good], start[good]

    week = np.array(world.event_weeks)
    strangers = draws.poisson("strangers", 0.1 * world.accounts * world.week_activity[week], week)
    unknown_week, unknown = np.repeat(week, strangers), repeated(strangers)[1]
    zero = np.zeros(len(unknown), dtype=np.int64)
    person = np.concatenate([key[place], STRANGERS + unknown])
    at_event = np.concatenate([at_event, unknown_week])
    number = np.concatenate([number, 50 + zero])
    start = np.concatenate([start, world.in_week(unknown_week, "stranger", unknown, unknown_week)])
    known = np.arange(len(person)) < len(place)
    lead_visit = np.concatenate([is_lead[place], zero > 0])
    mood = np.concatenate([np.where(is_lead, intent, health)[place], zero - 0.5])
    keys = (person, at_event, number)
    pages = np.minimum(1 + draws.poisson("pages", 1.6 * np.exp(0.25 * np.where(lead_visit, mood, 0)), *keys), 20)
    minutes = pages * 1.3 * draws.exponential("minutes", *keys)
    late = np.where(draws.chance("visit late", 0.02, *keys), 1 + draws.integer("visit late by", 4, *keys), 0)
    logged_in = known & ~lead_visit & draws.chance("logged in", 0.55, *keys)
    mails = people["email"][np.concatenate([row[place], zero])]
    channel = draws.choice("visit channel", (0.34, 0.28, 0.14, 0.08, 0.1, 0.06), *keys)
    visitor = visitor_ids(world, np.where(draws.chance("other device", 0.15, *keys), person + 2 * 10**9, person))
    stranger_ids = ids("anon-", world.chunk, 10**9 + at_event * 10**6 + person % STRANGERS, 14)
    session = "s" + event_numbers(world, *keys)
    end = start + (60 * minutes).astype(np.int64) + 5
    received = end + 30 + late * DAY
    item, turn = repeated(pages)
    of_view = (person[item], at_event[item], number[item])
    page = _paths(world, of_view, turn, mood[item], lead_visit[item], known[item])
    viewed = start[item] + ((end - start)[item] * turn / pages[item]).astype(np.int64)
    path, title = _pages(world, page, (*of_view, turn), viewed, np.where(lead_visit & known, mood, -np.inf)[item])
    cookie = either(known, visitor, stranger_ids)
    sessions = pl.DataFrame(
        {
            "session_id": session,
            "anonymous_id": cookie,
            "user_id": keep(logged_in, mails),
            "session_start": start,
            "session_end": end,
            "received_at": received,
            "pageviews": pages,
            "landing_page": path.filter(pl.Series(turn == 0)),
            "referrer": pick([c[0] for c in CHANNELS], channel),
            "utm_source": pick([c[1] for c in CHANNELS], channel),
            "utm_medium": pick([c[2] for c in CHANNELS], channel),
            "utm_campaign": keep(channel == 2, pick(AD_CAMPAIGNS, draws.integer("visit ad", len(AD_CAMPAIGNS), *keys))),
            "country": pick(content.COUNTRY_CODES, draws.choice("visit country", content.COUNTRY_WEIGHTS, person)),
            "device_category": pick(DEVICES, draws.choice("device", (0.7, 0.25, 0.05), *keys)),
        }
    )
    views = pl.DataFrame(
        {
            "page_view_id": session[item] + "-" + pl.Series(turn).cast(pl.String),
            "session_id": session[item],
            "anonymous_id": cookie[item],
            "path": path,
            "title": title,
            "viewed_at": viewed,
            "received_at": received[item],
        }
    )
    since = world.first_day * DAY
    return sessions.filter(pl.col("session_start") >= since), views.filter(pl.Series((start >= since)[item]))


def _pages(
    world: World, page: np.ndarray, keys: tuple[np.ndarray, ...], viewed: np.ndarray, intent: np.ndarray
) -> tuple[pl.Series, pl.Series]:
    """Path and title of what is looked at; most of who is at the blog reads one of its articles."""
    row = np.flatnonzero(page == BLOG)
    person, *_ = keys
    read, headline = read_articles(world, person[row], tuple(key[row] for key in keys), viewed[row], intent[row])
    found = []
    for usual, of_article in ((PATHS, read), (PAGE_TITLES, headline)):
        texts = pl.concat([pl.Series(list(usual)), of_article.fill_null(usual[BLOG])])
        place = page.copy()
        place[row] = len(usual) + np.arange(len(row))
        found.append(texts.gather(pl.Series(place)))
    return found[0], found[1]


def _paths(
    world: World,
    keys: tuple[np.ndarray, ...],
    turn: np.ndarray,
    mood: np.ndarray,
    is_lead: np.ndarray,
    is_known: np.ndarray,
) -> np.ndarray:
    """Which page: leads who want it look at prices and demos, customers who leave at how to."""
    draw = world.draws.uniform("path", *keys, turn)
    usual = np.searchsorted(
        np.cumsum([0.3, 0.04, 0.14, 0.03, 0.18, 0.06, 0.08, 0.09, 0.0, 0.0, 0.05, 0.03]), draw
    ).clip(0, 11)
    eager = world.draws.chance("eager", np.where(is_lead, 0.28 / (1 + np.exp(-mood)), 0.0), *keys, turn)
    leaving = world.draws.chance(
        "leaving", np.where(is_known & ~is_lead, 0.08 / (1 + np.exp(1.5 * mood + 1)), 0.0), *keys, turn
    )
    at_help = is_known & ~is_lead & (draw < 0.4)
    page = np.where(at_help, 6 + (draw < 0.25), usual)
    page = np.where(eager, np.where(draw < 0.6, 1, 3), page)
    return np.where(leaving, np.where(draw < 0.5, 8, 9), page)


def campaign_stats(world: World) -> pl.DataFrame:
    """Paid search by campaign and day. Company-wide."""
    days = np.arange(max(world.first_day, world.since_day), world.last_day + 1)
    campaign, day = (grid.ravel() for grid in np.meshgrid(np.arange(len(AD_CAMPAIGNS)), days))
    draws = world.draws
    busy = activity(days)[day - days[0]] if len(days) else np.empty(0)
    trend = 1.2 ** ((day - world.first_day) / 365.25)
    size = (0.4 + 1.2 * draws.uniform("ad size", campaign)) * world.plan.accounts / 2000
    impressions = draws.poisson("impressions", 2600 * size * busy * trend, campaign, day)
    clicks = np.minimum(
        draws.poisson("clicks", impressions * (0.015 + 0.02 * draws.uniform("ad", campaign))), impressions
    )
    price = (0.9 + 2.2 * draws.uniform("click price", campaign)) * (
        1 + 0.1 * draws.normal("day price", campaign, day).clip(-3, 3)
    )
    first_half = day - world.first_day < world.planned_days * 0.7
    paused = (campaign == len(AD_CAMPAIGNS) - 1) & ~first_half
    return pl.DataFrame(
        {
            "date": day * DAY,
            "customer_id": "482-119-3307",
            "campaign_id": pl.Series(9_100_000 + campaign).cast(pl.String),
            "campaign_name": pick(AD_CAMPAIGNS, campaign),
            "campaign_status": either(paused, "PAUSED", "ENABLED"),
            "impressions": np.where(paused, 0, impressions),
            "clicks": np.where(paused, 0, clicks),
            "cost_micros": np.where(paused, 0, np.rint(clicks * price * 100) * 10_000).astype(np.int64),
            "conversions": np.where(
                paused, 0.0, np.round(clicks * 0.04 * draws.exponential("conversions", campaign, day), 1)
            ),
            "currency_code": "USD",
        }
    ).sort("date", "campaign_id")
