"""What more people write about than before: topics by week, and words that rise or are new, beyond noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from pipelines.learning.texts.phrases import stop_words
from pipelines.values.private_data import masked

if TYPE_CHECKING:
    import polars as pl

BASELINE_WEEKS, LEAST_WEEKS = 12, 4
"""Full weeks that a week is judged by, and with how many at least."""
GAP_WEEKS = 1
"""Between the two: what began to rise last week must not hide that it rises this week."""
FALSE_RISES, FALSE_RISES_EACH = 0.05, 0.02
"""Of what is called rising in a week, the expected share that is noise; and at most so much of a name's own weeks."""
LEAST_RATIO = 1.25
"""A rise below this is not worth telling, however sure it is."""
LEAST_TEXTS, LEAST_GROUPS = 3, 2
"""Texts of a week, and authors or companies, that a rise takes."""
NEW_TEXTS, NEW_GROUPS = 4, 3
"""The same for a word that no text of the year before has."""
STEADY = 20.0
"""Texts added to a week's others, so that a few more or less of them are no growth of the whole."""
WORD_WEEKS = 13
"""The last full weeks in which words are looked for."""
MOST_WORDS = 10
"""Words and pairs of words told of a week."""
HISTORY_WEEKS = 52
"""Before these; what no text of this time has is new."""
READ_LETTERS = 2_000
"""Of a text, for its words."""
CHUNK = 10_000
"""Texts that are taken apart at once."""
SAME_TEXTS = 0.8
"""Share of a word's texts from which on a pair of words says all that the word says."""
EXAMPLES, EXAMPLE_LETTERS = 3, 160
TOKEN = r"\[\w+\]|[\p{L}\p{N}]+(?:['\u2019-][\p{L}\p{N}]+)*|[^\s\w]"
"""A masked value, a word or a sign: signs and masked values part words that are no pair."""
WORD = r"^\p{L}[\p{L}\p{N}'\u2019-]{2,29}$"


def text_trends(texts: "pl.DataFrame", source: str, as_of: date) -> "pl.DataFrame":
    """
    Every topic by week, and the words and pairs of words that rise or are new.

    `texts`: text_id (String), text (String; cleaned and masked), occurred_at (Datetime), topic (String, null where
    unknown), group (String: author or company; where it is null, somebody else in each text). Rows without a time or
    after `as_of` are in no week.

    Returns source, kind ('topic' or 'word'), name (String), week_start_date (Date, a Monday), texts (Int64), share
    (Float64, of the week's texts; of those with a topic for topics), expected (Float64, texts by the weeks before; null
    where these are too few), ratio (Float64, texts by expected), is_rising, is_new, is_partial (Boolean), example_1 to
    example_3 (String: masked and shortened, never of one author only). Sorted by kind, week and name. The week of
    `as_of` is partial unless it ends then, and not judged. Words are those of the last `WORD_WEEKS` full weeks.
    """
    import polars as pl

    weekly = _weekly(texts, as_of)
    if weekly.is_empty():
        return pl.DataFrame(schema=_schema())
    parts = [_topic_rows(weekly, as_of), _word_rows(weekly, as_of)]
    trends = pl.concat([part.select([*_schema()][1:]) for part in parts])
    trends = trends.with_columns(source=pl.lit(source)).select(*_schema()).cast(_schema())
    return trends.sort("kind", "week_start_date", "name")


@dataclass(frozen=True)
class Judged:
    """A matrix each, names × weeks."""

    expected: np.ndarray
    """Texts by the weeks before; nan where these are too few (float64)."""
    chance: np.ndarray
    """How likely as many texts or more are without a rise, in the week or in the last two (float64, nan likewise)."""


def judge_counts(counts: np.ndarray, totals: np.ndarray) -> Judged:
    """
    Compare every week, and the same with the last before it, with the `BASELINE_WEEKS` before these.

    `counts`: texts (names × full weeks, in order and without a gap); `totals`: texts of each week (weeks). Expected are
    the counts of the weeks before by how many other texts a week has, so that growth of the whole is no rise. The count
    of a week is negative binomial about that: its variance allows for counting, for what the mean of a few weeks and
    the other texts leave open, and for as much more as the weeks before scattered (after Farrington et al., 1996, "A
    statistical algorithm for the early detection of outbreaks of infectious disease").
    """
    names, weeks = counts.shape
    expected, chance = np.full((names, weeks), np.nan), np.full((names, weeks), np.nan)
    others = np.maximum(totals[None, :] - counts, 0.0)
    exposure = others + STEADY
    noise = others / exposure**2
    for week in range(LEAST_WEEKS + GAP_WEEKS, weeks):
        before = slice(max(0, week - GAP_WEEKS - BASELINE_WEEKS), week - GAP_WEEKS)
        seen, exposed = counts[:, before], exposure[:, before]
        events = seen.sum(axis=1) + 0.5
        rate = events / exposed.sum(axis=1)
        mean = rate[:, None] * exposed
        scatter = ((seen - mean) ** 2 / (mean + mean**2 * noise[:, before])).sum(axis=1) / (seen.shape[1] - 1)
        tried = []
        for first in (week, week - GAP_WEEKS):  # a week alone, and with what is in no baseline yet
            now = slice(first, week + 1)
            means = rate[:, None] * exposure[:, now]
            mean = means.sum(axis=1)
            variance = np.maximum(scatter, 1.0) * (mean + mean**2 / events + (means**2 * noise[:, now]).sum(axis=1))
            tried.append(_at_least(counts[:, now].sum(axis=1), mean, variance))
        expected[:, week] = rate * exposure[:, week]
        chance[:, week] = np.minimum(2 * np.minimum(*tried), 1.0)
    return Judged(expected, chance)


