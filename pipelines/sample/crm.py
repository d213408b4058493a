"""Salesforce: accounts, contacts, leads, opportunities with their history, campaigns, members and tasks."""

import numpy as np
import polars as pl

from pipelines.sample import content
from pipelines.sample.frames import either, event_numbers, expand, ids, keep, pick, repeated, versions
from pipelines.sample.health import LEAD_WEEKS
from pipelines.sample.plan import DAY, WEEK, World
from pipelines.sample.population import (
    LEAD_PERSON,
    PARTNERS,
    SOURCES,
    STAGE_PROBABILITY,
    STAGES,
    Population,
    weeks_of_life,
)

OWNERS = [f"005{number:015d}" for number in range(1, 13)]
MERGED = 3 * 10**9
"""Added to a record's number for its accidental second record."""
PLAN_PRICES = (2500, 4500, 7500)
PLANS = ("Starter", "Team", "Business")
CAMPAIGN_TYPES = ("Webinar", "Event", "Content", "Email")
CAMPAIGNS_PER_QUARTER = 4
CAMPAIGN_TOPICS = ("reporting", "integrations", "security", "onboarding", "pricing", "api", "mobile", "automation")


def account_ids(world: World, uid: np.ndarray) -> pl.Series:
    """Salesforce ids of companies."""
    return ids("001", world.chunk, uid)


def contact_ids(world: World, person: np.ndarray) -> pl.Series:
    """Salesforce ids of people."""
    return ids("003", world.chunk, person)


def lead_ids(world: World, lead: np.ndarray) -> pl.Series:
    """Salesforce ids of leads."""
    return ids("00Q", world.chunk, lead)


def owners(world: World, key: np.ndarray) -> pl.Series:
    """Who takes care of a record."""
    return pick(OWNERS, world.draws.integer("owner", len(OWNERS), key))


def seats(accounts: pl.DataFrame, world: World) -> np.ndarray:
    """The seats a company starts with."""
    uid = accounts["uid"].to_numpy()
    share = 0.1 * np.exp(0.5 * world.draws.normal("seats", uid))
    return np.clip(accounts["employees"].to_numpy() * share, 3, 400).astype(np.int64)


def plans(accounts: pl.DataFrame, world: World) -> np.ndarray:
    """Position of the plan a company takes: the larger, the higher."""
    size = np.log(accounts["employees"].to_numpy()) + world.draws.normal("plan", accounts["uid"].to_numpy())
    return (size > 4.2).astype(np.int64) + (size > 5.6)


