"""Who there is in one chunk: companies, people, leads, deals and customers, and what really happens to them."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.sample import content
from pipelines.sample.frames import pick, repeated
from pipelines.sample.health import Health, Intent, simulate_health, simulate_intent
from pipelines.sample.plan import DAY, WEEK, World

OLD_SHARE, OUTBOUND_SHARE, LEADS_PER_ACCOUNT = 0.44, 0.22, 4.0
"""Accounts that were there before the first day, accounts that sales found, and leads, per account asked for."""
OLD_CUSTOMERS = 0.8
LEADS_GROWTH, OUTBOUND_GROWTH = 0.25, 0.15
OUTBOUND, INBOUND = 10**7, 2 * 10**7
"""A company's number: below OUTBOUND old ones, then those that sales found, then those that came with a lead."""
LEAD_PERSON = 5 * 10**8
"""A person's number: this and the lead's for leads, else ten times the company's number and a counter."""
INDUSTRY_EFFECTS = np.array([0.35, 0.05, -0.35, 0.2, 0.3, -0.15, 0.0, -0.4])
PARTNERS = ("None", "Brightpath", "Northgate Consulting", "Quickstart")
PARTNER_WEIGHTS = (0.4, 0.2, 0.2, 0.2)
PARTNER_EFFECTS = np.array([0.0, 0.65, 0.2, -0.85])
SOURCES = ("Web", "Google Ads", "Webinar", "Event", "Partner Referral", "Purchased List", "Outbound")
SOURCE_WEIGHTS = (0.3, 0.2, 0.15, 0.08, 0.08, 0.12, 0.07)
SOURCE_EFFECTS = np.array([0.35, 0.05, 0.15, -0.1, 0.8, -1.0, -0.3])
STAGES = ("Prospecting", "Qualification", "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost")
STAGE_PROBABILITY = (10, 25, 50, 75, 100, 0)


@dataclass(frozen=True)
class Population:
    """Frames have one row each, in a fixed order; times are seconds, 0 or the horizon where something never happens."""

    accounts: pl.DataFrame
    """uid, created_at, industry, employees, country, name, stem, domain, partner, batch, customer_from, churned_at."""
    leads: pl.DataFrame
    """lead, uid (company), created_at, source, title, converted_at, given_up_at, deal (row), account (row)."""
    intent: Intent
    people: pl.DataFrame
    """person, account (row, -1 for a lead without one), lead (row, -1), first, last, email, phone, title,
    known_from."""
    deals: pl.DataFrame
    """deal, account (row), lead (row, -1), created_at, closed_at, is_won, is_expansion, is_old."""
    customers: np.ndarray
    """The rows of `accounts` that ever become a customer."""
    health: Health
    """Of `customers`, in their order."""

    def customer_of(self, account: np.ndarray) -> np.ndarray:
        """The position among `customers` of account rows, -1 for those who never are one."""
        place = np.full(len(self.accounts), -1)
        place[self.customers] = np.arange(len(self.customers))
        return place[account]


def company_traits(world: World, uid: np.ndarray) -> pl.DataFrame:
    """What a company is, from its number alone: industry, employees, country (positions), names, domain, partner."""
    draws = world.draws
    dense = np.where(
        uid >= INBOUND, 3 * (uid - INBOUND) + 2, np.where(uid >= OUTBOUND, 3 * (uid - OUTBOUND) + 1, 3 * uid)
    )
    name, stem = content.company_names(dense + world.chunk * 30 * world.plan.chunk_size)
    country = draws.choice("country", content.COUNTRY_WEIGHTS, uid)
    domain = stem + "." + pick(content.DOMAIN_ENDINGS, np.where(draws.chance("dot com", 0.5, uid), 0, country))
    return pl.DataFrame(
        {
            "uid": uid,
            "industry": draws.choice("industry", (0.2, 0.14, 0.14, 0.1, 0.14, 0.1, 0.1, 0.08), uid),
            "employees": np.exp(np.clip(4.3 + 1.2 * draws.normal("employees", uid), 1.2, 9.5)).astype(np.int64),
            "country": country,
            "city": draws.integer("city", 6, uid),
            "name": name,
            "domain": domain,
            "partner": draws.choice("partner", PARTNER_WEIGHTS, uid),
            "batch": draws.integer("batch", 6, uid),
            "fit": draws.normal("fit", uid),
        }
    )


def health_level(traits: pl.DataFrame) -> np.ndarray:
    """The level of a customer's health: industry, size, implementation partner, and what nobody sees."""
    size = np.clip(np.log(traits["employees"].to_numpy()) - 4.3, -2, 2)
    partner = PARTNER_EFFECTS[traits["partner"].to_numpy()]
    industry = INDUSTRY_EFFECTS[traits["industry"].to_numpy()]
    return 0.15 + industry + 0.2 * size + partner + 0.25 * traits["fit"].to_numpy()


