"""Text: one YAML spec → `models/<name>` (a classifier), `scores/<name>` (each text once), `published/<table>`."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from pipelines.components.declared.text import DeclaredText
from pipelines.components.prediction.queries import run_date
from pipelines.components.resolved import Brands, PublishedTexts, Trends
from pipelines.components.text.queries import (
    drop_other_form,
    drop_outdated,
    labelled_texts,
    new_texts,
    published_query,
)
from pipelines.database import append_frame, columns_of, comment_on, comments, quoted, read_frame, table_exists
from pipelines.instance.metadata import report_link, table_metadata, table_shape, warn
from pipelines.learning.scoring.files import ModelRefused
from pipelines.learning.version import code_version
from pipelines.publishing.assets import ANY_ROWS, RANGE_METADATA, WITHHELD_METADATA
from pipelines.publishing.descriptions import TEXTS
from pipelines.registry.fits import record_fit, standing_refusal
from pipelines.registry.store import (
    kept_metadata,
    load_text_version,
    model_path,
    new_version,
    promote,
    read_champion,
    refused,
    settled_champion,
    should_fit,
)
from pipelines.settings import data_dir, is_refit
from pipelines.warehouse import KEY_METADATA, Warehouse

if TYPE_CHECKING:
    from datetime import date

    import duckdb
    import polars as pl

    from pipelines.any_table.text_rows import Lesson
    from pipelines.learning.texts.classifier import TextFit, TextModel
    from pipelines.learning.texts.tags import TagModel

WORD_LIST = "word_list"
GIVEN = "An editor gave it."
OLDER = "It is older than {days} days: its words are not listed."
GOES_ON = {
    None: "",
    "word_list": " A list of English words says the moods until then.",
    "key_phrases": " Key phrases stand for labels until then.",
}
CLEARLY = 2.0
"""Standard errors by which a challenger's loss has to be above the champion's for it to be refused."""


class Text(dg.Component, DeclaredText, dg.Resolvable):
    """What texts are about, or how who wrote them feels: a label with its probability and the words behind it."""

    publish: PublishedTexts | None = None
    """The table that users get; none: other models and tables read what it says."""
    trends: Trends | None = None
    """How the labels and words are followed from week to week; none: not at all."""
    brands: Brands | None = None
    """Competitors to look for in the texts."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The three assets of this model; each can be materialised on its own."""
        texts = [list(self.texts_table), ["core", "text_labels"]]
        before = [["scores", name] for name in self.only_where]
        shared = {"group_name": self.name, "owners": [self.owner], "pool": "warehouse"}

        @dg.asset(
            key=["models", self.name],
            deps=texts,
            kinds={"scikitlearn"},
            description=f"The fitted classifier. {self.description}",
            **shared,
        )
        def model(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            return self.fit(context, warehouse)

        @dg.asset(
            key=["scores", self.name],
            deps=[["models", self.name], *texts, *before],
            kinds={"duckdb"},
            description=f"Every text with its label; a run reads those that are new. {self.description}",
            **shared,
        )
        def scores(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            return self.score(context, warehouse)

        assets = [model, scores, *([self._published_asset(shared)] if self.publish else [])]
        return dg.Definitions(assets=assets)

    def _published_asset(self, shared: dict) -> dg.AssetsDefinition:
        beside = [["scores", name] for name in self.publish.beside]
        described = [list(self.described_by_table)] if self.described_by_table else []
        withheld = [] if self.publish.show_private else self.publish.private

        @dg.asset(
            key=["published", self.publish.table],
            deps=[["scores", self.name], *beside, *described],
            kinds={"duckdb"},
            description=f"What users query: key, label, words, provenance. {self.description}",
            metadata={
                KEY_METADATA: ",".join(self.grain),
                # How many tags there are hangs on what says them, more than on how many texts there are.
                **({RANGE_METADATA: ANY_ROWS} if self.separator else {}),
                **({WITHHELD_METADATA: ",".join(withheld)} if withheld else {}),
            },
            **shared,
        )
        def published(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            return self.publish_texts(warehouse)

        return published

    def fit(self, context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        """Fit a challenger, keep it if it is good enough, and record the fit in either case."""
        from pipelines.any_table.question import CannotPredict
        from pipelines.learning.texts.fitting import TooFewTexts
        from pipelines.learning.texts.storage import save_text_model

        with warehouse.connect() as connection:
            champion, message = settled_champion(connection, self.name)
            if message:
                warn(context, message)
            if not should_fit(context, champion):
                return dg.MaterializeResult(metadata=kept_metadata(context, champion))
            frame = labelled_texts(connection, self)
            started, asked = datetime.now(UTC), self._asked()
            is_daily = champion is None and not is_refit(context.run.tags)
            if is_daily and (reason := standing_refusal(connection, self.name, asked, frame.height, started)):
                return dg.MaterializeResult(metadata={"status": "refused", "reason": reason})
            before = None if champion is None else _held_out(connection, self.name, champion)
        run = {"model": self.name, "run_id": context.run_id, "started_at": started, "rows": frame.height}
        notes: list[str] = []
        try:
            fit, lesson = self._fitted(frame, notes)
        except (TooFewTexts, CannotPredict) as problem:
            reason = f"{problem}{GOES_ON[self.starts_with]}"
            with warehouse.connect() as connection:
                record_fit(connection, **run, status="skipped", reason=reason, model_version=champion)
            context.log.warning(f"{self.name} was not fitted: {reason}")
            return dg.MaterializeResult(metadata={"status": "skipped", "reason": reason})

        figures = {**fit.figures, "asked": asked, "notes": notes, "copies": fit.copies}
        kept, reason = self._decided(fit, lesson, figures, before)
        version = new_version(self.name, started)
        checksum = save_text_model(fit.model, model_path(self.name, version)) if kept else None
        method = f"linear on words and runs of characters (C = {fit.model.strength:g})"
        judged = {"candidates": fit.candidates, "verdict": fit.verdict, "reason": reason, "method": method}
        self._write_card({**figures, **judged}, kept, version)
        with warehouse.connect() as connection:
            record_fit(
                connection,
                **run,
                status="kept" if kept else "refused",
                reason=reason,
                model_version=version if kept else champion,
                method=method,
                metrics=figures,
                candidates=fit.candidates,
                model_sha256=checksum,
            )
        if kept:
            promote(self.name, version)
        shown = {name: value for name, value in figures.items() if isinstance(value, int | float)}
        status = {"status": "kept" if kept else "refused", "reason": reason, "model_version": version}
        return dg.MaterializeResult(
            metadata={**status, **shown, "model_card": report_link("models", f"{version}.html")}
        )

    def _fitted(self, frame: "pl.DataFrame", notes: list[str]) -> "tuple[TextFit, Lesson]":
        """Learn from texts with labels (see `text_queries.labelled_texts`); raises TooFewTexts or CannotPredict."""
        from pipelines.any_table.text_rows import lesson_of, text_rows
        from pipelines.learning.context import Context
        from pipelines.learning.texts.classifier import FEWEST_OF_CLASS, FEWEST_TEXTS, fit_texts
        from pipelines.learning.texts.fitting import TooFewTexts
        from pipelines.learning.texts.tags import fit_tags

        if frame.height < FEWEST_TEXTS:
            raise TooFewTexts(f"There are {frame.height} texts with a label; it takes {FEWEST_TEXTS} or more.")
        if self.starts_with == WORD_LIST:
            frame = _moods_alone(frame, notes)
            if frame.height < FEWEST_TEXTS:
                raise TooFewTexts(f"{frame.height} texts have one of the moods as label. {' '.join(notes)}")
        known = text_rows(frame, ".".join(self.texts_table), ["text"], "label", self.separator, may_be_open=False)
        notes += known.notes
        lesson = lesson_of(known, FEWEST_OF_CLASS, notes)
        if self.separator:
            return fit_tags(lesson.texts, lesson.labels, Context()), lesson
        return fit_texts(lesson.texts, [label for (label,) in lesson.labels], Context()), lesson

    def _decided(self, fit: "TextFit", lesson: "Lesson", figures: dict, before: dict | None) -> tuple[bool, str]:
        """Whether the challenger is kept, and why; `before`: the champion's figures."""
        if fit.verdict != "ok":
            return False, fit.reason
        if self.starts_with == WORD_LIST:
            figures["word_list_macro_f1"] = _macro_f1_of_word_list(fit, lesson)
            if figures["macro_f1"] <= figures["word_list_macro_f1"]:
                return False, (
                    f"The list of words is as good on the texts held out (macro F1 {figures['word_list_macro_f1']:.2f} "
                    f"against {figures['macro_f1']:.2f}); it goes on."
                )
        same = before is not None and before["asked"] == figures["asked"]
        if same and [each["class"] for each in before["classes"]] == [each["class"] for each in figures["classes"]]:
            worse = figures["log_loss"] - before["log_loss"]
            if worse > CLEARLY * (figures["log_loss_error"] ** 2 + before["log_loss_error"] ** 2) ** 0.5:
                return False, (
                    "Worse than the champion was on the texts that it had not seen"
                    f" (log loss {figures['log_loss']:.4f} against {before['log_loss']:.4f}); the champion stays."
                )
        return True, fit.reason

    def score(self, context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
        """Label the texts that are new or changed since, or all with another model; those that are gone go."""
        version, problem = read_champion(self.name)
        if version is None and self.starts_with is None:
            return dg.MaterializeResult(
                metadata={"status": problem or "no model yet; see published.model_runs for the reason"}
            )
        with warehouse.connect() as connection:
            model = None
            if version is not None:
                from pipelines.learning.texts.tags import TagModel

                model, refusal = load_text_version(connection, self.name, version)
                if model is not None and isinstance(model, TagModel) != (self.separator is not None):
                    kind = "several labels" if self.separator is None else "one label"
                    model, refusal = None, ModelRefused(f"{version} was fitted for {kind} a text. Fit the model again.")
                if model is None:
                    return refused(context, connection, self.name, version, refusal)
            made_by = version or f"{self.starts_with}-{code_version()}"
            frame = new_texts(connection, self, made_by)
            scores = self._labelled(model, frame, made_by, run_date(connection))
            if drop_other_form(connection, self, scores.columns):
                frame = new_texts(connection, self, made_by)
                scores = self._labelled(model, frame, made_by, run_date(connection))
            connection.execute("create schema if not exists scores")
            connection.execute("begin")
            drop_outdated(connection, self, made_by)
            append_frame(connection, scores, "scores", self.name)
            connection.execute("commit")
            shape = table_shape(connection, "scores", self.name)
        return dg.MaterializeResult(
            metadata={
                **shape,
                "model_version": made_by,
                "new_texts": frame.height,
                "sample": self._sample(scores),
            }
        )

    def _labelled(
        self, model: "TextModel | TagModel | None", frame: "pl.DataFrame", made_by: str, day: "date"
    ) -> "pl.DataFrame":
        """The rows of the scores for these texts (see `text_queries.new_texts`)."""
        import polars as pl

        from pipelines.learning.texts.cleaning import cleaned_all

        texts = list(cleaned_all(frame["text"].to_list()))
        many = self.separator is not None
        said = self._tagged(model, frame, texts) if many else self._moods_or_labels(model, frame, texts, day)
        if self.brands is not None:
            said = said.with_columns(self._competitors(frame["brand"].to_list(), texts))
        return said.with_columns(
            method=pl.lit("model" if model is not None else self.starts_with), model_version=pl.lit(made_by)
        )

    def _moods_or_labels(
        self, model: "TextModel | None", frame: "pl.DataFrame", texts: list[str], day: "date"
    ) -> "pl.DataFrame":
        """One row per text; with its words where the text is young enough."""
        import polars as pl

        from pipelines.learning.texts.labelling import labelled, labelled_without_words, moods_by_word_list

        rows = frame.drop("text", "brand", "given")
        if model is None:
            return pl.concat([rows, moods_by_word_list(texts)], how="horizontal")
        days = self.words_days if self.publish else 0
        is_young = (frame["occurred_at"].cast(pl.Date) > day - timedelta(days=days)).fill_null(True)
        young, old = (
            [text for text, chosen in zip(texts, which, strict=True) if chosen] for which in (is_young, ~is_young)
        )
        parts = [labelled(model, young), labelled_without_words(model, old, OLDER.format(days=days))]
        said = pl.concat([rows.filter(is_young), rows.filter(~is_young)])
        return pl.concat([said, pl.concat(parts)], how="horizontal").sort("occurred_at", self.key)

    def _tagged(self, model: "TagModel | None", frame: "pl.DataFrame", texts: list[str]) -> "pl.DataFrame":
        """One row per text and tag: what an editor gave, and for texts without that, what is likely."""
        import polars as pl

        from pipelines.learning.texts.labelling import tagged, tagged_by_key_phrases

        numbered = frame.drop("text", "brand").with_row_index("place").with_columns(pl.col("place").cast(pl.Int64))
        given = (
            numbered.with_columns(tag=pl.col("given").str.split(self.separator))
            .explode("tag", empty_as_null=True)
            .with_columns(pl.col("tag").str.strip_chars())
            .filter(pl.col("tag").is_not_null() & (pl.col("tag") != ""))
            .unique(["place", "tag"], maintain_order=True)
            .with_columns(is_given=True, probability=pl.lit(1.0), reason_1=pl.lit(GIVEN))
        )
        places = sorted(set(range(len(texts))) - set(given["place"].to_list()))
        rest = [texts[place] for place in places]
        found = tagged_by_key_phrases(rest) if model is None else tagged(model, rest)
        found = found.with_columns(
            place=pl.col("place").replace_strict(dict(enumerate(places)), return_dtype=pl.Int64), is_given=False
        )
        said = pl.concat([given, numbered.join(found, on="place")], how="diagonal_relaxed")
        return said.sort("place", maintain_order=True).drop("place", "given")

    def _competitors(self, given: list[str | None], texts: list[str]) -> "list[pl.Series]":
        """Whether each text is about a competitor, and which, by its export's word for the brand or its own."""
        import polars as pl

        from pipelines.learning.texts.brands import brand_finder, brand_in

        names, finder = list(self.brands.competitors), brand_finder(self.brands.competitors)
        found = [
            brand_in(brand if brand and brand.strip() else text, finder, names)
            for brand, text in zip(given, texts, strict=True)
        ]
        competitor = pl.Series("competitor", found, dtype=pl.String)
        return [competitor.is_not_null().alias("is_about_competitor"), competitor]

    def publish_texts(self, warehouse: Warehouse) -> dg.MaterializeResult:
        """Join the labels with the columns that describe the texts to users."""
        with warehouse.connect() as connection:
            if not table_exists(connection, "scores", self.name):
                return dg.MaterializeResult(metadata={"status": "no scores yet"})
            connection.execute("create schema if not exists published")
            there = {name for name in self.publish.beside if table_exists(connection, "scores", name)}
            query = published_query(self, columns_of(connection, "scores", self.name), there)
            connection.execute(f"create or replace table published.{quoted(self.publish.table)} as {query}")
            self._describe(connection)
            shape = table_shape(connection, "published", self.publish.table)
            sample = read_frame(connection, f"from published.{quoted(self.publish.table)} limit 5")
        return dg.MaterializeResult(metadata={**shape, "sample": self._sample(sample)})

    def _sample(self, rows: "pl.DataFrame") -> dg.MarkdownMetadataValue:
        """A few rows for the UI without what is of a text: Dagster's records have no end."""
        called = self.publish.predicted_as if self.publish else "predicted"
        shown = dict.fromkeys(
            (self.key, "occurred_at", "predicted", "tag", called, "probability", "language", "method")
        )
        return table_metadata(rows.select([name for name in shown if name in rows.columns]).head(5))

    def _describe(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Write comments on the published table and its columns, from the tables that they come from."""
        described = comments(connection, *self.described_by_table) if self.described_by_table else {}
        known = {column: words for column, words in described.items() if column in [self.key, *self.publish.described]}
        for column in columns_of(connection, "published", self.publish.table):
            if column.startswith("probability_"):
                known[column] = f"How likely the label {column.removeprefix('probability_')} is, from 0 to 1."
            elif words := TEXTS.get("predicted" if column == self.publish.predicted_as else column):
                known[column] = words
        for name, shown in self.publish.beside.items():
            known[shown] = f"The label of the model {name}; null where it says none."
            known[f"{shown}_probability"] = f"How likely {shown} is, from 0 to 1."
        comment_on(connection, f"published.{quoted(self.publish.table)}", self.description, known)

    def _asked(self) -> str:
        """A digest of the question, and of the program that answers it."""
        question = (self.table, self.text, self.label, self.separator, self.population, self.starts_with)
        return hashlib.sha256(repr((question, code_version())).encode()).hexdigest()[:16]

    def _write_card(self, evaluation: dict, kept: bool, version: str) -> None:
        """Write the model card, an HTML page, to `data/reports/models`."""
        from pipelines.learning.cards.texts import text_card

        path = data_dir() / "reports" / "models" / f"{version}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {"name": self.name, "about": self.description, "kept": kept}
        path.write_text(text_card(evaluation, about, has_several=self.separator is not None))


def _moods_alone(frame: "pl.DataFrame", notes: list[str]) -> "pl.DataFrame":
    """Labels that are one of the three moods, whatever their case; the others go into a note."""
    import polars as pl

    from pipelines.learning.texts.word_list import MOODS

    folded = frame.with_columns(pl.col("label").str.strip_chars().str.to_lowercase())
    others = folded.filter(~pl.col("label").is_in(MOODS))
    if others.height:
        named = ", ".join(repr(label) for label in others["label"].unique().sort().head(10))
        notes.append(f"{others.height:,} labels are none of {', '.join(MOODS)}, and are left out: {named}.")
    return folded.filter(pl.col("label").is_in(MOODS))


def _macro_f1_of_word_list(fit: "TextFit", lesson: "Lesson") -> float:
    """How good the list of words is on the texts that the model was judged on."""
    from sklearn.metrics import f1_score

    from pipelines.learning.texts.labelling import moods_by_word_list

    said = moods_by_word_list([lesson.texts[row] for row in fit.test])["predicted"].fill_null("").to_list()
    truth = [lesson.labels[row][0] for row in fit.test]
    return float(f1_score(truth, said, labels=sorted(set(truth)), average="macro", zero_division=0.0))


def _held_out(connection: "duckdb.DuckDBPyConnection", name: str, version: str) -> dict | None:
    """The figures of a version on the texts that it had not seen when it was fitted."""
    if not table_exists(connection, "published", "model_runs"):
        return None
    row = connection.execute(
        "select metrics from published.model_runs where model = ? and model_version = ? and status = 'kept'"
        " order by started_at limit 1",
        [name, version],
    ).fetchone()
    found = json.loads(row[0]) if row else {}
    return found if {"log_loss", "log_loss_error", "classes", "asked"} <= found.keys() else None
