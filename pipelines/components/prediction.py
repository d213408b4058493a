"""Prediction: one YAML spec → `models/<name>`, `scores/<name>`, `published/<table>` and their checks."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

import dagster as dg
from pydantic import ConfigDict, Field

from pipelines.components.backfill import backfill_asset
from pipelines.components.late_changes import LateChange, late_changes
from pipelines.components.model_store import (
    kept_metadata,
    load_version,
    model_path,
    new_version,
    promote,
    read_champion,
    refused_in_words,
    settled_champion,
    should_fit,
    warn,
    without_folder,
)
from pipelines.components.release import KEY_METADATA
from pipelines.components.run_log import record_fit
from pipelines.components.score_history import happens_of, score_outcomes_of, words_of
from pipelines.components.ui import WARNING, image_metadata, literal, report_link, table_metadata, table_shape
from pipelines.components.validation import Table, column_problems
from pipelines.database import column_types, columns_of, placed, quoted, read_frame, table_exists, write_frame
from pipelines.descriptions import GRADES, comment_on, comments, description_of
from pipelines.learning.wording import humanise
from pipelines.quality.publish import SYSTEM_COLUMNS
from pipelines.settings import data_dir
from pipelines.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    import duckdb
    import polars as pl

    from pipelines.learning.card_facts import ScoreOutcome
    from pipelines.learning.prediction import FitResult
    from pipelines.learning.specs import PredictionSpec


RUN_DATE = "(select as_of_date from raw_scorecast.as_of)"
NAME = r"^[a-z][a-z0-9_]*$"
"""Names of models and published tables: they are part of file names, asset keys and queries."""


class PublishedScores(dg.Model, dg.Resolvable):
    """Which table users get, and how its rows are described to them."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    table: str = Field(pattern=NAME)
    """Name in the schema `published`."""
    described_by: str | None = None
    """Core model (or `schema.table`) with one row per entity; none: the key alone says who it is."""
    columns: list[str] = Field(default_factory=list)
    """Columns of that model to show beside the key."""
    expected_value_as: str = Field("expected_value", pattern=NAME)
    """What probability times value is called."""


