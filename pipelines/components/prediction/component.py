"""Prediction: one YAML spec → `models/<name>`, `scores/<name>`, `published/<table>` and their checks."""

import hashlib
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from pipelines.components.declared.prediction import LINKED, DeclaredPrediction
from pipelines.components.missing_exports import missing_exports
from pipelines.components.named_columns import column_problems
from pipelines.components.prediction.queries import (
    ToScore,
    published_query,
    rows_to_score,
    run_date,
    scoring_frame,
    training_frame,
    with_value,
)
from pipelines.components.prediction.rules import MODEL, RULE, scored_by_rule
from pipelines.components.resolved import Needs, PublishedScores, RuledPoints
from pipelines.database import (
    column_types,
    columns_of,
    comment_on,
    comments,
    read_frame,
    table_exists,
    write_frame,
)
from pipelines.extraction.configuration import read_configuration
from pipelines.instance.metadata import WARNING, constant, report_link, table_metadata, table_shape, warn
from pipelines.learning.scoring.wording import humanise
from pipelines.learning.version import code_version
from pipelines.publishing.assets import RANGE_METADATA, WITHHELD_METADATA
from pipelines.publishing.descriptions import AMOUNTS, BY_RULE, GRADES, LEVELS, ONLY_ORDER, description_of
from pipelines.registry.fits import is_only_order, record_fit, standing_refusal
from pipelines.registry.store import (
    kept_metadata,
    load_version,
    model_path,
    new_version,
    promote,
    read_champion,
    refused,
    settled_champion,
    should_fit,
    without_folder,
)
from pipelines.settings import data_dir, is_refit
from pipelines.track_record.backfill import backfill_asset
from pipelines.track_record.late_changes import LateChange, late_changes
from pipelines.track_record.score_history import happens_of, score_outcomes_of, words_of
from pipelines.transformation.canonical import staged_as
from pipelines.transformation.known_tables import Table
from pipelines.warehouse import KEY_METADATA, Warehouse

if TYPE_CHECKING:
    from datetime import date

    import duckdb
    import polars as pl

    from pipelines.learning.cards.facts import ScoreOutcome
    from pipelines.learning.fitting.fit import FitResult
    from pipelines.learning.specs import PredictionSpec


