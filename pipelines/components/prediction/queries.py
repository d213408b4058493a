"""A prediction's SQL: the rows to learn from, the rows to score, and the published table."""

from typing import TYPE_CHECKING, NamedTuple

import dagster as dg

from pipelines.components.declared.prediction import SCORES_OF_OTHERS, DeclaredPrediction
from pipelines.database import literal, quoted, read_frame, table_exists
from pipelines.quality.publish import SYSTEM_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    import duckdb
    import polars as pl

RUN_DATE = "(select as_of_date from raw_scorecast.as_of)"

AMOUNT = ("expected", "p10", "p50", "p90")
"""What a model of amounts says of every row."""


class ToScore(NamedTuple):
    """Rows to score."""

    frame: "pl.DataFrame"
    who: str
    """A description of these rows."""
    was_learnt_from: bool
    """Whether the answers of these rows are known, so that a fit learns from them."""


def run_date(connection: "duckdb.DuckDBPyConnection") -> "date":
    """The run's date."""
    return connection.execute(f"select {RUN_DATE}").fetchone()[0]


def training_frame(
    connection: "duckdb.DuckDBPyConnection", declared: DeclaredPrediction, known_by: "date | None" = None
) -> "pl.DataFrame":
    """
    Rows whose answer is known.

    Of snapshots only one every `step_days`, counted back from the newest: neighbouring ones add little. `known_by`:
    the day as of which to learn (default: the run's date); only answers whose horizon had passed by then are used.
    """
    key, target = quoted(declared.entity), quoted(declared.target)
    keys = f"{key}, {quoted(declared.as_of)}" if declared.as_of else key
    recent = f"snapshots.{quoted(declared.as_of)} > {RUN_DATE} - {declared.history_days}" if declared.as_of else "true"
    features, outcomes = quoted(*declared.features_table), quoted(*declared.outcomes_table)
    if not declared.outcomes:
        query = f"""
            select * from {features} as snapshots
            where {key} is not null and {target} is not null and {recent} and {declared.who}
        """
    elif declared.as_of is None:
        query = f"""
            select snapshots.*, known.{target}
            from {features} as snapshots
            inner join (select {keys}, {target} from {outcomes} where {target} is not null) as known using ({keys})
            where {declared.who}
        """
    else:
        day = quoted(declared.as_of)
        query = f"""
            with today as (
                select coalesce($1::date, {RUN_DATE}) as today_date
            ),
            known as (
                select {keys}, {target} from {outcomes}
                where {target} is not null and {day} + {declared.horizon_days or 0} <= (select today_date from today)
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
                {declared.who}
                and date_diff('day', snapshots.{day}, newest.newest_day) % {declared.step_days} = 0
                and snapshots.{day} > (select today_date from today) - {declared.history_days}
        """
        return _with_clean_texts(declared, read_frame(connection, query, [known_by]))
    return _with_clean_texts(declared, read_frame(connection, query))


def _with_clean_texts(declared: DeclaredPrediction, frame: "pl.DataFrame") -> "pl.DataFrame":
    """
    The columns of free text as a person reads them, and with private data masked.

    What a model learns of a text, says of it and keeps of it is of this one.
    """
    import polars as pl

    from pipelines.learning.texts.cleaning import cleaned_all

    there = [name for name in declared.text if name in frame.columns]
    return frame.with_columns(
        pl.Series(name, list(cleaned_all(frame[name].cast(pl.String).to_list())), dtype=pl.String).replace("", None)
        for name in there
    )


def rows_to_score(
    connection: "duckdb.DuckDBPyConnection", declared: DeclaredPrediction, as_of: "date | None" = None
) -> "pl.DataFrame":
    """The population's snapshots of a day (default: the run's date)."""
    features, day = quoted(*declared.features_table), quoted(declared.as_of or "")
    wanted = f"{day} = coalesce($1::date, {RUN_DATE}) and {declared.who}"
    return _with_clean_texts(
        declared, read_frame(connection, f"select * from {features} as snapshots where {wanted}", [as_of])
    )


def scoring_frame(connection: "duckdb.DuckDBPyConnection", declared: DeclaredPrediction) -> "ToScore":
    """
    One row per entity to score.

    Of a table with several rows per entity, the rows of the run's date; of any other table, the rows whose answer is
    not known yet, or all rows if every answer is known. Raises `dg.Failure` when an entity has two such rows.
    """
    features, day = quoted(*declared.features_table), quoted(declared.as_of or "")
    key, target = f"snapshots.{quoted(declared.entity)}", quoted(declared.target)
    chosen = f"{key} is not null and {declared.who}"
    whose = "" if declared.population == "true" else f" of {declared.population}"
    whose += f" with {declared.relative_to} above 0" if declared.relative_to else ""
    today = f"cast(snapshots.{day} as date) = {RUN_DATE}"
    has_history, was_learnt_from = declared.is_snapshot, False
    if declared.as_of and not has_history:
        (has_history,) = connection.execute(
            f"select count(*) > count(distinct {key}) from {features} as snapshots where {chosen}"
        ).fetchone()
    if has_history:
        where, who = today, f"the rows{whose} as of {run_date(connection)}"
        answers = "" if declared.outcomes else f"exclude ({target})"
        query = f"select snapshots.* {answers} from {features} as snapshots where {chosen} and {where}"
        frame = read_frame(connection, query)
    else:
        frame = read_frame(connection, f"select * from {features} as snapshots where {chosen}")
        if declared.outcomes:
            known = f"select {quoted(declared.entity)}, {target} from {quoted(*declared.outcomes_table)}"
            frame = frame.join(read_frame(connection, known), on=declared.entity, how="left")
        unknown = frame.filter(frame[declared.target].is_null())
        was_learnt_from = unknown.is_empty()
        frame, who = (
            (frame, f"everyone{whose}: every {declared.target} is known, so the model has learnt from these rows")
            if was_learnt_from
            else (unknown, f"the rows{whose} whose {declared.target} is not known yet")
        )
        frame = frame.drop(declared.target)
    if frame[declared.entity].n_unique() != frame.height:
        twice = frame[declared.entity].value_counts(sort=True).row(0)
        raise dg.Failure(
            f"{declared.name}: {declared.features} has {twice[1]} rows to score for {declared.entity} = {twice[0]!r}; "
            "one each can be scored. Narrow the population, or name the column that says as of when a row is "
            "(`as_of`).",
            allow_retries=False,
        )
    return ToScore(_with_clean_texts(declared, frame), who, was_learnt_from)