class Prediction(dg.Component, dg.Model, dg.Resolvable):
    """A question about an entity, asked at every `as_of_date`; the answer is a probability with reasons."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str = Field(pattern=NAME)
    """What the model is called: `models/<name>`, `scores/<name>`."""
    description: str
    """One sentence for those who find the model in the UI."""
    entity: str
    """Key column of the snapshots."""
    features: str
    """Model in the schema `features` with one row per entity and `as_of`; or any table, as `schema.table`."""
    outcomes: str | None = None
    """Model in the schema `features` with the target at the same grain; none: the target is a column of `features`."""
    target: str
    """Column with the answer, null while it is not known."""
    publish: PublishedScores
    """The table that users get."""
    task: Literal["yes_no", "classes"] = "yes_no"
    """`yes_no`, or `classes` for a target with more answers than two."""
    as_of: str | None = "as_of_date"
    """Column with the day at which the features were known; null: a table without time."""
    horizon_days: int | None = Field(None, ge=0)
    """Days after `as_of` until the answer is known."""
    owner: str = "team:data"
    """`team:<name>` or an e-mail address."""
    happens: str | None = None
    """What those with a yes do, as people say it: "leave", "are won"; none: from the target's name."""
    population: str = "true"
    """SQL condition over the snapshot: who is learnt from and scored."""
    value: str | None = None
    """Snapshot column with the money at stake."""
    text: list[str] = Field(default_factory=list)
    """Snapshot columns with free text."""
    exclude: list[str] = Field(default_factory=list)
    """Snapshot columns that the model may not see."""
    segments: list[str] = Field(default_factory=list)
    """Snapshot columns by whose values the model card repeats the metrics."""
    templates: dict[str, str] = Field(default_factory=dict)
    """Snapshot column → how its reason is told: "no login for {value} days" (also {typical})."""
    groups: dict[str, list[str]] = Field(default_factory=dict)
    """Name → snapshot columns by prefix or pattern, first match wins; the published table has `points_<name>` of each,
    and `points_other`: log-odds that add up with the reasons' base to the score."""
    step_days: int = Field(14, ge=1)
    """Days between the snapshots that are learnt from."""
    history_days: int = Field(728, ge=1)
    """How far back to learn from: what is older is another business, or was loaded without those that left."""
    max_calibration_error: float = Field(0.08, ge=0, le=1)
    """How far predicted and observed rates may differ out of time (beyond sampling noise) for a model to be kept."""
    min_rows: int = Field(200, ge=1)
    """Rows with a known answer that a fit needs."""
    min_positives: int = Field(30, ge=1)
    """Entities with a yes, and entities with a no, that a fit needs."""
    holdback: float = Field(default=0.0, ge=0, lt=1)
    """Share of the entities that are flagged `is_holdback`, for nobody to act on, so that acting can be measured."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets of this prediction; every one can be materialised alone."""
        assets = [self._model_asset(), self._scores_asset(), self._published_asset()]
        if self.why_not_compared is None:
            assets.append(backfill_asset(self))
        return dg.Definitions(assets=assets)

    def learning_spec(self) -> "PredictionSpec":
        """The same in the words of `pipelines.learning`, which knows no Dagster."""
        from pipelines.learning.specs import PredictionSpec

        return PredictionSpec(
            name=self.name,
            entity_key=self.entity,
            target=self.target,
            task=self.task,
            as_of=self.as_of,
            horizon_days=self.horizon_days,
            exclude=tuple(self.exclude),
            text=tuple(self.text),
            value=self.value,
            segments=tuple(self.segments),
            templates=self.templates,
            groups=self.groups,
            step_days=self.step_days,
            max_calibration_error=self.max_calibration_error,
            min_rows=self.min_rows,
            min_positives=self.min_positives,
        )

    @property
    def features_table(self) -> tuple[str, str]:
        """Schema and table of the features."""
        return placed(self.features, "features")

    @property
    def outcomes_table(self) -> tuple[str, str]:
        """Schema and table that has the target."""
        return placed(self.outcomes, "features") if self.outcomes else self.features_table

    @property
    def described_by_table(self) -> tuple[str, str] | None:
        """Schema and table that says in words who an entity is."""
        return placed(self.publish.described_by, "core") if self.publish.described_by else None

    @property
    def _inputs(self) -> list[list[str]]:
        return [list(self.features_table), ["features", "catalogue"], ["raw_scorecast", "as_of"]]

    def _model_asset(self) -> dg.AssetsDefinition:
        @dg.asset(
            key=["models", self.name],
            deps=[*self._inputs, *([list(self.outcomes_table)] if self.outcomes else [])],
            group_name=self.name,
            kinds={"scikitlearn", "lightgbm"},
            owners=[self.owner],
            description=f"The fitted model. {self.description}",
            pool="warehouse",
        )
        def model(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            return self.fit(context, warehouse)

        return model

    def _scores_asset(self) -> dg.AssetsDefinition:
        @dg.asset(
            key=["scores", self.name],
            deps=[["models", self.name], *self._inputs],
            group_name=self.name,
            kinds={"duckdb"},
            owners=[self.owner],
            description=f"Everyone in the population, scored as of the run's date. {self.description}",
            pool="warehouse",
        )
        def scores(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            return self.score(context, warehouse)

        return scores

    def _published_asset(self) -> dg.AssetsDefinition:
        @dg.asset(
            key=["published", self.publish.table],
            deps=[["scores", self.name], *([list(self.described_by_table)] if self.described_by_table else [])],
            group_name=self.name,
            kinds={"duckdb"},
            owners=[self.owner],
            description=f"What users query: key, answer, reasons, provenance. {self.description}",
            metadata={KEY_METADATA: self.entity},
            pool="warehouse",
        )
        def published(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            return self.publish_scores(warehouse)

        return published

    def fit(self, context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        """Fit a challenger, keep it if it is good enough, and write down what happened either way."""
        from pipelines.learning.prediction import TooLittleData, fit_prediction
        from pipelines.learning.storage import save_model

        with warehouse.connect() as connection:
            champion_id, told = settled_champion(connection, self.name)
        if told:
            warn(context, told)
        if not should_fit(context, champion_id):
            return dg.MaterializeResult(metadata=kept_metadata(context, champion_id))

        with warehouse.connect() as connection:
            self._require_columns(connection)
            frame = self.training_frame(connection)
            descriptions = self._descriptions(connection)
            late = self._late_changes(connection)
            champion, refusal = (
                (None, None) if champion_id is None else load_version(connection, self.name, champion_id)
            )
        not_compared = f" Not compared with the champion: {without_folder(refusal)}" if refusal else ""
        if refusal:
            context.log.warning(not_compared.strip())
        spec = self.learning_spec()
        # What the snapshots hold as it was known at the time is honest; what was written later is not.
        spec = replace(spec, exclude=(*spec.exclude, *(change.attribute for change in late if change.unversioned)))
        started = datetime.now(UTC)
        run = {"model": self.name, "run_id": context.run_id, "started_at": started, "rows": frame.height}
        try:
            result = fit_prediction(frame, spec, descriptions=descriptions, champion=champion)
        except TooLittleData as problem:
            with warehouse.connect() as connection:
                record_fit(connection, **run, status="skipped", reason=str(problem), model_version=champion_id)
            context.log.warning(f"{self.name} was not fitted: {problem}")
            return dg.MaterializeResult(metadata={"status": "skipped", "reason": str(problem)})

        result.metrics["leaky_from_history"] = [{**asdict(change), "reason": change.reason} for change in late]
        version = new_version(self.name, started)
        checksum = None
        if result.kept:
            checksum = save_model(result.model, model_path(self.name, version))
        with warehouse.connect() as connection:
            # In this order: a run that is killed leaves a file that counts as not there, or a record to carry out.
            self._write_card(result, version, score_outcomes_of(connection, self.name))
            record_fit(
                connection,
                **run,
                status="kept" if result.kept else "refused",
                reason=f"{result.reason}{not_compared}",
                model_version=version if result.kept else champion_id,
                method=result.model.method,
                metrics=result.metrics,
                candidates=result.candidates,
                model_sha256=checksum,
            )
        if result.kept:
            promote(self.name, version)
        return dg.MaterializeResult(metadata=fit_metadata(result, version))

    def score(self, context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        """Score the population as of the run's date; without a model that can be read the last scores stay."""
        from pipelines.learning.holdback import held_back
        from pipelines.learning.prediction import score_prediction
        from pipelines.learning.unseen import unseen_rows

        version, problem = read_champion(self.name)
        if version is None:
            why = problem or "no model yet; see published.model_runs for the reason"
            return dg.MaterializeResult(metadata={"status": why})
        started = datetime.now(UTC)
        with warehouse.connect() as connection:
            model, refusal = load_version(connection, self.name, version)
            if model is None:
                told = refused_in_words(self.name, refusal)
                run = {"model": self.name, "run_id": context.run_id, "started_at": started, "rows": 0}
                record_fit(connection, **run, status="refused", reason=told, model_version=version)
                context.log.warning(told)
                return dg.MaterializeResult(metadata={"status": f"not scored: {told}", "model_version": version})
            self._require_columns(connection)
            frame, who, _ = self.scoring_frame(connection)
            if frame.is_empty():
                return dg.MaterializeResult(metadata={"status": f"nobody to score, the last scores stay: {who}"})
            # How a score is told does not change it, so that no refit is needed for other words or groups.
            model = replace(model, spec=replace(model.spec, templates=self.templates, groups=self.groups))
            scores = score_prediction(model, frame, descriptions=self._descriptions(connection))
            if self.value and self.value not in scores.columns:
                scores = scores.join(frame.select(self.entity, self.value), on=self.entity, how="left")
            if self.is_snapshot:
                scores = scores.rename({self.as_of: "as_of_date"})
            else:
                scores = scores.drop(self.as_of or "as_of_date").with_columns(
                    as_of_date=literal(self._run_date(connection))
                )
            scores = scores.with_columns(
                held_back(self.name, scores[self.entity], self.holdback),
                model_version=literal(version),
                horizon_days=integer(self.horizon_days),
            )
            write_frame(connection, scores, "scores", self.name)
            shape = table_shape(connection, "scores", self.name)
        metadata = {**shape, "model_version": version, "status": "scored", "who": who}
        unseen = unseen_rows(model.baseline, frame, model.spec.as_of)
        if unseen is not None:
            metadata[WARNING] = f"{self.name}: {unseen.in_words()} {unseen.what_to_do()}"
            context.log.warning(metadata[WARNING])
        return dg.MaterializeResult(metadata={**metadata, "sample": table_metadata(scores.head(5))})

    def publish_scores(self, warehouse: Warehouse) -> dg.MaterializeResult:
        """Join the scores with the words that users know the entity by."""
        with warehouse.connect() as connection:
            if not table_exists(connection, "scores", self.name):
                return dg.MaterializeResult(metadata={"status": "no scores yet"})
            connection.execute("create schema if not exists published")
            described = columns_of(connection, *self.described_by_table) if self.described_by_table else {}
            query = self._published_query(columns_of(connection, "scores", self.name), described)
            connection.execute(f"create or replace table published.{self.publish.table} as {query}")
            self._describe(connection)
            shape = table_shape(connection, "published", self.publish.table)
            sample = read_frame(connection, f"from published.{self.publish.table} order by score desc limit 5")
        return dg.MaterializeResult(metadata={**shape, "sample": table_metadata(sample)})

    def _describe(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Say of the published table and each of its columns what it is, in the words of where it comes from."""
        known = self._descriptions(connection)
        for source in (self.features_table, self.described_by_table):
            known |= comments(connection, *source) if source else {}
        table, value = self.publish.table, (self.value or "").replace("_", " ")
        known[self.publish.expected_value_as] = f"Probability times the money at stake ({value})."
        described = {
            column: description_of(table, column) or known.get(column) or f"{humanise(column)}."
            for column in columns_of(connection, "published", table)
        }
        # What the entity's own model says of a column comes first where the column is shown from there.
        described |= {column: known[column] for column in [self.entity, *self.publish.columns] if column in known}
        comment_on(connection, f"published.{table}", f"{self.description} {GRADES}", described)

    def _published_query(self, columns: "Collection[str]", described_by: "Collection[str]") -> str:
        """
        What users query; `columns` are those of the scores, which tell whether there are two classes or more.

        `described_by`: columns of the model that names the entity; which systems know it comes along, for the audit.
        """
        key = quoted(self.entity)
        answers = [name for name in columns if name in ("probability", "predicted") or name.startswith("probability_")]
        value = [self.value] if self.value else []
        shown = {name: f"scores.{quoted(name)}" for name in [*answers, "score", "grade", *value]}
        if self.value and "expected_value" in columns:
            shown["expected_value"] = f"scores.expected_value as {self.publish.expected_value_as}"
        for name in [name for name in columns if name.startswith("points_")]:
            shown[name] = f"scores.{quoted(name)}"
        held_back = ["is_holdback"] if "is_holdback" in columns else []
        for name in ("reason_1", "reason_2", "reason_3", "reasons", *held_back):
            shown[name] = f"scores.{name}"
        for name in SYSTEM_COLUMNS:
            if name in described_by and name not in (*columns, *self.publish.columns):
                shown[name] = f"descriptions.{name}"
        shown["model_version"] = "scores.model_version"
        described = [f"descriptions.{quoted(column)}" for column in self.publish.columns]
        selected = [f"scores.{key}", *described, "scores.as_of_date", "scores.horizon_days", *shown.values()]
        join = ""
        if self.described_by_table:
            join = f"left join {quoted(*self.described_by_table)} as descriptions using ({key})"
        return f"""
            select {", ".join(selected)}
            from scores.{self.name} as scores
            {join}
            order by scores.{"probability" if "probability" in answers else "score"} desc, scores.{key}
        """

    @property
    def is_snapshot(self) -> bool:
        """Whether the features are asked of everyone at every date, and the answers come from another table."""
        return self.as_of is not None and self.outcomes is not None

    @property
    def why_not_compared(self) -> str | None:
        """Why past scores cannot be compared with what came of them, in words; None where they can."""
        if self.task == "classes":
            return (
                "It tells several classes apart: its scores are neither kept in score_history nor compared with what "
                "came of them."
            )
        if not self.is_snapshot:
            missing = "outcomes" if self.as_of else "as_of"
            return f"Its YAML names no `{missing}`: no table says what came of a score on its day."
        return None

    def training_frame(self, connection: "duckdb.DuckDBPyConnection", known_by: "date | None" = None) -> "pl.DataFrame":
        """
        Rows whose answer is known.

        Of snapshots those every `step_days` back from the newest; closer ones tell ever less. `known_by`: as if it was
        this day (default: the run's date), with only those answers whose horizon had passed by then.
        """
        key, target = quoted(self.entity), quoted(self.target)
        keys = f"{key}, {quoted(self.as_of)}" if self.as_of else key
        recent = f"snapshots.{quoted(self.as_of)} > {RUN_DATE} - {self.history_days}" if self.as_of else "true"
        features, outcomes = quoted(*self.features_table), quoted(*self.outcomes_table)
        if not self.outcomes:
            query = f"""
                select * from {features} as snapshots
                where {key} is not null and {target} is not null and {recent} and ({self.population})
            """
        elif self.as_of is None:
            query = f"""
                select snapshots.*, known.{target}
                from {features} as snapshots
                inner join (select {keys}, {target} from {outcomes} where {target} is not null) as known using ({keys})
                where ({self.population})
            """
        else:
            day = quoted(self.as_of)
            query = f"""
                with today as (
                    select coalesce($1::date, {RUN_DATE}) as today_date
                ),
                known as (
                    select {keys}, {target} from {outcomes}
                    where {target} is not null and {day} + {self.horizon_days or 0} <= (select today_date from today)
                ),
                newest as (
                    select max(known.{day}) as newest_day
                    from known
                    inner join (select distinct {day} from {features}) as taken using ({day})
                )
                select snapshots.*, known.{target}
                from {features} as snapshots
                inner join known using ({keys})
                cross join newest
                where
                    ({self.population})
                    and date_diff('day', snapshots.{day}, newest.newest_day) % {self.step_days} = 0
                    and snapshots.{day} > (select today_date from today) - {self.history_days}
            """
            return read_frame(connection, query, [known_by])
        return read_frame(connection, query)

    def rows_to_score(self, connection: "duckdb.DuckDBPyConnection", as_of: "date | None" = None) -> "pl.DataFrame":
        """The population's snapshots of a day (default: the run's date)."""
        features, day = quoted(*self.features_table), quoted(self.as_of or "")
        wanted = f"{day} = coalesce($1::date, {RUN_DATE}) and ({self.population})"
        return read_frame(connection, f"select * from {features} as snapshots where {wanted}", [as_of])

    def scoring_frame(self, connection: "duckdb.DuckDBPyConnection") -> "ToScore":
        """
        One row for each that is scored.

        Of a table with several rows per entity those of the run's date; else those whose answer is not known yet, or
        everyone where every answer is known. Raises `dg.Failure` when an entity has two such rows.
        """
        features, day = quoted(*self.features_table), quoted(self.as_of or "")
        key, target = f"snapshots.{quoted(self.entity)}", quoted(self.target)
        chosen = f"{key} is not null and ({self.population})"
        whose = "" if self.population == "true" else f" of {self.population}"
        today = f"cast(snapshots.{day} as date) = {RUN_DATE}"
        has_history, was_learnt_from = self.is_snapshot, False
        if self.as_of and not has_history:
            (has_history,) = connection.execute(
                f"select count(*) > count(distinct {key}) from {features} as snapshots where {chosen}"
            ).fetchone()
        if has_history:
            where, who = today, f"the rows{whose} as of {self._run_date(connection)}"
            answers = "" if self.outcomes else f"exclude ({target})"
            query = f"select snapshots.* {answers} from {features} as snapshots where {chosen} and {where}"
            frame = read_frame(connection, query)
        else:
            frame = read_frame(connection, f"select * from {features} as snapshots where {chosen}")
            if self.outcomes:
                known = f"select {quoted(self.entity)}, {target} from {quoted(*self.outcomes_table)}"
                frame = frame.join(read_frame(connection, known), on=self.entity, how="left")
            unknown = frame.filter(frame[self.target].is_null())
            was_learnt_from = unknown.is_empty()
            frame, who = (
                (frame, f"everyone{whose}: every {self.target} is known, so the model has learnt from these rows")
                if was_learnt_from
                else (unknown, f"the rows{whose} whose {self.target} is not known yet")
            )
            frame = frame.drop(self.target)
        if frame[self.entity].n_unique() != frame.height:
            twice = frame[self.entity].value_counts(sort=True).row(0)
            raise dg.Failure(
                f"{self.name}: {self.features} has {twice[1]} rows to score for {self.entity} = {twice[0]!r}; one each "
                "can be scored. Narrow the population, or name the column that says as of when a row is (`as_of`).",
                allow_retries=False,
            )
        return ToScore(frame, who, was_learnt_from)

    def _late_changes(self, connection: "duckdb.DuckDBPyConnection") -> list[LateChange]:
        """Attributes of the entity that were written at the outcome or later, where its history is known."""
        if self.why_not_compared is not None:
            return []
        return late_changes(connection, self.entity, self.features, self.outcomes, self.target, self.as_of)

    def _require_columns(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Raises `dg.Failure` when the tables, as they are built now, lack what the YAML names."""
        built = {name: Table(columns, is_complete=True) for name, columns in column_types(connection).items()}
        problems = [text for _, text in column_problems(self, built)]
        if problems:
            raise dg.Failure("\n".join(f"{self.name}: {text}" for text in problems), allow_retries=False)

    def _run_date(self, connection: "duckdb.DuckDBPyConnection") -> "date":
        return connection.execute(f"select {RUN_DATE}").fetchone()[0]

    def _descriptions(self, connection: "duckdb.DuckDBPyConnection") -> dict[str, str]:
        rows = connection.execute(
            "select feature, description from features.catalogue where snapshot = ?",
            [self.features_table[1]],
        ).fetchall()
        return dict(rows)

    def _write_card(self, result: "FitResult", version: str, outcomes: "list[ScoreOutcome]") -> None:
        """The model card as a page that anyone can open."""
        from pipelines.learning.card_of_fit import card_of_fit

        path = data_dir() / "reports" / "models" / f"{version}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows_word, _ = words_of(self.entity, self.target)
        within = f" within {self.horizon_days} days" if self.horizon_days else ""
        extra = {
            "about": self.description,
            "rows_word": rows_word,
            "yes_words": (self.happens or happens_of(self.target)) + within,
            "created_at": f"{datetime.now(UTC):%Y-%m-%d}",
            "score_outcomes": outcomes,
        }
        path.write_text(card_of_fit(result, extra))


class ToScore(NamedTuple):
    """Rows to score."""

    frame: "pl.DataFrame"
    who: str
    """Who that is, in words."""
    was_learnt_from: bool
    """Whether the answers of these very rows are known, so that a fit learns from them."""


def integer(value: int | None) -> "pl.Expr":
    """A constant column of whole numbers, which may be empty."""
    import polars as pl

    return pl.lit(value, dtype=pl.Int32)


def fit_metadata(result: "FitResult", version: str) -> dict:
    """What the Dagster UI shows of a fit: figures, the card, pictures."""
    figures = {name: value for name, value in result.metrics.items() if isinstance(value, int | float)}
    return {
        "status": "kept" if result.kept else "refused",
        "reason": result.reason,
        "model_version": version,
        **figures,
        "candidates": dg.MetadataValue.json(json.loads(json.dumps(result.candidates, default=str))),
        "card": dg.MetadataValue.md(result.card),
        "model_card": report_link("models", f"{version}.html"),
        **{name: image_metadata(picture) for name, picture in result.plots.items()},
    }
