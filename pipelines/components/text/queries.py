"""A text model's SQL: the texts to learn from, those that are new, and the published table."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from pipelines.components.declared.text import DeclaredText
from pipelines.components.prediction.queries import RUN_DATE
from pipelines.database import columns_of, literal, quoted, read_frame, table_exists

if TYPE_CHECKING:
    import duckdb
    import polars as pl

PROVENANCE = ("method", "model_version")


def labelled_texts(connection: "duckdb.DuckDBPyConnection", declared: DeclaredText) -> "pl.DataFrame":
    """Texts with a label, by hand or by the YAML's expression: text, label (String, masked), the newest last."""
    own = f"cast(({declared.label}) as varchar)" if declared.label else "cast(null as varchar)"
    query = f"""
        with hand as (
            select record_key as hand_key, max(label) as hand_label from core.text_labels
            where model = {literal(declared.name)} group by record_key
        ),
        texts as (
            select
                {_text(declared)} as text,
                coalesce(hand_label, nullif(trim({own}), '')) as label,
                texts.{quoted(declared.at)} as written_at,
                texts.{quoted(declared.key)} as text_key
            from {quoted(*declared.texts_table)} as texts
            left join hand on hand_key = cast(texts.{quoted(declared.key)} as varchar)
            where ({declared.population}) and texts.{quoted(declared.at)} > {RUN_DATE} - {declared.history_days}
        )
        select text, label from texts
        where label is not null and text <> ''
        order by written_at, text_key
    """
    return _masked(read_frame(connection, query), "label")


def new_texts(connection: "duckdb.DuckDBPyConnection", declared: DeclaredText, made_by: str) -> "pl.DataFrame":
    """
    Texts that `made_by` has not labelled as they are now: key, occurred_at, text, text_hash, brand, given (labels,
    masked).
    """
    known = ""
    if has_scores(connection, declared):
        known = f"""
            anti join (select {quoted(declared.key)}, text_hash from scores.{quoted(declared.name)}
                       where model_version = {literal(made_by)}) as known
            using ({quoted(declared.key)}, text_hash)
        """
    query = f"select * from ({current(connection, declared)}) {known} order by occurred_at, {quoted(declared.key)}"
    return _masked(read_frame(connection, query), "given")


def _masked(frame: "pl.DataFrame", column: str) -> "pl.DataFrame":
    """Labels without private data: they become names of columns, and nobody keeps people from writing addresses."""
    import polars as pl

    from pipelines.values.private_data import masked

    return frame.with_columns(pl.col(column).map_elements(masked, return_dtype=pl.String, skip_nulls=True))


def drop_other_form(connection: "duckdb.DuckDBPyConnection", declared: DeclaredText, columns: Sequence[str]) -> bool:
    """Remove scores with other columns than those of today, so that all texts are read anew; whether there were any."""
    there = columns_of(connection, "scores", declared.name)
    is_other = bool(there) and set(there) != set(columns)
    if is_other:
        connection.execute(f"drop table {quoted('scores', declared.name)}")
    return is_other


def drop_outdated(connection: "duckdb.DuckDBPyConnection", declared: DeclaredText, made_by: str) -> None:
    """Remove scores that hold no more: by another model, or of a text that is gone or changed."""
    if not has_scores(connection, declared):
        return
    table, key = quoted("scores", declared.name), quoted(declared.key)
    connection.execute(
        f"delete from {table} where model_version <> {literal(made_by)}"
        f" or ({key}, text_hash) not in (select ({key}, text_hash) from ({current(connection, declared)}))"
    )


def has_scores(connection: "duckdb.DuckDBPyConnection", declared: DeclaredText) -> bool:
    """Whether there is a table of scores in the form of this version."""
    return {declared.key, "text_hash", "model_version"} <= columns_of(connection, "scores", declared.name).keys()


def current(connection: "duckdb.DuckDBPyConnection", declared: DeclaredText) -> str:
    """The query of the texts to label, as they are now; none where a model of `only_where` has said nothing yet."""
    column = declared.brands.column if declared.brands else None
    brand = f"texts.{quoted(column)}" if column else "cast(null as varchar)"
    # Other competitors are looked for in all texts.
    brands = f", {literal(repr(declared.brands.competitors))}" if declared.brands else ""
    given = f"cast(({declared.label}) as varchar)" if declared.label and declared.separator else "null"
    said = _only_where(connection, declared)
    return f"""
        select texts.*, md5(concat_ws(chr(10), text, brand, given{brands})) as text_hash
        from (
            select texts.{quoted(declared.key)}, texts.{quoted(declared.at)} as occurred_at, {_text(declared)} as text,
                {brand} as brand, cast({given} as varchar) as given
            from {quoted(*declared.texts_table)} as texts
            where {declared.population}
        ) as texts
        {said}
        where texts.text <> ''
    """