def _at_least(counts: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """The probability of so many or more, by the negative binomial of this mean and variance."""
    from scipy.stats import nbinom

    size = mean**2 / (variance - mean)
    return nbinom.sf(counts - 1, size, size / (size + mean))


def rises(chance: np.ndarray, tests: int | None = None) -> np.ndarray:
    """
    Which of a week's probabilities say that something rises (boolean), a share of `FALSE_RISES` of these being noise;
    less where there are only one or two names.

    `tests`: how many names were looked at, where `chance` has only the likeliest of them. Benjamini and Hochberg, 1995,
    "Controlling the false discovery rate".
    """
    order = np.argsort(np.where(np.isnan(chance), 1.0, chance), kind="stable")
    ranked = np.where(np.isnan(chance), 1.0, chance)[order]
    tests = max(tests or len(ranked), 1)
    enough = ranked <= min(FALSE_RISES, FALSE_RISES_EACH * tests) * np.arange(1, len(ranked) + 1) / tests
    found = np.zeros(len(chance), dtype=bool)
    if enough.any():
        found[order[: np.flatnonzero(enough)[-1] + 1]] = True
    return found


def _schema() -> dict:
    import polars as pl

    return {
        "source": pl.String,
        "kind": pl.String,
        "name": pl.String,
        "week_start_date": pl.Date,
        "texts": pl.Int64,
        "share": pl.Float64,
        "expected": pl.Float64,
        "ratio": pl.Float64,
        "is_rising": pl.Boolean,
        "is_new": pl.Boolean,
        "is_partial": pl.Boolean,
        **{f"example_{number}": pl.String for number in range(1, EXAMPLES + 1)},
    }


def _weekly(texts: "pl.DataFrame", as_of: date) -> "pl.DataFrame":
    """The texts in order of time with their week and row; an unknown author is one alone."""
    import polars as pl

    day = pl.col("occurred_at").cast(pl.Date)
    return (
        texts.with_columns(text=pl.col("text").fill_null(""), week=day.dt.truncate("1w"))
        .filter(day.is_not_null() & (day <= as_of))
        .with_columns(group=pl.coalesce("group", pl.lit("\0") + pl.col("text_id")))
        .sort("occurred_at", "text_id")
        .with_row_index("row")
    )


def _full_weeks(weekly: "pl.DataFrame", as_of: date) -> list[date]:
    """The weeks seen from Monday to Sunday, in order; the first is one only if it has a text of its Monday."""
    import polars as pl

    first = weekly["occurred_at"].cast(pl.Date).min()
    start = first if first.weekday() == 0 else first + timedelta(days=7 - first.weekday())
    last_sunday = as_of - timedelta(days=(as_of.weekday() + 1) % 7)
    return [start + timedelta(weeks=number) for number in range(max(0, ((last_sunday - start).days + 1) // 7))]


def _topic_rows(weekly: "pl.DataFrame", as_of: date) -> "pl.DataFrame":
    """A row a topic and week in which it has a text."""
    import polars as pl

    known = weekly.filter(pl.col("topic").is_not_null()).rename({"topic": "name"})
    full = _full_weeks(weekly, as_of)
    totals = known.group_by("week").agg(total=pl.len())
    judged = _judged(known, totals, full)
    rows = known.group_by("name", "week").agg(texts=pl.len(), groups=pl.col("group").n_unique())
    firsts = known.group_by("name").agg(first_week=pl.col("week").min())
    rows = (
        rows.join(totals, on="week")
        .join(firsts, on="name")
        .join(judged, on=["name", "week"], how="left")
        .with_columns(
            kind=pl.lit("topic"),
            share=pl.col("texts") / pl.col("total"),
            is_partial=~pl.col("week").is_in(full),
            is_new=(pl.col("first_week") == pl.col("week")) & pl.col("expected").is_not_null(),
        )
    )
    rows = rows.with_columns(ratio=pl.col("texts") / pl.col("expected"), is_rising=_is_worth_telling())
    return _with_examples(rows, known).rename({"week": "week_start_date"})


def _is_worth_telling() -> "pl.Expr":
    import polars as pl

    return (
        pl.col("is_beyond_noise").fill_null(False)
        & (pl.col("texts") >= LEAST_TEXTS)
        & (pl.col("groups") >= LEAST_GROUPS)
        & (pl.col("texts") >= LEAST_RATIO * pl.col("expected"))
    )


def _judged(
    known: "pl.DataFrame", totals: "pl.DataFrame", full: Sequence[date], tests: int | None = None
) -> "pl.DataFrame":
    """name, week, expected, chance and is_beyond_noise of every name and full week that has enough weeks before it."""
    import polars as pl

    names = known["name"].unique().sort()
    weeks = pl.DataFrame({"week": pl.Series(full, dtype=pl.Date)}).with_row_index("place")
    counted = (
        known.group_by("name", "week")
        .agg(texts=pl.len())
        .join(weeks, on="week")
        .join(pl.DataFrame({"name": names}).with_row_index("number"), on="name")
    )
    counts = np.zeros((len(names), len(full)))
    counts[counted["number"].to_numpy(), counted["place"].to_numpy()] = counted["texts"].to_numpy()
    of_weeks = weeks.join(totals, on="week", how="left").sort("place")["total"].fill_null(0).to_numpy().astype(float)
    judged = judge_counts(counts, of_weeks)
    beyond = np.zeros(counts.shape, dtype=bool)
    for week in range(len(full)):
        beyond[:, week] = rises(judged.chance[:, week], tests)
    return pl.DataFrame(
        {
            "name": np.repeat(names.to_numpy(), len(full)),
            "week": pl.Series(list(full) * len(names), dtype=pl.Date),
            "expected": judged.expected.ravel(),
            "chance": judged.chance.ravel(),
            "is_beyond_noise": beyond.ravel(),
        },
        schema_overrides={"name": pl.String},
    ).filter(pl.col("expected").is_not_nan())


def _word_rows(weekly: "pl.DataFrame", as_of: date) -> "pl.DataFrame":
    """A row a word (or pair of words) and week in which it rises or is new."""
    import polars as pl

    full = _full_weeks(weekly, as_of)
    looked_at = full[max(LEAST_WEEKS + GAP_WEEKS, len(full) - WORD_WEEKS) :]
    once = (
        weekly.filter(pl.col("week") >= (looked_at[0] if looked_at else as_of) - timedelta(weeks=HISTORY_WEEKS))
        .unique(["week", "text"], keep="first", maintain_order=True)
        .with_columns(row=pl.int_range(pl.len(), dtype=pl.UInt32))
    )
    said = pl.concat([_said(once[start : start + CHUNK]) for start in range(0, max(once.height, 1), CHUNK)])
    said = said.with_columns(week=once["week"].gather(said["row"]))
    often = (
        said.filter(pl.col("week").is_in(looked_at)).group_by("key", "week").len().filter(pl.col("len") >= LEAST_TEXTS)
    )
    tests = said["key"].n_unique()
    said = said.join(often.select("key").unique(), on="key", how="semi")
    words = _named(said, once).join(once.drop("week"), on="row").sort("row", "name")
    firsts = words.group_by("name").agg(first_week=pl.col("week").min())
    totals = once.group_by("week").agg(total=pl.len())
    judged = _judged(words, totals, full[-(WORD_WEEKS + GAP_WEEKS + BASELINE_WEEKS) :], tests)
    rows = (
        words.filter(pl.col("week").is_in(looked_at))
        .group_by("name", "week")
        .agg(texts=pl.len(), groups=pl.col("group").n_unique(), which=pl.col("row").hash().sum())
        .filter((pl.col("texts") >= LEAST_TEXTS) & (pl.col("groups") >= LEAST_GROUPS))
        .join(totals, on="week")
        .join(firsts, on="name")
        .join(judged, on=["name", "week"])
        .with_columns(
            kind=pl.lit("word"),
            share=pl.col("texts") / pl.col("total"),
            ratio=pl.col("texts") / pl.col("expected"),
            is_partial=pl.lit(False),
            is_rising=_is_worth_telling(),
            is_new=(pl.col("first_week") == pl.col("week"))
            & (pl.col("texts") >= NEW_TEXTS)
            & (pl.col("groups") >= NEW_GROUPS),
        )
        .filter(pl.col("is_rising") | pl.col("is_new"))
    )
    rows = _without_parts(rows)
    rows = rows.filter(pl.struct("chance", "name").rank("ordinal").over("week") <= MOST_WORDS)
    return _with_examples(rows, words).rename({"week": "week_start_date"})


def _said(texts: "pl.DataFrame", is_named: bool = False) -> "pl.DataFrame":
    """Row and key (a number that stands for the words) of every word and pair of words, once a text; and their name."""
    import polars as pl

    tokens = (
        texts.select("row", token=pl.col("text").str.head(READ_LETTERS).str.to_lowercase().str.extract_all(TOKEN))
        .explode("token")
        .drop_nulls()
    )
    written = tokens["token"].unique()
    telling = written.filter(written.str.contains(WORD) & ~written.is_in(sorted(stop_words())))
    tokens = tokens.with_columns(word=pl.col("token").hash()).with_columns(
        is_telling=pl.col("word").is_in(telling.hash().to_list()), follows=pl.col("row").shift(-1) == pl.col("row")
    )
    is_pair = pl.col("is_telling") & pl.col("is_telling").shift(-1) & pl.col("follows")
    name = {"name": pl.col("token")} if is_named else {}
    names = {"name": pl.col("token") + " " + pl.col("token").shift(-1)} if is_named else {}
    singles = tokens.select("row", "is_telling", key="word", **name)
    pairs = tokens.select(
        "row", is_telling=is_pair, key=pl.struct("word", next=pl.col("word").shift(-1)).hash(), **names
    )
    return pl.concat([singles, pairs]).filter("is_telling").drop("is_telling").unique()


def _named(said: "pl.DataFrame", texts: "pl.DataFrame") -> "pl.DataFrame":
    """name, row and week: keys become words again by a text that has each."""
    import polars as pl

    examples = said.group_by("key").agg(pl.col("row").min())
    names = _said(texts.join(examples.select("row").unique(), on="row", how="semi"), is_named=True)
    return said.join(names.join(examples, on=["key", "row"]).select("key", "name"), on="key").drop("key")


def _without_parts(rows: "pl.DataFrame") -> "pl.DataFrame":
    """Rows without the words of which a pair in the same week says all, and one row of those of the very same texts."""
    import polars as pl

    is_pair = pl.col("name").str.contains(" ", literal=True)
    rows = rows.sort(~is_pair, "chance", "name").unique(["week", "which"], keep="first", maintain_order=True)
    pairs = (
        rows.filter(is_pair)
        .select("week", part=pl.col("name").str.split(" "), of_pair="texts")
        .explode("part")
        .group_by("week", "part")
        .agg(pl.col("of_pair").max())
    )
    joined = rows.join(pairs, left_on=["week", "name"], right_on=["week", "part"], how="left")
    return joined.filter(pl.col("of_pair").fill_null(0) < SAME_TEXTS * pl.col("texts")).drop("of_pair")


def _with_examples(rows: "pl.DataFrame", texts: "pl.DataFrame") -> "pl.DataFrame":
    """
    The rows with three texts of each, the newest of different authors first; none where all are of one author.

    `texts` has name, week, occurred_at, text_id, group and text; a text is masked once more, and cut to what stands
    around the name.
    """
    import polars as pl

    chosen = (
        texts.join(rows.select("name", "week"), on=["name", "week"], how="semi")
        .filter(pl.col("text") != "")
        .filter(pl.col("group").n_unique().over("name", "week") > 1)
        .sort("occurred_at", "text_id", descending=True)
        .unique(["name", "week", "group", "text"], keep="first", maintain_order=True)
        .with_columns(turn=pl.int_range(pl.len()).over("name", "week", "group"))
        .sort("turn", maintain_order=True)
        .unique(["name", "week", "text"], keep="first", maintain_order=True)
        .group_by("name", "week", maintain_order=True)
        .head(EXAMPLES)
    )
    shortened = [
        masked(_around(text, name))
        for name, text in zip(chosen["name"].to_list(), chosen["text"].to_list(), strict=True)
    ]
    listed = (
        chosen.with_columns(example=pl.Series(shortened, dtype=pl.String))
        .group_by("name", "week", maintain_order=True)
        .agg("example")
    )
    joined = rows.join(listed, on=["name", "week"], how="left")
    return joined.with_columns(
        pl.col("example").list.get(number, null_on_oob=True).alias(f"example_{number + 1}")
        for number in range(EXAMPLES)
    )


def _around(text: str, name: str) -> str:
    """At most `EXAMPLE_LETTERS` of a text, cut between words: about the name where it stands there, else the start."""
    if len(text) <= EXAMPLE_LETTERS:
        return text
    place = max(text.lower().find(name.lower()), 0)
    start = max(0, min(place - EXAMPLE_LETTERS // 3, len(text) - EXAMPLE_LETTERS))
    if start:
        start = text.find(" ", start, place) + 1 or start
    part = text[start : start + EXAMPLE_LETTERS - 4]
    if start + len(part) < len(text) and " " in part:
        part = part.rsplit(" ", 1)[0] + " …"
    return f"… {part}" if start else part
