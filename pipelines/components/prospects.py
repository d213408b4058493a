"""What can be made of exports that were loaded: every prediction and forecast, yes or no, and the figures why."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel

from pipelines.components.declared.forecast import DeclaredForecast
from pipelines.components.declared.needs import Needs, Records
from pipelines.components.declared.prediction import DeclaredPrediction
from pipelines.database import literal, quoted
from pipelines.extraction.as_of import latest_day
from pipelines.extraction.checkup import latest, rows_of
from pipelines.extraction.contracts import Entity, Source
from pipelines.spelling import did_you_mean
from pipelines.transformation.canonical import StagingModel, staging_models

if TYPE_CHECKING:
    import duckdb


YES, NO, PERHAPS, NOT_JUDGED = "yes", "no", "perhaps", "not judged here"
BEGAN = ("created_at", "started_at", "occurred_at", "close_date", "known_at")
"""Columns of a staging model that say since when its records are there; the first that is."""


@dataclass(frozen=True)
class Prospect:
    """Whether something can be made, and why."""

    name: str
    verdict: str
    """`YES`, `NO`, `PERHAPS` (the records are there, and only a run counts how they ended) or `NOT_JUDGED`."""
    reason: str


@dataclass(frozen=True)
class Loaded:
    """The raw tables of some sources, and the day of a run on them."""

    connection: "duckdb.DuckDBPyConnection"
    sources: Sequence[Source]
    """All that there are."""
    present: Sequence[str]
    """Those of the company."""
    day: date
    dbt_project: Path
    """The folder of the dbt project."""

    @property
    def staging(self) -> Path:
        """The folder of the staging models."""
        return self.dbt_project / "models" / "staging"

    def entity(self, of: str) -> Entity:
        """The entity `system.entity`. Raises `LookupError` if there is none."""
        known = {f"{source.name}.{each.name}": each for source in self.sources for each in source.entities}
        if of not in known:
            raise LookupError(f"there is no {of}.{did_you_mean(of, known)}")
        return known[of]

    def has_files(self, of: str) -> bool:
        """Whether any file is taken for the entity."""
        system, entity = of.split(".")
        manifest = f"{quoted(f'raw_{system}')}._manifest"
        return system in self.present and bool(
            self.connection.execute(f"select 1 from {manifest} where entity = ? limit 1", [entity]).fetchall()
        )

    def rows(self, of: str) -> int:
        """How many rows of the entity were loaded."""
        system, entity = of.split(".")
        return rows_of(self.connection, system, entity) if system in self.present else 0

    def counted(self, records: Sequence[Records]) -> str:
        """SQL: `system, who, since, until, is_yes` of every record that counts; texts, dates and a boolean."""
        parts = []
        for each in records:
            system, entity = each.of.split(".")[0], self.entity(each.of)
            who = each.who or ", ".join(quoted(name) for name in entity.key)
            parts.append(
                f"select {literal(system)} as system, concat_ws('/', {who}) as who, ({each.since})::date as since,"
                f" ({each.until})::date as until, coalesce(({each.happened}), false) as is_yes"
                f" from ({latest(system, entity)}) where ({each.counts})"
            )
        return " union all ".join(parts)


def needed_entities(components: Sequence[BaseModel]) -> set[str]:
    """The entities whose records `prospects` counts, as `system.entity`."""
    return {records.of for component in components for needs in _needs(component) for records in needs.records}


def _needs(component: BaseModel) -> Sequence[Needs]:
    if isinstance(component, DeclaredPrediction):
        return [component.needs] if component.needs else []
    return component.needs if isinstance(component, DeclaredForecast) else []


def prospects(
    connection: "duckdb.DuckDBPyConnection",
    sources: Sequence[Source],
    present: Sequence[str],
    configured: date | None,
    now: datetime,
    root: Path,
    components: Sequence[BaseModel],
) -> list[Prospect]:
    """
    Every prediction and forecast of the project, in their order, judged by what is loaded.

    `sources`: all contracts as the company's exports have them; `present`: the systems that are loaded; `configured`:
    the run's date of `sources.yaml`.
    """
    here = [source for source in sources if source.name in present]
    day = configured or min(latest_day(connection, here) or now.date(), now.date())
    loaded = Loaded(connection, sources, present, day, root / "dbt_project")
    return [
        prospect
        for component in components
        if isinstance(component, DeclaredPrediction | DeclaredForecast)
        for prospect in (
            _forecast(loaded, component)
            if isinstance(component, DeclaredForecast)
            else [_prediction(loaded, component)]
        )
    ]


def _prediction(loaded: Loaded, prediction: DeclaredPrediction) -> Prospect:
    needs = prediction.needs
    if needs is None or prediction.horizon_days is None:
        return Prospect(prediction.name, NOT_JUDGED, "its YAML does not say what it needs of the exports (`needs`)")
    judge = partial(_learnable, loaded, prediction, needs)
    return _judged(prediction.name, loaded, needs, judge, least=2 * prediction.min_positives)


def _forecast(loaded: Loaded, forecast: DeclaredForecast) -> Iterator[Prospect]:
    """One prospect a metric."""
    declared = {needs.metric: needs for needs in forecast.needs}
    least = forecast.learning_spec().min_periods
    for metric in forecast.metrics:
        name = f"forecast of {metric}"
        if (needs := declared.get(metric)) is None:
            yield Prospect(name, NOT_JUDGED, f"the YAML of {forecast.name} does not say what it needs (`needs`)")
        else:
            yield _judged(name, loaded, needs, partial(_weeks, loaded, needs, least))


def _judged(
    name: str, loaded: Loaded, needs: Needs, judge: Callable[[list[Records]], tuple[str, str]], least: int = 1
) -> Prospect:
    """
    The judgement of the records that are there; `judge` returns the verdict and the reason.

    `least`: records without which nothing can be made of a system that the YAML does not speak of.
    """
    import duckdb

    try:
        entities = [records.of for records in needs.records if loaded.entity(records.of)]
        there = [records for records in needs.records if loaded.rows(records.of)]
        return Prospect(name, *(judge(there) if there else _undeclared(loaded, needs, entities, least)))
    except (LookupError, duckdb.Error) as problem:
        return Prospect(name, NOT_JUDGED, f"its `needs` cannot be used: {str(problem).splitlines()[0]}")


def _undeclared(loaded: Loaded, needs: Needs, entities: Sequence[str], least: int) -> tuple[str, str]:
    """What can be told where no declared entity has a row: no file, no row of a file, or a system of one's own."""
    declared = {of.split(".")[0] for of in entities}
    models = {model.system: model for model in staging_models(loaded.dbt_project, needs.staging)}
    for system in sorted(set(loaded.present) - declared):
        if system in models:
            return _of_own(loaded, needs, models[system], least)
        if (loaded.staging / system / f"stg_{system}__{needs.staging}.sql").exists():
            return NOT_JUDGED, f"{system} brings {needs.called}, and its YAML does not say how to count them (`needs`)"
    files = [of.replace(".", "/") for of in entities if loaded.has_files(of)]
    if files:
        return NO, f"no row of the files of {' and '.join(files)} could be loaded"
    return NO, f"there is no file of {needs.staging} ({' or '.join(of.replace('.', '/') for of in entities)})"