def _only_where(connection: "duckdb.DuckDBPyConnection", declared: DeclaredText) -> str:
    """The joins that leave the texts of which other models say what they have to; none before these say anything."""
    key = quoted(declared.key)
    joins = []
    for name, label in declared.only_where.items():
        is_there = table_exists(connection, "scores", name)
        rows = f"select {key} from scores.{quoted(name)} where predicted = {literal(label)}"
        rows = rows if is_there else f"select {key} from {quoted(*declared.texts_table)} where false"
        joins.append(f" semi join ({rows}) as {name} using ({key})")
    return "".join(joins)


def _text(declared: DeclaredText) -> str:
    """The text of a row, its parts on lines of their own; empty where there is none."""
    parts = ", ".join(f"texts.{quoted(column)}" for column in declared.text)
    return f"trim(concat_ws(chr(10), {parts}), ' ' || chr(9) || chr(10) || chr(13))"


def texts_since(connection: "duckdb.DuckDBPyConnection", declared: DeclaredText, days: int) -> "pl.DataFrame":
    """The texts of the last `days`, as `trends.text_trends` takes them, with what the model says of each as topic."""
    by = declared.trends.by if declared.trends else None
    group = f"cast(texts.{quoted(by)} as varchar)" if by else "cast(null as varchar)"
    has = has_scores(connection, declared)
    topic = f"scores.{quoted('tag' if declared.separator else 'predicted')}" if has else "cast(null as varchar)"
    said = f"left join scores.{quoted(declared.name)} as scores using ({quoted(declared.key)})" if has else ""
    said += _only_where(connection, declared)
    query = f"""
        select cast(texts.{quoted(declared.key)} as varchar) as text_id, {_text(declared)} as text,
            cast(texts.{quoted(declared.at)} as timestamp) as occurred_at, {topic} as topic, {group} as "group"
        from (
            select * from {quoted(*declared.texts_table)} as texts
            where ({declared.population}) and {quoted(declared.at)} > {RUN_DATE} - {days}
        ) as texts
        {said}
    """
    return read_frame(connection, query)


def published_query(declared: DeclaredText, columns: Collection[str], beside: Collection[str]) -> str:
    """
    The query of the published table, the newest text first.

    `columns`: those of the scores. `beside`: the other text models whose scores are there.
    """
    key = quoted(declared.key)
    shown = [f"scores.{key}", *(f"descriptions.{quoted(column)}" for column in declared.publish.described)]
    if "occurred_at" not in declared.publish.described:
        shown.append("scores.occurred_at")
    label = quoted("tag" if declared.separator else "predicted")
    shown += [f"scores.{label} as {quoted(declared.publish.predicted_as)}", "scores.probability"]
    shown += [f"scores.{quoted(name)}" for name in columns if name.startswith("probability_")]
    joins = ""
    for name, called in declared.publish.beside.items():
        said, chance = quoted(called), quoted(f"{called}_probability")
        if name not in beside:
            shown += [f"cast(null as varchar) as {said}", f"cast(null as double) as {chance}"]
            continue
        shown += [f"{name}.predicted as {said}", f"{name}.probability as {chance}"]
        joins += f" left join scores.{quoted(name)} as {name} using ({key})"
    for name in (
        "is_given",
        "is_about_competitor",
        "competitor",
        "reason_1",
        "reason_2",
        "reason_3",
        "reasons",
        "language",
    ):
        if name in columns:
            shown.append(f"scores.{name}")
    shown += [f"scores.{name}" for name in PROVENANCE]
    if declared.described_by_table:
        joins += f" left join {quoted(*declared.described_by_table)} as descriptions using ({key})"
    return f"""
        select {", ".join(shown)}
        from scores.{quoted(declared.name)} as scores {joins}
        order by scores.occurred_at desc, scores.{key}, scores.probability desc, scores.{label}
    """
