"""
Every mistake in the YAML under `assets/`, with file and line, before anything is loaded.

Dagster alone would report the first mistake within a traceback, and a wrong column only when a run reaches it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from pipelines.components.declared.documents import (
    FORECAST,
    PREDICTION,
    TEXT,
    Document,
    Mistake,
    Where,
    YamlMistakes,
    read_documents,
)
from pipelines.components.declared.forecast import DeclaredForecast
from pipelines.components.declared.prediction import LINKED, NAME, SCORES_OF_OTHERS, DeclaredPrediction
from pipelines.components.declared.text import DeclaredText
from pipelines.components.named_columns import NUMBER, column_problems, no_table, text_problems
from pipelines.learning.specs import levels_problem
from pipelines.spelling import closest, suggestion, suggestion_or_list
from pipelines.transformation.known_tables import Table

OWNER = re.compile(r"team:.+|[^@\s]+@[^@\s]+\.[^@\s]+")
SERIES = {
    "metric": ("VARCHAR|ENUM", "the metric's name, a text (VARCHAR)"),
    "segment": ("VARCHAR|ENUM", "a part of the metric, or 'total', a text (VARCHAR)"),
    "metric_date": ("DATE|TIMESTAMP", "the day, a date"),
    "value": (NUMBER.pattern, "a number"),
}
"""The columns that a forecast reads: name → allowed types, and a description."""


def require_valid_yaml(
    root: Path, tables: Callable[[], Mapping[str, Table]], extra: Mapping[str, str] | None = None
) -> None:
    """
    Check every `defs.yaml` under `root/assets`, with the tables and columns that it names.

    `tables`: returns the known tables by `schema.table`; called only when all YAML is well-formed, because it may have
    to wait for dbt's parse. `extra`: file (relative to root) → text that is not written yet. Raises `YamlMistakes` with
    all mistakes.
    """
    components = read_components(root, extra)
    if not components:
        return
    known = tables()
    mistakes = [*_taken_names(components, known), *_unjoined_scores(components, known)]
    for document, component in components:
        problems = {PREDICTION: column_problems, FORECAST: series_problems, TEXT: text_problems}[document.type]
        mistakes += [document.mistake(("attributes", *path), text) for path, text in problems(component, known)]
    if mistakes:
        raise YamlMistakes(mistakes)


def read_components(root: Path, extra: Mapping[str, str] | None = None) -> "list[tuple[Document, BaseModel]]":
    """The components under `root/assets`. Raises `YamlMistakes` if a YAML is malformed."""
    documents, mistakes = read_documents(root, extra or {})
    components = []
    for document in documents:
        component, found = shaped(document)
        mistakes += found
        if component is not None:
            components.append((document, component))
    if not mistakes:  # or what another file names would seem to be missing
        mistakes += [*_no_estimates(components), *_no_scores(components), *_no_text_models(components)]
    mistakes += _names_twice(components)
    if mistakes:
        raise YamlMistakes(mistakes)
    return components


def shaped(document: Document) -> "tuple[BaseModel | None, list[Mistake]]":
    """The component of a document, or its mistakes in keys, types and values."""
    kinds: dict[str, type[BaseModel]] = {
        PREDICTION: DeclaredPrediction,
        FORECAST: DeclaredForecast,
        TEXT: DeclaredText,
    }
    if document.type not in kinds:
        meant = closest(document.type, kinds, likeness=0.8)
        wrong = [f"there is no component {document.type}; did you mean {meant}?"] if meant else []
        return None, [document.mistake(("type",), text) for text in wrong]
    if not isinstance(document.attributes, dict):
        return None, [document.mistake(("attributes",), "`attributes:` is missing: the block of `name: value` lines")]
    if "{{" in str(document.attributes):  # a template, which only Dagster can fill in
        return None, []
    kind = kinds[document.type]
    try:
        component = kind.model_validate(document.attributes)
    except ValidationError as problem:
        return None, [
            document.mistake(("attributes", *error["loc"]), _in_words(error, kind)) for error in problem.errors()
        ]
    mistakes = []
    if not OWNER.fullmatch(component.owner):
        text = f"owner '{component.owner}' must be an e-mail address or `team:<name>`, such as team:sales"
        mistakes.append(document.mistake(("attributes", "owner"), text))
    contradictions = {PREDICTION: _contradictions, FORECAST: _unknown_countries, TEXT: _text_contradictions}
    found = contradictions[document.type](component)
    mistakes += [document.mistake(("attributes", *path), text) for path, text in found]
    return component, mistakes


def series_problems(forecast: DeclaredForecast, tables: Mapping[str, Table]) -> Iterator[tuple[Where, str]]:
    """
    A series that does not exist, lacks a column that a forecast reads, or has one of another type.

    Yields the path of the attribute and the problem in words. Columns of a table whose columns are not all known are
    not reported.
    """
    name = f"features.{forecast.series}"
    if name not in tables:
        yield ("series",), no_table("series", name, tables)
        return
    known = tables[name]
    for column, (kinds, what) in SERIES.items():
        type_ = known.columns.get(column)
        if column not in known.columns and column not in known.words and known.is_complete:
            yield ("series",), f"series '{forecast.series}' has no column {column}, {what}; a forecast needs it"
        if type_ and not re.match(kinds, type_):
            yield ("series",), f"{column} of series '{forecast.series}' is {type_}; it must be {what}"


def _unknown_countries(forecast: DeclaredForecast) -> Iterator[tuple[Where, str]]:
    """Countries whose holidays are not known."""
    if not forecast.holidays:
        return
    from holidays.registry import EntityLoader

    codes = sorted(EntityLoader.get_country_codes())
    for number, country in enumerate(forecast.holidays):
        if country not in codes:
            yield (
                ("holidays", number),
                f"holidays '{country}' is no country that we know the holidays of; use its ISO code, such as DE or US",
            )


def _contradictions(prediction: DeclaredPrediction) -> Iterator[tuple[Where, str]]:
    """Attributes that are valid alone and contradict each other."""
    if prediction.as_of and prediction.horizon_days is None:
        yield (
            ("horizon_days",),
            f"'horizon_days' is missing: days after {prediction.as_of} until the answer is known (a table without time "
            "needs `as_of: null` instead)",
        )
    if prediction.as_of is None and prediction.horizon_days:
        yield ("horizon_days",), "horizon_days counts from `as_of`, which is null: leave one of them out"
    if problem := levels_problem(prediction.task, prediction.named_levels):
        yield ("levels",), problem
    if prediction.target == prediction.entity:
        yield ("target",), f"target and entity are both '{prediction.target}'"
    if prediction.value_from and not prediction.value:
        yield ("value_from",), "value_from needs `value`, the money at stake where that prediction says nothing"
    for role in ("exclude", "text"):
        for number, column in enumerate(getattr(prediction, role)):
            if column in (prediction.entity, prediction.as_of):
                yield (role, number), f"{role} '{column}' is never a feature; leave it out"
    for number, column in enumerate(prediction.text):
        if column in prediction.exclude:
            yield ("text", number), f"text '{column}' is excluded, too: leave one of them out"
    if prediction.rule and prediction.task != "yes_no":
        yield ("rule",), f"a rule says how likely a yes is, and `task: {prediction.task}` asks for something else"
    for role in ("columns", "private", "from_scores"):
        if getattr(prediction.publish, role) and prediction.publish.described_by is None:
            yield ("publish", role), f"{role} are those of `described_by`, which is missing"
    allowed = prediction.publish.row_count_range
    if allowed and not (len(allowed) == 2 and 0 <= allowed[0] <= 1 <= allowed[1]):
        text = f"row_count_range is {allowed}; give two multiples, the lowest from 0 to 1, the highest from 1 on"
        yield ("publish", "row_count_range"), text
    for name, columns in prediction.publish.from_scores.items():
        for column, ours in columns.items():
            if column not in SCORES_OF_OTHERS:
                text = f"from_scores can show no '{column}'{suggestion_or_list(column, SCORES_OF_OTHERS)}"
                yield ("publish", "from_scores", name, column), text
            if not re.fullmatch(NAME, ours):
                text = f"'{ours}' is no name of a column; use lower-case letters, digits and underscores"
                yield ("publish", "from_scores", name, column), text
    for number, column in enumerate(prediction.publish.private):
        if column in prediction.publish.columns:
            yield ("publish", "private", number), f"private '{column}' is in `columns`, too: leave one of them out"
    if prediction.publish.link and prediction.entity not in LINKED:
        yield (
            ("publish", "link"),
            f"link: only records of {', '.join(LINKED)} have one, not those of {prediction.entity}",
        )
    for path, table in (("features",), prediction.features), (("outcomes",), prediction.outcomes):
        if table and table.count(".") > 1:
            yield path, f"{path[0]} '{table}' must be a model's name or `schema.table`"


def _text_contradictions(text: DeclaredText) -> Iterator[tuple[Where, str]]:
    """Attributes of a text model that are valid alone and contradict each other."""
    if text.key in text.text:
        yield ("text",), f"text and key are both '{text.key}'"
    if text.starts_with == "word_list" and text.separator:
        yield ("separator",), "a list of words says one mood of a text; leave out separator or starts_with"
    if text.starts_with == "key_phrases" and not text.separator:
        yield ("starts_with",), "a text has several key phrases: give the `separator` of its labels, too"
    if text.publish is None:
        return
    for role in ("columns", "private"):
        if getattr(text.publish, role) and text.publish.described_by is None:
            yield ("publish", role), f"{role} are those of `described_by`, which is missing"
    for number, column in enumerate(text.publish.private):
        if column in text.publish.columns:
            yield ("publish", "private", number), f"private '{column}' is in `columns`, too: leave one of them out"


def _names_twice(components: "list[tuple[Document, BaseModel]]") -> Iterator[Mistake]:
    """Models and published tables that two YAMLs define."""
    seen: dict[tuple[str, str], Document] = {}
    for document, component in components:
        model = component.model_name if document.type == FORECAST else component.name
        names = [("model", model, ("name",))]
        if component.publish is not None:
            names.append(("table", component.publish.table, ("publish", "table")))
        for kind, name, path in names:
            first = seen.setdefault((kind, name), document)
            if first is not document:
                where = f"{first.file}:{first.mistake(('attributes', *path), '').line}"
                what = "name" if kind == "model" else "table"
                yield document.mistake(
                    ("attributes", *path), f"{what} '{name}' is taken by {where}; every {kind} has its own"
                )


def _no_estimates(components: "list[tuple[Document, BaseModel]]") -> Iterator[Mistake]:
    """A `value_from` that is no prediction of amounts for the same entity."""
    predictions = [(document, component) for document, component in components if document.type == PREDICTION]
    for document, prediction in predictions:
        name = prediction.value_from
        usable = [one.name for _, one in predictions if (one.task, one.entity) == ("amount", prediction.entity)]
        if name and name not in usable:
            what = f"no prediction with `task: amount` for {prediction.entity}"
            yield document.mistake(
                ("attributes", "value_from"), f"value_from '{name}' is {what}{suggestion_or_list(name, usable)}"
            )


def _no_text_models(components: "list[tuple[Document, BaseModel]]") -> Iterator[Mistake]:
    """Text models beside or before another that do not exist, or are of other texts."""
    texts = [(document, component) for document, component in components if document.type == TEXT]
    for document, text in texts:
        usable = [one.name for _, one in texts if one.key == text.key and one is not text and one.separator is None]
        for path, names in (
            (("publish", "beside"), text.publish.beside if text.publish else {}),
            (("only_where",), text.only_where),
        ):
            for name in names:
                if name not in usable:
                    what = f"'{name}' is no model of texts with the key {text.key}{suggestion_or_list(name, usable)}"
                    yield document.mistake(("attributes", *path, name), what)


def _no_scores(components: "list[tuple[Document, BaseModel]]") -> Iterator[Mistake]:
    """Scores to show (`from_scores`) of a prediction that does not exist, or is the very one."""
    predictions = [(document, component) for document, component in components if document.type == PREDICTION]
    for document, prediction in predictions:
        others = [one.name for _, one in predictions if one.name != prediction.name]
        for name in prediction.publish.from_scores:
            if name not in others:
                yield document.mistake(
                    ("attributes", "publish", "from_scores", name),
                    f"from_scores '{name}' is no other prediction{suggestion_or_list(name, others)}",
                )


def _unjoined_scores(components: "list[tuple[Document, BaseModel]]", tables: Mapping[str, Table]) -> Iterator[Mistake]:
    """Scores to show of a prediction whose key the describing model does not have."""
    entities = {component.name: component.entity for document, component in components if document.type == PREDICTION}
    for document, prediction in components:
        if document.type != PREDICTION or prediction.described_by_table is None:
            continue
        described = ".".join(prediction.described_by_table)
        known = tables.get(described)
        for name in prediction.publish.from_scores:
            key = entities[name]
            if known is not None and known.is_complete and key not in known.columns and key not in known.words:
                yield document.mistake(
                    ("attributes", "publish", "from_scores", name),
                    f"from_scores '{name}' is about {key}, which is no column of {described}",
                )


def _taken_names(components: "list[tuple[Document, BaseModel]]", tables: Mapping[str, Table]) -> Iterator[Mistake]:
    """Published tables with the name of one that dbt or the pipeline itself makes."""
    from pipelines.publishing.states import HISTORY_KEYS, OWN_TABLES

    own = {*OWN_TABLES, *HISTORY_KEYS, "release"}
    made_by_dbt = {
        name.split(".")[1] for name, known in tables.items() if name.startswith("published.") and known.is_model
    }
    for document, component in components:
        table = component.publish.table if component.publish else None
        if table in own | made_by_dbt:
            who = "a dbt model makes" if table in made_by_dbt else "the pipeline itself makes"
            yield document.mistake(
                ("attributes", "publish", "table"), f"table '{table}' is one that {who}; choose another"
            )


def _in_words(error: Mapping[str, Any], kind: type[BaseModel]) -> str:
    """A pydantic error as a sentence."""
    where, model = [part for part in error["loc"] if isinstance(part, str)], kind
    for part in where[:-1]:
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        kinds = [each for each in (inner, *get_args(inner)) if isinstance(each, type) and issubclass(each, BaseModel)]
        model = kinds[0] if kinds else model
    name = where[-1] if where else "attributes"
    given, limits = error.get("input"), error.get("ctx", {})
    shown = "nothing" if given is None else repr(given)
    match error["type"]:
        case "extra_forbidden":
            return f"there is no attribute '{name}'{suggestion_or_list(name, model.model_fields)}"
        case "missing":
            about = (model.model_fields[name].description or "").split("\n")[0].rstrip(".")
            return f"'{name}' is missing{f': {about[0].lower() + about[1:]}' if about else ''}"
        case "literal_error":
            allowed = [each.strip(" '") for each in str(limits["expected"]).replace(" or ", ",").split(",")]
            return f"{name} is {shown}; use {' or '.join(allowed)}{suggestion(given, allowed)}"
        case "int_parsing" | "int_type" | "int_from_float":
            return f"{name} must be a whole number, not {shown}"
        case "float_parsing" | "float_type":
            return f"{name} must be a number, not {shown}"
        case "greater_than_equal" | "less_than_equal":
            bounds = {each.__class__.__name__: each for each in model.model_fields[name].metadata}
            if "Ge" in bounds and "Le" in bounds:
                return f"{name} is {shown}; it must be between {bounds['Ge'].ge} and {bounds['Le'].le}"
            bound = f"{limits['ge']} or more" if "ge" in limits else f"{limits['le']} or less"
            return f"{name} is {shown}; it must be {bound}"
        case "value_error":
            return f"{name}: {limits['error']}"
        case "string_type":
            return f"{name} must be a text, not {shown}"
        case "string_pattern_mismatch":
            return f"{name} is {shown}; use lower-case letters, digits and underscores, a letter first"
        case "string_too_short":
            return f"{name} is empty"
        case "too_short":
            return f"{name} is empty: give at least one"
        case "list_type":
            return f"{name} must be a list, such as [{given}], not {shown}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{name} must be a block of `name: value` lines, not {shown}"
    return f"{name}: {error['msg']}"