def with_value(
    connection: "duckdb.DuckDBPyConnection", declared: DeclaredPrediction, frame: "pl.DataFrame"
) -> "pl.DataFrame":
    """
    The rows to score with the column `value_from` (Float64), the money at stake: what the prediction of that name
    expects of an entity on the run's date, and `value` where it says nothing.
    """
    import polars as pl

    name = declared.value_from
    if name is None:
        return frame
    given = pl.col(declared.value).cast(pl.Float64)
    if not table_exists(connection, "scores", name):
        return frame.with_columns(given.alias(name))
    query = f"select {quoted(declared.entity)}, expected from scores.{quoted(name)} where as_of_date = {RUN_DATE}"
    expected = read_frame(connection, query).rename({"expected": name})
    return frame.join(expected, on=declared.entity, how="left").with_columns(pl.coalesce(name, given))


def published_query(
    declared: DeclaredPrediction,
    columns: "Collection[str]",
    described_by: "Collection[str]",
    links: "Mapping[str, str]",
    others: "Mapping[str, str]",
) -> str:
    """
    The query of the published table.

    `columns`: those of the scores, by which answers, classes and amounts are told apart. `described_by`: columns of the
    model that describes the entity; its columns of source systems are published, too, for the audit. `links`: system →
    address of one of its records, with `{id}` for the key. `others`: prediction with scores that are shown → its key.
    """
    key = quoted(declared.entity)
    named = ("probability", "predicted", *AMOUNT)
    answers = [name for name in columns if name in named or name.startswith("probability_")]
    value = [name for name in (declared.value, declared.value_from) if name and name in columns]
    if declared.value and "currency" in columns and "currency" not in declared.publish.described:
        value.append("currency")
    standing = [name for name in ("score", "grade") if name in columns]
    value = [name for name in value if name not in declared.publish.features]
    shown = {name: f"scores.{quoted(name)}" for name in [*answers, *standing, *value]}
    if declared.value and "expected_value" in columns:
        shown["expected_value"] = f"scores.expected_value as {declared.publish.expected_value_as}"
    for name in [name for name in columns if name.startswith("points_")]:
        shown[name] = f"scores.{quoted(name)}"
    held_back = ["is_holdback"] if "is_holdback" in columns else []
    decided = ["decided_by"] if "decided_by" in columns else []
    for name in ("reason_1", "reason_2", "reason_3", "reasons", *held_back, *decided):
        shown[name] = f"scores.{name}"
    for name in SYSTEM_COLUMNS:
        if name in described_by and name not in (*columns, *declared.publish.described):
            shown[name] = f"descriptions.{name}"
    shown["model_version"] = "scores.model_version"
    described = [f"descriptions.{quoted(column)}" for column in declared.publish.described]
    if declared.publish.link:
        described.append(f"{'links.url' if links else 'cast(null as varchar)'} as {quoted(declared.publish.link)}")
    features = [name for name in declared.publish.features if name in columns]
    described += [f"scores.{quoted(name)}" for name in features]
    for name, wanted in declared.publish.from_scores.items():
        for theirs, ours in wanted.items():
            score = f"{quoted(f'of_{name}')}.{theirs}" if name in others else "null"
            described.append(f"cast({score} as {SCORES_OF_OTHERS[theirs]}) as {ours}")
    selected = [f"scores.{key}", *described, "scores.as_of_date", "scores.horizon_days", *shown.values()]
    join = ""
    if declared.described_by_table:
        join = f"left join {quoted(*declared.described_by_table)} as descriptions using ({key})"
    if declared.publish.link and links:
        join += f"\nleft join ({_links_query(declared.entity, links)}) as links on links.entity_id = scores.{key}"
    for name, their_key in others.items():
        of_other = quoted(f"of_{name}")
        join += f"""
            left join (select * from scores.{quoted(name)} where as_of_date = {RUN_DATE}) as {of_other}
                on {of_other}.{quoted(their_key)} = descriptions.{quoted(their_key)}
        """
    largest = next((name for name in ("expected", "probability") if name in answers), "score")
    return f"""
        select {", ".join(selected)}
        from scores.{declared.name} as scores
        {join}
        order by scores.{largest} desc nulls last, {"scores.score desc, " if decided else ""}scores.{key}
    """


def _links_query(entity: str, links: "Mapping[str, str]") -> str:
    """One address per entity: of its records in systems with a link, that of the register of companies comes first."""
    cases = [
        f"when {literal(system)} then replace({literal(template)}, '{{id}}', url_encode(record_key))"
        for system, template in links.items()
    ]
    return f"""
        select entity_id, first(url order by is_register desc, source_system, record_key) as url
        from (
            select *, case source_system {" ".join(cases)} end as url
            from core.record_keys
            where entity = {literal(entity)}
        )
        where url is not null
        group by entity_id
    """