def _of_own(loaded: Loaded, needs: Needs, model: StagingModel, least: int) -> tuple[str, str]:
    """How many records of a system of one's own there are, and since when."""
    of = f"{model.system}/{model.table}"
    keys = loaded.entity(of.replace("/", ".")).key
    columns = loaded.entity(of.replace("/", ".")).columns
    began = next((model.columns[name] for name in BEGAN if model.columns.get(name) in columns), None)
    count, first, last = loaded.connection.execute(
        f"select count(distinct ({', '.join(map(quoted, keys))})),"
        f" {f'min({quoted(began)})::date, max({quoted(began)})::date' if began else 'null, null'}"
        f" from {quoted(f'raw_{model.system}', model.table)}"
    ).fetchone()
    if not count:
        has_files = loaded.has_files(of.replace("/", "."))
        return NO, f"no row of the files of {of} could be loaded" if has_files else f"there is no file of {of}"
    figures = f"{count:,} records of {of}" + (f" from {first} to {last}" if first else "")
    if count < least:
        return NO, f"{figures}; at least {least:,} are needed"
    return (
        PERHAPS,
        f"{figures}; a run counts the {needs.called} among them, and so does this check with `needs` in the YAML",
    )


class Answers(NamedTuple):
    """What a prediction would learn from."""

    everyone: int
    yes: int
    """Of whom it happened at any time."""
    undated: int
    """Those of them without a day on which it did."""
    rows: int
    """Of one entity and one day each, with a known answer."""
    positives: int
    """Entities with a yes within the horizon of a day."""
    negatives: int
    """Entities with a no."""