def make_people(world: World, person: np.ndarray, traits: pl.DataFrame, title: np.ndarray) -> pl.DataFrame:
    """Name, e-mail, phone and title of persons at companies; about 8 % write from a free mail address."""
    draws = world.draws
    first, last = (
        pick(names, draws.integer(stream, len(names), person))
        for stream, names in (("first", content.FIRST_NAMES), ("last", content.LAST_NAMES))
    )
    free = draws.chance("free mail", 0.08, person)
    number = pl.Series(draws.integer("mail number", 10_000, person)).cast(pl.String)
    frame = pl.DataFrame(
        {
            "first": first,
            "last": last,
            "domain": traits["domain"],
            "free": free,
            "provider": pick(content.FREE_MAIL, draws.integer("provider", 4, person)),
            "unique": pl.Series(person + 10**10 * world.chunk).cast(pl.String),
            "number": number,
            "dial": pick(content.DIAL_CODES, traits["country"].to_numpy()),
            "has_phone": draws.chance("has phone", 0.72, person),
            "line": pl.Series(draws.integer("line", 10**7, person)).cast(pl.String).str.zfill(7),
        }
    )
    mailbox = pl.concat_str(pl.col("first").str.to_lowercase(), pl.lit("."), pl.col("last").str.to_lowercase())
    return frame.select(
        pl.Series("person", person),
        "first",
        "last",
        pl.when("free")
        .then(pl.concat_str(mailbox, "unique", pl.lit("@"), "provider"))
        .otherwise(pl.concat_str(mailbox, pl.lit("."), "number", pl.lit("@"), "domain"))
        .alias("email"),
        pl.when("has_phone").then(pl.concat_str("dial", pl.lit(" 20 "), "line")).alias("phone"),
        pl.Series("title", title),
    )


def _lead_companies(world: World, count: int, old: int) -> np.ndarray:
    """The company of each lead: a quarter at old accounts, a third with an earlier lead's company, else a new one."""
    draws, lead = world.draws, np.arange(count)
    kind = draws.uniform("lead's company", lead)
    reach = max(int(0.3 * world.accounts), 2)
    parent = lead - 1 - draws.integer("earlier lead", reach, lead)
    at_old = (kind < 0.25) & (old > 0)
    root = np.where((kind < 0.6) & ~at_old & (parent >= 0), parent, lead)
    while (root[root] != root).any():
        root = root[root]
    company = np.where(at_old, draws.integer("old company", max(old, 1), lead), INBOUND + lead)
    return company[root]


def simulate(world: World) -> Population:
    """Everything that happens in the chunk's hidden world up to its horizon."""
    draws, size = world.draws, world.accounts
    start = world.first_day * DAY
    old = max(round(OLD_SHARE * size), 1)
    old_uid = np.arange(old)
    outbound_at = world.arrivals(OUTBOUND_SHARE * size, OUTBOUND_GROWTH, "outbound")
    outbound_uid = OUTBOUND + np.arange(len(outbound_at))

    lead_at = world.arrivals(LEADS_PER_ACCOUNT * size, LEADS_GROWTH, "leads")
    lead = np.arange(len(lead_at))
    lead_uid = _lead_companies(world, len(lead_at), old)
    lead_traits = company_traits(world, lead_uid)
    source = draws.choice("source", SOURCE_WEIGHTS, lead)
    title = draws.choice("lead title", content.TITLE_WEIGHTS, lead)
    level = (
        SOURCE_EFFECTS[source]
        + 0.8 * content.TITLE_EFFECTS[title]
        + 0.5 * INDUSTRY_EFFECTS[lead_traits["industry"].to_numpy()]
        + 0.15 * np.clip(np.log(lead_traits["employees"].to_numpy()) - 4.3, -2, 2)
        + 0.4 * draws.normal("lead level", lead)
    )
    intent = simulate_intent(world, lead, level, lead_at)
    is_converted = (intent.converted_at > 0) & (intent.converted_at < world.horizon)

    converted = np.flatnonzero(is_converted)
    by_time = converted[np.argsort(intent.converted_at[converted], kind="stable")]
    inbound_uid, first = np.unique(lead_uid[by_time], return_index=True)
    is_inbound = inbound_uid >= INBOUND
    inbound_uid, inbound_at = inbound_uid[is_inbound], intent.converted_at[by_time[first[is_inbound]]]

    uid = np.concatenate([old_uid, outbound_uid, inbound_uid])
    kind = np.repeat([0, 1, 2], [old, len(outbound_uid), len(inbound_uid)])
    age = (30 + 900 * draws.uniform("old age", old_uid)).astype(np.int64)
    created_at = np.concatenate([start - age * DAY + 9 * 3600, outbound_at, inbound_at])
    traits = company_traits(world, uid)

    account_of_lead = np.searchsorted(inbound_uid, lead_uid).clip(0, max(len(inbound_uid) - 1, 0))
    account_of_lead = np.where(lead_uid < OUTBOUND, lead_uid, old + len(outbound_uid) + account_of_lead)
    known = uid[account_of_lead.clip(0, len(uid) - 1)] == lead_uid
    account_of_lead = np.where(known, account_of_lead, -1)

    deals = _deals(world, kind, uid, created_at, converted, account_of_lead, intent)
    won_first = np.full(len(uid), world.horizon)
    won = deals.filter("is_won")
    np.minimum.at(won_first, won["account"].to_numpy(), won["closed_at"].to_numpy())
    customers = np.flatnonzero(won_first < world.horizon)
    level = health_level(traits)[customers]
    health = simulate_health(world, uid[customers], level, won_first[customers])
    churned_at = np.full(len(uid), world.horizon)
    churned_at[customers] = health.churned_at
    account = deals["account"].to_numpy()
    closed = deals["closed_at"].to_numpy()
    deals = deals.with_columns(
        is_won=pl.Series(deals["is_won"].to_numpy() & (closed < churned_at[account])),
        is_expansion=pl.Series(won_first[account] < deals["created_at"].to_numpy()),
    )
    accounts = traits.with_columns(
        created_at=pl.Series(created_at),
        kind=pl.Series(kind),
        customer_from=pl.Series(won_first),
        churned_at=pl.Series(churned_at),
    )
    deal_of_lead = np.full(len(lead), -1)
    from_lead = deals["lead"].to_numpy()
    deal_of_lead[from_lead[from_lead >= 0]] = np.flatnonzero(from_lead >= 0)
    leads = lead_traits.with_columns(
        lead=pl.Series(lead),
        created_at=pl.Series(lead_at),
        source=pl.Series(source),
        title=pl.Series(title),
        converted_at=pl.Series(np.where(is_converted, intent.converted_at, 0)),
        given_up_at=pl.Series(intent.given_up_at),
        account=pl.Series(account_of_lead),
        deal=pl.Series(deal_of_lead),
    )
    return Population(accounts, leads, intent, _people(world, accounts, leads, title), deals, customers, health)