class Prediction(dg.Component, DeclaredPrediction, dg.Resolvable):
    """A question about an entity, asked for every `as_of_date`; the answer is a probability with reasons."""

    publish: PublishedScores
    """The table that users get."""
    needs: Needs | None = None
    """What it needs of the exports, for `scorecast check`; none: not judged there."""
    rule: list[RuledPoints] = Field(default_factory=list)
    """Who scores while no model is in use: everyone gets the points of the conditions that hold, and the score is the
    place among all. The published table says in `decided_by` whether the model or the rule did."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets of this prediction; each can be materialised on its own."""
        assets = [self._model_asset(), self._scores_asset(), self._published_asset()]
        if self.why_not_compared is None:
            assets.append(backfill_asset(self))
        return dg.Definitions(assets=assets)

    @property
    def _money(self) -> list[str]:
        """Columns with the money at stake and its currency."""
        return [name for name in (self.value, self.value_from) if name] + (["currency"] if self.value else [])

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
            deps=[["models", self.name], *self._inputs, *([["scores", self.value_from]] if self.value_from else [])],
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
        deps = [["scores", self.name], *([list(self.described_by_table)] if self.described_by_table else [])]
        deps += [["scores", other] for other in self.publish.from_scores]
        withheld = [] if self.publish.show_private else self.publish.private

        @dg.asset(
            key=["published", self.publish.table],
            deps=[*deps, *([["core", "record_keys"]] if self.publish.link else [])],
            group_name=self.name,
            kinds={"duckdb"},
            owners=[self.owner],
            description=f"What users query: key, answer, reasons, provenance. {self.description}",
            metadata={
                KEY_METADATA: self.entity,
                **({WITHHELD_METADATA: ",".join(withheld)} if withheld else {}),
                **({RANGE_METADATA: ",".join(map(str, allowed))} if (allowed := self.publish.row_count_range) else {}),
            },
            pool="warehouse",
        )
        def published(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            return self.publish_scores(warehouse)

        return published

    def fit(self, context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        """Fit a challenger, keep it if it is good enough, and record the fit in either case."""
        from pipelines.learning.fitting.fit import TooLittleData, fit_prediction
        from pipelines.learning.scoring.storage import save_model

        with warehouse.connect() as connection:
            champion_id, message = settled_champion(connection, self.name)
        if message:
            warn(context, message)
        if not should_fit(context, champion_id):
            return dg.MaterializeResult(metadata=kept_metadata(context, champion_id))

        with warehouse.connect() as connection:
            self._require_columns(connection)
            frame = training_frame(connection, self)
            descriptions = self._descriptions(connection)
            known_in_time = self._known_in_time(connection)
            late = self._late_changes(connection)
            champion, refusal = (
                (None, None) if champion_id is None else load_version(connection, self.name, champion_id)
            )
        not_compared = f" Not compared with the champion: {without_folder(refusal)}" if refusal else ""
        if refusal:
            context.log.warning(not_compared.strip())
        spec = self.learning_spec()
        # Columns that hold values written after as_of are leaks; values known at the time are kept.
        spec = replace(spec, exclude=(*spec.exclude, *(change.attribute for change in late if change.unversioned)))
        started, asked = datetime.now(UTC), _asked(spec, frame)
        if champion_id is None and not is_refit(context.run.tags):
            with warehouse.connect() as connection:
                if reason := standing_refusal(connection, self.name, asked, frame.height, started):
                    return dg.MaterializeResult(metadata={"status": "refused", "reason": reason})
        run = {"model": self.name, "run_id": context.run_id, "started_at": started, "rows": frame.height}
        try:
            result = fit_prediction(
                frame, spec, descriptions=descriptions, champion=champion, known_in_time=known_in_time
            )
        except TooLittleData as problem:
            with warehouse.connect() as connection:
                missing = missing_exports(connection, ".".join(self.outcomes_table)) if frame.is_empty() else None
                reason = missing or str(problem)
                record_fit(connection, **run, status="skipped", reason=reason, model_version=champion_id)
            context.log.warning(f"{self.name} was not fitted: {reason}")
            return dg.MaterializeResult(metadata={"status": "skipped", "reason": reason})

        result.metrics["asked"] = asked
        result.metrics["leaky_from_history"] = [{**asdict(change), "reason": change.reason} for change in late]
        version = new_version(self.name, started)
        checksum = None
        if result.kept:
            checksum = save_model(result.model, model_path(self.name, version))
        with warehouse.connect() as connection:
            # In this order: a killed run leaves a file without a record, which is ignored, or a record whose promotion
            # the next run completes.
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
        """Score the population as of the run's date, by the rule where there is one and no model is in use; the last
        scores stay if no model can be read.
        """
        from pipelines.learning.fitting.fit import score_prediction
        from pipelines.learning.scoring.unseen import unseen_rows

        version, problem = read_champion(self.name)
        if version is None and not self.rule:
            why = problem or "no model yet; see published.model_runs for the reason"
            return dg.MaterializeResult(metadata={"status": why})
        with warehouse.connect() as connection:
            model, refusal = (None, None) if version is None else load_version(connection, self.name, version)
            if version is not None and model is None:
                return refused(context, connection, self.name, version, refusal)
            self._require_columns(connection)
            frame, who, _ = scoring_frame(connection, self)
            if frame.is_empty():
                return dg.MaterializeResult(metadata={"status": f"nobody to score, the last scores stay: {who}"})
            relative_to = self.relative_to if model is None else model.spec.relative_to
            if relative_to:
                frame = frame.filter(frame[relative_to] > 0)
            frame, value = with_value(connection, self, frame), self.value_from or self.value
            if model is None:
                scores = scored_by_rule(connection, self, frame)
            else:
                # Templates, groups and the value do not change a score, so the YAML's apply without a refit.
                spec = replace(model.spec, templates=self.templates, groups=self.groups, value=value)
                model = replace(model, spec=spec)
                scores = score_prediction(model, frame, descriptions=self._descriptions(connection))
            self._write_scores(connection, scores, frame, version)
            shape = table_shape(connection, "scores", self.name)
        metadata = {**shape, "model_version": version, "status": "scored", "who": who}
        if model is None:
            metadata |= {"status": "scored by the rule: no model is in use"} | ({WARNING: problem} if problem else {})
            return dg.MaterializeResult(metadata={**metadata, "sample": self._sample(scores)})
        unseen = unseen_rows(model.baseline, frame, model.spec.as_of)
        if unseen is not None:
            metadata[WARNING] = f"{self.name}: {unseen.in_words()} {unseen.what_to_do()}"
            context.log.warning(metadata[WARNING])
        return dg.MaterializeResult(metadata={**metadata, "sample": self._sample(scores)})

    def _sample(self, scores: "pl.DataFrame") -> dg.MarkdownMetadataValue:
        """A few rows for the UI, without personal data and what quotes texts: in Dagster's records they have no end."""
        quoting = ("reasons", "reason_1", "reason_2", "reason_3") if self.text else ()
        withheld = [*self.publish.private, *quoting]
        return table_metadata(scores.head(5).drop(withheld, strict=False))

    def _write_scores(
        self,
        connection: "duckdb.DuckDBPyConnection",
        scores: "pl.DataFrame",
        frame: "pl.DataFrame",
        version: str | None,
    ) -> None:
        """Write `scores.<name>`: the scores with the money at stake and where they come from; no version: the rule."""
        import polars as pl

        from pipelines.learning.judging.holdback import held_back

        shown = dict.fromkeys([*self._money, *self.publish.features])
        shown = [name for name in shown if name in frame.columns and name not in scores.columns]
        if shown:
            scores = scores.join(frame.select(self.entity, *shown), on=self.entity, how="left")
        if self.is_snapshot:
            scores = scores.rename({self.as_of: "as_of_date"})
        else:
            scores = scores.drop(self.as_of or "as_of_date", strict=False)
            scores = scores.with_columns(as_of_date=constant(run_date(connection)))
        decided = {"decided_by": constant(RULE if version is None else MODEL)} if self.rule else {}
        scores = scores.with_columns(
            held_back(self.name, scores[self.entity], self.holdback),
            model_version=constant(version).cast(pl.String),
            horizon_days=integer(self.horizon_days),
            **decided,
        )
        write_frame(connection, scores, "scores", self.name)

    def publish_scores(self, warehouse: Warehouse) -> dg.MaterializeResult:
        """Join the scores with the columns that describe the entity to users."""
        with warehouse.connect() as connection:
            if not table_exists(connection, "scores", self.name):
                return dg.MaterializeResult(metadata={"status": "no scores yet"})
            connection.execute("create schema if not exists published")
            described = columns_of(connection, *self.described_by_table) if self.described_by_table else {}
            columns = columns_of(connection, "scores", self.name)
            others = {
                name: next(iter(theirs))
                for name, wanted in self.publish.from_scores.items()
                if wanted.keys() <= (theirs := columns_of(connection, "scores", name)).keys()
            }
            query = published_query(self, columns, described, self._links(), others)
            connection.execute(f"create or replace table published.{self.publish.table} as {query}")
            self._describe(connection)
            shape = table_shape(connection, "published", self.publish.table)
            sample = read_frame(connection, f"from published.{self.publish.table} order by score desc limit 5")
        return dg.MaterializeResult(metadata={**shape, "sample": self._sample(sample)})

    def _links(self) -> dict[str, str]:
        """System → address of its records of this entity, as sources.yaml has it."""
        if self.publish.link is None:
            return {}
        staged = staged_as()
        return {
            system: template
            for system, source in read_configuration().sources.items()
            for record, template in source.links.items()
            if LINKED.get(self.entity) in staged.get((system, record), ())
        }

    def _describe(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Write comments on the published table and its columns, from the tables that they come from."""
        features = self._descriptions(connection) | comments(connection, *self.features_table)
        known = features | (comments(connection, *self.described_by_table) if self.described_by_table else {})
        known |= {column: features[column] for column in self.publish.features if column in features}
        table, value = self.publish.table, (self.value_from or self.value or "").replace("_", " ")
        if self.value_from:
            known[self.value_from] = (
                f"The money at stake: what the model {self.value_from} expects, and {self.value} without it."
            )
        if self.publish.link:
            known[self.publish.link] = (
                "Where the record is in its system, by the links in sources.yaml; null without one."
            )
        known[self.publish.expected_value_as] = f"Probability times the money at stake ({value})."
        for other, wanted in self.publish.from_scores.items():
            for theirs, ours in wanted.items():
                known[ours] = f"What the prediction {other} says that day: its {theirs}; null where it says nothing."
        described = {
            column: description_of(table, column) or known.get(column) or f"{humanise(column)}."
            for column in columns_of(connection, "published", table)
        }
        # A column that is shown from the entity's own model has that model's description.
        described |= {
            column: known[column]
            for column in [self.entity, *self.publish.described, *self.publish.features]
            if column in known
        }
        levels = {name: name.removeprefix("probability_") for name in described if name.startswith("probability_")}
        of_levels = LEVELS | {name: f"How likely the level {level} is, from 0 to 1." for name, level in levels.items()}
        own = {"amount": AMOUNTS, "ordered": of_levels}.get(self.task, {})
        described |= {column: words for column, words in own.items() if column in described}
        for column in BY_RULE.keys() & described.keys() if self.rule else ():
            described[column] += f" {BY_RULE[column]}"
        for column in ("score", "reasons") if self.relative_to else ():
            described[column] += f" Of the amount as a multiple of {self.relative_to}."
        about = self.description if own else f"{self.description} {GRADES}"
        used = connection.execute(f"select max(model_version) from published.{table}").fetchone()
        if used[0] is not None and is_only_order(connection, self.name, used[0]):
            about = f"{about} {ONLY_ORDER}"
            for column in {"probability", self.publish.expected_value_as} & described.keys():
                described[column] += f" {ONLY_ORDER}"
        comment_on(connection, f"published.{table}", about, described)

    def training_frame(self, connection: "duckdb.DuckDBPyConnection", known_by: "date | None" = None) -> "pl.DataFrame":
        """See `queries.training_frame`."""
        return training_frame(connection, self, known_by)

    def rows_to_score(self, connection: "duckdb.DuckDBPyConnection", as_of: "date | None" = None) -> "pl.DataFrame":
        """See `queries.rows_to_score`."""
        return rows_to_score(connection, self, as_of)

    def scoring_frame(self, connection: "duckdb.DuckDBPyConnection") -> ToScore:
        """See `queries.scoring_frame`."""
        return scoring_frame(connection, self)

    def _late_changes(self, connection: "duckdb.DuckDBPyConnection") -> list[LateChange]:
        """Attributes of the entity that were written at the outcome or later; empty without a history."""
        if self.why_not_compared is not None:
            return []
        return late_changes(connection, self.entity, self.features, self.outcomes, self.target, self.as_of)

    def _require_columns(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Raises `dg.Failure` when the tables, as they are built now, lack what the YAML names."""
        built = {name: Table(columns, is_complete=True) for name, columns in column_types(connection).items()}
        problems = [text for _, text in column_problems(self, built)]
        if problems:
            raise dg.Failure("\n".join(f"{self.name}: {text}" for text in problems), allow_retries=False)

    def _descriptions(self, connection: "duckdb.DuckDBPyConnection") -> dict[str, str]:
        rows = connection.execute(
            "select feature, description from features.catalogue where snapshot = ?",
            [self.features_table[1]],
        ).fetchall()
        return dict(rows)

    def _known_in_time(self, connection: "duckdb.DuckDBPyConnection") -> set[str]:
        """Features that are computed from what was known by each row's day; of an older catalogue none."""
        if "is_known_in_time" not in columns_of(connection, "features", "catalogue"):
            return set()
        rows = connection.execute(
            "select feature from features.catalogue where snapshot = ? and is_known_in_time", [self.features_table[1]]
        ).fetchall()
        return {feature for (feature,) in rows}

    def _write_card(self, result: "FitResult", version: str, outcomes: "list[ScoreOutcome]") -> None:
        """Write the model card, an HTML page, to `data/reports/models`."""
        from pipelines.learning.cards.of_fit import card_of_fit

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


def integer(value: int | None) -> "pl.Expr":
    """A constant column of type Int32."""
    import polars as pl

    return pl.lit(value, dtype=pl.Int32)


def _asked(spec: "PredictionSpec", frame: "pl.DataFrame") -> str:
    """A digest of the question, of the columns that have values, and of the program that answers it."""
    filled = sorted(name for name, missing in frame.null_count().row(0, named=True).items() if missing < frame.height)
    return hashlib.sha256(repr((spec, filled, code_version())).encode()).hexdigest()[:16]


def fit_metadata(result: "FitResult", version: str) -> dict:
    """Metadata of a fit for the Dagster UI: metrics, a link to its card, rates by decile of the score."""
    import polars as pl

    figures = {name: value for name, value in result.metrics.items() if isinstance(value, int | float)}
    return {
        "status": "kept" if result.kept else "refused",
        "reason": result.reason,
        "model_version": version,
        **figures,
        "candidates": dg.MetadataValue.json(json.loads(json.dumps(result.candidates, default=str))),
        "model_card": report_link("models", f"{version}.html"),
        **({"by_tenth": table_metadata(pl.DataFrame(result.metrics["deciles"]))} if result.metrics["deciles"] else {}),
    }