def answers_of(loaded: Loaded, prediction: DeclaredPrediction, records: Sequence[Records]) -> Answers:
    """Count those who are seen every `step_days` while it goes on, with the answer `horizon_days` later."""
    newest = loaded.day - timedelta(days=prediction.horizon_days)
    newest -= timedelta(days=newest.isoweekday() % 7)  # snapshots are of Sundays
    oldest = loaded.day - timedelta(days=prediction.history_days)
    counts = loaded.connection.execute(
        f"""
        with records as ({loaded.counted(records)}),
        everyone as (
            select
                system, who, min(since) as since, bool_and(is_yes) as is_yes,
                case when bool_and(until is not null) then max(until) end as until
            from records
            group by all
        ),
        days as (
            select unnest(generate_series($newest::date, $oldest::date, -to_days($step)))::date as day
        ),
        seen as (
            select system, who, is_yes and coalesce(until <= day + $horizon, false) as answer
            from everyone
            inner join days on since <= day and day < coalesce(until, date '9999-12-31') and day > $oldest
            where until is not null or not is_yes
        )
        select
            (select count(*) from everyone),
            (select count(*) from everyone where is_yes),
            (select count(*) from everyone where is_yes and until is null),
            count(*),
            count(distinct (system, who)) filter (answer),
            count(distinct (system, who)) filter (not answer)
        from seen
        """,
        {
            "newest": newest,
            "oldest": oldest,
            "step": prediction.step_days,
            "horizon": prediction.horizon_days,
        },
    ).fetchone()
    return Answers(*counts)


def _learnable(
    loaded: Loaded, prediction: DeclaredPrediction, needs: Needs, records: Sequence[Records]
) -> tuple[str, str]:
    """Whether a model has enough to learn from."""
    found = answers_of(loaded, prediction, records)
    if prediction.task == "amount":
        return _enough_amounts(prediction, needs, found)
    figures = f"{found.everyone:,} {needs.called}, {found.yes:,} {needs.happened}"
    if found.undated:
        figures += f" ({found.undated:,} of them without a date)"
    least = prediction.min_positives
    if found.rows < prediction.min_rows or min(found.positives, found.negatives) < least:
        verdict, by = (YES, "by its rule, as long as there is no model: ") if prediction.rule else (NO, "")
        return verdict, (
            f"{by}{figures}; needed are at least {least} {needs.happened} within {prediction.horizon_days} days after a"
            f" day on which they were seen, {least} not, and {prediction.min_rows:,} such days of anyone; there are"
            f" {found.positives:,}, {found.negatives:,} and {found.rows:,}"
        )
    return YES, f"{figures}; {_history(loaded, records)}"


def _enough_amounts(prediction: DeclaredPrediction, needs: Needs, found: Answers) -> tuple[str, str]:
    """Whether enough amounts are known: of anyone, from a day on which they were seen to the horizon's end."""
    known = f"amounts of {prediction.horizon_days} days from one on which they were seen"
    if found.rows < prediction.min_rows:
        return (
            NO,
            f"{found.everyone:,} {needs.called}; needed are {prediction.min_rows:,} {known}; there are {found.rows:,}",
        )
    return YES, f"{found.everyone:,} {needs.called}, {found.rows:,} {known}"


def _history(loaded: Loaded, records: Sequence[Records]) -> str:
    """What is known of changes: records that are there in several versions."""
    changed = 0
    for each in records:
        system, entity = each.of.split(".")[0], loaded.entity(each.of)
        if entity.version:
            keys = ", ".join(quoted(name) for name in entity.key)
            changed += loaded.connection.execute(
                f"select count(*) from (select 1 from {quoted(f'raw_{system}', entity.name)} group by {keys}"
                f" having count(*) > 1)"
            ).fetchone()[0]
    if changed:
        return f"{changed:,} records with their history of changes"
    return "no history of changes: fields that can have changed since are left out"


def _weeks(loaded: Loaded, needs: Needs, least: int, records: Sequence[Records]) -> tuple[str, str]:
    """How long a metric's series is."""
    count, first = loaded.connection.execute(
        f"select count(*), min(since) from ({loaded.counted(records)}) where since <= $1", [loaded.day]
    ).fetchone()
    weeks = (loaded.day - first).days // 7 if first else 0
    figures = f"{count:,} {needs.called} in {weeks:,} weeks"
    if weeks < 1:
        return NO, f"{figures}; one whole week is needed" if count else f"there are no {needs.called}"
    return YES, figures if weeks >= least else f"{figures}; no method is tested with fewer than {least} weeks"
