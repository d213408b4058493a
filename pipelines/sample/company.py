"""The sample company: a B2B subscription business that exports what its systems know, and a truth for tests."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from pipelines.sample import articles, billing, crm, labels, marketing, product, social, support, truth
from pipelines.sample.files import known_rows, month_ends, write_period
from pipelines.sample.plan import DAY, Plan, World, day_number, to_date
from pipelines.sample.population import simulate
from pipelines.sample.shapes import SHAPES

STATE_FILE = "sample.json"
CHUNK_ACCOUNTS = 5000
SHAPE_BY_NAME = {shape.name: shape for shape in SHAPES}

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class SampleSummary:
    """What was written."""

    accounts: int
    first_day: date
    last_day: date
    files: int
    rows: int
    invalid_rows: int

    def __str__(self) -> str:
        """In words."""
        return (
            f"{self.rows:,} rows in {self.files:,} files, {self.first_day} to {self.last_day}"
            f" ({self.invalid_rows:,} of them invalid on purpose)"
        )


def company_frames(world: World) -> Iterator[tuple[str, pl.DataFrame]]:
    """
    The exports of one chunk, entity by entity, with times in seconds; names `<source>.<entity>` and `truth.<table>`.

    What the whole company has once (campaigns, paid search, articles) comes with the first chunk. Rows that become
    known after the world's last day may be among them.
    """
    population = simulate(world)
    is_first = world.chunk == 0
    yield "salesforce.account", crm.accounts(world, population)
    yield "salesforce.contact", crm.contacts(world, population)
    yield "salesforce.lead", crm.leads(world, population)
    opportunities, history = crm.opportunities(world, population)
    yield "salesforce.opportunity", opportunities
    yield "salesforce.opportunity_history", history
    yield "salesforce.campaign_member", crm.campaign_members(world, population)
    yield "salesforce.task", crm.tasks(world, population)
    del opportunities, history
    yield "hubspot.contact", marketing.hubspot_contacts(world, population)
    yield "hubspot.email_event", marketing.mail_events(world, population)
    yield "hubspot.form_submission", marketing.forms(world, population)
    sessions, views = marketing.visits(world, population)
    yield "web.session", sessions
    yield "web.page_view", views
    del sessions, views
    paid = billing.subscriptions_of(world, population)
    yield "stripe.customer", billing.customers(world, population, paid)
    bills = billing.invoices(world, population, paid)
    yield "stripe.invoice", bills
    yield "stripe.subscription", billing.subscriptions(world, population, paid, bills)
    yield "product.workspace", product.workspaces(world, population, paid)
    yield "product.usage_daily", product.usage(world, population, paid)
    yield "zendesk.organization", support.organizations(world, population, paid)
    yield "zendesk.user", support.users(world, population, paid)
    tickets = support.tickets(world, population, paid)
    for name in ("ticket", "ticket_comment", "satisfaction_rating"):
        yield f"zendesk.{name}", tickets[name]
    ticket_truth = tickets["truth"]
    yield "truth.tickets", ticket_truth.drop("key", "number")
    del tickets
    posts, post_truth = social.posts(world, population)
    reviews, review_truth = social.reviews(world, population)
    yield "social.post", posts
    yield "social.review", reviews
    labelled = [truth.select(labels.READ) for truth in (post_truth, review_truth)]
    yield "labels.text_label", labels.text_labels(world, pl.concat(labelled), ticket_truth)
    yield "truth.posts", post_truth.drop("number")
    yield "truth.reviews", review_truth.drop("number")
    if is_first:
        yield "salesforce.campaign", crm.campaigns(world)
        yield "google_ads.campaign_stats", marketing.campaign_stats(world)
        written, article_truth = articles.articles(world)
        yield "cms.article", written
        yield "truth.articles", article_truth
    yield "truth.account_weeks", truth.account_weeks(world, population)
    yield "truth.lead_weeks", truth.lead_weeks(world, population)
    yield "truth.duplicate_leads", truth.duplicate_leads(world, population)
    yield "truth.account_merges", truth.account_merges(world, population)
    yield "truth.people", truth.identities(world, population)


def write_sample(
    landing: Path,
    truth: Path,
    accounts: int = 2000,
    months: int = 24,
    seed: int = 7,
    last_day: date = date(2026, 6, 30),
    progress: Progress | None = None,
    chunk_accounts: int = CHUNK_ACCOUNTS,
) -> SampleSummary:
    """
    Write the whole back-fill: monthly incremental exports into `landing/<source>/<entity>/`, the truth into `truth`.

    The same arguments give the same files, byte by byte. An earlier sample there is replaced; `FileExistsError` if the
    folders hold something else. `ValueError` for sizes that make no company. `progress` gets what is done and the
    share that is finished.
    """
    if accounts < 1 or months < 1 or chunk_accounts < 1:
        raise ValueError(
            f"The sample needs at least 1 account, 1 month and 1 account a chunk, not accounts={accounts}, "
            f"months={months}, chunk_accounts={chunk_accounts}."
        )
    plan = Plan(accounts, months, seed, last_day, chunk_accounts)
    _clear(landing, truth)
    _write_state(landing, plan, last_day, complete=False)
    periods = month_ends(plan)
    spans = [(None if position == 0 else start, end) for position, (start, end) in enumerate(periods)]
    summary = _write(landing, truth, plan, spans, day_number(plan.first_day), progress)
    _write_state(landing, plan, last_day, complete=True)
    return summary


def write_next_day(landing: Path, truth: Path) -> date:
    """
    Write one more day: files named by that day, with what became known on it; the truth is brought up to that day.

    The company goes on as if it had been simulated a day longer from the start. Raises `FileNotFoundError` when there
    is no sample in `landing`, `ValueError` when writing it was interrupted.
    """
    plan, last_day = _read_state(landing)
    day = last_day + timedelta(days=1)
    number = day_number(day)
    _write(landing, truth, plan, [(number, number)], number, None)
    _write_state(landing, plan, day, complete=True)
    return day


def _write(
    landing: Path, truth: Path, plan: Plan, spans: list[tuple[int | None, int]], since: int, progress: Progress | None
) -> SampleSummary:
    files = rows = invalid = 0
    last_day = spans[-1][1]
    steps = len(SHAPES) + 8
    truth.mkdir(parents=True, exist_ok=True)
    for chunk in range(plan.chunks):
        world = World(plan, chunk, last_day, since)
        for step, (name, frame) in enumerate(company_frames(world)):
            if name.startswith("truth."):
                _write_truth(truth, plan, name.removeprefix("truth."), frame, chunk, last_day)
                continue
            shape = SHAPE_BY_NAME[name]
            if progress:
                progress(
                    name if plan.chunks == 1 else f"{name}, part {chunk + 1} of {plan.chunks}",
                    (chunk + step / steps) / plan.chunks,
                )
            known = known_rows(frame, shape, spans[0][0], last_day)
            for start, end in spans:
                part = known_rows(known, shape, start, end)
                if len(part):
                    true_rows, bad_rows = write_period(landing, plan, shape, part, to_date(end), chunk)
                    files, rows, invalid = files + 1, rows + true_rows + bad_rows, invalid + bad_rows
    if progress:
        progress("done", 1.0)
    return SampleSummary(plan.accounts, to_date(since), to_date(last_day), files, rows, invalid)


def _write_truth(folder: Path, plan: Plan, table: str, frame: pl.DataFrame, chunk: int, last_day: int) -> None:
    """Truth tables with a creation time are of events: on a later day they are added to, not replaced."""
    part = f".part-{chunk:04d}" if plan.chunks > 1 else ""
    path = folder / f"{table}{part}.parquet"
    if "created_at" in frame.columns:
        frame = frame.filter(pl.col("created_at") < (last_day + 1) * DAY).with_columns(
            pl.from_epoch("created_at", time_unit="s")
        )
        if path.exists():
            frame = pl.concat([pl.read_parquet(path), frame]).unique(
                frame.columns[0], keep="first", maintain_order=True
            )
    unfinished = path.with_suffix(".tmp")
    frame.write_parquet(unfinished)
    os.replace(unfinished, path)


def _clear(landing: Path, truth: Path) -> None:
    folders = [landing / source for source in dict.fromkeys(shape.source for shape in SHAPES)]
    filled = [folder for folder in folders if folder.is_dir() and any(folder.iterdir())]
    if filled and not (landing / STATE_FILE).exists():
        raise FileExistsError(
            f"{filled[0]} has files that are not of a sample (there is no {landing / STATE_FILE}). "
            "Move them away, or write the sample into another folder."
        )
    for folder in filled:
        shutil.rmtree(folder)
    for path in sorted(truth.glob("*.parquet")) if truth.is_dir() else ():
        path.unlink()


def _write_state(landing: Path, plan: Plan, last_day: date, complete: bool) -> None:
    landing.mkdir(parents=True, exist_ok=True)
    state = asdict(plan) | {"last_day": last_day, "complete": complete}
    unfinished = landing / f"{STATE_FILE}.tmp"
    unfinished.write_text(json.dumps(state, indent=2, default=str) + "\n", encoding="utf-8")
    os.replace(unfinished, landing / STATE_FILE)


def _read_state(landing: Path) -> tuple[Plan, date]:
    path = landing / STATE_FILE
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: write a sample first (`scorecast sample`).")
    state = json.loads(path.read_text(encoding="utf-8"))
    if not state.pop("complete"):
        raise ValueError(
            f"{path} says that the sample was not written to the end. Write it again (`scorecast sample`)."
        )
    last_day = date.fromisoformat(state.pop("last_day"))
    return Plan(**state | {"planned_last_day": date.fromisoformat(state["planned_last_day"])}), last_day