def _deals(
    world: World,
    kind: np.ndarray,
    uid: np.ndarray,
    created_at: np.ndarray,
    converted: np.ndarray,
    account_of_lead: np.ndarray,
    intent: Intent,
) -> pl.DataFrame:
    """Deals: one of the past for each old account, one for each that sales found, one for each converted lead."""
    draws, start = world.draws, world.first_day * DAY
    direct = np.flatnonzero(kind < 2)
    is_old = kind[direct] == 0
    was_won = is_old & draws.chance("old customer", OLD_CUSTOMERS, uid[direct])
    opened = created_at[direct] + (DAY * (1 + 6 * draws.uniform("deal opened", uid[direct]))).astype(np.int64)
    idle = is_old & ~was_won
    opened = np.where(
        idle, start + (world.planned_days * DAY * draws.uniform("idle", uid[direct])).astype(np.int64), opened
    )

    number = np.concatenate([uid[direct], LEAD_PERSON + converted])
    account = np.concatenate([direct, account_of_lead[converted]])
    quality = draws.normal("deal quality", number)
    quality[len(direct) :] += 0.5 * intent.level[converted]
    opened = np.concatenate([opened, intent.converted_at[converted]])
    is_won = draws.chance("won", 1 / (1 + np.exp(0.2 - 0.9 * quality)), number)
    days = np.exp(3.6 - 0.2 * quality + 0.55 * draws.normal("cycle", number)).clip(5, 240)
    closed = world.at_work(opened // DAY + days.astype(np.int64) + 1, "closed", number)
    past = np.concatenate([was_won, np.zeros(len(converted), dtype=bool)])
    early = np.minimum(closed, start - 5 * DAY)
    return pl.DataFrame(
        {
            "deal": number,
            "account": account,
            "lead": np.concatenate([np.full(len(direct), -1), converted]),
            "created_at": opened,
            "closed_at": np.where(past, np.maximum(early, opened + DAY), closed),
            "is_won": is_won | past,
            "is_old": past,
            "quality": quality,
        }
    )


def _people(world: World, accounts: pl.DataFrame, leads: pl.DataFrame, lead_title: np.ndarray) -> pl.DataFrame:
    """Everyone: contacts whom sales enters at an account, then one person per lead (not per duplicate of it)."""
    draws = world.draws
    uid = accounts["uid"].to_numpy()
    count = np.minimum(1 + draws.poisson("contacts", 0.6 + 0.25 * np.log1p(accounts["employees"].to_numpy()), uid), 8)
    account, number = repeated(count)
    person = uid[account] * 10 + number
    title = draws.choice("contact title", content.TITLE_WEIGHTS[:10], person)
    entered = accounts["created_at"].to_numpy()[account] + (
        number * 40 * DAY * draws.uniform("entered", person)
    ).astype(np.int64)
    contacts = make_people(world, person, accounts[account], title).with_columns(
        account=pl.Series(account), lead=pl.lit(-1, dtype=pl.Int64), known_from=pl.Series(entered)
    )
    of_leads = make_people(world, LEAD_PERSON + leads["lead"].to_numpy(), leads, lead_title).with_columns(
        account=leads["account"], lead=leads["lead"], known_from=leads["created_at"]
    )
    return pl.concat([contacts, of_leads])


def weeks_of_life(world: World, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Boolean (items, event weeks): the week touches the span."""
    week = world.week_start(np.array(world.event_weeks))
    return (week[None, :] + WEEK * DAY > start[:, None]) & (week[None, :] < end[:, None])