def list_price(world: World, plan: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """Cents per seat and month at that moment: 12 % more from the day of the price change."""
    price = np.array(PLAN_PRICES)[plan]
    return np.where(moment >= world.price_day * DAY, np.rint(price * 1.12 / 100) * 100, price).astype(np.int64)


def _later(world: World, stream: str, key: np.ndarray, start: np.ndarray, days: float) -> np.ndarray:
    """Seconds: office hours, so many days after the start on average."""
    wait = (days * world.draws.exponential(stream, key)).astype(np.int64)
    return np.maximum(world.at_work(start // DAY + wait, stream, key), start + 60)


def accounts(world: World, population: Population) -> pl.DataFrame:
    """Account versions, duplicates that are merged later, and deletions."""
    draws, frame = world.draws, population.accounts
    uid, created = frame["uid"].to_numpy(), frame["created_at"].to_numpy()
    customer_from, churned = frame["customer_from"].to_numpy(), frame["churned_at"].to_numpy()
    enriched = np.where(
        draws.chance("enriched", 0.35, uid), _later(world, "enriched", uid, created, 200), world.horizon
    )
    noted = np.where(churned < world.horizon, _later(world, "churn noted", uid, churned, 2), world.horizon)
    won_noted = np.where(customer_from < world.horizon, customer_from + 120, world.horizon)
    deleted = draws.chance("account deleted", 0.02, uid) & (customer_from == world.horizon)
    deleted_at = np.where(deleted, _later(world, "account deleted", uid, created + 90 * DAY, 120), world.horizon)
    stamps = np.stack([created, enriched, won_noted, noted, deleted_at], axis=1)
    row, event = np.nonzero((stamps < world.horizon) & (stamps <= deleted_at[:, None]))
    stamp = stamps[row, event]
    base = _account_attributes(world, frame, uid)
    found = base[row].with_columns(
        Type=either(
            stamp >= noted[row], "Former Customer", either(stamp >= won_noted[row], "Customer - Direct", "Prospect")
        ),
        NumberOfEmployees=either(
            stamp >= enriched[row], frame["employees"].to_numpy()[row], base["NumberOfEmployees"][row]
        ),
        IsDeleted=pl.Series(stamp >= deleted_at[row]),
        MasterRecordId=pl.lit(None, dtype=pl.String),
        SystemModstamp=pl.Series(stamp),
    )
    twin = np.flatnonzero(draws.chance("account twin", 0.025, uid))
    twin_uid = uid[twin]
    twin_at = _later(world, "account twin", twin_uid, created[twin] + 20 * DAY, 150)
    merged_at = _later(world, "account merged", twin_uid, twin_at, 45)
    copy = base[twin].with_columns(
        Id=account_ids(world, twin_uid + MERGED),
        Name=base["Name"][twin].str.replace(" ", "") + pick((" Inc", " Ltd.", ""), draws.integer("twin", 3, twin_uid)),
        Phone=pl.lit(None, dtype=pl.String),
        CreatedDate=pl.Series(twin_at),
        Type=pl.lit("Prospect"),
    )
    twins = [
        copy.with_columns(
            IsDeleted=pl.lit(False), MasterRecordId=pl.lit(None, dtype=pl.String), SystemModstamp=pl.Series(twin_at)
        ),
        copy.with_columns(
            IsDeleted=pl.lit(True), MasterRecordId=account_ids(world, twin_uid), SystemModstamp=pl.Series(merged_at)
        ),
    ]
    return versions(pl.concat([found, *twins], how="diagonal_relaxed"), "Id", "SystemModstamp")


def _account_attributes(world: World, frame: pl.DataFrame, uid: np.ndarray) -> pl.DataFrame:
    draws = world.draws
    country, city = frame["country"].to_numpy(), frame["city"].to_numpy()
    employees = frame["employees"].to_numpy()
    rough = np.rint(employees * np.exp(0.3 * draws.normal("rough size", uid))).astype(np.int64)
    revenue = np.rint(employees * 140 * np.exp(0.5 * draws.normal("revenue", uid))) * 1000
    return pl.DataFrame(
        {
            "Id": account_ids(world, uid),
            "Name": frame["name"],
            "Type": pl.Series([None], dtype=pl.String).gather(np.zeros(len(uid), dtype=np.int64)),
            "Industry": keep(
                draws.chance("has industry", 0.93, uid), pick(content.INDUSTRIES, frame["industry"].to_numpy())
            ),
            "NumberOfEmployees": keep(draws.chance("has size", 0.85, uid), rough),
            "AnnualRevenue": keep(draws.chance("has revenue", 0.6, uid), revenue),
            "Website": keep(draws.chance("has website", 0.92, uid), "https://www." + frame["domain"]),
            "Phone": keep(
                draws.chance("has account phone", 0.7, uid),
                pick(content.DIAL_CODES, country)
                + " 30 "
                + pl.Series(draws.integer("phone", 10**7, uid)).cast(pl.String).str.zfill(7),
            ),
            "BillingCountry": keep(draws.chance("has country", 0.96, uid), pick(content.COUNTRIES, country)),
            "BillingCity": keep(
                draws.chance("has city", 0.85, uid),
                pick([c for row in content.CITIES for c in row], country * 6 + city),
            ),
            "OwnerId": owners(world, uid),
            "CreatedDate": frame["created_at"],
            "Implementation_Partner__c": keep(
                draws.chance("has partner", 0.95, uid), pick(PARTNERS, frame["partner"].to_numpy())
            ),
            "Billing_Batch__c": "B" + (frame["batch"] + 1).cast(pl.String),
        }
    )


def contacts(world: World, population: Population) -> pl.DataFrame:
    """Contact versions: those that sales enters, and those that come from a converted lead."""
    draws, people, frame = world.draws, population.people, population.accounts
    person, lead = people["person"].to_numpy(), people["lead"].to_numpy()
    converted = population.leads["converted_at"].to_numpy()
    from_lead = lead >= 0
    row = np.flatnonzero(~from_lead | (converted[lead] > 0))
    person, lead, account = person[row], lead[row], people["account"].to_numpy()[row]
    created = np.where(lead >= 0, converted[lead], people["known_from"].to_numpy()[row])
    moved = np.where(
        draws.chance("contact changed", 0.2, person),
        _later(world, "contact changed", person, created, 200),
        world.horizon,
    )
    deleted = np.where(
        draws.chance("contact deleted", 0.01, person),
        _later(world, "contact deleted", person, created + 60 * DAY, 200),
        world.horizon,
    )
    stamps = np.stack([created, moved, deleted], axis=1)
    at, event = np.nonzero((stamps < world.horizon) & (stamps <= deleted[:, None]))
    stamp = stamps[at, event]
    country = frame["country"].to_numpy()[account]
    title = people["title"].to_numpy()[row]
    base = pl.DataFrame(
        {
            "Id": contact_ids(world, person),
            "AccountId": account_ids(world, frame["uid"].to_numpy()[account]),
            "FirstName": people["first"][row],
            "LastName": people["last"][row],
            "Email": keep(draws.chance("has email", 0.96, person), people["email"][row]),
            "MailingCountry": keep(draws.chance("has mailing country", 0.7, person), pick(content.COUNTRIES, country)),
            "MailingCity": keep(
                draws.chance("has mailing city", 0.6, person),
                pick([c for cities in content.CITIES for c in cities], country * 6 + frame["city"].to_numpy()[account]),
            ),
            "LeadSource": either(
                lead >= 0,
                pick(SOURCES, population.leads["source"].to_numpy()[lead]),
                pick(("Outbound", "Partner Referral"), person % 2),
            ),
            "OwnerId": owners(world, frame["uid"].to_numpy()[account]),
            "CreatedDate": created,
        }
    )
    promoted = np.where(
        (stamp >= moved[at]) & draws.chance("promoted", 0.5, person)[at], (title[at] - 2).clip(0, None), title[at]
    )
    found = base[at].with_columns(
        Phone=keep((stamp >= moved[at]) | draws.chance("phone known", 0.8, person)[at], people["phone"][row[at]]),
        Title=pick(content.TITLES, promoted),
        IsDeleted=pl.Series(stamp >= deleted[at]),
        MasterRecordId=pl.lit(None, dtype=pl.String),
        SystemModstamp=pl.Series(stamp),
    )
    return versions(found, "Id", "SystemModstamp")


def lead_twins(world: World, population: Population) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Duplicates of leads: the lead, when its second record appears, and when that is merged (the horizon: never)."""
    lead = population.leads["lead"].to_numpy()
    twin = lead[world.draws.chance("lead twin", 0.04, lead)]
    at = _later(world, "lead twin", twin, population.leads["created_at"].to_numpy()[twin] + DAY, 12)
    merged = _later(world, "lead merged", twin, at + DAY, 25)
    return twin, at, np.where(world.draws.chance("lead is merged", 0.55, twin), merged, world.horizon)


def lead_end(world: World, population: Population) -> np.ndarray:
    """Seconds at which a lead is no longer open: converted or given up, else the horizon."""
    converted, given_up = (population.leads[name].to_numpy() for name in ("converted_at", "given_up_at"))
    return np.where(converted > 0, converted, np.where(given_up > 0, given_up, world.horizon))


def leads(world: World, population: Population) -> pl.DataFrame:
    """Lead versions. At conversion sales overwrites status, rating and size: the classic leak."""
    draws, frame, intent = world.draws, population.leads, population.intent
    lead, created = frame["lead"].to_numpy(), frame["created_at"].to_numpy()
    converted, given_up = frame["converted_at"].to_numpy(), frame["given_up_at"].to_numpy()
    end = lead_end(world, population)
    worked = _later(world, "contacted", lead, created, 3)
    worked = np.where(worked < end, worked, world.horizon)
    rated = _later(world, "rated", lead, created + 6 * DAY, 9)
    rated = np.where((rated < end) & draws.chance("is rated", 0.7, lead), rated, world.horizon)
    deleted = draws.chance("lead deleted", 0.012, lead) & (converted == 0)
    deleted = np.where(deleted, _later(world, "lead deleted", lead, created + 10 * DAY, 60), world.horizon)
    stamps = np.stack([created, worked, rated, np.where(end < world.horizon, end, world.horizon), deleted], axis=1)
    row, event = np.nonzero((stamps < world.horizon) & (stamps <= deleted[:, None]))
    stamp = stamps[row, event]
    is_converted = (converted[row] > 0) & (stamp >= converted[row])
    is_given_up = (given_up[row] > 0) & (stamp >= given_up[row])
    opinion = intent.total[:, 2] + 0.4 * draws.normal("opinion", lead)
    rating = pick(("Cold", "Warm", "Hot"), (opinion > -0.4).astype(np.int64) + (opinion > 1.0))
    has_size = draws.chance("lead has size", 0.6, lead)[row]
    person = population.people.filter(pl.col("lead") >= 0)
    base = _lead_attributes(world, population, person)
    status = either(stamp >= worked[row], "Working - Contacted", "Open - Not Contacted")
    status = either(is_given_up, "Closed - Not Converted", either(is_converted, "Closed - Converted", status))
    account = frame["account"].to_numpy()[row]
    deal = population.deals["deal"].to_numpy()[frame["deal"].to_numpy()[row]]
    found = base[row].with_columns(
        NumberOfEmployees=keep(
            is_converted | (has_size & (created[row] >= world.half_way_day * DAY)), frame["employees"][row]
        ),
        Status=status,
        Rating=either(is_converted, "Hot", keep(stamp >= rated[row], rating[row])),
        IsConverted=pl.Series(is_converted),
        ConvertedDate=keep(is_converted, converted[row]),
        ConvertedAccountId=keep(is_converted, account_ids(world, population.accounts["uid"].to_numpy()[account])),
        ConvertedContactId=keep(is_converted, contact_ids(world, LEAD_PERSON + lead[row])),
        ConvertedOpportunityId=keep(is_converted, ids("006", world.chunk, deal)),
        IsDeleted=pl.Series(stamp >= deleted[row]),
        MasterRecordId=pl.lit(None, dtype=pl.String),
        SystemModstamp=pl.Series(stamp),
    )
    twin, twin_at, merged_at = lead_twins(world, population)
    shape = draws.integer("twin shape", 3, twin)
    mail = base["Email"][twin]
    first = base["FirstName"][twin]
    copy = base[twin].with_columns(
        Id=lead_ids(world, twin + MERGED),
        Email=either(shape == 0, mail.str.to_uppercase(), either(shape == 1, mail.str.to_titlecase(), mail)),
        FirstName=either(shape == 2, first.str.slice(0, 1) + ".", first),
        LastName=either(
            shape == 1,
            base["LastName"][twin].str.slice(0, 3) + base["LastName"][twin].str.slice(2),
            base["LastName"][twin],
        ),
        LeadSource=pick(SOURCES, draws.choice("twin source", (1, 1, 1, 1, 0, 2, 0), twin)),
        CreatedDate=pl.Series(twin_at),
        NumberOfEmployees=pl.lit(None, dtype=pl.Int64),
        Rating=pl.lit(None, dtype=pl.String),
        IsConverted=pl.lit(False),
    )
    is_merged = merged_at < world.horizon
    twins = [
        copy.with_columns(
            Status=pl.lit("Open - Not Contacted"), IsDeleted=pl.lit(False), SystemModstamp=pl.Series(twin_at)
        ),
        copy.filter(pl.Series(is_merged)).with_columns(
            Status=pl.lit("Open - Not Contacted"),
            IsDeleted=pl.lit(True),
            MasterRecordId=lead_ids(world, twin[is_merged]),
            SystemModstamp=pl.Series(merged_at[is_merged]),
        ),
    ]
    return versions(pl.concat([found, *twins], how="diagonal_relaxed"), "Id", "SystemModstamp")


def _lead_attributes(world: World, population: Population, person: pl.DataFrame) -> pl.DataFrame:
    draws, frame = world.draws, population.leads
    lead, country = frame["lead"].to_numpy(), frame["country"].to_numpy()
    return pl.DataFrame(
        {
            "Id": lead_ids(world, lead),
            "FirstName": keep(draws.chance("lead first", 0.95, lead), person["first"]),
            "LastName": person["last"],
            "Email": keep(draws.chance("lead email", 0.97, lead), person["email"]),
            "Phone": person["phone"],
            "Company": keep(draws.chance("lead company", 0.95, lead), frame["name"]),
            "Title": keep(draws.chance("lead has title", 0.85, lead), pick(content.TITLES, frame["title"].to_numpy())),
            "Website": keep(draws.chance("lead website", 0.5, lead), frame["domain"]),
            "Industry": keep(
                draws.chance("lead industry", 0.75, lead), pick(content.INDUSTRIES, frame["industry"].to_numpy())
            ),
            "Country": keep(draws.chance("lead country", 0.9, lead), pick(content.COUNTRIES, country)),
            "City": keep(
                draws.chance("lead city", 0.6, lead),
                pick([c for cities in content.CITIES for c in cities], country * 6 + frame["city"].to_numpy()),
            ),
            "LeadSource": pick(SOURCES, frame["source"].to_numpy()),
            "OwnerId": owners(world, lead),
            "CreatedDate": frame["created_at"],
        }
    )


def opportunities(world: World, population: Population) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Opportunity versions, one per stage, and the history of the stages."""
    draws, deals, frame = world.draws, population.deals, population.accounts
    deal, account = deals["deal"].to_numpy(), deals["account"].to_numpy()
    opened, closed, is_won = (deals[name].to_numpy() for name in ("created_at", "closed_at", "is_won"))
    reached = np.where(is_won, 4, 1 + draws.choice("lost after", (0.35, 0.25, 0.25, 0.15), deal))
    row, stage = repeated(reached + 1)
    share = np.where(stage < reached[row], (stage / (reached[row])) ** 1.2, 1.0)
    stamp = opened[row] + (share * (closed - opened)[row]).astype(np.int64)
    last = stage == reached[row]
    stamp = np.where(last, closed[row], np.minimum(stamp, closed[row] - 600 * (reached[row] - stage)))
    stage = np.where(last, np.where(is_won[row], 4, 5), stage)
    plan, count = plans(frame, world)[account], seats(frame, world)[account]
    count = np.where(deals["is_expansion"].to_numpy(), np.maximum(count // 4, 1), count)
    price = list_price(world, plan, closed)
    guess = np.exp(0.25 * draws.normal("deal guess", deal))[row]
    amount = (12 * price * count / 100)[row] * np.where(last | (stage >= 2), 1.0, guess)
    expected = closed[row] + ((1 - share) * 40 * DAY * draws.normal("close guess", deal)[row]).astype(np.int64)
    expected = np.where(last, closed[row], np.maximum(expected, stamp + 3 * DAY))
    lead = deals["lead"].to_numpy()
    expansion = deals["is_expansion"].to_numpy()
    base = pl.DataFrame(
        {
            "Id": ids("006", world.chunk, deal),
            "AccountId": account_ids(world, frame["uid"].to_numpy()[account]),
            "Name": frame["name"][account] + either(expansion, " - more seats", " - new"),
            "Type": either(expansion, "Existing Business", "New Business"),
            "LeadSource": either(lead >= 0, pick(SOURCES, population.leads["source"].to_numpy()[lead]), "Outbound"),
            "OwnerId": owners(world, frame["uid"].to_numpy()[account]),
            "CurrencyIsoCode": pick(content.CURRENCIES, frame["country"].to_numpy()[account]).str.to_uppercase(),
            "CreatedDate": opened,
        }
    )
    found = base[row].with_columns(
        StageName=pick(STAGES, stage),
        Amount=keep((stage > 0) | draws.chance("early amount", 0.6, deal)[row], np.rint(amount)),
        Probability=pl.Series(np.array(STAGE_PROBABILITY)[stage].astype(np.float64)),
        CloseDate=pl.Series(expected),
        ForecastCategory=pick(("Pipeline", "Pipeline", "Best Case", "Commit", "Closed", "Omitted"), stage),
        CampaignId=pl.lit(None, dtype=pl.String),
        IsClosed=pl.Series(stage >= 4),
        IsWon=pl.Series(stage == 4),
        IsDeleted=pl.lit(False),
        SystemModstamp=pl.Series(stamp),
    )
    history = found.select(
        ids("008", world.chunk, deal[row] * 8 + stage).alias("Id"),
        pl.col("Id").alias("OpportunityId"),
        "StageName",
        "Amount",
        "Probability",
        "CloseDate",
        pl.col("SystemModstamp").alias("CreatedDate"),
    )
    return versions(found, "Id", "SystemModstamp"), history


def campaign_calendar(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Number and first second of every campaign: four a quarter, from before the first day on."""
    quarters = (world.last_day - world.first_day) // 91 + 2
    number = np.arange(quarters * CAMPAIGNS_PER_QUARTER)
    start = world.first_day - 60 + (number // CAMPAIGNS_PER_QUARTER) * 91 + (number % CAMPAIGNS_PER_QUARTER) * 21
    return number, start * DAY + 8 * 3600


def campaigns(world: World) -> pl.DataFrame:
    """Campaign versions: planned, in progress, completed. Company-wide."""
    number, start = campaign_calendar(world)
    row, state = repeated(np.full(len(number), 3))
    stamp = start[row] + np.array([-20, 0, 30])[state] * DAY
    topic = pick(CAMPAIGN_TOPICS, number % len(CAMPAIGN_TOPICS)).str.to_titlecase()
    kind = pick(CAMPAIGN_TYPES, number % CAMPAIGNS_PER_QUARTER)
    budget = np.rint(4000 + 9000 * world.draws.uniform("budget", number))
    return pl.DataFrame(
        {
            "Id": ids("701", 0, number)[row],
            "Name": (kind + ": " + topic + " " + (pl.Series(number) + 1).cast(pl.String))[row],
            "Type": kind[row],
            "Status": pick(("Planned", "In Progress", "Completed"), state),
            "StartDate": start[row],
            "EndDate": start[row] + 30 * DAY,
            "BudgetedCost": budget[row],
            "ActualCost": np.where(state == 2, np.rint(budget[row] * 1.08), 0.0),
            "IsActive": state == 1,
            "CreatedDate": (start - 20 * DAY)[row],
            "SystemModstamp": stamp,
        }
    )


def campaign_members(world: World, population: Population) -> pl.DataFrame:
    """Members: leads and contacts who were reached, and those who responded in a later version."""
    draws = world.draws
    number, start = campaign_calendar(world)
    people = population.people
    person, known_from, lead = (people[name].to_numpy() for name in ("person", "known_from", "lead"))
    end = np.where(
        lead >= 0,
        lead_end(world, population)[lead],
        population.accounts["churned_at"].to_numpy()[people["account"].to_numpy()],
    )
    converted = population.leads["converted_at"].to_numpy()[lead]
    rows = []
    for campaign, moment in zip(number, start, strict=True):
        open_now = (known_from < moment) & (end > moment) & (moment - known_from < 400 * DAY)
        chance = np.where(lead >= 0, 0.12, 0.05)
        rows.append((np.flatnonzero(open_now & draws.chance("member", chance, person, campaign)), campaign, moment))
    row = np.concatenate([found for found, _, _ in rows])
    campaign = np.repeat([c for _, c, _ in rows], [len(found) for found, _, _ in rows]).astype(np.int64)
    moment = start[campaign]
    age = ((moment - population.leads["created_at"].to_numpy()[lead[row]]) // (WEEK * DAY)).clip(0, LEAD_WEEKS - 1)
    mood = np.where(lead[row] >= 0, population.intent.total[lead[row], age], 0.0)
    responds = draws.chance("responds", 1 / (1 + np.exp(1.6 - 0.9 * mood)), person[row], campaign)
    created = moment + (6 * 3600 * draws.uniform("member at", person[row], campaign)).astype(np.int64)
    answered = created + (12 * DAY * draws.uniform("answered", person[row], campaign)).astype(np.int64) + 3600
    is_contact = (lead[row] < 0) | (converted > 0)[row] & (converted[row] < created)
    base = pl.DataFrame(
        {
            "Id": "00v"
            + (pl.Series(campaign * 10**12 + person[row] + world.chunk * 10**10)).cast(pl.String).str.zfill(15),
            "CampaignId": ids("701", 0, campaign),
            "LeadId": keep(lead[row] >= 0, lead_ids(world, lead[row])),
            "ContactId": keep(is_contact, contact_ids(world, person[row])),
            "CreatedDate": created,
        }
    )
    sent = base.with_columns(
        Status=pl.lit("Sent"),
        HasResponded=pl.lit(False),
        FirstRespondedDate=pl.lit(None, dtype=pl.Int64),
        SystemModstamp=pl.Series(created),
    )
    response = base.with_columns(
        Status=pl.lit("Responded"),
        HasResponded=pl.lit(True),
        FirstRespondedDate=pl.Series(answered),
        SystemModstamp=pl.Series(answered),
    )
    return versions(pl.concat([sent, response.filter(pl.Series(responds))]), "Id", "SystemModstamp")


def tasks(world: World, population: Population) -> pl.DataFrame:
    """Calls, mails and meetings: with open leads, more with those who answer, and with customers."""
    draws, frame = world.draws, population.leads
    week = np.array(world.event_weeks)
    lead, created = frame["lead"].to_numpy(), frame["created_at"].to_numpy()
    alive = weeks_of_life(world, created, lead_end(world, population))
    item, at = np.nonzero(alive)
    age = ((world.week_start(week[at]) - created[item]) // (WEEK * DAY)).clip(0, LEAD_WEEKS - 1)
    live = (world.week_start(week[at]) - created[item]) < 300 * DAY
    rate = 0.28 * np.exp(0.9 * population.intent.total[item, age] - 0.06 * age) * world.week_activity[week[at]] * live
    item, at, number = expand(draws.poisson("lead tasks", rate, lead[item], week[at]), item, week[at])
    moment = world.in_week(at, "lead task", lead[item], at, number)
    good = (moment >= created[item]) & (moment < lead_end(world, population)[item])
    item, at, number, moment = item[good], at[good], number[good], moment[good]
    of_leads = pl.DataFrame(
        {
            "Id": "00T1" + event_numbers(world, lead[item], at, number),
            "WhoId": lead_ids(world, lead[item]),
            "WhatId": pl.Series([None] * len(item), dtype=pl.String),
            "AccountId": pl.Series([None] * len(item), dtype=pl.String),
            "kind": draws.choice("lead task kind", (0.45, 0.4, 0.1, 0.05), lead[item], at, number),
            "OwnerId": owners(world, lead[item]),
            "CreatedDate": moment,
        }
    )
    customers = population.customers
    accounts_ = population.accounts[customers]
    uid = accounts_["uid"].to_numpy()
    alive = weeks_of_life(world, accounts_["customer_from"].to_numpy(), accounts_["churned_at"].to_numpy())
    item, at = np.nonzero(alive)
    mood = population.health.total[item, week[at]]
    rate = 0.13 * np.exp(0.15 * np.abs(mood + 0.5)) * world.week_activity[week[at]]
    item, at, number = expand(draws.poisson("tasks", rate, uid[item], week[at]), item, week[at])
    moment = world.in_week(at, "task", uid[item], at, number)
    good = (moment >= accounts_["customer_from"].to_numpy()[item]) & (moment < accounts_["churned_at"].to_numpy()[item])
    item, at, number, moment = item[good], at[good], number[good], moment[good]
    of_accounts = pl.DataFrame(
        {
            "Id": "00T2" + event_numbers(world, uid[item], at, number),
            "WhoId": keep(draws.chance("task who", 0.8, uid[item], at), contact_ids(world, uid[item] * 10)),
            "WhatId": account_ids(world, uid[item]),
            "AccountId": account_ids(world, uid[item]),
            "kind": draws.choice("task kind", (0.35, 0.35, 0.25, 0.05), uid[item], at, number),
            "OwnerId": owners(world, uid[item]),
            "CreatedDate": moment,
        }
    )
    both = pl.concat([of_leads, of_accounts])
    kind = both["kind"].to_numpy()
    return both.with_columns(
        Subject=pick(("Call", "Email: follow-up", "Meeting", "To do"), kind),
        TaskSubtype=pick(("Call", "Email", "Meeting", "Task"), kind),
        Status=pl.lit("Completed"),
        Priority=pick(("Normal", "High"), (kind == 2).astype(np.int64)),
        ActivityDate=pl.col("CreatedDate"),
        CompletedDateTime=pl.col("CreatedDate"),
        IsDeleted=pl.lit(False),
        SystemModstamp=pl.col("CreatedDate") + 300,
    ).drop("kind")
